//! IAM roles and their trust policies. Roles are not stored: which ones an account has follows from the spec.
//! What a role may do is not decided here.

use crate::world::World;
use crate::world::organization::Organization;

/// Who a role trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// `arn:aws:iam::ID:root`: any principal of that account.
    Account(String),
    /// A service principal.
    Service(&'static str),
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
        self.trusts == Trusted::Account(account.to_string())
            && self.external_id.as_deref().is_none_or(|wanted| external_id == Some(wanted))
    }

    pub(crate) fn admits_service(&self, service: &str) -> bool {
        matches!(self.trusts, Trusted::Service(trusted) if trusted == service)
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
        // Organizations makes this role in accounts it creates; the management account has none.
        if name == "OrganizationAccountAccessRole" && account != Organization::MANAGEMENT {
            return make(Trusted::Account(self.management_account().id.clone()), None, 3600);
        }
        None
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
        assert!(!role.admits_service("ssm.amazonaws.com"));
    }
}
