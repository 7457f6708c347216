//! AWS services that use the central key in their own name, and what the key's policy binds each by
//! (core's `judge/data/service_principals.toml`).
//!
//! A condition on a key that a service does not send refuses the service. So a service is bound by `aws:SourceOrgID` only where AWS
//! documents that it sends it, by `aws:SourceAccount` or `aws:SourceArn` where that is documented and the campaign file lists accounts,
//! and by nothing otherwise.

use orgseal_core::judge::{BoundBy, SERVICE_PRINCIPALS, ServicePrincipal};
use serde_norway::Value;

use crate::groundwork::Groundwork;
use crate::tree::texts;

/// The campaign's services by how the key's policy binds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    pub(crate) by_organization: Vec<String>,
    pub(crate) by_account: Vec<String>,
    pub(crate) by_arn: Vec<String>,
    /// What `aws:SourceArn` is like for the services that are bound by it.
    pub(crate) source_arns: Vec<String>,
    pub(crate) unbound: Vec<String>,
}

impl Services {
    pub(crate) fn of(groundwork: &Groundwork) -> Services {
        let bootstrap = &groundwork.file.bootstrap;
        let accounts = &bootstrap.service_accounts;
        let mut found = Services::default();
        for service in &bootstrap.services {
            let known = ServicePrincipal::find(service);
            let place = match known.map(|one| one.bound_by) {
                Some(BoundBy::Organization) => &mut found.by_organization,
                Some(BoundBy::Account) if !accounts.is_empty() => &mut found.by_account,
                Some(BoundBy::Arn) if !accounts.is_empty() => {
                    let of_account = |account| known?.source_arn(&groundwork.partition, account);
                    found.source_arns.extend(accounts.iter().filter_map(|account| of_account(account)));
                    &mut found.by_arn
                }
                _ => &mut found.unbound,
            };
            place.push(service.clone());
        }
        found
    }
}

/// For a template: nothing where there are none.
pub(crate) fn listed(values: &[String]) -> Option<Value> {
    (!values.is_empty()).then(|| texts(values))
}

/// The table of docs/bootstrap.md.
#[must_use]
pub fn service_table() -> String {
    let mut out = String::from("| service | bound by | documented in |\n| --- | --- | --- |\n");
    for ServicePrincipal { service, bound_by, source, .. } in SERVICE_PRINCIPALS.iter() {
        let key = match bound_by {
            BoundBy::Organization => "`aws:SourceOrgID`",
            BoundBy::Account => "`aws:SourceAccount`, for `bootstrap.service_accounts`",
            BoundBy::Arn => "`aws:SourceArn`, for resources of `bootstrap.service_accounts`",
            BoundBy::Nothing => "nothing",
        };
        out.push_str(&format!("| `{service}` | {key} | {source} |\n"));
    }
    out.push_str("| any other | nothing | |\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies;
    use orgseal_core::config::load;

    fn key_policy(more: &str) -> serde_json::Value {
        let text = format!(
            r#"
[organization]
id = "o-a1b2c3d4e5"
[member_role]
name = "orgseal-member"
[central_key]
us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/abc"
[document]
name = "Seal"
[automation_role]
name = "orgseal-automation"
[bootstrap]
services = ["acm-pca.amazonaws.com", "config.amazonaws.com", "cloudfront.amazonaws.com", "cloudtrail.amazonaws.com"]
{more}"#
        );
        let groundwork = Groundwork::new(&load(&text, "c.toml", &[]).unwrap().campaign).unwrap();
        let policy = policies::one(&groundwork, "central-key").unwrap();
        serde_json::from_str(&policy.minified().unwrap()).unwrap()
    }

    fn statement(policy: &serde_json::Value, sid: &str) -> serde_json::Value {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().find(|one| one["Sid"] == sid).cloned().unwrap_or_default()
    }

    #[test]
    fn a_service_is_bound_by_what_aws_documents_that_it_sends() {
        let policy = key_policy("service_accounts = [\"222233334444\", \"333344445555\"]");
        let by_arn = statement(&policy, "AllowServicesForListedResources");
        assert_eq!(by_arn["Principal"]["Service"], "cloudfront.amazonaws.com");
        let arn = |account: &str| format!("arn:aws:cloudfront::{account}:distribution/*");
        assert_eq!(
            by_arn["Condition"],
            serde_json::json!({ "ArnLike": { "aws:SourceArn": [arn("222233334444"), arn("333344445555")] } })
        );
        let accounts = statement(&policy, "AllowServicesForListedAccounts");
        assert_eq!(
            accounts["Principal"]["Service"],
            serde_json::json!(["config.amazonaws.com", "cloudtrail.amazonaws.com"])
        );
        assert_eq!(
            accounts["Condition"]["StringEquals"]["aws:SourceAccount"],
            serde_json::json!(["222233334444", "333344445555"])
        );
        let unbound = statement(&policy, "AllowServicesUnconditionally");
        assert_eq!(unbound["Principal"]["Service"], "acm-pca.amazonaws.com");
        assert!(unbound["Condition"].is_null());
        // Without a list of accounts nothing is known to bind them by.
        let policy = key_policy("");
        for sid in ["AllowServicesForListedAccounts", "AllowServicesForListedResources", "AllowServicesOfOrganization"]
        {
            assert_eq!(statement(&policy, sid), serde_json::Value::Null);
        }
        let unbound = statement(&policy, "AllowServicesUnconditionally");
        assert_eq!(unbound["Principal"]["Service"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn the_documents_table_is_this_one() {
        assert!(SERVICE_PRINCIPALS.len() > 5);
        let page = include_str!("../../../docs/bootstrap.md");
        assert!(page.contains(&service_table()), "put this into docs/bootstrap.md:\n{}", service_table());
    }
}
