//! What an approved plan says of buckets, laid out for look-ups: the rows, and the hash over them that is in the chain.

use rusqlite::{Connection, Transaction, params};
use sha2::{Digest, Sha256};

use super::entries::written;

/// Removes what was laid out of a run before: a row that is in no plan must not stay.
pub(super) fn clear(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM planned WHERE run = ?1", params![run]).map(drop)
}

/// Lays out account, name and entry of each bucket.
pub(super) fn add(
    transaction: &Transaction<'_>,
    run: i64,
    entries: Vec<(String, String, String)>,
) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO planned (run, account, name, entry) VALUES (?1, ?2, ?3, ?4)")?;
    for (account, name, entry) in entries {
        written(insert.execute(params![run, account, name, entry])?)?;
    }
    Ok(())
}

/// How many rows a run has, and SHA-256 over them by account and name.
pub(super) fn hash(connection: &Connection, run: i64) -> rusqlite::Result<(u64, String)> {
    let mut statement =
        connection.prepare_cached("SELECT account, name, entry FROM planned WHERE run = ?1 ORDER BY account, name")?;
    let mut rows = statement.query(params![run])?;
    let (mut count, mut digest) = (0, Sha256::new());
    while let Some(row) = rows.next()? {
        for column in 0..3 {
            let text: String = row.get(column)?;
            // With its length, so that no text can be shifted into the next.
            digest.update(text.len().to_le_bytes());
            digest.update(text.as_bytes());
        }
        count += 1;
    }
    Ok((count, digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}
