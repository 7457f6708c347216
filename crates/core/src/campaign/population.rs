//! The accounts of the organization as they were listed, and what follows from them: who is chosen, who goes in which wave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Campaign;
use crate::config::CampaignFile;
use crate::model::{Account, Bucket, KeyArn, KeyMap, OrganizationEvidence};
use crate::plan::{Narrowed, WaveMap};

/// The accounts of the organization.
pub(super) struct Population {
    /// All of them, whatever the run is about: who is inside and who is not.
    pub(super) organization: OrganizationEvidence,
    /// Those that this process is narrowed to; `None`: it is not narrowed by account.
    chosen: Option<BTreeSet<String>>,
    pub(super) waves: WaveMap,
    /// The keys of accounts that have others than the campaign's own.
    keys: BTreeMap<String, Arc<KeyMap>>,
}

impl Population {
    pub(super) fn new(
        organization: &str,
        listed: &[Account],
        narrowed: &Narrowed,
        waves: WaveMap,
        file: &CampaignFile,
    ) -> Population {
        let overridden = |account: &&Account| file.central_key_overrides.iter().any(|over| over.names(account));
        let keys = listed.iter().filter(overridden);
        let ids = |accounts: &[Account], takes: &dyn Fn(&Account) -> bool| {
            accounts.iter().filter(|account| takes(account)).map(|account| account.id.clone()).collect()
        };
        Population {
            organization: OrganizationEvidence { id: organization.to_owned(), accounts: ids(listed, &|_| true) },
            chosen: narrowed.names_accounts().then(|| ids(listed, &|account| narrowed.takes_account(account))),
            waves,
            keys: keys.map(|account| (account.id.clone(), Arc::new(file.keys_of(account)))).collect(),
        }
    }

    /// Whether this process is narrowed to an account, or not narrowed at all.
    pub(super) fn takes_account(&self, id: &str) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(id))
    }
}

impl Campaign {
    /// The central keys for the buckets of an account.
    pub(super) fn keys_of(&self, account: &str) -> &KeyMap {
        self.population.get().and_then(|population| population.keys.get(account)).map_or(&self.keys, |keys| keys)
    }

    /// The central key for the buckets of an account in a Region, if the campaign has one there.
    pub(super) fn key_of(&self, account: &str, region: &str) -> Option<KeyArn> {
        self.keys_of(account).get(region).cloned()
    }

    /// Whether this process is about an account.
    pub(super) fn takes_account(&self, id: &str) -> bool {
        self.population.get().is_none_or(|population| population.takes_account(id))
    }

    /// Whether this process is about a bucket.
    pub(super) fn takes_bucket(&self, bucket: &Bucket) -> bool {
        self.takes_account(&bucket.account) && self.narrowed.takes_bucket(bucket)
    }
}
