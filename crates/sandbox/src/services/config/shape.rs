//! Reads a structure of Config's model and holds its members to the model's limits.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::wire::error::AwsError;
use crate::wire::json::missing;

/// Reads a structure: what lacks a required member is ill, as is what has one that the model does not know.
pub(super) fn read<T: DeserializeOwned>(member: &str, value: Value) -> Result<T, AwsError> {
    serde_json::from_value(value).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(field) => {
                let mut letters = field.chars();
                let field: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
                missing(&format!("{member}.{field}"))
            }
            None if text.starts_with("unknown field") => {
                AwsError::client("ValidationException", format!("{member}: {text}; it is not in the model"))
            }
            None => AwsError::client("SerializationException", format!("{member} can not be read: {text}")),
        }
    })
}

/// A text between two lengths, in characters.
pub(super) fn length(member: &str, text: Option<&str>, min: usize, max: usize) -> Result<(), AwsError> {
    match text.map(|text| (text, text.chars().count())) {
        Some((text, long)) if !(min..=max).contains(&long) => {
            let limit = match long < min {
                true => format!("Member must have length greater than or equal to {min}"),
                false => format!("Member must have length less than or equal to {max}"),
            };
            Err(AwsError::validation(member, text, &limit))
        }
        _ => Ok(()),
    }
}

/// How many items a list has.
pub(super) fn count(member: &str, items: usize, min: usize, max: usize) -> Result<(), AwsError> {
    match (items < min, items > max) {
        (true, _) => {
            Err(AwsError::validation(member, "[]", &format!("Member must have length greater than or equal to {min}")))
        }
        (_, true) => Err(AwsError::validation(
            member,
            &format!("[{items} items]"),
            &format!("Member must have length less than or equal to {max}"),
        )),
        _ => Ok(()),
    }
}

/// One of an enum's words.
pub(super) fn word(member: &str, text: Option<&str>, words: &[&str]) -> Result<(), AwsError> {
    match text.filter(|text| !words.contains(text)) {
        None => Ok(()),
        Some(text) => {
            let limit = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            Err(AwsError::validation(member, text, &limit))
        }
    }
}

/// A number within bounds.
pub(super) fn number(member: &str, value: Option<i64>, min: i64, max: i64) -> Result<(), AwsError> {
    match value {
        Some(value) if value < min => Err(AwsError::validation(
            member,
            &value.to_string(),
            &format!("Member must have value greater than or equal to {min}"),
        )),
        Some(value) if value > max => Err(AwsError::validation(
            member,
            &value.to_string(),
            &format!("Member must have value less than or equal to {max}"),
        )),
        _ => Ok(()),
    }
}

/// ConfigRuleName
pub(super) fn rule_name(member: &str, name: &str) -> Result<(), AwsError> {
    length(member, Some(name), 1, 128)?;
    match name.trim().is_empty() {
        true => Err(AwsError::validation(member, name, "Member must satisfy regular expression pattern: .*\\S.*")),
        false => Ok(()),
    }
}

/// AccountId
pub(super) fn account_id(member: &str, id: &str) -> Result<(), AwsError> {
    match id.len() == 12 && id.bytes().all(|digit| digit.is_ascii_digit()) {
        true => Ok(()),
        false => Err(AwsError::validation(member, id, "Member must satisfy regular expression pattern: \\d{12}")),
    }
}
