//! Whether the record is as it was written: the chain of hashes, and the tables that follow from the entries.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row};
use sha2::{Digest, Sha256};

use super::chain::{self, Link};
use super::entries::Head;
use super::fault::{Fault, is_damage, moment};
use super::head_file::{self, KeptHead};
use super::rows::plan_of;
use super::{FILE, LedgerError, Run, kept_plan, known_schema, schema, tables};

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

/// Looks at the whole record. Another process may be writing to it: what it writes meanwhile does not show.
///
/// `known_head` is a head that was kept elsewhere. An error means that the record could not be looked at to its end; what is
/// wrong with it is no error.
pub fn verify(folder: &Path, known_head: Option<&str>) -> Result<Verified, LedgerError> {
    // Read first: what is written meanwhile can only bring more entries.
    let kept = schema::kept_head(folder)?;
    let connection = schema::open_unchecked(folder)?;
    let mut verified =
        look(&connection, known_head, kept.as_ref()).map_err(|error| LedgerError::database(folder, &error))?;
    if verified.fault.is_none() {
        verified.fault = kept_plans(folder, &connection).map_err(|error| LedgerError::database(folder, &error))?;
    }
    if verified.fault.is_none()
        && let Some(what) = head_file::why_unchecked(folder, &connection)?
    {
        match verified.known {
            // A head that was saved elsewhere shows where the ledger ends.
            Some(Some(entry)) if entry == verified.sound => {
                let seq = i64::try_from(verified.sound).unwrap_or(i64::MAX);
                head_file::keep_first(folder, &Head { seq, at: 0, hash: verified.head.clone(), run: None })?;
            }
            _ => verified.fault = Some(Fault::of_the_file(what)),
        }
    }
    Ok(verified)
}

/// What was learned about `BlockedEncryptionTypes`, in whatever run: the whole chain is checked, and the table against it.
pub(crate) fn check_omissions(folder: &Path) -> Result<(), LedgerError> {
    let connection = schema::open_for_reading(folder)?;
    let checked = || {
        connection.execute_batch("BEGIN")?;
        match entries_after(&connection, None, None)?.fault {
            Some(fault) => Ok(Some(fault)),
            None => match tables::compare_omissions(&connection) {
                Err(error) if is_damage(&error) => Ok(Some(Fault::of_the_file(damaged(&error)))),
                compared => compared,
            },
        }
    };
    match checked().map_err(|error| LedgerError::database(folder, &error))? {
        Some(fault) => Err(LedgerError::Altered { path: folder.join(FILE), fault: Box::new(fault) }),
        None => Ok(()),
    }
}

/// Checks what is about to be acted on: the whole chain, that the rows of buckets and accounts of these runs are what their entries
/// amount to, and the same of every run's own row (its kind and state decide which run is acted on at all). An edited row would
/// change other buckets, or give them another configuration, than the entries say.
///
/// What this command checked before is not read again; entries that were added since are.
pub fn check_runs(folder: &Path, runs: &[Run], before: &LedgerCheck) -> Result<(), LedgerError> {
    let connection = schema::open_for_reading(folder)?;
    let numbers: Vec<i64> = runs.iter().map(|run| run.number).collect();
    let mut known = before.0.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = known.take().filter(|checked| checked.folder == folder);
    let checked = || {
        connection.execute_batch("BEGIN")?;
        let earlier = earlier.filter(|checked| checked.still_holds(&connection));
        let start = earlier.as_ref().map(|checked| (checked.sound, checked.head.clone()));
        let verified = entries_after(&connection, start, None)?;
        if verified.fault.is_some() {
            return Ok(Err(verified.fault));
        }
        let covers = |checked: &Checked| checked.covers(&connection, &numbers);
        if !earlier.as_ref().map(covers).transpose()?.unwrap_or(false)
            && let Some(fault) = compared(&connection, Some(&numbers))?
        {
            return Ok(Err(Some(fault)));
        }
        Ok(Ok(Checked { folder: folder.to_owned(), sound: verified.sound, head: verified.head, runs: numbers }))
    };
    match checked().map_err(|error| LedgerError::database(folder, &error))? {
        Ok(checked) => {
            *known = Some(checked);
            Ok(())
        }
        Err(fault) => {
            let fault = Box::new(fault.unwrap_or_else(|| Fault::of_the_file("it cannot be checked".to_owned())));
            Err(LedgerError::Altered { path: folder.join(FILE), fault })
        }
    }
}

/// What a command checked last. A rollback checks when it is requested, when it follows what is in flight, and when it begins: of a
/// ledger of 100,000 buckets each whole check takes seconds.
#[derive(Clone, Debug, Default)]
pub struct LedgerCheck(Arc<Mutex<Option<Checked>>>);

#[derive(Debug)]
struct Checked {
    folder: PathBuf,
    /// Entries found sound, and the hash of the last one.
    sound: u64,
    head: String,
    runs: Vec<i64>,
}

impl Checked {
    /// Whether the last entry that was checked is still there as it was.
    fn still_holds(&self, connection: &Connection) -> bool {
        let hash = connection.query_row("SELECT hash FROM entry WHERE seq = ?1", [self.sound], |row| row.get(0));
        hash.is_ok_and(|hash: String| hash == self.head)
    }

    /// Whether it checked the rows of these runs, and no entry of a bucket or an account was added to them since.
    fn covers(&self, connection: &Connection, runs: &[i64]) -> rusqlite::Result<bool> {
        let mut newer = connection.prepare("SELECT DISTINCT run FROM entry WHERE seq > ?1 AND account <> ''")?;
        let newer: Vec<i64> = newer.query_map([self.sound], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(runs.iter().all(|run| self.runs.contains(run) && !newer.contains(run)))
    }
}

fn look(connection: &Connection, known_head: Option<&str>, kept: Option<&KeptHead>) -> rusqlite::Result<Verified> {
    connection.execute_batch("BEGIN")?;
    let strange = known_schema::difference(connection, schema::VERSION)?;
    let mut verified = entries(connection, known_head)?;
    if verified.fault.is_none()
        && let Some(kept) = kept
        && let Some(missing) = kept.missing_from(connection)?
    {
        verified.fault = Some(Fault { entry: missing.first, ..Fault::of_the_file(missing.what) });
    }
    if verified.fault.is_none() {
        verified.fault = strange.map(Fault::of_the_file);
    }
    if verified.fault.is_none() {
        verified.fault = file(connection)?;
    }
    if verified.fault.is_none() {
        verified.fault = compared(connection, None)?;
    }
    Ok(verified)
}

fn compared(connection: &Connection, runs: Option<&[i64]>) -> rusqlite::Result<Option<Fault>> {
    match tables::compare(connection, runs) {
        Err(error) if is_damage(&error) => Ok(Some(Fault::of_the_file(damaged(&error)))),
        compared => compared,
    }
}

/// Whether the kept copies of approved plans are the ones whose hashes are in the chain. A copy that is not there proves nothing:
/// a ledger may be verified away from its directory.
fn kept_plans(folder: &Path, connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let mut statement = connection.prepare("SELECT plan FROM run WHERE plan IS NOT NULL AND kind = 'rollout'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(plan) = plan_of(row, 0)? else { continue };
        let path = kept_plan(folder, &plan.sha256);
        let found = match sha256_of(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => format!("not known: {error}"),
        };
        if found != plan.sha256 {
            return Ok(Some(Fault::of_the_file(format!(
                "the copy of the approved plan {} in {} was changed: its sha256 is {found}",
                plan.id,
                path.display()
            ))));
        }
    }
    Ok(None)
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = super::open_options().read(true).open(path)?;
    let (mut digest, mut bytes) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => digest.update(&bytes[..count]),
        }
    }
}

fn damaged(error: &rusqlite::Error) -> String {
    format!("the file is damaged: {error}")
}

/// SQLite's own look at the file.
fn file(connection: &Connection) -> rusqlite::Result<Option<Fault>> {
    let said: String = match connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)) {
        Err(error) if is_damage(&error) => error.to_string(),
        said => said?,
    };
    Ok((said != "ok").then(|| Fault::of_the_file(format!("SQLite finds the file damaged: {said}"))))
}

/// An entry with the hash that it bears.
struct Borne {
    seq: i64,
    run: Option<String>,
    at: i64,
    about: [String; 3],
    event: String,
    hash: String,
}

fn borne(row: &Row<'_>) -> rusqlite::Result<Borne> {
    Ok(Borne {
        seq: row.get(0)?,
        run: row.get(1)?,
        at: row.get(2)?,
        about: [row.get(3)?, row.get(4)?, row.get(5)?],
        event: row.get(6)?,
        hash: row.get(7)?,
    })
}

/// The chain, from its beginning.
fn entries(connection: &Connection, known_head: Option<&str>) -> rusqlite::Result<Verified> {
    entries_after(connection, None, known_head)
}

/// The chain, from its beginning or after an entry that is known by its number and hash.
fn entries_after(
    connection: &Connection,
    start: Option<(u64, String)>,
    known_head: Option<&str>,
) -> rusqlite::Result<Verified> {
    let Some(binding) = schema::read_binding(connection)? else {
        let fault = Some(Fault::of_the_file("what the ledger belongs to is missing".to_owned()));
        return Ok(Verified { sound: 0, head: String::new(), fault, known: known_head.map(|_| None) });
    };
    let (sound, head) = start.unwrap_or_else(|| (0, chain::genesis(&binding)));
    let known = known_head.map(|wanted| (wanted == head).then_some(0));
    let mut verified = Verified { sound, head, fault: None, known };
    let mut statement = connection.prepare(
        "SELECT entry.seq, run.id, entry.at, account, region, bucket, event, hash
         FROM entry LEFT JOIN run ON run.number = entry.run WHERE seq > ?1 ORDER BY seq",
    )?;
    // The first entry is 1; a number below it is as wrong as a gap.
    let after = if sound == 0 { i64::MIN } else { i64::try_from(sound).unwrap_or(i64::MAX) };
    let mut rows = statement.query([after])?;
    loop {
        let expected = verified.sound + 1;
        let unreadable = |error: &rusqlite::Error| Fault { entry: expected, ..Fault::of_the_file(damaged(error)) };
        let entry = match rows.next() {
            Ok(None) => break,
            Ok(Some(row)) => borne(row),
            Err(error) => Err(error),
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_damage(&error) => {
                verified.fault = Some(unreadable(&error));
                break;
            }
            Err(error) => return Err(error),
        };
        match follows(&verified.head, expected, entry) {
            Ok(hash) => verified.head = hash,
            Err(fault) => {
                verified.fault = Some(*fault);
                break;
            }
        }
        verified.sound = expected;
        if known_head == Some(verified.head.as_str()) {
            verified.known = Some(Some(expected));
        }
    }
    Ok(verified)
}

/// The hash of an entry, where it is the one that it bears.
fn follows(head: &str, expected: u64, entry: Borne) -> Result<String, Box<Fault>> {
    if u64::try_from(entry.seq) != Ok(expected) {
        let what = format!("it is missing, removed or numbered anew: in its place stands entry {}", entry.seq);
        return Err(Box::new(Fault { entry: expected, ..Fault::of_the_file(what) }));
    }
    let link = Link {
        seq: entry.seq,
        run: entry.run.as_deref().unwrap_or_default(),
        at: entry.at,
        account: &entry.about[0],
        region: &entry.about[1],
        bucket: &entry.about[2],
        event: &entry.event,
    };
    let what = match chain::next(head, &link) {
        _ if entry.run.is_none() => "the run that it is of is missing",
        hash if hash == entry.hash => return Ok(hash),
        _ => "its hash does not follow from what it says and the hash before: it, or its place, was changed",
    };
    let (at, what) = (moment(entry.at), what.to_owned());
    Err(Box::new(Fault { entry: expected, at, run: entry.run, about: entry.about, what }))
}
