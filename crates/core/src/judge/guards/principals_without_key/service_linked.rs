//! Service-linked roles: nobody can add a policy to one. Those that are known to use objects are in data/service_linked_roles.toml.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::{AccountWarning, KeyArn};

/// In the ARN of every service-linked role.
const SERVICE_LINKED: &str = ":role/aws-service-role/";

/// What becomes of the buckets that a service-linked role uses without rights on the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    /// They are held.
    Hold,
    /// They are changed, and the account gets a warning.
    Warn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownRole {
    name: String,
    service: String,
    effect: Effect,
    #[serde(default)]
    says: String,
    fix: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownRoles {
    role: Vec<KnownRole>,
}

static KNOWN: LazyLock<Vec<KnownRole>> = LazyLock::new(|| {
    // A list that does not parse fails the test of this file.
    let list = toml::from_str::<KnownRoles>(include_str!("../../data/service_linked_roles.toml"));
    list.map(|list| list.role).unwrap_or_default()
});

const FIX: &str = "policies of a service-linked role cannot be changed: where the service supports a role of your own, use one \
                   and allow it to use the key; otherwise keep SSE-S3 on this bucket (an exemption), or add the role to \
                   guards.ignored_principals if the service does not use this bucket";

pub(super) fn is_service_linked(arn: &str) -> bool {
    arn.contains(SERVICE_LINKED)
}

fn known(arn: &str) -> Option<&'static KnownRole> {
    let name = arn.rsplit('/').next().filter(|_| is_service_linked(arn))?;
    // A suffix may follow the name, where a service has several.
    KNOWN.iter().find(|role| {
        name == role.name || name.strip_prefix(role.name.as_str()).is_some_and(|rest| rest.starts_with('_'))
    })
}

/// What becomes of its buckets; `None` for a role that is not service-linked.
pub(super) fn effect(arn: &str) -> Option<Effect> {
    is_service_linked(arn).then(|| known(arn).map_or(Effect::Hold, |role| role.effect))
}

/// What to do about a service-linked role that lacks the key.
pub(super) fn fix(arn: &str) -> Option<String> {
    is_service_linked(arn).then(|| match known(arn) {
        Some(role) => {
            format!("policies of the service-linked role of {} cannot be changed: {}", role.service, role.fix)
        }
        None => FIX.to_owned(),
    })
}

/// The warning of an account for a service-linked role.
pub(super) fn warning(arn: &str, key: &KeyArn, account: &str) -> Option<AccountWarning> {
    let role = known(arn)?;
    let key = key.to_string();
    Some(AccountWarning {
        principal: arn.to_owned(),
        says: role.says.clone(),
        hint: role.fix.replace("ROLE", arn).replace("KEY", &key).replace("ACCOUNT", account),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood() {
        let list: KnownRoles = toml::from_str(include_str!("../../data/service_linked_roles.toml")).unwrap();
        assert!(list.role.iter().all(|role| (role.effect == Effect::Warn) != role.says.is_empty()));
        let path = "arn:aws:iam::111122223333:role/aws-service-role";
        let macie = format!("{path}/macie.amazonaws.com/AWSServiceRoleForAmazonMacie");
        assert_eq!(effect(&macie), Some(Effect::Warn));
        assert_eq!(effect(&format!("{path}/x.amazonaws.com/AWSServiceRoleForX")), Some(Effect::Hold));
        assert_eq!(effect("arn:aws:iam::111122223333:role/AWSServiceRoleForAmazonMacie"), None);
        let key: KeyArn = "arn:aws:kms:us-east-1:999900001111:key/k".parse().unwrap();
        let hint = warning(&macie, &key, "111122223333").unwrap().hint;
        assert!(hint.contains(&format!("--key-id {key} --grantee-principal {macie} --operations Decrypt")), "{hint}");
    }
}
