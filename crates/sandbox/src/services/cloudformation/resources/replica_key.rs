//! AWS::KMS::ReplicaKey: made in the stack's Region by the Region of its primary key.

use serde_json::json;

use super::key::{tags, update_common};
use super::{Made, Making, Properties, Schema, present};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::KMS::ReplicaKey",
    service: "Kms",
    properties: &["Description", "Enabled", "KeyPolicy", "PendingWindowInDays", "PrimaryKeyArn", "Tags"],
    required: &["KeyPolicy", "PrimaryKeyArn"],
    create_only: &[],
    named_by: None,
    attributes: &["Arn", "KeyId"],
};

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let primary = properties.text("PrimaryKeyArn").unwrap_or_default();
    let region =
        primary.split(':').nth(3).and_then(|region| making.world.region_index(region)).ok_or_else(|| {
            AwsError::client("NotFoundException", format!("{primary} is no key of an enabled Region"))
        })?;
    let made = making.kms_in(
        region,
        "ReplicateKey",
        present(json!({
            "KeyId": primary,
            "ReplicaRegion": making.world.spec.regions[making.place.region],
            "Description": properties.value("Description"),
            "Policy": properties.document("KeyPolicy"),
            "Tags": tags(&properties.tags()),
        })),
    )?;
    let text = |member: &str| made["ReplicaKeyMetadata"][member].as_str().unwrap_or_default().to_owned();
    let id = text("KeyId");
    if properties.flag("Enabled") == Some(false) {
        making.kms("DisableKey", json!({ "KeyId": id }))?;
    }
    Ok(Made::new(id.clone(), &[("Arn", text("Arn")), ("KeyId", id)]))
}

pub(super) fn update(making: &Making<'_>, id: &str, old: &Properties, new: &Properties) -> Result<(), AwsError> {
    // CloudFormation guide: an update that changes it fails.
    if old.differs(new, "PrimaryKeyArn") {
        let message = "You cannot change PrimaryKeyArn of an existing replica key.";
        return Err(AwsError::client("ValidationException", message));
    }
    update_common(making, id, old, new)?;
    if old.differs(new, "Enabled") {
        let operation = if new.flag("Enabled") == Some(false) { "DisableKey" } else { "EnableKey" };
        making.kms(operation, json!({ "KeyId": id }))?;
    }
    Ok(())
}
