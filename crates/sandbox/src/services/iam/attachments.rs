//! Managed policies that are attached to a role or user: they hang on both in the same way.

use super::{Call, input, shapes};
use crate::wire::error::AwsError;

/// Attached to one role or user (quotas AttachedPoliciesPerRole, AttachedPoliciesPerUser).
const MOST_ATTACHED: usize = 10;

/// Adds the policy that is named; false where it is attached already, which is no error.
pub(super) fn add(call: &Call<'_>, attached: &mut Vec<String>, quota: &str) -> Result<bool, AwsError> {
    let arn = input::policy_arn(call.world.spec.partition, call.form, "PolicyArn")?;
    if call.world.managed_policy(call.account, arn).is_none() {
        let message = format!("Policy {arn} does not exist or is not attachable.");
        return Err(AwsError::new(404, "NoSuchEntity", message));
    }
    if attached.iter().any(|one| one == arn) {
        return Ok(false);
    }
    if attached.len() >= MOST_ATTACHED {
        let message = format!("Cannot exceed quota for {quota}: {MOST_ATTACHED}");
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    attached.push(arn.into());
    Ok(true)
}

/// Takes the policy that is named away.
pub(super) fn take(call: &Call<'_>, attached: &mut Vec<String>) -> Result<(), AwsError> {
    let arn = input::policy_arn(call.world.spec.partition, call.form, "PolicyArn")?;
    let Some(at) = attached.iter().position(|one| one == arn) else {
        return Err(AwsError::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
    };
    attached.remove(at);
    Ok(())
}

/// A page of them, of those whose path begins with `PathPrefix`.
pub(super) fn listed(call: &Call<'_>, attached: &[String]) -> Result<String, AwsError> {
    let prefix = input::path_prefix(call.form)?;
    let path = |arn: &str| arn.split_once(":policy").map_or(String::new(), |(_, path)| path.to_string());
    let mut items: Vec<_> = attached
        .iter()
        .filter(|arn| path(arn).starts_with(prefix))
        .map(|arn| (arn.clone(), shapes::attached(arn)))
        .collect();
    items.sort();
    input::page(call.form, "AttachedPolicies", &items)
}
