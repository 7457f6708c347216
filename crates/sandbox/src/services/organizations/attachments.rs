//! AttachPolicy, DetachPolicy, EnablePolicyType and DisablePolicyType. What is attached binds at once.

use serde_json::{Value, json};

use super::policies::{Named, kind_of, policy, target};
use super::{constraint, invalid, root};
use crate::policy::Kind;
use crate::policy::controls::{Controls, Target};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::organization_state::OrganizationChange;

/// Of each type, AWS's own policy counted too.
const MOST_ATTACHED: usize = 5;

fn count(controls: &Controls, kind: Kind, target: Target) -> usize {
    controls.attached(kind, target).count() + usize::from(controls.full_access(kind, target))
}

fn not_enabled() -> AwsError {
    let message = "The specified policy type isn't currently enabled in this root.";
    AwsError::client("PolicyTypeNotEnabledException", message)
}

/// Attaches AWS's own policy to a target, or detaches it.
fn full_access(world: &World, target: Target, attached: bool) -> Result<Value, AwsError> {
    let target = world.organization.target_id(target).to_string();
    world.change_organization(OrganizationChange::FullAccess { target, attached })?;
    Ok(json!({}))
}

pub(super) fn attach(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let policy = policy(world, input)?;
    let target = target(world, input)?;
    input.finish()?;
    let (kind, controls) = (policy.kind(), world.controls());
    if controls.of(kind).disabled {
        return Err(not_enabled());
    }
    let attached = match &policy {
        Named::OfAws(kind) => controls.full_access(*kind, target),
        Named::Own(_, control) => control.targets.contains(&target),
    };
    if attached {
        let message = "The selected policy is already attached to the specified target.";
        return Err(AwsError::client("DuplicatePolicyAttachmentException", message));
    }
    if count(&controls, kind, target) >= MOST_ATTACHED {
        let message = "You have attached the maximum number of policies of this type to the target.";
        return Err(constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message));
    }
    match policy {
        Named::OfAws(_) => full_access(world, target, true),
        Named::Own(kind, mut control) => {
            control.targets.push(target);
            world.put_control(kind, &control)?;
            Ok(json!({}))
        }
    }
}

pub(super) fn detach(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let policy = policy(world, input)?;
    let target = target(world, input)?;
    input.finish()?;
    let controls = world.controls();
    let attached = match &policy {
        Named::OfAws(Kind::Rcp) => return Err(invalid("NON_DETACHABLE_POLICY")),
        Named::OfAws(kind) => controls.full_access(*kind, target),
        Named::Own(_, control) => control.targets.contains(&target),
    };
    if !attached {
        let message = "The policy isn't attached to the specified target in the specified root.";
        return Err(AwsError::client("PolicyNotAttachedException", message));
    }
    // Where no SCP allowed anything, nobody could do anything.
    if policy.kind() == Kind::Scp && count(&controls, Kind::Scp, target) == 1 {
        let message = "Every root, OU, and account must have at least one service control policy attached.";
        return Err(constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message));
    }
    match policy {
        Named::OfAws(_) => full_access(world, target, false),
        Named::Own(kind, mut control) => {
            control.targets.retain(|other| *other != target);
            world.put_control(kind, &control)?;
            Ok(json!({}))
        }
    }
}

/// A type that is disabled loses all its attachments; when it is enabled again AWS's own policy is on everything.
pub(super) fn enable_type(world: &World, input: &mut Input, enabled: bool) -> Result<Value, AwsError> {
    let id = input.required_text("RootId")?;
    let name = input.required_text("PolicyType")?;
    input.finish()?;
    if !id.starts_with("r-") {
        return Err(invalid("INVALID_PATTERN"));
    }
    if id != world.organization.root {
        return Err(AwsError::client("RootNotFoundException", "You specified a root that doesn't exist."));
    }
    let now = kind_of(&name)?.map(|kind| (kind, !world.controls().of(kind).disabled));
    let kind = match now {
        Some((kind, is)) if is != enabled => kind,
        Some(_) if enabled => {
            let message = "The specified policy type is already enabled.";
            return Err(AwsError::client("PolicyTypeAlreadyEnabledException", message));
        }
        None if enabled => {
            let message = format!("Policies of type {name} are not modelled by this sandbox.");
            return Err(AwsError::client("PolicyTypeNotAvailableForOrganizationException", message));
        }
        _ => return Err(not_enabled()),
    };
    world.change_organization(OrganizationChange::PolicyType { kind, enabled })?;
    Ok(json!({ "Root": root(world) }))
}
