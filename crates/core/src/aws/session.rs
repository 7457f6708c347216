//! A session in a member account: one `AssumeRole`, shared by every client of the account, renewed before it expires and when
//! a service refuses it.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio::sync::Mutex;

use super::not_renewed::NotRenewed;
use super::sts::{RoleAssumer, RoleRequest};
use super::{Caller, Halt, Progress};
use crate::clock;
use crate::config::{MemberRole, OwnAccount, SessionPolicy};
use crate::model::{AwsError, role_arn};

/// A session is renewed this long before it ends, so that no call leaves with credentials about to expire.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// So often a session is renewed because a service refused it. A refusal that new sessions do not end has another cause.
const MOST_RENEWALS: u32 = 3;

/// A session in a member account: small enough to be kept for every account of an organization.
#[derive(Clone)]
pub struct Session {
    pub(super) account: String,
    /// `None`: the caller's own account, entered with the caller's own credentials as the campaign file says.
    pub(super) credentials: Option<Renewable>,
    pub(super) halt: Halt,
    pub(super) progress: Progress,
}

impl Session {
    /// When this account last gave a usable answer.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    pub(super) async fn enter(
        sts: &RoleAssumer,
        halt: &Halt,
        caller: &Caller,
        account: &str,
        role: &MemberRole,
        policy: String,
        session_name: &str,
    ) -> Result<Session, AwsError> {
        let request = RoleRequest {
            role_arn: role_arn(&caller.partition, account, &role.path, &role.name),
            session_name: session_name.to_owned(),
            external_id: role.external_id.clone(),
            duration: role.session_duration,
            policy: (role.session_policy == SessionPolicy::Narrow).then_some(policy),
        };
        if account == caller.account && role.own_account == OwnAccount::Caller {
            return Ok(Session {
                account: account.to_owned(),
                credentials: None,
                halt: halt.clone(),
                progress: Progress::default(),
            });
        }
        let first = sts.assume(&request).await.map_err(|error| halt.heed(error))?;
        let credentials = Renewable(Arc::new(MemberCredentials {
            sts: sts.clone(),
            halt: halt.clone(),
            request,
            current: Mutex::new(Current { credentials: first, failed: None, refusals: 0 }),
            refused: std::sync::Mutex::default(),
        }));
        Ok(Session {
            account: account.to_owned(),
            credentials: Some(credentials),
            halt: halt.clone(),
            progress: Progress::default(),
        })
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
    sts: RoleAssumer,
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
    /// How often it was renewed since a service refused it.
    refusals: u32,
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
        let old = current.credentials.expiry().is_some_and(|end| end < clock::system_now() + RENEW_BEFORE);
        let refused = {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.as_deref() == Some(current.credentials.access_key_id()) && current.refusals < MOST_RENEWALS
        };
        if old || refused {
            let halted = self.halt.reason().await.is_some();
            if let Some(error) = current.shared_failure(asked, Instant::now(), halted) {
                return Err(CredentialsError::provider_error(NotRenewed(error)));
            }
            match self.sts.assume(&self.request).await {
                Ok(credentials) => {
                    let refusals = if old { 0 } else { current.refusals + 1 };
                    *current = Current { credentials, failed: None, refusals };
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_that_lasts_is_everybodys() {
        let at = Instant::now() + Duration::from_secs(60);
        let failed = |code: &str| Current {
            credentials: Credentials::new("AKID", "secret", None, None, "test"),
            failed: Some((at, AwsError { code: code.into(), message: String::new(), hint: String::new() })),
            refusals: 0,
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
        let none =
            Current { credentials: Credentials::new("AKID", "secret", None, None, "test"), failed: None, refusals: 0 };
        assert_eq!(none.shared_failure(before, after, true), None);
    }
}
