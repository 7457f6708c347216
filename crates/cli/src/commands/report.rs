//! `orgseal report`: a run in the ledger, again, in another form.

use std::fs::File;
use std::io::{BufWriter, Write};

use orgseal_core::ledger::{Reader, Run};
use orgseal_report::{Format, Style, exit_code};

use super::to_stdout;
use crate::args::{Common, Report, ReportFormat};
use crate::failure::Failure;
use crate::replace::{self, Own};
use crate::{connect, output};

pub(crate) fn run(common: &Common, own: &Report, json: bool) -> Result<u8, Failure> {
    if let Some(path) = &own.output {
        replace::check(path, Own::Report)?;
    }
    let reader = Reader::open(&connect::state_in_force(common)?)?;
    let run = match &own.campaign {
        Some(id) => reader.run(id)?,
        None => newest(&reader)?,
    };
    // Counts and rows belong together, also while another process writes.
    reader.narrow(&run, &connect::narrowed(common))?;
    reader.snapshot()?;
    let run = reader.with_process(run)?;
    let format = match own.format {
        None if json && own.output.is_none() => Format::Json,
        None | Some(ReportFormat::Terminal) => Format::Terminal,
        Some(ReportFormat::Json) => Format::Json,
        Some(ReportFormat::Csv) => Format::Csv,
        Some(ReportFormat::Html) => Format::Html,
    };
    if json && own.output.is_none() && format != Format::Json {
        return Err(Failure::plain(
            format!("--json prints one JSON document, and --format {} is another form", format.as_str()),
            "leave one of them out, or write the other form to a file with --output",
        ));
    }
    match &own.output {
        None => {
            let style = connect::style(common);
            to_stdout(|out| orgseal_report::write(format, &reader, &run, &style, out))?;
        }
        Some(path) => {
            let wrong = |error: std::io::Error| Failure::file("the report cannot be written to", path, &error);
            let mut file = BufWriter::new(File::create(path).map_err(wrong)?);
            let style = Style { color: false, width: 100, place: connect::place(common) };
            orgseal_report::write(format, &reader, &run, &style, &mut file)?;
            file.flush().map_err(wrong)?;
            output::err(&format!("wrote {}", path.display()));
            if json {
                output::out_json(&serde_json::json!({
                    "schema": "orgseal.report/1", "run": run.id, "format": format.as_str(), "path": path,
                }))?;
            }
        }
    }
    Ok(exit_code(&reader.summary(&run)?, &run.state))
}

/// The last run that changed something in a campaign; where none did, the newest run. Says which one it is.
fn newest(reader: &Reader) -> Result<Run, Failure> {
    let run = match reader.newest_change()? {
        Some(run) => run,
        None => reader
            .newest_run()?
            .ok_or_else(|| Failure::plain("the ledger holds no run yet", "run `orgseal audit` first"))?,
    };
    if let Some(newer) = reader.newest_run()?.filter(|newest| newest.id != run.id) {
        output::err(&format!(
            "report on {}, the last run that changed a bucket; a newer run that changed nothing: --campaign {}",
            run.id, newer.id
        ));
    }
    Ok(run)
}
