//! The central keys, looked at again while a campaign runs: a key that turns bad stops its Region.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::aws::Aws;
use crate::judge::key_fault;
use crate::model::{AwsError, KeyArn};

/// What is wrong with each Region's key, as far as it was looked at lately.
pub(super) struct KeyWatch {
    aws: Aws,
    every: Duration,
    looks: std::sync::Mutex<BTreeMap<String, Arc<Mutex<Option<Look>>>>>,
}

struct Look {
    at: Instant,
    fault: Option<AwsError>,
}

impl KeyWatch {
    pub(super) fn new(aws: Aws, every: Duration) -> KeyWatch {
        KeyWatch { aws, every, looks: std::sync::Mutex::default() }
    }

    /// Forgets what was seen: whoever asks next gets a fresh look.
    pub(super) fn forget(&self) {
        self.looks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    /// Why nothing may be pointed at a key now (`DescribeKey`, once for all who ask within the time). Whoever asks
    /// while the call is under way waits for its answer.
    pub(super) async fn fault(&self, key: &KeyArn) -> Option<AwsError> {
        let look = {
            let mut looks = self.looks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(looks.entry(key.to_string()).or_default())
        };
        let mut look = look.lock().await;
        match &*look {
            Some(look) if look.at.elapsed() < self.every => look.fault.clone(),
            _ => {
                let fault = self.look(key).await;
                *look = Some(Look { at: Instant::now(), fault: fault.clone() });
                fault
            }
        }
    }

    async fn look(&self, key: &KeyArn) -> Option<AwsError> {
        match self.aws.describe_key(key).await {
            Ok(facts) => key_fault(&facts, key).map(|fault| AwsError {
                code: "KeyNotUsable".to_owned(),
                message: format!("the central key {key} cannot be used: {fault}"),
                hint:
                    "name another key in [central_key], or put this one right, then `orgseal resume --retry-failed`; \
                       S3 would accept it, and every later write would fail"
                        .to_owned(),
            }),
            Err(error) => Some(error),
        }
    }
}
