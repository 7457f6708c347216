//! A bucket's default encryption, whole, as `GetBucketEncryption` returns it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// `SSEAlgorithm`. A value that we do not know is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Algorithm {
    /// `AES256`: SSE-S3.
    SseS3,
    /// `aws:kms`: SSE-KMS.
    SseKms,
    /// `aws:kms:dsse`: dual-layer SSE-KMS.
    DsseKms,
    /// Anything newer than this program.
    Other(String),
}

impl Algorithm {
    /// The wire name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Algorithm::SseS3 => "AES256",
            Algorithm::SseKms => "aws:kms",
            Algorithm::DsseKms => "aws:kms:dsse",
            Algorithm::Other(name) => name,
        }
    }
}

impl From<&str> for Algorithm {
    fn from(name: &str) -> Self {
        match name {
            "AES256" => Algorithm::SseS3,
            "aws:kms" => Algorithm::SseKms,
            "aws:kms:dsse" => Algorithm::DsseKms,
            other => Algorithm::Other(other.to_owned()),
        }
    }
}

impl From<String> for Algorithm {
    fn from(name: String) -> Self {
        Algorithm::from(name.as_str())
    }
}

impl From<Algorithm> for String {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.as_str().to_owned()
    }
}

/// One `ServerSideEncryptionRule`. `None` means that S3 left the element out, which is kept apart from an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionRule {
    /// `ApplyServerSideEncryptionByDefault/SSEAlgorithm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// `KMSMasterKeyID` as it was put: key id, alias name, key ARN or alias ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `BucketKeyEnabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_key: Option<bool>,
    /// `BlockedEncryptionTypes`: `SSE-C` or `NONE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Vec<String>>,
}

impl EncryptionRule {
    /// What S3 applies where nothing is set.
    pub const SSE_S3: EncryptionRule =
        EncryptionRule { algorithm: Some(Algorithm::SseS3), key: None, bucket_key: None, blocked: None };

    /// Whether the Bucket Key is on; S3 leaves the element out for off.
    #[must_use]
    pub fn has_bucket_key(&self) -> bool {
        self.bucket_key == Some(true)
    }

    /// The encryption types that are blocked. An absent element and `NONE` are the same: nothing is blocked.
    #[must_use]
    pub fn blocked_types(&self) -> BTreeSet<&str> {
        self.blocked.iter().flatten().map(String::as_str).filter(|kind| *kind != "NONE").collect()
    }

    /// Whether two rules mean the same to S3: an element left out stands for "off" or "none".
    #[must_use]
    pub fn means(&self, other: &EncryptionRule) -> bool {
        self.means_but_for_blocked_types(other) && self.blocked_types() == other.blocked_types()
    }

    /// Whether two rules mean the same, whatever encryption types they block.
    #[must_use]
    pub fn means_but_for_blocked_types(&self, other: &EncryptionRule) -> bool {
        let algorithm = |rule: &EncryptionRule| rule.algorithm.clone().unwrap_or(Algorithm::SseS3);
        let key = |rule: &EncryptionRule| rule.key.clone().filter(|key| !key.is_empty());
        algorithm(self) == algorithm(other)
            && key(self) == key(other)
            && self.has_bucket_key() == other.has_bucket_key()
    }

    /// Whether this is what was recorded earlier. A record without `BlockedEncryptionTypes` says nothing of the blocked types: in
    /// April 2026 S3 began to return the element for nearly every bucket, although nobody had changed them.
    #[must_use]
    pub fn is_as_recorded(&self, record: &EncryptionRule) -> bool {
        self.means_but_for_blocked_types(record)
            && (record.blocked.is_none() || self.blocked_types() == record.blocked_types())
    }
}

/// A bucket's default encryption. S3 returns a list of rules, of which there is one in practice; it is kept whole.
/// No rule stands for `ServerSideEncryptionConfigurationNotFoundError`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DefaultEncryption {
    /// The rules in S3's order.
    pub rules: Vec<EncryptionRule>,
}

impl DefaultEncryption {
    /// The only rule, where there is exactly one.
    #[must_use]
    pub fn only_rule(&self) -> Option<&EncryptionRule> {
        match self.rules.as_slice() {
            [rule] => Some(rule),
            _ => None,
        }
    }

    /// The encryption types that the only rule blocks.
    #[must_use]
    pub fn blocked_types(&self) -> BTreeSet<&str> {
        self.only_rule().map(EncryptionRule::blocked_types).unwrap_or_default()
    }

    /// Whether two configurations mean the same to S3. No rule and SSE-S3 are one: S3 applies SSE-S3 where nothing is set.
    #[must_use]
    pub fn means(&self, other: &DefaultEncryption) -> bool {
        self.agrees(other, EncryptionRule::means)
    }

    /// Whether two configurations mean the same, whatever encryption types they block.
    #[must_use]
    pub fn means_but_for_blocked_types(&self, other: &DefaultEncryption) -> bool {
        self.agrees(other, EncryptionRule::means_but_for_blocked_types)
    }

    /// Whether two configurations mean the same where an absent `BlockedEncryptionTypes` and `NONE` differ: the comparison of
    /// ledgers written before orgseal knew that they are the same.
    #[must_use]
    pub fn means_with_none_apart(&self, other: &DefaultEncryption) -> bool {
        self.agrees(other, |one, other| {
            let blocked = |rule: &EncryptionRule| {
                let mut types = rule.blocked.clone().unwrap_or_default();
                types.sort();
                types
            };
            one.means_but_for_blocked_types(other) && blocked(one) == blocked(other)
        })
    }

    /// Whether this is what was recorded earlier: see [`EncryptionRule::is_as_recorded`].
    #[must_use]
    pub fn is_as_recorded(&self, record: &DefaultEncryption) -> bool {
        self.agrees(record, EncryptionRule::is_as_recorded)
    }

    /// Whether both have as many rules, each pair of which agrees.
    fn agrees(&self, other: &DefaultEncryption, pair: fn(&EncryptionRule, &EncryptionRule) -> bool) -> bool {
        let rules = |configuration: &DefaultEncryption| match configuration.rules.is_empty() {
            true => vec![EncryptionRule::SSE_S3],
            false => configuration.rules.clone(),
        };
        let (ours, theirs) = (rules(self), rules(other));
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| pair(a, b))
    }
}

impl From<EncryptionRule> for DefaultEncryption {
    fn from(rule: EncryptionRule) -> Self {
        DefaultEncryption { rules: vec![rule] }
    }
}
