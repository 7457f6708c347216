//! Other partitions, and organizations without us-east-1: from a fresh organization to a sealed one and back, with ARNs, DNS
//! suffixes and the Regions of global services as they are there.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::{Run, World, binary, block_on, finding, two_members, unbroken};

const FRESH: &str = include_str!("../../config/sandbox/fresh.toml");

/// A fresh organization of a few accounts, with these settings, in which a user of each account writes through S3.
fn fresh(settings: &str, partition: &str, suffix: &str) -> String {
    let small =
        FRESH.replace("accounts = 12", "accounts = 4").replace("regions = [\"us-east-1\", \"eu-west-1\"]", settings);
    assert!(small.contains(settings) && small.contains("accounts = 4"), "{small}");
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": format!("arn:{partition}:s3:::*") },
        { "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": format!("arn:{partition}:kms:*:*:key/*"),
          "Condition": { "StringLike": { "kms:ViaService": ["s3.*.amazonaws.com", format!("s3.*.{suffix}")] } } },
    ] });
    format!("{small}\n[[application]]\nname = \"writer\"\nkind = \"user\"\npolicy = '{policy}'\n")
}

fn as_management(world: &World, arguments: &[&str]) -> Run {
    world.as_management(&[arguments, &["--through", "OrganizationAccountAccessRole"]].concat())
}

/// The prerequisites are deployed, the organization is ready, every bucket is sealed, and applications go on writing.
fn becomes_sealed(world: &World, partition: &str) {
    let run = as_management(world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let (code, ready) = world.json(&["preflight"]);
    assert_eq!((code, &ready["summary"]["warnings"], &ready["ready"]), (0, &json!(0), &json!(true)), "{ready:#}");
    let (code, report) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{report:#}");
    assert!(report["summary"]["started"].as_u64().unwrap() > 0, "{report:#}");
    assert!(world.sandbox.buckets().iter().all(|bucket| world.is_sealed(bucket)));
    let writers = world.sandbox.application_credentials("writer").unwrap();
    let bucket =
        world.sandbox.buckets().into_iter().find(|bucket| writers.iter().any(|one| one.account == bucket.account));
    let bucket = bucket.unwrap();
    let writer = writers.into_iter().find(|writer| writer.account == bucket.account).unwrap();
    let s3 = world.s3(&bucket.region, (writer.access_key_id, writer.secret_access_key, writer.session_token));
    let written =
        block_on(s3.put_object().bucket(&bucket.name).key("report").body(Vec::from("x").into()).send()).unwrap();
    assert_eq!(written.ssekms_key_id(), Some(world.key(&bucket.region).as_str()));
    assert!(world.key(&bucket.region).starts_with(&format!("arn:{partition}:kms:")));
    let (code, after) = world.json(&["bootstrap", "diff"]);
    assert_eq!((code, &after["counts"]["differing"]), (0, &json!(0)), "{after:#}");
    // What is rendered names this partition alone.
    let run = world.run(&["bootstrap", "render", "rendered"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for file in ["policies/central-key.json", "policies/member-rollout.json", "guardrails/scp-keep-seal.json"] {
        let text = std::fs::read_to_string(world.path("rendered").join(file)).unwrap();
        assert!(partition == "aws" || !text.contains("arn:aws:"), "{file}: {text}");
    }
}

/// The life of an organization in a partition: sealed, audited, rolled back.
fn lives(settings: &str, partition: &str, suffix: &str) -> World {
    let world = World::of(&fresh(settings, partition, suffix));
    becomes_sealed(&world, partition);
    let (code, report) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["summary"]["restored"], report["summary"]["started"], "{report:#}");
    assert!(!world.sandbox.buckets().iter().any(|bucket| world.is_sealed(bucket)));
    world
}

fn key_policy(world: &World) -> Value {
    let text = std::fs::read_to_string(world.path("rendered").join("policies/central-key.json")).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    let through_s3 = |statement: &Value| statement["Condition"]["StringLike"]["kms:ViaService"].clone();
    policy["Statement"].as_array().unwrap().iter().map(through_s3).find(|via| !via.is_null()).unwrap()
}

#[test]
fn an_organization_in_govcloud() {
    // Its home Region is not the one that serves IAM and Organizations.
    let world = lives(
        "partition = \"aws-us-gov\"\nregions = [\"us-gov-east-1\", \"us-gov-west-1\"]",
        "aws-us-gov",
        "amazonaws.com",
    );
    assert_eq!(key_policy(&world), "s3.*.amazonaws.com", "the KMS guide documents it for GovCloud");
}

#[test]
fn an_organization_in_china() {
    let settings = "partition = \"aws-cn\"\nregions = [\"cn-northwest-1\", \"cn-north-1\"]";
    let world = lives(settings, "aws-cn", "amazonaws.com.cn");
    assert_eq!(key_policy(&world), json!(["s3.*.amazonaws.com", "s3.*.amazonaws.com.cn"]));
}

#[test]
fn an_organization_in_the_european_sovereign_cloud() {
    let world = lives("partition = \"aws-eusc\"\nregions = [\"eusc-de-east-1\"]", "aws-eusc", "amazonaws.eu");
    assert_eq!(key_policy(&world), json!(["s3.*.amazonaws.com", "s3.*.amazonaws.eu"]));
}

/// AWS does not document how S3 names itself to KMS there: whichever it is, writing works.
#[test]
fn a_key_policy_admits_both_forms_of_the_service_name() {
    for suffix in ["amazonaws.com", "amazonaws.com.cn"] {
        let settings = format!("partition = \"aws-cn\"\nregions = [\"cn-north-1\"]\nvia_service_suffix = \"{suffix}\"");
        becomes_sealed(&World::of(&fresh(&settings, "aws-cn", "amazonaws.com.cn")), "aws-cn");
    }
}

#[test]
fn what_a_principal_lacks_is_proposed_in_the_names_of_its_partition() {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws-cn:s3:::logs/*"}}"#;
    let spec = two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, "");
    let world = World::of(&format!(
        "partition = \"aws-cn\"\n{spec}[[application]]\nname = \"writer\"\naccounts = [\"payments\"]\npolicy = '{policy}'\n"
    ));
    let (code, report) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2, "{report:#}");
    let held = finding(&report, "logs").to_string();
    assert!(held.contains("arn:aws-cn:iam::555555555551:role/writer"), "{held}");
    let via = r#"\"kms:ViaService\":[\"s3.cn-north-1.amazonaws.com\",\"s3.cn-north-1.amazonaws.com.cn\"]"#;
    assert!(held.contains(via) && !held.contains("arn:aws:"), "{held}");
}

/// A key of one partition cannot serve a Region of another, and no partition is taken for `aws`.
#[test]
fn keys_and_regions_of_different_partitions_are_refused() {
    let world = World::of("partition = \"aws-us-gov\"\naccounts = 3\nbuckets_per_account = 1");
    world.edit(|text| text.replace("arn:aws-us-gov:kms:us-gov-west-1", "arn:aws:kms:us-gov-west-1"));
    let run = world.run(&["config", "check"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    // The screen breaks the line where it likes.
    let said = run.stderr.contains("the key is of partition aws, and us-gov-west-1 is in");
    assert!(said && run.stderr.contains("write arn:aws-us-gov:kms:us-gov-west-1:ACCOUNT:key/ID"), "{}", run.stderr);
    world.edit(|text| text.replace("arn:aws:kms:us-gov-west-1", "arn:aws-moon:kms:us-gov-west-1"));
    let run = world.run(&["config", "check"]);
    assert!(
        run.stderr.contains("the key is of partition aws-moon") && run.stderr.contains("known partitions"),
        "{}",
        run.stderr
    );
}

#[test]
fn credentials_of_another_partition_than_the_keys_are_refused_at_once() {
    let world =
        World::of("partition = \"aws-us-gov\"\nregions = [\"us-gov-west-1\"]\naccounts = 3\nbuckets_per_account = 1");
    world.edit(|text| text.replace("arn:aws-us-gov:", "arn:aws:").replace("us-gov-west-1", "us-east-1"));
    let (code, checked) = world.json(&["preflight"]);
    assert_eq!(code, 2, "{checked:#}");
    let check = checked["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "organization").unwrap();
    assert_eq!(check["standing"], "failed", "{checked:#}");
    assert!(
        check["message"].as_str().unwrap().contains("is in partition aws-us-gov, and central key arn:aws:kms:"),
        "{check}"
    );
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    let said = unbroken(&run.stderr);
    assert!(said.contains("aws-us-gov") && said.contains("AWS_REGION"), "{said}");
    assert!(world.sandbox.executions().is_empty());
}

// What follows runs the core of the suite once without us-east-1: it is neither the home Region nor one of the organization's.

const EUROPE: &str = "regions = [\"eu-west-1\", \"eu-central-1\"]\n";
const SMALL: &str = "accounts = 4\nbuckets_per_account = 6\nsuspended = 0\nwithout_member_role = 0\n";

fn europe(settings: &str) -> World {
    World::of(&format!("{EUROPE}{SMALL}{settings}"))
}

fn states(world: &World) -> Vec<orgseal_sandbox::BucketState> {
    world.sandbox.buckets()
}

#[test]
fn europe_alone_is_bootstrapped_and_sealed() {
    lives("regions = [\"eu-west-1\", \"eu-central-1\"]", "aws", "amazonaws.com");
}

#[test]
fn europe_alone_is_sealed_by_the_first_command_inside_the_process() {
    let home = tempfile::TempDir::new().unwrap();
    let spec = home.path().join("europe.toml");
    std::fs::write(&spec, format!("{EUROPE}{SMALL}")).unwrap();
    let sandbox = format!("--sandbox={}", spec.display());
    let rollout = binary(home.path()).args(["rollout", "--yes", "--json", &sandbox]).output().unwrap();
    assert_eq!(rollout.status.code(), Some(0), "{}", String::from_utf8_lossy(&rollout.stderr));
    let document: Value = serde_json::from_slice(&rollout.stdout).unwrap();
    assert_eq!(document["summary"]["sealed"], document["summary"]["buckets"], "{document:#}");
    let preflight = binary(home.path()).args(["preflight", "--json", &sandbox]).output().unwrap();
    assert_eq!(preflight.status.code(), Some(0), "{}", String::from_utf8_lossy(&preflight.stdout));
}

#[test]
fn europe_alone_is_audited_and_ready_with_the_exported_region() {
    // What `orgseal sandbox` exports is the Region that serves IAM and Organizations, where no bucket is.
    let world = europe("");
    assert_eq!(world.sandbox.client_region(), "us-east-1");
    for arguments in [&["preflight"][..], &["rollout", "--yes"], &["audit"]] {
        let run: Run =
            world.command(arguments).env("AWS_REGION", world.sandbox.client_region()).output().unwrap().into();
        assert_eq!(run.code, 0, "{arguments:?}: {}\n{}", run.stdout, run.stderr);
    }
    assert!(states(&world).iter().all(|bucket| world.is_sealed(bucket)));
}

#[test]
fn europe_alone_is_resumed_after_a_kill_at_each_kind_of_step() {
    for point in ["after_intent", "after_start", "before_read_back"] {
        let world = europe("");
        let mut command = world.command(&["rollout", "--yes"]);
        command.env("ORGSEAL_FAIL_POINT", format!("{point}:3")).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(command.status().unwrap().code(), None, "it was killed at {point}");
        let (code, report) = world.json(&["resume", "--yes"]);
        assert_eq!(code, 0, "{point}: {report:#}");
        assert!(states(&world).iter().all(|bucket| world.is_sealed(bucket)), "{point}");
        assert_eq!(report["summary"]["started"], world.sandbox.executions().len(), "{point}");
        assert_eq!(world.run(&["ledger", "verify"]).code, 0, "{point}");
    }
}

#[test]
fn europe_alone_is_rolled_back_to_what_it_was() {
    let world = europe("[encryption]\nwrong_region_key = 0\nnone = 0\n");
    let before = states(&world);
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    assert_ne!(states(&world), before);
    let (code, report) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(states(&world), before);
}

#[test]
fn europe_alone_goes_wave_by_wave_and_watches_denials() {
    let world = europe("");
    world.edit(|text| {
        format!(
            "{text}\n[[waves]]\nname = \"canary\"\naccounts_percent = 30\nbake = 1\ncheck_every = 1\n\
             [[waves]]\nname = \"rest\"\naccounts_percent = 100\n"
        )
    });
    let (code, report) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{report:#}");
    assert!(states(&world).iter().all(|bucket| world.is_sealed(bucket)));
    let waves: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["wave"]).collect();
    assert!(waves.contains(&&json!(1)) && waves.contains(&&json!(2)), "{waves:?}");
}
