//! `[buckets]`: which buckets the campaign is about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Buckets in and out, by name with `*` and `?`. Without `include`: all; `exclude` wins. What is left out is not read, not
/// counted and in no report; a decision about single buckets belongs in the exemptions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BucketFilter {
    /// Names of buckets that the campaign is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Names of buckets that it leaves alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}
