//! Tags of keys: TagResource, UntagResource, ListResourceTags, and what CreateKey and ReplicateKey take.

use serde_json::{Value, json};

use super::list::page;
use super::{key_id, own_key, states};
use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::key_settings::KeySetting;
use crate::world::session::Caller;

pub(super) type Tags = Vec<(String, String)>;

const MOST_TAGS: usize = 50;

fn wrong(message: impl Into<String>) -> AwsError {
    AwsError::client("TagException", message)
}

/// `Tags` of an input, each of them legal and no key twice.
pub(super) fn tags(input: &mut Input) -> Result<Tags, AwsError> {
    let mut tags = Tags::new();
    let list = input.take("Tags").unwrap_or_else(|| json!([]));
    let list = list.as_array().ok_or_else(|| AwsError::client("SerializationException", "Tags is a list"))?;
    for tag in list {
        let part = |name: &str| tag.get(name).and_then(Value::as_str).map(String::from);
        let (key, value) =
            part("TagKey").zip(part("TagValue")).ok_or_else(|| missing("tags.1.member.tagKey, or tagValue"))?;
        let letters = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            return Err(AwsError::validation("tags", &key, "A key has 1 to 128 characters, a value at most 256"));
        }
        if !letters(&key) || !letters(&value) {
            return Err(wrong("A tag has characters that are not allowed: letters, digits, spaces and _.:/=+-@ are"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(wrong("aws: prefixed tag key names are not allowed for external use."));
        }
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(wrong("Duplicate tag keys"));
        }
        tags.push((key, value));
    }
    few_enough(&tags)?;
    Ok(tags)
}

fn few_enough(tags: &Tags) -> Result<(), AwsError> {
    match tags.len() <= MOST_TAGS {
        true => Ok(()),
        false => Err(AwsError::client("LimitExceededException", format!("A key has at most {MOST_TAGS} tags"))),
    }
}

/// A key that is not there yet has no policy: its first tags are IAM's matter alone.
pub(super) fn may_begin_with(
    world: &World,
    caller: &Caller,
    region: usize,
    arn: &str,
    tags: &Tags,
) -> Result<(), AwsError> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut ask = Ask::new("kms:TagResource", arn).in_region(&world.spec.regions[region]);
    for (key, value) in tags {
        ask = ask.key(&format!("aws:RequestTag/{key}"), value.as_str()).key("aws:TagKeys", key.as_str());
    }
    authorize(world, caller, &ask)
}

pub(super) fn shape(tags: &Tags) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "TagKey": key, "TagValue": value })).collect()
}

pub(super) fn add(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    if !input.has("Tags") {
        return Err(missing("Tags"));
    }
    let new = tags(input)?;
    input.finish()?;
    let key = own_key(world, caller, region, &key_id, "kms:TagResource")?;
    states::not_pending_deletion(world, &key)?;
    let mut all = world.key_store.tags(&key);
    all.retain(|(name, _)| !new.iter().any(|(renewed, _)| renewed == name));
    all.extend(new);
    few_enough(&all)?;
    world.set_on_key(&key.arn, KeySetting::Tags(all))?;
    Ok(json!({}))
}

pub(super) fn remove(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    if !input.has("TagKeys") {
        return Err(missing("TagKeys"));
    }
    let gone = input.texts("TagKeys")?;
    input.finish()?;
    let key = own_key(world, caller, region, &key_id, "kms:UntagResource")?;
    states::not_pending_deletion(world, &key)?;
    let mut left = world.key_store.tags(&key);
    left.retain(|(name, _)| !gone.contains(name));
    world.set_on_key(&key.arn, KeySetting::Tags(left))?;
    Ok(json!({}))
}

pub(super) fn list(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    let key = own_key(world, caller, region, &key_id, "kms:ListResourceTags")?;
    page(input, 50, shape(&world.key_store.tags(&key)), "Tags")
}
