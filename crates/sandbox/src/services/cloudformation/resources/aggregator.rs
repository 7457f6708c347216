//! AWS::Config::ConfigurationAggregator

use serde_json::{Value, json};

use super::{Made, Making, Properties, Schema, present, tag_changes, tag_list};
use crate::wire::error::AwsError;
use crate::world::config::Aggregator;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::Config::ConfigurationAggregator",
    service: "Config",
    properties: &["AccountAggregationSources", "ConfigurationAggregatorName", "OrganizationAggregationSource", "Tags"],
    required: &[],
    create_only: &["ConfigurationAggregatorName"],
    named_by: Some("ConfigurationAggregatorName"),
    attributes: &["ConfigurationAggregatorArn"],
};

fn arn(making: &Making<'_>, name: &str) -> String {
    Aggregator::arn_of(&making.world.config_arn(making.place), name)
}

fn put(making: &Making<'_>, name: &str, properties: &Properties, tags: Value) -> Result<(), AwsError> {
    let mut organization = properties.value("OrganizationAggregationSource");
    // A flag may be a text in a template, but not in the service's input.
    if let Some(all) = organization["AllAwsRegions"].as_str().and_then(|text| text.parse::<bool>().ok()) {
        organization["AllAwsRegions"] = json!(all);
    }
    let input = json!({
        "ConfigurationAggregatorName": name,
        "AccountAggregationSources": properties.value("AccountAggregationSources"),
        "OrganizationAggregationSource": organization,
        "Tags": tags,
    });
    making.config("PutConfigurationAggregator", present(input)).map(drop)
}

/// A Put of AWS Config would change an aggregator of the same name that is somebody else's.
pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let name = properties.text("ConfigurationAggregatorName").unwrap_or_else(|| making.made_up_name(256));
    let place = making.place;
    let there =
        making.world.with_region(place.account, place.region, |state| state.config.aggregators.contains_key(&name));
    if there {
        let message = format!("A configuration aggregator {name} already exists.");
        return Err(AwsError::client("AlreadyExistsException", message));
    }
    put(making, &name, properties, tag_list(&properties.tags()))?;
    let arn = arn(making, &name);
    Ok(Made::new(name, &[("ConfigurationAggregatorArn", arn)]))
}

pub(super) fn update(making: &Making<'_>, name: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    if ["AccountAggregationSources", "OrganizationAggregationSource"].iter().any(|member| old.differs(new, member)) {
        put(making, name, new, Value::Null)?;
    }
    let (set, gone) = tag_changes(old, new);
    let arn = arn(making, name);
    if !set.is_empty() {
        making.config("TagResource", json!({ "ResourceArn": arn, "Tags": tag_list(&set) }))?;
    }
    if !gone.is_empty() {
        making.config("UntagResource", json!({ "ResourceArn": arn, "TagKeys": gone }))?;
    }
    Ok(())
}

pub(super) fn delete(making: &Making<'_>, name: &str) -> Result<(), AwsError> {
    making.config("DeleteConfigurationAggregator", json!({ "ConfigurationAggregatorName": name })).map(drop)
}
