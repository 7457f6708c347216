//! PutRemediationExceptions, DescribeRemediationExceptions and DeleteRemediationExceptions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::compliance::is_compliant;
use super::{PAGE, invalid, listed, page, shape, without_nulls};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::wire::now_ms;
use crate::world::World;
use crate::world::config::{BUCKET, ConfigChange, Exception};
use crate::world::place::Place;

/// RemediationExceptionResourceKey
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Key {
    resource_type: Option<String>,
    resource_id: Option<String>,
}

impl Key {
    fn parts(self) -> Result<(String, String), AwsError> {
        shape::length("resourceKeys.1.member.resourceType", self.resource_type.as_deref(), 1, 256)?;
        shape::length("resourceKeys.1.member.resourceId", self.resource_id.as_deref(), 1, 1024)?;
        self.resource_type
            .zip(self.resource_id)
            .ok_or_else(|| invalid("A resource key has a ResourceType and a ResourceId."))
    }
}

fn keys(list: Value) -> Result<Vec<(String, String)>, AwsError> {
    let keys: Vec<Key> = shape::read("resourceKeys", list)?;
    shape::count("resourceKeys", keys.len(), 1, 100)?;
    keys.into_iter().map(Key::parts).collect()
}

pub(super) fn put(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let rule = input.required_text("ConfigRuleName")?;
    let list = input.take("ResourceKeys").ok_or_else(|| missing("resourceKeys"))?;
    let message = input.text("Message")?;
    let end = input.take("ExpirationTime");
    input.finish()?;
    shape::rule_name("configRuleName", &rule)?;
    shape::length("message", message.as_deref(), 1, 1024)?;
    let keys = keys(list)?;
    let expiration_time = match end {
        None => None,
        Some(end) => {
            let end = end.as_f64().ok_or_else(|| {
                AwsError::client("SerializationException", "ExpirationTime can not be converted to a Timestamp")
            })?;
            if end * 1000.0 <= now_ms() as f64 {
                return Err(invalid("The ExpirationTime is in the past."));
            }
            Some(end)
        }
    };
    let mut failed: Vec<Exception> = Vec::new();
    for (kind, id) in keys {
        let exception = Exception {
            config_rule_name: rule.clone(),
            resource_type: kind.clone(),
            resource_id: id.clone(),
            message: message.clone(),
            expiration_time,
        };
        world.with_bucket_and_config(place, &id, |bucket, config| {
            if !config.remediations.contains_key(&rule) {
                return Err(invalid(format!("The ConfigRule '{rule}' has no remediation configuration.")));
            }
            // The model: none on service-linked remediation actions, such as those of a conformance pack.
            if config.rules.get(&rule).is_some_and(|rule| rule.created_by.is_some()) {
                let message =
                    format!("The remediation of '{rule}' is a service's own: exceptions cannot be placed on it.");
                return Err(invalid(message));
            }
            // The model: for compliant resources a remediation exception will not be generated. Of rules that do not run
            // here nobody knows.
            let judged = config.rules.get(&rule).and_then(|rule| is_compliant(world, place, rule, bucket?));
            if kind == BUCKET && judged == Some(true) {
                failed.push(exception);
                return Ok(());
            }
            let change =
                ConfigChange::Exception { rule: rule.clone(), kind, id: id.clone(), exception: Some(exception) };
            world.change_config(place, config, change)
        })?;
    }
    let batches = match failed.is_empty() {
        true => json!([]),
        false => json!([{
            "FailureMessage": "The resource is already compliant.",
            "FailedItems": without_nulls(json!(failed)),
        }]),
    };
    Ok(json!({ "FailedBatches": batches }))
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let rule = input.required_text("ConfigRuleName")?;
    let wanted = input.take("ResourceKeys");
    let limit = input.take("Limit");
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::rule_name("configRuleName", &rule)?;
    let limit =
        match limit {
            None => None,
            Some(limit) => Some(limit.as_i64().ok_or_else(|| {
                AwsError::client("SerializationException", "Limit can not be converted to an Integer")
            })?),
        };
    shape::number("limit", limit, 0, 100)?;
    let wanted = wanted.map(keys).transpose()?;
    if wanted.is_some() && (token.is_some() || limit.is_some_and(|limit| limit > 0)) {
        return Err(invalid("Limit and NextToken are not applicable if resources are requested in batch."));
    }
    // Zero stands for the default.
    let most = match (&wanted, limit.unwrap_or(0)) {
        (Some(keys), _) => keys.len(),
        (None, 0) => PAGE,
        (None, limit) => limit as usize,
    };
    let now = now_ms();
    world.with_region(place.account, place.region, |state| {
        let asked = |kind: &String, id: &String| {
            wanted.as_ref().is_none_or(|keys| keys.iter().any(|(of, name)| of == kind && name == id))
        };
        let all = state.config.exceptions.iter();
        let all = all.filter(|((of, kind, id), exception)| *of == rule && asked(kind, id) && exception.holds(now));
        let all = all.map(|((_, kind, id), exception)| (format!("{kind}/{id}"), exception)).collect();
        let (exceptions, next) = page(all, token.as_deref(), most)?;
        Ok(listed("RemediationExceptions", &exceptions, next))
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let rule = input.required_text("ConfigRuleName")?;
    let list = input.take("ResourceKeys").ok_or_else(|| missing("resourceKeys"))?;
    input.finish()?;
    shape::rule_name("configRuleName", &rule)?;
    let keys = keys(list)?;
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        let there =
            |(kind, id): &&(String, String)| config.exceptions.contains_key(&(rule.clone(), kind.clone(), id.clone()));
        if let Some((kind, id)) = keys.iter().find(|key| !there(key)) {
            let message = format!("There is no remediation exception of rule {rule} for {kind} {id}.");
            return Err(AwsError::client("NoSuchRemediationExceptionException", message));
        }
        for (kind, id) in keys {
            let change = ConfigChange::Exception { rule: rule.clone(), kind, id, exception: None };
            world.change_config(place, config, change)?;
        }
        Ok(json!({ "FailedBatches": [] }))
    })
}
