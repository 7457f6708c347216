//! Rows of the tables, read into what they hold.

use rusqlite::Row;

use super::entries::{NewSession, PlanReference};
use super::moves::BucketState;
use crate::model::{AccountRecord, Execution, Judgement, OmissionRecord, WaveRecord};

/// The columns that [`state_of`] reads, in its order.
pub(super) const STATE_COLUMNS: &str = "phase, verdict, reason, observed, encryption, found, left_as, intent, execution, status, error, starts, touched_at, \
     restore, wave, guards, guarded_at, exemption, at";
/// How many there are: what a query selects besides begins there.
pub(super) const STATE_WIDTH: usize = 19;

/// A bucket's state from a row that begins with [`STATE_COLUMNS`].
pub(super) fn state_of(row: &Row<'_>) -> rusqlite::Result<BucketState> {
    let (id, status): (Option<String>, Option<String>) = (row.get(8)?, row.get(9)?);
    Ok(BucketState {
        phase: word(row, 0)?,
        judgement: Judgement {
            verdict: word(row, 1)?,
            reason: word(row, 2)?,
            observed: if row.get_ref(3)?.as_str_or_null()?.is_some() { Some(word(row, 3)?) } else { None },
        },
        encryption: parsed(row, 4)?,
        found: parsed(row, 5)?,
        left: parsed(row, 6)?,
        intent: parsed(row, 7)?,
        execution: id.map(|id| Execution { id, status: status.as_deref().map(Into::into) }),
        error: parsed(row, 10)?,
        starts: row.get(11)?,
        touched_at: moment(row, 12)?,
        restore: parsed(row, 13)?,
        wave: row.get(14)?,
        guards: parsed(row, 15)?.unwrap_or_default(),
        guarded_at: moment(row, 16)?,
        exemption: parsed(row, 17)?,
    })
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<jiff::Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()))
}

/// A bare word, as our enums are kept.
fn word<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(text)).map_err(|error| unreadable(column, error))
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(column, error))).transpose()
}

fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

/// The account in a row that has id, name, state, outcome, error, ous and directory_buckets from column `first` on.
pub(super) fn account_of(row: &Row<'_>, first: usize) -> rusqlite::Result<AccountRecord> {
    let unreadable =
        |column, error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error));
    let (outcome, error): (String, Option<String>) = (row.get(first + 3)?, row.get(first + 4)?);
    Ok(AccountRecord {
        id: row.get(first)?,
        name: row.get(first + 1)?,
        state: row.get(first + 2)?,
        outcome: serde_json::from_value(outcome.into())
            .map_err(|error: serde_json::Error| unreadable(first + 3, error))?,
        error: error
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error: serde_json::Error| unreadable(first + 4, error))?,
        ous: serde_json::from_str(&row.get::<_, String>(first + 5)?).map_err(|error| unreadable(first + 5, error))?,
        directory_buckets: parsed(row, first + 6)?,
    })
}

/// The columns that [`wave_of`] reads, in its order.
pub(super) const WAVE_COLUMNS: &str = "number, name, state, bake_until, watched_since, says, evidence, accepted, failures, settle_until, \
     changing_since, denials, accepted_denials, rolled_back, sealed_earlier";

/// A wave from a row that begins with [`WAVE_COLUMNS`].
pub(super) fn wave_of(row: &Row<'_>) -> rusqlite::Result<WaveRecord> {
    Ok(WaveRecord {
        number: row.get(0)?,
        name: row.get(1)?,
        state: word(row, 2)?,
        bake_until: moment(row, 3)?,
        watched_since: moment(row, 4)?,
        says: row.get(5)?,
        evidence: parsed(row, 6)?.unwrap_or_default(),
        accepted: parsed(row, 7)?.unwrap_or_default(),
        accepted_failures: row.get(8)?,
        settle_until: moment(row, 9)?,
        changing_since: moment(row, 10)?,
        denials: parsed(row, 11)?.unwrap_or_default(),
        accepted_denials: parsed(row, 12)?.unwrap_or_default(),
        rolled_back: parsed(row, 13)?,
        sealed_earlier: parsed(row, 14)?,
    })
}

/// The columns that [`omission_of`] reads, in its order.
pub(super) const OMISSION_COLUMNS: &str = "account, region, bucket, document_hash, blocked, outcome, repair";

/// What was learned about `BlockedEncryptionTypes`, from a row that begins with [`OMISSION_COLUMNS`].
pub(super) fn omission_of(row: &Row<'_>) -> rusqlite::Result<OmissionRecord> {
    Ok(OmissionRecord {
        account: row.get(0)?,
        region: row.get(1)?,
        bucket: row.get(2)?,
        document_hash: row.get(3)?,
        blocked: parsed(row, 4)?.unwrap_or_default(),
        outcome: word(row, 5)?,
        repair: row.get(6)?,
    })
}

/// The approved plan in a column of a run's row.
pub(super) fn plan_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<PlanReference>> {
    parsed(row, column)
}

/// The columns that [`session_of`] reads, in its order.
pub(super) const SESSION_COLUMNS: &str = "command, caller, version, host, pid, config_hash, selection, clock_off";
/// How many there are: what a query selects besides begins there.
pub(super) const SESSION_WIDTH: usize = 8;

/// Who worked on a run, from a row that begins with [`SESSION_COLUMNS`].
pub(super) fn session_of(row: &Row<'_>) -> rusqlite::Result<NewSession> {
    Ok(NewSession {
        command: row.get(0)?,
        caller: row.get(1)?,
        version: row.get(2)?,
        host: row.get(3)?,
        pid: row.get(4)?,
        config_hash: row.get(5)?,
        selection: row.get(6)?,
        clock_off_seconds: row.get(7)?,
    })
}
