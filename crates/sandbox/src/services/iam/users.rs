//! Users, which follow from the spec: shown, and given managed policies. Making them is not modelled.

use super::{Call, attachments, input, shapes};
use crate::authorize::role_of;
use crate::journal::Entry;
use crate::policy::identities::user_name;
use crate::wire::error::AwsError;
use crate::wire::{escape, iso8601};
use crate::world::role_record::MADE_MS;
use crate::world::user_record::UserRecord;

/// The name that GetUser is about: without one, the user that calls.
pub(super) fn asked_for<'a>(call: &Call<'a>) -> Result<&'a str, AwsError> {
    match call.form.get("UserName") {
        Some(name) => Ok(name),
        None if role_of(call.caller).is_none() => Ok(user_name(call.caller)),
        None => {
            let message = "Must specify userName when calling with non-User credentials";
            Err(AwsError::client("ValidationError", message))
        }
    }
}

fn there(call: &Call<'_>, name: &str) -> Result<UserRecord, AwsError> {
    let no_user = || AwsError::new(404, "NoSuchEntity", format!("The user with name {name} cannot be found."));
    call.world.user_record(call.account, name).ok_or_else(no_user)
}

/// The user that is named.
fn user(call: &Call<'_>) -> Result<UserRecord, AwsError> {
    there(call, input::name(call.form, "UserName", 64)?)
}

pub(super) fn get(call: &Call<'_>) -> Result<String, AwsError> {
    if call.form.get("UserName").is_some() {
        input::name(call.form, "UserName", 128)?;
    }
    let user = there(call, asked_for(call)?)?;
    let boundary = shapes::boundary(user.boundary.as_deref());
    Ok(format!("<User>{}{boundary}</User>\n", shapes::user(call.world.spec.partition, call.account_id, &user)))
}

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let prefix = input::path_prefix(call.form)?;
    let mut users = call.world.user_records(call.account);
    users.retain(|_| UserRecord::PATH.starts_with(prefix));
    let items: Vec<_> = users
        .iter()
        .map(|user| (user.name.clone(), shapes::user(call.world.spec.partition, call.account_id, user)))
        .collect();
    input::page(call.form, "Users", &items)
}

pub(super) fn list_policies(call: &Call<'_>) -> Result<String, AwsError> {
    let user = user(call)?;
    let items: Vec<_> = user.policies.iter().map(|(name, _)| (name.clone(), escape(name).into_owned())).collect();
    input::page(call.form, "PolicyNames", &items)
}

pub(super) fn policy(call: &Call<'_>) -> Result<String, AwsError> {
    let user = user(call)?;
    let wanted = input::name(call.form, "PolicyName", 128)?;
    let (name, text) = user.policies.iter().find(|(name, _)| name == wanted).ok_or_else(|| {
        AwsError::new(404, "NoSuchEntity", format!("The user policy with name {wanted} cannot be found."))
    })?;
    Ok(format!(
        "<UserName>{}</UserName><PolicyName>{}</PolicyName><PolicyDocument>{}</PolicyDocument>\n",
        user.name,
        escape(name),
        shapes::encoded(text)
    ))
}

pub(super) fn groups(call: &Call<'_>) -> Result<String, AwsError> {
    let user = user(call)?;
    let groups: Vec<_> = user
        .group
        .iter()
        .map(|(name, _)| (name.to_string(), shapes::group(call.world, call.account, call.account_id, name)))
        .collect();
    input::page(call.form, "Groups", &groups)
}

/// Whether the user that is named, or that calls, is there.
pub(super) fn named(call: &Call<'_>) -> Result<(), AwsError> {
    there(call, asked_for(call)?).map(drop)
}

/// The one that the user was made with.
pub(super) fn access_keys(call: &Call<'_>) -> Result<String, AwsError> {
    let user = there(call, asked_for(call)?)?;
    let world = call.world;
    let callers = [&world.security_user, &world.management_user].into_iter().chain(world.applications.users());
    let keys: Vec<_> = callers
        .filter(|one| one.caller.account == call.account && user_name(&one.caller) == user.name)
        .map(|one| {
            let xml = format!(
                "<UserName>{}</UserName><AccessKeyId>{}</AccessKeyId><Status>Active</Status><CreateDate>{}</CreateDate>",
                user.name,
                one.access_key,
                iso8601(MADE_MS)
            );
            (one.access_key.clone(), xml)
        })
        .collect();
    input::page(call.form, "AccessKeyMetadata", &keys)
}

/// Nobody has a password here.
pub(super) fn login_profile(call: &Call<'_>) -> Result<String, AwsError> {
    let user = there(call, asked_for(call)?)?;
    let message = format!("Login Profile for User {} cannot be found.", user.name);
    Err(AwsError::new(404, "NoSuchEntity", message))
}

fn store(call: &Call<'_>, user: UserRecord) -> Result<String, AwsError> {
    let UserRecord { name, attached, .. } = user;
    let entry = Entry::UserAttached { account: call.account_id.into(), name: name.clone(), attached: attached.clone() };
    call.world.journal.append(&entry)?;
    call.world.attached_to_users.put(call.account, &name, attached);
    Ok(String::new())
}

pub(super) fn attach(call: &Call<'_>) -> Result<String, AwsError> {
    let mut user = user(call)?;
    match attachments::add(call, &mut user.attached, "PoliciesPerUser")? {
        true => store(call, user),
        false => Ok(String::new()),
    }
}

pub(super) fn detach(call: &Call<'_>) -> Result<String, AwsError> {
    let mut user = user(call)?;
    attachments::take(call, &mut user.attached)?;
    store(call, user)
}

pub(super) fn list_attached(call: &Call<'_>) -> Result<String, AwsError> {
    attachments::listed(call, &user(call)?.attached)
}
