//! Amazon S3 Control: the account's own public access block, and access points.

use aws_config::SdkConfig;
use aws_sdk_s3control::Client;
use aws_sdk_s3control::config::endpoint::{DefaultResolver, EndpointFuture, Params, ResolveEndpoint};
use futures::future::join_all;

use super::calls::Calls;
use super::error::aws_error;
use super::paging::{Unique, each_page};
use crate::model::{AccessPoint, AwsError, PublicAccessBlock};

/// S3 Control in one Region, as one account.
pub(super) struct S3Control {
    client: Client,
    account: String,
    calls: Calls,
}

impl S3Control {
    pub(super) fn new(config: &SdkConfig, account: &str, calls: &Calls) -> S3Control {
        let settings = aws_sdk_s3control::config::Builder::from(config)
            .endpoint_resolver(AccountInHost(DefaultResolver::new()))
            .retry_partition(calls.partition.clone())
            .retry_classifier(calls.classifier)
            .interceptor(calls.observer.clone());
        S3Control { client: Client::from_conf(settings.build()), account: account.to_owned(), calls: calls.clone() }
    }

    /// `GetPublicAccessBlock` of the account, which IAM and CloudTrail call `GetAccountPublicAccessBlock`; all off where none
    /// was put.
    pub(super) async fn public_access_block(&self) -> Result<PublicAccessBlock, AwsError> {
        let _permit = self.calls.enter().await;
        let answer = self.client.get_public_access_block().account_id(&self.account).send().await;
        match answer {
            Ok(answer) => {
                Ok(answer.public_access_block_configuration().map_or_else(PublicAccessBlock::default, |block| {
                    PublicAccessBlock {
                        block_public_acls: block.block_public_acls().unwrap_or(false),
                        ignore_public_acls: block.ignore_public_acls().unwrap_or(false),
                        block_public_policy: block.block_public_policy().unwrap_or(false),
                        restrict_public_buckets: block.restrict_public_buckets().unwrap_or(false),
                    }
                }))
            }
            Err(error) => {
                let error = self.calls.heed(aws_error("GetAccountPublicAccessBlock", &error));
                // Some endpoints' errors carry no code that the SDK reads. None put is the cautious reading of a 404.
                if matches!(error.code.as_str(), "NoSuchPublicAccessBlockConfiguration" | "NotFound") {
                    Ok(PublicAccessBlock::default())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// The access points that this account has on a bucket: `ListAccessPoints`, and `GetAccessPointPolicy` of each. Those that
    /// other accounts have on it are listed to them alone.
    pub(super) async fn access_points(&self, bucket: &str) -> Result<Vec<AccessPoint>, AwsError> {
        let mut found = Vec::new();
        const OPERATION: &str = "ListAccessPoints";
        let read = |token| async move {
            let _permit = self.calls.enter().await;
            let list = self.client.list_access_points().account_id(&self.account).bucket(bucket);
            let page = list.set_next_token(token).send().await;
            page.map_err(|error| self.calls.heed(aws_error(OPERATION, &error)))
        };
        each_page(OPERATION, read, |page| {
            found.extend(page.access_point_list().iter().map(|point| AccessPoint {
                name: point.name().to_owned(),
                account: self.account.clone(),
                origin: point.network_origin().as_str().to_owned(),
                policy: None,
            }));
            page.next_token
        })
        .await?;
        let mut found = Unique::new(OPERATION)
            .only_new(found, |point| (format!("access point {}", point.name), point.origin.clone()))?;
        let policies = join_all(found.iter().map(|point| self.access_point_policy(&point.name))).await;
        for (point, policy) in found.iter_mut().zip(policies) {
            point.policy = policy?;
        }
        Ok(found)
    }

    async fn access_point_policy(&self, name: &str) -> Result<Option<String>, AwsError> {
        let _permit = self.calls.enter().await;
        match self.client.get_access_point_policy().account_id(&self.account).name(name).send().await {
            Ok(answer) => Ok(answer.policy().map(str::to_owned)),
            Err(error) => {
                let error = self.calls.heed(aws_error("GetAccessPointPolicy", &error));
                if error.code == "NoSuchAccessPointPolicy" { Ok(None) } else { Err(error) }
            }
        }
    }
}

/// The SDK's own endpoints, where the account id is the first part of the host; but an overriding endpoint whose host can have
/// no parts below it (an address, `localhost`) is used as it is. The header `x-amz-account-id` names the account in any case.
#[derive(Debug)]
struct AccountInHost(DefaultResolver);

impl ResolveEndpoint for AccountInHost {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        let endpoint = params.endpoint().map(without_user);
        let without = endpoint.as_deref().filter(|endpoint| !has_names_below(endpoint)).map(|endpoint| {
            Params::builder()
                .set_region(params.region().map(str::to_owned))
                .set_use_fips(params.use_fips())
                .set_use_dual_stack(params.use_dual_stack())
                .endpoint(endpoint)
                .build()
        });
        EndpointFuture::new(async move {
            match without {
                Some(without) => self.0.resolve_endpoint(&without?).await,
                None => self.0.resolve_endpoint(params).await,
            }
        })
    }
}

/// An endpoint without user information. Such a URL makes other SDKs put the account id there, which these rules do not need;
/// signed as part of the host, it would not be the host that is asked.
fn without_user(endpoint: &str) -> String {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Whether an endpoint's host is a domain that may have names below it.
fn has_names_below(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.starts_with('[') {
        return false;
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.contains('.') && host.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn url(endpoint: Option<&str>) -> String {
        let params = Params::builder()
            .region("eu-west-1")
            .account_id("444455556666")
            .requires_account_id(true)
            .set_endpoint(endpoint.map(str::to_owned))
            .build()
            .unwrap();
        let resolver = AccountInHost(DefaultResolver::new());
        ResolveEndpoint::resolve_endpoint(&resolver, &params).await.unwrap().url().to_owned()
    }

    #[tokio::test]
    async fn the_account_is_in_the_host_where_a_host_can_have_it() {
        assert_eq!(url(None).await, "https://444455556666.s3-control.eu-west-1.amazonaws.com");
        let private = "https://control.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com";
        assert_eq!(url(Some(private)).await, "https://444455556666.control.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com");
        for whole in ["http://127.0.0.1:4566", "http://localhost:4566", "http://[::1]:4566", "http://moto:5000"] {
            assert_eq!(url(Some(whole)).await.trim_end_matches('/'), whole);
        }
        // What a sandbox exports for other SDKs.
        let user = url(Some("http://s3-control@127.0.0.1:4566")).await;
        assert_eq!(user.trim_end_matches('/'), "http://127.0.0.1:4566");
    }
}
