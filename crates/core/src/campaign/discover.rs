//! Which accounts the run is about: `ListAccounts`, and OUs and tags only where the selection needs them.

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::tz::TimeZone;

use super::population::Population;
use super::read::{interrupted, record};
use super::{Campaign, CampaignError, Setting};
use crate::aws::{Aws, Organization};
use crate::config::{CampaignFile, Exemption};
use crate::event::Event;
use crate::model::{Account, AccountOutcome, Operation, now};
use crate::plan::{Selection, WaveMap, idle_patterns};

/// `ListTagsForResource` at once: the API is global and throttles early.
const TAG_READS: usize = 4;

impl Campaign {
    /// The accounts of the run, in whatever state they are: none is dropped silently. `None`: the run was stopped.
    pub(super) async fn discover(&self) -> Result<Option<Vec<Account>>, CampaignError> {
        self.stop.run_until_cancelled(self.list_accounts()).await.transpose()
    }

    /// A rollout whose document cannot be shared with its accounts is refused before it reads them.
    pub(super) fn may_share(&self, accounts: &[Account]) -> Result<(), CampaignError> {
        let document = &self.file.document;
        match (self.operation, &document.owner, document.overshared(accounts)) {
            (Operation::Seal, Some(owner), Some(accounts)) if !self.options.settle_only => {
                Err(CampaignError::TooManyToShare { owner: owner.clone(), accounts })
            }
            _ => Ok(()),
        }
    }

    async fn list_accounts(&self) -> Result<Vec<Account>, CampaignError> {
        let (listed, mut accounts) = accounts(&self.aws, &self.selection).await?;
        let known = {
            let (reader, run) = self.reader()?;
            reader.accounts(&run)?
        };
        // A run that goes on is about the accounts that it began with. A rollback learns of them from its campaign.
        if !known.is_empty() {
            accounts.retain(|account| known.contains_key(&account.id));
        }
        let waves = self.file.waves();
        // A canary with a slip of the pen is no canary. An audit knows no waves.
        if self.looks_ahead
            && known.is_empty()
            && let Some((number, pattern)) = idle_patterns(&waves, &listed).into_iter().next()
        {
            return Err(CampaignError::NobodyInWave { number, pattern });
        }
        let waves = WaveMap::new(&waves, &accounts);
        let population = Population::new(&self.organization.id, &listed, &self.narrowed, waves, &self.file);
        let _ = self.population.set(population);
        if self.operation == Operation::Restore || self.options.settle_only {
            return Ok(accounts);
        }
        if accounts.is_empty() {
            return Err(CampaignError::NothingSelected("account"));
        }
        if known.is_empty() {
            self.tell_what_is_over();
        }
        // Whenever the run ends, by force even, no account is missing from the record.
        if known.is_empty() {
            for account in &accounts {
                self.ledger.account(record(account, AccountOutcome::Unread, Some(interrupted()))).await?;
            }
        }
        self.ledger.flush().await?;
        self.events.emit(&Event::AccountsFound { accounts: accounts.len() });
        Ok(accounts)
    }
}

impl Campaign {
    /// Decisions of which the last day has passed: whoever made them may believe that they still hold.
    fn tell_what_is_over(&self) {
        let today = TimeZone::UTC.to_datetime(now()).date();
        let exemptions = (1..).zip(&self.exemptions.exemption).filter(|(_, exemption)| exemption.is_over(today));
        let exemptions = exemptions.map(|(number, exemption)| {
            let Exemption { reason, owner, ticket, until, .. } = exemption;
            format!(
                "exemption {number}: {reason} ({owner}, {ticket}) is over since {until}, and exempts nothing any more"
            )
        });
        let overrides = self.file.guards.overrides.iter().filter(|over| self.looks_ahead && over.is_over(today));
        let overrides = overrides
            .map(|over| format!("the override of {} is over, and counts no more: {}", over.guard, over.in_words()));
        for message in exemptions.chain(overrides) {
            self.events.emit(&Event::Warning { message });
        }
    }
}

/// The organization, and the accounts that a command is about.
pub struct Listed {
    /// The organization.
    pub organization: Organization,
    /// All accounts of the organization.
    pub all: Vec<Account>,
    /// The accounts of the campaign file and the command line, in whatever state they are.
    pub accounts: Vec<Account>,
}

/// The organization and its accounts, for a command that keeps no record: refused where it is not the campaign file's.
pub async fn listed(setting: &Setting) -> Result<Listed, CampaignError> {
    let Setting { aws, loaded, narrowed, .. } = setting;
    let organization = the_organization(aws, &loaded.campaign).await?;
    let selection = Selection::new(&loaded.campaign, &loaded.exemptions, narrowed.clone());
    let (all, accounts) = accounts(aws, &selection).await?;
    match accounts.is_empty() {
        true => Err(CampaignError::NothingSelected("account")),
        false => Ok(Listed { organization, all, accounts }),
    }
}

/// The organization, if it is the one that the campaign file names.
pub(super) async fn the_organization(aws: &Aws, file: &CampaignFile) -> Result<Organization, CampaignError> {
    same_partition(aws, file)?;
    let organization = aws.organizations().describe().await.map_err(CampaignError::Organization)?;
    match &file.organization.id {
        Some(wanted) if *wanted != organization.id => {
            Err(CampaignError::OtherOrganization { found: organization.id, wanted: wanted.clone() })
        }
        _ => Ok(organization),
    }
}

/// Refuses credentials of another partition than the central keys': nothing crosses partitions.
pub(super) fn same_partition(aws: &Aws, file: &CampaignFile) -> Result<(), CampaignError> {
    let caller = aws.caller();
    match file.all_keys().into_iter().find(|key| key.partition != caller.partition) {
        None => Ok(()),
        Some(key) => Err(CampaignError::OtherPartition {
            caller: caller.arn.clone(),
            found: caller.partition.clone(),
            wanted: key.partition.clone(),
            key: Box::new(key),
        }),
    }
}

/// All accounts of the organization, and those of a selection, in whatever state they are.
pub(super) async fn accounts(aws: &Aws, selection: &Selection) -> Result<(Vec<Account>, Vec<Account>), CampaignError> {
    let organizations = aws.organizations();
    let mut accounts = organizations.accounts().await.map_err(CampaignError::Organization)?;
    if accounts.is_empty() {
        return Err(CampaignError::NoAccounts);
    }
    let needs = selection.needs();
    if needs.ous && accounts.iter().any(|account| account.ous.is_empty()) {
        let mut above = organizations.walk().await.map_err(CampaignError::Organization)?;
        for account in accounts.iter_mut().filter(|account| account.ous.is_empty()) {
            account.ous = above.remove(&account.id).unwrap_or_default();
        }
    }
    if needs.tags {
        accounts = stream::iter(accounts)
            .map(|mut account| async {
                account.tags = organizations.tags(&account.id).await.map_err(CampaignError::Organization)?;
                Ok::<_, CampaignError>(account)
            })
            .buffered(TAG_READS)
            .try_collect()
            .await?;
    }
    if let Some(unknown) = selection.unknown_accounts(&accounts).into_iter().next() {
        return Err(CampaignError::NoSuchAccount(unknown));
    }
    let chosen = accounts.iter().filter(|account| selection.takes_account(account)).cloned().collect();
    Ok((accounts, chosen))
}
