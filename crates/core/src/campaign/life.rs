//! A bucket at work: where it stands, and what this process knows of it beyond the ledger.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::first_start::First;
use super::omission::Turn;
use super::slots::Slot;
use super::tolerance::Pass;
use crate::clock::system_now;
use crate::ledger::{BucketEvent, BucketState, OpenBucket, Phase};
use crate::model::{AwsError, Bucket, DefaultEncryption, Judgement, Reason, Verdict};

/// How far back an execution is looked for whose intent is dated in the future.
const FUTURE_MEANS: Duration = Duration::from_secs(86_400);

/// A bucket at work.
pub(super) struct Life {
    pub(super) open: OpenBucket,
    /// Room within the limits, from before the look until the execution has ended.
    pub(super) slots: Option<(Slot, Slot)>,
    /// Leave to go first in the account and Region, until its execution has ended.
    pub(super) first: Option<First>,
    /// Leave to start where the document omits `BlockedEncryptionTypes`.
    pub(super) turn: Option<Turn>,
    /// Leave of the failure tolerance, until the outcome is known.
    pub(super) pass: Option<Pass>,
    /// The intent was made by this process and has not left yet.
    pub(super) unsent: bool,
    /// The execution was started by this process, or was seen by it.
    pub(super) seen: bool,
    /// When this process made the intent.
    pub(super) intended_at: Option<Instant>,
    /// The doubt about a start without an answer was looked into.
    pub(super) looked_into: bool,
    /// It was settled before this process came, and is to be tried again.
    pub(super) asked_for: bool,
    /// Attempts of this process.
    pub(super) attempts: u32,
    /// Why the last execution failed.
    pub(super) failure: Option<AwsError>,
}

impl Life {
    pub(super) fn of(open: OpenBucket, slots: Option<(Slot, Slot)>) -> Life {
        Life {
            asked_for: open.state.phase == Phase::Settled,
            open,
            slots,
            first: None,
            turn: None,
            pass: None,
            unsent: false,
            seen: false,
            intended_at: None,
            looked_into: false,
            attempts: 0,
            failure: None,
        }
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.open.bucket
    }

    pub(super) fn state(&self) -> &BucketState {
        &self.open.state
    }

    /// Not later than the intent, by AWS's clock.
    pub(super) fn since(&self) -> SystemTime {
        let (at, now) = (self.written_at(), system_now());
        // An earlier version wrote local times: one from the future came from a clock that was ahead, by nobody knows how much.
        if at > now { now - FUTURE_MEANS } else { at }
    }

    fn written_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.open.at.as_millisecond()).unwrap_or(0))
    }

    /// How long ago the intent was made.
    pub(super) fn age(&self) -> Duration {
        match self.intended_at {
            Some(at) => at.elapsed(),
            // A time in the future says nothing of it.
            None => system_now().duration_since(self.written_at()).unwrap_or_default(),
        }
    }
}

/// What is said of a bucket on which nothing is started.
pub(super) fn not_started(
    verdict: Verdict,
    reason: Reason,
    encryption: Option<DefaultEncryption>,
    error: &AwsError,
) -> BucketEvent {
    let judgement = Judgement { verdict, reason, observed: None };
    BucketEvent::Judged { judgement, encryption, error: Some(error.clone()), restore: None, exemption: None }
}
