//! A sandbox that misbehaves as AWS can: orgseal gets through, or says what it could not do. Nothing is called sealed that
//! is not, and nothing is done twice.

use crate::world::{World, finding, sse_s3, two_members};

fn one_bucket_with(more: &str) -> World {
    World::of(&format!("{more}\n{}", two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, "")))
}

/// `[[fault]]` stands after the tables of `two_members`, where TOML wants it.
fn with_fault(head: &str, fault: &str) -> World {
    let spec =
        two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, r#"{ name = "reports", encryption = "sse_s3" }"#);
    World::of(&format!("{head}\n{spec}\n[[fault]]\n{fault}\n"))
}

fn verdict(document: &serde_json::Value, bucket: &str) -> (String, String) {
    let finding = finding(document, bucket);
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    (text("verdict"), text("reason"))
}

fn is(verdict: &str, reason: &str) -> (String, String) {
    (verdict.to_owned(), reason.to_owned())
}

/// The start was accepted, and its answer lost.
const LOST_ANSWER: &str = "kind = \"reset_after\"\nwhere = { operation = \"StartAutomationExecution\", account = \"555555555551\" }\nfirst = 1";

#[test]
fn a_start_whose_answer_is_lost_is_repeated_and_runs_once() {
    let world = with_fault("client_tokens = \"same\"", LOST_ANSWER);
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(verdict(&document, "logs"), is("sealed", "as_wanted"));
    assert_eq!(world.sandbox.executions().len(), 2, "one for each bucket");
}

#[test]
fn a_start_whose_answer_is_lost_and_whose_token_is_refused_is_found_by_its_parameters() {
    let world = with_fault("client_tokens = \"refuse\"", LOST_ANSWER);
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(verdict(&document, "logs"), is("sealed", "as_wanted"));
    assert_eq!(world.sandbox.executions().len(), 2, "one for each bucket");
}

#[test]
fn an_automation_that_lies_never_yields_sealed() {
    for (kind, algorithm) in [("automation_lie", "AES256"), ("automation_wrong_key", "aws:kms")] {
        let world = with_fault("", &format!("kind = \"{kind}\"\nwhere = {{ bucket = \"logs\" }}"));
        let (code, document) = world.json(&["rollout", "--yes", "--set", "executions.read_back_for=1"]);
        assert_eq!(code, 3, "{kind}");
        let logs = finding(&document, "logs");
        assert_eq!(logs["execution"]["status"], "Success", "{kind}: {logs}");
        assert_eq!(verdict(&document, "logs"), is("failed", "not_effective"), "{kind}");
        assert_eq!(logs["encryption"]["algorithm"], algorithm, "{kind}: what S3 shows");
        assert_eq!(verdict(&document, "reports"), is("sealed", "as_wanted"), "{kind}");
    }
}

#[test]
fn a_change_that_takes_time_to_show_is_waited_for() {
    let world = with_fault("", "kind = \"stale_encryption\"\nms = 1500");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn a_throttled_start_is_a_wait_and_no_failure() {
    let world = with_fault("", "kind = \"throttle\"\nwhere = { operation = \"StartAutomationExecution\" }\nfirst = 2");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(world.sandbox.executions().len(), 2);
}

#[test]
fn an_execution_that_never_ends_is_given_up_and_keeps_its_room() {
    let world = with_fault("", "kind = \"automation_stuck\"\nwhere = { bucket = \"logs\" }\nstatus = \"Waiting\"");
    let (code, document) = world.json(&["rollout", "--yes", "--set", "executions.time_limit=10"]);
    assert_eq!(code, 3);
    let logs = finding(&document, "logs");
    assert_eq!(verdict(&document, "logs"), is("failed", "execution_timed_out"));
    assert_eq!(logs["execution"]["status"], "Waiting", "{logs}");
    assert_eq!(verdict(&document, "reports"), is("sealed", "as_wanted"));
    // The next run leaves it alone.
    let (_, document) = world.json(&["rollout", "--yes", "--set", "executions.time_limit=10"]);
    assert_eq!(verdict(&document, "logs"), is("failed", "under_way"));
    assert_eq!(world.sandbox.executions().len(), 2);
}

#[test]
fn a_bucket_that_cannot_be_read_is_unread_and_says_why() {
    for (fault, reason) in [
        ("kind = \"denied\"", "access_denied"),
        ("kind = \"malformed\"", "read_error"),
        ("kind = \"half_sent\"", "no_answer"),
        ("kind = \"throttle\"", "throttled"),
    ] {
        let matching = "where = { operation = \"GetBucketEncryption\", bucket = \"logs\" }";
        let world = with_fault("", &format!("{fault}\n{matching}"));
        let (code, document) = world.json(&["audit"]);
        assert_eq!(code, 3, "{fault}");
        let logs = finding(&document, "logs");
        assert_eq!(logs["verdict"], "unread", "{fault}: {logs}");
        if reason != "no_answer" {
            assert_eq!(logs["reason"], reason, "{fault}: {logs}");
        }
        assert!(!logs["error"]["hint"].as_str().unwrap().is_empty(), "{fault}");
        assert_eq!(verdict(&document, "reports"), is("not_sealed", "sse_s3"), "{fault}");
    }
}

#[test]
fn executions_that_the_list_leaves_out_are_found_all_the_same() {
    let world = with_fault("", "kind = \"automation_invisible\"\nms = 600000");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn a_disabled_key_stops_its_region_before_the_first_start() {
    let world = one_bucket_with("");
    world.sandbox.set_key_state(&world.key("us-east-1"), orgseal_sandbox::KeyState::Disabled).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    assert_eq!(verdict(&document, "logs"), is("held", "key_not_usable"));
    assert!(finding(&document, "logs")["error"]["message"].as_str().unwrap().contains("Disabled"));
    assert!(world.sandbox.executions().is_empty());
}

#[test]
fn a_bucket_that_changed_hands_is_not_touched() {
    let world = with_fault("", "kind = \"bucket_retaken\"\nwhere = { bucket = \"logs\" }\naccount = \"555555555552\"");
    let (code, document) = world.json(&["rollout", "--yes", "--set", "executions.read_back_for=1"]);
    assert_eq!(code, 3);
    assert_ne!(finding(&document, "logs")["verdict"], "sealed");
    assert_eq!(world.bucket("logs").account, "555555555552");
    assert!(!world.is_sealed(&world.bucket("logs")), "the other account's bucket is as it was");
}

#[test]
fn each_statement_of_the_shipped_member_role_is_needed_and_named() {
    let shipped: serde_json::Value =
        serde_json::from_str(include_str!("../../config/policies/member-rollout.json")).unwrap();
    let statements = shipped["Statement"].as_array().unwrap();
    let needed = [
        ("ListBuckets", "s3:ListAllMyBuckets"),
        ("ReadDefaultEncryption", "s3:GetEncryptionConfiguration"),
        ("ReadTheDocuments", "ssm:GetDocument"),
        ("StartTheDocuments", "ssm:StartAutomationExecution"),
        ("TagExecutions", "ssm:AddTagsToResource"),
        ("FollowExecutions", "ssm:DescribeAutomationExecutions"),
        ("PassTheAutomationRole", "iam:PassRole"),
        ("ProveTheCentralKey", "kms:GenerateDataKey"),
        ("ReadForGuards", "s3:GetBucketPolicy"),
        ("ReadTheAccountForGuards", "iam:GetAccountAuthorizationDetails"),
    ];
    // What a rollback, a preflight or a wave that is watched alone needs has its scenarios with them.
    let elsewhere = ["LookAtKeys", "LookAtConfigRemediation", "LookAtTheRoles", "LookForDenials"];
    assert_eq!(statements.len(), needed.len() + elsewhere.len(), "a statement without a scenario");
    for (sid, action) in needed {
        let world = one_bucket_with("");
        let left: Vec<_> = statements.iter().filter(|statement| statement["Sid"] != sid).collect();
        assert_eq!(left.len(), statements.len() - 1, "{sid}");
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": left }).to_string();
        let policy = policy.replace("111122223333", world.sandbox.security_account());
        world.sandbox.set_role_policy("555555555551", "orgseal-member", &policy).unwrap();
        let (code, document) = world.json(&["rollout", "--yes"]);
        assert!(code == 2 || code == 3, "{sid}: exit {code}");
        assert!(document.to_string().contains(action), "{sid}: {action} is not named in {document:#}");
        assert_eq!(world.bucket("logs").encryption, sse_s3(), "{sid}");
    }
}
