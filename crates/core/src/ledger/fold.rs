//! What a bucket's entries amount to: the same `transition` that wrote its row, over all of them again.

use rusqlite::Connection;

use super::moves::{BucketEvent, BucketState, transition};
use crate::model::Bucket;

/// A bucket as its entries have it.
pub(super) struct Folded {
    pub(super) run: i64,
    pub(super) bucket: Bucket,
    /// Its state, or why the entries amount to none.
    pub(super) state: Result<BucketState, String>,
    /// When its last entry was written; the one at which the fold ends, where it does.
    pub(super) at: i64,
    /// That entry's number.
    pub(super) seq: i64,
}

/// Each bucket's fold, by run, account and name; `of` is a condition of SQL on the run. SQLite sorts; nothing is gathered here.
pub(super) fn each(
    connection: &Connection,
    of: &str,
    mut handle: impl FnMut(Folded) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT run, account, region, bucket, seq, at, event FROM entry WHERE bucket <> '' AND {of}
         ORDER BY run, account, bucket, seq"
    ))?;
    let mut rows = statement.query([])?;
    let mut open: Option<Folded> = None;
    while let Some(row) = rows.next()? {
        let run: i64 = row.get(0)?;
        let bucket = Bucket { account: row.get(1)?, region: row.get(2)?, name: row.get(3)? };
        let (seq, at, event): (i64, i64, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
        let same =
            |open: &Folded| open.run == run && open.bucket.account == bucket.account && open.bucket.name == bucket.name;
        if let Some(done) = open.take_if(|open| !same(open)) {
            handle(done)?;
        }
        let before = match &open {
            None => None,
            Some(Folded { state: Ok(state), .. }) => Some(state),
            // What comes after an entry that cannot be followed says nothing.
            Some(Folded { state: Err(_), .. }) => continue,
        };
        let moment = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let state = serde_json::from_str::<BucketEvent>(&event)
            .map_err(|error| format!("its event cannot be read: {error}"))
            .and_then(|event| transition(before, &event, moment).map_err(|illegal| illegal.to_string()));
        open = Some(Folded { run, bucket, state, at, seq });
    }
    open.map_or(Ok(()), handle)
}
