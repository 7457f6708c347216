//! How many calls of one account to one service may be under way: additive increase, multiplicative decrease.
//!
//! AWS says only "too many" (an account's quotas are shared with everybody in it), so the limit is found out: halved when a
//! call is throttled, raised by one for each round of calls that are not, and never above what the campaign allows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;

/// Throttled calls that come this close together are one event: they were under way when the first one came.
const ONE_EVENT: Duration = Duration::from_millis(500);
/// New calls wait this long after a throttled one, and up to as long again by chance, so that they do not come back together.
const PAUSE: Duration = Duration::from_millis(250);

/// The limit of one account and service. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Adaptive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    most: f64,
    limit: f64,
    under_way: usize,
    throttled: Option<Instant>,
    paused_until: Option<Instant>,
}

/// Leave for one call, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Inner>);

impl Adaptive {
    /// A limit that begins at the most it may ever be.
    pub(super) fn new(most: usize) -> Adaptive {
        let most = most.max(1) as f64;
        let state = State { most, limit: most, under_way: 0, throttled: None, paused_until: None };
        Adaptive(Arc::new(Inner { state: Mutex::new(state), freed: Notify::new() }))
    }

    /// Waits until one more call may be under way.
    pub(super) async fn enter(&self) -> Permit {
        loop {
            let freed = self.0.freed.notified();
            let entry = self.0.state().try_enter(Instant::now());
            match entry {
                Entry::Granted => return Permit(Arc::clone(&self.0)),
                Entry::Full => freed.await,
                Entry::Paused(until) => sleep_until(until.into()).await,
            }
        }
    }

    /// A call got an answer that was no refusal for its number.
    pub(super) fn answered(&self) {
        self.0.state().answered();
        self.0.freed.notify_waiters();
    }

    /// A call was throttled.
    pub(super) fn throttled(&self) {
        self.0.state().throttled(Instant::now(), fastrand::f64());
    }
}

enum Entry {
    Granted,
    Full,
    Paused(Instant),
}

/// The limit without a clock of its own.
impl State {
    fn try_enter(&mut self, now: Instant) -> Entry {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Entry::Paused(until);
        }
        if (self.under_way as f64) < self.limit.floor() {
            self.under_way += 1;
            return Entry::Granted;
        }
        Entry::Full
    }

    fn answered(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.most);
    }

    fn throttled(&mut self, now: Instant, jitter: f64) {
        if self.throttled.is_some_and(|at| now.duration_since(at) < ONE_EVENT) {
            return;
        }
        self.throttled = Some(now);
        self.limit = (self.limit / 2.0).max(1.0);
        self.paused_until = Some(now + PAUSE.mul_f64(1.0 + jitter));
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(most: f64) -> State {
        State { most, limit: most, under_way: 0, throttled: None, paused_until: None }
    }

    #[test]
    fn it_halves_once_an_event_and_grows_by_one_a_round() {
        let now = Instant::now();
        let mut state = state(16.0);
        (0..5).for_each(|_| state.throttled(now, 0.0));
        assert_eq!(state.limit, 8.0, "what was under way together counts once");
        assert!(matches!(state.try_enter(now), Entry::Paused(_)));
        (0..8).for_each(|_| state.answered());
        assert!((8.9..9.1).contains(&state.limit), "{}", state.limit);
        (0..1000).for_each(|_| state.answered());
        assert_eq!(state.limit, 16.0);
    }

    proptest! {
        /// Whatever comes: never above the most, never below one, and never more under way than the limit said.
        #[test]
        fn it_stays_within_its_bounds(events in prop::collection::vec(0..4_u8, 0..400), most in 1..50_usize) {
            let mut now = Instant::now();
            let mut state = state(most as f64);
            for event in events {
                match event {
                    0 => now += Duration::from_millis(300),
                    1 => state.answered(),
                    2 => state.throttled(now, 0.5),
                    _ => {
                        let limit = state.limit.floor() as usize;
                        let before = state.under_way;
                        if matches!(state.try_enter(now), Entry::Granted) {
                            prop_assert!(state.under_way <= limit);
                        }
                        state.under_way = if event == 3 && before > 0 { before - 1 } else { state.under_way };
                    }
                }
                prop_assert!((1.0..=most as f64).contains(&state.limit));
            }
        }
    }

    #[tokio::test]
    async fn whoever_waits_comes_in_when_another_leaves() {
        let adaptive = Adaptive::new(1);
        let first = adaptive.enter().await;
        let mut second = Box::pin(adaptive.enter());
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut second).await.is_err());
        drop(first);
        drop(second.await);
    }
}
