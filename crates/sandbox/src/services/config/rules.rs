//! PutConfigRule, DescribeConfigRules and DeleteConfigRule.

use serde_json::{Value, json};

use super::{PAGE, invalid, listed, no_such_rule, page, services_own, shape, tags};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::config::{ConfigChange, ConfigRule, ConfigState};
use crate::world::place::Place;

/// MaxNumberOfConfigRulesExceededException says so.
const MOST_RULES: usize = 1000;
const MODES: [&str; 2] = ["DETECTIVE", "PROACTIVE"];
const FREQUENCIES: [&str; 5] = ["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"];

pub(super) fn put(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let rule = input.take("ConfigRule").ok_or_else(|| missing("configRule"))?;
    let tags = tags::read(input.tags()?)?;
    input.finish()?;
    let mut rule: ConfigRule = shape::read("configRule", rule)?;
    check(&rule)?;
    let arn = world.config_arn(place);
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        let name = name_of(config, &rule)?;
        let former = config.rules.get(&name);
        if former.is_some_and(|rule| rule.created_by.is_some()) {
            return Err(services_own());
        }
        let is_new = former.is_none();
        if is_new && config.rules.len() >= MOST_RULES {
            return Err(AwsError::client(
                "MaxNumberOfConfigRulesExceededException",
                format!("The account already contains the maximum number of {MOST_RULES} rules."),
            ));
        }
        rule.settle(&arn, &name);
        let own = rule.config_rule_arn.clone().unwrap_or_default();
        world.change_config(place, config, ConfigChange::Rule { name, rule: Some(Box::new(rule)) })?;
        if is_new {
            tags::put_new(world, place, config, &own, tags)?;
        }
        Ok(json!({}))
    })
}

/// A new rule needs a name; one that is there may be meant by its ARN or id instead.
fn name_of(config: &ConfigState, rule: &ConfigRule) -> Result<String, AwsError> {
    if let Some(name) = &rule.config_rule_name {
        return Ok(name.clone());
    }
    let meant = |other: &ConfigRule| {
        let same = |mine: &Option<String>, theirs: &Option<String>| mine.is_some() && mine == theirs;
        same(&rule.config_rule_arn, &other.config_rule_arn) || same(&rule.config_rule_id, &other.config_rule_id)
    };
    let found = config.rules.iter().find(|(_, other)| meant(other)).map(|(name, _)| name.clone());
    found.ok_or_else(|| invalid("The ConfigRuleName is required for a new rule."))
}

pub(super) fn check(rule: &ConfigRule) -> Result<(), AwsError> {
    if let Some(name) = &rule.config_rule_name {
        shape::rule_name("configRule.configRuleName", name)?;
    }
    shape::length("configRule.description", rule.description.as_deref(), 0, 256)?;
    shape::length("configRule.inputParameters", rule.input_parameters.as_deref(), 1, 1024)?;
    shape::word("configRule.maximumExecutionFrequency", rule.maximum_execution_frequency.as_deref(), &FREQUENCIES)?;
    for mode in rule.evaluation_modes.iter().flatten() {
        shape::word("configRule.evaluationModes.1.member.mode", Some(&mode.mode), &MODES)?;
    }
    let source = &rule.source;
    shape::word("configRule.source.owner", Some(&source.owner), &["CUSTOM_LAMBDA", "AWS", "CUSTOM_POLICY"])?;
    shape::length("configRule.source.sourceIdentifier", source.source_identifier.as_deref(), 1, 256)?;
    shape::count("configRule.source.sourceDetails", source.source_details.as_ref().map_or(0, Vec::len), 0, 25)?;
    if let Some(scope) = &rule.scope {
        let types = scope.compliance_resource_types.as_ref().map_or(0, Vec::len);
        shape::count("configRule.scope.complianceResourceTypes", types, 0, 100)?;
        if scope.compliance_resource_id.is_some() && types != 1 {
            return Err(invalid("A ComplianceResourceId needs exactly one ComplianceResourceType."));
        }
        if scope.tag_value.is_some() && scope.tag_key.is_none() {
            return Err(invalid("A TagValue needs a TagKey."));
        }
    }
    match (source.owner.as_str(), &source.source_identifier, &source.custom_policy_details) {
        ("CUSTOM_POLICY", None, Some(_)) => {}
        ("CUSTOM_POLICY", ..) => {
            return Err(invalid("A rule of owner CUSTOM_POLICY has CustomPolicyDetails and no SourceIdentifier."));
        }
        (_, None, _) => return Err(invalid("The SourceIdentifier is required.")),
        (_, _, Some(_)) => return Err(invalid("CustomPolicyDetails are for rules of owner CUSTOM_POLICY alone.")),
        // Which managed rules there are changes by the month; how their identifiers look does not.
        ("AWS", Some(id), _) if !id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') => {
            return Err(invalid(format!("The sourceIdentifier {id} is invalid. Please refer to the documentation.")));
        }
        ("AWS", ..) => {}
        (_, Some(arn), _) if !arn.starts_with("arn:") => {
            return Err(invalid("The SourceIdentifier of a custom rule is the ARN of its function."));
        }
        _ => {}
    }
    let parameters = rule.input_parameters.as_deref().map(serde_json::from_str::<Value>);
    match parameters {
        None | Some(Ok(Value::Object(_))) => Ok(()),
        Some(_) => Err(invalid("The InputParameters are not a JSON object.")),
    }
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let names = input.texts("ConfigRuleNames")?;
    let token = input.text("NextToken")?;
    let filters = input.take("Filters").unwrap_or_default();
    input.finish()?;
    shape::count("configRuleNames", names.len(), 0, 25)?;
    let mode = filters["EvaluationMode"].as_str();
    let visibility = filters["RuleEvaluationVisibility"].as_str();
    shape::word("filters.evaluationMode", mode, &MODES)?;
    shape::word("filters.ruleEvaluationVisibility", visibility, &["EXTERNAL", "INTERNAL"])?;
    world.with_region(place.account, place.region, |state| {
        let rules = &state.config.rules;
        if let Some(name) = names.iter().find(|name| !rules.contains_key(*name)) {
            return Err(no_such_rule(name));
        }
        let fits = |rule: &ConfigRule| {
            let modes = rule.evaluation_modes.iter().flatten();
            mode.is_none_or(|mode| modes.into_iter().any(|has| has.mode == mode))
                && visibility
                    .is_none_or(|wanted| rule.rule_evaluation_visibility.as_deref().unwrap_or("EXTERNAL") == wanted)
        };
        let wanted = |name: &String| names.is_empty() || names.contains(name);
        let all = rules.iter().filter(|(name, rule)| wanted(name) && fits(rule));
        let (rules, next) = page(all.map(|(name, rule)| (name.clone(), rule)).collect(), token.as_deref(), PAGE)?;
        Ok(listed("ConfigRules", &rules, next))
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = input.required_text("ConfigRuleName")?;
    input.finish()?;
    shape::rule_name("configRuleName", &name)?;
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        let found = config.rules.get(&name).ok_or_else(|| no_such_rule(&name))?;
        if found.created_by.is_some() {
            return Err(services_own());
        }
        if config.remediations.contains_key(&name) {
            return Err(AwsError::client(
                "ResourceInUseException",
                "A remediation action is associated with the rule. Delete the remediation action before deleting the rule.",
            ));
        }
        world.change_config(place, config, ConfigChange::Rule { name, rule: None })?;
        Ok(json!({}))
    })
}
