//! What orgseal refuses to do, in words.

use crate::world::{World, binary, unbroken};

const SPEC: &str = "accounts = 3\nbuckets_per_account = 2\nsuspended = 0\nwithout_member_role = 0";

#[test]
fn a_rollout_without_a_terminal_and_without_yes_is_refused() {
    let world = World::of(SPEC);
    let run = world.run(&["rollout"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
}

#[test]
fn a_ledger_of_another_organization_is_refused() {
    let world = World::of(SPEC);
    let other = World::of(&format!("seed = 77\n{SPEC}"));
    assert_eq!(world.run(&["audit"]).code, 2);
    let state = world.state();
    std::fs::create_dir_all(other.state()).unwrap();
    for file in std::fs::read_dir(&state).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), other.state().join(file.file_name())).unwrap();
    }
    let run = other.run(&["audit"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains(world.sandbox.organization_id()), "{}", run.stderr);
    assert!(run.stderr.contains(other.sandbox.organization_id()), "{}", run.stderr);
}

#[test]
fn two_at_once_in_one_state_folder_are_refused() {
    let world = World::at_speed("accounts = 30\nbuckets_per_account = 20", 0.3);
    let mut first = world
        .command(&["rollout", "--yes"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !world.state().join("lock").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    let second = world.run(&["rollout", "--yes"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another orgseal process is using"), "{}", second.stderr);
    // The kernel drops the lock of a process that was killed.
    assert_ne!(world.run(&["audit"]).code, 1);
}

#[test]
fn a_selection_that_matches_nothing_is_an_error() {
    let world = World::of(SPEC);
    for (flag, value) in [("--account", "999999999999"), ("--bucket", "no-such-bucket"), ("--region", "mars-north-1")] {
        let run = world.run(&["audit", flag, value]);
        assert_eq!(run.code, 1, "{flag}: {}", run.stderr);
    }
}

#[test]
fn no_campaign_file_is_said_with_the_way_out() {
    let home = tempfile::TempDir::new().unwrap();
    let output = binary(home.path()).args(["audit"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--sandbox"));
}

#[test]
fn a_wrong_role_leaves_the_callers_own_account_alone_too() {
    let world = World::of(SPEC);
    let (code, document) = world.json(&["rollout", "--yes", "--set", "member_role.name=nope"]);
    assert_eq!(code, 3);
    assert_eq!(document["summary"]["accounts_unread"], 3, "{document:#}");
    assert!(world.sandbox.executions().is_empty());
}

#[test]
fn a_state_folder_that_cannot_be_written_to_is_an_error_in_words() {
    let world = World::of(SPEC);
    let file = world.path("a-file");
    std::fs::write(&file, "no folder").unwrap();
    // Nobody can make a folder in /sys, root included; and none can stand beneath a file.
    for folder in ["/sys/orgseal".to_owned(), file.join("state").display().to_string()] {
        for command in [&["audit"][..], &["rollout", "--yes"]] {
            let ours = world.command(command);
            let elsewhere = ours.get_args().map(|word| if word == world.state() { folder.as_ref() } else { word });
            let mut binary = std::process::Command::new(ours.get_program());
            binary.args(elsewhere).envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let output = binary.output().unwrap();
            let said = unbroken(&String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(1), "{folder} {command:?}: {said}");
            assert!(said.contains("cannot be used") && said.contains("--state or ORGSEAL_STATE"), "{folder}: {said}");
        }
    }
    assert_eq!(world.sandbox.executions().len(), 0);
}
