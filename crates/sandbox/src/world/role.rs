//! IAM roles and their trust policies. Which ones an account has follows from the spec, and from `created_role`.
//! What a role may do is not decided here.

use std::sync::Arc;

use serde_json::json;

use crate::services::resource_policy::{Ask, Asker, admits};
use crate::world::World;
use crate::world::organization::Organization;

/// Who a role trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// `arn:aws:iam::ID:root`: any principal of that account.
    Account(String),
    /// A service principal.
    Service(&'static str),
    /// Whom the trust policy of a role made by CreateRole admits: its text.
    Policy(Arc<str>),
}

/// A role, with what its trust policy says.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) trusts: Trusted,
    /// The value that `sts:ExternalId` must have.
    pub(crate) external_id: Option<String>,
    pub(crate) max_session_seconds: u32,
}

impl Role {
    /// Whether a principal of this account may assume it, showing this external ID.
    pub(crate) fn admits(&self, account: &str, external_id: Option<&str>) -> bool {
        if let Trusted::Policy(policy) = &self.trusts {
            let arn = format!("arn:aws:iam::{account}:root");
            let mut context = vec![("aws:PrincipalAccount", account)];
            context.extend(external_id.map(|id| ("sts:ExternalId", id)));
            let asker = Asker::Principal { account, arn: &arn };
            return admits(policy, &Ask { asker, action: "sts:AssumeRole", resource: "*", context: &context });
        }
        self.trusts == Trusted::Account(account.to_string())
            && self.external_id.as_deref().is_none_or(|wanted| external_id == Some(wanted))
    }

    /// Whether the service may assume it, acting for this account.
    pub(crate) fn admits_service(&self, service: &str, account: &str, source: &str) -> bool {
        if let Trusted::Policy(policy) = &self.trusts {
            let context = [("aws:SourceAccount", account), ("aws:SourceArn", source)];
            let asker = Asker::Service(service);
            return admits(policy, &Ask { asker, action: "sts:AssumeRole", resource: "*", context: &context });
        }
        matches!(self.trusts, Trusted::Service(trusted) if trusted == service)
    }

    /// The trust policy's text.
    pub(crate) fn trust_policy(&self) -> String {
        let principal = match &self.trusts {
            Trusted::Policy(policy) => return policy.to_string(),
            Trusted::Account(account) => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
            Trusted::Service(service) => json!({ "Service": service }),
        };
        let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" });
        if let Some(id) = &self.external_id {
            statement["Condition"] = json!({ "StringEquals": { "sts:ExternalId": id } });
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

impl World {
    /// The role of this path and name (`path/name` without the leading slash) in the account.
    pub(crate) fn role(&self, account: usize, name: &str) -> Option<Role> {
        let facts = &self.organization.accounts[account];
        let make = |trusts, external_id, max_session_seconds| {
            let id = crate::random::Random::new(self.spec.seed, name, account as u64).text(crate::random::KEY_ID, 17);
            Some(Role { name: name.to_string(), id: format!("AROA{id}"), trusts, external_id, max_session_seconds })
        };
        if name == self.spec.member_role.name && facts.member_role {
            let external_id = Some(self.external_id.clone()).filter(|id| !id.is_empty());
            let security = self.security_account().id.clone();
            return make(Trusted::Account(security), external_id, self.spec.member_role.max_session_seconds);
        }
        if name == self.spec.automation_role.name && facts.automation_role {
            return make(Trusted::Service("ssm.amazonaws.com"), None, 3600);
        }
        if let Some(created) = self.made_role(account, name) {
            return Some(created);
        }
        // Organizations makes this role in accounts it creates; the management account has none.
        if name == "OrganizationAccountAccessRole" && account != Organization::MANAGEMENT {
            return make(Trusted::Account(self.management_account().id.clone()), None, 3600);
        }
        None
    }

    /// A role that CreateRole made, by its path and name.
    fn made_role(&self, account: usize, name: &str) -> Option<Role> {
        let created = self.created_roles.get(account, name.rsplit('/').next().unwrap_or(name))?;
        let full = format!("{}{}", &created.path[1..], created.name);
        (full == name).then(|| Role {
            // Sessions of a role have its name without the path in their ARN.
            name: created.name.clone(),
            id: created.id.clone(),
            trusts: Trusted::Policy(created.trust.clone()),
            external_id: None,
            max_session_seconds: created.max_session_seconds,
        })
    }

    /// The names of roles that an account may have by the spec.
    pub(crate) fn generated_role_names(&self) -> impl Iterator<Item = &str> {
        [self.spec.member_role.name.as_str(), self.spec.automation_role.name.as_str(), "OrganizationAccountAccessRole"]
            .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_needs_both_the_account_and_the_external_id() {
        let role = Role {
            name: "r".into(),
            id: "AROA".into(),
            trusts: Trusted::Account("111122223333".into()),
            external_id: Some("secret".into()),
            max_session_seconds: 3600,
        };
        assert!(role.admits("111122223333", Some("secret")));
        assert!(!role.admits("111122223333", Some("Secret")));
        assert!(!role.admits("111122223333", None));
        assert!(!role.admits("444455556666", Some("secret")));
        assert!(!role.admits_service("ssm.amazonaws.com", "111122223333", ""));
    }
}
