//! From an organization in which nothing of orgseal is to one that is sealed: the groundwork is rendered, deployed, compared; what
//! somebody changes in it is named; what was made is taken away again.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Run, World, block_on, two_members, unbroken, wait_until};

const FRESH: &str = include_str!("../../config/sandbox/fresh.toml");
const SEAL: &str = "EnableS3BucketEncryptionWithKMS";
const SHIPPED: &str = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");

/// The binary with the management account's credentials, entering accounts by the role that these come with.
fn as_management(world: &World, arguments: &[&str]) -> Run {
    world.as_management(&[arguments, &["--through", "OrganizationAccountAccessRole"]].concat())
}

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", run.stdout, run.stderr))
}

fn deployed(spec: &str) -> World {
    let world = World::of(spec);
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    world
}

/// An account with nothing special about it.
fn member(world: &World) -> String {
    let special = [world.sandbox.security_account(), world.sandbox.management_account()];
    world.sandbox.accounts().into_iter().find(|account| !special.contains(&account.id.as_str())).unwrap().id
}

/// Every finding of a comparison: account, kind, name, Region, state, and what is said.
fn findings(document: &Value) -> Vec<[String; 6]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for account in document["accounts"].as_array().unwrap() {
        for finding in account["findings"].as_array().unwrap() {
            let says = finding["says"].as_array().unwrap().iter().map(text).collect::<Vec<_>>().join("; ");
            let [kind, name, region, state] = ["kind", "name", "region", "state"].map(|field| text(&finding[field]));
            found.push([text(&account["id"]), kind, name, region, state, says]);
        }
    }
    found
}

#[test]
fn a_fresh_organization_is_made_ready_sealed_and_watched() {
    let world = World::of(FRESH);
    // Nothing is there, and that is said.
    let run = as_management(&world, &["bootstrap", "diff", "--json"]);
    assert_eq!(run.code, 2, "{}\n{}", run.stdout, run.stderr);
    let before = document(&run);
    assert_eq!(before["counts"]["differing"], 0, "{before:#}");
    assert!(before["counts"]["missing"].as_u64().unwrap() > 80, "{}", before["counts"]);

    let run = world.run(&["bootstrap", "render", "groundwork"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let campaign = std::fs::read_to_string(world.campaign_file()).unwrap();
    assert!(!campaign.contains("NEW") && campaign.contains("# A campaign file"), "{campaign}");

    let (code, ready) = world.json(&["preflight"]);
    assert_eq!(code, 0, "{ready:#}");
    assert_eq!((&ready["summary"]["warnings"], &ready["summary"]["failed"]), (&json!(0), &json!(0)), "{ready:#}");
    let (code, report) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{report:#}");
    assert!(world.sandbox.buckets().iter().all(|bucket| world.is_sealed(bucket)));
    // The member role is enough to compare, and its rights are those that are documented.
    let (code, after) = world.json(&["bootstrap", "diff"]);
    assert_eq!((code, findings(&after)), (0, Vec::new()), "{after:#}");
    assert_eq!(after["counts"]["missing"], 0);
    // A second deployment has nothing to do.
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!((run.code, &document(&run)["done"]), (0, &json!([])), "{}", run.stderr);
    let groundwork = world.run(&["bootstrap", "render", "groundwork", "--check"]);
    assert!(
        groundwork.code == 2 && groundwork.stdout.contains("conformance-pack-us-east-1.yaml  differs"),
        "{}",
        groundwork.stdout
    );
}

#[test]
fn what_somebody_changes_is_named_and_refused() {
    let world = deployed(FRESH);
    let account = member(&world);
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole",
    }]});
    world.sandbox.set_role_trust(&account, "orgseal-member", &trust.to_string()).unwrap();
    let (code, found) = world.json(&["bootstrap", "diff"]);
    assert_eq!(code, 2, "{found:#}");
    let [finding] = findings(&found).try_into().unwrap();
    assert_eq!(
        finding[..5],
        [account.clone(), "role".into(), "orgseal-member".into(), String::new(), "differs".into()]
    );
    assert!(finding[5].contains("trust: ") && finding[5].contains("to AWS *"), "{finding:?}");
    assert!(!found.to_string().contains(world.sandbox.external_id()));
    let (code, refused) = world.json(&["preflight"]);
    assert_eq!(code, 2, "{refused:#}");
    let said = refused.to_string();
    assert!(said.contains("its trust policy allows everyone"), "{said}");
    // It is put right by a deployment, and nothing else is touched.
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let done = document(&run)["done"].clone();
    assert_eq!(done.as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!((&done[0]["name"], &done[0]["outcome"]), (&json!("orgseal-member"), &json!("changed")));

    // Its outcome is the same, but for what nobody passes: one account of many has another document than was approved.
    let other = SHIPPED.replace("default: aws:kms\n", "default: aws:kms:dsse\n");
    assert_ne!(other, SHIPPED);
    world.sandbox.put_document_content(&account, "eu-west-1", SEAL, &other).unwrap();
    let (code, found) = world.json(&["bootstrap", "diff"]);
    let [finding] = findings(&found).try_into().unwrap();
    assert_eq!((code, finding[3].as_str(), finding[2].as_str()), (2, "eu-west-1", SEAL), "{found:#}");
    assert!(finding[5].contains("first at parameters.SSEAlgorithm.default"), "{finding:?}");
    let (code, refused) = world.json(&["preflight"]);
    assert_eq!(code, 2, "{refused:#}");
    assert!(
        refused
            .to_string()
            .contains("is not the document that `orgseal bootstrap deploy` creates from this campaign file"),
        "{refused:#}"
    );
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(world.json(&["preflight"]).0, 0);
}

#[test]
fn what_was_made_is_taken_away_and_keys_stay() {
    let world = deployed(FRESH);
    let guardrails = ["--guardrail", "scp-keep-key", "--guardrail", "scp-other-key"];
    let attached = ["--guardrail", "rcp-other-key", "--attach", world.sandbox.security_account()];
    for guardrails in [&guardrails[..], &attached] {
        let run = as_management(&world, &[&["bootstrap", "deploy", "--yes"][..], guardrails].concat());
        assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    }
    let run = as_management(&world, &["bootstrap", "destroy", "--yes", "--json"]);
    assert_eq!(run.code, 3, "{}\n{}", run.stdout, run.stderr);
    let gone = document(&run);
    assert!(gone["left"] == 1 && gone["taken"].as_u64().unwrap() > 80, "{}", gone["taken"]);
    let pieces = gone["pieces"].as_array().unwrap();
    let guardrails: Vec<_> = pieces.iter().filter(|piece| piece["kind"] == "guardrail").collect();
    assert_eq!(guardrails.len(), 3, "{gone:#}");
    let left: Vec<_> = pieces.iter().filter(|piece| !piece["error"].is_null()).collect();
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("orgseal-rcp-other-key")), "{left:#?}");
    assert!(!gone.to_string().contains("\"key"));
    let run = as_management(&world, &["bootstrap", "diff", "--json"]);
    let left = document(&run);
    assert_eq!(run.code, 2);
    assert!(
        findings(&left).iter().all(|finding| finding[4] == "missing" && !finding[1].starts_with("key")),
        "{left:#}"
    );
    // Once more there is nothing to take.
    let run = as_management(&world, &["bootstrap", "destroy", "--yes", "--json"]);
    assert_eq!((run.code, &document(&run)["taken"]), (3, &json!(0)), "the guardrail is attached still");
}

#[test]
fn what_somebody_else_made_is_left_alone_unless_it_is_adopted() {
    let world = World::of("accounts = 3\nsuspended = 0\nwithout_member_role = 0\nbuckets_per_account = 0");
    let management = world.sandbox.management_account();
    world.edit(|text| {
        format!("{text}\n[bootstrap]\nmanagement_account = \"{management}\"\ncaller = \"user/orgseal\"\n")
    });
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!(run.code, 2, "{}\n{}", run.stdout, run.stderr);
    let done = document(&run)["done"].clone();
    let of = |name: &str| {
        let done = done.as_array().unwrap().iter().filter(|one| one["name"] == name);
        done.map(|one| one["outcome"].clone()).collect::<Vec<_>>()
    };
    assert!(of("orgseal-member").iter().all(|outcome| outcome == "not_ours"), "{done:#}");
    assert!(of("orgseal-audit").iter().all(|outcome| outcome == "made"), "{done:#}");
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--adopt"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(world.json(&["preflight"]).0, 0);
}

#[test]
fn where_nobody_can_be_entered_the_ways_are_explained() {
    let world = World::of(FRESH);
    let run = world.run(&["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 3, "{}\n{}", run.stdout, run.stderr);
    let said = unbroken(&run.stderr);
    assert!(said.contains("--through OrganizationAccountAccessRole") && said.contains("StackSets"), "{said}");
    assert!(said.contains("StackSets does not deploy to the management account"), "{said}");
    assert!(said.contains("--template-file DIR/cloudformation/management-account.json"), "{said}");
    // Without a person and without --yes nothing is done.
    let run = world.run(&["bootstrap", "deploy"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("bootstrap diff"), "{}", run.stderr);
}

#[test]
fn one_multi_region_key_serves_all_regions() {
    let world = World::of(FRESH);
    let key = format!("arn:aws:kms:us-east-1:{}:key/mrk-NEW", world.sandbox.security_account());
    world.edit(|text| {
        let kept = text.lines().filter(|line| !line.contains(":key/NEW")).map(|line| match line {
            "[central_key]" => format!("[central_key]\nmulti_region_key = \"{key}\""),
            line => line.to_owned(),
        });
        format!("regions = [\"us-east-1\", \"eu-west-1\"]\n{}\n", kept.collect::<Vec<_>>().join("\n"))
    });
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let keys = document(&run)["keys"].clone();
    assert_eq!((&keys[0]["step"], &keys[1]["step"]), (&json!("made"), &json!("replicated")), "{keys:#}");
    let text = std::fs::read_to_string(world.campaign_file()).unwrap();
    let named = text.lines().find(|line| line.starts_with("multi_region_key")).unwrap();
    assert!(named.contains(keys[0]["arn"].as_str().unwrap()), "{text}");
    assert_eq!(world.json(&["preflight"]).0, 0);
    let (code, report) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(world.json(&["bootstrap", "diff"]).0, 0);
}

#[test]
fn a_document_of_one_owner_is_made_once_and_shared() {
    let world = World::of(FRESH);
    let owner = world.sandbox.security_account().to_owned();
    world.edit(|text| text.replace("[document]\n", &format!("[document]\nowner = \"{owner}\"\n")));
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let done = document(&run)["done"].clone();
    let documents: Vec<_> = done.as_array().unwrap().iter().filter(|one| one["kind"] == "document").collect();
    assert!(documents.len() == 4 && documents.iter().all(|one| one["account"] == owner), "{documents:#?}");
    assert_eq!(world.json(&["preflight"]).0, 0);
    assert_eq!(world.json(&["rollout", "--yes"]).0, 0);
    let run = as_management(&world, &["bootstrap", "destroy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn a_deployment_that_was_cut_short_makes_no_key_twice() {
    let world = World::of(FRESH);
    // Without the security account no key is made, and nothing is put that would name it.
    let narrow = ["bootstrap", "deploy", "--yes", "--account", "payments-test", "--guardrail", "scp-other-key"];
    let run = as_management(&world, &narrow);
    assert!(
        run.code != 0 && unbroken(&run.stdout).contains("does not exist yet, and this refers to it"),
        "{}",
        run.stdout
    );
    // The first one gets as far as the keys: the campaign file was never written.
    let before = std::fs::read_to_string(world.campaign_file()).unwrap();
    let run =
        as_management(&world, &["bootstrap", "deploy", "--yes", "--account", "payments-test", "--account", "security"]);
    assert!(run.code == 0 || run.code == 2, "{}", run.stderr);
    let first = std::fs::read_to_string(world.campaign_file()).unwrap();
    std::fs::write(world.campaign_file(), before).unwrap();
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let keys = document(&run)["keys"].clone();
    assert!(keys.as_array().unwrap().iter().all(|key| key["step"] == "found"), "{keys:#}");
    assert_eq!(std::fs::read_to_string(world.campaign_file()).unwrap(), first);
}

#[test]
fn a_guardrail_is_attached_where_a_person_says_and_tells_whom_it_stops() {
    let world = deployed(FRESH);
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let account = member(&world);
    let bucket = world.sandbox.buckets_of(&account).into_iter().next().unwrap();
    let unseal = || {
        let credentials = world.assume(&account, "OrganizationAccountAccessRole");
        crate::world::block_on(world.unseal(&bucket, credentials))
    };
    unseal().unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let guardrail = ["bootstrap", "deploy", "--yes", "--guardrail", "scp-keep-seal"];
    let run = as_management(&world, &guardrail);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(unbroken(&run.stdout).contains("guardrail orgseal-scp-keep-seal: created"), "{}", run.stdout);
    // It is attached to nothing, and stops nobody.
    unseal().unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let run = as_management(&world, &[&guardrail[..], &["--attach", &account]].concat());
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let said = unbroken(&run.stderr);
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    assert!(said.contains("in the last 90 days") && said.contains(&format!("2 {role}")), "{said}");
    assert!(said.contains("role/orgseal-automation"), "{said}");
    assert!(unbroken(&run.stdout).contains(&format!("attached to {account}")), "{}", run.stdout);
    let denied = unseal().unwrap_err();
    assert!(denied.contains("AccessDenied") && denied.contains("service control policy"), "{denied}");
    // The campaign goes on as before, and the guardrail is compared from now on.
    world.sandbox.set_bucket_encryption(&bucket.name, crate::world::sse_s3()).unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    assert!(world.is_sealed(&world.bucket(&bucket.name)));
    let (code, same) = world.json(&["bootstrap", "diff"]);
    assert_eq!((code, &same["guardrails"]), (0, &json!([])), "{same:#}");
    world.edit(|text| text.replace("[bootstrap]\n", "[bootstrap]\npipelines = [\"arn:aws:iam::*:role/cdk-*\"]\n"));
    let (code, found) = world.json(&["bootstrap", "diff"]);
    assert_eq!((code, &found["guardrails"][0]["name"]), (2, &json!("orgseal-scp-keep-seal")), "{found:#}");
    assert!(found["guardrails"][0]["says"].to_string().contains("cdk-*"), "{found:#}");
}

#[test]
fn a_policy_that_bears_the_right_name_is_not_taken_for_the_right_one() {
    let world = deployed(FRESH);
    let account = member(&world);
    // A managed policy called as the inline one, attached beside it.
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let arn = world.attach_policy(&account, "orgseal-member", "orgseal-rollout", everything);
    let (code, found) = world.json(&["bootstrap", "diff"]);
    let [finding] = findings(&found).try_into().unwrap();
    assert_eq!((code, finding[2].as_str()), (2, "orgseal-member"), "{found:#}");
    assert!(finding[5].contains(&format!("policy {arn} is attached, and was not created by orgseal")), "{finding:?}");
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn a_key_that_somebody_else_made_is_not_taken_for_ours() {
    let world = World::of(FRESH);
    let key = world.create_key("us-east-1");
    world.kms_alias("us-east-1", &key, "alias/orgseal-central");
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    let said = unbroken(&run.stderr);
    assert!(
        said.contains("was not created by a deployment of orgseal") && said.contains("bootstrap.key_alias"),
        "{said}"
    );
    let text = std::fs::read_to_string(world.campaign_file()).unwrap();
    assert!(text.contains("us-east-1:") && text.contains("key/NEW"), "{text}");
    // Nor is a key made of which the file could not be told, or that nobody asked this account for.
    let world = World::of(FRESH);
    let security = world.sandbox.security_account();
    let over = format!(
        "[[central_key_overrides]]\naccounts = [\"payments-test\"]\nkeys = {{ us-east-1 = \"arn:aws:kms:us-east-1:{security}:key/NEW\" }}\n"
    );
    world.edit(|text| format!("{text}\n{over}"));
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert!(run.code == 1 && run.stderr.contains("[[central_key_overrides]]"), "{}", run.stderr);
    let world = World::of(FRESH);
    world.edit(|text| {
        text.replace(&format!("{}:key/NEW", world.sandbox.security_account()), &format!("{}:key/NEW", member(&world)))
    });
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert!(run.code == 1 && unbroken(&run.stderr).contains("deploy creates keys in the"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_done_whole_is_not_begun() {
    let world = deployed(FRESH);
    // A role's path cannot be changed.
    let key = world.key("us-east-1");
    let before = world.json(&["bootstrap", "diff"]).1;
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--set", "member_role.path=/sec/"]);
    assert!(run.code == 1 && unbroken(&run.stderr).contains("differs from the campaign file, and a"), "{}", run.stderr);
    // With the member role alone nothing can be taken away, and so nothing is.
    let run = world.run(&["bootstrap", "destroy", "--yes"]);
    assert!(run.code == 3 && unbroken(&run.stderr).contains("nothing was deleted"), "{}", run.stderr);
    assert_eq!(world.json(&["bootstrap", "diff"]).1["counts"], before["counts"]);
    assert_eq!(world.key("us-east-1"), key);
    // What would be taken away is shown without a terminal.
    let run = as_management(&world, &["bootstrap", "destroy", "--dry-run"]);
    assert!(run.code == 2 && unbroken(&run.stderr).contains("role orgseal-member: all 12 accounts"), "{}", run.stderr);
    // A target that is not there.
    let typo = ["bootstrap", "deploy", "--yes", "--guardrail", "scp-keep-seal", "--attach", "ou-typo-12345678"];
    let run = as_management(&world, &typo);
    assert!(
        run.code == 1 && run.stderr.contains("root, OU or account ou-typo-12345678 does not exist"),
        "{}",
        run.stderr
    );
}

/// AWS Config in a Region, with these credentials.
fn config(world: &World, region: &str, credentials: (String, String, Option<String>)) -> aws_sdk_config::Client {
    let (access_key, secret, token) = credentials;
    let config = aws_sdk_config::Config::builder()
        .behavior_version(aws_sdk_config::config::BehaviorVersion::latest())
        .region(aws_sdk_config::config::Region::new(region.to_owned()))
        .endpoint_url(world.sandbox.endpoint())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(aws_sdk_config::config::Credentials::new(access_key, secret, token, None, "test"))
        .build();
    aws_sdk_config::Client::from_conf(config)
}

/// The only rule of a member account and Region: its name, and the keys that it accepts.
fn rule(world: &World, account: &str, region: &str) -> (String, Vec<String>) {
    let member = config(world, region, world.assume(account, "OrganizationAccountAccessRole"));
    let rules = block_on(member.describe_config_rules().send()).unwrap();
    let [rule] = rules.config_rules() else { panic!("{rules:?}") };
    let parameters: Value = serde_json::from_str(rule.input_parameters().unwrap()).unwrap();
    let keys = parameters["kmsKeyArns"].as_str().unwrap().split(',').map(str::to_owned).collect();
    (rule.config_rule_name().unwrap().to_owned(), keys)
}

/// Default Regions, and Regions that an account opts into.
const REGIONS: [&str; 30] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "af-south-1",
    "ap-east-1",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
];

#[test]
fn seventeen_and_thirty_regions_have_a_rule_each_with_that_regions_key() {
    for amount in [17, 30] {
        let regions = REGIONS[..amount].join("\", \"");
        let world = deployed(&format!(
            "groundwork = false\naccounts = 3\nsuspended = 0\nbuckets_per_account = 0\nregions = [\"{regions}\"]\n"
        ));
        for region in &REGIONS[..amount] {
            assert_eq!(rule(&world, &member(&world), region).1, [world.key(region)], "{region}");
        }
        let (code, after) = world.json(&["bootstrap", "diff"]);
        assert_eq!((code, findings(&after)), (0, Vec::new()), "{after:#}");
        let run = world.run(&["bootstrap", "render", "groundwork"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(world.run(&["preflight"]).code, 0);
    }
}

/// Until one rule named the keys of all Regions: a bucket on another Region's key was compliant.
#[test]
fn a_rule_that_names_the_keys_of_all_regions_is_found_and_changed() {
    let world = World::of(&two_members(r#"{ name = "far", encryption = "wrong_region_key" }"#, ""));
    let management = world.sandbox.management_account().to_owned();
    world.edit(|text| {
        format!("{text}\n[bootstrap]\nmanagement_account = \"{management}\"\ncaller = \"user/orgseal\"\n")
    });
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--adopt"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let (region, account) = ("us-east-1", "555555555551");
    let found = |name: &str| {
        let member = config(&world, region, world.assume(account, "OrganizationAccountAccessRole"));
        let details = block_on(member.get_compliance_details_by_config_rule().config_rule_name(name).send()).unwrap();
        let results = details.evaluation_results();
        assert_eq!(results.len(), 1, "{results:?}");
        results[0].compliance_type().unwrap().as_str().to_owned()
    };
    assert_eq!(found(&rule(&world, account, region).0), "NON_COMPLIANT", "it is on another Region's key");
    // The scheme of earlier versions.
    let keys = ["us-east-1", "eu-west-1", "ap-southeast-2"].map(|region| world.key(region)).join(",");
    let body = std::fs::read_to_string({
        assert_eq!(world.run(&["bootstrap", "render", "groundwork"]).code, 0);
        world.path("groundwork/aws-config/conformance-pack-us-east-1.yaml")
    });
    let body = body.unwrap().replace(&world.key(region), &keys);
    let (access_key, secret) = world.sandbox.credentials();
    let owner = config(&world, region, (access_key.to_owned(), secret.to_owned(), None));
    let put =
        owner.put_organization_conformance_pack().organization_conformance_pack_name("orgseal").template_body(body);
    block_on(put.send()).unwrap();
    assert_eq!(found(&rule(&world, account, region).0), "COMPLIANT");
    let (code, differs) = world.json(&["bootstrap", "diff"]);
    assert_eq!(code, 2, "{differs:#}");
    let differing = findings(&differs);
    assert!(differing.iter().all(|finding| finding[1] == "rule" && finding[3] == region), "{differing:#?}");
    assert!(differing[0][5].contains(&format!("takes {} for right", world.key("eu-west-1"))), "{differing:#?}");
    let run = as_management(&world, &["bootstrap", "deploy", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(rule(&world, account, region).1, [world.key(region)]);
    assert_eq!(found(&rule(&world, account, region).0), "NON_COMPLIANT");
    assert_eq!(world.json(&["bootstrap", "diff"]).0, 0);
}

/// IAM is eventually consistent: what was just created is missing from its reads, and cannot be assumed, for some seconds.
#[test]
fn a_deployment_waits_until_iam_shows_its_roles() {
    let spec = "groundwork = false\naccounts = 3\nsuspended = 0\nbuckets_per_account = 1\nregions = [\"us-east-1\"]\n\
                iam_consistency_seconds = 300\n";
    let world = World::at_speed(spec, 20.0);
    let run = as_management(&world, &["bootstrap", "deploy", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("waiting until IAM returns what was created in"), "{}", run.stderr);
    // The member roles can be assumed at once, and nothing is found missing.
    let (code, after) = world.json(&["bootstrap", "diff"]);
    assert_eq!((code, findings(&after)), (0, Vec::new()), "{after:#}");
    assert_eq!(world.run(&["preflight"]).code, 0);
}

/// A deployment that was killed created roles that IAM does not show yet: the next one waits for them, and not past a Ctrl-C.
#[test]
fn an_interrupt_ends_the_wait_for_a_role_that_iam_does_not_show() {
    let spec = "groundwork = false\naccounts = 2\nsuspended = 0\nbuckets_per_account = 1\nregions = [\"us-east-1\"]\n\
                iam_consistency_seconds = 3600\n";
    let world = World::at_speed(spec, 1.0);
    let (access_key, secret_key) = world.sandbox.management_credentials();
    let deploy = || {
        let mut command =
            world.command(&["bootstrap", "deploy", "--yes", "--through", "OrganizationAccountAccessRole"]);
        command.env("AWS_ACCESS_KEY_ID", &access_key).env("AWS_SECRET_ACCESS_KEY", &secret_key);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let created = || world.sandbox.counters().totals("iam", "CreateRole");
    let mut first = deploy();
    wait_until("a role is created", || created() > 0);
    first.kill().unwrap();
    first.wait().unwrap();
    let before = created();
    let second = deploy();
    wait_until("a role is found to exist", || created() > before);
    std::thread::sleep(Duration::from_secs(1));
    let sent = std::process::Command::new("kill").args(["-INT", &second.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let at = Instant::now();
    let output = second.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(at.elapsed() < Duration::from_secs(20), "{:?}", at.elapsed());
}

/// StackSets and AWS Config refuse whoever is not registered, and the way out is named.
#[test]
fn an_organization_in_which_nothing_is_registered_is_refused_with_the_way_out() {
    let world = World::of(include_str!("../../config/sandbox/empty.toml"));
    let run = world.run(&["bootstrap", "diff"]);
    assert!(run.code == 1 && run.stderr.contains("delegated administrator"), "{}", run.stderr);
    let guardrail = ["--guardrail", "scp-other-key", "--attach", world.sandbox.security_account()];
    let run = as_management(&world, &[&["bootstrap", "deploy", "--yes"][..], &guardrail].concat());
    assert_eq!(run.code, 2, "{}\n{}", run.stdout, run.stderr);
    let said = unbroken(&run.stderr);
    assert!(said.contains("trusted access for config-multiaccountsetup.amazonaws.com"), "{said}");
    assert!(said.contains("delegated administrator for config.amazonaws.com"), "{said}");
    assert!(unbroken(&run.stdout).contains("enable the policy type on the root"), "{}", run.stdout);
}
