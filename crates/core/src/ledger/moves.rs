//! The legal moves of a bucket's life in a run. Used when something happens, and when it is read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    AwsError, Bucket, DefaultEncryption, Execution, ExecutionStatus, Finding, Judgement, Reason, Verdict,
};

/// How far a bucket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was read (or could not be), and judged.
    Judged,
    /// A start is about to leave, or has left without an answer. It counts as in flight.
    Intended,
    /// The execution is known. It counts as in flight.
    Started,
    /// The execution has ended; S3 was not asked yet.
    Ended,
    /// The outcome is known.
    Settled,
}

impl Phase {
    /// The name in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Judged => "judged",
            Phase::Intended => "intended",
            Phase::Started => "started",
            Phase::Ended => "ended",
            Phase::Settled => "settled",
        }
    }
}

/// What is about to be started, whole: a repeat sends the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Counts from 1.
    pub attempt: u32,
    /// `ClientToken`.
    pub client_token: String,
    /// Document name or ARN.
    pub document: String,
    /// The document's version, a number.
    pub document_version: String,
    /// SHA-256 of the document's content.
    pub document_hash: String,
    /// Values by parameter.
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// Something that happened to a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BucketEvent {
    /// It was read, or could not be, and judged.
    Judged {
        /// What is said of it.
        judgement: Judgement,
        /// What was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encryption: Option<DefaultEncryption>,
        /// Why it could not be read, or is held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<AwsError>,
    },
    /// A start is about to leave. `found` is the configuration read right before, kept whole for the way back.
    Intended {
        /// What is about to be started.
        intent: Intent,
        /// The configuration before the change.
        found: DefaultEncryption,
    },
    /// AWS refused the start: nothing runs.
    StartRefused {
        /// Why.
        error: AwsError,
    },
    /// No clear answer to the start came: it may run.
    StartUnknown {
        /// What came instead.
        error: AwsError,
    },
    /// The execution's id is known.
    Started {
        /// `AutomationExecutionId`.
        execution: String,
    },
    /// The execution has ended.
    Ended {
        /// With which status.
        status: ExecutionStatus,
        /// The failed step and its message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The execution did not end within the campaign's time limit. It may still act.
    Overdue {
        /// The last status seen.
        status: Option<ExecutionStatus>,
    },
    /// S3 was asked after the execution.
    ReadBack {
        /// `sealed`, `failed` or `unread`.
        judgement: Judgement,
        /// What S3 shows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encryption: Option<DefaultEncryption>,
        /// Why S3 could not be asked, or why the execution failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<AwsError>,
    },
}

impl BucketEvent {
    /// The name in the ledger.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            BucketEvent::Judged { .. } => "judged",
            BucketEvent::Intended { .. } => "intended",
            BucketEvent::StartRefused { .. } => "start_refused",
            BucketEvent::StartUnknown { .. } => "start_unknown",
            BucketEvent::Started { .. } => "started",
            BucketEvent::Ended { .. } => "ended",
            BucketEvent::Overdue { .. } => "overdue",
            BucketEvent::ReadBack { .. } => "read_back",
        }
    }
}

/// Where a bucket stands: the fold of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketState {
    /// How far it has come.
    pub phase: Phase,
    /// What is said of it.
    pub judgement: Judgement,
    /// The configuration last read.
    pub encryption: Option<DefaultEncryption>,
    /// The configuration before the change.
    pub found: Option<DefaultEncryption>,
    /// What was about to be started.
    pub intent: Option<Intent>,
    /// The execution.
    pub execution: Option<Execution>,
    /// What went wrong.
    pub error: Option<AwsError>,
}

impl BucketState {
    /// What reports show of it.
    #[must_use]
    pub fn finding(&self, bucket: Bucket) -> Finding {
        Finding {
            bucket,
            judgement: self.judgement,
            encryption: self.encryption.clone(),
            execution: self.execution.clone(),
            error: self.error.clone(),
        }
    }
}

/// A move that a bucket's life does not know: a fault of the program, never a warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` cannot happen to a bucket that is {from}")]
pub struct IllegalMove {
    /// Where the bucket stood.
    pub from: &'static str,
    /// What was said to happen.
    pub event: &'static str,
}

fn failed(reason: Reason) -> Judgement {
    Judgement { verdict: Verdict::Failed, reason, observed: None }
}

/// The state after an event, or the reason why it cannot happen.
pub fn transition(state: Option<&BucketState>, event: &BucketEvent) -> Result<BucketState, IllegalMove> {
    let illegal = || IllegalMove { from: state.map_or("new", |state| state.phase.as_str()), event: event.name() };
    let at = |phase: Phase| state.filter(|state| state.phase == phase).cloned().ok_or_else(illegal);
    match event {
        BucketEvent::Judged { judgement, encryption, error } => {
            // Judged anew right before the start is legal; afterwards only S3's answer counts.
            if state.is_some_and(|state| state.phase != Phase::Judged) {
                return Err(illegal());
            }
            Ok(BucketState {
                phase: Phase::Judged,
                judgement: *judgement,
                // A hold says nothing new of the configuration: the last one read stands.
                encryption: encryption.clone().or_else(|| state.and_then(|state| state.encryption.clone())),
                found: None,
                intent: None,
                execution: None,
                error: error.clone(),
            })
        }
        BucketEvent::Intended { intent, found } => {
            let before = at(Phase::Judged)?;
            if before.judgement.verdict != Verdict::NotSealed {
                return Err(illegal());
            }
            Ok(BucketState {
                phase: Phase::Intended,
                encryption: Some(found.clone()),
                found: Some(found.clone()),
                intent: Some(intent.clone()),
                ..before
            })
        }
        BucketEvent::StartRefused { error } => Ok(BucketState {
            phase: Phase::Settled,
            judgement: failed(Reason::StartRefused),
            error: Some(error.clone()),
            ..at(Phase::Intended)?
        }),
        BucketEvent::StartUnknown { error } => Ok(BucketState {
            judgement: failed(Reason::OutcomeUnknown),
            error: Some(error.clone()),
            ..at(Phase::Intended)?
        }),
        BucketEvent::Started { execution } => Ok(BucketState {
            phase: Phase::Started,
            execution: Some(Execution { id: execution.clone(), status: None }),
            ..at(Phase::Intended)?
        }),
        BucketEvent::Ended { status, .. } => {
            let before = at(Phase::Started)?;
            if !status.has_ended() {
                return Err(illegal());
            }
            let execution =
                before.execution.clone().map(|execution| Execution { status: Some(status.clone()), ..execution });
            Ok(BucketState { phase: Phase::Ended, execution, ..before })
        }
        BucketEvent::Overdue { status } => {
            let before = at(Phase::Started)?;
            let execution = before.execution.clone().map(|execution| Execution { status: status.clone(), ..execution });
            Ok(BucketState { judgement: failed(Reason::ExecutionTimedOut), execution, ..before })
        }
        BucketEvent::ReadBack { judgement, encryption, error } => {
            let before = at(Phase::Ended)?;
            if !matches!(judgement.verdict, Verdict::Sealed | Verdict::Failed | Verdict::Unread) {
                return Err(illegal());
            }
            Ok(BucketState {
                phase: Phase::Settled,
                judgement: *judgement,
                encryption: encryption.clone().or(before.encryption.clone()),
                error: error.clone(),
                ..before
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Algorithm, EncryptionRule};

    fn judgement(verdict: Verdict) -> Judgement {
        Judgement { verdict, reason: Reason::SseS3, observed: None }
    }

    fn error() -> AwsError {
        AwsError { code: "X".into(), message: "x".into(), hint: "x".into() }
    }

    fn encryption() -> DefaultEncryption {
        EncryptionRule { algorithm: Some(Algorithm::SseS3), key: None, bucket_key: None, blocked: None }.into()
    }

    fn intent() -> Intent {
        Intent {
            attempt: 1,
            client_token: "t".into(),
            document: "d".into(),
            document_version: "1".into(),
            document_hash: "h".into(),
            parameters: BTreeMap::new(),
        }
    }

    fn any_event() -> impl Strategy<Value = BucketEvent> {
        let verdict = prop::sample::select(Verdict::ALL.to_vec());
        prop_oneof![
            verdict.clone().prop_map(|verdict| BucketEvent::Judged {
                judgement: judgement(verdict),
                encryption: Some(encryption()),
                error: None
            }),
            Just(BucketEvent::Intended { intent: intent(), found: encryption() }),
            Just(BucketEvent::StartRefused { error: error() }),
            Just(BucketEvent::StartUnknown { error: error() }),
            Just(BucketEvent::Started { execution: "e".into() }),
            prop::sample::select(vec!["Success", "Failed", "InProgress", "Brandnew"])
                .prop_map(|status| BucketEvent::Ended { status: status.into(), message: None }),
            Just(BucketEvent::Overdue { status: None }),
            verdict.prop_map(|verdict| BucketEvent::ReadBack {
                judgement: judgement(verdict),
                encryption: Some(encryption()),
                error: None
            }),
        ]
    }

    proptest! {
        /// Whatever order events come in: what is reached was reached by legal moves, and the laws hold on the way.
        #[test]
        fn no_order_of_events_breaks_the_laws(events in prop::collection::vec(any_event(), 0..40)) {
            let mut state: Option<BucketState> = None;
            let (mut intents, mut starts) = (0, 0);
            for event in &events {
                let Ok(next) = transition(state.as_ref(), event) else { continue };
                match event {
                    BucketEvent::Intended { .. } => intents += 1,
                    BucketEvent::Started { .. } => starts += 1,
                    BucketEvent::ReadBack { judgement, .. } => {
                        // Law 4: after a start, nothing but S3's answer makes it sealed.
                        prop_assert!(judgement.verdict != Verdict::NotSealed);
                    }
                    _ => {}
                }
                // Law 3: no start without an intent before it.
                prop_assert!(starts <= intents);
                // Law 9: whatever was changed has its former configuration kept.
                if intents > 0 {
                    prop_assert!(next.found.is_some());
                }
                if state.as_ref().is_some_and(|before| before.phase == Phase::Started) && next.judgement.verdict == Verdict::Sealed {
                    prop_assert!(false, "sealed straight from started");
                }
                state = Some(next);
            }
            prop_assert!(intents <= 1 && starts <= 1);
        }
    }

    #[test]
    fn a_held_bucket_is_never_intended() {
        for verdict in Verdict::ALL {
            let judged = BucketEvent::Judged { judgement: judgement(verdict), encryption: None, error: None };
            let state = transition(None, &judged).unwrap();
            let moved = transition(Some(&state), &BucketEvent::Intended { intent: intent(), found: encryption() });
            assert_eq!(moved.is_ok(), verdict == Verdict::NotSealed, "{verdict:?}");
        }
    }

    #[test]
    fn an_unknown_status_is_no_end() {
        let mut state = None;
        for event in [
            BucketEvent::Judged { judgement: judgement(Verdict::NotSealed), encryption: None, error: None },
            BucketEvent::Intended { intent: intent(), found: encryption() },
            BucketEvent::Started { execution: "e".into() },
        ] {
            state = Some(transition(state.as_ref(), &event).unwrap());
        }
        let ended = |status: &str| BucketEvent::Ended { status: status.into(), message: None };
        assert!(transition(state.as_ref(), &ended("Brandnew")).is_err());
        assert!(transition(state.as_ref(), &ended("Success")).is_ok());
    }
}
