//! Where buckets are changed: an account at work, one of its Regions, and what both hold ready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::adoptable::Adoptable;
use super::document::Document;
use super::examine::AccountLook;
use super::first_start::FirstStart;
use super::follow::Follower;
use super::former_key::FormerKeys;
use super::silence::Silence;
use super::slots::{Slot, Slots};
use super::start_rate::StartRate;
use super::tolerance::Tolerance;
use crate::aws::{CallLimits, Member, Remediation, S3, Ssm};
use crate::ledger::{Phase, Unsettled};
use crate::model::{AwsError, Reason};
use crate::plan::AccountLimits;

/// One account at work.
pub(super) struct AccountAtWork<'a> {
    pub(super) member: Member,
    pub(super) look: AccountLook,
    pub(super) limits: AccountLimits,
    pub(super) slots: Slots,
    pub(super) silence: Silence,
    /// Starts of other runs of which the ledger has no outcome, by bucket.
    pub(super) earlier: BTreeMap<String, Unsettled>,
    pub(super) former_keys: FormerKeys,
    pub(super) tolerance: &'a Tolerance,
    /// The wave that is being changed; `None`: all of them are.
    pub(super) wave: Option<u32>,
    /// The session is the caller's own: executions do not bear our session's name.
    pub(super) own_session: bool,
}

/// One Region of it, ready for starts.
pub(super) struct Place<'a> {
    pub(super) work: &'a AccountAtWork<'a>,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) s3: S3,
    pub(super) ssm: Ssm,
    /// Read once. In-flight executions are followed whatever it is like.
    pub(super) document: Result<Document, AwsError>,
    /// Whether the account can use the Region's key; in a rollback nothing is pointed at it.
    pub(super) proof: Result<(), (Reason, AwsError)>,
    pub(super) automation_role: String,
    pub(super) region_slots: Slots,
    pub(super) follower: Follower,
    pub(super) rate: StartRate,
    pub(super) adoptable: Adoptable,
    /// What executions here have shown of denies.
    pub(super) first: Arc<FirstStart>,
    /// Whether the control policies above the account could be read.
    pub(super) controls_known: bool,
    /// No slot became free in time: the buckets that are left do not wait in their turn.
    pub(super) exhausted: AtomicBool,
    /// Buckets that block encryption types and are yet to be changed there.
    pub(super) blocks: AtomicUsize,
    /// What AWS Config would undo in this account and Region, read when the first bucket is about to be restored.
    pub(super) remediation: OnceCell<Result<Vec<Remediation>, AwsError>>,
}

/// How many calls of an account may be under way while it is read.
pub(super) fn calls(limits: AccountLimits) -> CallLimits {
    CallLimits { s3: limits.reads, ssm: limits.executions.max(4) }
}

/// The same while it is changed: each execution in flight may want to be looked at, started or read back.
pub(super) fn calls_of_changes(limits: AccountLimits) -> CallLimits {
    CallLimits { s3: limits.reads.max(limits.executions), ..calls(limits) }
}

/// Room that is never given back in this run, as what it was taken for may still act (law 7).
pub(super) fn keep(slots: Option<(Slot, Slot)>) {
    std::mem::forget(slots);
}

/// Whether a start may act in this phase, or has acted and was not read back.
pub(super) fn in_flight(phase: Phase) -> bool {
    matches!(phase, Phase::Intended | Phase::Started | Phase::Ended)
}

/// `attempt` counts from 0: 1 s, 2 s, 4 s … 30 s, each with half of it at random, so that many do not come back at once.
pub(super) fn pause(attempt: u32) -> Duration {
    let whole = Duration::from_secs(1 << attempt.min(5)).min(Duration::from_secs(30));
    whole.mul_f64(0.5 + 0.5 * fastrand::f64())
}
