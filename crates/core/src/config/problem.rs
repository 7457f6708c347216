//! One thing that is wrong with a campaign file.

use std::ops::Range;

/// What is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting's path: `limits.accounts`, `central_key.us-east-1`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub instead: String,
    /// The bytes of the file that are meant; `None` where the value comes from elsewhere or is missing.
    pub span: Option<Range<usize>>,
    /// The line in the file, from 1.
    pub line: Option<usize>,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>, instead: impl Into<String>) -> Problem {
        Problem { path: path.into(), message: message.into(), instead: instead.into(), span: None, line: None }
    }
}
