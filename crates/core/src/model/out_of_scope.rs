//! What is out of scope: kinds of buckets that orgseal neither reads nor changes. Reports state them, so that nobody takes a
//! clean report for one about all of S3.

use serde::{Deserialize, Serialize};

use super::AwsError;

/// The kinds of buckets that no report is about, as JSON documents name them.
pub const OUT_OF_SCOPE: &[&str] = &["directory_buckets", "s3_tables", "s3_on_outposts"];

/// The same in words.
pub const OUT_OF_SCOPE_SAYS: &str =
    "Out of scope: directory buckets (S3 Express One Zone), S3 Tables, and S3 on Outposts.";

/// The directory buckets of an account, as `ListDirectoryBuckets` counts them in each Region in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryBuckets {
    /// How many there are in the Regions that could be read.
    pub buckets: u64,
    /// The Regions that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadRegion>,
}

/// A Region in which directory buckets could not be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadRegion {
    /// Which.
    pub region: String,
    /// Why.
    pub error: AwsError,
}
