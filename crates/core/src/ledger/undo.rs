//! What a rollback restores is written into its campaign as well, so that the campaign's rows show the latest known state. A person
//! who redoes a wave reopens what was rolled back of it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::apply::read_state;
use super::entries::{Head, NOWHERE, RunEvent, json, write_state, write_wave};
use super::moves::{BucketEvent, transition};
use super::rows::{WAVE_COLUMNS, moment, parsed, wave_of};
use super::waves::TOUCHED;
use super::{LedgerError, Reader, Run};
use crate::model::{Bucket, DefaultEncryption, Verdict, WaveRecord, WaveRollback, WaveState};

/// The buckets of a campaign that a rollback restored, and that nobody reopened.
const ROLLED_BACK: &str = "phase = 'settled' AND reason = 'rolled_back'";

/// Buckets whose rows are written in one go: a rollback may be about any number of them.
const AT_ONCE: i64 = 1000;

/// A rollback with the campaign that it undoes.
struct Rollback {
    id: String,
    stage: String,
    started_at: i64,
    /// Everything was selected.
    whole: bool,
    /// The only wave that it is about.
    wave: Option<u32>,
    campaign: i64,
}

fn rollback_of(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<Option<Rollback>> {
    let sql = "SELECT run.id, run.stage, run.started_at, run.selection, run.target, campaign.number
               FROM run JOIN run AS campaign ON campaign.id = run.parent WHERE run.number = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let (selection, target): (String, String) = (row.get(3)?, row.get(4)?);
        let wave = serde_json::from_str::<serde_json::Value>(&target).ok().and_then(|target| target["wave"].as_u64());
        Ok(Rollback {
            id: row.get(0)?,
            stage: row.get(1)?,
            started_at: row.get(2)?,
            whole: selection.is_empty(),
            wave: wave.and_then(|wave| u32::try_from(wave).ok()),
            campaign: row.get(5)?,
        })
    };
    transaction.prepare_cached(sql)?.query_row(params![run], read).optional()
}

/// Marks a bucket that a rollback just saw as it was before. One that only reads what there is to do marks nothing yet: it may be a
/// dry run, or be declined.
pub(super) fn mark(
    transaction: &Transaction<'_>,
    head: &mut Head,
    run: i64,
    bucket: &Bucket,
    shown: Option<&DefaultEncryption>,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    match rollback_of(transaction, run)? {
        Some(rollback) if rollback.stage != "reading" => mark_one(transaction, head, &rollback, bucket, shown, at),
        _ => Ok(()),
    }
}

fn mark_one(
    transaction: &Transaction<'_>,
    head: &mut Head,
    rollback: &Rollback,
    bucket: &Bucket,
    shown: Option<&DefaultEncryption>,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let Some(before) = read_state(transaction, rollback.campaign, bucket)? else { return Ok(()) };
    if before.is_rolled_back() {
        return Ok(());
    }
    let event = BucketEvent::RolledBack { run: rollback.id.clone(), encryption: shown.cloned() };
    // A start of the campaign without a known outcome stays one: it counts against the limits.
    let Ok(after) = transition(Some(&before), &event, at) else { return Ok(()) };
    write_state(transaction, rollback.campaign, bucket, &after, at)?;
    let place = (bucket.account.as_str(), bucket.region.as_str(), bucket.name.as_str());
    head.add(transaction, rollback.campaign, place, &json(&event)?, at)
}

/// Marks all that a rollback saw as it was before. What the campaign changed after the rollback began is another story.
pub(super) fn mark_restored(
    transaction: &Transaction<'_>,
    head: &mut Head,
    run: i64,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let Some(rollback) = rollback_of(transaction, run)? else { return Ok(()) };
    let sql = format!(
        "SELECT one.account, one.region, one.name, one.encryption FROM bucket AS one
         JOIN bucket AS changed ON changed.run = ?2 AND changed.account = one.account AND changed.name = one.name
         WHERE one.run = ?1 AND one.verdict = '{}' AND changed.touched_at <= ?3
               AND NOT (changed.phase = 'settled' AND changed.reason = 'rolled_back')
               AND changed.phase NOT IN ('intended', 'started', 'ended') AND (one.account, one.name) > (?4, ?5)
         ORDER BY one.account, one.name LIMIT {AT_ONCE}",
        Verdict::Restored.as_str()
    );
    let mut last = (String::new(), String::new());
    loop {
        let values = params![run, rollback.campaign, rollback.started_at, last.0, last.1];
        let restored = transaction
            .prepare_cached(&sql)?
            .query_map(values, |row| {
                let bucket = Bucket { account: row.get(0)?, region: row.get(1)?, name: row.get(2)? };
                Ok((bucket, parsed::<DefaultEncryption>(row, 3)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let Some((bucket, _)) = restored.last() else { return Ok(()) };
        last = (bucket.account.clone(), bucket.name.clone());
        for (bucket, shown) in restored {
            mark_one(transaction, head, &rollback, &bucket, shown.as_ref(), at)?;
        }
    }
}

/// The end of a rollback that went through: its campaign's waves say what was restored of them.
pub(super) fn end(
    transaction: &Transaction<'_>,
    head: &mut Head,
    run: i64,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let Some(rollback) = rollback_of(transaction, run)? else { return Ok(()) };
    mark_restored(transaction, head, run, at)?;
    let sql = format!(
        "SELECT {WAVE_COLUMNS},
                (SELECT count(*) FROM bucket WHERE run = ?1 AND wave = number AND {ROLLED_BACK}),
                (SELECT count(*) FROM bucket WHERE run = ?1 AND wave = number AND {ROLLED_BACK} AND at >= ?2),
                (SELECT count(*) FROM bucket WHERE run = ?1 AND wave = number AND {TOUCHED}),
                (SELECT count(*) FROM bucket WHERE run = ?1 AND wave = number AND verdict IN ('failed', 'unread'))
         FROM wave WHERE run = ?1 ORDER BY number"
    );
    let waves = transaction
        .prepare_cached(&sql)?
        .query_map(params![rollback.campaign, rollback.started_at], |row| {
            let counts: [u64; 4] = [row.get(15)?, row.get(16)?, row.get(17)?, row.get(18)?];
            Ok((wave_of(row)?, counts))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (wave, [buckets, by_this, changed, failed]) in waves {
        // One that found everything as before already changes nothing of what is known.
        if by_this == 0 {
            continue;
        }
        let whole = changed == 0 || (rollback.whole && rollback.wave.is_none_or(|only| only == wave.number));
        let rolled_back = WaveRollback { rolled_back_at: at, buckets, by: rollback.id.clone() };
        let mut wave = wave.rolled_back(rolled_back, whole);
        wave.accepted_failures = wave.accepted_failures.min(failed);
        move_wave(transaction, head, rollback.campaign, wave, at)?;
    }
    Ok(())
}

fn move_wave(
    transaction: &Transaction<'_>,
    head: &mut Head,
    run: i64,
    wave: WaveRecord,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    write_wave(transaction, run, &wave, at)?;
    head.add(transaction, run, NOWHERE, &json(&RunEvent::WaveMoved { wave })?, at)
}

/// Reopens what was rolled back of a wave: its buckets are judged anew, and the wave is watched anew.
pub(super) fn reopen(
    transaction: &Transaction<'_>,
    head: &mut Head,
    run: i64,
    wave: u32,
    caller: &str,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let of_wave = format!("run = ?1 AND coalesce(wave, 1) = ?2 AND {ROLLED_BACK}");
    let (first_change, failed): (Option<jiff::Timestamp>, u64) = transaction.query_row(
        &format!(
            "SELECT (SELECT min(touched_at) FROM bucket WHERE {of_wave}),
                    (SELECT count(*) FROM bucket WHERE run = ?1 AND wave = ?2 AND verdict IN ('failed', 'unread'))"
        ),
        params![run, wave],
        |row| Ok((moment(row, 0)?, row.get(1)?)),
    )?;
    loop {
        let sql = format!("SELECT account, region, name FROM bucket WHERE {of_wave} LIMIT {AT_ONCE}");
        let buckets = transaction
            .prepare_cached(&sql)?
            .query_map(params![run, wave], |row| {
                Ok(Bucket { account: row.get(0)?, region: row.get(1)?, name: row.get(2)? })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if buckets.is_empty() {
            break;
        }
        for bucket in buckets {
            let before = read_state(transaction, run, &bucket)?;
            let after = transition(before.as_ref(), &BucketEvent::Reopened, at)
                .map_err(|fault| rusqlite::Error::ToSqlConversionFailure(Box::new(fault)))?;
            write_state(transaction, run, &bucket, &after, at)?;
            let place = (bucket.account.as_str(), bucket.region.as_str(), bucket.name.as_str());
            head.add(transaction, run, place, &json(&BucketEvent::Reopened)?, at)?;
        }
    }
    // A bookmark of the time before the rollback would be continued, and so would what it knows of the time before the change.
    transaction.execute("DELETE FROM lookup WHERE run = ?1 AND wave = ?2", params![run, wave])?;
    let record: Option<WaveRecord> = transaction
        .query_row(
            &format!("SELECT {WAVE_COLUMNS} FROM wave WHERE run = ?1 AND number = ?2"),
            params![run, wave],
            wave_of,
        )
        .optional()?;
    match record {
        Some(record) => {
            let says = format!("redone after its rollback, as requested by {caller}");
            move_wave(transaction, head, run, record.redone(says, first_change, failed), at)
        }
        None => Ok(()),
    }
}

/// What is rolled back of a campaign now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RolledBack {
    /// When the last of these buckets was found, or made, as it was before.
    pub rolled_back_at: jiff::Timestamp,
    /// How many.
    pub buckets: u64,
    /// The newest rollback of the campaign.
    pub by: String,
    /// The waves that they belong to.
    pub waves: Vec<RolledBackWave>,
}

/// What is rolled back of a wave.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RolledBackWave {
    /// From 1; a campaign without waves is one.
    pub number: u32,
    /// How many of its buckets.
    pub buckets: u64,
    /// The wave as a whole: neither it nor a later one goes on before it is redone.
    pub whole: bool,
}

impl RolledBack {
    /// The first wave that is rolled back as a whole.
    #[must_use]
    pub fn first_whole(&self) -> Option<u32> {
        self.waves.iter().find(|wave| wave.whole).map(|wave| wave.number)
    }
}

impl Reader {
    /// What is rolled back of a campaign and was not redone since.
    pub fn rolled_back(&self, run: &Run) -> Result<Option<RolledBack>, LedgerError> {
        let records = self.waves(run)?;
        let sql = format!(
            "SELECT coalesce(wave, 1), sum({ROLLED_BACK}), max(CASE WHEN {ROLLED_BACK} THEN at END), sum({TOUCHED})
             FROM bucket WHERE run = ?1 AND touched_at IS NOT NULL GROUP BY 1 HAVING sum({ROLLED_BACK}) > 0 ORDER BY 1"
        );
        let waves: Vec<(RolledBackWave, Option<jiff::Timestamp>)> =
            self.gather(&sql, rusqlite::params![run.number], |row| {
                let (number, changed): (u32, u64) = (row.get(0)?, row.get(3)?);
                let whole = match records.iter().find(|record| record.number == number) {
                    Some(record) => record.state == WaveState::RolledBack,
                    None => changed == 0,
                };
                Ok((RolledBackWave { number, buckets: row.get(1)?, whole }, moment(row, 2)?))
            })?;
        let Some(last) = waves.iter().filter_map(|(_, at)| *at).max() else { return Ok(None) };
        let waves: Vec<RolledBackWave> = waves.into_iter().map(|(wave, _)| wave).collect();
        let by = self.undone_by(run)?.map(|rollback| rollback.id).unwrap_or_default();
        let buckets = waves.iter().map(|wave| wave.buckets).sum();
        Ok(Some(RolledBack { rolled_back_at: last, buckets, by, waves }))
    }

    /// A rollback that an earlier version carried out: it restored buckets of which the campaign's own entries say nothing.
    pub fn undone_unrecorded(&self, campaign: &Run) -> Result<Option<Run>, LedgerError> {
        for rollback in self.rollbacks_of(campaign)?.into_iter().rev() {
            if rollback.stage == "changing" && !self.records_rollback(campaign, &rollback)? {
                return Ok(Some(rollback));
            }
        }
        Ok(None)
    }

    /// The rollbacks of a campaign whose effect was not redone, the oldest first, with how many buckets each restored.
    pub fn rollbacks_in_force(&self, campaign: &Run) -> Result<Vec<(Run, u64)>, LedgerError> {
        let rolled_back = self.rolled_back(campaign)?.is_some();
        let mut in_force = Vec::new();
        for rollback in self.rollbacks_of(campaign)? {
            let restored = self.summary(&rollback)?.changed;
            if restored > 0 && (rolled_back || !self.records_rollback(campaign, &rollback)?) {
                in_force.push((rollback, restored));
            }
        }
        Ok(in_force)
    }

    /// Whether the campaign's entries say of all that a rollback restored that it did, or were written later.
    pub fn records_rollback(&self, campaign: &Run, rollback: &Run) -> Result<bool, LedgerError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM bucket AS one
                 JOIN bucket AS changed ON changed.run = ?2 AND changed.account = one.account AND changed.name = one.name
                 WHERE one.run = ?1 AND one.verdict = '{}' AND changed.touched_at <= ?3
                       AND changed.phase NOT IN ('intended', 'started', 'ended') AND changed.reason <> 'rolled_back')",
            Verdict::Restored.as_str()
        );
        let values = params![rollback.number, campaign.number, rollback.started_at.as_millisecond()];
        self.gather::<bool, Vec<bool>>(&sql, values, |row| row.get(0)).map(|found| !found.contains(&true))
    }

    /// The campaign that `status` and `resume` are about where none is named: the newest one. A rollback that went to its end leads
    /// back to its campaign, unless something of it is left for this scope.
    pub fn newest_campaign(&self, left: Option<super::Scope>) -> Result<Option<Run>, LedgerError> {
        let Some(newest) = self.newest_of(&["rollout", "rollback"])? else { return Ok(None) };
        let Some(campaign) = newest.parent.clone().filter(|_| newest.state == "finished") else {
            return Ok(Some(newest));
        };
        if let Some(scope) = left
            && (!self.work(&newest, scope, None)?.is_empty() || self.summary(&newest)?.accounts_unread > 0)
        {
            return Ok(Some(newest));
        }
        self.run(&campaign).map(Some)
    }
}
