//! The parameters of a request, read out of the form into a structure whose members are taken out one by one. What is left
//! over is not in the model, or not modelled here, and is refused.

use serde_json::{Map, Value};

use super::invalid;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;

/// Of `Tags` (model).
const MOST_TAGS: usize = 50;

/// The members that were not taken yet.
#[derive(Debug)]
pub(super) struct Fields {
    members: Map<String, Value>,
}

impl Fields {
    /// `Tags.member.1.Key=a` is `{"Tags": [{"Key": "a"}]}`.
    pub(super) fn read(form: &Form) -> Result<Fields, AwsError> {
        let mut root = Value::Object(Map::new());
        for (name, value) in form.fields().iter().filter(|(name, _)| name != "Action" && name != "Version") {
            let mut at = &mut root;
            let parts: Vec<&str> = name.split('.').collect();
            if parts.len() > 12 {
                return Err(invalid(format!("The parameter {name} is unknown or not modelled by this sandbox")));
            }
            for part in &parts {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                at = &mut at[*part];
            }
            *at = Value::String(value.clone());
        }
        match lists(root) {
            Value::Object(members) => Ok(Fields { members }),
            _ => Ok(Fields { members: Map::new() }),
        }
    }

    /// Looks at a text without taking it, as authorization does.
    pub(super) fn peek(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::as_str)
    }

    pub(super) fn peek_list(&self, member: &str) -> &[Value] {
        self.members.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn text(&mut self, member: &str) -> Result<Option<String>, AwsError> {
        match self.members.remove(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(member, "a String")),
        }
    }

    pub(super) fn required(&mut self, member: &str) -> Result<String, AwsError> {
        self.text(member)?.ok_or_else(|| missing(member))
    }

    pub(super) fn flag(&mut self, member: &str) -> Result<Option<bool>, AwsError> {
        match self.text(member)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(wrong(member, "a Boolean")),
        }
    }

    /// A number within its bounds.
    pub(super) fn number(&mut self, member: &str, least: i64, most: i64) -> Result<Option<i64>, AwsError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        match text.parse::<i64>() {
            Err(_) => Err(wrong(member, "an Integer")),
            Ok(number) if number < least => {
                Err(failed(member, &text, &format!("Member must have value greater than or equal to {least}")))
            }
            Ok(number) if number > most => {
                Err(failed(member, &text, &format!("Member must have value less than or equal to {most}")))
            }
            Ok(number) => Ok(Some(number)),
        }
    }

    /// One of an enum's words.
    pub(super) fn word(&mut self, member: &str, words: &[&str]) -> Result<Option<String>, AwsError> {
        match self.text(member)? {
            Some(text) if !words.contains(&text.as_str()) => Err(no_word(member, &text, words)),
            text => Ok(text),
        }
    }

    pub(super) fn list(&mut self, member: &str) -> Result<Vec<Value>, AwsError> {
        match self.members.remove(member) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            // How an empty list is written.
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(_) => Err(wrong(member, "a list")),
        }
    }

    /// Whether the member was sent at all, be it as an empty list.
    pub(super) fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    pub(super) fn texts(&mut self, member: &str) -> Result<Vec<String>, AwsError> {
        let text = |item: Value| item.as_str().map(String::from).ok_or_else(|| wrong(member, "a list of String"));
        self.list(member)?.into_iter().map(text).collect()
    }

    /// A list of structures.
    pub(super) fn structures(&mut self, member: &str) -> Result<Vec<Fields>, AwsError> {
        self.list(member)?.into_iter().map(|item| Fields::of(member, item)).collect()
    }

    /// A structure.
    pub(super) fn structure(&mut self, member: &str) -> Result<Option<Fields>, AwsError> {
        self.members.remove(member).map(|value| Fields::of(member, value)).transpose()
    }

    fn of(member: &str, value: Value) -> Result<Fields, AwsError> {
        match value {
            Value::Object(members) => Ok(Fields { members }),
            _ => Err(wrong(member, "a structure")),
        }
    }

    /// `Tags`, each of them legal and no key twice.
    pub(super) fn tags(&mut self) -> Result<Option<Vec<(String, String)>>, AwsError> {
        if !self.has("Tags") {
            return Ok(None);
        }
        let mut tags: Vec<(String, String)> = Vec::new();
        for mut tag in self.structures("Tags")? {
            let (key, value) = (tag.required("Key")?, tag.required("Value")?);
            tag.finish()?;
            length("tags.1.member.key", &key, 1, 128)?;
            length("tags.1.member.value", &value, 1, 256)?;
            if key.to_lowercase().starts_with("aws:") {
                return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
            }
            if tags.iter().any(|(other, _)| *other == key) {
                return Err(invalid(format!("Duplicate tag key {key}")));
            }
            tags.push((key, value));
        }
        if tags.len() > MOST_TAGS {
            let constraint = format!("Member must have length less than or equal to {MOST_TAGS}");
            return Err(failed("tags", &format!("[{} tags]", tags.len()), &constraint));
        }
        Ok(Some(tags))
    }

    /// Refuses what was not taken, so that nobody believes that it had an effect. What says "no" or is empty has none.
    pub(super) fn finish(&mut self) -> Result<(), AwsError> {
        let idle = |value: &Value| value.as_str().is_some_and(|text| text.is_empty() || text == "false");
        match std::mem::take(&mut self.members).into_iter().find(|(_, value)| !idle(value)) {
            None => Ok(()),
            Some((name, _)) => Err(invalid(format!("The parameter {name} is unknown or not modelled by this sandbox"))),
        }
    }
}

/// Turns each `{"member": {"1": …, "2": …}}` into a list.
fn lists(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let only = members.len() == 1;
    let mut read: Map<String, Value> = members.into_iter().map(|(name, value)| (name, lists(value))).collect();
    match read.remove("member") {
        Some(Value::Object(items)) if only => {
            let mut numbered: Vec<(usize, Value)> =
                items.into_iter().filter_map(|(nth, item)| Some((nth.parse().ok()?, item))).collect();
            numbered.sort_by_key(|(nth, _)| *nth);
            numbered.into_iter().map(|(_, item)| item).collect()
        }
        Some(other) => {
            read.insert("member".into(), other);
            Value::Object(read)
        }
        None => Value::Object(read),
    }
}

fn wrong(member: &str, wanted: &str) -> AwsError {
    AwsError::client("MalformedInput", format!("{member} can not be converted to {wanted}"))
}

/// `stackName` of `StackName`.
fn lower(member: &str) -> String {
    let mut letters = member.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

pub(super) fn missing(member: &str) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
        lower(member)
    ))
}

pub(super) fn failed(member: &str, value: &str, constraint: &str) -> AwsError {
    let member = lower(member);
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    ))
}

pub(super) fn no_word(member: &str, text: &str, words: &[&str]) -> AwsError {
    failed(member, text, &format!("Member must satisfy enum value set: [{}]", words.join(", ")))
}

/// The length of a text in characters.
pub(super) fn length(member: &str, text: &str, least: usize, most: usize) -> Result<(), AwsError> {
    match text.chars().count() {
        short if short < least => {
            Err(failed(member, text, &format!("Member must have length greater than or equal to {least}")))
        }
        long if long > most => {
            Err(failed(member, text, &format!("Member must have length less than or equal to {most}")))
        }
        _ => Ok(()),
    }
}

/// The name of a stack, change set or stack set that is to be made.
pub(super) fn name(member: &str, name: &str) -> Result<(), AwsError> {
    length(member, name, 1, 128)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(legal) {
        true => Ok(()),
        false => {
            let constraint = "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*";
            Err(failed(member, name, constraint))
        }
    }
}

/// A ClientRequestToken or OperationId.
pub(super) fn token(fields: &mut Fields, member: &str) -> Result<Option<String>, AwsError> {
    let Some(token) = fields.text(member)? else { return Ok(None) };
    length(member, &token, 1, 128)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match token.chars().all(legal) && !token.starts_with('-') {
        true => Ok(Some(token)),
        false => {
            let constraint = "Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*";
            Err(failed(member, &token, constraint))
        }
    }
}
