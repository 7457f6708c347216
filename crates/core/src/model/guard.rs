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
    /// Principals of the bucket's account that lack the key: for what is told once of an account, so not kept with each bucket.
    #[serde(skip)]
    pub principals: Vec<BlockingPrincipal>,
}

/// A user or role that would lose its access to a bucket's objects, since it may not use the central key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingPrincipal {
    /// Its ARN.
    pub principal: String,
    /// The KMS actions that it lacks.
    pub lacks: Vec<String>,
    /// Why it lacks them.
    pub why: String,
    /// What to do, for it alone.
    pub fix: String,
}

/// Something that a person should know of an account, and that holds none of its buckets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountWarning {
    /// Whom it is about, by ARN.
    pub principal: String,
    /// What will happen, in one sentence.
    pub says: String,
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
