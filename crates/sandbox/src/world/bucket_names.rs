//! Bucket names that somebody took with CreateBucket: a name belongs to whoever took it last, in one namespace.
//! Generated buckets are not listed here; their owner follows from the name.

use std::collections::HashMap;
use std::sync::RwLock;

use crate::journal::{BucketEntry, Entry};
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::bucket::{Bucket, Encryption};
use crate::world::configuration::Configurations;
use crate::world::lock::{read, write};

/// Owners of made buckets, by name.
#[derive(Debug, Default)]
pub(crate) struct CreatedBuckets {
    owners: RwLock<HashMap<String, u32>>,
}

impl CreatedBuckets {
    pub(crate) fn owner(&self, bucket: &str) -> Option<usize> {
        read(&self.owners).get(bucket).map(|account| *account as usize)
    }
}

impl World {
    /// Takes the name for a new bucket, or says who has it.
    pub(crate) fn create_bucket(&self, account: usize, bucket: Bucket) -> Result<Result<(), usize>, AwsError> {
        // Held throughout: two accounts that ask for one name at the same time must not both get it.
        let mut owners = write(&self.created_buckets.owners);
        let name = bucket.name.to_string();
        let holder = owners.get(&name).map(|account| *account as usize).or_else(|| self.generated_owner(&name));
        if let Some(holder) = holder
            && self.with_buckets(holder, |buckets| buckets.binary_search_by(|b| (*b.name).cmp(&name)).is_ok())
        {
            return Ok(Err(holder));
        }
        self.journal.append(&Entry::BucketCreated(Box::new(BucketEntry {
            bucket: name.clone(),
            account: self.organization.accounts[account].id.clone(),
            region: self.spec.regions[usize::from(bucket.region)].clone(),
            created: bucket.created,
            encryption: bucket.encryption.as_ref().unwrap_or(&super::bucket::Encryption::sse_s3()).into(),
            configurations: bucket.configurations.clone(),
        })))?;
        self.insert_bucket(account, bucket);
        owners.insert(name, account as u32);
        Ok(Ok(()))
    }

    pub(super) fn insert_bucket(&self, account: usize, bucket: Bucket) {
        self.with_buckets(account, |buckets| {
            let at = buckets.partition_point(|other| other.name < bucket.name);
            buckets.insert(at, bucket);
        });
    }

    pub(super) fn note_owner(&self, bucket: &str, account: usize) {
        write(&self.created_buckets.owners).insert(bucket.into(), account as u32);
    }

    /// Deletes the bucket with everything in it, whoever owns it; false when there is none.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> bool {
        self.delete_bucket_if(bucket, |_| true)
    }

    /// Deletes the bucket when its owner fits and there still is one, with no change to it in between.
    pub(crate) fn delete_bucket_if(&self, bucket: &str, fits: impl FnOnce(usize) -> bool) -> bool {
        // Held throughout: a name that is being taken anew must not lose its new owner here.
        let mut owners = write(&self.created_buckets.owners);
        let holder = owners.get(bucket).map(|account| *account as usize).or_else(|| self.generated_owner(bucket));
        let Some(owner) = holder else { return false };
        let deleted = self.with_buckets(owner, |buckets| {
            let Ok(at) = buckets.binary_search_by(|b| (*b.name).cmp(bucket)) else { return false };
            if !fits(owner) || self.journal.append(&Entry::BucketDeleted { bucket: bucket.into() }).is_err() {
                return false;
            }
            buckets.remove(at);
            true
        });
        if deleted {
            owners.remove(bucket);
            self.objects.drop_bucket(bucket);
        }
        deleted
    }

    /// The bucket is deleted, and its name taken by this account for a new one, empty and with SSE-S3, in the same Region.
    pub(crate) fn retake_bucket(&self, bucket: &str, by: usize) -> bool {
        let Some(owner) = self.bucket_owner(bucket) else { return false };
        let old = self.with_buckets(owner, |buckets| {
            buckets.binary_search_by(|b| (*b.name).cmp(bucket)).ok().map(|at| buckets[at].clone())
        });
        let Some(old) = old else { return false };
        let created = (now_ms() / 1000) as u32;
        let new = Bucket {
            created,
            encryption: Some(Encryption {
                blocked: self.spec.blocked_types.of_new_bucket(&self.spec.regions[usize::from(old.region)]),
                ..Encryption::sse_s3()
            }),
            configurations: Configurations::default(),
            ..old
        };
        self.delete_bucket(bucket) && matches!(self.create_bucket(by, new), Ok(Ok(())))
    }

    /// The journal says that a bucket went.
    pub(super) fn forget_bucket(&self, bucket: &str) {
        write(&self.created_buckets.owners).remove(bucket);
        self.objects.drop_bucket(bucket);
    }
}
