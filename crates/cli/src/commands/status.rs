//! `orgseal status`: where a campaign stands, from the ledger, also while another process runs it.

use orgseal_core::ledger::{Process, Reader};
use orgseal_report::{exit_code, status};

use super::to_stdout;
use crate::args::{Common, Status};
use crate::connect;
use crate::failure::Failure;

pub(crate) fn run(common: &Common, own: &Status, json: bool) -> Result<u8, Failure> {
    let state = connect::state_in_force(common)?;
    let reader = Reader::open(&state)?;
    let run = match &own.campaign {
        Some(id) => reader.run(id)?,
        None => reader.newest_campaign(None)?.ok_or_else(|| {
            Failure::plain("the ledger holds no campaign yet", "begin one: `orgseal plan` writes a plan for approval")
        })?,
    };
    reader.narrow(&run, &connect::narrowed(common))?;
    // Counts belong together, also while another process writes.
    reader.snapshot()?;
    let run = reader.with_process(run)?;
    let style = connect::style(common);
    to_stdout(|out| match json {
        true => status::write_json(&reader, &run, &style.place, out),
        false => status::write(&reader, &run, &style, out),
    })?;
    Ok(match run.process {
        // A running campaign is not a finding.
        Process::AtWork => 0,
        _ => exit_code(&reader.summary(&run)?, &run.state),
    })
}
