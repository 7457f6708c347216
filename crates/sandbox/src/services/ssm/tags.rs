//! AddTagsToResource, RemoveTagsFromResource and ListTagsForResource, for documents and automation executions.

use serde_json::{Value, json};

use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::place::Place;

type Tags = Vec<(String, String)>;

pub(super) const MOST_TAGS: usize = 50;
const MOST_EXECUTION_TAGS: usize = 5;

/// `Tags` of an input, each of them legal.
pub(super) fn checked(input: &mut Input) -> Result<Tags, AwsError> {
    let new = input.tags()?;
    for (key, value) in &new {
        let legal =
            |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c));
        if !legal(key) || !legal(value) {
            let pattern = "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$";
            return Err(AwsError::validation("tags", key, pattern));
        }
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            return Err(AwsError::validation("tags", key, "A key has 1 to 128 characters, a value at most 256"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(AwsError::client("ValidationException", "aws: prefixed tag key names are not allowed"));
        }
    }
    Ok(new)
}

fn resource(input: &mut Input) -> Result<(String, String), AwsError> {
    let kind = input.required_text("ResourceType")?;
    let id = input.required_text("ResourceId")?;
    match kind.as_str() {
        "Document" | "Automation" => Ok((kind, id)),
        _ => Err(AwsError::client("InvalidResourceType", "The resource type isn't valid, or not in this sandbox.")),
    }
}

/// Works on the tags of the resource; what it gives replaces them.
fn with_tags<T>(
    world: &World,
    place: Place,
    (kind, id): (String, String),
    work: impl FnOnce(&Tags) -> Result<(T, Option<Tags>), AwsError>,
) -> Result<T, AwsError> {
    let account = world.organization.accounts[place.account].id.clone();
    let region = world.spec.regions[place.region].clone();
    let unknown = || {
        AwsError::client(
            "InvalidResourceId",
            "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
        )
    };
    world.with_region(place.account, place.region, |state| {
        let tags = match kind.as_str() {
            "Document" => &mut state.documents.get_mut(&id).ok_or_else(unknown)?.tags,
            _ => &mut state.executions.get_mut(&id).ok_or_else(unknown)?.tags,
        };
        let (result, changed) = work(tags)?;
        if let Some(changed) = changed {
            world.journal.append(&match kind.as_str() {
                "Document" => Entry::DocumentTags { account, region, name: id, tags: changed.clone() },
                _ => Entry::ExecutionTags { account, region, id, tags: changed.clone() },
            })?;
            *tags = changed;
        }
        Ok(result)
    })
}

pub(super) fn add(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let resource = resource(input)?;
    let new = checked(input)?;
    input.finish()?;
    if new.is_empty() {
        return Err(missing("tags"));
    }
    let most = if resource.0 == "Document" { MOST_TAGS } else { MOST_EXECUTION_TAGS };
    with_tags(world, place, resource, |tags| {
        let mut all = tags.clone();
        for (key, value) in new {
            match all.iter_mut().find(|(name, _)| *name == key) {
                Some(pair) => pair.1 = value,
                None => all.push((key, value)),
            }
        }
        if all.len() > most {
            let message = format!("The resource can have at most {most} tags.");
            return Err(AwsError::client("TooManyTagsError", message));
        }
        Ok((json!({}), Some(all)))
    })
}

pub(super) fn remove(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let resource = resource(input)?;
    if !input.has("TagKeys") {
        return Err(missing("TagKeys"));
    }
    let keys = input.texts("TagKeys")?;
    input.finish()?;
    with_tags(world, place, resource, |tags| {
        let left = tags.iter().filter(|(key, _)| !keys.contains(key)).cloned().collect();
        Ok((json!({}), Some(left)))
    })
}

pub(super) fn list(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let resource = resource(input)?;
    input.finish()?;
    with_tags(world, place, resource, |tags| {
        let list: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        Ok((json!({ "TagList": list }), None))
    })
}
