//! What a change is for.

use serde::{Deserialize, Serialize};

/// The two things that orgseal does to a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Put the central key as the bucket's default encryption.
    #[default]
    Seal,
    /// Put the configuration back that was there before a campaign.
    Restore,
}

impl Operation {
    /// The name in client tokens and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Seal => "seal",
            Operation::Restore => "restore",
        }
    }
}
