//! One bucket, from where it stands to its end: room, look, intent, start, follow, read back.
//!
//! Each step begins from what is in the ledger, so a life that a crash cut short goes on where it was: a resumed bucket and a
//! fresh one take the same steps.

use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::time::{sleep, timeout};

use super::changed_types::{is_unread_change, still_changed, with_types_changed};
use super::examine::{Outlook, hold};
use super::execution_failure::failure;
use super::fail_point::fail_point;
use super::follow::Followed;
use super::life::{Life, not_started};
use super::omission::Stake;
use super::place::{Place, keep, pause};
use super::reading::no_progress;
use super::slots::Slot;
use super::start::Sent;
use super::under_way::FORGOTTEN;
use super::{Campaign, CampaignError};
use crate::event::Event;
use crate::judge::{FailureClass, classify, execution_is_retryable};
use crate::ledger::{BucketEvent, BucketState, Intent, Phase};
use crate::model::{
    AwsError, BlockedTypesElement, Bucket, DefaultEncryption, ExecutionStatus, GuardFinding, Judgement, Operation,
    Reason, Verdict,
};
use crate::plan::{Change, client_token};

/// What a step comes to.
enum Step {
    /// It goes on from here.
    On(BucketState),
    /// Nothing more is to be done, and this is what is said of the bucket.
    Over(BucketState),
    /// It stays where it is: the run stops, or starts nothing.
    Left,
}

impl Campaign {
    /// Carries a bucket from where it stands to its end.
    pub(super) async fn carry(&self, place: &Place<'_>, mut life: Life) -> Result<(), CampaignError> {
        loop {
            let step = match life.state().phase {
                Phase::Judged => self.attempt(place, &mut life).await?,
                Phase::Intended => self.send(place, &mut life).await?,
                Phase::Started => self.follow(place, &mut life).await?,
                Phase::Ended => self.look_back(place, &mut life).await?,
                Phase::Settled => self.settle(place, &mut life).await?,
            };
            match step {
                Step::On(state) => life.open.state = state,
                Step::Over(state) => {
                    // Counted before its leave is given back: nobody may come in between.
                    if state.judgement.verdict == Verdict::Failed {
                        place.work.tolerance.failed(place.account);
                    }
                    if let Some(turn) = life.turn.as_ref().filter(|_| is_unread_change(&state)) {
                        turn.leave_unread();
                    }
                    self.settled(life.bucket(), &state);
                    return Ok(());
                }
                Step::Left => {
                    if matches!(life.state().phase, Phase::Intended | Phase::Started) {
                        keep(life.slots.take());
                    }
                    return Ok(());
                }
            }
        }
    }

    async fn record(&self, life: &Life, event: BucketEvent) -> Result<BucketState, CampaignError> {
        Ok(self.ledger.record(life.bucket(), event).await?)
    }

    /// From a judgement to an intent in the ledger, if a look at the bucket still says so.
    async fn attempt(&self, place: &Place<'_>, life: &mut Life) -> Result<Step, CampaignError> {
        if self.options.settle_only || self.no_starts.is_cancelled() {
            return Ok(Step::Left);
        }
        // Nothing will be started in a dry run, so nothing takes room.
        if !self.options.dry_run {
            // Before anything is taken up: who waits here would keep others from it.
            if !self.take_turn(place, life).await {
                return Ok(Step::Left);
            }
            if life.first.is_none() {
                let alone = self.may_be_denied(place, life);
                let entered = tokio::select! {
                    entered = place.first.enter(alone) => entered,
                    () = self.no_starts.cancelled() => return Ok(Step::Left),
                };
                match entered {
                    Ok(first) => life.first = first,
                    Err(error) => return self.hold_denied(life, &error).await,
                }
            }
            if life.pass.is_none() {
                life.pass = tokio::select! {
                    pass = place.work.tolerance.bucket() => Some(pass),
                    () = self.no_starts.cancelled() => return Ok(Step::Left),
                };
            }
            if life.slots.is_none() {
                match self.room(place, life).await? {
                    Ok(slots) => life.slots = Some(slots),
                    Err(step) => return Ok(step),
                }
            }
        }
        // Before the look: what ends in between shows in it.
        if let Some(earlier) = place.work.earlier.get(&life.bucket().name)
            && let Some(error) = self.under_way(place, life.bucket(), earlier).await
        {
            let event = not_started(Verdict::Failed, Reason::UnderWay, None, &error);
            return Ok(Step::Over(self.record(life, event).await?));
        }
        // Law 6: a key that has turned bad stops its Region.
        let turned_bad = self.key_fault(place.account, place.region).await.map(|fault| (Reason::KeyNotUsable, fault));
        if let Some((reason, fault)) = turned_bad.or_else(|| place.proof.clone().err()) {
            let event = not_started(Verdict::Held, reason, None, &fault);
            return Ok(Step::Over(self.record(life, event).await?));
        }
        // Law 8: what was read when the bucket was judged may be hours old.
        let reading = self.look(&place.s3, life.bucket(), Some(&place.work.look), life.state().restore.as_deref());
        let Some(mut look) = place.work.silence.call(reading).await else {
            let error = no_progress(place.account, self.file.limits.account_read_deadline());
            let unread = not_started(Verdict::Unread, Reason::NoAnswer, None, &error);
            return Ok(Step::Over(self.record(life, unread).await?));
        };
        still_changed(life.bucket(), life.state(), &mut look);
        let found = match look {
            BucketEvent::Judged { judgement, encryption: Some(ref found), .. } if waits(judgement) => {
                let (same, found) = (self.says_nothing_new(life, judgement, found), found.clone());
                if !same {
                    life.open.state = self.record_look(life, look).await?;
                }
                found
            }
            mut changed => {
                own_doing(life.bucket(), life.state(), &mut changed);
                return Ok(Step::Over(self.record_look(life, changed).await?));
            }
        };
        if let Some(step) = Box::pin(self.still_planned(place, life, &found)).await? {
            return Ok(step);
        }
        let intent = match self.intent(place, life, &found).await {
            Ok(intent) => intent,
            Err((reason, error)) => {
                let error = with_types_changed(life.state(), error);
                let held = not_started(Verdict::Held, reason, Some(found), &error);
                return Ok(Step::Over(self.record(life, held).await?));
            }
        };
        if self.options.dry_run || self.no_starts.is_cancelled() {
            return Ok(Step::Left);
        }
        // Another bucket's execution may have been denied meanwhile.
        if let Some(error) = place.first.denied() {
            return self.hold_denied(life, &error).await;
        }
        // The bucket, or what is known of Automation, changed while this one waited: it takes the turn that fits now.
        if intent.blocked_types == Some(BlockedTypesElement::Omitted)
            && !life.turn.as_ref().is_some_and(|turn| turn.serves(Stake::of(&found), &intent.document_hash))
        {
            return Ok(Step::On(life.state().clone()));
        }
        fail_point("before_intent");
        // Law 3: durable before the call leaves.
        let state = self.record(life, BucketEvent::Intended { intent, found }).await?;
        fail_point("after_intent");
        life.unsent = true;
        life.looked_into = false;
        life.intended_at = Some(Instant::now());
        life.attempts += 1;
        Ok(Step::On(state))
    }

    /// Holds a bucket since an execution before it was denied.
    async fn hold_denied(&self, life: &Life, error: &AwsError) -> Result<Step, CampaignError> {
        let held = not_started(Verdict::Held, Reason::ChangeDenied, life.state().encryption.clone(), error);
        Ok(Step::Over(self.record(life, held).await?))
    }

    /// Whether a bucket that waits may go on: as the approved plan has it, and with a fresh word of the guards. `None`: it may.
    async fn still_planned(
        &self,
        place: &Place<'_>,
        life: &mut Life,
        found: &DefaultEncryption,
    ) -> Result<Option<Step>, CampaignError> {
        if self.operation == Operation::Restore {
            return Ok(None);
        }
        let (work, bucket) = (place.work, life.bucket().clone());
        let planned_anew = match self.plan.is_some() || life.state().wave.is_none() {
            true => match self.outlook(&work.look, &work.member, &bucket, found).await {
                _ if self.aws.halt().reason().await.is_some() => return Ok(Some(Step::Left)),
                Outlook::Planned { wave, guards, guarded_at } => Some((wave, guards, guarded_at)),
                Outlook::Held(reason, error) => {
                    let held = hold(life.state().judgement, reason, found.clone(), error);
                    return Ok(Some(Step::Over(self.record(life, held).await?)));
                }
            },
            false => None,
        };
        if let Some((wave, guards, guarded_at)) = planned_anew
            && (life.state().wave.is_none() || guards.iter().any(GuardFinding::holds))
        {
            life.open.state = self.record(life, BucketEvent::Planned { wave, guards, guarded_at }).await?;
            // Held by guards who looked just now, or by the approved plan, whatever guards would say by now.
            if life.state().judgement.verdict == Verdict::Held {
                return Ok(Some(Step::Over(life.state().clone())));
            }
        }
        // One whose wave was not known before may belong to a later one, which has not begun.
        if life.state().judgement.verdict == Verdict::NotSealed
            && work.wave.is_some_and(|at_work| life.state().wave != Some(at_work))
        {
            return Ok(Some(Step::Left));
        }
        if self.guards_are_stale(life.state()) {
            let wave = life.state().wave.unwrap_or(1);
            let (guards, guarded_at) = self.guard(&work.look, &work.member, &bucket, found).await;
            if self.aws.halt().reason().await.is_some() {
                return Ok(Some(Step::Left));
            }
            life.open.state = self.record(life, BucketEvent::Planned { wave, guards, guarded_at }).await?;
        }
        let held = life.state().judgement.verdict == Verdict::Held;
        Ok(held.then(|| Step::Over(life.state().clone())))
    }

    /// Whether a look shows just what the ledger says already.
    fn says_nothing_new(&self, life: &Life, judgement: Judgement, found: &DefaultEncryption) -> bool {
        let state = life.state();
        state.phase == Phase::Judged && state.judgement == judgement && state.encryption.as_ref() == Some(found)
    }

    /// What is to be started, whole, or why it must not be.
    async fn intent(
        &self,
        place: &Place<'_>,
        life: &Life,
        found: &DefaultEncryption,
    ) -> Result<Intent, (Reason, AwsError)> {
        let bucket = life.bucket();
        let document = place.document.as_ref().map_err(|error| (Reason::DocumentNotUsable, error.clone()))?;
        if let Some(restore) = life.state().restore.as_deref() {
            self.may_restore(place, bucket, restore).await?;
        }
        // Without a rule its judgement would be a hold; a campaign file that changed in between is refused before.
        let rule = self.rule_for(life, found).ok_or_else(|| (Reason::NoKeyForRegion, no_key(&bucket.region)))?;
        let change = Change { bucket, automation_role: &place.automation_role, rule: &rule };
        let start = self.planned_start(document, &change, found)?;
        let attempt = life.state().attempts() + 1;
        let mut earlier = life.state().intent.as_ref().map_or_else(Vec::new, |intent| intent.earlier.clone());
        earlier.extend(life.state().execution.as_ref().map(|execution| execution.id.clone()));
        Ok(Intent {
            operation: self.operation,
            attempt,
            client_token: client_token(&self.id, self.operation, bucket, attempt),
            document: document.reference.clone(),
            document_version: document.version.clone(),
            document_hash: document.runbook.hash().to_owned(),
            parameters: start.parameters,
            rule: Some(rule),
            blocked_types: Some(start.blocked_types),
            earlier,
        })
    }

    /// From an intent to an execution, or to the certainty that there is none.
    async fn send(&self, place: &Place<'_>, life: &mut Life) -> Result<Step, CampaignError> {
        let Some(intent) = life.state().intent.clone() else { return Ok(Step::Left) };
        let sent = match std::mem::take(&mut life.unsent) {
            true => self.start(place, &intent).await,
            false => {
                life.looked_into = true;
                self.find_out(place, life, &intent).await
            }
        };
        fail_point("after_start");
        match sent {
            Sent::Started(execution) => {
                life.seen = true;
                self.events.emit(&Event::ExecutionStarted { bucket: life.bucket().clone(), id: execution.clone() });
                let state = self.record(life, BucketEvent::Started { execution }).await?;
                fail_point("after_started");
                Ok(Step::On(state))
            }
            Sent::Adopted(execution) => {
                self.events.emit(&Event::ExecutionStarted { bucket: life.bucket().clone(), id: execution.clone() });
                let state = self.record(life, BucketEvent::Adopted { execution }).await?;
                fail_point("after_adopted");
                Ok(Step::On(state))
            }
            Sent::Refused(error) => {
                life.slots = None;
                self.learn_denial(place, life.bucket(), &error);
                Ok(Step::On(self.record(life, BucketEvent::StartRefused { error }).await?))
            }
            Sent::Never => {
                life.slots = None;
                Ok(Step::On(self.record(life, BucketEvent::NeverStarted).await?))
            }
            Sent::Unclear(error) => {
                let state = self.record(life, BucketEvent::StartUnknown { error }).await?;
                fail_point("after_start_unknown");
                // The ledger knows of the doubt; now it is looked into, once.
                if !life.looked_into && !self.stop.is_cancelled() {
                    return Ok(Step::On(state));
                }
                // Law 7: without a known outcome it counts as in flight, so its room is never given back in this run.
                keep(life.slots.take());
                Ok(Step::Over(state))
            }
            Sent::Stopped => Ok(Step::Left),
        }
    }

    /// From a known execution to its end.
    async fn follow(&self, place: &Place<'_>, life: &mut Life) -> Result<Step, CampaignError> {
        let Some(execution) = life.state().execution.clone() else { return Ok(Step::Left) };
        // What another process started may have ended long ago, beyond what the list shows.
        if !life.seen {
            life.seen = true;
            match place.ssm.explain(&execution.id).await {
                Ok(seen) if seen.status.has_ended() => {
                    return self.ended(place, life, seen.status, seen.message).await;
                }
                Err(error) if error.code == FORGOTTEN => {
                    let status = ExecutionStatus::from(ExecutionStatus::FORGOTTEN);
                    return self.ended(place, life, status, Some(error.message)).await;
                }
                // Followed, then.
                Ok(_) | Err(_) => {}
            }
        }
        let slots = match life.slots.take() {
            Some(slots) => slots,
            None => (place.region_slots.take_anyway(), place.work.slots.take_anyway()),
        };
        match place.follower.follow(life.bucket(), &execution.id, slots).await {
            Followed::Ended(status) => {
                // Only a failure is worth a call of its own.
                let message = match status.is_success() {
                    true => None,
                    false => self.why_it_failed(place, &execution.id).await,
                };
                self.ended(place, life, status, message).await
            }
            Followed::Overdue(status) => Ok(Step::Over(self.record(life, BucketEvent::Overdue { status }).await?)),
            Followed::Stopped => Ok(Step::Left),
            Followed::Lost => {
                let task =
                    format!("the task that follows executions in account {}, Region {}", place.account, place.region);
                self.task_lost(&task, "it panicked");
                // What is started now would be followed by nobody.
                self.no_starts.cancel();
                Ok(Step::Left)
            }
        }
    }

    async fn ended(
        &self,
        place: &Place<'_>,
        life: &mut Life,
        status: ExecutionStatus,
        message: Option<String>,
    ) -> Result<Step, CampaignError> {
        life.failure = failure(life, &status, message.clone(), &self.own_roles(place.account));
        // Before the next bucket gets its slot: it must not send what is rejected.
        self.learn_from_failure(place, life);
        life.slots = None;
        // A failure says nothing of denies: it may have come before the change was asked for.
        if status.is_success() {
            place.first.allowed();
        }
        self.events.emit(&Event::ExecutionEnded { bucket: life.bucket().clone(), status: status.clone() });
        fail_point("before_ended");
        let state = self.record(life, BucketEvent::Ended { status, message }).await?;
        fail_point("after_ended");
        Ok(Step::On(state))
    }

    /// From the end of an execution to what S3 shows.
    async fn look_back(&self, place: &Place<'_>, life: &mut Life) -> Result<Step, CampaignError> {
        self.recall_failure(place, life).await;
        let Some(read) = self.read_back(place, life, life.failure.clone()).await else { return Ok(Step::Left) };
        fail_point("before_read_back");
        let state = self.record_read_back(life, read).await?;
        fail_point("after_read_back");
        match state.phase == Phase::Settled && state.was_read_back() {
            true => place.first.allowed(),
            // The next bucket goes alone, and shows it.
            false => life.first = None,
        }
        if state.phase == Phase::Judged {
            // Nothing was changed, and this attempt does not count: the next one omits what Automation does not know.
            life.attempts = life.attempts.saturating_sub(1);
            (life.failure, life.seen) = (None, false);
        }
        Ok(Step::On(state))
    }

    /// From an outcome to another attempt, where one is worth it and allowed.
    async fn settle(&self, place: &Place<'_>, life: &mut Life) -> Result<Step, CampaignError> {
        let state = life.state().clone();
        let asked_for = std::mem::take(&mut life.asked_for);
        let again = asked_for
            || (life.attempts < self.file.executions.attempts
                && worth_another(&state)
                && !self.no_starts.is_cancelled());
        life.failure = None;
        if !again {
            return Ok(Step::Over(state));
        }
        if !asked_for {
            tokio::select! {
                () = self.no_starts.cancelled() => return Ok(Step::Over(state)),
                () = sleep(pause(life.attempts)) => {}
            }
        }
        life.seen = false;
        self.attempt(place, life).await
    }

    /// Room within both limits, or what it comes to that there is none to be had.
    async fn room(&self, place: &Place<'_>, life: &Life) -> Result<Result<(Slot, Slot), Step>, CampaignError> {
        let both = async { (place.region_slots.take().await, place.work.slots.take().await) };
        // An execution that is over its time limit may hold its room for ever.
        let patience = self.file.executions.time_limit() * 2;
        if !place.exhausted.load(Ordering::Relaxed) {
            tokio::select! {
                biased;
                () = self.no_starts.cancelled() => return Ok(Err(Step::Left)),
                slots = timeout(patience, both) => match slots {
                    Ok(slots) => return Ok(Ok(slots)),
                    Err(_) => place.exhausted.store(true, Ordering::Relaxed),
                },
            }
        }
        let error = AwsError {
            code: "NoCapacity".to_owned(),
            message: format!(
                "all execution slots of account {} and Region {} are held by executions that never finish",
                place.account, place.region
            ),
            hint: "look for them with aws ssm describe-automation-executions, stop them or raise the limits, then `orgseal resume`"
                .to_owned(),
        };
        let event = not_started(Verdict::Failed, Reason::NoCapacity, None, &error);
        Ok(Err(Step::Over(self.record(life, event).await?)))
    }

    pub(super) fn settled(&self, bucket: &Bucket, state: &BucketState) {
        self.events.emit(&Event::BucketSettled { finding: Box::new(state.finding(bucket.clone())) });
    }
}

/// A hold on what an attempt of this campaign left says so: nobody should look for a team that wanted it.
fn own_doing(bucket: &Bucket, state: &BucketState, look: &mut BucketEvent) {
    let BucketEvent::Judged { judgement, encryption: Some(shown), error, .. } = look else { return };
    let ours = state.left.as_ref().is_some_and(|left| left.means(shown));
    let as_found = state.found.as_ref().is_some_and(|found| found.means(shown));
    if judgement.verdict == Verdict::Held && ours && !as_found {
        *error = Some(AwsError {
            code: "LeftByAnAttempt".to_owned(),
            message:
                "the bucket shows what it showed right after an execution of this campaign, and not what was wanted"
                    .to_owned(),
            hint: format!(
                "find out what changed it: the document, or another caller at the same time; `orgseal rollback --bucket {}` restores \
                 what was there before",
                bucket.name
            ),
        });
    }
}

/// Whether a bucket of this judgement waits for a change.
fn waits(judgement: Judgement) -> bool {
    matches!(judgement.verdict, Verdict::NotSealed | Verdict::NotRestored)
}

/// Whether a cause may have passed when the same is tried again.
fn worth_another(state: &BucketState) -> bool {
    match (state.judgement.verdict, state.judgement.reason) {
        (Verdict::Failed, Reason::ExecutionFailed) => {
            let status = state.execution.as_ref().and_then(|execution| execution.status.as_ref());
            let message = state.error.as_ref().map(|error| error.message.as_str());
            status.is_some_and(|status| execution_is_retryable(status, message))
        }
        (Verdict::Failed, Reason::StartRefused) | (Verdict::Unread, _) => {
            state.error.as_ref().is_some_and(|error| classify(error) == FailureClass::Retryable)
        }
        _ => false,
    }
}

fn no_key(region: &str) -> AwsError {
    AwsError {
        code: "NoKey".to_owned(),
        message: format!("the campaign has no central key for {region}"),
        hint: "name one in [central_key]".to_owned(),
    }
}
