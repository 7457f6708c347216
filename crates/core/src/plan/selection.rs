//! Which accounts, Regions and buckets a run is about: the campaign file's choice, narrowed by the command line.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Patterns;
use crate::config::{AccountSelection, CampaignFile, Exemptions};
use crate::glob::{is_literal, matches};
use crate::model::{Account, Bucket};

/// What the command line narrows a run to: patterns with `*` and `?`, those that begin with `!` leave out. Empty lists mean
/// "all".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Narrowed {
    /// Account ids or names.
    pub accounts: Vec<String>,
    /// Ids of organizational units; what is below them is meant too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Region names.
    pub regions: Vec<String>,
    /// Bucket names.
    pub buckets: Vec<String>,
}

impl Narrowed {
    /// Whether it narrows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Narrowed::default()
    }

    /// Whether it says anything of accounts.
    #[must_use]
    pub fn names_accounts(&self) -> bool {
        !self.accounts.is_empty() || !self.ous.is_empty()
    }

    /// Whether an account is in it.
    #[must_use]
    pub fn takes_account(&self, account: &Account) -> bool {
        let ous: Vec<&str> = account.ous.iter().map(String::as_str).collect();
        let ous_take = self.ous.is_empty() || Patterns::of(&self.ous).takes(&ous);
        ous_take && Patterns::of(&self.accounts).takes(&[&account.id, &account.name])
    }

    /// Whether a bucket's Region and name are in it.
    #[must_use]
    pub fn takes_bucket(&self, bucket: &Bucket) -> bool {
        Patterns::of(&self.regions).takes(&[&bucket.region]) && Patterns::of(&self.buckets).takes(&[&bucket.name])
    }

    /// In words, for the record; empty for everything.
    #[must_use]
    pub fn in_words(&self) -> String {
        let part =
            |name: &str, values: &[String]| (!values.is_empty()).then(|| format!("{name} {}", values.join(", ")));
        [
            part("account", &self.accounts),
            part("OU", &self.ous),
            part("region", &self.regions),
            part("bucket", &self.buckets),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
    }
}

/// What a selection has to know of an account beyond `ListAccounts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The OUs above the account.
    pub ous: bool,
    /// The account's tags.
    pub tags: bool,
}

/// What a run is about.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: AccountSelection,
    exclude: AccountSelection,
    chosen: Patterns,
    narrowed: Narrowed,
    regions: Patterns,
    buckets: Patterns,
    needs_ous: bool,
    needs_tags: bool,
    /// Patterns of the command line for Regions and buckets that covered nothing so far.
    idle: Arc<Mutex<Idle>>,
}

/// Patterns by what they are about.
#[derive(Clone, Debug, Default)]
struct Idle {
    regions: Vec<String>,
    buckets: Vec<String>,
}

impl Selection {
    /// The campaign file's choice, narrowed as the command line says.
    #[must_use]
    pub fn new(campaign: &CampaignFile, exemptions: &Exemptions, narrowed: Narrowed) -> Selection {
        let (ous, tags) = campaign.needs_of_accounts();
        let (exempt_ous, exempt_tags) = exemptions.need();
        let (ous, tags) = (ous || exempt_ous, tags || exempt_tags);
        Selection {
            include: campaign.accounts.include.clone(),
            exclude: campaign.accounts.exclude.clone(),
            chosen: Patterns::from_lists(&campaign.buckets.include, &campaign.buckets.exclude),
            regions: Patterns::of(&narrowed.regions),
            buckets: Patterns::of(&narrowed.buckets),
            needs_ous: ous || !narrowed.ous.is_empty(),
            needs_tags: tags,
            idle: Arc::new(Mutex::new(Idle { regions: narrowed.regions.clone(), buckets: narrowed.buckets.clone() })),
            narrowed,
        }
    }

    /// What has to be read besides `ListAccounts`.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs { ous: self.needs_ous, tags: self.needs_tags }
    }

    /// Whether the run is about an account.
    #[must_use]
    pub fn takes_account(&self, account: &Account) -> bool {
        (self.include.is_empty() || self.include.matches(account))
            && !self.exclude.matches(account)
            && self.narrowed.takes_account(account)
    }

    /// Whether the run is about a Region.
    #[must_use]
    pub fn takes_region(&self, region: &str) -> bool {
        self.regions.takes(&[region])
    }

    /// Whether the run is about a bucket of this name.
    #[must_use]
    pub fn takes_bucket(&self, name: &str) -> bool {
        self.chosen.takes(&[name]) && self.buckets.takes(&[name])
    }

    /// Takes note of a bucket that is there, whether the run is about it or not.
    pub fn saw(&self, name: &str, region: Option<&str>) {
        if self.names_buckets() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let covers = |pattern: &String, text: &str| matches(pattern.strip_prefix('!').unwrap_or(pattern), text);
            idle.buckets.retain(|pattern| !covers(pattern, name));
            idle.regions.retain(|pattern| !region.is_some_and(|region| covers(pattern, region)));
        }
    }

    /// Patterns of the command line that cover none of the buckets that were seen: slips of the pen, perhaps. Names of single
    /// buckets are not among them.
    #[must_use]
    pub fn idle(&self) -> Vec<String> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let regions = idle.regions.into_iter().map(|pattern| format!("--region {pattern}"));
        let buckets = idle.buckets.into_iter().filter(|pattern| pattern.starts_with('!') || !is_literal(pattern));
        regions.chain(buckets.map(|pattern| format!("--bucket {pattern}"))).collect()
    }

    /// What the command line names and no account answers to: ids, names, OUs.
    #[must_use]
    pub fn unknown_accounts(&self, listed: &[Account]) -> Vec<String> {
        let covers =
            |pattern: &str, account: &Account| Patterns::of(&[pattern.to_owned()]).takes(&[&account.id, &account.name]);
        let accounts = Patterns::of(&self.narrowed.accounts);
        let ous = Patterns::of(&self.narrowed.ous);
        let idle = accounts.idle(|pattern| listed.iter().any(|account| covers(pattern, account)));
        let idle_ous =
            ous.idle(|pattern| listed.iter().any(|account| account.ous.iter().any(|ou| matches(pattern, ou))));
        let named = |what: &str, patterns: Vec<String>| -> Vec<String> {
            patterns.into_iter().map(|pattern| format!("{what} {pattern}")).collect()
        };
        [named("account", idle), named("organizational unit", idle_ous)].concat()
    }

    /// Whether the command line names buckets or Regions: then finding none of them is an error, not a clean result.
    #[must_use]
    pub fn names_buckets(&self) -> bool {
        !self.buckets.is_empty() || !self.regions.is_empty()
    }

    /// The buckets that the command line names one by one.
    pub fn named_buckets(&self) -> impl Iterator<Item = &str> {
        self.buckets.literals()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, name: &str, ou: &str) -> Account {
        Account {
            id: id.into(),
            name: name.into(),
            state: "ACTIVE".into(),
            ous: vec!["r-ab12".into(), ou.into()],
            tags: Default::default(),
        }
    }

    fn narrowed(accounts: &[&str], ous: &[&str]) -> Narrowed {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Narrowed { accounts: owned(accounts), ous: owned(ous), ..Narrowed::default() }
    }

    #[test]
    fn accounts_are_taken_by_id_name_and_ou() {
        let payments = account("444455556666", "payments-prod", "ou-ab12-prod");
        assert!(narrowed(&["payments-*"], &[]).takes_account(&payments));
        assert!(narrowed(&["4444*"], &["ou-ab12-prod"]).takes_account(&payments));
        assert!(!narrowed(&["payments-*"], &["ou-ab12-dev"]).takes_account(&payments));
        assert!(!narrowed(&["!payments-*"], &[]).takes_account(&payments));
        assert!(!narrowed(&[], &["!ou-ab12-prod"]).takes_account(&payments));
        assert!(narrowed(&[], &["r-ab12"]).takes_account(&payments));
    }

    #[test]
    fn what_nothing_answers_to_is_named() {
        let listed = [account("444455556666", "payments", "ou-ab12-prod")];
        let unknown = |narrowed: Narrowed| Selection { narrowed, ..Selection::default() }.unknown_accounts(&listed);
        assert!(unknown(narrowed(&["444455556666", "pay*"], &["ou-ab12-*"])).is_empty());
        // Whoever was to be left out, and is not named so, would be changed.
        assert_eq!(unknown(narrowed(&["!nobody"], &["!ou-xx"])), ["account !nobody", "organizational unit !ou-xx"]);
        assert_eq!(unknown(narrowed(&["web*"], &["ou-xx"])), ["account web*", "organizational unit ou-xx"]);
    }
}
