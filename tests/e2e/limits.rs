//! Limits hold, seen from the other side: the sandbox counts what is in flight.

use std::collections::BTreeMap;

use crate::world::World;

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
