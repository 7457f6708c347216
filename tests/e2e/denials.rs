//! Denied uses of the central key around a wave: which of them a person accepted, and which buckets' Regions are watched.

use orgseal_sandbox::{Fault, FaultKind};
use serde_json::Value;

use crate::waves::{APPLICATION, SPEC, canary_with, is_stopped, of, outside_the_canary, status};
use crate::world::{World, wait_until};

const CANARY: &str = "555555555551";
/// What the application `orders` lacks.
const MAY_WRITE: &str = r#"{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::first/*" },
    { "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*" } ] }"#;
const UNGUARDED: &str = "guards.principals-without-key=warn";

fn is_failing(world: &World) -> bool {
    world.sandbox.application("orders").unwrap().buckets.first().is_some_and(|bucket| bucket.failing)
}

fn failing_execution(bucket: &str) -> Fault {
    let mut fault = Fault::new(FaultKind::AutomationFail);
    fault.message = Some("the step failed".into());
    fault.filter.bucket = Some(bucket.into());
    fault
}

#[test]
fn an_approval_accepts_no_denial_that_nobody_has_seen() {
    let world = of(&format!("{SPEC}{APPLICATION}"), 0.0, &canary_with("bake = 1\ncheck_every = 1"));
    world.sandbox.set_faults(vec![failing_execution("second")]).unwrap();
    let run = world.run(&["rollout", "--yes", "--set", UNGUARDED]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    is_stopped(&world, "one of its buckets failed", &[]);
    // The application is denied the key after the change, and is repaired before anybody approves the failure.
    wait_until("the application fails", || is_failing(&world));
    world.sandbox.set_role_policy(CANARY, "orders", MAY_WRITE).unwrap();
    wait_until("the application writes again", || !is_failing(&world));
    std::thread::sleep(std::time::Duration::from_secs(2));
    let run = world.run(&["resume", "--yes", "--approve-wave", "1"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (3, 0), "{}", run.stderr);
    is_stopped(&world, "denied uses of the central key", &["role/orders", "first", "GenerateDataKey"]);
    // The approver has seen them.
    let run = world.run(&["resume", "--yes", "--approve-wave", "1"]);
    assert_eq!(outside_the_canary(&world).len(), 14, "{}", run.stderr);
    let accepted = &status(&world).1[0]["accepted_denials"];
    let denial = &accepted[0];
    assert_eq!((&denial["account"], &denial["region"]), (&CANARY.into(), &"us-east-1".into()), "{accepted}");
    assert_eq!((&denial["operation"], &denial["bucket"]), (&"GenerateDataKey".into(), &"first".into()), "{accepted}");
    assert!(denial["principal"].as_str().unwrap().ends_with("role/orders") && denial["last"].is_string(), "{accepted}");
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_region_is_watched_also_where_no_change_was_seen_to_succeed() {
    let only = SPEC.replace(", { name = \"second\", encryption = \"sse_s3\" }", "");
    let settings = "bake = 20\ncheck_every = 1\nfailure_tolerance = { buckets = 5 }";
    let world = of(&format!("{only}{APPLICATION}"), 0.0, &canary_with(settings));
    // The bucket is changed; its read-back is denied.
    let mut fault = Fault::new(FaultKind::Denied);
    fault.filter.operation = Some("GetBucketEncryption".into());
    fault.filter.bucket = Some("first".into());
    (fault.nth, fault.count) = (Some(3), Some(1000));
    world.sandbox.set_faults(vec![fault]).unwrap();
    let run = world.run(&["rollout", "--yes", "--set", UNGUARDED, "--set", "executions.read_back_for=2"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let executions = world.sandbox.executions();
    assert_eq!(executions.iter().filter(|execution| execution.account == CANARY).count(), 1, "{}", run.stderr);
    is_stopped(&world, "denied uses of the central key", &["role/orders", "first", "GenerateDataKey"]);
    let (_, document): (i32, Value) = world.json(&["report"]);
    assert_eq!(crate::world::finding(&document, "first")["verdict"], "unread");
}
