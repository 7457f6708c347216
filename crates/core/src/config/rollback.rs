//! `[rollback]`: how a campaign is undone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a campaign is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackChoice {
    /// What to do where AWS Config's automatic remediation would seal a bucket again at once.
    pub config_remediation: ConfigRemediation,
    /// What to do with a bucket whose former key cannot be used: disabled, deleted, out of reach, or in another Region.
    pub unusable_keys: UnusableKeys,
}

/// What to do where AWS Config's automatic remediation would undo a rollback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigRemediation {
    /// Hold the bucket back, also where Config cannot be read.
    #[default]
    Refuse,
    /// Do not ask Config.
    Ignore,
}

/// What to do with a bucket whose former key cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnusableKeys {
    /// Hold it back on the central key: under the former one every write would fail.
    #[default]
    Hold,
    /// Put the former configuration back exactly, broken as it is.
    Restore,
}
