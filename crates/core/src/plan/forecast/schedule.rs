//! How long it takes, under the limits.

use super::{AccountWork, Workload};
use crate::config::{Assumptions, RequestMilliseconds};

/// Seconds until the last of these jobs is done, the longest taken first, as many at once as the limit allows.
///
/// The longest first is what a rollout does. A longer job, or one more, never makes it end earlier: the loads, sorted, stay
/// at least what they were.
pub(super) fn packed(mut jobs: Vec<f64>, at_once: usize) -> f64 {
    jobs.sort_by(|a, b| b.total_cmp(a));
    let mut free = vec![0.0_f64; at_once.clamp(1, jobs.len().max(1))];
    for job in jobs {
        if let Some(first) = free.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *first += job;
        }
    }
    free.into_iter().fold(0.0, f64::max)
}

/// How many times an account's slots are filled. Executions of one length need just as many rounds as the tighter of the two
/// limits says: spread evenly over them, none passes the other limit.
pub(super) fn rounds(account: &AccountWork) -> u64 {
    let limits = &account.limits;
    let in_account = account.executions().div_ceil(limits.executions.max(1) as u64);
    account.regions().map(|(_, buckets)| region_rounds(account, buckets)).fold(in_account, u64::max)
}

pub(super) fn region_rounds(account: &AccountWork, buckets: usize) -> u64 {
    (buckets as u64).div_ceil(in_flight(account, usize::MAX) as u64)
}

/// The executions of a Region that are in flight at once, of so many.
pub(super) fn in_flight(account: &AccountWork, buckets: usize) -> usize {
    account.limits.executions_per_region.min(account.limits.executions).max(1).min(buckets)
}

/// Seconds for sealing one account: document and executions are looked at, then each round takes the look before the start,
/// the start and the execution; the last one is read back.
pub(super) fn sealing_seconds(account: &AccountWork, assumed: &Assumptions) -> f64 {
    let ms = &assumed.request_ms;
    let room = (ms.s3 + ms.ssm) / 1e3 + assumed.execution_seconds;
    (ms.ssm + ms.s3) / 1e3 + rounds(account) as f64 * room
}

/// Seconds for reading one account: entering it, and its buckets.
pub(super) fn reading_seconds(account: &AccountWork, ms: &RequestMilliseconds) -> f64 {
    let reads = list_pages(account) as f64 + at_once(account.buckets, account);
    (ms.sts + reads * ms.s3) / 1e3
}

/// Seconds for what guards read of one account.
pub(super) fn guard_seconds(account: &AccountWork, work: &Workload, ms: &RequestMilliseconds) -> f64 {
    let buckets = account.executions() as usize;
    if buckets == 0 {
        return 0.0;
    }
    let reads = buckets * work.guards.per_bucket + work.guards.per_account;
    (at_once(reads, account) * ms.s3 + work.guards.identity_pages as f64 * ms.iam) / 1e3
}

/// How often an account's reads at once are filled.
fn at_once(reads: usize, account: &AccountWork) -> f64 {
    reads.div_ceil(account.limits.reads.max(1)) as f64
}

/// Pages of `ListBuckets`: at least one, of 10,000 buckets each.
pub(super) fn list_pages(account: &AccountWork) -> u64 {
    (account.buckets as u64).div_ceil(10_000).max(1)
}
