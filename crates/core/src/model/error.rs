//! An error as AWS gave it, with what to do about it.

use serde::{Deserialize, Serialize};

/// An error from AWS (or from the way to it), as reports and the ledger show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsError {
    /// The service's error code, or one of ours where no answer came: `Timeout`, `ConnectionFailed`, `Unreadable`.
    pub code: String,
    /// The service's message, with the operation in front.
    pub message: String,
    /// What the reader can do now.
    pub hint: String,
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Our code for every call in a Region that is disabled in the account.
pub const REGION_DISABLED: &str = "RegionDisabled";
