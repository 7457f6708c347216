//! Managed policies: made, shown, deleted. Their versions are in `policy_versions`.

use super::{Call, documents, input, roles, shapes, tags};
use crate::journal::Entry;
use crate::policy::aws_managed;
use crate::wire::error::AwsError;
use crate::wire::{escape, now_ms};
use crate::world::managed_policy::ManagedRecord;

const MOST_POLICIES: usize = 1500;

pub(super) fn create(call: &Call<'_>) -> Result<String, AwsError> {
    let name = input::name(call.form, "PolicyName", 128)?;
    let path = input::path(call.form, |c| c.is_ascii_alphanumeric() || "/.,+@=_-".contains(c))?;
    let description = call.form.get("Description").unwrap_or_default();
    input::length("Description", description, 0, 1000)?;
    let tags = tags::checked(call.form)?;
    let text = documents::managed(call, "PolicyDocument")?;
    let all = call.world.managed_policies(call.account);
    if all.iter().any(|policy| policy.name.eq_ignore_ascii_case(name)) {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(AwsError::new(409, "EntityAlreadyExists", message));
    }
    if all.len() >= MOST_POLICIES {
        let message = format!("Cannot exceed quota for PoliciesPerAccount: {MOST_POLICIES}");
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    let id = format!("ANPA{}", roles::unique_id("policy"));
    let policy = ManagedRecord {
        path: path.into(),
        description: description.into(),
        tags,
        ..ManagedRecord::new(name, id, text, now_ms())
    };
    call.store_policy(policy.clone())?;
    let xml = shapes::listed_policy(
        call.world.spec.partition,
        call.account_id,
        &policy,
        crate::world::managed_policy::Usage::default(),
    );
    Ok(format!("<Policy>{xml}{}</Policy>\n", shapes::tags(&policy.tags)))
}

pub(super) fn get(call: &Call<'_>) -> Result<String, AwsError> {
    let policy = call.policy()?;
    let usage = call.world.policy_usage(call.account);
    let usage = usage.get(&policy.arn(call.world.spec.partition, call.account_id)).copied().unwrap_or_default();
    let mut xml = shapes::listed_policy(call.world.spec.partition, call.account_id, &policy, usage);
    if !policy.description.is_empty() {
        xml.push_str(&format!("<Description>{}</Description>", escape(&policy.description)));
    }
    Ok(format!("<Policy>{xml}{}</Policy>\n", shapes::tags(&policy.tags)))
}

pub(super) fn delete(call: &Call<'_>) -> Result<String, AwsError> {
    let policy = call.policy()?;
    let usage = call.world.policy_usage(call.account);
    if usage.contains_key(&policy.arn(call.world.spec.partition, call.account_id)) {
        return Err(AwsError::new(409, "DeleteConflict", "Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                       versions. The default version is deleted with the policy.";
        return Err(AwsError::new(409, "DeleteConflict", message));
    }
    let (account, name) = (call.account_id.to_string(), policy.name.clone());
    call.world.journal.append(&Entry::ManagedPolicyDeleted { account, name })?;
    call.world.managed.remove(call.account, &policy.name);
    Ok(String::new())
}

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let scope = input::one_of(call.form, "Scope", &["All", "AWS", "Local"])?.unwrap_or("All");
    let used_as = input::one_of(call.form, "PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"])?;
    let only_attached = input::flag(call.form, "OnlyAttached")?;
    let prefix = input::path_prefix(call.form)?;
    let mut policies = if scope == "AWS" { Vec::new() } else { call.world.managed_policies(call.account) };
    if scope != "Local" {
        policies.extend(aws_managed::all().iter().cloned());
    }
    let usage = call.world.policy_usage(call.account);
    let mut items = Vec::new();
    for policy in policies {
        let usage = usage.get(&policy.arn(call.world.spec.partition, call.account_id)).copied().unwrap_or_default();
        let used = match used_as {
            Some("PermissionsPolicy") => usage.attached > 0,
            Some(_) => usage.boundaries > 0,
            None => true,
        };
        let attached = usage.attached + usage.boundaries > 0;
        if used && (attached || !only_attached) && policy.path.starts_with(prefix) {
            // One of AWS's own may have the name of one of the account's.
            let key = format!("{} {}", policy.name, policy.aws);
            items.push((key, shapes::listed_policy(call.world.spec.partition, call.account_id, &policy, usage)));
        }
    }
    items.sort();
    input::page(call.form, "Policies", &items)
}
