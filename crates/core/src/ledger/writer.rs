//! The single writer: a thread that gathers what comes in and commits it in batches.
//!
//! Whoever needs to know that something is durable waits for the commit ([`Ledger::record`]); an audit's findings do not
//! ([`Ledger::note`]), they are durable before the run is called finished.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tokio::sync::{mpsc, oneshot};

use super::lock::Lock;
use super::moves::{BucketEvent, BucketState, transition};
use super::{Binding, LedgerError, schema};
use crate::model::{AccountRecord, Bucket, Execution, Judgement, now};

/// Most events in one transaction.
const BATCH: usize = 4096;
/// How long events that nobody waits for are gathered before a commit.
const GATHER: Duration = Duration::from_millis(50);

/// A run about to begin, with who runs it.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id.
    pub id: String,
    /// `audit` or `rollout`.
    pub kind: &'static str,
    /// The caller's ARN.
    pub caller: String,
    /// This program's version.
    pub version: &'static str,
    /// The machine.
    pub host: String,
    /// SHA-256 of the campaign file in force.
    pub config_hash: String,
    /// What the command line narrowed it to.
    pub selection: String,
}

/// The record, open for writing. Clones write to the same file, in the order of their calls.
#[derive(Clone)]
pub struct Ledger {
    commands: mpsc::Sender<Command>,
    folder: Arc<Path>,
    run: Option<i64>,
}

type Ack<T> = oneshot::Sender<Result<T, LedgerError>>;

enum Command {
    Begin { run: Box<NewRun>, ack: Ack<i64> },
    Account { run: i64, record: Box<AccountRecord> },
    Bucket { run: i64, bucket: Bucket, event: Box<BucketEvent>, ack: Option<Ack<BucketState>> },
    Flush { ack: Ack<()> },
    Finish { run: i64, state: &'static str, ack: Ack<()> },
}

impl Ledger {
    /// Opens (or makes) the ledger of a state folder, and holds the folder's lock for as long as a clone lives.
    pub fn open(folder: &Path, binding: &Binding) -> Result<Ledger, LedgerError> {
        let wrong = |error: std::io::Error| LedgerError::Folder { path: folder.to_owned(), why: error.to_string() };
        super::make_folder(folder)?;
        let lock = Lock::take(folder)?;
        let connection = schema::open_for_writing(folder, binding)?;
        let (commands, inbox) = mpsc::channel(BATCH);
        let shared: Arc<Path> = Arc::from(folder);
        let writer = Writer { connection, folder: shared.clone(), stopped: None, _lock: lock };
        thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.serve(inbox)).map_err(wrong)?;
        Ok(Ledger { commands, folder: shared, run: None })
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

    /// Writes down an account with its outcome; a later word on the same account replaces an earlier one.
    pub async fn account(&self, record: AccountRecord) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Account { run, record: Box::new(record) }).await
    }

    /// Records what happened to a bucket, and returns when it is durable.
    pub async fn record(&self, bucket: &Bucket, event: BucketEvent) -> Result<BucketState, LedgerError> {
        let run = self.number()?;
        let bucket = bucket.clone();
        self.ask(|ack| Command::Bucket { run, bucket, event: Box::new(event), ack: Some(ack) }).await
    }

    /// Records what happened to a bucket without waiting. An error shows at the next call that waits.
    pub async fn note(&self, bucket: Bucket, event: BucketEvent) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Bucket { run, bucket, event: Box::new(event), ack: None }).await
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
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> LedgerError {
    LedgerError::Stopped("its writer is gone".to_owned())
}

struct Writer {
    connection: Connection,
    folder: Arc<Path>,
    stopped: Option<String>,
    _lock: Lock,
}

/// A call that waits, with what to tell it once the batch is durable.
type Waiting = Box<dyn FnOnce(Option<&LedgerError>) + Send>;

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
        let transaction = self.connection.transaction().map_err(wrong)?;
        let mut waiting: Vec<Waiting> = Vec::with_capacity(batch.len());
        let mut outcome = Ok(());
        let mut commands = batch.into_iter();
        for command in commands.by_ref() {
            match apply(&transaction, command, &mut waiting) {
                Ok(()) => {}
                Err(error) => {
                    outcome = Err(wrong(error));
                    break;
                }
            }
        }
        let outcome = outcome.and_then(|()| transaction.commit().map_err(wrong));
        if let Err(error) = &outcome {
            commands.for_each(|command| refuse(command, error));
        }
        for tell in waiting {
            tell(outcome.as_ref().err());
        }
        outcome
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
    fn is_waited_for(&self) -> bool {
        match self {
            Command::Begin { .. } | Command::Flush { .. } | Command::Finish { .. } => true,
            Command::Bucket { ack, .. } => ack.is_some(),
            Command::Account { .. } => false,
        }
    }
}

fn refuse(command: Command, error: &LedgerError) {
    let stopped = || LedgerError::Stopped(error.to_string());
    match command {
        Command::Begin { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Flush { ack } | Command::Finish { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Bucket { ack: Some(ack), .. } => drop(ack.send(Err(stopped()))),
        Command::Bucket { ack: None, .. } | Command::Account { .. } => {}
    }
}

/// What a waiting call is told after the commit.
fn once_durable<T: Send + 'static>(ack: Ack<T>, value: T) -> Waiting {
    Box::new(move |error| {
        let answer = match error {
            None => Ok(value),
            Some(error) => Err(LedgerError::Stopped(error.to_string())),
        };
        drop(ack.send(answer));
    })
}

fn apply(transaction: &Transaction<'_>, command: Command, waiting: &mut Vec<Waiting>) -> rusqlite::Result<()> {
    match command {
        Command::Begin { run, ack } => {
            transaction.execute(
                "INSERT INTO run (id, kind, state, started_at, caller, version, host, config_hash, selection)
                 VALUES (?1, ?2, 'running', ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    run.id,
                    run.kind,
                    now().as_millisecond(),
                    run.caller,
                    run.version,
                    run.host,
                    run.config_hash,
                    run.selection
                ],
            )?;
            waiting.push(once_durable(ack, transaction.last_insert_rowid()));
        }
        Command::Account { run, record } => {
            let outcome = json(&record.outcome)?;
            transaction
                .prepare_cached(
                    "INSERT INTO account (run, id, name, state, outcome, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET outcome = excluded.outcome, error = excluded.error",
                )?
                .execute(params![
                    run,
                    record.id,
                    record.name,
                    record.state,
                    outcome.trim_matches('"'),
                    record.error.as_ref().map(json).transpose()?
                ])?;
        }
        Command::Bucket { run, bucket, event, ack } => {
            let before = read_state(transaction, run, &bucket)?;
            let at = now();
            match transition(before.as_ref(), &event, at) {
                Ok(after) => {
                    write_state(transaction, run, &bucket, &after, at)?;
                    write_entry(transaction, run, &bucket, &event, at)?;
                    waiting.extend(ack.map(|ack| once_durable(ack, after)));
                }
                // An illegal move is the caller's fault and is told to the caller; the record itself stays sound.
                Err(illegal) => match ack {
                    Some(ack) => drop(ack.send(Err(illegal.into()))),
                    None => return Err(rusqlite::Error::ToSqlConversionFailure(Box::new(illegal))),
                },
            }
        }
        Command::Flush { ack } => waiting.push(once_durable(ack, ())),
        Command::Finish { run, state, ack } => {
            transaction.execute(
                "UPDATE run SET state = ?2, finished_at = ?3 WHERE number = ?1",
                params![run, state, now().as_millisecond()],
            )?;
            waiting.push(once_durable(ack, ()));
        }
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn write_state(
    transaction: &Transaction<'_>,
    run: i64,
    bucket: &Bucket,
    state: &BucketState,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let execution = state.execution.as_ref();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO bucket
             (run, account, name, region, phase, verdict, reason, observed, encryption, found, left_as, intent, execution,
              status, error, starts, touched_at, restore, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?
        .execute(params![
            run,
            bucket.account,
            bucket.name,
            bucket.region,
            state.phase.as_str(),
            state.judgement.verdict.as_str(),
            state.judgement.reason.as_str(),
            state.judgement.observed.map(|reason| reason.as_str()),
            state.encryption.as_ref().map(json).transpose()?,
            state.found.as_ref().map(json).transpose()?,
            state.left.as_ref().map(json).transpose()?,
            state.intent.as_ref().map(json).transpose()?,
            execution.map(|execution| execution.id.as_str()),
            execution.and_then(|execution| execution.status.as_ref()).map(|status| status.as_str()),
            state.error.as_ref().map(json).transpose()?,
            state.starts,
            state.touched_at.map(jiff::Timestamp::as_millisecond),
            state.restore.as_ref().map(json).transpose()?,
            at.as_millisecond(),
        ])?;
    Ok(())
}

fn write_entry(
    transaction: &Transaction<'_>,
    run: i64,
    bucket: &Bucket,
    event: &BucketEvent,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO entry (run, at, account, region, bucket, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![run, at.as_millisecond(), bucket.account, bucket.region, bucket.name, json(event)?])?;
    Ok(())
}

fn read_state(transaction: &Transaction<'_>, run: i64, bucket: &Bucket) -> rusqlite::Result<Option<BucketState>> {
    transaction
        .prepare_cached(&format!("SELECT {STATE_COLUMNS} FROM bucket WHERE run = ?1 AND account = ?2 AND name = ?3"))?
        .query_row(params![run, bucket.account, bucket.name], state_of)
        .optional()
}

/// The columns that [`state_of`] reads, in its order.
pub(super) const STATE_COLUMNS: &str = "phase, verdict, reason, observed, encryption, found, left_as, intent, execution, status, error, starts, touched_at, \
     restore, at";
/// How many there are: what a query selects besides begins there.
pub(super) const STATE_WIDTH: usize = 15;

/// A bucket's state from a row that begins with [`STATE_COLUMNS`].
pub(super) fn state_of(row: &Row<'_>) -> rusqlite::Result<BucketState> {
    let (id, status): (Option<String>, Option<String>) = (row.get(8)?, row.get(9)?);
    Ok(BucketState {
        phase: word(row, 0)?,
        judgement: Judgement {
            verdict: word(row, 1)?,
            reason: word(row, 2)?,
            observed: if row.get_ref(3)?.as_str_or_null()?.is_some() { Some(word(row, 3)?) } else { None },
        },
        encryption: parsed(row, 4)?,
        found: parsed(row, 5)?,
        left: parsed(row, 6)?,
        intent: parsed(row, 7)?,
        execution: id.map(|id| Execution { id, status: status.as_deref().map(Into::into) }),
        error: parsed(row, 10)?,
        starts: row.get(11)?,
        touched_at: row.get::<_, Option<i64>>(12)?.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()),
        restore: parsed(row, 13)?,
    })
}

/// A bare word, as our enums are kept.
fn word<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(text)).map_err(|error| unreadable(column, error))
}

fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(column, error))).transpose()
}

fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
