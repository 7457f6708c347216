//! `[keys]`: what has to be known of the central key before a bucket is pointed at it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What has to be known of the central key, in each account and Region, before its first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeysChoice {
    /// Prove from each account and Region that the member role can use the central key: GenerateDataKey as a dry run.
    pub prove: bool,
    /// Go on where that can neither be proven nor denied: a key policy that admits calls through S3 alone refuses the dry run.
    pub accept_unproven: bool,
}

impl Default for KeysChoice {
    fn default() -> Self {
        KeysChoice { prove: true, accept_unproven: false }
    }
}
