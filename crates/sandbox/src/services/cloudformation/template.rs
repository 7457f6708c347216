//! Templates: read whole and checked before anything is made. What is not modelled is refused with its name, so that no stack
//! is other than its template says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::resources::Kind;
use super::scope;
use crate::services::config::intrinsic::{plain, text};

/// Of a TemplateBody, in bytes (CloudFormation guide, quotas).
const LARGEST: usize = 51_200;
const MOST_PARAMETERS: usize = 200;
const MOST_RESOURCES: usize = 500;
const MOST_OUTPUTS: usize = 200;

const SECTIONS: [&str; 6] =
    ["AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Resources", "Outputs"];
const UNMODELLED_SECTIONS: [&str; 5] = ["Mappings", "Conditions", "Transform", "Rules", "Hooks"];
const ATTRIBUTES: [&str; 6] = ["Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"];
const OF_PARAMETER: [&str; 11] = [
    "Type",
    "Default",
    "NoEcho",
    "Description",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
];

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) description: Option<String>,
    pub(super) version: Option<String>,
    pub(super) metadata: Option<Value>,
    pub(super) parameters: Map<String, Value>,
    pub(super) resources: Vec<Resource>,
    pub(super) outputs: Map<String, Value>,
}

/// A resource; those that it depends on come before it.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) logical: String,
    pub(super) kind: Kind,
    pub(super) properties: Value,
    /// Delete, Retain or RetainExceptOnCreate.
    pub(super) on_delete: String,
    pub(super) retain_replaced: bool,
}

fn format_error(message: impl std::fmt::Display) -> String {
    format!("Template format error: {message}")
}

impl Template {
    pub(super) fn read(body: &str) -> Result<Template, String> {
        if body.len() > LARGEST {
            return Err(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length \
                 less than or equal to {LARGEST}"
            ));
        }
        let value = match body.trim_start().starts_with('{') {
            true => {
                serde_json::from_str(body).map_err(|error| format_error(format!("JSON not well-formed. ({error})")))?
            }
            false => {
                let yaml = serde_norway::from_str(body)
                    .map_err(|error| format_error(format!("YAML not well-formed. ({error})")))?;
                plain(yaml)?
            }
        };
        let Value::Object(mut sections) = value else { return Err(format_error("unsupported structure.")) };
        if let Some(name) = sections.keys().find(|name| UNMODELLED_SECTIONS.contains(&name.as_str())) {
            return Err(format_error(format!("the section {name} is not modelled by this sandbox")));
        }
        let unknown: Vec<&str> = sections.keys().map(String::as_str).filter(|name| !SECTIONS.contains(name)).collect();
        if !unknown.is_empty() {
            return Err(format!("Invalid template property or properties [{}]", unknown.join(", ")));
        }
        let version = sections.remove("AWSTemplateFormatVersion").and_then(|value| text(&value));
        if version.as_ref().is_some_and(|version| version != "2010-09-09") {
            return Err(format_error(format!("Unsupported version {}", version.unwrap_or_default())));
        }
        let description = match sections.remove("Description") {
            None => None,
            Some(Value::String(text)) if text.len() <= 1024 => Some(text),
            Some(Value::String(_)) => return Err(format_error("'Description' length is greater than 1024.")),
            Some(_) => return Err(format_error("every Description member must be a string.")),
        };
        let metadata = sections.remove("Metadata");
        let mut section = |name: &str, most: usize| match sections.remove(name) {
            None => Ok(Map::new()),
            Some(Value::Object(members)) if members.len() > most => Err(format_error(format!(
                "Number of {name}, {}, is greater than maximum allowed, {most}",
                members.len()
            ))),
            Some(Value::Object(members)) => Ok(members),
            Some(_) => Err(format_error(format!("{name} must be an object"))),
        };
        let parameters = section("Parameters", MOST_PARAMETERS)?;
        let resources = section("Resources", MOST_RESOURCES)?;
        let outputs = section("Outputs", MOST_OUTPUTS)?;
        if resources.is_empty() {
            return Err(format_error("At least one Resources member must be defined."));
        }
        for (name, parameter) in &parameters {
            check_parameter(name, parameter)?;
        }
        let known: BTreeSet<&str> = parameters.keys().chain(resources.keys()).map(String::as_str).collect();
        let kinds = kinds(&resources)?;
        let mut needs = BTreeMap::new();
        let mut read = BTreeMap::new();
        for (logical, resource) in &resources {
            let Some(kind) = kinds.get(logical.as_str()) else { continue };
            let (one, needed) = read_resource(logical, *kind, resource, &resources)?;
            let referred = scope::references(&one.properties, &known, &kinds, "Resources")?;
            let own = referred.into_iter().filter(|name| resources.contains_key(name)).chain(needed);
            needs.insert(logical.as_str(), own.collect::<BTreeSet<String>>());
            read.insert(logical.as_str(), one);
        }
        for (name, output) in &outputs {
            check_output(name, output)?;
            scope::references(&output["Value"], &known, &kinds, "Outputs")?;
        }
        let order = order(needs)?;
        let resources = order.into_iter().filter_map(|logical| read.get(logical).cloned()).collect();
        Ok(Template { description, version, metadata, parameters, resources, outputs })
    }

    pub(super) fn resource(&self, logical: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.logical == logical)
    }

    /// What has to be acknowledged before this may be made, and because of what.
    pub(super) fn capability(&self) -> Option<(&'static str, Vec<&'static str>)> {
        let of_iam: Vec<&Resource> = self.resources.iter().filter(|resource| resource.kind.is_of_iam()).collect();
        let named = of_iam
            .iter()
            .any(|resource| resource.kind.name_property().is_some_and(|name| !resource.properties[name].is_null()));
        let mut kinds: Vec<&str> = of_iam.iter().map(|resource| resource.kind.name()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        match (of_iam.is_empty(), named) {
            (true, _) => None,
            (false, true) => Some(("CAPABILITY_NAMED_IAM", kinds)),
            (false, false) => Some(("CAPABILITY_IAM", kinds)),
        }
    }

    pub(super) fn is_secret(&self, parameter: &str) -> bool {
        let no_echo = &self.parameters.get(parameter).map(|one| one["NoEcho"].clone()).unwrap_or_default();
        *no_echo == Value::Bool(true) || no_echo == "true"
    }

    /// The value of every parameter: the given one, the former one where that was asked for, else its default.
    pub(super) fn values(
        &self,
        given: &[Given],
        former: Option<&BTreeMap<String, String>>,
    ) -> Result<BTreeMap<String, String>, String> {
        let unknown: Vec<&str> =
            given.iter().map(|one| one.key.as_str()).filter(|key| !self.parameters.contains_key(*key)).collect();
        if !unknown.is_empty() {
            return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
        }
        let mut values = BTreeMap::new();
        let mut without = Vec::new();
        for (name, parameter) in &self.parameters {
            let value = match given.iter().find(|one| one.key == *name) {
                Some(Given { value: Some(value), .. }) => Some(value.clone()),
                Some(_) => Some(former.and_then(|former| former.get(name)).cloned().ok_or_else(|| {
                    format!("Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template")
                })?),
                None => text(&parameter["Default"]),
            };
            match value {
                None => without.push(name.as_str()),
                Some(value) => {
                    check_value(name, parameter, &value)?;
                    values.insert(name.clone(), value);
                }
            }
        }
        match without.is_empty() {
            true => Ok(values),
            false => Err(format!("Parameters: [{}] must have values", without.join(", "))),
        }
    }
}

/// A parameter as a request has it; no value stands for the previous one.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

fn kinds(resources: &Map<String, Value>) -> Result<BTreeMap<&str, Kind>, String> {
    let mut kinds = BTreeMap::new();
    let mut unknown = Vec::new();
    for (logical, resource) in resources {
        if !logical.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format_error(format!("Resource name {logical} is non alphanumeric.")));
        }
        let Some(name) = resource["Type"].as_str() else {
            return Err(format_error(format!(
                "[/Resources/{logical}] Every Resources object must contain a Type member."
            )));
        };
        match Kind::of(name) {
            Some(kind) => drop(kinds.insert(logical.as_str(), kind)),
            None => unknown.push(name),
        }
    }
    match unknown.is_empty() {
        true => Ok(kinds),
        false => {
            let unknown = unknown.join(", ");
            Err(format_error(format!(
                "Unrecognized resource types: [{unknown}] (this sandbox has no others than it says)"
            )))
        }
    }
}

fn read_resource(
    logical: &str,
    kind: Kind,
    resource: &Value,
    all: &Map<String, Value>,
) -> Result<(Resource, Vec<String>), String> {
    let mut members = resource.as_object().into_iter().flatten();
    if let Some((member, _)) = members.find(|(member, _)| !ATTRIBUTES.contains(&member.as_str())) {
        let known = ["CreationPolicy", "UpdatePolicy", "Condition"].contains(&member.as_str());
        let what = if known { "is not modelled by this sandbox" } else { "is invalid" };
        return Err(format!("Invalid template resource property '{member}': in {logical} it {what}"));
    }
    let policy = |member: &str, words: &[&str]| match &resource[member] {
        Value::Null => Ok("Delete".to_owned()),
        Value::String(word) if words.contains(&word.as_str()) => Ok(word.clone()),
        other => Err(format_error(format!("Unrecognized {member} {other} for resource {logical}"))),
    };
    let on_delete = policy("DeletionPolicy", &["Delete", "Retain", "RetainExceptOnCreate"])?;
    let replaced = policy("UpdateReplacePolicy", &["Delete", "Retain"])?;
    let properties = match &resource["Properties"] {
        Value::Null => Value::Object(Map::new()),
        Value::Object(_) => resource["Properties"].clone(),
        _ => return Err(format_error(format!("[/Resources/{logical}] 'Properties' must be an object"))),
    };
    let needed: Vec<String> = match &resource["DependsOn"] {
        Value::Null => Vec::new(),
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|one| one.as_str().map(String::from)).collect(),
        _ => return Err(format_error(format!("DependsOn of {logical} must be a string or a list of strings"))),
    };
    if let Some(missing) = needed.iter().find(|name| !all.contains_key(*name)) {
        return Err(format_error(scope::unresolved(missing, "Resources")));
    }
    let resource =
        Resource { logical: logical.into(), kind, properties, on_delete, retain_replaced: replaced == "Retain" };
    Ok((resource, needed))
}

/// What is needed comes first; of what does not need each other, in the order of the names.
fn order(mut needs: BTreeMap<&str, BTreeSet<String>>) -> Result<Vec<&str>, String> {
    let mut order: Vec<&str> = Vec::new();
    while !needs.is_empty() {
        let ready = needs.iter().find(|(_, needed)| needed.iter().all(|name| order.contains(&name.as_str())));
        let Some(logical) = ready.map(|(logical, _)| *logical) else {
            let left: Vec<&str> = needs.keys().copied().collect();
            return Err(format!("Circular dependency between resources: [{}]", left.join(", ")));
        };
        needs.remove(logical);
        order.push(logical);
    }
    Ok(order)
}

fn check_output(name: &str, output: &Value) -> Result<(), String> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format_error(format!("Output name {name} is non alphanumeric.")));
    }
    if output["Value"].is_null() {
        return Err(format_error(format!(
            "Output {name} is malformed. The Value field of every Outputs member must be specified."
        )));
    }
    let members = output.as_object().into_iter().flatten();
    match members.map(|(member, _)| member).find(|member| !["Value", "Description"].contains(&member.as_str())) {
        None => Ok(()),
        Some(member) => {
            Err(format_error(format!("{member} of output {name} is unknown or not modelled by this sandbox")))
        }
    }
}

fn check_parameter(name: &str, parameter: &Value) -> Result<(), String> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format_error(format!("Parameter name {name} is non alphanumeric.")));
    }
    let Some(members) = parameter.as_object() else {
        return Err(format_error("Every Parameters member must be an object."));
    };
    if let Some(member) = members.keys().find(|member| !OF_PARAMETER.contains(&member.as_str())) {
        return Err(format!("Invalid template parameter property '{member}'"));
    }
    match members.get("Type").and_then(Value::as_str) {
        None => Err(format_error("Every Parameters object must contain a Type member.")),
        Some("String" | "Number" | "CommaDelimitedList" | "List<Number>") => match pattern(parameter) {
            Some(Err(_)) => Err(format_error(format!("AllowedPattern of parameter {name} is no regular expression"))),
            _ => Ok(()),
        },
        Some(kind) => {
            Err(format_error(format!("Unrecognized parameter type: {kind} (or one not modelled by this sandbox)")))
        }
    }
}

/// It must match the whole value.
fn pattern(parameter: &Value) -> Option<Result<regex_lite::Regex, regex_lite::Error>> {
    parameter["AllowedPattern"].as_str().map(|pattern| regex_lite::Regex::new(&format!("^(?:{pattern})$")))
}

fn number(value: &Value) -> Option<f64> {
    text(value)?.parse().ok()
}

fn check_value(name: &str, parameter: &Value, value: &str) -> Result<(), String> {
    let broken = |rule: String| match parameter["ConstraintDescription"].as_str() {
        Some(words) => format!("Parameter {name} failed to satisfy constraint: {words}"),
        None => format!("Parameter '{name}' must {rule}"),
    };
    let kind = parameter["Type"].as_str().unwrap_or_default();
    let parts: Vec<&str> = match kind {
        "CommaDelimitedList" | "List<Number>" => value.split(',').map(str::trim).collect(),
        _ => vec![value],
    };
    if let Some(allowed) = parameter["AllowedValues"].as_array() {
        let allowed: Vec<String> = allowed.iter().filter_map(text).collect();
        if !parts.iter().all(|part| allowed.iter().any(|one| one == part)) {
            return Err(broken("be one of AllowedValues".into()));
        }
    }
    if kind == "String" {
        let long = value.chars().count() as f64;
        if let Some(least) = number(&parameter["MinLength"]).filter(|least| long < *least) {
            return Err(broken(format!("contain at least {least} characters")));
        }
        if let Some(most) = number(&parameter["MaxLength"]).filter(|most| long > *most) {
            return Err(broken(format!("contain at most {most} characters")));
        }
    }
    if let Some(Ok(pattern)) = pattern(parameter)
        && !parts.iter().all(|part| pattern.is_match(part))
    {
        return Err(broken(format!("match pattern {}", parameter["AllowedPattern"].as_str().unwrap_or_default())));
    }
    if kind.ends_with("Number") || kind.ends_with("Number>") {
        for part in &parts {
            let Ok(part) = part.parse::<f64>() else { return Err(format!("Parameter '{name}' must be a number")) };
            if let Some(least) = number(&parameter["MinValue"]).filter(|least| part < *least) {
                return Err(broken(format!("be a number not less than {least}")));
            }
            if let Some(most) = number(&parameter["MaxValue"]).filter(|most| part > *most) {
                return Err(broken(format!("be a number not greater than {most}")));
            }
        }
    }
    Ok(())
}
