//! Everything that can change, written down at one moment, and the differences of two such moments.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::observe::{BucketEncryption, ExecutionState};
use crate::world::World;
use crate::world::document::Document;
use crate::world::lock::lock;

/// Named dumps that are kept at most; the one that was taken first gives way.
const MOST_KEPT: usize = 16;

/// A bucket in a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedBucket {
    /// The owner's account id.
    pub account: String,
    /// Where it is.
    pub region: String,
    /// `None` is the old "no configuration".
    pub encryption: Option<BucketEncryption>,
}

/// A document in a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedDocument {
    /// The default version's number.
    pub default_version: usize,
    /// The Sha256 of each version, the first one first.
    pub versions: Vec<String>,
    /// Account ids, or "all".
    pub shared_with: Vec<String>,
}

impl From<&Document> for DumpedDocument {
    fn from(document: &Document) -> DumpedDocument {
        DumpedDocument {
            default_version: document.default_version,
            versions: document.versions.iter().map(|version| version.hash.clone()).collect(),
            shared_with: document.shared_with.iter().cloned().collect(),
        }
    }
}

/// Everything that can change. Two dumps of one organization in one state are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dump {
    /// `o-…`
    pub organization: String,
    /// The seed it was made from.
    pub seed: u64,
    /// By name.
    pub buckets: BTreeMap<String, DumpedBucket>,
    /// Those that are not as they were made, by `account/region/name`.
    pub documents: BTreeMap<String, DumpedDocument>,
    /// By execution id.
    pub executions: BTreeMap<String, ExecutionState>,
    /// The state of each key that is not Enabled, by ARN.
    pub keys: BTreeMap<String, String>,
    /// What is not as it was made in AWS Config (rules, remediations, exceptions, packs, aggregators, tags, a recorder that is
    /// off), by `account/region/kind/name`; null for what was taken away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, Value>,
    /// IAM's roles and managed policies that somebody wrote, and what is attached to a user since somebody changed it, by
    /// `account/role/name`, `account/policy/name` and `account/user/name`, the name in lower case; null for what was
    /// deleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub iam: BTreeMap<String, Value>,
    /// The status of each of CloudFormation's stacks that is there, by `account/region/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, String>,
}

/// One difference of two dumps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// `bucket`, `document`, `execution`, `key`, `config`, `iam` or `stack`.
    pub kind: String,
    /// Its name, id or ARN.
    pub name: String,
    /// The member that differs; empty when the whole thing is there in one dump only.
    pub member: String,
    /// In the first dump; null when it is not there.
    pub from: Value,
    /// In the second dump; null when it is not there.
    pub to: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { kind, name, member, from, to } = self;
        match (member.is_empty(), from, to) {
            (true, Value::Null, _) => write!(f, "{kind} {name}: new"),
            (true, _, Value::Null) => write!(f, "{kind} {name}: gone"),
            _ => write!(f, "{kind} {name}: {member} from {from} to {to}"),
        }
    }
}

impl Dump {
    /// What is different in `b`: buckets first, then documents, keys, AWS Config, IAM, stacks and executions.
    pub fn diff(a: &Dump, b: &Dump) -> Vec<Difference> {
        let mut all = Vec::new();
        compare("bucket", &a.buckets, &b.buckets, &mut all);
        compare("document", &a.documents, &b.documents, &mut all);
        compare("key", &a.keys, &b.keys, &mut all);
        compare("config", &a.config, &b.config, &mut all);
        compare("iam", &a.iam, &b.iam, &mut all);
        compare("stack", &a.stacks, &b.stacks, &mut all);
        compare("execution", &a.executions, &b.executions, &mut all);
        all
    }
}

fn compare<T: Serialize + PartialEq>(
    kind: &str,
    a: &BTreeMap<String, T>,
    b: &BTreeMap<String, T>,
    all: &mut Vec<Difference>,
) {
    let value = |thing: Option<&T>| thing.and_then(|thing| serde_json::to_value(thing).ok()).unwrap_or_default();
    let mut add = |name: &str, member: &str, from: Value, to: Value| {
        all.push(Difference { kind: kind.into(), name: name.into(), member: member.into(), from, to });
    };
    let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
    names.sort();
    for name in names {
        let (old, new) = (a.get(name), b.get(name));
        if old == new {
            continue;
        }
        match (value(old), value(new)) {
            (Value::Object(old), Value::Object(new)) => {
                for (member, from) in &old {
                    let to = new.get(member).cloned().unwrap_or_default();
                    if *from != to {
                        add(name, member, from.clone(), to);
                    }
                }
            }
            (Value::String(old), Value::String(new)) => add(name, "state", old.into(), new.into()),
            (old, new) => add(name, "", old, new),
        }
    }
}

/// Dumps that were given a name, in the order they were taken.
#[derive(Debug, Default)]
pub(crate) struct Dumps {
    kept: Mutex<Vec<(String, Dump)>>,
}

impl Dumps {
    pub(crate) fn keep(&self, name: &str, dump: Dump) {
        let mut kept = lock(&self.kept);
        kept.retain(|(other, _)| other != name);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((name.into(), dump));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Dump> {
        lock(&self.kept).iter().find(|(other, _)| other == name).map(|(_, dump)| dump.clone())
    }
}

impl World {
    pub(crate) fn dump(&self) -> Dump {
        let buckets = self.bucket_states().into_iter().map(|bucket| {
            (
                bucket.name,
                DumpedBucket { account: bucket.account, region: bucket.region, encryption: bucket.encryption },
            )
        });
        Dump {
            organization: self.organization.id.clone(),
            seed: self.spec.seed,
            buckets: buckets.collect(),
            documents: self.changed_documents(),
            executions: self.execution_states().into_iter().map(|one| (one.id.clone(), one)).collect(),
            keys: self.key_states.all().into_iter().map(|(arn, state)| (arn, state.name().to_string())).collect(),
            config: self.changed_config(),
            iam: self.written_iam(),
            stacks: self.stack_states(),
        }
    }

    fn written_iam(&self) -> BTreeMap<String, Value> {
        let mut written = BTreeMap::new();
        for (index, account) in self.organization.accounts.iter().enumerate() {
            let value = |thing: Option<Value>| thing.unwrap_or_default();
            for (name, role) in self.roles.written(index) {
                let role = role.and_then(|role| serde_json::to_value(&*role).ok());
                written.insert(format!("{}/role/{name}", account.id), value(role));
            }
            for (name, policy) in self.managed.written(index) {
                let policy = policy.and_then(|policy| serde_json::to_value(&*policy).ok());
                written.insert(format!("{}/policy/{name}", account.id), value(policy));
            }
            for (name, attached) in self.attached_to_users.written(index) {
                let attached = attached.map(|attached| json!({ "attached": *attached }));
                written.insert(format!("{}/user/{name}", account.id), value(attached));
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_in_both_is_no_difference() {
        let key = |state: &str| ("arn:k".to_string(), state.to_string());
        let dump = |state| Dump {
            organization: "o-1".into(),
            seed: 1,
            buckets: BTreeMap::new(),
            documents: BTreeMap::new(),
            executions: BTreeMap::new(),
            keys: [key(state)].into(),
            config: BTreeMap::new(),
            iam: BTreeMap::new(),
            stacks: BTreeMap::new(),
        };
        assert_eq!(Dump::diff(&dump("Disabled"), &dump("Disabled")), []);
        let changed = Dump::diff(&dump("Disabled"), &dump("PendingDeletion"));
        assert_eq!(changed[0].to_string(), "key arn:k: state from \"Disabled\" to \"PendingDeletion\"");
    }
}
