//! The changing runs: read, show what would change, then change account by account under the limits. A rollout seals, a
//! rollback restores, and either goes on where an earlier process ended.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use super::read::{Entered, record};
use super::tolerance::Tolerance;
use super::{CHANGING, Campaign, CampaignError, Ending};
use crate::aws::Purpose;
use crate::event::Event;
use crate::ledger::{AccountWork, LedgerError, Reader, Run, Scope, Summary};
use crate::model::{Account, AccountOutcome, AwsError, Operation};

/// What a run is about to do, for the person who is asked.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whether it seals or restores.
    pub operation: Operation,
    /// The campaign that is undone.
    pub undoes: Option<String>,
    /// It goes on where an earlier process ended.
    pub resumed: bool,
    /// The counts after reading.
    pub summary: Summary,
    /// Buckets to change.
    pub buckets: u64,
    /// Buckets of which an earlier start has no known outcome.
    pub in_flight: u64,
    /// Accounts that hold them.
    pub accounts: usize,
    /// By Region: the key, and how many buckets would get it.
    pub regions: Vec<RegionPreview>,
    /// The document.
    pub document: String,
}

/// What would change in one Region.
#[derive(Clone, Debug)]
pub struct RegionPreview {
    /// The Region.
    pub region: String,
    /// The central key there; `None` in a rollback.
    pub key: Option<String>,
    /// Buckets to change there.
    pub buckets: u64,
    /// Why none of them will be changed.
    pub fault: Option<AwsError>,
}

/// What there is to do by account, and how many buckets there are to change by Region.
type Work = (Vec<AccountWork>, Vec<(String, u64)>);

impl Campaign {
    /// Reads what is to be read, asks `confirm`, changes what is to be changed. All outcomes are in the ledger when this returns.
    ///
    /// Nothing was started when `confirm` says no, in a dry run, or on an error before it.
    pub async fn carry_out<F>(self: &Arc<Self>, confirm: impl FnOnce(Preview) -> F) -> Result<Ending, CampaignError>
    where
        F: Future<Output = bool>,
    {
        let outcome = self.run(confirm).await;
        self.closed(outcome).await
    }

    async fn run<F>(self: &Arc<Self>, confirm: impl FnOnce(Preview) -> F) -> Result<Ending, CampaignError>
    where
        F: Future<Output = bool>,
    {
        let halted = self.stop_when_halted();
        let Some(accounts) = self.discover().await? else { return self.finish(self.ending(None)).await };
        self.may_share(&accounts)?;
        let entered = match (self.operation, self.options.settle_only) {
            (_, true) => Vec::new(),
            (Operation::Seal, false) => self.read_accounts(self.to_read(&accounts)?, Purpose::Rollout).await?,
            (Operation::Restore, false) => self.read_touched(&accounts).await?,
        };
        // What was read is durable before anything rests on it.
        self.ledger.flush().await?;
        if self.stop.is_cancelled() {
            return self.finish(self.ending(None)).await;
        }
        self.narrowed_to_something()?;
        let (preview, work, tolerance) = self.prepare().await?;
        if let Some(passed) = tolerance.passed() {
            self.events.emit(&Event::Warning { message: format!("{passed}: nothing new is started") });
        }
        if work.is_empty() {
            return self.finish(self.left_open(self.ending(Some(&tolerance)))?).await;
        }
        let asks = !self.options.dry_run && preview.buckets > 0;
        if asks && !confirm(preview.clone()).await {
            let ending = if self.stop.is_cancelled() { self.ending(None) } else { Ending::Declined };
            return self.finish(ending).await;
        }
        if !self.options.dry_run {
            self.ledger.stage(CHANGING).await?;
        }
        let buckets = preview.buckets + preview.in_flight;
        self.events.emit(&Event::ChangesStarted { buckets, accounts: preview.accounts });
        self.change_accounts(accounts, entered, work, &tolerance).await?;
        halted.abort();
        self.finish(self.left_open(self.ending(Some(&tolerance)))?).await
    }

    /// A part of a campaign that came to its end is not the end of the campaign.
    fn left_open(&self, ending: Ending) -> Result<Ending, CampaignError> {
        let partly = self.options.settle_only || (self.resumed && self.narrowed != Default::default());
        if ending != Ending::Finished || !partly {
            return Ok(ending);
        }
        let (reader, run) = self.reader()?;
        Ok(match (reader.work(&run, Scope::Waiting)?.is_empty(), self.options.settle_only) {
            (true, _) => Ending::Finished,
            (false, true) => Ending::Interrupted,
            (false, false) => Ending::Narrowed,
        })
    }

    /// A command line that narrows a campaign to nothing of it is an error, not a clean result.
    fn narrowed_to_something(&self) -> Result<(), CampaignError> {
        if !self.resumed || self.narrowed == Default::default() {
            return Ok(());
        }
        let (reader, run) = self.reader()?;
        let mut any = false;
        reader.each_finding::<LedgerError>(&run, |finding| {
            any |= self.narrowed.takes(&finding.bucket);
            Ok(())
        })?;
        if any { Ok(()) } else { Err(CampaignError::NothingSelected("bucket of the campaign")) }
    }

    /// How the run ends, if it ends now.
    pub(super) fn ending(&self, tolerance: Option<&Arc<Tolerance>>) -> Ending {
        if self.aws.halt().reason().is_some() {
            Ending::CredentialsExpired
        } else if self.stop.is_cancelled() {
            Ending::Interrupted
        } else if self.options.dry_run {
            Ending::DryRun
        } else if tolerance.is_some_and(|tolerance| tolerance.passed().is_some()) {
            Ending::Stopped
        } else {
            Ending::Finished
        }
    }

    /// Stops the run cleanly when the caller's own credentials are not valid any more: what is in flight is in the ledger.
    pub(super) fn stop_when_halted(&self) -> tokio::task::JoinHandle<()> {
        let (halt, stop, events) = (self.aws.halt().clone(), self.stop.clone(), self.events.clone());
        tokio::spawn(async move {
            halt.raised().await;
            if let Some(reason) = halt.reason() {
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
            known.get(&account.id) == Some(&AccountOutcome::Unread) && self.narrowed.takes_account(&account.id)
        };
        Ok(accounts.iter().filter(unread).cloned().collect())
    }

    /// Which buckets this process is about.
    fn scope(&self) -> Scope {
        match (self.options.settle_only, self.resumed, self.options.retry_failed) {
            (true, ..) => Scope::InFlight,
            (false, _, true) => Scope::OpenAndFailed,
            (false, true, false) => Scope::Open,
            (false, false, false) => Scope::Waiting,
        }
    }

    /// What there is to do, and whether each Region's key can serve (`DescribeKey` once per Region).
    async fn prepare(&self) -> Result<(Preview, Vec<AccountWork>, Arc<Tolerance>), CampaignError> {
        let scope = self.scope();
        let (mut work, mut regions, summary, in_flight, mut failed) = {
            let (reader, run) = self.reader()?;
            (
                reader.work(&run, scope)?,
                reader.regions_to_change(&run, scope)?,
                reader.summary(&run)?,
                reader.in_flight(&run)?,
                reader.failures(&run)?,
            )
        };
        if self.narrowed != Default::default() && self.resumed {
            (work, regions) = self.narrow(scope)?;
        }
        if self.options.retry_failed {
            // What is tried again is not counted before it fails again.
            failed.retain(|account, _| !self.narrowed.takes_account(account));
        }
        let mut shown = Vec::new();
        for (region, buckets) in regions {
            let key = match self.operation {
                Operation::Restore => None,
                Operation::Seal => match self.keys.get(&region) {
                    Some(key) => Some(key.to_string()),
                    None => continue,
                },
            };
            let fault = self.key_fault(&region).await;
            shown.push(RegionPreview { region, key, buckets, fault });
        }
        let buckets = shown.iter().filter(|region| region.fault.is_none()).map(|region| region.buckets).sum();
        let tolerated = (buckets + summary.sealed + summary.restored + summary.failed, work.len() as u64);
        let tolerance = Tolerance::new(&self.file.failure_tolerance, tolerated, failed, &self.no_starts);
        let preview = Preview {
            operation: self.operation,
            undoes: self.parent.clone(),
            resumed: self.resumed,
            summary,
            buckets,
            in_flight,
            accounts: work.len(),
            regions: shown,
            document: self.file.document.name(self.operation).to_owned(),
        };
        Ok((preview, work, Arc::new(tolerance)))
    }

    /// The work of a resumed run that the command line narrows.
    fn narrow(&self, scope: Scope) -> Result<Work, CampaignError> {
        let (reader, run): (Reader, Run) = self.reader()?;
        let (mut work, mut regions) = (Vec::new(), BTreeMap::<String, u64>::new());
        for account in reader.work(&run, scope)? {
            let mut open = reader.open_buckets(&run, &account.account, scope)?;
            open.retain(|open| self.takes(open));
            for open in open.iter().filter(|open| !super::place::in_flight(open.state.phase)) {
                *regions.entry(open.bucket.region.clone()).or_default() += 1;
            }
            if !open.is_empty() {
                work.push(AccountWork { buckets: open.len() as u64, ..account });
            }
        }
        Ok((work, regions.into_iter().collect()))
    }

    /// Works on accounts, `limits.accounts` at once.
    async fn change_accounts(
        self: &Arc<Self>,
        accounts: Vec<Account>,
        entered: Vec<Entered>,
        mut work: Vec<AccountWork>,
        tolerance: &Arc<Tolerance>,
    ) -> Result<(), CampaignError> {
        let mut sessions: HashMap<String, Entered> =
            entered.into_iter().map(|entered| (entered.account.id.clone(), entered)).collect();
        let mut accounts: HashMap<String, Account> =
            accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
        // The longest first: what takes longest must not begin last.
        work.sort_by_key(|account| std::cmp::Reverse(account.buckets));
        let scope = self.scope();
        let stopped = self.stop.clone().cancelled_owned();
        let open: Vec<(String, Option<Entered>, Option<Account>)> = work
            .into_iter()
            .map(|work| {
                let (session, account) = (sessions.remove(&work.account), accounts.remove(&work.account));
                (work.account, session, account)
            })
            .collect();
        let mut changes = pin!(
            stream::iter(open)
                .take_until(stopped)
                .map(|(id, session, account)| {
                    let (campaign, tolerance) = (Arc::clone(self), Arc::clone(tolerance));
                    tokio::spawn(async move {
                        let entered = match session {
                            Some(session) => session,
                            None => match campaign.enter_again(&id, account).await? {
                                Some(entered) => entered,
                                None => return Ok(()),
                            },
                        };
                        let _pass = tokio::select! {
                            pass = tolerance.account() => Some(pass),
                            // What is in flight is followed all the same.
                            () = campaign.no_starts.cancelled() => None,
                        };
                        campaign.change_account(entered, scope, &tolerance).await
                    })
                })
                .buffer_unordered(self.file.limits.accounts)
        );
        let mut outcome = Ok(());
        while let Some(changed) = changes.next().await {
            let changed = changed.map_err(|error| CampaignError::Task(error.to_string())).flatten();
            if changed.is_err() && outcome.is_ok() {
                // Without a record nothing may be started: the other accounts stop cleanly.
                self.stop.cancel();
                outcome = changed;
            }
        }
        outcome
    }

    /// Enters an account that an earlier process had read. `None`: it cannot be entered now, which is recorded.
    async fn enter_again(&self, id: &str, account: Option<Account>) -> Result<Option<Entered>, CampaignError> {
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
