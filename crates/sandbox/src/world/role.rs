//! IAM roles. Which ones an account has follows from the spec, and from what was written since (`role_record`).
//! What a role trusts and may do is in `policy::store`.

use std::sync::Arc;

use crate::policy::store::{RolePolicies, bare};
use crate::wire::now_ms;
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::records::Written;
use crate::world::role_record::RoleRecord;

/// A role that is there.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) policies: Arc<RolePolicies>,
}

impl World {
    /// The role of this path and name (`path/name` without the leading slash) in the account.
    pub(crate) fn role(&self, account: usize, name: &str) -> Option<Role> {
        let policies = self.policies_of_role(account, name)?;
        let id = match self.roles.get(account, bare(name)) {
            Written::Here(record) if !self.is_known(&record) => return None,
            Written::Here(record) => record.id.clone(),
            Written::Deleted | Written::Nothing => self.preset_role_id(account, name),
        };
        Some(Role { name: name.into(), id, policies })
    }

    /// Whether a role has reached IAM's readers and STS. IAM is eventually consistent: a role that was just created is missing there
    /// for some seconds (IAM guide, "Changes that I make are not always immediately visible"). Writes know of it at once.
    pub(crate) fn is_known(&self, role: &RoleRecord) -> bool {
        let delay = self.latency.scale(self.spec.iam_consistency_seconds * 1000.0).as_millis() as i64;
        now_ms() >= role.created_ms.saturating_add(delay)
    }

    /// The unique id of a role of the spec.
    pub(crate) fn preset_role_id(&self, account: usize, name: &str) -> String {
        let id = crate::random::Random::new(self.spec.seed, name, account as u64).text(crate::random::KEY_ID, 17);
        format!("AROA{id}")
    }

    /// The names, with their paths, of roles that an account may have without anybody having made them.
    pub(crate) fn preset_role_names(&self, account: usize) -> Vec<String> {
        let mut names = vec![self.spec.member_role.name.clone(), self.spec.automation_role.name.clone()];
        names.push("OrganizationAccountAccessRole".into());
        if account == Organization::SECURITY {
            names.push(crate::policy::shipped::CALLER_NAME.into());
        }
        names.extend(self.permissions.changed_roles(account));
        names.sort();
        names.dedup();
        names
    }
}
