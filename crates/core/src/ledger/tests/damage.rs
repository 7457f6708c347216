//! A file that is damaged, cut off or no database at all: an error in words or a fault that is named, and never a panic.

use super::*;

fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        record_something(folder.path()).await;
        let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("long")).await.unwrap();
        for n in 0..2000 {
            ledger.note(bucket(&format!("b{n:05}")), judged(Verdict::NotSealed)).await.unwrap();
        }
        ledger.finish("finished").await.unwrap();
    });
    wait_until_free(folder.path());
    let file = folder.path().join(FILE);
    // Closed by the last connection, the file is whole without its log.
    drop(rusqlite::Connection::open(&file).unwrap());
    let mut bytes = std::fs::read(&file).unwrap();
    change(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    folder
}

fn refused(folder: &Path) {
    for error in [Ledger::open(folder, &binding()).err().unwrap(), verify(folder, None).err().unwrap()] {
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(FILE), "{error}");
    }
}

#[test]
fn what_is_no_database_or_cut_off_is_refused_in_words() {
    refused(damaged(|bytes| *bytes = b"I am a letter, and no database at all.".repeat(40)).path());
    refused(damaged(|bytes| bytes.truncate(bytes.len() / 3)).path());
}

#[test]
fn bytes_overwritten_in_the_middle_are_a_fault_with_its_place() {
    let mut found = 0;
    for part in 1..8 {
        let folder = damaged(|bytes| {
            let page = bytes.len() * part / 8 / 4096 * 4096;
            bytes[page..page + 4096].fill(0xa5);
        });
        match verify(folder.path(), None) {
            Ok(verified) => {
                assert!(!verified.is_sound(), "part {part}");
                found += 1;
            }
            Err(error) => assert!(matches!(error, LedgerError::Damaged { .. }), "{error}"),
        }
    }
    assert!(found > 0, "where the first pages are whole it is said how far the entries are sound");
}

#[test]
fn damage_that_no_entry_and_no_table_shows_is_found_by_sqlite() {
    let folder = damaged(|_| {});
    let file = folder.path().join(FILE);
    let connection = rusqlite::Connection::open(&file).unwrap();
    let page: usize = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'under_way'", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let verified = verify(folder.path(), None).unwrap();
    assert!(verified.sound > 2000);
    let fault = verified.fault.unwrap();
    assert_eq!(fault.entry, 0, "{}", fault.what);
    assert!(fault.what.contains("damaged"), "{}", fault.what);
}
