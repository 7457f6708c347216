//! What guards look at on a bucket: its policy, ACL, website, replication, tags and so on, each read at most once.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use aws_sdk_s3::types::{ReplicationConfiguration, SseKmsEncryptedObjectsStatus};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::S3;
use super::answers::Unusable;
use super::error::aws_error;
use super::paging::Unique;
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

/// Makes a read where it is needed. On the heap: a call of the SDK is tens of kilobytes, and eight of them side by side for each
/// bucket of an account would not fit a thread's stack.
fn where_needed<'a, T: 'a>(
    needed: bool,
    read: impl Future<Output = Result<T, AwsError>> + Send + 'a,
) -> BoxFuture<'a, Read<T>> {
    async move { if needed { Some(read.await) } else { None } }.boxed()
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
        let tags =
            Unique::new("GetBucketTagging").only_new(tags, |tag| (format!("tag {}", tag.key), tag.value.clone()))?;
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
        message: format!("{operation}: the response has no {member}"),
        hint: Unusable::HINT.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::super::{CallLimits, Member};
    use super::*;
    use crate::model::{AccessPoint, Bucket};

    const OWNER: &str = "444455556666";
    const EVERY: [Need; 9] = [
        Need::Policy,
        Need::PolicyStatus,
        Need::Website,
        Need::Acl,
        Need::Ownership,
        Need::PublicAccessBlock,
        Need::Replication,
        Need::Tags,
        Need::AccessPoints,
    ];

    /// Serves each request, by its path and query, with what `answer` says; keeps the requests' heads.
    fn member(answer: fn(&str) -> (u16, String)) -> (Member, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let target = head[0].split(' ').nth(1).unwrap().to_owned();
                kept.lock().unwrap().push(head.join("\n").to_ascii_lowercase());
                let (status, body) = answer(&target);
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                    .unwrap();
            }
        });
        let key = Credentials::new("AKID", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(key))
            .build();
        (Member::for_test(&config, OWNER, CallLimits { s3: 3, ssm: 1 }), heads)
    }

    fn bucket() -> Bucket {
        Bucket { account: OWNER.into(), region: "us-east-1".into(), name: "b".into() }
    }

    fn error(code: &str) -> String {
        format!("<Error><Code>{code}</Code><Message>no</Message></Error>")
    }

    #[tokio::test]
    async fn what_was_never_put_is_an_answer_and_every_read_names_the_owner() {
        let (member, heads) = member(|target| {
            match target.split('?').nth(1).unwrap_or_default() {
            query if query.starts_with("policy") => (404, error("NoSuchBucketPolicy")),
            query if query.starts_with("website") => (404, error("NoSuchWebsiteConfiguration")),
            query if query.starts_with("ownershipControls") => (404, error("OwnershipControlsNotFoundError")),
            query if query.starts_with("publicAccessBlock") => (404, error("NoSuchPublicAccessBlockConfiguration")),
            query if query.starts_with("replication") => (404, error("ReplicationConfigurationNotFoundError")),
            query if query.starts_with("tagging") => (404, error("NoSuchTagSet")),
            query if query.starts_with("acl") => (
                200,
                "<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList><Grant><Grantee \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>me</ID></Grantee>\
                 <Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
                    .to_owned(),
            ),
            _ => (200, "<ListAccessPointsResult><AccessPointList/></ListAccessPointsResult>".to_owned()),
        }
        });
        let evidence = member.bucket_evidence(&bucket(), &EVERY.into()).await;
        assert_eq!(evidence.policy, Some(Ok(None)));
        assert_eq!(evidence.policy_is_public, Some(Ok(false)));
        assert_eq!(evidence.website, Some(Ok(false)));
        assert_eq!(evidence.ownership, Some(Ok(None)));
        assert_eq!(evidence.public_access_block, Some(Ok(PublicAccessBlock::default())));
        assert_eq!(evidence.replication, Some(Ok(Vec::new())));
        assert_eq!(evidence.tags, Some(Ok(BTreeMap::new())));
        let acl = Acl { owner: "me".into(), grants: vec![("me".into(), "FULL_CONTROL".into())] };
        assert_eq!(evidence.acl, Some(Ok(acl)));
        assert_eq!(evidence.access_points, Some(Ok(Vec::new())));
        let heads = heads.lock().unwrap();
        assert_eq!(heads.len(), EVERY.len(), "each read is made once");
        for head in heads.iter() {
            let of_bucket = head.contains(&format!("x-amz-expected-bucket-owner: {OWNER}"));
            assert!(of_bucket || head.contains(&format!("x-amz-account-id: {OWNER}")), "{head}");
        }
    }

    #[tokio::test]
    async fn only_what_is_needed_is_read_and_a_refusal_names_the_permission() {
        let (member, heads) = member(|_| (403, error("AccessDenied")));
        let evidence = member.bucket_evidence(&bucket(), &[Need::Replication].into()).await;
        let refused = evidence.replication.unwrap().unwrap_err();
        assert_eq!(refused.code, "AccessDenied");
        assert!(refused.hint.starts_with("allow s3:GetReplicationConfiguration to the member role"), "{refused:?}");
        assert!(evidence.policy.is_none() && evidence.access_points.is_none());
        assert_eq!(heads.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_there_is_read() {
        let (member, _) = member(|target| {
            match target.split('?').next().unwrap_or_default() {
            "/v20180820/accesspoint" => (
                200,
                "<ListAccessPointsResult><AccessPointList><AccessPoint><Name>one</Name><NetworkOrigin>VPC</NetworkOrigin>\
                 <Bucket>b</Bucket></AccessPoint></AccessPointList></ListAccessPointsResult>"
                    .to_owned(),
            ),
            "/v20180820/accesspoint/one/policy" => {
                (200, "<GetAccessPointPolicyResult><Policy>{}</Policy></GetAccessPointPolicyResult>".to_owned())
            }
            _ => (
                200,
                "<ReplicationConfiguration><Role>r</Role><Rule><ID>all</ID><Status>Enabled</Status><SourceSelectionCriteria>\
                 <SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria><Destination>\
                 <Bucket>arn:aws:s3:::c</Bucket><EncryptionConfiguration><ReplicaKmsKeyID>k</ReplicaKmsKeyID>\
                 </EncryptionConfiguration></Destination></Rule></ReplicationConfiguration>"
                    .to_owned(),
            ),
        }
        });
        let needs = [Need::Replication, Need::AccessPoints].into();
        let evidence = member.bucket_evidence(&bucket(), &needs).await;
        let rule = ReplicationRule {
            id: "all".into(),
            enabled: true,
            destination: "arn:aws:s3:::c".into(),
            selects_kms: true,
            replica_key: Some("k".into()),
            role: "r".into(),
        };
        assert_eq!(evidence.replication, Some(Ok(vec![rule])));
        let point =
            AccessPoint { name: "one".into(), account: OWNER.into(), origin: "VPC".into(), policy: Some("{}".into()) };
        assert_eq!(evidence.access_points, Some(Ok(vec![point])));
    }
}
