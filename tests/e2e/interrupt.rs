//! Ctrl-C, SIGTERM and SIGHUP: no new starts, what is in flight is noted, exit code 130.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::world::{World, wait_until};

#[test]
fn an_interrupt_stops_starting_and_notes_what_is_in_flight() {
    let world = World::at_speed(
        "accounts = 3\nbuckets_per_account = 24\nsuspended = 0\nwithout_member_role = 0\n[executions]\nmin_seconds = 80\nmax_seconds = 80",
        10.0,
    );
    let child =
        world.command(&["rollout", "--yes", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.sandbox.executions().len() < 5 {
        assert!(Instant::now() < until, "nothing was started");
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let started = world.sandbox.executions().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.sandbox.executions().len(), started, "no start after the end");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let noted =
        document["findings"].as_array().unwrap().iter().filter(|finding| !finding["execution"].is_null()).count();
    assert_eq!(noted, started, "every execution is in the ledger");
    assert!(document["summary"]["not_sealed"].as_u64().unwrap() > 0);

    // The next run counts what is still under way against the limits, and starts nothing twice.
    let run = world.run(&["rollout", "--yes", "--json"]);
    assert!(run.stderr.contains("is not finished; this starts a new campaign"), "{}", run.stderr);
    let next: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    for finding in next["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] != "sealed") {
        assert_eq!(finding["reason"], "under_way", "{finding}");
    }
    assert!(world.sandbox.peak_in_flight_by_account().values().all(|&peak| peak <= 10));
    no_bucket_was_started_twice(&world);
}

#[test]
fn a_bucket_whose_execution_is_still_under_way_is_left_alone() {
    let world = World::at_speed(
        "accounts = 3\nbuckets_per_account = 8\nsuspended = 0\nwithout_member_role = 0\n[executions]\nmin_seconds = 150\nmax_seconds = 150",
        10.0,
    );
    let mut child = world.command(&["rollout", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.sandbox.executions().len() < 5 {
        assert!(Instant::now() < until, "nothing was started");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The answers come, and the ledger gets them.
    std::thread::sleep(Duration::from_millis(500));
    // Not even a clean stop: the ledger alone knows.
    child.kill().unwrap();
    child.wait().unwrap();
    let roomy = ["--set", "limits.executions_per_account=40", "--set", "limits.executions_per_account_region=40"];
    let (code, next) = world.json(&[&["rollout", "--yes"][..], &roomy].concat());
    assert_eq!(code, 3, "{:#}", next["summary"]);
    let left: Vec<_> =
        next["findings"].as_array().unwrap().iter().filter(|finding| finding["reason"] == "under_way").collect();
    assert!(!left.is_empty(), "{:#}", next["summary"]);
    let why = |finding: &&serde_json::Value| finding["error"]["message"].as_str().unwrap().contains("InProgress");
    assert!(left.iter().any(why), "{}", left[0]);
    let until = Instant::now() + Duration::from_secs(60);
    while world.sandbox.executions().iter().any(|execution| execution.ended_ms.is_none()) {
        assert!(Instant::now() < until, "an execution never ends");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (code, last) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", last["summary"]);
    no_bucket_was_started_twice(&world);
}

fn no_bucket_was_started_twice(world: &World) {
    let executions = world.sandbox.executions();
    let mut buckets: Vec<&String> = executions.iter().map(|execution| &execution.parameters["BucketName"][0]).collect();
    buckets.sort();
    buckets.dedup();
    assert_eq!(buckets.len(), executions.len());
}

#[test]
fn an_interrupt_while_reading_leaves_no_account_out() {
    let world = World::at_speed("accounts = 60\nbuckets_per_account = 50", 1.0);
    let child = world.command(&["audit", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.sandbox.counters().totals("s3", "ListBuckets") < 5 {
        assert!(Instant::now() < until, "nothing was read");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["accounts"], 60);
    assert!(document["summary"]["accounts_unread"].as_u64().unwrap() > 10, "{:#}", document["summary"]);
}

const SLOW: &str = "accounts = 3\nbuckets_per_account = 24\nsuspended = 0\nwithout_member_role = 0\n[executions]\nmin_seconds = 80\nmax_seconds = 80";

/// The command with SIGHUP handled as the option of `env` says, whatever the test's own process inherited.
fn with_hangup(option: &str, command: &Command) -> Command {
    let mut outer = Command::new("env");
    outer.arg(option).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn sigterm_and_sighup_stop_as_cleanly_as_ctrl_c_and_a_second_one_exits_immediately() {
    for signal in ["-TERM", "-HUP"] {
        let world = World::at_speed(SLOW, 10.0);
        let command = world.command(&["rollout", "--yes", "--json"]);
        let mut command = with_hangup("--default-signal=HUP", &command);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("something was started", || world.sandbox.executions().len() >= 5);
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}: {}", String::from_utf8_lossy(&output.stderr));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["run"]["state"], "interrupted", "{signal}");
    }
    // Nobody reads the document, and the pipe is full: the first signal alone ends nothing.
    let world = World::of("accounts = 3\nbuckets_per_account = 400\nsuspended = 0\nwithout_member_role = 0");
    let mut command = with_hangup("--default-signal=HUP", &world.command(&["audit", "--json"]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let buckets = world.sandbox.buckets().len() as u64;
    wait_until("all is read", || world.sandbox.counters().totals("s3", "GetBucketEncryption") >= buckets);
    std::thread::sleep(Duration::from_secs(1));
    send("-HUP", &child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it waits for a reader");
    let began = Instant::now();
    send("-TERM", &child);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the second signal did not end it");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code, Some(130));
    let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("press Ctrl-C again to exit immediately") && said.contains("exited immediately"), "{said}");
}

#[test]
fn under_nohup_the_run_outlives_its_terminal() {
    let world = World::at_speed("accounts = 4\nbuckets_per_account = 6\nsuspended = 0\nwithout_member_role = 0", 1.0);
    let mut command = with_hangup("--ignore-signal=HUP", &world.command(&["audit", "--json"]));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the accounts are read", || world.sandbox.counters().totals("sts", "AssumeRole") > 0);
    send("-HUP", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_stop_before_the_run_begins_ends_it_at_once() {
    for operation in ["GetCallerIdentity", "DescribeOrganization"] {
        let fault = format!("[[fault]]\nkind = \"hang\"\nwhere = {{ operation = \"{operation}\" }}");
        let world = World::of(&format!("accounts = 3\nbuckets_per_account = 1\n{fault}"));
        for command in [&["audit"][..], &["plan"], &["rollout", "--yes"], &["resume", "--yes"], &["rollback", "--yes"]]
        {
            let child = world.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(700));
            let began = Instant::now();
            send("-TERM", &child);
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(130), "{operation}: {command:?}: {said}");
            assert!(began.elapsed() < Duration::from_secs(2), "{operation}: {command:?}");
            assert_eq!(said.trim_end().lines().count(), 1, "{operation}: {command:?}: {said}");
            assert!(said.contains("stopped before the run began"), "{operation}: {command:?}: {said}");
        }
    }
}
