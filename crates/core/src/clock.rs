//! AWS's time. What is compared with AWS's records (CloudTrail events, sessions' ends, executions' starts) must not depend on
//! this machine's clock, so the difference is measured with each response's `Date` header and every moment is corrected by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A `Date` header has whole seconds, and servers may keep a rendered one for up to another second.
const DATE_WIDTH_MS: i64 = 2_000;
/// A response that took longer says too little about the time.
const SLOWEST_RESPONSE: Duration = Duration::from_secs(60);
/// A clock that is off by more is reported.
const REPORTED_MS: i64 = 60_000;

/// The clock of the one AWS (or sandbox) that this process talks to.
static AWS: AwsClock = AwsClock::new();

/// What AWS's clock shows, as far as responses have told it: this machine's clock until the first one.
#[derive(Debug)]
pub struct AwsClock(Mutex<Witnesses>);

/// What responses told.
#[derive(Debug)]
struct Witnesses {
    /// What counts.
    estimate: Option<Estimate>,
    /// The last response, if it contradicts that. One server's clock may be wrong: a second response has to agree with it.
    contradiction: Option<Estimate>,
    /// One that no other agreed with: its date, and by how much that was off.
    strange: Option<(i64, i64)>,
}

/// At `base`, AWS's clock showed a time (milliseconds since 1970) of at least `earliest` and at most `latest`. The base is
/// monotonic, so that a local clock that is set meanwhile changes nothing.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    base: Instant,
    earliest: i64,
    latest: i64,
}

impl Estimate {
    /// What one response says: its `Date` was rendered between the request and the response.
    fn of(date_ms: i64, sent: Instant, received: Instant) -> Estimate {
        let round_trip = millis(received.saturating_duration_since(sent));
        Estimate { base: received, earliest: date_ms, latest: date_ms + DATE_WIDTH_MS + round_trip }
    }

    /// The same bounds, spoken of another moment.
    fn at(self, base: Instant) -> Estimate {
        let moved =
            millis(base.saturating_duration_since(self.base)) - millis(self.base.saturating_duration_since(base));
        Estimate { base, earliest: self.earliest + moved, latest: self.latest + moved }
    }

    /// Both together; `None` where they contradict each other.
    fn and(self, newer: Estimate) -> Option<Estimate> {
        let earlier = self.at(newer.base);
        let (earliest, latest) = (earlier.earliest.max(newer.earliest), earlier.latest.min(newer.latest));
        (earliest <= latest).then_some(Estimate { base: newer.base, earliest, latest })
    }

    /// What has to be added to a local time: nothing where the local clock is within the bounds.
    fn offset(self, local_ms: i64) -> i64 {
        match local_ms {
            ms if ms < self.earliest || ms > self.latest => (self.earliest + self.latest) / 2 - ms,
            _ => 0,
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl AwsClock {
    const fn new() -> AwsClock {
        AwsClock(Mutex::new(Witnesses { estimate: None, contradiction: None, strange: None }))
    }

    /// Takes in a response with this `Date`, to a request that was sent and answered then.
    fn observe(&self, date: Timestamp, sent: Instant, received: Instant) {
        if received.saturating_duration_since(sent) > SLOWEST_RESPONSE {
            return;
        }
        let newer = Estimate::of(date.as_millisecond(), sent, received);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let agreed = match known.estimate {
            None => Some(newer),
            Some(estimate) => estimate.and(newer),
        };
        if let (Some(agreed), Some(wrong)) = (agreed, known.contradiction) {
            let off = wrong.earliest - agreed.at(wrong.base).earliest;
            known.strange = Some((wrong.earliest, off)).filter(|_| off.abs() > REPORTED_MS).or(known.strange);
        }
        // This machine slept, or its clock drifts: then the next response agrees with this one.
        let agreed = agreed.or_else(|| known.contradiction?.and(newer));
        *known = match agreed {
            Some(agreed) => Witnesses { estimate: Some(agreed), contradiction: None, ..*known },
            None => Witnesses { contradiction: Some(newer), ..*known },
        };
    }

    /// AWS has refused a signature's time: the last response that contradicts the estimate is right.
    fn refused(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(contradiction) = known.contradiction.take() {
            known.estimate = Some(contradiction);
        }
    }

    /// What has to be added to a local time, read at a moment.
    fn offset(&self, at: Instant, local_ms: i64) -> i64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).estimate;
        known.map_or(0, |known| known.at(at).offset(local_ms))
    }
}

/// Takes in a response's `Date` header.
pub(crate) fn observe(date: Timestamp, sent: Instant, received: Instant) {
    AWS.observe(date, sent, received);
}

/// Takes in that AWS refused the time of a signature, after its response was observed: that needs no second witness.
pub(crate) fn signature_time_refused() {
    AWS.refused();
}

/// The moment now by AWS's clock, to the millisecond.
#[must_use]
pub fn now() -> Timestamp {
    let local = local_ms();
    let corrected = local + AWS.offset(Instant::now(), local);
    Timestamp::from_millisecond(corrected).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The same for those who want the system's type.
#[must_use]
pub fn system_now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(now().as_millisecond()).unwrap_or(0))
}

/// The moment now by this machine's own clock.
#[must_use]
pub fn local_now() -> Timestamp {
    Timestamp::from_millisecond(local_ms()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How many seconds this machine's clock is ahead of AWS's (behind: negative), where that is more than a minute.
#[must_use]
pub fn seconds_off() -> Option<i64> {
    let ahead = -AWS.offset(Instant::now(), local_ms());
    (ahead.abs() > REPORTED_MS).then_some(ahead / 1000)
}

/// What to tell about a clock that is off, and what to do.
#[must_use]
pub fn warning() -> Option<String> {
    let off = seconds_off()?;
    // It is known to a second or so.
    let time = jiff::SignedDuration::from_secs((off.abs() + 5) / 10 * 10);
    let direction = if off > 0 { "ahead of" } else { "behind" };
    Some(format!(
        "this machine's clock is {time:#} {direction} AWS's clock. orgseal corrects every time that it compares with AWS and every \
         time in the ledger. Fix the clock all the same (chrony or NTP): other tools on this machine do not correct it"
    ))
}

/// The same, for whoever asks first: one process reports it once.
#[must_use]
pub fn warning_once() -> Option<String> {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    warning().filter(|_| !REPORTED.swap(true, Ordering::Relaxed))
}

/// What to tell about an answer that was dated otherwise than all others: said once.
#[must_use]
pub fn strange_answer() -> Option<String> {
    let (date, off) = AWS.0.lock().unwrap_or_else(PoisonError::into_inner).strange.take()?;
    Some(strange(date, off))
}

fn strange(date_ms: i64, off_ms: i64) -> String {
    const DAY: i64 = 86_400;
    let date = Timestamp::from_millisecond(date_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let seconds = off_ms.abs() / 1000;
    let off = match seconds / DAY {
        0..2 => format!("{:#}", jiff::SignedDuration::from_secs(seconds)),
        days @ 2..730 => format!("{days} days"),
        days => format!("{} years", days / 365),
    };
    let direction = if off_ms > 0 { "after" } else { "before" };
    format!(
        "one answer was dated {}, {off} {direction} the others (its Date header). It does not count: the clock of one server or \
         proxy is wrong",
        date.strftime("%Y-%m-%d %H:%M:%S UTC")
    )
}

fn local_ms() -> i64 {
    Timestamp::now().as_millisecond() + skew::milliseconds()
}

/// A wrong local clock, for tests: read in debug builds alone.
mod skew {
    #[cfg(not(debug_assertions))]
    pub(super) fn milliseconds() -> i64 {
        0
    }

    #[cfg(debug_assertions)]
    pub(super) fn milliseconds() -> i64 {
        static SKEW: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
        let seconds = || std::env::var("ORGSEAL_CLOCK_SKEW_SECONDS").ok()?.parse::<i64>().ok();
        *SKEW.get_or_init(|| seconds().unwrap_or(0) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_dated_otherwise_than_all_others_is_told_of_once() {
        let (clock, base) = (AwsClock::new(), Instant::now());
        let years = 25 * 365 * 86_400_000;
        for (second, date_ms) in [(0, NOON), (1, NOON + 1_000), (2, NOON + years), (3, NOON + 3_000)] {
            let at = after(base, second * 1_000);
            clock.observe(date(date_ms), at, at);
        }
        let (dated, off) = clock.0.lock().unwrap().strange.unwrap();
        let text = strange(dated, off);
        assert!(text.contains("dated 2051-11-24 12:00:00 UTC, 2") && text.contains("years after the others"), "{text}");
        assert!(strange(NOON, -7_200_000).contains("2h before the others"), "{}", strange(NOON, -7_200_000));
    }

    /// 30 November 2026, 12:00:00 UTC.
    const NOON: i64 = 1_796_040_000_000;

    fn date(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms / 1000 * 1000).unwrap()
    }

    fn after(base: Instant, ms: u64) -> Instant {
        base + Duration::from_millis(ms)
    }

    #[test]
    fn a_right_clock_is_left_alone_and_a_wrong_one_corrected() {
        let (clock, base) = (AwsClock::new(), Instant::now());
        assert_eq!(clock.offset(base, NOON), 0, "nothing is known yet");
        clock.observe(date(NOON + 300), base, after(base, 100));
        assert_eq!(clock.offset(after(base, 100), NOON + 400), 0);
        for off in [1_200_000, -1_200_000, 7_200_000, 5_000] {
            let offset = clock.offset(after(base, 100), NOON + 400 + off);
            assert!((offset + off).abs() <= 1_100, "{off}: {offset}");
        }
    }

    #[test]
    fn more_responses_make_it_more_exact() {
        let (clock, base) = (AwsClock::new(), Instant::now());
        // AWS's clock is at NOON + t after t milliseconds; Date has whole seconds.
        for t in [150, 700, 960, 1_010, 1_600, 2_020, 2_980] {
            clock.observe(date(NOON + t), after(base, t as u64 - 5), after(base, t as u64 + 5));
        }
        let known = clock.0.lock().unwrap().estimate.unwrap();
        assert!(known.latest - known.earliest < 1_100, "{known:?}");
        let offset = clock.offset(after(base, 3_000), NOON + 3_000 + 600_000);
        assert!((offset + 600_000).abs() <= 600, "{offset}");
    }

    #[test]
    fn a_local_clock_that_is_set_meanwhile_changes_nothing() {
        let (clock, base) = (AwsClock::new(), Instant::now());
        clock.observe(date(NOON), base, base);
        let by = |local: i64| local + clock.offset(after(base, 60_000), local);
        let (before, set) = (by(NOON + 60_000), by(NOON + 60_000 - 3_600_000));
        assert!((before - set).abs() <= 1_000, "{before} {set}");
    }

    #[test]
    fn one_response_that_contradicts_the_estimate_changes_nothing_and_two_that_agree_replace_it() {
        let (clock, base) = (AwsClock::new(), Instant::now());
        let at = |ms: u64| after(base, ms);
        clock.observe(date(NOON), base, base);
        clock.observe(date(NOON + 900_000), base, at(61_000));
        assert!(clock.offset(base, NOON + 600_000) < -598_000, "too slow to say anything");
        // One server is an hour ahead; the others are right.
        for ms in [1_000, 2_000, 3_000] {
            clock.observe(date(NOON + 3_600_000 + ms), at(ms as u64), at(ms as u64 + 5));
            assert_eq!(clock.offset(at(ms as u64), NOON + ms), 0, "after one wrong response");
            clock.observe(date(NOON + ms), at(ms as u64 + 10), at(ms as u64 + 15));
        }
        // Two wrong ones that contradict each other agree on nothing.
        clock.observe(date(NOON + 3_600_000), at(4_000), at(4_005));
        clock.observe(date(NOON - 3_600_000), at(4_010), at(4_015));
        assert_eq!(clock.offset(at(4_020), NOON + 4_020), 0);
        // The machine slept for ten minutes, which the monotonic clock does not count.
        clock.observe(date(NOON + 604_100), at(4_100), at(4_110));
        assert_eq!(clock.offset(at(4_110), NOON + 4_110), 0, "one says so");
        clock.observe(date(NOON + 604_200), at(4_200), at(4_210));
        assert_eq!(clock.offset(at(4_210), NOON + 604_600), 0, "two say so");
    }

    #[test]
    fn a_refused_signature_needs_no_second_witness() {
        let (clock, base) = (AwsClock::new(), Instant::now());
        clock.observe(date(NOON), base, base);
        clock.refused();
        assert_eq!(clock.offset(base, NOON + 500), 0, "nothing contradicts the estimate");
        clock.observe(date(NOON + 600_000), after(base, 10), after(base, 20));
        clock.refused();
        assert_eq!(clock.offset(after(base, 20), NOON + 600_500), 0);
    }
}
