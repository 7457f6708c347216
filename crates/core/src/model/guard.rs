//! What a guard found on a bucket that was about to change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a guard's finding comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Not asked. What the evidence of other guards shows is still told, as overridden.
    Off,
    /// The bucket is changed, and the finding is told.
    Warn,
    /// The bucket is held.
    Hold,
}

impl Severity {
    /// The name in the campaign file and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Off => "off",
            Severity::Warn => "warn",
            Severity::Hold => "hold",
        }
    }
}

/// Whether a guard found something, or could not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardOutcome {
    /// The change would break, or may well break, something.
    Found,
    /// What it needs could not be read or understood: unknown is not safe.
    CannotTell,
}

/// One guard's word on one bucket. A guard that finds nothing says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardFinding {
    /// The guard's name in the campaign file and in docs/guards.md, such as `access-log-target`.
    pub guard: String,
    /// Found, or cannot tell.
    pub outcome: GuardOutcome,
    /// The severity in force.
    pub severity: Severity,
    /// The severity is less than the guard's own, by the campaign file's word.
    pub overridden: bool,
    /// Why the campaign file has another severity for this bucket: the override's reason, its owner and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What would break, in one sentence.
    pub says: String,
    /// What was seen: statement, principal, tag, rule; or the error, with the permission that is missing.
    pub evidence: Vec<String>,
    /// What to do.
    pub hint: String,
}

impl GuardFinding {
    /// Whether it keeps the bucket from being changed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.severity == Severity::Hold
    }
}
