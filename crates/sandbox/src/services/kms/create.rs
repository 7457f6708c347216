//! CreateKey, and how a new key comes into the world.

use serde_json::{Value, json};

use super::describe::{description, metadata};
use super::{flag, policies, tags};
use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::key_state::KeyState;
use crate::world::key_store::CreatedKey;
use crate::world::session::Caller;

const USAGES: [&str; 5] =
    ["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"];
const ORIGINS: [&str; 4] = ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];

fn enumerated(member: &str, value: &str, all: &[&str]) -> Result<(), AwsError> {
    match all.contains(&value) {
        true => Ok(()),
        false => {
            let set = format!("Member must satisfy enum value set: [{}]", all.join(", "));
            Err(AwsError::validation(member, value, &set))
        }
    }
}

pub(super) fn create(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let policy = policies::draft(input)?;
    let description = description(input)?.unwrap_or_default();
    let usage = input.text("KeyUsage")?.unwrap_or_else(|| "ENCRYPT_DECRYPT".into());
    let old_spec = input.text("CustomerMasterKeySpec")?;
    let spec = input.text("KeySpec")?;
    let origin = input.text("Origin")?.unwrap_or_else(|| "AWS_KMS".into());
    let multi_region = flag(input, "MultiRegion")?;
    let tags = tags::tags(input)?;
    input.finish()?;
    enumerated("keyUsage", &usage, &USAGES)?;
    enumerated("origin", &origin, &ORIGINS)?;
    if spec.is_some() && old_spec.is_some() {
        let message = "You cannot specify KeySpec and CustomerMasterKeySpec in the same request.";
        return Err(AwsError::client("ValidationException", message));
    }
    let spec = spec.or(old_spec).unwrap_or_else(|| "SYMMETRIC_DEFAULT".into());
    if spec != "SYMMETRIC_DEFAULT" {
        let message = "Only symmetric encryption keys are modelled by this sandbox";
        return Err(AwsError::client("UnsupportedOperationException", message));
    }
    if usage != "ENCRYPT_DECRYPT" {
        let message = format!("KeyUsage {usage} is not compatible with KeySpec {spec}");
        return Err(AwsError::client("ValidationException", message));
    }
    if !["AWS_KMS", "EXTERNAL"].contains(&origin.as_str()) {
        return Err(AwsError::client("UnsupportedOperationException", "The origin is not modelled by this sandbox"));
    }
    let id = match multi_region {
        true => format!("mrk-{}", uuid::Uuid::new_v4().simple()),
        false => uuid::Uuid::new_v4().to_string(),
    };
    let created_ms = now_ms();
    let key = CreatedKey { id, description, usage, spec, origin, multi_region, primary: None, created_ms, tags };
    let key = made(world, caller, region, key, policy)?;
    Ok(json!({ "KeyMetadata": metadata(world, caller.account, region, &key) }))
}

/// Stores a new key with its policy, KMS's default one when none was given. Nothing is stored when the policy or the tags are
/// not to be had.
pub(super) fn made(
    world: &World,
    caller: &Caller,
    region: usize,
    key: CreatedKey,
    policy: Option<policies::Draft>,
) -> Result<crate::world::key::Key, AwsError> {
    let (id, region_name) = (key.id.clone(), &world.spec.regions[region]);
    let arn = world.key_arn(caller.account, region, &id);
    tags::may_begin_with(world, caller, region, &arn, &key.tags)?;
    let policy = policy.map(|policy| policy.checked(world, caller, region_name, &arn)).transpose()?;
    let external = key.origin == "EXTERNAL";
    // The key last: when the process ends in between, a policy without a key does no harm.
    if let Some(policy) = policy {
        policies::put_checked(world, &arn, policy)?;
    }
    if external {
        world.set_key_state(&arn, KeyState::PendingImport)?;
    }
    world.journal.append(&Entry::KeyCreated {
        account: world.organization.accounts[caller.account].id.clone(),
        region: region_name.clone(),
        key: Box::new(key.clone()),
    })?;
    world.key_store.add(caller.account, region, key);
    world.find_key(caller.account, region, &id).ok_or_else(|| AwsError::server("KMSInternalException", "no key"))
}
