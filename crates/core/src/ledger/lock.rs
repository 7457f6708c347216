//! One writer per state folder: an advisory lock that the kernel drops when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::LedgerError;

/// How long somebody may look at the lock.
const GLANCE: Duration = Duration::from_millis(300);

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Takes the lock. Whoever only looks at it holds it for an instant, which is waited for.
    pub(super) fn take(folder: &Path) -> Result<Lock, LedgerError> {
        let until = Instant::now() + GLANCE;
        loop {
            match Lock::try_take(folder) {
                Err(LedgerError::Busy { .. }) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
                taken => return taken,
            }
        }
    }

    /// Takes the lock if it is free at this instant.
    pub(super) fn try_take(folder: &Path) -> Result<Lock, LedgerError> {
        let wrong = |why: String| LedgerError::Folder { path: folder.to_owned(), why };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(folder.join("lock")).map_err(|error| wrong(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(LedgerError::Busy { path: folder.to_owned() }),
            Err(TryLockError::Error(error)) => Err(wrong(error.to_string())),
        }
    }
}
