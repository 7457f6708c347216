//! What differs between the report on a rollback and those on audits and rollouts.

use orgseal_core::campaign::Target;
use orgseal_core::ledger::{Run, Summary};
use orgseal_core::model::Verdict;

use crate::meaning::{RESTORED_SCOPE, SCOPE};

/// The verdicts that a run knows, in the order in which summaries show them.
pub(crate) fn verdicts(run: &Run) -> &'static [Verdict] {
    if is_rollback(run) { Verdict::OF_RESTORING } else { Verdict::OF_SEALING }
}

/// Whether the run puts back what a campaign changed.
pub(crate) fn is_rollback(run: &Run) -> bool {
    run.kind == "rollback"
}

/// The verdict that the run is about.
pub(crate) fn goal(run: &Run) -> Verdict {
    if is_rollback(run) { Verdict::Restored } else { Verdict::Sealed }
}

/// How many buckets are where the run wants them.
pub(crate) fn reached(run: &Run, summary: &Summary) -> u64 {
    if is_rollback(run) { summary.restored } else { summary.sealed }
}

/// Whether it is an audit that evaluated no guards: it does not know which buckets a rollout would change.
pub(crate) fn skips_guards(run: &Run) -> bool {
    run.kind == "audit" && !Target::of(run).guards
}

/// What the count of those speaks of.
pub(crate) fn scope(run: &Run) -> &'static str {
    if is_rollback(run) { RESTORED_SCOPE } else { SCOPE }
}

/// The report's title, without the organization.
pub(crate) fn title(run: &Run) -> &'static str {
    match run.kind.as_str() {
        "plan" => "Plan for",
        "rollout" => "Rollout in",
        "rollback" => "Rollback in",
        _ => "Audit of",
    }
}
