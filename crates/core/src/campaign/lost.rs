//! A task of orgseal that panicked or was lost. The other accounts go on, and the run does not end as one that did all it should.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinError;

use super::{Campaign, CampaignError};
use crate::event::Event;
use crate::model::{Account, AwsError};

/// Whether a task of this run was lost.
#[derive(Debug, Default)]
pub(super) struct Lost(AtomicBool);

impl Campaign {
    /// Whether a task of this run was lost.
    pub(super) fn has_lost_a_task(&self) -> bool {
        self.lost.0.load(Ordering::Acquire)
    }

    /// The task that worked on an account ended by itself: what it did not come to is unknown.
    pub(super) async fn account_lost(&self, account: Account, error: &JoinError) -> Result<(), CampaignError> {
        let error = self.task_lost(&format!("the task that worked on account {}", account.id), &error.to_string());
        self.unread(account, error).await
    }

    /// A task ended by itself.
    pub(super) fn task_lost(&self, task: &str, why: &str) -> AwsError {
        self.lost.0.store(true, Ordering::Release);
        let error = AwsError {
            code: "TaskLost".to_owned(),
            message: format!("{task} ended unexpectedly: {why}"),
            hint: "this is a fault of orgseal: run again with --log text, and report it".to_owned(),
        };
        self.events.emit(&Event::Warning { message: error.to_string() });
        error
    }
}
