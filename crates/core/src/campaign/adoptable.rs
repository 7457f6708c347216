//! What the list of executions was found to hold: shared by all who look for the execution of a start without an answer.

use std::collections::BTreeMap;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Executions of this run in an account and Region of which the ledger does not know what they are for.
#[derive(Default)]
pub(super) struct Adoptable(pub(super) Mutex<Seen>);

#[derive(Default)]
pub(super) struct Seen {
    pub(super) looked: Option<Instant>,
    /// By id: what each was started with.
    pub(super) executions: BTreeMap<String, Parameters>,
}

pub(super) type Parameters = BTreeMap<String, Vec<String>>;
