//! What guards look at: the configuration of a bucket about to change, of its account, of its key, of the organization.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::AwsError;

/// What was read, or why it could not be; `None` where no guard in force needed it.
pub type Read<T> = Option<Result<T, AwsError>>;

/// A read that guards need. Each is made at most once per bucket (per account, per key), and only where a guard in force asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// `GetBucketPolicy`.
    Policy,
    /// `GetBucketPolicyStatus`.
    PolicyStatus,
    /// `GetBucketWebsite`.
    Website,
    /// `GetBucketAcl`.
    Acl,
    /// `GetBucketOwnershipControls`.
    Ownership,
    /// `GetPublicAccessBlock` of the bucket.
    PublicAccessBlock,
    /// `GetBucketReplication`.
    Replication,
    /// `GetBucketTagging`.
    Tags,
    /// `ListAccessPoints`, `GetAccessPointPolicy`.
    AccessPoints,
    /// `GetAccountAuthorizationDetails`, once per account.
    Identities,
    /// S3 Control `GetPublicAccessBlock`, once per account.
    AccountPublicAccessBlock,
    /// `GetKeyPolicy`, once per Region, as the security account.
    KeyPolicy,
    /// Service and resource control policies above the account, as the security account: `ListPolicies` once, and for each policy
    /// beside AWS's own what it is attached to and what it says.
    ControlPolicies,
}

/// The configuration of one bucket, as S3 shows it to its owner. "Not configured" is an answer, not an error.
#[derive(Clone, Debug, Default)]
pub struct BucketEvidence {
    /// `GetBucketPolicy`: the text; `None` for no policy.
    pub policy: Read<Option<String>>,
    /// `GetBucketPolicyStatus`: IsPublic.
    pub policy_is_public: Read<bool>,
    /// `GetBucketWebsite`: whether there is one.
    pub website: Read<bool>,
    /// `GetBucketAcl`.
    pub acl: Read<Acl>,
    /// `GetBucketOwnershipControls`: `BucketOwnerEnforced`, `BucketOwnerPreferred`, `ObjectWriter`; `None` where not set.
    pub ownership: Read<Option<String>>,
    /// `GetPublicAccessBlock` of the bucket.
    pub public_access_block: Read<PublicAccessBlock>,
    /// `GetBucketReplication`: its rules; empty for none.
    pub replication: Read<Vec<ReplicationRule>>,
    /// `GetBucketTagging`.
    pub tags: Read<BTreeMap<String, String>>,
    /// `ListAccessPoints` for the bucket, with `GetAccessPointPolicy` of each.
    pub access_points: Read<Vec<AccessPoint>>,
}

/// The access control list of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// The canonical user id of the owner.
    pub owner: String,
    /// Grantee (a canonical user id, or a group's URI) and permission.
    pub grants: Vec<(String, String)>,
}

/// The four switches; all off where none was put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicAccessBlock {
    /// New public ACLs are refused.
    pub block_public_acls: bool,
    /// Public ACLs count for nothing.
    pub ignore_public_acls: bool,
    /// New public policies are refused.
    pub block_public_policy: bool,
    /// Under a public policy only principals of the bucket's account and AWS services come in.
    pub restrict_public_buckets: bool,
}

/// One rule of a replication configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationRule {
    /// Its id.
    pub id: String,
    /// Only enabled rules replicate.
    pub enabled: bool,
    /// The destination bucket's ARN.
    pub destination: String,
    /// `SourceSelectionCriteria.SseKmsEncryptedObjects` is Enabled.
    pub selects_kms: bool,
    /// `Destination.EncryptionConfiguration.ReplicaKmsKeyID`.
    pub replica_key: Option<String>,
    /// The role that replicates.
    pub role: String,
}

/// An access point of the bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// `VPC` or `Internet`.
    pub origin: String,
    /// Its policy, where it has one.
    pub policy: Option<String>,
}

/// The configuration of the bucket's account, read once.
#[derive(Clone, Debug, Default)]
pub struct AccountEvidence {
    /// `GetAccountAuthorizationDetails`.
    pub identities: Read<Arc<Identities>>,
    /// S3 Control `GetPublicAccessBlock`.
    pub public_access_block: Read<PublicAccessBlock>,
}

/// The users, groups and roles of an account with their policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// Users and roles.
    pub principals: Vec<Identity>,
}

/// A user or role with every policy that says what it may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its ARN.
    pub arn: String,
    /// Its unique id, as policies may name it.
    pub id: String,
    /// Each policy with its name: inline, attached, of its groups. A managed policy's text is one for all who have it.
    pub policies: Vec<(String, Arc<str>)>,
    /// The document of its permissions boundary.
    pub boundary: Option<Arc<str>>,
    /// Of a role: its trust policy. An AWS service that alone is trusted uses the role for itself.
    pub trust: Option<String>,
}

/// The central key that the bucket would get.
#[derive(Clone, Debug, Default)]
pub struct KeyEvidence {
    /// `GetKeyPolicy`, as the security account: one text for all buckets of a Region.
    pub policy: Read<Arc<str>>,
}

/// The organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationEvidence {
    /// Its id.
    pub id: String,
    /// Every account in it, whatever its state.
    pub accounts: BTreeSet<String>,
}
