//! What changes in the organization: control policies, policy types, trusted services, delegated administrators, tags.
//! Its accounts and units never change: they are in `organization`. What is refused is decided in `services::organizations`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::policy::controls::{Control, Target};
use crate::policy::{Kind, Policy};
use crate::spec::Spec;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::key::GENERATED_MS;
use crate::world::lock::{lock, read, write};
use crate::world::organization::Organization;

/// A control policy as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ControlRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) document: String,
    /// Ids.
    pub(crate) targets: Vec<String>,
    pub(crate) keeps_full_access: bool,
}

/// One change. A time that is not there is an end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrganizationChange {
    Policy { kind: Kind, policy: ControlRecord },
    PolicyDeleted { kind: Kind, id: String },
    FullAccess { target: String, attached: bool },
    PolicyType { kind: Kind, enabled: bool },
    Service { principal: String, since_ms: Option<i64> },
    Administrator { account: String, principal: String, since_ms: Option<i64> },
    Tags { resource: String, tags: Vec<(String, String)> },
}

#[derive(Debug)]
pub(crate) struct Held {
    /// Service principals with trusted access, since when.
    pub(crate) services: BTreeMap<String, i64>,
    /// Account and the service that it is a delegated administrator for, since when.
    pub(crate) administrators: BTreeMap<(usize, String), i64>,
    /// By id of an account, unit, root or policy; nothing for those whose tags nobody changed.
    pub(crate) tags: BTreeMap<String, Vec<(String, String)>>,
}

/// Everything of it but the policies, which are with all others in `policy::store`.
#[derive(Debug)]
pub(crate) struct OrganizationState {
    held: RwLock<Held>,
    writing: Mutex<()>,
}

/// The services that an organization with a security account trusts, and has handed on to it.
const TRUSTED: [&str; 4] = [
    "config.amazonaws.com",
    "config-multiaccountsetup.amazonaws.com",
    "securityhub.amazonaws.com",
    "member.org.stacksets.cloudformation.amazonaws.com",
];

impl OrganizationState {
    pub(crate) fn new(spec: &Spec) -> OrganizationState {
        let trusted = if spec.trusted_access { &TRUSTED[..] } else { &[] };
        let administrators = trusted.iter().map(|name| ((Organization::SECURITY, (*name).to_string()), GENERATED_MS));
        OrganizationState {
            held: RwLock::new(Held {
                services: trusted.iter().map(|name| ((*name).to_string(), GENERATED_MS)).collect(),
                administrators: administrators.collect(),
                tags: BTreeMap::new(),
            }),
            writing: Mutex::default(),
        }
    }
}

impl OrganizationState {
    pub(crate) fn now(&self) -> RwLockReadGuard<'_, Held> {
        read(&self.held)
    }

    /// Held while something is looked at and then changed, so that nothing is made twice.
    pub(crate) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        lock(&self.writing)
    }
}

impl World {
    /// Makes a change durable, and carries it out.
    pub(crate) fn change_organization(&self, change: OrganizationChange) -> Result<(), AwsError> {
        self.journal.append(&Entry::Organization(Box::new(change.clone())))?;
        self.apply_to_organization(change).map_err(|reason| AwsError::server("ServiceException", reason))
    }

    /// Stores a control policy.
    pub(crate) fn put_control(&self, kind: Kind, control: &Control) -> Result<(), AwsError> {
        let targets = control.targets.iter().map(|target| self.organization.target_id(*target).to_string());
        self.change_organization(OrganizationChange::Policy {
            kind,
            policy: ControlRecord {
                id: control.id.clone(),
                name: control.name.clone(),
                description: control.description.clone(),
                document: control.policy.text.to_string(),
                targets: targets.collect(),
                keeps_full_access: control.keeps_full_access,
            },
        })
    }

    pub(super) fn apply_to_organization(&self, change: OrganizationChange) -> Result<(), String> {
        match change {
            OrganizationChange::Policy { kind, policy } => {
                let targets: Result<Vec<Target>, String> = policy.targets.iter().map(|id| self.target(id)).collect();
                let control = Control {
                    targets: targets?,
                    policy: Arc::new(Policy::load(kind, &policy.document)?),
                    id: policy.id,
                    name: policy.name,
                    description: policy.description,
                    keeps_full_access: policy.keeps_full_access,
                };
                self.change_controls(|controls| controls.put(kind, control));
            }
            OrganizationChange::PolicyDeleted { kind, id } => {
                self.change_controls(|controls| controls.remove(kind, &id));
                write(&self.organization_state.held).tags.remove(&id);
            }
            OrganizationChange::FullAccess { target, attached } => {
                let target = self.target(&target)?;
                self.change_controls(|controls| controls.set_full_access(target, attached));
            }
            OrganizationChange::PolicyType { kind, enabled } => {
                self.change_controls(|controls| controls.enable(kind, enabled));
            }
            OrganizationChange::Service { principal, since_ms } => {
                set(&mut write(&self.organization_state.held).services, principal, since_ms);
            }
            OrganizationChange::Administrator { account, principal, since_ms } => {
                let account =
                    self.organization.find(&account).ok_or_else(|| format!("there is no account {account}"))?;
                set(&mut write(&self.organization_state.held).administrators, (account, principal), since_ms);
            }
            OrganizationChange::Tags { resource, tags } => {
                write(&self.organization_state.held).tags.insert(resource, tags);
            }
        }
        Ok(())
    }

    fn target(&self, id: &str) -> Result<Target, String> {
        self.organization.find_target(id).ok_or_else(|| format!("there is no target {id}"))
    }
}

fn set<K: Ord>(map: &mut BTreeMap<K, i64>, key: K, since_ms: Option<i64>) {
    match since_ms {
        Some(since_ms) => drop(map.insert(key, since_ms)),
        None => drop(map.remove(&key)),
    }
}
