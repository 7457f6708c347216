//! Can a rollout work? Everything that it rests on is looked at beforehand, and nothing is changed.

use serde_json::{Value, json};

use crate::terminal::Terminal;
use crate::world::{World, two_members, unbroken};

const SHIPPED: &str = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const DOCUMENT: &str = "EnableS3BucketEncryptionWithKMS";
const MEMBER: &str = "555555555551";

fn world() -> World {
    World::of(&two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, ""))
}

fn of_spec(change: &str) -> World {
    World::of(&two_members("", "").replace("id = \"555555555551\"", &format!("id = \"555555555551\"\n{change}")))
}

/// The checks of the member account that are not `ok`: Region (empty for the account's own), check, standing, and the check.
fn not_ok(document: &Value) -> Vec<(String, String, String, Value)> {
    let account = document["accounts"].as_array().unwrap().iter().find(|account| account["id"] == MEMBER).unwrap();
    let own = account["checks"].as_array().unwrap().iter().map(|check| (String::new(), check));
    let places = account["regions"].as_array().unwrap().iter().flat_map(|place| {
        let region = place["region"].as_str().unwrap().to_owned();
        place["checks"].as_array().unwrap().iter().map(move |check| (region.clone(), check))
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    own.chain(places)
        .filter(|(_, check)| check["standing"] != "ok")
        .map(|(region, check)| (region, text(&check["kind"]), text(&check["standing"]), check.clone()))
        .collect()
}

/// The one check of the member account that is not `ok`.
fn only(document: &Value) -> (String, String, String, Value) {
    let mut found = not_ok(document);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn is(region: &str, kind: &str, standing: &str, found: &(String, String, String, Value), says: &str) {
    assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), (region, kind, standing), "{}", found.3);
    assert!(found.3["message"].as_str().unwrap().contains(says), "{says}: {}", found.3);
    assert!(!found.3["fix"].as_str().unwrap().is_empty(), "{}", found.3);
}

#[test]
fn where_all_is_well_it_says_so_and_changes_nothing() {
    let world = world();
    let before = world.sandbox.buckets();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["schema"], "orgseal.preflight/1");
    assert_eq!((&document["ready"], &document["summary"]["places"]), (&json!(true), &json!(12)));
    assert_eq!(document["summary"]["failed"], 0);
    assert_eq!(document["organization"], world.sandbox.organization_id());
    let place = &document["accounts"][0]["regions"][0];
    let kinds: Vec<_> =
        place["checks"].as_array().unwrap().iter().map(|check| check["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["document", "restore_document", "key", "quota", "config"]);
    assert_eq!(place["checks"][0]["facts"]["sha256"].as_str().unwrap().len(), 64);
    assert!(place["checks"][2]["message"].as_str().unwrap().contains("the member role"), "{place}");
    // Nothing was started, put or written down.
    assert_eq!(world.sandbox.buckets(), before);
    assert!(world.sandbox.executions().is_empty());
    assert!(!world.state().exists(), "the ledger is none of its business");
    let counters = world.sandbox.counters();
    assert_eq!((counters.totals("s3", "ListBuckets"), counters.totals("kms", "GenerateDataKey")), (0, 12));
}

#[test]
fn a_shared_document_is_looked_at_by_its_arn() {
    let world = World::of(&(two_members("", "") + "\n[document]\ndeploy = \"shared\"\n"));
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0, "{document:#}");
    // Another account's document is not there for anybody.
    let set = format!("document.owner={}", world.sandbox.management_account());
    let (code, document) = world.json(&["preflight", "--set", &set]);
    assert_eq!(code, 2);
    let found = not_ok(&document);
    is(
        "us-east-1",
        "document",
        "failed",
        found.iter().find(|found| found.0 == "us-east-1").unwrap(),
        "is not shared with account",
    );
    assert!(found[0].3["fix"].as_str().unwrap().contains("modify-document-permission"), "{}", found[0].3);
}

#[test]
fn it_needs_no_lock() {
    let world = World::at_speed("accounts = 20\nbuckets_per_account = 20\nsuspended = 0\nwithout_member_role = 0", 0.3);
    let mut audit = world
        .command(&["audit"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !world.state().join("lock").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let account = world.sandbox.security_account().to_owned();
    let run = world.run(&["preflight", "--account", &account]);
    audit.kill().unwrap();
    audit.wait().unwrap();
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn an_account_without_the_member_role_is_not_seen_and_no_other_suffers() {
    let world = of_spec("member_role = false");
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 3);
    is("", "role", "failed", &only(&document), "AssumeRole");
    assert_eq!((&document["summary"]["accounts"], &document["summary"]["entered"]), (&json!(4), &json!(3)));
    assert_eq!(document["summary"]["places"], 9);
}

#[test]
fn an_account_that_nobody_can_enter_is_unknown_unless_its_state_is_accepted() {
    let world = of_spec("state = \"SUSPENDED\"");
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 3);
    is("", "account", "unknown", &only(&document), "SUSPENDED");
    let (code, document) = world.json(&["preflight", "--set", "organization.accept_states=[\"SUSPENDED\"]"]);
    assert_eq!((code, &document["summary"]["skipped"]), (0, &json!(1)));
}

#[test]
fn a_missing_automation_role_is_named() {
    let world = of_spec("automation_role = false");
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    is("", "automation_role", "failed", &only(&document), "missing in account 555555555551");
}

#[test]
fn an_automation_role_that_trusts_somebody_else_or_cannot_be_seen_is_named() {
    let world = world();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    world.sandbox.set_role_trust(MEMBER, "orgseal-automation", trust).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = not_ok(&document);
    assert_eq!(found.len(), 2, "{found:#?}");
    is("", "automation_role", "failed", &found[0], "ssm.amazonaws.com");
    is("", "trust", "failed", &found[1], "allows the service ec2.amazonaws.com");

    let world = self::world();
    let policy = include_str!("../../config/policies/member-rollout.json").replace("iam:GetRole", "iam:GetUser");
    let policy = policy.replace("111122223333", world.sandbox.security_account());
    world.sandbox.set_role_policy(MEMBER, "orgseal-member", &policy).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 3);
    let found = not_ok(&document);
    assert_eq!(found.len(), 2, "{found:#?}");
    is("", "automation_role", "unknown", &found[0], "could not read");
    assert_eq!(found[0].3["denied_by"], "identity_policy");
    // A rollout works without a look at the member role itself.
    is("", "trust", "warning", &found[1], "could not read");
}

/// A trust that asks for an external ID, whichever.
fn any_external_id(trust: &str) -> String {
    let (before, rest) = trust.split_once("\"sts:ExternalId\": \"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{}\"sts:ExternalId\": \"*\"{after}", before.replace("StringEquals", "StringLike"))
}

#[test]
fn a_role_that_lets_in_somebody_else_is_refused() {
    let shipped = |name: &str, world: &World| {
        let text = match name {
            "orgseal-member" => include_str!("../../config/policies/member-trust.json"),
            _ => include_str!("../../config/policies/automation-trust.json"),
        };
        let text =
            text.replace("role/orgseal", "user/orgseal").replace("111122223333", world.sandbox.security_account());
        text.replace("EXTERNAL-ID", world.sandbox.external_id()).replace("MEMBER-ACCOUNT", MEMBER)
    };
    let caller = |world: &World| format!("arn:aws:iam::{}:user/orgseal", world.sandbox.security_account());
    type Change = fn(String, &str) -> String;
    let cases: [(&str, Change, &str, &str); 5] = [
        ("orgseal-member", |trust, caller| trust.replace(caller, "*"), "failed", "allows everyone"),
        ("orgseal-member", |trust, _| any_external_id(&trust), "failed", "external ID"),
        (
            "orgseal-member",
            |trust, caller| trust.replace(&format!("\"{caller}\""), &format!("[\"{caller}\", \"555555555552\"]")),
            "failed",
            "allows 555555555552",
        ),
        (
            "orgseal-automation",
            |trust, _| trust.replace("\"ssm.amazonaws.com\"", "[\"ssm.amazonaws.com\", \"lambda.amazonaws.com\"]"),
            "failed",
            "allows the service lambda.amazonaws.com",
        ),
        (
            "orgseal-automation",
            |trust, _| {
                trust
                    .replace("aws:SourceAccount", "aws:PrincipalTag/x")
                    .replace("\"aws:SourceArn\"", "\"aws:PrincipalTag/y\"")
            },
            "warning",
            "does not restrict Systems Manager to this account",
        ),
    ];
    for (role, change, standing, says) in cases {
        let world = world();
        let trust = shipped(role, &world);
        let changed = change(trust.clone(), &caller(&world));
        assert_ne!(trust, changed, "{says}");
        world.sandbox.set_role_trust(MEMBER, role, &changed).unwrap();
        let (code, document) = world.json(&["preflight"]);
        let found = not_ok(&document).into_iter().filter(|found| found.1 == "trust").collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{document:#}");
        is("", "trust", standing, &found[0], says);
        assert_eq!(code == 2, standing == "failed" || not_ok(&document).len() > 1, "{code} {says}");
        assert!(!document.to_string().contains(world.sandbox.external_id()));
    }
}

#[test]
fn a_document_that_is_missing_nearly_everywhere_is_said_once_with_a_count() {
    let world = World::of(
        "accounts = 30\nbuckets_per_account = 0\nsuspended = 0\nwithout_member_role = 0\n[document]\ndeploy = \"shared\"\n",
    );
    world.edit(|text| text.lines().filter(|line| !line.starts_with("owner")).collect::<Vec<_>>().join("\n"));
    let run = world.run(&["preflight"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    let said = unbroken(&run.stdout);
    assert_eq!(said.matches("✗ document —").count(), 1, "{}", run.stdout);
    assert!(said.contains("in 29 accounts and 3 Regions, 87 places in all"), "{}", run.stdout);
    assert!(said.contains("StackSet") && said.contains("and 9 more"), "{}", run.stdout);
}

#[test]
fn a_document_that_was_tampered_with_is_named() {
    let world = world();
    let idle = SHIPPED.replace("Api: PutBucketEncryption", "Api: GetBucketEncryption");
    world.sandbox.put_document_content(MEMBER, "eu-west-1", DOCUMENT, &idle).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    is("eu-west-1", "document", "failed", &only(&document), "never calls PutBucketEncryption");
    // It puts what is wanted, and then asks for something else.
    let world = self::world();
    let failing = SHIPPED.replace("        - '{{ KMSMasterKeyID }}'", "        - '{{ BucketName }}'");
    assert_ne!(failing, SHIPPED);
    world.sandbox.put_document_content(MEMBER, "eu-west-1", DOCUMENT, &failing).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    is("eu-west-1", "document", "failed", &only(&document), "every execution would fail");

    // One that does the same and is not the same is worth knowing.
    let world = self::world();
    let other = SHIPPED.replacen("  Sets the default", "  Changes the default", 1);
    world.sandbox.put_document_content(MEMBER, "eu-west-1", DOCUMENT, &other).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    is("eu-west-1", "document", "failed", &only(&document), "differs from that in 11 other places");
}

/// A comment does not show in what GetDocument returns, and CloudFormation may have turned Booleans and numbers into text.
#[test]
fn a_document_that_is_written_another_way_is_the_same_document() {
    let world = world();
    world.sandbox.put_document_content(MEMBER, "eu-west-1", DOCUMENT, &format!("{SHIPPED}# mine\n")).unwrap();
    let wild = SHIPPED.replace("isEnd: true", "isEnd: 'true'").replace("maxAttempts: 5", "maxAttempts: '5'");
    assert_ne!(wild, SHIPPED);
    world.sandbox.put_document_content(MEMBER, "us-east-1", DOCUMENT, &wild).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert!(code == 0 && not_ok(&document).is_empty(), "{document:#}");
}

#[test]
fn a_document_in_the_wild_is_started() {
    let world = world();
    let wild = SHIPPED.replace("isEnd: true", "isEnd: 'true'").replace("maxAttempts: 5", "maxAttempts: '5'");
    for region in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        world.sandbox.put_document_content(MEMBER, region, DOCUMENT, &wild).unwrap();
    }
    let run = world.run(&["rollout", "--yes", "--account", MEMBER]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn a_key_that_is_disabled_is_named_for_the_organization_and_each_account() {
    let world = world();
    world.sandbox.set_key_state(&world.key("us-east-1"), orgseal_sandbox::KeyState::Disabled).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    is("us-east-1", "key", "failed", &only(&document), "Disabled");
    let central = document["keys"].as_array().unwrap().iter().find(|place| place["region"] == "us-east-1").unwrap();
    assert_eq!(central["checks"][0]["facts"]["state"], "Disabled");
    assert_eq!(
        (&central["checks"][0]["kind"], &central["checks"][0]["standing"]),
        (&json!("central_key"), &json!("failed"))
    );
}

#[test]
fn a_key_policy_that_does_not_admit_the_organization_is_a_denial_and_one_for_s3_alone_is_not() {
    let spec = two_members("", "") + "\n[central_key]\nadmits_organization = false\n";
    let (code, document) = World::of(&spec).json(&["preflight"]);
    assert_eq!(code, 2);
    let found = not_ok(&document);
    assert_eq!(found.len(), 3, "{found:#?}");
    is("eu-west-1", "key", "failed", found.iter().find(|found| found.0 == "eu-west-1").unwrap(), "the key's policy");

    let world = world();
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{}:root", world.sandbox.security_account()) }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "kms:*", "Resource": "*", "Condition": {
            "StringEquals": { "aws:PrincipalOrgID": world.sandbox.organization_id() },
            "StringLike": { "kms:ViaService": "s3.*.amazonaws.com" } } } ] });
    world.sandbox.set_key_policy(&world.key("us-east-1"), &policy.to_string()).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    is("us-east-1", "key", "failed", &only(&document), "kms:ViaService");
    let (code, document) = world.json(&["preflight", "--set", "keys.accept_unproven=true"]);
    assert_eq!(code, 0);
    is("us-east-1", "key", "warning", &only(&document), "kms:ViaService");
}

#[test]
fn a_service_control_policy_that_denies_is_named() {
    let world = world();
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ssm:*","Resource":"*"}}"#;
    world.sandbox.set_scp("no-automation", &[MEMBER], deny).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = not_ok(&document);
    assert_eq!(found.iter().map(|(_, kind, ..)| kind.as_str()).filter(|kind| *kind == "document").count(), 3);
    for (_, kind, standing, check) in &found {
        assert_eq!(check["denied_by"], "service_control_policy", "{check}");
        assert!(check["fix"].as_str().unwrap().contains("management account"), "{check}");
        assert_eq!(standing, if kind == "restore_document" { "warning" } else { "failed" }, "{check}");
    }
    assert_eq!(document["denials"], json!([{ "by": "service_control_policy", "accounts": [MEMBER] }]));
    let run = world.run(&["preflight"]);
    let said = unbroken(&run.stdout);
    assert!(said.contains("Denied by: a service control policy in 1 account"), "{}", run.stdout);
    assert!(said.contains("explicit deny in a service control policy"), "{}", run.stdout);
}

#[test]
fn an_account_in_which_config_remediates_by_itself_is_named() {
    let world = world();
    world
        .sandbox
        .put_automatic_remediation(MEMBER, "us-east-1", "sealed-buckets", "S3_DEFAULT_ENCRYPTION_KMS", DOCUMENT)
        .unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0, "a rollout works all the same");
    is("us-east-1", "config", "warning", &only(&document), "sealed-buckets");
}

#[test]
fn a_full_quota_is_worth_knowing() {
    let world = world();
    let set = ["--set", "limits.executions_per_account=200", "--set", "limits.executions_per_account_region=101"];
    let (code, document) = world.json(&[&["preflight"][..], &set].concat());
    assert_eq!(code, 0);
    let found = not_ok(&document);
    assert_eq!(found.len(), 3);
    is("us-east-1", "quota", "warning", found.iter().find(|found| found.0 == "us-east-1").unwrap(), "101 more");
}

#[test]
fn an_organization_that_is_too_large_to_share_a_document_with_is_refused() {
    let world = World::of(
        "accounts = 1003\nbuckets_per_account = 0\nsuspended = 0\nwithout_member_role = 0\n[document]\ndeploy = \"shared\"\n",
    );
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let check = document["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "sharing").unwrap();
    assert_eq!(check["standing"], "failed", "{check}");
    assert!(check["fix"].as_str().unwrap().contains("StackSet"), "{check}");
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 1);
    let said = unbroken(&run.stderr);
    assert!(said.contains("1002 accounts") && said.contains("StackSet"), "{}", run.stderr);
    assert_eq!(world.sandbox.counters().totals("sts", "AssumeRole"), 0);
}

#[test]
fn another_organization_and_a_bucket_are_refused() {
    let world = world();
    let (code, document) = world.json(&["preflight", "--set", "organization.id=o-somebodyelse"]);
    let check = document["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "organization").unwrap();
    assert_eq!((code, &check["standing"]), (2, &json!("failed")));
    assert_eq!(world.run(&["preflight", "--bucket", "logs"]).code, 1);
    assert_eq!(world.run(&["preflight", "--region", "mars-north-1"]).code, 1);
}

#[test]
fn it_fits_a_terminal_of_80_columns() {
    let world = of_spec("member_role = false\nautomation_role = false");
    let idle = SHIPPED.replace("Api: PutBucketEncryption", "Api: GetBucketEncryption");
    world.sandbox.put_document_content("555555555552", "eu-west-1", DOCUMENT, &idle).unwrap();
    let terminal = Terminal::open(world.command(&["preflight"]), 80);
    let (code, screen) = terminal.close();
    assert_eq!(code, 3, "{screen}");
    let (_, report) = screen.split_once("Preflight of").unwrap();
    for line in report.lines().filter(|line| !line.contains("orgseal preflight")) {
        let mut plain = String::new();
        let mut letters = line.trim_end().chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\u{1b}' => drop(letters.by_ref().find(char::is_ascii_alphabetic)),
                letter => plain.push(letter),
            }
        }
        assert!(plain.chars().count() <= 80, "{plain}");
    }
    assert!(report.contains("us-east-1") && report.contains('✗'), "{screen}");
}

/// The same campaign file with these waves.
fn waves(world: &World, waves: &str) {
    world.edit(|text| format!("{text}\n{waves}"));
}

fn of_kind<'a>(document: &'a Value, kind: &str) -> Vec<&'a Value> {
    document["checks"].as_array().unwrap().iter().filter(|check| check["kind"] == kind).collect()
}

#[test]
fn a_slip_of_the_pen_in_a_wave_is_named_and_so_are_accounts_in_none() {
    let world = world();
    waves(
        &world,
        "[[waves]]\nname = \"canary\"\naccounts = [\"payments\", \"nosuch-*\"]\n\
         [[waves]]\nname = \"some\"\nous = [\"ou-none-12345678\"]\n",
    );
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = of_kind(&document, "waves");
    let standings: Vec<_> = found.iter().map(|check| check["standing"].as_str().unwrap()).collect();
    assert_eq!(standings, ["failed", "failed", "warning"], "{found:#?}");
    assert_eq!(found[0]["facts"], json!({ "wave": "1", "pattern": "nosuch-*" }));
    assert!(found[0]["message"].as_str().unwrap().contains("wave 1 (canary) has \"nosuch-*\""), "{}", found[0]);
    assert_eq!(found[1]["facts"]["pattern"], "ou-none-12345678");
    assert!(found[2]["message"].as_str().unwrap().contains("3 of 4 accounts are in no wave"), "{}", found[2]);
    // All else was looked at all the same.
    assert_eq!(document["summary"]["places"], 12);
    // What the command line leaves out is not what the file gets wrong.
    let world = self::world();
    waves(
        &world,
        "[[waves]]\nname = \"canary\"\naccounts = [\"payments\"]\n[[waves]]\nname = \"all\"\naccounts_percent = 100\n",
    );
    let (code, document) = world.json(&["preflight", "--account", "555555555552"]);
    assert_eq!((code, &of_kind(&document, "waves")[0]["standing"]), (0, &json!("ok")), "{document:#}");
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let world = world();
    waves(
        &world,
        "[[waves]]\nname = \"all\"\naccounts_percent = 100\nbake = \"1h\"\ndenials = false\ncommand = [\"./no-such-check\", \"--now\"]\n",
    );
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = of_kind(&document, "wave_command");
    assert_eq!((found.len(), &found[0]["standing"]), (1, &json!("failed")), "{found:#?}");
    assert!(found[0]["message"].as_str().unwrap().contains("./no-such-check"), "{}", found[0]);
    world.edit(|text| text.replace("./no-such-check", "sh"));
    let (code, document) = world.json(&["preflight"]);
    assert_eq!((code, &of_kind(&document, "wave_command")[0]["standing"]), (0, &json!("ok")));
}

#[test]
fn cloudtrail_is_asked_where_a_wave_bakes_and_looks() {
    let denied = |world: &World| {
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}}"#;
        world.sandbox.set_scp("no-trail", &[MEMBER], deny).unwrap();
    };
    let wave = |more: &str| format!("[[waves]]\nname = \"canary\"\naccounts_percent = 100\n{more}");
    for quiet in ["", "bake = \"1h\"\ndenials = false"] {
        let world = world();
        denied(&world);
        waves(&world, &wave(quiet));
        assert_eq!(world.run(&["preflight"]).code, 0, "{quiet}");
        assert_eq!(world.sandbox.counters().totals("cloudtrail", "LookupEvents"), 0);
    }
    let world = world();
    waves(&world, &wave("bake = \"1h\""));
    assert_eq!(world.run(&["preflight"]).code, 0);
    assert_eq!(world.sandbox.counters().totals("cloudtrail", "LookupEvents"), 12);
    denied(&world);
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = not_ok(&document);
    assert_eq!(found.iter().filter(|(_, kind, ..)| kind == "cloudtrail").count(), 3, "{found:#?}");
    let one = found.iter().find(|found| found.0 == "eu-west-1").unwrap();
    is("eu-west-1", "cloudtrail", "failed", one, "cloudtrail:LookupEvents");
    assert!(one.3["fix"].as_str().unwrap().contains("denials = false in wave canary"), "{}", one.3);
}

const NO_STARTS: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"NoStarts","Effect":"Deny","Action":["ssm:StartAutomationExecution","s3:PutEncryptionConfiguration"],"Resource":"*"}}"#;

/// What of the checks is about control policies, of all accounts: account, standing, message.
fn controls(document: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let accounts = document["accounts"].as_array().unwrap().iter();
    let checks =
        accounts.flat_map(|account| account["checks"].as_array().unwrap().iter().map(move |check| (account, check)));
    checks
        .filter(|(_, check)| check["kind"] == "control_policies")
        .map(|(account, check)| (text(&account["id"]), text(&check["standing"]), text(&check["message"])))
        .collect()
}

#[test]
fn a_service_control_policy_at_the_root_stands_in_the_way_everywhere_but_in_the_management_account() {
    let world = world();
    world.sandbox.set_scp("no-starts", &["root"], NO_STARTS).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = controls(&document);
    let of_management = found.iter().filter(|(account, ..)| account == world.sandbox.management_account());
    assert_eq!(of_management.map(|found| found.1.as_str()).collect::<Vec<_>>(), ["ok"]);
    let failed: Vec<_> = found.iter().filter(|found| found.1 == "failed").collect();
    assert_eq!((found.len(), failed.len()), (4, 3), "{found:#?}");
    let says = &failed[0].2;
    for part in [
        "service control policy no-starts (p-",
        "attached to root r-",
        "statement NoStarts denies ssm:StartAutomationExecution to the member role, and s3:PutEncryptionConfiguration to the automation role",
    ] {
        assert!(says.contains(part), "{says}");
    }
    assert!(!says.contains("us-east-1"), "it is so in every Region: {says}");
    let run = world.run(&["preflight"]);
    let said = unbroken(&run.stdout);
    assert_eq!(said.matches("✗ control policies —").count(), 1, "{}", run.stdout);
    assert!(said.contains("Denied by: a service control policy in 3 accounts"), "{}", run.stdout);
}

#[test]
fn a_service_control_policy_at_an_ou_stands_in_the_way_below_it_and_in_its_regions() {
    let world = world();
    let accounts = world.sandbox.accounts();
    let path = &accounts.iter().find(|account| account.id == MEMBER).unwrap().path;
    let ou = path.split('/').find(|part| part.starts_with("ou-")).unwrap();
    let below: Vec<&str> =
        accounts.iter().filter(|account| account.path.contains(ou)).map(|account| account.id.as_str()).collect();
    let elsewhere = NO_STARTS.replace(
        "\"Resource\":\"*\"",
        r#""Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1"]}}"#,
    );
    world.sandbox.set_scp("one-region", &[ou], &elsewhere).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let failed = only(&document);
    is("", "control_policies", "failed", &failed, &format!("attached to OU {ou}"));
    let hindered: Vec<_> =
        controls(&document).into_iter().filter(|found| found.1 == "failed").map(|found| found.0).collect();
    assert_eq!(hindered, below);
    let says = failed.3["message"].as_str().unwrap();
    assert!(says.contains("to the automation role in ") && says.contains("eu-west-1"), "{says}");
    assert!(!says.contains("us-east-1"), "{says}");
    assert_eq!(failed.3["facts"]["policy_name"], "one-region");
    assert_eq!(document["denials"], json!([{ "by": "service_control_policy", "accounts": below }]));
}

#[test]
fn a_control_policy_that_may_deny_is_worth_knowing_and_one_that_exempts_the_roles_is_not() {
    let world = world();
    let but = |condition: &str| {
        NO_STARTS.replace("\"Resource\":\"*\"", &format!(r#""Resource":"*","Condition":{condition}"#))
    };
    world
        .sandbox
        .set_scp("perhaps", &["root"], &but(r#"{"StringNotEquals":{"aws:PrincipalTag/team":"security"}}"#))
        .unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0);
    let found = only(&document);
    is("", "control_policies", "warning", &found, "may deny");
    assert!(found.3["message"].as_str().unwrap().contains("aws:principaltag/team"), "{}", found.3);
    assert_eq!(found.3["denied_by"], Value::Null);
    let exempt = but(r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/orgseal-*"}}"#);
    world.sandbox.set_scp("perhaps", &["root"], &exempt).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!((code, not_ok(&document).len()), (0, 0), "{document:#}");
}

#[test]
fn an_allow_list_that_leaves_something_out_denies_it() {
    let list = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","ssm:Get*","ssm:Describe*","ssm:AddTagsToResource","iam:*","kms:*","sts:*","config:*"],"Resource":"*"}}"#;
    let scp = format!(
        "\n[[scp]]\nname = \"list\"\ntargets = [\"{MEMBER}\"]\nkeeps_full_access = false\ndocument = '{list}'\n"
    );
    let (code, document) = World::of(&(two_members("", "") + &scp)).json(&["preflight"]);
    assert_eq!(code, 2);
    is(
        "",
        "control_policies",
        "failed",
        &only(&document),
        "no service control policy attached to account 555555555551 allows ssm:StartAutomationExecution to the member role",
    );
}

#[test]
fn a_resource_control_policy_binds_the_account_that_the_resource_is_in() {
    let world = world();
    let deny = |action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"*"}}}}"#
        )
    };
    // The member uses a key that is elsewhere; its bucket is its own.
    world.sandbox.set_rcp("no-keys", &[MEMBER], &deny("kms:GenerateDataKey")).unwrap();
    assert_eq!(world.run(&["preflight"]).code, 0);
    world.sandbox.set_rcp("no-keys", &[MEMBER], &deny("s3:PutEncryptionConfiguration")).unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let found = only(&document);
    is("", "control_policies", "failed", &found, "resource control policy no-keys");
    assert_eq!(found.3["denied_by"], "resource_control_policy");
    world.sandbox.set_rcp("no-keys", &[world.sandbox.security_account()], &deny("kms:GenerateDataKey")).unwrap();
    let (_, document) = world.json(&["preflight"]);
    let failed = controls(&document).into_iter().filter(|found| found.1 == "failed").count();
    assert_eq!(failed, 3, "{document:#}");
}

#[test]
fn without_the_right_to_read_control_policies_it_says_so_once() {
    let world = world();
    // Without one there is nothing to read.
    world
        .sandbox
        .set_scp(
            "harmless",
            &["root"],
            &NO_STARTS
                .replace("ssm:StartAutomationExecution", "sqs:*")
                .replace("s3:PutEncryptionConfiguration", "sns:*"),
        )
        .unwrap();
    let policy =
        include_str!("../../config/policies/caller.json").replace("111122223333", world.sandbox.security_account());
    world
        .sandbox
        .set_caller_policy(&policy.replace("organizations:ListPoliciesForTarget", "organizations:ListPolicies"))
        .unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0, "{document:#}");
    let found = of_kind(&document, "control_policies");
    assert_eq!((found.len(), &found[0]["standing"]), (1, &json!("warning")));
    assert!(found[0]["fix"].as_str().unwrap().contains("organizations:ListPoliciesForTarget"), "{}", found[0]);
    assert!(controls(&document).is_empty());
    world
        .sandbox
        .set_caller_policy(&policy.replace("organizations:DescribePolicy", "organizations:ListPolicies"))
        .unwrap();
    let (code, document) = world.json(&["preflight"]);
    assert_eq!((code, of_kind(&document, "control_policies").len()), (0, 1), "{document:#}");
}
