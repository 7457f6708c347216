//! What differs between two plans.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::error::PlanError;
use super::file::{PlanFile, PlanHead, PlannedBucket};

/// One thing in which two plans differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanDifference {
    /// Something in the head.
    Head(HeadDifference),
    /// Only the second one speaks of the bucket.
    Added(Box<PlannedBucket>),
    /// Only the first one speaks of the bucket.
    Removed(Box<PlannedBucket>),
    /// Both do, and not alike: the parts that differ, as JSON before and after.
    Changed {
        /// In the first.
        before: Box<PlannedBucket>,
        /// In the second.
        after: Box<PlannedBucket>,
        /// The names of what differs.
        parts: Vec<String>,
    },
}

/// Something in which two heads differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadDifference {
    /// What, in words: `wave 1 bake`.
    pub name: String,
    /// In the first; null where it has none.
    pub before: Value,
    /// In the second; null where it has none.
    pub after: Value,
}

/// Hands over each difference, the head's first, then by account and name. When guards looked is no difference.
pub fn diff<E: From<PlanError>>(
    before: &PlanFile,
    after: &PlanFile,
    mut handle: impl FnMut(PlanDifference) -> Result<(), E>,
) -> Result<(), E> {
    for difference in heads(&before.head, &after.head) {
        handle(PlanDifference::Head(difference))?;
    }
    // Both are in the same order, so they are walked side by side.
    let (mut first, mut second) = (before.buckets()?, after.buckets()?);
    let mut one = first.next().transpose()?;
    let mut other = second.next().transpose()?;
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => (&one.account, &one.bucket).cmp(&(&other.account, &other.bucket)),
        };
        let gone = if order.is_le() { std::mem::replace(&mut one, first.next().transpose()?) } else { None };
        let came = if order.is_ge() { std::mem::replace(&mut other, second.next().transpose()?) } else { None };
        match (gone, came) {
            (Some(gone), None) => handle(PlanDifference::Removed(Box::new(gone)))?,
            (None, Some(came)) => handle(PlanDifference::Added(Box::new(came)))?,
            (Some(before), Some(after)) => {
                let parts = parts(&before, &after);
                if !parts.is_empty() {
                    let (before, after) = (Box::new(before), Box::new(after));
                    handle(PlanDifference::Changed { before, after, parts })?;
                }
            }
            (None, None) => {}
        }
    }
}

/// The names of the members in which two entries differ.
fn parts(before: &PlannedBucket, after: &PlannedBucket) -> Vec<String> {
    let members = |bucket: &PlannedBucket| match serde_json::to_value(bucket) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (members(before), members(after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name != "guarded_at" && name != "why" && before.get(name) != after.get(name));
    names
}

/// Things of a list, by what they are called. Several may be called the same.
type Named = BTreeMap<String, Vec<Value>>;

/// In what two heads differ. That one was made at another time, by somebody else or another version, is no difference; counts and
/// the forecast follow from the buckets.
fn heads(before: &PlanHead, after: &PlanHead) -> Vec<HeadDifference> {
    let mut found = Vec::new();
    let words = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    for (name, one, other) in [
        ("organization", json!(before.organization), json!(after.organization)),
        ("partition", json!(before.partition), json!(after.partition)),
        ("endpoint", json!(before.endpoint), json!(after.endpoint)),
        ("campaign file", json!(before.campaign_file_sha256), json!(after.campaign_file_sha256)),
        ("exemptions", json!(before.exemptions_sha256), json!(after.exemptions_sha256)),
        ("selection", words(&before.selection), words(&after.selection)),
    ] {
        if one != other {
            found.push(HeadDifference { name: name.to_owned(), before: one, after: other });
        }
    }
    deep("target", &before.target, &after.target, &mut found);
    for (one, other) in [
        (keys(before), keys(after)),
        (documents(before), documents(after)),
        (waves(before), waves(after)),
        (unread(before), unread(after)),
        (notices(before), notices(after)),
    ] {
        lists(one, other, &mut found);
    }
    found
}

/// What differs within two values, down to the members of objects and lists.
fn deep(name: &str, before: &Value, after: &Value, found: &mut Vec<HeadDifference>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                let of = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                deep(&format!("{name} {key}"), &of(one), &of(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.iter().chain(other).any(Value::is_object) => {
            for at in 0..one.len().max(other.len()) {
                let of = |list: &[Value]| list.get(at).cloned().unwrap_or_default();
                deep(&format!("{name} {}", at + 1), &of(one), &of(other), found);
            }
        }
        _ if before == after => {}
        _ => found.push(HeadDifference { name: name.to_owned(), before: before.clone(), after: after.clone() }),
    }
}

/// What only one of two lists has, and what they have not alike.
fn lists(mut before: Named, mut after: Named, found: &mut Vec<HeadDifference>) {
    let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
    for name in names {
        let (mut one, mut other) = (before.remove(&name).unwrap_or_default(), after.remove(&name).unwrap_or_default());
        one.retain(|value| match other.iter().position(|same| same == value) {
            Some(at) => {
                other.remove(at);
                false
            }
            None => true,
        });
        for at in 0..one.len().max(other.len()) {
            let of = |list: &[Value]| list.get(at).cloned().unwrap_or_default();
            deep(&name, &of(&one), &of(&other), found);
        }
    }
}

fn named(all: impl Iterator<Item = (String, Value)>) -> Named {
    let mut found = Named::new();
    for (name, value) in all {
        found.entry(name).or_default().push(value);
    }
    found
}

fn keys(head: &PlanHead) -> Named {
    let value = |fault: &Option<crate::model::AwsError>| fault.as_ref().map(ToString::to_string);
    named(
        head.keys.iter().map(|key| {
            (format!("central key in {}", key.region), json!({ "arn": key.arn, "fault": value(&key.fault) }))
        }),
    )
}

fn documents(head: &PlanHead) -> Named {
    named(head.documents.iter().map(|document| {
        let mut value = json!({ "version": document.version, "sha256": document.sha256, "places": document.places });
        if let Some(hash_of) = document.hash_of {
            value["hash_of"] = json!(hash_of);
        }
        if let Some(aws_hash) = &document.aws_hash {
            value["aws_hash"] = json!(aws_hash);
        }
        (format!("document {}", document.name), value)
    }))
}

fn waves(head: &PlanHead) -> Named {
    named(head.waves.iter().map(|wave| {
        let value = json!({
            "name": wave.name, "accounts": wave.accounts, "buckets": wave.buckets, "bake": wave.bake, "approval": wave.approval,
        });
        (format!("wave {}", wave.number), value)
    }))
}

fn unread(head: &PlanHead) -> Named {
    named(head.unread_accounts.iter().map(|account| {
        let why = account.error.as_ref().map(ToString::to_string);
        (format!("unread account {}", account.id), json!(why.unwrap_or_else(|| "unread".to_owned())))
    }))
}

fn notices(head: &PlanHead) -> Named {
    named(head.notices.iter().map(|notice| ("notice".to_owned(), json!(notice))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AwsError;
    use crate::plan::file::tests::head;
    use crate::plan::{PlannedDocument, PlannedKey, PlannedWave, UnreadAccount};

    #[test]
    fn heads_are_compared_thing_by_thing() {
        let error = |code: &str| AwsError { code: code.into(), message: "says".into(), hint: "do".into() };
        let key = |arn: &str, fault| PlannedKey { region: "us-east-1".into(), arn: arn.into(), fault };
        let document = |version: &str| PlannedDocument {
            name: "Doc".into(),
            version: version.into(),
            sha256: "h".into(),
            hash_of: None,
            aws_hash: None,
            places: 2,
        };
        let wave = |number, bake, approval| PlannedWave {
            number,
            name: "all".into(),
            accounts: 1,
            buckets: 2,
            bake,
            approval,
        };
        let unread = |id: &str, code: &str| UnreadAccount { id: id.into(), name: "a".into(), error: Some(error(code)) };
        let mut before = head();
        before.target = json!({ "encryption": { "bucket_key": true, "algorithm": "aws:kms" }, "waves": [] });
        before.keys = vec![key("a", None), key("b", None)];
        before.documents = vec![document("1")];
        before.waves = vec![wave(1, 60, false)];
        before.unread_accounts = vec![unread("1", "Denied"), unread("2", "Denied")];
        let mut after = before.clone();
        assert_eq!(heads(&before, &after), []);
        after.created_at = jiff::Timestamp::MAX;
        after.forecast = json!({ "seconds": 1 });
        assert_eq!(heads(&before, &after), []);
        after.selection = "region eu-*".into();
        after.target =
            json!({ "encryption": { "bucket_key": false, "algorithm": "aws:kms" }, "waves": [{ "name": "all" }] });
        after.keys = vec![key("b", Some(error("Disabled"))), key("a", None)];
        after.documents = vec![document("2")];
        after.waves = vec![wave(1, 120, true), wave(2, 0, false)];
        after.unread_accounts = vec![unread("2", "Throttled")];
        after.notices = vec![];
        let said: Vec<String> =
            heads(&before, &after).iter().map(|one| format!("{}: {} -> {}", one.name, one.before, one.after)).collect();
        let fault = error("Disabled").to_string();
        let (denied, throttled) = (error("Denied").to_string(), error("Throttled").to_string());
        let wave = after.waves.last().map(|_| r#"{"accounts":1,"approval":false,"bake":0,"buckets":2,"name":"all"}"#);
        let notices: Vec<String> =
            before.notices.iter().map(|notice| format!("notice: {} -> null", json!(notice))).collect();
        let mut wanted = vec![
            "selection: null -> \"region eu-*\"".to_owned(),
            "target encryption bucket_key: true -> false".to_owned(),
            "target waves 1: null -> {\"name\":\"all\"}".to_owned(),
            format!("central key in us-east-1 fault: null -> \"{fault}\""),
            "document Doc version: \"1\" -> \"2\"".to_owned(),
            "wave 1 approval: false -> true".to_owned(),
            "wave 1 bake: 60 -> 120".to_owned(),
            format!("wave 2: null -> {}", wave.unwrap()),
            format!("unread account 1: \"{denied}\" -> null"),
            format!("unread account 2: \"{denied}\" -> \"{throttled}\""),
        ];
        wanted.extend(notices);
        assert_eq!(said, wanted);
    }
}
