//! A plan changes nothing, is approved by its hash, and is carried out as it is: what differs by then is taken out, nothing is
//! put in.

use std::collections::BTreeMap;
use std::process::Stdio;

use orgseal_sandbox::{BucketEncryption, Dump, KeyState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{Run, World, block_on, finding, sse_s3, two_members, unbroken};

const PAYMENTS: &str = "555555555551";

fn two() -> World {
    World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "old", encryption = "aws_managed" },
           { name = "done", encryption = "sealed" }, { name = "team", encryption = "customer_key" }"#,
        r#"{ name = "reports", encryption = "none" }"#,
    ))
}

fn sha256_of(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a plan to `name`. Returns what `--json` says of it.
fn plan(world: &World, name: &str) -> Value {
    let (code, document) = world.json(&["plan", "--output", name]);
    assert!(code == 0 || code == 2, "{code}: {document:#}");
    document
}

/// Carries out a plan that was approved by its hash.
fn carry_out(world: &World, name: &str, more: &[&str]) -> Run {
    let hash = sha256_of(&std::fs::read(world.path(name)).unwrap());
    world.run(&[&["rollout", "--yes", "--plan", name, "--plan-sha256", &hash][..], more].concat())
}

/// A command that fails as a whole, in these words, and starts nothing.
fn is_refused(world: &World, run: &Run, words: &str) {
    let said = unbroken(&run.stderr.replace('│', " "));
    assert!(run.code == 1 && said.contains(words), "exit {}, and not {words:?}: {said}", run.code);
    assert!(world.sandbox.executions().is_empty(), "something was started");
}

/// A plan file with its own hash made anew, as by somebody who knows how.
fn forged(text: &str) -> String {
    let end = text.rfind("  \"sha256\": ").unwrap();
    format!("{}  \"sha256\": \"{}\"\n}}\n", &text[..end], sha256_of(&text.as_bytes()[..end]))
}

fn encryption(world: &World) -> BTreeMap<String, Option<BucketEncryption>> {
    world.sandbox.buckets().into_iter().map(|bucket| (bucket.name, bucket.encryption)).collect()
}

#[test]
fn a_plan_changes_nothing_and_holds_all_that_is_to_be_approved() {
    let world = two();
    let before = world.sandbox.dump();
    let (code, document) = world.json(&["plan", "--output", "a.json", "--markdown", "a.md"]);
    assert_eq!(code, 2, "there is something to change: {document:#}");
    assert!(Dump::diff(&before, &world.sandbox.dump()).is_empty());
    assert_eq!(world.sandbox.counters().totals("ssm", "StartAutomationExecution"), 0);
    let file = std::fs::read(world.path("a.json")).unwrap();
    assert_eq!(
        (&document["schema"], &document["sha256"]),
        (&json!("orgseal.plan-written/1"), &json!(sha256_of(&file)))
    );
    let whole: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(whole["schema"], "orgseal.plan/1");
    assert_eq!(whole["organization"], world.sandbox.organization_id());
    assert_eq!(whole["decisions"], json!({ "change": 3, "hold": 1, "keep": 1 }));
    assert!(whole["forecast"].is_object() && !whole["notices"].as_array().unwrap().is_empty());
    let bucket = |name: &str| {
        whole["buckets"].as_array().unwrap().iter().find(|bucket| bucket["bucket"] == name).unwrap().clone()
    };
    let logs = bucket("logs");
    assert_eq!((&logs["decision"], &logs["wave"]), (&json!("change"), &json!(1)), "{logs:#}");
    assert_eq!(logs["rule"]["key"], world.key("us-east-1"), "what it will get: {logs:#}");
    let document_found = &whole["documents"][0];
    assert_eq!(logs["document_sha256"], document_found["sha256"], "and by what");
    assert_eq!(document_found["hash_of"], "canonical_json");
    // DescribeDocument's hash is of the YAML text that was uploaded.
    let uploaded = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
    assert_eq!(document_found["aws_hash"], sha256_of(uploaded.as_bytes()));
    assert_ne!(document_found["aws_hash"], document_found["sha256"]);
    let team = bucket("team");
    assert_eq!((&team["decision"], &team["reason"]), (&json!("hold"), &json!("customer_key_kept")));
    assert_eq!(bucket("done")["decision"], "keep");
    // It is shown again from the file alone, to people and to scripts.
    let shown = world.run(&["plan", "show", "a.json"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(
        shown.stdout.contains(&sha256_of(&file)) && shown.stdout.contains("orgseal rollout --plan"),
        "{}",
        shown.stdout
    );
    let (code, again) = world.json(&["plan", "show", "a.json"]);
    assert_eq!((code, &again["sha256"], &again["head"]["id"]), (0, &document["sha256"], &whole["id"]));
    let markdown = std::fs::read_to_string(world.path("a.md")).unwrap();
    assert!(["logs", "old", "reports", "team"].iter().all(|name| markdown.contains(name)), "{markdown}");
    assert_eq!(world.run(&["plan", "show", "a.json", "--markdown"]).stdout, markdown);
    assert_eq!(world.run(&["plan", "show", "campaign.toml"]).code, 1);
}

#[test]
fn a_rollout_by_plan_does_what_the_plan_says() {
    let world = two();
    let written = plan(&world, "a.json");
    world.sandbox.reset_counters();
    let (code, document) = {
        let hash = written["sha256"].as_str().unwrap();
        world.json(&["rollout", "--yes", "--plan", "a.json", "--plan-sha256", hash, "--approved-by", "CAB 42"])
    };
    assert_eq!(code, 2, "{document:#}");
    assert_eq!(document["summary"]["sealed"], 4, "{document:#}");
    assert_eq!(world.sandbox.executions().len(), 3);
    assert_eq!(finding(&document, "team")["verdict"], "held");
    // What guards said when it was made is fresh enough, so nobody is asked again.
    let counters = world.sandbox.counters();
    assert_eq!(counters.totals("s3", "GetBucketPolicy") + counters.totals("iam", "GetAccountAuthorizationDetails"), 0);
    // Who approved what is in the record.
    let reference = json!({ "id": written["plan"], "sha256": written["sha256"], "approver": "CAB 42" });
    assert_eq!(document["run"]["plan"], reference);
    assert_eq!(world.json(&["status"]).1["plan"], reference);
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_plan_that_nobody_approved_is_not_carried_out() {
    let world = two();
    let written = plan(&world, "a.json");
    is_refused(&world, &world.run(&["rollout", "--yes", "--plan", "a.json"]), "needs --plan-sha256");
    let other = "0".repeat(64);
    let run = world.run(&["rollout", "--yes", "--plan", "a.json", "--plan-sha256", &other]);
    is_refused(&world, &run, "is not the one that was approved");
    // A byte is altered: found out by the file alone.
    let text = std::fs::read_to_string(world.path("a.json")).unwrap();
    let altered = text.replace("\"bucket\":\"logs\"", "\"bucket\":\"logz\"");
    assert_ne!(text, altered);
    std::fs::write(world.path("b.json"), &altered).unwrap();
    is_refused(&world, &carry_out(&world, "b.json", &[]), "was changed after it was made");
    is_refused(&world, &world.run(&["plan", "show", "b.json"]), "was changed after it was made");
    // Its own hash is made anew: the approved hash does not fit, and the ledger knows another one.
    std::fs::write(world.path("b.json"), forged(&altered)).unwrap();
    assert_eq!(world.run(&["plan", "show", "b.json"]).code, 0, "it looks whole");
    let approved = written["sha256"].as_str().unwrap();
    let run = world.run(&["rollout", "--yes", "--plan", "b.json", "--plan-sha256", approved]);
    is_refused(&world, &run, "is not the one that was approved");
    is_refused(&world, &carry_out(&world, "b.json", &[]), "is not the one that was approved");
    is_refused(&world, &world.run(&["rollout", "--dry-run", "--plan", "b.json"]), "is not the one that was approved");
    // In another state folder nobody knows it, so that only the approved hash counts.
    let elsewhere =
        |arguments: &[&str]| Run::from(world.command_with(&world.path("elsewhere"), arguments).output().unwrap());
    is_refused(&world, &elsewhere(&["rollout", "--dry-run", "--plan", "b.json"]), "nothing shows that the plan");
    let run = elsewhere(&["rollout", "--yes", "--plan", "b.json", "--plan-sha256", approved]);
    is_refused(&world, &run, "is not the one that was approved");
    // The right one is carried out from there.
    assert_eq!(elsewhere(&["rollout", "--yes", "--plan", "a.json", "--plan-sha256", approved]).code, 2);
    assert_eq!(world.sandbox.executions().len(), 3);
}

#[test]
fn a_plan_holds_for_its_organization_its_settings_and_its_time() {
    let world = two();
    plan(&world, "a.json");
    let text = std::fs::read_to_string(world.path("a.json")).unwrap();
    let refused = |change: &dyn Fn(&str) -> String, words: &str| {
        // As if it had been made and approved so.
        std::fs::write(world.path("b.json"), forged(&change(&text))).unwrap();
        let hash = sha256_of(&std::fs::read(world.path("b.json")).unwrap());
        let arguments = ["rollout", "--yes", "--plan", "b.json", "--plan-sha256", &hash];
        let run = Run::from(world.command_with(&world.path("elsewhere"), &arguments).output().unwrap());
        is_refused(&world, &run, words);
    };
    let organization = world.sandbox.organization_id().to_owned();
    refused(&|text| text.replace(&organization, "o-other00000"), "was made for organization o-other00000");
    let head: Value = serde_json::from_str(&text).unwrap();
    let endpoint = head["endpoint"].as_str().unwrap().to_owned();
    refused(&|text| text.replacen(&endpoint, "aws", 1), "was made for endpoint aws");
    refused(
        &|text| text.replace("\"partition\": \"aws\"", "\"partition\": \"aws-cn\""),
        "was made for partition aws-cn",
    );
    refused(&|text| text.replace("orgseal.plan/1", "orgseal.plan/9"), "orgseal.plan/1 is known");
    let made = head["created_at"].as_str().unwrap();
    refused(&|text| text.replace(made, "2025-01-01T00:00:00Z"), "[plan] max_age is 7 days");
    refused(&|text| text.replace(made, "2125-01-01T00:00:00Z"), "is dated 2125-01-01T00:00:00Z, which is 3");
    // What a bucket ends up as is the campaign file's word as it was then; limits are not.
    for (set, words) in [
        ("encryption.bucket_key=false", "[encryption]"),
        ("encryption.algorithm=aws:kms:dsse", "[encryption]"),
        ("document.version=1", "[document]"),
        ("automation_role.name=other", "[automation_role]"),
        ("waves=[{ name = \"all\", accounts_percent = 100 }]", "[waves]"),
    ] {
        is_refused(&world, &carry_out(&world, "a.json", &["--set", set]), words);
    }
    let key = format!("central_key.us-east-1={}", world.key("us-east-1").replace(":key/", ":key/9"));
    is_refused(&world, &carry_out(&world, "a.json", &["--set", &key]), "[central_key]");
    let run = carry_out(&world, "a.json", &["--set", "limits.accounts=1", "--set", "plan.max_age=1h"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(world.sandbox.executions().len(), 3);
}

/// Members with each a thing that may become different.
const MANY: &str = r#"
accounts = 6
buckets_per_account = 0
suspended = 0
without_member_role = 0
regions = ["us-east-1", "eu-west-1"]
[[account]]
name = "payments"
id = "555555555551"
buckets = [{ name = "stays", encryption = "sse_s3" }, { name = "sealed-since", encryption = "sse_s3" },
           { name = "changed-since", encryption = "sse_s3" }, { name = "theirs-since", encryption = "sse_s3" },
           { name = "gone-since", encryption = "sse_s3" }, { name = "far", region = "eu-west-1", encryption = "sse_s3" }]
[[account]]
name = "closed"
id = "555555555552"
buckets = [{ name = "role-lost", encryption = "sse_s3" }]
[[account]]
name = "changed"
id = "555555555553"
buckets = [{ name = "other-document", encryption = "sse_s3" }]
[[account]]
name = "quiet"
id = "555555555554"
buckets = [{ name = "reports", encryption = "sse_s3" }]
"#;

#[test]
fn what_differs_by_then_is_taken_out_and_told_and_nothing_is_added() {
    let world = World::of(MANY);
    plan(&world, "a.json");
    let set = |name: &str, algorithm: &str, key: Option<String>| {
        let algorithm = algorithm.to_owned();
        let encryption = BucketEncryption { bucket_key: key.is_some(), algorithm, key, blocked: Vec::new() };
        world.sandbox.set_bucket_encryption(name, Some(encryption)).unwrap();
    };
    set("sealed-since", "aws:kms", Some(world.key("us-east-1")));
    set("changed-since", "aws:kms", None);
    set(
        "theirs-since",
        "aws:kms",
        Some(format!("arn:aws:kms:us-east-1:{PAYMENTS}:key/1234abcd-12ab-34cd-56ef-1234567890ab")),
    );
    world.sandbox.delete_bucket("gone-since").unwrap();
    world.sandbox.set_key_state(&world.key("eu-west-1"), KeyState::Disabled).unwrap();
    let nobody = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole" } ] }"#;
    world.sandbox.set_role_trust("555555555552", "orgseal-member", nobody).unwrap();
    let document = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
    // A comment would not show: GetDocument returns JSON.
    let changed = document.replacen("  Sets the default", "  Changes the default", 1);
    assert_ne!(changed, document);
    world
        .sandbox
        .put_document_content("555555555553", "us-east-1", "EnableS3BucketEncryptionWithKMS", &changed)
        .unwrap();
    // A bucket that is new is in nobody's plan.
    let (access_key, secret) = world.sandbox.credentials();
    let s3 = world.s3("us-east-1", (access_key, secret, None));
    block_on(s3.create_bucket().bucket("new-since").send()).unwrap();
    let before = encryption(&world);
    let run = carry_out(&world, "a.json", &[]);
    assert_eq!(run.code, 3, "an account could not be read: {}", run.stderr);
    let changed: Vec<String> = {
        let after = encryption(&world);
        before.iter().filter(|(name, was)| after[*name] != **was).map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(changed, ["reports", "stays"], "what is as the plan has it, and nothing else");
    let (_, report) = world.json(&["report"]);
    let said = |bucket: &str| {
        let finding = finding(&report, bucket);
        format!("{} {}", finding["verdict"].as_str().unwrap(), finding["reason"].as_str().unwrap())
    };
    assert_eq!(said("sealed-since"), "sealed as_wanted");
    assert_eq!(said("changed-since"), "held differs_from_plan");
    assert_eq!(said("theirs-since"), "held customer_key_kept");
    assert_eq!(said("other-document"), "held differs_from_plan");
    assert_eq!(said("far"), "held key_not_usable");
    assert_eq!(said("new-since"), "held not_in_plan");
    assert_eq!(said("stays"), "sealed as_wanted");
    assert!(finding(&report, "other-document")["error"]["message"].as_str().unwrap().contains("sha256"));
    // Each is told, with its name.
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.contains("left out of the plan")).collect();
    for bucket in ["sealed-since", "changed-since", "theirs-since", "gone-since", "role-lost"] {
        assert!(told.iter().any(|line| line.contains(bucket)), "{bucket}: {told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("stays") || line.contains("new-since")), "{told:#?}");
}

/// Plans of earlier versions hold the hash of the text that GetDocument returned, and do not say so.
#[test]
fn a_plan_of_an_earlier_version_is_carried_out() {
    let world = two();
    let text = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.json");
    for account in [PAYMENTS, "555555555552"] {
        world.sandbox.put_document_content(account, "us-east-1", "EnableS3BucketEncryptionWithKMS", text).unwrap();
    }
    assert_eq!(world.run(&["plan", "--output", "a.json"]).code, 2);
    let plan = std::fs::read_to_string(world.path("a.json")).unwrap();
    let whole: Value = serde_json::from_str(&plan).unwrap();
    // The head has a member on each line.
    let is_new =
        |line: &&str| ["\"hash_of\":", "\"aws_hash\":"].iter().any(|member| line.trim_start().starts_with(member));
    let kept: Vec<&str> = plan.lines().filter(|line| !is_new(line)).collect();
    let mut earlier = format!("{}\n", kept.join("\n"));
    for document in whole["documents"].as_array().unwrap() {
        earlier = earlier.replace(document["sha256"].as_str().unwrap(), &sha256_of(text.as_bytes()));
    }
    assert!(!earlier.contains("hash_of") && !earlier.contains("aws_hash"), "{earlier}");
    std::fs::write(world.path("b.json"), forged(&earlier)).unwrap();
    let shown = world.run(&["plan", "show", "b.json"]);
    assert!(shown.code == 0 && !shown.stdout.contains("canonical"), "{}", shown.stdout);
    // Another state directory: this one knows the hash of the plan that it made.
    let hash = sha256_of(&std::fs::read(world.path("b.json")).unwrap());
    let arguments = ["rollout", "--yes", "--plan", "b.json", "--plan-sha256", &hash];
    let run = Run::from(world.command_with(&world.path("elsewhere"), &arguments).output().unwrap());
    let changed: Vec<String> =
        world.sandbox.buckets().into_iter().filter(|bucket| world.is_sealed(bucket)).map(|one| one.name).collect();
    assert_eq!(changed, ["done", "logs", "old", "reports"], "{}", run.stderr);
}

#[test]
fn a_rollout_by_plan_that_was_killed_goes_on_by_its_plan() {
    const SPEC: &str = "accounts = 4\nbuckets_per_account = 24\nsuspended = 0\nwithout_member_role = 0\nseed = 7\n";
    let undisturbed = World::at_speed(SPEC, 40.0);
    plan(&undisturbed, "a.json");
    assert_eq!(carry_out(&undisturbed, "a.json", &[]).code, 0);
    let world = World::at_speed(SPEC, 40.0);
    let written = plan(&world, "a.json");
    let hash = written["sha256"].as_str().unwrap();
    let first = ["rollout", "--yes", "--plan", "a.json", "--plan-sha256", hash];
    for (point, command) in [
        ("after_intent:3", &first[..]),
        ("after_start:4", &["resume", "--yes"]),
        ("after_ended:2", &["resume", "--yes"]),
        ("before_read_back:3", &["resume", "--yes"]),
    ] {
        let mut child = world.command(command);
        child.env("ORGSEAL_FAIL_POINT", point).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(child.status().unwrap().code(), None, "{point} was passed");
    }
    // The plan is kept with the campaign: that its file is gone, or another by now, is nothing to it.
    std::fs::write(world.path("a.json"), "{}").unwrap();
    let other = [BucketEncryption { algorithm: "aws:kms".into(), key: None, bucket_key: false, blocked: Vec::new() }];
    let intended = |bucket: &str| {
        world.entries().iter().any(|entry| entry["bucket"] == bucket && entry["event"]["event"] == "intended")
    };
    let report = world.json(&["report"]).1;
    let mut waiting = report["findings"].as_array().unwrap().iter().filter(|finding| finding["reason"] == "sse_s3");
    let waiting = waiting.find(|finding| !intended(finding["bucket"].as_str().unwrap())).unwrap();
    let waiting = waiting["bucket"].as_str().unwrap().to_owned();
    world.sandbox.set_bucket_encryption(&waiting, Some(other[0].clone())).unwrap();
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 2, "{:#}", document["summary"]);
    assert_eq!(finding(&document, &waiting)["reason"], "differs_from_plan", "the plan still counts");
    let (mut wanted, mut got) = (encryption(&undisturbed), encryption(&world));
    assert_eq!((wanted.remove(&waiting).is_some(), got.remove(&waiting)), (true, Some(Some(other[0].clone()))));
    assert_eq!(got, wanted);
    assert_eq!(document["summary"]["started"], world.sandbox.executions().len());
}

#[test]
fn two_plans_are_compared() {
    let world = two();
    plan(&world, "a.json");
    plan(&world, "b.json");
    let same = world.run(&["plan", "diff", "a.json", "b.json"]);
    assert_eq!((same.code, same.stdout.trim()), (0, "the two plans do the same"), "{}", same.stderr);
    world.sandbox.set_bucket_encryption("done", sse_s3()).unwrap();
    world.sandbox.delete_bucket("old").unwrap();
    plan(&world, "b.json");
    let (code, document) = world.json(&["plan", "diff", "a.json", "b.json"]);
    assert_eq!((code, &document["schema"]), (2, &json!("orgseal.plan-diff/1")));
    let kinds: Vec<_> = document["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let bucket = if one["after"].is_null() { &one["before"] } else { &one["after"] };
            (one["kind"].as_str().unwrap(), bucket["bucket"].as_str().unwrap())
        })
        .collect();
    assert_eq!(kinds, [("changed", "done"), ("removed", "old")]);
    let text = world.run(&["plan", "diff", "b.json", "a.json"]).stdout;
    assert!(
        text.contains("change -> keep") && text.lines().any(|line| line.starts_with("+ ") && line.contains("old")),
        "{text}"
    );
    // Another campaign file is a difference as well.
    world.json(&["plan", "--output", "c.json", "--set", "limits.accounts=1"]);
    let (code, document) = world.json(&["plan", "diff", "b.json", "c.json"]);
    assert_eq!((code, &document["differences"][0]["name"]), (2, &json!("campaign file")));
}

#[test]
fn teams_that_own_their_buckets_as_code_get_the_code_to_merge() {
    let world = World::of(include_str!("../../config/sandbox/one-of-each-guard.toml"));
    let arguments = ["plan", "--suggest-iac", "--account", "workloads", "--output", "a.json"];
    let (_, document) = world.json(&arguments);
    let code: Vec<_> = document["code"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["bucket"].as_str().unwrap(),
                one["tool"].as_str().unwrap(),
                one["code"].as_str().unwrap().contains(&world.key("us-east-1")),
            )
        })
        .collect();
    assert_eq!(
        code,
        [
            ("infrastructure-as-code-444455556666", "cloud_formation", true),
            ("infrastructure-as-code-terraform-444455556666", "terraform", true),
        ]
    );
    let text = world.run(&arguments).stdout;
    for line in ["BucketEncryption:", "resource \"aws_s3_bucket_server_side_encryption_configuration\""] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(world.json(&["plan", "--output", "b.json"]).1["code"], json!([]), "only when asked for");
}

#[test]
fn what_leads_on_from_a_dry_run_of_a_plan_is_the_plan() {
    let world = two();
    let written = plan(&world, "a.json");
    let hash = written["sha256"].as_str().unwrap();
    let run = world.run(&["rollout", "--yes", "--dry-run", "--plan", "a.json", "--plan-sha256", hash]);
    let kept = world.path("state").join("plans").join(format!("{hash}.json"));
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    let said = words.join(" ");
    assert!(
        said.contains(&format!("--plan-sha256 {hash}")) && said.contains("orgseal rollout --plan"),
        "{}",
        run.stdout
    );
    assert!(said.contains(kept.to_str().unwrap()) && kept.exists(), "{}", run.stdout);
    assert!(said.contains("carries out plan-") && said.contains("approved by"), "{}", run.stdout);
    let again = ["rollout", "--yes", "--plan", kept.to_str().unwrap(), "--plan-sha256", hash];
    assert_eq!(world.run(&again).code, 2, "the team's own key is held");
}
