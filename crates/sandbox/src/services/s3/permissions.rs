//! The IAM action of each S3 operation: many do not have the operation's name (service authorization reference for S3).

use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::session::Caller;

/// The action that an operation on a bucket needs.
pub(super) fn action(operation: &str) -> &str {
    match operation {
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "s3:ListBucket",
        "GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "s3:PutEncryptionConfiguration",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetBucketReplication" => "s3:GetReplicationConfiguration",
        "PutBucketReplication" | "DeleteBucketReplication" => "s3:PutReplicationConfiguration",
        "GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "s3:PutBucketPublicAccessBlock",
        "GetBucketNotificationConfiguration" => "s3:GetBucketNotification",
        "PutBucketNotificationConfiguration" => "s3:PutBucketNotification",
        "GetBucketAccelerateConfiguration" => "s3:GetAccelerateConfiguration",
        "GetBucketLifecycleConfiguration" => "s3:GetLifecycleConfiguration",
        "GetBucketCors" => "s3:GetBucketCORS",
        "GetObjectLockConfiguration" => "s3:GetBucketObjectLockConfiguration",
        "GetBucketMetadataConfiguration" | "GetBucketMetadataTableConfiguration" => {
            "s3:GetBucketMetadataTableConfiguration"
        }
        "GetBucketRequestPayment" => "s3:GetBucketRequestPayment",
        "GetBucketAbac" => "s3:GetBucketAbac",
        "GetBucketAnalyticsConfiguration" | "ListBucketAnalyticsConfigurations" => "s3:GetAnalyticsConfiguration",
        "GetBucketMetricsConfiguration" | "ListBucketMetricsConfigurations" => "s3:GetMetricsConfiguration",
        "GetBucketIntelligentTieringConfiguration" | "ListBucketIntelligentTieringConfigurations" => {
            "s3:GetIntelligentTieringConfiguration"
        }
        "DeleteBucketTagging" => "s3:PutBucketTagging",
        "DeleteBucketOwnershipControls" => "s3:PutBucketOwnershipControls",
        "GetBucketPolicy" => "s3:GetBucketPolicy",
        "GetBucketPolicyStatus" => "s3:GetBucketPolicyStatus",
        "GetBucketLogging" => "s3:GetBucketLogging",
        "GetBucketWebsite" => "s3:GetBucketWebsite",
        "GetBucketTagging" => "s3:GetBucketTagging",
        "GetBucketAcl" => "s3:GetBucketAcl",
        "GetBucketOwnershipControls" => "s3:GetBucketOwnershipControls",
        "GetBucketInventoryConfiguration" | "ListBucketInventoryConfigurations" => "s3:GetInventoryConfiguration",
        "GetBucketVersioning" => "s3:GetBucketVersioning",
        "PutBucketPolicy" => "s3:PutBucketPolicy",
        "DeleteBucketPolicy" => "s3:DeleteBucketPolicy",
        "PutBucketLogging" => "s3:PutBucketLogging",
        "PutBucketWebsite" => "s3:PutBucketWebsite",
        "DeleteBucketWebsite" => "s3:DeleteBucketWebsite",
        "PutBucketTagging" => "s3:PutBucketTagging",
        "PutBucketAcl" => "s3:PutBucketAcl",
        "PutBucketOwnershipControls" => "s3:PutBucketOwnershipControls",
        "PutBucketVersioning" => "s3:PutBucketVersioning",
        "PutBucketAccelerateConfiguration" => "s3:PutAccelerateConfiguration",
        "GetAccountPublicAccessBlock" => "s3:GetAccountPublicAccessBlock",
        "PutAccountPublicAccessBlock" | "DeleteAccountPublicAccessBlock" => "s3:PutAccountPublicAccessBlock",
        "CreateBucket" => "s3:CreateBucket",
        "DeleteBucket" => "s3:DeleteBucket",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "PutObject" => "s3:PutObject",
        "DeleteObject" => "s3:DeleteObject",
        // An operation without an entry is allowed to nobody but who may do everything.
        _ => "s3:*",
    }
}

pub(super) fn list_buckets(world: &World, caller: &Caller, region: &str) -> Result<(), AwsError> {
    authorize(world, caller, &Ask::new("s3:ListAllMyBuckets", "*").in_region(region))
}

/// Asks for an operation on the account's own settings.
pub(super) fn account(world: &World, caller: &Caller, operation: &str) -> Result<(), AwsError> {
    authorize(world, caller, &Ask::new(action(operation), "*"))
}

/// Asks for an operation on a bucket of this account, whose own policy has a say.
pub(super) fn bucket(
    world: &World,
    caller: &Caller,
    operation: &str,
    owner: usize,
    bucket: &str,
    region: &str,
) -> Result<(), AwsError> {
    let policy = world.bucket_policy(bucket);
    let ask = Ask::new(action(operation), world.spec.partition.s3_arn(bucket))
        .of(owner)
        .in_region(region)
        .guarded_by(policy.as_deref());
    authorize(world, caller, &ask)
}
