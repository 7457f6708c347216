//! Roles: made, shown, changed, deleted. Their policies are in `role_policies`, their tags in `tags`.

use super::{Call, documents, input, role_policies, shapes, tags};
use crate::journal::Entry;
use crate::random::{KEY_ID, Random};
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::role_record::RoleRecord;

const MOST_ROLES: usize = 1000;

pub(super) fn create(call: &Call<'_>) -> Result<String, AwsError> {
    let name = input::name(call.form, "RoleName", 64)?;
    let path = input::path(call.form, |c| ('\u{21}'..='\u{7e}').contains(&c))?;
    let description = input::description(call.form)?;
    let max_session_seconds = input::max_session_seconds(call.form)?.unwrap_or(3600);
    let tags = tags::checked(call.form)?;
    let trust = documents::trust(call, "AssumeRolePolicyDocument")?;
    if call.world.role_record(call.account, name).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(AwsError::new(409, "EntityAlreadyExists", message));
    }
    let boundary = match call.form.get("PermissionsBoundary") {
        Some(_) => Some(role_policies::boundary_arn(call)?.to_string()),
        None => None,
    };
    if call.world.role_records(call.account).len() >= MOST_ROLES {
        let message = format!("Cannot exceed quota for RolesPerAccount: {MOST_ROLES}");
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    let role = RoleRecord {
        name: name.into(),
        path: path.into(),
        id: format!("AROA{}", unique_id("role")),
        description: description.unwrap_or_default().into(),
        trust: trust.into(),
        max_session_seconds,
        created_ms: now_ms(),
        tags,
        policies: std::collections::BTreeMap::new(),
        attached: Vec::new(),
        boundary,
    };
    call.store(role.clone())?;
    Ok(format!("<Role>{}</Role>\n", shapes::role(call.world.spec.partition, call.account_id, &role)))
}

/// Random and not from the seed: a role that is made anew under its old name is another one.
pub(super) fn unique_id(of: &str) -> String {
    Random::new(uuid::Uuid::new_v4().as_u128() as u64, of, 0).text(KEY_ID, 17)
}

pub(super) fn get(call: &Call<'_>) -> Result<String, AwsError> {
    let role = call.role()?;
    if !call.world.is_known(&role) {
        let message = format!("The role with name {} cannot be found.", role.name);
        return Err(AwsError::new(404, "NoSuchEntity", message));
    }
    Ok(format!("<Role>{}<RoleLastUsed/></Role>\n", shapes::role(call.world.spec.partition, call.account_id, &role)))
}

/// What is not named stays as it is.
pub(super) fn update(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    if let Some(text) = input::description(call.form)? {
        role.description = text.into();
    }
    if let Some(seconds) = input::max_session_seconds(call.form)? {
        role.max_session_seconds = seconds;
    }
    call.store(role)?;
    Ok(String::new())
}

pub(super) fn update_trust(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    role.trust = documents::trust(call, "PolicyDocument")?.into();
    call.store(role)?;
    Ok(String::new())
}

pub(super) fn delete(call: &Call<'_>) -> Result<String, AwsError> {
    let role = call.role()?;
    let conflict = |what: &str| {
        Err(AwsError::new(409, "DeleteConflict", format!("Cannot delete entity, must {what} policies first.")))
    };
    if !role.attached.is_empty() {
        return conflict("detach all");
    }
    if !role.policies.is_empty() {
        return conflict("delete");
    }
    let (account, name) = (call.account_id.to_string(), role.name.clone());
    call.world.journal.append(&Entry::RoleDeleted { account, name })?;
    call.world.roles.remove(call.account, &role.name);
    Ok(String::new())
}

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let prefix = input::path_prefix(call.form)?;
    let mut roles = call.world.role_records(call.account);
    roles.retain(|role| role.path.starts_with(prefix) && call.world.is_known(role));
    let shown =
        |role: &RoleRecord| (role.name.clone(), shapes::listed_role(call.world.spec.partition, call.account_id, role));
    let items: Vec<_> = roles.iter().map(|role| shown(role)).collect();
    input::page(call.form, "Roles", &items)
}
