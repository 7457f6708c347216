//! Regions that are disabled in an account.
//!
//! A bucket outlives the disabling of its Region and stays in `ListBuckets`. Services there then call the session's token invalid (S3
//! `InvalidToken`, JSON services `UnrecognizedClientException`, query services `InvalidClientTokenId`), although the same session works
//! in every other Region. So a refused call is first tried once more, with a new session. If that one is refused as well,
//! `GetCallerIdentity` in another Region decides: where the session is valid, an opt-in Region that never accepted one is disabled, and
//! gets no more requests. In a Region that cannot be disabled, or that accepted a session before, the refusal is reported as it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Notify;

use super::caller_credentials::CallerCredentials;
use super::halt::is_of_invalid_credentials;
use super::not_renewed::NotRenewed;
use super::session::Renewable;
use super::sts;
use crate::model::{AwsError, Partition, REGION_DISABLED};

/// A first call that is still under way after this long holds back no other.
const LONGEST_FIRST_CALL: Duration = Duration::from_secs(40);
/// So many sessions are renewed in a run before an opt-in Region is taken to be disabled. After that, the second try uses the same session:
/// in an organization where hundreds of accounts have disabled a Region, each would cost an AssumeRole call.
const MOST_TRIAL_RENEWALS: u32 = 3;

/// Whether an account has to opt in to the Region before it can be used.
pub(super) fn is_opt_in(region: &str) -> bool {
    Partition::of_region(region).is_some_and(|partition| partition.is_opt_in(region))
}

/// What a service says of a token that it does not know: the session has ended, or its account has disabled the Region.
pub(super) fn is_token_refused(code: &str) -> bool {
    matches!(code, "InvalidToken" | "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId")
}

/// The error of every call in a Region that is disabled in an account.
pub(super) fn region_disabled(account: &str, region: &str, refusal: &str) -> AwsError {
    AwsError {
        code: REGION_DISABLED.to_owned(),
        message: format!(
            "Region {region} is disabled in account {account}: {refusal} there, while the same credentials are valid in other Regions"
        ),
        hint: format!(
            "enable the Region (`aws account enable-region --account-id {account} --region-name {region}`), or exclude it with \
             --region '!{region}'"
        ),
    }
}

/// A call was not sent, since its Region is disabled in the account. It reaches [`super::error::aws_error`] through the SDK's errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RegionDisabled(pub(super) AwsError);

/// The Regions that were found to be disabled, by account, with what a service said there: kept for the whole run, since sessions come
/// and go.
#[derive(Clone, Default)]
pub(super) struct DisabledRegions(Arc<AllDisabled>);

#[derive(Default)]
struct AllDisabled {
    by_account: Mutex<HashMap<String, BTreeMap<String, String>>>,
    trial_renewals: AtomicU32,
}

impl DisabledRegions {
    fn add(&self, account: &str, region: &str, refusal: &str) {
        let mut all = lock(&self.0.by_account);
        all.entry(account.to_owned()).or_default().insert(region.to_owned(), refusal.to_owned());
    }

    fn may_renew(&self) -> bool {
        self.0.trial_renewals.fetch_add(1, Ordering::Relaxed) < MOST_TRIAL_RENEWALS
    }

    fn error(&self, account: &str, region: &str) -> Option<AwsError> {
        let all = lock(&self.0.by_account);
        let refusal = all.get(account)?.get(region)?;
        Some(region_disabled(account, region, refusal))
    }
}

/// Whose credentials sign the calls in an account.
#[derive(Clone)]
pub(super) enum Source {
    /// A session of the member role.
    Member(Renewable),
    /// The caller's own, in the caller's own account.
    Caller(CallerCredentials),
}

/// The Regions of one account while it is worked on: which of them accept its session.
#[derive(Clone)]
pub(super) struct Regions(Arc<Inner>);

struct Inner {
    account: String,
    source: Source,
    /// For `GetCallerIdentity`; its Region is replaced where it is the one in doubt.
    config: SdkConfig,
    disabled: DisabledRegions,
    seen: Mutex<HashMap<String, Seen>>,
    changed: Notify,
    confirming: tokio::sync::Mutex<()>,
}

/// What is known of one Region.
#[derive(Default)]
struct Seen {
    /// It answered something else than "invalid token".
    accepts: bool,
    /// When its first call began, while that one is under way.
    first_call: Option<Instant>,
    /// The access key that was refused, and with which code.
    refused: Option<(String, String)>,
    /// A refused call was tried once more.
    tried_again: bool,
    /// The session is valid and the Region is not disabled: each call gets the service's own answer.
    reported: bool,
}

/// Whether a call may be sent, or what is known of its Region has changed while it waited.
#[derive(PartialEq, Eq)]
enum Turn {
    Send,
    LookAgain,
}

impl Regions {
    pub(super) fn new(account: &str, source: Source, config: &SdkConfig, disabled: &DisabledRegions) -> Regions {
        Regions(Arc::new(Inner {
            account: account.to_owned(),
            source,
            config: config.clone(),
            disabled: disabled.clone(),
            seen: Mutex::default(),
            changed: Notify::new(),
            confirming: tokio::sync::Mutex::default(),
        }))
    }

    /// The credentials for calls in one Region. They are an error once the Region is known to be disabled.
    pub(super) fn credentials(&self, region: &str) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(InRegion { regions: self.clone(), region: region.to_owned() })
    }

    /// A service in a Region answered a call that was signed with this key: with this error code, if any.
    pub(super) fn answered(&self, region: &str, key: &str, code: Option<&str>) {
        let refused = code.filter(|code| is_token_refused(code));
        {
            let mut seen = lock(&self.0.seen);
            let known = seen.get(region);
            if refused.is_none() && known.is_some_and(|known| known.accepts && !known.tried_again) {
                return;
            }
            let region = seen.entry(region.to_owned()).or_default();
            region.first_call = None;
            match refused {
                Some(code) => region.refused = Some((key.to_owned(), code.to_owned())),
                None => *region = Seen { accepts: true, ..Seen::default() },
            }
        }
        self.0.changed.notify_waiters();
    }

    /// No answer came to a call in a Region: the next one finds out.
    pub(super) fn unanswered(&self, region: &str) {
        if let Some(region) = lock(&self.0.seen).get_mut(region) {
            region.first_call = None;
        }
        self.0.changed.notify_waiters();
    }

    /// Another Region accepts the session: the refused one cannot be refusing it for its age.
    fn works_elsewhere(&self, region: &str) -> bool {
        lock(&self.0.seen).iter().any(|(known, seen)| known != region && seen.accepts)
    }

    /// Renews the session before the next call, if it is one that can be renewed.
    pub(super) fn renew(&self, key: &str) {
        if let Source::Member(renewable) = &self.0.source {
            renewable.refuse(key);
        }
    }

    async fn current(&self) -> Result<Credentials, CredentialsError> {
        match &self.0.source {
            Source::Member(renewable) => renewable.provide_credentials().await,
            Source::Caller(caller) => caller.provide_credentials().await,
        }
    }

    async fn for_call(&self, region: &str) -> Result<Credentials, CredentialsError> {
        loop {
            self.stop_if_disabled(region)?;
            self.wait_for_first_call(region).await;
            self.stop_if_disabled(region)?;
            let in_doubt = lock(&self.0.seen).get(region).is_some_and(|seen| seen.refused.is_some() && !seen.reported);
            if !in_doubt || self.confirm(region).await? == Turn::Send {
                return self.current().await;
            }
        }
    }

    /// Whether a Region that refuses a session may be disabled: the account has to opt in to it, it never accepted a session, and the
    /// session was found valid in another one.
    fn may_be_disabled(&self, region: &str) -> bool {
        let accepted = lock(&self.0.seen).get(region).is_some_and(|seen| seen.accepts);
        is_opt_in(region) && !accepted && other_region(&self.home(), region) != region
    }

    fn home(&self) -> String {
        self.0.config.region().map(ToString::to_string).unwrap_or_default()
    }

    fn stop_if_disabled(&self, region: &str) -> Result<(), CredentialsError> {
        match self.0.disabled.error(&self.0.account, region) {
            Some(error) => Err(CredentialsError::provider_error(RegionDisabled(error))),
            None => Ok(()),
        }
    }

    /// In a Region that may be disabled, the first call goes alone: where it is refused, no other is sent.
    async fn wait_for_first_call(&self, region: &str) {
        if !is_opt_in(region) {
            return;
        }
        loop {
            let changed = self.0.changed.notified();
            {
                let mut seen = lock(&self.0.seen);
                let seen = seen.entry(region.to_owned()).or_default();
                let under_way = seen.first_call.is_some_and(|since| since.elapsed() < LONGEST_FIRST_CALL);
                if seen.accepts || seen.refused.is_some() {
                    return;
                }
                if !under_way {
                    seen.first_call = Some(Instant::now());
                    return;
                }
            }
            // A first call whose task was dropped tells nobody.
            let _ = tokio::time::timeout(Duration::from_secs(1), changed).await;
        }
    }

    /// Decides what a refused session means: one call asks, the others wait for the answer.
    async fn confirm(&self, region: &str) -> Result<Turn, CredentialsError> {
        let _one = self.0.confirming.lock().await;
        self.stop_if_disabled(region)?;
        let Some((key, code)) = lock(&self.0.seen).get(region).and_then(|seen| seen.refused.clone()) else {
            return Ok(Turn::LookAgain);
        };
        let credentials = self.current().await?;
        // Another call had the session renewed since.
        let renewed = credentials.access_key_id() != key;
        let first_refusal = lock(&self.0.seen).get(region).is_some_and(|seen| !seen.tried_again);
        if first_refusal {
            if !renewed && (!self.may_be_disabled(region) || self.0.disabled.may_renew()) {
                self.renew(&key);
            }
            self.try_again(region);
            return Ok(Turn::Send);
        }
        let refusal = if renewed { Validity::Unknown } else { self.validity(region, credentials).await };
        let may_be_disabled = self.may_be_disabled(region);
        if let Some(seen) = lock(&self.0.seen).get_mut(region) {
            seen.refused = None;
            seen.reported = matches!(refusal, Validity::Valid) && !may_be_disabled;
        }
        match (refusal, &self.0.source) {
            (Validity::Valid, _) if may_be_disabled => {
                self.0.disabled.add(&self.0.account, region, &format!("services answer {code}"));
                self.stop_if_disabled(region)?;
            }
            (Validity::Valid | Validity::Unknown, _) => {}
            (Validity::Invalid(_), Source::Member(renewable)) => renewable.refuse(&key),
            (Validity::Invalid(error), Source::Caller(_)) => {
                return Err(CredentialsError::provider_error(NotRenewed(error)));
            }
        }
        Ok(Turn::Send)
    }

    /// The next call decides; in an opt-in Region it goes alone.
    fn try_again(&self, region: &str) {
        if let Some(seen) = lock(&self.0.seen).get_mut(region) {
            seen.refused = None;
            seen.tried_again = true;
            seen.first_call = Some(Instant::now());
        }
    }

    /// Whether credentials are valid: `GetCallerIdentity` in another Region.
    async fn validity(&self, refusing: &str, credentials: Credentials) -> Validity {
        let config = (self.0.config.to_builder())
            .region(Region::new(other_region(&self.home(), refusing)))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        match sts::caller_identity(&sts::client(&config)).await {
            Ok(_) => Validity::Valid,
            Err(error) if is_of_invalid_credentials(&error.code) => Validity::Invalid(error),
            // STS gave no answer. Then what other Regions answered decides.
            Err(_) if self.works_elsewhere(refusing) => Validity::Valid,
            Err(_) => Validity::Unknown,
        }
    }
}

/// What `GetCallerIdentity` says of credentials that a Region refused.
enum Validity {
    Valid,
    Invalid(AwsError),
    Unknown,
}

/// The home Region, or where that one is in doubt, one of its partition that is always enabled.
fn other_region(home: &str, refusing: &str) -> String {
    if home != refusing {
        return home.to_owned();
    }
    let enabled = Partition::of_region(home).into_iter().flat_map(|partition| &partition.enabled_regions);
    // A partition of one Region has no other.
    enabled.into_iter().find(|region| *region != refusing).map_or(home, String::as_str).to_owned()
}

/// The credentials of an account for calls in one Region.
#[derive(Clone)]
struct InRegion {
    regions: Regions,
    region: String,
}

impl std::fmt::Debug for InRegion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InRegion({} {})", self.regions.0.account, self.region)
    }
}

impl std::fmt::Debug for Regions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Regions({})", self.0.account)
    }
}

impl ProvideCredentials for InRegion {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.regions.for_call(&self.region))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regions_of_the_commercial_partition_from_after_2019_are_opt_in() {
        for region in ["me-south-1", "eu-south-2", "ap-east-1", "il-central-1", "mx-central-1"] {
            assert!(is_opt_in(region), "{region}");
        }
        for region in ["us-east-1", "eu-north-1", "us-gov-east-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1"] {
            assert!(!is_opt_in(region), "{region}");
        }
    }

    #[test]
    fn a_session_is_confirmed_in_another_region() {
        assert_eq!(other_region("eu-west-1", "me-south-1"), "eu-west-1");
        assert_eq!(other_region("me-south-1", "me-south-1"), "us-east-1");
        assert_eq!(other_region("us-east-1", "us-east-1"), "us-west-2");
        assert_eq!(other_region("cn-north-1", "cn-north-1"), "cn-northwest-1");
        assert_eq!(other_region("us-iso-east-1", "us-iso-east-1"), "us-iso-west-1");
        assert_eq!(other_region("eusc-de-east-1", "eusc-de-east-1"), "eusc-de-east-1");
        assert_eq!(other_region("moon-base-1", "moon-base-1"), "moon-base-1");
    }
}
