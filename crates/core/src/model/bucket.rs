//! A general purpose bucket and where it is.

use serde::{Deserialize, Serialize};

/// A general purpose bucket. Names are unique in a partition, yet the account belongs to it: a name can change hands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bucket {
    /// The account that owned it when it was listed.
    pub account: String,
    /// The Region it is in; empty while unknown.
    pub region: String,
    /// The bucket's name.
    pub name: String,
}
