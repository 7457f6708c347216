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
    let doubt = if finding.outcome == GuardOutcome::CannotTell { ", inconclusive" } else { "" };
    let overridden = match (finding.overridden, &finding.because) {
        (true, Some(because)) => format!(" (set to {}: {because})", finding.severity.as_str()),
        (true, None) => format!(" (set to {})", finding.severity.as_str()),
        (false, _) => String::new(),
    };
    format!("{}{doubt}{overridden}: {}", finding.guard, finding.says)
}

/// Why a guard's word does not count, where a person decided so for the bucket.
pub(crate) fn overridden(finding: &GuardFinding) -> Option<String> {
    let because = finding.because.as_ref().map(|because| format!(": {because}")).unwrap_or_default();
    finding.overridden.then(|| format!("overridden, {}{because}", finding.severity.as_str()))
}
