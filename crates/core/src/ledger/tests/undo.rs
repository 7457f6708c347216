//! What a rollback restores shows in its campaign, and only a redo opens it again.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Restore, WaveRecord, WaveState};

fn planned(wave: u32) -> BucketEvent {
    BucketEvent::Planned { wave, guards: Vec::new(), guarded_at: None }
}

fn sealing() -> [BucketEvent; 3] {
    let sealed = Judgement { verdict: Verdict::Sealed, reason: Reason::AsWanted, observed: None };
    [
        BucketEvent::Started { execution: "e".into() },
        BucketEvent::Ended { status: "Success".into(), message: None },
        BucketEvent::ReadBack { judgement: sealed, encryption: None, error: None },
    ]
}

/// A campaign with a bucket in wave 1, two in wave 2 and one that waits in wave 3; the last one's change of wave 2 has no outcome.
async fn campaign(ledger: &Ledger) -> Ledger {
    let campaign = ledger.begin(new_run("rollout")).await.unwrap();
    for (name, wave) in [("canary", 1), ("one", 2), ("two", 2), ("lost", 2), ("later", 3)] {
        campaign.record(&bucket(name), judged(Verdict::NotSealed)).await.unwrap();
        campaign.record(&bucket(name), planned(wave)).await.unwrap();
        if wave < 3 {
            campaign.record(&bucket(name), intended()).await.unwrap();
        }
        if wave < 3 && name != "lost" {
            for event in sealing() {
                campaign.record(&bucket(name), event).await.unwrap();
            }
        }
    }
    for (wave, state) in [(1, WaveState::Done), (2, WaveState::Stopped), (3, WaveState::Pending)] {
        campaign.wave(WaveRecord::new(wave, "w", state)).await.unwrap();
    }
    campaign.finish("stopped: wave").await.unwrap();
    campaign
}

fn to_restore(verdict: Verdict, reason: Reason) -> BucketEvent {
    let restore = Restore { former: found(), left: Vec::new(), touched_at: jiff::Timestamp::now(), restored_at: None };
    BucketEvent::Judged {
        judgement: Judgement { verdict, reason, observed: None },
        encryption: Some(found()),
        error: None,
        restore: Some(Box::new(restore)),
        exemption: None,
    }
}

/// A rollback that finds these buckets as they were before, up to its end in this state.
async fn rollback(ledger: &Ledger, id: &str, target: &str, selection: &str, names: &[&str], state: &'static str) {
    let session = NewSession { selection: selection.into(), ..session("rollback") };
    let (parent, target) = (Some("rollout".to_owned()), target.to_owned());
    let run = NewRun { kind: "rollback", parent, target, session, ..new_run(id) };
    let rollback = ledger.begin(run).await.unwrap();
    for name in names {
        rollback.record(&bucket(name), to_restore(Verdict::Restored, Reason::AsBefore)).await.unwrap();
    }
    rollback.finish(state).await.unwrap();
}

fn states(folder: &Path) -> Vec<(WaveState, Option<u64>)> {
    let reader = Reader::open(folder).unwrap();
    let waves = reader.waves(&reader.run("rollout").unwrap()).unwrap();
    waves.into_iter().map(|wave| (wave.state, wave.rolled_back.map(|rollback| rollback.buckets))).collect()
}

fn work(folder: &Path, scope: Scope, wave: u32) -> Vec<String> {
    let reader = Reader::open(folder).unwrap();
    let run = reader.run("rollout").unwrap();
    let open = reader.open_buckets(&run, &bucket("one").account, scope, Some(wave)).unwrap();
    open.into_iter().map(|open| open.bucket.name).collect()
}

#[tokio::test]
async fn a_rollback_shows_in_its_campaign_and_only_a_redo_opens_it_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = Ledger::open(folder.path(), &binding()).unwrap();
    campaign(&ledger).await;
    // A look at it changes nothing.
    rollback(&ledger, "look", r#"{"wave":2}"#, "", &["one", "two"], "dry_run").await;
    assert_eq!(states(folder.path())[1], (WaveState::Stopped, None));
    // A part of the wave: it says how many.
    rollback(&ledger, "part", r#"{"wave":2}"#, "bucket one", &["one"], "finished").await;
    assert_eq!(states(folder.path())[1], (WaveState::Stopped, Some(1)));
    rollback(&ledger, "whole", r#"{"wave":2}"#, "", &["one", "two"], "finished").await;
    let (done, rolled_back) = ((WaveState::Done, None), (WaveState::RolledBack, Some(2)));
    assert_eq!(states(folder.path()), [done, rolled_back, (WaveState::Pending, None)]);
    // Once more: nothing of what is known changes.
    rollback(&ledger, "again", r#"{"wave":2}"#, "", &["one", "two"], "finished").await;
    {
        let reader = Reader::open(folder.path()).unwrap();
        let run = reader.run("rollout").unwrap();
        assert_eq!(reader.waves(&run).unwrap()[1].rolled_back.as_ref().unwrap().by, "whole");
        let now = reader.rolled_back(&run).unwrap().unwrap();
        assert_eq!((now.buckets, now.first_whole()), (2, Some(2)));
        assert_eq!(reader.undone_unrecorded(&run).unwrap().map(|run| run.id), None);
        let summary = reader.summary(&run).unwrap();
        assert_eq!((summary.sealed, summary.not_sealed), (1, 4));
        assert_eq!(reader.to_change(&run).unwrap().iter().map(|line| line.3).sum::<u64>(), 2, "neither of the two");
        assert_eq!(reader.accounts_touched_in_wave(&run, 2).unwrap().len(), 1, "one start has no outcome");
    }
    for scope in [Scope::Waiting, Scope::Open, Scope::OpenAndFailed] {
        assert_eq!(work(folder.path(), scope, 2), ["lost"], "{scope:?}");
    }
    // Redone: what was rolled back waits, and is approved as before.
    let redone = ledger.redo("rollout", session("resume"), BTreeSet::from([2])).await.unwrap();
    assert_eq!(work(folder.path(), Scope::Waiting, 2), ["lost", "one", "two"]);
    assert_eq!(states(folder.path())[1], (WaveState::Approved, None));
    let again = Intent {
        attempt: 2,
        client_token: "token-2".into(),
        ..match intended() {
            BucketEvent::Intended { intent, .. } => intent,
            _ => unreachable!(),
        }
    };
    redone.record(&bucket("one"), judged(Verdict::NotSealed)).await.unwrap();
    redone.record(&bucket("one"), planned(2)).await.unwrap();
    redone.record(&bucket("one"), BucketEvent::Intended { intent: again, found: found() }).await.unwrap();
    for event in sealing() {
        redone.record(&bucket("one"), event).await.unwrap();
    }
    {
        let reader = Reader::open(folder.path()).unwrap();
        let run = reader.run("rollout").unwrap();
        let wave = &reader.waves(&run).unwrap()[1];
        let sealed = wave.sealed_earlier.unwrap();
        assert!(sealed.from <= sealed.until, "{sealed:?}");
        let redone_at = reader.touched_in_wave(&run, 2, &bucket("one").account).unwrap()[1].at;
        assert!(redone_at >= sealed.until, "the wave is watched from its new change on");
        // An old rollback says nothing of what was sealed after it.
        assert!(reader.undone_unrecorded(&run).unwrap().is_none() && reader.rolled_back(&run).unwrap().is_none());
    }
    drop((redone, ledger));
    wait_until_free(folder.path());
    assert_eq!(verify(folder.path(), None).unwrap().fault, None);
}
