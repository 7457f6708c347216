//! One writer per state folder: an advisory lock that the kernel drops when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::LedgerError;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Lock, LedgerError> {
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
