//! An automation execution and its status, as Systems Manager words them.

use serde::{Deserialize, Serialize};

/// `AutomationExecutionStatus`. A status that we do not know is neither finished nor a success, and is shown as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionStatus(pub String);

impl ExecutionStatus {
    /// The statuses after which an execution does nothing more.
    const ENDED: [&str; 9] = [
        "Success",
        "TimedOut",
        "Cancelled",
        "Failed",
        "Rejected",
        "CompletedWithSuccess",
        "CompletedWithFailure",
        "Exited",
        Self::FORGOTTEN,
    ];

    /// Our word, and none of Systems Manager's, for an execution that it does not know any more: it does nothing more.
    pub const FORGOTTEN: &'static str = "NotFound";

    /// The wire name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the execution does nothing more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        Self::ENDED.contains(&self.0.as_str())
    }

    /// Whether the execution says that it went well. It counts for nothing until S3 shows the effect.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.0 == "Success" || self.0 == "CompletedWithSuccess"
    }
}

impl From<&str> for ExecutionStatus {
    fn from(name: &str) -> Self {
        ExecutionStatus(name.to_owned())
    }
}

/// An automation execution as reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// `AutomationExecutionId`.
    pub id: String,
    /// The last status seen; `None` when none was seen yet.
    pub status: Option<ExecutionStatus>,
}
