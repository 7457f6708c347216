//! Limits hold, seen from the other side: the sandbox counts what is in flight.

use std::collections::BTreeMap;

use crate::world::{World, two_members};

/// Long enough that a limit is reached, short enough for a test.
const SPEC: &str = "accounts = 5
buckets_per_account = 40
suspended = 0
without_member_role = 0
regions = [\"us-east-1\", \"eu-west-1\"]
[encryption]
sse_s3 = 1
none = 0
aws_managed = 0
aws_managed_alias = 0
sealed = 0
bucket_key_off = 0
dsse_sealed = 0
wrong_region_key = 0
[executions]
min_seconds = 3
max_seconds = 5";

fn peaks(world: &World) -> (u32, u32) {
    let by_region: BTreeMap<_, _> = world.sandbox.peak_in_flight();
    let by_account = world.sandbox.peak_in_flight_by_account();
    (by_region.values().copied().max().unwrap_or(0), by_account.values().copied().max().unwrap_or(0))
}

#[test]
fn executions_in_flight_reach_the_limits_and_never_pass_them() {
    let world = World::at_speed(SPEC, 10.0);
    let set = ["--set", "limits.executions_per_account=5", "--set", "limits.executions_per_account_region=3"];
    let run = world.run(&[&["rollout", "--yes"][..], &set].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(peaks(&world), (3, 5));
}

#[test]
fn an_override_holds_for_its_account_alone() {
    let world = World::at_speed(SPEC, 10.0);
    let quiet = world.sandbox.security_account().to_owned();
    world.edit(|text| {
        format!("{text}\n[[limits.overrides]]\naccounts = [\"{quiet}\"]\nexecutions_per_account = 1\nexecutions_per_account_region = 1\n")
    });
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let by_account = world.sandbox.peak_in_flight_by_account();
    assert_eq!(by_account[&quiet], 1);
    assert!(by_account.values().any(|&peak| peak == 10), "{by_account:?}");
}

#[test]
fn an_override_by_ou_reaches_the_accounts_below_it() {
    let world = World::at_speed(SPEC, 10.0);
    // The root is above every account, the management account included.
    let path = world.sandbox.accounts()[0].path.clone();
    let root = path.split('/').find(|part| part.starts_with("r-")).unwrap();
    world.edit(|text| {
        format!("{text}\n[[limits.overrides]]\nous = [\"{root}\"]\nexecutions_per_account = 2\nexecutions_per_account_region = 2\n")
    });
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(peaks(&world).1, 2);
}

/// Where DescribeAutomationExecutions refuses the newer statuses as filter values, executions are counted by the basic ones.
#[test]
fn executions_are_counted_where_newer_statuses_are_refused_as_filters() {
    let buckets = r#"{ name = "one", encryption = "sse_s3" }, { name = "two", encryption = "sse_s3" }"#;
    let world = World::of(&(two_members(buckets, "") + "[executions]\nbasic_status_filter = true\n"));
    let (code, ready) = world.json(&["preflight"]);
    assert_eq!((code, &ready["summary"]["unknown"]), (0, &serde_json::json!(0)), "{ready:#}");
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(world.sandbox.buckets().iter().all(|bucket| world.is_sealed(bucket)));
}
