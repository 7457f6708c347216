//! States of KMS keys that are not Enabled. A key that is not named here is Enabled.

use std::collections::BTreeMap;
use std::sync::RwLock;

use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::lock::{read, write};

/// The key states of the KMS model that keys here can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    Enabled,
    Disabled,
    PendingDeletion {
        /// `DeletionDate`, in milliseconds since 1970.
        deletion_ms: i64,
    },
}

impl KeyState {
    /// `KeyState` as the service model names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            KeyState::Enabled => "Enabled",
            KeyState::Disabled => "Disabled",
            KeyState::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

/// By key ARN.
#[derive(Debug, Default)]
pub(crate) struct KeyStates {
    by_arn: RwLock<BTreeMap<String, KeyState>>,
}

impl KeyStates {
    pub(crate) fn set(&self, arn: &str, state: KeyState) {
        let mut by_arn = write(&self.by_arn);
        match state {
            KeyState::Enabled => by_arn.remove(arn),
            other => by_arn.insert(arn.to_string(), other),
        };
    }

    pub(crate) fn get(&self, arn: &str) -> KeyState {
        read(&self.by_arn).get(arn).copied().unwrap_or(KeyState::Enabled)
    }

    /// Every key that is not Enabled.
    pub(crate) fn all(&self) -> BTreeMap<String, KeyState> {
        read(&self.by_arn).clone()
    }
}

impl World {
    /// Changes a key's state for good.
    pub(crate) fn set_key_state(&self, arn: &str, state: KeyState) -> Result<(), AwsError> {
        self.journal.append(&Entry::KeyState { arn: arn.into(), state })?;
        self.key_states.set(arn, state);
        Ok(())
    }
}
