//! The exit code that a run's counts stand for.

use orgseal_core::ledger::Summary;

/// States in which a run did all that it was asked to do.
const COMPLETE: [&str; 3] = ["finished", "dry_run", "declined"];

/// 0: all is as wanted; 2: something is not; 3: not everything could be read or finished, which wins over 2.
#[must_use]
pub fn exit_code(summary: &Summary, run_state: &str) -> u8 {
    let incomplete =
        summary.accounts_unread > 0 || summary.unread > 0 || summary.failed > 0 || !COMPLETE.contains(&run_state);
    match incomplete {
        true => 3,
        false if summary.not_sealed > 0 || summary.not_restored > 0 || summary.held > 0 => 2,
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_wins_over_found() {
        let clean = Summary { buckets: 3, sealed: 1, exempt: 1, skipped: 1, ..Summary::default() };
        assert_eq!(exit_code(&clean, "finished"), 0);
        assert_eq!(exit_code(&clean, "dry_run"), 0);
        assert_eq!(exit_code(&clean, "declined"), 0);
        assert_eq!(exit_code(&clean, "running"), 3);
        assert_eq!(exit_code(&clean, "interrupted"), 3);
        assert_eq!(exit_code(&Summary { not_sealed: 1, ..clean }, "finished"), 2);
        assert_eq!(exit_code(&Summary { held: 1, ..clean }, "finished"), 2);
        assert_eq!(exit_code(&Summary { not_sealed: 1, unread: 1, ..clean }, "finished"), 3);
        assert_eq!(exit_code(&Summary { accounts_unread: 1, ..clean }, "finished"), 3);
        assert_eq!(exit_code(&Summary { failed: 1, ..clean }, "finished"), 3);
    }
}
