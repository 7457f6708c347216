//! Service and resource control policies: which there are, what they are attached to, and whom they bind. Who may change
//! them, and what Organizations refuses, is in `services::organizations`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Kind, Policy};
use crate::random::{LOWER, Random};
use crate::spec::{ControlPolicySpec, Spec};
use crate::world::World;
use crate::world::organization::Organization;

/// What a control policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Root,
    Ou(u32),
    Account(usize),
}

/// A service or resource control policy, attached or not.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    /// `p-…`
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) targets: Vec<Target>,
    /// Whether its targets keep FullAWSAccess, as long as nobody attaches or detaches anything there.
    pub(crate) keeps_full_access: bool,
    pub(crate) policy: Arc<Policy>,
}

impl Control {
    fn new(kind: Kind, spec: &ControlPolicySpec, organization: &Organization, seed: u64) -> Result<Control, String> {
        // By its name, so that a policy that is put anew keeps its id.
        let label = format!("policy {} {}", type_name(kind), spec.name);
        Ok(Control {
            id: format!("p-{}", Random::new(seed, &label, 0).text(LOWER, 10)),
            name: spec.name.clone(),
            description: String::new(),
            targets: targets(organization, &spec.targets).map_err(|target| format!("there is no target {target}"))?,
            keeps_full_access: spec.keeps_full_access,
            policy: Arc::new(Policy::load(kind, &spec.document)?),
        })
    }
}

/// `PolicyType` of the service model.
pub(crate) fn type_name(kind: Kind) -> &'static str {
    if kind == Kind::Rcp { "RESOURCE_CONTROL_POLICY" } else { "SERVICE_CONTROL_POLICY" }
}

/// Finds what a control policy is attached to.
///
/// # Errors
/// The first target that is not there.
pub(crate) fn targets(organization: &Organization, names: &[String]) -> Result<Vec<Target>, String> {
    let mut found = Vec::new();
    for name in names {
        let before = found.len();
        if name == "root" || *name == organization.root {
            found.push(Target::Root);
        }
        let ous = organization.ous.iter().enumerate().filter(|(_, ou)| ou.id == *name || ou.name == *name);
        found.extend(ous.map(|(index, _)| Target::Ou(index as u32)));
        let accounts = organization.accounts.iter().enumerate().filter(|(_, a)| a.id == *name || a.name == *name);
        found.extend(accounts.map(|(index, _)| Target::Account(index)));
        if found.len() == before {
            return Err(name.clone());
        }
    }
    Ok(found)
}

/// The control policies of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfKind {
    pub(crate) all: Vec<Control>,
    pub(crate) disabled: bool,
}

impl OfKind {
    fn in_force(&self) -> &[Control] {
        if self.disabled { &[] } else { &self.all }
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Controls {
    scps: OfKind,
    rcps: OfKind,
    /// Whether FullAWSAccess is attached, for targets where somebody attached or detached something.
    full_access: BTreeMap<Target, bool>,
}

impl Controls {
    /// Of a spec that was checked.
    pub(super) fn new(spec: &Spec, organization: &Organization) -> Controls {
        let of_kind = |kind, specs: &[ControlPolicySpec]| OfKind {
            all: specs.iter().filter_map(|one| Control::new(kind, one, organization, spec.seed).ok()).collect(),
            disabled: !spec.trusted_access,
        };
        Controls {
            scps: of_kind(Kind::Scp, &spec.scp),
            rcps: of_kind(Kind::Rcp, &spec.rcp),
            full_access: BTreeMap::new(),
        }
    }

    pub(crate) fn of(&self, kind: Kind) -> &OfKind {
        if kind == Kind::Rcp { &self.rcps } else { &self.scps }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut OfKind {
        if kind == Kind::Rcp { &mut self.rcps } else { &mut self.scps }
    }

    /// Those of a kind that are attached to this very target.
    pub(crate) fn attached(&self, kind: Kind, target: Target) -> impl Iterator<Item = &Control> {
        self.of(kind).all.iter().filter(move |control| control.targets.contains(&target))
    }

    /// Whether AWS's own policy, which allows everything, is attached to the target. RCPFullAWSAccess always is; each
    /// target has at least one SCP.
    pub(crate) fn full_access(&self, kind: Kind, target: Target) -> bool {
        if self.of(kind).disabled {
            return false;
        }
        let mut attached = self.attached(kind, target);
        match self.full_access.get(&target) {
            _ if kind == Kind::Rcp => true,
            Some(true) => true,
            Some(false) => attached.next().is_none(),
            None => attached.all(|control| control.keeps_full_access),
        }
    }

    /// Puts a policy in place of the one of its id. Where its attachments change, FullAWSAccess stays as it is.
    pub(crate) fn put(&mut self, kind: Kind, control: Control) {
        let before = self.of(kind).all.iter().find(|other| other.id == control.id);
        let before: Vec<Target> = before.map(|other| other.targets.clone()).unwrap_or_default();
        let moved = before.iter().filter(|target| !control.targets.contains(target));
        let moved: Vec<Target> =
            moved.chain(control.targets.iter().filter(|target| !before.contains(target))).copied().collect();
        if kind == Kind::Scp {
            for target in moved {
                let attached = self.full_access(kind, target);
                self.full_access.insert(target, attached);
            }
        }
        let all = &mut self.of_mut(kind).all;
        match all.iter_mut().find(|other| other.id == control.id) {
            Some(place) => *place = control,
            None => all.push(control),
        }
    }

    pub(crate) fn remove(&mut self, kind: Kind, id: &str) {
        self.of_mut(kind).all.retain(|control| control.id != id);
    }

    /// Attaches FullAWSAccess to a target, or detaches it.
    pub(crate) fn set_full_access(&mut self, target: Target, attached: bool) {
        self.full_access.insert(target, attached);
    }

    /// Turns a policy type on, with AWS's own policy on everything, or off: then all of its policies are detached.
    pub(crate) fn enable(&mut self, kind: Kind, enabled: bool) {
        let of_kind = self.of_mut(kind);
        of_kind.disabled = !enabled;
        for control in &mut of_kind.all {
            control.targets.clear();
        }
        if kind == Kind::Scp {
            self.full_access.clear();
        }
    }
}

impl World {
    /// Whether the target is the account, or the root or an OU above it.
    fn is_below(&self, account: usize, target: Target) -> bool {
        match target {
            Target::Root => true,
            Target::Account(of) => of == account,
            Target::Ou(of) => {
                let mut above = self.organization.accounts[account].ou;
                while let Some(index) = above {
                    if index == of {
                        return true;
                    }
                    above = self.organization.ous[index as usize].parent;
                }
                false
            }
        }
    }

    /// The service control policies that bind an account, by level. Levels with FullAWSAccess alone are left out, and
    /// there are none at all for the management account.
    pub(crate) fn scps(&self, account: usize) -> Vec<Vec<Arc<Policy>>> {
        if account == Organization::MANAGEMENT {
            return Vec::new();
        }
        self.permissions.with_controls(|controls| {
            let mut levels: Vec<(Target, Vec<Arc<Policy>>)> = Vec::new();
            for scp in controls.scps.in_force() {
                for target in scp.targets.iter().filter(|target| self.is_below(account, **target)) {
                    match levels.iter_mut().find(|(level, _)| level == target) {
                        Some((_, policies)) => policies.push(scp.policy.clone()),
                        None => levels.push((*target, vec![scp.policy.clone()])),
                    }
                }
            }
            let with_full_access = |(target, mut policies): (Target, Vec<Arc<Policy>>)| {
                if controls.full_access(Kind::Scp, target) {
                    policies.push(self.permissions.full_access());
                }
                policies
            };
            levels.into_iter().map(with_full_access).collect()
        })
    }

    /// The resource control policies that bind an account's resources.
    pub(crate) fn rcps(&self, account: usize) -> Vec<Arc<Policy>> {
        if account == Organization::MANAGEMENT {
            return Vec::new();
        }
        self.permissions.with_controls(|controls| {
            let binds = |rcp: &&Control| rcp.targets.iter().any(|target| self.is_below(account, *target));
            controls.rcps.in_force().iter().filter(binds).map(|rcp| rcp.policy.clone()).collect()
        })
    }

    /// The control policies, as they are now.
    pub(crate) fn controls(&self) -> Controls {
        self.permissions.controls()
    }

    pub(crate) fn change_controls<T>(&self, work: impl FnOnce(&mut Controls) -> T) -> T {
        self.permissions.change_controls(work)
    }

    /// Attaches a control policy, in place of the one of this name.
    pub(crate) fn set_control(&self, kind: Kind, spec: &ControlPolicySpec) -> Result<(), String> {
        let control = Control::new(kind, spec, &self.organization, self.spec.seed)?;
        self.change_controls(|controls| {
            let all = &mut controls.of_mut(kind).all;
            all.retain(|other| other.name != control.name);
            all.push(control);
        });
        Ok(())
    }

    /// Detaches and deletes a control policy; tells whether it was there.
    pub(crate) fn remove_control(&self, kind: Kind, name: &str) -> bool {
        self.change_controls(|controls| {
            let all = &mut controls.of_mut(kind).all;
            let before = all.len();
            all.retain(|control| control.name != name);
            all.len() < before
        })
    }
}
