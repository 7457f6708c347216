//! Which accounts, Regions and buckets a run is about: the campaign file's choice, narrowed by the command line.

use crate::config::{AccountSelection, CampaignFile};
use crate::model::Account;

/// What a selection has to know of an account beyond `ListAccounts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The OUs above the account.
    pub ous: bool,
    /// The account's tags.
    pub tags: bool,
}

/// What a run is about. Empty lists on the command line's side mean "all".
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: AccountSelection,
    exclude: AccountSelection,
    accounts: Vec<String>,
    regions: Vec<String>,
    buckets: Vec<String>,
    ou_limits: bool,
}

impl Selection {
    /// The campaign file's choice, narrowed to these accounts, Regions and buckets.
    #[must_use]
    pub fn new(
        campaign: &CampaignFile,
        accounts: Vec<String>,
        regions: Vec<String>,
        buckets: Vec<String>,
    ) -> Selection {
        Selection {
            include: campaign.accounts.include.clone(),
            exclude: campaign.accounts.exclude.clone(),
            accounts,
            regions,
            buckets,
            ou_limits: campaign.limits.overrides.iter().any(|over| !over.ous.is_empty()),
        }
    }

    /// What has to be read besides `ListAccounts`.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs {
            ous: self.ou_limits || !self.include.ous.is_empty() || !self.exclude.ous.is_empty(),
            tags: !self.include.tags.is_empty() || !self.exclude.tags.is_empty(),
        }
    }

    /// Whether the run is about an account.
    #[must_use]
    pub fn takes_account(&self, account: &Account) -> bool {
        (self.include.is_empty() || self.include.matches(account))
            && !self.exclude.matches(account)
            && (self.accounts.is_empty() || self.accounts.contains(&account.id))
    }

    /// Whether the command line leaves an account in.
    #[must_use]
    pub fn takes_account_id(&self, id: &str) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|chosen| chosen == id)
    }

    /// Whether the run is about a Region.
    #[must_use]
    pub fn takes_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|chosen| chosen == region)
    }

    /// Whether the run is about a bucket of this name.
    #[must_use]
    pub fn takes_bucket(&self, name: &str) -> bool {
        self.buckets.is_empty() || self.buckets.iter().any(|chosen| chosen == name)
    }

    /// Account ids of the command line that Organizations did not list.
    pub fn unknown_accounts<'a>(&'a self, listed: &'a [Account]) -> impl Iterator<Item = &'a str> {
        let known = |id: &&str| listed.iter().any(|account| account.id == *id);
        self.accounts.iter().map(String::as_str).filter(move |id| !known(id))
    }

    /// Whether the command line names buckets or Regions: then finding none of them is an error, not a clean result.
    #[must_use]
    pub fn names_buckets(&self) -> bool {
        !self.buckets.is_empty() || !self.regions.is_empty()
    }
}
