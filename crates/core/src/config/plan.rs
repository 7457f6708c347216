//! `[plan]`: how long an approved plan holds.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, Span};

/// How plans are used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanChoice {
    /// Plans older than this are refused: seconds, or words such as "12h", "7 days".
    pub max_age: Span,
}

impl Default for PlanChoice {
    fn default() -> Self {
        PlanChoice { max_age: Span::Words("7 days".to_owned()) }
    }
}

impl PlanChoice {
    /// How old a plan may be.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.max_age.duration().unwrap_or_default()
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if self.max_age.duration().is_none_or(|age| age.is_zero()) {
            found.push(Problem::new(
                "plan.max_age",
                "not a length of time that a plan could hold",
                "write seconds, or words such as \"12h\", \"7 days\"",
            ));
        }
    }
}
