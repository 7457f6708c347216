//! AWS Config: rules, their remediations, and the exceptions from those, of one account and Region. Here: which operation
//! goes where, who may, and what is common to all. `compliance` judges buckets, `remediate` acts on what it finds.

mod compliance;
mod exceptions;
pub(crate) mod remediate;
mod remediations;
mod rules;
mod shape;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;
use crate::world::session::Caller;

pub(crate) const OPERATIONS: &[&str] = &[
    "PutConfigRule",
    "DescribeConfigRules",
    "DeleteConfigRule",
    "PutRemediationConfigurations",
    "DescribeRemediationConfigurations",
    "DeleteRemediationConfiguration",
    "PutRemediationExceptions",
    "DescribeRemediationExceptions",
];
pub(crate) const TARGET: &str = "StarlingDoveService.";

/// The model's bound on a page.
const PAGE: usize = 25;

pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    region: usize,
    operation: &'static str,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let action = format!("config:{operation}");
    authorize(world, caller, &Ask::new(&action, "*").in_region(&world.spec.regions[region]))?;
    let place = Place { account: caller.account, region };
    match operation {
        "PutConfigRule" => rules::put(world, place, input),
        "DescribeConfigRules" => rules::describe(world, place, input),
        "DeleteConfigRule" => rules::delete(world, place, input),
        "PutRemediationConfigurations" => remediations::put(world, place, input),
        "DescribeRemediationConfigurations" => remediations::describe(world, place, input),
        "DeleteRemediationConfiguration" => remediations::delete(world, place, input),
        "PutRemediationExceptions" => exceptions::put(world, place, input),
        _ => exceptions::describe(world, place, input),
    }
}

/// A page of what is sorted by its name, with the token for the next one: the last name of this page, so that what is put
/// or deleted in between neither doubles nor hides anything else.
fn page<T>(all: Vec<(String, T)>, token: Option<&str>, most: usize) -> Result<(Vec<T>, Option<String>), AwsError> {
    let wrong = || AwsError::client("InvalidNextTokenException", "The specified next token is not valid.");
    let after = match token {
        None => None,
        Some(token) => {
            let bytes = STANDARD.decode(token).map_err(|_| wrong())?;
            Some(String::from_utf8(bytes).map_err(|_| wrong())?)
        }
    };
    let mut left = all.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).peekable();
    let mut items = Vec::new();
    let mut last = String::new();
    while items.len() < most
        && let Some((name, item)) = left.next()
    {
        items.push(item);
        last = name;
    }
    Ok((items, left.peek().is_some().then(|| STANDARD.encode(last))))
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
