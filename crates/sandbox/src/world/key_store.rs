//! KMS keys, aliases and key policies that somebody made, sparse: the generated ones follow from the seed and are in `key`,
//! what else can be set on a key is in `key_settings`. Which of them a caller may see or use is decided in `services::kms`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use serde::{Deserialize, Serialize};

use crate::world::World;
use crate::world::key::{Key, KeyKind};
use crate::world::key_settings::Settings;
use crate::world::lock::{lock, read, write};

/// A key as CreateKey or ReplicateKey made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CreatedKey {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) usage: String,
    pub(crate) spec: String,
    /// `AWS_KMS` or `EXTERNAL`.
    pub(crate) origin: String,
    pub(crate) multi_region: bool,
    /// The Region of the primary key, where this one is a replica of it.
    #[serde(default)]
    pub(crate) primary: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) tags: Vec<(String, String)>,
}

/// An alias that somebody made, pointed elsewhere or deleted.
#[derive(Debug, Clone)]
pub(crate) struct Alias {
    /// Nothing when it was deleted: so that a generated alias stays away.
    pub(crate) key_id: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

#[derive(Debug, Default)]
struct Made {
    keys: BTreeMap<String, Arc<CreatedKey>>,
    /// By `alias/…`.
    aliases: BTreeMap<String, Alias>,
}

/// By account and Region.
#[derive(Debug, Default)]
pub(crate) struct KeyStore {
    made: RwLock<BTreeMap<(usize, usize), Made>>,
    /// By key ARN; the generated keys' own policies are made when asked for.
    policies: RwLock<BTreeMap<String, Arc<str>>>,
    pub(super) settings: RwLock<Settings>,
    writing: Mutex<()>,
}

impl KeyStore {
    /// Held while something is changed, so that nothing is made twice.
    pub(crate) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        lock(&self.writing)
    }

    pub(crate) fn add(&self, account: usize, region: usize, key: CreatedKey) {
        write(&self.made).entry((account, region)).or_default().keys.insert(key.id.clone(), Arc::new(key));
    }

    /// Points an alias at a key of the same account and Region, or takes it away.
    pub(crate) fn set_alias(&self, account: usize, region: usize, name: &str, key_id: Option<&str>, at_ms: i64) {
        let mut made = write(&self.made);
        let aliases = &mut made.entry((account, region)).or_default().aliases;
        let key_id = key_id.map(String::from);
        match aliases.get_mut(name).filter(|alias| alias.key_id.is_some()) {
            Some(alias) => (alias.key_id, alias.updated_ms) = (key_id, at_ms),
            None => {
                aliases.insert(name.into(), Alias { key_id, created_ms: at_ms, updated_ms: at_ms });
            }
        }
    }

    /// The alias, when somebody had a hand in it.
    pub(crate) fn alias(&self, account: usize, region: usize, name: &str) -> Option<Alias> {
        read(&self.made).get(&(account, region))?.aliases.get(name).cloned()
    }

    /// All of them, deleted ones too.
    pub(crate) fn aliases(&self, account: usize, region: usize) -> BTreeMap<String, Alias> {
        read(&self.made).get(&(account, region)).map(|made| made.aliases.clone()).unwrap_or_default()
    }

    pub(crate) fn key(&self, account: usize, region: usize, id: &str) -> Option<Arc<CreatedKey>> {
        read(&self.made).get(&(account, region))?.keys.get(id).cloned()
    }

    pub(crate) fn keys(&self, account: usize, region: usize) -> Vec<Arc<CreatedKey>> {
        let made = read(&self.made);
        made.get(&(account, region)).map(|made| made.keys.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn set_policy(&self, arn: &str, policy: &str) {
        write(&self.policies).insert(arn.into(), policy.into());
    }

    pub(crate) fn policy(&self, arn: &str) -> Option<Arc<str>> {
        read(&self.policies).get(arn).cloned()
    }
}

impl World {
    /// The key that CreateKey or ReplicateKey made with this id.
    pub(super) fn find_made_key(&self, account: usize, region: usize, id: &str) -> Option<Key> {
        let created = self.key_store.key(account, region, id)?;
        let arn = self.key_arn(account, region, id);
        Some(Key { kind: KeyKind::Created, id: id.into(), arn, created: Some(created) })
    }

    pub(crate) fn key_arn(&self, account: usize, region: usize, id: &str) -> String {
        let (region, account) = (&self.spec.regions[region], &self.organization.accounts[account].id);
        self.spec.partition.arn("kms", region, account, format_args!("key/{id}"))
    }

    /// Whether there is a key of this ARN.
    pub(crate) fn has_key(&self, arn: &str) -> bool {
        let Some(rest) = self.spec.partition.strip_arn("kms", arn) else { return false };
        let parts: Vec<&str> = rest.splitn(3, ':').collect();
        let [region, account, resource] = parts[..] else { return false };
        let (Some(region), Some(account)) = (self.region_index(region), self.organization.find(account)) else {
            return false;
        };
        resource.strip_prefix("key/").is_some_and(|id| self.find_key(account, region, id).is_some())
    }
}
