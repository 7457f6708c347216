//! What a bucket has configured besides its encryption, sparse: one pointer in the bucket when there is nothing.
//! The shapes of the values are in `services::s3::shapes`; who is refused what is in `services::s3`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The configurations that are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Configuration {
    /// A JSON string: the policy's own text.
    Policy,
    Logging,
    Website,
    Replication,
    Tagging,
    Acl,
    PublicAccessBlock,
    OwnershipControls,
    Notification,
    Versioning,
    Accelerate,
    /// A list of InventoryConfiguration.
    Inventory,
}

/// The configurations of one bucket, each as the payload structure of its Put operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Configurations {
    // The box keeps a bucket without any small: a world may hold a million of them.
    #[allow(clippy::box_collection)]
    held: Option<Box<BTreeMap<Configuration, Value>>>,
}

impl Configurations {
    pub(crate) fn get(&self, which: Configuration) -> Option<&Value> {
        self.held.as_ref()?.get(&which)
    }

    pub(crate) fn set(&mut self, which: Configuration, value: Option<Value>) {
        match value {
            Some(value) => {
                self.held.get_or_insert_default().insert(which, value);
            }
            None => {
                if let Some(held) = &mut self.held {
                    held.remove(&which);
                    if held.is_empty() {
                        self.held = None;
                    }
                }
            }
        }
    }

    /// The bucket policy's text.
    pub(crate) fn policy(&self) -> Option<&str> {
        self.get(Configuration::Policy)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_one_that_goes_leaves_nothing_behind() {
        let mut held = Configurations::default();
        held.set(Configuration::Policy, Some(json!("{}")));
        held.set(Configuration::Tagging, Some(json!({})));
        assert_eq!(held.policy(), Some("{}"));
        held.set(Configuration::Policy, None);
        assert_eq!((held.policy(), held.get(Configuration::Tagging)), (None, Some(&json!({}))));
        held.set(Configuration::Tagging, None);
        assert_eq!(held, Configurations::default());
        assert_eq!(std::mem::size_of::<Configurations>(), 8);
    }
}
