//! The versions of a managed policy, five at most, of which one is in force.

use super::{Call, documents, input, shapes};
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::managed_policy::{ManagedRecord, PolicyVersion};

const MOST_VERSIONS: usize = 5;

/// The number that `VersionId` names, which need not be there.
fn number(call: &Call<'_>) -> Result<u32, AwsError> {
    let id = input::required(call.form, "VersionId")?;
    let digits = id.strip_prefix('v').filter(|digits| !digits.starts_with(['0', '+']));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let pattern = "Member must satisfy regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?";
        input::failed("VersionId", id, pattern)
    })
}

fn named<'a>(call: &Call<'_>, policy: &'a ManagedRecord) -> Result<&'a PolicyVersion, AwsError> {
    let number = number(call)?;
    policy.version(number).ok_or_else(|| {
        let arn = policy.arn(call.world.spec.partition, call.account_id);
        let message = format!("Policy {arn} version v{number} does not exist or is not attachable.");
        AwsError::new(404, "NoSuchEntity", message)
    })
}

pub(super) fn create(call: &Call<'_>) -> Result<String, AwsError> {
    let as_default = input::flag(call.form, "SetAsDefault")?;
    let mut policy = call.policy()?.as_ref().clone();
    let text = documents::managed(call, "PolicyDocument")?;
    if policy.versions.len() >= MOST_VERSIONS {
        let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                       existing version.";
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    policy.newest += 1;
    let version = PolicyVersion { number: policy.newest, text: text.into(), created_ms: now_ms() };
    policy.versions.push(version.clone());
    policy.updated_ms = version.created_ms;
    if as_default {
        policy.default_version = version.number;
    }
    let xml = shapes::version(&policy, &version, false);
    call.store_policy(policy)?;
    Ok(format!("<PolicyVersion>{xml}</PolicyVersion>\n"))
}

pub(super) fn get(call: &Call<'_>) -> Result<String, AwsError> {
    let policy = call.policy()?;
    let version = named(call, &policy)?;
    Ok(format!("<PolicyVersion>{}</PolicyVersion>\n", shapes::version(&policy, version, true)))
}

pub(super) fn set_default(call: &Call<'_>) -> Result<String, AwsError> {
    let mut policy = call.policy()?.as_ref().clone();
    policy.default_version = named(call, &policy)?.number;
    policy.updated_ms = now_ms();
    call.store_policy(policy)?;
    Ok(String::new())
}

pub(super) fn delete(call: &Call<'_>) -> Result<String, AwsError> {
    let mut policy = call.policy()?.as_ref().clone();
    let number = named(call, &policy)?.number;
    if number == policy.default_version {
        return Err(AwsError::new(409, "DeleteConflict", "Cannot delete the default version of a policy."));
    }
    policy.versions.retain(|version| version.number != number);
    call.store_policy(policy)?;
    Ok(String::new())
}

/// The newest first, so that a marker counts down.
pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let policy = call.policy()?;
    let newest_first = policy.versions.iter().rev();
    let items: Vec<_> = newest_first
        .map(|version| (format!("{:010}", u32::MAX - version.number), shapes::version(&policy, version, false)))
        .collect();
    input::page(call.form, "Versions", &items)
}
