//! A session in a member account: one `AssumeRole`, shared by every client of the account, refreshed before it expires.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use super::derived::derive;
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
    credentials: Option<SharedCredentialsProvider>,
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
            return Ok(Session { account: account.to_owned(), credentials: None });
        }
        let first = assume_role(sts, &request).await.map_err(|error| halt.heed(error))?;
        let credentials =
            MemberCredentials { sts: sts.clone(), halt: halt.clone(), request, current: Mutex::new(first) };
        Ok(Session { account: account.to_owned(), credentials: Some(SharedCredentialsProvider::new(credentials)) })
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

/// A member account while it is worked on: its clients, one for each service and Region.
pub struct Member {
    account: String,
    config: SdkConfig,
    s3: std::sync::Mutex<HashMap<String, S3>>,
}

impl Member {
    pub(super) fn new(config: &SdkConfig, session: &Session) -> Member {
        let home = config.region().map(ToString::to_string).unwrap_or_default();
        Member {
            account: session.account.clone(),
            config: derive(config, &home, session.credentials.clone()),
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
                let client = S3::new(&derive(&self.config, region, None), &self.account);
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
        super::kms::describe_key(&self.config, region, key).await
    }

    /// The configuration for a Region of this account.
    pub(super) fn config_in(&self, region: &str) -> SdkConfig {
        derive(&self.config, region, None)
    }

    /// Systems Manager in a Region of this account.
    #[must_use]
    pub fn ssm(&self, region: &str) -> Ssm {
        Ssm::new(&derive(&self.config, region, None))
    }
}

/// The credentials of one session. Whoever finds them old renews them; the others wait for that one call.
struct MemberCredentials {
    sts: aws_sdk_sts::Client,
    halt: Halt,
    request: RoleRequest,
    current: Mutex<Credentials>,
}

impl fmt::Debug for MemberCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberCredentials").field("role", &self.request.role_arn).finish_non_exhaustive()
    }
}

impl ProvideCredentials for MemberCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let mut current = self.current.lock().await;
            let old = current.expiry().is_some_and(|end| end < SystemTime::now() + RENEW_BEFORE);
            if old {
                *current = assume_role(&self.sts, &self.request)
                    .await
                    .map_err(|error| CredentialsError::provider_error(self.halt.heed(error).to_string()))?;
            }
            Ok(current.clone())
        })
    }
}
