//! The durable record: what was found, what was about to be done, what came of it. One SQLite file in a state folder.
//!
//! [`moves`] holds the legal moves of a bucket's life; the file keeps every event (`entry`) and the fold of them
//! (`bucket`), written in the same transaction. Reports and resumption read from here, never from memory.

mod apply;
mod blocked_types;
mod chain;
mod entries;
mod export;
mod fault;
mod first_schema;
mod fold;
mod folder;
mod head_file;
mod history;
mod known_schema;
mod laid_out;
mod lock;
pub mod moves;
mod narrow;
mod omissions;
mod process;
mod reader;
mod rollback_request;
mod rows;
mod schema;
mod stage;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod undo;
mod verify;
mod waves;
mod writer;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use crate::model::Bucket;

pub use entries::{NewRun, NewSession, PlanReference};
pub use export::ExportError;
pub use fault::Fault;
pub use folder::{check_folder, make_folder};
pub use history::EarlierHold;
pub use moves::{BucketEvent, BucketState, IllegalMove, Intent, Phase, transition};
pub use process::Process;
pub use reader::{AccountWork, Head, OpenBucket, Reader, Run, Scope, Session, Unsettled};
pub use rollback_request::RollbackRequest;
pub use summary::{OutOfScope, ReasonCount, Summary};
pub use undo::{RolledBack, RolledBackWave};
pub(crate) use verify::check_omissions;
pub use verify::{LedgerCheck, Verified, check_runs, verify};
pub use waves::{LookupMark, TouchedBucket, WaveCount};
pub use writer::Ledger;

/// The ledger's file name in the state folder.
pub const FILE: &str = "ledger.sqlite";

/// The newest head of the ledger, beside it.
pub const HEAD: &str = "ledger.head";

/// The folder of approved plans in the state folder.
pub(crate) const PLANS: &str = "plans";

/// Where an approved plan is kept in a state folder, by its hash.
pub(crate) fn kept_plan(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(PLANS).join(format!("{sha256}.json"))
}

/// What a ledger is bound to: used with another, it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// `o-…`
    pub organization: String,
    /// `aws`, `aws-us-gov`, …
    pub partition: String,
    /// `aws`, or the endpoint that stands in for it.
    pub endpoint: String,
}

/// What can go wrong with the record.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The state folder cannot be used.
    #[error("the state directory {} cannot be used: {why}; use another one with --state or ORGSEAL_STATE", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What is asked for is not in the run.
    #[error("{run} knows nothing of {what}")]
    NothingSelected {
        /// The run.
        run: String,
        /// The patterns.
        what: String,
    },
    /// Another process writes there.
    #[error(
        "another orgseal process is using the state directory {}{}; wait for it to end, or use another directory with --state",
        path.display(),
        holder.as_ref().map(|holder| format!(" ({holder})")).unwrap_or_default()
    )]
    Busy {
        /// Which.
        path: PathBuf,
        /// What it says of itself: process and machine.
        holder: Option<String>,
    },
    /// There is none yet.
    #[error("there is no ledger in {}; run `orgseal audit` first, or name the folder with --state", path.display())]
    Missing {
        /// Which folder.
        path: PathBuf,
    },
    /// It belongs to something else.
    #[error("the ledger in {} belongs to {theirs}, but this is {ours}; name another folder with --state", path.display())]
    Bound {
        /// Which folder.
        path: PathBuf,
        /// What the ledger is bound to.
        theirs: String,
        /// What this run is about.
        ours: String,
    },
    /// It was written by a newer program.
    #[error("the ledger in {} has schema {found}, which is newer than this program knows ({known}); use a newer orgseal", path.display())]
    Newer {
        /// Which folder.
        path: PathBuf,
        /// The schema found.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// SQLite says no.
    #[error("the ledger {}: {why}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        why: String,
    },
    /// The file does not hold what SQLite wrote.
    #[error("the ledger {} is damaged, or no ledger: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        why: String,
    },
    /// It has tables, views or triggers that orgseal does not create, or lacks some.
    #[error("the ledger {} is not as orgseal creates it: {what}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// Entries that were written are missing.
    #[error("the ledger {} is incomplete: {what}", path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// Whether entries at its end are missing cannot be checked.
    #[error("the ledger {} cannot be written to: {what}", path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// What is about to be acted on is not what the entries amount to, or the entries are not as they were written.
    #[error("the ledger {} was changed: {fault}", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// An event that does not follow from the bucket's state: a fault of the program.
    #[error("bucket {} in account {}, {}: {fault}", bucket.name, bucket.account, bucket.region)]
    Illegal {
        /// The bucket.
        bucket: Box<Bucket>,
        /// Which event, and from which state.
        fault: IllegalMove,
    },
    /// The record stopped after an earlier error.
    #[error("the ledger is no longer written to: {0}")]
    Stopped(String),
    /// No run of that id.
    #[error("there is no run {0} in the ledger")]
    NoSuchRun(String),
}

impl LedgerError {
    fn database(folder: &Path, error: &rusqlite::Error) -> LedgerError {
        use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
        let (path, why) = (folder.join(FILE), in_words(error));
        match error.sqlite_error_code() {
            // SQLite does not tell why it cannot open a file.
            Some(CannotOpen) if few_descriptors_are_left() => {
                LedgerError::Database { path, why: "Too many open files (os error 24)".to_owned() }
            }
            // SQLite keeps its log and its index of it beside the file, for readers too.
            Some(ReadOnly | CannotOpen) => LedgerError::Folder {
                path: folder.to_owned(),
                why: format!(
                    "{why}: reading a ledger needs write access to its directory, so copy the whole directory"
                ),
            },
            _ if fault::is_damage(error) => LedgerError::Damaged { path, why },
            _ => LedgerError::Database { path, why },
        }
    }
}

/// Whether this process is at its limit of open files; `false` where that is not known.
fn few_descriptors_are_left() -> bool {
    /// What SQLite opens at once: file, log, index, a temporary file.
    const NEEDED: usize = 4;
    match (std::fs::read_to_string("/proc/self/limits"), std::fs::read_dir("/proc/self/fd")) {
        (Ok(limits), Ok(open)) => soft_limit(&limits).is_some_and(|limit| open.count() + NEEDED > limit),
        // The limit keeps this from being read as well: EMFILE.
        (limits, open) => {
            let codes = [limits.err(), open.err()].into_iter().flatten().filter_map(|error| error.raw_os_error());
            codes.into_iter().any(|code| code == 24)
        }
    }
}

/// The limit on open files in force, from the kernel's table.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// SQLite's words, with its number where the words leave open what it was ("disk I/O error").
fn in_words(error: &rusqlite::Error) -> String {
    if matches!(error, rusqlite::Error::StatementChangedRows(_)) {
        return "SQLite did not keep a row that was written: something in the file prevents it".to_owned();
    }
    match error.sqlite_error() {
        Some(code) if code.extended_code > 0xff => format!("{error} (SQLite code {})", code.extended_code),
        _ => error.to_string(),
    }
}

/// Opens a file of the state directory for its owner alone, and never through a symbolic link: a user who can create one would choose
/// the file that is truncated or written.
fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options
}

/// Why a file of the state directory cannot be opened.
fn unusable(folder: &Path, name: &str, error: &std::io::Error) -> LedgerError {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ELOOP) {
        let why = format!("{name} in it is a symbolic link, and orgseal does not follow links there; remove it");
        return LedgerError::Folder { path: folder.to_owned(), why };
    }
    LedgerError::Folder { path: folder.to_owned(), why: format!("{name}: {error}") }
}

/// Deletes a sandbox's state folder: ledger, lock, and the `organization` folder in which the sandbox keeps its own.
/// Refused while another process is at work there, and when it holds anything else.
pub fn discard(folder: &Path) -> Result<(), LedgerError> {
    let wrong = |why: String| LedgerError::Folder { path: folder.to_owned(), why };
    if !folder.exists() {
        return Ok(());
    }
    let _lock = lock::Lock::take(folder)?;
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(error.to_string()))? {
        let name = entry.map_err(|error| wrong(error.to_string()))?.file_name();
        let name = name.to_string_lossy();
        if !(["lock", "organization", HEAD].contains(&&*name) || name.starts_with(FILE)) {
            return Err(wrong(format!("it holds {name}, which orgseal did not make, so it is not deleted")));
        }
    }
    std::fs::remove_dir_all(folder).map_err(|error| wrong(error.to_string()))
}
