//! A bucket and its default encryption, kept small: a world may hold a million of them.
//! What S3 makes of them is in `services::s3`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::observe::BucketEncryption;
use crate::spec::{BlockedTypesSpec, BucketBlockedTypes, OmittedElement};
use crate::world::configuration::Configurations;

/// The algorithms that a general purpose bucket takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Aes256,
    Kms,
    Dsse,
}

impl Algorithm {
    pub(crate) fn parse(text: &str) -> Option<Algorithm> {
        match text {
            "AES256" => Some(Algorithm::Aes256),
            "aws:kms" => Some(Algorithm::Kms),
            "aws:kms:dsse" => Some(Algorithm::Dsse),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Algorithm::Aes256 => "AES256",
            Algorithm::Kms => "aws:kms",
            Algorithm::Dsse => "aws:kms:dsse",
        }
    }
}

/// `BlockedEncryptionTypes`: left out, `NONE`, or `SSE-C`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    LeftOut,
    Nothing,
    SseC,
}

impl Blocked {
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Blocked::LeftOut => None,
            Blocked::Nothing => Some("NONE"),
            Blocked::SseC => Some("SSE-C"),
        }
    }
}

impl From<BucketBlockedTypes> for Blocked {
    fn from(from: BucketBlockedTypes) -> Blocked {
        match from {
            BucketBlockedTypes::SseC => Blocked::SseC,
            BucketBlockedTypes::Nothing => Blocked::Nothing,
            BucketBlockedTypes::Absent => Blocked::LeftOut,
        }
    }
}

/// Regions in which S3 did not begin to return the element in April 2026.
const LATER_REGIONS: [&str; 2] = ["me-south-1", "me-central-1"];

impl BlockedTypesSpec {
    /// Whether S3 returns the element for every bucket of a Region.
    fn answers_in(&self, region: &str) -> bool {
        !self.before_2026 && !LATER_REGIONS.contains(&region)
    }

    /// The value of a bucket of which nothing else is said, by whether it blocks SSE-C.
    pub(crate) fn of(&self, region: &str, sse_c_blocked: bool) -> Blocked {
        match (sse_c_blocked, self.answers_in(region)) {
            (true, _) => Blocked::SseC,
            (false, true) => Blocked::Nothing,
            (false, false) => Blocked::LeftOut,
        }
    }

    /// The value of a new bucket: since April 2026 SSE-C is blocked on it.
    pub(crate) fn of_new_bucket(&self, region: &str) -> Blocked {
        self.of(region, self.answers_in(region))
    }

    /// The value after a Put that omits the element. `former` is the bucket's value before, where it had a configuration.
    pub(crate) fn after_omission(&self, region: &str, former: Option<Blocked>) -> Blocked {
        if self.before_2026 {
            return Blocked::LeftOut;
        }
        match (self.omitted, former) {
            (OmittedElement::Keeps, Some(former)) => former,
            (OmittedElement::Keeps, None) => self.of(region, false),
            (OmittedElement::Clears, _) => self.of(region, false),
            (OmittedElement::Blocks, _) => Blocked::SseC,
        }
    }
}

/// The one rule of a bucket, exactly as it was put. S3 does not validate the key of a general purpose bucket, so it may
/// be an id, an alias, an ARN or nonsense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encryption {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) bucket_key: bool,
    pub(crate) blocked: Blocked,
}

impl Encryption {
    pub(crate) fn sse_s3() -> Encryption {
        Encryption { algorithm: Algorithm::Aes256, key: None, bucket_key: false, blocked: Blocked::LeftOut }
    }
}

impl From<&Encryption> for BucketEncryption {
    fn from(from: &Encryption) -> BucketEncryption {
        BucketEncryption {
            algorithm: from.algorithm.name().into(),
            key: from.key.as_deref().map(String::from),
            bucket_key: from.bucket_key,
            blocked: from.blocked.name().map(String::from).into_iter().collect(),
        }
    }
}

impl From<BucketEncryption> for Encryption {
    fn from(from: BucketEncryption) -> Encryption {
        Encryption {
            algorithm: Algorithm::parse(&from.algorithm).unwrap_or(Algorithm::Aes256),
            key: from.key.map(Arc::from),
            bucket_key: from.bucket_key,
            blocked: match from.blocked.first().map(String::as_str) {
                Some("SSE-C") => Blocked::SseC,
                Some(_) => Blocked::Nothing,
                None => Blocked::LeftOut,
            },
        }
    }
}

/// A general purpose bucket. `encryption: None` is the old "no configuration".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) name: Box<str>,
    /// An index into the spec's Regions.
    pub(crate) region: u8,
    /// Seconds since 1970.
    pub(crate) created: u32,
    pub(crate) encryption: Option<Encryption>,
    /// Everything else that can be configured: absent in nearly every bucket.
    pub(crate) configurations: Configurations,
}
