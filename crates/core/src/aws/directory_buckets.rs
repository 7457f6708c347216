//! `ListDirectoryBuckets`. Directory buckets are out of scope: they are counted, and nothing else of them is read.

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;

use super::error::aws_error;
use super::{Member, S3};
use crate::model::AwsError;

/// Attempts for one page. S3 Express One Zone has no endpoint in many Regions, and a name that does not resolve is not worth
/// more of them.
const ATTEMPTS: u32 = 2;

impl Member {
    /// How many directory buckets this account has in a Region.
    pub async fn count_directory_buckets(&self, region: &str) -> Result<u64, AwsError> {
        self.s3(region).count_directory_buckets().await
    }
}

impl S3 {
    async fn count_directory_buckets(&self) -> Result<u64, AwsError> {
        let (mut found, mut token) = (0, None);
        loop {
            let _permit = self.calls.enter().await;
            let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
            let request = self.client.list_directory_buckets().set_continuation_token(token);
            let page = request.customize().config_override(Builder::default().retry_config(retries)).send().await;
            let page = page.map_err(|error| self.calls.heed(aws_error("ListDirectoryBuckets", &error)))?;
            found += page.buckets().len() as u64;
            token = page.continuation_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}
