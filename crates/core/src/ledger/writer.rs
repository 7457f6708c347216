//! The single writer: a thread that gathers what comes in and commits it in batches.
//!
//! Whoever needs to know that something is durable waits for the commit ([`Ledger::record`]); an audit's findings do not
//! ([`Ledger::note`]), they are durable before the run is called finished.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::apply::{Waiting, apply, cause};
use super::entries::{Head, NewRun, NewSession};
use super::head_file::HeadFile;
use super::lock::Lock;
use super::moves::{BucketEvent, BucketState};
use super::rollback_request::RollbackRequest;
use super::{Binding, HEAD, LedgerError, LookupMark, schema};
use crate::model::{AccountRecord, Bucket, OmissionRecord, WaveRecord};

/// Most events in one transaction.
const BATCH: usize = 4096;
/// How long events that nobody waits for are gathered before a commit.
const GATHER: Duration = Duration::from_millis(50);

/// The record, open for writing. Clones write to the same file, in the order of their calls.
#[derive(Clone)]
pub struct Ledger {
    commands: mpsc::Sender<Command>,
    folder: Arc<Path>,
    run: Option<i64>,
    /// The last entry's time when the ledger was opened, where that was in the future.
    dated_ahead: Option<jiff::Timestamp>,
}

pub(super) type Ack<T> = oneshot::Sender<Result<T, LedgerError>>;

/// A step of laying out what an approved plan says of buckets.
pub(super) enum PlanStep {
    Clear,
    /// Account, name, entry.
    Add(Vec<(String, String, String)>),
    Complete,
}

pub(super) enum Command {
    Begin {
        run: Box<NewRun>,
        ack: Ack<i64>,
    },
    Resume {
        id: String,
        session: Box<NewSession>,
        /// Waves whose rolled-back buckets are reopened.
        redo: BTreeSet<u32>,
        ack: Ack<Option<i64>>,
    },
    Stage {
        run: i64,
        stage: &'static str,
    },
    Wave {
        run: i64,
        wave: Box<WaveRecord>,
        ack: Ack<()>,
    },
    PlanWritten {
        run: i64,
        sha256: String,
        ack: Ack<()>,
    },
    Planned {
        run: i64,
        step: PlanStep,
        ack: Ack<()>,
    },
    Pace {
        run: i64,
        account: String,
        region: String,
        per_second: f64,
    },
    Lookup {
        run: i64,
        mark: Box<LookupMark>,
    },
    Account {
        run: i64,
        record: Box<AccountRecord>,
    },
    Bucket {
        run: i64,
        bucket: Bucket,
        event: Box<BucketEvent>,
        /// What the event teaches about `BlockedEncryptionTypes`: durable with it, or neither is.
        learned: Option<Box<OmissionRecord>>,
        ack: Option<Ack<BucketState>>,
    },
    /// `false`: there is no such campaign.
    RequestRollback {
        campaign: String,
        request: Box<RollbackRequest>,
        ack: Ack<bool>,
    },
    CloseRollbackRequest {
        campaign: String,
        outcome: &'static str,
        ack: Ack<()>,
    },
    Flush {
        ack: Ack<()>,
    },
    Finish {
        run: i64,
        state: &'static str,
        ack: Ack<()>,
    },
}

impl Ledger {
    /// Opens (or creates) the ledger of a state directory for a changing run, and holds the directory's lock for as long as a
    /// clone lives.
    pub fn open(folder: &Path, binding: &Binding) -> Result<Ledger, LedgerError> {
        super::make_folder(folder)?;
        super::check_folder(folder)?;
        let lock = Lock::take(folder)?;
        Ledger::start(folder, binding, Some(lock))
    }

    /// The same for a read-only run: others may be writing at the same time, a changing run too.
    pub fn open_beside_others(folder: &Path, binding: &Binding) -> Result<Ledger, LedgerError> {
        super::make_folder(folder)?;
        super::check_folder(folder)?;
        Ledger::start(folder, binding, None)
    }

    fn start(folder: &Path, binding: &Binding, lock: Option<Lock>) -> Result<Ledger, LedgerError> {
        let wrong = |error: std::io::Error| LedgerError::Folder { path: folder.to_owned(), why: error.to_string() };
        let connection = schema::open_for_writing(folder, binding, lock.is_some())?;
        let head_file = HeadFile::open(folder).map_err(|error| super::unusable(folder, HEAD, &error))?;
        let (commands, inbox) = mpsc::channel(BATCH);
        let shared: Arc<Path> = Arc::from(folder);
        let head = Head::read(&connection, binding).map_err(|error| LedgerError::database(folder, &error))?;
        let dated_ahead = head.dated_ahead();
        let binding = binding.clone();
        let writer =
            Writer { connection, folder: shared.clone(), binding, head, head_file, stopped: None, _lock: lock };
        thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.serve(inbox)).map_err(wrong)?;
        Ok(Ledger { commands, folder: shared, run: None, dated_ahead })
    }

    /// What to say of a ledger whose last entry is dated in the future. It is no reason to refuse: a campaign must be resumed and rolled
    /// back whatever a clock said before.
    #[must_use]
    pub fn dating_warning(&self) -> Option<String> {
        let last = self.dated_ahead?;
        Some(format!(
            "the last entry of the ledger in {} is dated {}, which is in the future: a clock was wrong when it was written. New entries \
             have AWS's time; the order of entries is their number, and `orgseal ledger verify` does not depend on dates",
            self.folder.display(),
            last.strftime("%Y-%m-%d %H:%M:%S UTC"),
        ))
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a run; what the returned ledger records belongs to it.
    pub async fn begin(&self, run: NewRun) -> Result<Ledger, LedgerError> {
        let number = self.ask(|ack| Command::Begin { run: Box::new(run), ack }).await?;
        Ok(Ledger { run: Some(number), ..self.clone() })
    }

    /// Goes on with a run that an earlier process began; what the returned ledger records belongs to it.
    pub async fn resume(&self, id: &str, session: NewSession) -> Result<Ledger, LedgerError> {
        self.redo(id, session, BTreeSet::new()).await
    }

    /// The same, with the rolled-back buckets of these waves reopened: both are durable, or neither is.
    pub async fn redo(&self, id: &str, session: NewSession, redo: BTreeSet<u32>) -> Result<Ledger, LedgerError> {
        let (id_, session) = (id.to_owned(), Box::new(session));
        let number = self.ask(|ack| Command::Resume { id: id_, session, redo, ack }).await?;
        let number = number.ok_or_else(|| LedgerError::NoSuchRun(id.to_owned()))?;
        Ok(Ledger { run: Some(number), ..self.clone() })
    }

    /// Writes down that a run has come to a stage.
    pub async fn stage(&self, stage: &'static str) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Stage { run, stage }).await
    }

    /// Writes down how far a wave has come, and returns when it is durable.
    pub async fn wave(&self, wave: WaveRecord) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.ask(|ack| Command::Wave { run, wave: Box::new(wave), ack }).await
    }

    /// Writes down that the run's plan was written to a file with this hash.
    pub async fn plan_written(&self, sha256: String) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.ask(|ack| Command::PlanWritten { run, sha256, ack }).await
    }

    /// Begins to lay out what an approved plan says of buckets; what was laid out before is removed.
    pub async fn clear_plan(&self) -> Result<(), LedgerError> {
        self.planned(PlanStep::Clear).await
    }

    /// Lays out what an approved plan says of buckets (account, name, entry as JSON) for look-ups.
    pub async fn lay_out_plan(&self, entries: Vec<(String, String, String)>) -> Result<(), LedgerError> {
        self.planned(PlanStep::Add(entries)).await
    }

    /// Writes down the hash of all that was laid out.
    pub async fn complete_plan(&self) -> Result<(), LedgerError> {
        self.planned(PlanStep::Complete).await
    }

    async fn planned(&self, step: PlanStep) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.ask(|ack| Command::Planned { run, step, ack }).await
    }

    /// Writes down that a rollback of a campaign is requested, and returns when it is durable.
    pub async fn request_rollback(&self, campaign: &str, request: RollbackRequest) -> Result<(), LedgerError> {
        let (id, request) = (campaign.to_owned(), Box::new(request));
        match self.ask(|ack| Command::RequestRollback { campaign: id, request, ack }).await? {
            true => Ok(()),
            false => Err(LedgerError::NoSuchRun(campaign.to_owned())),
        }
    }

    /// Writes down that the rollback requested of a campaign will not be carried out, and why.
    pub async fn close_rollback_request(&self, campaign: &str, outcome: &'static str) -> Result<(), LedgerError> {
        self.ask(|ack| Command::CloseRollbackRequest { campaign: campaign.to_owned(), outcome, ack }).await
    }

    /// Remembers how many starts a second an account and Region takes. No evidence, so no entry.
    pub async fn remember_pace(&self, account: &str, region: &str, per_second: f64) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Pace { run, account: account.to_owned(), region: region.to_owned(), per_second }).await
    }

    /// Remembers how far CloudTrail's events of an account and Region were read. No evidence, so no entry.
    pub async fn remember_lookup(&self, mark: LookupMark) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Lookup { run, mark: Box::new(mark) }).await
    }

    /// Writes down an account with its outcome; a later word on the same account replaces an earlier one.
    pub async fn account(&self, record: AccountRecord) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Account { run, record: Box::new(record) }).await
    }

    /// Records what happened to a bucket, and returns when it is durable.
    pub async fn record(&self, bucket: &Bucket, event: BucketEvent) -> Result<BucketState, LedgerError> {
        let run = self.number()?;
        let bucket = bucket.clone();
        self.ask(|ack| Command::Bucket { run, bucket, event: Box::new(event), learned: None, ack: Some(ack) }).await
    }

    /// Records what happened to a bucket and what it teaches about `BlockedEncryptionTypes`, in one transaction.
    pub async fn record_with(
        &self,
        bucket: &Bucket,
        event: BucketEvent,
        learned: Option<OmissionRecord>,
    ) -> Result<BucketState, LedgerError> {
        let run = self.number()?;
        let (bucket, event, learned) = (bucket.clone(), Box::new(event), learned.map(Box::new));
        self.ask(|ack| Command::Bucket { run, bucket, event, learned, ack: Some(ack) }).await
    }

    /// Records what happened to a bucket without waiting. An error shows at the next call that waits.
    pub async fn note(&self, bucket: Bucket, event: BucketEvent) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Bucket { run, bucket, event: Box::new(event), learned: None, ack: None }).await
    }

    /// Returns when everything recorded before is durable.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        self.ask(|ack| Command::Flush { ack }).await
    }

    /// Ends the run. Everything recorded before is durable when this returns.
    pub async fn finish(&self, state: &'static str) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.ask(|ack| Command::Finish { run, state, ack }).await
    }

    fn number(&self) -> Result<i64, LedgerError> {
        self.run.ok_or_else(|| LedgerError::Stopped("no run was begun".to_owned()))
    }

    async fn send(&self, command: Command) -> Result<(), LedgerError> {
        self.commands.send(command).await.map_err(|_| gone())
    }

    async fn ask<T>(&self, command: impl FnOnce(Ack<T>) -> Command) -> Result<T, LedgerError> {
        let (ack, answer) = oneshot::channel();
        self.send(command(ack)).await?;
        match answer.await {
            Ok(answer) => answer,
            // The command itself is what failed: the next caller is told why the ledger stopped.
            Err(_) => {
                let (ack, answer) = oneshot::channel();
                self.send(Command::Flush { ack }).await?;
                Err(answer.await.ok().and_then(Result::err).unwrap_or_else(gone))
            }
        }
    }
}

fn gone() -> LedgerError {
    LedgerError::Stopped("its writer is gone".to_owned())
}

struct Writer {
    connection: Connection,
    folder: Arc<Path>,
    binding: Binding,
    head: Head,
    head_file: HeadFile,
    stopped: Option<String>,
    _lock: Option<Lock>,
}

impl Writer {
    fn serve(mut self, mut inbox: mpsc::Receiver<Command>) {
        while let Some(first) = inbox.blocking_recv() {
            let batch = gather(first, &mut inbox);
            if let Some(why) = &self.stopped {
                let error = LedgerError::Stopped(why.clone());
                batch.into_iter().for_each(|command| refuse(command, &error));
                continue;
            }
            if let Err(error) = self.commit(batch) {
                self.stopped = Some(error.to_string());
            }
        }
    }

    /// One transaction. Nobody is told that something is durable before it is.
    fn commit(&mut self, batch: Vec<Command>) -> Result<(), LedgerError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| LedgerError::database(&folder, &error);
        let mut waiting: Vec<Waiting> = Vec::with_capacity(batch.len());
        let at_an_edge = batch.iter().any(Command::is_an_edge);
        let mut commands = batch.into_iter();
        let mut head = self.head.clone();
        let mut outcome = Ok(());
        // Another process may append as well: this transaction locks the ledger from here on, and continues from its last entry.
        match self.connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => {
                match Head::read(&transaction, &self.binding) {
                    Ok(newest) => head = Head { run: head.run, ..newest },
                    Err(error) => outcome = Err(wrong(error)),
                }
                while outcome.is_ok()
                    && let Some(command) = commands.next()
                {
                    outcome = apply(&transaction, &mut head, command, &mut waiting).map_err(wrong);
                }
                outcome = outcome.and_then(|()| head.confirm(&transaction).map_err(wrong));
                outcome = outcome.and_then(|()| transaction.commit().map_err(wrong));
            }
            Err(error) => outcome = Err(wrong(error)),
        }
        // Kept before anybody is told: what a request to AWS rests on is missed where the ledger loses it.
        let kept = |writer: &mut Writer| writer.head_file.keep(head.seq, &head.hash);
        if outcome.is_ok() {
            outcome = kept(self).map_err(|error| super::unusable(&folder, HEAD, &error));
        }
        match &outcome {
            Ok(()) => {
                self.head = head;
                if at_an_edge {
                    self.gather_in();
                }
            }
            Err(error) => commands.for_each(|command| refuse(command, error)),
        }
        for tell in waiting {
            tell(outcome.as_ref().err());
        }
        outcome
    }
}

impl Writer {
    /// Brings what the log holds into the file at the edges of runs and waves: the log's checksums end it at the first damaged
    /// byte, and the process may end before the connection is closed. A reader is not waited for.
    fn gather_in(&self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

/// Takes what is there; waits a little for more when nobody waits for the commit.
fn gather(first: Command, inbox: &mut mpsc::Receiver<Command>) -> Vec<Command> {
    let mut hurried = first.is_waited_for();
    let mut batch = vec![first];
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH {
        match inbox.try_recv() {
            Ok(command) => {
                hurried |= command.is_waited_for();
                batch.push(command);
            }
            Err(mpsc::error::TryRecvError::Empty) if !hurried && Instant::now() < until => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(_) => break,
        }
    }
    batch
}

impl Command {
    /// Whether it is the edge of a run or wave.
    fn is_an_edge(&self) -> bool {
        matches!(
            self,
            Command::Begin { .. }
                | Command::Resume { .. }
                | Command::Stage { .. }
                | Command::Wave { .. }
                | Command::PlanWritten { .. }
                | Command::RequestRollback { .. }
                | Command::Finish { .. }
        )
    }

    fn is_waited_for(&self) -> bool {
        match self {
            Command::Begin { .. }
            | Command::Resume { .. }
            | Command::Wave { .. }
            | Command::PlanWritten { .. }
            | Command::Planned { .. }
            | Command::RequestRollback { .. }
            | Command::CloseRollbackRequest { .. }
            | Command::Flush { .. }
            | Command::Finish { .. } => true,
            Command::Bucket { ack, .. } => ack.is_some(),
            Command::Account { .. } | Command::Stage { .. } | Command::Pace { .. } | Command::Lookup { .. } => false,
        }
    }
}

fn refuse(command: Command, error: &LedgerError) {
    let stopped = || LedgerError::Stopped(cause(error));
    match command {
        Command::Begin { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Resume { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::RequestRollback { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Flush { ack }
        | Command::Finish { ack, .. }
        | Command::Wave { ack, .. }
        | Command::CloseRollbackRequest { ack, .. }
        | Command::PlanWritten { ack, .. }
        | Command::Planned { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Bucket { ack: Some(ack), .. } => drop(ack.send(Err(stopped()))),
        Command::Bucket { ack: None, .. }
        | Command::Account { .. }
        | Command::Stage { .. }
        | Command::Pace { .. }
        | Command::Lookup { .. } => {}
    }
}
