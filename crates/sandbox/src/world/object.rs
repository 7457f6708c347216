//! Objects, small and in memory: enough to show which writes and reads a bucket's encryption lets through.
//! Who may write or read them is decided in `services::s3`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::world::bucket::Algorithm;
use crate::world::lock::{read, write};

/// How an object lies on S3's disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sealing {
    SseS3,
    Kms {
        algorithm: Algorithm,
        /// The key's ARN.
        key: String,
        bucket_key: bool,
    },
    /// Under a key that its writer keeps: the MD5 of that key, in base64.
    Customer {
        key_md5: String,
    },
}

/// An object as it was put.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub(crate) body: Bytes,
    /// With its quotes.
    pub(crate) etag: String,
    pub(crate) modified_ms: i64,
    pub(crate) content_type: String,
    /// `x-amz-meta-…`, lower case, without that prefix.
    pub(crate) metadata: BTreeMap<String, String>,
    /// Header name and value of the checksum it was put with.
    pub(crate) checksum: Option<(String, String)>,
    pub(crate) sealing: Sealing,
    /// `x-amz-replication-status`; none where no replication rule selects it.
    #[serde(default)]
    pub(crate) replication: Option<String>,
}

fn to_base64<S: Serializer>(body: &Bytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(body))
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
}

/// The objects of one bucket by key.
type Held = BTreeMap<String, Arc<Object>>;

/// All objects, by bucket and key.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    held: RwLock<(HashMap<String, Held>, usize)>,
}

/// All objects together: the sandbox shows who may write, it does not keep anybody's data.
const MOST_BYTES: usize = 128 << 20;

impl Objects {
    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        read(&self.held).0.get(bucket)?.get(key).cloned()
    }

    /// Whether another object of this size still fits.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        read(&self.held).1 + bytes <= MOST_BYTES
    }

    pub(crate) fn put(&self, bucket: &str, key: &str, object: Object) {
        let mut held = write(&self.held);
        held.1 += object.body.len();
        let before = held.0.entry(bucket.into()).or_default().insert(key.into(), Arc::new(object));
        held.1 -= before.map_or(0, |object| object.body.len());
    }

    pub(crate) fn delete(&self, bucket: &str, key: &str) {
        let mut held = write(&self.held);
        let Some(objects) = held.0.get_mut(bucket) else { return };
        let gone = objects.remove(key);
        if objects.is_empty() {
            held.0.remove(bucket);
        }
        held.1 -= gone.map_or(0, |object| object.body.len());
    }

    pub(crate) fn is_empty(&self, bucket: &str) -> bool {
        !read(&self.held).0.contains_key(bucket)
    }

    /// A bucket went, with everything in it.
    pub(crate) fn drop_bucket(&self, bucket: &str) {
        let mut held = write(&self.held);
        if let Some(objects) = held.0.remove(bucket) {
            held.1 -= objects.values().map(|object| object.body.len()).sum::<usize>();
        }
    }

    /// Keys after `after` that begin with `prefix`, in order, at most `most`.
    pub(crate) fn list(&self, bucket: &str, prefix: &str, after: &str, most: usize) -> Vec<(String, Arc<Object>)> {
        let held = read(&self.held);
        let Some(objects) = held.0.get(bucket) else { return Vec::new() };
        objects
            .iter()
            .filter(|(key, _)| key.as_str() > after && key.starts_with(prefix))
            .take(most)
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_held_are_counted_through_every_change() {
        let object = |size: usize| Object {
            body: vec![0; size].into(),
            etag: String::new(),
            modified_ms: 0,
            content_type: String::new(),
            metadata: BTreeMap::new(),
            checksum: None,
            sealing: Sealing::SseS3,
            replication: None,
        };
        let objects = Objects::default();
        objects.put("b", "k", object(10));
        objects.put("b", "k", object(30));
        objects.put("b", "l", object(5));
        assert_eq!(read(&objects.held).1, 35);
        objects.delete("b", "k");
        objects.delete("b", "k");
        assert_eq!(read(&objects.held).1, 5);
        assert!(objects.has_room(MOST_BYTES - 5) && !objects.has_room(MOST_BYTES - 4));
        objects.drop_bucket("b");
        assert!(objects.is_empty("b") && read(&objects.held).1 == 0);
        let again: Object = serde_json::from_str(&serde_json::to_string(&object(3)).unwrap()).unwrap();
        assert_eq!(again.body.len(), 3);
    }
}
