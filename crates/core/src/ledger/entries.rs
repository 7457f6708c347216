//! The entries: what they say, how each is chained to the one before, and the rows that are written with them.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::Binding;
use super::chain::{self, Link};
use super::moves::BucketState;
use super::rollback_request::RollbackRequest;
use crate::model::{AccountOutcome, AwsError, Bucket, DirectoryBuckets, OmissionRecord, WaveRecord, now};

/// How far the last entry may be ahead of the clock: machines differ.
const CLOCK_BACK: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// A run about to begin, with who runs it.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id.
    pub id: String,
    /// `audit`, `rollout` or `rollback`.
    pub kind: &'static str,
    /// A rollback's campaign.
    pub parent: Option<String>,
    /// What decides its outcomes, as JSON; whoever goes on with it must want the same.
    pub target: String,
    /// The approved plan that it carries out.
    pub plan: Option<PlanReference>,
    /// The exemptions in force, as JSON.
    pub exemptions: Option<String>,
    /// Who runs it.
    pub session: NewSession,
}

/// An approved plan: which, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReference {
    /// The plan's id.
    pub id: String,
    /// SHA-256 of the plan file, in hex.
    pub sha256: String,
    /// Who approved it: a name given on the command line, or the caller who answered the question.
    pub approver: String,
}

/// A process that works on a run: who runs what, where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSession {
    /// `audit`, `rollout`, `resume` or `rollback`.
    pub command: String,
    /// The caller's ARN.
    pub caller: String,
    /// This program's version.
    pub version: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// SHA-256 of the campaign file in force.
    pub config_hash: String,
    /// What the command line narrowed it to.
    pub selection: String,
    /// How many seconds the machine's clock was ahead of AWS's (behind: negative), where that was more than a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_off_seconds: Option<i64>,
}

/// What happened to a run as a whole, or to an account in it: entries besides those of buckets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum RunEvent {
    RunBegun {
        kind: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        target: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<PlanReference>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exemptions: Option<String>,
        session: NewSession,
        /// Where it was written down later than it happened: the first schema had no entries for runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        began_at: Option<jiff::Timestamp>,
    },
    RunResumed {
        session: NewSession,
    },
    StageBegun {
        stage: String,
    },
    RunEnded {
        state: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<jiff::Timestamp>,
    },
    AccountRecorded {
        name: String,
        state: String,
        outcome: AccountOutcome,
        error: Option<AwsError>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ous: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directory_buckets: Option<DirectoryBuckets>,
    },
    WaveMoved {
        wave: WaveRecord,
    },
    /// What was learned about `BlockedEncryptionTypes` where a document omits it, or Automation does not know it.
    BlockedTypesLearned {
        learned: OmissionRecord,
    },
    /// A plan was written to a file.
    PlanWritten {
        sha256: String,
    },
    /// What the approved plan says was laid out for look-ups: so many rows, with this hash.
    PlanLaidOut {
        buckets: u64,
        sha256: String,
    },
    /// A rollback of this campaign was requested: nothing more is sealed until that request has come to its end.
    RollbackRequested {
        request: RollbackRequest,
    },
    /// The requested rollback was carried out (by the run named), declined or cancelled.
    RollbackRequestClosed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        outcome: String,
    },
}

/// Whether a statement wrote the one row that it was to write: a row that a trigger or a rule kept away is an error.
pub(super) fn written(rows: usize) -> rusqlite::Result<()> {
    match rows {
        1 => Ok(()),
        other => Err(rusqlite::Error::StatementChangedRows(other)),
    }
}

/// The last entry: the next one is chained to it.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) hash: String,
    /// The run last written to, with its id: most entries are of the same one.
    pub(super) run: Option<(i64, String)>,
}

impl Head {
    pub(super) fn read(connection: &Connection, binding: &Binding) -> rusqlite::Result<Head> {
        let mut statement = connection.prepare_cached("SELECT seq, at, hash FROM entry ORDER BY seq DESC LIMIT 1")?;
        let last =
            statement.query_row([], |row| Ok(Head { seq: row.get(0)?, at: row.get(1)?, hash: row.get(2)?, run: None }));
        Ok(last.optional()?.unwrap_or_else(|| Head { seq: 0, at: 0, hash: chain::genesis(binding), run: None }))
    }

    /// Whether the last entry is in the ledger as it was written.
    pub(super) fn confirm(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.seq == 0 {
            return Ok(());
        }
        let mut statement = connection.prepare_cached("SELECT count(*) FROM entry WHERE seq = ?1 AND hash = ?2")?;
        let found: usize = statement.query_row(params![self.seq, self.hash], |row| row.get(0))?;
        written(found)
    }

    /// Now, and never before what was written last: a clock that goes back in the middle of a run must not turn the order. A last entry
    /// that is dated in the future was written by a clock that was wrong: what follows has its true time, and entries are ordered by number.
    pub(super) fn now(&self) -> jiff::Timestamp {
        match self.dated_ahead() {
            Some(_) => now(),
            None => now().max(self.last()),
        }
    }

    /// The last entry's time where that is in the future: further than machines differ.
    pub(super) fn dated_ahead(&self) -> Option<jiff::Timestamp> {
        let last = self.last();
        (last.duration_since(now()) > CLOCK_BACK).then_some(last)
    }

    fn last(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    pub(super) fn run_id(&mut self, transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<String> {
        if let Some((number, id)) = &self.run
            && *number == run
        {
            return Ok(id.clone());
        }
        let id: String = transaction
            .prepare_cached("SELECT id FROM run WHERE number = ?1")?
            .query_row(params![run], |row| row.get(0))?;
        self.run = Some((run, id.clone()));
        Ok(id)
    }

    /// Writes an entry down, chained to the one before.
    pub(super) fn add(
        &mut self,
        transaction: &Transaction<'_>,
        run: i64,
        (account, region, bucket): (&str, &str, &str),
        event: &str,
        at: jiff::Timestamp,
    ) -> rusqlite::Result<()> {
        let id = self.run_id(transaction, run)?;
        let link = Link { seq: self.seq + 1, run: &id, at: at.as_millisecond(), account, region, bucket, event };
        let hash = chain::next(&self.hash, &link);
        let rows = transaction
            .prepare_cached(
                "INSERT INTO entry (seq, run, at, account, region, bucket, event, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![link.seq, run, link.at, account, region, bucket, event, hash])?;
        written(rows)?;
        (self.seq, self.at, self.hash) = (link.seq, link.at, hash);
        Ok(())
    }
}

/// The place of what happens to a run as a whole.
pub(super) const NOWHERE: (&str, &str, &str) = ("", "", "");

pub(super) fn open_session(
    transaction: &Transaction<'_>,
    run: i64,
    session: &NewSession,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let rows = transaction.execute(
        "INSERT INTO session (run, number, command, caller, version, host, pid, config_hash, selection, started_at,
                              clock_off)
         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM session WHERE run = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            run,
            session.command,
            session.caller,
            session.version,
            session.host,
            session.pid,
            session.config_hash,
            session.selection,
            at.as_millisecond(),
            session.clock_off_seconds,
        ],
    )?;
    written(rows)
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn write_state(
    transaction: &Transaction<'_>,
    run: i64,
    bucket: &Bucket,
    state: &BucketState,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let execution = state.execution.as_ref();
    let rows = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO bucket
             (run, account, name, region, phase, verdict, reason, observed, encryption, found, left_as, intent, execution,
              status, error, starts, touched_at, restore, at, wave, guards, guarded_at, exemption)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
        )?
        .execute(params![
            run,
            bucket.account,
            bucket.name,
            bucket.region,
            state.phase.as_str(),
            state.judgement.verdict.as_str(),
            state.judgement.reason.as_str(),
            state.judgement.observed.map(|reason| reason.as_str()),
            state.encryption.as_ref().map(json).transpose()?,
            state.found.as_ref().map(json).transpose()?,
            state.left.as_ref().map(json).transpose()?,
            state.intent.as_ref().map(json).transpose()?,
            execution.map(|execution| execution.id.as_str()),
            execution.and_then(|execution| execution.status.as_ref()).map(|status| status.as_str()),
            state.error.as_ref().map(json).transpose()?,
            state.starts,
            state.touched_at.map(jiff::Timestamp::as_millisecond),
            state.restore.as_ref().map(json).transpose()?,
            at.as_millisecond(),
            state.wave,
            (!state.guards.is_empty()).then(|| json(&state.guards)).transpose()?,
            state.guarded_at.map(jiff::Timestamp::as_millisecond),
            state.exemption.as_ref().map(json).transpose()?,
        ])?;
    written(rows)
}

/// Writes down how far a wave has come.
pub(super) fn write_wave(
    transaction: &Transaction<'_>,
    run: i64,
    wave: &WaveRecord,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let rows = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO wave (run, number, name, state, bake_until, watched_since, says, evidence, accepted,
                                          failures, at, settle_until, changing_since, denials, accepted_denials,
                                          rolled_back, sealed_earlier)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            run,
            wave.number,
            wave.name,
            wave.state.as_str(),
            wave.bake_until.map(jiff::Timestamp::as_millisecond),
            wave.watched_since.map(jiff::Timestamp::as_millisecond),
            wave.says,
            json(&wave.evidence)?,
            json(&wave.accepted)?,
            wave.accepted_failures,
            at.as_millisecond(),
            wave.settle_until.map(jiff::Timestamp::as_millisecond),
            wave.changing_since.map(jiff::Timestamp::as_millisecond),
            (!wave.denials.is_empty()).then(|| json(&wave.denials)).transpose()?,
            (!wave.accepted_denials.is_empty()).then(|| json(&wave.accepted_denials)).transpose()?,
            wave.rolled_back.as_ref().map(json).transpose()?,
            wave.sealed_earlier.as_ref().map(json).transpose()?,
        ])?;
    written(rows)
}

/// Writes down what was learned about `BlockedEncryptionTypes`.
pub(super) fn write_omission(
    transaction: &Transaction<'_>,
    run: i64,
    learned: &OmissionRecord,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let rows = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO omission (run, account, region, bucket, document_hash, blocked, outcome, repair, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            run,
            learned.account,
            learned.region,
            learned.bucket,
            learned.document_hash,
            json(&learned.blocked)?,
            learned.outcome.as_str(),
            learned.repair,
            at.as_millisecond(),
        ])?;
    written(rows)
}
