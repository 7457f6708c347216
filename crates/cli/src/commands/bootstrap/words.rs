//! Findings and outcomes for people: what is the same in many accounts is said once.

use std::collections::BTreeMap;

use orgseal_bootstrap::deployed::{Compared, Counts, Finding, Kind, State};
use orgseal_report::counted;

/// What is said where the management account is not in scope.
pub(super) const WITHOUT_MANAGEMENT: &str = "note: the management account is excluded, as in StackSets. To include it, set \
                                             bootstrap.management_account: with its own credentials it is deployed like any \
                                             other account, and `orgseal bootstrap render` writes its stack";

/// Accounts that are named beneath a finding before the rest is counted.
const NAMED: usize = 4;

/// What is said of one kind of finding: how it stands, of which piece, and in what it differs.
type Said = (State, Kind, String, Vec<String>);

/// Where something is: an account as people know it, and a Region where it is of one.
pub(super) type Place = (String, Option<String>);

/// Lines on what was found, grouped by how it stands.
pub(super) fn findings(compared: &Compared) -> Vec<String> {
    let mut groups: BTreeMap<Said, Vec<Place>> = BTreeMap::new();
    let mut unread: BTreeMap<(Kind, String, String), (String, Vec<Place>)> = BTreeMap::new();
    let in_accounts = compared.findings().map(|(account, finding)| (called(&account.id, &account.name), finding));
    let of_all = compared.guardrails.iter().map(|finding| ("the organization".to_owned(), finding));
    for (account, finding) in in_accounts.chain(of_all) {
        let Finding { kind, name, state, says, region, error } = finding;
        let place = (account, region.clone());
        match error {
            // What AWS says names the account, and is the same otherwise: one of them is shown.
            Some(error) => {
                let group = unread.entry((*kind, name.clone(), error.code.clone()));
                group.or_insert_with(|| (error.to_string(), Vec::new())).1.push(place);
            }
            None => groups.entry((*state, *kind, name.clone(), says.clone())).or_default().push(place),
        }
    }
    let counts = compared.counts();
    let all = counts.accounts - counts.skipped;
    let mut lines = Vec::new();
    let mut state = None;
    for ((of, kind, name, says), places) in groups {
        if state != Some(of) {
            let title = if of == State::Missing { "Missing" } else { "Differs" };
            lines.extend([String::new(), title.to_owned()]);
            state = Some(of);
        }
        lines.extend(placed(&format!("  {} {name}", kind.title()), &places, all));
        lines.extend(says.iter().map(|line| format!("      {line}")));
    }
    if !unread.is_empty() {
        lines.extend([String::new(), "Could not be checked".to_owned()]);
    }
    for ((kind, name, _), (error, places)) in unread {
        lines.extend(placed(&format!("  {} {name}", kind.title()), &places, all));
        lines.push(format!("      {error}"));
    }
    lines
}

/// `111122223333 (alpha)`
pub(super) fn called(account: &str, name: &str) -> String {
    if name.is_empty() { account.to_owned() } else { format!("{account} ({name})") }
}

/// What is in some places, with those that are in the same Regions on one line. `all` are the accounts that were looked at.
pub(super) fn placed(what: &str, places: &[Place], all: usize) -> Vec<String> {
    let mut by_account: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (account, region) in places {
        by_account.entry(account).or_default().extend(region.as_deref());
    }
    let mut by_regions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (account, mut regions) in by_account {
        regions.sort_unstable();
        by_regions.entry(regions.join(", ")).or_default().push(account);
    }
    let lines = by_regions.into_iter().map(|(regions, accounts)| {
        let what = if regions.is_empty() { what.to_owned() } else { format!("{what} in {regions}") };
        match accounts.len() {
            some if some == all && all > 1 => format!("{what}: all {all} accounts"),
            some if some > NAMED + 1 => format!("{what}: {some} accounts, {}", named(&accounts)),
            _ => format!("{what}: {}", named(&accounts)),
        }
    });
    lines.collect()
}

/// Some of a list by name, the rest by number.
pub(super) fn named<T: AsRef<str>>(all: &[T]) -> String {
    let some: Vec<&str> =
        all.iter().map(AsRef::as_ref).take(if all.len() > NAMED + 1 { NAMED } else { all.len() }).collect();
    match all.len() - some.len() {
        0 => some.join("; "),
        more => format!("{}; and {more} more", some.join("; ")),
    }
}

/// One line on how many there are of each.
pub(super) fn counts(counts: &Counts) -> String {
    let skipped = match counts.skipped {
        0 => String::new(),
        skipped => format!(" ({skipped} of them not ACTIVE)"),
    };
    format!(
        "{}{skipped}: {} unchanged, {} missing, {} different, {} not checked",
        counted(counts.accounts as u64, "account"),
        counted(counts.same as u64, "resource"),
        counts.missing,
        counts.differing,
        counts.unread
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_same_regions_is_said_once() {
        let place = |account: &str, region: &str| (account.to_owned(), Some(region.to_owned()));
        let places =
            [place("a", "eu-west-1"), place("a", "us-east-1"), place("b", "us-east-1"), place("b", "eu-west-1")];
        assert_eq!(placed("rule x", &places, 9), ["rule x in eu-west-1, us-east-1: a; b"]);
        assert_eq!(placed("rule x", &places, 2), ["rule x in eu-west-1, us-east-1: all 2 accounts"]);
        assert_eq!(placed("role r", &[("a".to_owned(), None)], 1), ["role r: a"]);
    }

    #[test]
    fn many_are_counted() {
        let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        assert_eq!(named(&many), "0; 1; 2; 3; and 5 more");
        assert_eq!(named(&many[..5]), "0; 1; 2; 3; 4");
    }
}
