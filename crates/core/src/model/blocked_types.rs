//! What is known of `BlockedEncryptionTypes` where a document's put omits the element.

use serde::{Deserialize, Serialize};

/// Whether a start sends `BlockedEncryptionTypes`. Reports say that a put without it leaves the present value as it is, but AWS
/// does not document that, so every omission is proven by read-back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockedTypesElement {
    /// The put contains the present value.
    Sent,
    /// The put does not contain the element.
    Omitted,
}

/// What was learned from a start about `BlockedEncryptionTypes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OmissionOutcome {
    /// The element was omitted, and S3 shows the same blocked types as before.
    Kept,
    /// The element was omitted, and S3 shows other blocked types than before.
    Changed,
    /// The element was sent, and Automation does not know it: parameter validation failed, and nothing was changed.
    Refused,
}

impl OmissionOutcome {
    /// The name in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OmissionOutcome::Kept => "kept",
            OmissionOutcome::Changed => "changed",
            OmissionOutcome::Refused => "refused",
        }
    }
}

/// The evidence of one start about `BlockedEncryptionTypes`, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OmissionRecord {
    /// The account.
    pub account: String,
    /// The Region: S3 may behave differently in each.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// SHA-256 of the document that was started.
    pub document_hash: String,
    /// The encryption types that the bucket blocked before; empty where it blocked none.
    pub blocked: Vec<String>,
    /// What came of it.
    pub outcome: OmissionOutcome,
    /// The command that sets the blocked types again, where they were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
}
