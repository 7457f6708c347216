//! Reading the record across runs: what a campaign changed, and what earlier runs said of a bucket.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::reader::{RUN, finding_of, run_of};
use super::rows::{STATE_COLUMNS, moment, parsed};
use super::{LedgerError, Reader, Run};
use crate::model::{Bucket, Finding, GuardFinding, Verdict};

/// How many earlier runs that evaluated guards are searched for what they said of a bucket.
const EARLIER_RUNS: u32 = 8;

/// What an earlier plan, rollout or audit with guards said of a bucket that it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EarlierHold {
    /// The run's id.
    pub run: String,
    /// `plan`, `rollout` or `audit`.
    pub kind: String,
    /// When it was said.
    pub at: jiff::Timestamp,
    /// The verdict: `held`.
    pub verdict: String,
    /// The reason code.
    pub reason: String,
    /// The guards that held it.
    pub guards: Vec<String>,
}

impl Reader {
    /// How many buckets a campaign may have changed, in one wave or in all: what a rollback of it reads again.
    pub fn touched(&self, run: &Run, wave: Option<u32>) -> Result<u64, LedgerError> {
        let sql = "SELECT count(*) FROM bucket
                   WHERE run = ?1 AND touched_at IS NOT NULL AND found IS NOT NULL AND (?2 IS NULL OR coalesce(wave, 1) = ?2)";
        self.sql(self.connection.query_row(sql, params![run.number, wave], |row| row.get(0)))
    }

    /// How many buckets a campaign changed in a wave and verified by read-back.
    pub fn sealed_in_wave(&self, run: &Run, wave: u32) -> Result<u64, LedgerError> {
        let sql = "SELECT count(*) FROM bucket
                   WHERE run = ?1 AND touched_at IS NOT NULL AND verdict = 'sealed' AND coalesce(wave, 1) = ?2";
        self.sql(self.connection.query_row(sql, params![run.number, wave], |row| row.get(0)))
    }

    /// The buckets of an account that a run found not sealed and that the newest earlier plan, rollout or audit with guards which knows them held, by
    /// name. Guards that nobody evaluated since may still hold them.
    pub fn earlier_holds(&self, run: &Run, account: &str) -> Result<BTreeMap<String, EarlierHold>, LedgerError> {
        let sql = format!(
            "SELECT one.name, run.id, run.kind, then_.at, then_.verdict, then_.reason, then_.guards
             FROM bucket AS one
             JOIN bucket AS then_ ON then_.account = one.account AND then_.name = one.name AND then_.run =
                  (SELECT max(other.run) FROM bucket AS other
                   WHERE other.run IN ({EARLIER}) AND other.account = one.account AND other.name = one.name)
             JOIN run ON run.number = then_.run
             WHERE one.run = ?1 AND one.account = ?2 AND one.verdict = 'not_sealed' AND then_.verdict = 'held'"
        );
        self.gather(&sql, params![run.number, account, EARLIER_RUNS], |row| {
            let guards: Vec<GuardFinding> = parsed(row, 6)?.unwrap_or_default();
            let hold = EarlierHold {
                run: row.get(1)?,
                kind: row.get(2)?,
                at: moment(row, 3)?.unwrap_or(jiff::Timestamp::UNIX_EPOCH),
                verdict: row.get(4)?,
                reason: row.get(5)?,
                guards: holding(&guards),
            };
            Ok((row.get(0)?, hold))
        })
    }

    /// How many buckets a run found not sealed and the newest earlier run held: by reason, and by the guards that held them.
    pub fn earlier_hold_counts(&self, run: &Run) -> Result<Vec<(String, Vec<String>, u64)>, LedgerError> {
        let known: bool = self.sql(self.connection.query_row(
            &format!("SELECT EXISTS ({EARLIER})"),
            params![run.number, None::<String>, EARLIER_RUNS],
            |row| row.get(0),
        ))?;
        if !known {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT then_.reason, then_.guards
             FROM bucket AS one
             JOIN bucket AS then_ ON then_.account = one.account AND then_.name = one.name AND then_.run =
                  (SELECT max(other.run) FROM bucket AS other
                   WHERE other.run IN ({EARLIER}) AND other.account = one.account AND other.name = one.name)
             WHERE one.run = ?1 AND (?2 IS NULL OR one.account = ?2) AND one.verdict = 'not_sealed' AND then_.verdict = 'held'"
        );
        let mut counts: BTreeMap<(String, Vec<String>), u64> = BTreeMap::new();
        self.sql(self.each_row(&sql, params![run.number, None::<String>, EARLIER_RUNS], |row| {
            let guards: Vec<GuardFinding> = parsed(row, 1)?.unwrap_or_default();
            *counts.entry((row.get(0)?, holding(&guards))).or_default() += 1;
            Ok(())
        }))?;
        Ok(counts.into_iter().map(|((reason, guards), buckets)| (reason, guards, buckets)).collect())
    }

    /// The first buckets of a run with a verdict, by account and name.
    pub fn first_with(&self, run: &Run, verdict: Verdict, most: usize) -> Result<Vec<Finding>, LedgerError> {
        let sql = format!(
            "SELECT {STATE_COLUMNS}, account, region, name FROM bucket
             WHERE run = ?1 AND verdict = ?2 ORDER BY account, name LIMIT ?3"
        );
        self.gather(&sql, params![run.number, verdict.as_str(), most as u64], finding_of)
    }

    /// The newest runs, the newest first, and how many older ones there are.
    pub fn newest_runs(&self, most: usize) -> Result<(Vec<Run>, u64), LedgerError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let runs: Vec<Run> = self.gather(&format!("{RUN} ORDER BY number DESC LIMIT ?1"), params![most], run_of)?;
        let all: u64 = self.sql(self.connection.query_row("SELECT count(*) FROM run", [], |row| row.get(0)))?;
        let older = all.saturating_sub(runs.len() as u64);
        Ok((runs, older))
    }

    /// The names of an account's buckets that a run changed and that are sealed since.
    pub fn sealed_by(&self, run: &Run, account: &str) -> Result<HashSet<String>, LedgerError> {
        let sql =
            "SELECT name FROM bucket WHERE run = ?1 AND account = ?2 AND verdict = 'sealed' AND touched_at IS NOT NULL";
        self.gather(sql, params![run.number, account], |row| row.get(0))
    }

    /// The newest rollout or rollback that changed a bucket.
    pub fn newest_change(&self) -> Result<Option<Run>, LedgerError> {
        let sql = format!(
            "{RUN} WHERE kind IN ('rollout', 'rollback') AND EXISTS
                 (SELECT 1 FROM bucket WHERE bucket.run = run.number AND touched_at IS NOT NULL)
             ORDER BY number DESC LIMIT 1"
        );
        self.sql(self.connection.query_row(&sql, [], run_of).optional())
    }

    /// The first bucket whose execution failed, with the execution's id. Where the effect is what failed, its steps say nothing.
    pub fn first_failed_execution(&self, run: &Run) -> Result<Option<(Bucket, String)>, LedgerError> {
        let sql = "SELECT account, region, name, execution FROM bucket
                   WHERE run = ?1 AND verdict = 'failed' AND reason <> 'blocked_types_changed' AND execution IS NOT NULL
                   ORDER BY account, name LIMIT 1";
        let found = self.connection.query_row(sql, params![run.number], |row| {
            Ok((Bucket { account: row.get(0)?, region: row.get(1)?, name: row.get(2)? }, row.get(3)?))
        });
        self.sql(found.optional())
    }
}

/// The guards that hold a bucket.
fn holding(guards: &[GuardFinding]) -> Vec<String> {
    guards.iter().filter(|guard| guard.holds()).map(|guard| guard.guard.clone()).collect()
}

/// The newest runs before a run (`?1`) that evaluated guards, at most `?3` of them: plans, rollouts, audits with guards.
const EARLIER: &str = "SELECT number FROM run
     WHERE number < ?1 AND (kind IN ('plan', 'rollout')
           OR kind = 'audit' AND json_valid(target) AND json_extract(target, '$.guards') = 1)
     ORDER BY number DESC LIMIT ?3";
