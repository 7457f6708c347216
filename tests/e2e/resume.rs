//! A campaign goes on where it ended, whatever ended it, and says in words what it needs to do so.

use std::process::Stdio;
use std::time::{Duration, Instant};

use orgseal_sandbox::{Fault, FaultKind, KeyState};

use crate::world::{World, finding, sse_s3, two_members};

const TWO: &str = "accounts = 3\nbuckets_per_account = 12\nsuspended = 0\nwithout_member_role = 0\n";

fn kind(kind: FaultKind, change: impl FnOnce(&mut Fault)) -> Fault {
    let mut fault = Fault::new(kind);
    change(&mut fault);
    fault
}

/// Every execution fails for a cause that does not pass by itself.
fn denied() -> Vec<Fault> {
    vec![kind(FaultKind::AutomationFail, |fault| fault.message = Some("AccessDenied: not authorized".into()))]
}

/// Two members with a bucket each to be sealed.
fn two() -> World {
    World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    ))
}

/// Begins a campaign that is killed when everything is read and nothing started. Returns its id.
fn killed_before_the_first_start(world: &World) -> String {
    let mut command = world.command(&["rollout", "--yes"]);
    command.env("ORGSEAL_FAIL_POINT", "before_intent").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), None, "it was killed");
    assert_eq!(world.sandbox.executions().len(), 0);
    world.json(&["status"]).1["campaign"].as_str().unwrap().to_owned()
}

fn reason(document: &serde_json::Value, bucket: &str) -> String {
    let finding = finding(document, bucket);
    format!("{} {}", finding["verdict"].as_str().unwrap(), finding["reason"].as_str().unwrap())
}

#[test]
fn an_interrupted_campaign_goes_on_and_starts_nothing_twice() {
    let world = World::at_speed(&format!("{TWO}[executions]\nmin_seconds = 20\nmax_seconds = 20"), 20.0);
    let child = world.command(&["rollout", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.sandbox.executions().len() < 5 {
        assert!(Instant::now() < until, "nothing was started");
        std::thread::sleep(Duration::from_millis(5));
    }
    // While it runs, the ledger is there to be read, and to be written by nobody else.
    let (code, running) = world.json(&["status"]);
    assert_eq!((code, running["state"].as_str()), (0, Some("running")), "{running:#}");
    assert_eq!(running["stage"], "changing");
    assert!(running["in_flight"].as_u64().unwrap() > 0, "{running:#}");
    assert!(world.run(&["resume", "--yes"]).stderr.contains("another orgseal process is using"));
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let (_, stopped) = world.json(&["status"]);
    assert_eq!(stopped["state"], "interrupted");
    assert!(world.run(&["status"]).stdout.contains("orgseal resume --campaign rollout-"));
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(document["campaign"], stopped["campaign"], "it is the same campaign");
    let executions = world.sandbox.executions();
    assert_eq!(document["summary"]["started"], executions.len());
    let mut names: Vec<&String> = executions.iter().map(|execution| &execution.parameters["BucketName"][0]).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), executions.len(), "no bucket was started twice");
    let (_, done) = world.json(&["status"]);
    let commands: Vec<&str> =
        done["sessions"].as_array().unwrap().iter().map(|session| session["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["rollout", "resume"], "who worked on it, and how");
}

#[test]
fn a_campaign_that_was_killed_while_it_read_reads_the_rest() {
    let world =
        World::at_speed("accounts = 30\nbuckets_per_account = 10\nsuspended = 0\nwithout_member_role = 0\n", 2.0);
    let mut child = world.command(&["rollout", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.sandbox.counters().totals("s3", "ListBuckets") < 8 {
        assert!(Instant::now() < until, "nothing was read");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (_, status) = world.json(&["status"]);
    assert_eq!((status["state"].as_str(), status["stage"].as_str()), (Some("killed"), Some("reading")));
    let (code, document) = world.json(&["resume", "--yes", "--set", "executions.read_back_for=5"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(document["summary"]["accounts"], 30);
    assert_eq!(document["summary"]["sealed"], world.sandbox.buckets().len());
}

#[test]
fn what_cannot_go_on_is_refused_in_words() {
    let world = two();
    let none = world.run(&["resume", "--yes"]);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("holds no campaign yet"), "{}", none.stderr);
    let (_, audit) = world.json(&["audit"]);
    let run = world.run(&["resume", "--yes", "--campaign", audit["run"]["id"].as_str().unwrap()]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("is an audit"), "{}", run.stderr);
    // A dry run is a look, and no campaign.
    let (_, dry) = world.json(&["rollout", "--yes", "--dry-run"]);
    assert!(world.run(&["resume", "--yes"]).stderr.contains("holds no campaign yet"));
    let run = world.run(&["resume", "--yes", "--campaign", dry["campaign"].as_str().unwrap()]);
    assert!(run.code == 1 && run.stderr.contains("is a dry run"), "{}", run.stderr);
    let id = killed_before_the_first_start(&world);
    for narrowed in [["--account", "123456789012"], ["--bucket", "nope"], ["--region", "mars-north-1"]] {
        let run = world.run(&[&["resume", "--yes"][..], &narrowed].concat());
        assert_eq!(run.code, 1, "{narrowed:?}: {}", run.stderr);
    }
    // Limits may change while a campaign pauses; what a bucket ends up as may not.
    let replaced = ["--set", "encryption.replace=[\"none\"]"];
    let run = world.run(&[&["resume", "--yes", "--campaign", &id][..], &replaced].concat());
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("[encryption]"), "{}", run.stderr);
    let (code, _) = world.json(&["resume", "--yes", "--campaign", &id, "--set", "limits.accounts=1"]);
    assert_eq!(code, 0);
    assert!(world.run(&["resume", "--yes", "--campaign", "rollout-1"]).stderr.contains("there is no run rollout-1"));
}

#[test]
fn a_failure_that_may_pass_is_tried_again_within_bounds() {
    let passing = |count| {
        kind(FaultKind::AutomationFail, |fault| {
            fault.message = Some("Rate exceeded (Service: S3)".into());
            fault.first = Some(count);
        })
    };
    let world = two();
    world.sandbox.set_faults(vec![passing(2)]).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["summary"]["started"], 6, "each bucket was started three times");
    let world = two();
    world.sandbox.set_faults(vec![passing(9)]).unwrap();
    let (code, document) = world.json(&["rollout", "--yes", "--set", "executions.attempts=2"]);
    assert_eq!(code, 3);
    assert_eq!(reason(&document, "logs"), "failed execution_failed");
    assert_eq!(document["summary"]["started"], 4);
    assert!(finding(&document, "logs")["error"]["message"].as_str().unwrap().contains("Rate exceeded"));
}

#[test]
fn what_failed_is_tried_again_when_somebody_asks_for_it() {
    let world = two();
    world.sandbox.set_faults(denied()).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3);
    assert_eq!(document["summary"]["failed"], 2);
    world.sandbox.set_faults(Vec::new()).unwrap();
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!((code, document["summary"]["failed"].as_u64()), (3, Some(2)), "not by itself");
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed", "--account", "555555555551"]);
    assert_eq!(code, 3);
    assert_eq!(reason(&document, "logs"), "sealed as_wanted");
    assert_eq!(reason(&document, "reports"), "failed execution_failed");
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed"]);
    assert_eq!(code, 0, "{document:#}");
    // Each attempt is an act of its own.
    let export = world.run(&["ledger", "export"]).stdout;
    let tokens: std::collections::BTreeSet<&str> =
        export.split("\"client_token\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(tokens.len(), 4);
}

#[test]
fn a_key_that_turns_bad_in_mid_campaign_stops_its_region() {
    let world = World::of(TWO);
    let slowly = ["--set", "limits.executions_per_account_region=1", "--set", "executions.key_checked_every=1"];
    // Each start takes its time, so that the key is looked at again.
    world
        .sandbox
        .set_faults(vec![
            kind(FaultKind::KeyDisabled, |fault| {
                fault.filter.region = Some("us-east-1".into());
                fault.nth = Some(2);
            }),
            kind(FaultKind::Slow, |fault| {
                fault.filter.operation = Some("StartAutomationExecution".into());
                fault.ms = Some(700);
            }),
        ])
        .unwrap();
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &slowly].concat());
    assert_eq!(code, 2, "{:#}", document["summary"]);
    let held: Vec<_> =
        document["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "held").collect();
    assert!(!held.is_empty());
    assert!(held.iter().all(|finding| finding["reason"] == "key_not_usable" && finding["region"] == "us-east-1"));
    assert!(held[0]["error"]["hint"].as_str().unwrap().contains("resume --retry-failed"), "{}", held[0]);
    world.sandbox.set_faults(Vec::new()).unwrap();
    world.sandbox.set_key_state(&world.key("us-east-1"), KeyState::Enabled).unwrap();
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
}

#[test]
fn the_callers_own_credentials_run_out_and_the_campaign_pauses() {
    let world = World::of("accounts = 12\nbuckets_per_account = 6\nsuspended = 0\nwithout_member_role = 0\n");
    let expired = kind(FaultKind::ExpiredToken, |fault| {
        fault.filter.operation = Some("AssumeRole".into());
        fault.nth = Some(6);
        fault.count = Some(1000);
    });
    // GetCallerIdentity confirms it; the first one is that of the connection.
    let confirmed = kind(FaultKind::ExpiredToken, |fault| {
        fault.filter.operation = Some("GetCallerIdentity".into());
        fault.nth = Some(2);
        fault.count = Some(1000);
    });
    world.sandbox.set_faults(vec![expired, confirmed]).unwrap();
    let run = world.run(&["rollout", "--yes", "--set", "limits.accounts=2"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stdout.contains("your own credentials are not valid any more"), "{}", run.stdout);
    assert!(run.stdout.contains("orgseal resume --campaign rollout-"), "{}", run.stdout);
    let (_, status) = world.json(&["status"]);
    assert_eq!(status["state"], "paused: credentials expired");
    world.sandbox.set_faults(Vec::new()).unwrap();
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(document["summary"]["accounts"], 12);
}

#[test]
fn more_failures_than_tolerated_stop_the_campaign() {
    for (mode, accounts) in [("soft", 20), ("strict", 20)] {
        let world = World::of("accounts = 6\nbuckets_per_account = 40\nsuspended = 0\nwithout_member_role = 0\n");
        world.sandbox.set_faults(denied()).unwrap();
        let mode_set = format!("failure_tolerance.mode={mode}");
        let accounts_set = format!("limits.accounts={accounts}");
        let flags = ["--set", "failure_tolerance.buckets=3", "--set", &mode_set, "--set", &accounts_set];
        let (code, document) = world.json(&[&["rollout", "--yes"][..], &flags].concat());
        assert_eq!(code, 3, "{mode}");
        assert_eq!(document["run"]["state"], "stopped: failure tolerance passed", "{mode}");
        let failed = document["summary"]["failed"].as_u64().unwrap();
        assert!(failed > 3, "{mode}: {failed}");
        if mode == "strict" {
            assert_eq!(failed, 4, "one beyond the tolerance, and none of those that could have come on top");
        }
        assert!(document["summary"]["not_sealed"].as_u64().unwrap() > 0, "{mode}: nothing new was started");
        // It does not go on by itself, and a crash in between would change nothing of that.
        let starts = world.sandbox.executions().len();
        let (code, _) = world.json(&[&["resume", "--yes"][..], &flags].concat());
        assert_eq!((code, world.sandbox.executions().len()), (3, starts), "{mode}");
        world.sandbox.set_faults(Vec::new()).unwrap();
        let (code, document) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &flags].concat());
        assert_eq!(code, 0, "{mode}: {:#}", document["summary"]);
    }
}

#[test]
fn failed_accounts_stop_a_campaign_too() {
    let world = World::of("accounts = 8\nbuckets_per_account = 12\nsuspended = 0\nwithout_member_role = 0\n");
    world.sandbox.set_faults(denied()).unwrap();
    let flags = ["--set", "failure_tolerance.accounts=20%", "--set", "failure_tolerance.mode=strict"];
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &flags].concat());
    assert_eq!(code, 3);
    assert_eq!(document["run"]["state"], "stopped: failure tolerance passed");
    let failed: std::collections::BTreeSet<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["verdict"] == "failed")
        .map(|finding| finding["account"].as_str().unwrap())
        .collect();
    assert_eq!(failed.len(), 2, "20 % of 8 is 1, and one more stops it: {failed:?}");
}

#[test]
fn a_bucket_that_changed_while_the_campaign_paused_is_judged_anew() {
    let world = two();
    let id = killed_before_the_first_start(&world);
    world.sandbox.delete_bucket("reports").unwrap();
    let own = orgseal_sandbox::BucketEncryption {
        algorithm: "aws:kms".into(),
        key: Some("arn:aws:kms:us-east-1:555555555551:key/1111-team".into()),
        bucket_key: true,
        blocked: Vec::new(),
    };
    world.sandbox.set_bucket_encryption("logs", Some(own.clone())).unwrap();
    let (code, document) = world.json(&["resume", "--yes", "--campaign", &id]);
    assert_eq!(code, 3);
    assert_eq!(reason(&document, "logs"), "held customer_key_kept");
    assert_eq!(reason(&document, "reports"), "unread gone");
    assert_eq!(world.bucket("logs").encryption, Some(own));
    assert_eq!(world.sandbox.executions().len(), 0);
    assert_ne!(sse_s3(), world.bucket("logs").encryption);
}

#[test]
fn a_part_of_a_campaign_is_not_the_whole_of_it() {
    let world = two();
    killed_before_the_first_start(&world);
    let (code, document) = world.json(&["resume", "--yes", "--account", "555555555551"]);
    assert_eq!(code, 3, "{document:#}");
    assert_eq!(reason(&document, "logs"), "sealed as_wanted");
    assert_eq!(document["run"]["state"], "paused: narrowed");
    assert!(world.run(&["status"]).stdout.contains("orgseal resume --campaign rollout-"));
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!((code, document["run"]["state"].as_str()), (0, Some("finished")), "{document:#}");
}
