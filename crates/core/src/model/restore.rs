//! What a rollback is to do to a bucket.

use serde::{Deserialize, Serialize};

use super::DefaultEncryption;

/// What a rollback puts back on a bucket, and what it must find there to do so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The configuration before the campaign.
    pub former: DefaultEncryption,
    /// The configurations that the campaign may have left: what S3 showed last, and what the last start was to bring about.
    pub left: Vec<DefaultEncryption>,
    /// When the campaign's first start on it was about to leave.
    pub touched_at: jiff::Timestamp,
    /// When an earlier rollback of the same campaign had restored it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<jiff::Timestamp>,
}
