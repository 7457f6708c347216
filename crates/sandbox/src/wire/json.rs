//! AWS JSON 1.1: the protocol of Organizations, Systems Manager and KMS.

use serde_json::{Map, Value, json};

use crate::request::Request;
use crate::wire::Answer;
use crate::wire::error::AwsError;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The input structure of a request, whose members are taken out one by one. What is left over is not in the model.
#[derive(Debug)]
pub(crate) struct Input {
    members: Map<String, Value>,
}

impl Input {
    /// An input that is not a request's own, but an AWS service's for its caller.
    pub(crate) fn of(value: Value) -> Input {
        match value {
            Value::Object(members) => Input { members },
            _ => Input { members: Map::new() },
        }
    }

    pub(crate) fn read(request: &Request) -> Result<Input, AwsError> {
        if request.body.is_empty() {
            return Ok(Input { members: Map::new() });
        }
        match serde_json::from_slice(&request.body) {
            Ok(Value::Object(members)) => Ok(Input { members }),
            _ => Err(AwsError::client("SerializationException", "Start of structure or map expected")),
        }
    }

    fn wrong(member: &str, wanted: &str) -> AwsError {
        AwsError::client("SerializationException", format!("{member} can not be converted to {wanted}"))
    }

    /// Takes a member of any type; null is as good as absent.
    pub(crate) fn take(&mut self, member: &str) -> Option<Value> {
        self.members.remove(member).filter(|value| !value.is_null())
    }

    /// Looks at a member without taking it, as authorization does before the input is read.
    pub(crate) fn peek_text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::as_str)
    }

    /// As `peek_text`, of any type.
    pub(crate) fn peek(&self, member: &str) -> Option<&Value> {
        self.members.get(member)
    }

    /// Whether there is such a member, not null and not an empty list.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.members
            .get(member)
            .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
    }

    pub(crate) fn text(&mut self, member: &str) -> Result<Option<String>, AwsError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Self::wrong(member, "a String")),
        }
    }

    pub(crate) fn required_text(&mut self, member: &str) -> Result<String, AwsError> {
        self.text(member)?.ok_or_else(|| missing(member))
    }

    pub(crate) fn texts(&mut self, member: &str) -> Result<Vec<String>, AwsError> {
        match self.take(member) {
            None => Ok(Vec::new()),
            Some(value) => serde_json::from_value(value).map_err(|_| Self::wrong(member, "a list of String")),
        }
    }

    /// A `MaxResults` within its limits.
    pub(crate) fn max_results(&mut self, most: i64) -> Result<usize, AwsError> {
        let Some(value) = self.take("MaxResults") else { return Ok(most as usize) };
        let number = value.as_i64().ok_or_else(|| Self::wrong("MaxResults", "an Integer"))?;
        if number < 1 {
            return Err(AwsError::validation(
                "maxResults",
                &number.to_string(),
                "Member must have value greater than or equal to 1",
            ));
        }
        if number > most {
            return Err(AwsError::validation(
                "maxResults",
                &number.to_string(),
                &format!("Member must have value less than or equal to {most}"),
            ));
        }
        Ok(number as usize)
    }

    /// `[{Key, Value}]`
    pub(crate) fn tags(&mut self) -> Result<Vec<(String, String)>, AwsError> {
        let Some(value) = self.take("Tags") else { return Ok(Vec::new()) };
        let list = value.as_array().cloned().ok_or_else(|| Self::wrong("Tags", "a list"))?;
        list.iter()
            .map(|tag| {
                let part = |name| tag.get(name).and_then(Value::as_str).map(String::from);
                match (part("Key"), part("Value")) {
                    (Some(key), Some(value)) => Ok((key, value)),
                    _ => Err(missing("tags.1.member")),
                }
            })
            .collect()
    }

    /// Refuses members that the sandbox does not model, so that nobody believes they had an effect.
    pub(crate) fn finish(&mut self) -> Result<(), AwsError> {
        match std::mem::take(&mut self.members).into_iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((name, _)) => Err(AwsError::client(
                "ValidationException",
                format!("The member {name} is unknown or not modelled by this sandbox"),
            )),
        }
    }
}

pub(crate) fn missing(member: &str) -> AwsError {
    let mut letters = member.chars();
    let lower: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    AwsError::client(
        "ValidationException",
        format!(
            "1 validation error detected: Value null at '{lower}' failed to satisfy constraint: Member must not be null"
        ),
    )
}

pub(crate) fn answer(value: &Value) -> Answer {
    Answer::new(200, CONTENT_TYPE, value.to_string())
}

/// `__type` names the error. The model spells the text `Message` (Organizations, SSM) or `message` (KMS, and AWS's common
/// errors everywhere): each service says which.
pub(crate) fn error(error: &AwsError, message_member: &str) -> Answer {
    let mut body = json!({ "__type": error.code, message_member: error.message });
    if let Value::Object(members) = &mut body {
        members.extend(error.members.iter().map(|(name, value)| ((*name).to_string(), value.clone())));
    }
    let mut answer = Answer::new(error.status, CONTENT_TYPE, body.to_string());
    answer.headers.clone_from(&error.headers);
    answer.error = Some((error.code, error.message.clone()));
    answer
}
