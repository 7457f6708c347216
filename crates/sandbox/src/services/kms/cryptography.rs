//! GenerateDataKey, Encrypt and Decrypt. A ciphertext here names its key and carries its plaintext: it shows who may use
//! a key and hides nothing from anybody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{allowed, find, key_id, usable};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::key::Key;
use crate::world::session::Caller;

const MARK: &str = "orgseal-sandbox-ciphertext:";

/// The key, when it may be used for this.
fn usable_key(world: &World, caller: &Caller, region: usize, reference: &str, action: &str) -> Result<Key, AwsError> {
    let (owner, key) = find(world, caller, region, reference, action)?;
    allowed(world, caller, owner, &key, action, None, "")?;
    usable(world, &key)?;
    Ok(key)
}

/// What a dry run answers where the call itself would have succeeded.
fn dry_run(input: &mut Input) -> Result<bool, AwsError> {
    match input.take("DryRun") {
        None => Ok(false),
        Some(Value::Bool(dry)) => Ok(dry),
        Some(_) => Err(AwsError::client("SerializationException", "DryRun can not be converted to a Boolean")),
    }
}

fn would_have_succeeded() -> AwsError {
    AwsError::new(412, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

fn blob(input: &mut Input, member: &str) -> Result<Vec<u8>, AwsError> {
    let text = input.text(member)?.ok_or_else(|| missing(member))?;
    STANDARD
        .decode(text)
        .map_err(|_| AwsError::client("SerializationException", format!("{member} can not be converted to a Blob")))
}

fn context(input: &mut Input) -> Result<Value, AwsError> {
    match input.take("EncryptionContext") {
        None => Ok(json!({})),
        Some(Value::Object(pairs)) if pairs.values().all(Value::is_string) => Ok(Value::Object(pairs)),
        Some(_) => Err(AwsError::client("SerializationException", "EncryptionContext is a map of String")),
    }
}

fn sealed(key: &Key, context: &Value, plaintext: &[u8]) -> String {
    let inside = json!({ "key": key.arn, "context": context, "plaintext": STANDARD.encode(plaintext) });
    STANDARD.encode(format!("{MARK}{inside}"))
}

pub(super) fn generate_data_key(
    world: &World,
    caller: &Caller,
    region: usize,
    with_plaintext: bool,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    let spec = input.text("KeySpec")?;
    let bytes = input.take("NumberOfBytes").map(|value| value.as_u64().unwrap_or_default());
    let context = context(input)?;
    let dry = dry_run(input)?;
    input.texts("GrantTokens")?;
    input.finish()?;
    let length = match (spec.as_deref(), bytes) {
        (Some("AES_256"), None) => 32,
        (Some("AES_128"), None) => 16,
        (None, Some(bytes)) if (1..=1024).contains(&bytes) => bytes as usize,
        (Some(_), Some(_)) | (None, None) => {
            return Err(AwsError::client("ValidationException", "Please specify either number of bytes or key spec."));
        }
        _ => return Err(AwsError::client("ValidationException", "KeySpec or NumberOfBytes is not within its limits")),
    };
    let action = if with_plaintext { "kms:GenerateDataKey" } else { "kms:GenerateDataKeyWithoutPlaintext" };
    let key = usable_key(world, caller, region, &key_id, action)?;
    if dry {
        return Err(would_have_succeeded());
    }
    let plaintext: Vec<u8> =
        std::iter::repeat_with(|| *uuid::Uuid::new_v4().as_bytes()).flatten().take(length).collect();
    let mut output = json!({ "CiphertextBlob": sealed(&key, &context, &plaintext), "KeyId": key.arn });
    if with_plaintext {
        output["Plaintext"] = json!(STANDARD.encode(plaintext));
    }
    Ok(output)
}

pub(super) fn encrypt(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    let plaintext = blob(input, "Plaintext")?;
    let context = context(input)?;
    let dry = dry_run(input)?;
    algorithm(input)?;
    input.texts("GrantTokens")?;
    input.finish()?;
    if !(1..=4096).contains(&plaintext.len()) {
        return Err(AwsError::validation("plaintext", "", "Member must have length between 1 and 4096"));
    }
    let key = usable_key(world, caller, region, &key_id, "kms:Encrypt")?;
    if dry {
        return Err(would_have_succeeded());
    }
    Ok(json!({
        "CiphertextBlob": sealed(&key, &context, &plaintext),
        "KeyId": key.arn,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

fn algorithm(input: &mut Input) -> Result<(), AwsError> {
    match input.text("EncryptionAlgorithm")?.as_deref() {
        None | Some("SYMMETRIC_DEFAULT") => Ok(()),
        Some(_) => Err(AwsError::client("InvalidKeyUsageException", "The key's only algorithm is SYMMETRIC_DEFAULT.")),
    }
}

/// What one multi-Region key has encrypted, the related key of another Region decrypts.
fn related_here(world: &World, region: usize, arn: &str) -> String {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        [arn, partition, kms, _, account, resource] if resource.starts_with("key/mrk-") => {
            format!("{arn}:{partition}:{kms}:{}:{account}:{resource}", world.spec.regions[region])
        }
        _ => arn.into(),
    }
}

pub(super) fn decrypt(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let ciphertext = blob(input, "CiphertextBlob")?;
    let context = context(input)?;
    let expected = input.text("KeyId")?;
    let dry = dry_run(input)?;
    algorithm(input)?;
    input.texts("GrantTokens")?;
    input.finish()?;
    let invalid = || AwsError::client("InvalidCiphertextException", "");
    let text = std::str::from_utf8(&ciphertext).map_err(|_| invalid())?;
    let inside: Value = text.strip_prefix(MARK).and_then(|text| serde_json::from_str(text).ok()).ok_or_else(invalid)?;
    let arn = related_here(world, region, inside["key"].as_str().ok_or_else(invalid)?);
    if let Some(expected) = expected
        && find(world, caller, region, &expected, "kms:Decrypt")?.1.arn != arn
    {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        return Err(AwsError::client("IncorrectKeyException", message));
    }
    let key = usable_key(world, caller, region, &arn, "kms:Decrypt")?;
    if inside["context"] != context {
        return Err(invalid());
    }
    if dry {
        return Err(would_have_succeeded());
    }
    Ok(json!({
        "KeyId": key.arn,
        "Plaintext": inside["plaintext"],
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}
