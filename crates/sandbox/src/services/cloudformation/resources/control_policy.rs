//! AWS::Organizations::Policy

use serde_json::json;

use super::{Made, Making, Properties, Schema, present, tag_changes, tag_list};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::Organizations::Policy",
    service: "Organizations",
    properties: &["Content", "Description", "Name", "Tags", "TargetIds", "Type"],
    required: &["Content", "Name", "Type"],
    create_only: &["Type"],
    named_by: None,
    attributes: &["Arn", "AwsManaged", "Id"],
};

fn on_target(making: &Making<'_>, operation: &'static str, id: &str, target: &str) -> Result<(), AwsError> {
    making.organizations(operation, json!({ "PolicyId": id, "TargetId": target })).map(drop)
}

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let made = making.organizations(
        "CreatePolicy",
        present(json!({
            "Content": properties.document("Content"),
            "Description": properties.text("Description").unwrap_or_default(),
            "Name": properties.value("Name"),
            "Type": properties.value("Type"),
            "Tags": tag_list(&properties.tags()),
        })),
    )?;
    let summary = &made["Policy"]["PolicySummary"];
    let text = |member: &str| summary[member].as_str().unwrap_or_default().to_owned();
    let id = text("Id");
    let attach = |target: &String| on_target(making, "AttachPolicy", &id, target);
    if let Err(error) = properties.texts("TargetIds").iter().try_for_each(attach) {
        // What was made in part is not the stack's yet: nobody else would take it away.
        let _ = delete(making, &id);
        return Err(error);
    }
    Ok(Made::new(id.clone(), &[("Arn", text("Arn")), ("AwsManaged", "false".into()), ("Id", id)]))
}

pub(super) fn update(making: &Making<'_>, id: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    if ["Content", "Description", "Name"].iter().any(|member| old.differs(new, member)) {
        making.organizations(
            "UpdatePolicy",
            present(json!({
                "PolicyId": id,
                "Content": new.document("Content"),
                "Description": new.text("Description").unwrap_or_default(),
                "Name": new.value("Name"),
            })),
        )?;
    }
    let (former, wanted) = (old.texts("TargetIds"), new.texts("TargetIds"));
    let added = wanted.iter().filter(|target| !former.contains(target));
    added.into_iter().try_for_each(|target| on_target(making, "AttachPolicy", id, target))?;
    let gone = former.iter().filter(|target| !wanted.contains(target));
    gone.into_iter().try_for_each(|target| on_target(making, "DetachPolicy", id, target))?;
    let (set, gone) = tag_changes(old, new);
    if !set.is_empty() {
        making.organizations("TagResource", json!({ "ResourceId": id, "Tags": tag_list(&set) }))?;
    }
    if !gone.is_empty() {
        making.organizations("UntagResource", json!({ "ResourceId": id, "TagKeys": gone }))?;
    }
    Ok(())
}

/// It is detached from wherever it is, by whomever.
pub(super) fn delete(making: &Making<'_>, id: &str) -> Result<(), AwsError> {
    let attached = making.organizations("ListTargetsForPolicy", json!({ "PolicyId": id }))?;
    for target in attached["Targets"].as_array().into_iter().flatten() {
        on_target(making, "DetachPolicy", id, target["TargetId"].as_str().unwrap_or_default())?;
    }
    making.organizations("DeletePolicy", json!({ "PolicyId": id })).map(drop)
}
