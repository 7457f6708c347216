//! Whatever is changed behind the record's back is found, and the first entry that is not as it was written is named.

use proptest::prelude::*;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::*;

/// What is done to the file.
#[derive(Clone, Debug)]
enum Tampering {
    /// One byte of a column of an entry becomes another one; what comes out need not be text.
    Byte { column: &'static str, entry: usize, place: usize, by: u8 },
    /// A number of an entry is moved.
    Number { column: &'static str, entry: usize, by: i64 },
    /// An entry is gone.
    Removed { entry: usize },
    /// Two entries change places, with their hashes.
    Swapped { one: usize, other: usize },
    /// An entry is put at the end.
    Added,
    /// A table says something else than the entries: what is done, and an entry's place that must be named.
    Table { sql: &'static str, of: Named },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Named {
    Bucket,
    Account,
    Run,
    Nothing,
}

const TABLES: [(&str, Named); 37] = [
    ("UPDATE bucket SET region = region || 'x' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET phase = 'settled' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET phase = 'never heard of' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET verdict = 'sealed' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET reason = 'other_key' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET observed = 'other_key' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET encryption = replace(encryption, 'AES256', 'aws:kms') WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET encryption = 'no JSON' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET found = NULL WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET left_as = encryption WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET intent = replace(intent, 'token', 'other') WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET execution = execution || 'x' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET status = 'Failed' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET error = '{\"code\":\"\",\"message\":\"\",\"hint\":\"\"}' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET starts = starts + 1 WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET touched_at = touched_at - 1 WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET at = at + 1 WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET name = 'aaa' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET name = 'zzz' WHERE name = 'logs'", Named::Bucket),
    ("UPDATE bucket SET run = 7 WHERE name = 'logs'", Named::Bucket),
    ("DELETE FROM bucket WHERE name = 'logs'", Named::Bucket),
    (
        "INSERT INTO bucket (run, account, name, region, phase, verdict, reason, at)
         VALUES (1, '1', 'forged', 'r', 'judged', 'sealed', 'as_wanted', 1)",
        Named::Nothing,
    ),
    ("UPDATE account SET outcome = 'unread'", Named::Account),
    ("UPDATE account SET directory_buckets = '{\"buckets\":1}'", Named::Account),
    ("UPDATE account SET id = id || '1'", Named::Account),
    ("DELETE FROM account", Named::Account),
    ("INSERT INTO account (run, id, name, state, outcome) VALUES (1, '1', 'n', 'ACTIVE', 'read')", Named::Nothing),
    ("UPDATE run SET caller = 'somebody else'", Named::Run),
    ("UPDATE run SET config_hash = 'another'", Named::Run),
    ("UPDATE run SET started_at = started_at - 1", Named::Run),
    ("UPDATE run SET finished_at = NULL", Named::Run),
    ("UPDATE run SET stage = 'reading', target = '[]', parent = 'r', kind = 'audit'", Named::Run),
    ("UPDATE run SET rollback_request = '{}'", Named::Run),
    ("UPDATE session SET host = 'elsewhere' WHERE number = 2", Named::Run),
    ("UPDATE session SET number = 5 WHERE number = 2", Named::Run),
    ("DELETE FROM session WHERE number = 1", Named::Run),
    (
        "INSERT INTO session SELECT 9, number, command, caller, version, host, pid, config_hash, selection, started_at,
                ended_at, ending, clock_off FROM session WHERE number = 1",
        Named::Nothing,
    ),
];

fn any_tampering() -> impl Strategy<Value = Tampering> {
    let place = || 0..1000_usize;
    let text = prop::sample::select(vec!["account", "region", "bucket", "event", "hash"]);
    let number = prop::sample::select(vec!["at", "run", "seq"]);
    let by = prop_oneof![-100_000..0_i64, 1..100_000_i64];
    prop_oneof![
        6 => (text, place(), place(), 1..=255_u8)
            .prop_map(|(column, entry, place, by)| Tampering::Byte { column, entry, place, by }),
        2 => (number, place(), by).prop_map(|(column, entry, by)| Tampering::Number { column, entry, by }),
        2 => place().prop_map(|entry| Tampering::Removed { entry }),
        2 => (place(), place()).prop_map(|(one, other)| Tampering::Swapped { one, other }),
        1 => Just(Tampering::Added),
        6 => prop::sample::select(TABLES.to_vec()).prop_map(|(sql, of)| Tampering::Table { sql, of }),
    ]
}

/// The entry that a fault must name; `None`: any will do, or none.
fn tamper(connection: &Connection, how: &Tampering) -> Option<i64> {
    let count = count(connection);
    let nth = |entry: usize| 1 + i64::try_from(entry).unwrap() % count;
    let last = |condition: &str| -> i64 {
        connection.query_row(&format!("SELECT max(seq) FROM entry WHERE {condition}"), [], |row| row.get(0)).unwrap()
    };
    match how {
        Tampering::Byte { column, entry, place, by } => {
            let seq = nth(*entry);
            let mut bytes: Vec<u8> = connection
                .query_row(&format!("SELECT {column} FROM entry WHERE seq = ?1"), [seq], |row| {
                    let ValueRef::Text(text) = row.get_ref(0)? else { panic!("{column} is text") };
                    Ok(text.to_vec())
                })
                .unwrap();
            match bytes.len() {
                0 => bytes.push(*by),
                length => bytes[place % length] ^= by,
            }
            let sql = format!("UPDATE entry SET {column} = CAST(?2 AS TEXT) WHERE seq = ?1");
            connection.execute(&sql, params![seq, bytes]).unwrap();
            Some(seq)
        }
        Tampering::Number { column, entry, by } => {
            let seq = nth(*entry);
            let taken = *column == "seq" && (1..=count).contains(&(seq + by));
            let by = if taken { count } else { *by };
            connection
                .execute(&format!("UPDATE entry SET {column} = {column} + ?2 WHERE seq = ?1"), params![seq, by])
                .unwrap();
            // What is numbered before the first one stands in its place.
            Some(if *column == "seq" && by < 0 { 1 } else { seq })
        }
        Tampering::Removed { entry } => {
            let seq = nth(*entry);
            connection.execute("DELETE FROM entry WHERE seq = ?1", [seq]).unwrap();
            // Without the last one the tables say more than the entries.
            (seq < count).then_some(seq)
        }
        Tampering::Swapped { one, other } => {
            let (one, other) = (nth(*one), nth(*other));
            let other = if one == other { one % count + 1 } else { other };
            for (from, to) in [(one, -1), (other, one), (-1, other)] {
                connection.execute("UPDATE entry SET seq = ?2 WHERE seq = ?1", [from, to]).unwrap();
            }
            Some(one.min(other))
        }
        Tampering::Added => {
            connection
                .execute(
                    "INSERT INTO entry SELECT seq + 1, run, at, account, region, bucket, event, hash FROM entry
                     ORDER BY seq DESC LIMIT 1",
                    [],
                )
                .unwrap();
            Some(count + 1)
        }
        Tampering::Table { sql, of } => {
            assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
            match of {
                Named::Bucket => Some(last("bucket = 'logs'")),
                Named::Account => Some(last("account <> '' AND bucket = ''")),
                Named::Run => Some(last("account = ''")),
                Named::Nothing => Some(0),
            }
        }
    }
}

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap()
}

/// A connection that lets one do what one likes.
fn open(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection
}

/// A ledger is made once: copies of it are tampered with.
fn whole() -> &'static [Vec<u8>; 2] {
    static WHOLE: std::sync::OnceLock<[Vec<u8>; 2]> = std::sync::OnceLock::new();
    WHOLE.get_or_init(|| {
        let folder = tempfile::TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(record_something(folder.path()));
        // Everything is in the file itself when the last connection is closed.
        drop(open(folder.path()));
        [FILE, HEAD].map(|name| std::fs::read(folder.path().join(name)).unwrap())
    })
}

fn copy() -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    for (name, bytes) in [FILE, HEAD].iter().zip(whole()) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn found(how: &Tampering) {
    let folder = copy();
    let before = verify(folder.path(), None).unwrap();
    assert!(before.is_sound(), "{:?}", before.fault);
    let connection = open(folder.path());
    assert_eq!(before.sound, count(&connection) as u64);
    let first = tamper(&connection, how);
    let after = verify(folder.path(), None).unwrap();
    let Some(fault) = after.fault else { panic!("{how:?} was not found") };
    if let Some(first) = first {
        assert_eq!(fault.entry, first as u64, "{how:?}: {}", fault.what);
        // What comes before an entry that is at fault is sound, and is said to be.
        let sound = if matches!(how, Tampering::Table { .. }) { before.sound } else { fault.entry - 1 };
        assert_eq!(after.sound, sound, "{how:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn whatever_is_changed_is_found(how in any_tampering()) {
        found(&how);
    }
}

#[test]
fn every_column_that_reports_read_is_compared() {
    for (sql, of) in TABLES {
        found(&Tampering::Table { sql, of });
    }
}

#[test]
fn of_two_tables_the_one_whose_entry_came_first_is_named() {
    let folder = copy();
    let connection = open(folder.path());
    connection
        .execute_batch("UPDATE run SET caller = 'x'; UPDATE bucket SET verdict = 'held' WHERE name <> 'logs'")
        .unwrap();
    let fault = verify(folder.path(), None).unwrap().fault.unwrap();
    assert_eq!(fault.about[2], "reports", "{}", fault.what);
    // What no entry speaks of comes last.
    connection
        .execute("INSERT INTO account (run, id, name, state, outcome) VALUES (1, '1', 'n', 's', 'read')", [])
        .unwrap();
    assert_eq!(verify(folder.path(), None).unwrap().fault.unwrap(), fault);
}

#[test]
fn a_head_that_was_kept_is_found_or_missed() {
    let folder = copy();
    let connection = open(folder.path());
    let verified = verify(folder.path(), None).unwrap();
    assert_eq!(verified.known, None);
    let hash = |seq: i64| -> String {
        connection.query_row("SELECT hash FROM entry WHERE seq = ?1", [seq], |row| row.get(0)).unwrap()
    };
    let (third, last) = (hash(3), verified.head.clone());
    let known = |head: &str| verify(folder.path(), Some(head)).unwrap();
    assert_eq!(known(&third).known, Some(Some(3)));
    assert_eq!(known(&last).known, Some(Some(verified.sound)));
    assert_eq!(known(&chain::genesis(&binding())).known, Some(Some(0)));
    assert!(known(&last).is_sound());
    let strange = known(&"0".repeat(64));
    assert_eq!((strange.known, strange.is_sound(), strange.fault), (Some(None), false, None));
}

#[tokio::test]
async fn verify_looks_at_one_moment_while_another_process_writes() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    let writing = {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            for n in 0..2000 {
                ledger.note(bucket(&format!("b{n:05}")), judged(Verdict::NotSealed)).await.unwrap();
                ledger.flush().await.unwrap();
            }
        })
    };
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            assert_eq!(verify(&path, None).unwrap().fault, None);
        }
    })
    .await
    .unwrap();
    writing.abort();
}
