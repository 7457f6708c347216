//! Templates of conformance packs: a small part of CloudFormation, read whole, and made into rules and remediations for one
//! account and Region. What is not modelled is refused, so that no pack is other than it says.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::intrinsic::{self, Scope};
use super::template_resource;
use crate::partition::Partition;
use crate::world::config::{ConfigRule, InputParameter, Remediation};

/// Rules in one pack (Config guide, service limits).
const MOST_RULES: usize = 130;
const SECTIONS: [&str; 6] =
    ["AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions", "Resources"];
const ATTRIBUTES: [&str; 5] = ["Type", "Properties", "DependsOn", "Condition", "Metadata"];
const RULE: &str = "AWS::Config::ConfigRule";
const REMEDIATION: &str = "AWS::Config::RemediationConfiguration";

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template {
    parameters: Map<String, Value>,
    conditions: Map<String, Value>,
    resources: Map<String, Value>,
}

/// What a template makes in one place. Names are as the template has them.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) rules: Vec<ConfigRule>,
    pub(super) remediations: Vec<Remediation>,
}

/// Where it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Where<'a> {
    pub(super) partition: Partition,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

impl Template {
    pub(super) fn read(body: &str) -> Result<Template, String> {
        let value = match body.trim_start().starts_with('{') {
            true => serde_json::from_str(body).map_err(|error| format!("Template format error: JSON {error}"))?,
            false => {
                let yaml =
                    serde_norway::from_str(body).map_err(|error| format!("Template format error: YAML {error}"))?;
                intrinsic::plain(yaml)?
            }
        };
        let Value::Object(mut sections) = value else {
            return Err("Template format error: unsupported structure.".into());
        };
        if let Some(name) = sections.keys().find(|name| !SECTIONS.contains(&name.as_str())) {
            return Err(format!("Template format error: the section {name} is not supported in a conformance pack"));
        }
        let mut section = |name: &str| match sections.remove(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(members)) => Ok(members),
            Some(_) => Err(format!("Template format error: {name} is not an object")),
        };
        let parameters = section("Parameters")?;
        let conditions = section("Conditions")?;
        let resources = section("Resources")?;
        if resources.is_empty() {
            return Err("Template format error: At least one Resources member must be defined.".into());
        }
        let mut rules = 0;
        for (name, resource) in &resources {
            let members = resource.as_object().ok_or_else(|| format!("Template format error: resource {name}"))?;
            if let Some(other) = members.keys().find(|member| !ATTRIBUTES.contains(&member.as_str())) {
                return Err(format!(
                    "Template format error: the attribute {other} of resource {name} is not supported"
                ));
            }
            match members.get("Type").and_then(Value::as_str) {
                Some(RULE) => rules += 1,
                Some(REMEDIATION) => {}
                kind => {
                    let kind = kind.unwrap_or("none");
                    return Err(format!("Template validation error: resource type {kind} of {name} is not supported"));
                }
            }
        }
        if rules == 0 || rules > MOST_RULES {
            return Err(format!(
                "Template validation error: a conformance pack has 1 to {MOST_RULES} rules, not {rules}"
            ));
        }
        Ok(Template { parameters, conditions, resources })
    }

    /// The rules and remediations for one place.
    pub(super) fn make(&self, given: &[InputParameter], at: Where<'_>) -> Result<Made, String> {
        let mut scope = Scope::new(self.values(given)?, at);
        scope.decide(&self.conditions)?;
        let mut rules = BTreeMap::new();
        for (logical, resource) in self.of(RULE) {
            if scope.wants(resource)? {
                let properties = scope.properties(resource)?;
                let rule = template_resource::rule(logical, properties)
                    .map_err(|wrong| format!("Template validation error: {logical}: {wrong}"))?;
                rules.insert(logical, rule);
            }
        }
        // A rule's Ref is its name.
        for (logical, rule) in &rules {
            scope.know(logical, rule.config_rule_name.clone().unwrap_or_default());
        }
        let mut remediations = Vec::new();
        for (logical, resource) in self.of(REMEDIATION) {
            if scope.wants(resource)? {
                let properties = scope.properties(resource)?;
                let remediation = template_resource::remediation(properties)
                    .map_err(|wrong| format!("Template validation error: {logical}: {wrong}"))?;
                let of = &remediation.config_rule_name;
                if !rules.values().any(|rule| rule.config_rule_name.as_ref() == Some(of)) {
                    return Err(format!("Template validation error: {logical}: the rule {of} is not in this pack"));
                }
                remediations.push(remediation);
            }
        }
        let rules: Vec<ConfigRule> = rules.into_values().collect();
        let mut names: Vec<_> = rules.iter().map(|rule| rule.config_rule_name.as_deref()).collect();
        names.sort_unstable();
        match names.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => Err(format!("Template validation error: two rules {}", two[0].unwrap_or_default())),
            None => Ok(Made { rules, remediations }),
        }
    }

    fn of(&self, kind: &'static str) -> impl Iterator<Item = (&String, &Value)> {
        self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind)
    }

    /// The parameters' values: those given, else their defaults.
    fn values(&self, given: &[InputParameter]) -> Result<BTreeMap<String, Value>, String> {
        let unknown: Vec<&str> =
            given.iter().map(|one| &*one.parameter_name).filter(|name| !self.parameters.contains_key(*name)).collect();
        if !unknown.is_empty() {
            return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
        }
        let mut values = BTreeMap::new();
        for (name, parameter) in &self.parameters {
            let own = given.iter().find(|one| one.parameter_name == *name).map(|one| one.parameter_value.clone());
            let value = own.or_else(|| intrinsic::text(&parameter["Default"]));
            let value = value.ok_or_else(|| format!("Parameters: [{name}] must have values"))?;
            if let Some(allowed) = parameter["AllowedValues"].as_array()
                && !allowed.iter().any(|one| intrinsic::text(one).as_ref() == Some(&value))
            {
                return Err(format!("Template error: Parameter '{name}' must be one of AllowedValues"));
            }
            let value = match parameter["Type"].as_str() {
                Some("String") => Value::String(value),
                Some("Number") if value.parse::<f64>().is_ok() => Value::String(value),
                Some("Number") => return Err(format!("Parameter '{name}' must be a number")),
                Some("CommaDelimitedList") => value.split(',').map(|one| Value::from(one.trim())).collect(),
                kind => {
                    let kind = kind.unwrap_or("none");
                    return Err(format!("Template format error: the type {kind} of parameter {name} is not supported"));
                }
            };
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}
