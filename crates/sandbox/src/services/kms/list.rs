//! ListKeys, and the pages that all of KMS's lists have.

use serde_json::{Value, json};

use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::session::Caller;

/// One page of a list, with KMS's `Limit` and `Marker`; the marker is a place in the list.
pub(super) fn page(input: &mut Input, default: usize, all: Vec<Value>, member: &str) -> Result<Value, AwsError> {
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

pub(super) fn keys(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let generated =
        world.generated_kinds(caller.account).into_iter().map(|(kind, _)| world.key(kind, caller.account, region).id);
    let made = world.key_store.keys(caller.account, region).into_iter().map(|key| key.id.clone());
    let shape = |id: String| json!({ "KeyArn": world.key_arn(caller.account, region, &id), "KeyId": id });
    page(input, 100, generated.chain(made).map(shape).collect(), "Keys")
}
