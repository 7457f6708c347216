//! An account that gives no answer any more while its buckets are changed: one call finds out for all that wait.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::aws::Progress;

/// What is known of one account's silence.
pub(super) struct Silence {
    progress: Progress,
    limit: Duration,
    /// The last call that was made to find out got no answer either.
    silent: Mutex<bool>,
}

impl Silence {
    pub(super) fn new(progress: Progress, limit: Duration) -> Silence {
        Silence { progress, limit, silent: Mutex::new(false) }
    }

    /// Makes a call. `None`: the account gave no answer for as long as the limit, and none to a call that was made since. Without it,
    /// each bucket of such an account would wait for its own calls to time out.
    pub(super) async fn call<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        if self.is_over() {
            let mut silent = self.silent.lock().await;
            if self.is_over() {
                if *silent {
                    return None;
                }
                let outcome = call.await;
                *silent = self.is_over();
                return Some(outcome);
            }
        }
        Some(call.await)
    }

    fn is_over(&self) -> bool {
        self.progress.idle() >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn after_a_long_silence_one_call_finds_out_for_all() {
        let (progress, calls) = (Progress::default(), AtomicU32::new(0));
        let limit = Duration::from_millis(40);
        let silence = Silence::new(progress.clone(), limit);
        let call = || silence.call(async { calls.fetch_add(1, Ordering::Relaxed) });
        assert!(call().await.is_some(), "it answered just now");
        tokio::time::sleep(limit * 2).await;
        let three = futures::join!(call(), call(), call());
        assert!(three.0.is_some() && three.1.is_none() && three.2.is_none());
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        progress.made_now();
        assert!(call().await.is_some(), "it answers again");
        // One that was only left alone answers the call, and nobody is turned away.
        tokio::time::sleep(limit * 2).await;
        let silence = Silence::new(progress.clone(), limit);
        let answered = || silence.call(async { progress.made_now() });
        assert!(matches!(futures::join!(answered(), answered()), (Some(()), Some(()))));
    }
}
