//! What the verdicts mean, in words that every report shares.

use orgseal_core::ledger::Summary;
use orgseal_core::model::Verdict;

/// What "sealed" speaks of. Every report says so next to the count.
pub const SCOPE: &str = "\"Sealed\" covers new objects uploaded without an encryption header. It does not cover existing objects or explicit headers.";

/// What "restored" speaks of.
pub(crate) const RESTORED_SCOPE: &str = "\"Restored\" covers new objects. Objects written while the bucket was sealed stay encrypted with the central key: keep that key enabled.";

/// The verdict's name for people.
pub(crate) fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sealed => "sealed",
        Verdict::NotSealed => "not sealed",
        Verdict::Held => "held",
        Verdict::Exempt => "exempt",
        Verdict::Unread => "unread",
        Verdict::Failed => "failed",
        Verdict::Restored => "restored",
        Verdict::NotRestored => "not restored",
    }
}

/// What the verdict says of a bucket.
pub(crate) fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sealed => "S3 shows what the campaign wants",
        Verdict::NotSealed => "not as the campaign requires; a rollout would change it",
        Verdict::Held => "not as the campaign requires; needs a decision",
        Verdict::Exempt => "exempt by the exemptions file",
        Verdict::Unread => "could not be read; counts as not compliant",
        Verdict::Failed => "a change was tried; S3 does not show it",
        Verdict::Restored => "S3 shows the configuration from before the campaign",
        Verdict::NotRestored => "S3 still shows what the campaign left",
    }
}

/// How many buckets have the verdict.
pub(crate) fn count(summary: &Summary, verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Sealed => summary.sealed,
        Verdict::NotSealed => summary.not_sealed,
        Verdict::Held => summary.held,
        Verdict::Exempt => summary.exempt,
        Verdict::Unread => summary.unread,
        Verdict::Failed => summary.failed,
        Verdict::Restored => summary.restored,
        Verdict::NotRestored => summary.not_restored,
    }
}
