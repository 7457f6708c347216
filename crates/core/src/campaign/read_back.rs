//! S3's own word on a change.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Campaign;
use super::changed_types::{blocked_types_changed, is_unknown_element, keeps_blocked_types};
use super::life::Life;
use super::place::Place;
use crate::judge::unread_reason;
use crate::ledger::{BucketEvent, BucketState};
use crate::model::{AwsError, DefaultEncryption, Judgement, Reason, Verdict};

/// Between two reads of a change that does not show.
const READ_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

impl Campaign {
    /// Law 4: success is what S3 says. A put may take time to show, so after a success S3 is asked again for a while.
    /// `None`: the run was stopped before S3 could say.
    pub(super) async fn read_back(
        &self,
        place: &Place<'_>,
        life: &Life,
        failure: Option<AwsError>,
    ) -> Option<BucketEvent> {
        let bucket = life.bucket();
        let restore = life.state().restore.as_deref();
        let until = Instant::now() + self.file.executions.read_back_for();
        let mut pause = READ_AGAIN.0;
        loop {
            let read = place.s3.default_encryption(&bucket.name).await;
            let patient = failure.is_none() && Instant::now() < until;
            match read {
                Ok(shown) => {
                    let judgement = self.judge_for(&shown, bucket, restore);
                    let as_wanted = matches!(judgement.verdict, Verdict::Sealed | Verdict::Restored);
                    let kept = keeps_blocked_types(life.state(), &shown);
                    if as_wanted && kept {
                        return Some(BucketEvent::ReadBack { judgement, encryption: Some(shown), error: None });
                    }
                    if !patient {
                        let put = life.state().is_put(&shown) || failure.is_none() && life.state().omits_types();
                        return Some(match !kept && (as_wanted || put) {
                            true => blocked_types_changed(bucket, life.state(), shown),
                            false => not_effective(life.state(), shown, failure),
                        });
                    }
                }
                Err(error) if !patient || error.code == "NoSuchBucket" => {
                    let judgement =
                        Judgement { verdict: Verdict::Unread, reason: unread_reason(&error), observed: None };
                    return Some(BucketEvent::ReadBack { judgement, encryption: None, error: Some(error) });
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = sleep(pause) => pause = (pause * 2).min(READ_AGAIN.1),
            }
        }
    }
}

/// S3 does not show the change, whatever the execution says of itself.
fn not_effective(state: &BucketState, shown: DefaultEncryption, failure: Option<AwsError>) -> BucketEvent {
    let omitted = state.omits_types();
    let unchanged = state.encryption.as_ref().is_some_and(|before| shown.means(before));
    if let Some(error) = failure.clone().filter(|failure| !omitted && unchanged && is_unknown_element(failure)) {
        return BucketEvent::BlockedTypesRefused { encryption: shown, error };
    }
    let (reason, error) = match failure {
        Some(failure) => (Reason::ExecutionFailed, failure),
        None => (
            Reason::NotEffective,
            AwsError {
                code: "NotEffective".to_owned(),
                message: "the execution reports success, but S3 does not show the wanted configuration".to_owned(),
                hint: "compare the document in the account with the shipped one; find out what else changes the bucket"
                    .to_owned(),
            },
        ),
    };
    let judgement = Judgement { verdict: Verdict::Failed, reason, observed: None };
    BucketEvent::ReadBack { judgement, encryption: Some(shown), error: Some(error) }
}
