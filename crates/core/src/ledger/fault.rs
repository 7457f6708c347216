//! What can be wrong with the record.

use std::fmt;

use rusqlite::ErrorCode;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The entry's number. One that is sound: the tables do not follow from it. 0: the fault is none of an entry.
    pub entry: u64,
    /// When it says that it was written.
    pub at: Option<jiff::Timestamp>,
    /// The run that it says it is of.
    pub run: Option<String>,
    /// Account, Region and bucket that it says it is about; empty where it is about the run.
    pub about: [String; 3],
    /// What is wrong.
    pub what: String,
}

impl Fault {
    /// A fault of the file, of which no entry speaks.
    pub(super) fn of_the_file(what: String) -> Fault {
        Fault { entry: 0, at: None, run: None, about: Default::default(), what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entry == 0 {
            return f.write_str(&self.what);
        }
        write!(f, "entry {}", self.entry)?;
        if let Some(at) = self.at {
            write!(f, " of {at}")?;
        }
        let [account, region, bucket] = &self.about;
        let run = self.run.as_deref().unwrap_or_default();
        for (name, value) in [("run", run), ("account", account), ("Region", region), ("bucket", bucket)] {
            if !value.is_empty() {
                write!(f, ", {name} {value}")?;
            }
        }
        write!(f, ": {}", self.what)
    }
}

/// Whether an error speaks of what the file holds, rather than of reading it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
        )
}

pub(super) fn moment(millis: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(millis).ok()
}
