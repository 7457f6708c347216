//! What a person is asked, and who asks.

use std::time::Duration;

use crate::ledger::Summary;
use crate::model::{AwsError, Operation};

/// What a run is about to do, for the person who is asked.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whether it seals or restores.
    pub operation: Operation,
    /// The campaign that is undone.
    pub undoes: Option<String>,
    /// It goes on where an earlier process ended.
    pub resumed: bool,
    /// The counts after reading.
    pub summary: Summary,
    /// Buckets to change.
    pub buckets: u64,
    /// Buckets of which an earlier start has no known outcome.
    pub in_flight: u64,
    /// Accounts that hold them.
    pub accounts: usize,
    /// By Region: the key, and how many buckets would get it.
    pub regions: Vec<RegionPreview>,
    /// The waves, where the campaign file names any.
    pub waves: Vec<WavePreview>,
    /// The approved plan that is carried out.
    pub plan: Option<String>,
    /// The document.
    pub document: String,
}

/// What would change in one Region.
#[derive(Clone, Debug)]
pub struct RegionPreview {
    /// The Region.
    pub region: String,
    /// The central key there; `None` in a rollback.
    pub key: Option<String>,
    /// Buckets to change there.
    pub buckets: u64,
    /// Why none of them will be changed.
    pub fault: Option<AwsError>,
}

/// A wave of what would change.
#[derive(Clone, Debug)]
pub struct WavePreview {
    /// From 1.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// Buckets to change in it.
    pub buckets: u64,
    /// Accounts that hold them.
    pub accounts: usize,
    /// How long it is watched afterwards.
    pub bake: Duration,
    /// Whether a person must approve it first.
    pub approval: bool,
}

/// The person, or the flags in a person's place, that a run asks.
pub trait Decide: Send + Sync {
    /// Whether a person is asked about all changes: then everything is read first. `false` where the answer is given beforehand.
    fn asks(&self) -> bool;

    /// Whether all of this is to be done.
    fn change(&self, preview: Preview) -> impl Future<Output = bool> + Send;

    /// Whether a wave that needs approval may begin. `false` also where nobody is there to ask: the campaign waits then.
    fn wave(&self, wave: WaveQuestion) -> impl Future<Output = bool> + Send;
}

/// A wave about to begin, for the person who is asked to approve it.
#[derive(Clone, Debug)]
pub struct WaveQuestion {
    /// From 1.
    pub number: u32,
    /// How many waves there are.
    pub of: u32,
    /// What people call it.
    pub name: String,
    /// Buckets to change in it.
    pub buckets: u64,
    /// Accounts that hold them.
    pub accounts: usize,
    /// What came of the waves before, in words.
    pub before: Vec<String>,
}
