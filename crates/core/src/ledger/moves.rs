//! The legal moves of a bucket's life in a run. Used when something happens, and when it is read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    AwsError, BlockedTypesElement, Bucket, DefaultEncryption, EncryptionRule, Execution, ExecutionStatus,
    ExemptionNote, Finding, GuardFinding, Judgement, Operation, Reason, Restore, SealedInterval, Verdict,
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
    /// The outcome is known. A new attempt begins with a new judgement.
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
    /// What it is for.
    #[serde(default)]
    pub operation: Operation,
    /// Counts from 1, and never comes twice.
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
    /// The rule that the bucket is to have afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<EncryptionRule>,
    /// Whether the start sends `BlockedEncryptionTypes`; `None` in intents of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_types: Option<BlockedTypesElement>,
    /// Executions of earlier attempts on the same bucket: none of them is this one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
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
        /// In a rollback: what is to be put back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restore: Option<Box<Restore>>,
        /// By which exemption it stays as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exemption: Option<Box<ExemptionNote>>,
    },
    /// Its wave is known, and guards had their word on it: one that holds keeps it from being changed.
    Planned {
        /// The wave, from 1.
        wave: u32,
        /// What guards found.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        guards: Vec<GuardFinding>,
        /// When they looked, where that was earlier: in a plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guarded_at: Option<jiff::Timestamp>,
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
    /// Of an intent without an answer nothing is to be found: it never left, or never arrived.
    NeverStarted,
    /// The execution's id is known.
    Started {
        /// `AutomationExecutionId`.
        execution: String,
    },
    /// The execution of an intent without an answer was found, by campaign and parameters.
    Adopted {
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
    /// The execution failed since Automation does not know `BlockedEncryptionTypes`, and S3 shows that nothing was changed: the
    /// bucket waits for a start that omits the element.
    BlockedTypesRefused {
        /// What S3 shows.
        encryption: DefaultEncryption,
        /// What Automation said.
        error: AwsError,
    },
    /// S3 was asked again while its wave was watched, and somebody had changed it.
    Drifted {
        /// `held`, as changed since.
        judgement: Judgement,
        /// What S3 shows.
        encryption: DefaultEncryption,
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
    /// A rollback of this campaign found, or made, the bucket as it was before. Nothing is started on it before it is reopened.
    RolledBack {
        /// The rollback's id.
        run: String,
        /// What S3 showed to the rollback.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encryption: Option<DefaultEncryption>,
    },
    /// A person asked to redo its wave: it is read, judged and guarded anew, as if this campaign had not changed it.
    Reopened,
}

impl BucketEvent {
    /// The name in the ledger.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            BucketEvent::Judged { .. } => "judged",
            BucketEvent::Planned { .. } => "planned",
            BucketEvent::Intended { .. } => "intended",
            BucketEvent::StartRefused { .. } => "start_refused",
            BucketEvent::StartUnknown { .. } => "start_unknown",
            BucketEvent::NeverStarted => "never_started",
            BucketEvent::Started { .. } => "started",
            BucketEvent::Adopted { .. } => "adopted",
            BucketEvent::Ended { .. } => "ended",
            BucketEvent::Overdue { .. } => "overdue",
            BucketEvent::BlockedTypesRefused { .. } => "blocked_types_refused",
            BucketEvent::Drifted { .. } => "drifted",
            BucketEvent::ReadBack { .. } => "read_back",
            BucketEvent::RolledBack { .. } => "rolled_back",
            BucketEvent::Reopened => "reopened",
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
    /// The configuration before the first change.
    pub found: Option<DefaultEncryption>,
    /// The configuration after the last change, as S3 showed it.
    pub left: Option<DefaultEncryption>,
    /// What was last about to be started.
    pub intent: Option<Intent>,
    /// The last execution.
    pub execution: Option<Execution>,
    /// Executions started on it in the run.
    pub starts: u32,
    /// When the first start was about to leave.
    pub touched_at: Option<jiff::Timestamp>,
    /// In a rollback: what is to be put back.
    pub restore: Option<Box<Restore>>,
    /// What went wrong.
    pub error: Option<AwsError>,
    /// The wave that it belongs to, from 1.
    pub wave: Option<u32>,
    /// What guards found on it.
    pub guards: Vec<GuardFinding>,
    /// When they looked.
    pub guarded_at: Option<jiff::Timestamp>,
    /// The exemption by which it stays as it is.
    pub exemption: Option<Box<ExemptionNote>>,
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
            sealed: self.restore.as_ref().map(|restore| SealedInterval { from: restore.touched_at, until: None }),
            wave: self.wave,
            guards: self.guards.clone(),
            exemption: self.exemption.as_deref().cloned(),
        }
    }

    /// What is said of it while an execution of which nothing bad is known is under way.
    fn under_way(&self) -> Judgement {
        match self.judgement.verdict {
            // An earlier word of doubt is taken back: the execution is known again.
            Verdict::Failed => {
                let operation = self.intent.as_ref().map_or(Operation::Seal, |intent| intent.operation);
                Judgement { verdict: waiting(operation), reason: Reason::InFlight, observed: None }
            }
            _ => self.judgement,
        }
    }

    /// Whether a rollback restored it, and nobody asked to redo its wave since.
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        self.phase == Phase::Settled && self.judgement.reason == Reason::RolledBack
    }

    /// The number of the last attempt; 0 before the first.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.intent.as_ref().map_or(0, |intent| intent.attempt)
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

/// What a bucket is called that waits for a change.
fn waiting(operation: Operation) -> Verdict {
    match operation {
        Operation::Seal => Verdict::NotSealed,
        Operation::Restore => Verdict::NotRestored,
    }
}

/// The state after an event at a moment, or the reason why it cannot happen.
pub fn transition(
    state: Option<&BucketState>,
    event: &BucketEvent,
    at: jiff::Timestamp,
) -> Result<BucketState, IllegalMove> {
    let illegal = || IllegalMove { from: state.map_or("new", |state| state.phase.as_str()), event: event.name() };
    let in_phase = |phase: Phase| state.filter(|state| state.phase == phase).cloned().ok_or_else(illegal);
    match event {
        BucketEvent::Judged { judgement, encryption, error, restore, exemption } => {
            // Judged anew right before the start is legal, and so is a new attempt once the old one is settled without
            // success. In between, only S3's answer to what was started counts.
            let again = |state: &BucketState| match state.phase {
                Phase::Judged => true,
                Phase::Settled => matches!(state.judgement.verdict, Verdict::Failed | Verdict::Unread),
                Phase::Intended | Phase::Started | Phase::Ended => false,
            };
            if !state.is_none_or(again) {
                return Err(illegal());
            }
            Ok(BucketState {
                phase: Phase::Judged,
                judgement: *judgement,
                // A hold says nothing new of the configuration: the last one read stands.
                encryption: encryption.clone().or_else(|| state.and_then(|state| state.encryption.clone())),
                found: state.and_then(|state| state.found.clone()),
                // Seen only now: what the last change left.
                left: match judgement.reason {
                    Reason::BlockedTypesChanged => encryption.clone(),
                    _ => None,
                }
                .or_else(|| state.and_then(|state| state.left.clone())),
                intent: state.and_then(|state| state.intent.clone()),
                execution: state.and_then(|state| state.execution.clone()),
                starts: state.map_or(0, |state| state.starts),
                touched_at: state.and_then(|state| state.touched_at),
                restore: restore.clone().or_else(|| state.and_then(|state| state.restore.clone())),
                error: error.clone(),
                wave: state.and_then(|state| state.wave),
                guards: state.map(|state| state.guards.clone()).unwrap_or_default(),
                guarded_at: state.and_then(|state| state.guarded_at),
                exemption: exemption.clone(),
            })
        }
        BucketEvent::Planned { wave, guards, guarded_at } => {
            let before = in_phase(Phase::Judged)?;
            if before.judgement.verdict != Verdict::NotSealed || *wave == 0 {
                return Err(illegal());
            }
            let held = guards.iter().any(GuardFinding::holds);
            let observed = Some(before.judgement.reason);
            let judgement = match held {
                true => Judgement { verdict: Verdict::Held, reason: Reason::Guarded, observed },
                false => before.judgement,
            };
            Ok(BucketState {
                judgement,
                wave: Some(*wave),
                guards: guards.clone(),
                guarded_at: Some(guarded_at.unwrap_or(at)),
                ..before
            })
        }
        BucketEvent::Intended { intent, found } => {
            let before = in_phase(Phase::Judged)?;
            let restores = intent.operation == Operation::Restore;
            if before.judgement.verdict != waiting(intent.operation)
                || before.restore.is_some() != restores
                || intent.attempt != before.attempts() + 1
            {
                return Err(illegal());
            }
            // What an earlier attempt left is our own doing: the configuration before it is the one to go back to.
            // Entries of earlier versions are read as these versions read them, or their rows would not follow from them.
            let former = match intent.blocked_types {
                Some(_) => before.to_go_back_to(found),
                None => {
                    let same = |record: &DefaultEncryption| found.means_with_none_apart(record);
                    let ours = before.left.as_ref().is_some_and(same);
                    before.found.clone().filter(|first| ours || same(first)).unwrap_or_else(|| found.clone())
                }
            };
            Ok(BucketState {
                phase: Phase::Intended,
                encryption: Some(found.clone()),
                found: Some(former),
                intent: Some(intent.clone()),
                execution: None,
                touched_at: before.touched_at.or(Some(at)),
                ..before
            })
        }
        BucketEvent::StartRefused { error } => Ok(BucketState {
            phase: Phase::Settled,
            judgement: failed(Reason::StartRefused),
            error: Some(error.clone()),
            ..in_phase(Phase::Intended)?
        }),
        BucketEvent::StartUnknown { error } => Ok(BucketState {
            judgement: failed(Reason::OutcomeUnknown),
            error: Some(error.clone()),
            ..in_phase(Phase::Intended)?
        }),
        BucketEvent::NeverStarted => {
            let before = in_phase(Phase::Intended)?;
            let operation = before.intent.as_ref().map_or(Operation::Seal, |intent| intent.operation);
            let judgement = Judgement { verdict: waiting(operation), reason: Reason::NeverStarted, observed: None };
            Ok(BucketState { phase: Phase::Judged, judgement, error: None, ..before })
        }
        BucketEvent::Started { execution } | BucketEvent::Adopted { execution } => {
            let before = in_phase(Phase::Intended)?;
            Ok(BucketState {
                phase: Phase::Started,
                judgement: before.under_way(),
                execution: Some(Execution { id: execution.clone(), status: None }),
                starts: before.starts + 1,
                error: None,
                ..before
            })
        }
        BucketEvent::Ended { status, .. } => {
            let before = in_phase(Phase::Started)?;
            if !status.has_ended() {
                return Err(illegal());
            }
            let execution =
                before.execution.clone().map(|execution| Execution { status: Some(status.clone()), ..execution });
            Ok(BucketState { phase: Phase::Ended, judgement: before.under_way(), execution, error: None, ..before })
        }
        BucketEvent::Overdue { status } => {
            let before = in_phase(Phase::Started)?;
            let execution = before.execution.clone().map(|execution| Execution { status: status.clone(), ..execution });
            Ok(BucketState { judgement: failed(Reason::ExecutionTimedOut), execution, ..before })
        }
        BucketEvent::BlockedTypesRefused { encryption, error } => {
            let before = in_phase(Phase::Ended)?;
            let operation = before.intent.as_ref().map_or(Operation::Seal, |intent| intent.operation);
            let reason = Reason::BlockedTypesUnknown;
            Ok(BucketState {
                phase: Phase::Judged,
                judgement: Judgement { verdict: waiting(operation), reason, observed: None },
                encryption: Some(encryption.clone()),
                error: Some(error.clone()),
                ..before
            })
        }
        BucketEvent::Drifted { judgement, encryption } => {
            let before = in_phase(Phase::Settled)?;
            let held = judgement.verdict == Verdict::Held && judgement.reason == Reason::ChangedSince;
            if before.judgement.verdict != Verdict::Sealed || !held {
                return Err(illegal());
            }
            Ok(BucketState { judgement: *judgement, encryption: Some(encryption.clone()), ..before })
        }
        BucketEvent::ReadBack { judgement, encryption, error } => {
            let before = in_phase(Phase::Ended)?;
            let success = if before.restore.is_some() { Verdict::Restored } else { Verdict::Sealed };
            if ![success, Verdict::Failed, Verdict::Unread].contains(&judgement.verdict) {
                return Err(illegal());
            }
            // A bucket that could not be read shows nothing new. Entries of earlier versions are read as these versions read them.
            let of_now = before.intent.as_ref().is_some_and(|intent| intent.blocked_types.is_some());
            let left = encryption.clone().or_else(|| before.left.clone().filter(|_| of_now));
            Ok(BucketState {
                phase: Phase::Settled,
                judgement: *judgement,
                encryption: encryption.clone().or(before.encryption.clone()),
                left,
                error: error.clone(),
                ..before
            })
        }
        BucketEvent::RolledBack { encryption, .. } => {
            let before = state.cloned().ok_or_else(illegal)?;
            // Only what a campaign changed can be rolled back, and what has no known outcome still counts as in flight.
            let in_flight = matches!(before.phase, Phase::Intended | Phase::Started | Phase::Ended);
            if in_flight || before.touched_at.is_none() || before.restore.is_some() {
                return Err(illegal());
            }
            Ok(BucketState {
                phase: Phase::Settled,
                judgement: ROLLED_BACK,
                encryption: encryption.clone().or_else(|| before.found.clone()),
                error: None,
                ..before
            })
        }
        BucketEvent::Reopened => {
            let before = state.filter(|state| state.is_rolled_back()).cloned().ok_or_else(illegal)?;
            // Intent and execution stay: attempts are counted on, and no earlier execution is taken for a later one's.
            Ok(BucketState {
                phase: Phase::Judged,
                judgement: ROLLED_BACK,
                found: None,
                left: None,
                touched_at: None,
                guards: Vec::new(),
                guarded_at: None,
                exemption: None,
                ..before
            })
        }
    }
}

const ROLLED_BACK: Judgement = Judgement { verdict: Verdict::NotSealed, reason: Reason::RolledBack, observed: None };

#[cfg(test)]
mod tests;
