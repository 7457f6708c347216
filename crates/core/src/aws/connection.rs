//! The security account's side: configuration, one HTTP client, and who we are.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::ServiceConfigKey;

use super::answers::checked;
use super::ca_bundle::CaBundle;
use super::call_log::CallLog;
use super::caller_credentials::CallerCredentials;
use super::cloudtrail::Intervals;
use super::derived::derive;
use super::disabled_region::{DisabledRegions, Regions, Source, is_opt_in, is_token_refused, region_disabled};
use super::error::no_credentials;
use super::http_client::{direct_client, http_client};
use super::measured::{AwsTime, measured};
use super::network::Network;
use super::observer::SkewIsTransient;
use super::proxy::{ProxySettings, host_and_port};
use super::session_policy::session_policy;
use super::sts::{RoleAssumer, SessionDurations};
use super::{CallLimits, Caller, Halt, Member, Organizations, Purpose, Session, sts};
use crate::clock;
use crate::config::MemberRole;
use crate::model::{AwsError, KeyArn, KeyFacts, Partition};

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
    /// A variable for the Region is set to nothing.
    #[error("{0} is empty, so there is no AWS Region to call")]
    EmptyRegion(&'static str),
    /// The first call failed in a Region that is not known: it is misspelt, most likely.
    #[error("{setting} is {region}, which is not a Region that this version of orgseal knows: {}", error.message)]
    UnknownRegion {
        /// `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile.
        setting: &'static str,
        /// The Region.
        region: String,
        /// What the first call came to.
        error: AwsError,
    },
    /// A profile is named that is in none of the configuration files.
    #[error("AWS profile {name} does not exist")]
    NoProfile {
        /// The name.
        name: String,
        /// What names it: `AWS_PROFILE`, or another profile's `source_profile`.
        setting: String,
        /// The profiles that exist.
        known: Vec<String>,
    },
    /// A configuration file cannot be read.
    #[error("could not read the AWS configuration files: {0}")]
    ConfigFile(String),
    /// A variable names a proxy that cannot be used.
    #[error("{variable} is not a usable proxy URL: {why}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value, without the value: it may hold a password.
        why: String,
    },
    /// The file of trusted CA certificates cannot be used.
    #[error("the CA bundle {path} ({setting}) cannot be used: {why}")]
    CaBundle {
        /// The file.
        path: String,
        /// `AWS_CA_BUNDLE`, or the profile's `ca_bundle`.
        setting: String,
        /// What is wrong with it.
        why: String,
    },
    /// AWS did not say whose credentials these are.
    #[error("sts:GetCallerIdentity failed: {}", without_operation(.0))]
    NoCaller(AwsError),
}

/// An error's code and message, without the operation that the message begins with.
fn without_operation(error: &AwsError) -> String {
    let message = error.message.strip_prefix("GetCallerIdentity: ").unwrap_or(&error.message);
    match error.code.as_str() {
        super::error::NO_CREDENTIALS => message.to_owned(),
        code => format!("{message} ({code})"),
    }
}

/// How this process reaches AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Which provider gave the credentials, if the SDK says so.
    pub credentials: Option<&'static str>,
    /// The profile that was asked for.
    pub profile: Option<String>,
    /// The proxies in force, without their credentials.
    pub proxies: Vec<String>,
    /// Where the trusted CA certificates come from, if not from the machine's trust store.
    pub trusted: Option<String>,
    /// The overridden endpoints.
    pub endpoints: Vec<String>,
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
    network: Arc<Network>,
    credentials: CallerCredentials,
    disabled: DisabledRegions,
    durations: SessionDurations,
    /// When CloudTrail may be asked next, by account and Region.
    lookups: Intervals,
}

impl Aws {
    /// Connects and asks STS who we are (`GetCallerIdentity`).
    pub async fn connect(connection: Connection) -> Result<Aws, ConnectError> {
        let (config, endpoints, binding, network) = match connection {
            Connection::DefaultChain => {
                let network = Arc::new(network().await?);
                let client = http_client(&network)?;
                let config = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(checked(measured(client)))
                    .time_source(AwsTime)
                    .disable_clock_skew_correction(true)
                    .retry_config(retries())
                    .timeout_config(timeouts())
                    .load()
                    .await;
                let endpoints = endpoints(&config);
                let binding = config.endpoint_url().unwrap_or("aws").to_owned();
                (config, endpoints, binding, network)
            }
            Connection::Sandbox { endpoint, name, region, access_key, secret_key } => {
                let key = Credentials::new(access_key, secret_key, None, None, "orgseal-sandbox");
                let config = SdkConfig::builder()
                    .behavior_version(BehaviorVersion::latest())
                    // On this machine: neither a proxy nor a CA bundle of the environment has to do with it.
                    .http_client(checked(measured(direct_client())))
                    .time_source(AwsTime)
                    .disable_clock_skew_correction(true)
                    .retry_config(retries())
                    .timeout_config(timeouts())
                    .region(Region::new(region))
                    .endpoint_url(endpoint.clone())
                    .credentials_provider(SharedCredentialsProvider::new(key))
                    .build();
                (config, vec![endpoint], name, Arc::default())
            }
        };
        let region = config.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let region =
            region.ok_or_else(|| empty_variable().map_or(ConnectError::NoRegion, ConnectError::EmptyRegion))?;
        let provider = config.credentials_provider().ok_or_else(|| ConnectError::NoCaller(no_credentials()))?;
        let credentials = CallerCredentials::new(provider);
        let config =
            config.to_builder().credentials_provider(SharedCredentialsProvider::new(credentials.clone())).build();
        let sts = sts::client(&config);
        let caller = match sts::caller_identity(&sts).await {
            // AWS refuses what a clock that is more than five minutes off signs, and its answer tells the time: the clock is
            // corrected now, also for the credential providers that were refused before us.
            Err(_) if clock::signs_by_another_time() => sts::caller_identity(&sts).await,
            answer => answer,
        }
        .map_err(|error| no_caller(&region, error))?;
        let halt = Halt::new(sts.clone());
        let (keys, disabled, durations) = Default::default();
        Ok(Aws {
            config,
            sts,
            halt,
            caller,
            region,
            endpoints,
            binding,
            keys,
            network,
            credentials,
            disabled,
            durations,
            lookups: Intervals::default(),
        })
    }

    /// How this process reaches AWS.
    pub async fn environment(&self) -> Environment {
        let proxies = [self.network.proxies.https(), self.network.proxies.http()];
        Environment {
            credentials: self.credentials.source().await,
            profile: std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty()),
            proxies: proxies.into_iter().flatten().map(ToString::to_string).collect(),
            trusted: self.network.trusted.clone(),
            endpoints: self.endpoints.clone(),
        }
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
        aws_sdk_kms::Client::from_conf(
            settings.retry_classifier(SkewIsTransient).interceptor(CallLog::default()).build(),
        )
    }

    /// `DescribeKey` as the security account's caller, in the key's own Region.
    pub async fn describe_key(&self, key: &KeyArn) -> Result<KeyFacts, AwsError> {
        let (client, arn) = (self.kms(key), key.to_string());
        let answer = match super::kms::describe_key(&client, &arn).await {
            Err(error) if is_token_refused(&error.code) => super::kms::describe_key(&client, &arn).await,
            answer => answer,
        };
        match answer {
            Ok(facts) => Ok(facts),
            Err(error) => Err(self.heed_in(&key.region, error).await),
        }
    }

    /// `GetKeyPolicy` as the security account's caller, in the key's own Region. Works in the key's own account alone.
    pub async fn key_policy(&self, key: &KeyArn) -> Result<String, AwsError> {
        let (client, arn) = (self.kms(key), key.to_string());
        let answer = match super::kms::key_policy(&client, &arn).await {
            Err(error) if is_token_refused(&error.code) => super::kms::key_policy(&client, &arn).await,
            answer => answer,
        };
        match answer {
            Ok(policy) => Ok(policy),
            Err(error) => Err(self.heed_in(&key.region, error).await),
        }
    }

    /// Checks the error of a call that the caller made in a Region: an opt-in Region that the caller's account has disabled refuses
    /// credentials that are valid in the home Region.
    async fn heed_in(&self, region: &str, error: AwsError) -> AwsError {
        let error = self.halt.heed(error);
        let may_be_disabled = is_opt_in(region) && region != self.region;
        match is_token_refused(&error.code) && may_be_disabled && self.halt.reason().await.is_none() {
            true => region_disabled(&self.caller.account, region, &format!("services answer {}", error.code)),
            false => error,
        }
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
        let sts = RoleAssumer { sts: self.sts.clone(), durations: self.durations.clone() };
        Session::enter(&sts, &self.halt, &self.caller, account, role, policy, session_name).await
    }

    /// The clients of a member account, for as long as it is worked on.
    #[must_use]
    pub fn member(&self, session: &Session, limits: CallLimits) -> Member {
        let source = match &session.credentials {
            Some(session) => Source::Member(session.clone()),
            None => Source::Caller(self.credentials.clone()),
        };
        let regions = Regions::new(session.account(), source, &self.config, &self.disabled);
        Member::new(&self.config, session, regions, limits, &self.lookups)
    }
}

/// The variables that name the Region, the first one that is set counts.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The variable that takes the Region away: it is set, to nothing.
fn empty_variable() -> Option<&'static str> {
    let is_set = |name: &&str| std::env::var_os(name).is_some();
    REGION_VARIABLES
        .into_iter()
        .find(is_set)
        .filter(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()))
}

/// Why the first call failed. A misspelt Region has no endpoint, so that no service answers; an endpoint that stands in for AWS
/// (a simulator, a proxy) answers that the Region is not active.
fn no_caller(region: &str, error: AwsError) -> ConnectError {
    let codes =
        ["ConnectionFailed", "Timeout", "RequestFailed", "RegionDisabledException", "InvalidSignatureException"];
    if !codes.contains(&error.code.as_str()) || Partition::knows_region(region) {
        return ConnectError::NoCaller(error);
    }
    let names_it = |name: &&str| std::env::var(name).is_ok_and(|value| value == region);
    let setting = REGION_VARIABLES.into_iter().find(names_it).unwrap_or("the AWS profile's region");
    ConnectError::UnknownRegion { setting, region: region.to_owned(), error }
}

/// Whether the environment and the profile send every call to this machine. Nothing is called to find that out.
pub async fn only_loopback_endpoints() -> bool {
    // A Region of ours keeps the SDK from asking the instance's metadata service for one.
    let config =
        aws_config::defaults(BehaviorVersion::latest()).region(Region::new("us-east-1")).no_credentials().load().await;
    let endpoints = endpoints(&config);
    !endpoints.is_empty() && endpoints.iter().all(|endpoint| is_loopback(endpoint))
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
    let mut all = vec![general.to_owned()];
    for endpoint in own {
        if !all.contains(&endpoint) {
            all.push(endpoint);
        }
    }
    all
}

/// The network settings of the environment and of the profile.
async fn network() -> Result<Network, ConnectError> {
    let profiles = super::profile::load().await?;
    let proxies = ProxySettings::from_env()
        .map_err(|invalid| ConnectError::Proxy { variable: invalid.variable, why: invalid.why })?;
    let ca_bundle = CaBundle::in_force(&profiles).map_err(|unusable| ConnectError::CaBundle {
        path: unusable.path.display().to_string(),
        setting: unusable.setting,
        why: unusable.why,
    })?;
    Ok(Network::new(proxies, ca_bundle))
}

fn is_loopback(endpoint: &str) -> bool {
    let (host, _) = host_and_port(endpoint);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_region_that_is_unknown_and_silent_is_told_as_a_typo() {
        let why = |region: &str, code: &str| {
            no_caller(
                region,
                AwsError { code: code.into(), message: "GetCallerIdentity: x".into(), hint: String::new() },
            )
        };
        let typo = why("us-eats-1", "ConnectionFailed");
        assert!(matches!(&typo, ConnectError::UnknownRegion { region, .. } if region == "us-eats-1"), "{typo}");
        for (region, code) in [("us-east-1", "ConnectionFailed"), ("us-eats-1", "InvalidClientTokenId")] {
            assert!(matches!(why(region, code), ConnectError::NoCaller(_)), "{region} {code}");
        }
    }

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
