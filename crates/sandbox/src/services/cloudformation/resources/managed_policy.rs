//! AWS::IAM::ManagedPolicy. It is attached to roles; there are no groups here, and users stay as they are.

use super::{Made, Making, Properties, Schema};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::IAM::ManagedPolicy",
    service: "Iam",
    properties: &["Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles"],
    required: &["PolicyDocument"],
    create_only: &["ManagedPolicyName", "Path", "Description"],
    named_by: Some("ManagedPolicyName"),
    attributes: &["PolicyArn"],
};

/// Of one policy (IAM quotas).
const MOST_VERSIONS: usize = 5;

fn attached(making: &Making<'_>, operation: &'static str, role: &str, arn: &str) -> Result<(), AwsError> {
    making.iam(operation, &[("RoleName", role), ("PolicyArn", arn)]).map(drop)
}

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let name = properties.text("ManagedPolicyName").unwrap_or_else(|| making.made_up_name(128));
    let path = properties.text("Path").unwrap_or_else(|| "/".into());
    let document = properties.document("PolicyDocument").unwrap_or_default();
    let mut fields = vec![("PolicyName", name.as_str()), ("Path", &path), ("PolicyDocument", &document)];
    let description = properties.text("Description");
    fields.extend(description.as_deref().map(|text| ("Description", text)));
    making.iam("CreatePolicy", &fields)?;
    let arn = making.partition().iam_arn(making.account_id(), format_args!("policy{path}{name}"));
    let roles = properties.texts("Roles");
    if let Err(error) = roles.iter().try_for_each(|role| attached(making, "AttachRolePolicy", role, &arn)) {
        // What was made in part is not the stack's yet: nobody else would take it away.
        for role in &roles {
            let _ = attached(making, "DetachRolePolicy", role, &arn);
        }
        let _ = making.iam("DeletePolicy", &[("PolicyArn", &arn)]);
        return Err(error);
    }
    Ok(Made::new(arn.clone(), &[("PolicyArn", arn)]))
}

pub(super) fn update(making: &Making<'_>, arn: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    if old.differs(new, "PolicyDocument") {
        if let Some(policy) = making.world.managed_policy(making.place.account, arn)
            && policy.versions.len() >= MOST_VERSIONS
            && let Some(oldest) = policy.versions.iter().find(|version| version.number != policy.default_version)
        {
            delete_version(making, arn, oldest.number)?;
        }
        let document = new.document("PolicyDocument").unwrap_or_default();
        let fields = [("PolicyArn", arn), ("PolicyDocument", &*document), ("SetAsDefault", "true")];
        making.iam("CreatePolicyVersion", &fields)?;
    }
    let (former, wanted) = (old.texts("Roles"), new.texts("Roles"));
    let added = wanted.iter().filter(|role| !former.contains(role));
    added.into_iter().try_for_each(|role| attached(making, "AttachRolePolicy", role, arn))?;
    let gone = former.iter().filter(|role| !wanted.contains(role));
    gone.into_iter().try_for_each(|role| attached(making, "DetachRolePolicy", role, arn))
}

fn delete_version(making: &Making<'_>, arn: &str, number: u32) -> Result<(), AwsError> {
    let version = format!("v{number}");
    making.iam("DeletePolicyVersion", &[("PolicyArn", arn), ("VersionId", &version)]).map(drop)
}

/// A policy goes after its versions; who else has it attached keeps it.
pub(super) fn delete(making: &Making<'_>, arn: &str, properties: &Properties) -> Result<(), AwsError> {
    let Some(policy) = making.world.managed_policy(making.place.account, arn) else { return Ok(()) };
    for role in properties.texts("Roles") {
        match attached(making, "DetachRolePolicy", &role, arn) {
            Err(error) if !super::is_gone(&error) => return Err(error),
            _ => {}
        }
    }
    for version in policy.versions.iter().filter(|version| version.number != policy.default_version) {
        delete_version(making, arn, version.number)?;
    }
    making.iam("DeletePolicy", &[("PolicyArn", arn)]).map(drop)
}
