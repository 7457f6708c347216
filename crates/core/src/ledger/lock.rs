//! One changing run per state directory: an advisory lock that the kernel drops when the process ends, however it ends.
//!
//! What the file says of its holder is for people; the lock alone decides.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{LedgerError, open_options, unusable};
use crate::host::host;

const LOCK: &str = "lock";
/// How long somebody may look at the lock.
const GLANCE: Duration = Duration::from_millis(500);
/// More than a holder writes of itself: a file that somebody else filled is not read whole.
const HOLDER: u64 = 512;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Who holds the lock.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// Somebody who said of himself who he is.
    Process {
        pid: u32,
        host: String,
    },
    Unnamed,
}

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

    fn try_take(folder: &Path) -> Result<Lock, LedgerError> {
        let mut options = open_options();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(folder.join(LOCK)).map_err(|error| unusable(folder, LOCK, &error))?;
        match file.try_lock() {
            Ok(()) => {
                // On a full disk the note is missing, and the lock holds all the same.
                let _ = sign(&mut file);
                Ok(Lock(file))
            }
            Err(TryLockError::WouldBlock) => {
                Err(LedgerError::Busy { path: folder.to_owned(), holder: holder(&mut file) })
            }
            Err(TryLockError::Error(error)) => Err(unusable(folder, LOCK, &error)),
        }
    }

    /// Which process holds the lock. Those who look share it, so that they do not take each other for a holder; nothing is
    /// written, so that it works in a folder that is for reading.
    pub(super) fn holder_of(folder: &Path) -> Result<Holder, LedgerError> {
        let mut file = match open_options().read(true).open(folder.join(LOCK)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Holder::Nobody),
            Err(error) => return Err(unusable(folder, LOCK, &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => {
                Ok(holder(&mut file).and_then(|line| named(&line)).unwrap_or(Holder::Unnamed))
            }
            Err(TryLockError::Error(error)) => Err(unusable(folder, LOCK, &error)),
        }
    }

    #[cfg(test)]
    fn is_held(folder: &Path) -> Result<bool, LedgerError> {
        Lock::holder_of(folder).map(|holder| holder != Holder::Nobody)
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} on {}", std::process::id(), host())
}

/// What the holder says of itself. A lock that is only looked at, and one on a file that cannot be read while it is locked, is
/// nobody's.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(HOLDER).read_to_string(&mut text).ok()?;
    let line = text.lines().next()?;
    line.starts_with("process ").then(|| line.chars().filter(|letter| !letter.is_control()).collect())
}

/// `process 4711 on HOST`
fn named(line: &str) -> Option<Holder> {
    let (pid, host) = line.strip_prefix("process ")?.split_once(" on ")?;
    Some(Holder::Process { pid: pid.parse().ok()?, host: host.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_in_the_way_is_named() {
        let folder = tempfile::TempDir::new().unwrap();
        let _held = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("process {} on ", std::process::id())), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_a_symbolic_link_is_refused_and_its_target_stays_as_it_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(LOCK)).unwrap();
        let error = Lock::take(folder.path()).unwrap_err();
        assert!(error.to_string().contains("lock in it is a symbolic link"), "{error}");
        assert!(Lock::is_held(folder.path()).is_err());
        assert_eq!(std::fs::read_to_string(target).unwrap(), "precious");
    }

    #[test]
    fn a_look_finds_a_holder_and_stops_nobody() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(!Lock::is_held(folder.path()).unwrap());
        assert!(!folder.path().join(LOCK).exists(), "a look writes nothing");
        let held = Lock::take(folder.path()).unwrap();
        let this = Holder::Process { pid: std::process::id(), host: host() };
        assert_eq!(Lock::holder_of(folder.path()).unwrap(), this);
        drop(held);
        // Two who look at the same time do not see each other.
        let looking = File::open(folder.path().join(LOCK)).unwrap();
        looking.try_lock_shared().unwrap();
        assert!(!Lock::is_held(folder.path()).unwrap());
        // A process that starts up meanwhile waits for the look to end.
        let look = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(looking);
        });
        Lock::take(folder.path()).unwrap();
        look.join().unwrap();
    }

    #[test]
    fn a_lock_file_that_somebody_else_filled_is_no_obstacle() {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join(LOCK), vec![0xff_u8; 4096]).unwrap();
        let _held = Lock::take(folder.path()).unwrap();
        let file = std::fs::read_to_string(folder.path().join(LOCK)).unwrap();
        assert_eq!(file.lines().count(), 1, "{file:?}");
    }
}
