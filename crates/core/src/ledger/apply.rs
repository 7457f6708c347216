//! What each command writes: entries and the rows that follow from them, in the writer's transaction.

use rusqlite::{OptionalExtension, Transaction, params};

use super::entries::{
    Head, NOWHERE, NewRun, PlanReference, RunEvent, json, open_session, write_omission, write_state, write_wave,
    written,
};
use super::moves::{BucketState, transition};
use super::rows::{STATE_COLUMNS, state_of};
use super::writer::{Ack, Command, PlanStep};
use super::{LedgerError, laid_out, rollback_request, undo};
use crate::model::{AccountRecord, Bucket, Verdict};

/// A call that waits, with what to tell it once the batch is durable.
pub(super) type Waiting = Box<dyn FnOnce(Option<&LedgerError>) + Send>;

/// The first cause, however often it was handed on.
pub(super) fn cause(error: &LedgerError) -> String {
    match error {
        LedgerError::Stopped(why) => why.clone(),
        error => error.to_string(),
    }
}

/// What a waiting call is told after the commit.
fn once_durable<T: Send + 'static>(ack: Ack<T>, value: T) -> Waiting {
    Box::new(move |error| {
        let answer = match error {
            None => Ok(value),
            Some(error) => Err(LedgerError::Stopped(cause(error))),
        };
        drop(ack.send(answer));
    })
}

pub(super) fn apply(
    transaction: &Transaction<'_>,
    head: &mut Head,
    command: Command,
    waiting: &mut Vec<Waiting>,
) -> rusqlite::Result<()> {
    let at = head.now();
    match command {
        Command::Begin { run, ack } => {
            let NewRun { id, kind, parent, target, plan, exemptions, session } = *run;
            let rows = transaction.execute(
                "INSERT INTO run (id, kind, state, started_at, caller, version, host, config_hash, selection, parent, target,
                                  plan, exemptions)
                 VALUES (?1, ?2, 'running', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    id,
                    kind,
                    at.as_millisecond(),
                    session.caller,
                    session.version,
                    session.host,
                    session.config_hash,
                    session.selection,
                    parent,
                    target,
                    plan.as_ref().map(json).transpose()?,
                    exemptions
                ],
            )?;
            written(rows)?;
            let number = transaction.last_insert_rowid();
            open_session(transaction, number, &session, at)?;
            let event =
                RunEvent::RunBegun { kind: kind.to_owned(), parent, target, plan, exemptions, session, began_at: None };
            head.add(transaction, number, NOWHERE, &json(&event)?, at)?;
            waiting.push(once_durable(ack, number));
        }
        Command::Resume { id, session, redo, ack } => {
            let number: Option<i64> = transaction
                .query_row("SELECT number FROM run WHERE id = ?1", params![id], |row| row.get(0))
                .optional()?;
            if let Some(number) = number {
                let sql = "UPDATE run SET state = 'running', finished_at = NULL WHERE number = ?1";
                written(transaction.execute(sql, params![number])?)?;
                open_session(transaction, number, &session, at)?;
                let caller = session.caller.clone();
                head.add(transaction, number, NOWHERE, &json(&RunEvent::RunResumed { session: *session })?, at)?;
                for wave in redo {
                    undo::reopen(transaction, head, number, wave, &caller, at)?;
                }
            }
            waiting.push(once_durable(ack, number));
        }
        Command::Stage { run, stage } => {
            written(transaction.execute("UPDATE run SET stage = ?2 WHERE number = ?1", params![run, stage])?)?;
            head.add(transaction, run, NOWHERE, &json(&RunEvent::StageBegun { stage: stage.to_owned() })?, at)?;
            if stage == CHANGING {
                undo::mark_restored(transaction, head, run, at)?;
            }
        }
        Command::Wave { run, wave, ack } => {
            write_wave(transaction, run, &wave, at)?;
            head.add(transaction, run, NOWHERE, &json(&RunEvent::WaveMoved { wave: *wave })?, at)?;
            waiting.push(once_durable(ack, ()));
        }
        Command::PlanWritten { run, sha256, ack } => {
            let id = head.run_id(transaction, run)?;
            let plan = PlanReference { id, sha256: sha256.clone(), approver: String::new() };
            written(transaction.execute("UPDATE run SET plan = ?2 WHERE number = ?1", params![run, json(&plan)?])?)?;
            head.add(transaction, run, NOWHERE, &json(&RunEvent::PlanWritten { sha256 })?, at)?;
            waiting.push(once_durable(ack, ()));
        }
        Command::Planned { run, step, ack } => {
            match step {
                PlanStep::Clear => laid_out::clear(transaction, run)?,
                PlanStep::Add(entries) => laid_out::add(transaction, run, entries)?,
                PlanStep::Complete => {
                    let (buckets, sha256) = laid_out::hash(transaction, run)?;
                    if buckets > 0 {
                        head.add(transaction, run, NOWHERE, &json(&RunEvent::PlanLaidOut { buckets, sha256 })?, at)?;
                    }
                }
            }
            waiting.push(once_durable(ack, ()));
        }
        Command::Pace { run, account, region, per_second } => {
            transaction.execute(
                "INSERT OR REPLACE INTO pace (run, account, region, per_second) VALUES (?1, ?2, ?3, ?4)",
                params![run, account, region, per_second],
            )?;
        }
        Command::Lookup { run, mark } => {
            transaction.execute(
                "INSERT OR REPLACE INTO lookup (run, wave, account, region, read_to, known, rate, baseline)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    run,
                    mark.wave,
                    mark.account,
                    mark.region,
                    mark.read_to.as_millisecond(),
                    json(&mark.known)?,
                    mark.rate,
                    mark.baseline.map(jiff::Timestamp::as_millisecond)
                ],
            )?;
        }
        Command::Account { run, record } => {
            let outcome = json(&record.outcome)?;
            let rows = transaction
                .prepare_cached(
                    "INSERT INTO account (run, id, name, state, outcome, error, ous, directory_buckets)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT DO UPDATE SET name = excluded.name, state = excluded.state, outcome = excluded.outcome,
                                               error = excluded.error, ous = excluded.ous,
                                               directory_buckets = excluded.directory_buckets",
                )?
                .execute(params![
                    run,
                    record.id,
                    record.name,
                    record.state,
                    outcome.trim_matches('"'),
                    record.error.as_ref().map(json).transpose()?,
                    json(&record.ous)?,
                    record.directory_buckets.as_ref().map(json).transpose()?,
                ])?;
            written(rows)?;
            let AccountRecord { id, name, state, outcome, error, ous, directory_buckets } = *record;
            let event = RunEvent::AccountRecorded { name, state, outcome, error, ous, directory_buckets };
            head.add(transaction, run, (&id, "", ""), &json(&event)?, at)?;
        }
        Command::Bucket { run, bucket, event, learned, ack } => {
            let before = read_state(transaction, run, &bucket)?;
            match transition(before.as_ref(), &event, at) {
                Ok(after) => {
                    write_state(transaction, run, &bucket, &after, at)?;
                    head.add(transaction, run, (&bucket.account, &bucket.region, &bucket.name), &json(&event)?, at)?;
                    if let Some(learned) = learned {
                        write_omission(transaction, run, &learned, at)?;
                        let event = RunEvent::BlockedTypesLearned { learned: *learned };
                        head.add(transaction, run, NOWHERE, &json(&event)?, at)?;
                    }
                    if after.judgement.verdict == Verdict::Restored {
                        undo::mark(transaction, head, run, &bucket, after.encryption.as_ref(), at)?;
                    }
                    waiting.extend(ack.map(|ack| once_durable(ack, after)));
                }
                // An illegal move is the caller's fault and is told to the caller; the record itself stays sound.
                Err(fault) => match ack {
                    Some(ack) => drop(ack.send(Err(LedgerError::Illegal { bucket: Box::new(bucket), fault }))),
                    None => return Err(rusqlite::Error::ToSqlConversionFailure(Box::new(fault))),
                },
            }
        }
        Command::RequestRollback { campaign, request, ack } => {
            let found = rollback_request::request(transaction, head, &campaign, *request, at)?;
            waiting.push(once_durable(ack, found));
        }
        Command::CloseRollbackRequest { campaign, outcome, ack } => {
            rollback_request::close(transaction, head, &campaign, (None, outcome), at)?;
            waiting.push(once_durable(ack, ()));
        }
        Command::Flush { ack } => waiting.push(once_durable(ack, ())),
        Command::Finish { run, state, ack } => {
            let rows = transaction.execute(
                "UPDATE run SET state = ?2, finished_at = ?3 WHERE number = ?1",
                params![run, state, at.as_millisecond()],
            )?;
            written(rows)?;
            let rows = transaction.execute(
                "UPDATE session SET ended_at = ?2, ending = ?3
                 WHERE run = ?1 AND number = (SELECT max(number) FROM session WHERE run = ?1)",
                params![run, at.as_millisecond(), state],
            )?;
            written(rows)?;
            let ended = RunEvent::RunEnded { state: state.to_owned(), ended_at: None };
            head.add(transaction, run, NOWHERE, &json(&ended)?, at)?;
            if state == FINISHED {
                undo::end(transaction, head, run, at)?;
            }
            rollback_request::closed_by_end_of(transaction, head, run, state, at)?;
            waiting.push(once_durable(ack, ()));
        }
    }
    Ok(())
}

/// The stage of a run in which buckets are changed.
const CHANGING: &str = "changing";
/// The state of a run that went to its end.
const FINISHED: &str = "finished";

pub(super) fn read_state(
    transaction: &Transaction<'_>,
    run: i64,
    bucket: &Bucket,
) -> rusqlite::Result<Option<BucketState>> {
    transaction
        .prepare_cached(&format!("SELECT {STATE_COLUMNS} FROM bucket WHERE run = ?1 AND account = ?2 AND name = ?3"))?
        .query_row(params![run, bucket.account, bucket.name], state_of)
        .optional()
}
