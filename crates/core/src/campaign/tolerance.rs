//! The campaign's failure tolerance: when to stop by itself, and, where it is strict, how much may be in flight before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{FailureTolerance, ToleranceMode};

/// Counts failures of buckets and accounts against what is tolerated.
pub(super) struct Tolerance {
    buckets: Arc<Gate>,
    accounts: Arc<Gate>,
    failed_accounts: Mutex<BTreeMap<String, u64>>,
}

impl Tolerance {
    /// For a campaign that is to change so many buckets in so many accounts, of which some may have failed before.
    /// `stop` is cancelled when the tolerance is passed.
    pub(super) fn new(
        choice: &FailureTolerance,
        (buckets, accounts): (u64, u64),
        failed: BTreeMap<String, u64>,
        stop: &CancellationToken,
    ) -> Tolerance {
        let gate = |tolerated: Option<u64>, failed: u64| {
            let strict = choice.mode == ToleranceMode::Strict;
            Arc::new(Gate {
                tolerated,
                strict,
                count: Mutex::new(Count { failed, at_work: 0 }),
                moved: Notify::new(),
                stop: stop.clone(),
            })
        };
        let tolerance = Tolerance {
            buckets: gate(choice.buckets.as_ref().map(|part| part.of(buckets)), failed.values().sum()),
            accounts: gate(choice.accounts.as_ref().map(|part| part.of(accounts)), failed.len() as u64),
            failed_accounts: Mutex::new(failed),
        };
        tolerance.buckets.judge();
        tolerance.accounts.judge();
        tolerance
    }

    /// Waits until one more bucket may be at work.
    pub(super) async fn bucket(&self) -> Pass {
        self.buckets.enter().await
    }

    /// Waits until one more account may be at work.
    pub(super) async fn account(&self) -> Pass {
        self.accounts.enter().await
    }

    /// A bucket of an account failed for good.
    pub(super) fn failed(&self, account: &str) {
        self.buckets.failed();
        let mut accounts = self.failed_accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = accounts.entry(account.to_owned()).or_default();
        *failures += 1;
        if *failures == 1 {
            self.accounts.failed();
        }
    }

    /// What was passed, in words; `None` while nothing is.
    pub(super) fn passed(&self) -> Option<String> {
        let over = |gate: &Gate, what: &str| {
            let tolerated = gate.tolerated?;
            let failed = gate.count.lock().unwrap_or_else(PoisonError::into_inner).failed;
            (failed > tolerated).then(|| format!("{failed} {what} failed, and {tolerated} are tolerated"))
        };
        over(&self.buckets, "buckets").or_else(|| over(&self.accounts, "accounts"))
    }
}

struct Gate {
    /// `None`: everything is tolerated.
    tolerated: Option<u64>,
    strict: bool,
    count: Mutex<Count>,
    moved: Notify,
    stop: CancellationToken,
}

struct Count {
    failed: u64,
    at_work: u64,
}

/// Leave to work, until it is dropped.
pub(super) struct Pass(Arc<Gate>);

impl Gate {
    /// Where the tolerance is strict, no more is at work than may fail with one failure beyond what is tolerated: the one
    /// that stops the campaign.
    async fn enter(self: &Arc<Self>) -> Pass {
        loop {
            let moved = self.moved.notified();
            {
                let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
                let room = match self.tolerated {
                    Some(tolerated) if self.strict => count.failed + count.at_work < tolerated + 1,
                    _ => true,
                };
                if room {
                    count.at_work += 1;
                    return Pass(Arc::clone(self));
                }
            }
            moved.await;
        }
    }

    fn failed(&self) {
        self.count.lock().unwrap_or_else(PoisonError::into_inner).failed += 1;
        self.judge();
    }

    fn judge(&self) {
        let failed = self.count.lock().unwrap_or_else(PoisonError::into_inner).failed;
        if self.tolerated.is_some_and(|tolerated| failed > tolerated) {
            self.stop.cancel();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.count.lock().unwrap_or_else(PoisonError::into_inner).at_work -= 1;
        self.0.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Tolerated;

    fn tolerance(mode: ToleranceMode, buckets: u64, stop: &CancellationToken) -> Tolerance {
        let choice = FailureTolerance { buckets: Some(Tolerated::Count(buckets)), accounts: None, mode };
        Tolerance::new(&choice, (100, 10), BTreeMap::new(), stop)
    }

    #[tokio::test]
    async fn one_failure_more_than_tolerated_stops_the_campaign() {
        let stop = CancellationToken::new();
        let tolerance = tolerance(ToleranceMode::Soft, 2, &stop);
        tolerance.failed("a");
        tolerance.failed("a");
        assert!(!stop.is_cancelled() && tolerance.passed().is_none());
        tolerance.failed("b");
        assert!(stop.is_cancelled());
        assert_eq!(tolerance.passed().as_deref(), Some("3 buckets failed, and 2 are tolerated"));
    }

    #[tokio::test]
    async fn strict_never_has_more_at_work_than_may_fail() {
        let stop = CancellationToken::new();
        let tolerance = tolerance(ToleranceMode::Strict, 2, &stop);
        let soon = Duration::from_millis(20);
        let first = tolerance.bucket().await;
        let second = tolerance.bucket().await;
        let third = tolerance.bucket().await;
        assert!(tokio::time::timeout(soon, tolerance.bucket()).await.is_err(), "3 could fail, and 3 stop it");
        tolerance.failed("a");
        drop(first);
        assert!(tokio::time::timeout(soon, tolerance.bucket()).await.is_err(), "a failure's place is not given back");
        drop(second);
        assert!(tokio::time::timeout(soon, tolerance.bucket()).await.is_ok(), "a success's is");
        drop(third);
    }

    #[tokio::test]
    async fn accounts_count_once_and_what_failed_before_counts() {
        let stop = CancellationToken::new();
        let choice = FailureTolerance {
            buckets: None,
            accounts: Some(Tolerated::Percent("20%".into())),
            mode: ToleranceMode::Soft,
        };
        let tolerance = Tolerance::new(&choice, (100, 10), BTreeMap::from([("a".to_owned(), 3)]), &stop);
        tolerance.failed("a");
        tolerance.failed("b");
        assert!(!stop.is_cancelled());
        tolerance.failed("c");
        assert!(stop.is_cancelled());
    }
}
