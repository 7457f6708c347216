//! Reading the record: waves, and what a plan says of buckets.

use std::collections::HashMap;

use rusqlite::params;
use serde::Serialize;

use super::reader::open_bucket_of;
use super::rows::{STATE_COLUMNS, WAVE_COLUMNS, moment, parsed, wave_of};
use super::{LedgerError, OpenBucket, Reader, Run};
use crate::model::{ExemptionNote, KnownDenial, WaveRecord};

/// The counts of a wave's buckets: those that were planned for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaveCount {
    /// The wave, from 1.
    pub number: u32,
    /// Accounts with a bucket in it.
    pub accounts: u64,
    /// Its buckets.
    pub buckets: u64,
    /// S3 shows what is wanted.
    pub sealed: u64,
    /// Not sealed: waiting for their change, or rolled back.
    pub not_sealed: u64,
    /// Of these, those that a rollback restored.
    #[serde(skip)]
    pub rolled_back: u64,
    /// Held.
    pub held: u64,
    /// Failed, or not to be read.
    pub failed: u64,
    /// Executions started.
    pub started: u64,
}

/// How far CloudTrail's events of an account and Region were read for a wave.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupMark {
    /// The wave, from 1.
    pub wave: u32,
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The high-water mark, by AWS's clock: everything before it was read when it had settled.
    pub read_to: jiff::Timestamp,
    /// Denials that were there before the wave changed anything.
    pub known: Vec<KnownDenial>,
    /// KMS events a second, where some were read.
    pub rate: Option<f64>,
    /// How far back the time before the change was read; `None` where nothing of it was.
    pub baseline: Option<jiff::Timestamp>,
}

/// A bucket for which a change was begun, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedBucket {
    /// Its Region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// When its first change began.
    pub at: jiff::Timestamp,
}

/// Buckets that a start may have changed: an execution that failed, whose end is unknown or whose result could not be read back
/// may have done so all the same. A start that was refused, or never left, changed nothing.
/// What a rollback restored is as it was.
pub(super) const TOUCHED: &str = "touched_at IS NOT NULL AND (starts > 0 OR phase = 'intended') AND NOT (phase = 'settled' AND reason = 'rolled_back')";

impl Reader {
    /// How far CloudTrail's events of an account and Region were read for a wave; `None` before the first look.
    pub fn lookup(&self, run: &Run, wave: u32, account: &str, region: &str) -> Result<Option<LookupMark>, LedgerError> {
        let sql = "SELECT read_to, known, rate, baseline FROM lookup WHERE run = ?1 AND wave = ?2 AND account = ?3 AND region = ?4";
        let marks: Vec<LookupMark> = self.gather(sql, params![run.number, wave, account, region], |row| {
            Ok(LookupMark {
                wave,
                account: account.to_owned(),
                region: region.to_owned(),
                read_to: moment(row, 0)?.unwrap_or(jiff::Timestamp::UNIX_EPOCH),
                known: parsed(row, 1)?.unwrap_or_default(),
                rate: row.get(2)?,
                baseline: moment(row, 3)?,
            })
        })?;
        Ok(marks.into_iter().next())
    }

    /// The last that was written down of each wave, by number.
    pub fn waves(&self, run: &Run) -> Result<Vec<WaveRecord>, LedgerError> {
        let sql = format!("SELECT {WAVE_COLUMNS} FROM wave WHERE run = ?1 ORDER BY number");
        self.gather(&sql, params![run.number], wave_of)
    }

    /// The counts of each wave's buckets, by number.
    pub fn wave_counts(&self, run: &Run) -> Result<Vec<WaveCount>, LedgerError> {
        let sql = "SELECT wave, count(DISTINCT account), count(*),
                          sum(verdict = 'sealed'), sum(verdict = 'not_sealed'), sum(verdict = 'held'),
                          sum(verdict IN ('failed', 'unread')), sum(starts), sum(phase = 'settled' AND reason = 'rolled_back')
                   FROM bucket WHERE run = ?1 AND wave IS NOT NULL GROUP BY wave ORDER BY wave";
        self.gather(sql, params![run.number], |row| {
            Ok(WaveCount {
                number: row.get(0)?,
                accounts: row.get(1)?,
                buckets: row.get(2)?,
                sealed: row.get(3)?,
                not_sealed: row.get(4)?,
                held: row.get(5)?,
                failed: row.get(6)?,
                started: row.get(7)?,
                rolled_back: row.get(8)?,
            })
        })
    }

    /// The buckets of an account that were changed in a wave, those that somebody changed since included.
    pub fn changed_in_wave(&self, run: &Run, wave: u32, account: &str) -> Result<Vec<OpenBucket>, LedgerError> {
        let sql = format!(
            "SELECT {STATE_COLUMNS}, account, region, name FROM bucket
             WHERE run = ?1 AND coalesce(wave, 1) = ?2 AND account = ?3 AND touched_at IS NOT NULL
                   AND (verdict = 'sealed' OR verdict = 'held' AND reason = 'changed_since')
             ORDER BY region, name"
        );
        self.gather(&sql, params![run.number, wave, account], open_bucket_of)
    }

    /// The buckets of an account for which a change was begun in a wave, whatever came of it.
    pub fn touched_in_wave(&self, run: &Run, wave: u32, account: &str) -> Result<Vec<TouchedBucket>, LedgerError> {
        let sql = format!(
            "SELECT region, name, touched_at FROM bucket
             WHERE run = ?1 AND coalesce(wave, 1) = ?2 AND account = ?3 AND {TOUCHED} ORDER BY region, name"
        );
        self.gather(&sql, params![run.number, wave, account], |row| {
            let at = moment(row, 2)?.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            Ok(TouchedBucket { region: row.get(0)?, name: row.get(1)?, at })
        })
    }

    /// The accounts with a bucket for which a change was begun in a wave.
    pub fn accounts_touched_in_wave(&self, run: &Run, wave: u32) -> Result<Vec<String>, LedgerError> {
        let sql = format!(
            "SELECT DISTINCT account FROM bucket
             WHERE run = ?1 AND coalesce(wave, 1) = ?2 AND {TOUCHED} ORDER BY account"
        );
        self.gather(&sql, params![run.number, wave], |row| row.get(0))
    }

    /// The exemptions that leave buckets as they are, and how many each.
    pub fn exempted(&self, run: &Run) -> Result<Vec<(ExemptionNote, u64)>, LedgerError> {
        let sql = "SELECT exemption, count(*) FROM bucket
                   WHERE run = ?1 AND verdict = 'exempt' AND exemption IS NOT NULL GROUP BY 1 ORDER BY 1";
        let rows: Vec<(Option<ExemptionNote>, u64)> =
            self.gather(sql, params![run.number], |row| Ok((parsed(row, 0)?, row.get(1)?)))?;
        Ok(rows.into_iter().filter_map(|(note, count)| Some((note?, count))).collect())
    }

    /// Whether buckets may be missing from what is read of a run: it was narrowed, or something could not be read.
    pub fn is_partial(&self, run: &Run) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE run = ?1 AND outcome = 'unread')
                       OR EXISTS (SELECT 1 FROM bucket WHERE run = ?1 AND (verdict = 'unread' OR reason = 'exemption_unclear'))
                       OR EXISTS (SELECT 1 FROM temp.sqlite_master)";
        let found: Vec<bool> = self.gather(sql, params![run.number], |row| row.get(0))?;
        Ok(!run.selection.is_empty() || found.contains(&true))
    }

    /// How many buckets were changed, or are to be, though a guard spoke up.
    pub fn overridden(&self, run: &Run) -> Result<u64, LedgerError> {
        let sql = "SELECT count(*) FROM bucket
                   WHERE run = ?1 AND guards IS NOT NULL AND verdict IN ('sealed', 'not_sealed', 'failed')";
        self.gather::<u64, Vec<u64>>(sql, params![run.number], |row| row.get(0)).map(|counts| counts.iter().sum())
    }

    /// How many buckets wait for their change, by account, wave and Region.
    pub fn to_change(&self, run: &Run) -> Result<Vec<(String, u32, String, u64)>, LedgerError> {
        let sql = "SELECT account, coalesce(wave, 1), region, count(*) FROM bucket
                   WHERE run = ?1 AND verdict = 'not_sealed' AND phase <> 'settled' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
        self.gather(sql, params![run.number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    }

    /// How long executions took on average, in seconds, in the newest run that has any: from their start to their end, as this
    /// program saw it. Of a large run the last ones are looked at.
    pub fn execution_seconds(&self) -> Result<Option<f64>, LedgerError> {
        let sql = "WITH newest AS (SELECT max(run) AS run FROM bucket WHERE starts > 0 AND status = 'Success'),
                        ended AS (SELECT entry.run, account, bucket, at FROM entry, newest
                                  WHERE entry.run = newest.run AND event LIKE '{\"event\":\"ended\",%'
                                  ORDER BY seq DESC LIMIT 1000)
                   SELECT avg(ended.at - started.at) / 1000.0 FROM ended
                   JOIN entry AS started ON started.run = ended.run AND started.account = ended.account
                                        AND started.bucket = ended.bucket AND started.at <= ended.at
                   WHERE started.event LIKE '{\"event\":\"started\",%'";
        self.gather::<Option<f64>, Vec<Option<f64>>>(sql, [], |row| row.get(0))
            .map(|found| found.into_iter().flatten().next())
    }

    /// How many buckets each account has in a run.
    pub fn buckets_by_account(&self, run: &Run) -> Result<HashMap<String, u64>, LedgerError> {
        let sql = "SELECT account, count(*) FROM bucket WHERE run = ?1 GROUP BY account";
        self.gather(sql, params![run.number], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Each bucket of a run with all that the record has of it, by account and name.
    pub fn each_bucket<E: From<LedgerError>>(
        &self,
        run: &Run,
        mut handle: impl FnMut(OpenBucket) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql =
            format!("SELECT {STATE_COLUMNS}, account, region, name FROM bucket WHERE run = ?1 ORDER BY account, name");
        self.each(&sql, run, open_bucket_of, &mut handle)
    }

    /// What the approved plan says of an account's buckets: entries as JSON, by name.
    pub fn planned(&self, run: &Run, account: &str) -> Result<HashMap<String, String>, LedgerError> {
        let sql = "SELECT name, entry FROM planned WHERE run = ?1 AND account = ?2";
        self.gather(sql, params![run.number, account], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The accounts of which the approved plan speaks.
    pub fn planned_accounts(&self, run: &Run) -> Result<Vec<String>, LedgerError> {
        self.gather("SELECT DISTINCT account FROM planned WHERE run = ?1", params![run.number], |row| row.get(0))
    }

    /// The hash of the plan file that a run wrote, if this ledger knows of one by this id.
    pub fn plan_hash(&self, plan: &str) -> Result<Option<String>, LedgerError> {
        match self.run(plan) {
            Ok(run) => Ok(run.plan.filter(|_| run.kind == "plan").map(|plan| plan.sha256)),
            Err(LedgerError::NoSuchRun(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
