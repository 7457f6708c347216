//! The waves of a campaign with their counts, as reports and status show them.

use orgseal_core::clock;
use orgseal_core::ledger::{Reader, Run, WaveCount};
use orgseal_core::model::{WaveRecord, WaveRollback, WaveState};
use serde::Serialize;

use crate::ReportError;
use crate::words::{counted, moment, number};

/// A wave with its counts.
#[derive(Serialize)]
pub(crate) struct WaveLine {
    #[serde(flatten)]
    pub(crate) record: WaveRecord,
    pub(crate) accounts: u64,
    pub(crate) buckets: u64,
    pub(crate) sealed: u64,
    pub(crate) not_sealed: u64,
    pub(crate) held: u64,
    pub(crate) failed: u64,
    pub(crate) started: u64,
    /// Of those that are not sealed, the ones that a rollback restored.
    #[serde(skip)]
    pub(crate) rolled_back: u64,
}

/// The waves that a campaign has come to, by number. One that did not begin yet shows by its buckets alone.
pub(crate) fn lines(reader: &Reader, run: &Run) -> Result<Vec<WaveLine>, ReportError> {
    let records = reader.waves(run)?;
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let counts = reader.wave_counts(run)?;
    let last = records.iter().map(|record| record.number).chain(counts.iter().map(|count| count.number)).max();
    Ok((1..=last.unwrap_or(0))
        .map(|number| {
            let count = counts.iter().find(|count| count.number == number).copied().unwrap_or_default();
            let record = records.iter().find(|record| record.number == number).cloned();
            let WaveCount { accounts, buckets, sealed, not_sealed, held, failed, started, rolled_back, .. } = count;
            let record = record.unwrap_or_else(|| WaveRecord::new(number, "", WaveState::Pending));
            WaveLine { record, accounts, buckets, sealed, not_sealed, held, failed, started, rolled_back }
        })
        .collect())
}

/// How far a wave has come, in words.
pub(crate) fn state(record: &WaveRecord) -> String {
    match record.state {
        WaveState::Pending => "not started".to_owned(),
        WaveState::Waiting => "waits for approval".to_owned(),
        WaveState::Approved => "approved, not started".to_owned(),
        WaveState::Changing => "being changed".to_owned(),
        WaveState::Baking => match (record.bake_until, record.settle_until) {
            (Some(until), Some(settle)) if until <= clock::now() => {
                format!("changed, waiting for CloudTrail until {}", moment(settle))
            }
            (Some(until), Some(settle)) => {
                format!(
                    "changed, watched until {}, then waiting for CloudTrail until {}",
                    moment(until),
                    moment(settle)
                )
            }
            (Some(until), None) => format!("changed, watched until {}", moment(until)),
            (None, _) => "changed, being watched".to_owned(),
        },
        WaveState::Done => "done".to_owned(),
        WaveState::Stopped => format!("stopped: {}", record.says.as_deref().unwrap_or("a check failed")),
        WaveState::RolledBack => match &record.rolled_back {
            Some(WaveRollback { rolled_back_at, buckets, .. }) => {
                format!("rolled back {}, {} restored", moment(*rolled_back_at), counted(*buckets, "bucket"))
            }
            None => "rolled back".to_owned(),
        },
    }
}

/// The waves that are not changed, or not any more: a campaign that continues comes to them.
pub(crate) fn pending(lines: &[WaveLine]) -> Vec<u32> {
    use WaveState::{Approved, Pending, RolledBack, Waiting};
    let pending = lines.iter().filter(|line| matches!(line.record.state, Pending | Waiting | Approved | RolledBack));
    pending.map(|line| line.record.number).collect()
}

/// A wave in one line, for people.
pub(crate) fn in_words(line: &WaveLine) -> String {
    let mut parts = vec![format!("{} of {} sealed", number(line.sealed), counted(line.buckets, "bucket"))];
    for (amount, what) in [
        (line.held, "held"),
        (line.failed, "failed"),
        (line.rolled_back, "rolled back"),
        (line.not_sealed - line.rolled_back, "waiting"),
    ] {
        if amount > 0 {
            parts.push(format!("{} {what}", number(amount)));
        }
    }
    let WaveRecord { number, name, .. } = &line.record;
    format!("{number} {name}: {} · {}", parts.join(", "), state(&line.record))
}
