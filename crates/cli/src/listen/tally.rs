//! Counters of a run so far, kept from its events: what bars and lines show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use orgseal_core::event::{ChangeWork, Event, Listener};
use orgseal_core::model::{Verdict, WaveState};
use orgseal_report::number;

use super::stage::Operation;

/// What a run is called before it has begun.
const UNKNOWN: &str = "run";

/// The counters, as those who show them share them. They must hear of an event before those who show it.
#[derive(Clone)]
pub(crate) struct Counters(Arc<Mutex<Tally>>);

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters(Arc::new(Mutex::new(Tally::new())))
    }

    /// Looks at the counts.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Tally) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener for Counters {
    fn hear(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(event);
    }
}

/// How far a run is.
pub(crate) struct Tally {
    pub(crate) began: Instant,
    pub(crate) kind: &'static str,
    pub(crate) accounts: u64,
    pub(crate) accounts_done: u64,
    pub(crate) accounts_unread: u64,
    pub(crate) accounts_skipped: u64,
    pub(crate) judged: u64,
    pub(crate) verdicts: BTreeMap<Verdict, u64>,
    pub(crate) sealing: Option<Sealing>,
    /// The wave is changed, and watched until then.
    pub(crate) baking_until: Option<jiff::Timestamp>,
    /// Until when it waits for CloudTrail after that.
    pub(crate) settle_until: Option<jiff::Timestamp>,
}

/// How far the changes are.
pub(crate) struct Sealing {
    pub(crate) began: Instant,
    pub(crate) dry_run: bool,
    pub(crate) buckets: u64,
    /// Accounts that hold them, and those that were unknown when the changes began.
    pub(crate) accounts: u64,
    pub(crate) accounts_changed: u64,
    pub(crate) held: u64,
    pub(crate) settled: u64,
    pub(crate) sealed: u64,
    pub(crate) failed: u64,
    pub(crate) in_flight: u64,
}

impl Tally {
    fn new() -> Tally {
        Tally {
            began: Instant::now(),
            kind: UNKNOWN,
            accounts: 0,
            accounts_done: 0,
            accounts_unread: 0,
            accounts_skipped: 0,
            judged: 0,
            verdicts: BTreeMap::new(),
            sealing: None,
            baking_until: None,
            settle_until: None,
        }
    }

    /// Whether the run has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.kind != UNKNOWN
    }

    /// Whether the run is about accounts alone, and judges no bucket.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.kind, "preflight" | "bootstrap")
    }

    /// Takes an event in.
    fn take(&mut self, event: &Event) {
        match event {
            // A deployment looks, puts, and looks again.
            Event::RunStarted { kind, .. } => *self = Tally { kind, ..Tally::new() },
            Event::AccountsFound { accounts } => self.accounts = *accounts as u64,
            Event::AccountRead { .. } => self.accounts_done += 1,
            Event::AccountUnread { .. } => {
                self.accounts_done += 1;
                self.accounts_unread += 1;
            }
            Event::AccountSkipped { .. } => {
                self.accounts_done += 1;
                self.accounts_skipped += 1;
            }
            Event::BucketJudged { judgement, .. } => {
                self.judged += 1;
                *self.verdicts.entry(judgement.verdict).or_default() += 1;
            }
            Event::ChangesStarted { work, accounts } => {
                let accounts = *accounts as u64 + self.accounts_unread;
                self.sealing = Some(Sealing { accounts, ..Sealing::new(work) });
            }
            Event::AccountChanged { .. } => self.sealing().accounts_changed += 1,
            Event::WaveMoved { wave, .. } => {
                let baking = wave.state == WaveState::Baking;
                self.baking_until = wave.bake_until.filter(|_| baking);
                self.settle_until = wave.settle_until.filter(|_| baking);
            }
            Event::ExecutionStarted { .. } => self.sealing().in_flight += 1,
            Event::ExecutionEnded { .. } => {
                let sealing = self.sealing();
                sealing.in_flight = sealing.in_flight.saturating_sub(1);
            }
            Event::BucketSettled { finding } => {
                let sealing = self.sealing();
                sealing.settled += 1;
                match finding.judgement.verdict {
                    Verdict::Sealed | Verdict::Restored => sealing.sealed += 1,
                    Verdict::Failed | Verdict::Unread => sealing.failed += 1,
                    Verdict::Held => sealing.held += 1,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn sealing(&mut self) -> &mut Sealing {
        self.sealing.get_or_insert_with(|| Sealing::new(&ChangeWork::default()))
    }

    /// What is done to buckets.
    pub(crate) fn operation(&self) -> Operation {
        Operation::of(self.kind)
    }

    /// How many buckets have a verdict so far.
    pub(crate) fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or(0)
    }
}

impl Sealing {
    fn new(work: &ChangeWork) -> Sealing {
        Sealing {
            began: Instant::now(),
            dry_run: work.dry_run,
            buckets: work.buckets(),
            accounts: 0,
            accounts_changed: 0,
            held: 0,
            settled: 0,
            sealed: 0,
            failed: 0,
            in_flight: work.in_flight,
        }
    }

    /// What the buckets that are finished have become: `3 sealed, 17 held, 1 failed, 2 in flight`. A dry run changes none.
    pub(crate) fn outcomes(&self, operation: Operation) -> String {
        let mut parts = Vec::new();
        if !self.dry_run {
            parts.push(format!("{} {}", number(self.sealed), operation.done()));
        }
        if self.held > 0 {
            parts.push(format!("{} held", number(self.held)));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", number(self.failed)));
        }
        if !self.dry_run {
            parts.push(format!("{} in flight", number(self.in_flight)));
        }
        parts.join(", ")
    }

    /// Buckets settled in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.settled as f64 / self.began.elapsed().as_secs_f64().max(0.001)
    }

    /// Seconds left at the rate so far; `None` while there is none.
    pub(crate) fn seconds_left(&self) -> Option<u64> {
        (self.settled > 0).then(|| (self.buckets.saturating_sub(self.settled) as f64 / self.rate()).ceil() as u64)
    }
}
