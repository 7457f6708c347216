//! The security account's side: configuration, one HTTP client, and who we are.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;

use super::derived::derive;
use super::measured::{AwsTime, measured};
use super::observer::SkewIsTransient;
use super::session_policy::session_policy;
use super::{CallLimits, Caller, Halt, Member, Organizations, Purpose, Session, sts};
use crate::clock;
use crate::config::MemberRole;
use crate::model::{AwsError, KeyArn, KeyFacts};

/// Attempts of the SDK for one call, the first one included.
const SDK_ATTEMPTS: u32 = 4;

/// Where credentials and endpoint come from.
#[derive(Clone)]
pub enum Connection {
    /// The AWS default chain, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_PROFILE`, …
    DefaultChain,
    /// A sandbox of ours: its endpoint and its key; the environment's credentials are not looked at.
    Sandbox {
        /// `http://127.0.0.1:…`
        endpoint: String,
        /// Names the sandbox in the ledger, where its port changes from run to run.
        name: String,
        /// Region to sign for.
        region: String,
        /// Access key id.
        access_key: String,
        /// Secret access key.
        secret_key: String,
    },
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No Region is configured.
    #[error("no AWS Region is configured")]
    NoRegion,
    /// Who we are could not be learned.
    #[error("AWS does not say who is calling: {0}")]
    NoCaller(AwsError),
}

/// The connection to AWS as the security account's caller.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    sts: aws_sdk_sts::Client,
    halt: Halt,
    caller: Caller,
    region: String,
    endpoints: Vec<String>,
    binding: String,
    /// The campaign's central keys: sessions may prove that they can use them.
    keys: Arc<[KeyArn]>,
}

impl Aws {
    /// Connects and asks STS who we are (`GetCallerIdentity`).
    pub async fn connect(connection: Connection) -> Result<Aws, ConnectError> {
        let (config, endpoints, binding) = match connection {
            Connection::DefaultChain => {
                let config = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(measured(http_client()))
                    .time_source(AwsTime)
                    .disable_clock_skew_correction(true)
                    .retry_config(retries())
                    .timeout_config(timeouts())
                    .load()
                    .await;
                let endpoints = endpoints(&config);
                let binding = config.endpoint_url().unwrap_or("aws").to_owned();
                (config, endpoints, binding)
            }
            Connection::Sandbox { endpoint, name, region, access_key, secret_key } => {
                let key = Credentials::new(access_key, secret_key, None, None, "orgseal-sandbox");
                let config = SdkConfig::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .http_client(measured(http_client()))
                    .time_source(AwsTime)
                    .disable_clock_skew_correction(true)
                    .retry_config(retries())
                    .timeout_config(timeouts())
                    .region(Region::new(region))
                    .endpoint_url(endpoint.clone())
                    .credentials_provider(SharedCredentialsProvider::new(key))
                    .build();
                (config, vec![endpoint], name)
            }
        };
        let region = config.region().map(|region| region.to_string()).ok_or(ConnectError::NoRegion)?;
        let sts = sts::client(&config);
        let caller = match sts::caller_identity(&sts).await {
            // AWS refuses what a clock that is more than five minutes off signs, and its answer tells the time: the clock is
            // corrected now, also for the credential providers that were refused before us.
            Err(_) if clock::seconds_off().is_some() => sts::caller_identity(&sts).await,
            answer => answer,
        }
        .map_err(ConnectError::NoCaller)?;
        Ok(Aws { config, sts, halt: Halt::default(), caller, region, endpoints, binding, keys: Arc::default() })
    }

    /// Who we are.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Raised when the caller's own credentials are not valid any more.
    #[must_use]
    pub fn halt(&self) -> &Halt {
        &self.halt
    }

    /// The Region that calls without a place of their own go to (ListBuckets, STS).
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What ledgers are bound to: `aws`, the overriding endpoint, or the sandbox's name.
    #[must_use]
    pub fn binding(&self) -> &str {
        &self.binding
    }

    /// Whether every call stays on this machine: each endpoint in use is a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        !self.endpoints.is_empty() && self.endpoints.iter().all(|endpoint| is_loopback(endpoint))
    }

    /// The overriding endpoints, or the words for AWS itself.
    #[must_use]
    pub fn endpoint(&self) -> String {
        if self.endpoints.is_empty() { "AWS".to_owned() } else { self.endpoints.join(", ") }
    }

    /// The client for AWS Organizations.
    #[must_use]
    pub fn organizations(&self) -> Organizations {
        Organizations::new(&self.config, &self.halt)
    }

    fn kms(&self, key: &KeyArn) -> aws_sdk_kms::Client {
        let settings = aws_sdk_kms::config::Builder::from(&derive(&self.config, &key.region, None));
        aws_sdk_kms::Client::from_conf(settings.retry_classifier(SkewIsTransient).build())
    }

    /// `DescribeKey` as the security account's caller, in the key's own Region.
    pub async fn describe_key(&self, key: &KeyArn) -> Result<KeyFacts, AwsError> {
        let client = self.kms(key);
        super::kms::describe_key(&client, &key.to_string()).await.map_err(|error| self.halt.heed(error))
    }

    /// `GetKeyPolicy` as the security account's caller, in the key's own Region. Works in the key's own account alone.
    pub async fn key_policy(&self, key: &KeyArn) -> Result<String, AwsError> {
        let client = self.kms(key);
        super::kms::key_policy(&client, &key.to_string()).await.map_err(|error| self.halt.heed(error))
    }

    /// The same connection, whose sessions in member accounts may prove that they can use these keys.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<KeyArn>) -> Aws {
        self.keys = keys.into();
        self
    }

    /// Enters a member account: `AssumeRole` once, refreshed before it expires.
    pub async fn enter(
        &self,
        account: &str,
        role: &MemberRole,
        purpose: Purpose,
        session_name: &str,
    ) -> Result<Session, AwsError> {
        let policy = session_policy(purpose, &self.keys);
        Session::enter(&self.sts, &self.halt, &self.caller, account, role, policy, session_name).await
    }

    /// The clients of a member account, for as long as it is worked on.
    #[must_use]
    pub fn member(&self, session: &Session, limits: CallLimits) -> Member {
        Member::new(&self.config, session, limits)
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_secs(150))
        .build()
}

/// The services that orgseal calls, by the ids under which `AWS_ENDPOINT_URL_<SERVICE>` and a profile's `services` section
/// name them.
const SERVICES: [&str; 9] =
    ["S3", "S3 Control", "SSM", "STS", "KMS", "IAM", "Organizations", "Config Service", "CloudTrail"];

/// Every endpoint that is in use, if the general one is overridden: a service may have one of its own, from the
/// environment or the profile.
fn endpoints(config: &SdkConfig) -> Vec<String> {
    let Some(general) = config.endpoint_url() else { return Vec::new() };
    let own = SERVICES.iter().filter_map(|id| {
        let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        config.service_config()?.load_config(key.ok()?)
    });
    std::iter::once(general.to_owned()).chain(own).collect()
}

fn is_loopback(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // What stands before an @ is no host.
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .build_https()
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_is_loopback() {
        for endpoint in ["http://127.0.0.1:4566", "http://localhost:5000/", "http://[::1]:80", "https://127.8.9.1"] {
            assert!(is_loopback(endpoint), "{endpoint}");
        }
        for endpoint in [
            "https://s3.amazonaws.com",
            "http://127.0.0.1.example.com:80",
            "http://localhost.example.com",
            "http://10.0.0.1:5000",
            "http://localhost@example.com/",
            "http://example.com/127.0.0.1",
            "",
        ] {
            assert!(!is_loopback(endpoint), "{endpoint}");
        }
    }
}
