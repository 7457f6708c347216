//! Eventual consistency of a bucket's default encryption: for a while after a put the former configuration is shown.
//! Automations read what is stored: only requests off the socket see the past.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Occasion, Target};
use crate::wire::now_ms;
use crate::world::World;
use crate::world::bucket::Encryption;
use crate::world::lock::{read, write};

/// Lets a fault keep what was there before a put in sight.
pub(crate) fn before_put(world: &World, account: usize, region: &str, bucket: &str, former: Option<Encryption>) {
    if !world.faults.any() {
        return;
    }
    let target = Target {
        account: Some(account),
        account_id: &world.organization.accounts[account].id,
        region,
        service: "s3",
        operation: "PutBucketEncryption",
        bucket,
    };
    if let Some(fault) = world.faults.strike(Occasion::Put, &target).first() {
        world.faults.stale.keep(bucket, former, fault.ms.unwrap_or(2000));
    }
}

/// Former configurations that are still shown, by bucket.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    any: AtomicBool,
    shown: RwLock<HashMap<String, (Option<Encryption>, i64)>>,
}

impl Stale {
    /// Shows what was before for so long. A second put in that time does not bring the time in between to light.
    pub(crate) fn keep(&self, bucket: &str, former: Option<Encryption>, ms: u64) {
        let now = now_ms();
        let until = now + ms as i64;
        let mut shown = write(&self.shown);
        shown.retain(|_, (_, until)| *until > now);
        shown.entry(bucket.to_string()).and_modify(|(_, end)| *end = until).or_insert((former, until));
        self.any.store(true, Ordering::Release);
    }

    /// What is shown instead of the bucket's own configuration, when there is such a thing.
    pub(crate) fn of(&self, bucket: &str) -> Option<Option<Encryption>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let now = now_ms();
        read(&self.shown).get(bucket).filter(|(_, until)| *until > now).map(|(former, _)| former.clone())
    }
}
