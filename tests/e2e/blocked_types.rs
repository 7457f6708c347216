//! `BlockedEncryptionTypes`: whatever S3 and Automation make of the element, no bucket ends weaker than it was.

use std::collections::BTreeMap;
use std::process::Stdio;

use orgseal_sandbox::{BucketEncryption, BucketState};
use serde_json::Value;

use crate::world::{World, finding, two_members, unbroken};

const MEMBERS: [&str; 2] = ["555555555551", "555555555552"];
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const KINDS: [&str; 3] = ["SSE-C", "NONE", "absent"];
/// The article's document cannot set a Bucket Key; a change that does not show is not waited for.
pub(crate) const SETTINGS: [&str; 4] = ["--set", "encryption.bucket_key=false", "--set", "executions.read_back_for=0"];

/// Two buckets of each kind in each account and Region.
fn buckets(account: &str) -> String {
    let mut all = Vec::new();
    for region in REGIONS {
        for kind in KINDS {
            for number in 1..=2 {
                let name = format!("{account}-{region}-{}-{number}", kind.to_lowercase());
                all.push(format!(
                    r#"{{ name = "{name}", region = "{region}", encryption = "sse_s3", blocked_types = "{kind}" }}"#
                ));
            }
        }
    }
    all.join(", ")
}

fn organization(settings: &str, document: &str) -> String {
    let members = two_members(&buckets("payments"), &buckets("analytics"));
    format!("blocked_types = {{ {settings} }}\ndocument = {{ variant = \"{document}\" }}\n{members}")
}

pub(crate) fn blocks(bucket: &BucketState) -> bool {
    bucket.encryption.as_ref().is_some_and(|encryption| encryption.blocked.iter().any(|kind| kind == "SSE-C"))
}

fn is_on_central_key(world: &World, bucket: &BucketState) -> bool {
    bucket.encryption.as_ref().is_some_and(|encryption| encryption.key == Some(world.key(&bucket.region)))
}

/// The described buckets, by name.
fn described(world: &World) -> BTreeMap<String, BucketState> {
    let all = MEMBERS.into_iter().flat_map(|account| world.sandbox.buckets_of(account));
    all.map(|bucket| (bucket.name.clone(), bucket)).collect()
}

pub(crate) fn reason(document: &Value, bucket: &str) -> String {
    let finding = finding(document, bucket);
    format!("{} {}", finding["verdict"].as_str().unwrap(), finding["reason"].as_str().unwrap())
}

pub(crate) const SEALED: &str = "sealed as_wanted";
pub(crate) const CHANGED: &str = "failed blocked_types_changed";
pub(crate) const HELD: &str = "held document_cannot_carry";

/// What is to become of the buckets of one kind in a Region: all of them sealed, all held, or one that proved and was changed.
#[derive(Debug, PartialEq)]
enum Outcome {
    AllSealed,
    AllHeld,
    OneChanged,
}

fn expected(omitted: &str, sends: bool, choice: &str, kind: &str) -> Outcome {
    let block = kind == "SSE-C";
    // Where S3 does not return the element, there is nothing to send.
    if sends && kind != "absent" {
        return Outcome::AllSealed;
    }
    match (omitted, choice) {
        (_, "hold") if block => Outcome::AllHeld,
        ("clears", "prove") if block => Outcome::OneChanged,
        // The block was lost, so nothing else is changed.
        ("clears", "prove") if !sends => Outcome::AllHeld,
        ("blocks", _) if !block => Outcome::OneChanged,
        _ => Outcome::AllSealed,
    }
}

/// Checks one combination against the sandbox's S3 and the report.
fn check(told: &str, world: &World, before: &BTreeMap<String, BucketState>, document: &Value, combination: [&str; 4]) {
    let [omitted, automation, variant, choice] = combination;
    let sends = automation == "known" && variant == "shipped";
    let now = described(world);
    for region in REGIONS {
        let mut lost = 0;
        for kind in KINDS {
            let of_kind = |bucket: &&BucketState| {
                bucket.region == region && bucket.name.contains(&format!("{region}-{}-", kind.to_lowercase()))
            };
            let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
            for bucket in now.values().filter(of_kind) {
                let reason = reason(document, &bucket.name);
                let told = format!("{told} {}: {reason}", bucket.name);
                let kept = blocks(bucket) == blocks(&before[&bucket.name]);
                match reason.as_str() {
                    SEALED => assert!(is_on_central_key(world, bucket) && kept, "{told}: {bucket:?}"),
                    HELD => assert_eq!(bucket.encryption, before[&bucket.name].encryption, "{told}"),
                    CHANGED => {
                        assert!(!kept, "{told}");
                        lost += u32::from(kind == "SSE-C");
                        let hint = finding(document, &bucket.name)["error"]["hint"].as_str().unwrap().to_owned();
                        assert!(
                            hint.contains("aws s3api put-bucket-encryption") && hint.contains(&bucket.name),
                            "{hint}"
                        );
                    }
                    other => panic!("{told}: {other} {:#}", finding(document, &bucket.name)),
                }
                *reasons.entry(reason).or_default() += 1;
            }
            let outcome = match reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect::<Vec<_>>()[..]
            {
                [(SEALED, 4)] => Outcome::AllSealed,
                [(HELD, 4)] => Outcome::AllHeld,
                [(CHANGED, 1), (HELD, 3)] => Outcome::OneChanged,
                _ => panic!("{told} {region} {kind}: {reasons:?}"),
            };
            // NONE and absent are one: where one of the two changed, the other is held.
            let joined = kind != "SSE-C" && expected(omitted, sends, choice, kind) == Outcome::OneChanged;
            if joined {
                assert!(
                    [Outcome::OneChanged, Outcome::AllHeld].contains(&outcome),
                    "{told} {region} {kind}: {reasons:?}"
                );
            } else {
                assert_eq!(outcome, expected(omitted, sends, choice, kind), "{told} {region} {kind}: {reasons:?}");
            }
        }
        assert!(lost <= u32::from(choice == "prove" && omitted == "clears"), "{told}: {lost} blocks lost in {region}");
    }
}

fn combinations(omitted: &'static str) -> Vec<[&'static str; 4]> {
    let mut all = Vec::new();
    for automation in ["known", "refused"] {
        for variant in ["shipped", "original"] {
            for choice in ["hold", "prove"] {
                all.push([omitted, automation, variant, choice]);
            }
        }
    }
    all
}

/// No combination ends with a weakened bucket that is not reported.
fn each_combination(omitted: &'static str) {
    for combination in combinations(omitted) {
        let [omitted, automation, variant, choice] = combination;
        let told = format!("{omitted}, {automation}, {variant}, {choice}");
        let settings = format!("omitted = \"{omitted}\", automation = \"{automation}\"");
        let world = World::of(&organization(&settings, variant));
        let before = described(&world);
        let choice = format!("encryption.blocked_types={choice}");
        let command = [&["rollout", "--yes", "--set", &choice][..], &SETTINGS].concat();
        let (_, document) = world.json(&command);
        check(&told, &world, &before, &document, combination);
        // What was proven stays proven: another campaign loses nothing more.
        let after = described(&world);
        world.json(&command);
        for (name, bucket) in described(&world) {
            assert_eq!(blocks(&bucket), blocks(&after[&name]), "{told}: {name} in a second campaign");
        }
        assert_eq!(world.run(&["ledger", "verify"]).code, 0, "{told}");
    }
}

#[test]
fn nothing_is_weakened_where_s3_keeps_what_is_omitted() {
    each_combination("keeps");
}

#[test]
fn nothing_is_weakened_unreported_where_s3_clears_what_is_omitted() {
    each_combination("clears");
}

#[test]
fn nothing_is_changed_unreported_where_s3_blocks_what_is_omitted() {
    each_combination("blocks");
}

#[test]
fn a_bucket_that_lost_its_block_is_sealed_again_by_the_command_that_is_reported() {
    let world = World::of(&organization("omitted = \"clears\"", "original"));
    let prove = ["--set", "encryption.blocked_types=prove"];
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &prove, &SETTINGS].concat());
    assert_eq!(code, 3);
    let failed: Vec<&Value> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["reason"] == "blocked_types_changed")
        .collect();
    assert_eq!(failed.len(), REGIONS.len(), "one in each Region");
    // The report for people shows the same commands, ready to be pasted.
    let shown = unbroken(&world.run(&["report"]).stdout);
    assert!(!shown.contains("BUCKET_NAME") && !shown.contains("get-automation-execution"), "{shown}");
    for finding in &failed {
        let hint = finding["error"]["hint"].as_str().unwrap();
        assert!(shown.contains(&unbroken(hint)), "{hint} in {shown}");
    }
    for finding in failed {
        let name = finding["bucket"].as_str().unwrap();
        // Trying again does not make it sealed, and loses nothing more.
        let (_, again) =
            world.json(&[&["resume", "--yes", "--retry-failed", "--bucket", name][..], &prove, &SETTINGS].concat());
        assert_eq!(reason(&again, name), HELD);
        let hint = finding["error"]["hint"].as_str().unwrap();
        let (_, configuration) = hint.split_once("--server-side-encryption-configuration '").unwrap();
        let rule: Value = serde_json::from_str(configuration.trim_end_matches('\'')).unwrap();
        let rule = &rule["Rules"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        world
            .sandbox
            .set_bucket_encryption(
                name,
                Some(BucketEncryption {
                    algorithm: text(&rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]).unwrap(),
                    key: text(&rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]),
                    bucket_key: rule["BucketKeyEnabled"].as_bool().unwrap(),
                    blocked: vec![text(&rule["BlockedEncryptionTypes"]["EncryptionType"][0]).unwrap()],
                }),
            )
            .unwrap();
        let (_, again) =
            world.json(&[&["resume", "--yes", "--retry-failed", "--bucket", name][..], &prove, &SETTINGS].concat());
        assert_eq!(reason(&again, name), SEALED);
        assert!(blocks(&world.bucket(name)) && is_on_central_key(&world, &world.bucket(name)));
    }
}

#[test]
fn the_shipped_document_sets_a_lost_block_again() {
    let world = World::of(&organization("omitted = \"clears\"", "original"));
    let prove = ["--set", "encryption.blocked_types=prove"];
    world.json(&[&["rollout", "--yes"][..], &prove, &SETTINGS].concat());
    let shipped = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
    for account in MEMBERS {
        for region in REGIONS {
            world.sandbox.put_document_content(account, region, "EnableS3BucketEncryptionWithKMS", shipped).unwrap();
        }
    }
    let (code, document) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &prove, &SETTINGS].concat());
    assert_eq!(code, 0, "{:#}", document["summary"]);
    for (name, bucket) in described(&world) {
        assert!(is_on_central_key(&world, &bucket), "{name}");
        assert_eq!(blocks(&bucket), name.contains("-sse-c-"), "{name}");
    }
    // And a rollback gives each bucket what it had, blocks included.
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    for (name, bucket) in described(&world) {
        assert_eq!(bucket.encryption.as_ref().unwrap().algorithm, "AES256", "{name}");
        assert_eq!(blocks(&bucket), name.contains("-sse-c-"), "{name}");
    }
}

#[test]
fn automation_that_does_not_know_the_element_costs_few_executions() {
    let world = World::of(&organization("automation = \"refused\"", "shipped"));
    let one = ["--set", "limits.executions_per_account_region=1"];
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &one, &SETTINGS].concat());
    assert_eq!(code, 2, "the buckets that block SSE-C are held: {:#}", document["summary"]);
    let failed = world.sandbox.executions().iter().filter(|execution| execution.status == "Failed").count();
    // The next start may leave between the end of the first execution and its explanation.
    let places = MEMBERS.len() * REGIONS.len();
    assert!((places..=2 * places).contains(&failed), "{failed} failed executions in {places} accounts and Regions");
    let (code, verified) = (world.run(&["ledger", "verify"]).code, world.entries());
    assert_eq!(code, 0);
    let learned = verified.iter().filter(|entry| entry["event"]["event"] == "blocked_types_learned");
    let refused = learned.filter(|entry| entry["event"]["learned"]["outcome"] == "refused").count();
    assert_eq!(refused, failed);
}

#[test]
fn a_proof_survives_a_kill_at_every_step() {
    let points = ["after_intent", "after_start", "after_started", "after_ended", "before_read_back", "after_read_back"];
    for point in points {
        let world = World::of(&organization("omitted = \"clears\"", "original"));
        let before = described(&world);
        let settings = ["--set", "encryption.blocked_types=prove", "--set", "executions.visible_within=2"];
        let mut killed = false;
        let mut command = vec!["rollout", "--yes"];
        for _ in 0..8 {
            let mut child = world.command(&[&command[..], &settings, &SETTINGS].concat());
            child.env("ORGSEAL_FAIL_POINT", format!("{point}:1")).stdout(Stdio::null()).stderr(Stdio::null());
            if child.status().unwrap().code().is_some() {
                break;
            }
            killed = true;
            command = vec!["resume", "--yes"];
        }
        assert!(killed, "{point} was never passed");
        let (_, document) = world.json(&[&["resume", "--yes"][..], &settings, &SETTINGS].concat());
        let now = described(&world);
        for region in REGIONS {
            let lost: Vec<&BucketState> = now
                .values()
                .filter(|bucket| bucket.region == region && blocks(&before[&bucket.name]) && !blocks(bucket))
                .collect();
            assert_eq!(lost.len(), 1, "{point} {region}: {lost:?}");
            assert_eq!(reason(&document, &lost[0].name), CHANGED, "{point}");
        }
        assert_eq!(world.run(&["ledger", "verify"]).code, 0, "{point}");
    }
}

#[test]
fn an_account_whose_execution_hangs_does_not_keep_the_others_waiting() {
    let mut spec = organization("", "original");
    spec.push_str(
        "[[fault]]\nkind = \"automation_stuck\"\nstatus = \"InProgress\"\nwhere = { account = \"555555555551\" }\n",
    );
    let world = World::of(&spec);
    let settings = ["--set", "executions.proof_within=2", "--set", "executions.time_limit=10"];
    let (_, document) = world.json(&[&["rollout", "--yes"][..], &settings, &SETTINGS].concat());
    for (name, bucket) in described(&world) {
        let other = name.starts_with("analytics") && !name.contains("-sse-c-");
        assert_eq!(is_on_central_key(&world, &bucket), other, "{name}: {}", reason(&document, &name));
    }
}

#[test]
fn what_s3_began_to_return_in_april_2026_is_nobodys_change() {
    // A plan and a campaign from before S3 returned the element.
    let world =
        World::of(&organization("before_2026 = true", "shipped").replace("NONE", "absent").replace("SSE-C", "absent"));
    let plan = world.path("plan.json");
    let plan = plan.to_str().unwrap();
    let (_, written) = world.json(&["plan", "--output", plan]);
    let approved = written["sha256"].as_str().unwrap();
    let began = |world: &World| {
        for (name, bucket) in described(world) {
            let encryption = BucketEncryption { blocked: vec!["SSE-C".into()], ..bucket.encryption.unwrap() };
            world.sandbox.set_bucket_encryption(&name, Some(encryption)).unwrap();
        }
    };
    began(&world);
    let (code, document) = world.json(&["rollout", "--yes", "--plan", plan, "--plan-sha256", approved]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(described(&world).values().all(|bucket| blocks(bucket) && is_on_central_key(&world, bucket)));
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(described(&world).values().all(|bucket| blocks(bucket) && !is_on_central_key(&world, bucket)));
    // The same between the campaign and its rollback.
    let world =
        World::of(&organization("before_2026 = true", "shipped").replace("NONE", "absent").replace("SSE-C", "absent"));
    assert_eq!(world.json(&["rollout", "--yes"]).0, 0);
    began(&world);
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(described(&world).values().all(|bucket| blocks(bucket) && !is_on_central_key(&world, bucket)));
}

#[test]
fn the_articles_document_seals_what_it_can_by_plan_and_is_undone() {
    let world = World::of(&organization("", "original"));
    let before = described(&world);
    let plan = world.path("plan.json");
    let plan = plan.to_str().unwrap();
    let (_, written) = world.json(&[&["plan", "--output", plan][..], &SETTINGS].concat());
    let approved = ["--plan-sha256", written["sha256"].as_str().unwrap()];
    let planned: Value = serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    assert_eq!(planned["decisions"]["change"], 16, "{planned:#}");
    let (code, document) = world.json(&[&["rollout", "--yes", "--plan", plan][..], &approved, &SETTINGS].concat());
    assert_eq!(code, 2, "{:#}", document["summary"]);
    for (name, bucket) in described(&world) {
        assert_eq!(is_on_central_key(&world, &bucket), !name.contains("-sse-c-"), "{name}");
        assert_eq!(blocks(&bucket), blocks(&before[&name]), "{name}");
    }
    let (code, document) = world.json(&[&["rollback", "--yes"][..], &SETTINGS].concat());
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(described(&world).values().all(|bucket| !is_on_central_key(&world, bucket)));
}

#[test]
fn names_from_before_march_2018_are_sealed_and_restored() {
    let long = "a_B.9-".repeat(42) + "end";
    assert_eq!(long.len(), 255);
    let names = ["Acme_Central_1", "acme_logs_2013", "www.Example.com", "UPPER", long.as_str()];
    let buckets: Vec<String> =
        names.iter().map(|name| format!("{{ name = \"{name}\", encryption = \"sse_s3\" }}")).collect();
    let world = World::of(&two_members(&buckets.join(", "), r#"{ name = "plain", encryption = "sse_s3" }"#));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    for name in names {
        assert!(world.is_sealed(&world.bucket(name)), "{name}");
        assert_eq!(reason(&document, name), SEALED);
    }
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(names.iter().all(|name| world.bucket(name).encryption.unwrap().algorithm == "AES256"));
}

#[test]
fn a_rollback_by_a_document_that_omits_the_element_loses_no_block_unproven() {
    let restore = include_str!("../../config/documents/RestoreS3BucketEncryption.yaml")
        .replace("Default: PutWithoutKeyWithBlockedType", "Default: PutWithoutKey")
        .replace("Default: PutWithKeyAndBlockedType", "Default: PutWithKey");
    for (omitted, choice, lost) in [("clears", "hold", 0), ("clears", "prove", 1), ("keeps", "prove", 0)] {
        let told = format!("{omitted}, {choice}");
        let world = World::of(&organization(&format!("omitted = \"{omitted}\""), "shipped"));
        let before = described(&world);
        let (code, document) = world.json(&["rollout", "--yes"]);
        assert_eq!(code, 0, "{told}: {:#}", document["summary"]);
        for account in MEMBERS {
            for region in REGIONS {
                world.sandbox.put_document_content(account, region, "RestoreS3BucketEncryption", &restore).unwrap();
            }
        }
        let choice = format!("encryption.blocked_types={choice}");
        let (_, document) = world
            .json(&[&["rollback", "--yes", "--set", &choice][..], &["--set", "executions.read_back_for=0"]].concat());
        let now = described(&world);
        for region in REGIONS {
            let changed = now.values().filter(|bucket| {
                let changed = bucket.region == region && blocks(&before[&bucket.name]) != blocks(bucket);
                assert!(!changed || reason(&document, &bucket.name) == CHANGED, "{told}: {}", bucket.name);
                changed
            });
            assert_eq!(changed.count(), lost, "{told} {region}");
        }
        for (name, bucket) in &now {
            let restored = !is_on_central_key(&world, bucket);
            let expected = match (omitted, choice.ends_with("prove")) {
                ("keeps", _) => true,
                (_, false) => !name.contains("-sse-c-"),
                (_, true) => reason(&document, name) == CHANGED,
            };
            assert_eq!(restored, expected, "{told} {name}: {}", reason(&document, name));
        }
    }
}

#[test]
fn a_paused_campaign_may_go_on_with_another_choice() {
    let world = World::of(&organization("", "original"));
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &SETTINGS].concat());
    assert_eq!((code, document["summary"]["held"].as_u64()), (2, Some(8)), "{:#}", document["summary"]);
    let prove = ["--set", "encryption.blocked_types=prove"];
    let (code, document) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &prove, &SETTINGS].concat());
    assert_eq!(code, 0, "{:#}", document["summary"]);
    for (name, bucket) in described(&world) {
        assert!(is_on_central_key(&world, &bucket) && blocks(&bucket) == name.contains("-sse-c-"), "{name}");
    }
}
