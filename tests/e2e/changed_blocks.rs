//! A change of `BlockedEncryptionTypes` that no read-back showed: it is found later, and is never called sealed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use orgseal_sandbox::{BucketEncryption, Fault, FaultFilter, FaultKind};
use serde_json::Value;

use crate::blocked_types::{CHANGED, HELD, SEALED, SETTINGS, blocks, reason};
use crate::world::{World, finding, settled_executions, sse_s3, two_members};

const PAYMENTS: &str = "555555555551";
const PROVE: [&str; 2] = ["--set", "encryption.blocked_types=prove"];
const SHIPPED: &str = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const DOCUMENT: &str = "EnableS3BucketEncryptionWithKMS";

/// Buckets of such names and blocked types on SSE-S3.
fn buckets(all: &[(&str, &str)]) -> String {
    let line = |(name, kind): &(&str, &str)| {
        format!(r#"{{ name = "{name}", encryption = "sse_s3", blocked_types = "{kind}" }}"#)
    };
    all.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// One account with buckets, and the document of the AWS article.
fn world(omitted: &str, all: &[(&str, &str)]) -> World {
    let members = two_members(&buckets(all), "");
    World::of(&format!(
        "blocked_types = {{ omitted = \"{omitted}\" }}\ndocument = {{ variant = \"original\" }}\n{members}"
    ))
}

/// The `nth` request of this kind about a bucket goes wrong.
fn fault(world: &World, kind: FaultKind, operation: Option<&str>, bucket: &str, nth: u64) {
    let filter = FaultFilter {
        account: Some(PAYMENTS.into()),
        operation: operation.map(str::to_owned),
        bucket: Some(bucket.into()),
        ..FaultFilter::default()
    };
    let ms = (kind == FaultKind::AutomationLate).then_some(3000);
    // Throttled as often as a read is repeated.
    let count = (kind == FaultKind::Throttle).then_some(6);
    world.sandbox.set_faults(vec![Fault { filter, nth: Some(nth), count, ms, ..Fault::new(kind) }]).unwrap();
}

/// The third read of a bucket in a rollout is its read-back: one judges it, one is made right before the start.
fn no_read_back(world: &World, kind: FaultKind) {
    fault(world, kind, Some("GetBucketEncryption"), "logs", 3);
}

fn learned(world: &World) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = world.entries();
    let learned = entries.iter().filter(|entry| entry["event"]["event"] == "blocked_types_learned");
    learned
        .map(|entry| (text(&entry["event"]["learned"]["bucket"]), text(&entry["event"]["learned"]["outcome"])))
        .collect()
}

fn run(world: &World, command: &[&str], settings: &[&str]) -> (i32, Value) {
    let run = world.json(&[command, settings, &SETTINGS].concat());
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
    run
}

#[test]
fn a_block_whose_loss_was_not_read_back_is_not_called_sealed() {
    for late in [false, true] {
        let world = world("clears", &[("logs", "SSE-C"), ("more", "SSE-C")]);
        match late {
            true => fault(&world, FaultKind::AutomationLate, None, "logs", 1),
            false => no_read_back(&world, FaultKind::Denied),
        }
        let (code, document) = run(&world, &["rollout", "--yes", "--bucket", "logs"], &PROVE);
        let expected = if late { "failed not_effective" } else { "unread access_denied" };
        assert_eq!((code, reason(&document, "logs").as_str()), (3, expected));
        std::thread::sleep(Duration::from_millis(if late { 3200 } else { 0 }));
        assert!(!blocks(&world.bucket("logs")), "the change was made");
        let (_, document) = run(&world, &["resume", "--yes", "--retry-failed"], &PROVE);
        assert_eq!(reason(&document, "logs"), HELD, "late: {late}");
        let hint = finding(&document, "logs")["error"]["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("aws s3api put-bucket-encryption") && hint.contains("logs"), "{hint}");
        assert_eq!(learned(&world), [("logs".to_owned(), "changed".to_owned())]);
        // The next campaign knows of it.
        let (_, document) = run(&world, &["rollout", "--yes"], &PROVE);
        assert_eq!(reason(&document, "more"), HELD, "late: {late}");
        assert!(blocks(&world.bucket("more")));
    }
}

#[test]
fn a_loss_that_shows_when_the_bucket_is_tried_again_costs_no_second_bucket_its_block() {
    let world = world("clears", &[("logs", "SSE-C"), ("more", "SSE-C"), ("other", "NONE")]);
    no_read_back(&world, FaultKind::Throttle);
    let (_, document) = run(&world, &["rollout", "--yes"], &PROVE);
    for name in ["logs", "more", "other"] {
        assert_eq!(reason(&document, name), HELD, "{name}");
        assert_eq!(blocks(&world.bucket(name)), name == "more", "{name}");
    }
    assert_eq!(learned(&world), [("logs".to_owned(), "changed".to_owned())]);
}

#[test]
fn a_bucket_that_could_not_be_read_back_is_not_followed_by_the_next_at_once() {
    let world = world("clears", &[("logs", "SSE-C"), ("more", "SSE-C")]);
    fault(&world, FaultKind::Denied, Some("GetBucketEncryption"), "logs", 3);
    let settings = [&PROVE[..], &["--set", "executions.proof_within=6"]].concat();
    let began = Instant::now();
    let (_, document) = run(&world, &["rollout", "--yes"], &settings);
    assert_eq!(reason(&document, "logs"), "unread access_denied");
    assert_eq!(reason(&document, "more"), CHANGED);
    assert!(began.elapsed() > Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn a_new_block_that_was_not_read_back_is_found_too() {
    let world = world("blocks", &[("logs", "NONE"), ("more", "NONE")]);
    no_read_back(&world, FaultKind::Denied);
    let (_, document) = run(&world, &["rollout", "--yes", "--bucket", "logs"], &[]);
    assert_eq!(reason(&document, "logs"), "unread access_denied");
    let (_, document) = run(&world, &["resume", "--yes", "--retry-failed"], &[]);
    assert_eq!(reason(&document, "logs"), HELD);
    assert_eq!(learned(&world), [("logs".to_owned(), "changed".to_owned())]);
    let (_, document) = run(&world, &["rollout", "--yes"], &[]);
    assert_eq!(reason(&document, "more"), HELD);
    assert!(blocks(&world.bucket("logs")) && !blocks(&world.bucket("more")));
}

#[test]
fn a_block_that_was_kept_is_a_proof_also_where_it_shows_later() {
    let world = world("keeps", &[("logs", "SSE-C")]);
    no_read_back(&world, FaultKind::Denied);
    let (_, document) = run(&world, &["rollout", "--yes"], &PROVE);
    assert_eq!(reason(&document, "logs"), "unread access_denied");
    let (code, document) = run(&world, &["resume", "--yes", "--retry-failed"], &PROVE);
    assert_eq!((code, reason(&document, "logs").as_str()), (0, SEALED));
    assert_eq!(learned(&world), [("logs".to_owned(), "kept".to_owned())]);
}

#[test]
fn a_rollback_that_lost_a_block_unread_says_so_and_not_that_somebody_changed_the_bucket() {
    let restore = include_str!("../../config/documents/RestoreS3BucketEncryption.yaml")
        .replace("Default: PutWithoutKeyWithBlockedType", "Default: PutWithoutKey")
        .replace("Default: PutWithKeyAndBlockedType", "Default: PutWithKey");
    let members = two_members(&buckets(&[("logs", "SSE-C")]), "");
    let world = World::of(&format!("blocked_types = {{ omitted = \"clears\" }}\n{members}"));
    assert_eq!(world.json(&["rollout", "--yes"]).0, 0);
    world.sandbox.put_document_content(PAYMENTS, "us-east-1", "RestoreS3BucketEncryption", &restore).unwrap();
    no_read_back(&world, FaultKind::Denied);
    let settings = [&PROVE[..], &["--set", "executions.read_back_for=0"]].concat();
    let (_, document) = world.json(&[&["rollback", "--yes"][..], &settings].concat());
    assert_eq!(reason(&document, "logs"), "unread access_denied");
    let (_, document) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &settings].concat());
    assert_eq!(reason(&document, "logs"), HELD);
    assert_eq!(learned(&world), [("logs".to_owned(), "changed".to_owned())]);
}

#[test]
fn what_a_change_lost_is_set_again_also_where_somebody_took_the_bucket_off_the_key() {
    let world = world("clears", &[("logs", "SSE-C")]);
    let (_, document) = run(&world, &["rollout", "--yes"], &PROVE);
    assert_eq!(reason(&document, "logs"), CHANGED);
    world.sandbox.put_document_content(PAYMENTS, "us-east-1", DOCUMENT, SHIPPED).unwrap();
    // A Put without the element keeps what the change left: nothing is blocked.
    world.sandbox.set_bucket_encryption("logs", sse_s3()).unwrap();
    let (code, document) = run(&world, &["resume", "--yes", "--retry-failed"], &PROVE);
    assert_eq!((code, reason(&document, "logs").as_str()), (0, SEALED));
    assert!(blocks(&world.bucket("logs")), "{:?}", world.bucket("logs"));
    // And a rollback gives it what it had.
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let bucket = world.bucket("logs");
    assert!(blocks(&bucket) && bucket.encryption.as_ref().unwrap().algorithm == "AES256", "{bucket:?}");
}

#[test]
fn a_block_that_s3_began_to_return_between_two_attempts_is_kept_by_the_rollback() {
    let members = two_members(&buckets(&[("logs", "absent")]), "");
    let world = World::of(&format!("blocked_types = {{ before_2026 = true }}\n{members}"));
    fault(&world, FaultKind::AutomationFail, None, "logs", 1);
    let (_, document) = run(&world, &["rollout", "--yes"], &["--set", "executions.attempts=1"]);
    assert_eq!(reason(&document, "logs"), "failed execution_failed");
    let encryption = world.bucket("logs").encryption.unwrap();
    let blocked = vec!["SSE-C".to_owned()];
    world.sandbox.set_bucket_encryption("logs", Some(BucketEncryption { blocked, ..encryption })).unwrap();
    let (code, document) = run(&world, &["resume", "--yes", "--retry-failed"], &[]);
    assert_eq!((code, reason(&document, "logs").as_str()), (0, SEALED));
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let bucket = world.bucket("logs");
    assert!(blocks(&bucket) && bucket.encryption.as_ref().unwrap().algorithm == "AES256", "{bucket:?}");
}

#[test]
fn accounts_with_a_block_to_prove_come_first_and_nobody_waits_for_them_twice() {
    let open: Vec<String> = (0..30).map(|n| format!("open-{n:02}")).collect();
    let open: Vec<(&str, &str)> = open.iter().map(|name| (name.as_str(), "NONE")).collect();
    let members = two_members(&buckets(&open), &buckets(&[("block", "SSE-C")]));
    let world = World::of(&format!("document = {{ variant = \"original\" }}\n{members}"));
    let began = Instant::now();
    let settings = [&PROVE[..], &["--set", "limits.accounts=1", "--set", "executions.proof_within=20"]].concat();
    let (code, document) = run(&world, &["rollout", "--yes"], &settings);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn an_explanation_that_could_not_be_read_at_once_is_asked_for_again() {
    let members = two_members(&buckets(&[("logs", "NONE"), ("more", "NONE")]), "");
    let world = World::of(&format!("blocked_types = {{ automation = \"refused\" }}\n{members}"));
    let filter = FaultFilter { operation: Some("GetAutomationExecution".into()), ..FaultFilter::default() };
    let fault = Fault { filter, first: Some(1), ..Fault::new(FaultKind::Malformed) };
    world.sandbox.set_faults(vec![fault]).unwrap();
    let one = ["--set", "limits.executions_per_account_region=1"];
    let (code, document) = run(&world, &["rollout", "--yes"], &one);
    assert_eq!(code, 0, "{document:#}");
    let failed = world.sandbox.executions().iter().filter(|execution| execution.status == "Failed").count();
    // The next start may leave between the end of the first execution and its explanation.
    assert!((1..=2).contains(&failed), "{failed}");
}

#[test]
fn a_refusal_is_known_to_the_process_that_resumes() {
    let members = two_members(&buckets(&[("logs", "NONE"), ("more", "NONE")]), "");
    let world = World::of(&format!("blocked_types = {{ automation = \"refused\" }}\n{members}"));
    let one = ["--set", "limits.executions_per_account_region=1"];
    let mut child = world.command(&[&["rollout", "--yes"][..], &one, &SETTINGS].concat());
    child.env("ORGSEAL_FAIL_POINT", "after_ended:1").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None, "killed");
    // The second start may have left in the same moment.
    let started = settled_executions(&world);
    let (code, document) = run(&world, &["resume", "--yes"], &one);
    assert_eq!(code, 0, "{document:#}");
    let failed = world.sandbox.executions().iter().filter(|execution| execution.status == "Failed").count();
    assert_eq!(failed, started, "no start of the resumed campaign sends the element");
}
