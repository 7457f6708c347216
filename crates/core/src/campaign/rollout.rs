//! A rollout: read everything, show what would change, then seal account by account under the limits.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use super::read::Entered;
use super::{Campaign, CampaignError, Ending};
use crate::aws::Purpose;
use crate::event::Event;
use crate::judge::key_fault;
use crate::ledger::{AccountWork, Summary};
use crate::model::AwsError;

/// How a rollout is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutOptions {
    /// Stop before the first start.
    pub dry_run: bool,
    /// Go ahead at an endpoint that is not on this machine although the guards do not exist yet.
    pub without_guards: bool,
}

/// What a rollout is about to do, for the person who is asked.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The counts after reading.
    pub summary: Summary,
    /// Buckets to change.
    pub buckets: u64,
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
    /// The central key there.
    pub key: String,
    /// Buckets to change there.
    pub buckets: u64,
    /// Why none of them will be changed.
    pub fault: Option<AwsError>,
}

/// By Region: what is wrong with its central key.
pub(super) type KeyFaults = BTreeMap<String, AwsError>;

impl Campaign {
    /// Reads the organization, asks `confirm`, seals what is not sealed. All outcomes are in the ledger when this returns.
    ///
    /// Nothing was started when `confirm` says no, in a dry run, or on an error before it.
    pub async fn rollout<F>(self: &Arc<Self>, confirm: impl FnOnce(Preview) -> F) -> Result<Ending, CampaignError>
    where
        F: Future<Output = bool>,
    {
        let outcome = self.run_rollout(confirm).await;
        self.closed(outcome).await
    }

    async fn run_rollout<F>(self: &Arc<Self>, confirm: impl FnOnce(Preview) -> F) -> Result<Ending, CampaignError>
    where
        F: Future<Output = bool>,
    {
        let options = self.options;
        let Some(accounts) = self.discover().await? else { return self.finish(Ending::Interrupted).await };
        let entered = self.read_accounts(accounts, Purpose::Rollout).await?;
        // What was read is durable before anything rests on it.
        self.ledger.flush().await?;
        if self.stop.is_cancelled() {
            return self.finish(Ending::Interrupted).await;
        }
        let (preview, work, faults) = self.prepare().await?;
        if work.is_empty() {
            return self.finish(Ending::Finished).await;
        }
        if !options.dry_run && !confirm(preview.clone()).await {
            let ending = if self.stop.is_cancelled() { Ending::Interrupted } else { Ending::Declined };
            return self.finish(ending).await;
        }
        let buckets = preview.regions.iter().map(|region| region.buckets).sum();
        self.events.emit(&Event::SealingStarted { buckets, accounts: preview.accounts });
        self.seal_accounts(entered, work, faults, options.dry_run).await?;
        self.finish(match (self.stop.is_cancelled(), options.dry_run) {
            (true, _) => Ending::Interrupted,
            (false, true) => Ending::DryRun,
            (false, false) => Ending::Finished,
        })
        .await
    }

    /// What there is to do, and whether each Region's key can serve (`DescribeKey` once per Region).
    async fn prepare(&self) -> Result<(Preview, Vec<AccountWork>, KeyFaults), CampaignError> {
        let (work, regions, summary) = {
            let (reader, run) = self.reader()?;
            (reader.work(&run)?, reader.regions_to_seal(&run)?, reader.summary(&run)?)
        };
        let mut faults = KeyFaults::new();
        let mut shown = Vec::new();
        for (region, buckets) in regions {
            let Some(key) = self.keys.get(&region) else { continue };
            let fault = match self.aws.describe_key(key).await {
                Ok(facts) => key_fault(&facts, key).map(|fault| AwsError {
                    code: "KeyNotUsable".to_owned(),
                    message: format!("the central key {key} cannot be used: {fault}"),
                    hint: "name another key in [central_key], or put this one right; S3 would accept it, and every later write would fail".to_owned(),
                }),
                Err(error) => Some(error),
            };
            if let Some(fault) = &fault {
                faults.insert(region.clone(), fault.clone());
            }
            shown.push(RegionPreview { region, key: key.to_string(), buckets, fault });
        }
        let preview = Preview {
            summary,
            buckets: shown.iter().filter(|region| region.fault.is_none()).map(|region| region.buckets).sum(),
            accounts: work.len(),
            regions: shown,
            document: self.file.document.name.clone(),
        };
        Ok((preview, work, faults))
    }

    /// Seals accounts, `limits.accounts` at once.
    async fn seal_accounts(
        self: &Arc<Self>,
        entered: Vec<Entered>,
        work: Vec<AccountWork>,
        faults: KeyFaults,
        dry_run: bool,
    ) -> Result<(), CampaignError> {
        let faults = Arc::new(faults);
        let mut by_id: HashMap<String, Entered> =
            entered.into_iter().map(|entered| (entered.account.id.clone(), entered)).collect();
        // The longest first: what takes longest must not begin last.
        let mut work = work;
        work.sort_by_key(|account| std::cmp::Reverse(account.buckets));
        let open = work.into_iter().filter_map(|work| Some((by_id.remove(&work.account)?, work.buckets)));
        let open: Vec<(Entered, u64)> = open.collect();
        let stopped = self.stop.clone().cancelled_owned();
        let mut seals = pin!(
            stream::iter(open)
                .take_until(stopped)
                .map(|(entered, buckets)| {
                    let campaign = Arc::clone(self);
                    let faults = Arc::clone(&faults);
                    tokio::spawn(async move { campaign.seal_account(entered, buckets, &faults, dry_run).await })
                })
                .buffer_unordered(self.file.limits.accounts)
        );
        let mut outcome = Ok(());
        while let Some(sealed) = seals.next().await {
            let sealed = sealed.map_err(|error| CampaignError::Task(error.to_string())).flatten();
            if sealed.is_err() && outcome.is_ok() {
                // Without a record nothing may be started: the other accounts stop cleanly.
                self.stop.cancel();
                outcome = sealed;
            }
        }
        outcome
    }
}
