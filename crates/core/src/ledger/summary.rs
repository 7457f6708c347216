//! Reading the record: the counts of a run.

use rusqlite::params;
use serde::Serialize;

use super::{LedgerError, Reader, Run};
use crate::model::{OUT_OF_SCOPE, OUT_OF_SCOPE_SAYS, Reason, Verdict};

/// The counts of a run. `buckets` is the sum of the verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Accounts that the run is about, skipped ones included.
    pub accounts: u64,
    /// Accounts that could not be read.
    pub accounts_unread: u64,
    /// Every account and bucket of the selection was read, and the run came to its end. While this is `false`, the counts leave
    /// something out.
    pub complete: bool,
    /// Buckets that the run is about.
    pub buckets: u64,
    /// S3 shows what is wanted.
    pub sealed: u64,
    /// S3 shows something to be replaced.
    pub not_sealed: u64,
    /// Not to be changed without a person's word.
    pub held: u64,
    /// Left as they are by a person's decision.
    pub exempt: u64,
    /// Buckets that could not be read.
    pub unread: u64,
    /// A change was tried, and S3 does not show it.
    pub failed: u64,
    /// In a rollback: S3 shows the configuration from before the campaign.
    #[serde(skip_serializing_if = "is_zero")]
    pub restored: u64,
    /// In a rollback: S3 still shows what the campaign left.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_restored: u64,
    /// Of the sealed (in a rollback: restored) buckets, those that this run changed and read back.
    pub changed: u64,
    /// Of the buckets that are not sealed, those that a rollback of this campaign restored.
    #[serde(skip_serializing_if = "is_zero")]
    pub rolled_back: u64,
    /// Accounts skipped as the campaign file says.
    pub skipped: u64,
    /// Executions started in this run.
    pub started: u64,
    /// What the run is not about.
    pub out_of_scope: OutOfScope,
}

/// What a run is not about, and how much of it there is where it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OutOfScope {
    /// Kinds of buckets that are neither read nor counted among the verdicts.
    pub kinds: &'static [&'static str],
    /// The same in words.
    pub says: &'static str,
    /// Directory buckets in the accounts and Regions that were counted; `None` where the run counted none.
    pub directory_buckets: Option<u64>,
    /// Accounts with a Region in which directory buckets could not be counted.
    pub accounts_not_counted: Option<u64>,
}

impl Default for OutOfScope {
    fn default() -> OutOfScope {
        OutOfScope { kinds: OUT_OF_SCOPE, says: OUT_OF_SCOPE_SAYS, directory_buckets: None, accounts_not_counted: None }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How many buckets have a verdict for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCount {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason.
    pub reason: Reason,
    /// How many.
    pub buckets: u64,
}

impl Reader {
    /// The counts of a run.
    pub fn summary(&self, run: &Run) -> Result<Summary, LedgerError> {
        self.sql(self.count(run))
    }

    fn count(&self, run: &Run) -> rusqlite::Result<Summary> {
        let mut summary = Summary::default();
        self.each_row(
            "SELECT outcome, count(*) FROM account WHERE run = ?1 GROUP BY outcome",
            params![run.number],
            |row| {
                let (outcome, count): (String, u64) = (row.get(0)?, row.get(1)?);
                summary.accounts += count;
                match outcome.as_str() {
                    "unread" => summary.accounts_unread = count,
                    "skipped" => summary.skipped = count,
                    _ => {}
                }
                Ok(())
            },
        )?;
        summary.out_of_scope = self.out_of_scope(run)?;
        self.each_row(
            "SELECT verdict, count(*), sum(starts), sum(touched_at IS NOT NULL), sum(phase = 'settled' AND reason = 'rolled_back')
             FROM bucket WHERE run = ?1 GROUP BY verdict",
            params![run.number],
            |row| {
                let (verdict, count, started): (String, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                summary.buckets += count;
                summary.started += started;
                summary.rolled_back += row.get::<_, u64>(4)?;
                if matches!(verdict.as_str(), "sealed" | "restored") {
                    summary.changed += row.get::<_, u64>(3)?;
                }
                match verdict.as_str() {
                    "sealed" => summary.sealed = count,
                    "not_sealed" => summary.not_sealed = count,
                    "held" => summary.held = count,
                    "exempt" => summary.exempt = count,
                    "failed" => summary.failed = count,
                    "restored" => summary.restored = count,
                    "not_restored" => summary.not_restored = count,
                    _ => summary.unread += count,
                }
                Ok(())
            },
        )?;
        summary.complete =
            run.is_whole() && summary.accounts > 0 && summary.accounts_unread == 0 && summary.unread == 0;
        Ok(summary)
    }

    fn out_of_scope(&self, run: &Run) -> rusqlite::Result<OutOfScope> {
        let sql = "SELECT count(directory_buckets), sum(json_extract(directory_buckets, '$.buckets')),
                          sum(directory_buckets IS NULL OR coalesce(json_array_length(directory_buckets, '$.unread'), 0) > 0)
                   FROM account WHERE run = ?1 AND outcome <> 'skipped'";
        self.connection.query_row(sql, params![run.number], |row| {
            let (counted, buckets, unread): (u64, Option<u64>, Option<u64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(match counted {
                0 => OutOfScope::default(),
                _ => OutOfScope { directory_buckets: buckets, accounts_not_counted: unread, ..OutOfScope::default() },
            })
        })
    }

    /// How many buckets have which reason, the most frequent first within a verdict.
    pub fn reasons(&self, run: &Run) -> Result<Vec<ReasonCount>, LedgerError> {
        let mut counts = Vec::new();
        let result = self.each_row(
            "SELECT verdict, reason, count(*) AS n FROM bucket WHERE run = ?1 GROUP BY verdict, reason ORDER BY n DESC",
            params![run.number],
            |row| {
                let (verdict, reason): (String, String) = (row.get(0)?, row.get(1)?);
                let verdict = Verdict::ALL.into_iter().find(|known| known.as_str() == verdict);
                let reason = Reason::ALL.iter().copied().find(|known| known.as_str() == reason);
                if let (Some(verdict), Some(reason)) = (verdict, reason) {
                    counts.push(ReasonCount { verdict, reason, buckets: row.get(2)? });
                }
                Ok(())
            },
        );
        self.sql(result)?;
        counts.sort_by_key(|count| count.verdict);
        Ok(counts)
    }
}
