//! The newest head, kept beside the ledger. SQLite drops what a damaged write-ahead log holds, and opens what is left as if that
//! were all: the file alone cannot show that its end is missing.
//!
//! The file has two slots that are written in turn, each with a checksum: a write that a power cut tears spoils the older one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::entries::Head;
use super::{HEAD, LedgerError, open_options, unusable};

/// A slot: number, hash, checksum and a line feed.
const SLOT: usize = 20 + 1 + 64 + 1 + 16 + 1;

/// The last entry that was committed, as it was kept beside the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptHead {
    pub(super) seq: u64,
    pub(super) hash: String,
}

/// Entries that were written, and are not in the ledger as they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// The first of them.
    pub(super) first: u64,
    /// What is wrong.
    pub(super) what: String,
}

impl KeptHead {
    /// The newest slot that is whole; `None` where there is no file, as beside a ledger of an earlier version.
    pub(super) fn read(folder: &Path) -> io::Result<Option<KeptHead>> {
        match open_options().read(true).open(folder.join(HEAD)) {
            Ok(mut file) => Ok(newest(&slots(&mut file)?).map(|(_, head)| head)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What of it is not in the ledger.
    pub(super) fn missing_from(&self, connection: &Connection) -> rusqlite::Result<Option<Missing>> {
        if self.seq == 0 {
            // The head of a ledger without entries.
            return Ok(None);
        }
        let seq = i64::try_from(self.seq).unwrap_or(i64::MAX);
        let hash: Option<String> =
            connection.query_row("SELECT hash FROM entry WHERE seq = ?1", [seq], |row| row.get(0)).optional()?;
        match hash {
            Some(hash) if hash == self.hash => Ok(None),
            Some(_) => Ok(Some(Missing {
                first: self.seq,
                what: format!("entry {} is not the one that was written: {HEAD} has another hash for it", self.seq),
            })),
            None => {
                let last: u64 =
                    connection.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))?;
                let missing = match self.seq - last.min(self.seq) {
                    0 | 1 => format!("entry {} is missing", self.seq),
                    count => format!("entries {} to {} ({count}) are missing", last + 1, self.seq),
                };
                Ok(Some(Missing {
                    first: last + 1,
                    what: format!(
                        "{missing}: {HEAD} shows that they were written; the write-ahead log is damaged or was removed, or an \
                         older copy of the ledger was put there"
                    ),
                }))
            }
        }
    }
}

/// Why the end of a ledger cannot be checked, where its head file is missing or damaged: a ledger of this schema has one from its
/// beginning. `None`: there is one, or nothing was ever written.
pub(super) fn why_unchecked(folder: &Path, connection: &Connection) -> Result<Option<String>, LedgerError> {
    // Read after the ledger: another process may have created both meanwhile.
    let read = KeptHead::read(folder).map_err(|error| unusable(folder, HEAD, &error))?;
    let last = || connection.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get::<_, u64>(0));
    let last = last().map_err(|error| LedgerError::database(folder, &error))?;
    if read.is_some() || last == 0 {
        return Ok(None);
    }
    let file = if folder.join(HEAD).exists() { "is damaged or empty" } else { "is missing" };
    Ok(Some(format!(
        "{HEAD} {file}, so it could not be checked whether entries after entry {last} were written and are missing"
    )))
}

/// Keeps the head of a ledger that has none yet.
pub(super) fn keep_first(folder: &Path, head: &Head) -> Result<(), LedgerError> {
    HeadFile::open(folder)
        .and_then(|mut file| file.keep(head.seq, &head.hash))
        .map_err(|error| unusable(folder, HEAD, &error))
}

/// The file, open for writing.
pub(super) struct HeadFile(File);

impl HeadFile {
    pub(super) fn open(folder: &Path) -> io::Result<HeadFile> {
        Ok(HeadFile(open_options().create(true).truncate(false).read(true).write(true).open(folder.join(HEAD))?))
    }

    /// Keeps a head durably, unless another process kept a newer one.
    pub(super) fn keep(&mut self, seq: i64, hash: &str) -> io::Result<()> {
        self.0.lock()?;
        let kept = self.write(u64::try_from(seq).unwrap_or(0), hash);
        self.0.unlock()?;
        kept
    }

    fn write(&mut self, seq: u64, hash: &str) -> io::Result<()> {
        let newest = newest(&slots(&mut self.0)?);
        let place = match &newest {
            Some((_, head)) if head.seq >= seq => return Ok(()),
            Some((place, _)) => 1 - place,
            None => 0,
        };
        self.0.seek(SeekFrom::Start((place * SLOT) as u64))?;
        self.0.write_all(format!("{seq:>20} {hash:>64} {}\n", checksum(seq, hash)).as_bytes())?;
        self.0.sync_data()
    }
}

fn slots(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2 * SLOT);
    file.rewind()?;
    file.take(2 * SLOT as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The newest whole slot, with its place.
fn newest(bytes: &[u8]) -> Option<(usize, KeptHead)> {
    let whole = bytes.chunks(SLOT).enumerate().filter_map(|(place, slot)| Some((place, head_of(slot)?)));
    whole.max_by_key(|(_, head)| head.seq)
}

fn head_of(slot: &[u8]) -> Option<KeptHead> {
    let mut parts = std::str::from_utf8(slot).ok()?.split_whitespace();
    let (seq, hash, sum) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    (checksum(seq, hash) == sum).then(|| KeptHead { seq, hash: hash.to_owned() })
}

fn checksum(seq: u64, hash: &str) -> String {
    let digest = Sha256::digest(format!("orgseal head {seq} {hash}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_write_leaves_the_head_before_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let kept = || KeptHead::read(folder.path()).unwrap().map(|head| head.seq);
        assert_eq!(kept(), None);
        let hash = "a".repeat(64);
        for seq in 1..=3 {
            HeadFile::open(folder.path()).unwrap().keep(seq, &hash).unwrap();
            assert_eq!(kept(), Some(seq as u64));
        }
        // A process that committed earlier and keeps its head later does not take it back.
        HeadFile::open(folder.path()).unwrap().keep(2, &hash).unwrap();
        assert_eq!(kept(), Some(3));
        let path = folder.path().join(HEAD);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[30] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(kept(), Some(2));
        HeadFile::open(folder.path()).unwrap().keep(4, &hash).unwrap();
        assert_eq!(kept(), Some(4));
    }
}
