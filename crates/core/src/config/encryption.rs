//! `[encryption]`: what counts as compliant, and what may be replaced.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id};
use crate::judge::{Choices, Replaceable};
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
    /// `true` keeps DSSE-KMS whatever `replace` says; where it is left out, `replace` decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_dsse: Option<bool>,
    /// `"all"`, or the ids of accounts whose customer managed keys are kept whatever `replace` says; where it is left out,
    /// `replace` decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_customer_keys: Option<KeptKeys>,
    /// What becomes of a bucket that blocks encryption types where the document omits them: `"hold"`, or `"prove"` to change one
    /// such bucket in each Region first, alone, and let its read-back decide for the rest.
    #[serde(default, skip_serializing_if = "BlockedTypesChoice::is_default")]
    pub blocked_types: BlockedTypesChoice,
}

/// What becomes of a bucket that blocks encryption types (SSE-C) where the document omits `BlockedEncryptionTypes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockedTypesChoice {
    /// It is held: AWS does not document that the block stays.
    #[default]
    Hold,
    /// One such bucket in each Region goes first, alone, and its read-back decides for the rest.
    Prove,
}

impl BlockedTypesChoice {
    fn is_default(&self) -> bool {
        *self == BlockedTypesChoice::default()
    }
}

/// Whose customer managed keys are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write \"all\", or a list of account ids")]
pub enum KeptKeys {
    /// `"all"`.
    All(All),
    /// Those owned by these accounts.
    Of(Vec<String>),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// Every one.
    All,
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
        EncryptionChoice {
            algorithm: WantedAlgorithm::SseKms,
            bucket_key: true,
            replace: Replaceable::default_set(),
            keep_dsse: None,
            keep_customer_keys: None,
            blocked_types: BlockedTypesChoice::default(),
        }
    }
}

impl EncryptionChoice {
    /// What may be replaced, as the judge takes it.
    #[must_use]
    pub fn choices(&self) -> Choices {
        let mut replace = self.replace.clone();
        if self.keep_dsse == Some(true) {
            replace.remove(&Replaceable::DsseOtherKey);
        }
        let kept_owners = match &self.keep_customer_keys {
            Some(KeptKeys::Of(accounts)) => accounts.iter().cloned().collect(),
            _ => BTreeSet::new(),
        };
        Choices { replace, kept_owners }
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if self.replace.is_empty() {
            found.push(Problem::new(
                "encryption.replace",
                "`replace` is empty, so no bucket could ever be changed",
                "leave it out for the default, or name what may be replaced",
            ));
        }
        let replaces = |kinds: &[Replaceable]| kinds.iter().any(|kind| self.replace.contains(kind));
        if self.keep_dsse == Some(true) && replaces(&[Replaceable::DsseOtherKey]) {
            found.push(Problem::new(
                "encryption.keep_dsse",
                "keep_dsse keeps what `replace` would replace: dsse-other-key",
                "take one of the two out",
            ));
        }
        match &self.keep_customer_keys {
            Some(KeptKeys::All(All::All))
                if replaces(&[
                    Replaceable::CustomerKey,
                    Replaceable::KeyOfOtherAccount,
                    Replaceable::KeyOfOtherRegion,
                ]) =>
            {
                found.push(Problem::new(
                    "encryption.keep_customer_keys",
                    "keep_customer_keys = \"all\" keeps what `replace` would replace",
                    "name the accounts whose keys are kept, or take customer keys out of `replace`",
                ));
            }
            Some(KeptKeys::Of(accounts)) => {
                for (index, id) in accounts.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
                    found.push(Problem::new(
                        format!("encryption.keep_customer_keys[{index}]"),
                        format!("`{id}` is not an account id"),
                        "write twelve digits in quotes",
                    ));
                }
            }
            _ => {}
        }
    }
}
