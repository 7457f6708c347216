//! A day: a bare TOML date, or one in quotes.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};
use toml::value::Datetime;

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Bare(Datetime),
    Quoted(String),
}

/// Reads a day such as `2030-12-31`, with or without quotes.
pub(super) fn day<'de, D: Deserializer<'de>>(input: D) -> Result<Date, D::Error> {
    let text = match Written::deserialize(input)? {
        Written::Bare(date) => date.to_string(),
        Written::Quoted(text) => text,
    };
    // The parser would drop a time of day without a word.
    let parsed = if text.len() == "2030-12-31".len() { text.parse().ok() } else { None };
    parsed.ok_or_else(|| de::Error::custom(format!("`{text}` is not a date: write a date such as 2030-12-31")))
}

/// The same, where it may be left out.
pub(super) fn day_if_any<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Date>, D::Error> {
    day(input).map(Some)
}
