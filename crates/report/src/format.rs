//! The names of the formats.

use std::fmt;
use std::str::FromStr;

/// A form in which a run can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A summary for people.
    Terminal,
    /// The document `orgseal.audit/1`.
    Json,
    /// A line per bucket, and per account that could not be read.
    Csv,
    /// One self-contained page.
    Html,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Terminal, Format::Json, Format::Csv, Format::Html];

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Terminal => "terminal",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a report format; the formats are terminal, json, csv and html")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Format::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}
