//! What a run was begun for, as the ledger keeps it.

use serde::{Deserialize, Serialize};

use crate::config::{CampaignFile, differences};
use crate::ledger::Run;
use crate::plan::Narrowed;

/// What decides a run's outcomes, kept with it: a process that resumes the run must want the same, and a suggested command
/// must do the same.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Target {
    /// The settings that decide what a bucket ends up as; `null` in a ledger of the first schema.
    #[serde(default)]
    pub(super) settings: serde_json::Value,
    /// The selection of the command line.
    #[serde(default)]
    pub narrowed: Narrowed,
    /// Of a rollback: only what was changed in this wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<u32>,
    /// The last wave that the command line allowed to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_wave: Option<u32>,
    /// An audit evaluated the guards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guards: bool,
    /// The `--set` values, as `KEY=VALUE`; secrets are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

impl Target {
    /// What a run was begun for. A ledger of the first schema has no record of it: everything is selected then.
    #[must_use]
    pub fn of(run: &Run) -> Target {
        serde_json::from_str(&run.target).unwrap_or_default()
    }

    /// The settings that decide outcomes and have another value in a campaign file. None are known of a ledger of the first schema.
    #[must_use]
    pub fn other_settings(&self, file: &CampaignFile) -> Vec<String> {
        match self.settings.is_null() {
            true => Vec::new(),
            false => differences(&self.settings, &file.target()),
        }
    }
}
