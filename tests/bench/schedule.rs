//! Time of a rollout of 50 accounts × 20 buckets, against the best schedule that limits and latencies allow.
//!
//! The bound is computed from what the sandbox did: how long each execution took, and the latencies of the spec. It leaves
//! out jitter, CPU time and polling, and it lets every execution's end be known at once, so that no schedule can beat it.
//! When durations vary, that schedule would have to know them beforehand. So the figure is judged on executions of one
//! length, and for the default ones the same bound is given beside what a scheduler without foresight could do at best.

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
const PER_ACCOUNT: usize = 10;
const PER_REGION: usize = 5;
const READS: f64 = 10.0;

pub(crate) fn run() {
    for (name, executions) in
        [("all of 3.5 s", "[executions]\nmin_seconds = 3.5\nmax_seconds = 3.5\n"), ("of 2 to 5 s, as by default", "")]
    {
        let world = World::of(&format!("{SPEC}{executions}"), 1.0);
        let took = world.run(&["rollout", "--yes"]);
        let rooms = rooms(&world.sandbox);
        let (seconds, bound, online) = (took.wall.as_secs_f64(), bound(&rooms), online(&rooms));
        say(&format!(
            "50 accounts x 20 buckets, executions {name}: {seconds:.1} s; best schedule {bound:.1} s, ratio {:.2}; \
             without foresight {online:.1} s, ratio {:.2}; CPU {:.1} s",
            seconds / bound,
            seconds / online,
            took.cpu.as_secs_f64()
        ));
    }
    say("must be at most 1.2 of the best schedule (executions of one length)");
}

/// By account and Region: for how long each execution took room, from the moment its start leaves until its end, in the
/// order of the starts.
type Rooms = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

fn rooms(sandbox: &Sandbox) -> Rooms {
    let latency = Spec::default().latency;
    let mut executions = sandbox.executions();
    executions.sort_by_key(|execution| execution.started_ms);
    let mut rooms = Rooms::new();
    for execution in executions {
        let ran = (execution.ended_ms.expect("every execution ended") - execution.started_ms) as f64 / 1e3;
        // The look right before the start, and the start's own answer, are within it: law 8.
        let room = (latency.s3_ms + latency.ssm_ms) / 1e3 + ran;
        rooms.entry(execution.account).or_default().entry(execution.region).or_default().push(room);
    }
    rooms
}

/// What lies before and after the sealing: GetCallerIdentity, DescribeOrganization, three pages of ListAccounts, the
/// reading of all accounts, one DescribeKey per Region, and the last read back.
fn around(accounts: usize) -> f64 {
    let latency = Spec::default().latency;
    let reading = latency.sts_ms + latency.s3_ms + (20.0 / READS).ceil() * latency.s3_ms;
    let fixed = latency.sts_ms + 4.0 * latency.organizations_ms + 3.0 * latency.kms_ms + latency.s3_ms;
    (fixed + reading * (accounts as f64 / ACCOUNTS as f64).ceil()) / 1e3
}

/// GetDocument, and the first look at executions beside it, before the first start of an account.
fn account_fixed() -> f64 {
    Spec::default().latency.ssm_ms / 1e3
}

/// Seconds that no schedule within the limits can stay under.
fn bound(rooms: &Rooms) -> f64 {
    let accounts: Vec<f64> = rooms.values().map(|regions| account_fixed() + account_bound(regions)).collect();
    around(accounts.len()) + packed(&accounts, ACCOUNTS)
}

/// An account's sealing: no limit can be beaten, and neither can the longest execution.
fn account_bound(regions: &BTreeMap<String, Vec<f64>>) -> f64 {
    let all: Vec<f64> = regions.values().flatten().copied().collect();
    regions.values().map(|rooms| packed(rooms, PER_REGION)).fold(packed(&all, PER_ACCOUNT), f64::max)
}

/// Seconds of a scheduler that takes whatever comes next as soon as there is room, loses no time, and knows no duration
/// beforehand.
fn online(rooms: &Rooms) -> f64 {
    let accounts: Vec<f64> = rooms.values().map(|regions| account_fixed() + account_online(regions)).collect();
    around(accounts.len()) + listed(&accounts, ACCOUNTS)
}

fn account_online(regions: &BTreeMap<String, Vec<f64>>) -> f64 {
    let all: Vec<f64> = regions.values().flatten().copied().collect();
    regions.values().map(|rooms| listed(rooms, PER_REGION)).fold(listed(&all, PER_ACCOUNT), f64::max)
}

/// List scheduling: each job on the machine that is free first.
fn listed(jobs: &[f64], machines: usize) -> f64 {
    let mut free = vec![0.0_f64; machines];
    for job in jobs {
        let first = free.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("a machine");
        *first += job;
    }
    free.into_iter().fold(0.0, f64::max)
}

/// Jobs on equal machines take at least the average load, at least the longest job, and, since of the r * m + 1 longest
/// jobs some machine of m gets r + 1, at least the r + 1 shortest of those.
fn packed(jobs: &[f64], machines: usize) -> f64 {
    let mut sorted = jobs.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let average = sorted.iter().sum::<f64>() / machines as f64;
    let mut bound = average.max(sorted.first().copied().unwrap_or(0.0));
    for rounds in 1..=sorted.len() / machines {
        if rounds * machines < sorted.len() {
            bound = bound.max(sorted[rounds * machines - rounds..=rounds * machines].iter().sum());
        }
    }
    bound
}
