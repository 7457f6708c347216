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
    /// How long `DescribeAutomationExecutions` may take to show an execution: so long one is looked for whose start got no answer.
    #[schemars(range(min = 1, max = 900))]
    pub visible_within: u64,
    /// Attempts on one bucket, when an execution fails for a cause that may pass (throttling, an internal error).
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// A Region's central key is looked at again before a start when the last look is older than this.
    #[schemars(range(min = 1, max = 3600))]
    pub key_checked_every: u64,
    /// Where a document omits `BlockedEncryptionTypes`, one bucket in each Region goes first: how long it may take to be read back
    /// before a bucket of another account takes its place.
    #[schemars(range(min = 1, max = 3600))]
    pub proof_within: u64,
}

impl Default for Executions {
    fn default() -> Self {
        Executions {
            time_limit: 1800,
            read_back_for: 60,
            visible_within: 60,
            attempts: 3,
            key_checked_every: 60,
            proof_within: 120,
        }
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

    /// How long an execution may take to show.
    #[must_use]
    pub fn visible_within(&self) -> Duration {
        Duration::from_secs(self.visible_within)
    }

    /// How old a look at a Region's key may be.
    #[must_use]
    pub fn key_checked_every(&self) -> Duration {
        Duration::from_secs(self.key_checked_every)
    }

    /// How long one bucket may take to prove what S3 does with an omitted element.
    #[must_use]
    pub fn proof_within(&self) -> Duration {
        Duration::from_secs(self.proof_within)
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        let mut range = |name: &str, value: u64, least: u64, most: u64, unit: &str| {
            if !(least..=most).contains(&value) {
                found.push(Problem::new(
                    format!("executions.{name}"),
                    format!("executions.{name} is {value}"),
                    format!("write {unit} from {least} to {most}"),
                ));
            }
        };
        range("time_limit", self.time_limit, 10, 86_400, "seconds");
        range("read_back_for", self.read_back_for, 0, 600, "seconds");
        range("visible_within", self.visible_within, 1, 900, "seconds");
        range("attempts", u64::from(self.attempts), 1, 10, "a number");
        range("key_checked_every", self.key_checked_every, 1, 3600, "seconds");
        range("proof_within", self.proof_within, 1, 3600, "seconds");
    }
}
