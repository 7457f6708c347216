//! One configuration made from another: the HTTP client, retries and time-outs stay shared.

use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

/// The same configuration with other credentials or another Region.
pub(super) fn derive(config: &SdkConfig, region: &str, credentials: Option<SharedCredentialsProvider>) -> SdkConfig {
    let mut builder = config.to_builder().region(Region::new(region.to_owned()));
    if let Some(credentials) = credentials {
        builder = builder.credentials_provider(credentials);
    }
    builder.build()
}
