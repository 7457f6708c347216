//! When an account last gave a usable answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by all clients of an account.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Mutex<Instant>>);

impl Default for Progress {
    fn default() -> Self {
        Progress(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Progress {
    /// An answer came that was neither throttling nor a failure of the service.
    pub(super) fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The same, for tests outside.
    #[cfg(test)]
    pub(crate) fn made_now(&self) {
        self.made();
    }

    /// How long ago that was.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
