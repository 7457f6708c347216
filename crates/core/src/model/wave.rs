//! A wave of a campaign, as the record keeps it.

use serde::{Deserialize, Serialize};

/// How far a wave has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveState {
    /// It did not begin yet.
    Pending,
    /// A person must approve it before it begins.
    Waiting,
    /// A person approved it; it did not begin yet.
    Approved,
    /// Its buckets are being changed.
    Changing,
    /// All of it is changed; it is watched.
    Baking,
    /// It is done with: the next one may begin.
    Done,
    /// Something speaks against it: the next one must not begin.
    Stopped,
}

impl WaveState {
    /// The name in the ledger and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WaveState::Pending => "pending",
            WaveState::Waiting => "waiting",
            WaveState::Approved => "approved",
            WaveState::Changing => "changing",
            WaveState::Baking => "baking",
            WaveState::Done => "done",
            WaveState::Stopped => "stopped",
        }
    }
}

/// The last that was written down of a wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveRecord {
    /// Its place in the campaign file, from 1.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// How far it has come.
    pub state: WaveState,
    /// Until when it is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_until: Option<jiff::Timestamp>,
    /// It is not done before this moment, so that CloudTrail can deliver what happened until `bake_until`. Absent where the wave
    /// does not look for denied uses of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_until: Option<jiff::Timestamp>,
    /// When changing its buckets began, by AWS's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changing_since: Option<jiff::Timestamp>,
    /// Denied uses of the key before this moment are known, and a person accepted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_since: Option<jiff::Timestamp>,
    /// Why it was stopped, or who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// What was seen: principals and buckets, the command's last words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What spoke against it once, and a person accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// So many failed buckets of it a person accepted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted_failures: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl WaveRecord {
    /// A wave of which nothing else is known.
    #[must_use]
    pub fn new(number: u32, name: &str, state: WaveState) -> WaveRecord {
        WaveRecord {
            number,
            name: name.to_owned(),
            state,
            bake_until: None,
            settle_until: None,
            changing_since: None,
            watched_since: None,
            says: None,
            evidence: Vec::new(),
            accepted: Vec::new(),
            accepted_failures: 0,
        }
    }
}
