//! Someone changes a role at run time, past IAM: such a change lives as long as the process.

use std::sync::Arc;

use super::store::{RolePolicies, Trust, bare};
use super::{Kind, Policy};
use crate::random::{KEY_ID, Random};
use crate::wire::now_ms;
use crate::world::World;
use crate::world::lock::lock;
use crate::world::managed_policy::ManagedRecord;
use crate::world::records::Written;
use crate::world::role_record::{RoleRecord, boundary_name};

/// One change to a role.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RoleChange<'a> {
    Trust(&'a str),
    Identity(&'a str),
    Boundary(Option<&'a str>),
}

impl World {
    /// Changes the policies of a role; a role that is not there is made when it is given a trust.
    pub(crate) fn change_role(&self, account: usize, name: &str, change: RoleChange<'_>) -> Result<(), String> {
        match change {
            RoleChange::Trust(text) => self.permissions.load(Kind::Trust, text).map(drop)?,
            RoleChange::Identity(text) | RoleChange::Boundary(Some(text)) => {
                self.permissions.load(Kind::Identity, text).map(drop)?;
            }
            RoleChange::Boundary(None) => {}
        }
        let _writing = lock(&self.iam_writing);
        let not_there = || format!("there is no role {name}");
        let record = match self.roles.get(account, bare(name)) {
            Written::Nothing => return self.change_preset(account, name, change),
            Written::Here(record) if record.full_name() == name => record.as_ref().clone(),
            Written::Here(_) => return Err(not_there()),
            Written::Deleted => made(name),
        };
        if record.trust.is_empty() && !matches!(change, RoleChange::Trust(_)) {
            return Err(not_there());
        }
        self.change_record(account, record, change);
        Ok(())
    }

    /// A role that IAM keeps.
    fn change_record(&self, account: usize, mut record: RoleRecord, change: RoleChange<'_>) {
        match change {
            RoleChange::Trust(text) => record.trust = text.into(),
            RoleChange::Identity(text) => {
                record.policies = [(record.name.clone(), text.to_string())].into();
                record.attached.clear();
            }
            RoleChange::Boundary(None) => record.boundary = None,
            RoleChange::Boundary(Some(text)) => {
                record.boundary = Some(self.put_boundary(account, &record.name, text));
            }
        }
        let name = record.name.clone();
        self.roles.put(account, &name, record);
    }

    /// Writes the managed policy that is the boundary of a role; gives its ARN.
    fn put_boundary(&self, account: usize, role: &str, text: &str) -> String {
        let id = format!("ANPA{}", Random::new(self.spec.seed, role, account as u64).text(KEY_ID, 17));
        let policy = ManagedRecord::new(&boundary_name(role), id, text, now_ms());
        let arn = policy.arn(self.spec.partition, &self.organization.accounts[account].id);
        self.managed.put(account, &boundary_name(role), policy);
        arn
    }

    /// A role of the spec.
    fn change_preset(&self, account: usize, name: &str, change: RoleChange<'_>) -> Result<(), String> {
        let mut policies = match (self.preset_policies(account, name), change) {
            (Some(before), _) => before.as_ref().clone(),
            (None, RoleChange::Trust(text)) => {
                RolePolicies::made(Arc::new(Policy::load(Kind::Trust, text)?), Vec::new(), None, 3600)
            }
            (None, _) => return Err(format!("there is no role {name}")),
        };
        match change {
            RoleChange::Trust(text) => policies.trust = Trust::Same(Arc::new(Policy::load(Kind::Trust, text)?)),
            RoleChange::Identity(text) => {
                (policies.identity, policies.managed) = (vec![Arc::new(Policy::load(Kind::Identity, text)?)], None);
            }
            RoleChange::Boundary(None) => policies.boundary = None,
            RoleChange::Boundary(Some(text)) => {
                policies.boundary = Some(Arc::new(Policy::load(Kind::Identity, text)?));
                if !matches!(self.managed.get(account, &boundary_name(bare(name))), Written::Nothing) {
                    self.put_boundary(account, bare(name), text);
                }
            }
        }
        self.permissions.change(|changes| {
            changes.roles.entry(account).or_default().insert(name.into(), Arc::new(policies));
        });
        Ok(())
    }
}

/// A role in place of one that was deleted. Without a trust it is not there yet.
fn made(full: &str) -> RoleRecord {
    let mut random = Random::new(uuid::Uuid::new_v4().as_u128() as u64, "role", 0);
    RoleRecord {
        name: bare(full).into(),
        path: format!("/{}", full.strip_suffix(bare(full)).unwrap_or_default()),
        id: format!("AROA{}", random.text(KEY_ID, 17)),
        description: String::new(),
        trust: "".into(),
        max_session_seconds: 3600,
        created_ms: now_ms(),
        tags: Vec::new(),
        policies: std::collections::BTreeMap::new(),
        attached: Vec::new(),
        boundary: None,
    }
}
