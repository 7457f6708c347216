//! The states of KMS keys that are not simply Enabled, sparse: a key that is not listed here is Enabled.
//! Which changes of state are legal is decided in `services::kms`.

use std::collections::{BTreeMap, HashMap};
use std::sync::RwLock;

use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::lock::{read, write};

/// `KeyState` of the service model, without the passing ones (Creating, Updating).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// The only state in which a key can be used.
    Enabled,
    /// Every use is refused until EnableKey.
    Disabled,
    /// Every use is refused; the key is deleted at that time unless CancelKeyDeletion comes first.
    PendingDeletion {
        /// Milliseconds since 1970.
        deletion_ms: i64,
    },
    /// A multi-Region primary key that is to be deleted after its last replica; every use is refused.
    PendingReplicaDeletion {
        /// The waiting period that begins then.
        days: i64,
    },
    /// A key of origin EXTERNAL without its material.
    PendingImport,
    /// The custom key store behind it cannot be reached.
    Unavailable,
}

impl KeyState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            KeyState::Enabled => "Enabled",
            KeyState::Disabled => "Disabled",
            KeyState::PendingDeletion { .. } => "PendingDeletion",
            KeyState::PendingReplicaDeletion { .. } => "PendingReplicaDeletion",
            KeyState::PendingImport => "PendingImport",
            KeyState::Unavailable => "Unavailable",
        }
    }
}

/// By key ARN.
#[derive(Debug, Default)]
pub(crate) struct KeyStates {
    other_than_enabled: RwLock<HashMap<String, KeyState>>,
}

impl KeyStates {
    pub(crate) fn set(&self, arn: &str, state: KeyState) {
        let mut states = write(&self.other_than_enabled);
        if state == KeyState::Enabled {
            states.remove(arn);
        } else {
            states.insert(arn.into(), state);
        }
    }

    pub(crate) fn get(&self, arn: &str) -> KeyState {
        read(&self.other_than_enabled).get(arn).copied().unwrap_or(KeyState::Enabled)
    }

    /// Every key that is not Enabled.
    pub(crate) fn all(&self) -> BTreeMap<String, KeyState> {
        read(&self.other_than_enabled).clone().into_iter().collect()
    }
}

impl World {
    /// Sets a key's state and makes it durable. Whether there is such a key is the caller's question.
    pub(crate) fn set_key_state(&self, arn: &str, state: KeyState) -> Result<(), AwsError> {
        self.journal.append(&Entry::KeyState { arn: arn.into(), state })?;
        self.key_states.set(arn, state);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_nobody_touched_is_enabled_and_can_become_so_again() {
        let states = KeyStates::default();
        assert_eq!(states.get("k"), KeyState::Enabled);
        states.set("k", KeyState::PendingDeletion { deletion_ms: 7 });
        assert_eq!(states.get("k"), KeyState::PendingDeletion { deletion_ms: 7 });
        states.set("k", KeyState::Enabled);
        assert_eq!(states.get("k"), KeyState::Enabled);
    }
}
