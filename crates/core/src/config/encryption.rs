//! `[encryption]`: what counts as compliant, and what may be replaced.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::judge::Replaceable;
use crate::model::Algorithm;

/// What a bucket's default encryption is to be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptionChoice {
    /// `aws:kms`, or `aws:kms:dsse` for two layers.
    #[serde(default)]
    pub algorithm: WantedAlgorithm,
    /// Whether the S3 Bucket Key must be on. `false` leaves each bucket's as it is; it is never turned off.
    #[serde(default = "yes")]
    pub bucket_key: bool,
    /// What may be replaced. The default holds only what is plainly weaker than the target, or broken.
    #[serde(default = "Replaceable::default_set")]
    pub replace: BTreeSet<Replaceable>,
}

/// The algorithms that use a KMS key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WantedAlgorithm {
    /// SSE-KMS.
    #[default]
    #[serde(rename = "aws:kms")]
    SseKms,
    /// Dual-layer SSE-KMS.
    #[serde(rename = "aws:kms:dsse")]
    DsseKms,
}

impl From<WantedAlgorithm> for Algorithm {
    fn from(wanted: WantedAlgorithm) -> Algorithm {
        match wanted {
            WantedAlgorithm::SseKms => Algorithm::SseKms,
            WantedAlgorithm::DsseKms => Algorithm::DsseKms,
        }
    }
}

fn yes() -> bool {
    true
}

impl Default for EncryptionChoice {
    fn default() -> Self {
        EncryptionChoice { algorithm: WantedAlgorithm::SseKms, bucket_key: true, replace: Replaceable::default_set() }
    }
}

impl EncryptionChoice {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if self.replace.is_empty() {
            found.push(Problem::new(
                "encryption.replace",
                "`replace` is empty, so no bucket could ever be changed",
                "leave it out for the default, or name what may be replaced",
            ));
        }
    }
}
