//! Why an execution failed, and what that means for the starts that follow.

use tokio::time::sleep;

use super::Campaign;
use super::first_start::denial_of_change;
use super::life::Life;
use super::place::{Place, pause};
use crate::judge::{FailureClass, classify, denial, denial_fix};
use crate::model::{AwsError, Bucket, ExecutionStatus};

/// How often an execution is asked again why it failed, where the request itself fails for a reason that may pass.
const EXPLANATIONS: u32 = 5;

impl Campaign {
    /// Why an execution failed whose end an earlier process saw: that decides what may be started next.
    pub(super) async fn recall_failure(&self, place: &Place<'_>, life: &mut Life) {
        let Some(execution) = life.state().execution.clone().filter(|_| life.failure.is_none()) else { return };
        let Some(status) = execution.status.filter(|status| !status.is_success()) else { return };
        let message = self.why_it_failed(place, &execution.id).await;
        life.failure = failure(life, &status, message, &self.own_roles(place.account));
        self.learn_from_failure(place, life);
    }

    /// What a failure teaches about the starts that follow.
    pub(super) fn learn_from_failure(&self, place: &Place<'_>, life: &Life) {
        self.note_refusal(life);
        if let Some(failure) = &life.failure {
            self.learn_denial(place, life.bucket(), failure);
        }
    }

    /// What an execution says about its failure. Too much depends on that to give up when the request is throttled once. That it may not
    /// be asked is said in its place: the reader can act on it.
    pub(super) async fn why_it_failed(&self, place: &Place<'_>, execution: &str) -> Option<String> {
        let mut tries = 0;
        loop {
            let error = match place.ssm.explain(execution).await {
                Ok(failure) => return failure.message,
                Err(error) => error,
            };
            if classify(&error) != FailureClass::Retryable || tries == EXPLANATIONS {
                return denial(&error).map(|_| format!("which step failed could not be read: {error}"));
            }
            self.stop.run_until_cancelled(sleep(pause(tries))).await?;
            tries += 1;
        }
    }
}

/// Why an execution failed, for people; `None` if it says that it succeeded.
pub(super) fn failure(
    life: &Life,
    status: &ExecutionStatus,
    message: Option<String>,
    roles: &[String; 2],
) -> Option<AwsError> {
    if status.is_success() {
        return None;
    }
    let id = life.state().execution.as_ref().map_or("", |execution| execution.id.as_str());
    let Bucket { account, region, .. } = life.bucket();
    let mut error = AwsError {
        code: format!("Execution{}", status.as_str()),
        message: message.unwrap_or_else(|| format!("execution {id} ended as {}", status.as_str())),
        hint: format!(
            "check it in account {account}: aws ssm get-automation-execution --region {region} --automation-execution-id {id}; \
             then `orgseal resume --retry-failed`"
        ),
    };
    if let Some(denial) = denial_of_change(&error) {
        error.hint = format!("{}; {}", denial_fix(denial, roles), error.hint);
    }
    Some(error)
}
