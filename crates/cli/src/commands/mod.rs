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
use orgseal_core::ledger::Reader;
use orgseal_report::{Format, ReportError, exit_code};

use crate::args::Common;
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, output};

/// Reports on a run that has just ended, from the ledger, and gives its exit code.
fn close(common: &Common, state: &Path, run: &str, ending: Ending, json: bool) -> Result<u8, Failure> {
    let reader = Reader::open(state)?;
    let run = reader.run(run)?;
    if ending == Ending::Declined && !json {
        output::err(&format!("declined: nothing was started ({})", run.id));
        return Ok(exit_code(&reader.summary(&run)?, &run.state));
    }
    let people = connect::style(common);
    if json {
        to_stdout(|out| orgseal_report::write(Format::Json, &reader, &run, &people, out))?;
        if ending == Ending::Declined {
            output::err(&format!("declined: nothing was started ({})", run.id));
            return Ok(exit_code(&reader.summary(&run)?, &run.state));
        }
        let aside = connect::style_aside(common);
        // The document is out; nobody may be reading the words.
        let _ = orgseal_report::write(Format::Terminal, &reader, &run, &aside, &mut io::stderr().lock());
    } else {
        to_stdout(|out| orgseal_report::write(Format::Terminal, &reader, &run, &people, out))?;
    }
    if ending == Ending::Interrupted {
        return Ok(INTERRUPTED);
    }
    Ok(exit_code(&reader.summary(&run)?, &run.state))
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
