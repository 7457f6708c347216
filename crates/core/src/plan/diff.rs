//! What differs between two plans.

use std::cmp::Ordering;

use super::file::{PlanError, PlanFile, PlannedBucket};

/// One thing in which two plans differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanDifference {
    /// Something in the head: which, before, after.
    Head(&'static str, String, String),
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

/// Hands over each difference, the head's first, then by account and name. When guards looked is no difference.
pub fn diff<E: From<PlanError>>(
    before: &PlanFile,
    after: &PlanFile,
    mut handle: impl FnMut(PlanDifference) -> Result<(), E>,
) -> Result<(), E> {
    for (name, one, other) in [
        ("organization", before.head.organization.clone(), after.head.organization.clone()),
        ("campaign file", before.head.campaign_file_sha256.clone(), after.head.campaign_file_sha256.clone()),
        (
            "exemptions",
            before.head.exemptions_sha256.clone().unwrap_or_default(),
            after.head.exemptions_sha256.clone().unwrap_or_default(),
        ),
        ("selection", before.head.selection.clone(), after.head.selection.clone()),
        ("target", before.head.target.to_string(), after.head.target.to_string()),
        ("keys", format!("{:?}", before.head.keys), format!("{:?}", after.head.keys)),
        ("documents", format!("{:?}", before.head.documents), format!("{:?}", after.head.documents)),
    ] {
        if one != other {
            handle(PlanDifference::Head(name, one, other))?;
        }
    }
    // Both are in the same order, so they are walked side by side.
    let (mut first, mut second) = (before.buckets()?, after.buckets()?);
    let mut one = first.next().transpose()?;
    let mut other = second.next().transpose()?;
    let key = |bucket: &PlannedBucket| (bucket.account.clone(), bucket.bucket.clone());
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => key(one).cmp(&key(other)),
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
        Ok(serde_json::Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (members(before), members(after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name != "guarded_at" && name != "why" && before.get(name) != after.get(name));
    names
}
