//! What guards look at on a bucket: its policy, ACL, website, replication, tags and so on, each read at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use aws_sdk_s3::types::{ReplicationConfiguration, SseKmsEncryptedObjectsStatus};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::S3;
use super::error::aws_error;
use crate::model::{Acl, AwsError, BucketEvidence, Need, PublicAccessBlock, Read, ReplicationRule};

/// The codes by which S3 says that a configuration was never put. Each is an answer.
const NOT_CONFIGURED: [&str; 6] = [
    "NoSuchBucketPolicy",
    "NoSuchWebsiteConfiguration",
    "OwnershipControlsNotFoundError",
    "NoSuchPublicAccessBlockConfiguration",
    "ReplicationConfigurationNotFoundError",
    "NoSuchTagSet",
];

/// Makes a read where it is needed.
async fn where_needed<T>(needed: bool, read: impl Future<Output = Result<T, AwsError>>) -> Read<T> {
    if needed { Some(read.await) } else { None }
}

impl S3 {
    /// The needed reads of a bucket, side by side. Access points are S3 Control's, and not among them.
    pub(super) async fn evidence(&self, bucket: &str, needs: &BTreeSet<Need>) -> BucketEvidence {
        let needed = |need: Need| needs.contains(&need);
        let (policy, policy_is_public, website, acl, ownership, public_access_block, replication, tags) = futures::join!(
            where_needed(needed(Need::Policy), self.policy(bucket)),
            where_needed(needed(Need::PolicyStatus), self.policy_is_public(bucket)),
            where_needed(needed(Need::Website), self.has_website(bucket)),
            where_needed(needed(Need::Acl), self.acl(bucket)),
            where_needed(needed(Need::Ownership), self.ownership(bucket)),
            where_needed(needed(Need::PublicAccessBlock), self.public_access_block(bucket)),
            where_needed(needed(Need::Replication), self.replication(bucket)),
            where_needed(needed(Need::Tags), self.tags(bucket)),
        );
        BucketEvidence {
            policy,
            policy_is_public,
            website,
            acl,
            ownership,
            public_access_block,
            replication,
            tags,
            access_points: None,
        }
    }

    /// Sends one read when it may be under way. "Not configured" is `None`.
    async fn configured<T, E>(
        &self,
        operation: &str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, AwsError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let _permit = self.calls.enter().await;
        match call.await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                let error = self.calls.heed(aws_error(operation, &error));
                if NOT_CONFIGURED.contains(&error.code.as_str()) { Ok(None) } else { Err(error) }
            }
        }
    }

    async fn policy(&self, bucket: &str) -> Result<Option<String>, AwsError> {
        let call = self.client.get_bucket_policy().bucket(bucket).expected_bucket_owner(&self.owner);
        let answer = self.configured("GetBucketPolicy", call.send()).await?;
        Ok(answer.and_then(|answer| answer.policy))
    }

    async fn policy_is_public(&self, bucket: &str) -> Result<bool, AwsError> {
        let call = self.client.get_bucket_policy_status().bucket(bucket).expected_bucket_owner(&self.owner);
        let answer = self.configured("GetBucketPolicyStatus", call.send()).await?;
        match answer {
            None => Ok(false),
            Some(answer) => {
                let status = answer.policy_status().and_then(|status| status.is_public());
                status.ok_or_else(|| empty("GetBucketPolicyStatus", "IsPublic"))
            }
        }
    }

    async fn has_website(&self, bucket: &str) -> Result<bool, AwsError> {
        let call = self.client.get_bucket_website().bucket(bucket).expected_bucket_owner(&self.owner);
        Ok(self.configured("GetBucketWebsite", call.send()).await?.is_some())
    }

    async fn acl(&self, bucket: &str) -> Result<Acl, AwsError> {
        let call = self.client.get_bucket_acl().bucket(bucket).expected_bucket_owner(&self.owner);
        Ok(self.configured("GetBucketAcl", call.send()).await?.map(|answer| acl(&answer)).unwrap_or_default())
    }

    async fn ownership(&self, bucket: &str) -> Result<Option<String>, AwsError> {
        let call = self.client.get_bucket_ownership_controls().bucket(bucket).expected_bucket_owner(&self.owner);
        let answer = self.configured("GetBucketOwnershipControls", call.send()).await?;
        let controls = answer.and_then(|answer| answer.ownership_controls);
        Ok(controls.and_then(|controls| Some(controls.rules().first()?.object_ownership().as_str().to_owned())))
    }

    async fn public_access_block(&self, bucket: &str) -> Result<PublicAccessBlock, AwsError> {
        let call = self.client.get_public_access_block().bucket(bucket).expected_bucket_owner(&self.owner);
        let answer = self.configured("GetPublicAccessBlock", call.send()).await?;
        let block = answer.and_then(|answer| answer.public_access_block_configuration);
        Ok(block.map_or_else(PublicAccessBlock::default, |block| PublicAccessBlock {
            block_public_acls: block.block_public_acls().unwrap_or(false),
            ignore_public_acls: block.ignore_public_acls().unwrap_or(false),
            block_public_policy: block.block_public_policy().unwrap_or(false),
            restrict_public_buckets: block.restrict_public_buckets().unwrap_or(false),
        }))
    }

    async fn replication(&self, bucket: &str) -> Result<Vec<ReplicationRule>, AwsError> {
        let call = self.client.get_bucket_replication().bucket(bucket).expected_bucket_owner(&self.owner);
        let answer = self.configured("GetBucketReplication", call.send()).await?;
        let configuration = answer.and_then(|answer| answer.replication_configuration);
        Ok(configuration.map(|configuration| replication(&configuration)).unwrap_or_default())
    }

    /// `GetBucketTagging`; no tags where there is no set of them.
    pub async fn tags(&self, bucket: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let call = self.client.get_bucket_tagging().bucket(bucket).expected_bucket_owner(&self.owner);
        let answer = self.configured("GetBucketTagging", call.send()).await?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }
}

fn acl(answer: &GetBucketAclOutput) -> Acl {
    let owner = answer.owner().and_then(|owner| owner.id()).unwrap_or_default().to_owned();
    let grants = answer.grants().iter().map(|grant| {
        let grantee = grant.grantee();
        // A grantee is a group or a user; by an e-mail address it can be put, yet S3 gives back the id.
        let who = grantee.and_then(|grantee| grantee.uri().or(grantee.id()).or(grantee.email_address()));
        let permission = grant.permission().map(|permission| permission.as_str());
        (who.unwrap_or_default().to_owned(), permission.unwrap_or_default().to_owned())
    });
    Acl { owner, grants: grants.collect() }
}

fn replication(configuration: &ReplicationConfiguration) -> Vec<ReplicationRule> {
    let rules = configuration.rules().iter().enumerate().map(|(index, rule)| {
        let selection = rule.source_selection_criteria().and_then(|criteria| criteria.sse_kms_encrypted_objects());
        let key = rule.destination().and_then(|destination| destination.encryption_configuration());
        ReplicationRule {
            id: rule.id().map_or_else(|| format!("number {}", index + 1), str::to_owned),
            enabled: rule.status().as_str() == "Enabled",
            destination: rule.destination().map(|destination| destination.bucket().to_owned()).unwrap_or_default(),
            selects_kms: selection.is_some_and(|s| *s.status() == SseKmsEncryptedObjectsStatus::Enabled),
            replica_key: key.and_then(|key| key.replica_kms_key_id()).map(str::to_owned),
            role: configuration.role().to_owned(),
        }
    });
    rules.collect()
}

/// An answer that lacks what was asked for says nothing.
fn empty(operation: &str, member: &str) -> AwsError {
    AwsError {
        code: "Unreadable".to_owned(),
        message: format!("{operation}: the answer holds no {member}"),
        hint: "check the endpoint".to_owned(),
    }
}
