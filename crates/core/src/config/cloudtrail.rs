//! `[cloudtrail]`: how long a wave waits for CloudTrail after its bake.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, Span};

/// How CloudTrail is asked for denied uses of the central key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CloudTrailChoice {
    /// `settle` of every wave that has none of its own: seconds, or words such as "30m".
    pub settle: Span,
}

impl Default for CloudTrailChoice {
    fn default() -> Self {
        CloudTrailChoice { settle: Span::Words("30m".to_owned()) }
    }
}

impl CloudTrailChoice {
    pub(super) fn is_default(&self) -> bool {
        *self == CloudTrailChoice::default()
    }

    /// How long it is waited for.
    #[must_use]
    pub fn settle(&self) -> Duration {
        self.settle.duration().unwrap_or_default()
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if self.settle.duration().is_none() {
            found.push(Problem::new(
                "cloudtrail.settle",
                "not a length of time",
                "write seconds, or words such as \"30m\", \"1h\"",
            ));
        }
    }
}
