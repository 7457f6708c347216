//! IAM roles. They are not stored: which ones an account has follows from the spec and from what was changed since.
//! What a role trusts and may do is in `policy::store`.

use std::sync::Arc;

use crate::policy::store::RolePolicies;
use crate::world::World;

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
        let id = crate::random::Random::new(self.spec.seed, name, account as u64).text(crate::random::KEY_ID, 17);
        Some(Role { name: name.into(), id: format!("AROA{id}"), policies })
    }
}
