//! CloudFormation's functions Ref, Fn::GetAtt, Fn::Sub and Fn::Join, and what references stand for in one stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::resources::Kind;
use super::template::Template;
use crate::services::config::intrinsic::text;
use crate::world::World;
use crate::world::place::Place;
use crate::world::stacks::ResourceRecord;

const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::Region",
    "AWS::Partition",
    "AWS::URLSuffix",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::NotificationARNs",
    "AWS::NoValue",
];

pub(super) fn unresolved(name: &str, block: &str) -> String {
    format!("Unresolved resource dependencies [{name}] in the {block} block of the template")
}

/// A value that is one function: its name, and what it is of. A policy has members called Condition: that is none here.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (name, of) = members.iter().next()?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, of))
}

/// Resource and attribute of an Fn::GetAtt.
fn attribute(of: &Value) -> Result<(&str, &str), String> {
    let parts = match of {
        Value::String(text) => text.split_once('.'),
        Value::Array(parts) => match &parts[..] {
            [Value::String(logical), Value::String(attribute)] => Some((logical.as_str(), attribute.as_str())),
            _ => None,
        },
        _ => None,
    };
    parts.ok_or_else(|| {
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
            .into()
    })
}

/// The pieces of a text with `${Name}` in it: plain text, or a name. `${!Name}` is the text `${Name}`.
fn pieces(template: &str) -> Result<Vec<Result<String, &str>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("Template error: Fn::Sub has a ${ without its }")?;
        pieces.push(Ok(before.to_owned()));
        pieces.push(match name.strip_prefix('!') {
            Some(literal) => Ok(format!("${{{literal}}}")),
            None => Err(name.trim()),
        });
        rest = after;
    }
    pieces.push(Ok(rest.to_owned()));
    Ok(pieces)
}

/// The names that a value refers to, each of which must be there.
pub(super) fn references(
    value: &Value,
    known: &BTreeSet<&str>,
    kinds: &BTreeMap<&str, Kind>,
    block: &str,
) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    let mut refer = |name: &str| match PSEUDO.contains(&name) {
        true => Ok(()),
        false if known.contains(name) => {
            found.insert(name.to_owned());
            Ok(())
        }
        false => Err(format!("Template format error: {}", unresolved(name, block))),
    };
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        let Some((name, of)) = function(value) else {
            match value {
                Value::Object(members) => left.extend(members.values()),
                Value::Array(items) => left.extend(items),
                _ => {}
            }
            continue;
        };
        let has_attribute = |logical: &str, attribute: &str| match kinds.get(logical) {
            None => Err(format!("Template error: instance of Fn::GetAtt references undefined resource {logical}")),
            Some(kind) if kind.attributes().contains(&attribute) => Ok(()),
            Some(kind) => Err(format!(
                "Template error: resource {logical} does not support attribute type {attribute} in Fn::GetAtt (of {})",
                kind.name()
            )),
        };
        match (name, of) {
            ("Ref", Value::String(name)) => refer(name)?,
            ("Fn::GetAtt", of) => {
                let (logical, attribute) = attribute(of)?;
                has_attribute(logical, attribute)?;
                refer(logical)?;
            }
            ("Fn::Sub", of) => {
                let (template, own) = sub(of)?;
                for name in pieces(template)?.into_iter().filter_map(Result::err) {
                    match name.split_once('.') {
                        _ if own.is_some_and(|own| own.contains_key(name)) => {}
                        Some((logical, attribute)) => {
                            has_attribute(logical, attribute)?;
                            refer(logical)?;
                        }
                        None => refer(name)?,
                    }
                }
                left.extend(own.into_iter().flat_map(Map::values));
            }
            ("Fn::Join", Value::Array(parts)) if parts.len() == 2 && parts[0].is_string() => left.push(&parts[1]),
            _ => return Err(format!("Template error: {name} is not modelled so by this sandbox")),
        }
    }
    Ok(found)
}

/// The names that an Fn::Sub brings along.
type Names<'a> = Option<&'a Map<String, Value>>;

/// The text of an Fn::Sub, and the names of its own.
fn sub(of: &Value) -> Result<(&str, Names<'_>), String> {
    match of {
        Value::String(template) => Ok((template, None)),
        Value::Array(parts) => match &parts[..] {
            [Value::String(template), Value::Object(own)] => Ok((template, Some(own))),
            _ => {
                Err("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments.".into())
            }
        },
        _ => Err("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments.".into()),
    }
}

/// What names stand for in one stack.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    values: BTreeMap<String, Value>,
    attributes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Scope {
    pub(super) fn new(
        world: &World,
        place: Place,
        (stack_id, stack_name): (&str, &str),
        template: &Template,
        parameters: &BTreeMap<String, String>,
    ) -> Scope {
        let (account, region) = world.names_of(place);
        let mut values = BTreeMap::new();
        for (name, value) in parameters {
            let kind = template.parameters.get(name).and_then(|one| one["Type"].as_str()).unwrap_or_default();
            let value: Value = match kind {
                "CommaDelimitedList" | "List<Number>" => value.split(',').map(|one| Value::from(one.trim())).collect(),
                _ => value.as_str().into(),
            };
            values.insert(name.clone(), value);
        }
        for (name, value) in [
            ("AWS::AccountId", account.as_str()),
            ("AWS::Region", region.as_str()),
            ("AWS::Partition", world.spec.partition.name()),
            ("AWS::URLSuffix", world.spec.partition.dns_suffix()),
            ("AWS::StackId", stack_id),
            ("AWS::StackName", stack_name),
        ] {
            values.insert(name.into(), value.into());
        }
        values.insert("AWS::NotificationARNs".into(), Value::Array(Vec::new()));
        Scope { values, attributes: BTreeMap::new() }
    }

    /// A resource that is there now.
    pub(super) fn know(&mut self, resource: &ResourceRecord) {
        if let Some(physical) = &resource.physical {
            self.values.insert(resource.logical.clone(), physical.as_str().into());
            self.attributes.insert(resource.logical.clone(), resource.attributes.clone());
        }
    }

    /// The properties with their functions carried out.
    pub(super) fn properties(&self, value: &Value) -> Result<Map<String, Value>, String> {
        match self.resolve(value)? {
            Some(Value::Object(members)) => Ok(members),
            _ => Err("Template format error: Properties must be an object".into()),
        }
    }

    pub(super) fn text(&self, value: &Value) -> Result<String, String> {
        let value = self.resolve(value)?.unwrap_or_default();
        text(&value).ok_or_else(|| "Template format error: Output values must be a string".into())
    }

    /// `None` is AWS::NoValue.
    fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        if let Some((name, of)) = function(value) {
            return match (name, of) {
                ("Ref", Value::String(name)) if name == "AWS::NoValue" => Ok(None),
                ("Ref", Value::String(name)) => self.reference(name).map(Some),
                ("Fn::GetAtt", of) => {
                    let (logical, attribute) = attribute(of)?;
                    self.attribute(logical, attribute).map(|text| Some(text.into()))
                }
                ("Fn::Sub", of) => {
                    let (template, own) = sub(of)?;
                    self.substituted(template, own).map(|text| Some(text.into()))
                }
                ("Fn::Join", Value::Array(parts)) => {
                    let list = self.resolve(&parts[1])?.unwrap_or_default();
                    let texts: Option<Vec<String>> = list.as_array().and_then(|list| list.iter().map(text).collect());
                    let texts = texts.ok_or("Template error: every Fn::Join object requires a list of strings")?;
                    Ok(Some(texts.join(parts[0].as_str().unwrap_or_default()).into()))
                }
                _ => Err(format!("Template error: {name} is not modelled so by this sandbox")),
            };
        }
        Ok(Some(match value {
            Value::Object(members) => {
                let mut all = Map::new();
                for (name, member) in members {
                    if let Some(member) = self.resolve(member)? {
                        all.insert(name.clone(), member);
                    }
                }
                Value::Object(all)
            }
            Value::Array(items) => {
                let items: Result<Vec<Option<Value>>, String> = items.iter().map(|item| self.resolve(item)).collect();
                Value::Array(items?.into_iter().flatten().collect())
            }
            other => other.clone(),
        }))
    }

    fn reference(&self, name: &str) -> Result<Value, String> {
        self.values
            .get(name)
            .cloned()
            .ok_or_else(|| format!("Template format error: {}", unresolved(name, "Resources")))
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Result<String, String> {
        let found = self.attributes.get(logical).and_then(|attributes| attributes.get(attribute));
        found.cloned().ok_or_else(|| format!("Template error: {logical} has no attribute {attribute} now"))
    }

    fn substituted(&self, template: &str, own: Option<&Map<String, Value>>) -> Result<String, String> {
        let mut made = String::new();
        for piece in pieces(template)? {
            match piece {
                Ok(plain) => made.push_str(&plain),
                Err(name) => {
                    let value = match (own.and_then(|own| own.get(name)), name.split_once('.')) {
                        (Some(value), _) => self.resolve(value)?.unwrap_or_default(),
                        (None, Some((logical, attribute))) => self.attribute(logical, attribute)?.into(),
                        (None, None) => self.reference(name)?,
                    };
                    let value =
                        text(&value).ok_or_else(|| format!("Template error: {name} in Fn::Sub is no string"))?;
                    made.push_str(&value);
                }
            }
        }
        Ok(made)
    }
}
