//! The log: each line names its run, calls to AWS name their request ids, and texts of others stay texts.

use std::process::Stdio;

use orgseal_sandbox::{Fault, FaultKind};
use serde_json::Value;

use crate::world::World;

const SPEC: &str = "accounts = 4\nbuckets_per_account = 3\nsuspended = 0\nwithout_member_role = 1\n";

fn log_of(world: &World, arguments: &[&str], rust_log: Option<&str>) -> String {
    let path = world.path("log");
    let _ = std::fs::remove_file(&path);
    let mut command = world.command(&[arguments, &["--log-file", path.to_str().unwrap()]].concat());
    if let Some(value) = rust_log {
        command.env("RUST_LOG", value);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(path).unwrap()
}

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn each_line_names_its_run_and_each_call_its_request_id_latency_and_attempts() {
    let world = World::of(SPEC);
    let mut throttle = Fault::new(FaultKind::Throttle);
    throttle.filter.operation = Some("GetBucketEncryption".into());
    throttle.first = Some(1);
    world.sandbox.set_faults(vec![throttle]).unwrap();
    let lines = lines(&log_of(&world, &["audit", "--log", "json"], None));
    let began = lines.iter().position(|line| line["message"] == "run started").unwrap();
    let run = lines[began]["run"].as_str().unwrap();
    assert!(run.starts_with("audit-"), "{run}");
    assert!(lines[began..].iter().all(|line| line["run"] == run));
    assert!(lines[..began].iter().all(|line| line.as_object().unwrap().contains_key("run")));
    let calls: Vec<&Value> = lines.iter().filter(|line| line["message"] == "AWS call").collect();
    for call in &calls {
        for key in ["service", "operation", "region", "attempts", "latency_ms", "total_ms", "status", "request_id"] {
            assert!(!call[key].is_null(), "no {key}: {call}");
        }
    }
    let of = |operation: &str| calls.iter().filter(|call| call["operation"] == operation).copied().collect::<Vec<_>>();
    assert_eq!(of("GetCallerIdentity")[0]["run"], Value::Null, "before the run has an id");
    let denied = of("AssumeRole").into_iter().find(|call| call["status"] == 403).unwrap();
    assert_eq!(denied["code"], "AccessDenied");
    let reads = of("GetBucketEncryption");
    assert!(reads.iter().all(|call| call["account"].as_str().unwrap().len() == 12 && call["resource"].is_string()));
    assert!(reads.iter().any(|call| call["attempts"] == 2), "one was throttled, and repeated");
    let failed = lines.iter().find(|line| line["message"] == "AWS attempt failed").unwrap();
    assert_eq!((&failed["attempts"], failed["request_id"].is_string()), (&Value::from(1), true), "{failed}");
}

#[test]
fn levels_come_from_the_flag_or_from_rust_log() {
    let world = World::of(SPEC);
    let levels = |log: &str| -> Vec<String> {
        let mut levels: Vec<String> =
            lines(log).iter().map(|line| line["level"].as_str().unwrap().to_owned()).collect();
        levels.sort();
        levels.dedup();
        levels
    };
    assert_eq!(levels(&log_of(&world, &["audit", "--log", "json", "--log-level", "warn"], Some("debug"))), ["WARN"]);
    assert_eq!(levels(&log_of(&world, &["audit", "--log", "json"], Some("info,hyper=trace"))), ["INFO", "WARN"]);
    // A level that does not exist is refused before anything is read.
    let mut command = world.command(&["audit", "--log", "json"]);
    let output = command.env("RUST_LOG", "orgseal=loud,info").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("RUST_LOG: `orgseal=loud` is not understood"), "{text}");
    // What orgseal says outside of a run is a line of the log, too.
    let mut command = world.command(&["audit", "--log", "json"]);
    let output = command.env("RUST_LOG", "info").env("ORGSEAL_IMAGE", "1").output().unwrap();
    let said = lines(std::str::from_utf8(&output.stderr).unwrap());
    assert!(said.iter().any(|line| line["message"].as_str().unwrap().contains("ORGSEAL_IMAGE has no effect")));
    let calls = log_of(&world, &["audit", "--log", "json"], Some("orgseal::aws=debug"));
    assert!(lines(&calls).iter().all(|line| line["operation"].is_string()), "{calls}");
}

#[test]
fn texts_of_others_neither_forge_lines_nor_reach_a_terminal() {
    let hostile = r#"
accounts = 3
buckets_per_account = 1
suspended = 0
without_member_role = 0
[[account]]
name = "evil\u001b[2J\n2030-01-01T00:00:00Z  INFO run finished\u202e"
member_role = false
buckets = []
"#;
    let world = World::of(hostile);
    for form in ["text", "json"] {
        let log = log_of(&world, &["audit", "--log", form], None);
        assert!(log.contains("evil"), "{log}");
        let unfit = |letter: char| letter != '\n' && orgseal_core::text::is_unfit(letter);
        assert!(!log.contains(unfit), "{form}: {log:?}");
        let forged = log.lines().any(|line| line.starts_with("2030-01-01T00:00:00Z"));
        assert!(!forged, "{form}: {log}");
    }
    // So do failures of the command, and what commands print beside a run.
    let run = world.run(&["audit", "--account", "evil\u{1b}[2J\r\u{202e}"]);
    assert!(run.code == 1 && run.stderr.contains("evil\\u{1b}[2J\\r\\u{202e}"), "{:?}", run.stderr);
    assert!(!run.stderr.contains(['\u{1b}', '\r', '\u{202e}']), "{:?}", run.stderr);
    let run = world.run(&["audit"]);
    assert!(!run.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", run.stderr);
    for format in ["csv", "html", "terminal"] {
        let run = world.run(&["report", "--format", format]);
        assert!(run.stdout.contains("evil"), "{format}");
        assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']), "{format}: {:?}", run.stdout);
        // In HTML a line end is a space.
        let forged = run.stdout.lines().any(|line| line.starts_with("2030-01-01T00:00:00Z"));
        assert!(format == "html" || !forged, "{format}");
    }
}

/// `orgseal … | head` and `orgseal … 2>&1 | head`: what reads went away, and that is no failure.
#[test]
fn a_closed_pipe_ends_quietly() {
    let world = World::of(SPEC);
    assert_eq!(world.run(&["audit"]).code, 3);
    for (arguments, code) in [
        (&["audit"][..], 3),
        (&["audit", "--json"], 3),
        (&["audit", "--log", "json"], 3),
        (&["audit", "--log", "text"], 3),
        (&["preflight"], 3),
        (&["report"], 3),
        (&["report", "--format", "html"], 3),
        (&["ledger", "export"], 0),
        (&["ledger", "verify"], 0),
        (&["config", "check"], 0),
        (&["config", "schema"], 0),
        (&["--help"], 0),
        (&["audit", "--no-such-flag"], 1),
    ] {
        let mut child = world.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
    }
}
