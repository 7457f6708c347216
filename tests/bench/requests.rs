//! Requests of a rollout: one account and Region, 1,000 buckets, 100 executions in flight, 5 seconds each.

use crate::say;
use crate::world::World;

const BUCKETS: u64 = 1000;

pub(crate) fn run() {
    let buckets: Vec<String> =
        (0..BUCKETS).map(|n| format!("{{ name = \"bucket-{n:04}\", encryption = \"sse_s3\" }}")).collect();
    let world = World::of(
        &format!(
            "accounts = 3\nbuckets_per_account = 0\nsuspended = 0\nwithout_member_role = 0\n\
             [executions]\nmin_seconds = 5\nmax_seconds = 5\n[rates]\nenabled = false\n\
             [[account]]\nname = \"payments\"\nid = \"555555555551\"\nbuckets = [{}]\n",
            buckets.join(", ")
        ),
        1.0,
    );
    let took = world.run(&[
        "rollout",
        "--yes",
        "--set",
        "limits.executions_per_account=100",
        "--set",
        "limits.executions_per_account_region=100",
    ]);
    let counters = world.sandbox.counters();
    let polls = counters.totals("ssm", "DescribeAutomationExecutions");
    let starts = counters.totals("ssm", "StartAutomationExecution");
    let reads = counters.totals("s3", "GetBucketEncryption");
    say(&format!(
        "{BUCKETS} buckets in {:.1} s (50 s of executions at the least); highest number in flight {}",
        took.wall.as_secs_f64(),
        world.sandbox.peak_in_flight().values().max().copied().unwrap_or(0)
    ));
    say(&format!(
        "starts {starts}, reads {reads} (audit, before, back), polls {polls} = {:.3} a bucket (must be at most 0.1), the first look included",
        polls as f64 / BUCKETS as f64
    ));
    say(&format!(
        "fixed: GetDocument {}, DescribeKey {}, GenerateDataKey {} (must be at most 4 for an account and Region, the first look included; one DescribeKey is the Region's)",
        counters.totals("ssm", "GetDocument"),
        counters.totals("kms", "DescribeKey"),
        counters.totals("kms", "GenerateDataKey")
    ));
}
