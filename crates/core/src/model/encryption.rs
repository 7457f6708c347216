//! A bucket's default encryption, whole, as `GetBucketEncryption` returns it.

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

    /// Whether two rules mean the same to S3: an element left out stands for "off" or "none".
    #[must_use]
    pub fn means(&self, other: &EncryptionRule) -> bool {
        let algorithm = |rule: &EncryptionRule| rule.algorithm.clone().unwrap_or(Algorithm::SseS3);
        let key = |rule: &EncryptionRule| rule.key.clone().filter(|key| !key.is_empty());
        let blocked = |rule: &EncryptionRule| {
            let mut types = rule.blocked.clone().unwrap_or_default();
            types.sort();
            types
        };
        algorithm(self) == algorithm(other)
            && key(self) == key(other)
            && self.has_bucket_key() == other.has_bucket_key()
            && blocked(self) == blocked(other)
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

    /// Whether two configurations mean the same to S3. No rule and SSE-S3 are one: S3 applies SSE-S3 where nothing is set.
    #[must_use]
    pub fn means(&self, other: &DefaultEncryption) -> bool {
        let rules = |configuration: &DefaultEncryption| match configuration.rules.is_empty() {
            true => vec![EncryptionRule::SSE_S3],
            false => configuration.rules.clone(),
        };
        let (ours, theirs) = (rules(self), rules(other));
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| a.means(b))
    }
}

impl From<EncryptionRule> for DefaultEncryption {
    fn from(rule: EncryptionRule) -> Self {
        DefaultEncryption { rules: vec![rule] }
    }
}
