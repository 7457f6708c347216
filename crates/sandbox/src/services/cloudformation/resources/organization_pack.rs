//! AWS::Config::OrganizationConformancePack

use serde_json::json;

use super::{Made, Making, Properties, Schema, present};
use crate::wire::error::AwsError;

pub(super) const SCHEMA: Schema = Schema {
    name: "AWS::Config::OrganizationConformancePack",
    service: "Config",
    properties: &[
        "ConformancePackInputParameters",
        "DeliveryS3Bucket",
        "DeliveryS3KeyPrefix",
        "ExcludedAccounts",
        "OrganizationConformancePackName",
        "TemplateBody",
    ],
    required: &["OrganizationConformancePackName"],
    create_only: &["OrganizationConformancePackName"],
    named_by: None,
    attributes: &[],
};

fn name_of(properties: &Properties) -> String {
    properties.text("OrganizationConformancePackName").unwrap_or_default()
}

/// The names of packs that are put here.
fn is_there(making: &Making<'_>, name: &str) -> bool {
    let place = making.place;
    making.world.with_region(place.account, place.region, |state| {
        let packs = state.config.organization_packs.values();
        packs.into_iter().any(|pack| pack.name == name && !pack.progress.is_gone(crate::wire::now_ms()))
    })
}

fn put(making: &Making<'_>, properties: &Properties) -> Result<(), AwsError> {
    let name = name_of(properties);
    let input = json!({
        "OrganizationConformancePackName": name,
        "TemplateBody": properties.value("TemplateBody"),
        "ConformancePackInputParameters": properties.value("ConformancePackInputParameters"),
        "DeliveryS3Bucket": properties.value("DeliveryS3Bucket"),
        "DeliveryS3KeyPrefix": properties.value("DeliveryS3KeyPrefix"),
        "ExcludedAccounts": properties.value("ExcludedAccounts"),
    });
    making.config("PutOrganizationConformancePack", present(input))?;
    // CloudFormation waits until the pack is in every account, and fails when it fails in one.
    crate::services::config::have_waited(making.world, making.place, &name)
}

pub(super) fn create(making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
    let name = name_of(properties);
    if is_there(making, &name) {
        let message = format!("An organization conformance pack {name} already exists.");
        return Err(AwsError::client("AlreadyExistsException", message));
    }
    if let Err(error) = put(making, properties) {
        // What was made in part is not the stack's yet: nobody else would take it away.
        let _ = delete(making, &name);
        return Err(error);
    }
    Ok(Made::new(name, &[]))
}

pub(super) fn update(making: &Making<'_>, new: &Properties) -> Result<(), AwsError> {
    put(making, new)
}

pub(super) fn delete(making: &Making<'_>, name: &str) -> Result<(), AwsError> {
    let input = json!({ "OrganizationConformancePackName": name });
    making.config("DeleteOrganizationConformancePack", input)?;
    crate::services::config::have_waited(making.world, making.place, name)
}
