//! Undo is exact: each bucket gets back what it had, or it is said why not.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use orgseal_sandbox::{BucketEncryption, Fault, FaultKind, KeyState};

use crate::world::{World, finding, sse_s3, two_members, unbroken};

/// Every state that a campaign changes and that can be gone back to.
const EVERY_STATE: &str = "accounts = 6\nbuckets_per_account = 20\nsuspended = 0\nwithout_member_role = 0\n[encryption]\n\
    wrong_region_key = 0\nnone = 20\naws_managed = 20\naws_managed_alias = 20\nbucket_key_off = 20\nsse_c_blocked = 0.5\n";

/// What S3 applies: no configuration and SSE-S3 that blocks nothing are one.
fn shown(world: &World) -> BTreeMap<String, BucketEncryption> {
    let of = |encryption: Option<BucketEncryption>| encryption.or_else(sse_s3).unwrap();
    world.sandbox.buckets().into_iter().map(|bucket| (bucket.name, of(bucket.encryption))).collect()
}

fn two() -> World {
    World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "old", encryption = "aws_managed" }"#,
        r#"{ name = "reports", encryption = "none" }"#,
    ))
}

fn reason(document: &serde_json::Value, bucket: &str) -> String {
    let finding = finding(document, bucket);
    format!("{} {}", finding["verdict"].as_str().unwrap(), finding["reason"].as_str().unwrap())
}

#[test]
fn a_rollback_after_a_full_campaign_gives_the_organization_that_was_there_before() {
    let world = World::of(EVERY_STATE);
    let before = shown(&world);
    let (code, rollout) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", rollout["summary"]);
    assert_ne!(shown(&world), before);
    // A second one finds nothing to do, and is not what there is to undo.
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    world.sandbox.reset_counters();
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(shown(&world), before);
    assert_eq!(document["schema"], "orgseal.rollback/1");
    assert_eq!(document["run"]["undoes"], rollout["campaign"]);
    let changed = rollout["summary"]["started"].as_u64().unwrap();
    assert_eq!(document["summary"]["restored"], changed, "every bucket that the campaign changed, and no other");
    assert_eq!(document["summary"]["started"], changed);
    // Through the same machinery: the same limits, and one start each.
    assert!(world.sandbox.peak_in_flight_by_account().values().all(|&peak| peak <= 10));
    assert_eq!(world.sandbox.counters().totals("ssm", "StartAutomationExecution"), changed);
    // When each was under the central key: what was written then stays there.
    for finding in document["findings"].as_array().unwrap() {
        let (from, until) = (finding["sealed"]["from"].as_str().unwrap(), finding["sealed"]["until"].as_str().unwrap());
        assert!(from < until, "{finding}");
    }
    let text = unbroken(&world.run(&["report"]).stdout);
    assert!(text.contains("stay under the central key"), "{text}");
    // Once more: everything is as before already.
    let (code, again) = world.json(&["rollback", "--yes"]);
    assert_eq!((code, again["summary"]["started"].as_u64()), (0, Some(0)), "{:#}", again["summary"]);
    for (first, second) in document["findings"].as_array().unwrap().iter().zip(again["findings"].as_array().unwrap()) {
        assert_eq!(first["sealed"], second["sealed"], "looking again makes no bucket's time longer");
    }
    // The campaign's own report says that it was undone, and it does not go on as if it were not.
    let id = rollout["campaign"].as_str().unwrap();
    assert!(world.run(&["report", "--campaign", id]).stdout.contains("undone since"));
    let refused = world.run(&["resume", "--yes", "--campaign", id]);
    assert!(refused.code == 1 && refused.stderr.contains("was undone by rollback-"), "{}", refused.stderr);
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn what_somebody_changed_since_is_left_alone() {
    let world = two();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let theirs = Some(BucketEncryption {
        algorithm: "aws:kms".into(),
        key: Some(world.key("us-east-1")),
        bucket_key: true,
        blocked: vec!["SSE-C".into()],
    });
    world.sandbox.set_bucket_encryption("logs", theirs.clone()).unwrap();
    world.sandbox.set_bucket_encryption("old", sse_s3()).unwrap();
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 2);
    assert_eq!(reason(&document, "logs"), "held changed_since");
    assert_eq!(reason(&document, "old"), "held changed_since");
    assert_eq!(reason(&document, "reports"), "restored as_before");
    assert_eq!(world.bucket("logs").encryption, theirs);
    assert_eq!(world.bucket("old").encryption, sse_s3());
}

#[test]
fn a_bucket_whose_former_key_cannot_be_used_any_more_is_held() {
    let world = World::of(&two_members(
        r#"{ name = "team", encryption = "customer_key" }, { name = "logs", encryption = "sse_s3" }"#,
        r#"{ name = "far", encryption = "wrong_region_key" }"#,
    ));
    let before = world.bucket("team").encryption.unwrap();
    let far = world.bucket("far").encryption;
    let replace = ["--set", "encryption.replace=[\"sse-s3\", \"customer-key\", \"central-key-of-other-region\"]"];
    assert_eq!(world.run(&[&["rollout", "--yes"][..], &replace].concat()).code, 0);
    let key = before.key.clone().unwrap();
    world.sandbox.set_key_state(&key, KeyState::PendingDeletion { deletion_ms: 4_000_000_000_000 }).unwrap();
    let (code, document) = world.json(&[&["rollback", "--yes"][..], &replace].concat());
    assert_eq!(code, 2);
    assert_eq!(reason(&document, "team"), "held former_key_not_usable");
    let message = finding(&document, "team")["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&key) && message.contains("PendingDeletion"), "{message}");
    assert_eq!(reason(&document, "far"), "held former_key_not_usable", "every write would fail, as before");
    assert_eq!(reason(&document, "logs"), "restored as_before");
    // The key is put right, and the rollback goes on.
    world.sandbox.set_key_state(&key, KeyState::Enabled).unwrap();
    let (code, document) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &replace].concat());
    assert_eq!(code, 2, "{document:#}");
    assert_eq!(reason(&document, "team"), "restored as_before");
    assert_eq!(world.bucket("team").encryption, Some(before));
    // Whoever wants it back broken as it was says so.
    let broken = ["--set", "rollback.unusable_keys=restore"];
    let (code, _) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &replace, &broken].concat());
    assert_eq!((code, world.bucket("far").encryption), (0, far));
}

#[test]
fn where_config_would_seal_it_again_nothing_is_restored() {
    let world = two();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let (rule, identifier) = ("encryption", "S3_DEFAULT_ENCRYPTION_KMS");
    let document = "EnableS3BucketEncryptionWithKMS";
    world.sandbox.put_automatic_remediation("555555555551", "us-east-1", rule, identifier, document).unwrap();
    world.sandbox.put_remediation_exception("555555555551", "us-east-1", rule, "old").unwrap();
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 2, "{document:#}");
    assert_eq!(reason(&document, "logs"), "held config_would_undo");
    assert!(finding(&document, "logs")["error"]["message"].as_str().unwrap().contains("rule encryption"));
    assert_eq!(reason(&document, "old"), "restored as_before", "it is excepted");
    assert_eq!(reason(&document, "reports"), "restored as_before");
    let all_the_same = ["--retry-failed", "--set", "rollback.config_remediation=ignore"];
    let (code, document) = world.json(&[&["resume", "--yes"][..], &all_the_same].concat());
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn each_right_of_a_rollback_is_needed_and_named() {
    let shipped: serde_json::Value =
        serde_json::from_str(include_str!("../../config/policies/member-rollout.json")).unwrap();
    let statements = shipped["Statement"].as_array().unwrap();
    for (sid, action) in [
        ("LookAtKeys", "kms:DescribeKey"),
        ("LookAtConfigRemediation", "config:DescribeConfigRules"),
        ("ReadTheDocuments", "ssm:GetDocument"),
        ("StartTheDocuments", "ssm:StartAutomationExecution"),
    ] {
        let world = World::of(&two_members(r#"{ name = "team", encryption = "customer_key" }"#, ""));
        let replace = ["--set", "encryption.replace=[\"customer-key\"]"];
        assert_eq!(world.run(&[&["rollout", "--yes"][..], &replace].concat()).code, 0);
        let left: Vec<_> = statements.iter().filter(|statement| statement["Sid"] != sid).collect();
        assert_eq!(left.len(), statements.len() - 1, "{sid}");
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": left }).to_string();
        let policy = policy.replace("111122223333", world.sandbox.security_account());
        world.sandbox.set_role_policy("555555555551", "orgseal-member", &policy).unwrap();
        let (code, document) = world.json(&[&["rollback", "--yes"][..], &replace].concat());
        assert!(code == 2 || code == 3, "{sid}: exit {code}");
        assert!(document.to_string().contains(action), "{sid}: {action} is not named in {document:#}");
    }
}

#[test]
fn a_rollback_is_narrowed_and_looked_at_beforehand() {
    let world = two();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let sealed = |name: &str| world.is_sealed(&world.bucket(name));
    let (code, dry) = world.json(&["rollback", "--dry-run"]);
    assert_eq!((code, dry["summary"]["not_restored"].as_u64()), (2, Some(3)), "{dry:#}");
    assert!(sealed("logs") && sealed("old") && sealed("reports"));
    let (code, document) = world.json(&["rollback", "--yes", "--bucket", "logs"]);
    assert_eq!((code, document["summary"]["buckets"].as_u64()), (0, Some(1)), "{document:#}");
    assert!(!sealed("logs") && sealed("old") && sealed("reports"));
    let (code, document) = world.json(&["rollback", "--yes", "--account", "555555555552"]);
    assert_eq!((code, document["summary"]["buckets"].as_u64()), (0, Some(1)), "{document:#}");
    assert!(sealed("old") && !sealed("reports"));
    assert_eq!(world.run(&["rollback", "--yes", "--bucket", "no-such-bucket"]).code, 1);
}

#[test]
fn a_rollback_that_was_killed_goes_on_and_ends_the_same() {
    let world = World::at_speed(EVERY_STATE, 40.0);
    let before = shown(&world);
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let rollout_starts = world.sandbox.executions().len();
    for (point, command) in [
        ("after_intent:3", &["rollback", "--yes"][..]),
        ("after_start:9", &["resume", "--yes"]),
        ("after_ended:5", &["resume", "--yes"]),
        ("before_read_back:7", &["resume", "--yes"]),
    ] {
        let mut child = world.command(command);
        child.env("ORGSEAL_FAIL_POINT", point).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(child.status().unwrap().code(), None, "{point} was passed");
    }
    // Nothing else is begun on top of it.
    let refused = world.run(&["rollout", "--yes"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("is not finished"), "{}", refused.stderr);
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(document["schema"], "orgseal.rollback/1");
    assert_eq!(shown(&world), before);
    assert_eq!(
        document["summary"]["started"].as_u64().unwrap() as usize,
        world.sandbox.executions().len() - rollout_starts
    );
}

#[test]
fn a_campaign_that_was_killed_is_undone_without_going_on_with_it() {
    let world = World::at_speed(EVERY_STATE, 40.0);
    let before = shown(&world);
    let mut child = world.command(&["rollout", "--yes"]);
    child.env("ORGSEAL_FAIL_POINT", "after_started:20").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None);
    // What had left when the process died still arrives.
    std::thread::sleep(Duration::from_millis(500));
    let starts = world.sandbox.executions().len();
    let (code, document) = world.json(&["rollback", "--yes", "--set", "executions.visible_within=3"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(shown(&world), before);
    let seals = world
        .sandbox
        .executions()
        .iter()
        .filter(|execution| execution.document.ends_with("EnableS3BucketEncryptionWithKMS"))
        .count();
    assert_eq!(seals, starts, "nothing more was sealed");
}

#[test]
fn a_lying_restore_is_found_out() {
    let world = two();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let mut lie = Fault::new(FaultKind::AutomationLie);
    lie.filter.bucket = Some("logs".into());
    world.sandbox.set_faults(vec![lie]).unwrap();
    let (code, document) = world.json(&["rollback", "--yes", "--set", "executions.read_back_for=1"]);
    assert_eq!(code, 3);
    assert_eq!(reason(&document, "logs"), "failed not_effective");
    std::thread::sleep(Duration::from_millis(1));
    world.sandbox.set_faults(Vec::new()).unwrap();
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(world.bucket("logs").encryption, sse_s3());
}

#[test]
fn a_look_at_a_rollback_is_none() {
    let world = World::at_speed(EVERY_STATE, 40.0);
    let mut child = world.command(&["rollout", "--yes"]);
    child.env("ORGSEAL_FAIL_POINT", "after_start:7").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None);
    let quickly = ["--set", "executions.visible_within=3"];
    // What is in flight is followed to its end first: only then is it known what there is to undo.
    let (code, dry) = world.json(&[&["rollback", "--dry-run"][..], &quickly].concat());
    assert_eq!(code, 2, "{:#}", dry["summary"]);
    assert!(dry["summary"]["not_restored"].as_u64().unwrap() > 0);
    let (code, status) = world.json(&["status"]);
    assert_eq!(status["kind"], "rollout", "a look is no campaign");
    assert_eq!((code, status["in_flight"].as_u64()), (3, Some(0)));
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(document["run"]["kind"], "rollout");
}

#[test]
fn what_leads_on_from_a_campaign_that_was_undone_is_its_redo_or_another_one() {
    let world = World::of("accounts = 2\nbuckets_per_account = 2\nsuspended = 0\nwithout_member_role = 0\n");
    world.run(&["rollout", "--yes"]);
    let campaign = world.json(&["status"]).1["campaign"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["rollback", "--yes", "--dry-run"]).code, 2);
    let status = world.run(&["status", "--campaign", &campaign]).stdout;
    assert!(!status.contains("Undone"), "a dry run undoes nothing: {status}");
    assert_eq!(world.run(&["rollback", "--yes"]).code, 0);
    let status = world.run(&["status", "--campaign", &campaign]).stdout;
    assert!(status.contains("--redo-wave 1") && status.contains("plans again"), "{status}");
    assert!(!status.contains("continues where it stopped"), "{status}");
}
