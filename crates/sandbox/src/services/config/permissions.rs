//! What a caller must be allowed: the action of the operation's name, on the resources that IAM's service authorization
//! reference lists for it.

use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::config::{Aggregator, ConfigRule, ConfigState, OrganizationPack, Pack, Recorder, Remediation};
use crate::world::place::Place;
use crate::world::session::Caller;

pub(super) fn check(
    world: &World,
    caller: &Caller,
    place: Place,
    operation: &str,
    input: &Input,
) -> Result<(), AwsError> {
    let action = format!("config:{operation}");
    let (resources, tags) = world.with_region(place.account, place.region, |state| {
        let resources = resources(&world.config_arn(place), &state.config, operation, input);
        let tags = resources.iter().map(|arn| state.config.tags.get(arn).cloned().unwrap_or_default());
        let tags: Vec<_> = tags.collect();
        (resources, tags)
    });
    for (resource, tags) in resources.into_iter().zip(tags) {
        let mut ask = Ask::new(&action, resource).in_region(&world.spec.regions[place.region]);
        for (key, value) in tags {
            ask = ask.key(&format!("aws:ResourceTag/{key}"), value);
        }
        for tag in input.peek("Tags").and_then(|tags| tags.as_array()).into_iter().flatten() {
            if let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) {
                ask = ask.key(&format!("aws:RequestTag/{key}"), value.to_owned()).key("aws:TagKeys", key.to_owned());
            }
        }
        for key in input.peek("TagKeys").and_then(|keys| keys.as_array()).into_iter().flatten() {
            ask = ask.key("aws:TagKeys", key.as_str().unwrap_or_default().to_owned());
        }
        authorize(world, caller, &ask)?;
    }
    Ok(())
}

/// The ARNs, also of what is not there yet or no more: they follow from the names.
fn resources(place: &str, config: &ConfigState, operation: &str, input: &Input) -> Vec<String> {
    let text = |member: &str| input.peek_text(member).unwrap_or_default();
    let listed = |member: &str| -> Vec<String> {
        let names = input.peek(member).and_then(|names| names.as_array()).into_iter().flatten();
        names.filter_map(|name| name.as_str().map(String::from)).collect()
    };
    let rule = |name: &str| {
        let found = config.rules.get(name).and_then(|rule| rule.config_rule_arn.clone());
        found.unwrap_or_else(|| ConfigRule::arn_of(place, name))
    };
    let arns = match operation {
        "PutConfigRule" => {
            let member = |name: &str| input.peek("ConfigRule").and_then(|rule| rule[name].as_str());
            match (member("ConfigRuleName"), member("ConfigRuleArn")) {
                (None, Some(arn)) => vec![arn.to_owned()],
                (name, _) => vec![rule(name.unwrap_or_default())],
            }
        }
        "DeleteConfigRule" | "GetComplianceDetailsByConfigRule" => vec![rule(text("ConfigRuleName"))],
        "StartConfigRulesEvaluation" => listed("ConfigRuleNames").iter().map(|name| rule(name)).collect(),
        "PutRemediationConfigurations" => {
            let all = input.peek("RemediationConfigurations").and_then(|all| all.as_array()).into_iter().flatten();
            all.map(|one| Remediation::arn_of(place, one["ConfigRuleName"].as_str().unwrap_or_default())).collect()
        }
        "DescribeRemediationConfigurations" => {
            listed("ConfigRuleNames").iter().map(|name| Remediation::arn_of(place, name)).collect()
        }
        "DeleteRemediationConfiguration" => vec![Remediation::arn_of(place, text("ConfigRuleName"))],
        "PutConformancePack" | "DeleteConformancePack" => vec![Pack::arn_of(place, text("ConformancePackName"))],
        "PutOrganizationConformancePack"
        | "DeleteOrganizationConformancePack"
        | "GetOrganizationConformancePackDetailedStatus" => {
            vec![OrganizationPack::arn_of(place, text("OrganizationConformancePackName"))]
        }
        "PutConfigurationAggregator"
        | "DeleteConfigurationAggregator"
        | "DescribeAggregateComplianceByConfigRules"
        | "GetAggregateComplianceDetailsByConfigRule"
        | "SelectAggregateResourceConfig" => vec![Aggregator::arn_of(place, text("ConfigurationAggregatorName"))],
        "DescribeConfigurationRecorders"
        | "DescribeConfigurationRecorderStatus"
        | "StartConfigurationRecorder"
        | "StopConfigurationRecorder" => vec![Recorder::arn_of(place)],
        "TagResource" | "UntagResource" | "ListTagsForResource" => vec![text("ResourceArn").to_owned()],
        _ => vec!["*".to_owned()],
    };
    // A request without the names is refused for that, by whoever may do the operation at all.
    match arns.is_empty() {
        true => vec!["*".to_owned()],
        false => arns,
    }
}

/// A service is handed a role only by who may pass it.
pub(super) fn pass_role(
    world: &World,
    caller: &Caller,
    place: Place,
    role: &str,
    service: &'static str,
) -> Result<(), AwsError> {
    let region = &world.spec.regions[place.region];
    authorize(world, caller, &Ask::new("iam:PassRole", role).in_region(region).key("iam:PassedToService", service))
}
