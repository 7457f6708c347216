//! How fast executions may be started in an account and Region: learned from what Systems Manager refuses.
//!
//! The rate is shared with everybody else there and is nowhere to be read, so it is found out: nothing is held back at first;
//! a refusal halves the rate, each start that is accepted adds a little.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

/// Starts a second: never less, so that a quiet hour is noticed.
const SLOWEST: f64 = 0.05;
/// Starts a second: from here on nothing is held back.
const UNPACED: f64 = 20.0;
/// Starts a second, where nothing is known but one refusal.
const MIDDLE: f64 = 2.0;
/// Starts a second that are added by each one that is accepted.
const STEP: f64 = 0.1;
/// Over how long the rate of accepted starts is measured.
const LATELY: Duration = Duration::from_secs(5);
/// Refusals that come this close together are one: they were under way when the first one came.
const ONE_REFUSAL: Duration = Duration::from_secs(1);

/// The learned rate of one account and Region.
#[derive(Debug)]
pub(super) struct StartRate(Mutex<Rate>);

#[derive(Debug)]
struct Rate {
    /// `None`: nothing is held back.
    per_second: Option<f64>,
    /// When the next start may leave.
    next: Instant,
    /// When starts were accepted, lately.
    accepted: Vec<Instant>,
    refused: Option<Instant>,
}

impl StartRate {
    /// A rate that an earlier process learned, if one did.
    pub(super) fn new(remembered: Option<f64>) -> StartRate {
        StartRate(Mutex::new(Rate::new(remembered, Instant::now())))
    }

    /// Waits for the turn of one start.
    pub(super) async fn turn(&self) {
        let turn = self.rate().turn(Instant::now());
        if let Some(turn) = turn {
            sleep_until(turn.into()).await;
        }
    }

    /// A start was accepted.
    pub(super) fn accepted(&self) {
        self.rate().accepted(Instant::now());
    }

    /// A start was throttled.
    pub(super) fn throttled(&self) {
        self.rate().throttled(Instant::now());
    }

    /// What was learned, in starts a second; `None` while nothing is held back.
    pub(super) fn learned(&self) -> Option<f64> {
        self.rate().per_second
    }

    fn rate(&self) -> std::sync::MutexGuard<'_, Rate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rate without a clock of its own.
impl Rate {
    fn new(remembered: Option<f64>, now: Instant) -> Rate {
        let per_second = remembered.map(|rate| rate.clamp(SLOWEST, UNPACED));
        Rate { per_second, next: now, accepted: Vec::new(), refused: None }
    }

    fn turn(&mut self, now: Instant) -> Option<Instant> {
        let per_second = self.per_second?;
        let turn = self.next.max(now);
        // Up to a fifth of the gap more, so that accounts do not fall into step.
        self.next = turn + Duration::from_secs_f64((1.0 + 0.2 * fastrand::f64()) / per_second);
        Some(turn)
    }

    fn accepted(&mut self, now: Instant) {
        self.accepted.retain(|at| now.duration_since(*at) < LATELY);
        self.accepted.push(now);
        self.per_second = self.per_second.map(|rate| rate + STEP).filter(|rate| *rate < UNPACED);
    }

    fn throttled(&mut self, now: Instant) {
        if self.refused.is_some_and(|at| now.duration_since(at) < ONE_REFUSAL) {
            return;
        }
        self.refused = Some(now);
        self.accepted.retain(|at| now.duration_since(*at) < LATELY);
        let lately = self.accepted.len() as f64 / LATELY.as_secs_f64();
        // Where nothing was started lately, the refusal says little of the rate: one begins in the middle.
        let half = self.per_second.unwrap_or(lately.max(MIDDLE)) / 2.0;
        self.per_second = Some(half.clamp(SLOWEST, UNPACED / 2.0));
        self.next = now + Duration::from_secs_f64(0.5 + 0.5 * fastrand::f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_held_back_before_a_refusal() {
        let now = Instant::now();
        let mut rate = Rate::new(None, now);
        assert!((0..1000).all(|_| rate.turn(now).is_none()));
    }

    #[test]
    fn a_refusal_halves_the_rate_and_starts_raise_it_again() {
        let now = Instant::now();
        let mut rate = Rate::new(Some(4.0), now);
        rate.throttled(now);
        rate.throttled(now);
        assert_eq!(rate.per_second, Some(2.0), "what was under way counts once");
        let later = now + Duration::from_secs(2);
        rate.throttled(later);
        assert_eq!(rate.per_second, Some(1.0));
        (0..10).for_each(|_| rate.accepted(later));
        assert!((rate.per_second.unwrap() - 2.0).abs() < 1e-9);
        (0..200).for_each(|_| rate.accepted(later));
        assert_eq!(rate.per_second, None, "fast enough not to be held back");
    }

    #[test]
    fn turns_keep_the_rate() {
        let now = Instant::now();
        let mut rate = Rate::new(Some(2.0), now);
        let turns: Vec<Instant> = (0..21).map(|_| rate.turn(now).unwrap()).collect();
        let took = (turns[20] - turns[0]).as_secs_f64();
        assert!((10.0..12.1).contains(&took), "{took}");
    }

    #[test]
    fn the_first_refusal_starts_from_what_was_accepted_lately() {
        let now = Instant::now();
        let mut rate = Rate::new(None, now);
        (0..20).for_each(|_| rate.accepted(now));
        rate.throttled(now);
        assert_eq!(rate.per_second, Some(2.0), "half of 20 in 5 seconds");
        let mut idle = Rate::new(None, now);
        idle.throttled(now);
        assert_eq!(idle.per_second, Some(MIDDLE / 2.0));
        (1..20).for_each(|n| idle.throttled(now + 2 * n * ONE_REFUSAL));
        assert_eq!(idle.per_second, Some(SLOWEST));
    }
}
