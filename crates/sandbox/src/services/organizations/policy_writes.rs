//! CreatePolicy, UpdatePolicy and DeletePolicy. A policy that is attached somewhere is in force as soon as it is written.

use serde_json::{Value, json};

use super::policies::{self, Named, kind_of, name_of_aws, policy, policy_arn};
use super::{constraint, invalid, tags};
use crate::authorize::{Ask, authorize};
use crate::policy::controls::Control;
use crate::policy::parse::LARGEST_CONTROL_POLICY;
use crate::policy::{Kind, Policy};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::organization_state::OrganizationChange;
use crate::world::session::Caller;

/// A text of the input within its length.
fn text(input: &mut Input, member: &str, least: usize, most: usize) -> Result<Option<String>, AwsError> {
    let text = input.text(member)?;
    match text.as_ref().map(|text| text.chars().count()) {
        Some(length) if length < least => Err(invalid("MIN_LENGTH_EXCEEDED")),
        Some(length) if length > most => Err(invalid("MAX_LENGTH_EXCEEDED")),
        _ => Ok(text),
    }
}

fn name(input: &mut Input) -> Result<Option<String>, AwsError> {
    text(input, "Name", 1, 128)
}

fn description(input: &mut Input) -> Result<Option<String>, AwsError> {
    text(input, "Description", 0, 512)
}

fn content(input: &mut Input) -> Result<Option<String>, AwsError> {
    text(input, "Content", 1, usize::MAX)
}

/// The content as it was sent counts, white space and all.
fn checked(kind: Kind, content: &str) -> Result<Policy, AwsError> {
    if content.chars().count() > LARGEST_CONTROL_POLICY {
        let message = format!("The policy is larger than {LARGEST_CONTROL_POLICY} characters.");
        return Err(constraint("POLICY_CONTENT_LIMIT_EXCEEDED", &message));
    }
    Policy::load(kind, content).map_err(|reason| {
        let message = "The provided policy document does not meet the requirements of the specified policy type";
        AwsError::client("MalformedPolicyDocumentException", format!("{message}: {reason}"))
    })
}

/// Names are unique among the policies of a type.
fn unused(world: &World, kind: Kind, name: &str, but: &str) -> Result<(), AwsError> {
    let controls = world.controls();
    let used = controls.of(kind).all.iter().any(|other| other.name == name && other.id != but);
    match used || name == name_of_aws(kind) {
        true => Err(AwsError::client("DuplicatePolicyException", "A policy with the same name already exists.")),
        false => Ok(()),
    }
}

pub(super) fn create(world: &World, caller: &Caller, input: &mut Input) -> Result<Value, AwsError> {
    let content = content(input)?.ok_or_else(|| missing("Content"))?;
    let description = description(input)?.ok_or_else(|| missing("Description"))?;
    let name = name(input)?.ok_or_else(|| missing("Name"))?;
    let of_type = input.required_text("Type")?;
    let tags = tags::checked(input)?;
    input.finish()?;
    let Some(kind) = kind_of(&of_type)? else {
        let message = format!("Policies of type {of_type} are not modelled by this sandbox.");
        return Err(AwsError::client("PolicyTypeNotAvailableForOrganizationException", message));
    };
    let id = format!("p-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
    if !tags.is_empty() {
        let arn = policy_arn(world, kind, &id);
        authorize(world, caller, &Ask::new("organizations:TagResource", arn).in_region(super::region(world)))?;
    }
    let policy = checked(kind, &content)?.into();
    unused(world, kind, &name, "")?;
    let control = Control { id: id.clone(), name, description, targets: Vec::new(), keeps_full_access: true, policy };
    if !tags.is_empty() {
        world.change_organization(OrganizationChange::Tags { resource: id, tags })?;
    }
    world.put_control(kind, &control)?;
    Ok(json!({ "Policy": policies::shape(world, &Named::Own(kind, Box::new(control))) }))
}

pub(super) fn update(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let policy = policy(world, input)?;
    let (name, description, content) = (name(input)?, description(input)?, content(input)?);
    input.finish()?;
    let (kind, mut control) = changeable(policy)?;
    if let Some(content) = content {
        control.policy = checked(kind, &content)?.into();
    }
    if let Some(name) = name {
        unused(world, kind, &name, &control.id)?;
        control.name = name;
    }
    if let Some(description) = description {
        control.description = description;
    }
    world.put_control(kind, &control)?;
    Ok(json!({ "Policy": policies::shape(world, &Named::Own(kind, control)) }))
}

pub(super) fn delete(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let policy = policy(world, input)?;
    input.finish()?;
    let (kind, control) = changeable(policy)?;
    if !control.targets.is_empty() {
        let message = "The policy is attached to one or more entities. You must detach it from all roots, OUs, and \
                       accounts before performing this operation.";
        return Err(AwsError::client("PolicyInUseException", message));
    }
    world.change_organization(OrganizationChange::PolicyDeleted { kind, id: control.id })?;
    Ok(json!({}))
}

/// AWS's own policies are what they are.
fn changeable(policy: Named) -> Result<(Kind, Box<Control>), AwsError> {
    match policy {
        Named::Own(kind, control) => Ok((kind, control)),
        Named::OfAws(_) => Err(invalid("IMMUTABLE_POLICY")),
    }
}
