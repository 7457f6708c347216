//! x
use crate::ReportError;
use orgseal_core::ledger::{Reader, Run};
use std::io::Write;
/// Writes a run as HTML.
pub fn write(_reader: &Reader, _run: &Run, _out: &mut dyn Write) -> Result<(), ReportError> {
    Ok(())
}
