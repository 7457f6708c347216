//! KMS keys, aliases and key policies that somebody made, sparse: the generated ones follow from the seed and are in `key`.
//! Which of them a caller may see or use is decided in `services::kms`.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use crate::world::World;
use crate::world::key::{Key, KeyKind};
use crate::world::lock::{read, write};

/// A key as CreateKey made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CreatedKey {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) usage: String,
    pub(crate) spec: String,
    /// `AWS_KMS` or `EXTERNAL`.
    pub(crate) origin: String,
    pub(crate) multi_region: bool,
    pub(crate) created_ms: i64,
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Made {
    keys: BTreeMap<String, Arc<CreatedKey>>,
    /// Alias to key id.
    aliases: BTreeMap<String, String>,
}

/// By account and Region.
#[derive(Debug, Default)]
pub(crate) struct KeyStore {
    made: RwLock<BTreeMap<(usize, usize), Made>>,
    /// By key ARN; the generated keys' own policies are made when asked for.
    policies: RwLock<BTreeMap<String, Arc<str>>>,
}

impl KeyStore {
    pub(crate) fn add(&self, account: usize, region: usize, key: CreatedKey) {
        write(&self.made).entry((account, region)).or_default().keys.insert(key.id.clone(), Arc::new(key));
    }

    /// Points an alias at a key of the same account and Region, or takes it away.
    pub(crate) fn set_alias(&self, account: usize, region: usize, alias: &str, key_id: Option<&str>) {
        let mut made = write(&self.made);
        let aliases = &mut made.entry((account, region)).or_default().aliases;
        match key_id {
            Some(id) => aliases.insert(alias.into(), id.into()),
            None => aliases.remove(alias),
        };
    }

    pub(crate) fn alias(&self, account: usize, region: usize, alias: &str) -> Option<String> {
        read(&self.made).get(&(account, region))?.aliases.get(alias).cloned()
    }

    /// Alias and key id, sorted.
    pub(crate) fn aliases(&self, account: usize, region: usize) -> Vec<(String, String)> {
        let made = read(&self.made);
        let here = made.get(&(account, region));
        here.map(|made| made.aliases.iter().map(|(a, id)| (a.clone(), id.clone())).collect()).unwrap_or_default()
    }

    fn key(&self, account: usize, region: usize, id: &str) -> Option<Arc<CreatedKey>> {
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
    /// The key of this account and Region that CreateKey made with this id, or that a made alias means.
    pub(crate) fn find_made_key(&self, account: usize, region: usize, id_or_alias: &str) -> Option<Key> {
        let target = self.key_store.alias(account, region, id_or_alias);
        let id = target.as_deref().unwrap_or(id_or_alias);
        if target.is_some()
            && let Some(generated) = self.find_generated_key(account, region, id)
        {
            return Some(generated);
        }
        let created = self.key_store.key(account, region, id)?;
        let arn = self.key_arn(account, region, id);
        Some(Key { kind: KeyKind::Created, id: id.into(), arn, created: Some(created) })
    }

    pub(crate) fn key_arn(&self, account: usize, region: usize, id: &str) -> String {
        format!("arn:aws:kms:{}:{}:key/{id}", self.spec.regions[region], self.organization.accounts[account].id)
    }

    /// Whether there is a key of this ARN.
    pub(crate) fn has_key(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", "aws", "kms", region, account, resource] = parts[..] else { return false };
        let (Some(region), Some(account)) = (self.region_index(region), self.organization.find(account)) else {
            return false;
        };
        resource.strip_prefix("key/").is_some_and(|id| self.find_key(account, region, id).is_some())
    }
}
