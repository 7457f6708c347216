//! S3's own word on a change.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::life::Life;
use super::omission::Stake;
use super::place::Place;
use super::{Campaign, CampaignError};
use crate::event::Event;
use crate::judge::unread_reason;
use crate::ledger::{BucketEvent, BucketState};
use crate::model::{
    AwsError, BlockedTypesElement, Bucket, DefaultEncryption, EncryptionRule, Judgement, OmissionOutcome,
    OmissionRecord, Reason, Verdict,
};
use crate::plan::put_command;

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
                        let put = took_effect(life.state(), &shown) || failure.is_none() && omits(life.state());
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

    /// Notes that Automation does not know the element where an execution failed for it: whoever starts next omits it.
    pub(super) fn note_refusal(&self, life: &Life) {
        let Some(intent) = life.state().intent.as_ref().filter(|_| !omits(life.state())) else { return };
        let Bucket { account, region, .. } = life.bucket();
        if !life.failure.as_ref().is_some_and(is_unknown_element)
            || !self.omissions.refuse(account, region, &intent.document_hash)
        {
            return;
        }
        let message = format!(
            "Automation in account {account}, {region} does not know BlockedEncryptionTypes; nothing was changed, and the element is \
             omitted from here on"
        );
        self.events.emit(&Event::Warning { message });
    }

    /// Records what S3 showed together with what that teaches about `BlockedEncryptionTypes`, so that a crash in between costs no
    /// second bucket its block.
    pub(super) async fn record_read_back(
        &self,
        life: &mut Life,
        read: BucketEvent,
    ) -> Result<BucketState, CampaignError> {
        let bucket = life.bucket().clone();
        let learned = self.learned(&bucket, life.state(), &read);
        let state = self.ledger.record_with(&bucket, read, learned.clone()).await?;
        if let Some(learned) = learned {
            if let (OmissionOutcome::Changed, Some(error)) = (learned.outcome, &state.error) {
                let message =
                    format!("account {}, {}: {}. To {}", bucket.account, bucket.region, error.message, error.hint);
                self.events.emit(&Event::Warning { message });
            }
            self.omissions.learn(&learned);
        }
        if !omits(&state) && matches!(state.judgement.verdict, Verdict::Sealed | Verdict::Restored) {
            // Automation knows the element here, so nobody waits for a proof by this account.
            self.omissions.expect_no_more(&bucket.account, Some(&bucket.region));
        }
        life.turn = None;
        Ok(state)
    }

    /// What a read-back teaches about `BlockedEncryptionTypes`, where that is new.
    fn learned(&self, bucket: &Bucket, state: &BucketState, read: &BucketEvent) -> Option<OmissionRecord> {
        let intent = state.intent.as_ref()?;
        let types = expected_types(state);
        let record = |outcome, repair| OmissionRecord {
            account: bucket.account.clone(),
            region: bucket.region.clone(),
            bucket: bucket.name.clone(),
            document_hash: intent.document_hash.clone(),
            blocked: types.iter().map(ToString::to_string).collect(),
            outcome,
            repair,
        };
        let omitted = omits(state);
        match read {
            BucketEvent::BlockedTypesRefused { .. } => Some(record(OmissionOutcome::Refused, None)),
            BucketEvent::ReadBack { judgement, encryption: Some(shown), .. } if omitted => match judgement.verdict {
                Verdict::Sealed | Verdict::Restored => {
                    let stake = Stake::of_types(types.is_empty());
                    let known = self.omissions.is_kept(&bucket.region, &intent.document_hash, stake);
                    (!known).then(|| record(OmissionOutcome::Kept, None))
                }
                _ if judgement.reason == Reason::BlockedTypesChanged => {
                    Some(record(OmissionOutcome::Changed, repair(bucket, state, shown)))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// The encryption types that the bucket was to block after the change.
fn expected_types(state: &BucketState) -> BTreeSet<&str> {
    let rule = state.intent.as_ref().and_then(|intent| intent.rule.as_ref());
    rule.map(EncryptionRule::blocked_types)
        .or(state.found.as_ref().map(DefaultEncryption::blocked_types))
        .unwrap_or_default()
}

/// Whether S3 shows the blocked encryption types that the change was to keep. `NONE` that became `SSE-C` stops writers that use
/// SSE-C, so neither direction is as wanted.
fn keeps_blocked_types(state: &BucketState, shown: &DefaultEncryption) -> bool {
    let Some(intent) = &state.intent else { return true };
    // An intent of an earlier version whose bucket did not return the element says nothing of it.
    let unknown = intent.blocked_types.is_none() && intent.rule.as_ref().is_some_and(|rule| rule.blocked.is_none());
    unknown || shown.blocked_types() == expected_types(state)
}

/// Whether S3 shows the rule that was put, whatever types it blocks.
fn took_effect(state: &BucketState, shown: &DefaultEncryption) -> bool {
    let put = state.intent.as_ref().and_then(|intent| intent.rule.as_ref());
    put.zip(shown.only_rule()).is_some_and(|(put, shown)| shown.means_but_for_blocked_types(put))
}

/// Whether the start omitted `BlockedEncryptionTypes`.
fn omits(state: &BucketState) -> bool {
    state.intent.as_ref().and_then(|intent| intent.blocked_types) == Some(BlockedTypesElement::Omitted)
}

/// S3 shows the wanted key, and other blocked encryption types than before.
fn blocked_types_changed(bucket: &Bucket, state: &BucketState, shown: DefaultEncryption) -> BucketEvent {
    let words = |types: &BTreeSet<&str>| match types.is_empty() {
        true => "NONE".to_owned(),
        false => Vec::from_iter(types.iter().copied()).join(", "),
    };
    let (before, after) = (expected_types(state), shown.blocked_types());
    let harm = if before.is_subset(&after) { "it now rejects uploads that it accepted" } else { "it lost its block" };
    let error = AwsError {
        code: "BlockedTypesChanged".to_owned(),
        message: format!(
            "the change turned BlockedEncryptionTypes of {} from {} to {}: {harm}",
            bucket.name,
            words(&before),
            words(&after)
        ),
        hint: match repair(bucket, state, &shown) {
            Some(command) => format!("set it again in account {}: {command}", bucket.account),
            None => format!("set it again in account {}", bucket.account),
        },
    };
    let judgement = Judgement { verdict: Verdict::Failed, reason: Reason::BlockedTypesChanged, observed: None };
    BucketEvent::ReadBack { judgement, encryption: Some(shown), error: Some(error) }
}

/// The command that sets the blocked encryption types again, with everything else as S3 shows it.
fn repair(bucket: &Bucket, state: &BucketState, shown: &DefaultEncryption) -> Option<String> {
    let blocked = match expected_types(state) {
        none if none.is_empty() => vec!["NONE".to_owned()],
        types => types.into_iter().map(str::to_owned).collect(),
    };
    let rule = EncryptionRule { blocked: Some(blocked), ..shown.only_rule()?.clone() };
    Some(put_command(bucket, &rule))
}

/// What an execution's message says where Automation's API model does not know the element: botocore's parameter validation.
fn is_unknown_element(failure: &AwsError) -> bool {
    failure.message.contains("Unknown parameter") && failure.message.contains("BlockedEncryptionTypes")
}

/// S3 does not show the change, whatever the execution says of itself.
fn not_effective(state: &BucketState, shown: DefaultEncryption, failure: Option<AwsError>) -> BucketEvent {
    let omitted = omits(state);
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
                hint: "compare the document in the account with the one that ships; look for whoever else changes the bucket".to_owned(),
            },
        ),
    };
    let judgement = Judgement { verdict: Verdict::Failed, reason, observed: None };
    BucketEvent::ReadBack { judgement, encryption: Some(shown), error: Some(error) }
}
