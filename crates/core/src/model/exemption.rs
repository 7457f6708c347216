//! The exemption by which a bucket stays as it is, as the record keeps it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A person's decision on a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExemptionNote {
    /// Its place in the file of exemptions, from 1.
    pub number: usize,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it was decided.
    pub ticket: String,
    /// The last day on which it holds, in UTC.
    pub until: Date,
}
