//! What responses say of AWS's time: bounds that hold at a moment of the monotonic clock.

use std::time::{Duration, Instant};

/// A `Date` header has whole seconds, and servers may keep a rendered one for up to another second.
const DATE_WIDTH_MS: i64 = 2_000;

/// At `base`, AWS's clock showed a time (milliseconds since 1970) of at least `earliest` and at most `latest`. The base is
/// monotonic, so that a local clock that is set meanwhile changes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) base: Instant,
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

impl Estimate {
    /// What one response says: its `Date` was rendered between the request and the response.
    pub(super) fn of(date_ms: i64, sent: Instant, received: Instant) -> Estimate {
        let round_trip = millis(received.saturating_duration_since(sent));
        Estimate { base: received, earliest: date_ms, latest: date_ms + DATE_WIDTH_MS + round_trip }
    }

    /// The same bounds at another moment.
    pub(super) fn at(self, base: Instant) -> Estimate {
        let moved =
            millis(base.saturating_duration_since(self.base)) - millis(self.base.saturating_duration_since(base));
        Estimate { base, earliest: self.earliest + moved, latest: self.latest + moved }
    }

    /// Both together; `None` where they contradict each other. Two that agree also agree on how much time passed between them.
    pub(super) fn and(self, newer: Estimate) -> Option<Estimate> {
        let earlier = self.at(newer.base);
        let (earliest, latest) = (earlier.earliest.max(newer.earliest), earlier.latest.min(newer.latest));
        (earliest <= latest).then_some(Estimate { base: newer.base, earliest, latest })
    }

    /// What has to be added to a local time: nothing where the local clock is within the bounds.
    pub(super) fn offset(self, local_ms: i64) -> i64 {
        match local_ms {
            ms if ms < self.earliest || ms > self.latest => (self.earliest + self.latest) / 2 - ms,
            _ => 0,
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
