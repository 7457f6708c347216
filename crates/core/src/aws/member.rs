//! A member account while it is worked on: its clients, and what they share.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;

use super::calls::Calls;
use super::cloudtrail::{Interval, Intervals};
use super::derived::derive;
use super::disabled_region::Regions;
use super::partition::for_iam;
use super::s3_control::S3Control;
use super::{S3, Session, Ssm};
use crate::model::{AwsError, Bucket, BucketEvidence, DryRun, KeyArn, KeyFacts, Need, PublicAccessBlock};

/// How many calls of an account may be under way to each service.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// To S3.
    pub s3: usize,
    /// To Systems Manager.
    pub ssm: usize,
}

/// A member account while it is worked on: its clients, one for each service and Region.
pub struct Member {
    account: String,
    config: SdkConfig,
    regions: Regions,
    s3_calls: Calls,
    ssm_calls: Calls,
    kms_calls: Calls,
    config_calls: Calls,
    s3_control_calls: Calls,
    cloudtrail_calls: Calls,
    lookups: Intervals,
    iam_calls: Calls,
    s3: std::sync::Mutex<HashMap<String, S3>>,
}

/// Calls of one account under way to each of the services that are asked now and then.
const OTHER_CALLS: usize = 10;

/// Attempts of the SDK for one read in a member account, the first one included.
const READ_ATTEMPTS: u32 = 6;
/// The longest wait between two of them.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

impl Member {
    pub(super) fn new(
        config: &SdkConfig,
        session: &Session,
        regions: Regions,
        limits: CallLimits,
        lookups: &Intervals,
    ) -> Member {
        let home = config.region().map(ToString::to_string).unwrap_or_default();
        let config = derive(config, &home, Some(regions.credentials(&home)))
            .to_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS).with_max_backoff(LONGEST_BACKOFF))
            // They are kept, and renewed when they were refused, by themselves.
            .identity_cache(IdentityCache::no_cache());
        Member {
            account: session.account.clone(),
            config: config.build(),
            s3_calls: Calls::new("s3", session, &regions, limits.s3),
            ssm_calls: Calls::new("ssm", session, &regions, limits.ssm),
            kms_calls: Calls::new("kms", session, &regions, OTHER_CALLS),
            config_calls: Calls::new("config", session, &regions, OTHER_CALLS),
            s3_control_calls: Calls::new("s3control", session, &regions, OTHER_CALLS),
            cloudtrail_calls: Calls::new("cloudtrail", session, &regions, OTHER_CALLS),
            lookups: lookups.clone(),
            iam_calls: Calls::new("iam", session, &regions, OTHER_CALLS),
            s3: std::sync::Mutex::default(),
            regions,
        }
    }

    /// The configuration for calls in one Region, which it may turn out not to be possible to call.
    pub(super) fn in_region(&self, region: &str) -> SdkConfig {
        derive(&self.config, region, Some(self.regions.credentials(region)))
    }

    /// S3 in a Region of this account.
    #[must_use]
    pub fn s3(&self, region: &str) -> S3 {
        let mut clients = self.s3.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match clients.get(region) {
            Some(client) => client.clone(),
            None => {
                let client = S3::new(&self.in_region(region), &self.account, &self.s3_calls);
                clients.insert(region.to_owned(), client.clone());
                client
            }
        }
    }

    /// The settings of a client of S3 in a Region of this account that is none of the kept ones, and what its calls share.
    pub(super) fn s3_settings(&self, region: &str) -> (aws_sdk_s3::config::Builder, &Calls) {
        let settings = aws_sdk_s3::config::Builder::from(&self.in_region(region))
            .retry_partition(self.s3_calls.partition.clone())
            .retry_classifier(self.s3_calls.classifier)
            .interceptor(self.s3_calls.observer.clone());
        (settings, &self.s3_calls)
    }

    /// S3 in the Region that calls without a place of their own go to.
    #[must_use]
    pub fn s3_at_home(&self) -> S3 {
        self.s3(self.home())
    }

    fn home(&self) -> &str {
        self.config.region().map_or("", |region| region.as_ref())
    }

    /// Twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// `DescribeKey` in a Region, as this account's session. The key may be named in any form that KMS takes.
    pub async fn describe_key(&self, region: &str, key: &str) -> Result<KeyFacts, AwsError> {
        let (client, calls) = self.kms_service(region);
        let _permit = calls.enter().await;
        super::kms::describe_key(&client, key).await.map_err(|error| calls.heed(error))
    }

    /// Asks KMS, as this account's session and in the key's Region, whether it would give a data key for a bucket:
    /// `GenerateDataKey` with `DryRun`. What is proven so is that this role can use the key.
    pub async fn prove_key(&self, key: &KeyArn, bucket: &str) -> DryRun {
        let (client, calls) = self.kms_service(&key.region);
        let _permit = calls.enter().await;
        match super::kms::prove_key(&client, key, bucket).await {
            DryRun::Refused(error) => DryRun::Refused(calls.heed(error)),
            answer => answer,
        }
    }

    /// The client of KMS in a Region of this account, and what its calls share.
    pub(super) fn kms_service(&self, region: &str) -> (aws_sdk_kms::Client, &Calls) {
        let settings = aws_sdk_kms::config::Builder::from(&self.in_region(region))
            .retry_partition(self.kms_calls.partition.clone())
            .retry_classifier(self.kms_calls.classifier)
            .interceptor(self.kms_calls.observer.clone());
        (aws_sdk_kms::Client::from_conf(settings.build()), &self.kms_calls)
    }

    /// The client of AWS Config in a Region of this account, and what its calls share.
    pub(super) fn config_service(&self, region: &str) -> (aws_sdk_config::Client, &Calls) {
        let settings = aws_sdk_config::config::Builder::from(&self.in_region(region))
            .retry_partition(self.config_calls.partition.clone())
            .retry_classifier(self.config_calls.classifier)
            .interceptor(self.config_calls.observer.clone());
        (aws_sdk_config::Client::from_conf(settings.build()), &self.config_calls)
    }

    /// S3 Control in a Region of this account.
    #[must_use]
    pub(super) fn s3_control(&self, region: &str) -> S3Control {
        S3Control::new(&self.in_region(region), &self.account, &self.s3_control_calls)
    }

    /// S3 Control `GetPublicAccessBlock`: the account's own; all off where none was put.
    pub async fn public_access_block(&self) -> Result<PublicAccessBlock, AwsError> {
        self.s3_control(self.home()).public_access_block().await
    }

    /// What guards look at on a bucket: the reads that are needed, side by side under the account's limits, each naming the
    /// owner. "Not configured" is an answer; a read that fails is an error of its own and stops no other.
    pub async fn bucket_evidence(&self, bucket: &Bucket, needs: &BTreeSet<Need>) -> BucketEvidence {
        let (s3, control) = (self.s3(&bucket.region), self.s3_control(&bucket.region));
        let access_points = async {
            if needs.contains(&Need::AccessPoints) { Some(control.access_points(&bucket.name).await) } else { None }
        };
        let (mut evidence, access_points) = futures::join!(s3.evidence(&bucket.name, needs), access_points);
        evidence.access_points = access_points;
        evidence
    }

    /// The client of CloudTrail in a Region of this account, what its calls share, and their pace in that Region. It repeats
    /// nothing by itself: its rate is small, and each attempt has to wait for its turn.
    pub(super) fn cloudtrail(&self, region: &str) -> (aws_sdk_cloudtrail::Client, &Calls, Interval) {
        let settings = aws_sdk_cloudtrail::config::Builder::from(&self.in_region(region))
            .retry_config(RetryConfig::disabled())
            .interceptor(self.cloudtrail_calls.observer.clone());
        let interval = self.lookups.of(&self.account, region);
        (aws_sdk_cloudtrail::Client::from_conf(settings.build()), &self.cloudtrail_calls, interval)
    }

    /// The client of IAM, and what its calls share. IAM is served from one Region of each partition.
    pub(super) fn iam_service(&self) -> (aws_sdk_iam::Client, &Calls) {
        let settings = aws_sdk_iam::config::Builder::from(&for_iam(&self.config))
            .retry_partition(self.iam_calls.partition.clone())
            .retry_classifier(self.iam_calls.classifier)
            .interceptor(self.iam_calls.observer.clone());
        (aws_sdk_iam::Client::from_conf(settings.build()), &self.iam_calls)
    }

    /// Systems Manager in a Region of this account.
    #[must_use]
    pub fn ssm(&self, region: &str) -> Ssm {
        Ssm::new(&self.in_region(region), &self.ssm_calls)
    }
}

#[cfg(test)]
impl Member {
    /// An account whose calls are signed with a configuration's own credentials.
    pub(super) fn for_test(config: &SdkConfig, account: &str, limits: CallLimits) -> Member {
        use super::caller_credentials::CallerCredentials;
        use super::disabled_region::{DisabledRegions, Source};

        let source = Source::Caller(CallerCredentials::new(config.credentials_provider().unwrap()));
        let regions = Regions::new(account, source, config, &DisabledRegions::default());
        let halt = super::Halt::new(aws_sdk_sts::Client::new(config));
        let session =
            Session { account: account.to_owned(), credentials: None, halt, progress: super::Progress::default() };
        Member::new(config, &session, regions, limits, &Intervals::default())
    }
}
