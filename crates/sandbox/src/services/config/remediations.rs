//! PutRemediationConfigurations, DescribeRemediationConfigurations and DeleteRemediationConfiguration.

use serde_json::{Value, json};

use super::permissions::pass_role;
use super::{PAGE, invalid, listed, services_own, shape};
use crate::services::ssm;
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::config::{ConfigChange, Remediation};
use crate::world::place::Place;
use crate::world::session::Caller;

/// The parameter that an automatic remediation must have a value for.
const ROLE: &str = "AutomationAssumeRole";

pub(super) fn put(world: &World, caller: &Caller, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let list = input.take("RemediationConfigurations").ok_or_else(|| missing("remediationConfigurations"))?;
    input.finish()?;
    let mut list: Vec<Remediation> = shape::read("remediationConfigurations", list)?;
    shape::count("remediationConfigurations", list.len(), 0, PAGE)?;
    for remediation in &list {
        check(world, place, remediation)?;
        if let Some(role) = role_of(remediation) {
            pass_role(world, caller, place, role, "ssm.amazonaws.com")?;
        }
    }
    let arn = world.config_arn(place);
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        if let Some(remediation) = list.iter().find(|one| !config.rules.contains_key(&one.config_rule_name)) {
            let rule = &remediation.config_rule_name;
            return Err(invalid(format!("The ConfigRule '{rule}' provided in the request is invalid.")));
        }
        if list.iter().any(|one| config.rules[&one.config_rule_name].created_by.is_some()) {
            return Err(services_own());
        }
        for mut remediation in list.drain(..) {
            remediation.settle(&arn);
            let rule = remediation.config_rule_name.clone();
            let change = ConfigChange::Remediation { rule, remediation: Some(Box::new(remediation)) };
            world.change_config(place, config, change)?;
        }
        Ok(json!({ "FailedBatches": [] }))
    })
}

/// The role that its executions assume, where it names one.
pub(super) fn role_of(remediation: &Remediation) -> Option<&str> {
    let role = remediation.parameters.as_ref()?.get(ROLE)?.static_value.as_ref()?;
    role.values.first().map(String::as_str)
}

/// AWS's own documents are not in this sandbox: a remediation with one of them can be put, and its starts are refused.
pub(super) fn is_aws_own(document: &str) -> bool {
    document.starts_with("AWS-") || document.starts_with("AWSConfigRemediation-")
}

fn check(world: &World, place: Place, remediation: &Remediation) -> Result<(), AwsError> {
    check_shape(remediation)?;
    let target = &remediation.target_id;
    if !is_aws_own(target) && !ssm::has_document(world, place, target, remediation.target_version.as_deref()) {
        return Err(invalid(format!("The SSM document {target} provided in the request does not exist.")));
    }
    Ok(())
}

/// The model's limits, and what an automatic remediation needs.
pub(super) fn check_shape(remediation: &Remediation) -> Result<(), AwsError> {
    shape::rule_name("remediationConfigurations.1.member.configRuleName", &remediation.config_rule_name)?;
    shape::word("remediationConfigurations.1.member.targetType", Some(&remediation.target_type), &["SSM_DOCUMENT"])?;
    shape::length("remediationConfigurations.1.member.targetId", Some(&remediation.target_id), 1, 256)?;
    let attempts = remediation.maximum_automatic_attempts;
    shape::number("remediationConfigurations.1.member.maximumAutomaticAttempts", attempts, 1, 25)?;
    let seconds = remediation.retry_attempt_seconds;
    shape::number("remediationConfigurations.1.member.retryAttemptSeconds", seconds, 1, 2_678_000)?;
    if let Some(controls) = remediation.execution_controls.as_ref().and_then(|c| c.ssm_controls.as_ref()) {
        for percentage in [controls.concurrent_execution_rate_percentage, controls.error_percentage] {
            shape::number("remediationConfigurations.1.member.executionControls.ssmControls", percentage, 1, 100)?;
        }
    }
    let parameters = remediation.parameters.iter().flatten();
    shape::count("remediationConfigurations.1.member.parameters", parameters.clone().count(), 0, 25)?;
    for (name, value) in parameters {
        match (&value.resource_value, &value.static_value) {
            (Some(resource), None) => shape::word(
                "remediationConfigurations.1.member.parameters.resourceValue.value",
                Some(&resource.value),
                &["RESOURCE_ID"],
            )?,
            (None, Some(fixed)) => {
                let member = "remediationConfigurations.1.member.parameters.staticValue.values";
                shape::count(member, fixed.values.len(), 0, 25)?;
                for text in &fixed.values {
                    shape::length(member, Some(text), 1, 256)?;
                }
            }
            _ => {
                let message = format!("The parameter {name} has either a ResourceValue or a StaticValue.");
                return Err(invalid(message));
            }
        }
    }
    let role = remediation.parameters.as_ref().and_then(|parameters| parameters.get(ROLE));
    if remediation.is_automatic() && role.and_then(|role| role.static_value.as_ref()).is_none() {
        return Err(invalid(format!("Automatic remediation needs a value for the parameter {ROLE}.")));
    }
    Ok(())
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    if !input.has("ConfigRuleNames") {
        return Err(missing("configRuleNames"));
    }
    let names = input.texts("ConfigRuleNames")?;
    input.finish()?;
    shape::count("configRuleNames", names.len(), 1, PAGE)?;
    world.with_region(place.account, place.region, |state| {
        let found: Vec<&Remediation> = names.iter().filter_map(|name| state.config.remediations.get(name)).collect();
        Ok(listed("RemediationConfigurations", &found, None))
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let rule = input.required_text("ConfigRuleName")?;
    let _kind = input.text("ResourceType")?;
    input.finish()?;
    shape::rule_name("configRuleName", &rule)?;
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        if !config.remediations.contains_key(&rule) {
            return Err(AwsError::client(
                "NoSuchRemediationConfigurationException",
                format!("No RemediationConfiguration for rule {rule} exists."),
            ));
        }
        if config.rules.get(&rule).is_some_and(|rule| rule.created_by.is_some()) {
            return Err(services_own());
        }
        if config.at_work.iter().any(|((of, _), running)| *of == rule && *running) {
            return Err(AwsError::client(
                "RemediationInProgressException",
                "Remediation action is in progress. You can either cancel execution in AWS Systems Manager or wait and try \
                 again later.",
            ));
        }
        world.change_config(place, config, ConfigChange::Remediation { rule, remediation: None })?;
        Ok(json!({}))
    })
}
