//! `orgseal runs`: the runs in the ledger.

use orgseal_core::ledger::Reader;
use orgseal_report::runs;

use super::to_stdout;
use crate::args::{Common, Runs};
use crate::connect;
use crate::failure::Failure;

pub(crate) fn run(common: &Common, own: &Runs, json: bool) -> Result<u8, Failure> {
    let reader = Reader::open(&connect::state_in_force(common)?)?;
    // Runs and counts belong together, also while another process writes.
    reader.snapshot()?;
    let style = connect::style(common);
    to_stdout(|out| match json {
        true => runs::write_json(&reader, own.limit, out),
        false => runs::write(&reader, own.limit, &style, out),
    })?;
    Ok(0)
}
