//! Groups, which follow from the applications of the spec: each has one inline policy and its users, and nothing attached.

use std::collections::BTreeMap;

use super::{Call, input, shapes};
use crate::wire::error::AwsError;
use crate::wire::escape;
use crate::world::user_record::UserRecord;

/// The groups of the account, with their users.
fn all(call: &Call<'_>) -> BTreeMap<String, Vec<UserRecord>> {
    let mut groups: BTreeMap<String, Vec<UserRecord>> = BTreeMap::new();
    for user in call.world.user_records(call.account) {
        if let Some((name, _)) = &user.group {
            groups.entry(name.to_string()).or_default().push(user);
        }
    }
    groups
}

fn named(call: &Call<'_>) -> Result<(String, Vec<UserRecord>), AwsError> {
    let wanted = input::name(call.form, "GroupName", 128)?;
    all(call)
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .ok_or_else(|| AwsError::new(404, "NoSuchEntity", format!("The group with name {wanted} cannot be found.")))
}

fn shape(call: &Call<'_>, name: &str) -> String {
    shapes::group(call.world, call.account, call.account_id, name)
}

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let prefix = input::path_prefix(call.form)?;
    let items: Vec<_> = all(call)
        .into_keys()
        .filter(|_| UserRecord::PATH.starts_with(prefix))
        .map(|name| (name.clone(), shape(call, &name)))
        .collect();
    input::page(call.form, "Groups", &items)
}

pub(super) fn get(call: &Call<'_>) -> Result<String, AwsError> {
    let (name, users) = named(call)?;
    let users: Vec<_> = users
        .iter()
        .map(|user| (user.name.clone(), shapes::user(call.world.spec.partition, call.account_id, user)))
        .collect();
    Ok(format!("<Group>{}</Group>\n{}", shape(call, &name), input::page(call.form, "Users", &users)?))
}

pub(super) fn list_policies(call: &Call<'_>) -> Result<String, AwsError> {
    // The inline policy of a group is named after it.
    let (name, _) = named(call)?;
    input::page(call.form, "PolicyNames", &[(name.clone(), escape(&name).into_owned())])
}

pub(super) fn list_attached(call: &Call<'_>) -> Result<String, AwsError> {
    named(call)?;
    input::page(call.form, "AttachedPolicies", &[])
}
