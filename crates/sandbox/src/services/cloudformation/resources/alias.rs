//! AWS::KMS::Alias

use serde_json::json;

use super::{Made, Making, Properties, Schema};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::KMS::Alias",
    service: "Kms",
    properties: &["AliasName", "TargetKeyId"],
    required: &["AliasName", "TargetKeyId"],
    create_only: &["AliasName"],
    named_by: None,
    attributes: &[],
};

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let name = properties.text("AliasName").unwrap_or_default();
    let target = properties.value("TargetKeyId");
    making.kms("CreateAlias", json!({ "AliasName": name, "TargetKeyId": target }))?;
    Ok(Made::new(name, &[]))
}

pub(super) fn update(making: &Making<'_>, name: &str, new: &Properties) -> Result<(), AwsError> {
    let target = new.value("TargetKeyId");
    making.kms("UpdateAlias", json!({ "AliasName": name, "TargetKeyId": target })).map(drop)
}

pub(super) fn delete(making: &Making<'_>, name: &str) -> Result<(), AwsError> {
    making.kms("DeleteAlias", json!({ "AliasName": name })).map(drop)
}
