//! Which Regions are disabled in which accounts now.

use std::collections::HashSet;
use std::sync::RwLock;

use super::World;
use super::lock::{read, write};
use super::organization::Organization;
use crate::spec::{Spec, cannot_be_disabled};

/// Pairs of account and Region.
#[derive(Debug)]
pub(crate) struct DisabledRegions(RwLock<HashSet<(usize, String)>>);

impl DisabledRegions {
    pub(crate) fn new(spec: &Spec, organization: &Organization) -> DisabledRegions {
        let mut disabled = HashSet::new();
        for one in &spec.disabled_region {
            let accounts = organization.accounts.iter().enumerate();
            let chosen = accounts.filter(|(_, account)| one.accounts.takes(&account.id, &account.name));
            disabled.extend(chosen.map(|(index, _)| (index, one.region.clone())));
        }
        DisabledRegions(RwLock::new(disabled))
    }

    pub(crate) fn contains(&self, account: usize, region: &str) -> bool {
        let disabled = read(&self.0);
        !disabled.is_empty() && disabled.contains(&(account, region.to_owned()))
    }
}

impl World {
    /// Disables a Region in an account, or enables it again. The error says what is not there.
    pub(crate) fn set_region_disabled(&self, account: &str, region: &str, disabled: bool) -> Result<(), String> {
        let index = self.organization.find(account).ok_or_else(|| format!("account {account}"))?;
        self.region_index(region).ok_or_else(|| format!("Region {region}"))?;
        let mut regions = write(&self.disabled_regions.0);
        match disabled {
            true => {
                if let Some(why) = cannot_be_disabled(region) {
                    return Err(format!("Region to disable: {why}"));
                }
                regions.insert((index, region.to_owned()));
            }
            false => {
                regions.remove(&(index, region.to_owned()));
            }
        }
        Ok(())
    }
}
