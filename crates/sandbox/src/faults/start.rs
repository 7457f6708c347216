//! Faults that strike the start of an automation execution: what it works on changes under it, or it misbehaves itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fault, FaultKind, Occasion, Target};
use crate::automation::document::Format;
use crate::automation::twist::Twist;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::execution::Status;
use crate::world::key::KeyKind;
use crate::world::key_state::KeyState;
use crate::world::place::Place;

/// `ScheduleKeyDeletion` waits 30 days unless it is told otherwise.
const DELETION_WAIT_MS: i64 = 30 * 86_400_000;

/// What the faults make of one execution.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    pub(crate) twist: Option<Twist>,
    /// How long it is not listed, in place of the spec's time.
    pub(crate) invisible_ms: Option<u64>,
}

type Parameters = BTreeMap<String, Vec<String>>;

/// The bucket that an execution is for, by the parameters' names; empty when there is none.
pub(crate) fn bucket_of(parameters: &Parameters) -> &str {
    let named = |name: &str| parameters.get(name).and_then(|values| values.first()).map(String::as_str);
    named("BucketName").or_else(|| named("Bucket")).or_else(|| named("S3BucketName")).unwrap_or_default()
}

/// Lets the faults strike an accepted start; what they do to the world has happened when this returns.
pub(crate) fn strike(world: &World, place: Place, document: &str, parameters: &Parameters) -> Struck {
    if !world.faults.any() {
        return Struck::default();
    }
    let bucket = bucket_of(parameters);
    let target = Target {
        account: Some(place.account),
        account_id: &world.organization.accounts[place.account].id,
        region: &world.spec.regions[place.region],
        service: "ssm",
        operation: "StartAutomationExecution",
        bucket,
    };
    let mut struck = Struck::default();
    for fault in world.faults.strike(Occasion::Start, &target) {
        match twist(world, place, &fault) {
            // Of two faults that twist one execution the first of the list counts.
            Some(twist) => {
                struck.twist.get_or_insert(twist);
            }
            None if fault.kind == FaultKind::AutomationInvisible => {
                struck.invisible_ms.get_or_insert(fault.ms.unwrap_or(5000));
            }
            None => change(world, place, &fault, document, bucket, parameters),
        }
    }
    struck
}

fn twist(world: &World, place: Place, fault: &Fault) -> Option<Twist> {
    let ends = |status, message: Option<&str>| {
        let message = fault.message.clone().or(message.map(String::from));
        Some(Twist::Ends { status, message })
    };
    match fault.kind {
        FaultKind::AutomationLie => Some(Twist::Lie),
        FaultKind::AutomationLate => Some(Twist::Late { ms: fault.ms.unwrap_or(5000) }),
        FaultKind::AutomationWrongKey => {
            let own = || world.key(KeyKind::Customer, place.account, place.region).arn;
            Some(Twist::WrongKey { key: fault.key.clone().unwrap_or_else(own) })
        }
        FaultKind::AutomationStuck => {
            let status = match fault.status.as_deref() {
                Some("Pending") => Status::Pending,
                Some("Waiting") => Status::Waiting,
                _ => Status::InProgress,
            };
            Some(Twist::Stuck { status })
        }
        FaultKind::AutomationFail => {
            ends(Status::Failed, Some("Step fails when it is Poll action status for completion. Internal error."))
        }
        FaultKind::AutomationTimedOut => ends(Status::TimedOut, Some("The execution timed out.")),
        FaultKind::AutomationCancelled => ends(Status::Cancelled, None),
        _ => None,
    }
}

/// Someone else changes what the execution works on. What is not there cannot be changed: then nothing happens.
fn change(world: &World, place: Place, fault: &Arc<Fault>, document: &str, bucket: &str, parameters: &Parameters) {
    let key = || {
        let mut values = parameters.values().flatten();
        fault.key.clone().or_else(|| values.find(|v| v.starts_with("arn:") && v.contains(":kms:")).cloned())
    };
    match fault.kind {
        FaultKind::DocumentChanged => change_document(world, place, fault, document),
        FaultKind::KeyDisabled => {
            if let Some(arn) = key() {
                let _ = world.set_key_state(&arn, KeyState::Disabled);
            }
        }
        FaultKind::KeyPendingDeletion => {
            if let Some(arn) = key() {
                let deletion_ms = now_ms() + DELETION_WAIT_MS;
                let _ = world.set_key_state(&arn, KeyState::PendingDeletion { deletion_ms });
            }
        }
        FaultKind::BucketDeleted => {
            world.delete_bucket(bucket);
        }
        FaultKind::BucketRetaken => {
            let by = match fault.account.as_deref() {
                Some(id) => world.organization.find(id),
                None => Some((place.account + 1) % world.organization.accounts.len()),
            };
            if let Some(by) = by {
                world.retake_bucket(bucket, by);
            }
        }
        _ => {}
    }
}

fn change_document(world: &World, place: Place, fault: &Fault, name_or_arn: &str) {
    let (owner, name) =
        match world.spec.partition.strip_arn("ssm", name_or_arn).map(|rest| rest.splitn(3, ':').collect()) {
            None => (world.organization.accounts[place.account].id.clone(), name_or_arn),
            Some(parts) => {
                let parts: Vec<&str> = parts;
                let [_, account, resource] = parts[..] else { return };
                (account.to_string(), resource.strip_prefix("document/").unwrap_or(resource))
            }
        };
    let Some(at) = world.organization.find(&owner) else { return };
    let former = world.with_region(at, place.region, |state| {
        let document = state.documents.get(name)?;
        document.versions.get(document.default_version - 1).cloned()
    });
    let Some(former) = former else { return };
    let content = fault.content.clone().unwrap_or_else(|| {
        // A change that changes nothing but the hash: that is what a pinned hash is to find.
        let addition = if former.format == Format::Json { "\n" } else { "\n# changed by someone\n" };
        format!("{}{addition}", former.content)
    });
    let _ = world.put_document_content(&owner, &world.spec.regions[place.region], name, &content);
}
