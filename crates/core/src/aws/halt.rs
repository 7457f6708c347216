//! The caller's own credentials have ended: no call can succeed any more, and the run stops cleanly.
//!
//! A service may call a token invalid that is valid, in a Region that is disabled in the caller's account for example. So such an
//! error is a suspicion until `GetCallerIdentity` confirms it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};

use super::error::NO_CREDENTIALS;
use super::sts::caller_identity;
use crate::model::AwsError;

/// Raised once, by whichever call made with the caller's own credentials finds out first.
#[derive(Clone, Debug)]
pub struct Halt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: watch::Sender<State>,
    sts: aws_sdk_sts::Client,
    /// When `GetCallerIdentity` last accepted the credentials.
    valid_at: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
enum State {
    Clear,
    Suspected(AwsError),
    Raised(AwsError),
}

/// So long the last answer of `GetCallerIdentity` counts: many calls that are refused together are confirmed once.
const CONFIRMED_FOR: Duration = Duration::from_secs(5);

/// Whether a code says that the credentials are not valid (any more).
pub(super) fn is_of_invalid_credentials(code: &str) -> bool {
    const CODES: [&str; 8] = [
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidToken",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        NO_CREDENTIALS,
    ];
    CODES.contains(&code)
}

impl Halt {
    pub(super) fn new(sts: aws_sdk_sts::Client) -> Halt {
        Halt(Arc::new(Inner { state: watch::Sender::new(State::Clear), sts, valid_at: Mutex::default() }))
    }

    /// Looks at the error of a call made with the caller's own credentials, and hands it on.
    pub(super) fn heed(&self, error: AwsError) -> AwsError {
        if is_of_invalid_credentials(&error.code) {
            self.0.state.send_if_modified(|state| {
                let first = matches!(state, State::Clear);
                if first {
                    *state = State::Suspected(error.clone());
                }
                first
            });
        }
        error
    }

    /// Why everything has to stop; `None` while it does not. A suspicion is confirmed first.
    pub async fn reason(&self) -> Option<AwsError> {
        if let State::Raised(error) = &*self.0.state.borrow() {
            return Some(error.clone());
        }
        if matches!(*self.0.state.borrow(), State::Clear) {
            return None;
        }
        let mut valid_at = self.0.valid_at.lock().await;
        // Another one may have confirmed it while this one waited.
        let suspected = match &*self.0.state.borrow() {
            State::Clear => return None,
            State::Raised(error) => return Some(error.clone()),
            State::Suspected(error) => error.clone(),
        };
        let known = valid_at.is_some_and(|at| at.elapsed() < CONFIRMED_FOR);
        let ended = match known {
            true => false,
            false => match caller_identity(&self.0.sts).await {
                Ok(_) => {
                    *valid_at = Some(Instant::now());
                    false
                }
                // An answer that did not come confirms nothing: the next refused call asks again.
                Err(error) => is_of_invalid_credentials(&error.code),
            },
        };
        self.0.state.send_replace(if ended { State::Raised(suspected.clone()) } else { State::Clear });
        ended.then_some(suspected)
    }

    /// Returns when it is raised.
    pub async fn raised(&self) {
        let mut state = self.0.state.subscribe();
        loop {
            // The sender lives as long as we do.
            let _ = state.wait_for(|state| !matches!(state, State::Clear)).await;
            if self.reason().await.is_some() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// STS with one answer for everybody.
    #[derive(Debug)]
    struct Always(u16, &'static str);

    impl HttpConnector for Always {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let answer = HttpResponse::new(self.0.try_into().unwrap(), SdkBody::from(self.1));
            HttpConnectorFuture::ready(Ok(answer))
        }
    }

    fn halt(status: u16, body: &'static str) -> Halt {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(Always(status, body))))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("A", "s", None, None, "test")))
            .build();
        Halt::new(aws_sdk_sts::Client::new(&config))
    }

    fn error(code: &str) -> AwsError {
        AwsError { code: code.into(), message: "m".into(), hint: "h".into() }
    }

    const EXPIRED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code></Error></ErrorResponse>";
    const VALID: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/x</Arn>\
                         <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

    #[tokio::test]
    async fn only_the_end_of_the_callers_credentials_raises_it_and_the_first_reason_stays() {
        let halt = halt(403, EXPIRED);
        halt.heed(error("AccessDenied"));
        assert_eq!(halt.reason().await, None);
        halt.heed(error("UnrecognizedClientException"));
        halt.heed(error("RequestExpired"));
        assert_eq!(halt.reason().await.unwrap().code, "UnrecognizedClientException");
        halt.raised().await;
    }

    #[tokio::test]
    async fn credentials_that_sts_accepts_have_not_ended() {
        let halt = halt(200, VALID);
        for code in ["UnrecognizedClientException", "ExpiredToken", "InvalidToken"] {
            halt.heed(error(code));
            assert_eq!(halt.reason().await, None, "{code}");
        }
        let raised = tokio::time::timeout(Duration::from_millis(20), halt.raised()).await;
        assert!(raised.is_err());
    }
}
