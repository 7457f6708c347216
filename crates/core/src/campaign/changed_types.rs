//! What a change did to `BlockedEncryptionTypes`, and what that teaches: shown by its read-back or, where there was none, when the
//! bucket is read again.

use std::collections::BTreeSet;

use super::life::Life;
use super::omission::Stake;
use super::{Campaign, CampaignError};
use crate::event::Event;
use crate::ledger::{BucketEvent, BucketState, Phase};
use crate::model::{
    AwsError, Bucket, DefaultEncryption, EncryptionRule, Judgement, OmissionOutcome, OmissionRecord, Reason, Verdict,
};
use crate::plan::put_command;

impl Campaign {
    /// Notes that Automation does not know the element where an execution failed for it: the next start omits it.
    pub(super) fn note_refusal(&self, life: &Life) {
        let Some(intent) = life.state().intent.as_ref().filter(|_| !life.state().omits_types()) else { return };
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

    /// Records what S3 showed after an execution, with what that teaches.
    pub(super) async fn record_read_back(
        &self,
        life: &mut Life,
        read: BucketEvent,
    ) -> Result<BucketState, CampaignError> {
        let learned = self.learned(life.bucket(), life.state(), &read);
        let state = self.record_learned(life.bucket(), read, learned).await?;
        if !state.omits_types() && matches!(state.judgement.verdict, Verdict::Sealed | Verdict::Restored) {
            // Automation knows the element here, so nobody waits for a proof by this account.
            self.omissions.expect_no_more(&life.bucket().account, Some(&life.bucket().region));
        }
        // A bucket that could not be read keeps its turn while it is tried again: the next read decides.
        if state.judgement.verdict != Verdict::Unread {
            life.turn = None;
        }
        Ok(state)
    }

    /// Records what S3 shows before another start, with what that teaches about the last one, where its read-back did not.
    pub(super) async fn record_look(&self, life: &Life, look: BucketEvent) -> Result<BucketState, CampaignError> {
        let learned = self.learned_late(life.bucket(), life.state(), &look);
        self.record_learned(life.bucket(), look, learned).await
    }

    /// Records an event together with what it teaches about `BlockedEncryptionTypes`, so that a crash in between costs no second
    /// bucket its block.
    async fn record_learned(
        &self,
        bucket: &Bucket,
        event: BucketEvent,
        learned: Option<OmissionRecord>,
    ) -> Result<BucketState, CampaignError> {
        let state = self.ledger.record_with(bucket, event, learned.clone()).await?;
        if let Some(learned) = learned {
            if let (OmissionOutcome::Changed, Some(error)) = (learned.outcome, &state.error) {
                let message =
                    format!("account {}, {}: {}. To {}", bucket.account, bucket.region, error.message, error.hint);
                self.events.emit(&Event::Warning { message });
            }
            self.omissions.learn(&learned);
        }
        Ok(state)
    }

    /// What a read-back teaches about `BlockedEncryptionTypes`, where that is new.
    fn learned(&self, bucket: &Bucket, state: &BucketState, read: &BucketEvent) -> Option<OmissionRecord> {
        match read {
            BucketEvent::BlockedTypesRefused { .. } => Some(record(bucket, state, OmissionOutcome::Refused, None)),
            BucketEvent::ReadBack { judgement, encryption: Some(shown), .. } => {
                self.outcome(bucket, state, judgement.reason, judgement.verdict, shown)
            }
            _ => None,
        }
    }

    /// The same for a later look. A start that was refused changed nothing.
    fn learned_late(&self, bucket: &Bucket, state: &BucketState, look: &BucketEvent) -> Option<OmissionRecord> {
        let BucketEvent::Judged { judgement, encryption: Some(shown), .. } = look else { return None };
        let undecided = state.execution.is_some() && state.is_put(shown) && !state.was_read_back();
        undecided.then(|| self.outcome(bucket, state, judgement.reason, judgement.verdict, shown)).flatten()
    }

    fn outcome(
        &self,
        bucket: &Bucket,
        state: &BucketState,
        reason: Reason,
        verdict: Verdict,
        shown: &DefaultEncryption,
    ) -> Option<OmissionRecord> {
        if !state.omits_types() {
            return None;
        }
        if reason == Reason::BlockedTypesChanged {
            return Some(record(bucket, state, OmissionOutcome::Changed, repair(bucket, state, shown)));
        }
        let (hash, stake) = (&state.intent.as_ref()?.document_hash, Stake::of_types(state.expected_types().is_empty()));
        let proves = matches!(verdict, Verdict::Sealed | Verdict::Restored)
            && keeps_blocked_types(state, shown)
            && !self.omissions.is_kept(&bucket.region, hash, stake);
        proves.then(|| record(bucket, state, OmissionOutcome::Kept, None))
    }
}

fn record(bucket: &Bucket, state: &BucketState, outcome: OmissionOutcome, repair: Option<String>) -> OmissionRecord {
    OmissionRecord {
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        bucket: bucket.name.clone(),
        document_hash: state.intent.as_ref().map(|intent| intent.document_hash.clone()).unwrap_or_default(),
        blocked: state.expected_types().iter().map(ToString::to_string).collect(),
        outcome,
        repair,
    }
}

/// A bucket whose blocked encryption types a change of this campaign altered is not sealed only because it uses the central key, or for
/// having its former one again. That may show only now: the read-back failed, or the change took effect after it.
pub(super) fn still_changed(bucket: &Bucket, state: &BucketState, look: &mut BucketEvent) {
    let BucketEvent::Judged { judgement, encryption: Some(shown), error, .. } = look else { return };
    let verdict = match (judgement.verdict, judgement.reason) {
        (Verdict::Sealed, _) => Verdict::NotSealed,
        (Verdict::Restored, _) => Verdict::NotRestored,
        // The rollback's own put, and not somebody else's.
        (Verdict::Held, Reason::ChangedSince) if state.restore.is_some() && state.is_put(shown) => Verdict::NotRestored,
        _ => return,
    };
    // A start that was refused changed nothing.
    let refused = state.judgement.reason == Reason::StartRefused;
    if refused || (state.types_to_set_again(shown).is_none() && !lost(state, shown)) {
        return;
    }
    *judgement = Judgement { verdict, reason: Reason::BlockedTypesChanged, observed: None };
    *error = Some(types_changed(bucket, state, shown));
}

/// Why nothing is started on a bucket whose blocked types a change altered: with what happened to it, and the command that helps.
pub(super) fn with_types_changed(state: &BucketState, error: AwsError) -> AwsError {
    match state.error.as_ref().filter(|_| state.judgement.reason == Reason::BlockedTypesChanged) {
        Some(changed) => AwsError {
            message: format!("{}; {}", changed.message, error.message),
            hint: format!("{}; or {}", error.hint, changed.hint),
            ..error
        },
        None => error,
    }
}

/// Whether a start was made that nobody could read back. A bucket that is gone has nothing to lose.
pub(super) fn is_unread_change(state: &BucketState) -> bool {
    let gone = state.error.as_ref().is_some_and(|error| error.code == "NoSuchBucket");
    state.phase == Phase::Settled && state.judgement.verdict == Verdict::Unread && state.execution.is_some() && !gone
}

/// Whether S3 shows what the last start put, with other blocked types than it was to keep, and no read-back showed the kept ones in
/// between.
fn lost(state: &BucketState, shown: &DefaultEncryption) -> bool {
    state.is_put(shown) && !keeps_blocked_types(state, shown) && !state.was_read_back()
}

/// Whether S3 shows the blocked encryption types that the change was to keep. `NONE` that became `SSE-C` stops writers that use
/// SSE-C, so neither change is wanted.
pub(super) fn keeps_blocked_types(state: &BucketState, shown: &DefaultEncryption) -> bool {
    state.types_to_keep().is_none_or(|kept| shown.blocked_types() == kept)
}

/// S3 shows the wanted key, and other blocked encryption types than before.
pub(super) fn blocked_types_changed(bucket: &Bucket, state: &BucketState, shown: DefaultEncryption) -> BucketEvent {
    let error = types_changed(bucket, state, &shown);
    let judgement = Judgement { verdict: Verdict::Failed, reason: Reason::BlockedTypesChanged, observed: None };
    BucketEvent::ReadBack { judgement, encryption: Some(shown), error: Some(error) }
}

/// What the change did to the blocked types, and how to set them again.
fn types_changed(bucket: &Bucket, state: &BucketState, shown: &DefaultEncryption) -> AwsError {
    let words = |types: &BTreeSet<&str>| match types.is_empty() {
        true => "NONE".to_owned(),
        false => Vec::from_iter(types.iter().copied()).join(", "),
    };
    let (before, after) = (state.expected_types(), shown.blocked_types());
    let harm = if before.is_subset(&after) { "it now rejects uploads that it accepted" } else { "it lost its block" };
    AwsError {
        code: "BlockedTypesChanged".to_owned(),
        message: format!(
            "the change turned BlockedEncryptionTypes of {} from {} to {}: {harm}",
            bucket.name,
            words(&before),
            words(&after)
        ),
        hint: match repair(bucket, state, shown) {
            Some(command) => format!("set it again in account {}: {command}", bucket.account),
            None => format!("set it again in account {}", bucket.account),
        },
    }
}

/// The command that sets the blocked encryption types again, with everything else as S3 shows it.
fn repair(bucket: &Bucket, state: &BucketState, shown: &DefaultEncryption) -> Option<String> {
    let blocked = match state.expected_types() {
        none if none.is_empty() => vec!["NONE".to_owned()],
        types => types.into_iter().map(str::to_owned).collect(),
    };
    let rule = EncryptionRule { blocked: Some(blocked), ..shown.only_rule()?.clone() };
    Some(put_command(bucket, &rule))
}

/// What an execution's message says where Automation's API model does not know the element: botocore's parameter validation.
pub(super) fn is_unknown_element(failure: &AwsError) -> bool {
    failure.message.contains("Unknown parameter") && failure.message.contains("BlockedEncryptionTypes")
}
