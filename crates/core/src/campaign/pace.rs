//! When a follower asks: often enough to lose no time, seldom enough to cost few pages. No I/O.

use std::time::{Duration, Instant};

/// When to ask: pure but for the clock it is given.
pub(super) struct Pace {
    /// A low estimate of how long an execution takes, learned from those that ended.
    pub(super) typical: Duration,
    learned: bool,
    last: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { typical: Duration::from_secs(2), learned: false, last: None }
    }
}

/// Between two polls lies this part of the time for which the youngest execution that is due has been running: what does
/// not end is asked for less and less often.
const GAP: f64 = 0.06;
const SHORTEST_GAP: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_secs(15);

/// No execution is expected to take longer.
const LONGEST: Duration = Duration::from_secs(86_400);

impl Pace {
    /// Learns from an execution that ended. Leans to the low side: asking a little early costs a page, late costs time.
    pub(super) fn learn(&mut self, took: Duration) {
        let (old, new) = (self.typical.as_secs_f64(), took.min(LONGEST).as_secs_f64());
        let weight = match (self.learned, new < old) {
            (false, _) => 1.0,
            (true, true) => 0.3,
            (true, false) => 0.1,
        };
        self.learned = true;
        self.typical = Duration::from_secs_f64(old + weight * (new - old));
    }

    pub(super) fn polled(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Whether an execution can have ended by now, by what was learned.
    pub(super) fn may_have_ended(&self, started: Instant, now: Instant) -> bool {
        now.duration_since(started) >= self.typical.mul_f64(0.6)
    }

    /// When to poll next; `None` while there is nothing to ask for.
    pub(super) fn next(&self, started: impl Iterator<Item = Instant>, others: bool) -> Option<Instant> {
        let mut due: Vec<Instant> = started.map(|started| started + self.typical).collect();
        if due.is_empty() {
            // Only executions of others take room: their end is no hurry, but somebody may wait for it.
            let gap = self.typical.clamp(SHORTEST_GAP, LONGEST_GAP);
            return others.then(|| self.last.map_or_else(Instant::now, |last| last + gap));
        }
        due.sort_unstable();
        // A poll costs a page for every fifty in flight: of many, wait for a tenth to be due, but not long for it.
        let pages = due.len().div_ceil(50);
        let wanted = due[due.len().div_ceil(10) - 1].min(due[0] + self.typical.mul_f64(0.1));
        let Some(last) = self.last else { return Some(wanted) };
        let youngest_due = due.iter().rev().find(|&&due| due <= last).unwrap_or(&due[0]);
        let running_for = self.typical + last.saturating_duration_since(*youngest_due);
        let gap = running_for.mul_f64(GAP * pages as f64).clamp(SHORTEST_GAP, LONGEST_GAP);
        Some(wanted.max(last + gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(typical: u64) -> Pace {
        let mut pace = Pace::default();
        pace.learn(Duration::from_secs(typical));
        pace
    }

    #[test]
    fn it_asks_when_executions_are_due_and_not_before() {
        let now = Instant::now();
        let next = pace(5).next([now; 10].into_iter(), false);
        assert_eq!(next, Some(now + Duration::from_secs(5)));
        assert_eq!(pace(5).next(std::iter::empty(), false), None);
    }

    #[test]
    fn what_does_not_end_is_asked_for_less_and_less_often() {
        let start = Instant::now();
        let mut pace = pace(5);
        let mut polls = Vec::new();
        while polls.last().is_none_or(|last: &Instant| last.duration_since(start) < Duration::from_secs(3600)) {
            let next = pace.next(std::iter::once(start), false).unwrap();
            pace.polled(next);
            polls.push(next);
        }
        let gaps: Vec<Duration> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]), "{gaps:?}");
        assert!(gaps[0] < Duration::from_millis(400), "{:?}", gaps[0]);
        assert_eq!(gaps.last(), Some(&LONGEST_GAP));
        // A young one next to it is asked for in its own time.
        let young = start + Duration::from_secs(3600);
        let next = pace.next([start, young].into_iter(), false).unwrap();
        pace.polled(young + Duration::from_secs(6));
        assert!(pace.next([start, young].into_iter(), false).unwrap() < young + Duration::from_secs(7), "{next:?}");
    }

    #[test]
    fn many_in_flight_are_not_asked_for_one_by_one() {
        let start = Instant::now();
        let starts: Vec<Instant> = (0..100).map(|n| start + Duration::from_millis(50 * n)).collect();
        let first = pace(5).next(starts.iter().copied(), false).unwrap();
        assert!(first >= start + Duration::from_millis(5450), "{:?}", first - start);
    }

    #[test]
    fn an_absurd_time_moves_no_poll_out_of_reach() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for took in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::ZERO] {
            pace.learn(took);
            pace.polled(now);
            assert!(pace.next(std::iter::once(now), true).unwrap() <= now + LONGEST + LONGEST_GAP, "{took:?}");
            assert!(!pace.may_have_ended(now + Duration::from_secs(1), now) || pace.typical < Duration::from_secs(1));
        }
    }

    #[test]
    fn it_learns_quickly_downwards_and_slowly_upwards() {
        let mut pace = pace(10);
        assert_eq!(pace.typical, Duration::from_secs(10));
        pace.learn(Duration::from_secs(5));
        assert!(pace.typical < Duration::from_secs(9));
        let low = pace.typical;
        pace.learn(Duration::from_secs(10));
        assert!(pace.typical < low + Duration::from_secs(1));
    }
}
