//! What the calls of one account to one service share.

use aws_sdk_s3::config::retry::RetryPartition;

use super::adaptive::{Adaptive, Permit};
use super::call_log::CallLog;
use super::disabled_region::Regions;
use super::observer::{ExpiredIsTransient, Observer};
use super::{Halt, Session};
use crate::model::AwsError;

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
    pub(super) fn new(service: &str, session: &Session, regions: &Regions, most: usize) -> Calls {
        let adaptive = Adaptive::new(most);
        Calls {
            observer: Observer {
                adaptive: adaptive.clone(),
                regions: regions.clone(),
                progress: session.progress.clone(),
                log: CallLog::of_account(&session.account),
            },
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
