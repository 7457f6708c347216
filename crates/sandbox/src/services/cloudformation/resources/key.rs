//! AWS::KMS::Key; and what a replica has in common with it.

use serde_json::{Value, json};

use super::{Made, Making, Properties, Schema, present, tag_changes};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::KMS::Key",
    service: "Kms",
    properties: &[
        "BypassPolicyLockoutSafetyCheck",
        "Description",
        "Enabled",
        "EnableKeyRotation",
        "KeyPolicy",
        "KeySpec",
        "KeyUsage",
        "MultiRegion",
        "Origin",
        "PendingWindowInDays",
        "RotationPeriodInDays",
        "Tags",
    ],
    required: &[],
    create_only: &[],
    named_by: None,
    attributes: &["Arn", "KeyId"],
};

/// CloudFormation guide: an update that changes one of these fails, so that no key is lost by accident.
const IMMUTABLE: [&str; 4] = ["KeySpec", "KeyUsage", "MultiRegion", "Origin"];

pub(super) fn tags(tags: &[(String, String)]) -> Value {
    tags.iter().map(|(key, value)| json!({ "TagKey": key, "TagValue": value })).collect()
}

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let made = making.kms(
        "CreateKey",
        present(json!({
            "BypassPolicyLockoutSafetyCheck": properties.flag("BypassPolicyLockoutSafetyCheck"),
            "Description": properties.value("Description"),
            "Policy": properties.document("KeyPolicy"),
            "KeySpec": properties.value("KeySpec"),
            "KeyUsage": properties.value("KeyUsage"),
            "MultiRegion": properties.flag("MultiRegion"),
            "Origin": properties.value("Origin"),
            "Tags": tags(&properties.tags()),
        })),
    )?;
    let text = |member: &str| made["KeyMetadata"][member].as_str().unwrap_or_default().to_owned();
    let id = text("KeyId");
    let furnished = || {
        if properties.flag("EnableKeyRotation") == Some(true) {
            rotate(making, &id, properties)?;
        }
        if properties.flag("Enabled") == Some(false) {
            making.kms("DisableKey", json!({ "KeyId": id }))?;
        }
        Ok(())
    };
    if let Err(error) = furnished() {
        // What was made in part is not the stack's yet: nobody else would take it away.
        let _ = delete(making, &id, properties);
        return Err(error);
    }
    Ok(Made::new(id.clone(), &[("Arn", text("Arn")), ("KeyId", id)]))
}

fn rotate(making: &Making<'_>, id: &str, properties: &Properties) -> Result<(), AwsError> {
    let input = json!({ "KeyId": id, "RotationPeriodInDays": properties.number("RotationPeriodInDays") });
    making.kms("EnableKeyRotation", present(input)).map(drop)
}

pub(super) fn update(making: &Making<'_>, id: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    if let Some(member) = IMMUTABLE.iter().find(|member| old.differs(new, member)) {
        let message = format!("You cannot change {member} of an existing KMS key.");
        return Err(AwsError::client("ValidationException", message));
    }
    let rotates = |properties: &Properties| properties.flag("EnableKeyRotation") == Some(true);
    // A disabled key's rotation can not be set: enabled first, disabled last.
    let enabled = |properties: &Properties| properties.flag("Enabled") != Some(false);
    if enabled(new) && !enabled(old) {
        making.kms("EnableKey", json!({ "KeyId": id }))?;
    }
    update_common(making, id, old, new)?;
    if rotates(new) && (!rotates(old) || old.differs(new, "RotationPeriodInDays")) {
        rotate(making, id, new)?;
    }
    if rotates(old) && !rotates(new) {
        making.kms("DisableKeyRotation", json!({ "KeyId": id }))?;
    }
    if enabled(old) && !enabled(new) {
        making.kms("DisableKey", json!({ "KeyId": id }))?;
    }
    Ok(())
}

/// Description, policy and tags.
pub(super) fn update_common(making: &Making<'_>, id: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    if old.differs(new, "Description") {
        let description = new.text("Description").unwrap_or_default();
        making.kms("UpdateKeyDescription", json!({ "KeyId": id, "Description": description }))?;
    }
    if old.differs(new, "KeyPolicy")
        && let Some(policy) = new.document("KeyPolicy")
    {
        let bypass = new.flag("BypassPolicyLockoutSafetyCheck");
        let input = json!({ "KeyId": id, "Policy": policy, "BypassPolicyLockoutSafetyCheck": bypass });
        making.kms("PutKeyPolicy", present(input))?;
    }
    let (set, gone) = tag_changes(old, new);
    if !set.is_empty() {
        making.kms("TagResource", json!({ "KeyId": id, "Tags": tags(&set) }))?;
    }
    if !gone.is_empty() {
        making.kms("UntagResource", json!({ "KeyId": id, "TagKeys": gone }))?;
    }
    Ok(())
}

pub(super) fn delete(making: &Making<'_>, id: &str, properties: &Properties) -> Result<(), AwsError> {
    let input = json!({ "KeyId": id, "PendingWindowInDays": properties.number("PendingWindowInDays") });
    match making.kms("ScheduleKeyDeletion", present(input)) {
        // It is on its way already.
        Err(error) if error.code == "KMSInvalidStateException" => Ok(()),
        done => done.map(drop),
    }
}
