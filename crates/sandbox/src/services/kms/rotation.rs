//! Automatic rotation: EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus. Nothing is ever rotated here.

use serde_json::{Value, json};

use super::describe::related;
use super::{allowed, by_id, key_id, own_key, states, usable};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::key::{GENERATED_MS, Key, KeyKind};
use crate::world::key_settings::{KeySetting, Rotation};
use crate::world::key_state::KeyState;
use crate::world::session::Caller;

const DAY_MS: i64 = 86_400_000;
const YEAR: i64 = 365;

fn unsupported(message: &str) -> AwsError {
    AwsError::client("UnsupportedOperationException", message)
}

/// Imported material is rotated by whoever imports it.
fn rotatable(key: &Key) -> Result<(), AwsError> {
    match key.created.as_ref().is_some_and(|created| created.origin == "EXTERNAL") {
        true => Err(unsupported("Automatic rotation is not supported on keys with imported key material.")),
        false => Ok(()),
    }
}

/// The key whose rotation is to be set: enabled, and not a replica.
fn settable(world: &World, caller: &Caller, region: usize, key_id: &str, action: &str) -> Result<Key, AwsError> {
    let key = own_key(world, caller, region, key_id, action)?;
    rotatable(&key)?;
    usable(world, &key)?;
    // Rotation is shared by all keys of a multi-Region key, and set on the primary one.
    match related(world, caller.account, region, &key) {
        Some(set) if set.primary != region => {
            Err(unsupported("Set the rotation of a multi-Region key on its primary key."))
        }
        _ => Ok(key),
    }
}

pub(super) fn enable(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    let days = match input.take("RotationPeriodInDays") {
        None => None,
        Some(value) => {
            let days = value.as_i64().filter(|days| (90..=2560).contains(days));
            Some(days.ok_or_else(|| {
                let limits = "Member must have value between 90 and 2560";
                AwsError::validation("rotationPeriodInDays", &value.to_string(), limits)
            })?)
        }
    };
    input.finish()?;
    let key = settable(world, caller, region, &key_id, "kms:EnableKeyRotation")?;
    let days = days.or_else(|| Some(world.key_store.rotation(&key.arn)?.days)).unwrap_or(YEAR);
    let rotation = Rotation { days, next_ms: now_ms() + days * DAY_MS };
    world.set_on_key(&key.arn, KeySetting::Rotation(Some(rotation)))?;
    Ok(json!({}))
}

pub(super) fn disable(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    input.finish()?;
    let key = settable(world, caller, region, &key_id, "kms:DisableKeyRotation")?;
    world.set_on_key(&key.arn, KeySetting::Rotation(None))?;
    Ok(json!({}))
}

/// Works across accounts, with the key's ARN.
pub(super) fn status(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    input.finish()?;
    let action = "kms:GetKeyRotationStatus";
    let (owner, key) = by_id(world, caller, region, &key_id, action)?;
    allowed(world, caller, owner, &key, action, None, "")?;
    rotatable(&key)?;
    let primary = related(world, owner, region, &key).map_or(region, |set| set.primary);
    let rotation = match key.kind {
        KeyKind::AwsManaged => Some(every_year()),
        _ => world.key_store.rotation(&world.key_arn(owner, primary, &key.id)),
    };
    let pending = states::not_pending_deletion(world, &key).is_err();
    let mut status = json!({ "KeyId": key.arn, "KeyRotationEnabled": rotation.is_some() && !pending });
    if let Some(rotation) = rotation.filter(|_| !pending) {
        status["RotationPeriodInDays"] = json!(rotation.days);
        // A disabled key is not rotated.
        if world.key_states.get(&key.arn) == KeyState::Enabled {
            status["NextRotationDate"] = json!(epoch(rotation.next_ms));
        }
    }
    Ok(status)
}

/// AWS rotates its own keys once a year, counted from when they were made.
fn every_year() -> Rotation {
    let year_ms = YEAR * DAY_MS;
    let past = (now_ms() - GENERATED_MS).div_euclid(year_ms);
    Rotation { days: YEAR, next_ms: GENERATED_MS + (past + 1) * year_ms }
}
