//! CreateAlias, UpdateAlias, DeleteAlias and ListAliases. Each change is asked for twice: on the alias by IAM, and on each key
//! that it is about by the key's policy.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::list::page;
use super::{alias_arn, by_id, own_key, states};
use crate::authorize::{Ask, authorize};
use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::key::GENERATED_MS;
use crate::world::key_store::Alias;
use crate::world::session::Caller;

/// KMS's quota.
const MOST_ALIASES_OF_A_KEY: usize = 50;

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

/// The aliases that are there now, generated and made.
fn present(world: &World, account: usize, region: usize) -> BTreeMap<String, Alias> {
    let mut all: BTreeMap<String, Alias> = world
        .generated_kinds(account)
        .into_iter()
        .map(|(kind, alias)| {
            let key_id = Some(world.key(kind, account, region).id);
            (alias.into(), Alias { key_id, created_ms: GENERATED_MS, updated_ms: GENERATED_MS })
        })
        .collect();
    for (name, mut alias) in world.key_store.aliases(account, region) {
        // A generated alias that was pointed elsewhere is as old as it was.
        if let Some(generated) = all.get(&name).filter(|_| alias.key_id.is_some()) {
            alias.created_ms = generated.created_ms;
        }
        all.insert(name, alias);
    }
    all.retain(|_, alias| alias.key_id.is_some());
    all
}

fn ask(world: &World, caller: &Caller, region: usize, action: &str, alias: &str) -> Result<(), AwsError> {
    let arn = alias_arn(world, caller.account, region, alias);
    authorize(world, caller, &Ask::new(action, arn).in_region(&world.spec.regions[region]))
}

/// The id of the key that an alias of the caller's account is for now.
fn target(world: &World, caller: &Caller, region: usize, alias: &str) -> Result<String, AwsError> {
    present(world, caller.account, region).remove(alias).and_then(|alias| alias.key_id).ok_or_else(|| {
        let arn = alias_arn(world, caller.account, region, alias);
        AwsError::client("NotFoundException", format!("Alias {arn} is not found."))
    })
}

pub(super) fn create(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let alias = alias_name(input)?;
    let target = input.required_text("TargetKeyId")?;
    input.finish()?;
    ask(world, caller, region, "kms:CreateAlias", &alias)?;
    let key = own_key(world, caller, region, &target, "kms:CreateAlias")?;
    let all = present(world, caller.account, region);
    if all.contains_key(&alias) {
        let arn = alias_arn(world, caller.account, region, &alias);
        let message = format!("An alias with the name {arn} already exists");
        return Err(AwsError::client("AlreadyExistsException", message));
    }
    states::not_pending_deletion(world, &key)?;
    point(world, caller, region, &alias, &key.id, &all)
}

pub(super) fn update(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let alias = alias_name(input)?;
    let wanted = input.required_text("TargetKeyId")?;
    input.finish()?;
    ask(world, caller, region, "kms:UpdateAlias", &alias)?;
    let current = target(world, caller, region, &alias)?;
    own_key(world, caller, region, &current, "kms:UpdateAlias")?;
    let key = own_key(world, caller, region, &wanted, "kms:UpdateAlias")?;
    states::not_pending_deletion(world, &key)?;
    point(world, caller, region, &alias, &key.id, &present(world, caller.account, region))
}

pub(super) fn delete(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let alias = alias_name(input)?;
    input.finish()?;
    ask(world, caller, region, "kms:DeleteAlias", &alias)?;
    let current = target(world, caller, region, &alias)?;
    own_key(world, caller, region, &current, "kms:DeleteAlias")?;
    store(world, caller, region, &alias, None)
}

fn point(
    world: &World,
    caller: &Caller,
    region: usize,
    alias: &str,
    key_id: &str,
    all: &BTreeMap<String, Alias>,
) -> Result<Value, AwsError> {
    let of_key = all.iter().filter(|(name, other)| *name != alias && other.key_id.as_deref() == Some(key_id));
    if of_key.count() >= MOST_ALIASES_OF_A_KEY {
        let message = format!("A key has at most {MOST_ALIASES_OF_A_KEY} aliases");
        return Err(AwsError::client("LimitExceededException", message));
    }
    store(world, caller, region, alias, Some(key_id))
}

fn store(world: &World, caller: &Caller, region: usize, alias: &str, key_id: Option<&str>) -> Result<Value, AwsError> {
    let at_ms = now_ms();
    world.journal.append(&Entry::KeyAlias {
        account: world.organization.accounts[caller.account].id.clone(),
        region: world.spec.regions[region].clone(),
        alias: alias.into(),
        key_id: key_id.map(String::from),
        at_ms,
    })?;
    world.key_store.set_alias(caller.account, region, alias, key_id, at_ms);
    Ok(json!({}))
}

pub(super) fn list(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let only = match input.text("KeyId")? {
        None => None,
        Some(id) => {
            let (owner, key) = by_id(world, caller, region, &id, "kms:ListAliases")?;
            // Aliases of other accounts' keys are in those accounts.
            Some(key.id).filter(|_| owner == caller.account).or_else(|| Some(String::new()))
        }
    };
    let shown = present(world, caller.account, region)
        .into_iter()
        .filter(|(_, alias)| only.is_none() || alias.key_id == only)
        .map(|(name, alias)| {
            json!({
                "AliasName": name,
                "AliasArn": alias_arn(world, caller.account, region, &name),
                "TargetKeyId": alias.key_id,
                "CreationDate": epoch(alias.created_ms),
                "LastUpdatedDate": epoch(alias.updated_ms),
            })
        });
    page(input, 50, shown.collect(), "Aliases")
}
