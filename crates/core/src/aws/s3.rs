//! Amazon S3: buckets of an account, their Region, their default encryption.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::ServerSideEncryptionRule;
use futures::stream::{self, Stream};

use super::answers::Unusable;
use super::calls::Calls;
use super::error::aws_error;
use super::paging::{Paging, Unique};
use crate::model::{Algorithm, AwsError, DefaultEncryption, EncryptionRule};

/// `ListBuckets` takes at most this many for a page; one page then serves an account with the default quota.
const BUCKETS_A_PAGE: i32 = 10_000;
const LIST: &str = "ListBuckets";

/// S3 in one Region, as one account.
#[derive(Clone)]
pub struct S3 {
    pub(super) client: Client,
    pub(super) owner: String,
    pub(super) calls: Calls,
}

/// A page of `ListBuckets`: names with their Regions, where the answer carries them.
type Page = Vec<(String, Option<String>)>;

impl S3 {
    pub(super) fn new(config: &SdkConfig, owner: &str, calls: &Calls) -> S3 {
        // An overridden endpoint has no host for each bucket.
        let overridden = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let settings = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(overridden)
            .retry_partition(calls.partition.clone())
            .retry_classifier(calls.classifier)
            .interceptor(calls.observer.clone());
        S3 { client: Client::from_conf(settings.build()), owner: owner.to_owned(), calls: calls.clone() }
    }

    /// `ListBuckets`, page by page; the next page is asked for when it is wanted.
    pub fn bucket_pages(&self) -> impl Stream<Item = Result<Page, AwsError>> + Send + use<> {
        let (client, calls) = (self.client.clone(), self.calls.clone());
        let first = Some((Paging::new(LIST), Unique::new(LIST), None));
        stream::unfold(first, move |next| {
            let (client, calls) = (client.clone(), calls.clone());
            async move {
                let (mut paging, mut unique, token) = next?;
                let page = {
                    let _permit = calls.enter().await;
                    client.list_buckets().max_buckets(BUCKETS_A_PAGE).set_continuation_token(token).send().await
                };
                let page = match page {
                    Ok(page) => page,
                    Err(error) => return Some((Err(calls.heed(aws_error(LIST, &error))), None)),
                };
                // Before the page is handed on: a list that never ends is an error, and no page of it counts twice.
                let token = match paging.next(page.continuation_token()) {
                    Ok(token) => token,
                    Err(error) => return Some((Err(error), None)),
                };
                // No bucket lacks a name: such an answer was refused (`answers`).
                let named = page.buckets().iter().map(|bucket| {
                    (bucket.name().unwrap_or_default().to_owned(), bucket.bucket_region().map(str::to_owned))
                });
                let new = unique.only_new(named, |(name, region)| (format!("bucket {name}"), region.clone()));
                match new {
                    Ok(new) => Some((Ok(new), token.map(|token| (paging, unique, Some(token))))),
                    Err(error) => Some((Err(error), None)),
                }
            }
        })
    }

    /// The Region of a bucket by `HeadBucket`: for endpoints whose `ListBuckets` does not carry it.
    pub async fn region_of(&self, bucket: &str) -> Result<String, AwsError> {
        let _permit = self.calls.enter().await;
        let region = match self.client.head_bucket().bucket(bucket).send().await {
            Ok(answer) => answer.bucket_region().map(str::to_owned),
            // Another Region's bucket answers with a redirect whose header names the Region.
            Err(error) => {
                let header = error.raw_response().and_then(|answer| answer.headers().get("x-amz-bucket-region"));
                match header {
                    Some(region) => Some(region.to_owned()),
                    None => return Err(self.calls.heed(aws_error("HeadBucket", &error))),
                }
            }
        };
        region.ok_or_else(|| AwsError {
            code: "NoRegion".to_owned(),
            message: "HeadBucket: the response does not contain the bucket's Region".to_owned(),
            hint: Unusable::HINT.to_owned(),
        })
    }

    /// `GetBucketEncryption`. "No configuration" is an answer, not an error. The owner is named in the call, since a name
    /// can change hands.
    pub async fn default_encryption(&self, bucket: &str) -> Result<DefaultEncryption, AwsError> {
        let _permit = self.calls.enter().await;
        let answer = self.client.get_bucket_encryption().bucket(bucket).expected_bucket_owner(&self.owner).send().await;
        match answer {
            Ok(answer) => Ok(DefaultEncryption {
                rules: answer
                    .server_side_encryption_configuration()
                    .map(|configuration| configuration.rules().iter().map(rule).collect())
                    .unwrap_or_default(),
            }),
            Err(error) => {
                let error = self.calls.heed(aws_error("GetBucketEncryption", &error));
                if error.code == "ServerSideEncryptionConfigurationNotFoundError" {
                    Ok(DefaultEncryption::default())
                } else {
                    Err(error)
                }
            }
        }
    }
}

fn rule(rule: &ServerSideEncryptionRule) -> EncryptionRule {
    let default = rule.apply_server_side_encryption_by_default();
    EncryptionRule {
        algorithm: default.map(|default| Algorithm::from(default.sse_algorithm().as_str())),
        key: default.and_then(|default| default.kms_master_key_id()).map(str::to_owned),
        bucket_key: rule.bucket_key_enabled(),
        blocked: rule
            .blocked_encryption_types()
            .map(|blocked| blocked.encryption_type().iter().map(|kind| kind.as_str().to_owned()).collect()),
    }
}
