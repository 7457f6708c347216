//! The Region of a partition that serves a global service, as the SDK's own endpoint data name it for the home Region.
//!
//! Without an overriding endpoint the SDK signs for that Region by itself. With `AWS_ENDPOINT_URL` it signs for the client's
//! Region, which IAM and Organizations refuse ("Credential should be scoped to a valid region"): so their clients get it.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::endpoint::EndpointFuture;
use futures::FutureExt;

use super::derived::derive;

/// The configuration with the Region that IAM is signed for. In China this is not the Region of Organizations.
pub(super) fn for_iam(config: &SdkConfig) -> SdkConfig {
    use aws_sdk_iam::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
    let resolver = DefaultResolver::new();
    let params = Params::builder().region(home(config)).build().ok();
    with_region(config, params.and_then(|params| signing_region(resolver.resolve_endpoint(&params))))
}

/// The configuration with the Region that Organizations is signed for.
pub(super) fn for_organizations(config: &SdkConfig) -> SdkConfig {
    use aws_sdk_organizations::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
    let resolver = DefaultResolver::new();
    let params = Params::builder().region(home(config)).build().ok();
    with_region(config, params.and_then(|params| signing_region(resolver.resolve_endpoint(&params))))
}

fn home(config: &SdkConfig) -> String {
    config.region().map(ToString::to_string).unwrap_or_default()
}

fn with_region(config: &SdkConfig, region: Option<String>) -> SdkConfig {
    region.map_or_else(|| config.clone(), |region| derive(config, &region, None))
}

/// The Region in the resolved endpoint's authentication scheme. The SDK's rules answer at once; nothing is waited for.
fn signing_region(endpoint: EndpointFuture<'_>) -> Option<String> {
    let endpoint = endpoint.now_or_never()?.ok()?;
    let scheme = endpoint.auth_schemes().first()?;
    scheme.get("signingRegion")?.as_string().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;
    use crate::model::Partition;

    fn config(region: &str) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url("http://127.0.0.1:1")
            .build()
    }

    #[test]
    fn global_services_are_signed_for_the_region_of_their_partition() {
        for (home_region, iam, organizations) in [
            ("us-east-1", "us-east-1", "us-east-1"),
            ("eu-west-1", "us-east-1", "us-east-1"),
            ("cn-northwest-1", "cn-north-1", "cn-northwest-1"),
            ("cn-north-1", "cn-north-1", "cn-northwest-1"),
            ("us-gov-east-1", "us-gov-west-1", "us-gov-west-1"),
            ("eusc-de-east-1", "eusc-de-east-1", "eusc-de-east-1"),
            ("us-iso-west-1", "us-iso-east-1", "us-iso-east-1"),
            ("us-isob-east-1", "us-isob-east-1", "us-isob-east-1"),
            ("eu-isoe-west-1", "eu-isoe-west-1", "eu-isoe-west-1"),
            ("us-isof-east-1", "us-isof-south-1", "us-isof-south-1"),
        ] {
            let config = config(home_region);
            let regions = (home(&for_iam(&config)), home(&for_organizations(&config)));
            assert_eq!(regions, (iam.to_owned(), organizations.to_owned()), "{home_region}");
        }
    }

    /// The data of our own agree with the SDK's: its resolver names the DNS suffix of each Region's partition.
    #[tokio::test]
    async fn partitions_have_the_dns_suffix_that_the_sdk_knows() {
        use aws_sdk_organizations::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        for partition in Partition::all() {
            for prefix in &partition.region_prefixes {
                let region = if prefix == "eusc-" { "eusc-de-test-1".to_owned() } else { format!("{prefix}test-1") };
                assert_eq!(Partition::of_region(&region).map(|known| &known.name), Some(&partition.name));
                let params = Params::builder().region(region.clone()).build().unwrap();
                let resolver = DefaultResolver::new();
                let endpoint = resolver.resolve_endpoint(&params).await.unwrap();
                let signing = signing_region(resolver.resolve_endpoint(&params)).unwrap();
                let wanted = format!("https://organizations.{signing}.{}", partition.dns_suffix);
                assert_eq!(endpoint.url(), wanted, "{region}");
                assert_eq!(Partition::of_region(&signing).map(|known| &known.name), Some(&partition.name));
            }
        }
    }
}
