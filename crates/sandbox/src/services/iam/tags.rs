//! Tags: of a role, and as they are given to operations that make something.

use super::{Call, input, shapes};
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;

/// On one role or policy.
const MOST_TAGS: usize = 50;

/// `Tags`, as they are given.
pub(super) fn given(form: &Form) -> Result<Vec<(String, String)>, AwsError> {
    let mut tags = Vec::new();
    for nth in 1.. {
        let field = |part: &str| format!("Tags.member.{nth}.{part}");
        let (key, value) = (form.get(&field("Key")), form.get(&field("Value")));
        match (key, value) {
            (None, None) => break,
            (Some(key), Some(value)) => tags.push((key.into(), value.into())),
            (key, _) => {
                let part = if key.is_none() { "key" } else { "value" };
                return Err(input::failed(&format!("tags.{nth}.member.{part}"), "null", "Member must not be null"));
            }
        }
    }
    Ok(tags)
}

/// `TagKeys`, as they are given.
pub(super) fn given_keys(form: &Form) -> Vec<String> {
    (1..).map_while(|nth| form.get(&format!("TagKeys.member.{nth}"))).map(String::from).collect()
}

fn too_many(field: &str) -> AwsError {
    input::failed(field, "[...]", &format!("Member must have length less than or equal to {MOST_TAGS}"))
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
fn is_legal(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

/// `Tags`, checked.
pub(super) fn checked(form: &Form) -> Result<Vec<(String, String)>, AwsError> {
    let tags = given(form)?;
    if tags.len() > MOST_TAGS {
        return Err(too_many("tags"));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (nth, (key, value)) in tags.iter().enumerate() {
        let of = |part: &str| format!("tags.{}.member.{part}", nth + 1);
        input::length(&of("key"), key, 1, 128)?;
        input::length(&of("value"), value, 0, 256)?;
        for (part, text, times) in [("key", key, '+'), ("value", value, '*')] {
            if !text.chars().all(is_legal) {
                let constraint = format!(
                    "Member must satisfy regular expression pattern: [\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]{times}"
                );
                return Err(input::failed(&of(part), text, &constraint));
            }
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(AwsError::client("InvalidInput", "Tag keys that begin with aws: are reserved for system use."));
        }
        if !seen.insert(key.to_lowercase()) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(AwsError::client("InvalidInput", message));
        }
    }
    Ok(tags)
}

/// The tags of something after `Tags` were put on it. `quota` is what the limit is called.
fn put(call: &Call<'_>, tags: &mut Vec<(String, String)>, quota: &str) -> Result<(), AwsError> {
    let given = checked(call.form)?;
    if given.is_empty() {
        return Err(input::failed("tags", "null", "Member must not be null"));
    }
    for (key, value) in given {
        tags.retain(|(other, _)| !other.eq_ignore_ascii_case(&key));
        tags.push((key, value));
    }
    if tags.len() > MOST_TAGS {
        return Err(AwsError::new(409, "LimitExceeded", format!("Cannot exceed quota for {quota}: {MOST_TAGS}")));
    }
    Ok(())
}

pub(super) fn tag(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    put(call, &mut role.tags, "TagsPerRole")?;
    call.store(role)?;
    Ok(String::new())
}

pub(super) fn tag_policy(call: &Call<'_>) -> Result<String, AwsError> {
    let mut policy = call.policy()?.as_ref().clone();
    put(call, &mut policy.tags, "TagsPerPolicy")?;
    call.store_policy(policy)?;
    Ok(String::new())
}

pub(super) fn untag(call: &Call<'_>) -> Result<String, AwsError> {
    let keys = given_keys(call.form);
    if keys.is_empty() {
        return Err(input::failed("tagKeys", "null", "Member must not be null"));
    }
    if keys.len() > MOST_TAGS {
        return Err(too_many("tagKeys"));
    }
    let mut role = call.role()?.as_ref().clone();
    role.tags.retain(|(key, _)| !keys.iter().any(|gone| gone.eq_ignore_ascii_case(key)));
    call.store(role)?;
    Ok(String::new())
}

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let role = call.role()?;
    let mut items: Vec<_> = role.tags.iter().map(|tag| (tag.0.clone(), shapes::tag(tag))).collect();
    items.sort();
    input::page(call.form, "Tags", &items)
}
