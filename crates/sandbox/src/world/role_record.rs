//! IAM roles that somebody made with CreateRole, sparse, with their policies as JSON text.
//! Roles that follow from the spec are in `role`; what a policy allows is not decided here.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use crate::world::World;
use crate::world::lock::{read, write};

/// A role as CreateRole made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CreatedRole {
    pub(crate) name: String,
    /// `/` or `/a/b/`.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) description: String,
    /// The trust policy's text.
    pub(crate) trust: Arc<str>,
    pub(crate) max_session_seconds: u32,
    pub(crate) created_ms: i64,
    pub(crate) tags: Vec<(String, String)>,
    /// Inline policies: name and text.
    pub(crate) policies: BTreeMap<String, String>,
}

/// By account and role name. Names are unique whatever the path, and whatever their case.
#[derive(Debug, Default)]
pub(crate) struct CreatedRoles {
    by_account: RwLock<BTreeMap<usize, BTreeMap<String, Arc<CreatedRole>>>>,
}

impl CreatedRoles {
    pub(crate) fn get(&self, account: usize, name: &str) -> Option<Arc<CreatedRole>> {
        read(&self.by_account).get(&account)?.get(&name.to_lowercase()).cloned()
    }

    pub(crate) fn put(&self, account: usize, role: CreatedRole) {
        write(&self.by_account).entry(account).or_default().insert(role.name.to_lowercase(), Arc::new(role));
    }

    pub(crate) fn remove(&self, account: usize, name: &str) {
        if let Some(roles) = write(&self.by_account).get_mut(&account) {
            roles.remove(&name.to_lowercase());
        }
    }

    pub(crate) fn list(&self, account: usize) -> Vec<Arc<CreatedRole>> {
        read(&self.by_account).get(&account).map(|roles| roles.values().cloned().collect()).unwrap_or_default()
    }
}

impl World {
    /// A role that CreateRole made, by its path and name.
    pub(crate) fn created_role(&self, account: usize, name: &str) -> Option<Arc<CreatedRole>> {
        let created = self.created_roles.get(account, name.rsplit('/').next().unwrap_or(name))?;
        (format!("{}{}", &created.path[1..], created.name) == name).then_some(created)
    }
}
