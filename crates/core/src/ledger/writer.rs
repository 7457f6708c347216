//! The single writer: a thread that gathers what comes in and commits it in batches.
//!
//! Whoever needs to know that something is durable waits for the commit ([`Ledger::record`]); an audit's findings do not
//! ([`Ledger::note`]), they are durable before the run is called finished.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::chain::{self, Link};
use super::lock::Lock;
use super::moves::{BucketEvent, BucketState, transition};
use super::{Binding, LedgerError, schema};
use crate::model::{AccountOutcome, AccountRecord, AwsError, Bucket, Execution, Judgement, now};

/// Most events in one transaction.
const BATCH: usize = 4096;
/// How far the clock may be behind the last entry: machines differ.
const CLOCK_BACK: Duration = Duration::from_secs(300);
/// How long events that nobody waits for are gathered before a commit.
const GATHER: Duration = Duration::from_millis(50);

/// A run about to begin, with who runs it.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id.
    pub id: String,
    /// `audit`, `rollout` or `rollback`.
    pub kind: &'static str,
    /// A rollback's campaign.
    pub parent: Option<String>,
    /// What decides its outcomes, as JSON; whoever goes on with it must want the same.
    pub target: String,
    /// Who runs it.
    pub session: NewSession,
}

/// A process that works on a run: who runs what, where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSession {
    /// `audit`, `rollout`, `resume` or `rollback`.
    pub command: String,
    /// The caller's ARN.
    pub caller: String,
    /// This program's version.
    pub version: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// SHA-256 of the campaign file in force.
    pub config_hash: String,
    /// What the command line narrowed it to.
    pub selection: String,
}

/// What happened to a run as a whole, or to an account in it: entries besides those of buckets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum RunEvent {
    RunBegun {
        kind: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        target: String,
        session: NewSession,
        /// Where it was written down later than it happened: the first schema had no entries for runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        began_at: Option<jiff::Timestamp>,
    },
    RunResumed {
        session: NewSession,
    },
    StageBegun {
        stage: String,
    },
    RunEnded {
        state: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<jiff::Timestamp>,
    },
    AccountRecorded {
        name: String,
        state: String,
        outcome: AccountOutcome,
        error: Option<AwsError>,
    },
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
    Resume { id: String, session: Box<NewSession>, ack: Ack<Option<i64>> },
    Stage { run: i64, stage: &'static str },
    Pace { run: i64, account: String, region: String, per_second: f64 },
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
        let head = Head::read(&connection, binding).map_err(|error| LedgerError::database(folder, &error))?;
        clock_is_right(folder, head.at)?;
        let writer = Writer { connection, folder: shared.clone(), head, stopped: None, _lock: lock };
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

    /// Goes on with a run that an earlier process began; what the returned ledger records belongs to it.
    pub async fn resume(&self, id: &str, session: NewSession) -> Result<Ledger, LedgerError> {
        let number = self.ask(|ack| Command::Resume { id: id.to_owned(), session: Box::new(session), ack }).await?;
        let number = number.ok_or_else(|| LedgerError::NoSuchRun(id.to_owned()))?;
        Ok(Ledger { run: Some(number), ..self.clone() })
    }

    /// Writes down that a run has come to a stage.
    pub async fn stage(&self, stage: &'static str) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Stage { run, stage }).await
    }

    /// Remembers how many starts a second an account and Region takes. No evidence, so no entry.
    pub async fn remember_pace(&self, account: &str, region: &str, per_second: f64) -> Result<(), LedgerError> {
        let run = self.number()?;
        self.send(Command::Pace { run, account: account.to_owned(), region: region.to_owned(), per_second }).await
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
    head: Head,
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
        let mut waiting: Vec<Waiting> = Vec::with_capacity(batch.len());
        let finishes = batch.iter().any(|command| matches!(command, Command::Finish { .. }));
        let mut commands = batch.into_iter();
        let mut head = self.head.clone();
        let mut outcome = Ok(());
        match self.connection.transaction() {
            Ok(transaction) => {
                for command in commands.by_ref() {
                    if let Err(error) = apply(&transaction, &mut head, command, &mut waiting) {
                        outcome = Err(wrong(error));
                        break;
                    }
                }
                outcome = outcome.and_then(|()| transaction.commit().map_err(wrong));
            }
            Err(error) => outcome = Err(wrong(error)),
        }
        match &outcome {
            Ok(()) => {
                self.head = head;
                if finishes {
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
    /// Brings what the log holds into the file, so that after a run's end the file alone is the whole record: the process may
    /// end before the connection is closed. Nothing hangs on it, as the log is durable too: a reader is not waited for.
    fn gather_in(&self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

/// The last entry: the next one is chained to it.
#[derive(Clone)]
struct Head {
    seq: i64,
    at: i64,
    hash: String,
    /// The run last written to, with its id: most entries are of the same one.
    run: Option<(i64, String)>,
}

impl Head {
    fn read(connection: &Connection, binding: &Binding) -> rusqlite::Result<Head> {
        let last = connection.query_row("SELECT seq, at, hash FROM entry ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok(Head { seq: row.get(0)?, at: row.get(1)?, hash: row.get(2)?, run: None })
        });
        Ok(last.optional()?.unwrap_or_else(|| Head { seq: 0, at: 0, hash: chain::genesis(binding), run: None }))
    }

    /// Now, and never before what was written last: a clock that goes back in the middle of a run must not turn the order.
    fn now(&self) -> jiff::Timestamp {
        now().max(jiff::Timestamp::from_millisecond(self.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    fn run_id(&mut self, transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<String> {
        if let Some((number, id)) = &self.run
            && *number == run
        {
            return Ok(id.clone());
        }
        let id: String = transaction
            .prepare_cached("SELECT id FROM run WHERE number = ?1")?
            .query_row(params![run], |row| row.get(0))?;
        self.run = Some((run, id.clone()));
        Ok(id)
    }

    /// Writes an entry down, chained to the one before.
    fn add(
        &mut self,
        transaction: &Transaction<'_>,
        run: i64,
        (account, region, bucket): (&str, &str, &str),
        event: &str,
        at: jiff::Timestamp,
    ) -> rusqlite::Result<()> {
        let id = self.run_id(transaction, run)?;
        let link = Link { seq: self.seq + 1, run: &id, at: at.as_millisecond(), account, region, bucket, event };
        let hash = chain::next(&self.hash, &link);
        transaction
            .prepare_cached(
                "INSERT INTO entry (seq, run, at, account, region, bucket, event, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![link.seq, run, link.at, account, region, bucket, event, hash])?;
        (self.seq, self.at, self.hash) = (link.seq, link.at, hash);
        Ok(())
    }
}

/// A clock that is behind what was written last would date what comes before what was.
fn clock_is_right(folder: &Path, last: i64) -> Result<(), LedgerError> {
    let (now, last) = (now(), jiff::Timestamp::from_millisecond(last).unwrap_or(jiff::Timestamp::UNIX_EPOCH));
    if last.as_millisecond() - now.as_millisecond() > CLOCK_BACK.as_millis() as i64 {
        return Err(LedgerError::ClockBack { path: folder.to_owned(), now, last });
    }
    Ok(())
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
            Command::Begin { .. } | Command::Resume { .. } | Command::Flush { .. } | Command::Finish { .. } => true,
            Command::Bucket { ack, .. } => ack.is_some(),
            Command::Account { .. } | Command::Stage { .. } | Command::Pace { .. } => false,
        }
    }
}

/// The first cause, however often it was handed on.
fn cause(error: &LedgerError) -> String {
    match error {
        LedgerError::Stopped(why) => why.clone(),
        error => error.to_string(),
    }
}

fn refuse(command: Command, error: &LedgerError) {
    let stopped = || LedgerError::Stopped(cause(error));
    match command {
        Command::Begin { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Resume { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Flush { ack } | Command::Finish { ack, .. } => drop(ack.send(Err(stopped()))),
        Command::Bucket { ack: Some(ack), .. } => drop(ack.send(Err(stopped()))),
        Command::Bucket { ack: None, .. } | Command::Account { .. } | Command::Stage { .. } | Command::Pace { .. } => {}
    }
}

/// What a waiting call is told after the commit.
fn once_durable<T: Send + 'static>(ack: Ack<T>, value: T) -> Waiting {
    Box::new(move |error| {
        let answer = match error {
            None => Ok(value),
            Some(error) => Err(LedgerError::Stopped(cause(error))),
        };
        drop(ack.send(answer));
    })
}

fn apply(
    transaction: &Transaction<'_>,
    head: &mut Head,
    command: Command,
    waiting: &mut Vec<Waiting>,
) -> rusqlite::Result<()> {
    let at = head.now();
    match command {
        Command::Begin { run, ack } => {
            let NewRun { id, kind, parent, target, session } = *run;
            transaction.execute(
                "INSERT INTO run (id, kind, state, started_at, caller, version, host, config_hash, selection, parent, target)
                 VALUES (?1, ?2, 'running', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    id,
                    kind,
                    at.as_millisecond(),
                    session.caller,
                    session.version,
                    session.host,
                    session.config_hash,
                    session.selection,
                    parent,
                    target
                ],
            )?;
            let number = transaction.last_insert_rowid();
            open_session(transaction, number, &session, at)?;
            let event = RunEvent::RunBegun { kind: kind.to_owned(), parent, target, session, began_at: None };
            head.add(transaction, number, NOWHERE, &json(&event)?, at)?;
            waiting.push(once_durable(ack, number));
        }
        Command::Resume { id, session, ack } => {
            let number: Option<i64> = transaction
                .query_row("SELECT number FROM run WHERE id = ?1", params![id], |row| row.get(0))
                .optional()?;
            if let Some(number) = number {
                transaction.execute(
                    "UPDATE run SET state = 'running', finished_at = NULL WHERE number = ?1",
                    params![number],
                )?;
                open_session(transaction, number, &session, at)?;
                head.add(transaction, number, NOWHERE, &json(&RunEvent::RunResumed { session: *session })?, at)?;
            }
            waiting.push(once_durable(ack, number));
        }
        Command::Stage { run, stage } => {
            transaction.execute("UPDATE run SET stage = ?2 WHERE number = ?1", params![run, stage])?;
            head.add(transaction, run, NOWHERE, &json(&RunEvent::StageBegun { stage: stage.to_owned() })?, at)?;
        }
        Command::Pace { run, account, region, per_second } => {
            transaction.execute(
                "INSERT OR REPLACE INTO pace (run, account, region, per_second) VALUES (?1, ?2, ?3, ?4)",
                params![run, account, region, per_second],
            )?;
        }
        Command::Account { run, record } => {
            let outcome = json(&record.outcome)?;
            transaction
                .prepare_cached(
                    "INSERT INTO account (run, id, name, state, outcome, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET name = excluded.name, state = excluded.state, outcome = excluded.outcome,
                                               error = excluded.error",
                )?
                .execute(params![
                    run,
                    record.id,
                    record.name,
                    record.state,
                    outcome.trim_matches('"'),
                    record.error.as_ref().map(json).transpose()?
                ])?;
            let AccountRecord { id, name, state, outcome, error } = *record;
            let event = RunEvent::AccountRecorded { name, state, outcome, error };
            head.add(transaction, run, (&id, "", ""), &json(&event)?, at)?;
        }
        Command::Bucket { run, bucket, event, ack } => {
            let before = read_state(transaction, run, &bucket)?;
            match transition(before.as_ref(), &event, at) {
                Ok(after) => {
                    write_state(transaction, run, &bucket, &after, at)?;
                    head.add(transaction, run, (&bucket.account, &bucket.region, &bucket.name), &json(&event)?, at)?;
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
                params![run, state, at.as_millisecond()],
            )?;
            transaction.execute(
                "UPDATE session SET ended_at = ?2, ending = ?3
                 WHERE run = ?1 AND number = (SELECT max(number) FROM session WHERE run = ?1)",
                params![run, at.as_millisecond(), state],
            )?;
            let ended = RunEvent::RunEnded { state: state.to_owned(), ended_at: None };
            head.add(transaction, run, NOWHERE, &json(&ended)?, at)?;
            waiting.push(once_durable(ack, ()));
        }
    }
    Ok(())
}

/// The place of what happens to a run as a whole.
const NOWHERE: (&str, &str, &str) = ("", "", "");

fn open_session(
    transaction: &Transaction<'_>,
    run: i64,
    session: &NewSession,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO session (run, number, command, caller, version, host, pid, config_hash, selection, started_at)
         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM session WHERE run = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            run,
            session.command,
            session.caller,
            session.version,
            session.host,
            session.pid,
            session.config_hash,
            session.selection,
            at.as_millisecond()
        ],
    )?;
    Ok(())
}

/// Writes the runs and accounts of the first schema down as entries, after those of its buckets: that schema had none for them.
///
/// `last` is the last of those entries, with its time and hash. The new ones are of now; what they tell of keeps its own times.
pub(super) fn write_down_the_first(
    transaction: &Transaction<'_>,
    (seq, at, hash): (i64, i64, String),
) -> rusqlite::Result<()> {
    // What the rows of that schema lack follows from the entries.
    super::fold::each(transaction, |folded| {
        let state = folded.state.map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))?;
        let at = jiff::Timestamp::from_millisecond(folded.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write_state(transaction, folded.run, &folded.bucket, &state, at)
    })?;
    let mut head = Head { seq, at, hash, run: None };
    let at = head.now();
    let mut runs = transaction.prepare(
        "SELECT number, kind, caller, version, host, config_hash, selection, state, started_at, finished_at FROM run
         ORDER BY number",
    )?;
    let mut rows = runs.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let kind: String = row.get(1)?;
        let session = NewSession {
            command: kind.clone(),
            caller: row.get(2)?,
            version: row.get(3)?,
            host: row.get(4)?,
            pid: 0,
            config_hash: row.get(5)?,
            selection: row.get(6)?,
        };
        let (state, started, finished): (String, i64, Option<i64>) = (row.get(7)?, row.get(8)?, row.get(9)?);
        // A time beyond what a calendar knows was put there by hand: it is of now, as its entry.
        let began = jiff::Timestamp::from_millisecond(started).unwrap_or(at);
        open_session(transaction, number, &session, began)?;
        let begun = RunEvent::RunBegun { kind, parent: None, target: String::new(), session, began_at: Some(began) };
        head.add(transaction, number, NOWHERE, &json(&begun)?, at)?;
        let mut accounts = transaction
            .prepare_cached("SELECT id, name, state, outcome, error FROM account WHERE run = ?1 ORDER BY id")?;
        let mut rows = accounts.query(params![number])?;
        while let Some(row) = rows.next()? {
            let AccountRecord { id, name, state, outcome, error } = super::reader::account_of(row, 0)?;
            let event = RunEvent::AccountRecorded { name, state, outcome, error };
            head.add(transaction, number, (&id, "", ""), &json(&event)?, at)?;
        }
        if let Some(finished) = finished {
            let ended = jiff::Timestamp::from_millisecond(finished).unwrap_or(at);
            transaction.execute(
                "UPDATE session SET ended_at = ?2, ending = ?3 WHERE run = ?1",
                params![number, ended.as_millisecond(), state],
            )?;
            head.add(transaction, number, NOWHERE, &json(&RunEvent::RunEnded { state, ended_at: Some(ended) })?, at)?;
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
