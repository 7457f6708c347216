//! What guards found, in words that every report shares.

use orgseal_core::model::{GuardFinding, GuardOutcome};

/// For a cell: `public-access`, `public-access=warn`, `public-access?` where it cannot tell.
pub(crate) fn in_short(finding: &GuardFinding) -> String {
    let doubt = if finding.outcome == GuardOutcome::CannotTell { "?" } else { "" };
    match finding.overridden {
        true => format!("{}{doubt}={}", finding.guard, finding.severity.as_str()),
        false => format!("{}{doubt}", finding.guard),
    }
}

/// A heading for buckets on which a guard found the same.
pub(crate) fn title(finding: &GuardFinding) -> String {
    let doubt = if finding.outcome == GuardOutcome::CannotTell { ", cannot tell" } else { "" };
    let overridden =
        if finding.overridden { format!(" (set to {})", finding.severity.as_str()) } else { String::new() };
    format!("{}{doubt}{overridden}: {}", finding.guard, finding.says)
}
