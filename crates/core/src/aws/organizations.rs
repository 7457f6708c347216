//! AWS Organizations: which organization, which accounts, and, where a selection asks for it, OUs and tags.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{Account as Listed, PolicyType};

use super::Halt;
use super::call_log::CallLog;
use super::error::aws_error;
use super::observer::SkewIsTransient;
use super::paging::{Unique, each_page};
use super::partition::for_organizations;
use crate::judge::policy::ControlKind;
use crate::model::{Account, AwsError};

/// Attempts of the SDK for one call, the first one included.
const ATTEMPTS: u32 = 8;

/// The organization, from `DescribeOrganization`.
#[derive(Clone, Debug)]
pub struct Organization {
    /// `o-…`
    pub id: String,
    /// The management account.
    pub management_account: String,
}

/// The client for AWS Organizations.
#[derive(Clone)]
pub struct Organizations {
    pub(super) client: Client,
    pub(super) halt: Halt,
}

impl Organizations {
    /// The API is global and served from one Region of each partition.
    pub(super) fn new(config: &SdkConfig, halt: &Halt) -> Organizations {
        // It throttles early, and everything waits for it.
        let settings = aws_sdk_organizations::config::Builder::from(&for_organizations(config))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .retry_classifier(SkewIsTransient)
            .interceptor(CallLog::default());
        Organizations { client: Client::from_conf(settings.build()), halt: halt.clone() }
    }

    /// `DescribeOrganization`.
    pub async fn describe(&self) -> Result<Organization, AwsError> {
        let answer = self
            .client
            .describe_organization()
            .send()
            .await
            .map_err(|error| self.halt.heed(aws_error("DescribeOrganization", &error)))?;
        let organization = answer.organization();
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(Organization {
            id: text(organization.and_then(|o| o.id())),
            management_account: text(organization.and_then(|o| o.master_account_id())),
        })
    }

    /// `ListAccounts`, to the last page. OUs are filled in where the answer carries `Paths`.
    pub async fn accounts(&self) -> Result<Vec<Account>, AwsError> {
        const OPERATION: &str = "ListAccounts";
        let mut accounts = Vec::new();
        let read = |token| async move {
            let page = self.client.list_accounts().set_next_token(token).send().await;
            page.map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))
        };
        each_page(OPERATION, read, |page| {
            accounts.extend(page.accounts().iter().map(account));
            page.next_token
        })
        .await?;
        // An account that is listed twice would be worked on by two tasks.
        Unique::new(OPERATION).only_new(accounts, |account| {
            (format!("account {}", account.id), (account.name.clone(), account.state.clone(), account.ous.clone()))
        })
    }

    /// The OUs above each account, by a walk of the tree: for organizations whose `ListAccounts` carries no `Paths`.
    pub async fn walk(&self) -> Result<BTreeMap<String, Vec<String>>, AwsError> {
        let mut open: Vec<Vec<String>> = Vec::new();
        let read = |token| async move {
            let page = self.client.list_roots().set_next_token(token).send().await;
            page.map_err(|error| self.halt.heed(aws_error("ListRoots", &error)))
        };
        each_page("ListRoots", read, |page| {
            open.extend(page.roots().iter().filter_map(|root| root.id()).map(|id| vec![id.to_owned()]));
            page.next_token
        })
        .await?;
        let mut walked = Unique::new("ListOrganizationalUnitsForParent");
        let mut unique = Unique::new("ListAccountsForParent");
        let mut above = BTreeMap::new();
        while let Some(path) = open.pop() {
            let Some(parent) = path.last().cloned() else { continue };
            // An OU has one parent: a tree that names one below two would never be walked to its end.
            if walked.is_new(&parent, &path)? {
                let accounts = self.walk_below(&parent, &path, &mut open).await?;
                for id in accounts {
                    if unique.is_new(&format!("account {id}"), &path)? {
                        above.insert(id, path.clone());
                    }
                }
            }
        }
        Ok(above)
    }

    /// The accounts directly below a root or an OU; the OUs there are added to those that are open.
    async fn walk_below(
        &self,
        parent: &str,
        path: &[String],
        open: &mut Vec<Vec<String>>,
    ) -> Result<Vec<String>, AwsError> {
        const ACCOUNTS: &str = "ListAccountsForParent";
        const OUS: &str = "ListOrganizationalUnitsForParent";
        let mut accounts = Vec::new();
        let read = |token| async move {
            let list = self.client.list_accounts_for_parent().parent_id(parent).set_next_token(token);
            list.send().await.map_err(|error| self.halt.heed(aws_error(ACCOUNTS, &error)))
        };
        each_page(ACCOUNTS, read, |page| {
            accounts.extend(page.accounts().iter().filter_map(|account| account.id()).map(str::to_owned));
            page.next_token
        })
        .await?;
        let read = |token| async move {
            let list = self.client.list_organizational_units_for_parent().parent_id(parent).set_next_token(token);
            list.send().await.map_err(|error| self.halt.heed(aws_error(OUS, &error)))
        };
        each_page(OUS, read, |page| {
            open.extend(page.organizational_units().iter().filter_map(|ou| ou.id()).map(|id| {
                let mut below = path.to_owned();
                below.push(id.to_owned());
                below
            }));
            page.next_token
        })
        .await?;
        Ok(accounts)
    }

    /// `ListPoliciesForTarget`: the ids and names of the control policies that are attached to a root, an OU or an account, and
    /// to nothing above it.
    pub async fn attached(&self, target: &str, kind: ControlKind) -> Result<Vec<(String, String)>, AwsError> {
        const OPERATION: &str = "ListPoliciesForTarget";
        let read = |token| async move {
            let list = self.client.list_policies_for_target().target_id(target).filter(filter_of(kind));
            let page = list.set_next_token(token).send().await;
            page.map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))
        };
        let mut found = Vec::new();
        each_page(OPERATION, read, |page| {
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            found.extend(page.policies().iter().map(|policy| (text(policy.id()), text(policy.name()))));
            page.next_token
        })
        .await?;
        Unique::new(OPERATION).only_new(found, |(id, name)| (format!("policy {id}"), name.clone()))
    }

    /// `DescribePolicy`: the text of a policy.
    pub async fn policy(&self, id: &str) -> Result<String, AwsError> {
        let answer = self.client.describe_policy().policy_id(id).send().await;
        let answer = answer.map_err(|error| self.halt.heed(aws_error("DescribePolicy", &error)))?;
        Ok(answer.policy().and_then(|policy| policy.content()).unwrap_or_default().to_owned())
    }

    /// `ListTagsForResource` of an account or a policy.
    pub async fn tags(&self, account: &str) -> Result<BTreeMap<String, String>, AwsError> {
        const OPERATION: &str = "ListTagsForResource";
        let read = |token| async move {
            let page = self.client.list_tags_for_resource().resource_id(account).set_next_token(token).send().await;
            page.map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))
        };
        let mut tags = Vec::new();
        each_page(OPERATION, read, |page| {
            tags.extend(page.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())));
            page.next_token
        })
        .await?;
        let tags = Unique::new(OPERATION).only_new(tags, |(key, value)| (format!("tag {key}"), value.clone()))?;
        Ok(tags.into_iter().collect())
    }
}

fn filter_of(kind: ControlKind) -> PolicyType {
    match kind {
        ControlKind::Service => PolicyType::ServiceControlPolicy,
        ControlKind::Resource => PolicyType::ResourceControlPolicy,
    }
}

fn account(listed: &Listed) -> Account {
    // `Status` is the older field, and is being retired: either may be absent.
    #[allow(deprecated)]
    let status = listed.status().map(|status| status.as_str().to_owned());
    let state = listed.state().map(|state| state.as_str().to_owned()).or(status);
    Account {
        id: listed.id().unwrap_or_default().to_owned(),
        name: listed.name().unwrap_or_default().to_owned(),
        state: state.unwrap_or_else(|| "UNKNOWN".to_owned()),
        ous: listed.paths().first().map(|path| ous_of(path)).unwrap_or_default(),
        tags: BTreeMap::new(),
    }
}

/// The root and the OUs in a path `o-…/r-…/ou-…/ou-…/ACCOUNT/`.
fn ous_of(path: &str) -> Vec<String> {
    path.split('/').filter(|part| part.starts_with("r-") || part.starts_with("ou-")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_the_root_and_the_ous() {
        assert_eq!(ous_of("o-abc/r-1234/ou-a/ou-b/111122223333/"), ["r-1234", "ou-a", "ou-b"]);
    }
}
