//! A run, top to bottom: discover, read and judge, then (in a rollout) seal, follow and read back.
//!
//! No engine and no graph: plain async code. Limits stand where the streams are made.

mod account;
mod adoptable;
mod audit;
mod bake;
mod bucket;
mod change;
mod discover;
mod examine;
mod fail_point;
mod follow;
mod former_key;
mod key_proof;
mod key_watch;
mod life;
mod pace;
mod place;
mod planning;
mod population;
mod preflight;
mod read;
mod read_back;
mod restore;
mod slots;
mod start;
mod start_rate;
mod tolerance;
mod waves;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, ConnectError, Organization};
use crate::config::{CampaignFile, Exemptions, Loaded, SHARING_QUOTA, differences};
use crate::event::{Event, Events};
use crate::host::host;
use crate::judge::{self, Choices, Wanted};
use crate::ledger::{Binding, Ledger, LedgerError, NewRun, NewSession, Reader, Run};
use crate::model::{AwsError, Bucket, DefaultEncryption, Judgement, KeyMap, Operation, Restore, now};
pub use crate::plan::Narrowed;
use crate::plan::{PlanError, PlanFile, Selection};

use examine::GuardKeys;
use key_proof::KeyProofs;
use key_watch::KeyWatch;
use planning::PlanDocuments;
use population::Population;

pub use change::{Decide, Preview, RegionPreview, WavePreview};
pub use planning::WrittenPlan;
pub use preflight::preflight;
pub use waves::WaveQuestion;

/// Every session of ours in a member account bears a name that begins so; the run's id follows.
const SESSION_PREFIX: &str = "orgseal-";
/// What to do where a document would have to be shared with too many accounts.
pub const STACK_SET_WAY: &str =
    "create the document in each account and Region with a service-managed StackSet, and leave document.owner out";
/// The stage of a run in which buckets are changed.
const CHANGING: &str = "changing";

/// What a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read-only.
    Audit,
    /// Read-only: what a rollout would do, for a person to approve.
    Plan {
        /// Gather code for the teams that own buckets as code.
        suggest_code: bool,
    },
    /// Reads, then changes.
    Rollout {
        /// The approved plan that it carries out; `None`: it plans by itself, and asks.
        plan: Option<Box<ApprovedPlan>>,
        /// How it is to go.
        options: ChangeOptions,
    },
    /// Puts back what a campaign changed.
    Rollback {
        /// The campaign; `None` means the newest one.
        of: Option<String>,
        /// Only what was changed in this wave.
        wave: Option<u32>,
        /// How it is to go.
        options: ChangeOptions,
    },
}

impl Kind {
    /// The name in the ledger.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Audit => "audit",
            Kind::Plan { .. } => "plan",
            Kind::Rollout { .. } => "rollout",
            Kind::Rollback { .. } => "rollback",
        }
    }

    fn options(&self) -> ChangeOptions {
        match self {
            Kind::Audit => ChangeOptions { dry_run: true, ..ChangeOptions::default() },
            Kind::Plan { suggest_code } => {
                ChangeOptions { dry_run: true, suggest_code: *suggest_code, ..ChangeOptions::default() }
            }
            Kind::Rollout { options, .. } | Kind::Rollback { options, .. } => options.clone(),
        }
    }
}

/// A plan file that a person approved.
#[derive(Clone, Debug)]
pub struct ApprovedPlan {
    /// The file.
    pub file: PlanFile,
    /// SHA-256 of the file that was approved; `None`: the ledger must know the plan.
    pub sha256: Option<String>,
    /// Who approved it; `None`: the caller.
    pub approver: Option<String>,
}

impl PartialEq for ApprovedPlan {
    fn eq(&self, other: &ApprovedPlan) -> bool {
        self.file.sha256 == other.file.sha256 && self.sha256 == other.sha256 && self.approver == other.approver
    }
}

impl Eq for ApprovedPlan {}

/// How a rollout, its resumption or a rollback is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeOptions {
    /// Stop before the first start.
    pub dry_run: bool,
    /// Try again what failed, and what was held back for a cause that somebody may have put right.
    pub retry_failed: bool,
    /// Learn the outcome of what is in flight, and start nothing.
    pub settle_only: bool,
    /// Gather code for the teams that own buckets as code.
    pub suggest_code: bool,
    /// Begin no wave after this one.
    pub until_wave: Option<u32>,
    /// Waves that a person approved beforehand.
    pub approved_waves: BTreeSet<u32>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It went to its end.
    Finished,
    /// It was told to stop.
    Interrupted,
    /// The person who was asked said no.
    Declined,
    /// It stopped before the first start, as it was told to.
    DryRun,
    /// It did what the command line narrowed it to, and there is more to do.
    Narrowed,
    /// More failed than the campaign tolerates.
    Stopped,
    /// Something speaks against a wave: the next one must not begin.
    WaveStopped,
    /// The next wave waits for a person's approval.
    WaveWaits,
    /// It was told to begin no further wave.
    UntilWave,
    /// The caller's own credentials are not valid any more.
    CredentialsExpired,
    /// The run as a whole could not go on.
    Failed,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Ending::Finished => "finished",
            Ending::Interrupted => "interrupted",
            Ending::Declined => "declined",
            Ending::DryRun => "dry_run",
            Ending::Narrowed => "paused: narrowed",
            Ending::Stopped => "stopped: failure tolerance passed",
            Ending::WaveStopped => "stopped: wave",
            Ending::WaveWaits => "paused: approval",
            Ending::UntilWave => "paused: until wave",
            Ending::CredentialsExpired => "paused: credentials expired",
            Ending::Failed => "failed",
        }
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
    /// The campaign was undone, so its record does not say any more how its buckets are.
    #[error("campaign {id} was undone by {by}, in part at least")]
    Undone {
        /// The campaign.
        id: String,
        /// The rollback.
        by: String,
    },
    /// An earlier rollback of the same campaign is not done with.
    #[error("the rollback {0} of this campaign is not finished")]
    RollbackOpen(String),
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
    /// The campaign file names fewer waves.
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
    guard_keys: GuardKeys,
    /// It makes a plan.
    plans: bool,
    /// It looks ahead of the verdict: at waves and guards.
    looks_ahead: bool,
    plan_documents: PlanDocuments,
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
}

/// What decides a run's outcomes, kept with it: whoever goes on with it must want the same.
#[derive(Serialize, Deserialize)]
struct Target {
    settings: serde_json::Value,
    narrowed: Narrowed,
    /// Of a rollback: only what was changed in this wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wave: Option<u32>,
}

impl Campaign {
    /// Begins a run: learns which organization this is, opens its ledger, writes down who runs what.
    pub async fn begin(setting: Setting, kind: Kind) -> Result<Arc<Campaign>, CampaignError> {
        let (organization, ledger) = open(&setting).await?;
        let (parent, unfinished) = match &kind {
            Kind::Rollback { of, .. } => (Some(to_undo(ledger.folder(), of.as_deref())?), None),
            Kind::Rollout { options, .. } if !options.dry_run => (None, unfinished(ledger.folder())?),
            Kind::Audit | Kind::Plan { .. } | Kind::Rollout { .. } => (None, None),
        };
        let (wave, plan) = match &kind {
            Kind::Rollback { wave, .. } => (*wave, None),
            Kind::Rollout { plan: Some(plan), .. } => {
                (None, Some(planning::accept(plan, &setting, &organization, ledger.folder())?))
            }
            _ => (None, None),
        };
        known_waves(&setting.loaded.campaign, &kind.options())?;
        let id = new_id(&kind);
        let settings = setting.loaded.campaign.target();
        let target = Target { settings, narrowed: setting.narrowed.clone(), wave };
        let exemptions = &setting.loaded.exemptions;
        let ledger = ledger
            .begin(NewRun {
                id: id.clone(),
                kind: kind.as_str(),
                parent: parent.clone(),
                target: serde_json::to_string(&target).map_err(|error| CampaignError::Task(error.to_string()))?,
                plan: plan.as_ref().map(|(_, reference)| reference.clone()),
                exemptions: (!exemptions.exemption.is_empty())
                    .then(|| serde_json::to_string(exemptions))
                    .transpose()
                    .map_err(|error| CampaignError::Task(error.to_string()))?,
                session: session(&setting, kind.as_str()),
            })
            .await?;
        let operation = if parent.is_some() { Operation::Restore } else { Operation::Seal };
        let began = Began {
            id,
            kind: kind.as_str(),
            parent,
            operation,
            options: kind.options(),
            of: setting.narrowed.clone(),
            wave,
            plan: plan.map(|(file, _)| file),
            resumed: false,
        };
        let campaign = Campaign::assemble(setting, organization, ledger, began);
        if let Some(plan) = &campaign.plan {
            campaign.lay_out(plan).await?;
        }
        if let Some(earlier) = unfinished {
            let message = format!(
                "campaign {earlier} is not finished; this is a new one, and `orgseal resume --campaign {earlier}` goes on with that"
            );
            campaign.events.emit(&Event::Warning { message });
        }
        Ok(campaign)
    }

    /// Goes on with a rollout or a rollback, the newest one where none is named.
    pub async fn resume(
        setting: Setting,
        campaign: Option<&str>,
        command: &'static str,
        options: ChangeOptions,
    ) -> Result<Arc<Campaign>, CampaignError> {
        let (organization, ledger) = open(&setting).await?;
        let run = {
            let reader = Reader::open(ledger.folder())?;
            match campaign {
                Some(id) => reader.run(id)?,
                None => reader
                    .newest_of(&["rollout", "rollback"])?
                    .ok_or_else(|| CampaignError::NoCampaign(ledger.folder().display().to_string()))?,
            }
        };
        let (kind, operation) = match run.kind.as_str() {
            "rollout" => ("rollout", Operation::Seal),
            "rollback" => ("rollback", Operation::Restore),
            "plan" => {
                let what = "a plan, which starts nothing: `orgseal rollout --plan FILE` carries it out";
                return Err(CampaignError::NotThat { id: run.id, what });
            }
            _ => {
                let what = "an audit, which ends with its process: run `orgseal audit` again";
                return Err(CampaignError::NotThat { id: run.id, what });
            }
        };
        known_waves(&setting.loaded.campaign, &options)?;
        if !options.settle_only {
            may_go_on(&Reader::open(ledger.folder())?, &run, operation)?;
        }
        let target: Target = serde_json::from_str(&run.target).unwrap_or(Target {
            // A ledger of the first schema knows of none.
            settings: serde_json::Value::Null,
            narrowed: Narrowed::default(),
            wave: None,
        });
        let settings = differences(&target.settings, &setting.loaded.campaign.target());
        if !target.settings.is_null() && !settings.is_empty() && !options.settle_only {
            return Err(CampaignError::OtherTarget { id: run.id, settings });
        }
        let plan = match &run.plan {
            Some(plan) if run.kind == "rollout" && !options.settle_only => Some(planning::kept(ledger.folder(), plan)?),
            _ => None,
        };
        let ledger = ledger.resume(&run.id, session(&setting, command)).await?;
        let began = Began {
            id: run.id,
            kind,
            parent: run.parent,
            operation,
            options,
            of: target.narrowed,
            wave: target.wave,
            plan,
            resumed: true,
        };
        let campaign = Campaign::assemble(setting, organization, ledger, began);
        if let Some(plan) = &campaign.plan {
            campaign.lay_out(plan).await?;
        }
        Ok(campaign)
    }

    fn assemble(setting: Setting, organization: Organization, ledger: Ledger, began: Began) -> Arc<Campaign> {
        let Setting { aws, loaded, narrowed, events, stop, .. } = setting;
        events.emit(&Event::RunStarted {
            run: began.id.clone(),
            kind: began.kind,
            organization: organization.id.clone(),
        });
        let keys = loaded.campaign.keys();
        let selection = Selection::new(&loaded.campaign, &loaded.exemptions, began.of);
        let key_watch = KeyWatch::new(aws.clone(), keys.clone(), loaded.campaign.executions.key_checked_every());
        let aws = aws.with_keys(&keys);
        let key_proofs = KeyProofs::new(aws.clone(), keys.clone(), organization.id.clone(), events.clone());
        Arc::new(Campaign {
            aws,
            organization,
            choices: loaded.campaign.encryption.choices(),
            exemptions: loaded.exemptions,
            file: loaded.campaign,
            config_hash: loaded.hash,
            keys,
            key_watch,
            key_proofs,
            selection,
            narrowed,
            population: OnceLock::new(),
            only_wave: began.wave,
            plan: began.plan,
            guard_keys: GuardKeys::default(),
            plans: began.kind == "plan",
            looks_ahead: matches!(began.kind, "plan" | "rollout"),
            plan_documents: PlanDocuments::default(),
            ledger,
            events,
            no_starts: stop.child_token(),
            stop,
            id: began.id,
            parent: began.parent,
            operation: began.operation,
            options: began.options,
            resumed: began.resumed,
        })
    }

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

    fn wanted(&self, region: &str) -> Option<Wanted> {
        self.file.wanted(&self.keys, region)
    }

    fn judge(&self, found: &DefaultEncryption, bucket: &Bucket) -> Judgement {
        let wanted = self.wanted(&bucket.region);
        judge::judge(found, bucket, wanted.as_ref(), &self.keys, &self.choices)
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
        if outcome.is_err() {
            // When the record itself is what failed, there is nothing to write it to.
            let _ = self.finish(Ending::Failed).await;
        }
        outcome
    }

    /// Ends the run in the record and tells the listeners.
    async fn finish(&self, ending: Ending) -> Result<Ending, CampaignError> {
        self.ledger.finish(ending.as_str()).await?;
        self.events.emit(&Event::RunFinished { state: ending.as_str() });
        Ok(ending)
    }
}

struct Began {
    id: String,
    kind: &'static str,
    parent: Option<String>,
    operation: Operation,
    options: ChangeOptions,
    of: Narrowed,
    wave: Option<u32>,
    plan: Option<PlanFile>,
    resumed: bool,
}

/// Checks that this may be worked on, and opens its ledger.
async fn open(setting: &Setting) -> Result<(Organization, Ledger), CampaignError> {
    let Setting { aws, loaded, state, .. } = setting;
    let organization = aws.organizations().describe().await.map_err(CampaignError::Organization)?;
    if let Some(wanted) = &loaded.campaign.organization.id
        && *wanted != organization.id
    {
        return Err(CampaignError::OtherOrganization { found: organization.id, wanted: wanted.clone() });
    }
    let binding = Binding {
        organization: organization.id.clone(),
        partition: aws.caller().partition.clone(),
        endpoint: aws.binding().to_owned(),
    };
    Ok((organization, Ledger::open(state, &binding)?))
}

/// Whether the waves that the command line names are there.
fn known_waves(file: &CampaignFile, options: &ChangeOptions) -> Result<(), CampaignError> {
    let waves = file.waves().len();
    let named = options.until_wave.iter().chain(&options.approved_waves);
    match named.copied().find(|wave| *wave as usize > waves) {
        Some(wanted) => Err(CampaignError::NoSuchWave { wanted, waves }),
        None => Ok(()),
    }
}

fn session(setting: &Setting, command: &'static str) -> NewSession {
    NewSession {
        command: command.to_owned(),
        caller: setting.aws.caller().arn.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
        pid: std::process::id(),
        config_hash: setting.loaded.hash.clone(),
        selection: setting.narrowed.in_words(),
    }
}

/// The campaign that a rollback is to undo.
fn to_undo(folder: &Path, of: Option<&str>) -> Result<String, CampaignError> {
    let reader = Reader::open(folder)?;
    let run = match of {
        Some(id) => reader.run(id)?,
        None => reader.newest_to_undo()?.ok_or_else(|| CampaignError::NothingToUndo(folder.display().to_string()))?,
    };
    let what = match run.kind.as_str() {
        "rollout" => match open_rollback(&reader, &run)? {
            Some(open) => return Err(CampaignError::RollbackOpen(open)),
            None => return Ok(run.id),
        },
        "rollback" => "a rollback, which is not undone: begin a rollout instead",
        _ => "an audit, which changed nothing",
    };
    Err(CampaignError::NotThat { id: run.id, what })
}

/// Whether a run is one that can go on.
fn may_go_on(reader: &Reader, run: &Run, operation: Operation) -> Result<(), CampaignError> {
    let not_that = |what| Err(CampaignError::NotThat { id: run.id.clone(), what });
    match run.state.as_str() {
        "dry_run" => return not_that("a dry run, which starts nothing: run its command again without --dry-run"),
        "declined" => return not_that("a run that was declined: run its command again"),
        _ => {}
    }
    if operation == Operation::Restore {
        // What it read may have changed since, and its campaign may have moved on.
        if run.stage != CHANGING {
            return not_that("a rollback that has changed nothing yet: run `orgseal rollback` again");
        }
        return Ok(());
    }
    if let Some(open) = open_rollback(reader, run)? {
        return Err(CampaignError::RollbackOpen(open));
    }
    for rollback in reader.rollbacks_of(run)? {
        if reader.summary(&rollback)?.restored > 0 && rollback.stage == CHANGING {
            return Err(CampaignError::Undone { id: run.id.clone(), by: rollback.id });
        }
    }
    Ok(())
}

/// The newest rollout, if it did not come to its end. A rollback that did not is in the way of any rollout: the two would
/// undo each other.
fn unfinished(folder: &Path) -> Result<Option<String>, CampaignError> {
    let reader = Reader::open(folder)?;
    if let Some(rollback) = reader.newest_of(&["rollback"])?
        && is_open(&reader, &rollback)?
    {
        return Err(CampaignError::RollbackOpen(rollback.id));
    }
    let Some(newest) = reader.newest_of(&["rollout"])? else { return Ok(None) };
    Ok((!is_done(&newest)).then_some(newest.id))
}

/// Whether a run came to an end after which nothing goes on.
fn is_done(run: &Run) -> bool {
    [Ending::Finished, Ending::Declined, Ending::DryRun, Ending::Failed]
        .iter()
        .any(|ending| ending.as_str() == run.state)
}

/// A rollback of the campaign that began to change buckets and is not done with.
fn open_rollback(reader: &Reader, campaign: &Run) -> Result<Option<String>, CampaignError> {
    for rollback in reader.rollbacks_of(campaign)? {
        if is_open(reader, &rollback)? {
            return Ok(Some(rollback.id));
        }
    }
    Ok(None)
}

/// Whether a rollback began to change buckets and is not done with.
fn is_open(reader: &Reader, rollback: &Run) -> Result<bool, CampaignError> {
    Ok((!is_done(rollback) && rollback.stage == CHANGING) || reader.in_flight(rollback)? > 0)
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
