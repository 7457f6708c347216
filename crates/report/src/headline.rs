//! The first line of every report: how much is where it should be. What is unknown is named in it, and never looks green.

use orgseal_core::ledger::{LedgerError, Reader, Run, Summary};
use orgseal_core::model::{Operation, Verdict};

use crate::meaning::title;
use crate::words::{counted, number, percent};
use crate::{kind, worked};

/// `924 of 924 buckets sealed (100 %)`. While an account is unknown: `47 of 50 accounts verified · 924 of 924 readable buckets
/// sealed · 3 accounts unknown`, without a share, since nobody knows of what.
pub(crate) fn headline(run: &Run, summary: &Summary) -> String {
    let (reached, goal) = (kind::reached(run, summary), title(kind::goal(run)));
    if let Some(unknown) = with_unknown(reached, goal, summary) {
        return unknown;
    }
    // While a run reads, or where it was ended before it had read everything, nobody knows of what a share would be.
    let share = percent(reached, summary.buckets).filter(|_| is_whole(run, summary));
    let share = share.map(|share| format!(" ({share})")).unwrap_or_default();
    format!("{} of {} {goal}{share}", number(reached), counted(summary.buckets, "bucket"))
}

/// Whether the counts leave nothing out but buckets that are named as unknown.
pub(crate) fn is_whole(run: &Run, summary: &Summary) -> bool {
    run.is_whole() && summary.accounts_unread == 0
}

/// The same for a run that asks before it changes anything, where an account is unknown.
#[must_use]
pub fn headline_with_unknown(operation: Operation, summary: &Summary) -> Option<String> {
    match operation {
        Operation::Seal => with_unknown(summary.sealed, title(Verdict::Sealed), summary),
        Operation::Restore => with_unknown(summary.restored, title(Verdict::Restored), summary),
    }
}

fn with_unknown(reached: u64, goal: &str, summary: &Summary) -> Option<String> {
    if summary.accounts_unread == 0 {
        return None;
    }
    let readable = summary.buckets - summary.unread;
    let mut parts = vec![
        format!("{} of {} verified", number(verified(summary)), counted(to_verify(summary), "account")),
        format!("{} of {} {goal}", number(reached), counted(readable, "readable bucket")),
        format!("{} unknown", counted(summary.accounts_unread, "account")),
    ];
    if summary.unread > 0 {
        parts.push(format!("{} unknown", counted(summary.unread, "bucket")));
    }
    Some(parts.join(" · "))
}

/// What a run that changes buckets did, and how long it took: `707 changed and verified · 217 already sealed · 0 failed · 32 s`.
/// `None` for a run that only reads.
pub(crate) fn what_it_did(reader: &Reader, run: &Run, summary: &Summary) -> Result<Option<String>, LedgerError> {
    Ok(changes(run, summary, worked::took(reader, run)?))
}

fn changes(run: &Run, summary: &Summary, took: Option<String>) -> Option<String> {
    if !matches!(run.kind.as_str(), "rollout" | "rollback") || matches!(run.state.as_str(), "dry_run" | "declined") {
        return None;
    }
    let already = kind::reached(run, summary) - summary.changed;
    let mut parts = vec![
        format!(
            "{} {} and verified",
            counted(summary.changed, "bucket"),
            if kind::is_rollback(run) { "restored" } else { "changed" }
        ),
        format!("{} already {}", number(already), title(kind::goal(run))),
        format!("{} failed", number(summary.failed)),
    ];
    if summary.rolled_back > 0 {
        parts.push(format!("{} rolled back since", counted(summary.rolled_back, "bucket")));
    }
    if summary.unread > 0 {
        parts.push(format!("{} unknown", counted(summary.unread, "bucket")));
    }
    if summary.accounts_unread > 0 {
        parts.push(format!("{} unknown", counted(summary.accounts_unread, "account")));
    }
    parts.extend(took);
    Some(parts.join(" · "))
}

/// Accounts that were read to the end.
pub(crate) fn verified(summary: &Summary) -> u64 {
    to_verify(summary) - summary.accounts_unread
}

/// Accounts that the run is about, without those that the campaign file says to skip.
pub(crate) fn to_verify(summary: &Summary) -> u64 {
    summary.accounts - summary.skipped
}

/// What a verdict says of a bucket in this run. An audit that evaluated no guards does not know what a rollout would do.
pub(crate) fn meaning(run: &Run, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotSealed if kind::skips_guards(run) => "rollout candidate, guards not evaluated",
        verdict => crate::meaning::meaning(verdict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(kind: &str) -> Run {
        let mut run = Run::default();
        kind.clone_into(&mut run.kind);
        "finished".clone_into(&mut run.state);
        run
    }

    #[test]
    fn an_unknown_account_takes_the_share_away() {
        let known = Summary { accounts: 3, buckets: 9, sealed: 9, complete: true, ..Summary::default() };
        assert_eq!(headline(&run("audit"), &known), "9 of 9 buckets sealed (100 %)");
        let dark =
            Summary { accounts: 52, skipped: 2, accounts_unread: 3, buckets: 924, sealed: 924, ..Summary::default() };
        assert_eq!(
            headline(&run("audit"), &dark),
            "47 of 50 accounts verified · 924 of 924 readable buckets sealed · 3 accounts unknown"
        );
        assert_eq!(headline_with_unknown(Operation::Seal, &dark), Some(headline(&run("rollout"), &dark)));
        assert_eq!(headline_with_unknown(Operation::Seal, &known), None);
        let some = Summary { accounts: 2, accounts_unread: 1, buckets: 3, sealed: 1, unread: 1, ..Summary::default() };
        assert_eq!(
            headline(&run("audit"), &some),
            "1 of 2 accounts verified · 1 of 2 readable buckets sealed · 1 account unknown · 1 bucket unknown"
        );
    }

    #[test]
    fn a_run_that_was_ended_by_force_shows_no_share() {
        let known = Summary { accounts: 3, buckets: 9, sealed: 9, ..Summary::default() };
        for state in ["running", "interrupted", "failed", "stopped: internal error"] {
            let mut run = run("audit");
            state.clone_into(&mut run.state);
            assert_eq!(headline(&run, &known), "9 of 9 buckets sealed", "{state}");
        }
    }

    #[test]
    fn a_run_says_what_it_did() {
        let counts = Summary {
            accounts: 2,
            accounts_unread: 1,
            buckets: 9,
            sealed: 8,
            changed: 5,
            failed: 1,
            ..Summary::default()
        };
        assert_eq!(
            changes(&run("rollout"), &counts, Some("32 s".to_owned())).unwrap(),
            "5 buckets changed and verified · 3 already sealed · 1 failed · 1 account unknown · 32 s"
        );
        let restored = Summary { buckets: 3, restored: 3, changed: 2, ..Summary::default() };
        assert_eq!(
            changes(&run("rollback"), &restored, None).unwrap(),
            "2 buckets restored and verified · 1 already restored · 0 failed"
        );
        let undone = Summary { buckets: 9, sealed: 4, changed: 1, rolled_back: 5, not_sealed: 5, ..Summary::default() };
        assert_eq!(
            changes(&run("rollout"), &undone, None).unwrap(),
            "1 bucket changed and verified · 3 already sealed · 0 failed · 5 buckets rolled back since"
        );
        assert_eq!(changes(&run("audit"), &counts, None), None);
    }
}
