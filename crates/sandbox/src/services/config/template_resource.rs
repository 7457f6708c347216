//! A template's resources as Config's own structures. CloudFormation takes numbers and flags as texts too, and an object where
//! Config's API takes a JSON text.

use serde_json::{Map, Value};

use super::intrinsic::text;
use super::{remediations, rules, shape};
use crate::world::config::{ConfigRule, Remediation};

const OF_RULE: [&str; 7] = [
    "ConfigRuleName",
    "Description",
    "InputParameters",
    "MaximumExecutionFrequency",
    "Scope",
    "Source",
    "EvaluationModes",
];
const OF_REMEDIATION: [&str; 10] = [
    "ConfigRuleName",
    "TargetType",
    "TargetId",
    "TargetVersion",
    "Parameters",
    "ResourceType",
    "Automatic",
    "ExecutionControls",
    "MaximumAutomaticAttempts",
    "RetryAttemptSeconds",
];
/// What a pack adds to its rules' names: `-conformance-pack-` and nine letters.
const ADDED: usize = 27;

/// A rule without a name gets its logical id's.
pub(super) fn rule(logical: &str, mut properties: Map<String, Value>) -> Result<ConfigRule, String> {
    only(&properties, &OF_RULE)?;
    properties.entry("ConfigRuleName").or_insert_with(|| logical.into());
    if let Some(parameters) = properties.get_mut("InputParameters")
        && let Value::Object(members) = parameters
    {
        members.values_mut().for_each(as_text);
        *parameters = Value::String(parameters.to_string());
    }
    let rule: ConfigRule = shape::read("configRule", Value::Object(properties)).map_err(|error| error.message)?;
    rules::check(&rule).map_err(|error| error.message)?;
    match rule.config_rule_name.as_ref().map_or(0, |name| name.chars().count()) {
        long if long > 128 - ADDED => {
            Err(format!("the name of a rule in a pack has at most {} characters", 128 - ADDED))
        }
        _ => Ok(rule),
    }
}

pub(super) fn remediation(mut properties: Map<String, Value>) -> Result<Remediation, String> {
    only(&properties, &OF_REMEDIATION)?;
    for name in ["MaximumAutomaticAttempts", "RetryAttemptSeconds"] {
        properties.get_mut(name).map_or(Ok(()), as_number)?;
    }
    if let Some(automatic) = properties.get_mut("Automatic")
        && let Some(flag) = text(automatic).and_then(|flag| flag.parse::<bool>().ok())
    {
        *automatic = flag.into();
    }
    let controls = properties.get_mut("ExecutionControls").and_then(|all| all.get_mut("SsmControls"));
    for control in controls.and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut()) {
        as_number(control)?;
    }
    for parameter in
        properties.get_mut("Parameters").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut())
    {
        let values = parameter.get_mut("StaticValue").and_then(|fixed| fixed.get_mut("Values"));
        values.and_then(Value::as_array_mut).into_iter().flatten().for_each(as_text);
    }
    let remediation: Remediation =
        shape::read("remediationConfiguration", Value::Object(properties)).map_err(|error| error.message)?;
    remediations::check_shape(&remediation).map_err(|error| error.message)?;
    Ok(remediation)
}

fn only(properties: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match properties.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(format!("Encountered unsupported property {name}")),
    }
}

fn as_text(value: &mut Value) {
    if let Some(text) = text(value) {
        *value = text.into();
    }
}

fn as_number(value: &mut Value) -> Result<(), String> {
    let number = text(value).and_then(|number| number.parse::<i64>().ok());
    *value = number.ok_or_else(|| format!("{value} is not a number"))?.into();
    Ok(())
}
