//! The caller's own credentials have come to their end: nothing can go on, and everybody has to hear of it.

use std::sync::Arc;

use tokio::sync::watch;

use super::error::NO_CREDENTIALS;
use crate::model::AwsError;

/// Raised once, by whichever call made with the caller's own credentials finds out first.
#[derive(Clone, Debug)]
pub struct Halt(Arc<watch::Sender<Option<AwsError>>>);

impl Default for Halt {
    fn default() -> Self {
        Halt(Arc::new(watch::Sender::new(None)))
    }
}

/// What AWS says of credentials that are not valid any more.
const EXPIRED: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    NO_CREDENTIALS,
];

impl Halt {
    /// Looks at the error of a call made with the caller's own credentials, and hands it on.
    pub(super) fn heed(&self, error: AwsError) -> AwsError {
        if EXPIRED.contains(&error.code.as_str()) {
            self.0.send_if_modified(|reason| {
                let first = reason.is_none();
                if first {
                    *reason = Some(error.clone());
                }
                first
            });
        }
        error
    }

    /// Why everything has to stop; `None` while it does not.
    #[must_use]
    pub fn reason(&self) -> Option<AwsError> {
        self.0.borrow().clone()
    }

    /// Returns when it is raised.
    pub async fn raised(&self) {
        // The sender lives as long as we do.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> AwsError {
        AwsError { code: code.into(), message: "m".into(), hint: "h".into() }
    }

    #[tokio::test]
    async fn only_the_callers_end_raises_it_and_the_first_reason_stays() {
        let halt = Halt::default();
        halt.heed(error("AccessDenied"));
        assert_eq!(halt.reason(), None);
        halt.heed(error("ExpiredToken"));
        halt.heed(error("RequestExpired"));
        assert_eq!(halt.reason().unwrap().code, "ExpiredToken");
        halt.raised().await;
    }
}
