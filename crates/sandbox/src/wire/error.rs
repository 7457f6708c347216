//! An error as AWS words it, before a protocol renders it.

use serde_json::Value;

/// What a service answers instead of a result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AwsError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) status: u16,
    /// Further members of the error's shape (JSON) or elements of its body (XML).
    pub(crate) members: Vec<(&'static str, Value)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl AwsError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> AwsError {
        AwsError { code, message: message.into(), status, members: Vec::new(), headers: Vec::new() }
    }

    /// The caller's fault, 400: what the JSON protocols use for nearly everything.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> AwsError {
        AwsError::new(400, code, message)
    }

    /// The service's fault.
    pub(crate) fn server(code: &'static str, message: impl Into<String>) -> AwsError {
        AwsError::new(500, code, message)
    }

    /// A member of the input that breaks its shape's limits, in the words of AWS's validation.
    pub(crate) fn validation(member: &str, value: &str, constraint: &str) -> AwsError {
        AwsError::client(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
            ),
        )
    }

    pub(crate) fn with(mut self, member: &'static str, value: impl Into<Value>) -> AwsError {
        self.members.push((member, value.into()));
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> AwsError {
        self.headers.push((name, value.into()));
        self
    }
}
