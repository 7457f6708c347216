//! The record as evidence: tampering is found and named, and what keeps it from being written is said.

use std::process::Stdio;

use crate::world::{World, two_members, unbroken};

fn sealed() -> World {
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    ));
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    world
}

fn open(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.state().join("ledger.sqlite")).unwrap()
}

#[test]
fn tampering_is_found_and_the_first_entry_is_named() {
    for (how, sql, named) in [
        ("edited", "UPDATE entry SET event = event || ' ' WHERE seq = 14", 14),
        ("redated", "UPDATE entry SET at = at + 1 WHERE seq = 9", 9),
        ("removed", "DELETE FROM entry WHERE seq = 11", 11),
        (
            "moved",
            "UPDATE entry SET seq = -1 WHERE seq = 7; UPDATE entry SET seq = 7 WHERE seq = 8; UPDATE entry SET seq = 8 WHERE seq = -1",
            7,
        ),
    ] {
        let world = sealed();
        assert_eq!(world.run(&["ledger", "verify"]).code, 0, "{how}");
        open(&world).execute_batch(sql).unwrap();
        let (code, found) = world.json(&["ledger", "verify"]);
        assert_eq!((code, found["sound"].as_bool()), (2, Some(false)), "{how}: {found:#}");
        assert_eq!(found["fault"]["entry"], named, "{how}: {found:#}");
        let said = world.run(&["ledger", "verify"]);
        assert!(said.stdout.contains(&format!("entry {named}")), "{how}: {}", said.stdout);
    }
}

#[test]
fn what_reports_read_must_follow_from_the_entries() {
    for sql in [
        "UPDATE bucket SET verdict = 'held' WHERE name = 'logs'",
        "DELETE FROM bucket WHERE name = 'logs'",
        "UPDATE account SET outcome = 'unread' WHERE id = '555555555551'",
        "UPDATE run SET state = 'running'",
        "UPDATE session SET caller = 'somebody else'",
    ] {
        let world = sealed();
        open(&world).execute_batch(sql).unwrap();
        let (code, found) = world.json(&["ledger", "verify"]);
        assert_eq!(code, 2, "{sql}: {found:#}");
        assert!(found["fault"]["entry"].as_u64().unwrap() > 0, "{sql}: {found:#}");
    }
}

#[test]
fn a_head_that_was_kept_finds_what_was_cut_off() {
    let world = sealed();
    let text = world.run(&["report"]).stdout;
    let head = text.lines().rev().find(|line| line.trim().len() == 64).unwrap().trim().to_owned();
    assert_eq!(world.run(&["ledger", "verify", "--head", &head]).code, 0);
    // Later entries do not take it away.
    assert_eq!(world.run(&["audit"]).code, 0);
    let (code, found) = world.json(&["ledger", "verify", "--head", &head]);
    assert_eq!(code, 0);
    assert!(found["known_head"]["entry"].as_u64().unwrap() < found["entries"].as_u64().unwrap());
    // The whole audit is cut off, and the run's end with it, tables and all.
    open(&world)
        .execute_batch(&format!(
            "DELETE FROM bucket WHERE run = 2; DELETE FROM account WHERE run = 2; DELETE FROM session WHERE run = 2;
             DELETE FROM entry WHERE seq >= {}; DELETE FROM run WHERE number = 2;
             UPDATE run SET state = 'running', finished_at = NULL; UPDATE session SET ended_at = NULL, ending = NULL;",
            found["known_head"]["entry"]
        ))
        .unwrap();
    assert_eq!(world.run(&["ledger", "verify"]).code, 0, "the file alone cannot tell");
    let (code, found) = world.json(&["ledger", "verify", "--head", &head]);
    assert_eq!((code, &found["known_head"]["entry"]), (2, &serde_json::Value::Null), "{found:#}");
}

#[test]
fn the_export_is_whole_and_its_chain_can_be_followed() {
    use sha2::{Digest, Sha256};
    let world = sealed();
    let export = world.run(&["ledger", "export"]);
    assert_eq!(export.code, 0);
    let mut previous = None;
    for (index, line) in export.stdout.lines().enumerate() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["seq"], index + 1);
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        if let Some(previous) = previous {
            assert_eq!(text("previous"), previous);
        }
        // Byte for byte, as docs/json.md says.
        let event = line.split_once("\"event\":").unwrap().1.rsplit_once(",\"previous\":").unwrap().0;
        let parts = [
            text("previous"),
            entry["seq"].to_string(),
            text("run"),
            entry["at_ms"].to_string(),
            text("account"),
            text("region"),
            text("bucket"),
            event.to_owned(),
        ];
        let whole: String = parts.iter().map(|part| format!("{part}\n")).collect();
        let hash: String = Sha256::digest(whole.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text("hash"), hash, "{line}");
        previous = Some(hash);
    }
    let run: Vec<&str> = export.stdout.lines().collect();
    assert!(run.len() > 12);
    assert!(!export.stdout.contains(world.sandbox.external_id()), "no secret is in it");
}

#[test]
fn a_full_disk_stops_the_record_and_every_start() {
    let world = World::of("accounts = 6\nbuckets_per_account = 60\nsuspended = 0\nwithout_member_role = 0\n");
    // No file of the process may grow beyond this, as on a full disk.
    let command = world.command(&["rollout", "--yes"]);
    let program = command.get_program().to_owned();
    let mut limited = std::process::Command::new("sh");
    limited.arg("-c").arg("trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"").arg(program).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(world.path("")).stdin(Stdio::null());
    let output = limited.output().unwrap();
    let said = unbroken(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ledger"), "{said}");
    assert!(said.contains("orgseal resume"), "{said}");
    let started = world.sandbox.executions().len();
    // What was committed stands, and with room again the campaign goes on.
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert!(world.sandbox.executions().len() >= started);
    let mut names: Vec<String> =
        world.sandbox.executions().iter().map(|execution| execution.parameters["BucketName"][0].clone()).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "no bucket was started twice");
}

#[test]
fn a_ledger_that_is_damaged_or_in_the_way_is_an_error_in_words() {
    let world = sealed();
    let file = world.state().join("ledger.sqlite");
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    for byte in &mut damaged[4096..] {
        *byte = 0xa5;
    }
    for (what, content) in [
        ("damaged", damaged),
        ("cut off", whole[..whole.len() / 3].to_vec()),
        ("no database", b"hello, I am a text file and no database at all".to_vec()),
    ] {
        std::fs::write(&file, &content).unwrap();
        // What a write-ahead log still holds would heal it.
        for log in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
            let _ = std::fs::remove_file(world.state().join(log));
        }
        for command in [&["audit"][..], &["report"], &["status"], &["ledger", "verify"]] {
            let run = world.run(command);
            assert_eq!(run.code, 1, "{what} {command:?}: {}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains("ledger.sqlite"), "{what} {command:?}: {}", run.stderr);
            assert!(!run.stderr.contains("panicked"), "{what} {command:?}: {}", run.stderr);
        }
    }
}

#[test]
fn a_clock_that_went_back_is_an_error_in_words() {
    let world = sealed();
    // The last entry is of tomorrow: to the program that is the same as a clock that went back by a day.
    open(&world).execute_batch("UPDATE entry SET at = at + 86400000 WHERE seq = (SELECT max(seq) FROM entry)").unwrap();
    let run = world.run(&["audit"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("the clock says"), "{}", run.stderr);
    assert!(run.stderr.contains("set the clock right"), "{}", run.stderr);
}
