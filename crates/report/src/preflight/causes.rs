//! Checks with the same cause, put together: an organization of 500 accounts that lack one document hears it once.

use std::collections::{BTreeMap, BTreeSet};

use orgseal_core::model::{AccountChecks, Check, Preflight, Standing};

use crate::terminal::placeholder;
use crate::words::{counted, number};

/// One cause with every place in which it was met.
pub(super) struct Cause<'a> {
    /// As it was said where it was met first, or in general words where it was met in several places.
    pub(super) check: Check,
    /// Account and Region; empty for what concerns the whole organization.
    pub(super) places: Vec<(&'a AccountChecks, Option<&'a str>)>,
}

impl Cause<'_> {
    /// The ids of the accounts in which it was met.
    pub(super) fn accounts(&self) -> BTreeSet<&str> {
        self.places.iter().map(|(account, _)| account.id.as_str()).collect()
    }

    /// The places, the first ones by name.
    pub(super) fn in_words(&self, named: usize) -> String {
        let accounts = self.accounts();
        if let [(account, region)] = self.places.as_slice() {
            let region = region.map(|region| format!(", {region}")).unwrap_or_default();
            return format!("{} {}{region}", account.id, account.name);
        }
        if let (1, Some((account, _))) = (accounts.len(), self.places.first()) {
            return format!("{} {}, {} Regions", account.id, account.name, self.places.len());
        }
        let regions: BTreeSet<&str> = self.places.iter().filter_map(|(_, region)| *region).collect();
        let mut text = counted(accounts.len() as u64, "account");
        match regions.len() {
            0 => {}
            1 => text.push_str(&format!(" in {}", regions.iter().copied().collect::<String>())),
            many => {
                let places = number(self.places.len() as u64);
                text.push_str(&format!(" and {many} Regions, {places} places in all"));
            }
        }
        let mut first: Vec<&str> = accounts.iter().copied().take(named).collect();
        if accounts.len() > named {
            first.push("…");
        }
        format!("{text}: {}", first.join(", "))
    }
}

/// Everything that is not as it must be, by cause, what was met most often first.
pub(super) fn of(found: &Preflight) -> Vec<Cause<'_>> {
    let mut by_words: BTreeMap<(Standing, String), usize> = BTreeMap::new();
    let mut causes: Vec<(Cause<'_>, Check)> = Vec::new();
    for (account, region, check) in found.each_check().filter(|(.., check)| check.standing != Standing::Ok) {
        let general = general(check, account, region);
        let words = format!("{}\n{}\n{:?}", general.kind.title(), general.message, general.fix);
        let place = account.map(|account| (account, region));
        let known = *by_words.entry((check.standing, words)).or_insert_with(|| {
            let check = Check { message: shorter(&check.message), ..check.clone() };
            causes.push((Cause { check, places: Vec::new() }, general));
            causes.len() - 1
        });
        causes[known].0.places.extend(place);
    }
    let mut causes: Vec<Cause<'_>> = causes
        .into_iter()
        .map(|(cause, general)| match cause.places.len() {
            0 | 1 => cause,
            _ => Cause { check: general, ..cause },
        })
        .collect();
    causes.sort_by_key(|cause| (!cause.places.is_empty(), std::cmp::Reverse(cause.places.len())));
    causes
}

/// A message that names the role where AWS names the session, which is ours and says nothing new.
fn shorter(message: &str) -> String {
    let words = message.split(' ').map(|word| match word.split_once(":assumed-role/") {
        Some((_, role)) => role.split('/').next().unwrap_or(role),
        None => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A check without what differs from place to place.
fn general(check: &Check, account: Option<&AccountChecks>, region: Option<&str>) -> Check {
    let words = |text: &str| {
        let mut text = text.to_owned();
        // The key's ARN holds the Region, and may hold the account.
        if let Some(key) = check.known("key").filter(|key| !key.is_empty()) {
            text = text.replace(key, "KEY_ARN");
        }
        if let Some(account) = account {
            text = placeholder(&text, &account.id, "ACCOUNT_ID");
        }
        match region.filter(|_| account.is_some()) {
            Some(region) => text.replace(region, "REGION"),
            None => text,
        }
    };
    Check { message: words(&shorter(&check.message)), fix: check.fix.as_deref().map(words), ..check.clone() }
}
