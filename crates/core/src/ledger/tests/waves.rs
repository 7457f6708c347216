//! Which buckets a wave may have changed, and what is kept of its denials.

use super::*;
use crate::model::{DenialSource, Frequency, KnownDenial, SeenDenial, WaveRecord, WaveState};

const ACCOUNT: &str = "444455556666";

fn in_region(name: &str, region: &str) -> Bucket {
    Bucket { region: region.into(), ..bucket(name) }
}

fn error() -> AwsError {
    AwsError { code: "C".into(), message: "m".into(), hint: "h".into() }
}

fn ended() -> [BucketEvent; 2] {
    let started = BucketEvent::Started { execution: "e".into() };
    let ended: BucketEvent =
        serde_json::from_value(serde_json::json!({ "event": "ended", "status": "Failed" })).unwrap();
    [started, ended]
}

fn read_back(verdict: Verdict) -> BucketEvent {
    let judgement = Judgement { verdict, reason: Reason::SseS3, observed: None };
    BucketEvent::ReadBack { judgement, encryption: None, error: None }
}

#[tokio::test]
async fn a_wave_may_have_changed_what_failed_and_what_could_not_be_read_back() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    let planned = |wave| BucketEvent::Planned { wave, guards: Vec::new(), guarded_at: None };
    let cases: [(&str, &str, u32, Vec<BucketEvent>); 7] = [
        ("failed", "eu-west-1", 1, [&ended()[..], &[read_back(Verdict::Failed)]].concat()),
        ("unread", "eu-west-2", 1, [&ended()[..], &[read_back(Verdict::Unread)]].concat()),
        ("unknown", "eu-west-3", 1, vec![BucketEvent::StartUnknown { error: error() }]),
        ("sealed", "us-east-1", 1, [&ended()[..], &[read_back(Verdict::Sealed)]].concat()),
        ("refused", "us-east-2", 1, vec![BucketEvent::StartRefused { error: error() }]),
        ("never-left", "us-west-1", 1, vec![BucketEvent::NeverStarted]),
        ("of-another-wave", "us-west-2", 2, vec![BucketEvent::StartUnknown { error: error() }]),
    ];
    for (name, region, wave, events) in cases {
        let bucket = in_region(name, region);
        ledger.record(&bucket, judged(Verdict::NotSealed)).await.unwrap();
        ledger.record(&bucket, planned(wave)).await.unwrap();
        ledger.record(&bucket, intended()).await.unwrap();
        for event in events {
            ledger.record(&bucket, event).await.unwrap();
        }
    }
    let reader = Reader::open(folder.path()).unwrap();
    let run = reader.run("r").unwrap();
    let touched = reader.touched_in_wave(&run, 1, ACCOUNT).unwrap();
    let names: Vec<&str> = touched.iter().map(|touched| touched.name.as_str()).collect();
    assert_eq!(names, ["failed", "unread", "unknown", "sealed"]);
    assert!(touched.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].at.as_second() > 0), "{touched:?}");
    // Only what is sealed is compared with what was set.
    let sealed = reader.changed_in_wave(&run, 1, ACCOUNT).unwrap();
    assert!(sealed.len() == 1 && sealed[0].bucket.name == "sealed");
    assert_eq!(reader.accounts_touched_in_wave(&run, 1).unwrap(), [ACCOUNT]);
    assert!(reader.accounts_touched_in_wave(&run, 3).unwrap().is_empty());
}

#[tokio::test]
async fn denials_that_stopped_a_wave_and_how_far_was_read_are_kept() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap().begin(new_run("r")).await.unwrap();
    let at = jiff::Timestamp::from_second(1_796_040_000).unwrap();
    let source = DenialSource {
        principal: "arn:aws:iam::444455556666:role/orders".into(),
        operation: "GenerateDataKey".into(),
        names_key: true,
        bucket: Some("logs".into()),
    };
    let seen = SeenDenial { account: ACCOUNT.into(), region: "us-east-1".into(), source: source.clone(), last: at };
    let mut wave = WaveRecord::new(1, "canary", WaveState::Stopped);
    (wave.denials, wave.accepted_denials) = (vec![seen.clone()], vec![seen]);
    let before = Some(Frequency { count: 3, seconds: 60.5, most: 2 });
    let mark = LookupMark {
        wave: 1,
        account: ACCOUNT.into(),
        region: "us-east-1".into(),
        read_to: at,
        known: vec![KnownDenial { source: source.clone(), before: None }, KnownDenial { source, before }],
        rate: Some(1.5),
        baseline: Some(at),
    };
    ledger.remember_lookup(mark.clone()).await.unwrap();
    // The wave's entry is durable when the call returns, and all before it is.
    ledger.wave(wave.clone()).await.unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let run = reader.run("r").unwrap();
    assert_eq!(reader.waves(&run).unwrap(), [wave]);
    assert_eq!(reader.lookup(&run, 1, ACCOUNT, "us-east-1").unwrap(), Some(mark));
}
