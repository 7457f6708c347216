//! `[executions]`: how executions are followed and their effect read back.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// How executions are followed. All times in seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Executions {
    /// How long an execution may take before it is called timed out; it still counts as in flight, as it may still act.
    #[schemars(range(min = 10, max = 86400))]
    pub time_limit: u64,
    /// How long S3 is asked again before a change that does not show is called failed: a put may take time to show.
    #[schemars(range(max = 600))]
    pub read_back_for: u64,
}

impl Default for Executions {
    fn default() -> Self {
        Executions { time_limit: 1800, read_back_for: 60 }
    }
}

impl Executions {
    /// How long an execution may take.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        Duration::from_secs(self.time_limit)
    }

    /// How long S3 is asked again.
    #[must_use]
    pub fn read_back_for(&self) -> Duration {
        Duration::from_secs(self.read_back_for)
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if !(10..=86_400).contains(&self.time_limit) {
            found.push(Problem::new(
                "executions.time_limit",
                format!("executions.time_limit is {}", self.time_limit),
                "write seconds from 10 to 86400",
            ));
        }
        if self.read_back_for > 600 {
            found.push(Problem::new(
                "executions.read_back_for",
                format!("executions.read_back_for is {}", self.read_back_for),
                "write seconds from 0 to 600",
            ));
        }
    }
}
