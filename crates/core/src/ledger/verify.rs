//! Whether the record is as it was written: the chain of hashes, and the tables that follow from the entries.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::chain::{self, Link};
use super::entries::RunEvent;
use super::fold::{self, Folded};
use super::rows::{STATE_COLUMNS, STATE_WIDTH, account_of, state_of};
use super::{LedgerError, schema};
use crate::model::AccountRecord;

/// What a look at the whole record comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries found sound, from the first one on.
    pub sound: u64,
    /// The hash of the last sound one.
    pub head: String,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
    /// Of a head that was kept elsewhere: the entry that bears it, if one does.
    pub known: Option<Option<u64>>,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.fault.is_none() && self.known != Some(None)
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The entry's number.
    pub entry: u64,
    /// When it says that it was written.
    pub at: Option<jiff::Timestamp>,
    /// The run that it says it is of.
    pub run: Option<String>,
    /// Account, Region and bucket that it says it is about; empty where it is about the run.
    pub about: [String; 3],
    /// What is wrong.
    pub what: String,
}

/// Looks at the whole record. Another process may be writing to it: what it writes meanwhile does not show.
///
/// An error means that it could not be looked at to its end; what is wrong with it is no error.
pub fn verify(folder: &Path, known_head: Option<&str>) -> Result<Verified, LedgerError> {
    let connection = schema::open_for_reading(folder)?;
    look(&connection, known_head).map_err(|error| LedgerError::database(folder, &error))
}

fn look(connection: &Connection, known_head: Option<&str>) -> rusqlite::Result<Verified> {
    connection.execute_batch("BEGIN")?;
    let mut verified = entries(connection, known_head)?;
    if verified.fault.is_none() {
        verified.fault = match buckets(connection)? {
            Some(fault) => Some(fault),
            None => match accounts(connection)? {
                Some(fault) => Some(fault),
                None => runs(connection)?,
            },
        };
    }
    Ok(verified)
}

/// The chain, from its beginning.
fn entries(connection: &Connection, known_head: Option<&str>) -> rusqlite::Result<Verified> {
    let Some(binding) = schema::read_binding(connection)? else {
        let fault = Fault {
            entry: 0,
            at: None,
            run: None,
            about: Default::default(),
            what: "what the ledger belongs to is missing".to_owned(),
        };
        return Ok(Verified { sound: 0, head: String::new(), fault: Some(fault), known: None });
    };
    let mut head = chain::genesis(&binding);
    let mut sound = 0;
    let mut known = known_head.map(|wanted| (wanted == head).then_some(0));
    let mut statement = connection.prepare(
        "SELECT entry.seq, run.id, entry.at, account, region, bucket, event, hash
         FROM entry LEFT JOIN run ON run.number = entry.run ORDER BY seq",
    )?;
    let mut rows = statement.query([])?;
    let mut fault = None;
    while let Some(row) = rows.next()? {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(2)?);
        let run: Option<String> = row.get(1)?;
        let about: [String; 3] = [row.get(3)?, row.get(4)?, row.get(5)?];
        let (event, hash): (String, String) = (row.get(6)?, row.get(7)?);
        let expected = i64::try_from(sound).unwrap_or(i64::MAX) + 1;
        let link = Link {
            seq,
            run: run.as_deref().unwrap_or_default(),
            at,
            account: &about[0],
            region: &about[1],
            bucket: &about[2],
            event: &event,
        };
        let computed = chain::next(&head, &link);
        let what = if seq != expected {
            Some(format!("entry {expected} is missing: it was removed, or its number was changed"))
        } else if run.is_none() {
            Some("the run that it is of is missing".to_owned())
        } else if computed != hash {
            Some(
                "its hash does not follow from what it says and the hash before: it, or its place, was changed"
                    .to_owned(),
            )
        } else {
            None
        };
        if let Some(what) = what {
            let entry = u64::try_from(seq.max(expected)).unwrap_or(0);
            fault = Some(Fault {
                entry: if seq == expected { entry } else { sound + 1 },
                at: moment(at),
                run,
                about,
                what,
            });
            break;
        }
        head = computed;
        sound += 1;
        if known_head == Some(head.as_str()) {
            known = Some(Some(sound));
        }
    }
    Ok(Verified { sound, head, fault, known })
}

fn moment(millis: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(millis).ok()
}

/// A fault in a table: named by the last entry that it should follow from.
fn in_table(connection: &Connection, seq: i64, what: String) -> rusqlite::Result<Fault> {
    let entry = connection
        .query_row(
            "SELECT entry.at, run.id, account, region, bucket FROM entry JOIN run ON run.number = entry.run WHERE seq = ?1",
            params![seq],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, [row.get(2)?, row.get(3)?, row.get(4)?])),
        )
        .optional()?;
    let (at, run, about) = match entry {
        Some((at, run, about)) => (moment(at), Some(run), about),
        None => (None, None, Default::default()),
    };
    Ok(Fault { entry: u64::try_from(seq).unwrap_or(0), at, run, about, what })
}

/// Whether each bucket's row is what its entries amount to.
fn buckets(connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let sql = format!("SELECT {STATE_COLUMNS}, run, account, region, name FROM bucket ORDER BY run, account, name");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let walked = fold::each(connection, |folded| {
        let (seq, what) = match folded {
            Err(unfoldable) => (unfoldable.seq, unfoldable.why),
            Ok(folded) => match rows.next().map_err(Stop::Sql)? {
                None => (folded.seq, "the bucket's row is missing from the table".to_owned()),
                Some(row) => match same(row, &folded).map_err(Stop::Sql)? {
                    true => return Ok(()),
                    false => (folded.seq, "the bucket's row is not what its entries amount to".to_owned()),
                },
            },
        };
        Err(Stop::Found(seq, what))
    })?;
    match walked {
        Err(Stop::Sql(error)) => Err(error),
        Err(Stop::Found(seq, what)) => in_table(connection, seq, what).map(Some),
        Ok(()) => match rows.next()? {
            None => Ok(None),
            Some(row) => {
                let name: String = row.get(STATE_WIDTH + 3)?;
                in_table(connection, 0, format!("the table has a row of bucket {name} that no entry speaks of"))
                    .map(Some)
            }
        },
    }
}

enum Stop {
    Sql(rusqlite::Error),
    Found(i64, String),
}

fn same(row: &Row<'_>, folded: &Folded) -> rusqlite::Result<bool> {
    let (run, account, region, name): (i64, String, String, String) =
        (row.get(STATE_WIDTH)?, row.get(STATE_WIDTH + 1)?, row.get(STATE_WIDTH + 2)?, row.get(STATE_WIDTH + 3)?);
    let at: i64 = row.get(STATE_WIDTH - 1)?;
    // A word that no version knows is one that was put there by hand.
    let Ok(state) = state_of(row) else { return Ok(false) };
    let bucket = &folded.bucket;
    Ok(run == folded.run
        && account == bucket.account
        && region == bucket.region
        && name == bucket.name
        && at == folded.at
        && state == folded.state)
}

/// Whether each account's row is what was last written down of it.
fn accounts(connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let mut statement = connection.prepare(
        "SELECT max(entry.seq), entry.run, entry.account, account.id, account.name, account.state, account.outcome,
                account.error, entry.event
         FROM entry LEFT JOIN account ON account.run = entry.run AND account.id = entry.account
         WHERE entry.account <> '' AND entry.bucket = '' GROUP BY entry.run, entry.account ORDER BY entry.run, entry.account",
    )?;
    let mut rows = statement.query([])?;
    let mut counted: i64 = 0;
    while let Some(row) = rows.next()? {
        counted += 1;
        let seq: i64 = row.get(0)?;
        let id: String = row.get(2)?;
        let event: String = row.get(8)?;
        let written = match serde_json::from_str(&event) {
            Ok(RunEvent::AccountRecorded { name, state, outcome, error }) => {
                Some(AccountRecord { id, name, state, outcome, error })
            }
            _ => None,
        };
        let shown = match row.get::<_, Option<String>>(3)? {
            Some(_) => account_of(row, 3).ok(),
            None => None,
        };
        if written.is_none() || written != shown {
            let what = "the account's row is not what was last written down of it".to_owned();
            return in_table(connection, seq, what).map(Some);
        }
    }
    let rows: i64 = connection.query_row("SELECT count(*) FROM account", [], |row| row.get(0))?;
    if rows != counted {
        return in_table(connection, 0, "the table has a row of an account that no entry speaks of".to_owned())
            .map(Some);
    }
    Ok(None)
}

/// What the entries say of a run as a whole.
#[derive(PartialEq)]
struct RunShown {
    kind: String,
    parent: Option<String>,
    target: String,
    state: String,
    stage: String,
    finished_at: Option<i64>,
    sessions: Vec<SessionShown>,
}

type SessionShown = (String, String, String, String, u32, String, String, i64, Option<i64>, Option<String>);

/// Whether each run's row, and those of its sessions, are what its entries amount to.
fn runs(connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let mut numbers = connection.prepare("SELECT number FROM run ORDER BY number")?;
    let numbers: Vec<i64> = numbers.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for number in numbers {
        let (written, last) = written(connection, number)?;
        if written != Some(shown(connection, number)?) {
            let what = "the run's row, or one of its sessions', is not what its entries amount to".to_owned();
            return in_table(connection, last, what).map(Some);
        }
    }
    Ok(None)
}

fn written(connection: &Connection, run: i64) -> rusqlite::Result<(Option<RunShown>, i64)> {
    let mut entries =
        connection.prepare_cached("SELECT seq, at, event FROM entry WHERE run = ?1 AND account = '' ORDER BY seq")?;
    let mut rows = entries.query(params![run])?;
    let (mut folded, mut last): (Option<RunShown>, i64) = (None, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let (at, event): (i64, String) = (row.get(1)?, row.get(2)?);
        let session = |session: super::NewSession| {
            let super::NewSession { command, caller, version, host, pid, config_hash, selection } = session;
            (command, caller, version, host, pid, config_hash, selection, at, None, None)
        };
        match (serde_json::from_str(&event), folded.as_mut()) {
            (Ok(RunEvent::RunBegun { kind, parent, target, session: first }), None) => {
                folded = Some(RunShown {
                    kind,
                    parent,
                    target,
                    state: "running".to_owned(),
                    stage: "reading".to_owned(),
                    finished_at: None,
                    sessions: vec![session(first)],
                });
            }
            (Ok(RunEvent::RunResumed { session: next }), Some(run)) => {
                run.state = "running".to_owned();
                run.finished_at = None;
                run.sessions.push(session(next));
            }
            (Ok(RunEvent::StageBegun { stage }), Some(run)) => run.stage = stage,
            (Ok(RunEvent::RunEnded { state }), Some(run)) => {
                run.finished_at = Some(at);
                if let Some(session) = run.sessions.last_mut() {
                    (session.8, session.9) = (Some(at), Some(state.clone()));
                }
                run.state = state;
            }
            _ => return Ok((None, last)),
        }
    }
    Ok((folded, last))
}

fn shown(connection: &Connection, run: i64) -> rusqlite::Result<RunShown> {
    let mut sessions = connection.prepare_cached(
        "SELECT command, caller, version, host, pid, config_hash, selection, started_at, ended_at, ending FROM session
         WHERE run = ?1 ORDER BY number",
    )?;
    let sessions = sessions
        .query_map(params![run], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(7)?,
                row.get(8)?,
                row.get(9)?,
            ))
        })?
        .collect::<rusqlite::Result<_>>()?;
    connection.query_row(
        "SELECT kind, parent, target, state, stage, finished_at FROM run WHERE number = ?1",
        params![run],
        |row| {
            Ok(RunShown {
                kind: row.get(0)?,
                parent: row.get(1)?,
                target: row.get(2)?,
                state: row.get(3)?,
                stage: row.get(4)?,
                finished_at: row.get(5)?,
                sessions,
            })
        },
    )
}
