//! One account at work: its Regions made ready side by side, its buckets handed on one by one.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures::future::{join, join_all, join3, try_join_all};
use futures::stream::{self, StreamExt};
use tokio::sync::OnceCell;

use super::adoptable::Adoptable;
use super::first_start::FirstStart;
use super::follow::{Follower, Watch};
use super::former_key::FormerKeys;
use super::hands::InWave;
use super::life::{Life, not_started};
use super::place::{AccountAtWork, Place, calls_of_changes, in_flight};
use super::read::Entered;
use super::silence::Silence;
use super::slots::Slots;
use super::start_rate::StartRate;
use super::tolerance::Tolerance;
use super::{Campaign, CampaignError};
use crate::event::Event;
use crate::ledger::{OpenBucket, Phase, Scope};
use crate::model::{AwsError, Bucket, Operation, REGION_DISABLED, Reason, Verdict, role_arn};
use crate::plan::AccountLimits;

/// Buckets taken up beyond the executions in flight: they wait for room, or for S3 to show a change.
const TAKEN_UP_BEYOND: usize = 8;

impl Campaign {
    /// Works on one account to its end, or until the run is stopped.
    pub(super) async fn change_account(
        &self,
        entered: Entered,
        scope: Scope,
        wave: Option<&InWave>,
        tolerance: &Tolerance,
    ) -> Result<(), CampaignError> {
        let account = entered.account.id.clone();
        let (open, earlier) = {
            let (reader, run) = self.reader()?;
            let mut open = reader.open_buckets(&run, &account, scope, wave.map(|wave| wave.number))?;
            open.retain(|open| self.takes(open));
            (open, reader.unsettled(&run, &account)?)
        };
        self.events.emit(&Event::AccountChanging { account: account.clone(), buckets: open.len() as u64 });
        let limits = AccountLimits::of(&entered.account, &self.file.limits);
        let limits = wave.map_or(limits, |wave| limits.within(wave.limits));
        let work = AccountAtWork {
            member: self.aws.member(&entered.session, calls_of_changes(limits)),
            look: self.account_look(&entered.account)?,
            limits,
            slots: Slots::new(limits.executions),
            silence: Silence::new(entered.session.progress(), self.file.limits.account_read_deadline()),
            earlier,
            former_keys: FormerKeys::default(),
            tolerance,
            wave: wave.map(|wave| wave.number),
            own_session: entered.session.is_own(),
        };
        self.omissions.expect_only_in(&account, &open.iter().map(|open| open.bucket.region.as_str()).collect());
        let regions = open.chunk_by(|a, b| a.bucket.region == b.bucket.region);
        let _watched = self.watch_elsewhere(&work, &open).await;
        // Every Region is looked at before the first start in any: what runs there counts for the account.
        let ready = try_join_all(regions.map(|open| self.ready_or_none(&work, open))).await?;
        let (places, lives): (Vec<_>, Vec<_>) = ready.into_iter().flatten().unzip();
        let changes = places.iter().zip(lives).map(|(place, lives)| self.change_region(place, lives));
        try_join_all(changes).await?;
        self.events.emit(&Event::AccountChanged { account });
        Ok(())
    }

    /// Whether this process is about a bucket: what is in flight is always followed.
    pub(super) fn takes(&self, open: &OpenBucket) -> bool {
        self.takes_bucket(&open.bucket) || in_flight(open.state.phase)
    }

    /// Watches the Regions in which another run left starts without an outcome and this one has nothing to do: what still
    /// runs there takes room in the account all the same.
    async fn watch_elsewhere(&self, work: &AccountAtWork<'_>, open: &[OpenBucket]) -> Vec<Follower> {
        let mut elsewhere: Vec<&String> = work.earlier.values().map(|start| &start.region).collect();
        elsewhere.sort_unstable();
        elsewhere.dedup();
        elsewhere.retain(|region| open.iter().all(|open| open.bucket.region != **region));
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
            documents: [self.file.document.name.clone(), self.file.document.restore.clone()],
            session_name: self.session_name(),
            account_slots: work.slots.clone(),
            region_slots,
            time_limit: self.file.executions.time_limit(),
            events: self.events.clone(),
            stop: self.stop.clone(),
        }
    }

    /// The same as `ready`. Where nothing can be done, nobody waits for a proof by this account.
    async fn ready_or_none<'a>(
        &self,
        work: &'a AccountAtWork<'a>,
        open: &'a [OpenBucket],
    ) -> Result<Option<(Place<'a>, Vec<Life>)>, CampaignError> {
        let ready = self.ready(work, open).await?;
        if let (None, Some(first)) = (&ready, open.first()) {
            self.omissions.expect_no_more(&first.bucket.account, Some(&first.bucket.region));
        }
        Ok(ready)
    }

    /// Makes one Region ready for starts, and takes room for what is in flight there already. `None`: nothing can be done
    /// there, which is recorded.
    async fn ready<'a>(
        &self,
        work: &'a AccountAtWork<'a>,
        open: &'a [OpenBucket],
    ) -> Result<Option<(Place<'a>, Vec<Life>)>, CampaignError> {
        let Some(OpenBucket { bucket: Bucket { account, region, .. }, .. }) = open.first() else { return Ok(None) };
        // A key that cannot serve stops its Region before anything is asked of it.
        if !open.iter().any(|open| in_flight(open.state.phase))
            && let Some(fault) = self.key_fault(account, region).await
        {
            self.settle_all(open, Verdict::Held, Reason::KeyNotUsable, &fault).await?;
            return Ok(None);
        }
        let ssm = work.member.ssm(region);
        let region_slots = Slots::new(work.limits.executions_per_region);
        let watch = self.watch(work, region, region_slots.clone());
        // A dry run starts nothing, but says whether the document would do.
        let (document, follower, proof) =
            join3(self.document(&ssm, region), Follower::start(watch), self.proof_of(work, open)).await;
        let follower = match follower {
            Ok(follower) => follower,
            Err(error) => {
                let (verdict, reason) = match error.code == REGION_DISABLED {
                    true => (Verdict::Unread, Reason::RegionDisabled),
                    false => (Verdict::Failed, Reason::CannotFollow),
                };
                self.settle_all(open, verdict, reason, &error).await?;
                return Ok(None);
            }
        };
        let proof = proof.and_then(|()| match (&document, work.look.planned_document(region)) {
            (Ok(document), Some(planned)) if !document.runbook.has_hash(planned) => {
                Err((Reason::DiffersFromPlan, self.other_document(account, region, document)))
            }
            _ => Ok(()),
        });
        if let Err((reason, fault)) = &proof {
            self.settle_all(open, Verdict::Held, *reason, fault).await?;
        }
        // What is in flight is followed whatever the proof says.
        let go_on = |open: &&OpenBucket| proof.is_ok() || in_flight(open.state.phase);
        if !open.iter().any(|open| go_on(&open)) {
            return Ok(None);
        }
        let lives: Vec<Life> = open
            .iter()
            .filter(go_on)
            .map(|open| {
                let taken = matches!(open.state.phase, Phase::Intended | Phase::Started);
                let slots = taken.then(|| (region_slots.take_anyway(), work.slots.take_anyway()));
                let turn = self.omissions.take_adopted(&open.bucket);
                Life { turn, ..Life::of(open.clone(), slots) }
            })
            .collect();
        let remembered = {
            let (reader, run) = self.reader()?;
            reader.pace(&run, account, region)?
        };
        let place = Place {
            work,
            account,
            region,
            s3: work.member.s3(region),
            ssm,
            document,
            proof,
            automation_role: self.automation_role(account),
            region_slots,
            follower,
            rate: StartRate::new(remembered),
            adoptable: Adoptable::default(),
            first: FirstStart::new(),
            controls_known: self.controls_are_known(&work.look).await,
            exhausted: AtomicBool::new(false),
            blocks: AtomicUsize::new(0),
            remediation: OnceCell::new(),
        };
        Ok(Some((place, lives)))
    }

    /// Whether the account can use the Region's key, where something is about to be pointed at it.
    async fn proof_of(&self, work: &AccountAtWork<'_>, open: &[OpenBucket]) -> Result<(), (Reason, AwsError)> {
        let waiting = open.iter().find(|open| !in_flight(open.state.phase)).map(|open| &open.bucket);
        match (self.operation, waiting) {
            (Operation::Seal, Some(bucket)) => self.key_proof(&work.member, &bucket.region, &bucket.name).await,
            _ => Ok(()),
        }
    }

    /// The ARN of the automation role in an account.
    pub(super) fn automation_role(&self, account: &str) -> String {
        let role = &self.file.automation_role;
        role_arn(&self.aws.caller().partition, account, &role.path, &role.name)
    }

    /// The roles in an account that orgseal itself works with.
    pub(super) fn own_roles(&self, account: &str) -> [String; 2] {
        let member = &self.file.member_role;
        let member = role_arn(&self.aws.caller().partition, account, &member.path, &member.name);
        [member, self.automation_role(account)]
    }

    /// Why nothing in an account may be pointed at a Region's key now. A rollback points nothing at it.
    pub(super) async fn key_fault(&self, account: &str, region: &str) -> Option<AwsError> {
        match (self.operation, self.key_of(account, region)) {
            (crate::model::Operation::Seal, Some(key)) => self.key_watch.fault(&key).await,
            _ => None,
        }
    }

    /// Changes the buckets of one Region, at most `limits.executions_per_region` in flight, and no more in the account than
    /// its own slots have room for. What is in flight already comes first.
    async fn change_region(&self, place: &Place<'_>, lives: Vec<Life>) -> Result<(), CampaignError> {
        let (mut under_way, waiting): (Vec<Life>, Vec<Life>) =
            lives.into_iter().partition(|life| in_flight(life.state().phase));
        // Before anything new is started: an execution that failed may say that the next ones will.
        let ended = under_way.iter_mut().filter(|life| life.state().phase == Phase::Ended);
        join_all(ended.map(|life| self.recall_failure(place, life))).await;
        let waiting = self.provers_first(place, waiting);
        // All of these are in flight whatever the limit says, so all are followed.
        let followed = try_join_all(under_way.into_iter().map(|life| self.carry(place, life)));
        let fresh = async {
            let mut changes = pin!(
                stream::iter(waiting)
                    .take_until(self.no_starts.cancelled())
                    .map(|life| self.carry_counted(place, life))
                    .buffer_unordered(place.work.limits.executions_per_region + TAKEN_UP_BEYOND)
            );
            while let Some(changed) = changes.next().await {
                changed?;
            }
            Ok(())
        };
        let (followed, fresh) = join(followed, fresh).await;
        self.omissions.expect_no_more(place.account, Some(place.region));
        if let Some(learned) = place.rate.learned() {
            self.ledger.remember_pace(place.account, place.region, learned).await?;
        }
        followed.map(drop).and(fresh)
    }

    /// Says one thing of every bucket of a Region on which nothing was started, and nothing is to be.
    async fn settle_all(
        &self,
        open: &[OpenBucket],
        verdict: Verdict,
        reason: Reason,
        error: &AwsError,
    ) -> Result<(), CampaignError> {
        let waiting: Vec<&OpenBucket> = open.iter().filter(|open| !in_flight(open.state.phase)).collect();
        // Side by side, so that the record commits them together.
        let records =
            waiting.iter().map(|open| self.ledger.record(&open.bucket, not_started(verdict, reason, None, error)));
        for (open, state) in waiting.iter().zip(try_join_all(records).await?) {
            self.settled(&open.bucket, &state);
        }
        Ok(())
    }
}
