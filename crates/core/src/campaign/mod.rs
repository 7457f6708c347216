//! A run, top to bottom: discover, read and judge, then (in a rollout) seal, follow and read back.
//!
//! No engine and no graph: plain async code. Limits stand where the streams are made.

mod audit;
mod discover;
mod follow;
mod pace;
mod read;
mod rollout;
mod seal;
mod slots;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, ConnectError, Organization};
use crate::config::{CampaignFile, Loaded};
use crate::event::{Event, Events};
use crate::judge::{self, Wanted};
use crate::ledger::{Binding, Ledger, LedgerError, NewRun, Reader, Run};
use crate::model::{AwsError, Bucket, DefaultEncryption, Judgement, KeyMap, now};
use crate::plan::Selection;

pub use rollout::{Preview, RegionPreview, RolloutOptions};

/// Every session of ours in a member account bears a name that begins so; the run's id follows.
const SESSION_PREFIX: &str = "orgseal-";

/// Audit or rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read-only.
    Audit,
    /// Reads, then changes.
    Rollout(RolloutOptions),
}

impl Kind {
    /// The name in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Audit => "audit",
            Kind::Rollout(_) => "rollout",
        }
    }
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
    /// The command line names an account that is not there.
    #[error("account {0} is not in this organization")]
    NoSuchAccount(String),
    /// The selection names nothing that exists.
    #[error("the selection matches no {0}")]
    NothingSelected(&'static str),
    /// The guards do not exist yet.
    #[error(
        "the checks that keep a change from breaking an application (guards) are not built yet, and {0} is not a sandbox on this machine"
    )]
    GuardsMissing(String),
    /// The record failed: without it nothing may be started.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A task of ours ended by itself.
    #[error("a task of orgseal ended unexpectedly: {0}")]
    Task(String),
}

/// A run and all that it works with.
pub struct Campaign {
    aws: Aws,
    organization: Organization,
    file: CampaignFile,
    keys: KeyMap,
    selection: Selection,
    ledger: Ledger,
    events: Events,
    stop: CancellationToken,
    id: String,
    options: RolloutOptions,
}

/// What the command line narrows a run to. Empty lists mean "all".
#[derive(Clone, Debug, Default)]
pub struct Narrowed {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Region names.
    pub regions: Vec<String>,
    /// Bucket names.
    pub buckets: Vec<String>,
}

impl Narrowed {
    /// In words, for the record; empty for everything.
    fn in_words(&self) -> String {
        let part =
            |name: &str, values: &[String]| (!values.is_empty()).then(|| format!("{name} {}", values.join(", ")));
        [part("account", &self.accounts), part("region", &self.regions), part("bucket", &self.buckets)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    }
}

impl Campaign {
    /// Begins a run: learns which organization this is, opens its ledger, writes down who runs what.
    pub async fn begin(
        aws: Aws,
        loaded: Loaded,
        kind: Kind,
        narrowed: Narrowed,
        state: &Path,
        events: Events,
        stop: CancellationToken,
    ) -> Result<Arc<Campaign>, CampaignError> {
        let options = match kind {
            Kind::Audit => RolloutOptions { dry_run: true, without_guards: false },
            Kind::Rollout(options) => options,
        };
        // What starts nothing breaks nothing.
        if !aws.is_loopback() && !options.without_guards && !options.dry_run {
            return Err(CampaignError::GuardsMissing(aws.endpoint()));
        }
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
        let id = new_id(kind);
        let ledger = Ledger::open(state, &binding)?
            .begin(NewRun {
                id: id.clone(),
                kind: kind.as_str(),
                caller: aws.caller().arn.clone(),
                version: env!("CARGO_PKG_VERSION"),
                host: std::env::var("HOSTNAME").unwrap_or_else(|_| host()),
                config_hash: loaded.hash,
                selection: narrowed.in_words(),
            })
            .await?;
        events.emit(&Event::RunStarted { run: id.clone(), kind: kind.as_str(), organization: organization.id.clone() });
        let keys = loaded.campaign.keys();
        let selection = Selection::new(&loaded.campaign, narrowed.accounts, narrowed.regions, narrowed.buckets);
        Ok(Arc::new(Campaign {
            aws,
            organization,
            file: loaded.campaign,
            keys,
            selection,
            ledger,
            events,
            stop,
            id,
            options,
        }))
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
        judge::judge(found, bucket, wanted.as_ref(), &self.keys, &self.file.encryption.replace)
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

/// `audit-20261125T030000Z-1a2b`: sorts by time, tells the kind, and does not collide. At most 56 characters, so that it
/// fits a role session's name.
fn new_id(kind: Kind) -> String {
    let tail = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}-{}", kind.as_str(), now().strftime("%Y%m%dT%H%M%SZ"), &tail[..6])
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
