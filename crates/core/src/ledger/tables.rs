//! Whether the tables that reports are made from are what the entries amount to. SQLite sorts both sides, and they are walked
//! together, so that nothing is gathered.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::entries::{NewSession, PlanReference, RunEvent};
use super::fault::{Fault, is_damage, moment};
use super::fold::{self, Folded};
use super::laid_out;
use super::moves::BucketState;
use super::rollback_request::{RollbackRequest, request_of};
use super::rows::{
    OMISSION_COLUMNS, SESSION_COLUMNS, SESSION_WIDTH, STATE_COLUMNS, STATE_WIDTH, WAVE_COLUMNS, account_of,
    omission_of, plan_of, session_of, state_of, wave_of,
};
use crate::model::{AccountRecord, OmissionOutcome, OmissionRecord, WaveRecord};

/// The first thing in a table that does not follow from the entries: the one whose last entry came first. Where runs are given,
/// buckets and accounts of the others are left out.
pub(super) fn compare(connection: &Connection, runs_of: Option<&[i64]>) -> rusqlite::Result<Option<Fault>> {
    let mut first = First(None);
    let of = |column: &str| match runs_of {
        None => "TRUE".to_owned(),
        Some(runs) => {
            format!("{column} IN ({})", runs.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
        }
    };
    buckets(connection, &of("run"), &mut first)?;
    accounts(connection, &of, &mut first)?;
    runs(connection, &mut first)?;
    of_no_run(connection, &mut first)?;
    named(connection, first)
}

/// The same for the table of what starts taught about `BlockedEncryptionTypes`, in all runs.
pub(super) fn compare_omissions(connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let mut learned = BTreeMap::new();
    let mut statement = connection.prepare(
        "SELECT run, seq, at, event FROM entry WHERE account = '' AND event LIKE '%blocked_types_learned%' ORDER BY seq",
    )?;
    let mut entries = statement.query([])?;
    while let Some(row) = entries.next()? {
        let (run, seq, at, event): (i64, i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if let Ok(RunEvent::BlockedTypesLearned { learned: record }) = serde_json::from_str(&event) {
            learned.insert((run, omission_key(&record)), (record, at, seq));
        }
    }
    let mut first = First(None);
    let mut statement = connection.prepare(&format!("SELECT {OMISSION_COLUMNS}, at, run FROM omission"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (run, at): (i64, i64) = (row.get("run")?, row.get("at")?);
        match omission_of(row).map(|shown| learned.remove(&(run, omission_key(&shown))).map(|said| (shown, said))) {
            Ok(Some((shown, (said, said_at, _)))) if shown == said && at == said_at => {}
            Ok(Some((_, (_, _, seq)))) => {
                first.note(Some(seq), "what was learned of a document is not in the table as it was written")
            }
            _ => first.note(None, "the table omission has a row that no entry mentions"),
        }
    }
    for (_, _, seq) in learned.into_values() {
        first.note(Some(seq), "what was learned of a document is missing from the table");
    }
    named(connection, first)
}

/// Rows of runs that the ledger does not have: what is compared run by run never comes to them.
fn of_no_run(connection: &Connection, first: &mut First) -> rusqlite::Result<()> {
    for table in ["wave", "omission", "planned"] {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE run NOT IN (SELECT number FROM run))");
        if connection.query_row(&sql, [], |row| row.get(0))? {
            first.note(None, format!("the table {table} has a row of a run that is not in the ledger"));
        }
    }
    Ok(())
}

/// What was found, with the entry that it should follow from.
fn named(connection: &Connection, first: First) -> rusqlite::Result<Option<Fault>> {
    let Some((seq, what)) = first.0 else { return Ok(None) };
    let Some(seq) = seq else { return Ok(Some(Fault::of_the_file(what))) };
    let entry = connection
        .query_row(
            "SELECT entry.at, run.id, account, region, bucket FROM entry JOIN run ON run.number = entry.run WHERE seq = ?1",
            params![seq],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)?, [row.get(2)?, row.get(3)?, row.get(4)?])),
        )
        .optional()?;
    let (at, run, about) = match entry {
        Some((at, run, about)) => (moment(at), Some(run), about),
        None => (None, None, Default::default()),
    };
    Ok(Some(Fault { entry: u64::try_from(seq).unwrap_or(0), at, run, about, what }))
}

/// What is wrong, with the last entry that it should follow from; `None`: no entry speaks of it.
struct First(Option<(Option<i64>, String)>);

impl First {
    fn note(&mut self, seq: Option<i64>, what: impl Into<String>) {
        // What no entry speaks of has no place in the order, so whatever has one is named rather.
        let rank = |seq: Option<i64>| seq.unwrap_or(i64::MAX);
        if self.0.as_ref().is_none_or(|(known, _)| rank(seq) < rank(*known)) {
            self.0 = Some((seq, what.into()));
        }
    }
}

/// A bucket's row.
struct Shown {
    key: (i64, String, String),
    region: String,
    at: i64,
    /// `None`: it holds a word that no version knows.
    state: Option<BucketState>,
}

fn buckets(connection: &Connection, of: &str, first: &mut First) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {STATE_COLUMNS}, run, account, region, name FROM bucket WHERE {of} ORDER BY run, account, name"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut shown = next_shown(&mut rows, first)?;
    fold::each(connection, of, |folded| {
        let Folded { run, bucket, state, at, seq } = folded;
        let key = (run, bucket.account, bucket.name);
        while let Some(extra) = shown.take_if(|shown| shown.key < key) {
            first.note(None, unspoken_of(&extra));
            shown = next_shown(&mut rows, first)?;
        }
        let row = shown.take_if(|shown| shown.key == key);
        match (state, &row) {
            (Err(why), _) => first.note(Some(seq), why),
            (Ok(_), None) => first.note(Some(seq), "the bucket's row is missing from the table"),
            (Ok(state), Some(row)) => {
                if row.state.as_ref() != Some(&state) || row.region != bucket.region || row.at != at {
                    first.note(Some(seq), "the bucket's row is not what its entries amount to");
                }
            }
        }
        if row.is_some() {
            shown = next_shown(&mut rows, first)?;
        }
        Ok(())
    })?;
    while let Some(extra) = shown {
        first.note(None, unspoken_of(&extra));
        shown = next_shown(&mut rows, first)?;
    }
    Ok(())
}

fn unspoken_of(shown: &Shown) -> String {
    format!("the table has a row of bucket {} in account {} that no entry mentions", shown.key.2, shown.key.1)
}

/// The next row whose key can be read.
fn next_shown(rows: &mut Rows<'_>, first: &mut First) -> rusqlite::Result<Option<Shown>> {
    while let Some(row) = rows.next()? {
        let key = |row: &Row<'_>| -> rusqlite::Result<Shown> {
            Ok(Shown {
                key: (row.get(STATE_WIDTH)?, row.get(STATE_WIDTH + 1)?, row.get(STATE_WIDTH + 3)?),
                region: row.get(STATE_WIDTH + 2)?,
                at: row.get(STATE_WIDTH - 1)?,
                state: state_of(row).ok(),
            })
        };
        match key(row) {
            Ok(shown) => return Ok(Some(shown)),
            Err(error) if is_damage(&error) => first.note(None, "a row of the table of buckets cannot be read"),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn accounts(connection: &Connection, of: &dyn Fn(&str) -> String, first: &mut First) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT max(entry.seq), entry.account, entry.event, account.id, account.name, account.state, account.outcome,
                account.error, account.ous, account.directory_buckets
         FROM entry LEFT JOIN account ON account.run = entry.run AND account.id = entry.account
         WHERE entry.account <> '' AND entry.bucket = '' AND {} GROUP BY entry.run, entry.account",
        of("entry.run")
    ))?;
    let mut rows = statement.query([])?;
    let (mut met, mut missing): (i64, i64) = (0, 0);
    while let Some(row) = rows.next()? {
        met += 1;
        let (seq, id, event): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let written = match serde_json::from_str(&event) {
            Ok(RunEvent::AccountRecorded { name, state, outcome, error, ous, directory_buckets }) => {
                Some(AccountRecord { id, name, state, outcome, error, ous, directory_buckets })
            }
            _ => None,
        };
        if matches!(row.get_ref(3)?, rusqlite::types::ValueRef::Null) {
            missing += 1;
            first.note(Some(seq), "the account's row is missing from the table");
        } else if written.is_none() || written != account_of(row, 3).ok() {
            first.note(Some(seq), "the account's row is not what was last written down of it");
        }
    }
    let sql = format!("SELECT count(*) FROM account WHERE {}", of("run"));
    let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    if rows > met - missing {
        first.note(None, "the table has a row of an account that no entry mentions");
    }
    Ok(())
}

/// Account, bucket, document and outcome.
type OmissionKey = (String, String, String, OmissionOutcome);

fn omission_key(learned: &OmissionRecord) -> OmissionKey {
    let OmissionRecord { account, bucket, document_hash, outcome, .. } = learned;
    (account.clone(), bucket.clone(), document_hash.clone(), *outcome)
}

/// What is said of a run as a whole.
#[derive(PartialEq)]
struct RunShown {
    kind: String,
    parent: Option<String>,
    target: String,
    plan: Option<PlanReference>,
    exemptions: Option<String>,
    waves: BTreeMap<u32, (WaveRecord, i64)>,
    omissions: BTreeMap<OmissionKey, (OmissionRecord, i64)>,
    rollback_request: Option<RollbackRequest>,
    /// The rows of its plan: how many, and their hash.
    laid_out: Option<(u64, String)>,
    state: String,
    stage: String,
    started_at: i64,
    finished_at: Option<i64>,
    sessions: Vec<SessionShown>,
}

#[derive(PartialEq)]
struct SessionShown {
    number: usize,
    by: NewSession,
    started_at: i64,
    ended_at: Option<i64>,
    ending: Option<String>,
}

fn runs(connection: &Connection, first: &mut First) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT entry.run, seq, at, event, run.id FROM entry JOIN run ON run.number = entry.run
         WHERE account = '' ORDER BY entry.run, seq",
    )?;
    let mut entries = statement.query([])?;
    let mut next = next_of_run(&mut entries)?;
    let mut numbers = connection.prepare("SELECT number FROM run ORDER BY number")?;
    let mut numbers = numbers.query([])?;
    let mut sessions = 0;
    while let Some(row) = numbers.next()? {
        let number: i64 = row.get(0)?;
        let (mut written, mut last) = (None, None);
        while let Some(entry) = next.take_if(|entry| entry.run <= number) {
            last = Some(entry.seq);
            if let Err(why) = follow(&mut written, &entry) {
                first.note(Some(entry.seq), why);
            }
            next = next_of_run(&mut entries)?;
        }
        let laid_out = written.as_ref().and_then(|run: &RunShown| run.laid_out.clone());
        let planned =
            laid_out.is_some() || written.as_ref().is_some_and(|run| run.plan.is_none() || run.kind != "rollout");
        let shown = match shown(connection, number, planned) {
            Ok(shown) => Some(shown),
            Err(error) if is_damage(&error) => None,
            Err(error) => return Err(error),
        };
        sessions += shown.as_ref().map_or(0, |shown| shown.sessions.len());
        if shown.is_none() || written != shown {
            first.note(last, "the run's row, or one of its sessions', is not what its entries amount to");
        }
    }
    let rows: usize = connection.query_row("SELECT count(*) FROM session", [], |row| row.get(0))?;
    if rows > sessions {
        first.note(None, "the table has a row of a session that no entry mentions");
    }
    Ok(())
}

struct OfRun {
    run: i64,
    /// The run's id.
    of: String,
    seq: i64,
    at: i64,
    event: String,
}

fn next_of_run(rows: &mut Rows<'_>) -> rusqlite::Result<Option<OfRun>> {
    let read = |row: &Row<'_>| {
        Ok(OfRun { run: row.get(0)?, seq: row.get(1)?, at: row.get(2)?, event: row.get(3)?, of: row.get(4)? })
    };
    rows.next()?.map(read).transpose()
}

/// Folds an entry into what those before it say of their run.
fn follow(so_far: &mut Option<RunShown>, entry: &OfRun) -> Result<(), &'static str> {
    let event = serde_json::from_str(&entry.event).map_err(|_| "its event cannot be read")?;
    let number = so_far.as_ref().map_or(0, |run| run.sessions.len()) + 1;
    let opened = |by: NewSession, at: i64| SessionShown { number, by, started_at: at, ended_at: None, ending: None };
    let millis = |time: Option<jiff::Timestamp>| time.map_or(entry.at, jiff::Timestamp::as_millisecond);
    match (event, so_far.as_mut()) {
        (RunEvent::RunBegun { kind, parent, target, plan, exemptions, session, began_at }, None) => {
            *so_far = Some(RunShown {
                kind,
                parent,
                target,
                plan,
                exemptions,
                waves: BTreeMap::new(),
                omissions: BTreeMap::new(),
                rollback_request: None,
                laid_out: None,
                state: "running".to_owned(),
                stage: "reading".to_owned(),
                started_at: millis(began_at),
                finished_at: None,
                sessions: vec![opened(session, millis(began_at))],
            });
        }
        (RunEvent::RunResumed { session }, Some(run)) => {
            run.state = "running".to_owned();
            run.finished_at = None;
            run.sessions.push(opened(session, entry.at));
        }
        (RunEvent::StageBegun { stage }, Some(run)) => run.stage = stage,
        (RunEvent::WaveMoved { wave }, Some(run)) => {
            run.waves.insert(wave.number, (wave, entry.at));
        }
        (RunEvent::BlockedTypesLearned { learned }, Some(run)) => {
            run.omissions.insert(omission_key(&learned), (learned, entry.at));
        }
        (RunEvent::PlanWritten { sha256 }, Some(run)) => {
            run.plan = Some(PlanReference { id: entry.of.clone(), sha256, approver: String::new() });
        }
        (RunEvent::PlanLaidOut { buckets, sha256 }, Some(run)) => run.laid_out = Some((buckets, sha256)),
        (RunEvent::RollbackRequested { request }, Some(run)) => run.rollback_request = Some(request),
        (RunEvent::RollbackRequestClosed { .. }, Some(run)) => run.rollback_request = None,
        (RunEvent::RunEnded { state, ended_at }, Some(run)) => {
            run.finished_at = Some(millis(ended_at));
            if let Some(session) = run.sessions.last_mut() {
                (session.ended_at, session.ending) = (run.finished_at, Some(state.clone()));
            }
            run.state = state;
        }
        _ => return Err("its event does not belong there in a run's life"),
    }
    Ok(())
}

/// `planned`: the rows of its plan count. Those of earlier versions have no hash in the chain.
fn shown(connection: &Connection, run: i64, planned: bool) -> rusqlite::Result<RunShown> {
    let laid_out = match planned {
        true => Some(laid_out::hash(connection, run)?).filter(|(rows, _)| *rows > 0),
        false => None,
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SESSION_COLUMNS}, started_at, ended_at, ending, number FROM session WHERE run = ?1 ORDER BY number"
    ))?;
    let sessions = statement
        .query_map(params![run], |row| {
            Ok(SessionShown {
                by: session_of(row)?,
                started_at: row.get(SESSION_WIDTH)?,
                ended_at: row.get(SESSION_WIDTH + 1)?,
                ending: row.get(SESSION_WIDTH + 2)?,
                number: row.get(SESSION_WIDTH + 3)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut statement = connection.prepare_cached(&format!("SELECT {WAVE_COLUMNS}, at FROM wave WHERE run = ?1"))?;
    let waves = statement
        .query_map(params![run], |row| {
            let wave = wave_of(row)?;
            Ok((wave.number, (wave, row.get("at")?)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement =
        connection.prepare_cached(&format!("SELECT {OMISSION_COLUMNS}, at FROM omission WHERE run = ?1"))?;
    let omissions = statement
        .query_map(params![run], |row| {
            let learned = omission_of(row)?;
            Ok((omission_key(&learned), (learned, row.get("at")?)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    connection.query_row(
        "SELECT kind, parent, target, state, stage, started_at, finished_at, caller, version, host, config_hash, selection,
                plan, exemptions, rollback_request
         FROM run WHERE number = ?1",
        params![run],
        |row| {
            // The row repeats who began the run: it is of no worth where it says otherwise.
            let began: [String; 5] = [row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?];
            let agrees = sessions.first().is_some_and(|SessionShown { by, .. }| {
                began == [&*by.caller, &*by.version, &*by.host, &*by.config_hash, &*by.selection]
            });
            Ok(RunShown {
                kind: row.get(0)?,
                parent: row.get(1)?,
                target: row.get(2)?,
                plan: plan_of(row, 12)?,
                exemptions: row.get(13)?,
                waves,
                omissions,
                rollback_request: request_of(row, 14)?,
                laid_out,
                state: row.get(3)?,
                stage: row.get(4)?,
                started_at: row.get(5)?,
                finished_at: row.get(6)?,
                sessions: if agrees { sessions } else { Vec::new() },
            })
        },
    )
}
