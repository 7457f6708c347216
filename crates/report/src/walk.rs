//! A walk over a run's findings which may end before its end.

use std::ops::ControlFlow;

use orgseal_core::ledger::{LedgerError, Reader, Run};
use orgseal_core::model::Finding;

use crate::ReportError;

enum Stop {
    Enough,
    Error(ReportError),
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Stop::Error(error.into())
    }
}

/// Hands over each finding, by account and name, until `handle` breaks off.
pub(crate) fn walk(
    reader: &Reader,
    run: &Run,
    mut handle: impl FnMut(Finding) -> Result<ControlFlow<()>, ReportError>,
) -> Result<(), ReportError> {
    let walked = reader.each_finding::<Stop>(run, |finding| match handle(finding) {
        Ok(ControlFlow::Continue(())) => Ok(()),
        Ok(ControlFlow::Break(())) => Err(Stop::Enough),
        Err(error) => Err(Stop::Error(error)),
    });
    match walked {
        Ok(()) | Err(Stop::Enough) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    }
}
