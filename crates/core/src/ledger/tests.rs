//! The record as a whole: what is written is read back, what is not ours is refused, what is not legal is not written.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::model::{
    AccountOutcome, AccountRecord, Algorithm, AwsError, Bucket, DefaultEncryption, EncryptionRule, Finding, Judgement,
    Operation, Reason, Verdict,
};

fn binding() -> Binding {
    Binding { organization: "o-one".into(), partition: "aws".into(), endpoint: "aws".into() }
}

fn new_run(id: &str) -> NewRun {
    NewRun { id: id.into(), kind: "rollout", parent: None, target: "{}".into(), session: session("rollout") }
}

fn session(command: &str) -> NewSession {
    NewSession {
        command: command.into(),
        caller: "arn:aws:iam::111122223333:role/orgseal".into(),
        version: "0".into(),
        host: "here".into(),
        pid: 1,
        config_hash: "hash".into(),
        selection: String::new(),
    }
}

fn bucket(name: &str) -> Bucket {
    Bucket { account: "444455556666".into(), region: "us-east-1".into(), name: name.into() }
}

fn found() -> DefaultEncryption {
    EncryptionRule {
        algorithm: Some(Algorithm::SseS3),
        key: None,
        bucket_key: None,
        blocked: Some(vec!["SSE-C".into()]),
    }
    .into()
}

fn judged(verdict: Verdict) -> BucketEvent {
    let judgement = Judgement { verdict, reason: Reason::SseS3, observed: None };
    BucketEvent::Judged { judgement, encryption: Some(found()), error: None, restore: None }
}

fn intended() -> BucketEvent {
    let intent = Intent {
        operation: Operation::Seal,
        attempt: 1,
        client_token: "token".into(),
        document: "d".into(),
        document_version: "1".into(),
        document_hash: "h".into(),
        parameters: BTreeMap::from([("BucketName".into(), vec!["logs".into()])]),
        rule: None,
        earlier: Vec::new(),
    };
    BucketEvent::Intended { intent, found: found() }
}

/// Makes a ledger and closes it.
fn make(folder: &Path) {
    drop(Ledger::open(folder, &binding()).unwrap());
    wait_until_free(folder);
}

/// The writer's thread lets go of the lock when the last handle is gone.
fn wait_until_free(folder: &Path) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while matches!(lock::Lock::take(folder), Err(LedgerError::Busy { .. })) {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn findings(folder: &Path, run: &str) -> Vec<Finding> {
    let reader = Reader::open(folder).unwrap();
    let run = reader.run(run).unwrap();
    let mut all = Vec::new();
    reader
        .each_finding(&run, |finding| {
            all.push(finding);
            Ok::<(), LedgerError>(())
        })
        .unwrap();
    all
}

#[tokio::test]
async fn what_is_recorded_is_durable_when_the_call_returns() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    ledger.record(&bucket("logs"), judged(Verdict::NotSealed)).await.unwrap();
    let state = ledger.record(&bucket("logs"), intended()).await.unwrap();
    assert_eq!(state.phase, Phase::Intended);
    // Read through another connection, as another process would.
    let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    let (phase, kept, intent): (String, String, String) = connection
        .query_row("SELECT phase, found, intent FROM bucket", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(phase, "intended");
    assert_eq!(serde_json::from_str::<DefaultEncryption>(&kept).unwrap(), found());
    assert!(intent.contains("token"));
    let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(journal, "wal");
}

#[tokio::test]
async fn an_illegal_move_is_told_and_leaves_no_trace() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    ledger.record(&bucket("logs"), judged(Verdict::Held)).await.unwrap();
    let error = ledger.record(&bucket("logs"), intended()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Illegal(_)), "{error}");
    ledger.record(&bucket("other"), judged(Verdict::Sealed)).await.unwrap();
    let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    let entries: i64 = connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
    assert_eq!(entries, 3, "the run's beginning, and two judgements");
}

#[tokio::test]
async fn notes_are_durable_when_the_run_is_finished_and_the_sums_agree() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    for (n, verdict) in Verdict::OF_SEALING.iter().copied().cycle().take(10_000).enumerate() {
        ledger.note(bucket(&format!("b{n:05}")), judged(verdict)).await.unwrap();
    }
    let unread = AccountRecord {
        id: "777788889999".into(),
        name: "closed".into(),
        state: "SUSPENDED".into(),
        outcome: AccountOutcome::Unread,
        error: Some(AwsError { code: "c".into(), message: "m".into(), hint: "h".into() }),
    };
    ledger.account(unread).await.unwrap();
    ledger.finish("finished").await.unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let run = reader.newest_run().unwrap().unwrap();
    assert_eq!((run.id.as_str(), run.state.as_str()), ("r", "finished"));
    let summary = reader.summary(&run).unwrap();
    assert_eq!(summary.buckets, 10_000);
    assert_eq!(
        summary.buckets,
        summary.sealed + summary.not_sealed + summary.held + summary.exempt + summary.unread + summary.failed
    );
    assert_eq!((summary.accounts, summary.accounts_unread), (1, 1));
    assert_eq!(reader.reasons(&run).unwrap().iter().map(|count| count.buckets).sum::<u64>(), 10_000);
    assert_eq!(
        reader.work(&run, Scope::Waiting).unwrap(),
        [AccountWork { account: "444455556666".into(), buckets: summary.not_sealed }]
    );
}

#[tokio::test]
async fn a_note_that_is_illegal_stops_the_record() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    ledger.note(bucket("logs"), BucketEvent::Started { execution: "e".into() }).await.unwrap();
    assert!(ledger.finish("finished").await.is_err());
    assert!(ledger.record(&bucket("logs"), judged(Verdict::Sealed)).await.is_err());
}

#[tokio::test]
async fn runs_are_told_apart() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap();
    for (run, verdict) in [("first", Verdict::NotSealed), ("second", Verdict::Sealed)] {
        let ledger = ledger.begin(new_run(run)).await.unwrap();
        ledger.record(&bucket("logs"), judged(verdict)).await.unwrap();
        ledger.finish("finished").await.unwrap();
    }
    assert_eq!(findings(folder.path(), "first")[0].judgement.verdict, Verdict::NotSealed);
    assert_eq!(findings(folder.path(), "second")[0].judgement.verdict, Verdict::Sealed);
    assert!(matches!(Reader::open(folder.path()).unwrap().run("third"), Err(LedgerError::NoSuchRun(_))));
}

#[tokio::test]
async fn a_hold_keeps_the_configuration_that_was_read() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    ledger.record(&bucket("logs"), judged(Verdict::NotSealed)).await.unwrap();
    let judgement = Judgement { verdict: Verdict::Held, reason: Reason::KeyNotUsable, observed: None };
    ledger
        .record(&bucket("logs"), BucketEvent::Judged { judgement, encryption: None, error: None, restore: None })
        .await
        .unwrap();
    assert_eq!(findings(folder.path(), "r")[0].encryption, Some(found()));
}

#[test]
fn one_writer_at_a_time() {
    let folder = tempfile::TempDir::new().unwrap();
    let first = Ledger::open(folder.path(), &binding()).unwrap();
    assert!(matches!(Ledger::open(folder.path(), &binding()), Err(LedgerError::Busy { .. })));
    assert!(matches!(discard(folder.path()), Err(LedgerError::Busy { .. })));
    assert!(Reader::open(folder.path()).is_ok(), "readers are welcome");
    drop(first);
    wait_until_free(folder.path());
}

#[test]
fn another_organization_partition_or_endpoint_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    make(folder.path());
    for other in [
        Binding { organization: "o-two".into(), ..binding() },
        Binding { partition: "aws-cn".into(), ..binding() },
        Binding { endpoint: "http://127.0.0.1:5000".into(), ..binding() },
    ] {
        assert!(matches!(Ledger::open(folder.path(), &other), Err(LedgerError::Bound { .. })), "{other:?}");
    }
}

#[test]
fn a_newer_ledger_and_none_at_all_are_said_in_words() {
    let folder = tempfile::TempDir::new().unwrap();
    assert!(matches!(Reader::open(folder.path()), Err(LedgerError::Missing { .. })));
    make(folder.path());
    let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Ledger::open(folder.path(), &binding()).err().unwrap();
    assert!(error.to_string().contains("use a newer orgseal"), "{error}");
    assert!(matches!(Reader::open(folder.path()), Err(LedgerError::Newer { .. })));
}

#[test]
fn only_what_orgseal_made_is_discarded() {
    let folder = tempfile::TempDir::new().unwrap();
    let state = folder.path().join("state");
    make(&state);
    std::fs::write(state.join("letters.txt"), "dear").unwrap();
    let error = discard(&state).unwrap_err();
    assert!(error.to_string().contains("letters.txt"), "{error}");
    std::fs::remove_file(state.join("letters.txt")).unwrap();
    discard(&state).unwrap();
    assert!(!state.exists());
}
