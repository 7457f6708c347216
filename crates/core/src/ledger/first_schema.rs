//! Bringing a ledger of the first schema forward: its entries are chained, and what it had no entries for is written down.

use rusqlite::{Transaction, params};

use super::Binding;
use super::chain::{self, Link};
use super::entries::{Head, NOWHERE, NewSession, RunEvent, json, open_session, write_state};
use super::fold;
use super::rows::account_of;
use crate::model::AccountRecord;

/// Chains the entries of the first schema in their order, and writes its runs and accounts down as entries after them.
pub(super) fn bring_forward(transaction: &Transaction<'_>, binding: &Binding) -> rusqlite::Result<()> {
    let mut head = chain::genesis(binding);
    let (mut last, mut written) = (0, 0);
    {
        let mut entries = transaction.prepare(
            "SELECT entry.seq, run.id, entry.at, account, region, bucket, event FROM entry JOIN run ON run.number = entry.run
             ORDER BY entry.seq",
        )?;
        let mut hashed = transaction.prepare("UPDATE entry SET seq = ?2, hash = ?3 WHERE seq = ?1")?;
        let mut rows = entries.query([])?;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            last += 1;
            let (run, at, account): (String, i64, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
            written = at.max(written);
            let (region, bucket, event): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
            let link =
                Link { seq: last, run: &run, at, account: &account, region: &region, bucket: &bucket, event: &event };
            head = chain::next(&head, &link);
            hashed.execute(params![seq, last, head])?;
        }
    }
    write_down(transaction, (last, written, head))
}

/// Writes the runs and accounts of the first schema down as entries, after those of its buckets: that schema had none for them.
///
/// The last of those entries is given with its time and hash. The new ones are of now; what they tell of keeps its own times.
fn write_down(transaction: &Transaction<'_>, (seq, at, hash): (i64, i64, String)) -> rusqlite::Result<()> {
    // What the rows of that schema lack follows from the entries.
    fold::each(transaction, "TRUE", |folded| {
        let state = folded.state.map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))?;
        let at = jiff::Timestamp::from_millisecond(folded.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write_state(transaction, folded.run, &folded.bucket, &state, at)
    })?;
    let mut head = Head { seq, at, hash, run: None };
    let at = head.now();
    let mut runs = transaction.prepare(
        "SELECT number, kind, caller, version, host, config_hash, selection, state, started_at, finished_at FROM run
         ORDER BY number",
    )?;
    let mut rows = runs.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let kind: String = row.get(1)?;
        let session = NewSession {
            command: kind.clone(),
            caller: row.get(2)?,
            version: row.get(3)?,
            host: row.get(4)?,
            pid: 0,
            config_hash: row.get(5)?,
            selection: row.get(6)?,
            clock_off_seconds: None,
        };
        let (state, started, finished): (String, i64, Option<i64>) = (row.get(7)?, row.get(8)?, row.get(9)?);
        // A time beyond what a calendar knows was put there by hand: it is of now, as its entry.
        let began = jiff::Timestamp::from_millisecond(started).unwrap_or(at);
        open_session(transaction, number, &session, began)?;
        let begun = RunEvent::RunBegun {
            kind,
            parent: None,
            target: String::new(),
            plan: None,
            exemptions: None,
            session,
            began_at: Some(began),
        };
        head.add(transaction, number, NOWHERE, &json(&begun)?, at)?;
        let mut accounts = transaction.prepare_cached(
            "SELECT id, name, state, outcome, error, ous, directory_buckets FROM account WHERE run = ?1 ORDER BY id",
        )?;
        let mut rows = accounts.query(params![number])?;
        while let Some(row) = rows.next()? {
            let AccountRecord { id, name, state, outcome, error, ous, directory_buckets } = account_of(row, 0)?;
            let event = RunEvent::AccountRecorded { name, state, outcome, error, ous, directory_buckets };
            head.add(transaction, number, (&id, "", ""), &json(&event)?, at)?;
        }
        if let Some(finished) = finished {
            let ended = jiff::Timestamp::from_millisecond(finished).unwrap_or(at);
            transaction.execute(
                "UPDATE session SET ended_at = ?2, ending = ?3 WHERE run = ?1",
                params![number, ended.as_millisecond(), state],
            )?;
            head.add(transaction, number, NOWHERE, &json(&RunEvent::RunEnded { state, ended_at: Some(ended) })?, at)?;
        }
    }
    Ok(())
}
