//! KMS: which operation goes where, how a key is found, and `may_use`: the one question that other services ask of keys.
//! There are no grants.

mod aliases;
mod create;
mod cryptography;
mod describe;
mod list;
mod policies;
mod replicate;
mod rotation;
mod states;
mod tags;

use serde_json::{Value, json};

use crate::authorize::{Ask, authorize};
use crate::trail::OnBehalf;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::key::Key;
use crate::world::key_state::KeyState;
use crate::world::session::Caller;

pub(crate) const OPERATIONS: &[&str] = &[
    "DescribeKey",
    "ListKeys",
    "ListAliases",
    "ListKeyPolicies",
    "ListResourceTags",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "Encrypt",
    "Decrypt",
    "PutKeyPolicy",
    "CreateKey",
    "ReplicateKey",
    "UpdateKeyDescription",
    "CreateAlias",
    "UpdateAlias",
    "DeleteAlias",
    "EnableKeyRotation",
    "DisableKeyRotation",
    "TagResource",
    "UntagResource",
    "EnableKey",
    "DisableKey",
    "ScheduleKeyDeletion",
    "CancelKeyDeletion",
];

/// Where the operations that change something begin in the list above.
const WRITES_FROM: usize = 11;

pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    region: usize,
    operation: &str,
    input: &mut Input,
) -> Result<Value, AwsError> {
    // What has no key is asked for here, the rest where the key is found.
    if ["ListKeys", "ListAliases", "CreateKey"].contains(&operation) {
        let action = format!("kms:{operation}");
        authorize(world, caller, &Ask::new(&action, "*").in_region(&world.spec.regions[region]))?;
    }
    let writes = OPERATIONS[WRITES_FROM..].contains(&operation);
    let _alone = writes.then(|| world.key_store.one_at_a_time());
    match operation {
        "DescribeKey" => describe::describe(world, caller, region, input),
        "ListKeys" => list::keys(world, caller, region, input),
        "ListAliases" => aliases::list(world, caller, region, input),
        "ListKeyPolicies" => policies::list(world, caller, region, input),
        "ListResourceTags" => tags::list(world, caller, region, input),
        "GetKeyPolicy" => policies::get(world, caller, region, input),
        "PutKeyPolicy" => policies::put(world, caller, region, input),
        "GetKeyRotationStatus" => rotation::status(world, caller, region, input),
        "EnableKeyRotation" => rotation::enable(world, caller, region, input),
        "DisableKeyRotation" => rotation::disable(world, caller, region, input),
        "CreateKey" => create::create(world, caller, region, input),
        "ReplicateKey" => replicate::replicate(world, caller, region, input),
        "UpdateKeyDescription" => describe::update_description(world, caller, region, input),
        "CreateAlias" => aliases::create(world, caller, region, input),
        "UpdateAlias" => aliases::update(world, caller, region, input),
        "DeleteAlias" => aliases::delete(world, caller, region, input),
        "TagResource" => tags::add(world, caller, region, input),
        "UntagResource" => tags::remove(world, caller, region, input),
        "EnableKey" => states::enable(world, caller, region, input),
        "DisableKey" => states::disable(world, caller, region, input),
        "ScheduleKeyDeletion" => states::schedule_deletion(world, caller, region, input),
        "CancelKeyDeletion" => states::cancel_deletion(world, caller, region, input),
        "Encrypt" => cryptography::encrypt(world, caller, region, input),
        "Decrypt" => cryptography::decrypt(world, caller, region, input),
        _ => {
            let with_plaintext = operation == "GenerateDataKey";
            cryptography::generate_data_key(world, caller, region, with_plaintext, input)
        }
    }
}

/// Why a key cannot be used, in KMS's words. Services that use keys for their callers translate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KmsDenied {
    NotFound(String),
    Denied(String),
    Disabled(String),
    InvalidState(String),
}

impl From<KmsDenied> for AwsError {
    fn from(denied: KmsDenied) -> AwsError {
        match denied {
            KmsDenied::NotFound(message) => AwsError::client("NotFoundException", message),
            KmsDenied::Denied(message) => AwsError::client("AccessDeniedException", message),
            KmsDenied::Disabled(message) => AwsError::client("DisabledException", message),
            KmsDenied::InvalidState(message) => AwsError::client("KMSInvalidStateException", message),
        }
    }
}

/// Finds the key that a caller means: an ARN, or an id or alias of the caller's own account. A caller from elsewhere does
/// not learn whether a key of another account exists.
pub(crate) fn resolve(
    world: &World,
    caller: &Caller,
    region: usize,
    reference: &str,
    action: &str,
) -> Result<(usize, Key), KmsDenied> {
    find(world, caller, region, reference, action).map_err(|error| match error.code {
        "AccessDeniedException" => KmsDenied::Denied(error.message),
        _ => KmsDenied::NotFound(error.message),
    })
}

/// Whether this caller may do this with this key, which must be there, Enabled, and open to the caller by its policy.
/// `via_s3`: the Region of the S3 that asks for the caller; nothing for a call to KMS itself.
pub(crate) fn may_use(
    world: &World,
    caller: &Caller,
    reference: &str,
    action: &str,
    via_s3: Option<usize>,
    encryption_context: &str,
) -> Result<(), KmsDenied> {
    let region = via_s3.or_else(|| region_of(world, reference)).unwrap_or_default();
    let asked = || {
        let (owner, key) = resolve(world, caller, region, reference, action)?;
        allowed(world, caller, owner, &key, action, via_s3, encryption_context)?;
        usable(world, &key)
    };
    let answer = asked();
    // With a Bucket Key (the context is the bucket's ARN then) S3 asks KMS for each requester once in a while.
    let once = answer.is_ok() && !encryption_context.contains('/');
    let asks = || world.trail.is_new(&format!("{} {action} {reference} {encryption_context}", caller.arn));
    if via_s3.is_some() && (!once || asks()) {
        // CloudTrail shows what S3 asks KMS for a caller in the caller's own account: there a denial is found.
        let error = answer.clone().err().map(AwsError::from);
        let call = OnBehalf {
            by: "AWS Internal",
            actor: caller,
            region: &world.spec.regions[region],
            service: "kms",
            operation: action.strip_prefix("kms:").unwrap_or(action),
        };
        let input = json!({ "keyId": reference, "encryptionContext": { "aws:s3:arn": encryption_context } });
        world.trail.on_behalf(world, call, input, error.as_ref());
    }
    answer
}

fn region_of(world: &World, reference: &str) -> Option<usize> {
    world.region_index(reference.split(':').nth(3)?)
}

/// Any state but Enabled refuses every use.
pub(crate) fn usable(world: &World, key: &Key) -> Result<(), KmsDenied> {
    match world.key_states.get(&key.arn) {
        KeyState::Enabled => Ok(()),
        KeyState::Disabled => Err(KmsDenied::Disabled(format!("{} is disabled.", key.arn))),
        KeyState::PendingDeletion { .. } => Err(KmsDenied::InvalidState(format!("{} is pending deletion.", key.arn))),
        KeyState::PendingImport => Err(KmsDenied::InvalidState(format!("{} is pending import.", key.arn))),
        KeyState::PendingReplicaDeletion { .. } => {
            Err(KmsDenied::InvalidState(format!("{} is pending replica deletion.", key.arn)))
        }
        KeyState::Unavailable => Err(KmsDenied::InvalidState(format!("{} is unavailable.", key.arn))),
    }
}

/// Whether the key's policy and the caller's own let the caller do this.
fn allowed(
    world: &World,
    caller: &Caller,
    owner: usize,
    key: &Key,
    action: &str,
    via_s3: Option<usize>,
    encryption_context: &str,
) -> Result<(), KmsDenied> {
    let policy = world.key_policy(owner, key);
    let via = via_s3.map(|region| format!("s3.{}.{}", world.spec.regions[region], world.spec.via_service_suffix()));
    let region = key.arn.split(':').nth(3).unwrap_or_default();
    let mut ask = Ask::new(action, key.arn.as_str()).of(owner).in_region(region).key_policy(&policy);
    if let Some(service) = &via {
        ask = ask.via(service).key("kms:EncryptionContext:aws:s3:arn", encryption_context);
    }
    authorize(world, caller, &ask).map_err(|error| KmsDenied::Denied(error.message))
}

/// The `KeyId` of an input.
fn key_id(input: &mut Input) -> Result<String, AwsError> {
    let key_id = input.required_text("KeyId")?;
    if key_id.is_empty() || key_id.len() > 2048 {
        return Err(AwsError::validation("keyId", &key_id, "Member must have length between 1 and 2048"));
    }
    Ok(key_id)
}

fn find(world: &World, caller: &Caller, region: usize, key_id: &str, action: &str) -> Result<(usize, Key), AwsError> {
    let (account, name) = owner_and_name(world, caller, region, key_id)?;
    let foreign = account != Some(caller.account);
    match account.and_then(|owner| world.find_key(owner, region, name).map(|key| (owner, key))) {
        Some(found) => Ok(found),
        // Of another account's key KMS does not say whether it exists.
        None if foreign => Err(AwsError::client(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: {action} on resource: {key_id} because the resource does not \
                 exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly \
                 denies access",
                caller.arn
            ),
        )),
        None if name.starts_with("alias/") => {
            let arn = alias_arn(world, caller.account, region, name);
            Err(AwsError::client("NotFoundException", format!("Alias {arn} is not found.")))
        }
        None => {
            let arn = world.key_arn(caller.account, region, name);
            Err(AwsError::client("NotFoundException", format!("Key '{arn}' does not exist")))
        }
    }
}

/// Control operations take an id or an ARN, no alias.
fn by_id(world: &World, caller: &Caller, region: usize, key_id: &str, action: &str) -> Result<(usize, Key), AwsError> {
    if key_id.contains("alias/") {
        return Err(AwsError::client("NotFoundException", format!("Invalid keyId {key_id}")));
    }
    find(world, caller, region, key_id, action)
}

/// A key of the caller's own account: operations on keys that are not uses of them never cross accounts.
fn own_key(world: &World, caller: &Caller, region: usize, key_id: &str, action: &str) -> Result<Key, AwsError> {
    let (owner, key) = by_id(world, caller, region, key_id, action)?;
    if owner != caller.account {
        let message = format!("User: {} is not authorized to perform: {action} on resource: {}", caller.arn, key.arn);
        return Err(AwsError::client("AccessDeniedException", message));
    }
    allowed(world, caller, owner, &key, action, None, "")?;
    Ok(key)
}

fn alias_arn(world: &World, account: usize, region: usize, alias: &str) -> String {
    let (region, account) = (&world.spec.regions[region], &world.organization.accounts[account].id);
    world.spec.partition.arn("kms", region, account, alias)
}

/// A member that is true or false.
fn flag(input: &mut Input, member: &str) -> Result<bool, AwsError> {
    match input.take(member) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => {
            Err(AwsError::client("SerializationException", format!("{member} can not be converted to a Boolean")))
        }
    }
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
    let parts: Vec<&str> = world.spec.partition.strip_arn("kms", key_id).ok_or_else(invalid)?.splitn(3, ':').collect();
    let [key_region, account, resource] = parts[..] else { return Err(invalid()) };
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
