//! What counts as sealed: S3's own word, read back. And what happens when the document or the world is not as expected.

use std::time::{Duration, Instant};

use crate::terminal::Terminal;
use crate::world::{World, finding, sse_s3, two_members};

const SHIPPED: &str = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const ORIGINAL: &str = include_str!("../../config/documents/original-three-parameters.yaml");
const DOCUMENT: &str = "EnableS3BucketEncryptionWithKMS";
const MEMBER: &str = "555555555551";

fn one_bucket() -> World {
    World::of(&two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, ""))
}

#[test]
fn a_document_that_skips_the_effect_never_gives_a_sealed_bucket() {
    let world = one_bucket();
    let idle = SHIPPED.replace("Api: PutBucketEncryption", "Api: GetBucketEncryption");
    world.sandbox.put_document_content(MEMBER, "us-east-1", DOCUMENT, &idle).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    let finding = finding(&document, "logs");
    assert_eq!(
        (finding["verdict"].as_str(), finding["reason"].as_str()),
        (Some("held"), Some("document_cannot_carry"))
    );
    assert!(world.sandbox.executions().is_empty(), "it is known beforehand that it would do nothing");
}

#[test]
fn success_counts_for_nothing_until_s3_shows_it() {
    // The execution puts the key, then sleeps; meanwhile somebody puts the bucket back. It ends in Success all the same.
    let world = World::at_speed(&two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, ""), 1.0);
    let slow = ORIGINAL.replace("    isEnd: true\n", "").replace(
        "mainSteps:",
        "mainSteps:\n  - name: Wait\n    action: aws:sleep\n    inputs:\n      Duration: PT3S\n    isEnd: true",
    );
    // Put first, then wait.
    let slow = {
        let (head, steps) = slow.split_once("mainSteps:\n").unwrap();
        let (wait, put) = steps.split_once("  - name: PutBucketEncryption").unwrap();
        format!("{head}mainSteps:\n  - name: PutBucketEncryption{}\n{wait}", put.trim_end())
    };
    world.sandbox.put_document_content(MEMBER, "us-east-1", DOCUMENT, &slow).unwrap();
    let child = world
        .command(&[
            "rollout",
            "--yes",
            "--json",
            "--set",
            "encryption.bucket_key=false",
            "--set",
            "executions.read_back_for=2",
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.bucket("logs").encryption.unwrap().key.is_none() {
        assert!(Instant::now() < until, "the execution never put the key");
        std::thread::sleep(Duration::from_millis(20));
    }
    world.sandbox.set_bucket_encryption("logs", sse_s3()).unwrap();
    let output = child.wait_with_output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = finding(&document, "logs");
    assert_eq!(finding["execution"]["status"], "Success", "{finding}");
    assert_eq!((finding["verdict"].as_str(), finding["reason"].as_str()), (Some("failed"), Some("not_effective")));
    assert_eq!(finding["encryption"]["algorithm"], "AES256", "what S3 shows now");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_failed_execution_is_explained_by_its_step() {
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    ));
    let doubtful = SHIPPED.replace(
        "mainSteps:",
        "mainSteps:
  - name: AssertBefore
    action: aws:assertAwsResourceProperty
    nextStep: ChooseRule
    inputs:
      Service: s3
      Api: GetBucketEncryption
      Bucket: '{{ BucketName }}'
      PropertySelector: $.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm
      DesiredValues:
        - aws:kms",
    );
    world.sandbox.put_document_content(MEMBER, "us-east-1", DOCUMENT, &doubtful).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3);
    let failed = finding(&document, "logs");
    assert_eq!(
        (failed["verdict"].as_str(), failed["reason"].as_str()),
        (Some("failed"), Some("execution_failed")),
        "{failed}"
    );
    assert_eq!(failed["execution"]["status"], "Failed");
    assert!(failed["error"]["message"].as_str().unwrap().contains("AssertBefore"), "{failed}");
    assert!(failed["error"]["hint"].as_str().unwrap().contains(MEMBER), "{failed}");
    // Law 2: the neighbour is none the worse for it.
    assert_eq!(finding(&document, "reports")["verdict"], "sealed");
}

#[test]
fn a_failed_execution_whose_effect_s3_shows_is_sealed_all_the_same() {
    let world = one_bucket();
    // The document's own check is denied, after the change.
    let policy = include_str!("../../config/policies/automation.json");
    let policy = policy.replace("s3:GetEncryptionConfiguration", "s3:GetObject");
    world.sandbox.set_role_policy(MEMBER, "orgseal-automation", &policy).unwrap();
    // That is known beforehand; whoever starts it all the same gets what S3 shows.
    let (_, held) = world.json(&["rollout", "--yes"]);
    assert_eq!(finding(&held, "logs")["guards"][0]["guard"], "change-denied", "{held:#}");
    let (code, document) = world.json(&["rollout", "--yes", "--set", "guards.change-denied=off"]);
    let finding = finding(&document, "logs");
    assert_eq!(
        (finding["verdict"].as_str(), finding["execution"]["status"].as_str()),
        (Some("sealed"), Some("Failed"))
    );
    assert_eq!(code, 0);
}

#[test]
fn a_start_that_is_refused_is_a_failure_of_its_bucket() {
    let spec =
        two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, r#"{ name = "reports", encryption = "sse_s3" }"#)
            .replace("id = \"555555555551\"", "id = \"555555555551\"\nautomation_role = false");
    let world = World::of(&spec);
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3);
    let refused = finding(&document, "logs");
    assert_eq!((refused["verdict"].as_str(), refused["reason"].as_str()), (Some("failed"), Some("start_refused")));
    assert!(refused["error"]["message"].as_str().unwrap().contains("assume role"), "{refused}");
    assert_eq!(finding(&document, "reports")["verdict"], "sealed");
}

#[test]
fn one_accounts_failure_never_stops_another() {
    let world = World::of("accounts = 12\nbuckets_per_account = 3\nsuspended = 3\nwithout_member_role = 4");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3);
    let summary = &document["summary"];
    assert_eq!(summary["accounts"], 12);
    assert_eq!(summary["accounts_unread"], 7);
    assert_eq!(summary["sealed"], 15, "three in each of the five others: {summary}");
}

#[test]
fn the_original_document_is_used_only_where_its_exact_result_is_wanted() {
    let world = World::of(&two_members(
        r#"{ name = "open", encryption = "sse_s3" }, { name = "blocked", encryption = "sse_s3", sse_c_blocked = true }"#,
        "",
    ));
    world.sandbox.put_document_content(MEMBER, "us-east-1", DOCUMENT, ORIGINAL).unwrap();
    let (_, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(finding(&document, "open")["reason"], "document_cannot_carry", "it cannot set the Bucket Key");
    let (_, document) = world.json(&["rollout", "--yes", "--set", "encryption.bucket_key=false"]);
    assert_eq!(finding(&document, "open")["verdict"], "sealed");
    assert_eq!(finding(&document, "blocked")["reason"], "document_cannot_carry", "it would unblock SSE-C");
}

#[test]
fn a_document_that_would_run_as_the_caller_is_refused() {
    let world = one_bucket();
    let as_caller = SHIPPED.replace("assumeRole: '{{ AutomationAssumeRole }}'\n", "");
    world.sandbox.put_document_content(MEMBER, "us-east-1", DOCUMENT, &as_caller).unwrap();
    let (_, document) = world.json(&["rollout", "--yes"]);
    let finding = finding(&document, "logs");
    assert_eq!(finding["reason"], "document_not_usable");
    assert!(finding["error"]["message"].as_str().unwrap().contains("AutomationAssumeRole"), "{finding}");
    assert!(world.sandbox.executions().is_empty());
}

#[test]
fn a_key_that_is_not_there_stops_its_region_before_the_first_start() {
    let world = World::of(&two_members(
        r#"{ name = "far", region = "eu-west-1", encryption = "sse_s3" }, { name = "near", encryption = "sse_s3" }"#,
        "",
    ));
    let real = world.key("eu-west-1");
    let (head, _) = real.rsplit_once('/').unwrap();
    let missing = format!("{head}/00000000-0000-0000-0000-000000000000");
    world.edit(|text| text.replace(&real, &missing));
    let (_, document) = world.json(&["rollout", "--yes"]);
    let far = finding(&document, "far");
    assert_eq!((far["verdict"].as_str(), far["reason"].as_str()), (Some("held"), Some("key_not_usable")), "{far}");
    assert_eq!(finding(&document, "near")["verdict"], "sealed");
    assert_eq!(world.sandbox.executions().len(), 1);
}

#[test]
fn a_bucket_that_was_changed_or_deleted_since_it_was_judged_is_judged_anew() {
    // The person who is asked takes their time; meanwhile the world goes on.
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "gone", encryption = "sse_s3" }, { name = "team", encryption = "sse_s3" }"#,
        "",
    ));
    let mut terminal = Terminal::open(world.command(&["rollout"]), 120);
    terminal.wait_for("[y/N]");
    world.sandbox.delete_bucket("gone").unwrap();
    let own_key = orgseal_sandbox::BucketEncryption {
        algorithm: "aws:kms".into(),
        key: Some("arn:aws:kms:us-east-1:555555555551:key/11111111-2222-3333-4444-555555555555".into()),
        bucket_key: true,
        blocked: Vec::new(),
    };
    world.sandbox.set_bucket_encryption("team", Some(own_key.clone())).unwrap();
    terminal.send("y\n");
    let (code, screen) = terminal.close();
    assert_eq!(code, 3, "{screen}");
    assert!(screen.contains("3 buckets in 1 account:"), "{screen}");
    let (_, document) = world.json(&["report"]);
    assert_eq!(finding(&document, "logs")["verdict"], "sealed");
    assert_eq!(finding(&document, "gone")["verdict"], "unread");
    assert_eq!(finding(&document, "team")["reason"], "customer_key_kept");
    assert_eq!(world.bucket("team").encryption, Some(own_key));
    assert_eq!(world.sandbox.executions().len(), 1);
}

#[test]
fn no_is_no() {
    let world = one_bucket();
    let mut terminal = Terminal::open(world.command(&["rollout"]), 120);
    terminal.wait_for("[y/N]");
    terminal.send("n\n");
    assert_eq!(terminal.close().0, 2, "it is not sealed");
    assert!(world.sandbox.executions().is_empty());
    assert!(!world.is_sealed(&world.bucket("logs")));
}

#[test]
fn a_dry_run_starts_nothing() {
    let world = one_bucket();
    let (code, document) = world.json(&["rollout", "--dry-run"]);
    assert_eq!(code, 2);
    assert_eq!(finding(&document, "logs")["verdict"], "not_sealed");
    assert!(world.sandbox.executions().is_empty());
}
