//! `orgseal status`: where a campaign stands, from the ledger, also while another process runs it.

use orgseal_core::ledger::{self, Reader};
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
        None => reader
            .newest_of(&["rollout", "rollback"])?
            .ok_or_else(|| Failure::plain("the ledger holds no campaign yet", "begin one with `orgseal rollout`"))?,
    };
    reader.narrow(&run, &connect::narrowed(common))?;
    // Counts belong together, also while another process writes.
    reader.snapshot()?;
    let busy = ledger::is_busy(&state)?;
    let style = connect::style(common);
    to_stdout(|out| match json {
        true => status::write_json(&reader, &run, busy, &style.place, out),
        false => status::write(&reader, &run, busy, &style, out),
    })?;
    Ok(match run.state.as_str() {
        // A look at what goes on is no finding.
        "running" if busy => 0,
        state => exit_code(&reader.summary(&run)?, state),
    })
}
