//! The record as evidence: tampering is found and named, and what keeps it from being written is said.

use std::process::Stdio;

use crate::world::{World, settled_executions, two_members, unbroken};

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

/// Runs the binary from within a shell: `$0` and `$@` are its command line.
fn under(world: &World, script: &str, arguments: &[&str]) -> std::process::Output {
    let command = world.command(arguments);
    let mut shell = std::process::Command::new("bash");
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(world.path("")).stdin(Stdio::null()).output().unwrap()
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
        "UPDATE run SET caller = 'somebody else'",
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
    let (code, missing) = world.json(&["ledger", "verify"]);
    assert_eq!(code, 2, "{missing:#}");
    assert!(missing["fault"]["what"].as_str().unwrap().contains("ledger.head"), "{missing:#}");
    std::fs::remove_file(world.state().join("ledger.head")).unwrap();
    let (code, unknown) = world.json(&["ledger", "verify"]);
    assert_eq!(code, 2, "{unknown:#}");
    assert!(unknown["fault"]["what"].as_str().unwrap().contains("ledger.head is missing"), "{unknown:#}");
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
    let output = under(&world, "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"", &["rollout", "--yes"]);
    let said = unbroken(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ledger"), "{said}");
    assert!(said.contains("orgseal resume"), "{said}");
    let started = settled_executions(&world);
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
fn a_file_limit_ends_nothing_without_a_word() {
    let world = World::of("accounts = 6\nbuckets_per_account = 60\nsuspended = 0\nwithout_member_role = 0\n");
    // As a shell or a service manager sets it: the kernel's answer is a signal, which kills whoever does not catch it.
    let output = under(&world, "ulimit -f 400; exec \"$0\" \"$@\"", &["rollout", "--yes"]);
    let said = unbroken(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{:?}: {said}", output.status);
    assert!(said.contains("ledger.sqlite") && said.contains("orgseal resume"), "{said}");
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_folder_that_is_for_reading_only_is_an_error_in_words() {
    use std::os::unix::fs::PermissionsExt;
    let world = sealed();
    let mode = |folder, file| {
        let set = |path: std::path::PathBuf, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        // Nothing in a folder can be changed while it is closed.
        set(world.state(), 0o700);
        for entry in std::fs::read_dir(world.state()).unwrap() {
            set(entry.unwrap().path(), file);
        }
        set(world.state(), folder);
    };
    // SQLite's log stays where a process ended in the middle, or is at work; then it can be read without writing.
    for log_stays in [false, true] {
        let connection = open(&world);
        let _: i64 = connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
        let connection = log_stays.then_some(connection);
        mode(0o500, 0o400);
        // Root may write anywhere.
        let bound = std::fs::write(world.state().join("probe"), "").is_err();
        for command in [&["audit"][..], &["rollout", "--yes"], &["report"], &["status"], &["ledger", "verify"]] {
            let run = world.run(command);
            let said = unbroken(&run.stderr);
            let refused = run.code == 1 && said.contains("cannot be used");
            let writes = ["audit", "rollout"].contains(&command[0]);
            assert!(!bound || refused || (run.code == 0 && log_stays && !writes), "{command:?}: {} {said}", run.code);
        }
        drop(connection);
        mode(0o700, 0o600);
        let _ = std::fs::remove_file(world.state().join("probe"));
        assert_eq!(world.run(&["ledger", "verify"]).code, 0, "nothing was harmed");
    }
}

#[test]
fn whoever_is_in_the_way_is_named() {
    let world = World::at_speed("accounts = 30\nbuckets_per_account = 20", 0.3);
    let mut first = world.command(&["rollout", "--yes"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while !world.state().join("ledger.sqlite").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = world.run(&["rollout", "--yes"]);
    let process = format!("process {} on", first.id());
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, 1);
    assert!(unbroken(&second.stderr).contains(&process), "{}", second.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_and_a_disk_that_takes_no_more_are_told_apart() {
    let world = sealed();
    // Whoever takes one line and leaves has read enough.
    let output = under(&world, "set -o pipefail; \"$0\" \"$@\" | head -n 1", &["ledger", "export"]);
    assert_eq!((output.status.code(), output.stdout.split(|byte| *byte == b'\n').count()), (Some(0), 2));
    let full = world.run(&["ledger", "export", "--output", "/dev/full"]);
    assert_eq!(full.code, 1, "{}", full.stderr);
    assert!(unbroken(&full.stderr).contains("No space left"), "{}", full.stderr);
    // A file holds the same as standard output.
    let file = world.path("entries.jsonl");
    assert_eq!(world.run(&["ledger", "export", "--output", file.to_str().unwrap()]).code, 0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), world.run(&["ledger", "export"]).stdout);
}

#[test]
fn part_of_a_head_is_no_alarm() {
    let world = sealed();
    let run = world.run(&["ledger", "verify", "--head", "1e39"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("--head"), "{}", run.stderr);
    let (code, found) = world.json(&["ledger", "verify", "--head", &"0".repeat(64)]);
    assert_eq!((code, found["fault"].is_null(), found["known_head"]["entry"].is_null()), (2, true, true), "{found:#}");
}

#[test]
fn a_page_that_was_overwritten_is_named_with_how_far_the_entries_are_sound() {
    let world = sealed();
    assert_eq!(world.run(&["audit"]).code, 0);
    let file = world.state().join("ledger.sqlite");
    let whole = std::fs::read(&file).unwrap();
    // What a log still holds would heal it.
    for log in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = std::fs::remove_file(world.state().join(log));
    }
    let mut named = 0;
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(&file, &damaged).unwrap();
        let run = world.run(&["ledger", "verify"]);
        assert!(!run.stderr.contains("panicked"), "page {page}: {}", run.stderr);
        assert!([1, 2].contains(&run.code), "page {page}: {}{}", run.stdout, run.stderr);
        named += usize::from(run.code == 2 && run.stdout.contains("damaged"));
    }
    assert!(named > 0);
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

/// Dates the last entry in the year 2051, as a clock that was wrong would have: the chain and the tables agree with it.
fn date_in_2051(world: &World) {
    use sha2::Digest;
    let connection = open(world);
    let (seq, run, account, region, bucket, event, old): (i64, String, String, String, String, String, i64) = connection
        .query_row(
            "SELECT seq, run.id, account, region, bucket, event, entry.at FROM entry JOIN run ON run.number = entry.run
             ORDER BY seq DESC LIMIT 1",
            [],
            |row| {
                let text = |column: usize| row.get(column);
                Ok((row.get(0)?, text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, row.get(6)?))
            },
        )
        .unwrap();
    let previous: String =
        connection.query_row("SELECT hash FROM entry WHERE seq = ?1", [seq - 1], |row| row.get(0)).unwrap();
    let (number, at) = (seq.to_string(), 2_580_000_000_000_i64.to_string());
    let mut digest = sha2::Sha256::new();
    for part in [&previous, &number, &run, &at, &account, &region, &bucket, &event] {
        digest.update(format!("{part}\n"));
    }
    let hash: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    connection.execute("UPDATE entry SET at = ?1, hash = ?2 WHERE seq = ?3", (&at, &hash, seq)).unwrap();
    connection.execute("UPDATE bucket SET at = ?1 WHERE name = ?2 AND at = ?3", (&at, &bucket, old)).unwrap();
    let touched = "UPDATE bucket SET touched_at = ?1 WHERE name = ?2 AND touched_at = ?3";
    connection.execute(touched, (&at, &bucket, old)).unwrap();
    drop(connection);
    // The head that such a process would have written beside the ledger.
    std::fs::remove_file(world.state().join("ledger.head")).unwrap();
    let verified = world.run(&["ledger", "verify", "--head", &hash]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
}

/// To the program a last entry of 2051 is the same as a clock that went back.
#[test]
fn a_campaign_whose_last_entry_is_dated_in_the_future_is_resumed_and_rolled_back() {
    let world = killed_in_the_middle();
    date_in_2051(&world);
    assert_eq!(world.run(&["ledger", "verify"]).code, 0, "the prepared ledger is sound");
    let changed = settled_executions(&world);
    let run = world.run(&["resume", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = unbroken(&run.stderr);
    assert_eq!(text.matches("is dated 2051-10-04 02:40:00 UTC, which is in the future").count(), 1, "{text}");
    let buckets = world.sandbox.executions();
    let mut named: Vec<&str> = buckets.iter().map(|one| one.parameters["BucketName"][0].as_str()).collect();
    assert!(named.len() > changed);
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), buckets.len(), "a bucket was started twice");
    let last: i64 =
        open(&world).query_row("SELECT at FROM entry ORDER BY seq DESC LIMIT 1", [], |row| row.get(0)).unwrap();
    assert!((last - jiff::Timestamp::now().as_millisecond()).abs() < 60_000, "new entries have their true time");
    // One bucket of this organization is held in a rollback, whatever the ledger's dates are.
    let run = world.run(&["rollback", "--yes"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(world.sandbox.executions().len(), 2 * buckets.len() - 1);
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

/// A state directory in which the process was killed in the middle of a campaign.
fn killed_in_the_middle() -> World {
    let world =
        World::at_speed("accounts = 3\nbuckets_per_account = 10\nsuspended = 0\nwithout_member_role = 0\n", 40.0);
    let mut child = world.command(&["rollout", "--yes"]);
    child.env("ORGSEAL_FAIL_POINT", "after_started:6").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None);
    world
}

#[test]
fn what_is_acted_on_is_checked_first() {
    for (sql, command) in [
        ("UPDATE bucket SET found = replace(found, 'AES256', 'aws:kms') WHERE touched_at IS NOT NULL", "rollback"),
        ("UPDATE bucket SET found = replace(found, 'AES256', 'aws:kms') WHERE touched_at IS NOT NULL", "resume"),
        ("UPDATE bucket SET phase = 'judged', verdict = 'not_sealed' WHERE phase = 'started'", "resume"),
        ("CREATE TRIGGER quiet BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END", "resume"),
        ("CREATE TRIGGER quiet BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END", "audit"),
    ] {
        let world = killed_in_the_middle();
        open(&world).execute_batch(sql).unwrap();
        let started = settled_executions(&world);
        let yes: &[&str] = if command == "audit" { &[] } else { &["--yes"] };
        let run = world.run(&[&[command], yes].concat());
        let said = unbroken(&run.stderr);
        assert_eq!(run.code, 1, "{sql}: {command}: {said}");
        assert!(said.contains("nothing was started") && said.contains("orgseal ledger verify"), "{sql}: {said}");
        assert_eq!(world.sandbox.executions().len(), started, "{sql}: {command}");
        assert_eq!(world.run(&["ledger", "verify"]).code, 2, "{sql}");
    }
}

#[test]
fn a_rollbacks_dry_run_checks_what_the_rollback_checks() {
    let world = sealed();
    let kept = std::fs::read_dir(world.state()).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.is_file()).map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    assert_eq!(world.run(&["rollback", "--dry-run"]).code, 2);
    for sql in [
        "UPDATE bucket SET found = replace(found, 'AES256', 'aws:kms')",
        "UPDATE entry SET at = at + 1 WHERE seq = 3",
        "DELETE FROM account WHERE id = '555555555551'",
        "UPDATE run SET state = 'declined'",
        "UPDATE run SET kind = 'audit'",
        "DELETE FROM bucket",
    ] {
        for (bytes, path) in &kept {
            std::fs::write(path, bytes).unwrap();
        }
        open(&world).execute_batch(sql).unwrap();
        for command in [&["rollback", "--dry-run"][..], &["rollback", "--yes"]] {
            let run = world.run(command);
            let said = unbroken(&run.stderr);
            assert_eq!(run.code, 1, "{sql}: {command:?}: {said}{}", run.stdout);
            assert!(said.contains("was changed"), "{sql}: {command:?}: {said}");
        }
    }
}

#[test]
fn a_byte_of_the_write_ahead_log_that_flipped_after_a_crash_is_noticed() {
    let world = killed_in_the_middle();
    let log = world.state().join("ledger.sqlite-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let started = settled_executions(&world);
    let verified = world.run(&["ledger", "verify"]);
    assert_eq!(verified.code, 2, "{}", verified.stderr);
    assert!(verified.stdout.contains("missing"), "{}", verified.stdout);
    for command in [&["resume", "--yes"][..], &["rollback", "--yes"], &["status"], &["report"], &["audit"]] {
        let run = world.run(command);
        assert_eq!(run.code, 1, "{command:?}: {}{}", run.stdout, run.stderr);
        assert!(unbroken(&run.stderr).contains("missing"), "{command:?}: {}", run.stderr);
    }
    assert_eq!(world.sandbox.executions().len(), started);
}

#[test]
fn a_state_directory_that_others_may_write_to_is_refused_or_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let world = sealed();
    let mode = |mode| std::fs::set_permissions(world.state(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    for command in [&["audit"][..], &["rollout", "--yes"], &["status"], &["report"], &["ledger", "verify"]] {
        let run = world.run(command);
        assert_eq!(run.code, 1, "{command:?}: {}", run.stdout);
        assert!(unbroken(&run.stderr).contains("chmod o-w"), "{command:?}: {}", run.stderr);
    }
    mode(0o770);
    let run = world.run(&["audit"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(unbroken(&run.stderr).contains("warning: every member of its group"), "{}", run.stderr);
    mode(0o700);
    // A lock that is a link would truncate what it points at.
    let target = world.path("precious");
    std::fs::write(&target, "precious").unwrap();
    let lock = world.state().join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&target, &lock).unwrap();
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(unbroken(&run.stderr).contains("symbolic link"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
}

/// What the program itself must never ask for: the ledger refuses it, and the run is not finished.
#[test]
fn an_entry_that_is_not_allowed_stops_the_run_as_an_internal_error() {
    let executions = "[executions]\nmin_seconds = 4.0\nmax_seconds = 4.0";
    let spec = "accounts = 3\nbuckets_per_account = 3\nsuspended = 0\nwithout_member_role = 0";
    let world = World::at_speed(&format!("{spec}\n{executions}"), 1.0);
    let mut command = world.command(&["rollout", "--yes", "--json"]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let moved = "UPDATE bucket SET phase = 'judged' WHERE phase = 'started'";
    crate::world::wait_until("a bucket is started", || {
        world.state().join("ledger.sqlite").exists() && open(&world).execute(moved, []).is_ok_and(|rows| rows > 0)
    });
    let output = running.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("this is a fault of orgseal"), "{stderr}");
    let (_, runs) = world.json(&["runs"]);
    assert_eq!(runs["runs"][0]["state"], "stopped: internal error");
}
