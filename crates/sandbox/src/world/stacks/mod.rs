//! CloudFormation's stacks and stack sets: what is kept of them, and how that outlives the process. What a stack makes is
//! kept by the services that made it; what is refused is decided in `services::cloudformation`.

mod stack;
mod stack_set;

pub(crate) use stack::{ChangeRecord, ChangeSetRecord, OutputRecord, ResourceRecord, StackRecord, is_under_way};
pub(crate) use stack_set::{
    AutoDeployment, InstanceRecord, OperationRecord, Preferences, ResultRecord, StackSetRecord, Targets,
};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::lock::{lock, read, write};
use crate::world::place::Place;

/// One change to a stack set. Stack sets are all in the management account; each is in one Region.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StackSetChange {
    /// The set itself, new or changed; what is below it stays.
    Set(Box<StackSetRecord>),
    Instance {
        set: String,
        instance: Box<InstanceRecord>,
    },
    InstanceGone {
        set: String,
        account: String,
        region: String,
    },
    Operation {
        set: String,
        operation: Box<OperationRecord>,
    },
}

/// The oldest first.
type Kept<T> = Vec<Arc<T>>;

#[derive(Debug, Default)]
pub(crate) struct Stacks {
    /// By their hash: thousands of stacks may have one template.
    templates: RwLock<BTreeMap<String, Arc<str>>>,
    /// By account and Region, deleted ones too.
    stacks: RwLock<BTreeMap<(usize, usize), Kept<StackRecord>>>,
    /// By Region, deleted ones too.
    sets: RwLock<BTreeMap<usize, Kept<StackSetRecord>>>,
    writing: Mutex<()>,
}

impl Stacks {
    /// Held while stacks are looked at and then changed, so that nothing is made twice.
    pub(crate) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        lock(&self.writing)
    }

    pub(crate) fn of(&self, place: Place) -> Kept<StackRecord> {
        read(&self.stacks).get(&(place.account, place.region)).cloned().unwrap_or_default()
    }

    pub(crate) fn sets(&self, region: usize) -> Kept<StackSetRecord> {
        read(&self.sets).get(&region).cloned().unwrap_or_default()
    }

    pub(crate) fn template(&self, id: &str) -> Arc<str> {
        read(&self.templates).get(id).cloned().unwrap_or_else(|| "".into())
    }

    pub(crate) fn put_template(&self, id: &str, body: &str) {
        write(&self.templates).insert(id.into(), body.into());
    }

    pub(crate) fn put(&self, place: Place, stack: StackRecord) {
        let mut all = write(&self.stacks);
        let here = all.entry((place.account, place.region)).or_default();
        match here.iter_mut().find(|other| other.id == stack.id) {
            Some(other) => *other = Arc::new(stack),
            None => here.push(Arc::new(stack)),
        }
    }

    pub(crate) fn apply(&self, region: usize, change: StackSetChange) {
        let mut all = write(&self.sets);
        let sets = all.entry(region).or_default();
        let mut with = |id: &str, work: &mut dyn FnMut(&mut StackSetRecord)| {
            if let Some(set) = sets.iter_mut().find(|set| set.id == id) {
                work(Arc::make_mut(set));
            }
        };
        match change {
            StackSetChange::Set(set) => match sets.iter_mut().find(|other| other.id == set.id) {
                Some(other) => {
                    let (instances, operations) = (other.instances.clone(), other.operations.clone());
                    *other = Arc::new(StackSetRecord { instances, operations, ..*set });
                }
                None => sets.push(Arc::from(set)),
            },
            StackSetChange::Instance { set, instance } => with(&set, &mut |set| {
                let key = (instance.account.clone(), instance.region.clone());
                set.instances.insert(key, (*instance).clone());
            }),
            StackSetChange::InstanceGone { set, account, region } => with(&set, &mut |set| {
                set.instances.remove(&(account.clone(), region.clone()));
            }),
            StackSetChange::Operation { set, operation } => {
                with(&set, &mut |set| match set.operations.iter_mut().find(|other| other.id == operation.id) {
                    Some(other) => other.clone_from(&operation),
                    None => set.operations.push((*operation).clone()),
                })
            }
        }
    }

    /// What a former process had not ended when it was ended itself will never go on: it failed.
    pub(crate) fn settle(&self) {
        for stack in write(&self.stacks).values_mut().flatten().filter(|stack| is_under_way(&stack.status)) {
            Arc::make_mut(stack).break_off();
        }
        for set in write(&self.sets).values_mut().flatten() {
            if set.operations.iter().any(|operation| operation.status == "RUNNING") {
                Arc::make_mut(set).break_off();
            }
        }
    }
}

impl World {
    /// Makes a stack as it is now durable, and shows it.
    pub(crate) fn keep_stack(&self, place: Place, stack: &StackRecord) -> Result<(), AwsError> {
        let (account, region) = self.names_of(place);
        self.journal.append(&Entry::Stack { account, region, stack: Box::new(stack.clone()) })?;
        self.stacks.put(place, stack.clone());
        Ok(())
    }

    /// Keeps a template, once, and gives the name it has from now on.
    pub(crate) fn keep_template(&self, body: &str) -> Result<String, AwsError> {
        use sha2::Digest as _;
        let hash = sha2::Sha256::digest(body.as_bytes());
        let id: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        if read(&self.stacks.templates).contains_key(&id) {
            return Ok(id);
        }
        self.journal.append(&Entry::StackTemplate { id: id.clone(), body: body.into() })?;
        self.stacks.put_template(&id, body);
        Ok(id)
    }

    pub(crate) fn change_stack_set(&self, region: usize, change: StackSetChange) -> Result<(), AwsError> {
        let name = self.spec.regions[region].clone();
        self.journal.append(&Entry::StackSet { region: name, change: Box::new(change.clone()) })?;
        self.stacks.apply(region, change);
        Ok(())
    }

    /// Account id and Region name.
    pub(crate) fn names_of(&self, place: Place) -> (String, String) {
        (self.organization.accounts[place.account].id.clone(), self.spec.regions[place.region].clone())
    }

    /// The status of every stack, by `account/region/name`; deleted ones are left out.
    pub(crate) fn stack_states(&self) -> BTreeMap<String, String> {
        let mut states = BTreeMap::new();
        for ((account, region), stacks) in read(&self.stacks.stacks).iter() {
            let (account, region) = self.names_of(Place { account: *account, region: *region });
            for stack in stacks.iter().filter(|stack| stack.is_there()) {
                states.insert(format!("{account}/{region}/{}", stack.name), stack.status.clone());
            }
        }
        states
    }
}
