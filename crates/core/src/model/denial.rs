//! Which kind of policy denied a call: whoever reads it learns whom to ask.

use serde::{Deserialize, Serialize};

/// The kind of policy that stood in the way, as AWS's message names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denier {
    /// A service control policy of the organization.
    ServiceControlPolicy,
    /// A resource control policy of the organization.
    ResourceControlPolicy,
    /// The policy of the resource itself: of a KMS key, its key policy.
    ResourcePolicy,
    /// The trust policy of a role.
    TrustPolicy,
    /// The caller's own IAM policies.
    IdentityPolicy,
    /// The caller's permissions boundary.
    PermissionsBoundary,
    /// The policy that the session was made with.
    SessionPolicy,
    /// The policy of the VPC endpoint that the call went through.
    VpcEndpointPolicy,
}

impl Denier {
    /// In AWS's own words, with the article.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Denier::ServiceControlPolicy => "a service control policy",
            Denier::ResourceControlPolicy => "a resource control policy",
            Denier::ResourcePolicy => "a key's or another resource's own policy",
            Denier::TrustPolicy => "the role's trust policy",
            Denier::IdentityPolicy => "the role's own IAM policies",
            Denier::PermissionsBoundary => "the role's permissions boundary",
            Denier::SessionPolicy => "the session policy",
            Denier::VpcEndpointPolicy => "the policy of a VPC endpoint",
        }
    }
}

/// Why a call was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// By which kind of policy.
    pub by: Denier,
    /// By a Deny statement, and not merely for the lack of an Allow.
    pub explicit: bool,
}

/// Who is denied what on what: a principal, an operation, a bucket, and whether the record names the central key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DenialSource {
    /// The role behind a session, else the principal's own ARN: sessions of a role are one principal.
    pub principal: String,
    /// `GenerateDataKey`, `Decrypt`, …
    pub operation: String,
    /// Whether the record names the central key; KMS does not always say which key a ciphertext was of.
    pub names_key: bool,
    /// The bucket, from the encryption context; `None` where the record has none, and in ledgers of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

impl DenialSource {
    /// Whether the record shows neither the key nor the bucket: such denials may be about any key, so that one from before a change
    /// says nothing of those after it. They are compared by how often they occur.
    #[must_use]
    pub fn is_vague(&self) -> bool {
        !self.names_key && self.bucket.is_none()
    }
}

/// A source that was denied before a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownDenial {
    /// Who, what, and on what.
    #[serde(flatten)]
    pub source: DenialSource,
    /// How often, of a vague source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Frequency>,
}

/// How often a source was denied in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frequency {
    /// Denials.
    pub count: u64,
    /// In so many seconds.
    pub seconds: f64,
    /// The most in one read: jobs are denied in bursts.
    pub most: u64,
}

/// How much more often than before a vague source has to be denied before that is new.
const MORE_OFTEN: f64 = 3.0;

impl Frequency {
    /// Whether so many denials in some time are no more than there were before.
    #[must_use]
    pub fn covers(self, count: u64, seconds: f64) -> bool {
        let usual = self.count as f64 / self.seconds.max(1.0) * seconds;
        count <= self.most * 2 || count as f64 <= usual * MORE_OFTEN
    }
}

/// Denials that stopped a wave: once a person has accepted them, those up to `last` stop it no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenDenial {
    /// The account in which they were recorded.
    pub account: String,
    /// The key's Region.
    pub region: String,
    /// Who, what, and on what.
    #[serde(flatten)]
    pub source: DenialSource,
    /// When the last one was that was seen.
    pub last: jiff::Timestamp,
}
