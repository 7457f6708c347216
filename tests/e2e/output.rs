//! What people and scripts read.

use crate::terminal::Terminal;
use crate::world::{World, binary};

const SPEC: &str = "accounts = 5\nbuckets_per_account = 3\nsuspended = 1\nwithout_member_role = 1";

#[test]
fn the_json_document_keeps_its_contract() {
    let world = World::of(SPEC);
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 3);
    assert_eq!(document["schema"], "orgseal.audit/1");
    assert_eq!(document["organization"], world.sandbox.organization_id());
    assert_eq!(document["scope"], "default_encryption");
    assert!(document["started_at"].as_str().unwrap().ends_with('Z'));
    let summary = document["summary"].as_object().unwrap();
    for key in [
        "accounts",
        "accounts_unread",
        "buckets",
        "sealed",
        "not_sealed",
        "held",
        "exempt",
        "unread",
        "failed",
        "skipped",
        "started",
    ] {
        assert!(summary[key].is_u64(), "{key}");
    }
    let sum: u64 = ["sealed", "not_sealed", "held", "exempt", "unread", "failed"]
        .iter()
        .map(|key| summary[*key].as_u64().unwrap())
        .sum();
    assert_eq!(summary["buckets"], sum);
    assert_eq!(document["findings"].as_array().unwrap().len() as u64, sum);
    assert_eq!(document["accounts"].as_array().unwrap().len(), 5);
}

#[test]
fn an_accepted_state_is_skipped_and_no_failure() {
    let world = World::of("accounts = 5\nbuckets_per_account = 3\nsuspended = 1\nwithout_member_role = 0");
    let accepted = ["--set", "organization.accept_states=[\"SUSPENDED\"]"];
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &accepted].concat());
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["summary"]["skipped"], 1);
    assert_eq!(document["summary"]["accounts_unread"], 0);
    assert_eq!(document["summary"]["accounts"], 5);
}

#[test]
fn a_report_says_again_what_the_run_said_and_ends_with_its_code() {
    let world = World::of(SPEC);
    let (code, first) = world.json(&["audit"]);
    let (again, second) = world.json(&["report"]);
    assert_eq!(code, again);
    assert_eq!(first, second);
    for format in ["csv", "html", "terminal"] {
        let run = world.run(&["report", "--format", format]);
        assert_eq!(run.code, code, "{format}");
        assert!(!run.stdout.is_empty());
        assert!(!run.stdout.contains('\u{1b}'), "no colour in a pipe");
    }
}

#[test]
fn every_failure_has_a_document_too() {
    let home = tempfile::TempDir::new().unwrap();
    let output = binary(home.path()).args(["audit", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "orgseal.error/1");
    assert!(!document["errors"][0]["hint"].as_str().unwrap().is_empty());
}

#[test]
fn a_terminal_gets_bars_and_a_pipe_gets_lines() {
    let world = World::at_speed("accounts = 6\nbuckets_per_account = 6\nsuspended = 1\nwithout_member_role = 0", 10.0);
    let (code, screen) = Terminal::open(world.command(&["rollout", "--yes"]), 80).close();
    assert_eq!(code, 3);
    // The end of the bars is hatched: an account is unknown.
    for text in ["accounts", "sealed", "in flight", "\u{1b}[", "╱╱"] {
        assert!(screen.contains(text), "no {text:?} in {screen}");
    }
    let run = world.run(&["rollout", "--yes"]);
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\r'), "{}", run.stderr);
    assert!(run.stderr.contains("reading 6 accounts"), "{}", run.stderr);
}

/// A wrong path must not cost the campaign file.
#[test]
fn only_an_earlier_report_is_replaced() {
    let world = World::of(SPEC);
    world.run(&["audit"]);
    let campaign = std::fs::read(world.path("campaign.toml")).unwrap();
    for arguments in [&["report"][..], &["report", "--format", "csv"], &["ledger", "export"]] {
        let run = world.run(&[arguments, &["--output", "campaign.toml"]].concat());
        assert!(run.code == 1 && run.stderr.contains("was not replaced"), "{}", run.stderr);
        assert_eq!(std::fs::read(world.path("campaign.toml")).unwrap(), campaign, "{arguments:?}");
    }
    // A report takes the place of one in another form.
    for format in ["terminal", "json", "csv", "html", "terminal"] {
        let run = world.run(&["report", "--format", format, "--output", "report"]);
        assert!(run.code != 1, "{format}: {}", run.stderr);
    }
    for _ in 0..2 {
        assert_eq!(world.run(&["ledger", "export", "--output", "entries"]).code, 0);
    }
}

#[test]
fn no_line_of_the_summary_is_wider_than_the_terminal() {
    let world = World::of(SPEC);
    world.run(&["audit"]);
    let (_, screen) = Terminal::open(world.command(&["report"]), 80).close();
    let plain = strip(&screen);
    // A command is there to be copied, so it stays on one line however long its paths are.
    let text = plain.lines().filter(|line| !line.trim_start().starts_with("orgseal "));
    let widest = text.map(|line| line.trim_end().chars().count()).max().unwrap();
    assert!(widest <= 80, "{widest} columns:\n{plain}");
}

#[test]
fn a_wrong_flag_is_a_failure_of_the_command_and_not_a_finding() {
    let home = tempfile::TempDir::new().unwrap();
    for arguments in [&["audit", "--no-such-flag"][..], &["nonsense"], &[]] {
        let output = binary(home.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
    let output = binary(home.path()).args(["audit", "--sandbox-seed", "7", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a seed without a sandbox must not reach AWS");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "orgseal.error/1");
    assert_eq!(binary(home.path()).arg("--help").output().unwrap().status.code(), Some(0));
}

/// Without escape sequences.
fn strip(screen: &str) -> String {
    let mut plain = String::new();
    let mut rest = screen;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).map_or(after.len(), |at| at + 1);
        rest = &after[end..];
    }
    plain + rest
}

#[test]
fn a_pipe_that_is_closed_early_is_no_failure_and_a_full_one_is() {
    let world = World::of("accounts = 10\nbuckets_per_account = 100\nsuspended = 0\nwithout_member_role = 0");
    assert_eq!(world.run(&["audit"]).code, 2);
    let mut report = world.command(&["report", "--format", "csv"]);
    let mut child = report.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(2), &b""[..]));
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(world.command(&["report"]).stdout(full()).output().unwrap().status.code(), Some(1));
    assert_eq!(world.command(&["config", "check"]).stdout(full()).output().unwrap().status.code(), Some(1));
    // Nobody may be reading the words: the document is what counts.
    let output = world.command(&["audit", "--json"]).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["schema"], "orgseal.audit/1");
}

#[test]
fn the_commands_that_are_suggested_find_the_same_place() {
    let world = World::of(SPEC);
    let run = world.run(&["audit"]);
    let suggested: Vec<&str> =
        run.stdout.lines().map(str::trim).filter(|line| line.starts_with("orgseal report")).collect();
    assert_eq!(suggested.len(), 1, "{}", run.stdout);
    assert!(suggested[0].contains(world.state().to_str().unwrap()), "{suggested:?}");
}

#[test]
fn other_peoples_variables_do_no_harm() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::of(SPEC);
    let strange = std::ffi::OsStr::from_bytes(&[0xff]);
    let output = world.command(&["config", "check"]).env("STRANGE", strange).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_could_not_be_read_is_not_called_absent() {
    let world = World::of("accounts = 5\nbuckets_per_account = 3\nsuspended = 1\nwithout_member_role = 1");
    let (code, document) = world.json(&["audit", "--bucket", "in-an-account-that-cannot-be-read"]);
    assert_eq!(code, 3, "{document:#}");
    assert_eq!(document["summary"]["accounts_unread"], 2);
}

#[test]
fn a_run_that_failed_as_a_whole_does_not_hide_one_that_did_not() {
    let world = World::of(SPEC);
    let (_, good) = world.json(&["audit"]);
    assert_eq!(world.run(&["audit", "--account", "999999999999"]).code, 1);
    let (_, report) = world.json(&["report"]);
    assert_eq!(report["run"]["id"], good["run"]["id"]);
}
