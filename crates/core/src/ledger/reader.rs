//! Reading the record: runs, summaries, accounts, findings, and what is left to seal. Rows are streamed, never gathered.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::rollback_request::{RollbackRequest, request_of};
use super::rows::{
    SESSION_COLUMNS, SESSION_WIDTH, STATE_COLUMNS, STATE_WIDTH, account_of, plan_of, session_of, state_of,
};
use super::{Binding, BucketState, LedgerError, NewSession, PlanReference, Process, kept_plan, schema};
use crate::model::{AccountOutcome, AccountRecord, Bucket, Finding, Reason, Verdict};

/// A run as the record has it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub(super) number: i64,
    /// Its id.
    pub id: String,
    /// `audit` or `rollout`.
    pub kind: String,
    /// `running`, `finished`, `interrupted`, …
    pub state: String,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended.
    pub finished_at: Option<jiff::Timestamp>,
    /// The caller's ARN.
    pub caller: String,
    /// The program's version.
    pub version: String,
    /// SHA-256 of the campaign file in force.
    pub config_hash: String,
    /// What the command line narrowed it to; empty for everything.
    pub selection: String,
    /// A rollback's campaign.
    pub parent: Option<String>,
    /// What decides its outcomes, as JSON.
    pub target: String,
    /// `reading` or `changing`.
    pub stage: String,
    /// The approved plan that it carries out.
    pub plan: Option<PlanReference>,
    /// The exemptions that it began with, as JSON.
    pub exemptions: Option<String>,
    /// A rollback of it that was requested and has not come to its end.
    pub rollback_request: Option<RollbackRequest>,
    /// What is known of the process that works on it, where [`Reader::with_process`] checked.
    pub process: Process,
}

impl Run {
    /// Whether it read all that it was to read: one that still runs, or that was ended before, did not.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self.state.as_str() {
            "running" => false,
            _ if self.process != Process::NotChecked => false,
            "interrupted" | "failed" | "stopped: internal error" | "paused: credentials expired" => {
                self.stage == "changing"
            }
            _ => true,
        }
    }
}

/// A process that worked on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who ran what, where.
    pub by: NewSession,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended; `None` while it works, or when it was ended by force.
    pub ended_at: Option<jiff::Timestamp>,
    /// The run's state at its end.
    pub ending: Option<String>,
}

/// The end of the chain of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one.
    #[serde(rename = "head")]
    pub hash: String,
}

/// Which buckets of a run are not done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those with a start of which the outcome is not known.
    InFlight,
    /// These, and those judged to be changed.
    Waiting,
    /// These, and those that could not be read, or on which nothing could be tried: an execution before them was denied, say.
    Open,
    /// These, those that failed, and those held back for a cause that somebody may have put right since.
    OpenAndFailed,
}

impl Scope {
    pub(super) fn condition(self) -> &'static str {
        match self {
            Scope::InFlight => "phase IN ('intended', 'started', 'ended')",
            Scope::Waiting => {
                "(phase IN ('intended', 'started', 'ended')
                  OR phase = 'judged' AND verdict IN ('not_sealed', 'not_restored'))"
            }
            Scope::Open => {
                "region <> '' AND (phase IN ('intended', 'started', 'ended')
                  OR phase = 'judged' AND (verdict IN ('not_sealed', 'not_restored', 'failed', 'unread')
                                           OR verdict = 'held' AND reason = 'change_denied'))"
            }
            Scope::OpenAndFailed => {
                "region <> '' AND (phase IN ('intended', 'started', 'ended')
                  OR verdict IN ('not_restored', 'failed', 'unread') OR verdict = 'not_sealed' AND reason <> 'rolled_back'
                  OR phase = 'judged' AND verdict = 'not_sealed'
                  OR verdict = 'held' AND reason IN ('key_not_usable', 'key_not_proven', 'document_not_usable',
                                                     'document_cannot_carry', 'parameter_not_accepted', 'change_denied', 'former_key_not_usable', 'config_would_undo',
                                                     'guarded', 'exemption_unclear', 'in_no_wave'))"
            }
        }
    }
}

/// A bucket that is not done with, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBucket {
    /// Which.
    pub bucket: Bucket,
    /// Where it stands.
    pub state: BucketState,
    /// When the last was written down of it.
    pub at: jiff::Timestamp,
}

/// What there is to do in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountWork {
    /// The account.
    pub account: String,
    /// Its buckets that are not done with.
    pub buckets: u64,
}

/// A start of an earlier run of which the ledger has no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// The run that made it.
    pub run: String,
    /// The bucket's Region.
    pub region: String,
    /// The execution, where its id became known.
    pub execution: Option<String>,
    /// When the last was written down of it.
    pub since: SystemTime,
}

/// The record, open for reading.
pub struct Reader {
    pub(super) connection: Connection,
    folder: PathBuf,
    /// It shows a part of the run alone.
    pub(super) narrowed: Cell<bool>,
}

impl Reader {
    /// Opens the ledger of a state folder; another process may be writing to it.
    pub fn open(folder: &Path) -> Result<Reader, LedgerError> {
        Ok(Reader {
            connection: schema::open_for_reading(folder)?,
            folder: folder.to_owned(),
            narrowed: Cell::new(false),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn sql<T>(&self, result: rusqlite::Result<T>) -> Result<T, LedgerError> {
        result.map_err(|error| LedgerError::database(&self.folder, &error))
    }

    /// Where the plan that a run carries out is kept.
    #[must_use]
    pub fn kept_plan(&self, plan: &PlanReference) -> PathBuf {
        kept_plan(&self.folder, &plan.sha256)
    }

    /// The newest rollback of a campaign that put anything back.
    pub fn undone_by(&self, campaign: &Run) -> Result<Option<Run>, LedgerError> {
        for rollback in self.rollbacks_of(campaign)?.into_iter().rev() {
            if self.summary(&rollback)?.restored > 0 && rollback.stage == "changing" {
                return Ok(Some(rollback));
            }
        }
        Ok(None)
    }

    /// Whether a run has a bucket for which a condition of SQL holds.
    pub(super) fn has_bucket(&self, run: &Run, condition: &str) -> Result<bool, LedgerError> {
        let query = format!("SELECT EXISTS (SELECT 1 FROM bucket WHERE run = ?1 AND {condition})");
        self.sql(self.connection.query_row(&query, [run.number], |row| row.get(0)))
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), LedgerError> {
        self.sql(self.connection.execute_batch(sql))
    }

    /// What the ledger is bound to.
    pub fn binding(&self) -> Result<Binding, LedgerError> {
        self.sql(schema::read_binding(&self.connection))?
            .ok_or_else(|| LedgerError::Missing { path: self.folder.clone() })
    }

    /// Holds on to the record as it is now: what another process writes from here on does not show.
    pub fn snapshot(&self) -> Result<(), LedgerError> {
        self.sql(self.connection.execute_batch("BEGIN; SELECT count(*) FROM run;"))
    }

    /// The run of an id.
    pub fn run(&self, id: &str) -> Result<Run, LedgerError> {
        let found = self.connection.query_row(&format!("{RUN} WHERE id = ?1"), [id], run_of).optional();
        self.sql(found)?.ok_or_else(|| LedgerError::NoSuchRun(id.to_owned()))
    }

    /// The newest run, if there is one.
    pub fn newest_run(&self) -> Result<Option<Run>, LedgerError> {
        // A run that failed as a whole found out nothing, and must not hide one that did.
        let newest = format!("{RUN} WHERE state <> 'failed' ORDER BY number DESC LIMIT 1");
        self.sql(self.connection.query_row(&newest, [], run_of).optional())
    }

    /// Who worked on a run, the first one first.
    pub fn sessions(&self, run: &Run) -> Result<Vec<Session>, LedgerError> {
        let sql = format!(
            "SELECT {SESSION_COLUMNS}, started_at, ended_at, ending FROM session WHERE run = ?1 ORDER BY number"
        );
        self.gather(&sql, params![run.number], |row| {
            Ok(Session {
                by: session_of(row)?,
                started_at: moment(row.get(SESSION_WIDTH)?),
                ended_at: row.get::<_, Option<i64>>(SESSION_WIDTH + 1)?.map(moment),
                ending: row.get(SESSION_WIDTH + 2)?,
            })
        })
    }

    /// The end of the chain of entries.
    pub fn head(&self) -> Result<Head, LedgerError> {
        let last = self
            .connection
            .query_row("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok(Head { entries: row.get(0)?, hash: row.get(1)? })
            })
            .optional();
        match self.sql(last)? {
            Some(head) => Ok(head),
            None => Ok(Head { entries: 0, hash: super::chain::genesis(&self.binding()?) }),
        }
    }

    /// Each entry, in order.
    pub(super) fn each_entry<E: From<LedgerError>>(
        &self,
        mut handle: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.sql(self.connection.prepare(
            // An entry whose run is gone shows all the same: what was removed must not take its entries along.
            "SELECT seq, coalesce(run.id, ''), entry.at, account, region, bucket, event, hash
             FROM entry LEFT JOIN run ON run.number = entry.run ORDER BY seq",
        ))?;
        let mut rows = self.sql(statement.query([]))?;
        while let Some(row) = self.sql(rows.next())? {
            handle(self.sql(entry_of(row))?)?;
        }
        Ok(())
    }

    /// How many starts a second an account and Region was found to take in a run.
    pub fn pace(&self, run: &Run, account: &str, region: &str) -> Result<Option<f64>, LedgerError> {
        let sql = "SELECT per_second FROM pace WHERE run = ?1 AND account = ?2 AND region = ?3";
        self.sql(self.connection.query_row(sql, params![run.number, account, region], |row| row.get(0)).optional())
    }

    /// Each account of a run, by id.
    pub fn each_account<E: From<LedgerError>>(
        &self,
        run: &Run,
        mut handle: impl FnMut(AccountRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(
            "SELECT id, name, state, outcome, error, ous, directory_buckets FROM account WHERE run = ?1 ORDER BY id",
            run,
            |row| account_of(row, 0),
            &mut handle,
        )
    }

    /// Each bucket of a run with what is said of it, by account and name.
    pub fn each_finding<E: From<LedgerError>>(
        &self,
        run: &Run,
        mut handle: impl FnMut(Finding) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql =
            format!("SELECT {STATE_COLUMNS}, account, region, name FROM bucket WHERE run = ?1 ORDER BY account, name");
        self.each(&sql, run, finding_of, &mut handle)
    }

    /// The accounts with buckets that are not done with, by id: of one wave, or of all.
    pub fn work(&self, run: &Run, scope: Scope, wave: Option<u32>) -> Result<Vec<AccountWork>, LedgerError> {
        let sql = format!(
            "SELECT account, count(*) FROM bucket WHERE run = ?1 AND {OF_WAVE} AND {} GROUP BY account ORDER BY account",
            scope.condition()
        );
        self.gather(&sql, params![run.number, wave], |row| {
            Ok(AccountWork { account: row.get(0)?, buckets: row.get(1)? })
        })
    }

    /// The buckets of one account that are not done with, by Region and name: of one wave, or of all.
    pub fn open_buckets(
        &self,
        run: &Run,
        account: &str,
        scope: Scope,
        wave: Option<u32>,
    ) -> Result<Vec<OpenBucket>, LedgerError> {
        let sql = format!(
            "SELECT {STATE_COLUMNS}, account, region, name FROM bucket
             WHERE run = ?1 AND {OF_WAVE} AND account = ?3 AND {} ORDER BY region, name",
            scope.condition()
        );
        self.gather(&sql, params![run.number, wave, account], open_bucket_of)
    }

    /// Each bucket that a campaign may have changed, by account and name: what a rollback is about.
    pub fn each_touched<E: From<LedgerError>>(
        &self,
        run: &Run,
        mut handle: impl FnMut(OpenBucket) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {STATE_COLUMNS}, account, region, name FROM bucket
             WHERE run = ?1 AND touched_at IS NOT NULL ORDER BY account, name"
        );
        self.each(&sql, run, open_bucket_of, &mut handle)
    }

    /// The accounts in which at least one bucket failed, with the number of those: of one wave, or of all. In a wave, one that
    /// could not be read when its turn came failed as well.
    pub fn failures(&self, run: &Run, wave: Option<u32>) -> Result<BTreeMap<String, u64>, LedgerError> {
        let sql = format!(
            "SELECT account, count(*) FROM bucket WHERE run = ?1 AND {OF_WAVE}
                 AND (verdict = 'failed' OR verdict = 'unread' AND ?2 IS NOT NULL AND wave IS NOT NULL) GROUP BY account"
        );
        self.gather(&sql, params![run.number, wave], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The accounts of a run with what became of them, by id.
    pub fn accounts(&self, run: &Run) -> Result<BTreeMap<String, AccountOutcome>, LedgerError> {
        let mut accounts = BTreeMap::new();
        self.each_account::<LedgerError>(run, |account| {
            accounts.insert(account.id, account.outcome);
            Ok(())
        })?;
        Ok(accounts)
    }

    /// The names of an account's buckets that a run knows already.
    pub fn known_buckets(&self, run: &Run, account: &str) -> Result<HashSet<String>, LedgerError> {
        let sql = "SELECT name FROM bucket WHERE run = ?1 AND account = ?2";
        self.gather(sql, params![run.number, account], |row| row.get(0))
    }

    /// Whether a run knows a bucket of this name, in whatever account.
    pub fn knows_bucket(&self, run: &Run, name: &str) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM bucket WHERE run = ?1 AND name = ?2)";
        self.sql(self.connection.query_row(sql, params![run.number, name], |row| row.get(0)))
    }

    /// What is said of an account's buckets in a run, by name.
    pub fn verdicts_of(&self, run: &Run, account: &str) -> Result<BTreeMap<String, (Verdict, Reason)>, LedgerError> {
        let sql = format!("SELECT {STATE_COLUMNS}, account, region, name FROM bucket WHERE run = ?1 AND account = ?2");
        self.gather(&sql, params![run.number, account], |row| {
            let open = open_bucket_of(row)?;
            Ok((open.bucket.name, (open.state.judgement.verdict, open.state.judgement.reason)))
        })
    }

    /// The ids of the last executions on an account's buckets in a run.
    pub fn executions(&self, run: &Run, account: &str) -> Result<HashSet<String>, LedgerError> {
        let sql = "SELECT execution FROM bucket WHERE run = ?1 AND account = ?2 AND execution IS NOT NULL";
        self.gather(sql, params![run.number, account], |row| row.get(0))
    }

    /// How many buckets of a run are in flight: intended, started, or ended and not read back yet.
    pub fn in_flight(&self, run: &Run) -> Result<u64, LedgerError> {
        let sql = "SELECT count(*) FROM bucket WHERE run = ?1 AND phase IN ('intended', 'started', 'ended')";
        self.sql(self.connection.query_row(sql, params![run.number], |row| row.get(0)))
    }

    /// The newest run of these kinds that is more than a look: dry runs, declined ones and those that failed before anything
    /// was changed are left out.
    pub fn newest_of(&self, kinds: &[&str]) -> Result<Option<Run>, LedgerError> {
        let sql = format!(
            "{RUN} WHERE NOT (stage = 'reading' AND state IN ('dry_run', 'declined', 'failed')) ORDER BY number DESC"
        );
        let runs: Vec<Run> = self.gather(&sql, [], run_of)?;
        Ok(runs.into_iter().find(|run| kinds.contains(&run.kind.as_str())))
    }

    /// The newest rollout that may have changed a bucket: one that found nothing to do leaves nothing to undo.
    pub fn newest_to_undo(&self) -> Result<Option<Run>, LedgerError> {
        let sql = format!(
            "{RUN} WHERE kind = 'rollout' AND EXISTS
                 (SELECT 1 FROM bucket WHERE bucket.run = run.number AND touched_at IS NOT NULL)
             ORDER BY number DESC LIMIT 1"
        );
        self.sql(self.connection.query_row(&sql, [], run_of).optional())
    }

    /// The rollouts from this one on, dry runs too; all of them where none is given.
    pub fn rollouts_from(&self, first: Option<&Run>) -> Result<Vec<Run>, LedgerError> {
        self.runs_where(&format!("kind = 'rollout' AND number >= {}", first.map_or(0, |run| run.number)))
    }

    /// The runs that have starts without a known outcome: what they say keeps others from these buckets.
    pub fn runs_under_way(&self) -> Result<Vec<Run>, LedgerError> {
        self.runs_where("number IN (SELECT run FROM bucket WHERE phase IN ('intended', 'started'))")
    }

    /// The newest rollout that was more than a dry run.
    pub fn newest_rollout(&self) -> Result<Option<Run>, LedgerError> {
        let sql = format!(
            "{RUN} WHERE kind = 'rollout' AND state NOT IN ('dry_run', 'declined') ORDER BY number DESC LIMIT 1"
        );
        self.sql(self.connection.query_row(&sql, [], run_of).optional())
    }

    /// Every rollback that was more than a dry run, the oldest first.
    pub fn rollbacks(&self) -> Result<Vec<Run>, LedgerError> {
        self.gather(
            &format!("{RUN} WHERE kind = 'rollback' AND state NOT IN ('dry_run', 'declined') ORDER BY number"),
            [],
            run_of,
        )
    }

    /// The runs for which a condition of SQL holds, the oldest first.
    pub(super) fn runs_where(&self, condition: &str) -> Result<Vec<Run>, LedgerError> {
        self.gather(&format!("{RUN} WHERE {condition} ORDER BY number"), [], run_of)
    }

    /// The rollbacks of a campaign, the oldest first.
    pub fn rollbacks_of(&self, campaign: &Run) -> Result<Vec<Run>, LedgerError> {
        self.gather(&format!("{RUN} WHERE parent = ?1 ORDER BY number"), params![campaign.id], run_of)
    }

    /// Starts of other runs in an account of which there is no outcome, by bucket: the newest of each.
    pub fn unsettled(&self, run: &Run, account: &str) -> Result<BTreeMap<String, Unsettled>, LedgerError> {
        // Of several runs' starts on a bucket the last one stays.
        let sql = "SELECT bucket.name, run.id, bucket.region, bucket.execution, bucket.at
                   FROM bucket JOIN run ON run.number = bucket.run
                   WHERE bucket.phase IN ('intended', 'started') AND bucket.account = ?2 AND bucket.run <> ?1
                   ORDER BY bucket.run";
        self.gather(sql, params![run.number, account], |row| {
            let since = UNIX_EPOCH + Duration::from_millis(row.get::<_, u64>(4)?);
            let start = Unsettled { run: row.get(1)?, region: row.get(2)?, execution: row.get(3)?, since };
            Ok((row.get(0)?, start))
        })
    }

    /// The accounts and Regions in which a run has buckets to start on, with their numbers.
    pub fn regions_to_change(&self, run: &Run, scope: Scope) -> Result<Vec<(String, String, u64)>, LedgerError> {
        let sql = format!(
            "SELECT account, region, count(*) FROM bucket
             WHERE run = ?1 AND phase IN ('judged', 'settled') AND {} GROUP BY 1, 2 ORDER BY 1, 2",
            scope.condition()
        );
        self.gather(&sql, params![run.number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// What each row of an answer holds, gathered.
    pub(super) fn gather<T, C: FromIterator<T>>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<C, LedgerError> {
        let gather = || self.connection.prepare_cached(sql)?.query_map(values, read)?.collect();
        self.sql(gather())
    }

    pub(super) fn each_row(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        mut handle: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            handle(row)?;
        }
        Ok(())
    }

    pub(super) fn each<T, E: From<LedgerError>>(
        &self,
        sql: &str,
        run: &Run,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        handle: &mut impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.sql(self.connection.prepare_cached(sql))?;
        let mut rows = self.sql(statement.query(params![run.number]))?;
        while let Some(row) = self.sql(rows.next())? {
            handle(self.sql(read(row))?)?;
        }
        Ok(())
    }
}

pub(super) const RUN: &str =
    "SELECT number, id, kind, state, started_at, finished_at, caller, version, config_hash, selection, parent, target, stage,
            plan, exemptions, rollback_request
     FROM run";

/// The buckets of a wave. What a campaign of an older schema is about belongs to the only one there was.
pub(super) const OF_WAVE: &str = "(?2 IS NULL OR coalesce(wave, 1) = ?2)";

/// An entry as it is kept.
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) run: String,
    pub(super) at: i64,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) bucket: String,
    pub(super) event: String,
    pub(super) hash: String,
}

fn entry_of(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        seq: row.get(0)?,
        run: row.get(1)?,
        at: row.get(2)?,
        account: row.get(3)?,
        region: row.get(4)?,
        bucket: row.get(5)?,
        event: row.get(6)?,
        hash: row.get(7)?,
    })
}

pub(super) fn moment(millis: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

pub(super) fn run_of(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        number: row.get(0)?,
        id: row.get(1)?,
        kind: row.get(2)?,
        state: row.get(3)?,
        started_at: moment(row.get(4)?),
        finished_at: row.get::<_, Option<i64>>(5)?.map(moment),
        caller: row.get(6)?,
        version: row.get(7)?,
        config_hash: row.get(8)?,
        selection: row.get(9)?,
        parent: row.get(10)?,
        target: row.get(11)?,
        stage: row.get(12)?,
        plan: plan_of(row, 13)?,
        exemptions: row.get(14)?,
        rollback_request: request_of(row, 15)?,
        process: Process::NotChecked,
    })
}

pub(super) fn finding_of(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let bucket = bucket_of(row)?;
    let at: i64 = row.get(STATE_WIDTH - 1)?;
    let state = state_of(row)?;
    let restored = state.judgement.verdict == Verdict::Restored;
    let earlier = state.restore.as_ref().and_then(|restore| restore.restored_at).filter(|_| state.starts == 0);
    let mut finding = state.finding(bucket);
    if let Some(sealed) = &mut finding.sealed
        && restored
    {
        sealed.until = earlier.or_else(|| jiff::Timestamp::from_millisecond(at).ok());
    }
    Ok(finding)
}

pub(super) fn open_bucket_of(row: &Row<'_>) -> rusqlite::Result<OpenBucket> {
    let at: i64 = row.get(STATE_WIDTH - 1)?;
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Ok(OpenBucket { bucket: bucket_of(row)?, state: state_of(row)?, at })
}

/// The bucket in a row that goes on with account, region and name after [`STATE_COLUMNS`].
fn bucket_of(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    Ok(Bucket { account: row.get(STATE_WIDTH)?, region: row.get(STATE_WIDTH + 1)?, name: row.get(STATE_WIDTH + 2)? })
}
