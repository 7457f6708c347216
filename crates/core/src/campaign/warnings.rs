//! Warnings that many accounts have in common: each is told once in a run.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::event::{Event, Events};

/// The warnings that were told so far.
#[derive(Default)]
pub(super) struct Warnings(Mutex<BTreeSet<String>>);

impl Warnings {
    /// Tells a warning, unless it was told before.
    pub(super) fn once(&self, events: &Events, message: String) {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(message.clone());
        if is_new {
            events.emit(&Event::Warning { message });
        }
    }

    /// Every warning that was told.
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
