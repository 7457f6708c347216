//! The chain of hashes over the ledger's entries: each covers its entry and the hash before it.
//!
//! An entry that is edited, removed or moved breaks the chain from there on. What is cut off at the end leaves no trace in the
//! file itself, which is why the head is printed: kept elsewhere, it is found missing.

use sha2::{Digest, Sha256};

use super::Binding;

/// SHA-256, in hex.
pub(super) type Hash = String;

/// What an entry says.
pub(super) struct Link<'a> {
    /// The entry's number, from 1 without gaps.
    pub(super) seq: i64,
    /// The run's id.
    pub(super) run: &'a str,
    /// Milliseconds since the Unix epoch.
    pub(super) at: i64,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) bucket: &'a str,
    /// The event, as JSON, byte for byte as it is kept.
    pub(super) event: &'a str,
}

/// The hash before the first entry: what the ledger belongs to.
pub(super) fn genesis(binding: &Binding) -> Hash {
    hash(&["orgseal ledger", &binding.organization, &binding.partition, &binding.endpoint])
}

/// The hash of an entry that follows one with the hash `previous`.
pub(super) fn next(previous: &str, link: &Link<'_>) -> Hash {
    let (seq, at) = (link.seq.to_string(), link.at.to_string());
    hash(&[previous, &seq, link.run, &at, link.account, link.region, link.bucket, link.event])
}

/// SHA-256 over the parts, each followed by a line feed. No part but the last can hold one, so the parts cannot be shifted.
fn hash(parts: &[&str]) -> Hash {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update(b"\n");
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let link = || Link { seq: 1, run: "r", at: 2, account: "a", region: "g", bucket: "b", event: "{}" };
        let whole = next("p", &link());
        let others = [
            next("q", &link()),
            next("p", &Link { seq: 2, ..link() }),
            next("p", &Link { run: "s", ..link() }),
            next("p", &Link { at: 3, ..link() }),
            next("p", &Link { account: "", region: "ag", ..link() }),
            next("p", &Link { bucket: "c", ..link() }),
            next("p", &Link { event: "{ }", ..link() }),
        ];
        assert!(others.iter().all(|other| *other != whole));
    }
}
