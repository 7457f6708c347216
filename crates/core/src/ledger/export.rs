//! The entries as JSON Lines, each with its hash and the one before, for whoever keeps or checks them elsewhere.

use std::io::{self, Write};

use super::{Reader, Run, chain};
use crate::ledger::LedgerError;

/// Why entries could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The writer took no more.
    #[error("the export cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl Reader {
    /// Writes every entry (of one run, where one is given) on a line of its own, in order. The event is byte for byte what
    /// the hash covers. The caller flushes.
    pub fn export(&self, run: Option<&Run>, out: &mut dyn Write) -> Result<(), ExportError> {
        let mut previous = chain::genesis(&self.binding()?);
        self.each_entry(|entry| {
            let before = std::mem::replace(&mut previous, entry.hash.clone());
            if run.is_some_and(|run| run.id != entry.run) {
                return Ok(());
            }
            let at = jiff::Timestamp::from_millisecond(entry.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            let text = |value: &str| serde_json::Value::from(value).to_string();
            writeln!(
                out,
                "{{\"seq\":{},\"run\":{},\"at\":{},\"at_ms\":{},\"account\":{},\"region\":{},\"bucket\":{},\"event\":{},\"previous\":{},\"hash\":{}}}",
                entry.seq,
                text(&entry.run),
                text(&at.to_string()),
                entry.at,
                text(&entry.account),
                text(&entry.region),
                text(&entry.bucket),
                entry.event,
                text(&before),
                text(&entry.hash),
            )?;
            Ok(())
        })
    }
}
