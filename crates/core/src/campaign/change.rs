//! The changing runs: read, show what would change, then change account by account under the limits. A rollout seals, a
//! rollback restores, and either goes on where an earlier process ended.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::{self, FutureExt};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::Mutex;

use super::decide::Decide;
use super::fail_point::fail_point;
use super::hands::{Hands, InWave};
use super::read::{Entered, record};
use super::reading::{Next, Reads};
use super::tolerance::Tolerance;
use super::{CHANGING, Campaign, CampaignError, Ending};
use crate::aws::Purpose;
use crate::config::Tolerated;
use crate::event::Event;
use crate::ledger::{AccountWork, LedgerError, Scope};
use crate::model::{Account, AccountOutcome, AwsError, Operation, WaveState};

/// An account to be changed: its id, its session if it was read in this process, and the account itself if it is still there.
type Work = (String, Option<Entered>, Option<Account>);

impl Campaign {
    /// Reads what is to be read, asks, changes what is to be changed. All outcomes are in the ledger when this returns.
    ///
    /// Nothing was started when the answer is no, in a dry run, or on an error before it.
    pub async fn carry_out(self: &Arc<Self>, decide: &impl Decide) -> Result<Ending, CampaignError> {
        let outcome = self.run(decide).await;
        self.closed(outcome).await
    }

    async fn run(self: &Arc<Self>, decide: &impl Decide) -> Result<Ending, CampaignError> {
        let halted = self.stop_when_halted();
        let Some(accounts) = self.discover().await? else { return self.finish(self.ending(None).await).await };
        self.recall_omissions()?;
        self.may_share(&accounts)?;
        let (entered, late) = match (self.operation, self.options.settle_only) {
            (_, true) => (Vec::new(), None),
            (Operation::Seal, false) => {
                let reads = Reads::new(self.to_read(&accounts)?, Purpose::Rollout);
                self.read_answering_accounts(reads, !self.reads_all_first(decide)).await?
            }
            (Operation::Restore, false) => (self.read_touched(&accounts).await?, None),
        };
        // What was read is durable before anything rests on it.
        self.ledger.flush().await?;
        if self.operation == Operation::Restore && !self.options.settle_only {
            fail_point("after_touched_read");
        }
        if self.stop.is_cancelled() {
            return self.finish(self.ending(None).await).await;
        }
        self.narrowed_to_something()?;
        if let Some(plan) = &self.plan {
            for message in self.differences_from_plan(plan, late.as_ref())? {
                self.events.emit(&Event::Warning { message });
            }
        }
        if self.operation == Operation::Seal && !self.options.settle_only {
            self.name_waves().await?;
        }
        let asks = !self.options.dry_run && decide.asks();
        let preview = self.preview(asks, &entered, &accounts).await?;
        let waits_for_more = self.watches_a_wave()?;
        if preview.accounts + preview.later.accounts == 0 && !waits_for_more && late.is_none() {
            return self.finish(self.left_open(self.ending(None).await)?).await;
        }
        let asks = !self.options.dry_run && preview.buckets > 0;
        if asks && !decide.change(preview.clone()).await {
            return self.declined(accounts).await;
        }
        let hands = Hands {
            accounts: accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
            sessions: entered.into_iter().map(|entered| (entered.account.id.clone(), entered)).collect(),
            late: Mutex::new(late),
        };
        if self.options.dry_run || self.options.settle_only || self.operation == Operation::Restore {
            if !self.options.dry_run {
                self.ledger.stage(CHANGING).await?;
            }
            let work = self.work_of(None)?;
            let tolerance = self.tolerance(None, &work)?;
            let mut stage = self.change_work(&work, None)?;
            // What a faulty key holds back is not changed.
            let faulty = preview.regions.iter().filter(|region| region.fault.is_some()).map(|region| region.buckets);
            stage.change = stage.change.saturating_sub(faulty.sum());
            self.events.emit(&Event::ChangesStarted { work: stage, accounts: preview.accounts });
            self.change_accounts(&hands, work, None, &tolerance).await?;
            halted.abort();
            return self.finish(self.left_open(self.ending(Some(&tolerance)).await)?).await;
        }
        self.ledger.stage(CHANGING).await?;
        let ending = self.change_in_waves(&hands, decide).await?;
        halted.abort();
        self.finish(self.left_open(ending)?).await
    }

    /// Ends a run whose question was answered with no. A resumed run keeps the state that it had; what earlier processes started is
    /// followed to its end first, as the question said.
    async fn declined(self: &Arc<Self>, accounts: Vec<Account>) -> Result<Ending, CampaignError> {
        if self.stop.is_cancelled() {
            return self.finish(self.ending(None).await).await;
        }
        let Some(before) = self.ended_before else { return self.finish(Ending::Declined).await };
        let in_flight = {
            let (reader, run) = self.reader()?;
            reader.work(&run, Scope::InFlight, None)?
        };
        if !in_flight.is_empty() {
            self.follows_only.store(true, Ordering::Relaxed);
            self.no_starts.cancel();
            let hands = Hands {
                accounts: accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
                sessions: HashMap::new(),
                late: Mutex::new(None),
            };
            let tolerance = self.tolerance(None, &in_flight)?;
            self.change_accounts(&hands, in_flight, None, &tolerance).await?;
        }
        self.finish(before).await?;
        Ok(Ending::ResumeDeclined)
    }

    /// Whether a wave that was changed is not done with: it is watched also where there is nothing more to change.
    fn watches_a_wave(&self) -> Result<bool, CampaignError> {
        if !self.resumed || self.options.settle_only || self.operation == Operation::Restore {
            return Ok(false);
        }
        let (reader, run) = self.reader()?;
        let watched = [WaveState::Changing, WaveState::Baking, WaveState::Stopped];
        Ok(reader.waves(&run)?.iter().any(|wave| watched.contains(&wave.state)))
    }

    /// A part of a campaign that came to its end is not the end of the campaign.
    fn left_open(&self, ending: Ending) -> Result<Ending, CampaignError> {
        let partly = self.options.settle_only || (self.resumed && !self.narrowed.is_empty());
        if ending != Ending::Finished || !partly {
            return Ok(ending);
        }
        let (reader, run) = self.reader()?;
        Ok(match (reader.work(&run, Scope::Waiting, None)?.is_empty(), self.options.settle_only) {
            (true, _) => Ending::Finished,
            (false, true) => Ending::Interrupted,
            (false, false) => Ending::Narrowed,
        })
    }

    /// A command line that narrows a campaign to nothing of it is an error, not a clean result.
    fn narrowed_to_something(&self) -> Result<(), CampaignError> {
        if !self.resumed || self.narrowed.is_empty() {
            return Ok(());
        }
        let (reader, run) = self.reader()?;
        let mut any = false;
        reader.each_finding::<LedgerError>(&run, |finding| {
            any |= self.takes_bucket(&finding.bucket);
            Ok(())
        })?;
        if any { Ok(()) } else { Err(CampaignError::NothingSelected("bucket of the campaign")) }
    }

    /// How the run ends, if it ends now.
    pub(super) async fn ending(&self, tolerance: Option<&Arc<Tolerance>>) -> Ending {
        if self.aws.halt().reason().await.is_some() {
            Ending::CredentialsExpired
        } else if self.stop.is_cancelled() {
            Ending::Interrupted
        } else if self.has_lost_a_task() {
            Ending::TaskLost
        } else if self.options.dry_run {
            Ending::DryRun
        } else if tolerance.is_some_and(|tolerance| tolerance.passed().is_some()) {
            Ending::Stopped
        } else {
            Ending::Finished
        }
    }

    /// Whether all accounts are read before the first change: a person is asked about all of them, a wave or a tolerance in percent is
    /// counted from all of them, or a bucket that is named has to be found. Otherwise nobody waits for accounts that give no answer.
    fn reads_all_first(&self, decide: &impl Decide) -> bool {
        let tolerance = &self.file.failure_tolerance;
        let mut tolerated = [&tolerance.buckets, &tolerance.accounts].into_iter();
        self.options.dry_run
            || decide.asks()
            || !self.file.waves.is_empty()
            || self.selection.names_buckets()
            || tolerated.any(|part| matches!(part, Some(Tolerated::Percent(_))))
    }

    /// Stops the run cleanly when the caller's own credentials are not valid any more: what is in flight is in the ledger.
    pub(super) fn stop_when_halted(&self) -> tokio::task::JoinHandle<()> {
        let (halt, stop, events) = (self.aws.halt().clone(), self.stop.clone(), self.events.clone());
        tokio::spawn(async move {
            halt.raised().await;
            if let Some(reason) = halt.reason().await {
                let message = format!("your own credentials are not valid any more ({reason}); stopping cleanly");
                events.emit(&Event::Warning { message });
            }
            stop.cancel();
        })
    }

    /// The accounts that are to be read: all in a new run, those not read yet in one that goes on.
    fn to_read(&self, accounts: &[Account]) -> Result<Vec<Account>, CampaignError> {
        if !self.resumed {
            return Ok(accounts.to_vec());
        }
        let (reader, run) = self.reader()?;
        let known = reader.accounts(&run)?;
        let unread = |account: &&Account| {
            known.get(&account.id) == Some(&AccountOutcome::Unread) && self.takes_account(&account.id)
        };
        Ok(accounts.iter().filter(unread).cloned().collect())
    }

    /// Which buckets this process is about.
    pub(super) fn scope(&self) -> Scope {
        let only_follows = self.options.settle_only || self.follows_only.load(Ordering::Relaxed);
        match (only_follows, self.resumed, self.options.retry_failed) {
            (true, ..) => Scope::InFlight,
            (false, _, true) => Scope::OpenAndFailed,
            (false, true, false) => Scope::Open,
            (false, false, false) => Scope::Waiting,
        }
    }

    /// Works on accounts, `limits.accounts` at once.
    pub(super) async fn change_accounts(
        self: &Arc<Self>,
        hands: &Hands,
        mut work: Vec<AccountWork>,
        wave: Option<InWave>,
        tolerance: &Arc<Tolerance>,
    ) -> Result<(), CampaignError> {
        let late = hands.late.lock().await.take();
        // An account that is still being read is changed after its reading, and not before: two tasks that change one account
        // would start executions twice.
        let mut after_reading = HashSet::new();
        work.retain(|work| {
            let still_read = late.as_ref().is_some_and(|reads| reads.reads(&work.account));
            if still_read {
                after_reading.insert(work.account.clone());
            }
            !still_read
        });
        self.expect_blocks(wave.map(|wave| wave.number), &work)?;
        // Those for which others wait, then the longest: what takes longest must not begin last.
        work.sort_by_key(|account| (!self.omissions.expects(&account.account), std::cmp::Reverse(account.buckets)));
        let scope = self.scope();
        let stopped = self.stop.clone().cancelled_owned();
        let own = wave.and_then(|wave| wave.limits.accounts).unwrap_or(usize::MAX);
        let work = work.into_iter().map(|work| {
            let (session, account) = (hands.sessions.get(&work.account), hands.accounts.get(&work.account));
            Ok((work.account, session.cloned(), account.cloned()))
        });
        let late = late
            .map_or_else(|| stream::empty().boxed(), |reads| Arc::clone(self).read_late(reads, after_reading).boxed());
        let mut changes = pin!(
            stream::iter(work)
                .take_until(stopped)
                .chain(late)
                .map(|work| {
                    let (id, session, account) = match work {
                        Ok(work) => work,
                        Err(error) => return future::ready((None, Ok(Err(error)))).boxed(),
                    };
                    let shown = account.clone();
                    let (campaign, tolerance) = (Arc::clone(self), Arc::clone(tolerance));
                    let task = tokio::spawn(async move {
                        let entered = match session {
                            Some(session) => session,
                            None => match campaign.enter_again(&id, account).await? {
                                Some(entered) => entered,
                                None => {
                                    campaign.omissions.expect_no_more(&id, None);
                                    return Ok(());
                                }
                            },
                        };
                        let _pass = tokio::select! {
                            pass = tolerance.account() => Some(pass),
                            // What is in flight is followed all the same.
                            () = campaign.no_starts.cancelled() => None,
                        };
                        let changed = campaign.change_account(entered, scope, wave.as_ref(), &tolerance).await;
                        campaign.omissions.expect_no_more(&id, None);
                        changed
                    });
                    async move { (shown, task.await) }.boxed()
                })
                .buffer_unordered(self.file.limits.accounts.min(own))
        );
        let mut outcome = Ok(());
        while let Some((account, changed)) = changes.next().await {
            let changed = match (changed, account) {
                (Ok(changed), _) => changed,
                (Err(error), Some(account)) => {
                    self.omissions.expect_no_more(&account.id, None);
                    self.account_lost(account, &error).await
                }
                (Err(error), None) => Err(CampaignError::Task(error.to_string())),
            };
            if changed.is_err() && outcome.is_ok() {
                // Without a record nothing may be started: the other accounts stop cleanly.
                self.stop.cancel();
                outcome = changed;
            }
        }
        outcome
    }

    /// The accounts that did not answer at first, as each is read. `with_work`: accounts that have work in the ledger whatever
    /// the reading finds. When the run stops, no account follows.
    fn read_late(
        self: Arc<Self>,
        reads: Reads,
        with_work: HashSet<String>,
    ) -> impl Stream<Item = Result<Work, CampaignError>> + Send {
        stream::unfold(Some((reads, with_work)), move |reads| {
            let campaign = Arc::clone(&self);
            async move {
                let (mut reads, mut with_work) = reads?;
                loop {
                    let Next::Read(read) = reads.next(&campaign, false).await else { return None };
                    let (account, read) = *read;
                    let read = match campaign.read_of(account.clone(), read).await {
                        Ok(read) => read,
                        Err(error) => return Some((Err(error), None)),
                    };
                    let has_work = with_work.remove(&account.id) || read.entered.is_some();
                    if !has_work || campaign.stop.is_cancelled() {
                        continue;
                    }
                    let ready = async {
                        campaign.ledger.flush().await?;
                        campaign.expect_blocks_of(&account.id)
                    };
                    if let Err(error) = ready.await {
                        return Some((Err(error), None));
                    }
                    let work = (account.id.clone(), read.entered, Some(account));
                    return Some((Ok(work), Some((reads, with_work))));
                }
            }
        })
    }

    /// Enters an account that an earlier process had read. `None`: it cannot be entered now, which is recorded.
    pub(super) async fn enter_again(
        &self,
        id: &str,
        account: Option<Account>,
    ) -> Result<Option<Entered>, CampaignError> {
        let Some(account) = account else {
            let error = AwsError {
                code: "AccountGone".to_owned(),
                message: format!("account {id} is not in this organization any more, or not in the selection"),
                hint: "nothing, if it was closed or moved out on purpose; what was recorded of its buckets stands"
                    .to_owned(),
            };
            self.events.emit(&Event::Warning { message: error.to_string() });
            return Ok(None);
        };
        let purpose = self.purpose();
        match self.aws.enter(&account.id, &self.file.member_role, purpose, &self.session_name()).await {
            Ok(session) => Ok(Some(Entered { account, session })),
            Err(error) => {
                self.ledger.account(record(&account, AccountOutcome::Unread, Some(error.clone()))).await?;
                self.events.emit(&Event::AccountUnread { account, error });
                Ok(None)
            }
        }
    }

    /// What sessions in member accounts are for.
    pub(super) fn purpose(&self) -> Purpose {
        match self.operation {
            Operation::Seal => Purpose::Rollout,
            Operation::Restore => Purpose::Rollback,
        }
    }
}
