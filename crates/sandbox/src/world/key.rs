//! KMS keys that follow from the seed; none of them is stored. Those that somebody made are in `key_store`.
//! Who may see them is decided in `services::kms`.

use std::sync::Arc;

use crate::random::Random;
use crate::world::World;
use crate::world::key_store::CreatedKey;
use crate::world::organization::Organization;

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// The organization's central key, in the security account.
    Central,
    /// A customer managed key of one account's own.
    Customer,
    /// The AWS managed key `aws/s3`.
    AwsManaged,
    /// Made by CreateKey.
    Created,
}

/// A key of one account and Region.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) kind: KeyKind,
    pub(crate) id: String,
    pub(crate) arn: String,
    /// What CreateKey was told; nothing for a generated key.
    pub(crate) created: Option<Arc<CreatedKey>>,
}

pub(crate) const CENTRAL_ALIAS: &str = "alias/orgseal-central";
pub(crate) const CUSTOMER_ALIAS: &str = "alias/team-key";
pub(crate) const AWS_MANAGED_ALIAS: &str = "alias/aws/s3";

/// When generated keys and aliases were made: the first of January 2023.
pub(crate) const GENERATED_MS: i64 = 1_672_531_200_000;

impl World {
    pub(crate) fn key(&self, kind: KeyKind, account: usize, region: usize) -> Key {
        let seed = self.spec.seed;
        let id = match kind {
            KeyKind::Central if self.spec.central_key.multi_region => {
                format!("mrk-{}", Random::new(seed, "central-key", 0).uuid().replace('-', ""))
            }
            KeyKind::Central => Random::new(seed, "central-key", 1 + region as u64).uuid(),
            KeyKind::Customer | KeyKind::Created => Random::new(seed, "customer-key", place(account, region)).uuid(),
            KeyKind::AwsManaged => Random::new(seed, "aws-managed-key", place(account, region)).uuid(),
        };
        let arn = self.key_arn(account, region, &id);
        Key { kind, id, arn, created: None }
    }

    pub(crate) fn central_key(&self, region: usize) -> Key {
        self.key(KeyKind::Central, Organization::SECURITY, region)
    }

    /// The key of this account and Region that has this id or alias.
    pub(crate) fn find_key(&self, account: usize, region: usize, id_or_alias: &str) -> Option<Key> {
        self.find_generated_key(account, region, id_or_alias)
            .or_else(|| self.find_made_key(account, region, id_or_alias))
    }

    /// The generated key of this account and Region that has this id or alias.
    pub(crate) fn find_generated_key(&self, account: usize, region: usize, id_or_alias: &str) -> Option<Key> {
        let generated =
            || self.generated_kinds(account).into_iter().map(|(kind, alias)| (self.key(kind, account, region), alias));
        if id_or_alias.starts_with("alias/") {
            // What somebody did to an alias counts more than where it was generated to point.
            return match self.key_store.alias(account, region, id_or_alias) {
                Some(alias) => self.find_key(account, region, &alias.key_id?),
                None => generated().find(|(_, alias)| *alias == id_or_alias).map(|(key, _)| key),
            };
        }
        generated().find(|(key, _)| key.id == id_or_alias).map(|(key, _)| key)
    }

    /// The kinds of generated keys in an account, with the alias of each.
    pub(crate) fn generated_kinds(&self, account: usize) -> Vec<(KeyKind, &'static str)> {
        let mut kinds = vec![(KeyKind::Customer, CUSTOMER_ALIAS), (KeyKind::AwsManaged, AWS_MANAGED_ALIAS)];
        if account == Organization::SECURITY && self.spec.groundwork {
            kinds.insert(0, (KeyKind::Central, CENTRAL_ALIAS));
        }
        kinds
    }
}

fn place(account: usize, region: usize) -> u64 {
    account as u64 * 64 + region as u64
}
