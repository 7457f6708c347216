//! A length of time: seconds, or words such as `"30m"` and `"2 days"`.

use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Span {
    /// Seconds.
    Seconds(u64),
    /// `"90s"`, `"30m"`, `"4h 30m"`, `"2 days"`.
    Words(String),
}

impl Span {
    /// The time; `None` where the words are none that are known.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        match self {
            Span::Seconds(seconds) => Some(Duration::from_secs(*seconds)),
            Span::Words(words) => in_words(words),
        }
    }
}

fn in_words(words: &str) -> Option<Duration> {
    // jiff knows no days in a duration without a calendar; here a day is 24 hours.
    let mut whole = Duration::ZERO;
    let mut rest = words.trim();
    if let Some(at) = rest.find('d') {
        let number: u64 = rest[..at].trim().parse().ok()?;
        whole += Duration::from_secs(number.checked_mul(86_400)?);
        rest = rest[at..].trim_start_matches(|letter: char| letter.is_ascii_alphabetic() || letter == ',').trim();
        if rest.is_empty() {
            return Some(whole);
        }
    }
    let rest: SignedDuration = rest.parse().ok()?;
    whole.checked_add(rest.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_seconds() {
        let seconds = |text: &str| Span::Words(text.to_owned()).duration().map(|time| time.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("30m"), Some(1800));
        assert_eq!(seconds("4h 30m"), Some(16_200));
        assert_eq!(seconds("2 days"), Some(172_800));
        assert_eq!(seconds("1d 6h"), Some(108_000));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-5m"), None);
        assert_eq!(Span::Seconds(5).duration(), Some(Duration::from_secs(5)));
    }
}
