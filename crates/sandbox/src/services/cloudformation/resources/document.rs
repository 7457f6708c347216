//! AWS::SSM::Document

use serde_json::{Value, json};

use super::{Made, Making, Properties, Schema, present, tag_changes, tag_list};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::SSM::Document",
    service: "Ssm",
    properties: &[
        "Content",
        "DocumentFormat",
        "DocumentType",
        "Name",
        "Tags",
        "TargetType",
        "UpdateMethod",
        "VersionName",
    ],
    required: &["Content"],
    create_only: &["Name", "DocumentType"],
    named_by: Some("Name"),
    attributes: &[],
};

/// With the UpdateMethod Replace, which is the default, another content is another document.
pub(super) fn is_replaced(old: &Properties, new: &Properties) -> bool {
    let changed = ["Content", "DocumentFormat", "TargetType", "VersionName"].iter().any(|name| old.differs(new, name));
    changed && new.text("UpdateMethod").as_deref() != Some("NewVersion")
}

/// The document's content. CloudFormation may turn Booleans and numbers of an object into strings on the way
/// (aws-cloudformation/cloudformation-cli#435): here it always does. A string is passed on as it is.
fn content(properties: &Properties) -> Option<String> {
    match properties.get("Content")? {
        Value::String(text) => Some(text.clone()),
        object => Some(as_strings(object).to_string()),
    }
}

fn as_strings(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        Value::Array(items) => items.iter().map(as_strings).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), as_strings(member))).collect())
        }
        other => other.clone(),
    }
}

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let name = properties.text("Name").unwrap_or_else(|| making.made_up_name(128));
    let tags = properties.tags();
    let mut input = json!({
        "Name": name,
        "Content": content(properties),
        "DocumentFormat": properties.text("DocumentFormat").unwrap_or_else(|| "JSON".into()),
        "DocumentType": properties.value("DocumentType"),
        "TargetType": properties.value("TargetType"),
        "VersionName": properties.value("VersionName"),
    });
    if !tags.is_empty() {
        input["Tags"] = tag_list(&tags);
    }
    making.ssm("CreateDocument", present(input))?;
    Ok(Made::new(name, &[]))
}

pub(super) fn update(making: &Making<'_>, name: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    if ["Content", "DocumentFormat", "TargetType", "VersionName"].iter().any(|member| old.differs(new, member)) {
        let updated = making.ssm(
            "UpdateDocument",
            present(json!({
                "Name": name,
                "Content": content(new),
                "DocumentFormat": new.text("DocumentFormat").unwrap_or_else(|| "JSON".into()),
                "TargetType": new.value("TargetType"),
                "VersionName": new.value("VersionName"),
                "DocumentVersion": "$LATEST",
            })),
        )?;
        // CloudFormation guide: with NewVersion the default version is changed to the new one.
        let version = updated["DocumentDescription"]["DocumentVersion"].clone();
        making.ssm("UpdateDocumentDefaultVersion", json!({ "Name": name, "DocumentVersion": version }))?;
    }
    let (set, gone) = tag_changes(old, new);
    let resource = json!({ "ResourceType": "Document", "ResourceId": name });
    if !set.is_empty() {
        let mut input = resource.clone();
        input["Tags"] = tag_list(&set);
        making.ssm("AddTagsToResource", input)?;
    }
    if !gone.is_empty() {
        let mut input = resource;
        input["TagKeys"] = json!(gone);
        making.ssm("RemoveTagsFromResource", input)?;
    }
    Ok(())
}

pub(super) fn delete(making: &Making<'_>, name: &str) -> Result<(), AwsError> {
    making.ssm("DeleteDocument", json!({ "Name": name })).map(drop)
}
