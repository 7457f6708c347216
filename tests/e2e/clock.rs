//! This machine's clock is wrong: AWS's clock counts, and nothing else changes.

use serde_json::Value;

use crate::world::{World, finding, unbroken};

const SPEC: &str = r#"
accounts = 4
buckets_per_account = 2
suspended = 0
without_member_role = 0
regions = ["us-east-1"]
[encryption]
none = 0
sse_s3 = 1
aws_managed = 0
aws_managed_alias = 0
sealed = 0
bucket_key_off = 0
dsse_sealed = 0
wrong_region_key = 0
[[account]]
name = "shop"
id = "555555555551"
buckets = [{ name = "orders-555555555551", encryption = "sse_s3" }]
"#;
/// Writes into `orders-555555555551`, and has no right on any key.
const APPLICATION: &str = r#"
[[application]]
name = "orders"
accounts = ["shop"]
buckets = ["orders-555555555551"]
writes_every_ms = 50
policy = '''{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::orders-555555555551/*" } ] }'''
"#;
const WAVES: &str = "[[waves]]\nname = \"all\"\naccounts_percent = 100\nbake = \"10m\"\ncheck_every = 1\n";

/// Two hours, and twenty minutes to either side.
const SKEWS: [i64; 3] = [1_200, -1_200, 7_200];

fn skewed(world: &World, seconds: i64, arguments: &[&str]) -> crate::world::Run {
    let mut command = world.command(arguments);
    command.env("ORGSEAL_CLOCK_SKEW_SECONDS", seconds.to_string());
    command.output().unwrap().into()
}

fn skewed_json(world: &World, seconds: i64, arguments: &[&str]) -> (i32, Value) {
    let run = skewed(world, seconds, &[arguments, &["--json"]].concat());
    (
        run.code,
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr)),
    )
}

/// Answers with one of these codes.
fn refused(world: &World, codes: &[&str]) -> u64 {
    let refused = world.sandbox.answers().into_iter();
    refused.filter(|answer| codes.contains(&answer.code.as_str())).map(|answer| answer.count).sum()
}

#[test]
fn a_bake_sees_the_same_denials_whatever_the_local_clock_says() {
    for seconds in SKEWS {
        let world = World::of(&format!("{SPEC}{APPLICATION}"));
        world.edit(|text| format!("{text}\n{WAVES}"));
        let run = skewed(&world, seconds, &["rollout", "--yes", "--set", "guards.principals-without-key=off"]);
        assert_eq!(run.code, 3, "{seconds}: {}", run.stderr);
        let (_, document) = world.json(&["status"]);
        assert_eq!(document["state"], "stopped: wave", "{seconds}: {document:#}");
        let evidence = document["waves"][0]["evidence"].to_string();
        assert!(evidence.contains("role/orders") && evidence.contains("GenerateDataKey"), "{seconds}: {evidence}");
        // It is reported once, on the terminal and in the record.
        let (text, says) =
            (unbroken(&run.stderr), if seconds > 0 { "ahead of AWS's clock" } else { "behind AWS's clock" });
        assert_eq!(text.matches(says).count(), 1, "{seconds}: {text}");
        let off = document["sessions"][0]["clock_off_seconds"].as_i64().unwrap();
        assert!((off - seconds).abs() <= 2, "{seconds}: {off}");
        // The first request alone was signed by the local clock.
        let skewed = refused(&world, &["SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"]);
        assert!(skewed <= 2, "{seconds}: {skewed} requests were signed for another time");
    }
}

#[test]
fn a_right_clock_is_not_mentioned() {
    let world = World::of(SPEC);
    let run = skewed(&world, 30, &["rollout", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("clock"), "{}", run.stderr);
    let (_, document) = world.json(&["status"]);
    assert!(document["sessions"][0].get("clock_off_seconds").is_none(), "{document:#}");
}

#[test]
fn executions_are_given_their_time_by_aws_clock() {
    for seconds in SKEWS {
        let world = World::at_speed(SPEC, 20.0);
        let (code, document) = skewed_json(&world, seconds, &["rollout", "--yes", "--set", "executions.time_limit=60"]);
        assert_eq!(code, 0, "{seconds}: {:#}", document["summary"]);
        assert_eq!(world.sandbox.executions().len() as u64, document["summary"]["started"].as_u64().unwrap());
        // The record has AWS's times: another machine reads them.
        let (at, now) = (document["finished_at"].as_str().unwrap(), jiff::Timestamp::now());
        let age = now.as_second() - at.parse::<jiff::Timestamp>().unwrap().as_second();
        assert!((-3..120).contains(&age), "{seconds}: the run ended {age} s ago");
    }
}

#[test]
fn a_start_whose_answer_was_lost_is_found_again_with_any_clock() {
    for (first, second) in [(1_200, 1_200), (-1_200, -1_200), (1_200, 0), (0, -1_200), (7_200, 0)] {
        let world = World::at_speed(SPEC, 20.0);
        for (point, command, skew) in [("after_start", "rollout", first), ("after_ended", "resume", second)] {
            let mut child = world.command(&[command, "--yes"]);
            child.env("ORGSEAL_FAIL_POINT", point).env("ORGSEAL_CLOCK_SKEW_SECONDS", skew.to_string());
            assert_eq!(child.output().unwrap().status.code(), None, "{point} was passed");
        }
        let run = skewed(&world, second, &["resume", "--yes"]);
        assert_eq!(run.code, 0, "{first} {second}: {}", run.stderr);
        let mut buckets: Vec<String> =
            world.sandbox.executions().iter().map(|execution| execution.parameters["BucketName"][0].clone()).collect();
        let started = buckets.len();
        buckets.sort();
        buckets.dedup();
        assert_eq!(buckets.len(), started, "{first} {second}: a bucket was started twice");
    }
}

#[test]
fn a_plan_is_as_old_as_it_is() {
    let world = World::of(SPEC);
    world.edit(|text| format!("{text}\n[plan]\nmax_age = \"10m\"\n"));
    for (made, used) in [(1_200, 0), (0, -1_200), (-1_200, 1_200)] {
        let plan = world.path(&format!("plan{made}.json"));
        let plan = plan.to_str().unwrap();
        let run = skewed(&world, made, &["plan", "--output", plan]);
        assert!(run.code == 0 || run.code == 2, "{}", run.stderr);
        let run = skewed(&world, used, &["rollout", "--dry-run", "--plan", plan]);
        assert!(run.code == 0 || run.code == 2, "{made} {used}: {}", run.stderr);
    }
}

#[test]
fn a_preflight_names_a_clock_that_is_off() {
    let world = World::of(SPEC);
    let (_, document) = skewed_json(&world, -1_200, &["preflight"]);
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["kind"] == "clock").unwrap_or_else(|| panic!("{document:#}"));
    assert_eq!(check["standing"], "warning");
    assert!(check["message"].as_str().unwrap().contains("20m behind"), "{check}");
    let (_, document) = skewed_json(&world, 0, &["preflight"]);
    assert!(!document["checks"].to_string().contains("\"clock\""));
}

#[test]
fn an_audit_reads_all_with_a_clock_that_is_off() {
    for seconds in SKEWS {
        let world = World::of(SPEC);
        let (code, document) = skewed_json(&world, seconds, &["audit"]);
        assert_eq!((code, document["summary"]["unread"].as_u64()), (2, Some(0)), "{seconds}: {document:#}");
        assert_eq!(finding(&document, "orders-555555555551")["reason"], "sse_s3");
    }
}

#[test]
fn an_answer_that_is_dated_otherwise_than_all_others_is_told_of_and_does_not_count() {
    let fault = "[[fault]]\nkind = \"wrong_date\"\ndate = \"Fri, 01 Dec 2051 00:00:00 GMT\"\nnth = 1\n\
                 where = { operation = \"ListBuckets\", account = \"555555555551\" }";
    let world = World::of(&format!("{SPEC}{fault}"));
    let run = world.run(&["audit", "--json"]);
    let text = unbroken(&run.stderr);
    assert_eq!(text.matches("one answer was dated 2051-12-01 00:00:00 UTC, 2").count(), 1, "{text}");
    assert!(text.contains("(Date header of s3 in account 555555555551)"), "{text}");
    assert!(text.contains("years after the others") && !text.contains("this machine's clock"), "{text}");
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["run"]["state"], "finished");
    assert!(document["finished_at"].as_str().unwrap() < "2051", "{}", document["finished_at"]);
}

/// Neither the answers of one account, of all its services, nor those of one service in all accounts.
#[test]
fn answers_of_one_account_or_of_one_service_never_date_the_ledger_nor_expire_an_exemption() {
    let exemption = "[[exemption]]\nbuckets = [\"orders-*\"]\nreason = \"waits\"\nowner = \"shop\"\nticket = \"S-1\"\nuntil = 2049-12-31\n";
    for (filter, source) in
        [("account = \"555555555551\"", "in account 555555555551"), ("service = \"s3\"", "Date header of s3")]
    {
        let fault = "[[fault]]\nkind = \"wrong_date\"\ndate = \"Fri, 01 Dec 2051 00:00:00 GMT\"\n";
        let world = World::of(&format!("{SPEC}{fault}where = {{ {filter} }}"));
        std::fs::write(world.path("exemptions.toml"), exemption).unwrap();
        world.edit(|text| format!("exemptions = \"exemptions.toml\"\n{text}"));
        let begun = std::time::Instant::now();
        let run = world.run(&["rollout", "--yes", "--json"]);
        assert_eq!(run.code, 0, "{filter}: {}", run.stderr);
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{filter}: {:?}", begun.elapsed());
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(finding(&document, "orders-555555555551")["verdict"], "exempt", "{filter}");
        assert!(document["finished_at"].as_str().unwrap() < "2049", "{filter}: {}", document["finished_at"]);
        let text = unbroken(&run.stderr);
        assert_eq!(text.matches("answers were dated otherwise than all others").count(), 1, "{filter}: {text}");
        assert!(text.contains(source) && !text.contains("this machine's clock"), "{filter}: {text}");
        // The next run on the same state directory is not refused.
        assert_eq!(world.run(&["rollout", "--yes"]).code, 0, "{filter}");
    }
}
