//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod bootstrap;
pub(crate) mod config;
pub(crate) mod confirm;
pub(crate) mod ledger;
pub(crate) mod plan;
pub(crate) mod preflight;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod rollback;
pub(crate) mod rollout;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod status;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use orgseal_core::campaign::Ending;
use orgseal_core::ledger::{Reader, Run};
use orgseal_report::{Format, ReportError, exit_code};

use crate::args::Common;
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, output};

/// Reports on a run that has just ended, from the ledger, and gives its exit code. A declined question is one line, not a report.
fn close(common: &Common, state: &Path, run: &str, ending: Ending, json: bool) -> Result<u8, Failure> {
    let reader = Reader::open(state)?;
    let run = reader.run(run)?;
    match ending {
        Ending::Declined => {
            close_in_a_line(common, &reader, &run, json, &format!("declined: nothing was started ({})", run.id))
        }
        Ending::ResumeDeclined => {
            let line = format!("declined: no new change was started, and {} can still be resumed", run.id);
            close_in_a_line(common, &reader, &run, json, &line)
        }
        _ => close_with_report(common, &reader, &run, ending, json),
    }
}

/// The same where a person did not approve a wave: one line, if this process has started nothing. `started`: the executions
/// that earlier processes started.
fn close_declined_wave(
    common: &Common,
    state: &Path,
    run: &str,
    ending: Ending,
    json: bool,
    (wave, started): (u32, u64),
) -> Result<u8, Failure> {
    let reader = Reader::open(state)?;
    let found = reader.run(run)?;
    if ending != Ending::WaveWaits || reader.summary(&found)?.started > started {
        return close(common, state, run, ending, json);
    }
    let line = format!("wave {wave} was not approved: nothing was started, and {run} can still be resumed");
    close_in_a_line(common, &reader, &found, json, &line)
}

fn close_in_a_line(common: &Common, reader: &Reader, run: &Run, json: bool, line: &str) -> Result<u8, Failure> {
    if json {
        let people = connect::style(common);
        to_stdout(|out| orgseal_report::write(Format::Json, reader, run, &people, out))?;
    }
    output::err(line);
    Ok(exit_code(&reader.summary(run)?, &run.state))
}

fn close_with_report(common: &Common, reader: &Reader, run: &Run, ending: Ending, json: bool) -> Result<u8, Failure> {
    let people = connect::style(common);
    if json {
        to_stdout(|out| orgseal_report::write(Format::Json, reader, run, &people, out))?;
        let aside = connect::style_aside(common);
        // The document is out; nobody may be reading the words.
        let _ = orgseal_report::write(Format::Terminal, reader, run, &aside, &mut io::stderr().lock());
    } else {
        to_stdout(|out| orgseal_report::write(Format::Terminal, reader, run, &people, out))?;
    }
    if ending == Ending::Interrupted {
        return Ok(INTERRUPTED);
    }
    Ok(exit_code(&reader.summary(run)?, &run.state))
}

/// Gives the exit code of a run that ended before, and with `--json` its document: there is nothing new to say.
fn report_again(common: &Common, state: &Path, run: &str, json: bool) -> Result<u8, Failure> {
    let reader = Reader::open(state)?;
    let run = reader.run(run)?;
    if json {
        let style = connect::style(common);
        to_stdout(|out| orgseal_report::write(Format::Json, &reader, &run, &style, out))?;
    }
    Ok(exit_code(&reader.summary(&run)?, &run.state))
}

/// Writes to standard output. Whoever closes a pipe early has read enough: that is no failure.
fn to_stdout(write: impl FnOnce(&mut dyn Write) -> Result<(), ReportError>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush().map_err(ReportError::Io)) {
        Err(ReportError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
