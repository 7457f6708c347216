//! DescribeKey and UpdateKeyDescription: what a key is, and which keys of other Regions belong to it.

use serde_json::{Value, json};

use super::{allowed, find, key_id, own_key};
use crate::wire::epoch;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::key::{GENERATED_MS, Key, KeyKind};
use crate::world::key_settings::KeySetting;
use crate::world::key_state::KeyState;
use crate::world::session::Caller;

const LONGEST_DESCRIPTION: usize = 8192;

/// The Regions of a multi-Region key.
pub(super) struct Related {
    pub(super) primary: usize,
    pub(super) replicas: Vec<usize>,
}

/// Nothing for a key of one Region.
pub(super) fn related(world: &World, owner: usize, region: usize, key: &Key) -> Option<Related> {
    if !key.id.starts_with("mrk-") {
        return None;
    }
    let everywhere = 0..world.spec.regions.len();
    let Some(created) = &key.created else {
        // The generated central key: made in the first Region, replicated into every other one.
        return Some(Related { primary: 0, replicas: everywhere.skip(1).collect() });
    };
    let primary = created.primary.as_ref().and_then(|primary| world.region_index(primary)).unwrap_or(region);
    let there = |index: &usize| *index != primary && world.key_store.key(owner, *index, &key.id).is_some();
    Some(Related { primary, replicas: everywhere.filter(there).collect() })
}

pub(super) fn description(input: &mut Input) -> Result<Option<String>, AwsError> {
    let text = input.text("Description")?;
    match text {
        Some(text) if text.chars().count() > LONGEST_DESCRIPTION => {
            Err(AwsError::validation("description", &text, "Member must have length less than or equal to 8192"))
        }
        other => Ok(other),
    }
}

pub(super) fn describe(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    input.texts("GrantTokens")?;
    input.finish()?;
    let (owner, key) = find(world, caller, region, &key_id, "kms:DescribeKey")?;
    allowed(world, caller, owner, &key, "kms:DescribeKey", None, "")?;
    Ok(json!({ "KeyMetadata": metadata(world, owner, region, &key) }))
}

pub(super) fn update_description(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    let text = description(input)?.ok_or_else(|| crate::wire::json::missing("Description"))?;
    input.finish()?;
    let key = own_key(world, caller, region, &key_id, "kms:UpdateKeyDescription")?;
    super::states::not_pending_deletion(world, &key)?;
    world.set_on_key(&key.arn, KeySetting::Description(text))?;
    Ok(json!({}))
}

pub(super) fn metadata(world: &World, owner: usize, region: usize, key: &Key) -> Value {
    let description = world.key_store.description(key);
    let description = description.as_deref().unwrap_or(match key.kind {
        KeyKind::Central => "Default encryption of every bucket in the organization",
        KeyKind::Customer => "The team's own key",
        KeyKind::AwsManaged => "Default key that protects my S3 objects when no other key is defined",
        KeyKind::Created => key.created.as_ref().map_or("", |created| created.description.as_str()),
    });
    let state = world.key_states.get(&key.arn);
    let mut metadata = json!({
        "AWSAccountId": world.organization.accounts[owner].id,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": epoch(GENERATED_MS),
        "Enabled": state == KeyState::Enabled,
        "Description": description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": state.name(),
        "Origin": "AWS_KMS",
        "KeyManager": if key.kind == KeyKind::AwsManaged { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": key.id.starts_with("mrk-"),
    });
    if let Some(created) = &key.created {
        metadata["CreationDate"] = json!(epoch(created.created_ms));
        metadata["Origin"] = json!(created.origin);
        metadata["KeyUsage"] = json!(created.usage);
        metadata["KeySpec"] = json!(created.spec);
        metadata["CustomerMasterKeySpec"] = json!(created.spec);
    }
    if let Some(set) = related(world, owner, region, key) {
        let at = |index: &usize| json!({ "Arn": world.key_arn(owner, *index, &key.id), "Region": world.spec.regions[*index] });
        metadata["MultiRegionConfiguration"] = json!({
            "MultiRegionKeyType": if set.primary == region { "PRIMARY" } else { "REPLICA" },
            "PrimaryKey": at(&set.primary),
            "ReplicaKeys": set.replicas.iter().map(at).collect::<Vec<_>>(),
        });
    }
    match state {
        KeyState::PendingDeletion { deletion_ms } => metadata["DeletionDate"] = json!(epoch(deletion_ms)),
        KeyState::PendingReplicaDeletion { days } => metadata["PendingDeletionWindowInDays"] = json!(days),
        _ => {}
    }
    metadata
}
