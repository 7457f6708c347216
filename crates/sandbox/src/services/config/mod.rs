//! AWS Config: rules, remediations and the exceptions from those, conformance packs and aggregators. Here: which operation goes
//! where, and what is common to all. `permissions` says who may, `compliance` judges buckets, `remediate` acts on what it finds.

mod aggregate;
mod aggregators;
mod compliance;
mod deploy;
mod evaluations;
mod exceptions;
pub(crate) mod intrinsic;
mod item;
mod manual;
mod organization_packs;
mod packs;
mod permissions;
mod query;
mod recorders;
pub(crate) mod remediate;
mod remediations;
mod rules;
mod select;
mod shape;
mod tags;
mod template;
mod template_resource;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;
use crate::world::session::Caller;
pub(crate) use organization_packs::have_waited;

pub(crate) const OPERATIONS: &[&str] = &[
    "PutConfigRule",
    "DescribeConfigRules",
    "DeleteConfigRule",
    "StartConfigRulesEvaluation",
    "GetComplianceDetailsByConfigRule",
    "DescribeComplianceByConfigRule",
    "PutRemediationConfigurations",
    "DescribeRemediationConfigurations",
    "DeleteRemediationConfiguration",
    "StartRemediationExecution",
    "PutRemediationExceptions",
    "DescribeRemediationExceptions",
    "DeleteRemediationExceptions",
    "PutConformancePack",
    "DescribeConformancePacks",
    "DescribeConformancePackStatus",
    "DeleteConformancePack",
    "PutOrganizationConformancePack",
    "DescribeOrganizationConformancePacks",
    "DescribeOrganizationConformancePackStatuses",
    "GetOrganizationConformancePackDetailedStatus",
    "DeleteOrganizationConformancePack",
    "PutConfigurationAggregator",
    "DescribeConfigurationAggregators",
    "DeleteConfigurationAggregator",
    "DescribeAggregateComplianceByConfigRules",
    "GetAggregateComplianceDetailsByConfigRule",
    "SelectAggregateResourceConfig",
    "DescribeConfigurationRecorders",
    "DescribeConfigurationRecorderStatus",
    "StartConfigurationRecorder",
    "StopConfigurationRecorder",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
];
pub(crate) const TARGET: &str = "StarlingDoveService.";

/// The model's bound on a page.
const PAGE: usize = 25;

pub(crate) fn answer(
    world: &Arc<World>,
    caller: &Caller,
    region: usize,
    operation: &'static str,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let place = Place { account: caller.account, region };
    permissions::check(world, caller, place, operation, input)?;
    match operation {
        "PutConfigRule" => rules::put(world, place, input),
        "DescribeConfigRules" => rules::describe(world, place, input),
        "DeleteConfigRule" => rules::delete(world, place, input),
        "StartConfigRulesEvaluation" => evaluations::start(world, place, input),
        "GetComplianceDetailsByConfigRule" => evaluations::details(world, place, input),
        "DescribeComplianceByConfigRule" => evaluations::by_rule(world, place, input),
        "PutRemediationConfigurations" => remediations::put(world, caller, place, input),
        "DescribeRemediationConfigurations" => remediations::describe(world, place, input),
        "DeleteRemediationConfiguration" => remediations::delete(world, place, input),
        "StartRemediationExecution" => manual::start(world, caller, place, input),
        "PutRemediationExceptions" => exceptions::put(world, place, input),
        "DescribeRemediationExceptions" => exceptions::describe(world, place, input),
        "DeleteRemediationExceptions" => exceptions::delete(world, place, input),
        "PutConformancePack" => packs::put(world, place, input),
        "DescribeConformancePacks" => packs::describe(world, place, input),
        "DescribeConformancePackStatus" => packs::status(world, place, input),
        "DeleteConformancePack" => packs::delete(world, place, input),
        "PutOrganizationConformancePack" => organization_packs::put(world, place, input),
        "DescribeOrganizationConformancePacks" => organization_packs::describe(world, place, input),
        "DescribeOrganizationConformancePackStatuses" => organization_packs::statuses(world, place, input),
        "GetOrganizationConformancePackDetailedStatus" => organization_packs::detailed(world, place, input),
        "DeleteOrganizationConformancePack" => organization_packs::delete(world, place, input),
        "PutConfigurationAggregator" => aggregators::put(world, caller, place, input),
        "DescribeConfigurationAggregators" => aggregators::describe(world, place, input),
        "DeleteConfigurationAggregator" => aggregators::delete(world, place, input),
        "DescribeAggregateComplianceByConfigRules" => aggregate::by_rules(world, place, input),
        "GetAggregateComplianceDetailsByConfigRule" => aggregate::details(world, place, input),
        "SelectAggregateResourceConfig" => select::select(world, place, input),
        "DescribeConfigurationRecorders" => recorders::describe(world, place, input),
        "DescribeConfigurationRecorderStatus" => recorders::status(world, place, input),
        "StartConfigurationRecorder" => recorders::turn(world, place, true, input),
        "StopConfigurationRecorder" => recorders::turn(world, place, false, input),
        "TagResource" => tags::tag(world, place, input),
        "UntagResource" => tags::untag(world, place, input),
        _ => tags::list(world, place, input),
    }
}

/// A page of what is sorted by its name, with the token for the next one: the last name of this page, so that what is put
/// or deleted in between neither doubles nor hides anything else.
fn page<T>(all: Vec<(String, T)>, token: Option<&str>, most: usize) -> Result<(Vec<T>, Option<String>), AwsError> {
    let after = after(token)?;
    let mut left = all.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).peekable();
    let mut items = Vec::new();
    let mut last = String::new();
    while items.len() < most
        && let Some((name, item)) = left.next()
    {
        items.push(item);
        last = name;
    }
    Ok((items, left.peek().is_some().then(|| token_of(&last))))
}

/// The token for what comes after a name.
fn token_of(last: &str) -> String {
    STANDARD.encode(last)
}

/// The name that a token says to go on after.
fn after(token: Option<&str>) -> Result<Option<String>, AwsError> {
    let wrong = || AwsError::client("InvalidNextTokenException", "The specified next token is not valid.");
    match token {
        None => Ok(None),
        Some(token) => {
            let bytes = STANDARD.decode(token).map_err(|_| wrong())?;
            String::from_utf8(bytes).map(Some).map_err(|_| wrong())
        }
    }
}

/// A `Limit` within its bound; zero stands for the default.
fn limit(input: &mut Input, usual: usize, most: usize) -> Result<usize, AwsError> {
    match input.take("Limit").map(|value| value.as_i64().ok_or(value)) {
        None | Some(Ok(0)) => Ok(usual),
        Some(Err(_)) => Err(AwsError::client("SerializationException", "Limit can not be converted to an Integer")),
        Some(Ok(limit)) if (1..=most as i64).contains(&limit) => Ok(limit as usize),
        Some(Ok(_)) => {
            let message = format!("The specified limit is outside the allowable range of 0 to {most}.");
            Err(AwsError::client("InvalidLimitException", message))
        }
    }
}

/// An answer with a list and its token, members without a value left out.
fn listed<T: serde::Serialize>(member: &str, items: &[T], token: Option<String>) -> Value {
    let items: Vec<Value> =
        items.iter().map(|item| without_nulls(serde_json::to_value(item).unwrap_or_default())).collect();
    let mut answer = json!({ member: items });
    if let Some(token) = token {
        answer["NextToken"] = json!(token);
    }
    answer
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().filter(|(_, v)| !v.is_null()).map(|(n, v)| (n, without_nulls(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidParameterValueException", message)
}

/// What a conformance pack made is changed with the pack alone.
fn services_own() -> AwsError {
    AwsError::client(
        "AccessDeniedException",
        "An AWS service owns ServiceLinkedConfigRule. You do not have permissions to take action on this rule.",
    )
}

fn no_such_rule(name: &str) -> AwsError {
    AwsError::client(
        "NoSuchConfigRuleException",
        format!("The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_after_the_last_name_whatever_went_in_between() {
        let all = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        let (first, token) = page::<String>(all(&["a", "b", "c"]), None, 2).unwrap();
        assert_eq!(first, ["a", "b"]);
        let (rest, none) = page::<String>(all(&["a", "c", "d"]), token.as_deref(), 2).unwrap();
        assert_eq!((rest, none), (vec!["c".to_owned(), "d".to_owned()], None));
        let error = page::<String>(all(&["a"]), Some("?"), 2).unwrap_err();
        assert_eq!(error.code, "InvalidNextTokenException");
    }
}
