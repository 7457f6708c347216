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
    let mut last = 0;
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
            let (run, account): (String, String) = (row.get(1)?, row.get(3)?);
            let (region, bucket, event): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
            let link = Link {
                seq: last,
                run: &run,
                at: row.get(2)?,
                account: &account,
                region: &region,
                bucket: &bucket,
                event: &event,
            };
            head = chain::next(&head, &link);
            hashed.execute(params![seq, last, head])?;
        }
    }
    write_down(transaction, last, head)
}

/// Writes the runs and accounts of the first schema down as entries, after those of its buckets: that schema had none for them.
fn write_down(transaction: &Transaction<'_>, last: i64, hash: String) -> rusqlite::Result<()> {
    // What the rows of that schema lack follows from the entries.
    fold::each(transaction, |folded| match folded {
        Ok(folded) => {
            let at = jiff::Timestamp::from_millisecond(folded.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            write_state(transaction, folded.run, &folded.bucket, &folded.state, at)
        }
        Err(unfoldable) => Err(rusqlite::Error::ToSqlConversionFailure(unfoldable.why.into())),
    })??;
    let mut head = Head { seq: last, at: 0, hash, run: None };
    let at = head.now();
    let mut runs = transaction.prepare(
        "SELECT number, kind, caller, version, host, config_hash, selection, state, finished_at FROM run ORDER BY number",
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
        };
        let (state, finished): (String, Option<i64>) = (row.get(7)?, row.get(8)?);
        open_session(transaction, number, &session, at)?;
        let begun = RunEvent::RunBegun { kind, parent: None, target: String::new(), session };
        head.add(transaction, number, NOWHERE, &json(&begun)?, at)?;
        let mut accounts = transaction
            .prepare_cached("SELECT id, name, state, outcome, error FROM account WHERE run = ?1 ORDER BY id")?;
        let mut rows = accounts.query(params![number])?;
        while let Some(row) = rows.next()? {
            let AccountRecord { id, name, state, outcome, error } = account_of(row, 0)?;
            let event = RunEvent::AccountRecorded { name, state, outcome, error };
            head.add(transaction, number, (&id, "", ""), &json(&event)?, at)?;
        }
        if finished.is_some() {
            // The entries are of now, and so is what follows from them; the run keeps its own beginning.
            transaction.execute(
                "UPDATE session SET ended_at = ?2, ending = ?3 WHERE run = ?1",
                params![number, at.as_millisecond(), state],
            )?;
            transaction
                .execute("UPDATE run SET finished_at = ?2 WHERE number = ?1", params![number, at.as_millisecond()])?;
            head.add(transaction, number, NOWHERE, &json(&RunEvent::RunEnded { state })?, at)?;
        }
    }
    Ok(())
}
