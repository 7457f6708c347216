//! Starts of other runs on a bucket that may still act.

use super::Campaign;
use super::place::Place;
use crate::clock::system_now;
use crate::ledger::Unsettled;
use crate::model::{AwsError, Bucket};

/// `AutomationExecutionNotFoundException`: executions are kept for thirty days, and one that is not known any more does nothing
/// any more.
pub(super) const FORGOTTEN: &str = "AutomationExecutionNotFoundException";

impl Campaign {
    /// Whether a start of another run may still act on the bucket: then nothing new is started on it, and this is why.
    pub(super) async fn under_way(&self, place: &Place<'_>, bucket: &Bucket, earlier: &Unsettled) -> Option<AwsError> {
        let why = match &earlier.execution {
            Some(id) => match place.ssm.explain(id).await {
                Ok(seen) if seen.status.has_ended() => return None,
                Ok(seen) => format!("execution {id} of run {} is {}", earlier.run, seen.status.as_str()),
                Err(error) if error.code == FORGOTTEN => return None,
                Err(error) => format!("how execution {id} of run {} stands cannot be learned ({error})", earlier.run),
            },
            // Its execution is not known, but an execution ends.
            None if system_now()
                .duration_since(earlier.since)
                .is_ok_and(|since| since > self.file.executions.time_limit()) =>
            {
                return None;
            }
            None => format!("a start of run {} left, and its answer never came", earlier.run),
        };
        Some(AwsError {
            code: "UnderWay".to_owned(),
            message: format!("{why}, so nothing new is started on {}", bucket.name),
            hint: format!(
                "run again when it has ended: aws ssm describe-automation-executions --region {}, in account {}",
                place.region, place.account
            ),
        })
    }
}
