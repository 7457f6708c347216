//! A rollback is an intent: killed at any step, the next command continues it, and nothing more is sealed.

use std::collections::BTreeMap;
use std::process::Stdio;

use orgseal_sandbox::BucketEncryption;
use serde_json::Value;

use crate::world::{World, sse_s3};

const ORGANIZATION: &str = "accounts = 3\nbuckets_per_account = 8\nsuspended = 0\nwithout_member_role = 0\n\
    [executions]\nmin_seconds = 2\nmax_seconds = 30\n[encryption]\nwrong_region_key = 0\n";
const QUICKLY: [&str; 2] = ["--set", "executions.visible_within=1"];

fn shown(world: &World) -> BTreeMap<String, BucketEncryption> {
    let of = |encryption: Option<BucketEncryption>| encryption.or_else(sse_s3).unwrap();
    world.sandbox.buckets().into_iter().map(|bucket| (bucket.name, of(bucket.encryption))).collect()
}

fn seals(world: &World) -> usize {
    let executions = world.sandbox.executions();
    executions.iter().filter(|execution| execution.document.ends_with("EnableS3BucketEncryptionWithKMS")).count()
}

/// Runs a command that is killed at a fail point.
fn killed(world: &World, point: &str, arguments: &[&str]) {
    let mut child = world.command(&[arguments, &QUICKLY].concat());
    child.env("ORGSEAL_FAIL_POINT", point).stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None, "{point} was not passed");
}

/// A campaign that was killed in the middle, with starts in flight; its id, and what was there before it.
fn half_done() -> (World, String, BTreeMap<String, BucketEncryption>) {
    let world = World::at_speed(ORGANIZATION, 120.0);
    let before = shown(&world);
    killed(&world, "after_started:6", &["rollout", "--yes"]);
    // What had left when the process died still arrives.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let campaign = world.json(&["status"]).1["campaign"].as_str().unwrap().to_owned();
    (world, campaign, before)
}

fn steps(status: &str) -> String {
    status.split_once("What now").map(|(_, steps)| steps.to_owned()).unwrap_or_default()
}

#[test]
fn a_rollback_killed_at_any_step_is_continued_and_nothing_more_is_sealed() {
    let points = [
        "after_rollback_requested",
        "before_ended",
        "after_ended",
        "before_read_back",
        "after_read_back",
        "before_rollback_begun",
        "after_rollback_begun",
        "after_touched_read",
        "before_intent",
        "after_intent:2",
        "after_started:2",
    ];
    for point in points {
        let (world, campaign, before) = half_done();
        let sealed = seals(&world);
        killed(&world, point, &["rollback", "--yes"]);
        let (_, status) = world.json(&["status", "--campaign", &campaign]);
        assert!(status["rollback_requested"].is_object(), "{point}: {status:#}");
        let text = world.run(&["status", "--campaign", &campaign]).stdout;
        assert!(text.contains("rollback of campaign"), "{point}: {text}");
        assert!(steps(&text).contains("continues the requested rollback"), "{point}: {text}");
        // A new campaign would seal what the rollback has yet to restore.
        let refused = world.run(&["rollout", "--yes"]);
        assert_eq!(refused.code, 1, "{point}: {}", refused.stdout);
        let (code, document) = world.json(&[&["resume", "--yes"][..], &QUICKLY].concat());
        assert_eq!(code, 0, "{point}: {:#}", document["summary"]);
        assert_eq!(document["schema"], "orgseal.rollback/1", "{point}");
        assert_eq!(shown(&world), before, "{point}");
        assert_eq!(seals(&world), sealed, "{point}: something was sealed after the rollback was requested");
        let (_, status) = world.json(&["status", "--campaign", &campaign]);
        assert_eq!(status["rollback_requested"], Value::Null, "{point}: {status:#}");
        assert_eq!(world.run(&["ledger", "verify"]).code, 0, "{point}");
    }
}

#[test]
fn a_requested_rollback_is_continued_cancelled_or_asked_about() {
    let (world, campaign, before) = half_done();
    killed(&world, "after_rollback_requested", &["rollback", "--yes", "--account", "nobody-*"]);
    // Another rollback, another selection: a person says which.
    for command in [&["rollback", "--yes"][..], &["resume", "--yes", "--bucket", "x"]] {
        let refused = world.run(command);
        assert_eq!(refused.code, 1, "{command:?}: {}", refused.stdout);
        assert!(refused.stderr.contains("--account='nobody-*'"), "{command:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("rollback --cancel"), "{command:?}: {}", refused.stderr);
    }
    let cancelled = world.run(&["rollback", "--cancel"]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.stderr);
    assert!(cancelled.stdout.contains(&campaign), "{}", cancelled.stdout);
    assert_eq!(world.run(&["rollback", "--cancel"]).code, 1, "there is nothing to cancel any more");
    // Now the campaign goes on sealing.
    let (code, document) = world.json(&[&["resume", "--yes"][..], &QUICKLY].concat());
    assert_eq!((code, &document["run"]["kind"]), (0, &"rollout".into()), "{:#}", document["summary"]);
    assert_ne!(shown(&world), before);
    // A selection in which nothing was changed leaves no request behind.
    assert_eq!(world.run(&["rollback", "--yes", "--bucket", "no-such-bucket"]).code, 1);
    assert_eq!(world.json(&["status"]).1["rollback_requested"], Value::Null);
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(shown(&world), before);
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn rollback_continues_a_rollback_that_was_killed_and_names_both_where_it_is_another() {
    for point in ["after_intent:2", "after_started:2"] {
        let (world, campaign, before) = half_done();
        killed(&world, point, &["rollback", "--yes"]);
        let other = world.run(&["rollback", "--yes", "--account", "nobody-*"]);
        let said = crate::world::unbroken(&other.stderr);
        assert_eq!(other.code, 1, "{point}: {said}");
        assert!(said.contains("orgseal resume --campaign rollback-"), "{point}: {said}");
        assert!(
            said.contains(&format!("rollback --campaign {campaign}")) && said.contains("nobody-*"),
            "{point}: {said}"
        );
        let again = world.run(&[&["rollback", "--yes"][..], &QUICKLY].concat());
        let said = crate::world::unbroken(&again.stderr);
        assert_eq!(again.code, 0, "{point}: {said}");
        assert!(said.contains("Continuing rollback-"), "{point}: {said}");
        assert_eq!(shown(&world), before, "{point}");
        let (_, runs) = world.json(&["runs"]);
        let rollbacks = runs["runs"].as_array().unwrap().iter().filter(|run| run["kind"] == "rollback").count();
        assert_eq!(rollbacks, 1, "{point}: {runs:#}");
    }
}
