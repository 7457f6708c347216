//! The policies of a role: inline ones, attached managed ones, and its permissions boundary.

use super::{Call, attachments, documents, input, shapes};
use crate::wire::error::AwsError;
use crate::wire::escape;
use crate::world::role_record::RoleRecord;

/// Inline policies of a role, all together, without white space.
const MOST_INLINE: usize = 10_240;

pub(super) fn put(call: &Call<'_>) -> Result<String, AwsError> {
    let name = input::name(call.form, "PolicyName", 128)?;
    let mut role = call.role()?.as_ref().clone();
    let text = documents::inline(call, "PolicyDocument")?;
    role.policies.insert(name.into(), text.into());
    if role.policies.values().map(|text| documents::size(text)).sum::<usize>() > MOST_INLINE {
        let message = format!("Maximum policy size of {MOST_INLINE} bytes exceeded for role {}", role.name);
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    call.store(role)?;
    Ok(String::new())
}

fn inline<'a>(call: &Call<'_>, role: &'a RoleRecord) -> Result<(&'a String, &'a String), AwsError> {
    let name = input::name(call.form, "PolicyName", 128)?;
    let no_policy = || AwsError::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."));
    role.policies.get_key_value(name).ok_or_else(no_policy)
}

pub(super) fn get(call: &Call<'_>) -> Result<String, AwsError> {
    let role = call.role()?;
    let (name, text) = inline(call, &role)?;
    let (name, text) = (escape(name), shapes::encoded(text));
    Ok(format!(
        "<RoleName>{}</RoleName>\n<PolicyName>{name}</PolicyName>\n<PolicyDocument>{text}</PolicyDocument>\n",
        role.name
    ))
}

pub(super) fn delete(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    let name = inline(call, &role)?.0.clone();
    role.policies.remove(&name);
    call.store(role)?;
    Ok(String::new())
}

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let role = call.role()?;
    let items: Vec<_> = role.policies.keys().map(|name| (name.clone(), escape(name).into_owned())).collect();
    input::page(call.form, "PolicyNames", &items)
}

pub(super) fn attach(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    if attachments::add(call, &mut role.attached, "PoliciesPerRole")? {
        call.store(role)?;
    }
    Ok(String::new())
}

pub(super) fn detach(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    attachments::take(call, &mut role.attached)?;
    call.store(role)?;
    Ok(String::new())
}

pub(super) fn list_attached(call: &Call<'_>) -> Result<String, AwsError> {
    attachments::listed(call, &call.role()?.attached)
}

/// The ARN of a managed policy that is to be a boundary.
pub(super) fn boundary_arn<'a>(call: &Call<'a>) -> Result<&'a str, AwsError> {
    let arn = input::policy_arn(call.world.spec.partition, call.form, "PermissionsBoundary")?;
    match call.world.managed_policy(call.account, arn) {
        Some(_) => Ok(arn),
        None => {
            let message = format!("Scope ARN: {arn} does not exist or is not attachable.");
            Err(AwsError::new(404, "NoSuchEntity", message))
        }
    }
}

pub(super) fn put_boundary(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    role.boundary = Some(boundary_arn(call)?.into());
    call.store(role)?;
    Ok(String::new())
}

/// A role without a boundary stays as it is.
pub(super) fn delete_boundary(call: &Call<'_>) -> Result<String, AwsError> {
    let mut role = call.role()?.as_ref().clone();
    if role.boundary.take().is_some() {
        call.store(role)?;
    }
    Ok(String::new())
}
