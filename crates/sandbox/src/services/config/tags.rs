//! TagResource, UntagResource and ListTagsForResource, for rules, packs and aggregators; and the tags that a Put brings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{limit, listed, page, shape};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::config::{ConfigChange, ConfigState};
use crate::world::place::Place;

/// TagList
const MOST: usize = 50;

/// Tags as they are put: each key once, none of AWS's own.
pub(super) fn read(tags: Vec<(String, String)>) -> Result<BTreeMap<String, String>, AwsError> {
    shape::count("tags", tags.len(), 0, MOST)?;
    let mut read = BTreeMap::new();
    for (key, value) in tags {
        shape::length("tags.1.member.key", Some(&key), 1, 128)?;
        shape::length("tags.1.member.value", Some(&value), 0, 256)?;
        if key.to_lowercase().starts_with("aws:") {
            return Err(AwsError::client("ValidationException", "Tag keys can not start with aws:."));
        }
        if read.insert(key.clone(), value).is_some() {
            return Err(AwsError::client("ValidationException", format!("The tag key {key} is there twice.")));
        }
    }
    Ok(read)
}

/// Puts the tags of something new; later Puts leave them as they are.
pub(super) fn put_new(
    world: &World,
    place: Place,
    config: &mut ConfigState,
    arn: &str,
    tags: BTreeMap<String, String>,
) -> Result<(), AwsError> {
    match tags.is_empty() {
        true => Ok(()),
        false => world.change_config(place, config, ConfigChange::Tags { arn: arn.into(), tags }),
    }
}

fn is_there(config: &ConfigState, arn: &str) -> bool {
    config.rules.values().any(|rule| rule.config_rule_arn.as_deref() == Some(arn))
        || config.packs.values().any(|pack| pack.arn == arn)
        || config.organization_packs.values().any(|pack| pack.arn == arn)
        || config.aggregators.values().any(|aggregator| aggregator.configuration_aggregator_arn == arn)
}

fn with_tags<T>(
    world: &World,
    place: Place,
    arn: &str,
    work: impl FnOnce(BTreeMap<String, String>, &mut ConfigState) -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    shape::length("resourceArn", Some(arn), 1, 1000)?;
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        if !is_there(config, arn) {
            return Err(AwsError::client("ResourceNotFoundException", format!("Resource {arn} does not exist.")));
        }
        work(config.tags.get(arn).cloned().unwrap_or_default(), config)
    })
}

pub(super) fn tag(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let arn = input.required_text("ResourceArn")?;
    if !input.has("Tags") {
        return Err(missing("tags"));
    }
    let added = read(input.tags()?)?;
    input.finish()?;
    with_tags(world, place, &arn, |mut tags, config| {
        tags.extend(added);
        if tags.len() > MOST {
            let message = format!("The number of tags exceeds the limit of {MOST}.");
            return Err(AwsError::client("TooManyTagsException", message));
        }
        world.change_config(place, config, ConfigChange::Tags { arn: arn.clone(), tags })?;
        Ok(json!({}))
    })
}

pub(super) fn untag(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let arn = input.required_text("ResourceArn")?;
    let keys: BTreeSet<String> = input.texts("TagKeys")?.into_iter().collect();
    input.finish()?;
    shape::count("tagKeys", keys.len(), 1, MOST)?;
    with_tags(world, place, &arn, |mut tags, config| {
        tags.retain(|key, _| !keys.contains(key));
        world.change_config(place, config, ConfigChange::Tags { arn: arn.clone(), tags })?;
        Ok(json!({}))
    })
}

pub(super) fn list(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let arn = input.required_text("ResourceArn")?;
    let most = limit(input, MOST, 100)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    with_tags(world, place, &arn, |tags, _| {
        let all = tags.into_iter().map(|(key, value)| (key.clone(), json!({ "Key": key, "Value": value }))).collect();
        let (tags, next) = page(all, token.as_deref(), most)?;
        Ok(listed("Tags", &tags, next))
    })
}
