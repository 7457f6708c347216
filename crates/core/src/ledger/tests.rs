//! The record as a whole: what is written is read back, what is not ours is refused, what is not legal is not written.

mod attacked;
mod damage;
mod tampering;
mod undo;
mod waves;

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
    NewRun {
        id: id.into(),
        kind: "rollout",
        parent: None,
        target: "{}".into(),
        plan: None,
        exemptions: None,
        session: session("rollout"),
    }
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
        clock_off_seconds: None,
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
    BucketEvent::Judged { judgement, encryption: Some(found()), error: None, restore: None, exemption: None }
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
        blocked_types: None,
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
    assert!(matches!(error, LedgerError::Illegal { .. }), "{error}");
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
        ous: Vec::new(),
        directory_buckets: None,
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
        reader.work(&run, Scope::Waiting, None).unwrap(),
        [AccountWork { account: "444455556666".into(), buckets: summary.not_sealed }]
    );
}

#[tokio::test]
async fn after_a_runs_end_the_file_alone_is_the_record() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    ledger.record(&bucket("logs"), judged(Verdict::Sealed)).await.unwrap();
    ledger.finish("finished").await.unwrap();
    // The writer still holds it open, as it does in a process that is about to end.
    let copy = tempfile::TempDir::new().unwrap();
    for name in [FILE, HEAD] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let (whole, alone) = (verify(folder.path(), None).unwrap(), verify(copy.path(), None).unwrap());
    assert_eq!((alone.fault, alone.sound, alone.head), (None, 3, whole.head));
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
        .record(
            &bucket("logs"),
            BucketEvent::Judged { judgement, encryption: None, error: None, restore: None, exemption: None },
        )
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

/// A ledger as the first schema wrote it: a sealed bucket, one whose start never got an answer, and an account.
fn first_schema(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join(FILE)).unwrap();
    connection.execute_batch(schema::FIRST).unwrap();
    connection
        .execute_batch(
            r#"
            INSERT INTO binding VALUES ('o-one', 'aws', 'aws');
            INSERT INTO run VALUES (1, 'rollout-1', 'rollout', 'interrupted', 1000, 2000, 'arn:me', '0.1.0', 'here', 'hash', '');
            INSERT INTO account VALUES (1, '444455556666', 'payments', 'ACTIVE', 'read', NULL);
            PRAGMA user_version = 1;"#,
        )
        .unwrap();
    let judgement = r#"{"verdict":"not_sealed","reason":"sse_s3","observed":null}"#;
    let found = r#"[{"algorithm":"AES256"}]"#;
    let intent =
        r#"{"attempt":1,"client_token":"t","document":"d","document_version":"1","document_hash":"h","parameters":{}}"#;
    let sealed = r#"[{"algorithm":"aws:kms","key":"k","bucket_key":true}]"#;
    let entry = |bucket: &str, event: String| {
        connection
            .execute(
                "INSERT INTO entry (run, at, account, region, bucket, event) VALUES (1, 1500, '444455556666', 'us-east-1', ?1, ?2)",
                rusqlite::params![bucket, event],
            )
            .unwrap();
    };
    for bucket in ["logs", "lost"] {
        entry(bucket, format!(r#"{{"event":"judged","judgement":{judgement},"encryption":{found}}}"#));
        entry(bucket, format!(r#"{{"event":"intended","intent":{intent},"found":{found}}}"#));
    }
    entry("logs", r#"{"event":"started","execution":"e-1"}"#.to_owned());
    entry("logs", r#"{"event":"ended","status":"Success"}"#.to_owned());
    let as_wanted = r#"{"verdict":"sealed","reason":"as_wanted","observed":null}"#;
    entry("logs", format!(r#"{{"event":"read_back","judgement":{as_wanted},"encryption":{sealed}}}"#));
    for (bucket, phase, verdict, execution) in
        [("logs", "settled", "sealed", Some("e-1")), ("lost", "intended", "not_sealed", None)]
    {
        connection
            .execute(
                "INSERT INTO bucket VALUES (1, '444455556666', ?1, 'us-east-1', ?2, ?3, 'sse_s3', NULL, ?4, ?4, ?5, ?6, NULL, NULL, 1500)",
                rusqlite::params![bucket, phase, verdict, found, intent, execution],
            )
            .unwrap();
    }
}

#[tokio::test]
async fn a_ledger_of_the_first_schema_is_brought_forward_and_goes_on() {
    let folder = tempfile::TempDir::new().unwrap();
    first_schema(folder.path());
    // A reader brings it forward as well as a writer does.
    let reader = Reader::open(folder.path()).unwrap();
    let run = reader.run("rollout-1").unwrap();
    let times = |run: &Run| (run.started_at.as_millisecond(), run.finished_at.map(jiff::Timestamp::as_millisecond));
    assert_eq!(times(&run), (1000, Some(2000)), "a run's times are its own, not the migration's");
    assert_eq!(reader.sessions(&run).unwrap()[0].ended_at, run.finished_at);
    assert_eq!(verify(folder.path(), None).unwrap().fault, None);
    assert_eq!(reader.summary(&run).unwrap().started, 1);
    let open = reader.open_buckets(&run, "444455556666", Scope::Open, None).unwrap();
    assert_eq!(open.iter().map(|open| open.bucket.name.as_str()).collect::<Vec<_>>(), ["lost"]);
    let mut touched = Vec::new();
    reader
        .each_touched::<LedgerError>(&run, |open| {
            touched.push((open.bucket.name, open.state.found, open.state.left));
            Ok(())
        })
        .unwrap();
    assert_eq!(touched.len(), 2, "both can be gone back with");
    assert!(touched.iter().all(|(_, found, _)| found.is_some()));
    drop(reader);
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().resume("rollout-1", session("resume")).await.unwrap();
    ledger.record(&bucket("lost"), BucketEvent::NeverStarted).await.unwrap();
    ledger.finish("finished").await.unwrap();
    let verified = verify(folder.path(), None).unwrap();
    assert_eq!(verified.fault, None);
    assert!(verified.sound > 7 + 3);
}

/// A small ledger with a bit of everything in it.
async fn record_something(folder: &Path) {
    let ledger = Ledger::open(folder, &binding()).unwrap().begin(new_run("r")).await.unwrap();
    let record = |outcome| AccountRecord {
        id: "444455556666".into(),
        name: "payments".into(),
        state: "ACTIVE".into(),
        outcome,
        error: None,
        ous: Vec::new(),
        directory_buckets: None,
    };
    ledger.account(record(AccountOutcome::Unread)).await.unwrap();
    for name in ["logs", "reports", "traces"] {
        ledger.record(&bucket(name), judged(Verdict::NotSealed)).await.unwrap();
    }
    ledger.account(record(AccountOutcome::Read)).await.unwrap();
    ledger.stage("changing").await.unwrap();
    ledger.record(&bucket("logs"), intended()).await.unwrap();
    ledger.record(&bucket("logs"), BucketEvent::Started { execution: "e".into() }).await.unwrap();
    ledger.finish("interrupted").await.unwrap();
    let again = ledger.resume("r", session("resume")).await.unwrap();
    again.record(&bucket("logs"), BucketEvent::Ended { status: "Success".into(), message: None }).await.unwrap();
    again.finish("finished").await.unwrap();
    drop((ledger, again));
    wait_until_free(folder);
}

#[tokio::test]
async fn a_clock_that_goes_back_in_a_run_does_not_turn_the_order() {
    let folder = tempfile::TempDir::new().unwrap();
    record_something(folder.path()).await;
    let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    let times: Vec<i64> = connection
        .prepare("SELECT at FROM entry ORDER BY seq")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    // Four minutes are within what machines differ by. A date further ahead came from a clock that was wrong: it is named, and what follows
    // is not dated by it.
    for (ahead, wrong) in [(240_000, false), (600_000, true), (25 * 365 * 86_400_000, true)] {
        let later = jiff::Timestamp::now().as_millisecond() + ahead;
        connection.execute("UPDATE entry SET at = ?1 WHERE seq = (SELECT max(seq) FROM entry)", [later]).unwrap();
        let ledger = Ledger::open(folder.path(), &binding()).unwrap();
        let warning = ledger.dating_warning();
        assert_eq!(warning.as_ref().is_some_and(|text| text.contains("which is in the future")), wrong, "{ahead}");
        let next = ledger.begin(new_run(&format!("next {ahead}"))).await.unwrap();
        next.finish("finished").await.unwrap();
        let last: i64 =
            connection.query_row("SELECT at FROM entry ORDER BY seq DESC LIMIT 1", [], |row| row.get(0)).unwrap();
        let true_time = last - jiff::Timestamp::now().as_millisecond();
        assert!(if wrong { true_time.abs() < 60_000 } else { last == later }, "{ahead}: {last}");
        drop((ledger, next));
        wait_until_free(folder.path());
    }
}
