//! KMS: DescribeKey. Keys follow from the seed; the central key's policy admits the organization or the security account.
//! Identity policies, grants and use of keys are not modelled here.

use serde_json::{Value, json};

use crate::wire::epoch;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::key::{Key, KeyKind};
use crate::world::key_state::KeyState;
use crate::world::session::Caller;

pub(crate) const OPERATIONS: &[&str] = &["DescribeKey"];

pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    region: usize,
    _operation: &str,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let key_id = input.required_text("KeyId")?;
    if key_id.is_empty() || key_id.len() > 2048 {
        return Err(AwsError::validation("keyId", &key_id, "Member must have length between 1 and 2048"));
    }
    input.texts("GrantTokens")?;
    input.finish()?;
    let (account, name) = owner_and_name(world, caller, region, &key_id)?;
    let foreign = account != Some(caller.account);
    let found = account.and_then(|owner| world.find_key(owner, region, name).map(|key| (owner, key)));
    match found {
        Some((owner, key)) if !foreign || admits(world, &key) => Ok(metadata(world, owner, region, &key)),
        Some((_, key)) => Err(denied(caller, &key.arn)),
        // Of another account's key KMS does not say whether it exists.
        None if foreign => Err(denied(caller, &key_id)),
        None if name.starts_with("alias/") => {
            let arn = alias_arn(world, caller.account, region, name);
            Err(AwsError::client("NotFoundException", format!("Alias {arn} is not found.")))
        }
        None => {
            let arn = key_arn(world, caller.account, region, name);
            Err(AwsError::client("NotFoundException", format!("Key '{arn}' does not exist")))
        }
    }
}

fn key_arn(world: &World, account: usize, region: usize, id: &str) -> String {
    format!("arn:aws:kms:{}:{}:key/{id}", world.spec.regions[region], world.organization.accounts[account].id)
}

fn alias_arn(world: &World, account: usize, region: usize, alias: &str) -> String {
    format!("arn:aws:kms:{}:{}:{alias}", world.spec.regions[region], world.organization.accounts[account].id)
}

/// Takes a key ARN or alias ARN apart; a bare id or alias is the caller's own.
fn owner_and_name<'a>(
    world: &World,
    caller: &Caller,
    region: usize,
    key_id: &'a str,
) -> Result<(Option<usize>, &'a str), AwsError> {
    if !key_id.starts_with("arn:") {
        return Ok((Some(caller.account), key_id));
    }
    let invalid = || AwsError::client("InvalidArnException", format!("Invalid arn {key_id}"));
    let parts: Vec<&str> = key_id.splitn(6, ':').collect();
    let ["arn", "aws", "kms", key_region, account, resource] = parts[..] else { return Err(invalid()) };
    // A key serves its own Region only: an endpoint of another one does not know it.
    if key_region != world.spec.regions[region] {
        return Err(AwsError::client("NotFoundException", format!("Invalid arn {key_region}")));
    }
    let name = match resource.strip_prefix("key/") {
        Some(id) => id,
        None if resource.starts_with("alias/") => resource,
        None => return Err(invalid()),
    };
    Ok((world.organization.find(account), name))
}

/// Whether the key policy lets members of the organization see it.
fn admits(world: &World, key: &Key) -> bool {
    key.kind == KeyKind::Central && world.spec.central_key.admits_organization
}

fn denied(caller: &Caller, resource: &str) -> AwsError {
    AwsError::client(
        "AccessDeniedException",
        format!(
            "User: {} is not authorized to perform: kms:DescribeKey on resource: {resource} because no resource-based \
             policy allows the kms:DescribeKey action",
            caller.arn
        ),
    )
}

fn metadata(world: &World, owner: usize, region: usize, key: &Key) -> Value {
    let multi_region = key.kind == KeyKind::Central && world.spec.central_key.multi_region;
    let description = match key.kind {
        KeyKind::Central => "Default encryption of every bucket in the organization",
        KeyKind::Customer => "The team's own key",
        KeyKind::AwsManaged => "Default key that protects my S3 objects when no other key is defined",
    };
    let state = world.key_states.get(&key.arn);
    let mut metadata = json!({
        "AWSAccountId": world.organization.accounts[owner].id,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": 1_672_531_200.0,
        "Enabled": state == KeyState::Enabled,
        "Description": description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": state.name(),
        "Origin": "AWS_KMS",
        "KeyManager": if key.kind == KeyKind::AwsManaged { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": multi_region,
    });
    if let KeyState::PendingDeletion { deletion_ms } = state {
        metadata["DeletionDate"] = json!(epoch(deletion_ms));
    }
    if multi_region {
        let at =
            |index: usize| json!({ "Arn": world.central_arns[index].as_ref(), "Region": world.spec.regions[index] });
        metadata["MultiRegionConfiguration"] = json!({
            "MultiRegionKeyType": if region == 0 { "PRIMARY" } else { "REPLICA" },
            "PrimaryKey": at(0),
            "ReplicaKeys": (1..world.spec.regions.len()).map(at).collect::<Vec<_>>(),
        });
    }
    json!({ "KeyMetadata": metadata })
}
