//! Sealing one account: Region by Region side by side, each bucket read again, started, followed, read back.
//!
//! The order that the laws ask for: room, look, intent in the ledger, start, outcome in the ledger, S3's own word.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{join, try_join_all};
use futures::stream::{self, StreamExt};
use tokio::time::{Instant, sleep, timeout};

use super::follow::{Followed, Follower, Watch};
use super::read::Entered;
use super::rollout::KeyFaults;
use super::slots::{Slot, Slots};
use super::{Campaign, CampaignError};
use crate::aws::{Member, S3, Ssm, StartRequest, Started};
use crate::event::Event;
use crate::judge::{Wanted, unread_reason};
use crate::ledger::{BucketEvent, BucketState, Intent, Unsettled};
use crate::model::{AwsError, Bucket, DefaultEncryption, Judgement, Operation, Reason, Verdict, role_arn};
use crate::plan::{AccountLimits, Change, Runbook, client_token};

/// Buckets taken up beyond the executions in flight: they wait for room, or for S3 to show a change.
const TAKEN_UP_BEYOND: usize = 8;
/// Tries of a start that gets no clear answer. Each carries the same client token.
const UNCLEAR_STARTS: u32 = 4;
/// Between two tries of a start that was refused for now, or got no clear answer.
const START_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Between two reads of a change that does not show.
const READ_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// One account at work.
struct AccountAtWork<'a> {
    member: Member,
    limits: AccountLimits,
    slots: Slots,
    /// Starts of earlier runs of which the ledger has no outcome, by bucket.
    earlier: BTreeMap<String, Unsettled>,
    faults: &'a KeyFaults,
    dry_run: bool,
}

/// One Region of it, ready for starts.
struct Place<'a> {
    work: &'a AccountAtWork<'a>,
    account: &'a str,
    region: &'a str,
    s3: S3,
    ssm: Ssm,
    wanted: Wanted,
    document: Document,
    automation_role: String,
    region_slots: Slots,
    follower: Follower,
    /// No slot became free in time: the buckets that are left do not wait in their turn.
    exhausted: AtomicBool,
}

/// The document as it is in this account and Region, read once.
struct Document {
    reference: String,
    version: String,
    runbook: Runbook,
}

impl Campaign {
    pub(super) async fn seal_account(
        &self,
        entered: Entered,
        buckets: u64,
        faults: &KeyFaults,
        dry_run: bool,
    ) -> Result<(), CampaignError> {
        let account = entered.account.id.clone();
        self.events.emit(&Event::AccountSealing { account: account.clone(), buckets });
        let (to_seal, earlier) = {
            let (reader, run) = self.reader()?;
            (reader.to_seal(&run, &account)?, reader.unsettled(&run, &account)?)
        };
        let limits = AccountLimits::of(&entered.account, &self.file.limits);
        let work = AccountAtWork {
            member: self.aws.member(&entered.session),
            limits,
            slots: Slots::new(limits.executions),
            earlier,
            faults,
            dry_run,
        };
        let regions = to_seal.chunk_by(|a, b| a.region == b.region);
        let _watched = self.watch_elsewhere(&work, &to_seal).await;
        // Every Region is looked at before the first start in any: what runs there counts for the account.
        let places: Vec<_> = try_join_all(regions.map(|buckets| self.ready(&work, buckets))).await?;
        let seals = places.iter().flatten().map(|(place, buckets)| self.seal_region(place, buckets));
        try_join_all(seals).await?;
        self.events.emit(&Event::AccountSealed { account });
        Ok(())
    }

    /// Watches the Regions in which an earlier run left starts without an outcome and this one has nothing to do: what still
    /// runs there takes room in the account all the same.
    async fn watch_elsewhere(&self, work: &AccountAtWork<'_>, to_seal: &[Bucket]) -> Vec<Follower> {
        let mut elsewhere: Vec<&String> = work.earlier.values().map(|start| &start.region).collect();
        elsewhere.sort_unstable();
        elsewhere.dedup();
        elsewhere.retain(|region| to_seal.iter().all(|bucket| bucket.region != **region));
        let mut watched = Vec::new();
        for region in elsewhere {
            match Follower::start(self.watch(work, region, Slots::new(work.limits.executions_per_region))).await {
                Ok(follower) => watched.push(follower),
                // Unknown is not ended.
                Err(_) => {
                    let there = work.earlier.values().filter(|start| start.region == *region).count();
                    work.slots.others(region, there);
                }
            }
        }
        watched
    }

    fn watch(&self, work: &AccountAtWork<'_>, region: &str, region_slots: Slots) -> Watch {
        Watch {
            ssm: work.member.ssm(region),
            region: region.to_owned(),
            document: self.file.document.name.clone(),
            session_name: self.session_name(),
            account_slots: work.slots.clone(),
            region_slots,
            time_limit: self.file.executions.time_limit(),
            events: self.events.clone(),
            stop: self.stop.clone(),
        }
    }

    /// Makes one Region ready for starts. `None`: nothing is to be started there, which is recorded.
    async fn ready<'a>(
        &self,
        work: &'a AccountAtWork<'a>,
        buckets: &'a [Bucket],
    ) -> Result<Option<(Place<'a>, &'a [Bucket])>, CampaignError> {
        let Some(Bucket { account, region, .. }) = buckets.first() else { return Ok(None) };
        if let Some(fault) = work.faults.get(region) {
            self.settle_all(buckets, Verdict::Held, Reason::KeyNotUsable, fault).await?;
            return Ok(None);
        }
        let Some(wanted) = self.wanted(region) else { return Ok(None) };
        let ssm = work.member.ssm(region);
        let region_slots = Slots::new(work.limits.executions_per_region);
        let watch = self.watch(work, region, region_slots.clone());
        let (document, follower) = join(self.document(&ssm, region), Follower::start(watch)).await;
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                self.settle_all(buckets, Verdict::Held, Reason::DocumentNotUsable, &error).await?;
                return Ok(None);
            }
        };
        let follower = match follower {
            Ok(follower) => follower,
            Err(error) => {
                self.settle_all(buckets, Verdict::Failed, Reason::CannotFollow, &error).await?;
                return Ok(None);
            }
        };
        let role = &self.file.automation_role;
        let place = Place {
            work,
            account,
            region,
            s3: work.member.s3(region),
            ssm,
            wanted,
            document,
            automation_role: role_arn(&self.aws.caller().partition, account, &role.path, &role.name),
            region_slots,
            follower,
            exhausted: AtomicBool::new(false),
        };
        Ok(Some((place, buckets)))
    }

    /// Seals the buckets of one Region, at most `limits.executions_per_region` in flight, and no more in the account than
    /// its own slots have room for.
    async fn seal_region(&self, place: &Place<'_>, buckets: &[Bucket]) -> Result<(), CampaignError> {
        let mut seals = pin!(
            stream::iter(buckets.to_vec())
                .take_until(self.stop.cancelled())
                .map(|bucket| self.seal_bucket(place, bucket))
                .buffer_unordered(place.work.limits.executions_per_region + TAKEN_UP_BEYOND)
        );
        while let Some(sealed) = seals.next().await {
            if let Some(state) = sealed? {
                self.settled(state.0, &state.1);
            }
        }
        Ok(())
    }

    /// Seals one bucket. `None`: nothing new is to be said of it.
    async fn seal_bucket(
        &self,
        place: &Place<'_>,
        bucket: Bucket,
    ) -> Result<Option<(Bucket, BucketState)>, CampaignError> {
        let bucket = &bucket;
        let slots = match place.work.dry_run {
            // Nothing will be started, so nothing takes room.
            true => None,
            false => match self.room(place, bucket).await? {
                Some(slots) => Some(slots),
                None => return Ok(None),
            },
        };
        // Before the look: what ends in between shows in it.
        if let Some(earlier) = place.work.earlier.get(&bucket.name)
            && let Some(error) = self.under_way(place, bucket, earlier).await
        {
            let event = not_started(Verdict::Failed, Reason::UnderWay, None, &error);
            return Ok(Some((bucket.clone(), self.ledger.record(bucket, event).await?)));
        }
        // Law 8: what was read when the organization was judged may be hours old.
        let look = self.look(&place.s3, bucket).await;
        let found = match look {
            BucketEvent::Judged { judgement, encryption: Some(ref found), .. }
                if judgement.verdict == Verdict::NotSealed =>
            {
                found.clone()
            }
            changed => return Ok(Some((bucket.clone(), self.ledger.record(bucket, changed).await?))),
        };
        let rule = place.wanted.rule(&found);
        let seal = Change { bucket, automation_role: &place.automation_role, rule: &rule };
        let parameters = match place.document.runbook.parameters_for(&seal) {
            Ok(parameters) => parameters,
            Err(cannot) => {
                let error = AwsError {
                    code: "DocumentCannotCarry".to_owned(),
                    message: format!("document {} in {}: {cannot}", self.file.document.name, place.region),
                    hint: "use the document that ships in config/documents, or a campaign file that wants what this document does".to_owned(),
                };
                let held = not_started(Verdict::Held, Reason::DocumentCannotCarry, Some(found), &error);
                return Ok(Some((bucket.clone(), self.ledger.record(bucket, held).await?)));
            }
        };
        let Some(slots) = slots.filter(|_| !self.stop.is_cancelled()) else { return Ok(None) };
        let attempt = 1;
        let intent = Intent {
            operation: Operation::Seal,
            attempt,
            client_token: client_token(&self.id, Operation::Seal, bucket, attempt),
            document: place.document.reference.clone(),
            document_version: place.document.version.clone(),
            document_hash: place.document.runbook.hash().to_owned(),
            parameters,
        };
        // Law 3: durable before the call leaves.
        self.ledger.record(bucket, BucketEvent::Intended { intent: intent.clone(), found }).await?;
        let execution = match self.start(place, &intent).await {
            Started::Yes(id) => id,
            Started::Refused(error) | Started::Later(error) => {
                let state = self.ledger.record(bucket, BucketEvent::StartRefused { error }).await?;
                return Ok(Some((bucket.clone(), state)));
            }
            Started::Unknown(error) => {
                let state = self.ledger.record(bucket, BucketEvent::StartUnknown { error }).await?;
                // Law 7: without a known outcome it counts as in flight, so its room is never given back in this run.
                std::mem::forget(slots);
                return Ok(Some((bucket.clone(), state)));
            }
        };
        self.events.emit(&Event::ExecutionStarted { bucket: bucket.clone(), id: execution.clone() });
        self.ledger.record(bucket, BucketEvent::Started { execution: execution.clone() }).await?;
        let status = match place.follower.follow(bucket, &execution, slots).await {
            Followed::Ended(status) => status,
            Followed::Overdue(status) => {
                let state = self.ledger.record(bucket, BucketEvent::Overdue { status }).await?;
                return Ok(Some((bucket.clone(), state)));
            }
            Followed::Stopped => return Ok(None),
        };
        // Only a failure is worth a call of its own.
        let message = match status.is_success() {
            true => None,
            false => place.ssm.explain(&execution).await.ok().and_then(|failure| failure.message),
        };
        let succeeded = status.is_success();
        let failure = (!succeeded).then(|| AwsError {
            code: format!("Execution{}", status.as_str()),
            message: message.clone().unwrap_or_else(|| format!("execution {execution} ended as {}", status.as_str())),
            hint: format!(
                "look at it in account {} and Region {}: aws ssm get-automation-execution --automation-execution-id {execution}",
                place.account, place.region
            ),
        });
        self.ledger.record(bucket, BucketEvent::Ended { status, message }).await?;
        let Some(read) = self.read_back(place, bucket, failure).await else { return Ok(None) };
        Ok(Some((bucket.clone(), self.ledger.record(bucket, read).await?)))
    }

    /// Whether a start of an earlier run may still act on the bucket: then nothing new is started on it, and this is why.
    async fn under_way(&self, place: &Place<'_>, bucket: &Bucket, earlier: &Unsettled) -> Option<AwsError> {
        let why = match &earlier.execution {
            Some(id) => match place.ssm.explain(id).await {
                Ok(seen) if seen.status.has_ended() => return None,
                Ok(seen) => format!("execution {id} of run {} is {}", earlier.run, seen.status.as_str()),
                // Executions are kept for thirty days: one that is not known any more does nothing any more.
                Err(error) if error.code == "AutomationExecutionNotFoundException" => return None,
                Err(error) => format!("how execution {id} of run {} stands cannot be learned ({error})", earlier.run),
            },
            // Its execution is not known, but an execution ends.
            None if earlier.since.elapsed().is_ok_and(|since| since > self.file.executions.time_limit()) => {
                return None;
            }
            None => format!("a start of run {} left, and its answer never came", earlier.run),
        };
        Some(AwsError {
            code: "UnderWay".to_owned(),
            message: format!("{why}, so nothing new is started on {}", bucket.name),
            hint: format!(
                "run again when it has ended: aws ssm describe-automation-executions --region {}, in account {}",
                place.region, place.account
            ),
        })
    }

    /// Room within both limits. `None`: the run was stopped, or there is none to be had (which is recorded).
    async fn room(&self, place: &Place<'_>, bucket: &Bucket) -> Result<Option<(Slot, Slot)>, CampaignError> {
        let both = async { (place.region_slots.take().await, place.work.slots.take().await) };
        // An execution that is over its time limit may hold its room for ever.
        let patience = self.file.executions.time_limit() * 2;
        if !place.exhausted.load(Ordering::Relaxed) {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                slots = timeout(patience, both) => match slots {
                    Ok(slots) => return Ok(Some(slots)),
                    Err(_) => place.exhausted.store(true, Ordering::Relaxed),
                },
            }
        }
        let error = AwsError {
            code: "NoCapacity".to_owned(),
            message: format!(
                "executions that do not end take all the room that the limits leave in account {} and Region {}",
                place.account, place.region
            ),
            hint: "look for them with aws ssm describe-automation-executions, stop them or raise the limits, and run again".to_owned(),
        };
        let event = not_started(Verdict::Failed, Reason::NoCapacity, None, &error);
        let state = self.ledger.record(bucket, event).await?;
        self.settled(bucket.clone(), &state);
        Ok(None)
    }

    /// Starts the execution. Refusals "for now" are waits, up to the time limit; a start without a clear answer is tried a
    /// few times. Each try carries the same client token, and after an unclear one no refusal proves that nothing runs:
    /// the first try may have been accepted, and AWS does not say what a repeated token gets.
    async fn start(&self, place: &Place<'_>, intent: &Intent) -> Started {
        let request = StartRequest {
            document: &intent.document,
            version: &intent.document_version,
            parameters: &intent.parameters,
            client_token: &intent.client_token,
            campaign: &self.id,
        };
        let until = Instant::now() + self.file.executions.time_limit();
        let mut pause = START_AGAIN.0;
        let mut unclear = 0;
        loop {
            let started = place.ssm.start(&request).await;
            let again = match &started {
                Started::Yes(_) | Started::Refused(_) => false,
                Started::Later(_) => Instant::now() < until,
                Started::Unknown(error) => {
                    unclear += 1;
                    error.code != "IdempotentParameterMismatch" && unclear < UNCLEAR_STARTS
                }
            };
            let stopped = again
                && tokio::select! {
                    () = self.stop.cancelled() => true,
                    () = sleep(pause) => false,
                };
            if !again || stopped {
                return match started {
                    Started::Refused(error) | Started::Later(error) if unclear > 0 => Started::Unknown(error),
                    started => started,
                };
            }
            pause = (pause * 2).min(START_AGAIN.1);
        }
    }

    /// Law 4: success is what S3 says. A put may take time to show, so after a success S3 is asked again for a while.
    /// `None`: the run was stopped before S3 could say.
    async fn read_back(&self, place: &Place<'_>, bucket: &Bucket, failure: Option<AwsError>) -> Option<BucketEvent> {
        let until = Instant::now() + self.file.executions.read_back_for();
        let mut pause = READ_AGAIN.0;
        loop {
            let read = place.s3.default_encryption(&bucket.name).await;
            let patient = failure.is_none() && Instant::now() < until;
            match read {
                Ok(shown) => {
                    let judgement = self.judge(&shown, bucket);
                    if judgement.verdict == Verdict::Sealed {
                        return Some(BucketEvent::ReadBack { judgement, encryption: Some(shown), error: None });
                    }
                    if !patient {
                        return Some(not_effective(shown, failure));
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

    /// The document of a Region, fit to be started: read once per account and Region (`GetDocument`).
    async fn document(&self, ssm: &Ssm, region: &str) -> Result<Document, AwsError> {
        let choice = &self.file.document;
        let reference = choice.reference(&self.aws.caller().partition, region);
        let document = ssm.document(&reference, choice.version.as_deref()).await?;
        let runbook = Runbook::parse(&document.content).map_err(|error| AwsError {
            code: "DocumentNotUsable".to_owned(),
            message: format!("document {reference}, version {}: {error}", document.version),
            hint: "use the document that ships in config/documents".to_owned(),
        })?;
        Ok(Document { reference, version: document.version, runbook })
    }

    /// Says one thing of every bucket of a Region, none of which is started.
    async fn settle_all(
        &self,
        buckets: &[Bucket],
        verdict: Verdict,
        reason: Reason,
        error: &AwsError,
    ) -> Result<(), CampaignError> {
        // Side by side, so that the record commits them together.
        let records =
            buckets.iter().map(|bucket| self.ledger.record(bucket, not_started(verdict, reason, None, error)));
        for (bucket, state) in buckets.iter().zip(try_join_all(records).await?) {
            self.settled(bucket.clone(), &state);
        }
        Ok(())
    }

    fn settled(&self, bucket: Bucket, state: &BucketState) {
        self.events.emit(&Event::BucketSettled { finding: Box::new(state.finding(bucket)) });
    }
}

fn not_started(
    verdict: Verdict,
    reason: Reason,
    encryption: Option<DefaultEncryption>,
    error: &AwsError,
) -> BucketEvent {
    let judgement = Judgement { verdict, reason, observed: None };
    BucketEvent::Judged { judgement, encryption, error: Some(error.clone()), restore: None }
}

/// S3 does not show the change, whatever the execution says of itself.
fn not_effective(shown: DefaultEncryption, failure: Option<AwsError>) -> BucketEvent {
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
