use proptest::prelude::*;

use super::*;
use crate::config::{RateOverride, RequestsPaidBy};

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];

fn account(nth: usize, buckets: [usize; 3], limits: AccountLimits, wave: usize) -> AccountWork {
    let to_change: BTreeMap<String, usize> = REGIONS.iter().map(|region| (*region).to_owned()).zip(buckets).collect();
    let buckets = buckets.iter().sum::<usize>() + 3;
    AccountWork { id: format!("{nth:012}"), limits, is_read: true, buckets, to_change, wave }
}

fn limits(executions: usize, executions_per_region: usize, reads: usize) -> AccountLimits {
    AccountLimits { executions, executions_per_region, reads }
}

fn work(accounts: Vec<AccountWork>, accounts_at_once: usize, bakes: &[u64]) -> Workload {
    Workload {
        organization_accounts: accounts.len(),
        accounts_at_once,
        accounts,
        bakes: bakes.iter().map(|&seconds| Duration::from_secs(seconds)).collect(),
        lookups_per_bake: 1,
        guards: GuardReads {
            per_bucket: 9,
            per_account: 1,
            identity_pages: 4,
            key_policies: true,
            control_policies: 5,
            max_age: Duration::from_secs(3600),
            proofs: 2,
        },
        key_account: "111122223333".into(),
        keys: 3,
        bucket_key: true,
        key_checked_every: Duration::from_secs(60),
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * b.abs().max(1.0)
}

#[test]
fn requests_are_those_that_product_and_benchmarks_name() {
    let mut work = work(vec![account(0, [1000, 0, 0], limits(100, 100, 10), 0)], 20, &[]);
    work.guards = GuardReads::default();
    work.accounts[0].buckets = 1000;
    let found = forecast(&work, &Assumptions::default());
    assert_eq!(
        (found.executions, found.requests.s3, found.requests.ssm),
        (1000, 1 + 3000, 2 + 1000 + 2 * (12 + 9 * 5))
    );
    assert_eq!((found.requests.organizations, found.requests.iam, found.requests.cloudtrail), (2, 0, 0));
    assert_eq!(found.requests.sts, 2);
    let requests = found.requests;
    assert_eq!(requests.total(), requests.s3 + requests.ssm + requests.kms + requests.sts + requests.organizations);
}

#[test]
fn a_later_wave_reads_again_and_a_bake_looks_for_denials() {
    let accounts =
        |wave| vec![account(0, [1, 0, 0], limits(10, 5, 10), 0), account(1, [1, 1, 0], limits(10, 5, 10), wave)];
    let at_once = forecast(&work(accounts(0), 20, &[]), &Assumptions::default());
    let soon = forecast(&work(accounts(1), 20, &[60, 60]), &Assumptions::default());
    let late = forecast(&work(accounts(1), 20, &[7200, 60]), &Assumptions::default());
    assert_eq!(at_once.requests.cloudtrail, 0);
    assert_eq!(soon.requests.cloudtrail, 3);
    let organizations = [&at_once, &soon, &late].map(|found| found.requests.organizations);
    assert_eq!(organizations, [2 + 5, 2 + 5, 2 + 2 * 5], "control policies: before the first start, and with guards");
    assert_eq!(late.requests.s3, soon.requests.s3 + 2 * 9 + 1, "what guards read of two buckets and their account");
    assert_eq!((late.requests.iam, late.requests.sts), (soon.requests.iam + 4, soon.requests.sts + 1));
    assert_eq!(
        late.requests.kms,
        soon.requests.kms + 3,
        "the policy of each key; a proof holds for the whole campaign"
    );
    assert_eq!(
        soon.requests.kms,
        3 * 2 + 1 + 2,
        "two for a proof of an account and Region; a look at each wave's keys"
    );
    assert_eq!((soon.requests.s3, soon.requests.iam), (2 + 4 + 5 + 3 * 2, 0), "guards' word is in the plan");
    assert!(near(late.waves[0].bake_seconds + late.waves[1].bake_seconds, 7260.0));
    assert!(late.seconds > 7260.0 && late.seconds < 7300.0, "{}", late.seconds);
}

#[test]
fn a_bucket_key_saves_what_is_assumed_and_the_caller_pays() {
    let busy = RateOverride { accounts: vec!["000000000001".into()], objects_per_second: 900.0 };
    let mut assumed = Assumptions { overrides: vec![busy], ..Assumptions::default() };
    let mut work =
        work(vec![account(0, [2, 0, 0], limits(10, 5, 10), 0), account(1, [0, 0, 1], limits(10, 5, 10), 0)], 20, &[]);
    let found = forecast(&work, &assumed);
    let [quiet, busy] = found.kms.as_slice() else { panic!("{:?}", found.kms) };
    // 2 a second for 730 hours.
    assert!(near(quiet.requests_without_bucket_keys, 5_256_000.0));
    assert!(near(quiet.requests_with_bucket_keys, 52_560.0));
    assert!(near(quiet.usd, 52_560.0 / 10_000.0 * 0.03), "{}", quiet.usd);
    assert_eq!((quiet.paid_by.as_str(), quiet.above_quota_share), ("000000000000", false));
    assert!(near(busy.peak_per_second, 90.0) && !busy.above_quota_share);
    assert!(near(found.money.keys, 3.0) && near(found.money.by_account["111122223333"], 3.0));
    assert!(near(found.money.requests_without_bucket_keys, found.money.requests * 100.0));
    work.bucket_key = false;
    let without = forecast(&work, &assumed);
    assert!(near(without.kms[1].peak_per_second, 9000.0) && without.kms[1].above_quota_share, "of 10,000");
    assert!(near(without.money.requests, found.money.requests_without_bucket_keys));
    assumed.requests_paid_by = RequestsPaidBy::KeyOwner;
    let owner = forecast(&work, &assumed).money;
    assert_eq!(owner.by_account.len(), 1);
    assert!(near(owner.by_account["111122223333"], owner.requests + owner.keys));
}

#[test]
fn an_account_of_several_waves_is_read_once() {
    let mut twice =
        work(vec![account(0, [1, 0, 0], limits(10, 5, 10), 0), account(0, [0, 1, 0], limits(10, 5, 10), 1)], 20, &[]);
    (twice.accounts[0].buckets, twice.accounts[1].buckets, twice.accounts[1].is_read) = (5, 0, false);
    let found = forecast(&twice, &Assumptions::default());
    assert_eq!((found.requests.sts, found.requests.s3), (2, 1 + 5 + 2 * 2));
}

#[test]
fn nothing_to_do_takes_no_wave() {
    let found = forecast(&work(vec![account(0, [0, 0, 0], limits(10, 5, 10), 0)], 20, &[]), &Assumptions::default());
    assert_eq!((found.executions, found.waves.len(), found.kms.len(), found.requests.iam), (0, 0, 0, 0));
    assert!(found.money.requests.is_sign_positive(), "no -0.00 USD");
    assert!(
        forecast(&Workload::default(), &Assumptions::default()).seconds > 0.0,
        "the organization is asked at least"
    );
}

fn an_account() -> impl Strategy<Value = ([usize; 3], AccountLimits, usize)> {
    let limits =
        (1..30_usize, 1..30_usize, 1..30_usize).prop_map(|(account, region, reads)| limits(account, region, reads));
    (prop::array::uniform3(0..120_usize), limits, 0..3_usize)
}

prop_compose! {
    fn a_workload()(
        accounts in prop::collection::vec(an_account(), 1..12),
        at_once in 1..8_usize,
        bakes in prop::collection::vec(0..9000_u64, 0..4),
        bucket_key in any::<bool>(),
    ) -> Workload {
        let accounts = accounts.into_iter().enumerate();
        let accounts = accounts.map(|(nth, (buckets, limits, wave))| account(nth, buckets, limits, wave)).collect();
        Workload { bucket_key, ..work(accounts, at_once, &bakes) }
    }
}

/// Everything that is counted, for comparing.
fn figures(found: &Forecast) -> Vec<f64> {
    let requests = &found.requests;
    let counted = [
        requests.s3,
        requests.ssm,
        requests.kms,
        requests.sts,
        requests.organizations,
        requests.iam,
        requests.cloudtrail,
    ];
    let mut figures: Vec<f64> = counted.iter().map(|&count| count as f64).collect();
    let money = &found.money;
    figures.extend([found.executions as f64, found.seconds, found.reading_seconds]);
    figures.extend([money.requests, money.requests_without_bucket_keys, money.keys]);
    figures
}

proptest! {
    /// One bucket more never makes anything less.
    #[test]
    fn it_grows_with_the_buckets(work in a_workload(), which in any::<prop::sample::Index>(), region in 0..3_usize) {
        let assumed = Assumptions::default();
        let before = forecast(&work, &assumed);
        let mut more = work.clone();
        let account = &mut more.accounts[which.index(work.accounts.len())];
        account.buckets += 1;
        *account.to_change.get_mut(REGIONS[region]).unwrap() += 1;
        let after = forecast(&more, &assumed);
        for (was, is) in figures(&before).into_iter().zip(figures(&after)) {
            prop_assert!(is >= was - 1e-9, "{was} -> {is}\n{before:?}\n{after:?}");
        }
    }

    /// No limit is beaten: not that of a Region, of an account, nor that on accounts at once.
    #[test]
    fn no_limit_is_beaten(work in a_workload()) {
        let assumed = Assumptions::default();
        let found = forecast(&work, &assumed);
        prop_assert_eq!(found.executions, work.accounts.iter().map(AccountWork::executions).sum::<u64>());
        let baked: f64 = found.waves.iter().map(|wave| wave.bake_seconds).sum();
        prop_assert!(found.seconds >= baked);
        for (nth, wave) in found.waves.iter().enumerate() {
            let accounts: Vec<&AccountWork> = work.accounts.iter().filter(|account| account.wave == nth).collect();
            let mut together = 0.0;
            for account in accounts {
                let by_account = account.executions() as f64 / account.limits.executions as f64;
                let by_region = account.limits.executions_per_region as f64;
                let by_region = account.to_change.values().map(|&buckets| buckets as f64 / by_region).fold(0.0, f64::max);
                let least = by_account.max(by_region) * assumed.execution_seconds;
                prop_assert!(wave.seconds >= least - 1e-9, "{} < {least}", wave.seconds);
                together += least;
            }
            prop_assert!(wave.seconds >= together / work.accounts_at_once as f64 - 1e-9);
        }
    }

    /// A Bucket Key never costs more, and a peak is flagged when and only when it is above the share.
    #[test]
    fn kms_is_flagged_by_its_quota(work in a_workload(), rate in 0.0..5000.0_f64) {
        let assumed = Assumptions { objects_per_second: rate, ..Assumptions::default() };
        let found = forecast(&work, &assumed);
        for load in &found.kms {
            prop_assert!(load.requests_with_bucket_keys <= load.requests_without_bucket_keys);
            prop_assert_eq!(load.above_quota_share, load.peak_per_second > load.quota_per_second * assumed.quota_share);
        }
        let paid: f64 = found.money.by_account.values().sum();
        prop_assert!(near(paid, found.money.requests + found.money.keys));
    }
}
