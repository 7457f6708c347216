//! Making, listing and describing keys: CreateKey, aliases, ListKeys, ListAliases, key policies.

use serde_json::{Value, json};

use super::{alias_arn, key_id, metadata, own_key};
use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::key::KeyKind;
use crate::world::key_state::KeyState;
use crate::world::key_store::CreatedKey;
use crate::world::session::Caller;

const LARGEST_POLICY: usize = 32 * 1024;

fn checked_policy(policy: &str) -> Result<(), AwsError> {
    let parsed: Option<Value> = serde_json::from_str(policy).ok();
    if policy.len() > LARGEST_POLICY || parsed.is_none_or(|policy| policy.get("Statement").is_none()) {
        return Err(AwsError::client("MalformedPolicyDocumentException", "The policy is not syntactically valid."));
    }
    Ok(())
}

/// `[{TagKey, TagValue}]`
fn tags(input: &mut Input) -> Result<Vec<(String, String)>, AwsError> {
    let list = input.take("Tags").unwrap_or_else(|| json!([]));
    let tag = |tag: &Value| {
        let part = |name: &str| tag.get(name).and_then(Value::as_str).map(String::from);
        part("TagKey")
            .zip(part("TagValue"))
            .ok_or_else(|| AwsError::client("TagException", "A tag needs TagKey and TagValue"))
    };
    list.as_array().into_iter().flatten().map(tag).collect()
}

pub(super) fn create(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let policy = input.text("Policy")?;
    let description = input.text("Description")?.unwrap_or_default();
    let usage = input.text("KeyUsage")?.unwrap_or_else(|| "ENCRYPT_DECRYPT".into());
    let old_spec = input.text("CustomerMasterKeySpec")?;
    let spec = input.text("KeySpec")?.or(old_spec).unwrap_or_else(|| "SYMMETRIC_DEFAULT".into());
    let origin = input.text("Origin")?.unwrap_or_else(|| "AWS_KMS".into());
    let multi_region = input.take("MultiRegion").is_some_and(|value| value == true);
    input.take("BypassPolicyLockoutSafetyCheck");
    let tags = tags(input)?;
    input.finish()?;
    if usage != "ENCRYPT_DECRYPT" || spec != "SYMMETRIC_DEFAULT" {
        return Err(AwsError::client(
            "UnsupportedOperationException",
            "Only symmetric encryption keys are modelled by this sandbox",
        ));
    }
    if !["AWS_KMS", "EXTERNAL"].contains(&origin.as_str()) {
        return Err(AwsError::client("UnsupportedOperationException", "The origin is not modelled by this sandbox"));
    }
    if let Some(policy) = &policy {
        checked_policy(policy)?;
    }
    let id = match multi_region {
        true => format!("mrk-{}", uuid::Uuid::new_v4().simple()),
        false => uuid::Uuid::new_v4().to_string(),
    };
    let key = CreatedKey {
        id: id.clone(),
        description,
        usage,
        spec,
        origin: origin.clone(),
        multi_region,
        created_ms: now_ms(),
        tags,
    };
    world.journal.append(&Entry::KeyCreated {
        account: world.organization.accounts[caller.account].id.clone(),
        region: world.spec.regions[region].clone(),
        key: Box::new(key.clone()),
    })?;
    world.key_store.add(caller.account, region, key);
    let arn = world.key_arn(caller.account, region, &id);
    if let Some(policy) = policy {
        world.journal.append(&Entry::KeyPolicy { arn: arn.clone(), policy: policy.clone() })?;
        world.key_store.set_policy(&arn, &policy);
    }
    if origin == "EXTERNAL" {
        world.set_key_state(&arn, KeyState::PendingImport)?;
    }
    let key = own_key(world, caller, region, &id, "kms:CreateKey")?;
    Ok(json!({ "KeyMetadata": metadata(world, caller.account, region, &key) }))
}

fn alias_name(input: &mut Input) -> Result<String, AwsError> {
    let alias = input.required_text("AliasName")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    if !alias.starts_with("alias/") || alias.len() < 7 || alias.len() > 256 || !alias.chars().all(legal) {
        let message = "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
        return Err(AwsError::client("ValidationException", message));
    }
    if alias.starts_with("alias/aws/") {
        return Err(AwsError::client("NotAuthorizedException", "alias/aws/ is reserved for AWS managed keys"));
    }
    Ok(alias)
}

pub(super) fn create_alias(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let alias = alias_name(input)?;
    let target = input.required_text("TargetKeyId")?;
    input.finish()?;
    let key = own_key(world, caller, region, &target, "kms:CreateAlias")?;
    if world.find_key(caller.account, region, &alias).is_some() {
        let arn = alias_arn(world, caller.account, region, &alias);
        let message = format!("An alias with the name {arn} already exists");
        return Err(AwsError::client("AlreadyExistsException", message));
    }
    store_alias(world, caller, region, &alias, Some(&key.id))
}

pub(super) fn delete_alias(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let alias = alias_name(input)?;
    input.finish()?;
    if world.key_store.alias(caller.account, region, &alias).is_some() {
        return store_alias(world, caller, region, &alias, None);
    }
    if world.find_key(caller.account, region, &alias).is_some() {
        let message = "Aliases of generated keys cannot be deleted in this sandbox";
        return Err(AwsError::client("KMSInvalidStateException", message));
    }
    let arn = alias_arn(world, caller.account, region, &alias);
    Err(AwsError::client("NotFoundException", format!("Alias {arn} is not found.")))
}

fn store_alias(
    world: &World,
    caller: &Caller,
    region: usize,
    alias: &str,
    key_id: Option<&str>,
) -> Result<Value, AwsError> {
    world.journal.append(&Entry::KeyAlias {
        account: world.organization.accounts[caller.account].id.clone(),
        region: world.spec.regions[region].clone(),
        alias: alias.into(),
        key_id: key_id.map(String::from),
    })?;
    world.key_store.set_alias(caller.account, region, alias, key_id);
    Ok(json!({}))
}

/// One page of a list, with KMS's `Limit` and `Marker`; the marker is a place in the list.
fn page(input: &mut Input, default: usize, all: Vec<Value>, member: &str) -> Result<Value, AwsError> {
    let limit = match input.take("Limit") {
        None => default,
        Some(value) => {
            let most = value.as_u64().filter(|n| (1..=1000).contains(n));
            most.ok_or_else(|| {
                AwsError::validation("limit", &value.to_string(), "Member must have value between 1 and 1000")
            })? as usize
        }
    };
    let from = match input.text("Marker")? {
        None => 0,
        Some(text) => text
            .strip_prefix("at-")
            .and_then(|at| at.parse().ok())
            .filter(|at| *at <= all.len())
            .ok_or_else(|| AwsError::client("InvalidMarkerException", "The marker is not valid."))?,
    };
    input.finish()?;
    let shown: Vec<&Value> = all[from..].iter().take(limit).collect();
    let until = from + shown.len();
    let mut output = json!({ member: shown, "Truncated": until < all.len() });
    if until < all.len() {
        output["NextMarker"] = json!(format!("at-{until}"));
    }
    Ok(output)
}

pub(super) fn list(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let generated =
        world.generated_kinds(caller.account).into_iter().map(|(kind, _)| world.key(kind, caller.account, region).id);
    let made = world.key_store.keys(caller.account, region).into_iter().map(|key| key.id.clone());
    let shape = |id: String| json!({ "KeyArn": world.key_arn(caller.account, region, &id), "KeyId": id });
    page(input, 100, generated.chain(made).map(shape).collect(), "Keys")
}

pub(super) fn list_aliases(
    world: &World,
    caller: &Caller,
    region: usize,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let only = input.text("KeyId")?;
    let only = only.map(|id| own_key(world, caller, region, &id, "kms:ListAliases")).transpose()?;
    let mut all: Vec<(String, String, i64)> = world
        .generated_kinds(caller.account)
        .into_iter()
        .map(|(kind, alias)| (alias.into(), world.key(kind, caller.account, region).id, 1_672_531_200_000))
        .collect();
    let made = world.key_store.aliases(caller.account, region);
    all.extend(made.into_iter().map(|(alias, id)| (alias, id, 1_672_531_200_000)));
    all.sort();
    let shapes =
        all.into_iter().filter(|(_, id, _)| only.as_ref().is_none_or(|key| key.id == *id)).map(|(alias, id, ms)| {
            json!({
                "AliasName": alias,
                "AliasArn": alias_arn(world, caller.account, region, &alias),
                "TargetKeyId": id,
                "CreationDate": epoch(ms),
                "LastUpdatedDate": epoch(ms),
            })
        });
    page(input, 50, shapes.collect(), "Aliases")
}

fn policy_name(input: &mut Input) -> Result<(), AwsError> {
    match input.text("PolicyName")?.as_deref() {
        None | Some("default") => Ok(()),
        Some(_) => Err(AwsError::client("NotFoundException", "No such policy exists")),
    }
}

pub(super) fn get_policy(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    policy_name(input)?;
    input.finish()?;
    let key = own_key(world, caller, region, &key_id, "kms:GetKeyPolicy")?;
    Ok(json!({ "Policy": &*world.key_policy(caller.account, &key).text, "PolicyName": "default" }))
}

pub(super) fn put_policy(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    policy_name(input)?;
    let policy = input.required_text("Policy")?;
    input.take("BypassPolicyLockoutSafetyCheck");
    input.finish()?;
    let key = own_key(world, caller, region, &key_id, "kms:PutKeyPolicy")?;
    if key.kind == KeyKind::AwsManaged {
        let message =
            format!("User: {} is not authorized to perform: kms:PutKeyPolicy on resource: {}", caller.arn, key.arn);
        return Err(AwsError::client("AccessDeniedException", message));
    }
    checked_policy(&policy)?;
    world.journal.append(&Entry::KeyPolicy { arn: key.arn.clone(), policy: policy.clone() })?;
    world.key_store.set_policy(&key.arn, &policy);
    Ok(json!({}))
}
