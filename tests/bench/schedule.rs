//! Time of a rollout of 50 accounts × 20 buckets, against the best schedule that limits and latencies allow.
//!
//! The bound is computed from what the sandbox did: how long each execution took, and the latencies of the spec. It leaves
//! out jitter, CPU time and polling, and it lets every execution's end be known at once, so that no schedule can beat it.

use std::collections::BTreeMap;

use orgseal_sandbox::{Sandbox, Spec};

use crate::say;
use crate::world::World;

const SPEC: &str = "accounts = 50
buckets_per_account = 20
suspended = 0
without_member_role = 0
[encryption]
sse_s3 = 1
none = 0
aws_managed = 0
aws_managed_alias = 0
sealed = 0
bucket_key_off = 0
dsse_sealed = 0
wrong_region_key = 0
[latency]
jitter = 0.0
";
/// orgseal's default limits, which the sandbox's campaign file has too.
const ACCOUNTS: usize = 20;
const PER_ACCOUNT: f64 = 10.0;
const PER_REGION: f64 = 5.0;
const READS: f64 = 10.0;

pub(crate) fn run() {
    let world = World::of(SPEC, 1.0);
    let took = world.run(&["rollout", "--yes"]);
    let bound = bound(&world.sandbox);
    say(&format!(
        "50 accounts x 20 buckets: {:.1} s; best schedule {bound:.1} s; ratio {:.2} (must be at most 1.2); CPU {:.1} s",
        took.wall.as_secs_f64(),
        took.wall.as_secs_f64() / bound,
        took.cpu.as_secs_f64()
    ));
}

/// Seconds that no schedule within the limits can stay under.
fn bound(sandbox: &Sandbox) -> f64 {
    let latency = Spec::default().latency;
    let (s3, ssm, sts, organizations) =
        (latency.s3_ms / 1e3, latency.ssm_ms / 1e3, latency.sts_ms / 1e3, latency.organizations_ms / 1e3);
    // An execution takes room from the moment its start leaves until its end.
    let mut rooms: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for execution in sandbox.executions() {
        let ran = (execution.ended_ms.expect("every execution ended") - execution.started_ms) as f64 / 1e3;
        rooms.entry(execution.account).or_default().entry(execution.region).or_default().push(s3 + ssm + ran);
    }
    let sealing = makespan(rooms.values().map(|regions| account_bound(regions)).collect());
    let reading = makespan(rooms.values().map(|_| sts + s3 + (20.0 / READS).ceil() * s3).collect());
    // GetCallerIdentity, DescribeOrganization, three pages of ListAccounts, one DescribeKey per Region, one after the other;
    // in each account GetDocument and the first look at executions; at the end the last read back.
    let fixed = sts + 4.0 * organizations + 3.0 * latency.kms_ms / 1e3;
    fixed + reading + sealing + s3
}

/// An account's sealing: no limit can be beaten, and neither can the longest execution.
fn account_bound(regions: &BTreeMap<String, Vec<f64>>) -> f64 {
    let work = |rooms: &Vec<f64>| rooms.iter().sum::<f64>();
    let whole: f64 = regions.values().map(work).sum::<f64>() / PER_ACCOUNT;
    let by_region = regions.values().map(|rooms| packed(rooms, PER_REGION)).fold(0.0, f64::max);
    whole.max(by_region)
}

/// Jobs on equal machines take at least the average load, at least the longest job, and, since of the r * m + 1 longest
/// jobs some machine of m gets r + 1, at least the r + 1 shortest of those.
fn packed(jobs: &[f64], machines: f64) -> f64 {
    let mut sorted = jobs.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let average = sorted.iter().sum::<f64>() / machines;
    let mut bound = average.max(sorted.first().copied().unwrap_or(0.0));
    let machines = machines as usize;
    for rounds in 1..=sorted.len() / machines {
        // Of the rounds * machines + 1 longest jobs, some machine has rounds + 1.
        if rounds * machines < sorted.len() {
            let few: f64 = sorted[rounds * machines - rounds..=rounds * machines].iter().sum();
            bound = bound.max(few);
        }
    }
    bound
}

fn makespan(accounts: Vec<f64>) -> f64 {
    packed(&accounts, ACCOUNTS as f64)
}
