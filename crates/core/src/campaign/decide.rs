//! What a person is asked, and who asks.

use std::time::Duration;

use crate::ledger::Summary;
use crate::model::{AwsError, Finding, Operation};

/// What a run is about to do, for the person who is asked.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whether it seals or restores.
    pub operation: Operation,
    /// The campaign that is undone.
    pub undoes: Option<String>,
    /// Only what this wave changed is undone.
    pub only_wave: Option<u32>,
    /// The selection of the command line, in words; empty where everything is selected.
    pub selection: String,
    /// It goes on where an earlier process ended.
    pub resumed: bool,
    /// The counts after reading.
    pub summary: Summary,
    /// Buckets that this run is about to change.
    pub buckets: u64,
    /// Buckets of which an earlier start has no known outcome.
    pub in_flight: u64,
    /// Accounts that hold them.
    pub accounts: usize,
    /// The last wave that this run begins.
    pub until_wave: Option<u32>,
    /// What waits in later waves.
    pub later: Part,
    /// By Region: the key, and how many buckets would get it.
    pub regions: Vec<RegionPreview>,
    /// The waves, where the campaign file names any.
    pub waves: Vec<WavePreview>,
    /// The first accounts that could not be read, by id and name; the summary has their number.
    pub unknown_accounts: Vec<String>,
    /// The first buckets that are held.
    pub held: Vec<Finding>,
    /// The first buckets that are exempt.
    pub exempt: Vec<Finding>,
    /// The approved plan that is carried out.
    pub plan: Option<String>,
    /// The document's name.
    pub document: String,
    /// Its versions and hashes, where somebody is asked and it could be read.
    pub documents: Vec<DocumentPreview>,
}

/// A part of what there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Buckets to change.
    pub buckets: u64,
    /// Accounts that hold them.
    pub accounts: usize,
}

/// The document as one account of each Region has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentPreview {
    /// The version that would be started.
    pub version: String,
    /// SHA-256 of its canonical JSON form.
    pub sha256: String,
    /// The Regions in which it was read.
    pub regions: Vec<String>,
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
    /// Whether a person is asked about all changes, and has to be shown what the answer is about: then everything is read first.
    /// `false` where the answer is given beforehand.
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
