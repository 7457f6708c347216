//! A run, top to bottom: discover, read and judge, then (in a rollout) seal, follow and read back.
//!
//! No engine and no graph: plain async code. Limits stand where the streams are made.

mod account;
mod adoptable;
mod audit;
mod bake;
mod begin;
mod bucket;
mod change;
mod changed_types;
mod control_policies;
mod decide;
mod denial_watch;
mod discover;
mod document;
mod error;
mod examine;
mod execution_failure;
mod fail_point;
mod first_start;
mod follow;
mod former_key;
mod fresh;
mod hands;
mod key_proof;
mod key_watch;
mod kind;
mod life;
mod lost;
mod omission;
mod out_of_scope;
mod pace;
mod place;
mod planning;
mod population;
mod preflight;
mod preview;
mod read;
mod read_back;
mod reading;
mod requested;
mod restore;
mod silence;
mod slots;
mod start;
mod start_rate;
mod target;
mod tolerance;
mod turns;
mod under_way;
mod warnings;
mod wave_denials;
mod waves;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, Organization};
use crate::clock;
use crate::config::{CampaignFile, Exemptions, Loaded};
use crate::event::{Event, Events};
use crate::judge::{self, Choices, Wanted};
use crate::ledger::{Ledger, LedgerCheck, Reader, Run};
use crate::model::{Bucket, DefaultEncryption, Judgement, KeyMap, Operation, Restore, now};
pub use crate::plan::Narrowed;
use crate::plan::{PlanFile, Selection};

use control_policies::ControlReads;
use key_proof::KeyProofs;
use key_watch::KeyWatch;
use lost::Lost;
use omission::Omissions;
use planning::PlanDocuments;
use population::Population;
use warnings::Warnings;

pub use begin::newest_to_resume;
pub use decide::{Decide, DocumentPreview, Part, Preview, RegionPreview, WavePreview, WaveQuestion};
pub use discover::{Listed, listed};
pub use error::{CampaignError, PARTITION_FIX};
#[doc(hidden)]
pub use fail_point::fail_point;
pub use kind::{ApprovedPlan, ChangeOptions, Ending, Kind};
pub use lost::task_lost;
pub use planning::WrittenPlan;
pub use preflight::preflight;
pub use reading::{ReadWatch, no_progress};
pub use requested::{Requested, cancel_rollback, request_rollback, rollback_covers, rollback_to_continue};
pub use target::Target;

/// Every session of ours in a member account bears a name that begins so; the run's id follows.
const SESSION_PREFIX: &str = "orgseal-";
/// What to do where a document would have to be shared with too many accounts.
pub const STACK_SET_WAY: &str =
    "create the document in each account and Region with a service-managed StackSet, and leave document.owner out";
/// The stage of a run in which buckets are changed.
const CHANGING: &str = "changing";

/// What a run is begun with.
pub struct Setting {
    /// The connection, as the security account's caller.
    pub aws: Aws,
    /// The campaign file in force.
    pub loaded: Loaded,
    /// What the command line narrows the run to.
    pub narrowed: Narrowed,
    /// The state folder.
    pub state: PathBuf,
    /// Where events go.
    pub events: Events,
    /// Cancelled when the run is to stop.
    pub stop: CancellationToken,
    /// What the command has checked of the ledger.
    pub checked: LedgerCheck,
}

/// A run and all that it works with.
pub struct Campaign {
    aws: Aws,
    organization: Organization,
    file: CampaignFile,
    keys: KeyMap,
    choices: Choices,
    exemptions: Exemptions,
    config_hash: String,
    key_watch: KeyWatch,
    key_proofs: KeyProofs,
    /// What is known of documents that omit `BlockedEncryptionTypes`.
    omissions: Arc<Omissions>,
    /// What the run was begun for.
    selection: Selection,
    /// What this process is narrowed to beyond that.
    narrowed: Narrowed,
    /// The accounts of the organization, once they are listed.
    population: OnceLock<Population>,
    /// Only what was changed in this wave is undone.
    only_wave: Option<u32>,
    /// The approved plan that is carried out, as it was kept.
    plan: Option<PlanFile>,
    /// It makes a plan.
    plans: bool,
    /// It is an audit that evaluates the guards.
    audits_guards: bool,
    /// It looks ahead of the verdict: at waves and guards.
    looks_ahead: bool,
    plan_documents: PlanDocuments,
    warnings: Warnings,
    lost: Lost,
    controls: ControlReads,
    ledger: Ledger,
    events: Events,
    stop: CancellationToken,
    /// Cancelled when nothing new may be started: what is in flight is followed to its end.
    no_starts: CancellationToken,
    id: String,
    /// The campaign that is undone.
    parent: Option<String>,
    operation: Operation,
    options: ChangeOptions,
    /// It goes on where an earlier process ended.
    resumed: bool,
    /// How the run ended before this process resumed it.
    ended_before: Option<Ending>,
    /// The resumption was declined: only executions in flight are followed.
    follows_only: AtomicBool,
    /// Regions without an endpoint for directory buckets.
    unreachable: out_of_scope::Unreachable,
}

impl Campaign {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The organization.
    #[must_use]
    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    /// The session name in each member account: CloudTrail shows it.
    fn session_name(&self) -> String {
        format!("{SESSION_PREFIX}{}", self.id)
    }

    fn reader(&self) -> Result<(Reader, Run), CampaignError> {
        let reader = Reader::open(self.ledger.folder())?;
        let run = reader.run(&self.id)?;
        Ok((reader, run))
    }

    fn wanted(&self, bucket: &Bucket) -> Option<Wanted> {
        self.file.wanted(self.keys_of(&bucket.account), &bucket.region)
    }

    fn judge(&self, found: &DefaultEncryption, bucket: &Bucket) -> Judgement {
        let wanted = self.wanted(bucket);
        judge::judge(found, bucket, wanted.as_ref(), self.keys_of(&bucket.account), &self.choices)
    }

    /// What a configuration means to this run: to a rollback, whether it is as before.
    fn judge_for(&self, found: &DefaultEncryption, bucket: &Bucket, restore: Option<&Restore>) -> Judgement {
        match restore {
            Some(restore) => judge::judge_restore(found, restore),
            None => self.judge(found, bucket),
        }
    }

    /// Ends a run that failed as a whole, so that it is not taken for one that goes on.
    async fn closed<T>(&self, outcome: Result<T, CampaignError>) -> Result<T, CampaignError> {
        if let Err(error) = &outcome {
            // When the record itself is what failed, there is nothing to write it to.
            let ending = if error.is_internal() { Ending::TaskLost } else { Ending::Failed };
            let _ = self.finish(ending).await;
            // There is nothing to roll back: the campaign may be resumed.
            if let (CampaignError::NothingSelected(_), Some(campaign), false) =
                (error, &self.parent, self.options.dry_run || self.resumed)
            {
                let _ = self.ledger.close_rollback_request(campaign, "nothing to roll back").await;
            }
        }
        outcome
    }

    /// Ends the run in the record and tells the listeners.
    async fn finish(&self, ending: Ending) -> Result<Ending, CampaignError> {
        if let Some(message) = clock::strange_answer() {
            self.events.emit(&Event::Warning { message });
        }
        self.ledger.finish(ending.as_str()).await?;
        self.events.emit(&Event::RunFinished { state: ending.as_str() });
        Ok(ending)
    }
}

/// What a follower learns from an execution that took so long.
#[cfg(test)]
pub(crate) fn learn_for_test(took: Option<std::time::Duration>) {
    let mut pace = pace::Pace::default();
    pace.learn(took.unwrap_or_default());
    let _ = pace.next(std::iter::once(std::time::Instant::now()), true);
}

/// The session name of a command that keeps no record.
#[must_use]
pub fn session_name(command: &str) -> String {
    format!("{SESSION_PREFIX}{}", new_id_of(command))
}

/// `audit-20261125T030000Z-1a2b`: sorts by time, tells the kind, and does not collide. At most 56 characters, so that it
/// fits a role session's name.
fn new_id(kind: &Kind) -> String {
    new_id_of(kind.as_str())
}

/// The same for what a kind is called.
fn new_id_of(kind: &str) -> String {
    let tail = uuid::Uuid::new_v4().simple().to_string();
    format!("{kind}-{}-{}", now().strftime("%Y%m%dT%H%M%SZ"), &tail[..6])
}
