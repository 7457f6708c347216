//! Which wave a bucket belongs to: a pure function of the campaign file, the accounts and the bucket, the same in every run.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::config::Wave;
use crate::glob::matches;
use crate::model::{Account, Bucket};

/// The waves of a campaign, with the accounts that each takes.
#[derive(Clone, Debug, Default)]
pub struct WaveMap {
    /// The first wave that takes all of an account's buckets, by account.
    of_account: BTreeMap<String, u32>,
    /// Waves that draw buckets: number, and the part of all that it and those before it take.
    drawing: Vec<(u32, f64)>,
}

impl WaveMap {
    /// For the accounts that the campaign is about. Parts of them are drawn by id: of the same accounts the same ones.
    #[must_use]
    pub fn new(waves: &[Wave], accounts: &[Account]) -> WaveMap {
        let mut drawn: Vec<&Account> = accounts.iter().collect();
        drawn.sort_by(|one, other| place(&one.id).total_cmp(&place(&other.id)).then_with(|| one.id.cmp(&other.id)));
        let mut map = WaveMap::default();
        for (number, wave) in (1..).zip(waves) {
            let named = |account: &Account| {
                wave.accounts.iter().any(|pattern| answers(account, pattern))
                    || wave.ous.iter().any(|ou| account.ous.contains(ou))
            };
            // Rounded up: one percent of fifty accounts is one account.
            let part = wave.accounts_percent.unwrap_or(0.0).clamp(0.0, 100.0) / 100.0;
            let first = (part * accounts.len() as f64).ceil() as usize;
            let by_part = drawn.iter().take(first).copied();
            for account in accounts.iter().filter(|account| named(account)).chain(by_part) {
                map.of_account.entry(account.id.clone()).or_insert(number);
            }
            if let Some(part) = wave.buckets_percent {
                map.drawing.push((number, part.clamp(0.0, 100.0) / 100.0));
            }
        }
        map
    }

    /// The accounts of which a wave takes all buckets.
    pub fn accounts_of(&self, wave: u32) -> impl Iterator<Item = &str> {
        self.of_account.iter().filter(move |(_, number)| **number == wave).map(|(id, _)| id.as_str())
    }

    /// The wave of a bucket, from 1; `None` where no wave takes it.
    #[must_use]
    pub fn of(&self, bucket: &Bucket) -> Option<u32> {
        let by_account = self.of_account.get(&bucket.account).copied();
        let drawn = || {
            let at = place(&format!("{}/{}", bucket.account, bucket.name));
            self.drawing.iter().find(|(_, part)| at < *part).map(|(number, _)| *number)
        };
        match (by_account, drawn()) {
            (Some(account), Some(drawn)) => Some(account.min(drawn)),
            (account, drawn) => account.or(drawn),
        }
    }

    /// Whether there may be buckets of this account that no wave takes.
    #[must_use]
    pub fn may_leave_out(&self, account: &str) -> bool {
        !self.of_account.contains_key(account) && !self.drawing.iter().any(|(_, part)| *part >= 1.0)
    }
}

/// What waves name in `accounts` and `ous` and no account answers to, with the number of the wave, from 1: a slip of the pen,
/// most likely, and a wave that takes less than its writer thinks.
#[must_use]
pub fn idle_patterns(waves: &[Wave], accounts: &[Account]) -> Vec<(u32, String)> {
    let mut idle = Vec::new();
    for (number, wave) in (1..).zip(waves) {
        let named = wave.accounts.iter().filter(|pattern| !accounts.iter().any(|account| answers(account, pattern)));
        let above = wave.ous.iter().filter(|ou| !accounts.iter().any(|account| account.ous.contains(ou)));
        idle.extend(named.chain(above).map(|pattern| (number, pattern.clone())));
    }
    idle
}

/// Whether a pattern means an account, by its id or its name.
fn answers(account: &Account, pattern: &str) -> bool {
    matches(pattern, &account.id) || matches(pattern, &account.name)
}

/// A place between 0 and 1 that follows from a text alone.
fn place(text: &str) -> f64 {
    let hash = Sha256::digest(text.as_bytes());
    let first: [u8; 8] = hash[..8].try_into().unwrap_or_default();
    // 53 bits are what a double holds exactly, so that no place is 1.
    (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(number: usize) -> Account {
        Account {
            id: format!("{:012}", number * 7919),
            name: format!("team-{number}"),
            state: "ACTIVE".into(),
            ous: vec!["r-ab12".into(), format!("ou-{}", number % 3)],
            tags: BTreeMap::new(),
        }
    }

    fn accounts(count: usize) -> Vec<Account> {
        (0..count).map(account).collect()
    }

    fn percent(name: &str, accounts: Option<f64>, buckets: Option<f64>) -> Wave {
        Wave { name: name.into(), accounts_percent: accounts, buckets_percent: buckets, ..Wave::default() }
    }

    fn bucket(account: &Account, number: usize) -> Bucket {
        Bucket { account: account.id.clone(), region: "us-east-1".into(), name: format!("bucket-{number}") }
    }

    #[test]
    fn the_usual_waves_of_fifty_accounts() {
        let accounts = accounts(50);
        let canary = Wave { name: "canary".into(), accounts: vec!["team-7".into()], ..Wave::default() };
        let waves =
            [canary, percent("1", Some(1.0), None), percent("10", Some(10.0), None), percent("100", Some(100.0), None)];
        let map = WaveMap::new(&waves, &accounts);
        let mut counts = [0; 4];
        for account in &accounts {
            counts[map.of(&bucket(account, 1)).unwrap() as usize - 1] += 1;
        }
        assert_eq!(map.of(&bucket(&accounts[7], 1)), Some(1));
        assert_eq!(counts[0], 1);
        assert!(counts[1] <= 1 && (4..=5).contains(&(counts[1] + counts[2])), "{counts:?}");
        assert_eq!(counts.iter().sum::<i32>(), 50);
    }

    #[test]
    fn what_no_wave_takes_is_in_none() {
        let accounts = accounts(5);
        let only = [Wave { name: "canary".into(), ous: vec!["ou-1".into()], ..Wave::default() }];
        let map = WaveMap::new(&only, &accounts);
        assert_eq!(map.of(&bucket(&accounts[1], 1)), Some(1));
        assert_eq!(map.of(&bucket(&accounts[2], 1)), None);
        assert_eq!(WaveMap::new(&[Wave::everything()], &accounts).of(&bucket(&accounts[2], 1)), Some(1));
    }

    #[test]
    fn what_no_account_answers_to_is_named_with_its_wave() {
        let accounts = accounts(5);
        let wave = |accounts: &[&str], ous: &[&str]| Wave {
            accounts: accounts.iter().map(ToString::to_string).collect(),
            ous: ous.iter().map(ToString::to_string).collect(),
            ..Wave::default()
        };
        let waves = [
            wave(&["team-?", "nosuch-*"], &[]),
            wave(&["000000007919", "Team-1"], &["ou-1", "ou-7", "r-ab12"]),
            Wave::everything(),
        ];
        let idle: Vec<(u32, String)> =
            [(1, "nosuch-*"), (2, "Team-1"), (2, "ou-7")].map(|(wave, pattern)| (wave, pattern.to_owned())).into();
        assert_eq!(idle_patterns(&waves, &accounts), idle);
        assert_eq!(idle_patterns(&waves[2..], &[]), []);
    }

    #[test]
    fn an_account_is_left_out_unless_it_or_all_buckets_are_taken() {
        let accounts = accounts(5);
        let canary = Wave { name: "canary".into(), accounts: vec!["team-1".into()], ..Wave::default() };
        let id = |number: usize| accounts[number].id.as_str();
        let map = WaveMap::new(&[canary.clone(), percent("b", None, Some(50.0))], &accounts);
        assert!(!map.may_leave_out(id(1)) && map.may_leave_out(id(2)));
        let map = WaveMap::new(&[canary, percent("b", None, Some(100.0))], &accounts);
        assert!(!map.may_leave_out(id(2)));
    }

    #[test]
    fn parts_of_buckets_are_about_as_large_as_asked_for() {
        let accounts = accounts(3);
        let map = WaveMap::new(&[percent("a", None, Some(10.0)), percent("b", None, Some(100.0))], &accounts);
        let first = (0..10_000).filter(|&number| map.of(&bucket(&accounts[number % 3], number)) == Some(1)).count();
        assert!((900..1100).contains(&first), "{first}");
    }

    proptest! {
        /// A bucket that an earlier part takes is in every larger part, so that raising a part moves nothing back.
        #[test]
        fn larger_parts_hold_the_smaller_ones(small in 0.0..100.0_f64, large in 0.0..100.0_f64, number in 0_usize..500) {
            let (small, large) = if small < large { (small, large) } else { (large, small) };
            let accounts = accounts(40);
            for of_accounts in [true, false] {
                let part = |size| if of_accounts { percent("w", Some(size), None) } else { percent("w", None, Some(size)) };
                let bucket = bucket(&accounts[number % 40], number);
                let in_small = WaveMap::new(&[part(small)], &accounts).of(&bucket).is_some();
                let in_large = WaveMap::new(&[part(large)], &accounts).of(&bucket).is_some();
                prop_assert!(!in_small || in_large);
            }
        }

        /// The order in which Organizations lists accounts decides nothing.
        #[test]
        fn the_order_of_accounts_does_not_matter(size in 0.0..100.0_f64, turn in 0_usize..40) {
            let accounts = accounts(40);
            let mut turned = accounts.clone();
            turned.rotate_left(turn);
            let waves = [percent("w", Some(size), None)];
            let (here, there) = (WaveMap::new(&waves, &accounts), WaveMap::new(&waves, &turned));
            for account in &accounts {
                prop_assert_eq!(here.of(&bucket(account, 1)), there.of(&bucket(account, 1)));
            }
        }
    }
}
