//! Buckets whose name another account took after they were deleted: names are global, and free again after a deletion.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::journal::Entry;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::bucket::{Bucket, Encryption};
use crate::world::lock::{read, write};

/// Owners that do not follow from the bucket's name.
#[derive(Debug, Default)]
pub(super) struct Retaken {
    any: AtomicBool,
    owners: RwLock<HashMap<String, u32>>,
}

impl Retaken {
    pub(super) fn owner(&self, bucket: &str) -> Option<usize> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        read(&self.owners).get(bucket).map(|account| *account as usize)
    }
}

impl World {
    /// The bucket is deleted, and made again, empty and with SSE-S3, by this account in the same Region.
    pub(crate) fn retake_bucket(&self, bucket: &str, by: usize) -> bool {
        let entry = Entry::BucketRetaken {
            bucket: bucket.into(),
            account: self.organization.accounts[by].id.clone(),
            at_ms: now_ms(),
        };
        self.bucket_owner(bucket).is_some()
            && self.journal.append(&entry).is_ok()
            && self.move_bucket(bucket, by, now_ms())
    }

    pub(super) fn move_bucket(&self, bucket: &str, by: usize, at_ms: i64) -> bool {
        let Some(owner) = self.bucket_owner(bucket) else { return false };
        let removed = self.with_buckets(owner, |buckets| {
            let at = buckets.binary_search_by(|b| (*b.name).cmp(bucket)).ok()?;
            Some(buckets.remove(at))
        });
        let Some(old) = removed else { return false };
        let new = Bucket { created: (at_ms / 1000) as u32, encryption: Some(Encryption::sse_s3()), ..old };
        self.with_buckets(by, |buckets| {
            let at = buckets.partition_point(|b| b.name < new.name);
            buckets.insert(at, new);
        });
        write(&self.retaken.owners).insert(bucket.to_string(), by as u32);
        self.retaken.any.store(true, Ordering::Release);
        true
    }
}
