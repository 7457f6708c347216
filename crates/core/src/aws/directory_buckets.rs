//! `ListDirectoryBuckets`. Directory buckets are out of scope: they are counted, and nothing else of them is read.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;

use super::Member;
use super::error::aws_error;
use super::paging::{Paging, Unique};
use crate::model::AwsError;

/// Attempts for one page. S3 Express One Zone has no endpoint in many Regions, and a name that does not resolve is not worth
/// more of them.
const ATTEMPTS: u32 = 2;

impl Member {
    /// How many directory buckets this account has in a Region.
    pub async fn count_directory_buckets(&self, region: &str) -> Result<u64, AwsError> {
        let (settings, calls) = self.s3_settings(region);
        let settings = settings
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            // The list is a control plane operation, signed with the role's own session; sessions of S3 Express are for
            // objects in one bucket.
            .disable_s3_express_session_auth(true);
        let client = Client::from_conf(settings.build());
        let (mut found, mut token, mut paging) = (0, None, Paging::new("ListDirectoryBuckets"));
        let mut unique = Unique::new("ListDirectoryBuckets");
        loop {
            let _permit = calls.enter().await;
            let page = client.list_directory_buckets().set_continuation_token(token).send().await;
            let page = page.map_err(|error| calls.heed(aws_error("ListDirectoryBuckets", &error)))?;
            for bucket in page.buckets() {
                let name = bucket.name().unwrap_or_default();
                found += u64::from(unique.is_new(&format!("directory bucket {name}"), bucket.bucket_region())?);
            }
            token = paging.next(page.continuation_token())?;
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}
