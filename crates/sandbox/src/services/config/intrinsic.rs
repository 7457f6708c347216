//! CloudFormation's functions as the templates of conformance packs use them: Ref, Fn::Sub, Fn::Join and Fn::If, and the
//! conditions Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::template::Where;

/// What references stand for in one place.
#[derive(Debug)]
pub(super) struct Scope {
    values: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
}

impl Scope {
    pub(super) fn new(mut values: BTreeMap<String, Value>, at: Where<'_>) -> Scope {
        for (name, value) in [
            ("AWS::AccountId", at.account),
            ("AWS::Region", at.region),
            ("AWS::Partition", at.partition.name()),
            ("AWS::URLSuffix", at.partition.dns_suffix()),
        ] {
            values.insert(name.into(), value.into());
        }
        Scope { values, conditions: BTreeMap::new() }
    }

    pub(super) fn know(&mut self, name: &str, value: String) {
        self.values.insert(name.into(), value.into());
    }

    /// Decides the template's conditions. One may name another that comes later, but not itself.
    pub(super) fn decide(&mut self, conditions: &Map<String, Value>) -> Result<(), String> {
        let mut left: Vec<&String> = conditions.keys().collect();
        while !left.is_empty() {
            let mut wrong = None;
            let before = left.len();
            left.retain(|name| match self.condition(&conditions[*name]) {
                Ok(holds) => {
                    self.conditions.insert((*name).clone(), holds);
                    false
                }
                Err(reason) => {
                    wrong = Some(format!("Template error: condition {name}: {reason}"));
                    true
                }
            });
            if left.len() == before {
                return wrong.map_or(Ok(()), Err);
            }
        }
        Ok(())
    }

    /// Whether a resource's condition holds.
    pub(super) fn wants(&self, resource: &Value) -> Result<bool, String> {
        match &resource["Condition"] {
            Value::Null => Ok(true),
            name => self.named(name),
        }
    }

    pub(super) fn properties(&self, resource: &Value) -> Result<Map<String, Value>, String> {
        match self.resolve(&resource["Properties"])? {
            Some(Value::Object(members)) => Ok(members),
            _ => Err("Template format error: a resource without Properties".into()),
        }
    }

    fn named(&self, name: &Value) -> Result<bool, String> {
        let found = name.as_str().and_then(|name| self.conditions.get(name));
        found.copied().ok_or_else(|| format!("Template error: unresolved condition dependency {name}"))
    }

    fn condition(&self, value: &Value) -> Result<bool, String> {
        let Some((function, of)) = function(value) else { return Err("it is no condition function".into()) };
        let each = || -> Result<Vec<bool>, String> {
            of.as_array().into_iter().flatten().map(|one| self.condition(one)).collect()
        };
        match (function, of.as_array().map(Vec::as_slice)) {
            ("Condition", _) => self.named(of),
            ("Fn::Equals", Some([a, b])) => Ok(self.resolve(a)? == self.resolve(b)?),
            ("Fn::Not", Some([_])) => Ok(!each()?[0]),
            ("Fn::And", Some(_)) => Ok(each()?.into_iter().all(|holds| holds)),
            ("Fn::Or", Some(_)) => Ok(each()?.into_iter().any(|holds| holds)),
            _ => Err(format!("{function} can not be used so")),
        }
    }

    /// The value with its functions carried out; `None` is AWS::NoValue.
    fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        if let Some((name, of)) = function(value) {
            return match (name, of, of.as_array().map(Vec::as_slice)) {
                ("Ref", Value::String(name), _) if name == "AWS::NoValue" => Ok(None),
                ("Ref", Value::String(name), _) => self.reference(name).map(Some),
                ("Fn::Sub", Value::String(text), _) => self.substituted(text, &Map::new()).map(Some),
                ("Fn::Sub", _, Some([Value::String(text), Value::Object(own)])) => {
                    self.substituted(text, own).map(Some)
                }
                ("Fn::Join", _, Some([Value::String(between), list])) => {
                    let list = self.resolve(list)?.unwrap_or_default();
                    let texts: Option<Vec<String>> = list.as_array().and_then(|list| list.iter().map(text).collect());
                    let texts = texts.ok_or("Template error: every Fn::Join object requires a list of strings")?;
                    Ok(Some(texts.join(between).into()))
                }
                ("Fn::If", _, Some([condition, yes, no])) => {
                    self.resolve(if self.named(condition)? { yes } else { no })
                }
                _ => Err(format!("Template error: {name} is not supported so in a conformance pack")),
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
        let found = self.values.get(name).cloned();
        found.ok_or_else(|| {
            format!("Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template")
        })
    }

    /// `${Name}`; `${!Name}` is the text `${Name}`.
    fn substituted(&self, template: &str, own: &Map<String, Value>) -> Result<Value, String> {
        let mut made = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("Template error: Fn::Sub has a ${ without its }")?;
            made.push_str(before);
            match name.strip_prefix('!') {
                Some(literal) => made.push_str(&format!("${{{literal}}}")),
                None => {
                    let value = match own.get(name) {
                        Some(value) => self.resolve(value)?.unwrap_or_default(),
                        None => self.reference(name)?,
                    };
                    made.push_str(
                        &text(&value).ok_or_else(|| format!("Template error: {name} in Fn::Sub is no string"))?,
                    );
                }
            }
            rest = after;
        }
        made.push_str(rest);
        Ok(made.into())
    }
}

/// A value that is one function: its name, and what it is of.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (name, of) = members.iter().next()?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name, of))
}

/// A scalar as CloudFormation writes it.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// YAML with its short functions (`!Ref`) as JSON with the long ones.
pub(crate) fn plain(value: serde_norway::Value) -> Result<Value, String> {
    use serde_norway::Value as Yaml;
    Ok(match value {
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let name = if ["Ref", "Condition"].contains(&tag) { tag.to_owned() } else { format!("Fn::{tag}") };
            json!({ name: plain(tagged.value)? })
        }
        Yaml::Mapping(members) => {
            let mut all = Map::new();
            for (name, member) in members {
                let name = text(&plain(name)?).ok_or("Template format error: a name that is no string")?;
                all.insert(name, plain(member)?);
            }
            Value::Object(all)
        }
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(plain).collect::<Result<_, _>>()?),
        scalar => serde_json::to_value(scalar).map_err(|error| format!("Template format error: YAML {error}"))?,
    })
}
