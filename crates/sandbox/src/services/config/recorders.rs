//! The configuration recorder: DescribeConfigurationRecorders, DescribeConfigurationRecorderStatus, StartConfigurationRecorder
//! and StopConfigurationRecorder. Each account and Region has one that is on; it records buckets.

use serde_json::{Value, json};

use super::shape;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::config::{ConfigChange, Recorder};
use crate::world::place::Place;

fn no_such(name: &str) -> AwsError {
    let message = format!("Cannot find configuration recorder with the specified name '{name}'.");
    AwsError::client("NoSuchConfigurationRecorderException", message)
}

/// Whether the only recorder is asked for: by its name, its ARN, or as the one that there is.
fn asked(world: &World, place: Place, input: &mut Input) -> Result<(), AwsError> {
    let names = input.texts("ConfigurationRecorderNames")?;
    let arn = input.text("Arn")?;
    let service = input.text("ServicePrincipal")?;
    input.finish()?;
    for name in &names {
        shape::length("configurationRecorderNames.1.member", Some(name), 1, 256)?;
    }
    shape::length("arn", arn.as_deref(), 1, 1000)?;
    if names.len() + usize::from(arn.is_some()) + usize::from(service.is_some()) > 1 {
        return Err(AwsError::client("ValidationException", "You can only specify one configuration recorder."));
    }
    // Service-linked recorders are services' own; there are none here.
    if let Some(service) = service {
        let message = format!("There is no service-linked configuration recorder for {service}.");
        return Err(AwsError::client("ValidationException", message));
    }
    if let Some(name) = names.iter().find(|name| *name != Recorder::NAME) {
        return Err(no_such(name));
    }
    match arn {
        Some(arn) if arn != Recorder::arn_of(&world.config_arn(place)) => Err(no_such(&arn)),
        _ => Ok(()),
    }
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    asked(world, place, input)?;
    let account = &world.organization.accounts[place.account].id;
    let role =
        world.spec.partition.iam_arn(account, "role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig");
    Ok(json!({ "ConfigurationRecorders": [{
        "arn": Recorder::arn_of(&world.config_arn(place)),
        "name": Recorder::NAME,
        "roleARN": role,
        // It is as if every resource type were recorded; there are but buckets.
        "recordingGroup": {
            "allSupported": true,
            "includeGlobalResourceTypes": place.region == 0,
            "resourceTypes": [],
            "exclusionByResourceTypes": { "resourceTypes": [] },
            "recordingStrategy": { "useOnly": "ALL_SUPPORTED_RESOURCE_TYPES" },
        },
        "recordingMode": { "recordingFrequency": "CONTINUOUS", "recordingModeOverrides": [] },
        "recordingScope": "PAID",
    }] }))
}

pub(super) fn status(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    asked(world, place, input)?;
    let recorder = world.with_region(place.account, place.region, |state| state.config.recorder);
    let mut status = json!({
        "arn": Recorder::arn_of(&world.config_arn(place)),
        "name": Recorder::NAME,
        "lastStartTime": epoch(recorder.started_ms),
        "recording": recorder.records(),
        "lastStatus": "Success",
        "lastStatusChangeTime": epoch(recorder.stopped_ms.unwrap_or(recorder.started_ms)),
    });
    if let Some(stopped) = recorder.stopped_ms {
        status["lastStopTime"] = json!(epoch(stopped));
    }
    Ok(json!({ "ConfigurationRecordersStatus": [status] }))
}

/// StartConfigurationRecorder and StopConfigurationRecorder, which need no other state than they bring about.
pub(super) fn turn(world: &World, place: Place, on: bool, input: &mut Input) -> Result<Value, AwsError> {
    let name = input.required_text("ConfigurationRecorderName")?;
    input.finish()?;
    shape::length("configurationRecorderName", Some(&name), 1, 256)?;
    if name != Recorder::NAME {
        return Err(no_such(&name));
    }
    world.with_region(place.account, place.region, |state| {
        let recorder = state.config.recorder;
        let now = now_ms();
        let turned = match (on, recorder.records()) {
            (true, false) => Recorder { started_ms: now, stopped_ms: None },
            (false, true) => Recorder { stopped_ms: Some(now), ..recorder },
            _ => return Ok(json!({})),
        };
        world.change_config(place, &mut state.config, ConfigChange::Recorder(turned))?;
        Ok(json!({}))
    })
}
