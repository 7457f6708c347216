//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod report;
pub(crate) mod rollout;
pub(crate) mod sandbox;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use orgseal_core::campaign::Ending;
use orgseal_core::ledger::Reader;
use orgseal_report::{Format, Style, exit_code};

use crate::failure::Failure;
use crate::output;
use crate::signals::INTERRUPTED;

/// Reports on a run that has just ended, from the ledger, and gives its exit code.
fn close(state: &Path, run: &str, ending: Ending, json: bool) -> Result<u8, Failure> {
    let reader = Reader::open(state)?;
    let run = reader.run(run)?;
    let people = Style { color: output::stdout_color(), width: output::stdout_width() };
    if json {
        let aside =
            Style { color: output::stderr_color(), width: u16::try_from(output::stderr_width()).unwrap_or(100) };
        orgseal_report::write(Format::Terminal, &reader, &run, &aside, &mut io::stderr().lock())?;
        to_stdout(|out| Ok(orgseal_report::write(Format::Json, &reader, &run, &people, out)?))?;
    } else {
        to_stdout(|out| Ok(orgseal_report::write(Format::Terminal, &reader, &run, &people, out)?))?;
    }
    if ending == Ending::Interrupted {
        return Ok(INTERRUPTED);
    }
    Ok(exit_code(&reader.summary(&run)?, &run.state))
}

fn to_stdout(write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out)?;
    out.flush().map_err(|error| {
        Failure::plain(
            format!("standard output cannot be written: {error}"),
            "check where it goes; `orgseal report` says it again",
        )
    })
}
