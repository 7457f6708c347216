//! What sealed buckets ask of KMS: rate, quota, money.
//!
//! An upper bound: objects written before the change stay as they are and ask KMS for nothing new, and buckets that were on
//! SSE-KMS before ask for about as much already.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Workload;
use crate::config::{Assumptions, RequestsPaidBy};

/// Seconds of a month as AWS bills it: 730 hours.
const MONTH: f64 = 730.0 * 3600.0;

/// What the sealed buckets of an account and Region ask of KMS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KmsLoad {
    /// The account that asks: KMS throttles it, not the key's owner.
    pub account: String,
    /// The Region.
    pub region: String,
    /// Buckets to change.
    pub buckets: u64,
    /// Objects written and read a second, on average.
    pub objects_per_second: f64,
    /// Requests to KMS a month, without Bucket Keys.
    pub requests_without_bucket_keys: f64,
    /// Requests to KMS a month, with Bucket Keys.
    pub requests_with_bucket_keys: f64,
    /// USD a month for the requests that the plan leads to.
    pub usd: f64,
    /// The account that pays them.
    pub paid_by: String,
    /// Requests to KMS a second at the busiest moment, as the plan leads to them.
    pub peak_per_second: f64,
    /// Requests to KMS a second that the account may make in the Region.
    pub quota_per_second: f64,
    /// The peak is above the part of the quota that `[forecast]` allows: ask for more, or turn Bucket Keys on.
    pub above_quota_share: bool,
}

/// What the central keys cost a month, in USD. AWS's free requests are not taken off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Money {
    /// Requests, as the plan leads to them.
    pub requests: f64,
    /// The same, if no bucket had a Bucket Key.
    pub requests_without_bucket_keys: f64,
    /// The keys themselves: their owner pays.
    pub keys: f64,
    /// What each account pays, the keys included.
    pub by_account: BTreeMap<String, f64>,
}

/// By account and Region, in their order.
pub(super) fn loads(work: &Workload, assumed: &Assumptions) -> Vec<KmsLoad> {
    let mut found: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for account in &work.accounts {
        for (region, buckets) in account.regions() {
            *found.entry((&account.id, region)).or_default() += buckets as u64;
        }
    }
    let kept = 1.0 - assumed.bucket_key_saving;
    let of = |((account, region), buckets): ((&str, &str), u64)| {
        let objects_per_second = buckets as f64 * assumed.objects_per_second(account);
        let without = objects_per_second * MONTH;
        let part = if work.bucket_key { kept } else { 1.0 };
        let peak = objects_per_second * assumed.peak_factor * part;
        let quota = assumed.kms_quota(region);
        let paid_by = match assumed.requests_paid_by {
            RequestsPaidBy::Caller => account,
            RequestsPaidBy::KeyOwner => &work.key_account,
        };
        KmsLoad {
            account: account.to_owned(),
            region: region.to_owned(),
            buckets,
            objects_per_second,
            requests_without_bucket_keys: without,
            requests_with_bucket_keys: without * kept,
            usd: price(without * part, assumed),
            paid_by: paid_by.to_owned(),
            peak_per_second: peak,
            quota_per_second: quota,
            above_quota_share: peak > quota * assumed.quota_share,
        }
    };
    found.into_iter().map(of).collect()
}

fn price(requests: f64, assumed: &Assumptions) -> f64 {
    requests / 10_000.0 * assumed.usd_per_10000_requests
}

/// A sum that is 0 where there is nothing to add: `sum` of no floats is -0.
fn total(amounts: impl Iterator<Item = f64>) -> f64 {
    amounts.fold(0.0, |sum, amount| sum + amount)
}

impl Money {
    pub(super) fn of(loads: &[KmsLoad], work: &Workload, assumed: &Assumptions) -> Money {
        let keys = work.keys as f64 * assumed.usd_per_key;
        let mut by_account: BTreeMap<String, f64> = BTreeMap::new();
        for load in loads {
            *by_account.entry(load.paid_by.clone()).or_default() += load.usd;
        }
        if work.keys > 0 {
            *by_account.entry(work.key_account.clone()).or_default() += keys;
        }
        Money {
            requests: total(loads.iter().map(|load| load.usd)),
            requests_without_bucket_keys: total(
                loads.iter().map(|load| price(load.requests_without_bucket_keys, assumed)),
            ),
            keys,
            by_account,
        }
    }
}
