//! StartConfigRulesEvaluation, GetComplianceDetailsByConfigRule and DescribeComplianceByConfigRule.

use serde_json::{Value, json};

use super::compliance::{self, Verdict};
use super::{PAGE, invalid, listed, no_such_rule, page, shape};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::place::Place;

/// The model: not "more than once per minute", of the sandbox's own minutes.
const APART_MS: f64 = 60_000.0;

pub(super) fn start(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let names = input.texts("ConfigRuleNames")?;
    input.finish()?;
    shape::count("configRuleNames", names.len(), 1, 25)?;
    for name in &names {
        shape::rule_name("configRuleNames.1.member", name)?;
    }
    let now = now_ms();
    let apart = world.latency.scale(APART_MS).as_millis() as i64;
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        if let Some(name) = names.iter().find(|name| !config.rules.contains_key(*name)) {
            return Err(no_such_rule(name));
        }
        let again = names.iter().find(|name| config.evaluated.get(*name).is_some_and(|last| now - last < apart));
        if let Some(name) = again {
            let message = format!("The rule {name} was evaluated less than a minute ago. Try again later.");
            return Err(AwsError::client("LimitExceededException", message));
        }
        config.evaluated.extend(names.iter().map(|name| (name.clone(), now)));
        Ok(())
    })?;
    // What it finds is remediated as after a change.
    for (rule, verdicts) in compliance::of_region(world, place, |_| true) {
        if names.contains(&rule) {
            for verdict in verdicts.iter().filter(|verdict| !verdict.compliant) {
                world.config_changes.note_by(&rule, place, &verdict.bucket);
            }
        }
    }
    Ok(json!({}))
}

pub(super) fn details(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = input.required_text("ConfigRuleName")?;
    let kinds = input.texts("ComplianceTypes")?;
    let asked = input.take("Limit").map(|limit| limit.as_i64().ok_or(limit)).transpose();
    let asked =
        asked.map_err(|_| AwsError::client("SerializationException", "Limit can not be converted to an Integer"))?;
    let token = input.text("NextToken")?;
    input.finish()?;
    // Of all operations this one alone takes 64 characters.
    shape::length("configRuleName", Some(&name), 1, 64)?;
    kinds_of(&kinds)?;
    shape::number("limit", asked, 0, 100)?;
    let most = asked.filter(|most| *most > 0).map_or(10, |most| most as usize);
    let found = compliance::of_region(world, place, |rule| rule.config_rule_name.as_deref() == Some(&*name)).pop();
    let (_, verdicts) = found.ok_or_else(|| no_such_rule(&name))?;
    let verdicts: Vec<(String, Verdict)> = verdicts
        .into_iter()
        .filter(|verdict| kinds.is_empty() || kinds.iter().any(|kind| kind == verdict.word()))
        .map(|verdict| (verdict.bucket.clone(), verdict))
        .collect();
    let (verdicts, next) = page(verdicts, token.as_deref(), most)?;
    let results: Vec<Value> = verdicts.iter().map(|verdict| verdict.result(&name)).collect();
    Ok(listed("EvaluationResults", &results, next))
}

pub(super) fn by_rule(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let names = input.texts("ConfigRuleNames")?;
    let kinds = input.texts("ComplianceTypes")?;
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::count("configRuleNames", names.len(), 0, 25)?;
    shape::count("complianceTypes", kinds.len(), 0, 3)?;
    for kind in &kinds {
        shape::word("complianceTypes.1.member", Some(kind), &compliance::TYPES)?;
    }
    let found = compliance::of_region(world, place, |_| true);
    if let Some(name) = names.iter().find(|name| found.iter().all(|(rule, _)| rule != *name)) {
        return Err(no_such_rule(name));
    }
    let all = found.into_iter().filter(|(rule, _)| names.is_empty() || names.contains(rule)).map(|(rule, verdicts)| {
        let compliance = compliance::summed(&verdicts);
        let compliance = compliance.unwrap_or_else(|| json!({ "ComplianceType": "INSUFFICIENT_DATA" }));
        (rule.clone(), json!({ "ConfigRuleName": rule, "Compliance": compliance }))
    });
    let wanted = |shown: &Value| {
        kinds.is_empty() || kinds.iter().any(|kind| shown["Compliance"]["ComplianceType"] == kind.as_str())
    };
    let (shown, next) = page(all.filter(|(_, shown)| wanted(shown)).collect(), token.as_deref(), PAGE)?;
    Ok(listed("ComplianceByConfigRules", &shown, next))
}

fn kinds_of(kinds: &[String]) -> Result<(), AwsError> {
    shape::count("complianceTypes", kinds.len(), 0, 3)?;
    for kind in kinds {
        shape::word("complianceTypes.1.member", Some(kind), &compliance::TYPES)?;
        if kind == "INSUFFICIENT_DATA" {
            return Err(invalid("The ComplianceTypes are COMPLIANT, NON_COMPLIANT and NOT_APPLICABLE."));
        }
    }
    Ok(())
}
