//! Tags of accounts, organizational units, the root and policies: TagResource, UntagResource, ListTagsForResource.

use serde_json::{Value, json};

use super::policies::{self, Named};
use super::{constraint, invalid, page};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::organization_state::OrganizationChange;

type Tags = Vec<(String, String)>;

const MOST_TAGS: usize = 50;

/// `Tags` of an input, each of them legal and no key twice.
pub(super) fn checked(input: &mut Input) -> Result<Tags, AwsError> {
    let tags = input.tags()?;
    for (nth, (key, value)) in tags.iter().enumerate() {
        let legal =
            |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c));
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            return Err(invalid(if key.is_empty() { "MIN_LENGTH_EXCEEDED" } else { "MAX_LENGTH_EXCEEDED" }));
        }
        if !legal(key) || !legal(value) {
            return Err(invalid("INVALID_PATTERN"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("INVALID_SYSTEM_TAGS_PARAMETER"));
        }
        if tags[..nth].iter().any(|(other, _)| other == key) {
            return Err(invalid("DUPLICATE_TAG_KEY"));
        }
    }
    few_enough(&tags)?;
    Ok(tags)
}

fn few_enough(tags: &Tags) -> Result<(), AwsError> {
    match tags.len() <= MOST_TAGS {
        true => Ok(()),
        false => Err(constraint("MAX_TAG_LIMIT_EXCEEDED", "A resource can have at most 50 tags.")),
    }
}

/// The resource's id and its tags: those that were put, or those it was made with.
fn resource(world: &World, input: &mut Input) -> Result<(String, Tags), AwsError> {
    let id = input.required_text("ResourceId")?;
    let organization = &world.organization;
    let policy = policies::find(world, &id);
    if organization.find_target(&id).is_none() && policy.is_none() {
        return Err(AwsError::client("TargetNotFoundException", "You specified a target that doesn't exist."));
    }
    if matches!(policy, Some(Named::OfAws(_))) {
        return Err(invalid("TARGET_NOT_SUPPORTED"));
    }
    let put = world.organization_state.now().tags.get(&id).cloned();
    let tags = put.unwrap_or_else(|| {
        let account = organization.find(&id).map(|account| &organization.accounts[account].tags);
        account.into_iter().flatten().map(|(key, value)| ((*key).to_string(), value.clone())).collect()
    });
    Ok((id, tags))
}

pub(super) fn list(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let (_, tags) = resource(world, input)?;
    page(input, "Tags", &tags, |(key, value)| json!({ "Key": key, "Value": value }))
}

pub(super) fn add(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let (id, mut tags) = resource(world, input)?;
    if !input.has("Tags") {
        return Err(missing("Tags"));
    }
    let new = checked(input)?;
    input.finish()?;
    tags.retain(|(key, _)| !new.iter().any(|(renewed, _)| renewed == key));
    tags.extend(new);
    few_enough(&tags)?;
    world.change_organization(OrganizationChange::Tags { resource: id, tags })?;
    Ok(json!({}))
}

pub(super) fn remove(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let (id, mut tags) = resource(world, input)?;
    if !input.has("TagKeys") {
        return Err(missing("TagKeys"));
    }
    let gone = input.texts("TagKeys")?;
    input.finish()?;
    tags.retain(|(key, _)| !gone.contains(key));
    world.change_organization(OrganizationChange::Tags { resource: id, tags })?;
    Ok(json!({}))
}
