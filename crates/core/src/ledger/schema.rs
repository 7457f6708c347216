//! The tables, their version, and what the file is bound to.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::entries::Head;
use super::head_file::{self, KeptHead};
use super::lock::Lock;
use super::{Binding, FILE, HEAD, LedgerError, check_folder, first_schema, known_schema, open_options, unusable};

/// The schema this program writes. A newer one is refused; an older one is brought forward.
pub(super) const VERSION: i64 = 9;

/// The first schema. `run` holds audits and campaigns alike; `entry` every event in order; `bucket` the fold of a bucket's
/// events. `finding` is the view for people who open the file with a tool of their own.
pub(super) const FIRST: &str = "
CREATE TABLE binding (
    organization TEXT NOT NULL,
    partition    TEXT NOT NULL,
    endpoint     TEXT NOT NULL
) STRICT;
CREATE TABLE run (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    finished_at  INTEGER,
    caller       TEXT NOT NULL,
    version      TEXT NOT NULL,
    host         TEXT NOT NULL,
    config_hash  TEXT NOT NULL,
    selection    TEXT NOT NULL
) STRICT;
CREATE TABLE account (
    run     INTEGER NOT NULL REFERENCES run (number),
    id      TEXT NOT NULL,
    name    TEXT NOT NULL,
    state   TEXT NOT NULL,
    outcome TEXT NOT NULL,
    error   TEXT,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE bucket (
    run        INTEGER NOT NULL REFERENCES run (number),
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    region     TEXT NOT NULL,
    phase      TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    observed   TEXT,
    encryption TEXT,
    found      TEXT,
    intent     TEXT,
    execution  TEXT,
    status     TEXT,
    error      TEXT,
    at         INTEGER NOT NULL,
    PRIMARY KEY (run, account, name)
) STRICT, WITHOUT ROWID;
-- Starts without a known outcome are few, and every rollout asks for them.
CREATE INDEX under_way ON bucket (account) WHERE phase IN ('intended', 'started');
CREATE TABLE entry (
    seq     INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES run (number),
    at      INTEGER NOT NULL,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    bucket  TEXT NOT NULL,
    event   TEXT NOT NULL
) STRICT;
CREATE VIEW finding AS
    SELECT run.id AS run, account, region, bucket.name AS bucket, verdict, reason, observed,
           json_extract(encryption, '$[0].algorithm') AS algorithm,
           json_extract(encryption, '$[0].key') AS key,
           execution, status, json_extract(error, '$.message') AS error
    FROM bucket JOIN run ON run.number = bucket.run;
";

/// The second: attempts and restoring, sessions, the chain of hashes. `entry` holds accounts and runs too, so that nothing
/// that counts stands outside of the chain; `pace` is a convenience and no evidence.
const SECOND: &str = "
ALTER TABLE bucket ADD COLUMN left_as TEXT;
ALTER TABLE bucket ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bucket ADD COLUMN touched_at INTEGER;
ALTER TABLE bucket ADD COLUMN restore TEXT;
ALTER TABLE run ADD COLUMN parent TEXT;
ALTER TABLE run ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN stage TEXT NOT NULL DEFAULT 'reading';
ALTER TABLE entry ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE TABLE session (
    run         INTEGER NOT NULL REFERENCES run (number),
    number      INTEGER NOT NULL,
    command     TEXT NOT NULL,
    caller      TEXT NOT NULL,
    version     TEXT NOT NULL,
    host        TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    config_hash TEXT NOT NULL,
    selection   TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    ending      TEXT,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE pace (
    run        INTEGER NOT NULL REFERENCES run (number),
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    per_second REAL NOT NULL,
    PRIMARY KEY (run, account, region)
) STRICT, WITHOUT ROWID;
";

/// The third: what guards and exemptions say, waves, plans. `planned` is what the plan file says, laid out for look-ups; the file's
/// hash is in the chain.
const THIRD: &str = "
ALTER TABLE bucket ADD COLUMN wave INTEGER;
ALTER TABLE bucket ADD COLUMN guards TEXT;
ALTER TABLE bucket ADD COLUMN guarded_at INTEGER;
ALTER TABLE bucket ADD COLUMN exemption TEXT;
ALTER TABLE account ADD COLUMN ous TEXT NOT NULL DEFAULT '[]';
ALTER TABLE run ADD COLUMN plan TEXT;
ALTER TABLE run ADD COLUMN exemptions TEXT;
CREATE TABLE wave (
    run           INTEGER NOT NULL REFERENCES run (number),
    number        INTEGER NOT NULL,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL,
    bake_until    INTEGER,
    watched_since INTEGER,
    says          TEXT,
    evidence      TEXT NOT NULL,
    accepted      TEXT NOT NULL,
    failures      INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE planned (
    run     INTEGER NOT NULL REFERENCES run (number),
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    entry   TEXT NOT NULL,
    PRIMARY KEY (run, account, name)
) STRICT, WITHOUT ROWID;
";

/// The fourth: a machine's clock against AWS's, and how far CloudTrail's events were read while a wave is watched. `lookup` is a
/// bookmark and no evidence: what was found is in the wave's entries.
const FOURTH: &str = "
ALTER TABLE session ADD COLUMN clock_off INTEGER;
ALTER TABLE wave ADD COLUMN settle_until INTEGER;
ALTER TABLE wave ADD COLUMN changing_since INTEGER;
CREATE TABLE lookup (
    run     INTEGER NOT NULL REFERENCES run (number),
    wave    INTEGER NOT NULL,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    read_to INTEGER NOT NULL,
    known   TEXT NOT NULL,
    rate    REAL,
    PRIMARY KEY (run, wave, account, region)
) STRICT, WITHOUT ROWID;
";

/// The fifth: the directory buckets of an account, where an audit counted them.
const FIFTH: &str = "
ALTER TABLE account ADD COLUMN directory_buckets TEXT;
";

/// The sixth: what starts taught about `BlockedEncryptionTypes`. A proof of one run serves the next.
const SIXTH: &str = "
CREATE TABLE omission (
    run           INTEGER NOT NULL REFERENCES run (number),
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    bucket        TEXT NOT NULL,
    document_hash TEXT NOT NULL,
    blocked       TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    repair        TEXT,
    at            INTEGER NOT NULL,
    PRIMARY KEY (run, account, bucket, document_hash, outcome)
) STRICT, WITHOUT ROWID;
";

/// The seventh: a rollback that was requested for a campaign and has not come to its end.
const SEVENTH: &str = "
ALTER TABLE run ADD COLUMN rollback_request TEXT;
";

/// The eighth: the denials that stopped a wave and those that a person accepted; how far back the time before a change was read.
const EIGHTH: &str = "
ALTER TABLE wave ADD COLUMN denials TEXT;
ALTER TABLE wave ADD COLUMN accepted_denials TEXT;
ALTER TABLE lookup ADD COLUMN baseline INTEGER;
";

/// The ninth: what a rollback restored of a wave, and when a wave that is redone was sealed before.
const NINTH: &str = "
ALTER TABLE wave ADD COLUMN rolled_back TEXT;
ALTER TABLE wave ADD COLUMN sealed_earlier TEXT;
";

/// How long a read-only run waits for another process to create or migrate the tables.
const MIGRATION: Duration = Duration::from_secs(10);
/// How long a commit of another process is waited for.
const BUSY: Duration = Duration::from_secs(60);

/// Opens the file for writing, creates or migrates the tables, and checks schema, head and binding. `locked`: the caller holds the
/// directory's lock; who does not takes it to create or migrate tables.
pub(super) fn open_for_writing(folder: &Path, binding: &Binding, locked: bool) -> Result<Connection, LedgerError> {
    let wrong = |error: rusqlite::Error| LedgerError::database(folder, &error);
    let kept = kept_head(folder)?;
    make_file(folder)?;
    let mut connection = connect(folder)?;
    if version(folder, &connection)? < VERSION {
        let _lock = if locked { None } else { to_migrate(folder, &connection)? };
        connection.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
        let found = version(folder, &connection)?;
        if found > 0 {
            check_schema(folder, &connection, found)?;
        }
        bring_forward(folder, &mut connection, binding)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(wrong)?;
    connection.set_prepared_statement_cache_capacity(32);
    check_schema(folder, &connection, VERSION)?;
    let theirs = read_binding(&connection).map_err(wrong)?;
    if theirs.as_ref() != Some(binding) {
        let words = |binding: &Binding| {
            format!(
                "organization {} (partition {}, endpoint {})",
                binding.organization, binding.partition, binding.endpoint
            )
        };
        return Err(LedgerError::Bound {
            path: folder.to_owned(),
            theirs: theirs.as_ref().map_or("nothing".to_owned(), words),
            ours: words(binding),
        });
    }
    check_head(folder, &connection, kept.as_ref())?;
    // A writer updates the head file, which would hide missing entries.
    match head_file::why_unchecked(folder, &connection)? {
        Some(what) => Err(LedgerError::NoHead { path: folder.join(FILE), what }),
        None => Ok(connection),
    }
}

/// Takes the lock to migrate; `None`: another process has migrated meanwhile. An orgseal of an earlier version that is changing
/// buckets holds the lock, and must not find other tables under its hands.
fn to_migrate(folder: &Path, connection: &Connection) -> Result<Option<Lock>, LedgerError> {
    let until = Instant::now() + MIGRATION;
    loop {
        match Lock::take(folder) {
            Ok(lock) => return Ok(Some(lock)),
            Err(error @ LedgerError::Busy { .. }) => {
                if version(folder, connection)? == VERSION {
                    return Ok(None);
                }
                if Instant::now() >= until {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// A connection on which the file can make SQLite do nothing. The path is resolved first, so that only a link in place of the file
/// itself is refused.
fn connect(folder: &Path) -> Result<Connection, LedgerError> {
    let wrong = |error: rusqlite::Error| LedgerError::database(folder, &error);
    let real = folder.canonicalize().map_err(|error| unusable(folder, FILE, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(real.join(FILE), flags).map_err(wrong)?;
    connection.busy_timeout(BUSY).map_err(wrong)?;
    known_schema::harden(&connection).map_err(wrong)?;
    Ok(connection)
}

fn check_schema(folder: &Path, connection: &Connection, version: i64) -> Result<(), LedgerError> {
    match known_schema::difference(connection, version).map_err(|error| LedgerError::database(folder, &error))? {
        Some(what) => Err(LedgerError::Schema { path: folder.join(FILE), what }),
        None => Ok(()),
    }
}

/// The head kept beside the ledger. It is read before the ledger is: another process may be writing both.
pub(super) fn kept_head(folder: &Path) -> Result<Option<KeptHead>, LedgerError> {
    KeptHead::read(folder).map_err(|error| unusable(folder, HEAD, &error))
}

fn check_head(folder: &Path, connection: &Connection, kept: Option<&KeptHead>) -> Result<(), LedgerError> {
    let Some(kept) = kept else { return Ok(()) };
    match kept.missing_from(connection).map_err(|error| LedgerError::database(folder, &error))? {
        Some(missing) => Err(LedgerError::Incomplete { path: folder.join(FILE), what: missing.what }),
        None => Ok(()),
    }
}

/// The steps from one version to the next, the first one first.
const STEPS: [&str; VERSION as usize] = [FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH, EIGHTH, NINTH];

/// Creates the tables of a version.
pub(super) fn create(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    STEPS.iter().take(usize::try_from(version).unwrap_or(0)).try_for_each(|step| connection.execute_batch(step))
}

/// Creates the tables, or migrates those of an older schema: whole, or not at all.
fn bring_forward(folder: &Path, connection: &mut Connection, binding: &Binding) -> Result<(), LedgerError> {
    let wrong = |error: rusqlite::Error| LedgerError::database(folder, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
    migrate(&transaction, binding).map_err(wrong)?;
    let theirs = read_binding(&transaction).map_err(wrong)?;
    let head = Head::read(&transaction, theirs.as_ref().unwrap_or(binding)).map_err(wrong)?;
    // Before the commit: from then on a ledger without this file has lost it.
    head_file::keep_first(folder, &head)?;
    transaction.commit().map_err(wrong)
}

fn migrate(transaction: &Transaction<'_>, binding: &Binding) -> rusqlite::Result<()> {
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found >= VERSION {
        return Ok(());
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    if found < 1 {
        transaction.execute(
            "INSERT INTO binding (organization, partition, endpoint) VALUES (?1, ?2, ?3)",
            params![binding.organization, binding.partition, binding.endpoint],
        )?;
    }
    if found == 1 {
        // With the tables of today: rows are written as the writer writes them.
        if let Some(binding) = read_binding(transaction)? {
            first_schema::bring_forward(transaction, &binding)?;
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)
}

/// Creates the file for its owner alone, also in a directory that others may read.
fn make_file(folder: &Path) -> Result<(), LedgerError> {
    let mut options = open_options();
    options.create(true).truncate(false).write(true);
    options.open(folder.join(FILE)).map(drop).map_err(|error| unusable(folder, FILE, &error))
}

/// Opens the file for reading; another process may be writing.
pub(super) fn open_for_reading(folder: &Path) -> Result<Connection, LedgerError> {
    let kept = kept_head(folder)?;
    let connection = open_unchecked(folder)?;
    check_schema(folder, &connection, VERSION)?;
    check_head(folder, &connection, kept.as_ref())?;
    Ok(connection)
}

/// The same for `ledger verify`: neither schema nor head is compared.
pub(super) fn open_unchecked(folder: &Path) -> Result<Connection, LedgerError> {
    let wrong = |error: rusqlite::Error| LedgerError::database(folder, &error);
    check_folder(folder)?;
    if !folder.join(FILE).exists() {
        return Err(LedgerError::Missing { path: folder.to_owned() });
    }
    let connection = connect(folder)?;
    let found = version(folder, &connection)?;
    if found == 0 {
        return Err(LedgerError::Missing { path: folder.to_owned() });
    }
    if found < VERSION {
        // Migrated by a writer of the same binding.
        let binding = read_binding(&connection).map_err(wrong)?;
        drop(connection);
        if let Some(binding) = binding {
            open_for_writing(folder, &binding, false)?;
        }
        return open_unchecked(folder);
    }
    connection.pragma_update(None, "query_only", true).map_err(wrong)?;
    Ok(connection)
}

pub(super) fn read_binding(connection: &Connection) -> rusqlite::Result<Option<Binding>> {
    connection
        .query_row("SELECT organization, partition, endpoint FROM binding", [], |row| {
            Ok(Binding { organization: row.get(0)?, partition: row.get(1)?, endpoint: row.get(2)? })
        })
        .optional()
}

fn version(folder: &Path, connection: &Connection) -> Result<i64, LedgerError> {
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| LedgerError::database(folder, &error))?;
    if found > VERSION {
        return Err(LedgerError::Newer { path: folder.to_owned(), found, known: VERSION });
    }
    Ok(found)
}
