//! The exemptions of a run, and what became of each: used, unused, or over.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use orgseal_core::config::{Exemption, Exemptions};
use orgseal_core::ledger::{Reader, Run};
use serde::Serialize;

use crate::ReportError;

/// What became of an exemption in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Use {
    /// It names buckets that would be changed or held without it.
    Active,
    /// No bucket needs it.
    Unused,
    /// Its last day has passed: it exempts nothing any more.
    Expired,
}

impl Use {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Use::Active => "active",
            Use::Unused => "unused",
            Use::Expired => "expired",
        }
    }
}

/// An exemption, and what became of it.
#[derive(Serialize)]
pub(crate) struct ExemptionLine {
    /// Its place in the file, from 1.
    pub(crate) number: usize,
    /// What became of it.
    #[serde(rename = "state")]
    pub(crate) used: Use,
    /// Buckets that it exempts in this run.
    pub(crate) buckets: u64,
    #[serde(flatten)]
    pub(crate) exemption: Exemption,
}

/// The exemptions that a run began with, in the order of their file.
pub(crate) fn lines(reader: &Reader, run: &Run) -> Result<Vec<ExemptionLine>, ReportError> {
    let Some(text) = &run.exemptions else { return Ok(Vec::new()) };
    let exemptions: Exemptions = serde_json::from_str(text).unwrap_or_default();
    let counts = reader.exempted(run)?;
    let day: Date = TimeZone::UTC.to_datetime(run.finished_at.unwrap_or(run.started_at)).date();
    let line = |(index, exemption): (usize, Exemption)| {
        let buckets = counts.get(&(index + 1)).copied().unwrap_or(0);
        let used = match (buckets, exemption.is_over(day)) {
            (0, true) => Use::Expired,
            (0, false) => Use::Unused,
            (_, _) => Use::Active,
        };
        ExemptionLine { number: index + 1, used, buckets, exemption }
    };
    Ok(exemptions.exemption.into_iter().enumerate().map(line).collect())
}

/// An exemption in one line, for people.
pub(crate) fn in_words(line: &ExemptionLine) -> String {
    let Exemption { reason, owner, ticket, until, .. } = &line.exemption;
    format!("exemption {}: {reason} ({owner}, {ticket}, until {until})", line.number)
}
