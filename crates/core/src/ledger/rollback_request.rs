//! A rollback that was requested for a campaign: an intent like a start's. It is durable before anything is followed, read or
//! asked, so that whatever ends the process, the next command knows that the campaign must not go on sealing.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::entries::{Head, NOWHERE, NewSession, RunEvent, json, written};
use super::rows::parsed;
use super::{LedgerError, Reader, Run};
use crate::plan::Narrowed;

/// What was requested, by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackRequest {
    /// When: of several requests the last one counts.
    pub requested_at: jiff::Timestamp,
    /// Only what was changed in this wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<u32>,
    /// Only what the command line selected.
    #[serde(default)]
    pub narrowed: Narrowed,
    /// It needs no confirmation: `--yes` was given.
    pub confirmed: bool,
    /// Who requested it, where.
    pub session: NewSession,
}

impl RollbackRequest {
    /// Whether it asks for the same buckets.
    #[must_use]
    pub fn covers_the_same(&self, wave: Option<u32>, narrowed: &Narrowed) -> bool {
        self.wave == wave && self.narrowed == *narrowed
    }
}

/// Writes a request down. `false`: there is no run of that id.
pub(super) fn request(
    transaction: &Transaction<'_>,
    head: &mut Head,
    campaign: &str,
    request: RollbackRequest,
    at: jiff::Timestamp,
) -> rusqlite::Result<bool> {
    let Some(run) = number(transaction, campaign)? else { return Ok(false) };
    let request = RollbackRequest { requested_at: at, ..request };
    let sql = "UPDATE run SET rollback_request = ?2 WHERE number = ?1";
    written(transaction.execute(sql, params![run, json(&request)?])?)?;
    head.add(transaction, run, NOWHERE, &json(&RunEvent::RollbackRequested { request })?, at)?;
    Ok(true)
}

/// Ends the request of a campaign, if it has one: it was carried out, declined or cancelled.
pub(super) fn close(
    transaction: &Transaction<'_>,
    head: &mut Head,
    campaign: &str,
    (by, outcome): (Option<String>, &str),
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let Some(run) = number(transaction, campaign)? else { return Ok(()) };
    let sql = "UPDATE run SET rollback_request = NULL WHERE number = ?1 AND rollback_request IS NOT NULL";
    if transaction.execute(sql, params![run])? == 1 {
        let event = RunEvent::RollbackRequestClosed { by, outcome: outcome.to_owned() };
        head.add(transaction, run, NOWHERE, &json(&event)?, at)?;
    }
    Ok(())
}

/// The end of a rollback that went through, or was declined, is the end of the request that it carries out: the one that was
/// made before it began. An older rollback that is resumed leaves a newer request as it is.
pub(super) fn closed_by_end_of(
    transaction: &Transaction<'_>,
    head: &mut Head,
    run: i64,
    state: &str,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    if !["finished", "declined"].contains(&state) {
        return Ok(());
    }
    let of: Option<(String, i64, String, Option<RollbackRequest>)> = transaction
        .query_row(
            "SELECT rollback.id, rollback.started_at, campaign.id, campaign.rollback_request
             FROM run AS rollback JOIN run AS campaign ON campaign.id = rollback.parent WHERE rollback.number = ?1",
            params![run],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, request_of(row, 3)?)),
        )
        .optional()?;
    match of {
        Some((rollback, began, campaign, Some(request))) if request.requested_at.as_millisecond() <= began => {
            close(transaction, head, &campaign, (Some(rollback), state), at)
        }
        _ => Ok(()),
    }
}

fn number(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<i64>> {
    transaction.query_row("SELECT number FROM run WHERE id = ?1", params![id], |row| row.get(0)).optional()
}

/// The request in a column of a run's row.
pub(super) fn request_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RollbackRequest>> {
    parsed(row, column)
}

impl Reader {
    /// The campaigns with a rollback that was requested and has not come to its end, the oldest first.
    pub fn rollbacks_requested(&self) -> Result<Vec<Run>, LedgerError> {
        let runs: Vec<Run> = self.runs_where("rollback_request IS NOT NULL")?;
        Ok(runs)
    }

    /// The request that stands over a campaign, or over the campaign that a rollback undoes; with that campaign.
    pub fn rollback_request_over(&self, run: &Run) -> Result<Option<(Run, RollbackRequest)>, LedgerError> {
        let campaign = match &run.parent {
            Some(campaign) => self.run(campaign)?,
            None => run.clone(),
        };
        Ok(campaign.rollback_request.clone().map(|request| (campaign, request)))
    }
}
