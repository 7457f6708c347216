//! Regions that accounts have disabled, after buckets were created there.

use serde::{Deserialize, Serialize};

use super::check::Fault;
use super::{AccountChoice, All, Spec};
use crate::generate;
use crate::partition::Partition;

/// A Region that is disabled in some accounts. Their buckets there stay, and stay in ListBuckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisabledRegionSpec {
    /// The Region: one that accounts opt in to, since the older ones cannot be disabled.
    pub region: String,
    /// In which accounts: `"all"`, or names and ids.
    #[serde(default = "all")]
    pub accounts: AccountChoice,
}

fn all() -> AccountChoice {
    AccountChoice::All(All::All)
}

/// Why a Region cannot be disabled; nothing where it can (AWS Account Management, "Enable or disable AWS Regions").
pub(crate) fn cannot_be_disabled(region: &str) -> Option<String> {
    let always = Partition::of_region(region).is_some_and(|partition| partition.default_regions().contains(&region));
    always.then(|| {
        format!(
            "{region} is enabled in every account and cannot be disabled: write an opt-in Region such as me-south-1"
        )
    })
}

impl Spec {
    pub(super) fn disabled_region_fault(&self) -> Option<Fault> {
        let named = |spec: &DisabledRegionSpec| !spec.accounts.named().is_empty();
        let organization = self.disabled_region.iter().any(named).then(|| generate::organization(self));
        for spec in &self.disabled_region {
            if !self.regions.contains(&spec.region) {
                let regions = self.regions.join(", ");
                let message =
                    format!("disabled_region is {}, which is not among regions: write one of {regions}", spec.region);
                return Some(("disabled_region", message));
            }
            if let Some(message) = cannot_be_disabled(&spec.region) {
                return Some(("disabled_region", message));
            }
            let is_there = |name: &&String| {
                let mut accounts = organization.iter().flat_map(|organization| &organization.accounts);
                accounts.any(|account| account.id == **name || account.name == **name)
            };
            if let Some(name) = spec.accounts.named().iter().find(|name| !is_there(name)) {
                let message = format!(
                    "disabled_region is for \"{name}\", which does not exist: write \"all\", or names or ids of accounts"
                );
                return Some(("accounts", message));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_opt_in_region_of_an_account_that_exists_can_be_disabled() {
        let read = |text: &str| {
            let text = format!("regions = [\"us-east-1\", \"me-south-1\"]\n[[account]]\nname = \"alpha\"\n{text}");
            Spec::from_toml(&text, "my.toml").map_err(|error| error.to_string())
        };
        let spec = read("[[disabled_region]]\nregion = \"me-south-1\"\naccounts = [\"alpha\"]\n").unwrap();
        assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap(), "x").unwrap(), spec);
        let refusal = |text: &str| read(&format!("[[disabled_region]]\n{text}\n")).unwrap_err();
        assert!(refusal("region = \"us-east-1\"").contains("cannot be disabled"));
        assert!(refusal("region = \"eu-south-1\"").contains("write one of us-east-1, me-south-1"));
        assert!(refusal("region = \"me-south-1\"\naccounts = [\"moon\"]").contains("\"moon\", which does not exist"));
    }
}
