//! The exemptions of a run, and what became of each: used, unused, or over.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use orgseal_core::config::{Exemption, Exemptions};
use orgseal_core::ledger::{Reader, Run};
use orgseal_core::model::ExemptionNote;
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
    /// No bucket that was read needs it, and not all were read.
    Unknown,
    /// Its last day has passed: it exempts nothing any more.
    Expired,
}

impl Use {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Use::Active => "active",
            Use::Unused => "unused",
            Use::Unknown => "unknown",
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
    /// Buckets that it exempts in this run. In JSON, `buckets` are the patterns that it names.
    #[serde(rename = "exempted")]
    pub(crate) buckets: u64,
    #[serde(flatten)]
    pub(crate) exemption: Exemption,
}

/// The exemptions that a run began with, in the order of their file.
pub(crate) fn lines(reader: &Reader, run: &Run) -> Result<Vec<ExemptionLine>, ReportError> {
    let Some(text) = &run.exemptions else { return Ok(Vec::new()) };
    let exemptions: Exemptions = serde_json::from_str(text).unwrap_or_default();
    let mut counts = reader.exempted(run)?;
    let partial = reader.is_partial(run)?;
    let day: Date = TimeZone::UTC.to_datetime(run.finished_at.unwrap_or(run.started_at)).date();
    let all = exemptions.exemption;
    let mut used_by = vec![0; all.len()];
    // The file may have been edited since, and the places in it may be others.
    for in_place in [true, false] {
        for (index, exemption) in all.iter().enumerate() {
            let says = |note: &ExemptionNote| {
                (&note.reason, &note.owner, &note.ticket, note.until)
                    == (&exemption.reason, &exemption.owner, &exemption.ticket, exemption.until)
            };
            let at = counts.iter().position(|(note, _)| says(note) && (!in_place || note.number == index + 1));
            used_by[index] += at.map_or(0, |at| counts.remove(at).1);
        }
    }
    let line = |((index, exemption), buckets): ((usize, Exemption), u64)| {
        let used = match (buckets, exemption.is_over(day)) {
            (0, true) => Use::Expired,
            (0, false) if partial => Use::Unknown,
            (0, false) => Use::Unused,
            (_, _) => Use::Active,
        };
        ExemptionLine { number: index + 1, used, buckets, exemption }
    };
    let mut lines: Vec<ExemptionLine> = all.into_iter().enumerate().zip(used_by).map(line).collect();
    // Decisions of a file that is another by now: the buckets are exempt by them all the same.
    lines.extend(counts.into_iter().map(|(note, buckets)| {
        let ExemptionNote { number, reason, owner, ticket, until } = note;
        let exemption = Exemption { reason, owner, ticket, until, ..Exemption::default() };
        ExemptionLine { number, used: Use::Active, buckets, exemption }
    }));
    Ok(lines)
}

/// An exemption in one line, for people.
pub(crate) fn in_words(line: &ExemptionLine) -> String {
    let Exemption { reason, owner, ticket, until, .. } = &line.exemption;
    format!("exemption {}: {reason} ({owner}, {ticket}, until {until})", line.number)
}
