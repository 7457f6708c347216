//! What changing needs besides the record: the wave, the accounts, their sessions.

use std::collections::HashMap;

use tokio::sync::Mutex;

use super::read::Entered;
use super::reading::Reads;
use crate::config::WaveLimits;
use crate::model::Account;

/// The wave that is being changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct InWave {
    /// From 1.
    pub(super) number: u32,
    /// Its own limits.
    pub(super) limits: WaveLimits,
}

/// What changing needs besides the record: who is in the organization, and the sessions from reading.
pub(super) struct Hands {
    pub(super) accounts: HashMap<String, Account>,
    pub(super) sessions: HashMap<String, Entered>,
    /// Accounts that gave no answer yet: the change of accounts includes them.
    pub(super) late: Mutex<Option<Reads>>,
}
