//! Waves: one begins when the one before is done with, watched to the end of its time, and approved where a person must.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use jiff::Timestamp;
use orgseal_sandbox::{ExecutionState, Fault, FaultKind, KeyState};
use serde_json::{Value, json};

use crate::terminal::Terminal;
use crate::world::{World, finding, sse_s3, unbroken, wait_until};

pub(crate) const CANARY: &str = "555555555551";
/// A canary, and others.
pub(crate) const SPEC: &str = r#"
accounts = 8
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
name = "canary"
id = "555555555551"
buckets = [{ name = "first", encryption = "sse_s3" }, { name = "second", encryption = "sse_s3" }]
"#;
/// Writes into `first`, and has no right on any key.
pub(crate) const APPLICATION: &str = r#"
[[application]]
name = "orders"
accounts = ["canary"]
buckets = ["first"]
writes_every_ms = 50
policy = '''{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::first/*" } ] }'''
"#;

/// A world whose campaign file ends with these waves.
pub(crate) fn world(waves: &str) -> World {
    of(SPEC, 0.0, waves)
}

pub(crate) fn of(spec: &str, speed: f64, waves: &str) -> World {
    let world = World::at_speed(spec, speed);
    world.edit(|text| format!("{text}\n{waves}"));
    world
}

/// The step of `next` in a JSON document whose command starts so.
fn step<'a>(document: &'a Value, command: &str) -> &'a Value {
    let steps = document["next"].as_array().unwrap();
    let starts = |step: &&Value| step["command"].as_str().is_some_and(|found| found.starts_with(command));
    steps.iter().find(starts).unwrap_or_else(|| panic!("no {command} in {steps:#?}"))
}

/// Runs a command in a terminal, checks what it asks, and answers no.
fn decline(world: &World, arguments: &[&str], question: &str) -> String {
    let mut terminal = Terminal::open(world.command(arguments), 100);
    terminal.wait_for(question);
    terminal.send("n\n");
    terminal.close().1
}

#[test]
fn a_declined_resume_leaves_the_campaign_as_it_was_and_the_suggested_one_counts_right() {
    let world = world(&canary_with("").replace("accounts_percent = 100", "accounts_percent = 100\napproval = true"));
    let (_, document) = world.json(&["rollout", "--yes", "--until-wave", "1"]);
    let resume = step(&document, "orgseal resume");
    assert_eq!((&resume["buckets"], document["run"]["state"].as_str()), (&json!(14), Some("paused: until wave")));
    let screen = decline(&world, &["resume"], "Change 14 buckets? [y/N]");
    assert!(screen.contains("version 1, SHA-256"), "the document is named: {screen}");
    assert!(screen.contains("declined: no new change was started") && !screen.contains("What now"), "{screen}");
    assert_eq!(status(&world).0, "paused: until wave");
    // Not to approve a wave is one line as well.
    let mut terminal = Terminal::open(world.command(&["resume"]), 100);
    terminal.wait_for("Change 14 buckets? [y/N]");
    terminal.send("y\n");
    terminal.wait_for("Approve and start wave 2? [y/N]");
    terminal.send("n\n");
    let (code, screen) = terminal.close();
    assert!(screen.contains("wave 2 was not approved: nothing was started"), "{screen}");
    assert!(code == 3 && !screen.contains("What now"), "{code}: {screen}");
    assert_eq!((status(&world).0.as_str(), outside_the_canary(&world).len()), ("paused: approval", 0));
    let (_, document) = world.json(&["status"]);
    assert_eq!(step(&document, "orgseal resume")["buckets"], 14, "{document:#}");
    assert_eq!(world.run(&["resume", "--yes", "--approve-wave", "2"]).code, 0);
    assert_eq!(outside_the_canary(&world).len(), 14);
}

#[test]
fn a_declined_resume_follows_what_is_in_flight() {
    let executions = "[executions]\nmin_seconds = 3.0\nmax_seconds = 3.0\n";
    let world = of(&SPEC.replacen("[encryption]", &format!("{executions}[encryption]"), 1), 1.0, &canary_with(""));
    let mut killed = world.command(&["rollout", "--yes"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("executions were started", || world.sandbox.executions().len() == 2);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let screen = decline(&world, &["resume"], "[y/N]");
    assert!(screen.contains("in flight on 2 buckets") || screen.contains("in flight on 1 bucket"), "{screen}");
    let (_, document) = world.json(&["status"]);
    assert_eq!((&document["in_flight"], status(&world).0.as_str()), (&json!(0), "interrupted"), "{document:#}");
    assert_eq!(world.sandbox.executions().len(), 2);
    assert_eq!(world.run(&["resume", "--yes"]).code, 0);
}

/// A canary with these settings, and then the rest.
pub(crate) fn canary_with(settings: &str) -> String {
    format!(
        "[[waves]]\nname = \"canary\"\naccounts = [\"canary\"]\n{settings}\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\n"
    )
}

/// How a campaign stands: its state, and its waves.
pub(crate) fn status(world: &World) -> (String, Vec<Value>) {
    let (_, document) = world.json(&["status"]);
    let waves = document["waves"].as_array().cloned().unwrap_or_default();
    (document["state"].as_str().unwrap_or_default().to_owned(), waves)
}

/// Begins a rollout, and waits until its first wave is watched.
pub(crate) fn watched(world: &World, more: &[&str]) -> Child {
    let mut command = world.command(&[&["rollout", "--yes"][..], more].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("wave 1 is watched", || {
        let (state, waves) = status(world);
        assert!(state != "finished" && !state.starts_with("stopped"), "{state}: {waves:#?}");
        waves.first().is_some_and(|wave| wave["state"] == "baking")
    });
    child
}

pub(crate) fn outside_the_canary(world: &World) -> Vec<ExecutionState> {
    world.sandbox.executions().into_iter().filter(|execution| execution.account != CANARY).collect()
}

/// The first wave was stopped, in these words and with this evidence, and the other one did not begin.
pub(crate) fn is_stopped(world: &World, says: &str, evidence: &[&str]) {
    let (state, waves) = status(world);
    assert_eq!((state.as_str(), &waves[0]["state"]), ("stopped: wave", &json!("stopped")), "{waves:#?}");
    assert!(waves[0]["says"].as_str().unwrap().contains(says), "{says}: {:#}", waves[0]);
    for part in evidence {
        assert!(waves[0]["evidence"].to_string().contains(part), "{part}: {:#}", waves[0]);
    }
    assert!(outside_the_canary(world).is_empty(), "the next wave began");
    let text = world.run(&["status"]).stdout;
    assert!(text.contains("--wave 1") && text.contains("orgseal rollback"), "what to do now: {text}");
}

/// When a wave came to a state, by the record.
pub(crate) fn moved_at(entries: &[Value], wave: u32, state: &str) -> i64 {
    let entry = entries.iter().find(|entry| {
        entry["event"]["event"] == "wave_moved"
            && entry["event"]["wave"]["number"] == wave
            && entry["event"]["wave"]["state"] == state
    });
    entry.unwrap_or_else(|| panic!("wave {wave} never was {state}"))["at_ms"].as_i64().unwrap()
}

#[test]
fn waves_go_one_after_the_other_each_watched_to_the_end_of_its_time() {
    let bake = "bake = 1\ncheck_every = 1";
    let world = world(&format!(
        "[[waves]]\nname = \"canary\"\naccounts = [\"can*\"]\n{bake}\n[[waves]]\nname = \"half\"\naccounts_percent = 50\n{bake}\n\
         [[waves]]\nname = \"rest\"\naccounts_percent = 100\n"
    ));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let wave_of = |bucket: &str| finding(&document, bucket)["wave"].as_i64().unwrap();
    let entries = world.entries();
    let mut accounts = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    for execution in world.sandbox.executions() {
        let wave = wave_of(&execution.parameters["BucketName"][0]);
        assert_eq!(wave == 1, execution.account == CANARY);
        if wave > 1 {
            let before = moved_at(&entries, wave as u32 - 1, "done");
            assert!(execution.started_ms >= before, "wave {wave} began before the one before was done: {execution:?}");
        }
        accounts[wave as usize - 1].insert(execution.account);
    }
    // Half of eight accounts, those of the canary counted in.
    let counts = accounts.map(|accounts| accounts.len());
    assert!(counts[0] == 1 && (3..=4).contains(&counts[1]) && counts.iter().sum::<usize>() == 8, "{counts:?}");
    for wave in [1, 2] {
        let watched = moved_at(&entries, wave, "done") - moved_at(&entries, wave, "baking");
        assert!(watched >= 999, "wave {wave} was watched for {watched} ms");
    }
    let (state, waves) = status(&world);
    let names: Vec<_> =
        waves.iter().map(|wave| (wave["name"].as_str().unwrap(), wave["state"].as_str().unwrap())).collect();
    assert_eq!(
        (state.as_str(), names.as_slice()),
        ("finished", [("canary", "done"), ("half", "done"), ("rest", "done")].as_slice())
    );
    assert_eq!((&waves[0]["buckets"], &waves[0]["sealed"], &waves[0]["started"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn an_application_that_fails_stops_the_wave_is_named_and_heals_with_its_rollback() {
    let world = of(&format!("{SPEC}{APPLICATION}"), 0.0, &canary_with("bake = \"10m\"\ncheck_every = 1"));
    let failing = || world.sandbox.application("orders").unwrap().buckets.first().is_some_and(|bucket| bucket.failing);
    // Beforehand a guard keeps the bucket from it.
    let (_, look) = world.json(&["rollout", "--yes", "--dry-run"]);
    assert_eq!(finding(&look, "first")["reason"], "guarded");
    assert!(finding(&look, "first")["guards"].to_string().contains("role/orders"), "{look:#}");
    let run = world.run(&["rollout", "--yes", "--set", "guards.principals-without-key=warn"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    is_stopped(&world, "denied uses of the central key", &["role/orders", "first", CANARY, "GenerateDataKey"]);
    assert!(run.stderr.contains("role/orders"), "{}", run.stderr);
    wait_until("the application fails", failing);
    // Nobody goes on past it unasked.
    assert_eq!(world.run(&["resume", "--yes"]).code, 3);
    assert!(outside_the_canary(&world).is_empty());
    // A wave that changed nothing is no reason for a run that fails.
    let runs = world.json(&["runs"]).1["runs"].as_array().unwrap().len();
    let nothing = world.run(&["rollback", "--yes", "--wave", "2"]);
    assert!(nothing.code == 1 && unbroken(&nothing.stderr).contains("changed no bucket"), "{}", nothing.stderr);
    assert_eq!(world.json(&["runs"]).1["runs"].as_array().unwrap().len(), runs);
    let (code, undone) = world.json(&["rollback", "--yes", "--wave", "1"]);
    assert_eq!((code, undone["summary"]["restored"].as_u64()), (0, Some(2)), "{undone:#}");
    wait_until("the application writes again", || !failing());
    assert_eq!(world.bucket("first").encryption, sse_s3());
}

#[test]
fn a_wave_that_needs_approval_waits_for_it() {
    let world = world(&canary_with("").replace("accounts_percent = 100", "accounts_percent = 100\napproval = true"));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3, "--yes is no approval: {document:#}");
    let (state, waves) = status(&world);
    assert_eq!(
        (state.as_str(), &waves[0]["state"], &waves[1]["state"]),
        ("paused: approval", &json!("done"), &json!("waiting"))
    );
    assert_eq!(world.run(&["resume", "--yes", "--approve-wave", "1"]).code, 3, "another wave was approved");
    assert_eq!(world.run(&["resume", "--yes", "--approve-wave", "3"]).code, 1, "there is none");
    assert!(outside_the_canary(&world).is_empty());
    assert_eq!(world.run(&["resume", "--yes", "--approve-wave", "2"]).code, 0);
    assert_eq!(outside_the_canary(&world).len(), 14);
    // Who approved it is in the record.
    let said = |entry: &Value| {
        entry["event"]["wave"]["state"] == "approved"
            && entry["event"]["wave"]["says"].to_string().contains(":user/orgseal")
    };
    assert!(world.entries().iter().any(said));
}

#[test]
fn a_person_at_a_terminal_is_asked_for_each_wave_that_needs_approval() {
    let world = world(&canary_with("").replace("accounts_percent = 100", "accounts_percent = 100\napproval = true"));
    let mut terminal = Terminal::open(world.command(&["rollout"]), 100);
    terminal.wait_for("Change 16 buckets? [y/N]");
    terminal.send("y\n");
    terminal.wait_for("Approve and start wave 2? [y/N]");
    let (screen, begun) = (terminal.screen(), outside_the_canary(&world).len());
    assert!(
        screen.contains("Wave 2 of 2, rest: 14 buckets in 7 accounts") && screen.contains("2 of 2 buckets sealed"),
        "{screen}"
    );
    assert_eq!(begun, 0);
    terminal.send("y\n");
    let (code, screen) = terminal.close();
    assert_eq!((code, outside_the_canary(&world).len()), (0, 14), "{screen}");
}

#[test]
fn an_interrupt_at_a_question_ends_the_run_at_once() {
    let world = world(&canary_with("").replace("accounts_percent = 100", "accounts_percent = 100\napproval = true"));
    let mut terminal = Terminal::open(world.command(&["rollout"]), 100);
    terminal.wait_for("Change 16 buckets? [y/N]");
    terminal.send("\x03");
    let (code, screen) = terminal.close();
    assert_eq!((code, world.sandbox.executions().len()), (130, 0), "{screen}");
    let mut terminal = Terminal::open(world.command(&["rollout"]), 100);
    terminal.wait_for("Change 16 buckets? [y/N]");
    terminal.send("y\n");
    terminal.wait_for("Approve and start wave 2? [y/N]");
    terminal.send("\x03");
    let (code, screen) = terminal.close();
    assert_eq!((code, outside_the_canary(&world).len()), (130, 0), "{screen}");
    assert!(screen.contains("orgseal resume"), "{screen}");
    assert_eq!(world.run(&["resume", "--yes", "--approve-wave", "2"]).code, 0);
}

#[test]
fn a_campaign_goes_as_far_as_it_is_told() {
    let world = world(&canary_with(""));
    assert_eq!(world.run(&["rollout", "--yes", "--until-wave", "1"]).code, 3);
    assert_eq!((status(&world).0.as_str(), outside_the_canary(&world).len()), ("paused: until wave", 0));
    assert_eq!(world.sandbox.executions().len(), 2);
    assert_eq!(world.run(&["resume", "--yes"]).code, 0);
    assert_eq!(outside_the_canary(&world).len(), 14);
    assert_eq!(world.run(&["rollout", "--yes", "--until-wave", "3"]).code, 1);
}

#[test]
fn a_command_of_ones_own_that_says_no_stops_and_one_that_says_yes_lets_it_go_on() {
    let command = "command = ['sh', '-c', 'test \"$ORGSEAL_WAVE\" = 1 && test -n \"$ORGSEAL_CAMPAIGN\" && test -e fine || { echo errors are up; exit 1; }']";
    let world = world(&canary_with(&format!("bake = 2\ncheck_every = 1\n{command}")));
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    is_stopped(&world, "failed (exit status: 1)", &["errors are up"]);
    let run = world.run(&["resume", "--yes"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    is_stopped(&world, "failed (exit status: 1)", &["errors are up"]);
    std::fs::write(world.path("fine"), "").unwrap();
    let run = world.run(&["resume", "--yes"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (0, 14), "{}", run.stderr);
}

#[test]
fn what_happens_while_a_wave_is_watched_stops_it() {
    type Happens = fn(&World);
    let cases: [(Happens, &str, &str); 4] = [
        (|world| world.sandbox.set_bucket_encryption("second", sse_s3()).unwrap(), "not as they were set", "second"),
        (
            |world| world.sandbox.set_key_state(&world.key("us-east-1"), KeyState::Disabled).unwrap(),
            "cannot be used any more",
            "Disabled",
        ),
        (
            |world| {
                let policy = include_str!("../../config/policies/member-rollout.json")
                    .replace("cloudtrail:LookupEvents", "s3:ListBucket");
                let policy = policy.replace("111122223333", world.sandbox.security_account());
                world.sandbox.set_role_policy(CANARY, "orgseal-member", &policy).unwrap();
            },
            "could not determine",
            "cloudtrail:LookupEvents",
        ),
        (
            |world| {
                let deny = r#"{ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Action": "s3:GetEncryptionConfiguration", "Resource": "*" } }"#;
                world.sandbox.set_scp("no-look", &[CANARY], deny).unwrap();
            },
            "not as they were set",
            "cannot be read any more",
        ),
    ];
    for (happens, says, evidence) in cases {
        let world = world(&canary_with("bake = \"10m\"\ncheck_every = 1"));
        let mut child = watched(&world, &["--set", "executions.key_checked_every=1"]);
        happens(&world);
        assert_eq!(child.wait().unwrap().code(), Some(3), "{says}");
        is_stopped(&world, says, &[evidence]);
    }
}

#[test]
fn a_bucket_that_is_deleted_while_its_wave_is_watched_stops_nothing() {
    let world = world(&canary_with("bake = 2\ncheck_every = 1"));
    let mut child = watched(&world, &[]);
    world.sandbox.delete_bucket("second").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(outside_the_canary(&world).len(), 14);
}

#[test]
fn a_campaign_that_was_killed_while_a_wave_was_watched_watches_it_to_its_end() {
    let world = world(&canary_with("bake = 4\ncheck_every = 1"));
    let mut child = watched(&world, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    let (state, waves) = status(&world);
    assert_eq!(state, "killed");
    let until = waves[0]["bake_until"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["resume", "--yes"]).code, 0);
    assert_eq!(status(&world).1[0]["state"], "done");
    let watched: Vec<String> = world
        .entries()
        .iter()
        .filter(|entry| entry["event"]["wave"]["state"] == "baking" && entry["event"]["wave"]["number"] == 1)
        .map(|entry| entry["event"]["wave"]["bake_until"].as_str().unwrap().to_owned())
        .collect();
    assert!(watched.len() >= 2 && watched.iter().all(|end| *end == until), "the end is kept: {watched:?}");
    let until = until.parse::<Timestamp>().unwrap().as_millisecond();
    let first = outside_the_canary(&world).iter().map(|execution| execution.started_ms).min().unwrap();
    assert!(first >= until, "the next wave began {} ms too early", until - first);
}

#[test]
fn a_campaign_that_was_killed_in_the_middle_of_a_wave_keeps_their_order() {
    let world = of(SPEC, 40.0, &canary_with("bake = 1\ncheck_every = 1\nsettle = 1"));
    for (point, command) in [("after_start", "rollout"), ("after_ended", "resume"), ("before_read_back", "resume")] {
        let mut child = world.command(&[command, "--yes"]);
        child.env("ORGSEAL_FAIL_POINT", point).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(child.status().unwrap().code(), None, "{point} was passed");
        assert!(outside_the_canary(&world).is_empty(), "{point}");
    }
    let run = world.run(&["resume", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let done = moved_at(&world.entries(), 1, "done");
    let others = outside_the_canary(&world);
    assert!(others.len() == 14 && others.iter().all(|execution| execution.started_ms >= done), "{done}: {others:#?}");
    assert_eq!(world.sandbox.executions().len(), 16, "no bucket was started twice");
}

#[test]
fn a_failure_that_nobody_tolerates_keeps_the_next_wave_back() {
    let mut fault = Fault::new(FaultKind::AutomationFail);
    fault.message = Some("AccessDenied: not authorized".into());
    fault.filter.bucket = Some("second".into());
    let world = world(&canary_with(""));
    world.sandbox.set_faults(vec![fault.clone()]).unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 3);
    is_stopped(&world, "one of its buckets failed", &[]);
    assert_eq!(world.run(&["resume", "--yes"]).code, 3);
    is_stopped(&world, "failed", &[]);
    world.sandbox.set_faults(Vec::new()).unwrap();
    let run = world.run(&["resume", "--yes", "--retry-failed"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (0, 14), "{}", run.stderr);
    // Where it is tolerated, the next one begins.
    let world = of(SPEC, 0.0, &canary_with("failure_tolerance = { buckets = 1 }"));
    world.sandbox.set_faults(vec![fault]).unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 3);
    assert_eq!((status(&world).0.as_str(), outside_the_canary(&world).len()), ("finished", 14));
}

#[test]
fn a_person_may_go_on_past_failures_and_nobody_else_does() {
    let mut fault = Fault::new(FaultKind::AutomationFail);
    fault.message = Some("AccessDenied: not authorized".into());
    fault.filter.bucket = Some("second".into());
    for bake in ["", "bake = 1\ncheck_every = 1"] {
        let world = world(&canary_with(bake));
        world.sandbox.set_faults(vec![fault.clone()]).unwrap();
        assert_eq!(world.run(&["rollout", "--yes"]).code, 3);
        // Looking again makes a failure no success.
        assert_eq!(world.run(&["resume", "--yes"]).code, 3);
        is_stopped(&world, "one of its buckets failed", &[]);
        let run = world.run(&["resume", "--yes", "--approve-wave", "1"]);
        assert_eq!((run.code, outside_the_canary(&world).len()), (3, 14), "{bake}: {}", run.stderr);
        assert_eq!((status(&world).0.as_str(), &status(&world).1[0]["state"]), ("finished", &json!("done")));
        let said = |entry: &Value| entry["event"]["wave"]["says"].to_string().contains("accepted by arn:");
        assert!(world.entries().iter().any(said), "who accepted it is in the record");
    }
    // So does whoever says how much may fail.
    let world = world(&canary_with(""));
    world.sandbox.set_faults(vec![fault]).unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 3);
    let run = world.run(&["resume", "--yes", "--set", "failure_tolerance.buckets=1"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (3, 14), "{}", run.stderr);
}

#[test]
fn accounts_that_may_fail_are_a_part_of_the_waves_accounts() {
    for (part, starts) in [("50%", 14), ("10%", 0)] {
        let buckets = "buckets = [{ name = \"third\", encryption = \"sse_s3\" }]";
        let spec = format!("{SPEC}[[account]]\nname = \"canary-too\"\nid = \"555555555552\"\n{buckets}\n");
        let waves = canary_with(&format!("bake = 1\ncheck_every = 1\nfailure_tolerance = {{ accounts = \"{part}\" }}"));
        let world =
            of(&spec.replace("accounts = 8", "accounts = 9"), 0.0, &waves.replace("\"canary\"]", "\"canary*\"]"));
        let mut fault = Fault::new(FaultKind::AutomationFail);
        fault.message = Some("AccessDenied: not authorized".into());
        fault.filter.bucket = Some("third".into());
        world.sandbox.set_faults(vec![fault]).unwrap();
        assert_eq!(world.run(&["rollout", "--yes"]).code, 3);
        let others = outside_the_canary(&world).into_iter().filter(|execution| execution.account != "555555555552");
        assert_eq!(others.count(), starts, "{part}: {:#?}", status(&world));
    }
}

#[test]
fn a_wave_keeps_its_own_limits() {
    let buckets: Vec<String> =
        (0..6).map(|n| format!("{{ name = \"canary-{n}\", encryption = \"sse_s3\" }}")).collect();
    let spec = SPEC.replace(
        "{ name = \"first\", encryption = \"sse_s3\" }, { name = \"second\", encryption = \"sse_s3\" }",
        &buckets.join(", "),
    );
    let spec = spec.replace("accounts = 8", "accounts = 4");
    let waves = canary_with("limits = { executions_per_account = 2 }")
        .replace("accounts_percent = 100", "accounts_percent = 100\nlimits = { accounts = 1 }");
    let world = of(&format!("{spec}[executions]\nmin_seconds = 4\nmax_seconds = 5\n"), 20.0, &waves);
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let peaks = world.sandbox.peak_in_flight_by_account();
    assert_eq!(peaks[CANARY], 2, "six buckets, two at once");
    // One account at a time: no two of them overlap.
    let mut others = outside_the_canary(&world);
    others.sort_by_key(|execution| execution.started_ms);
    assert_eq!(others.len(), 6);
    for pair in others.windows(2).filter(|pair| pair[0].account != pair[1].account) {
        assert!(pair[1].started_ms >= pair[0].ended_ms.unwrap(), "{pair:#?}");
    }
    assert!(peaks.iter().any(|(account, peak)| account != CANARY && *peak == 2), "{peaks:?}");
}

#[test]
fn what_no_wave_takes_is_held_and_says_so() {
    let world = world("[[waves]]\nname = \"canary\"\naccounts = [\"canary\"]\n");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(
        (code, document["summary"]["held"].as_u64(), document["summary"]["sealed"].as_u64()),
        (2, Some(14), Some(2))
    );
    for finding in document["findings"].as_array().unwrap().iter().filter(|finding| finding["account"] != CANARY) {
        assert_eq!(
            (&finding["verdict"], &finding["reason"], &finding["observed"]),
            (&json!("held"), &json!("in_no_wave"), &json!("sse_s3"))
        );
        assert!(
            finding["error"]["hint"].as_str().unwrap().contains("accounts_percent = 100") && finding["wave"].is_null(),
            "{finding:#}"
        );
    }
}

#[test]
fn a_new_rollout_does_not_pass_by_a_wave_that_is_open() {
    let world = world(&canary_with("bake = \"10m\"\ncheck_every = 1"));
    let mut child = watched(&world, &[]);
    world.sandbox.set_bucket_encryption("second", sse_s3()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let run = world.run(&["rollout", "--yes", "--account", "!canary"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (1, 0), "{}", run.stderr);
    assert!(run.stderr.contains("wave 1") && run.stderr.contains("--approve-wave 1"), "{}", run.stderr);
    let words: Vec<&str> = run.stderr.split_whitespace().collect();
    assert!(words.join(" ").contains("orgseal rollback --campaign"), "{}", run.stderr);
    // Looking is no rollout.
    assert_eq!(world.run(&["rollout", "--yes", "--dry-run"]).code, 2);
    assert_eq!(world.run(&["rollback", "--yes", "--wave", "1"]).code, 0);
    let mut child = world.command(&["rollout", "--yes"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("wave 1 is watched again", || status(&world).1.first().is_some_and(|wave| wave["state"] == "baking"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 1, "a wave that is watched is open too");
}

#[test]
fn a_narrowed_resume_does_not_begin_what_comes_after_a_wave_that_waits() {
    let waves = canary_with("approval = true");
    let world = world(&waves);
    assert_eq!(world.run(&["rollout", "--yes"]).code, 3);
    let run = world.run(&["resume", "--yes", "--approve-wave", "1", "--account", "!canary"]);
    assert!(world.sandbox.executions().is_empty(), "{}", run.stderr);
    let half = world.run(&["resume", "--yes", "--approve-wave", "1", "--bucket", "first"]);
    assert_eq!((world.sandbox.executions().len(), outside_the_canary(&world).len()), (1, 0), "{}", half.stderr);
    let run = world.run(&["resume", "--yes", "--approve-wave", "1"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (0, 14), "{}", run.stderr);
}

#[test]
fn what_is_approved_beforehand_accepts_no_failure_that_comes_after() {
    let mut fault = Fault::new(FaultKind::AutomationFail);
    fault.message = Some("AccessDenied: not authorized".into());
    fault.filter.bucket = Some("second".into());
    let world = world(&canary_with("approval = true\nbake = 1\ncheck_every = 1"));
    world.sandbox.set_faults(vec![fault.clone()]).unwrap();
    assert_eq!(world.run(&["rollout", "--yes", "--approve-wave", "1"]).code, 3);
    is_stopped(&world, "one of its buckets failed", &[]);
    // What is accepted is what was seen: the next one counts.
    fault.filter.bucket = None;
    world.sandbox.set_faults(vec![fault]).unwrap();
    let run = world.run(&["resume", "--yes", "--approve-wave", "1", "--retry-failed"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn a_canary_that_was_not_tried_lets_nothing_follow() {
    // Nobody may enter it.
    let world = world(&canary_with(""));
    let nobody = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole" } ] }"#;
    world.sandbox.set_role_trust(CANARY, "orgseal-member", nobody).unwrap();
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (3, 0), "{}", run.stderr);
    is_stopped(&world, "1 of its accounts could not be read", &[]);
    let run = world.run(&["resume", "--yes", "--approve-wave", "1"]);
    assert_eq!(outside_the_canary(&world).len(), 14, "a person may go on: {}", run.stderr);
    // Everything in it is held.
    let held = SPEC.replace("encryption = \"sse_s3\" }", "encryption = \"sse_s3\", tags = { keep-out = \"yes\" } }");
    let world = of(&held, 0.0, &canary_with(""));
    world.edit(|text| format!("{text}\n[guards]\nopt_out_tag = \"keep-out\"\n"));
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (3, 0), "{}", run.stderr);
    is_stopped(&world, "2 of its buckets are held", &[]);
}

#[test]
fn an_account_that_is_lost_in_the_middle_of_its_wave_stops_it() {
    let world = of(SPEC, 40.0, &canary_with(""));
    let mut child = world.command(&["rollout", "--yes", "--set", "limits.executions_per_account_region=1"]);
    child.env("ORGSEAL_FAIL_POINT", "after_ended").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None);
    let nobody = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole" } ] }"#;
    world.sandbox.set_role_trust(CANARY, "orgseal-member", nobody).unwrap();
    let run = world.run(&["resume", "--yes"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (3, 0), "{}", run.stderr);
    assert_eq!(status(&world).1[0]["state"], "stopped", "{}", run.stderr);
}

#[test]
fn what_was_seen_and_accepted_stops_no_more_and_what_is_new_does() {
    let world = world(&canary_with("bake = 3\ncheck_every = 1"));
    let mut child = watched(&world, &[]);
    world.sandbox.set_bucket_encryption("second", sse_s3()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    is_stopped(&world, "not as they were set", &["second"]);
    assert_eq!(world.run(&["resume", "--yes"]).code, 3, "it is still so");
    let mut child = world.command(&["resume", "--yes", "--approve-wave", "1"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("wave 1 is watched again", || status(&world).1[0]["state"] == "baking");
    world.sandbox.set_bucket_encryption("first", sse_s3()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    is_stopped(&world, "not as they were set", &["first"]);
    let run = world.run(&["resume", "--yes", "--approve-wave", "1"]);
    assert_eq!(outside_the_canary(&world).len(), 14, "{}", run.stderr);
    // What somebody else changed is not called sealed.
    let document = world.json(&["report"]).1;
    for bucket in ["first", "second"] {
        assert_eq!(finding(&document, bucket)["verdict"], "held", "{:#}", finding(&document, bucket));
    }
}

#[test]
fn a_wave_that_names_nobody_begins_no_campaign() {
    let ou = canary_with("").replace("accounts = [\"canary\"]", "ous = [\"ou-ab12-nosuch00\"]");
    for (waves, says) in
        [(canary_with("").replace("\"canary\"]", "\"canary\", \"cannary\"]"), "cannary"), (ou, "ou-ab12-nosuch00")]
    {
        let world = world(&waves);
        for command in [&["rollout", "--yes"][..], &["plan", "--output", "plan.json"]] {
            let run = world.run(command);
            assert_eq!(run.code, 1, "{command:?}: {}", run.stderr);
            assert!(run.stderr.contains("wave 1 names") && run.stderr.contains(says), "{}", run.stderr);
        }
        assert_eq!(world.run(&["audit"]).code, 2, "an audit knows no waves");
        assert!(world.sandbox.executions().is_empty());
    }
}
