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

/// What is denied again and again: a principal, an operation, and whether the record names the central key. Denials of a source
/// that was there before a change do not come from the change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DenialSource {
    /// The role behind a session, else the principal's own ARN: sessions of a role are one principal.
    pub principal: String,
    /// `GenerateDataKey`, `Decrypt`, …
    pub operation: String,
    /// Whether the record names the central key; KMS does not always say which key a ciphertext was of.
    pub names_key: bool,
}
