//! AWS::IAM::Role

use std::collections::BTreeMap;

use serde_json::Value;

use super::properties::document_text;
use super::{Made, Making, Properties, Schema, tag_changes};
use crate::services::config::intrinsic::text;
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::IAM::Role",
    service: "Iam",
    properties: &[
        "AssumeRolePolicyDocument",
        "Description",
        "ManagedPolicyArns",
        "MaxSessionDuration",
        "Path",
        "PermissionsBoundary",
        "Policies",
        "RoleName",
        "Tags",
    ],
    required: &["AssumeRolePolicyDocument"],
    create_only: &["RoleName", "Path"],
    named_by: Some("RoleName"),
    attributes: &["Arn", "RoleId"],
};

/// Inline policies by their names.
fn policies(properties: &Properties) -> BTreeMap<String, String> {
    let policy =
        |policy: &Value| (text(&policy["PolicyName"]).unwrap_or_default(), document_text(&policy["PolicyDocument"]));
    properties.list("Policies").iter().map(policy).collect()
}

fn put_policy(making: &Making<'_>, role: &str, name: &str, document: &str) -> Result<(), AwsError> {
    let fields = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", document)];
    making.iam("PutRolePolicy", &fields).map(drop)
}

fn attach(making: &Making<'_>, role: &str, arn: &str) -> Result<(), AwsError> {
    making.iam("AttachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).map(drop)
}

fn detach(making: &Making<'_>, role: &str, arn: &str) -> Result<(), AwsError> {
    making.iam("DetachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).map(drop)
}

/// Tags as IAM's form has them.
pub(super) fn tag_fields(tags: &[(String, String)]) -> Vec<(String, String)> {
    let numbered = tags.iter().enumerate();
    numbered
        .flat_map(|(nth, (key, value))| {
            let field = |part: &str| format!("Tags.member.{}.{part}", nth + 1);
            [(field("Key"), key.clone()), (field("Value"), value.clone())]
        })
        .collect()
}

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let name = properties.text("RoleName").unwrap_or_else(|| making.made_up_name(64));
    let mut fields = vec![("RoleName".to_owned(), name.clone())];
    let trust = properties.document("AssumeRolePolicyDocument");
    fields.extend(trust.map(|trust| ("AssumeRolePolicyDocument".to_owned(), trust)));
    for member in ["Description", "MaxSessionDuration", "Path", "PermissionsBoundary"] {
        fields.extend(properties.text(member).map(|value| (member.to_owned(), value)));
    }
    fields.extend(tag_fields(&properties.tags()));
    making.iam_with("CreateRole", fields)?;
    let furnished = || {
        for (policy, document) in policies(properties) {
            put_policy(making, &name, &policy, &document)?;
        }
        properties.texts("ManagedPolicyArns").iter().try_for_each(|arn| attach(making, &name, arn))
    };
    if let Err(error) = furnished() {
        // What was made in part is not the stack's yet: nobody else would take it away.
        let _ = delete(making, &name);
        return Err(error);
    }
    let role = making.world.role_record(making.place.account, &name);
    let (arn, id) =
        role.map(|role| (role.arn(making.partition(), making.account_id()), role.id.clone())).unwrap_or_default();
    Ok(Made::new(name, &[("Arn", arn), ("RoleId", id)]))
}

pub(super) fn update(making: &Making<'_>, name: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    let differs = |member: &str| old.differs(new, member);
    if differs("Description") || differs("MaxSessionDuration") {
        let description = new.text("Description").unwrap_or_default();
        let seconds = new.text("MaxSessionDuration").unwrap_or_else(|| "3600".into());
        let fields = [("RoleName", name), ("Description", &*description), ("MaxSessionDuration", &*seconds)];
        making.iam("UpdateRole", &fields)?;
    }
    if differs("AssumeRolePolicyDocument") {
        let trust = new.document("AssumeRolePolicyDocument").unwrap_or_default();
        making.iam("UpdateAssumeRolePolicy", &[("RoleName", name), ("PolicyDocument", &trust)])?;
    }
    if differs("PermissionsBoundary") {
        match new.text("PermissionsBoundary") {
            Some(arn) => {
                making.iam("PutRolePermissionsBoundary", &[("RoleName", name), ("PermissionsBoundary", &arn)])?
            }
            None => making.iam("DeleteRolePermissionsBoundary", &[("RoleName", name)])?,
        };
    }
    let (former, wanted) = (policies(old), policies(new));
    for (policy, document) in wanted.iter().filter(|(policy, document)| former.get(*policy) != Some(*document)) {
        put_policy(making, name, policy, document)?;
    }
    for policy in former.keys().filter(|policy| !wanted.contains_key(*policy)) {
        making.iam("DeleteRolePolicy", &[("RoleName", name), ("PolicyName", policy)])?;
    }
    let (former, wanted) = (old.texts("ManagedPolicyArns"), new.texts("ManagedPolicyArns"));
    wanted.iter().filter(|arn| !former.contains(arn)).try_for_each(|arn| attach(making, name, arn))?;
    former.iter().filter(|arn| !wanted.contains(arn)).try_for_each(|arn| detach(making, name, arn))?;
    let (set, gone) = tag_changes(old, new);
    if !set.is_empty() {
        let mut fields = vec![("RoleName".to_owned(), name.to_owned())];
        fields.extend(tag_fields(&set));
        making.iam_with("TagRole", fields)?;
    }
    if !gone.is_empty() {
        let mut fields = vec![("RoleName".to_owned(), name.to_owned())];
        fields.extend(gone.into_iter().enumerate().map(|(nth, key)| (format!("TagKeys.member.{}", nth + 1), key)));
        making.iam_with("UntagRole", fields)?;
    }
    Ok(())
}

/// A role goes after its policies, whoever put them.
pub(super) fn delete(making: &Making<'_>, name: &str) -> Result<(), AwsError> {
    let Some(role) = making.world.role_record(making.place.account, name) else { return Ok(()) };
    role.attached.iter().try_for_each(|arn| detach(making, name, arn))?;
    for policy in role.policies.keys() {
        making.iam("DeleteRolePolicy", &[("RoleName", name), ("PolicyName", policy)])?;
    }
    making.iam("DeleteRole", &[("RoleName", name)]).map(drop)
}
