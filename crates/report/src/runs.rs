//! The runs in a ledger, the newest first: what there is to report on, to resume or to undo. For people and as `orgseal.runs/1`.

use std::io::Write;

use orgseal_core::campaign::Target;
use orgseal_core::ledger::{Process, Reader, Run, Summary};
use orgseal_core::model::Verdict;
use orgseal_core::text::VisibleJson;
use serde::Serialize;

use crate::ReportError;
use crate::headline::what_it_did;
use crate::kind;
use crate::meaning::{count, title};
use crate::suggest::Suggest;
use crate::terminal::{BOLD, PLAIN, Page, Style};
use crate::words::{counted, ending, moment, number};

/// The name and version of the document's shape.
const SCHEMA: &str = "orgseal.runs/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    organization: &'a str,
    runs: Vec<RunRecord>,
    /// Older runs that are not in the list.
    more: u64,
}

#[derive(Serialize)]
struct RunRecord {
    id: String,
    kind: String,
    state: String,
    /// What is known of its process, where the ledger has no end of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<ProcessRecord>,
    started_at: jiff::Timestamp,
    finished_at: Option<jiff::Timestamp>,
    caller: String,
    version: String,
    /// The selection of the command line, in words; empty for everything.
    selection: String,
    /// Of a rollback: the only wave that it restores.
    #[serde(skip_serializing_if = "Option::is_none")]
    wave: Option<u32>,
    /// The approved plan that it carries out.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// Of a rollback: the campaign that it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    /// Rollbacks that restored buckets of it.
    undone_by: Vec<String>,
    summary: Summary,
}

/// The process of a run without an end: `at_work`, `gone` (ended by force), or `unknown`, on another machine.
#[derive(Serialize)]
struct ProcessRecord {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_entry_at: Option<jiff::Timestamp>,
}

impl ProcessRecord {
    fn of(run: &Run) -> Option<ProcessRecord> {
        match run.process {
            Process::NotChecked => None,
            Process::AtWork => Some(ProcessRecord { state: "at_work", last_entry_at: None }),
            Process::Gone { .. } => Some(ProcessRecord { state: "gone", last_entry_at: None }),
            Process::Unclear { last_entry_at, .. } => Some(ProcessRecord { state: "unknown", last_entry_at }),
        }
    }
}

fn records(reader: &Reader, runs: Vec<Run>) -> Result<Vec<(Run, RunRecord)>, ReportError> {
    let mut records = Vec::new();
    for run in runs {
        let run = reader.with_process(run)?;
        let mut undone_by = Vec::new();
        for rollback in reader.rollbacks_of(&run)? {
            if reader.summary(&rollback)?.changed > 0 {
                undone_by.push(rollback.id);
            }
        }
        let record = RunRecord {
            id: run.id.clone(),
            kind: run.kind.clone(),
            state: run.state.clone(),
            process: ProcessRecord::of(&run),
            started_at: run.started_at,
            finished_at: run.finished_at,
            caller: run.caller.clone(),
            version: run.version.clone(),
            selection: run.selection.clone(),
            wave: Target::of(&run).wave,
            plan: run.plan.as_ref().map(|plan| plan.id.clone()),
            undoes: run.parent.clone(),
            undone_by,
            summary: reader.summary(&run)?,
        };
        records.push((run, record));
    }
    Ok(records)
}

/// Writes the newest runs as JSON.
pub fn write_json(reader: &Reader, most: usize, out: &mut dyn Write) -> Result<(), ReportError> {
    let (runs, more) = reader.newest_runs(most)?;
    let document = Document {
        schema: SCHEMA,
        organization: &reader.binding()?.organization,
        runs: records(reader, runs)?.into_iter().map(|(_, record)| record).collect(),
        more,
    };
    serde_json::to_writer_pretty(VisibleJson(&mut *out), &document).map_err(|error| ReportError::Io(error.into()))?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Writes the newest runs for people.
pub fn write(reader: &Reader, most: usize, style: &Style, out: &mut dyn Write) -> Result<(), ReportError> {
    let suggest = Suggest::here(&style.place);
    let mut page = Page { out, color: style.color, width: usize::from(style.width.max(40)), suggest };
    let (runs, more) = reader.newest_runs(most)?;
    page.blank()?;
    page.line(0, BOLD, &format!("Runs in {}", reader.binding()?.organization))?;
    if runs.is_empty() && more == 0 {
        page.blank()?;
        page.text(0, PLAIN, "The ledger holds no run yet: run `orgseal audit` or `orgseal plan` first.")?;
    }
    for (run, record) in records(reader, runs)? {
        let state = ending(&run).unwrap_or_else(|| "finished".to_owned());
        page.blank()?;
        page.line(0, BOLD, &format!("{}  {}", run.id, moment(run.started_at)))?;
        page.text(2, PLAIN, &format!("{state} · by {} · {}", run.caller, scope(&record)))?;
        page.text(2, PLAIN, &counts(reader, &run, &record.summary)?)?;
        for rollback in &record.undone_by {
            page.text(2, PLAIN, &format!("undone by {rollback}, in whole or in part"))?;
        }
    }
    if more > 0 {
        page.blank()?;
        let all = most as u64 + more;
        page.text(0, PLAIN, &format!("{} older: --limit {all} lists them too", counted(more, "run")))?;
    }
    Ok(())
}

/// What a run was about, in words.
fn scope(record: &RunRecord) -> String {
    let mut parts = Vec::new();
    parts.extend(record.undoes.as_ref().map(|campaign| format!("undoes {campaign}")));
    parts.extend(record.wave.map(|wave| format!("wave {wave}")));
    parts.extend(record.plan.as_ref().map(|plan| format!("plan {plan}")));
    parts.push(if record.selection.is_empty() { "everything".to_owned() } else { record.selection.clone() });
    parts.join(", ")
}

/// What a run did, or what it found.
fn counts(reader: &Reader, run: &Run, summary: &Summary) -> Result<String, ReportError> {
    if let Some(did) = what_it_did(reader, run, summary)? {
        return Ok(did);
    }
    let found = kind::verdicts(run).iter().filter(|verdict| count(summary, **verdict) > 0);
    let found = found.map(|&verdict: &Verdict| format!("{} {}", number(count(summary, verdict)), title(verdict)));
    let mut parts = vec![counted(summary.buckets, "bucket")];
    parts.extend(found);
    if summary.accounts_unread > 0 {
        parts.push(format!("{} unknown", counted(summary.accounts_unread, "account")));
    }
    Ok(parts.join(" · "))
}
