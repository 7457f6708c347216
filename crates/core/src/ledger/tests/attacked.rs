//! What somebody plants in the file or its directory is found before anything is done on its word.

use rusqlite::Connection;

use super::*;

fn connection(folder: &Path) -> Connection {
    Connection::open(folder.join(FILE)).unwrap()
}

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_schema_that_is_not_ours_is_refused_and_found() {
    for (sql, named) in [
        ("CREATE TRIGGER quiet BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END", "trigger quiet on table entry"),
        ("CREATE VIEW shown AS SELECT 1", "view shown"),
        ("CREATE TABLE more (x)", "table more"),
        ("CREATE INDEX other ON entry (run)", "index other"),
        ("DROP VIEW finding", "view finding is missing"),
        ("DROP INDEX under_way", "index under_way is missing"),
        ("ALTER TABLE bucket RENAME TO real; CREATE VIEW bucket AS SELECT * FROM real", "table real"),
        ("ALTER TABLE bucket ADD COLUMN more TEXT", "table bucket is not as orgseal creates it"),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        record_something(folder.path()).await;
        connection(folder.path()).execute_batch(sql).unwrap();
        for error in [
            Ledger::open(folder.path(), &binding()).err().unwrap(),
            Ledger::open_beside_others(folder.path(), &binding()).err().unwrap(),
            Reader::open(folder.path()).err().unwrap(),
        ] {
            assert!(matches!(error, LedgerError::Schema { .. }) && error.to_string().contains(named), "{sql}: {error}");
        }
        match verify(folder.path(), None) {
            Ok(verified) => assert!(verified.fault.is_some(), "{sql}"),
            // What is shown in place of a table cannot be read.
            Err(error) => assert!(sql.contains("RENAME"), "{sql}: {error}"),
        }
    }
    // Statistics of any SQLite tool change no answer.
    let folder = tempfile::TempDir::new().unwrap();
    record_something(folder.path()).await;
    connection(folder.path()).execute_batch("ANALYZE").unwrap();
    assert_eq!(verify(folder.path(), None).unwrap().fault, None);
    assert!(Reader::open(folder.path()).is_ok());
}

#[tokio::test]
async fn a_trigger_planted_while_a_run_writes_has_no_effect() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    let other = connection(folder.path());
    other
        .execute_batch(
            "CREATE TRIGGER quiet BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END;
             CREATE TRIGGER gone AFTER INSERT ON bucket BEGIN DELETE FROM bucket; END;",
        )
        .unwrap();
    let before = count(&other);
    ledger.record(&bucket("logs"), judged(Verdict::NotSealed)).await.unwrap();
    assert_eq!(count(&other), before + 1);
}

#[tokio::test]
async fn an_entry_that_is_not_kept_stops_the_record() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    // Without its run a row cannot be updated: nothing that was to be written may be missing in silence.
    connection(folder.path()).execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM session").unwrap();
    let error = ledger.finish("finished").await.unwrap_err();
    assert!(error.to_string().contains("did not keep a row"), "{error}");
}

#[tokio::test]
async fn what_is_acted_on_must_follow_from_the_entries() {
    let folder = tempfile::TempDir::new().unwrap();
    record_something(folder.path()).await;
    let reader = || Reader::open(folder.path()).unwrap();
    let run = reader().run("r").unwrap();
    let check = |runs: &[Run]| check_runs(folder.path(), runs, &LedgerCheck::default());
    check(std::slice::from_ref(&run)).unwrap();
    let edited = "UPDATE bucket SET found = replace(found, '\"SSE-C\"', '') WHERE name = 'logs'";
    assert_eq!(connection(folder.path()).execute(edited, []).unwrap(), 1);
    let error = check(std::slice::from_ref(&run)).unwrap_err();
    assert!(matches!(error, LedgerError::Altered { .. }), "{error}");
    assert!(error.to_string().contains("bucket logs"), "{error}");
    // Another run is not touched by that; an entry that was edited is, wherever it is.
    check(&[]).unwrap();
    connection(folder.path()).execute("UPDATE entry SET at = at + 1 WHERE seq = 1", []).unwrap();
    assert!(matches!(check(&[]), Err(LedgerError::Altered { .. })));
}

#[tokio::test]
async fn a_second_check_of_a_command_covers_what_was_added_since() {
    let folder = tempfile::TempDir::new().unwrap();
    record_something(folder.path()).await;
    let run = Reader::open(folder.path()).unwrap().run("r").unwrap();
    let (before, runs) = (LedgerCheck::default(), std::slice::from_ref(&run));
    check_runs(folder.path(), runs, &before).unwrap();
    check_runs(folder.path(), runs, &before).unwrap();
    // The last entry once more, with a hash that does not follow.
    let added = "INSERT INTO entry (seq, run, at, account, region, bucket, event, hash)
                 SELECT seq + 1, run, at, account, region, bucket, event, hash FROM entry ORDER BY seq DESC LIMIT 1";
    assert_eq!(connection(folder.path()).execute(added, []).unwrap(), 1);
    let error = check_runs(folder.path(), runs, &before).unwrap_err();
    assert!(matches!(error, LedgerError::Altered { .. }), "{error}");
    // Where what was checked is not there any more, everything is read.
    connection(folder.path()).execute("DELETE FROM entry WHERE seq > 2", []).unwrap();
    assert!(check_runs(folder.path(), runs, &before).is_err());
}

#[tokio::test]
async fn the_rows_that_choose_the_run_are_checked_whatever_run_is_acted_on() {
    for sql in [
        "UPDATE run SET kind = 'audit'",
        "UPDATE run SET state = 'running'",
        "UPDATE session SET caller = 'somebody else'",
        "INSERT INTO omission VALUES (99, 'a', 'r', 'b', 'h', '[]', 'kept', NULL, 1)",
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        record_something(folder.path()).await;
        check_runs(folder.path(), &[], &LedgerCheck::default()).unwrap();
        connection(folder.path()).execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        let error = check_runs(folder.path(), &[], &LedgerCheck::default()).err();
        assert!(matches!(error, Some(LedgerError::Altered { .. })), "{sql}: {error:?}");
        assert!(verify(folder.path(), None).unwrap().fault.is_some(), "{sql}");
    }
}

#[tokio::test]
async fn what_was_learned_of_documents_must_follow_from_the_entries() {
    use crate::model::{OmissionOutcome, OmissionRecord};
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    let learned = OmissionRecord {
        account: "444455556666".into(),
        region: "us-east-1".into(),
        bucket: "logs".into(),
        document_hash: "h".into(),
        blocked: vec!["SSE-C".into()],
        outcome: OmissionOutcome::Changed,
        repair: None,
    };
    ledger.record_with(&bucket("logs"), judged(Verdict::NotSealed), Some(learned)).await.unwrap();
    ledger.finish("finished").await.unwrap();
    check_omissions(folder.path()).unwrap();
    let planted = "INSERT INTO omission SELECT run, account, region, 'other', document_hash, blocked, 'kept', repair, at FROM omission";
    for sql in [
        planted,
        "DELETE FROM omission WHERE bucket = 'other'; UPDATE omission SET outcome = 'kept'",
        "DELETE FROM omission",
    ] {
        connection(folder.path()).execute_batch(sql).unwrap();
        let error = check_omissions(folder.path()).err();
        assert!(matches!(error, Some(LedgerError::Altered { .. })), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn without_its_head_file_the_end_of_a_ledger_is_unknown() {
    for lose in [|head: &Path| std::fs::remove_file(head).unwrap(), |head: &Path| std::fs::write(head, "").unwrap()] {
        let folder = tempfile::TempDir::new().unwrap();
        record_something(folder.path()).await;
        wait_until_free(folder.path());
        let head = verify(folder.path(), None).unwrap().head;
        lose(&folder.path().join(HEAD));
        let verified = verify(folder.path(), None).unwrap();
        assert!(verified.fault.clone().unwrap().what.contains("could not be checked"), "{verified:?}");
        assert!(!verified.is_sound());
        for open in [Ledger::open, Ledger::open_beside_others] {
            let error = open(folder.path(), &binding()).err().unwrap();
            assert!(matches!(error, LedgerError::NoHead { .. }), "{error}");
        }
        // Who only reads needs no head, and a head that was saved elsewhere shows the end.
        assert!(Reader::open(folder.path()).is_ok());
        assert!(verify(folder.path(), Some(&"0".repeat(64))).unwrap().fault.is_some());
        assert_eq!(verify(folder.path(), Some(&head)).unwrap().fault, None);
        assert_eq!(verify(folder.path(), None).unwrap().fault, None);
        drop(Ledger::open(folder.path(), &binding()).unwrap());
    }
}

#[tokio::test]
async fn what_a_plan_says_is_covered_by_the_chain() {
    let folder = tempfile::TempDir::new().unwrap();
    let sha256 = "0".repeat(64);
    let plan = PlanReference { id: "plan-1".into(), sha256: sha256.clone(), approver: "me".into() };
    let run = NewRun { plan: Some(plan), ..new_run("r") };
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(run).await.unwrap();
    let row = |name: &str| ("444455556666".to_owned(), name.to_owned(), "{}".to_owned());
    for _ in 0..2 {
        ledger.clear_plan().await.unwrap();
        ledger.lay_out_plan(vec![row("a"), row("b")]).await.unwrap();
        ledger.lay_out_plan(vec![row("c")]).await.unwrap();
        ledger.complete_plan().await.unwrap();
    }
    ledger.finish("finished").await.unwrap();
    drop(ledger);
    wait_until_free(folder.path());
    let fault = || verify(folder.path(), None).unwrap().fault;
    assert_eq!(fault(), None);
    let forged = "INSERT INTO planned VALUES (1, '444455556666', 'forged', '{}')";
    for (sql, back) in [
        ("UPDATE planned SET entry = '{ }' WHERE name = 'b'", "UPDATE planned SET entry = '{}' WHERE name = 'b'"),
        (forged, "DELETE FROM planned WHERE name = 'forged'"),
        ("UPDATE planned SET name = 'd' WHERE name = 'c'", "UPDATE planned SET name = 'c' WHERE name = 'd'"),
    ] {
        connection(folder.path()).execute_batch(sql).unwrap();
        assert!(fault().is_some(), "{sql}");
        connection(folder.path()).execute_batch(back).unwrap();
        assert_eq!(fault(), None, "{back}");
    }
    // The kept copy is the one that was approved.
    let copy = kept_plan(folder.path(), &sha256);
    std::fs::create_dir(copy.parent().unwrap()).unwrap();
    std::fs::write(&copy, "another plan").unwrap();
    assert!(fault().unwrap().what.contains("approved plan plan-1"));
    // In a run that carries out no plan nothing is planned.
    std::fs::remove_file(copy).unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("without")).await.unwrap();
    ledger.finish("finished").await.unwrap();
    connection(folder.path()).execute_batch(&forged.replace("(1,", "(2,")).unwrap();
    assert!(fault().is_some());
}

/// The state directory as it is when the process is killed now.
fn crashed(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::TempDir::new().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    // The index of the log is made anew.
    let _ = std::fs::remove_file(copy.path().join("ledger.sqlite-shm"));
    copy
}

#[tokio::test]
async fn a_damaged_write_ahead_log_is_noticed_and_what_is_missing_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    for n in 0..40 {
        ledger.record(&bucket(&format!("b{n:02}")), judged(Verdict::NotSealed)).await.unwrap();
    }
    let whole = crashed(folder.path());
    let verified = verify(whole.path(), None).unwrap();
    assert_eq!((verified.fault, verified.sound), (None, 41));
    let damages: [fn(&Path); 4] = [
        |log| {
            let mut bytes = std::fs::read(log).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(log, bytes).unwrap();
        },
        |log| {
            let bytes = std::fs::read(log).unwrap();
            std::fs::write(log, &bytes[..bytes.len() - 5000]).unwrap();
        },
        |log| std::fs::remove_file(log).unwrap(),
        |log| std::fs::write(log, "").unwrap(),
    ];
    for damage in damages {
        let copy = crashed(folder.path());
        damage(&copy.path().join("ledger.sqlite-wal"));
        let verified = verify(copy.path(), None).unwrap();
        let fault = verified.fault.clone().unwrap();
        assert!(!verified.is_sound() && verified.sound < 41, "{fault}");
        assert_eq!(fault.entry, verified.sound + 1, "{fault}");
        assert!(fault.what.contains("missing") && fault.what.contains("41"), "{fault}");
        for error in [
            Reader::open(copy.path()).err().unwrap(),
            Ledger::open(copy.path(), &binding()).err().unwrap(),
            Ledger::open_beside_others(copy.path(), &binding()).err().unwrap(),
        ] {
            assert!(matches!(error, LedgerError::Incomplete { .. }), "{error}");
        }
    }
    // An older copy of the ledger alone, put back beside a newer head, is one too.
    let older = crashed(folder.path());
    ledger.record(&bucket("one-more"), judged(Verdict::NotSealed)).await.unwrap();
    std::fs::copy(folder.path().join(HEAD), older.path().join(HEAD)).unwrap();
    assert!(verify(older.path(), None).unwrap().fault.unwrap().what.contains("entry 42 is missing"));
}

#[tokio::test]
async fn read_only_runs_append_beside_a_changing_one_and_the_chain_stays_whole() {
    let folder = tempfile::TempDir::new().unwrap();
    let changing = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("changing")).await.unwrap();
    assert!(matches!(Ledger::open(folder.path(), &binding()), Err(LedgerError::Busy { .. })));
    let beside = |id: &'static str| {
        let ledger = Ledger::open_beside_others(folder.path(), &binding()).unwrap();
        async move { ledger.begin(NewRun { kind: "audit", ..new_run(id) }).await.unwrap() }
    };
    let ledgers = [changing, beside("one").await, beside("two").await];
    let writing = ledgers.clone().map(|ledger| {
        tokio::spawn(async move {
            for n in 0..100 {
                let bucket = bucket(&format!("b{n:03}"));
                match n % 2 {
                    0 => drop(ledger.record(&bucket, judged(Verdict::NotSealed)).await.unwrap()),
                    _ => ledger.note(bucket, judged(Verdict::Sealed)).await.unwrap(),
                }
            }
            ledger.finish("finished").await.unwrap();
        })
    });
    for writer in writing {
        writer.await.unwrap();
    }
    let verified = verify(folder.path(), None).unwrap();
    assert_eq!((verified.fault, verified.sound), (None, 3 * 102));
    assert!(Reader::open(folder.path()).is_ok());
}

#[test]
fn ledgers_of_every_earlier_schema_keep_opening() {
    for version in 1..schema::VERSION {
        for open in [Ledger::open, Ledger::open_beside_others] {
            let folder = tempfile::TempDir::new().unwrap();
            let old = connection(folder.path());
            schema::create(&old, version).unwrap();
            old.execute("INSERT INTO binding VALUES ('o-one', 'aws', 'aws')", []).unwrap();
            old.pragma_update(None, "user_version", version).unwrap();
            drop(old);
            drop(open(folder.path(), &binding()).unwrap());
            wait_until_free(folder.path());
            assert_eq!(verify(folder.path(), None).unwrap().fault, None, "{version}");
        }
    }
}

#[test]
fn many_who_come_to_an_empty_directory_at_once_share_one_ledger() {
    let folder = tempfile::TempDir::new().unwrap();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Ledger::open_beside_others(folder.path(), &binding()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(opened.iter().all(Result::is_ok), "{:?}", opened.iter().find_map(|opened| opened.as_ref().err()));
    assert_eq!(verify(folder.path(), None).unwrap().fault, None);
}

#[cfg(unix)]
#[test]
fn a_ledger_that_is_a_symbolic_link_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = folder.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    for name in [FILE, HEAD] {
        let state = folder.path().join(format!("state-{name}"));
        std::fs::create_dir(&state).unwrap();
        std::os::unix::fs::symlink(&target, state.join(name)).unwrap();
        for error in [Ledger::open(&state, &binding()).err(), Ledger::open_beside_others(&state, &binding()).err()] {
            let error = error.unwrap().to_string();
            assert!(error.contains(&format!("{name} in it is a symbolic link")), "{name}: {error}");
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }
    // A directory that is reached by one is not: /var/run is, and home directories are.
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    drop(Ledger::open(&link, &binding()).unwrap());
    assert!(Reader::open(&link).is_ok());
}
