//! `[audit]`: what an audit reads beside the buckets that a campaign is about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an audit reads beside general purpose buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// Count the directory buckets (S3 Express One Zone) of each account, which are out of scope. The member role needs
    /// `s3express:ListAllMyDirectoryBuckets`. `orgseal audit --count-out-of-scope` does the same.
    pub count_out_of_scope: bool,
}

impl AuditSettings {
    pub(super) fn is_default(&self) -> bool {
        *self == AuditSettings::default()
    }
}
