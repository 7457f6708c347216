//! A session in a member account: one `AssumeRole`, shared by every client of the account, refreshed before it expires.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::config::retry::RetryPartition;
use tokio::sync::Mutex;

use super::adaptive::{Adaptive, Permit};
use super::derived::derive;
use super::observer::{ExpiredIsTransient, Observer};
use super::session_policy::session_policy;
use super::sts::{RoleRequest, assume_role};
use super::{Caller, Halt, Purpose, S3, Ssm};
use crate::config::{MemberRole, OwnAccount, SessionPolicy};
use crate::model::{AwsError, KeyFacts, role_arn};

/// A session is renewed this long before it ends, so that no call leaves with credentials about to expire.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// A session in a member account: small enough to be kept for every account of an organization.
#[derive(Clone)]
pub struct Session {
    account: String,
    /// `None`: the caller's own account, entered with the caller's own credentials as the campaign file says.
    credentials: Option<Renewable>,
    halt: Halt,
}

impl Session {
    pub(super) async fn enter(
        sts: &aws_sdk_sts::Client,
        halt: &Halt,
        caller: &Caller,
        account: &str,
        role: &MemberRole,
        purpose: Purpose,
        session_name: &str,
    ) -> Result<Session, AwsError> {
        let request = RoleRequest {
            role_arn: role_arn(&caller.partition, account, &role.path, &role.name),
            session_name: session_name.to_owned(),
            external_id: role.external_id.clone(),
            duration: role.session_duration,
            policy: (role.session_policy == SessionPolicy::Narrow).then(|| session_policy(purpose)),
        };
        if account == caller.account && role.own_account == OwnAccount::Caller {
            return Ok(Session { account: account.to_owned(), credentials: None, halt: halt.clone() });
        }
        let first = assume_role(sts, &request).await.map_err(|error| halt.heed(error))?;
        let credentials = Renewable(Arc::new(MemberCredentials {
            sts: sts.clone(),
            halt: halt.clone(),
            request,
            current: Mutex::new(Current { credentials: first, failed: None }),
            refused: std::sync::Mutex::default(),
        }));
        Ok(Session { account: account.to_owned(), credentials: Some(credentials), halt: halt.clone() })
    }

    /// Whether it is the caller's own session, and bears no name of ours.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.credentials.is_none()
    }

    /// Twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }
}

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
    s3_calls: Calls,
    ssm_calls: Calls,
    kms_calls: Calls,
    config_calls: Calls,
    s3: std::sync::Mutex<HashMap<String, S3>>,
}

/// What all clients of one account and service share: how many calls may be under way, and a retry quota of their own. By
/// default the SDK has one quota for a service and Region in the whole process, so that one throttled account would take the
/// retries of all others.
#[derive(Clone)]
pub(super) struct Calls {
    adaptive: Adaptive,
    pub(super) observer: Observer,
    pub(super) partition: RetryPartition,
    pub(super) classifier: ExpiredIsTransient,
    /// In the caller's own account the calls are made with the caller's own credentials.
    own: Option<Halt>,
}

impl Calls {
    fn new(service: &str, session: &Session, most: usize) -> Calls {
        let adaptive = Adaptive::new(most);
        Calls {
            observer: Observer { adaptive: adaptive.clone(), credentials: session.credentials.clone() },
            adaptive,
            partition: RetryPartition::custom(format!("{service} {}", session.account)).build(),
            classifier: ExpiredIsTransient { renewable: !session.is_own() },
            own: session.is_own().then(|| session.halt.clone()),
        }
    }

    /// Waits until one more call may be under way.
    pub(super) async fn enter(&self) -> Permit {
        self.adaptive.enter().await
    }

    /// Looks at the error of a call, and hands it on: the end of the caller's own credentials ends the run.
    pub(super) fn heed(&self, error: AwsError) -> AwsError {
        match &self.own {
            Some(halt) => halt.heed(error),
            None => error,
        }
    }
}

/// Calls of one account under way to KMS, and to AWS Config: a few for each Region, when there is something to undo.
const OTHER_CALLS: usize = 10;

/// Attempts of the SDK for one read in a member account, the first one included.
const READ_ATTEMPTS: u32 = 6;
/// The longest wait between two of them.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

impl Member {
    pub(super) fn new(config: &SdkConfig, session: &Session, limits: CallLimits) -> Member {
        let home = config.region().map(ToString::to_string).unwrap_or_default();
        let credentials = session.credentials.clone().map(SharedCredentialsProvider::new);
        let mut config = derive(config, &home, credentials)
            .to_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS).with_max_backoff(LONGEST_BACKOFF));
        if session.credentials.is_some() {
            // They are kept, and renewed when they were refused, by themselves.
            config = config.identity_cache(IdentityCache::no_cache());
        }
        Member {
            account: session.account.clone(),
            config: config.build(),
            s3_calls: Calls::new("s3", session, limits.s3),
            ssm_calls: Calls::new("ssm", session, limits.ssm),
            kms_calls: Calls::new("kms", session, OTHER_CALLS),
            config_calls: Calls::new("config", session, OTHER_CALLS),
            s3: std::sync::Mutex::default(),
        }
    }

    /// S3 in a Region of this account.
    #[must_use]
    pub fn s3(&self, region: &str) -> S3 {
        let mut clients = self.s3.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match clients.get(region) {
            Some(client) => client.clone(),
            None => {
                let client = S3::new(&derive(&self.config, region, None), &self.account, &self.s3_calls);
                clients.insert(region.to_owned(), client.clone());
                client
            }
        }
    }

    /// S3 in the Region that calls without a place of their own go to.
    #[must_use]
    pub fn s3_at_home(&self) -> S3 {
        self.s3(self.config.region().map_or("", |region| region.as_ref()))
    }

    /// `DescribeKey` in a Region, as this account's session. The key may be named in any form that KMS takes.
    pub async fn describe_key(&self, region: &str, key: &str) -> Result<KeyFacts, AwsError> {
        let settings = aws_sdk_kms::config::Builder::from(&derive(&self.config, region, None))
            .retry_partition(self.kms_calls.partition.clone())
            .retry_classifier(self.kms_calls.classifier)
            .interceptor(self.kms_calls.observer.clone());
        let _permit = self.kms_calls.enter().await;
        super::kms::describe_key(&aws_sdk_kms::Client::from_conf(settings.build()), key)
            .await
            .map_err(|error| self.kms_calls.heed(error))
    }

    /// The client of AWS Config in a Region of this account, and what its calls share.
    pub(super) fn config_service(&self, region: &str) -> (aws_sdk_config::Client, &Calls) {
        let settings = aws_sdk_config::config::Builder::from(&derive(&self.config, region, None))
            .retry_partition(self.config_calls.partition.clone())
            .retry_classifier(self.config_calls.classifier)
            .interceptor(self.config_calls.observer.clone());
        (aws_sdk_config::Client::from_conf(settings.build()), &self.config_calls)
    }

    /// Systems Manager in a Region of this account.
    #[must_use]
    pub fn ssm(&self, region: &str) -> Ssm {
        Ssm::new(&derive(&self.config, region, None), &self.ssm_calls)
    }
}

/// The credentials of one session, shared by all who use them.
#[derive(Clone, Debug)]
pub(super) struct Renewable(Arc<MemberCredentials>);

impl Renewable {
    /// A service refused what was signed with this access key, although it should be valid: the next one who asks gets a new
    /// session. Of many who are refused together, only the first one counts.
    pub(super) fn refuse(&self, access_key: &str) {
        *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(access_key.to_owned());
    }
}

impl ProvideCredentials for Renewable {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.current())
    }
}

/// Whoever finds the credentials old or refused renews them; the others wait for that one call.
struct MemberCredentials {
    sts: aws_sdk_sts::Client,
    halt: Halt,
    request: RoleRequest,
    current: Mutex<Current>,
    /// The access key that a service refused last.
    refused: std::sync::Mutex<Option<String>>,
}

struct Current {
    credentials: Credentials,
    /// When a renewal failed last, and why.
    failed: Option<(Instant, AwsError)>,
}

/// A role that denied is not asked again for so long: each refused call of the account comes back in its own time.
const DENIED_FOR: Duration = Duration::from_secs(30);

impl Current {
    /// The failed renewal that one who asked for credentials at a moment shares, if any. Whoever waited for it shares it; one
    /// that is not about to pass is everybody's for a while. A throttled one is not: it would fail the account's other
    /// buckets with it.
    fn shared_failure(&self, asked: Instant, now: Instant, halted: bool) -> Option<AwsError> {
        let (at, error) = self.failed.as_ref()?;
        let lasting = halted || (error.code == "AccessDenied" && now.duration_since(*at) < DENIED_FOR);
        (*at >= asked || lasting).then(|| error.clone())
    }
}

impl fmt::Debug for MemberCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberCredentials").field("role", &self.request.role_arn).finish_non_exhaustive()
    }
}

impl MemberCredentials {
    async fn current(&self) -> Result<Credentials, CredentialsError> {
        let asked = Instant::now();
        let mut current = self.current.lock().await;
        let old = current.credentials.expiry().is_some_and(|end| end < SystemTime::now() + RENEW_BEFORE);
        let refused = {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.as_deref() == Some(current.credentials.access_key_id())
        };
        if old || refused {
            if let Some(error) = current.shared_failure(asked, Instant::now(), self.halt.reason().is_some()) {
                return Err(CredentialsError::provider_error(NotRenewed(error)));
            }
            match assume_role(&self.sts, &self.request).await {
                Ok(credentials) => *current = Current { credentials, failed: None },
                Err(error) => {
                    let error = self.halt.heed(error);
                    current.failed = Some((Instant::now(), error.clone()));
                    return Err(CredentialsError::provider_error(NotRenewed(error)));
                }
            }
        }
        Ok(current.credentials.clone())
    }
}

/// A session could not be renewed: what AssumeRole said. It reaches [`super::error::aws_error`] through the SDK's own errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotRenewed(pub(super) AwsError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_that_lasts_is_everybodys() {
        let at = Instant::now() + Duration::from_secs(60);
        let failed = |code: &str| Current {
            credentials: Credentials::new("AKID", "secret", None, None, "test"),
            failed: Some((at, AwsError { code: code.into(), message: String::new(), hint: String::new() })),
        };
        let (before, after) = (at - Duration::from_secs(1), at + Duration::from_secs(1));
        for (code, asked, now, halted, shared) in [
            ("Throttling", before, after, false, true),
            ("Throttling", after, after, false, false),
            ("AccessDenied", after, after, false, true),
            ("AccessDenied", at + DENIED_FOR, at + DENIED_FOR, false, false),
            ("ExpiredToken", after, after, true, true),
        ] {
            let share = failed(code).shared_failure(asked, now, halted);
            assert_eq!(share.is_some(), shared, "{code} {halted}");
        }
        let none = Current { credentials: Credentials::new("AKID", "secret", None, None, "test"), failed: None };
        assert_eq!(none.shared_failure(before, after, true), None);
    }
}
