//! Puts back what people made and configured: buckets, objects, keys, roles, what users have, stacks, and the documents' later life.
//! The older kinds of entry are in `replay`.

use crate::journal::{BucketEntry, Entry};
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::place::Place;

impl World {
    pub(super) fn apply_made(&self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::BucketCreated(entry) => self.apply_bucket(*entry)?,
            Entry::Configured { bucket, configuration, value } => {
                let owner = self.bucket_owner(&bucket).ok_or_else(|| format!("no account owns bucket {bucket}"))?;
                self.with_buckets(owner, |buckets| {
                    if let Ok(at) = buckets.binary_search_by(|b| (*b.name).cmp(&bucket)) {
                        buckets[at].configurations.set(configuration, value);
                    }
                });
            }
            Entry::AccountBlock { account, value } => {
                let account = self.account_at(&account)?;
                self.with_account(account, |state| state.public_access_block = value);
            }
            Entry::ObjectPut { bucket, key, object } => self.objects.put(&bucket, &key, *object),
            Entry::ObjectDeleted { bucket, key } => self.objects.delete(&bucket, &key),
            Entry::KeyState { arn, state } => self.key_states.set(&arn, state),
            Entry::KeyCreated { account, region, key } => {
                let (account, region) = self.place(&account, &region)?;
                self.key_store.add(account, region, *key);
            }
            Entry::KeyAlias { account, region, alias, key_id, at_ms } => {
                let (account, region) = self.place(&account, &region)?;
                self.key_store.set_alias(account, region, &alias, key_id.as_deref(), at_ms);
            }
            Entry::KeyPolicy { arn, policy } => self.key_store.set_policy(&arn, &policy),
            Entry::KeySetting { arn, setting } => self.key_store.set(&arn, setting),
            Entry::Role { account, role } => {
                let name = role.name.clone();
                self.roles.put(self.account_at(&account)?, &name, *role);
            }
            Entry::RoleDeleted { account, name } => self.roles.remove(self.account_at(&account)?, &name),
            Entry::ManagedPolicy { account, policy } => {
                let name = policy.name.clone();
                self.managed.put(self.account_at(&account)?, &name, *policy);
            }
            Entry::ManagedPolicyDeleted { account, name } => self.managed.remove(self.account_at(&account)?, &name),
            Entry::UserAttached { account, name, attached } => {
                self.attached_to_users.put(self.account_at(&account)?, &name, attached);
            }
            Entry::DocumentDefault { account, region, name, version } => {
                let (account, region) = self.place(&account, &region)?;
                self.with_region(account, region, |state| {
                    if let Some(document) = state.documents.get_mut(&name) {
                        document.default_version = version;
                    }
                });
            }
            Entry::DocumentDeleted { account, region, name, version } => {
                let (account, region) = self.place(&account, &region)?;
                self.with_region(account, region, |state| match version {
                    None => {
                        state.documents.remove(&name);
                    }
                    Some(version) => {
                        if let Some(document) = state.documents.get_mut(&name) {
                            document.deleted.insert(version);
                        }
                    }
                });
            }
            Entry::DocumentTags { account, region, name, tags } => {
                let (account, region) = self.place(&account, &region)?;
                self.with_region(account, region, |state| {
                    if let Some(document) = state.documents.get_mut(&name) {
                        document.tags = tags;
                    }
                });
            }
            Entry::Config { account, region, change } => {
                let (account, region) = self.place(&account, &region)?;
                self.with_region(account, region, |state| state.config.apply(*change));
                self.config_changes.be_in_use();
            }
            Entry::Organization(change) => self.apply_to_organization(*change)?,
            Entry::StackTemplate { id, body } => self.stacks.put_template(&id, &body),
            Entry::Stack { account, region, stack } => {
                let (account, region) = self.place(&account, &region)?;
                self.stacks.put(Place { account, region }, *stack);
            }
            Entry::StackSet { region, change } => {
                let at = self.region_index(&region).ok_or_else(|| format!("there is no Region {region}"))?;
                self.stacks.apply(at, *change);
            }
            Entry::ExecutionTags { account, region, id, tags } => {
                let (account, region) = self.place(&account, &region)?;
                self.with_region(account, region, |state| {
                    if let Some(execution) = state.executions.get_mut(&id) {
                        execution.tags = tags;
                    }
                });
            }
            Entry::Encryption { .. }
            | Entry::BucketDeleted { .. }
            | Entry::DocumentVersion(_)
            | Entry::Shared { .. }
            | Entry::Started { .. }
            | Entry::Running { .. }
            | Entry::Step { .. }
            | Entry::Stopping { .. }
            | Entry::Ended(_) => return Err("this entry belongs to `replay`".into()),
        }
        Ok(())
    }

    fn account_at(&self, account: &str) -> Result<usize, String> {
        self.organization.find(account).ok_or_else(|| format!("there is no account {account}"))
    }

    fn apply_bucket(&self, entry: BucketEntry) -> Result<(), String> {
        let (account, region) = self.place(&entry.account, &entry.region)?;
        self.insert_bucket(
            account,
            Bucket {
                name: entry.bucket.as_str().into(),
                region: region as u8,
                created: entry.created,
                encryption: Some(entry.encryption.into()),
                configurations: entry.configurations,
            },
        );
        self.note_owner(&entry.bucket, account);
        Ok(())
    }
}
