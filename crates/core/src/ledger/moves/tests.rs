//! No order of events breaks the laws.

use proptest::prelude::*;

use super::*;
use crate::model::{Algorithm, GuardOutcome, Severity};

fn judgement(verdict: Verdict) -> Judgement {
    Judgement { verdict, reason: Reason::SseS3, observed: None }
}

fn error() -> AwsError {
    AwsError { code: "X".into(), message: "x".into(), hint: "x".into() }
}

fn encryption() -> DefaultEncryption {
    EncryptionRule { algorithm: Some(Algorithm::SseS3), key: None, bucket_key: None, blocked: None }.into()
}

fn intent(operation: Operation, attempt: u32) -> Intent {
    Intent {
        operation,
        attempt,
        client_token: attempt.to_string(),
        document: "d".into(),
        document_version: "1".into(),
        document_hash: "h".into(),
        parameters: BTreeMap::new(),
        rule: None,
        blocked_types: None,
        earlier: Vec::new(),
    }
}

fn at() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH
}

fn judged(verdict: Verdict, restore: bool) -> BucketEvent {
    let restore = restore
        .then(|| Box::new(Restore { former: encryption(), left: Vec::new(), touched_at: at(), restored_at: None }));
    BucketEvent::Judged {
        judgement: judgement(verdict),
        encryption: Some(encryption()),
        error: None,
        restore,
        exemption: None,
    }
}

fn planned(wave: u32, holds: bool) -> BucketEvent {
    let severity = if holds { Severity::Hold } else { Severity::Warn };
    let finding = GuardFinding {
        guard: "public-access".into(),
        outcome: GuardOutcome::Found,
        severity,
        because: None,
        overridden: !holds,
        says: "x".into(),
        evidence: vec![],
        hint: "x".into(),
        principals: Vec::new(),
    };
    BucketEvent::Planned { wave, guards: vec![finding], guarded_at: None }
}

#[test]
fn what_a_guard_holds_cannot_be_started() {
    let judged = transition(None, &judged(Verdict::NotSealed, false), at()).unwrap();
    let held = transition(Some(&judged), &planned(1, true), at()).unwrap();
    assert_eq!((held.judgement.verdict, held.judgement.reason), (Verdict::Held, Reason::Guarded));
    assert_eq!(held.judgement.observed, Some(Reason::SseS3));
    assert!(transition(Some(&held), &intended(1), at()).is_err());
    let warned = transition(Some(&judged), &planned(2, false), at()).unwrap();
    let started = transition(Some(&warned), &intended(1), at()).unwrap();
    assert_eq!((started.wave, started.guards.len()), (Some(2), 1));
}

fn intended(attempt: u32) -> BucketEvent {
    BucketEvent::Intended { intent: intent(Operation::Seal, attempt), found: encryption() }
}

fn any_event() -> impl Strategy<Value = BucketEvent> {
    let verdict = prop::sample::select(Verdict::ALL.to_vec());
    let operation = prop::sample::select(vec![Operation::Seal, Operation::Restore]);
    prop_oneof![
        // What leads on is more frequent, so that long lives come about.
        4 => prop::sample::select(vec![Verdict::NotSealed, Verdict::NotRestored])
            .prop_map(|verdict| judged(verdict, verdict == Verdict::NotRestored)),
        1 => (verdict.clone(), any::<bool>()).prop_map(|(verdict, restore)| judged(verdict, restore)),
        6 => (operation, 1..5_u32).prop_map(|(operation, attempt)| BucketEvent::Intended {
            intent: intent(operation, attempt),
            found: encryption()
        }),
        1 => Just(BucketEvent::StartRefused { error: error() }),
        1 => Just(BucketEvent::StartUnknown { error: error() }),
        1 => Just(BucketEvent::NeverStarted),
        2 => (1..4_u32, any::<bool>()).prop_map(|(wave, holds)| planned(wave, holds)),
        2 => Just(BucketEvent::Started { execution: "e".into() }),
        1 => Just(BucketEvent::Adopted { execution: "e".into() }),
        3 => prop::sample::select(vec!["Success", "Failed", "InProgress", "Brandnew"])
            .prop_map(|status| BucketEvent::Ended { status: status.into(), message: None }),
        1 => Just(BucketEvent::Overdue { status: None }),
        1 => Just(BucketEvent::RolledBack { run: "rollback".into(), encryption: Some(encryption()) }),
        1 => Just(BucketEvent::Reopened),
        1 => Just(BucketEvent::BlockedTypesRefused { encryption: encryption(), error: error() }),
        3 => verdict.prop_map(|verdict| BucketEvent::ReadBack {
            judgement: judgement(verdict),
            encryption: Some(encryption()),
            error: None
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever order events come in: what is reached was reached by legal moves, and the laws hold on the way.
    #[test]
    fn no_order_of_events_breaks_the_laws(events in prop::collection::vec(any_event(), 0..60)) {
        let mut state: Option<BucketState> = None;
        let (mut tokens, mut starts, mut open, mut changed) = (Vec::new(), 0, false, false);
        for event in &events {
            let before = state.clone();
            let Ok(next) = transition(state.as_ref(), event, at()) else { continue };
            match event {
                BucketEvent::Intended { intent, .. } => {
                    // Law 3: one act at a time, and each has a token of its own.
                    prop_assert!(!open);
                    prop_assert!(!tokens.contains(&intent.client_token));
                    // Law 5: only what was judged to be replaced is touched.
                    let waits = before.as_ref().unwrap().judgement.verdict;
                    prop_assert!(matches!(waits, Verdict::NotSealed | Verdict::NotRestored));
                    tokens.push(intent.client_token.clone());
                    (open, changed) = (true, true);
                }
                // What is redone begins as if it had not been changed: its former configuration was restored.
                BucketEvent::Reopened => {
                    prop_assert!(before.as_ref().unwrap().is_rolled_back());
                    changed = false;
                }
                BucketEvent::Started { .. } | BucketEvent::Adopted { .. } => {
                    prop_assert!(open);
                    starts += 1;
                }
                BucketEvent::StartRefused { .. }
                | BucketEvent::NeverStarted
                | BucketEvent::BlockedTypesRefused { .. }
                | BucketEvent::ReadBack { .. } => {
                    open = false;
                }
                _ => {}
            }
            // Law 7: what has no known outcome counts as in flight.
            prop_assert_eq!(open, matches!(next.phase, Phase::Intended | Phase::Started | Phase::Ended));
            // Law 3: no start without an intent before it.
            prop_assert!(starts <= tokens.len());
            prop_assert_eq!(next.starts as usize, starts);
            prop_assert_eq!(next.attempts() as usize, tokens.len());
            // Law 9: whatever may have been changed has its former configuration kept, and when.
            prop_assert_eq!(next.found.is_some(), changed);
            prop_assert_eq!(next.touched_at.is_some(), changed);
            // Law 4: success is what S3 says, and never said from in between.
            let succeeded = |state: &BucketState| matches!(state.judgement.verdict, Verdict::Sealed | Verdict::Restored);
            if succeeded(&next) {
                let said_by_s3 = matches!(event, BucketEvent::Judged { .. } | BucketEvent::ReadBack { .. });
                prop_assert!(said_by_s3);
                prop_assert!(matches!(next.phase, Phase::Judged | Phase::Settled));
            }
            state = Some(next);
        }
    }
}

/// The state after these events, each of which must be legal.
fn after(events: &[BucketEvent]) -> BucketState {
    let mut state = None;
    for event in events {
        state = Some(transition(state.as_ref(), event, at()).unwrap());
    }
    state.unwrap()
}

#[test]
fn a_held_bucket_is_never_intended() {
    for verdict in Verdict::ALL {
        let state = after(&[judged(verdict, false)]);
        let moved = transition(Some(&state), &intended(1), at());
        assert_eq!(moved.is_ok(), verdict == Verdict::NotSealed, "{verdict:?}");
    }
}

#[test]
fn a_rolled_back_bucket_is_sealed_again_only_after_it_was_reopened() {
    let mut events = vec![judged(Verdict::NotSealed, false), planned(2, false), intended(1)];
    events.extend(failed_with(encryption()));
    let rolled_back = BucketEvent::RolledBack { run: "rollback".into(), encryption: Some(encryption()) };
    assert!(transition(Some(&after(&events[..4])), &rolled_back, at()).is_err(), "it is in flight");
    assert!(transition(Some(&after(&events[..1])), &rolled_back, at()).is_err(), "it was not changed");
    events.push(rolled_back.clone());
    let state = after(&events);
    assert_eq!((state.phase, state.judgement.verdict), (Phase::Settled, Verdict::NotSealed));
    assert!(state.is_rolled_back() && state.found.is_some(), "a second rollback still knows what was there before");
    for event in [judged(Verdict::NotSealed, false), planned(2, false), intended(2)] {
        assert!(transition(Some(&state), &event, at()).is_err(), "{event:?}");
    }
    events.push(BucketEvent::Reopened);
    let open = after(&events);
    assert_eq!((open.wave, open.guarded_at, open.guards.len(), open.touched_at), (Some(2), None, 0, None));
    assert!(transition(Some(&open), &BucketEvent::Reopened, at()).is_err());
    // Judged, guarded and changed anew: the next rollback goes back to what is there now.
    let theirs: DefaultEncryption =
        EncryptionRule { algorithm: Some(Algorithm::SseKms), key: Some("x".into()), ..EncryptionRule::SSE_S3 }.into();
    events.extend([judged(Verdict::NotSealed, false), planned(2, false)]);
    assert!(transition(Some(&after(&events)), &intended(1), at()).is_err(), "an attempt's number never comes twice");
    events.push(BucketEvent::Intended { intent: intent(Operation::Seal, 2), found: theirs.clone() });
    assert_eq!(after(&events).found, Some(theirs));
}

#[test]
fn an_unknown_status_is_no_end() {
    let state =
        after(&[judged(Verdict::NotSealed, false), intended(1), BucketEvent::Started { execution: "e".into() }]);
    let ended = |status: &str| BucketEvent::Ended { status: status.into(), message: None };
    assert!(transition(Some(&state), &ended("Brandnew"), at()).is_err());
    assert!(transition(Some(&state), &ended("Success"), at()).is_ok());
}

/// Read back as `shown`, without success.
fn failed_with(shown: DefaultEncryption) -> Vec<BucketEvent> {
    vec![
        BucketEvent::Started { execution: "e".into() },
        BucketEvent::Ended { status: "Success".into(), message: None },
        BucketEvent::ReadBack { judgement: judgement(Verdict::Failed), encryption: Some(shown), error: None },
    ]
}

#[test]
fn a_new_attempt_keeps_the_configuration_from_before_the_first_one() {
    let wrong: DefaultEncryption =
        EncryptionRule { algorithm: Some(Algorithm::SseKms), key: Some("w".into()), ..EncryptionRule::SSE_S3 }.into();
    let mut events = vec![judged(Verdict::NotSealed, false), intended(1)];
    events.extend(failed_with(wrong.clone()));
    events.push(judged(Verdict::NotSealed, false));
    // The second attempt finds what the first one left: that is not what a rollback goes back to.
    let again =
        |found: &DefaultEncryption| BucketEvent::Intended { intent: intent(Operation::Seal, 2), found: found.clone() };
    let state = after(&events);
    assert_eq!(transition(Some(&state), &again(&wrong), at()).unwrap().found, Some(encryption()));
    // What somebody else put there in between is.
    let theirs: DefaultEncryption =
        EncryptionRule { algorithm: Some(Algorithm::SseKms), key: Some("x".into()), ..EncryptionRule::SSE_S3 }.into();
    assert_eq!(transition(Some(&state), &again(&theirs), at()).unwrap().found, Some(theirs));
    // And an attempt's number never comes twice.
    assert!(transition(Some(&state), &intended(1), at()).is_err());
}

#[test]
fn a_bucket_whose_element_was_refused_waits_for_another_start() {
    let refused = BucketEvent::BlockedTypesRefused { encryption: encryption(), error: error() };
    let ended = vec![
        judged(Verdict::NotSealed, false),
        intended(1),
        BucketEvent::Started { execution: "e".into() },
        BucketEvent::Ended { status: "Failed".into(), message: None },
    ];
    let state = transition(Some(&after(&ended)), &refused, at()).unwrap();
    assert_eq!((state.phase, state.judgement.verdict), (Phase::Judged, Verdict::NotSealed));
    assert_eq!(state.judgement.reason, Reason::BlockedTypesUnknown);
    assert!(transition(Some(&state), &intended(2), at()).is_ok());
    assert!(transition(Some(&after(&ended[..3])), &refused, at()).is_err(), "not before the execution has ended");
}

#[test]
fn entries_of_earlier_versions_are_read_as_these_versions_read_them() {
    let blocking = |kind: Option<&str>| {
        let blocked = kind.map(|kind| vec![kind.to_owned()]);
        DefaultEncryption::from(EncryptionRule { blocked, ..EncryptionRule::SSE_S3 })
    };
    let mut events = vec![judged(Verdict::NotSealed, false), intended(1)];
    events.extend(failed_with(blocking(None)));
    events.push(judged(Verdict::NotSealed, false));
    let state = after(&events);
    let found_again = |blocked_types: Option<BlockedTypesElement>| {
        let intent = Intent { blocked_types, ..intent(Operation::Seal, 2) };
        let event = BucketEvent::Intended { intent, found: blocking(Some("NONE")) };
        transition(Some(&state), &event, at()).unwrap().found.unwrap()
    };
    assert_eq!(found_again(None), blocking(Some("NONE")), "these took NONE for a change by somebody else");
    assert_eq!(found_again(Some(BlockedTypesElement::Sent)), encryption(), "nothing was changed");
}

#[test]
fn a_block_that_s3_began_to_return_belongs_to_the_configuration_to_go_back_to() {
    let blocking = |kind: Option<&str>| {
        let blocked = kind.map(|kind| vec![kind.to_owned()]);
        DefaultEncryption::from(EncryptionRule { blocked, ..EncryptionRule::SSE_S3 })
    };
    let intended_as = |blocked_types, attempt, found: DefaultEncryption| BucketEvent::Intended {
        intent: Intent { blocked_types, ..intent(Operation::Seal, attempt) },
        found,
    };
    // An earlier version's attempt failed when S3 did not return the element; the next one finds that SSE-C is blocked.
    for read_back in [Some(blocking(None)), None] {
        let mut events = vec![judged(Verdict::NotSealed, false), intended_as(None, 1, blocking(None))];
        events.extend(failed_with(blocking(None)));
        let Some(BucketEvent::ReadBack { encryption, .. }) = events.last_mut() else {
            panic!("a read-back comes last")
        };
        *encryption = read_back;
        events.push(judged(Verdict::NotSealed, false));
        let state = after(&events);
        let found = |element| {
            let event = intended_as(element, 2, blocking(Some("SSE-C")));
            transition(Some(&state), &event, at()).unwrap().found.unwrap()
        };
        assert_eq!(found(Some(BlockedTypesElement::Sent)), blocking(Some("SSE-C")));
    }
    // Where an attempt left the block there, it is our own doing.
    let mut events =
        vec![judged(Verdict::NotSealed, false), intended_as(Some(BlockedTypesElement::Omitted), 1, blocking(None))];
    events.extend(failed_with(blocking(Some("SSE-C"))));
    events.push(judged(Verdict::NotSealed, false));
    let event = intended_as(Some(BlockedTypesElement::Sent), 2, blocking(Some("SSE-C")));
    assert_eq!(transition(Some(&after(&events)), &event, at()).unwrap().found, Some(blocking(None)));
}

#[test]
fn an_intent_without_an_answer_is_adopted_or_given_up() {
    let unknown = vec![judged(Verdict::NotSealed, false), intended(1), BucketEvent::StartUnknown { error: error() }];
    let state = after(&unknown);
    assert_eq!((state.phase, state.judgement.verdict), (Phase::Intended, Verdict::Failed));
    let adopted = transition(Some(&state), &BucketEvent::Adopted { execution: "e".into() }, at()).unwrap();
    assert_eq!((adopted.phase, adopted.judgement.verdict, adopted.starts), (Phase::Started, Verdict::NotSealed, 1));
    let never = transition(Some(&state), &BucketEvent::NeverStarted, at()).unwrap();
    assert_eq!((never.phase, never.judgement.reason, never.starts), (Phase::Judged, Reason::NeverStarted, 0));
    assert_eq!(transition(Some(&never), &intended(2), at()).unwrap().attempts(), 2);
}
