//! Where a campaign stands: its state, who works on it, how far it has come. For people and as `orgseal.status/1`.

use std::io::Write;

use anstyle::Effects;
use orgseal_core::campaign::rollback_covers;
use orgseal_core::ledger::{Head, PlanReference, Process, Reader, RolledBack, Run, Scope, Session, Summary};
use orgseal_core::model::{WaveRecord, WaveRollback, WaveState};
use orgseal_core::text::VisibleJson;
use serde::Serialize;

use crate::headline::{headline, what_it_did};
use crate::meaning::{count, title};
use crate::next_steps::{Step, next_steps};
use crate::suggest::Place;
use crate::terminal::Style;
use crate::waves::WaveLine;
use crate::words::{counted, duration, ending, moment, number, plain};
use crate::{ReportError, kind, out_of_scope, waves};

/// The name and version of the document's shape.
const SCHEMA: &str = "orgseal.status/1";

/// Lines of what speaks against a wave that are shown.
const SHOWN: usize = 10;

/// What is known of a campaign's progress.
struct Standing {
    summary: Summary,
    /// Buckets with a start of which the outcome is not known.
    in_flight: u64,
    /// Buckets that are not done with, these included.
    open: u64,
    sessions: Vec<Session>,
    rollbacks: Vec<(Run, Summary)>,
    head: Head,
    waves: Vec<WaveLine>,
    rolled_back: Option<RolledBack>,
    /// The rollbacks whose effect was not redone.
    in_force: Vec<String>,
}

/// What is rolled back of a campaign, what is pending, and how much is not sealed now.
fn rolled_back_in_words(rolled_back: &RolledBack, standing: &Standing) -> Vec<String> {
    let by = &rolled_back.by;
    let mut says: Vec<String> = Vec::new();
    for wave in &rolled_back.waves {
        let record = standing.waves.iter().map(|line| &line.record).find(|record| record.number == wave.number);
        let buckets = counted(wave.buckets, "bucket");
        says.push(match record.and_then(|record| record.rolled_back.as_ref().map(|rollback| (record, rollback))) {
            Some((
                WaveRecord { number, state: WaveState::RolledBack, .. },
                WaveRollback { rolled_back_at, by, .. },
            )) => {
                format!("Wave {number} was rolled back {} by {by}: {buckets} restored.", moment(*rolled_back_at))
            }
            Some((WaveRecord { number, .. }, WaveRollback { rolled_back_at, by, .. })) => {
                format!("{buckets} of wave {number} were rolled back {} by {by}.", moment(*rolled_back_at))
            }
            // Without waves, or while the rollback has not come to its end.
            None => {
                format!("{buckets} of it were rolled back by {by}, the last {}.", moment(rolled_back.rolled_back_at))
            }
        });
    }
    let pending: Vec<String> = waves::pending(&standing.waves).iter().map(u32::to_string).collect();
    let not_sealed = counted(standing.summary.not_sealed, "bucket");
    let are = if standing.summary.not_sealed == 1 { "is" } else { "are" };
    says.push(match pending.as_slice() {
        [] => format!("{not_sealed} {are} not sealed now."),
        [only] => format!("Wave {only} is pending. {not_sealed} {are} not sealed now."),
        [first @ .., last] => {
            format!("Waves {} and {last} are pending. {not_sealed} {are} not sealed now.", first.join(", "))
        }
    });
    says
}

fn standing(reader: &Reader, run: &Run) -> Result<Standing, ReportError> {
    let mut rollbacks = Vec::new();
    for rollback in reader.rollbacks_of(run)? {
        let summary = reader.summary(&rollback)?;
        rollbacks.push((rollback, summary));
    }
    Ok(Standing {
        summary: reader.summary(run)?,
        in_flight: reader.in_flight(run)?,
        open: reader.work(run, Scope::Waiting, None)?.iter().map(|account| account.buckets).sum(),
        sessions: reader.sessions(run)?,
        rollbacks,
        head: reader.head()?,
        waves: waves::lines(reader, run)?,
        rolled_back: reader.rolled_back(run)?,
        in_force: reader.rollbacks_in_force(run)?.into_iter().map(|(rollback, _)| rollback.id).collect(),
    })
}

/// How a campaign's state is called in the document: `killed` for one whose process was ended by force.
fn state(run: &Run) -> &str {
    match run.process {
        Process::Gone { .. } => "killed",
        _ => &run.state,
    }
}

/// Writes where a campaign stands, for people.
pub fn write(reader: &Reader, run: &Run, style: &Style, out: &mut dyn Write) -> Result<(), ReportError> {
    let run = &reader.with_process(run.clone())?;
    let is_at_work = run.process == Process::AtWork;
    let standing = standing(reader, run)?;
    let summary = &standing.summary;
    let ink = |text: &str, effects: Effects| match style.color {
        true => format!("{0}{text}{0:#}", anstyle::Style::new().effects(effects)),
        false => text.to_owned(),
    };
    let organization = reader.binding()?.organization;
    writeln!(out, "\n{}", ink(&format!("{} {organization}", kind::title(run)), Effects::BOLD))?;
    writeln!(out, "{}", ink(&format!("{} · begun {}", run.id, moment(run.started_at)), Effects::DIMMED))?;
    if let Some(campaign) = &run.parent {
        writeln!(out, "undoes {campaign}")?;
    }
    if !run.selection.is_empty() {
        writeln!(out, "Selection: {}", run.selection)?;
    }
    let said = ending(run).unwrap_or_else(|| run.state.clone());
    let said = match (&standing.rolled_back, run.state.as_str()) {
        (Some(rolled_back), "finished") if summary.changed == 0 && rolled_back.first_whole().is_some() => {
            "finished, then rolled back".to_owned()
        }
        (Some(_), "finished") => "finished, then rolled back in part".to_owned(),
        _ => said,
    };
    writeln!(out, "{said}")?;
    if let Some(request) = &run.rollback_request {
        let covers = rollback_covers(&run.id, request.wave, &request.narrowed);
        let (at, by) = (moment(request.requested_at), &request.session.caller);
        writeln!(out, "A rollback of {covers} was requested {at} by {by} and is not finished.")?;
    }
    if let Some(rolled_back) = &standing.rolled_back {
        for words in rolled_back_in_words(rolled_back, &standing) {
            writeln!(out, "{words}")?;
        }
    }
    writeln!(out)?;
    writeln!(out, "{}", ink(&headline(run, summary), Effects::BOLD))?;
    if let Some(did) = what_it_did(reader, run, summary)? {
        writeln!(out, "This run: {did}")?;
    }
    writeln!(out, "{}", ink(kind::scope(run), Effects::DIMMED))?;
    writeln!(out, "{}\n", ink(&out_of_scope::says(summary), Effects::DIMMED))?;
    for &verdict in kind::verdicts(run) {
        let buckets = count(summary, verdict);
        if buckets > 0 {
            writeln!(out, "  {:<14} {:>9}", title(verdict), number(buckets))?;
        }
    }
    writeln!(out, "  {:<14} {:>9}  execution started, result pending", "in flight", number(standing.in_flight))?;
    writeln!(out, "  {:<14} {:>9}  not finished, including those in flight", "open", number(standing.open))?;
    let accounts = [(summary.accounts_unread, "unread"), (summary.skipped, "skipped")];
    let accounts: Vec<String> = std::iter::once(counted(summary.accounts, "account"))
        .chain(
            accounts
                .iter()
                .filter(|(amount, _)| *amount > 0)
                .map(|(amount, what)| format!("{} {what}", number(*amount))),
        )
        .chain(std::iter::once(format!("{} started", counted(summary.started, "execution"))))
        .collect();
    writeln!(out, "\n{}", accounts.join(" · "))?;
    if let Some(plan) = &run.plan {
        writeln!(out, "\n{}", ink("Approved plan", Effects::BOLD))?;
        writeln!(out, "  {}, approved by {}", plan.id, plan.approver)?;
        writeln!(out, "  {}", ink(&format!("sha256 {}", plan.sha256), Effects::DIMMED))?;
    }
    if !standing.waves.is_empty() {
        writeln!(out, "\n{}", ink("Waves", Effects::BOLD))?;
        for line in &standing.waves {
            writeln!(out, "  {}", waves::in_words(line))?;
            for evidence in line.record.evidence.iter().take(SHOWN) {
                writeln!(out, "      {}", ink(&plain(evidence), Effects::DIMMED))?;
            }
            let more = line.record.evidence.len().saturating_sub(SHOWN);
            if more > 0 {
                writeln!(out, "      {}", ink(&format!("and {more} more: --json shows them"), Effects::DIMMED))?;
            }
        }
    }
    writeln!(out, "\n{}", ink("Processes", Effects::BOLD))?;
    for (number, session) in (1..).zip(&standing.sessions) {
        let until = match session.ended_at {
            Some(end) => {
                format!("{}, {}", duration(session.started_at, end), session.ending.as_deref().unwrap_or("ended"))
            }
            None => match (&run.process, number == standing.sessions.len()) {
                (Process::AtWork, true) => "running".to_owned(),
                (Process::Unclear { .. }, true) => "running, or killed".to_owned(),
                _ => "killed".to_owned(),
            },
        };
        writeln!(
            out,
            "  {}  orgseal {} {} on {}, process {}: {until}",
            moment(session.started_at),
            session.by.command,
            session.by.version,
            session.by.host,
            session.by.pid
        )?;
        writeln!(out, "  {}", ink(&format!("  as {}", session.by.caller), Effects::DIMMED))?;
    }
    for (rollback, undone) in standing.rollbacks.iter().filter(|(_, undone)| undone.restored > 0) {
        let restored = counted(undone.restored, "bucket");
        let redone = match standing.in_force.contains(&rollback.id) || rollback.stage == "reading" {
            true => "",
            false => "; redone since",
        };
        writeln!(out, "\nUndone in part or whole by {}: {restored} restored, {}{redone}", rollback.id, rollback.state)?;
    }
    if !is_at_work {
        let steps = next_steps(reader, &style.place, run, summary)?;
        writeln!(out, "\n{}", ink("What now", Effects::BOLD))?;
        for step in steps {
            if let Some(command) = step.command {
                writeln!(out, "  {}", ink(&command, Effects::BOLD))?;
                writeln!(out, "      {}", ink(&step.does, Effects::DIMMED))?;
            } else {
                writeln!(out, "  {}", step.does)?;
            }
        }
    }
    let head = format!("Head of the ledger, entry {}:\n  {}", number(standing.head.entries), standing.head.hash);
    writeln!(out, "\n{}", ink(&head, Effects::DIMMED))?;
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    organization: &'a str,
    campaign: &'a str,
    kind: &'a str,
    undoes: Option<&'a str>,
    state: &'a str,
    stage: &'a str,
    started_at: jiff::Timestamp,
    finished_at: Option<jiff::Timestamp>,
    selection: &'a str,
    summary: &'a Summary,
    in_flight: u64,
    open: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a PlanReference>,
    waves: &'a [WaveLine],
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back: Option<&'a RolledBack>,
    sessions: Vec<SessionRecord<'a>>,
    rollbacks: Vec<RollbackRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_requested: Option<RequestRecord<'a>>,
    next: Vec<Step>,
    ledger: &'a Head,
}

#[derive(Serialize)]
struct RequestRecord<'a> {
    requested_at: jiff::Timestamp,
    caller: &'a str,
    wave: Option<u32>,
    selection: String,
    confirmed: bool,
}

#[derive(Serialize)]
struct SessionRecord<'a> {
    command: &'a str,
    caller: &'a str,
    version: &'a str,
    host: &'a str,
    pid: u32,
    config_hash: &'a str,
    selection: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_off_seconds: Option<i64>,
    started_at: jiff::Timestamp,
    ended_at: Option<jiff::Timestamp>,
    ending: Option<&'a str>,
}

#[derive(Serialize)]
struct RollbackRecord<'a> {
    campaign: &'a str,
    state: &'a str,
    restored: u64,
}

/// Writes where a campaign stands, as JSON.
pub fn write_json(reader: &Reader, run: &Run, place: &Place, out: &mut dyn Write) -> Result<(), ReportError> {
    let run = &reader.with_process(run.clone())?;
    let standing = standing(reader, run)?;
    let document = Document {
        schema: SCHEMA,
        organization: &reader.binding()?.organization,
        campaign: &run.id,
        kind: &run.kind,
        undoes: run.parent.as_deref(),
        state: state(run),
        stage: &run.stage,
        started_at: run.started_at,
        finished_at: run.finished_at,
        selection: &run.selection,
        summary: &standing.summary,
        in_flight: standing.in_flight,
        open: standing.open,
        plan: run.plan.as_ref(),
        waves: &standing.waves,
        rolled_back: standing.rolled_back.as_ref(),
        sessions: standing
            .sessions
            .iter()
            .map(|session| SessionRecord {
                command: &session.by.command,
                caller: &session.by.caller,
                version: &session.by.version,
                host: &session.by.host,
                pid: session.by.pid,
                config_hash: &session.by.config_hash,
                selection: &session.by.selection,
                clock_off_seconds: session.by.clock_off_seconds,
                started_at: session.started_at,
                ended_at: session.ended_at,
                ending: session.ending.as_deref(),
            })
            .collect(),
        rollbacks: standing
            .rollbacks
            .iter()
            .map(|(rollback, summary)| RollbackRecord {
                campaign: &rollback.id,
                state: &rollback.state,
                restored: summary.restored,
            })
            .collect(),
        rollback_requested: run.rollback_request.as_ref().map(|request| RequestRecord {
            requested_at: request.requested_at,
            caller: &request.session.caller,
            wave: request.wave,
            selection: request.narrowed.in_words(),
            confirmed: request.confirmed,
        }),
        next: match run.process == Process::AtWork {
            true => Vec::new(),
            false => next_steps(reader, place, run, &standing.summary)?,
        },
        ledger: &standing.head,
    };
    serde_json::to_writer_pretty(VisibleJson(&mut *out), &document).map_err(|error| ReportError::Io(error.into()))?;
    out.write_all(b"\n")?;
    Ok(())
}
