//! The organization's guardrails: made, changed, and attached where a person says so.

use std::collections::BTreeMap;

use orgseal_core::aws::make::ControlPolicy;
use orgseal_core::aws::{Organizations, Purpose};
use orgseal_core::judge::policy::ControlKind;
use orgseal_core::model::{Account, AwsError, now};
use serde::Serialize;

use super::look::fault;
use super::{Finding, Kind, Outcome, Site, SiteError, Taken};
use crate::meaning::differences;
use crate::{json, policies};

/// The guardrail before which it is looked who would be stopped.
pub const KEEP_SEAL: &str = "scp-keep-seal";
/// CloudTrail's event history goes back so many days.
const HISTORY_DAYS: i64 = 90;
/// What the guardrail that keeps the seal denies, as CloudTrail calls it.
const UNSEALS: [&str; 2] = ["PutBucketEncryption", "DeleteBucketEncryption"];

/// A guardrail, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guardrail {
    /// Its name in the organization.
    pub name: String,
    /// The root, OU or account to which it was to be attached; `None` for the policy itself.
    pub target: Option<String>,
    /// What became of it; `None` where it was as it is to be.
    pub outcome: Option<Outcome>,
}

/// Who changed or removed default encryption below a target in the last 90 days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unsealers {
    /// Calls by principal.
    pub principals: BTreeMap<String, u64>,
    /// Accounts that could not be asked, with why.
    pub unread: BTreeMap<String, String>,
    /// There is more than was read in these accounts.
    pub cut_short: Vec<String>,
}

impl Site {
    /// Who, below some targets, uses what the guardrail that keeps the seal denies: CloudTrail's `LookupEvents` of 90 days, in every
    /// Region of the campaign. The guardrail's own exemptions are among them.
    pub async fn unsealers(&self, targets: &[String]) -> Result<Unsealers, SiteError> {
        let accounts = self.below(targets).await.map_err(orgseal_core::campaign::CampaignError::Organization)?;
        let asked = self.each(
            accounts,
            |site, account| async move {
                let found = site.unsealers_of(&account).await;
                (account.id, found)
            },
            |account, error| (account.id.clone(), Err(error)),
        );
        let mut all = Unsealers::default();
        for (account, found) in asked.await {
            match found {
                Ok((principals, cut_short)) => {
                    for (principal, calls) in principals {
                        *all.principals.entry(principal).or_default() += calls;
                    }
                    all.cut_short.extend(cut_short.then_some(account));
                }
                Err(error) => drop(all.unread.insert(account, error.to_string())),
            }
        }
        all.cut_short.sort();
        Ok(all)
    }

    async fn unsealers_of(&self, account: &Account) -> Result<(BTreeMap<String, u64>, bool), AwsError> {
        let member = self.enter(&account.id, Purpose::Groundwork).await?;
        let since = now() - jiff::SignedDuration::from_hours(24 * HISTORY_DAYS);
        let (mut principals, mut cut_short) = (BTreeMap::new(), false);
        for region in &self.regions {
            for operation in UNSEALS {
                let (found, more) = member.who_called(region, operation, since).await?;
                cut_short |= more;
                for (principal, calls) in found {
                    *principals.entry(principal).or_default() += calls;
                }
            }
        }
        Ok((principals, cut_short))
    }

    /// Those of some targets that are no root, OU or account of the organization.
    pub async fn no_targets(&self, targets: &[String]) -> Result<Vec<String>, SiteError> {
        let organizations = self.aws.organizations();
        let mut unknown = Vec::new();
        for target in targets {
            match organizations.attached(target, ControlKind::Service).await {
                Ok(_) => {}
                Err(error) if matches!(error.code.as_str(), "TargetNotFoundException" | "InvalidInputException") => {
                    unknown.push(target.clone());
                }
                Err(error) => return Err(orgseal_core::campaign::CampaignError::Organization(error).into()),
            }
        }
        Ok(unknown)
    }

    /// The ACTIVE accounts below roots, OUs and accounts.
    async fn below(&self, targets: &[String]) -> Result<Vec<Account>, AwsError> {
        let mut accounts = self.all.to_vec();
        if accounts.iter().any(|account| account.ous.is_empty()) {
            let mut above = self.aws.organizations().walk().await?;
            for account in accounts.iter_mut().filter(|account| account.ous.is_empty()) {
                account.ous = above.remove(&account.id).unwrap_or_default();
            }
        }
        // The management account is bound by no service control policy.
        let management = &self.organization.management_account;
        accounts.retain(|account| {
            let named =
                |target: &String| *target == account.id || account.ous.contains(target) || target.starts_with("r-");
            account.is_active() && account.id != *management && targets.iter().any(named)
        });
        Ok(accounts)
    }

    /// The guardrails that are there under our names, compared. One that is not there is nobody's fault: each is a choice.
    pub(super) async fn guardrails_found(&self) -> (usize, Vec<Finding>) {
        let organizations = self.aws.organizations();
        let (mut same, mut found) = (0, Vec::new());
        for kind in [ControlKind::Service, ControlKind::Resource] {
            let there = match organizations.control_policies(kind).await {
                Ok(there) => there,
                // Without the type there are no policies of it.
                Err(error) if error.code == "PolicyTypeNotEnabledException" => continue,
                Err(error) => {
                    found.push(Finding::unread(Kind::Guardrail, "control policies", None, &error));
                    break;
                }
            };
            for (wanted, policy) in policies::guardrails(&self.groundwork).into_iter().filter_map(|wanted| {
                let full = format!("orgseal-{}", wanted.name);
                let policy = there.iter().find(|policy| policy.name == full)?;
                Some((wanted, policy))
            }) {
                match organizations.policy(&policy.id).await {
                    Ok(content) => {
                        let says = differences(&json::minified(&wanted.tree), &content);
                        let finding = Finding::differing(Kind::Guardrail, &policy.name, None, says);
                        same += usize::from(finding.is_none());
                        found.extend(finding);
                    }
                    Err(error) => found.push(Finding::unread(Kind::Guardrail, &policy.name, None, &error)),
                }
            }
        }
        (same, found)
    }

    /// Makes guardrails, or changes them, and attaches them. What somebody else made under the same name is left alone.
    pub async fn put_guardrails(&self, names: &[String], targets: &[String], adopt: bool) -> Vec<Guardrail> {
        let organizations = self.aws.organizations();
        let mut done = Vec::new();
        for name in names {
            let full = format!("orgseal-{name}");
            let note =
                |target: Option<&String>, outcome| Guardrail { name: full.clone(), target: target.cloned(), outcome };
            let id = match self.put_guardrail(&organizations, name, &full, adopt).await {
                Ok((id, outcome)) => {
                    let left_alone = outcome == Some(Outcome::NotOurs);
                    done.push(note(None, outcome));
                    if left_alone {
                        continue;
                    }
                    id
                }
                Err(error) => {
                    done.push(note(None, Some(Outcome::Failed(error))));
                    continue;
                }
            };
            let there = organizations.targets(&id).await;
            for target in targets {
                let outcome = match &there {
                    Ok(there) if there.contains(target) => None,
                    Ok(_) => Some(match organizations.attach_control_policy(&id, target).await {
                        Ok(()) => Outcome::Made,
                        Err(error) => Outcome::Failed(error),
                    }),
                    Err(error) => Some(Outcome::Failed(error.clone())),
                };
                done.push(note(Some(target), outcome));
            }
        }
        done
    }

    /// Takes away the guardrails that bear our tag and are attached to nothing: what is in force somewhere is a person's to detach.
    pub(super) async fn take_guardrails(&self, take: bool) -> Vec<Taken> {
        let organizations = self.aws.organizations();
        let piece = |name: &str, error| Taken {
            account: self.organization.management_account.clone(),
            region: None,
            kind: Kind::Guardrail,
            name: name.to_owned(),
            error,
        };
        let mut taken = Vec::new();
        for wanted in policies::guardrails(&self.groundwork) {
            let full = format!("orgseal-{}", wanted.name);
            if wanted.kind != policies::Kind::Control {
                continue;
            }
            match self.take_guardrail(&organizations, wanted.name, &full, take).await {
                Ok(false) => {}
                Ok(true) => taken.push(piece(&full, None)),
                Err(error) if error.code == "PolicyTypeNotEnabledException" => {}
                Err(error) => taken.push(piece(&full, Some(error))),
            }
        }
        taken
    }

    async fn take_guardrail(
        &self,
        organizations: &Organizations,
        name: &str,
        full: &str,
        take: bool,
    ) -> Result<bool, AwsError> {
        let Some(policy) = self.guardrail(organizations, name, full).await? else { return Ok(false) };
        if !organizations.control_policy_is_ours(&policy.id).await? {
            return Ok(false);
        }
        let targets = organizations.targets(&policy.id).await?;
        if !targets.is_empty() {
            return Err(AwsError {
                code: "PolicyInUse".to_owned(),
                message: format!("it is attached to {}", targets.join(", ")),
                hint: format!(
                    "if it is no longer needed, detach it first: aws organizations detach-policy --policy-id {} --target-id ID",
                    policy.id
                ),
            });
        }
        if take {
            organizations.delete_control_policy(&policy.id).await?;
        }
        Ok(true)
    }

    async fn put_guardrail(
        &self,
        organizations: &Organizations,
        name: &str,
        full: &str,
        adopt: bool,
    ) -> Result<(String, Option<Outcome>), AwsError> {
        if let Some(error) = self.without_keys(None) {
            return Err(error);
        }
        let wanted =
            policies::one(&self.groundwork, name).ok_or_else(|| fault(&format!("guardrail {name} does not exist")))?;
        let content = wanted.minified().map_err(|error| fault(&error))?;
        match self.guardrail(organizations, name, full).await? {
            None => {
                let description = "orgseal, see guardrails/README.md of the rendered prerequisites";
                let id = organizations.create_control_policy(kind_of(name), full, description, &content).await?;
                Ok((id, Some(Outcome::Made)))
            }
            Some(policy) => {
                if !organizations.control_policy_is_ours(&policy.id).await? {
                    if !adopt {
                        return Ok((policy.id, Some(Outcome::NotOurs)));
                    }
                    organizations.tag_control_policy(&policy.id).await?;
                }
                let there = organizations.policy(&policy.id).await?;
                if differences(&content, &there).is_empty() {
                    return Ok((policy.id, None));
                }
                organizations.update_control_policy(&policy.id, &content).await?;
                Ok((policy.id, Some(Outcome::Changed)))
            }
        }
    }

    async fn guardrail(
        &self,
        organizations: &Organizations,
        name: &str,
        full: &str,
    ) -> Result<Option<ControlPolicy>, AwsError> {
        let policies = organizations.control_policies(kind_of(name)).await?;
        Ok(policies.into_iter().find(|policy| policy.name == full))
    }
}

fn kind_of(name: &str) -> ControlKind {
    if name.starts_with("rcp-") { ControlKind::Resource } else { ControlKind::Service }
}
