//! SelectAggregateResourceConfig: a query over the buckets of an aggregator's accounts and Regions.

use serde_json::{Value, json};

use super::aggregate::walk;
use super::aggregators::{name_of, sources};
use super::query::Query;
use super::{item, limit, shape};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;

pub(super) fn select(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let expression = input.required_text("Expression")?;
    let name = name_of(input)?;
    let most = limit(input, 0, 100)?;
    let most = match (most, input.take("MaxResults")) {
        (0, None) => 25,
        (0, Some(results)) => match results.as_u64().ok_or(()) {
            Ok(0) => 25,
            Ok(results) if results <= 100 => results as usize,
            _ => {
                let message = "The specified MaxResults is outside the allowable range of 0 to 100.";
                return Err(AwsError::client("InvalidLimitException", message));
            }
        },
        (limit, _) => limit,
    };
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::length("expression", Some(&expression), 1, 4096)?;
    let query = Query::read(&expression).map_err(|reason| {
        AwsError::client("InvalidExpressionException", format!("The syntax of the query is incorrect: {reason}."))
    })?;
    let sources = sources(world, place, &name)?;
    let (results, next) = walk(&sources, token.as_deref(), most, |account| {
        let mut found = Vec::new();
        for region in sources.regions.iter().copied() {
            let here = Place { account, region };
            world.with_buckets_and_config(here, |buckets, config| {
                for bucket in buckets.filter(|_| config.recorder.records()) {
                    if let Some(shown) = query.of(&item::of(world, here, bucket)) {
                        found.push((bucket.name.to_string(), Value::from(shown.to_string())));
                    }
                }
            });
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    })?;
    let fields: Vec<Value> = query.fields().into_iter().map(|name| json!({ "Name": name })).collect();
    let mut answer = json!({ "Results": results, "QueryInfo": { "SelectFields": fields } });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}
