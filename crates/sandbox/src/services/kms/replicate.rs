//! ReplicateKey: a multi-Region key in one more Region, under the same id, with a policy, tags and a description of its own.

use serde_json::{Value, json};

use super::create::made;
use super::describe::{description, metadata, related};
use super::{key_id, own_key, policies, tags, usable};
use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::key_state::KeyState;
use crate::world::key_store::CreatedKey;
use crate::world::session::Caller;

/// `eu-west-1`, `us-gov-west-1`
fn is_region(text: &str) -> bool {
    let Some((area, number)) = text.rsplit_once('-') else { return false };
    let words: Vec<&str> = area.split('-').collect();
    (2..=3).contains(&words.len())
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn replicate(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let key_id = key_id(input)?;
    let wanted = input.required_text("ReplicaRegion")?;
    let policy = policies::draft(input)?;
    let description = description(input)?.unwrap_or_default();
    let tags = tags::tags(input)?;
    input.finish()?;
    if wanted.len() > 32 || !is_region(&wanted) {
        let pattern = "Member must satisfy regular expression pattern: ^([a-z]+-){2,3}\\d+$";
        return Err(AwsError::validation("replicaRegion", &wanted, pattern));
    }
    let key = own_key(world, caller, region, &key_id, "kms:ReplicateKey")?;
    let unsupported = |message: String| Err(AwsError::client("UnsupportedOperationException", message));
    match related(world, caller.account, region, &key) {
        None => return unsupported(format!("{} is not a multi-Region key.", key.arn)),
        Some(set) if set.primary != region => {
            return unsupported(format!("{} is a replica: only a primary key can be replicated.", key.arn));
        }
        Some(_) => {}
    }
    if world.key_states.get(&key.arn) != KeyState::PendingImport {
        usable(world, &key)?;
    }
    // A Region that is not in the spec is not enabled in the organization.
    let Some(to) = world.region_index(&wanted) else {
        let message = format!("The Region {wanted} is not enabled in this account, or has no KMS.");
        return Err(AwsError::client("ValidationException", message));
    };
    authorize(world, caller, &Ask::new("kms:CreateKey", "*").in_region(&wanted))?;
    let arn = world.key_arn(caller.account, to, &key.id);
    if world.find_key(caller.account, to, &key.id).is_some() {
        return Err(AwsError::client("AlreadyExistsException", format!("The key {arn} already exists")));
    }
    let origin = key.created.as_ref().map_or("AWS_KMS", |created| created.origin.as_str());
    let replica = CreatedKey {
        id: key.id.clone(),
        description,
        usage: "ENCRYPT_DECRYPT".into(),
        spec: "SYMMETRIC_DEFAULT".into(),
        origin: origin.into(),
        multi_region: true,
        primary: Some(world.spec.regions[region].clone()),
        created_ms: now_ms(),
        tags,
    };
    let made = made(world, caller, to, replica, policy)?;
    Ok(json!({
        "ReplicaKeyMetadata": metadata(world, caller.account, to, &made),
        "ReplicaPolicy": &*world.key_policy(caller.account, &made).text,
        "ReplicaTags": tags::shape(&world.key_store.tags(&made)),
    }))
}
