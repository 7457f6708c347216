//! `[blocked_types]`: what S3 and Automation make of `BlockedEncryptionTypes`.

use serde::{Deserialize, Serialize};

/// Since April 2026 S3 returns the element for nearly every bucket, although nobody set it. What a PutBucketEncryption
/// without the element does is not documented, so every possibility can be simulated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockedTypesSpec {
    /// What a PutBucketEncryption without the element does to the bucket's present value.
    pub omitted: OmittedElement,
    /// Whether the API model inside `aws:executeAwsApi` knows the element.
    pub automation: AutomationElement,
    /// S3 as it was before April 2026: the element is returned only where somebody set it, and a Put without it removes it.
    pub before_2026: bool,
}

/// What a PutBucketEncryption without the element does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OmittedElement {
    /// The present value stays.
    #[default]
    Keeps,
    /// The value becomes `NONE`.
    Clears,
    /// The value becomes `SSE-C`.
    Blocks,
}

/// Whether the API model inside `aws:executeAwsApi` knows the element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutomationElement {
    /// It does.
    #[default]
    Known,
    /// It is older: a step that sends the element fails parameter validation, and nothing is sent to S3.
    Refused,
}

/// What S3 returns for a described bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BucketBlockedTypes {
    /// `SSE-C`.
    #[serde(rename = "SSE-C")]
    SseC,
    /// `NONE`.
    #[serde(rename = "NONE")]
    Nothing,
    /// The element is left out, as in Regions that S3 has not reached.
    #[serde(rename = "absent")]
    Absent,
}
