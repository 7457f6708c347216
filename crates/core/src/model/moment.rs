//! Times that come from outside, clamped to a range in which arithmetic on them cannot overflow.

use jiff::Timestamp;

/// 1 January 2500: beyond everything that AWS dates, and far from the end of every type of time.
const LATEST: i64 = 16_725_225_600;

/// A time in seconds since 1970, between 1970 and 2500.
pub(crate) fn plausible(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds.clamp(0, LATEST)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_beyond_arithmetic() {
        let day = jiff::SignedDuration::from_hours(24);
        for seconds in [i64::MIN, -1, 0, 1_796_040_000, Timestamp::MAX.as_second(), i64::MAX] {
            let at = plausible(seconds);
            assert!(at - day < at && at + day > at, "{seconds}");
        }
        assert_eq!(plausible(1_796_040_000).as_second(), 1_796_040_000);
    }
}
