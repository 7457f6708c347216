//! A runbook's parameters: their types, defaults and limits, and how the lists of strings of a start become typed values.

use regex_lite::Regex;
use serde_json::{Value, json};

/// The types of schema 0.3 that are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterType {
    String,
    StringList,
    Boolean,
    Integer,
    MapList,
    StringMap,
    RoleArn,
    BucketName,
}

impl ParameterType {
    fn parse(text: &str) -> Option<ParameterType> {
        Some(match text {
            "String" => ParameterType::String,
            "StringList" => ParameterType::StringList,
            "Boolean" => ParameterType::Boolean,
            "Integer" => ParameterType::Integer,
            "MapList" => ParameterType::MapList,
            "StringMap" => ParameterType::StringMap,
            "AWS::IAM::Role::Arn" => ParameterType::RoleArn,
            "AWS::S3::Bucket::Name" => ParameterType::BucketName,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            ParameterType::String => "String",
            ParameterType::StringList => "StringList",
            ParameterType::Boolean => "Boolean",
            ParameterType::Integer => "Integer",
            ParameterType::MapList => "MapList",
            ParameterType::StringMap => "StringMap",
            ParameterType::RoleArn => "AWS::IAM::Role::Arn",
            ParameterType::BucketName => "AWS::S3::Bucket::Name",
        }
    }

    /// A default in this type, also where the document writes a Boolean or number as text; one that does not fit stays as it is.
    fn typed(self, default: &Value) -> Value {
        match self {
            ParameterType::Boolean => boolean(default).map(Value::Bool),
            ParameterType::Integer => default.as_str().and_then(|text| text.parse::<i64>().ok()).map(Value::from),
            _ => None,
        }
        .unwrap_or_else(|| default.clone())
    }
}

/// A Boolean, also where the document writes it as text: `isEnd: "true"` is common in published Automation documents.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A number that is not negative, also where the document writes it as text.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A declared parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) kind: ParameterType,
    pub(crate) description: String,
    pub(crate) default: Option<Value>,
    allowed_values: Vec<Value>,
    allowed_pattern: Option<(String, Regex)>,
    chars: (Option<u64>, Option<u64>),
    items: (Option<u64>, Option<u64>),
}

impl Parameter {
    pub(crate) fn parse(name: &str, from: &Value) -> Result<Parameter, String> {
        const KNOWN: [&str; 10] = [
            "type",
            "description",
            "default",
            "allowedValues",
            "allowedPattern",
            "minItems",
            "maxItems",
            "minChars",
            "maxChars",
            "displayType",
        ];
        let fault = |what: String| format!("parameter {name}: {what}");
        let members = from.as_object().ok_or_else(|| fault("must be a map".into()))?;
        if let Some(unknown) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(fault(format!("{unknown} is not known")));
        }
        let text = from.get("type").and_then(Value::as_str).ok_or_else(|| fault("has no type".into()))?;
        let kind = ParameterType::parse(text).ok_or_else(|| fault(format!("type {text} is not known")))?;
        let allowed_pattern = match from.get("allowedPattern") {
            None => None,
            Some(pattern) => {
                let pattern = pattern.as_str().ok_or_else(|| fault("allowedPattern must be a string".into()))?;
                // The whole value has to match, as with Java's `matches`.
                let regex =
                    Regex::new(&format!("^(?:{pattern})$")).map_err(|e| fault(format!("allowedPattern: {e}")))?;
                Some((pattern.to_string(), regex))
            }
        };
        let number = |key: &str| match from.get(key) {
            None => Ok(None),
            Some(value) => number(value).map(Some).ok_or_else(|| fault(format!("{key} must be a number"))),
        };
        let parameter = Parameter {
            name: name.into(),
            kind,
            description: from.get("description").and_then(Value::as_str).unwrap_or_default().into(),
            default: from.get("default").map(|default| kind.typed(default)),
            allowed_values: from.get("allowedValues").and_then(Value::as_array).cloned().unwrap_or_default(),
            allowed_pattern,
            chars: (number("minChars")?, number("maxChars")?),
            items: (number("minItems")?, number("maxItems")?),
        };
        if let Some(default) = &parameter.default {
            let fits = match kind {
                ParameterType::Boolean => default.is_boolean(),
                ParameterType::Integer => default.is_i64(),
                ParameterType::StringList | ParameterType::MapList => default.is_array(),
                ParameterType::StringMap => default.is_object(),
                ParameterType::String | ParameterType::RoleArn | ParameterType::BucketName => default.is_string(),
            };
            if !fits {
                return Err(fault(format!("its default is not of type {text}")));
            }
        }
        Ok(parameter)
    }

    /// The default as a start would have sent it.
    pub(crate) fn default_texts(&self) -> Option<Vec<String>> {
        Some(match self.default.as_ref()? {
            Value::Array(items) => items.iter().map(super::reference::text_of).collect(),
            one => vec![super::reference::text_of(one)],
        })
    }

    /// The typed value of what a start sent, or what is wrong with it.
    pub(crate) fn read(&self, values: &[String]) -> Result<Value, String> {
        let one = || match values {
            [one] => Ok(one.as_str()),
            _ => Err(format!("Parameter {} takes one value, and {} were given.", self.name, values.len())),
        };
        let ill = |text: &str| format!("Parameter {}: {text} is not of type {}.", self.name, self.kind.name());
        let value = match self.kind {
            ParameterType::String => json!(one()?),
            ParameterType::RoleArn => {
                let arn = one()?;
                let account = arn.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::")).map(|(_, r)| r);
                let shaped = account.and_then(|rest| rest.split_once(":role/")).is_some_and(|(id, name)| {
                    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty()
                });
                if !shaped {
                    return Err(ill(arn));
                }
                json!(arn)
            }
            ParameterType::BucketName => {
                let name = one()?;
                let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
                if !(3..=63).contains(&name.len()) || !name.bytes().all(legal) {
                    return Err(ill(name));
                }
                json!(name)
            }
            ParameterType::StringList => json!(values),
            ParameterType::Boolean => match one()? {
                text if text.eq_ignore_ascii_case("true") => json!(true),
                text if text.eq_ignore_ascii_case("false") => json!(false),
                text => return Err(ill(text)),
            },
            ParameterType::Integer => {
                let text = one()?;
                json!(text.parse::<i64>().map_err(|_| ill(text))?)
            }
            ParameterType::StringMap => {
                let text = one()?;
                serde_json::from_str(text).ok().filter(Value::is_object).ok_or_else(|| ill(text))?
            }
            ParameterType::MapList => {
                let read: Option<Vec<Value>> =
                    values.iter().map(|text| serde_json::from_str(text).ok().filter(Value::is_object)).collect();
                json!(read.ok_or_else(|| ill(&values.join(", ")))?)
            }
        };
        self.check_limits(values, &value)?;
        Ok(value)
    }

    fn check_limits(&self, values: &[String], value: &Value) -> Result<(), String> {
        let listed = |wanted: &Value| {
            self.allowed_values.iter().any(|allowed| {
                allowed == wanted || super::reference::text_of(allowed) == super::reference::text_of(wanted)
            })
        };
        let items: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        if !self.allowed_values.is_empty() && !items.iter().all(|item| listed(item)) {
            let allowed: Vec<String> = self.allowed_values.iter().map(super::reference::text_of).collect();
            // AWS's words, as CrowdStrike/aws-ssm-distributor#100 quotes them.
            return Err(format!(
                "Parameter \"{}\" has value \"{}\" not found in [{}].",
                self.name,
                values.join(", "),
                allowed.join(", ")
            ));
        }
        if let Some((pattern, regex)) = &self.allowed_pattern
            && !values.iter().all(|text| regex.is_match(text))
        {
            return Err(format!("Parameter {}: the value must match allowedPattern: {pattern}.", self.name));
        }
        let outside = |count: u64, (min, max): (Option<u64>, Option<u64>)| {
            min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max)
        };
        if values.iter().any(|text| outside(text.chars().count() as u64, self.chars)) {
            return Err(format!("Parameter {}: the value's length is not within minChars and maxChars.", self.name));
        }
        if outside(values.len() as u64, self.items) {
            return Err(format!("Parameter {}: the number of items is not within minItems and maxItems.", self.name));
        }
        Ok(())
    }
}
