//! AWS Config: rules, their remediations, and the exceptions from those, of one account and Region, as they were put. Rules
//! judge nothing here and remediations start nothing: what is here is what a rollback asks for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
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

/// What one account and Region has in AWS Config.
#[derive(Debug, Default)]
pub(crate) struct ConfigState {
    rules: BTreeMap<String, Value>,
    remediations: BTreeMap<String, Value>,
    /// By rule and resource id.
    exceptions: BTreeMap<(String, String), Value>,
}

pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    region: usize,
    operation: &'static str,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let action = match operation {
        "PutConfigRule" => "config:PutConfigRule",
        "DescribeConfigRules" => "config:DescribeConfigRules",
        "DeleteConfigRule" => "config:DeleteConfigRule",
        "PutRemediationConfigurations" => "config:PutRemediationConfigurations",
        "DescribeRemediationConfigurations" => "config:DescribeRemediationConfigurations",
        "DeleteRemediationConfiguration" => "config:DeleteRemediationConfiguration",
        "PutRemediationExceptions" => "config:PutRemediationExceptions",
        _ => "config:DescribeRemediationExceptions",
    };
    authorize(world, caller, &Ask::new(action, "*").in_region(&world.spec.regions[region]))?;
    let account = world.organization.accounts[caller.account].id.clone();
    let place = format!("arn:aws:config:{}:{account}", world.spec.regions[region]);
    world.with_region(caller.account, region, |state| {
        let config = &mut state.config;
        match operation {
            "PutConfigRule" => config.put_rule(&place, input),
            "DescribeConfigRules" => config.describe_rules(input),
            "DeleteConfigRule" => config.delete_rule(input),
            "PutRemediationConfigurations" => config.put_remediations(&place, input),
            "DescribeRemediationConfigurations" => config.describe_remediations(input),
            "DeleteRemediationConfiguration" => config.delete_remediation(input),
            "PutRemediationExceptions" => config.put_exceptions(input),
            _ => config.describe_exceptions(input),
        }
    })
}

impl ConfigState {
    /// A managed rule with an automatic remediation, as somebody may have put them.
    pub(crate) fn remediate(&mut self, rule: &str, identifier: &str, document: &str) {
        let source = json!({ "Owner": "AWS", "SourceIdentifier": identifier });
        self.rules
            .insert(rule.to_owned(), json!({ "ConfigRuleName": rule, "Source": source, "ConfigRuleState": "ACTIVE" }));
        self.remediations.insert(
            rule.to_owned(),
            json!({
                "ConfigRuleName": rule, "TargetType": "SSM_DOCUMENT", "TargetId": document, "Automatic": true,
                "MaximumAutomaticAttempts": 5, "RetryAttemptSeconds": 60,
            }),
        );
    }

    /// A remediation exception on a bucket.
    pub(crate) fn except(&mut self, rule: &str, bucket: &str) {
        let exception = json!({ "ConfigRuleName": rule, "ResourceType": "AWS::S3::Bucket", "ResourceId": bucket });
        self.exceptions.insert((rule.to_owned(), bucket.to_owned()), exception);
    }

    fn put_rule(&mut self, place: &str, input: &mut Input) -> Result<Value, AwsError> {
        let mut rule = input.take("ConfigRule").ok_or_else(|| missing("configRule"))?;
        let _tags = input.take("Tags");
        input.finish()?;
        let name = rule["ConfigRuleName"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || name.len() > 128 {
            return Err(invalid("ConfigRuleName must have 1 to 128 characters."));
        }
        let source = &rule["Source"];
        if source["Owner"].as_str() == Some("AWS") && source["SourceIdentifier"].as_str().is_none() {
            return Err(invalid("SourceIdentifier is required for an AWS managed rule."));
        }
        if source["Owner"].is_null() {
            return Err(missing("configRule.source.owner"));
        }
        let id = format!(
            "config-rule-{:06x}",
            crate::random::Random::new(0, &format!("{place}{name}"), 0).next() & 0xff_ffff
        );
        rule["ConfigRuleArn"] = json!(format!("{place}:config-rule/{id}"));
        rule["ConfigRuleId"] = json!(id);
        rule["ConfigRuleState"] = json!("ACTIVE");
        self.rules.insert(name, rule);
        Ok(json!({}))
    }

    fn describe_rules(&self, input: &mut Input) -> Result<Value, AwsError> {
        let names = input.texts("ConfigRuleNames")?;
        let token = input.text("NextToken")?;
        let _filters = input.take("Filters");
        input.finish()?;
        for name in &names {
            self.known(name)?;
        }
        let wanted = |name: &String| names.is_empty() || names.contains(name);
        let all: Vec<(&String, &Value)> = self.rules.iter().filter(|(name, _)| wanted(name)).collect();
        let (page, next) = page(&all, token.as_deref(), PAGE)?;
        let rules: Vec<&Value> = page.iter().map(|(_, rule)| *rule).collect();
        Ok(with_token(json!({ "ConfigRules": rules }), next))
    }

    fn delete_rule(&mut self, input: &mut Input) -> Result<Value, AwsError> {
        let name = input.required_text("ConfigRuleName")?;
        input.finish()?;
        self.known(&name)?;
        if self.remediations.contains_key(&name) {
            return Err(AwsError::client(
                "ResourceInUseException",
                "The rule has a remediation configuration: delete that first.",
            ));
        }
        self.rules.remove(&name);
        Ok(json!({}))
    }

    fn put_remediations(&mut self, place: &str, input: &mut Input) -> Result<Value, AwsError> {
        let list = input.take("RemediationConfigurations").ok_or_else(|| missing("remediationConfigurations"))?;
        input.finish()?;
        let list = list.as_array().cloned().unwrap_or_default();
        if list.len() > PAGE {
            return Err(invalid("At most 25 remediation configurations can be put at once."));
        }
        for mut remediation in list {
            let text = |name: &str| remediation[name].as_str().map(str::to_owned);
            let rule = text("ConfigRuleName").ok_or_else(|| missing("configRuleName"))?;
            text("TargetId").ok_or_else(|| missing("targetId"))?;
            if text("TargetType").as_deref() != Some("SSM_DOCUMENT") {
                return Err(invalid("TargetType must be SSM_DOCUMENT."));
            }
            self.known(&rule)?;
            let automatic = remediation["Automatic"].as_bool() == Some(true);
            // The API reference: required when Automatic is true.
            if automatic
                && (remediation["MaximumAutomaticAttempts"].is_null() || remediation["RetryAttemptSeconds"].is_null())
            {
                return Err(invalid(
                    "MaximumAutomaticAttempts and RetryAttemptSeconds are required when Automatic is true.",
                ));
            }
            remediation["Arn"] = json!(format!("{place}:remediation-configuration/{rule}/orgseal"));
            remediation["Automatic"] = json!(automatic);
            self.remediations.insert(rule, remediation);
        }
        Ok(json!({ "FailedBatches": [] }))
    }

    fn describe_remediations(&self, input: &mut Input) -> Result<Value, AwsError> {
        let names = input.texts("ConfigRuleNames")?;
        input.finish()?;
        if names.is_empty() || names.len() > PAGE {
            return Err(AwsError::validation(
                "configRuleNames",
                &format!("{} names", names.len()),
                "Member must have length from 1 to 25",
            ));
        }
        let found: Vec<&Value> = names.iter().filter_map(|name| self.remediations.get(name)).collect();
        Ok(json!({ "RemediationConfigurations": found }))
    }

    fn delete_remediation(&mut self, input: &mut Input) -> Result<Value, AwsError> {
        let name = input.required_text("ConfigRuleName")?;
        let _kind = input.text("ResourceType")?;
        input.finish()?;
        match self.remediations.remove(&name) {
            Some(_) => Ok(json!({})),
            None => Err(no_remediation(&name)),
        }
    }

    fn put_exceptions(&mut self, input: &mut Input) -> Result<Value, AwsError> {
        let rule = input.required_text("ConfigRuleName")?;
        let keys = input.take("ResourceKeys").ok_or_else(|| missing("resourceKeys"))?;
        let message = input.text("Message")?;
        let end = input.take("ExpirationTime");
        input.finish()?;
        if !self.remediations.contains_key(&rule) {
            return Err(no_remediation(&rule));
        }
        for key in keys.as_array().into_iter().flatten() {
            let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
            let mut exception = json!({
                "ConfigRuleName": rule, "ResourceType": text("ResourceType"), "ResourceId": text("ResourceId"),
            });
            if let Some(message) = &message {
                exception["Message"] = json!(message);
            }
            if let Some(end) = &end {
                exception["ExpirationTime"] = end.clone();
            }
            self.exceptions.insert((rule.clone(), text("ResourceId")), exception);
        }
        Ok(json!({ "FailedBatches": [] }))
    }

    fn describe_exceptions(&self, input: &mut Input) -> Result<Value, AwsError> {
        let rule = input.required_text("ConfigRuleName")?;
        let _keys = input.take("ResourceKeys");
        let limit = input.take("Limit").and_then(|limit| limit.as_u64()).filter(|limit| *limit > 0);
        let token = input.text("NextToken")?;
        input.finish()?;
        let all: Vec<&Value> =
            self.exceptions.iter().filter(|((of, _), _)| *of == rule).map(|(_, exception)| exception).collect();
        let (page, next) = page(&all, token.as_deref(), limit.map_or(PAGE, |limit| limit.min(PAGE as u64) as usize))?;
        Ok(with_token(json!({ "RemediationExceptions": page }), next))
    }

    fn known(&self, name: &str) -> Result<(), AwsError> {
        match self.rules.contains_key(name) {
            true => Ok(()),
            false => Err(AwsError::client(
                "NoSuchConfigRuleException",
                format!("The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name"),
            )),
        }
    }
}

/// A page of a list, and the token for the next one: the place at which it begins.
fn page<'a, T>(all: &'a [T], token: Option<&str>, most: usize) -> Result<(&'a [T], Option<String>), AwsError> {
    let from =
        match token {
            None => 0,
            Some(token) => token.parse::<usize>().ok().filter(|from| *from < all.len()).ok_or_else(|| {
                AwsError::client("InvalidNextTokenException", "The specified next token is not valid.")
            })?,
        };
    let to = (from + most).min(all.len());
    Ok((&all[from..to], (to < all.len()).then(|| to.to_string())))
}

fn with_token(mut answer: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        answer["NextToken"] = json!(token);
    }
    answer
}

fn invalid(message: &str) -> AwsError {
    AwsError::client("InvalidParameterValueException", message)
}

fn no_remediation(rule: &str) -> AwsError {
    AwsError::client(
        "NoSuchRemediationConfigurationException",
        format!("No RemediationConfiguration for rule {rule} exists."),
    )
}
