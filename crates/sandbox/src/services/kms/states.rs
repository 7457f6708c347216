//! EnableKey, DisableKey, ScheduleKeyDeletion and CancelKeyDeletion, and which of them is legal in which state.

use serde_json::{Value, json};

use super::describe::related;
use super::{key_id, own_key};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::key::{Key, KeyKind};
use crate::world::key_state::KeyState;
use crate::world::session::Caller;

const DAY_MS: i64 = 86_400_000;

fn found(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
    action: &str,
) -> Result<(Key, KeyState), AwsError> {
    let key_id = key_id(input)?;
    let key = own_key(world, caller, region, &key_id, action)?;
    // AWS alone has a say over its own keys.
    if key.kind == KeyKind::AwsManaged {
        let message = format!("User: {} is not authorized to perform: {action} on resource: {}", caller.arn, key.arn);
        return Err(AwsError::client("AccessDeniedException", message));
    }
    let state = world.key_states.get(&key.arn);
    Ok((key, state))
}

fn illegal(key: &Key, state: KeyState) -> AwsError {
    let word = match state {
        KeyState::PendingDeletion { .. } => "pending deletion",
        KeyState::PendingReplicaDeletion { .. } => "pending replica deletion",
        KeyState::PendingImport => "pending import",
        KeyState::Unavailable => "unavailable",
        KeyState::Enabled => "enabled",
        KeyState::Disabled => "disabled",
    };
    AwsError::client("KMSInvalidStateException", format!("{} is {word}.", key.arn))
}

/// What may be done to a disabled key, but not to one that is on its way out.
pub(super) fn not_pending_deletion(world: &World, key: &Key) -> Result<(), AwsError> {
    let state = world.key_states.get(&key.arn);
    match state {
        KeyState::PendingDeletion { .. } | KeyState::PendingReplicaDeletion { .. } => Err(illegal(key, state)),
        KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport | KeyState::Unavailable => Ok(()),
    }
}

pub(super) fn enable(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let (key, state) = found(world, caller, region, input, "kms:EnableKey")?;
    input.finish()?;
    switch(world, &key, state, KeyState::Enabled)
}

pub(super) fn disable(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let (key, state) = found(world, caller, region, input, "kms:DisableKey")?;
    input.finish()?;
    switch(world, &key, state, KeyState::Disabled)
}

fn switch(world: &World, key: &Key, from: KeyState, to: KeyState) -> Result<Value, AwsError> {
    match from {
        KeyState::Enabled | KeyState::Disabled => world.set_key_state(&key.arn, to).map(|()| json!({})),
        other => Err(illegal(key, other)),
    }
}

pub(super) fn schedule_deletion(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let (key, _) = found(world, caller, region, input, "kms:ScheduleKeyDeletion")?;
    let days = match input.take("PendingWindowInDays") {
        None => 30,
        Some(value) => value
            .as_i64()
            .filter(|days| (7..=30).contains(days))
            .ok_or_else(|| AwsError::client("ValidationException", "PendingWindowInDays must be between 7 and 30"))?,
    };
    input.finish()?;
    not_pending_deletion(world, &key)?;
    let set = related(world, caller.account, region, &key);
    if set.is_some_and(|set| set.primary == region && !set.replicas.is_empty()) {
        // A primary key goes after its last replica; its waiting period has not begun.
        world.set_key_state(&key.arn, KeyState::PendingReplicaDeletion { days })?;
        return Ok(json!({
            "KeyId": key.arn,
            "KeyState": "PendingReplicaDeletion",
            "PendingWindowInDays": days,
        }));
    }
    let deletion_ms = now_ms() + days * DAY_MS;
    world.set_key_state(&key.arn, KeyState::PendingDeletion { deletion_ms })?;
    Ok(json!({
        "KeyId": key.arn,
        "DeletionDate": epoch(deletion_ms),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

pub(super) fn cancel_deletion(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let (key, state) = found(world, caller, region, input, "kms:CancelKeyDeletion")?;
    input.finish()?;
    match state {
        // The key comes back disabled: EnableKey must follow.
        KeyState::PendingDeletion { .. } | KeyState::PendingReplicaDeletion { .. } => {
            world.set_key_state(&key.arn, KeyState::Disabled)?;
        }
        KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport | KeyState::Unavailable => {
            return Err(AwsError::client("KMSInvalidStateException", format!("{} is not pending deletion.", key.arn)));
        }
    }
    Ok(json!({ "KeyId": key.arn }))
}
