//! What the rest of the world may hear of a run, as it happens.
//!
//! Progress bars, logs and counters are listeners, each in a file of its own; a new one never touches the campaign.

use std::sync::Arc;

use crate::model::{Account, AwsError, Bucket, ExecutionStatus, Finding, Judgement, WaveRecord};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A run began.
    RunStarted {
        /// Its id.
        run: String,
        /// `audit`, `rollout`, `rollback`, `preflight` or `bootstrap`.
        kind: &'static str,
        /// `o-…`
        organization: String,
        /// The campaign file in force, as it was named or found.
        campaign_file: String,
    },
    /// The accounts that the run is about are known.
    AccountsFound {
        /// How many.
        accounts: usize,
    },
    /// An account is being worked on.
    AccountEntered {
        /// Which.
        account: Account,
    },
    /// A page of buckets was listed.
    BucketsListed {
        /// Where.
        account: String,
        /// How many of them the run is about.
        buckets: usize,
    },
    /// A bucket was judged.
    BucketJudged {
        /// Which.
        bucket: Bucket,
        /// What is said of it.
        judgement: Judgement,
        /// Why it is unread.
        error: Option<AwsError>,
    },
    /// An account is done with.
    AccountRead {
        /// Which.
        account: Account,
        /// How many of its buckets the run is about.
        buckets: usize,
    },
    /// An account could not be read.
    AccountUnread {
        /// Which.
        account: Account,
        /// Why.
        error: AwsError,
    },
    /// An account was skipped, as the campaign file says.
    AccountSkipped {
        /// Which.
        account: Account,
    },
    /// Reading is over, changing begins.
    ChangesStarted {
        /// What is to be done.
        work: ChangeWork,
        /// Accounts that hold the buckets.
        accounts: usize,
    },
    /// A wave has come further.
    WaveMoved {
        /// Which, and how far.
        wave: WaveRecord,
        /// How many waves there are.
        of: usize,
    },
    /// Changing an account's buckets begins.
    AccountChanging {
        /// Which.
        account: String,
        /// Buckets to change there.
        buckets: u64,
    },
    /// An execution was started.
    ExecutionStarted {
        /// On which bucket.
        bucket: Bucket,
        /// `AutomationExecutionId`.
        id: String,
    },
    /// An execution's status changed.
    ExecutionSeen {
        /// On which bucket.
        bucket: Bucket,
        /// `AutomationExecutionId`.
        id: String,
        /// How it stands.
        status: ExecutionStatus,
    },
    /// An execution has ended. What it came to is S3's to say.
    ExecutionEnded {
        /// On which bucket.
        bucket: Bucket,
        /// With which status.
        status: ExecutionStatus,
    },
    /// A bucket to change is done with: sealed, failed, held, or found changed.
    BucketSettled {
        /// What is said of it now.
        finding: Box<Finding>,
    },
    /// Changing an account's buckets is over.
    AccountChanged {
        /// Which.
        account: String,
    },
    /// Something that a person should know and that stops nothing.
    Warning {
        /// In words.
        message: String,
    },
    /// The run was told to stop: no new starts.
    Stopping,
    /// The run is over.
    RunFinished {
        /// `finished`, `interrupted`, …
        state: &'static str,
    },
}

/// What a stage of changes is about: how many buckets, and what is done to each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeWork {
    /// Nothing is started.
    pub dry_run: bool,
    /// To be changed.
    pub change: u64,
    /// Failed before, and tried again.
    pub retry: u64,
    /// Could not be read before, and read again.
    pub reread: u64,
    /// Held before, and evaluated again: they may stay held.
    pub held: u64,
    /// Started before, and followed to the end.
    pub in_flight: u64,
}

impl ChangeWork {
    /// All of these buckets.
    #[must_use]
    pub fn buckets(&self) -> u64 {
        self.change + self.retry + self.reread + self.held + self.in_flight
    }
}

/// Who hears of events. Called in the middle of the work: it must not block.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn hear(&self, event: &Event);
}

/// Where events go: to every listener, in order.
#[derive(Clone, Default)]
pub struct Events(Arc<Vec<Box<dyn Listener>>>);

impl Events {
    /// Events for these listeners.
    #[must_use]
    pub fn new(listeners: Vec<Box<dyn Listener>>) -> Events {
        Events(Arc::new(listeners))
    }

    /// Tells every listener.
    pub fn emit(&self, event: &Event) {
        for listener in self.0.iter() {
            listener.hear(event);
        }
    }
}
