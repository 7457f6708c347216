//! What a bucket's entries amount to: the same `transition` that wrote its row, over all of them again.

use rusqlite::Connection;

use super::moves::{BucketEvent, BucketState, transition};
use crate::model::Bucket;

/// A bucket's state as its entries have it.
pub(super) struct Folded {
    pub(super) run: i64,
    pub(super) bucket: Bucket,
    pub(super) state: BucketState,
    /// When its last entry was written.
    pub(super) at: i64,
    /// The last entry's number.
    pub(super) seq: i64,
}

/// Why entries amount to nothing.
pub(super) struct Unfoldable {
    /// The entry at which the fold ends.
    pub(super) seq: i64,
    pub(super) why: String,
}

/// Each bucket's fold, by run, account and name. SQLite sorts; nothing is gathered here.
pub(super) fn each<E>(
    connection: &Connection,
    mut handle: impl FnMut(Result<Folded, Unfoldable>) -> Result<(), E>,
) -> rusqlite::Result<Result<(), E>> {
    let mut statement = connection.prepare(
        "SELECT run, account, region, bucket, seq, at, event FROM entry WHERE bucket <> '' ORDER BY run, account, bucket, seq",
    )?;
    let mut rows = statement.query([])?;
    let mut open: Option<Folded> = None;
    while let Some(row) = rows.next()? {
        let run: i64 = row.get(0)?;
        let bucket = Bucket { account: row.get(1)?, region: row.get(2)?, name: row.get(3)? };
        let (seq, at, event): (i64, i64, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
        let same =
            |open: &Folded| open.run == run && open.bucket.account == bucket.account && open.bucket.name == bucket.name;
        if let Some(done) = open.take_if(|open| !same(open))
            && let Err(stop) = handle(Ok(done))
        {
            return Ok(Err(stop));
        }
        let moment = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let next = serde_json::from_str::<BucketEvent>(&event)
            .map_err(|error| format!("its event cannot be read: {error}"))
            .and_then(|event| {
                transition(open.as_ref().map(|open| &open.state), &event, moment).map_err(|illegal| illegal.to_string())
            });
        match next {
            Ok(state) => open = Some(Folded { run, bucket, state, at, seq }),
            Err(why) => {
                if let Err(stop) = handle(Err(Unfoldable { seq, why })) {
                    return Ok(Err(stop));
                }
            }
        }
    }
    if let Some(done) = open {
        return Ok(handle(Ok(done)));
    }
    Ok(Ok(()))
}
