//! Why a run as a whole cannot go on.

use std::path::PathBuf;

use super::rollback_covers;
use crate::aws::ConnectError;
use crate::config::SHARING_QUOTA;
use crate::ledger::{LedgerError, RollbackRequest};
use crate::model::{AwsError, KeyArn};
use crate::plan::{Narrowed, PlanError};

/// What to do where the caller and the central keys are in different partitions.
pub const PARTITION_FIX: &str =
    "use credentials and a Region (AWS_REGION) of the partition that the central keys are in, or another campaign file";

/// What was rolled back, in words.
fn wave_of(wave: u32, waves: bool, campaign: &str) -> String {
    match waves {
        true => format!("wave {wave} of campaign {campaign}"),
        false => format!("campaign {campaign}"),
    }
}

/// Why a run as a whole could not go on. What befalls one account or bucket is a finding instead.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Organizations cannot be read.
    #[error("the organization cannot be read: {0}")]
    Organization(AwsError),
    /// Another organization than the campaign file names.
    #[error("this is organization {found}, and the campaign file is for {wanted}")]
    OtherOrganization {
        /// The one found.
        found: String,
        /// The one in the campaign file.
        wanted: String,
    },
    /// The central keys are in another partition than the caller.
    #[error("the caller {caller} is in partition {found}, and central key {key} is in {wanted}")]
    OtherPartition {
        /// The caller's ARN.
        caller: String,
        /// The caller's partition.
        found: String,
        /// The key.
        key: Box<KeyArn>,
        /// The key's partition.
        wanted: String,
    },
    /// ListAccounts returned an empty list.
    #[error("Organizations returned no accounts")]
    NoAccounts,
    /// The command line names an account or OU that is not there.
    #[error("{0} is not in this organization")]
    NoSuchAccount(String),
    /// There is no campaign to go on with, or to undo.
    #[error("the ledger in {0} holds no campaign yet")]
    NoCampaign(String),
    /// No rollout changed anything.
    #[error("the ledger in {0} holds no rollout that changed a bucket, so there is nothing to undo")]
    NothingToUndo(String),
    /// The run cannot go on, or be undone, for what it is.
    #[error("{id} is {what}")]
    NotThat {
        /// The run.
        id: String,
        /// What it is, and why that does not do.
        what: &'static str,
    },
    /// The campaign file differs where it decides outcomes.
    #[error("{} of the campaign file {verb} from what {id} began with", settings.join(" and "), verb = if settings.len() == 1 { "differs" } else { "differ" })]
    OtherTarget {
        /// The run.
        id: String,
        /// The tables of the campaign file that differ.
        settings: Vec<String>,
    },
    /// The campaign was undone by an earlier version, so its record does not say how its buckets are.
    #[error("campaign {id} was undone by {by}, in part at least")]
    Undone {
        /// The campaign.
        id: String,
        /// The rollback.
        by: String,
    },
    /// A wave of the campaign was rolled back: it goes no further before that wave is redone.
    #[error(
        "{} was undone by {by}, finished {}: {buckets} buckets are rolled back, and nothing more is sealed before a redo is requested",
        wave_of(*wave, *waves, id),
        at.strftime("%Y-%m-%d %H:%M:%S UTC")
    )]
    WaveRolledBack {
        /// The campaign.
        id: String,
        /// The first wave that was rolled back.
        wave: u32,
        /// Whether the campaign has waves.
        waves: bool,
        /// The rollback.
        by: String,
        /// When it ended.
        at: jiff::Timestamp,
        /// How many of the wave's buckets are rolled back.
        buckets: u64,
    },
    /// The wave that is to be redone was not rolled back.
    #[error("wave {wave} of campaign {id} is not rolled back: it is {state}, so there is nothing to redo")]
    NotRolledBack {
        /// The campaign.
        id: String,
        /// The wave.
        wave: u32,
        /// How far it has come.
        state: &'static str,
    },
    /// The command was told to stop before its run began.
    #[error("stopped before the run began: nothing was read or changed")]
    StoppedBefore,
    /// A rollback of other buckets of the same campaign is not finished.
    #[error(
        "the rollback {rollback}, of {covers}, is not finished, and this command selects {}",
        rollback_covers(campaign, *wave, narrowed)
    )]
    OtherRollbackOpen {
        /// The rollback that is not finished.
        rollback: String,
        /// What it covers, in words.
        covers: String,
        /// The campaign.
        campaign: String,
        /// The wave that is asked for.
        wave: Option<u32>,
        /// The selection that is asked for.
        narrowed: Box<Narrowed>,
    },
    /// An earlier rollback of the same campaign is not done with.
    #[error("the rollback {0} of this campaign is not finished")]
    RollbackOpen(String),
    /// A rollback was requested, and has not come to its end: sealing goes no further until a person says which of both counts.
    #[error(
        "a rollback of {} was requested at {} by {} and is not finished",
        rollback_covers(campaign, request.wave, &request.narrowed),
        request.requested_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        request.session.caller
    )]
    RollbackRequested {
        /// The campaign that is to be rolled back.
        campaign: String,
        /// What was requested.
        request: Box<RollbackRequest>,
    },
    /// There is no request to cancel.
    #[error("the ledger in {0} holds no requested rollback")]
    NoRollbackRequested(String),
    /// The selection names nothing that exists.
    #[error("the selection matches no {0}")]
    NothingSelected(&'static str),
    /// The plan cannot be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan is not the approved one.
    #[error("the plan {plan} is not the one that was approved: its sha256 is {found}, and {wanted} was approved")]
    OtherPlan {
        /// The plan's id.
        plan: String,
        /// The file's hash.
        found: String,
        /// The approved hash.
        wanted: String,
    },
    /// The document cannot be shared with so many accounts.
    #[error(
        "account {owner} would have to share the document with {accounts} accounts, and Systems Manager allows {SHARING_QUOTA}"
    )]
    TooManyToShare {
        /// `document.owner`.
        owner: String,
        /// Accounts in scope besides it.
        accounts: usize,
    },
    /// Nobody says that the plan was approved.
    #[error(
        "nothing shows that the plan {0} is as it was when it was made: this ledger does not know it, and no sha256 is given"
    )]
    UnknownPlan(String),
    /// The plan was made for something else.
    #[error("the plan {plan} was made for {made_for}, and this is {this}")]
    PlanOfOther {
        /// The plan's id.
        plan: String,
        /// What it was made for.
        made_for: String,
        /// What this is.
        this: String,
    },
    /// The campaign file differs from the plan's where it decides outcomes.
    #[error("{} of the campaign file {verb} from what the plan {plan} was made with", settings.join(" and "), verb = if settings.len() == 1 { "differs" } else { "differ" })]
    PlanOfOtherSettings {
        /// The plan's id.
        plan: String,
        /// The tables of the campaign file that differ.
        settings: Vec<String>,
    },
    /// The copy of the approved plan in the state folder is lost, or another one by now.
    #[error("the approved plan {plan}, kept in {}, cannot be used: {why}", path.display())]
    KeptPlan {
        /// The plan's id.
        plan: String,
        /// Where it was kept.
        path: PathBuf,
        /// The hash that was approved.
        sha256: String,
        /// Why.
        why: String,
    },
    /// The plan is dated in the future.
    #[error(
        "the plan {plan} is dated {created_at}, which is {ahead} in the future: the clock of the machine that made it was wrong"
    )]
    PlanFromFuture {
        /// The plan's id.
        plan: String,
        /// When it says that it was made.
        created_at: jiff::Timestamp,
        /// How far off that is, in words.
        ahead: String,
    },
    /// The plan is too old.
    #[error("the plan {plan} is {age} old, and [plan] max_age is {limit}")]
    PlanTooOld {
        /// The plan's id.
        plan: String,
        /// Its age in words.
        age: String,
        /// The limit in words.
        limit: String,
    },
    /// A wave of the newest campaign is not done with.
    #[error("wave {wave} of campaign {campaign} is {state}: a new rollout would skip the rest of it")]
    WaveOpen {
        /// The campaign.
        campaign: String,
        /// The wave.
        wave: u32,
        /// How far it has come.
        state: &'static str,
    },
    /// A wave names an account or OU that is not there.
    #[error("wave {number} names \"{pattern}\", which matches no account of the organization")]
    NobodyInWave {
        /// The wave, from 1.
        number: u32,
        /// What it names.
        pattern: String,
    },
    /// The wave that is to be rolled back changed no bucket.
    #[error("wave {wave} of {campaign} changed no bucket: there is nothing to restore")]
    NothingChangedInWave {
        /// The campaign.
        campaign: String,
        /// The wave.
        wave: u32,
    },
    /// There are fewer waves.
    #[error("there is no wave {wanted}: the campaign file has {waves}")]
    NoSuchWave {
        /// The wave asked for.
        wanted: u32,
        /// How many there are.
        waves: usize,
    },
    /// The record failed: without it nothing may be started.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A task of ours ended by itself.
    #[error("a task of orgseal ended unexpectedly: {0}")]
    Task(String),
}

impl CampaignError {
    /// Whether orgseal itself is at fault: what was under way is not known to have been finished.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self, CampaignError::Task(_) | CampaignError::Ledger(LedgerError::Illegal { .. }))
    }
}
