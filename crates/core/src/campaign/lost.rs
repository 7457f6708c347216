//! A task of orgseal that panicked or was lost. The other accounts go on, and the run does not end as one that did all it should.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinError;

use super::{Campaign, CampaignError};
use crate::event::Event;
use crate::model::{Account, AwsError};

/// The tasks of this run that were lost.
#[derive(Debug, Default)]
pub(super) struct Lost(Mutex<BTreeSet<String>>);

/// Why nothing is known of what a task worked on: it ended by itself.
#[must_use]
pub fn task_lost(task: &str, why: &str) -> AwsError {
    AwsError {
        code: "TaskLost".to_owned(),
        message: format!("{task} ended unexpectedly: {why}"),
        hint: "this is a fault of orgseal: run again with --log text, and report it".to_owned(),
    }
}

impl Campaign {
    /// Whether a task of this run was lost.
    pub(super) fn has_lost_a_task(&self) -> bool {
        !self.lost.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The task that worked on an account ended by itself: what it did not come to is unknown.
    pub(super) async fn account_lost(&self, account: Account, error: &JoinError) -> Result<(), CampaignError> {
        let error = self.task_lost(&format!("the task that worked on account {}", account.id), &error.to_string());
        self.unread(account, error).await
    }

    /// A task ended by itself.
    pub(super) fn task_lost(&self, task: &str, why: &str) -> AwsError {
        let error = task_lost(task, why);
        // Each bucket that waited for a task finds out by itself.
        let is_new = self.lost.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned());
        if is_new {
            self.events.emit(&Event::Warning { message: error.to_string() });
        }
        error
    }
}
