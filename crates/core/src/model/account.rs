//! An account of the organization, as Organizations lists it and as we found it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AwsError, DirectoryBuckets};

/// A member account (the management account too), from `ListAccounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// The name given in Organizations; names are not unique.
    pub name: String,
    /// `State`, or the older `Status` where `State` is absent; `UNKNOWN` where both are.
    pub state: String,
    /// The OU ids from the root's child down to the account's parent. Empty where nothing asked for them.
    #[serde(default)]
    pub ous: Vec<String>,
    /// The account's tags. Empty where nothing asked for them.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Account {
    /// Only ACTIVE accounts can be entered.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == "ACTIVE"
    }
}

/// What became of an account in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountOutcome {
    /// Its buckets were listed to the last page.
    Read,
    /// It could not be entered, or its buckets could not be listed to the end.
    Unread,
    /// Not ACTIVE, in a state which the campaign file accepts.
    Skipped,
}

/// An account together with its outcome, as the ledger keeps it and reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Twelve digits.
    pub id: String,
    /// The name given in Organizations.
    pub name: String,
    /// The state given by Organizations.
    pub state: String,
    /// What became of it.
    pub outcome: AccountOutcome,
    /// Why it is unread.
    pub error: Option<AwsError>,
    /// The root and the OUs above it. Empty where they were not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Its directory buckets, where the run counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_buckets: Option<DirectoryBuckets>,
}
