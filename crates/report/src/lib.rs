//! A run, read from the ledger and written for people and programs: terminal, JSON, CSV, HTML; one file per format.
//!
//! Findings are streamed from the ledger to the writer, never gathered. What is said of a bucket is decided elsewhere:
//! nothing here judges.

pub mod csv;
pub mod html;
pub mod json;
pub mod plan;
pub mod preflight;
pub mod runs;
pub mod status;
pub mod terminal;

mod account_tally;
mod earlier;
mod exemptions;
mod exit;
mod format;
mod guards;
mod headline;
mod kind;
mod meaning;
mod next_steps;
mod out_of_scope;
mod suggest;
mod undone;
mod unread_accounts;
mod walk;
mod waves;
mod words;
mod worked;

use std::io::{self, Write};

use orgseal_core::ledger::{LedgerError, Reader, Run};
use orgseal_core::plan::PlanError;

pub use exit::exit_code;
pub use format::{Format, UnknownFormat};
pub use headline::headline_with_unknown;
pub use meaning::SCOPE;
pub use suggest::{Place, Suggest, flagged, quoted};
pub use terminal::Style;
pub use words::{counted, number};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A plan could not be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The writer took no more.
    #[error("the report cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Writes a run in a format. Its place counts for suggested commands, the rest of `style` for the terminal alone. The caller flushes.
pub fn write(
    format: Format,
    reader: &Reader,
    run: &Run,
    style: &Style,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let run = &reader.with_process(run.clone())?;
    match format {
        Format::Terminal => terminal::write(reader, run, style, out),
        Format::Json => json::write(reader, run, &style.place, out),
        Format::Csv => csv::write(reader, run, out),
        Format::Html => html::write(reader, run, out),
    }
}
