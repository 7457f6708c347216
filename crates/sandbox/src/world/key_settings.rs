//! What can be set on a key after it was made, by its ARN: tags, description, rotation. Sparse; what is not here is as it was made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::key::Key;
use crate::world::key_store::KeyStore;
use crate::world::lock::{read, write};

/// How a key's material is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) days: i64,
    pub(crate) next_ms: i64,
}

/// One thing that was set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeySetting {
    Tags(Vec<(String, String)>),
    Description(String),
    /// Nothing when rotation was turned off.
    Rotation(Option<Rotation>),
}

/// By key ARN.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    tags: BTreeMap<String, Vec<(String, String)>>,
    descriptions: BTreeMap<String, String>,
    rotations: BTreeMap<String, Rotation>,
}

impl KeyStore {
    pub(crate) fn set(&self, arn: &str, setting: KeySetting) {
        let mut settings = write(&self.settings);
        match setting {
            KeySetting::Tags(tags) => drop(settings.tags.insert(arn.into(), tags)),
            KeySetting::Description(text) => drop(settings.descriptions.insert(arn.into(), text)),
            KeySetting::Rotation(Some(rotation)) => drop(settings.rotations.insert(arn.into(), rotation)),
            KeySetting::Rotation(None) => drop(settings.rotations.remove(arn)),
        }
    }

    pub(crate) fn tags(&self, key: &Key) -> Vec<(String, String)> {
        let set = read(&self.settings).tags.get(&key.arn).cloned();
        set.unwrap_or_else(|| key.created.as_ref().map(|created| created.tags.clone()).unwrap_or_default())
    }

    /// The description that was put in place of the first one.
    pub(crate) fn description(&self, key: &Key) -> Option<String> {
        read(&self.settings).descriptions.get(&key.arn).cloned()
    }

    pub(crate) fn rotation(&self, arn: &str) -> Option<Rotation> {
        read(&self.settings).rotations.get(arn).copied()
    }
}

impl World {
    /// Sets it and makes it durable.
    pub(crate) fn set_on_key(&self, arn: &str, setting: KeySetting) -> Result<(), AwsError> {
        self.journal.append(&Entry::KeySetting { arn: arn.into(), setting: setting.clone() })?;
        self.key_store.set(arn, setting);
        Ok(())
    }
}
