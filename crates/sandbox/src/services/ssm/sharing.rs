//! ModifyDocumentPermission and DescribeDocumentPermission: with which accounts a document is shared.

use serde_json::{Value, json};

use super::document_life::{from_token, page};
use super::documents::{checked_name, no_document};
use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;

const MOST_SHARED: usize = 1000;

fn permission_type(input: &mut Input) -> Result<(), AwsError> {
    match input.required_text("PermissionType")?.as_str() {
        "Share" => Ok(()),
        _ => Err(AwsError::client(
            "InvalidPermissionType",
            "The permission type is not supported. Share is the only one.",
        )),
    }
}

pub(super) fn modify(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.")?;
    permission_type(input)?;
    let add = input.texts("AccountIdsToAdd")?;
    let remove = input.texts("AccountIdsToRemove")?;
    input.finish()?;
    if add.is_empty() && remove.is_empty() {
        let message = "You must specify AccountIdsToAdd or AccountIdsToRemove.";
        return Err(AwsError::client("ValidationException", message));
    }
    for (member, ids) in [("accountIdsToAdd", &add), ("accountIdsToRemove", &remove)] {
        if ids.len() > 20 {
            let limit = "Member must have length less than or equal to 20";
            return Err(AwsError::validation(member, &format!("{} ids", ids.len()), limit));
        }
        let fits =
            |id: &String| id.eq_ignore_ascii_case("all") || (id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
        if let Some(wrong) = ids.iter().find(|id| !fits(id)) {
            let pattern = "Member must satisfy regular expression pattern: (?i)all|[0-9]{12}";
            return Err(AwsError::validation(member, wrong, pattern));
        }
    }
    world.with_region(place.account, place.region, |state| {
        let document = state.documents.get_mut(&name).ok_or_else(|| no_document(&name))?;
        let mut shared = document.shared_with.clone();
        shared.extend(add.iter().map(|id| id.to_lowercase()));
        shared.retain(|id| !remove.iter().any(|gone| gone.eq_ignore_ascii_case(id)));
        if shared.len() > MOST_SHARED {
            return Err(AwsError::client(
                "DocumentPermissionLimit",
                "The document can't be shared with more accounts: 1,000 is the limit.",
            ));
        }
        world.journal.append(&Entry::Shared {
            account: world.organization.accounts[place.account].id.clone(),
            region: world.spec.regions[place.region].clone(),
            name: name.clone(),
            add: add.iter().map(|id| id.to_lowercase()).collect(),
            remove: remove.iter().map(|id| id.to_lowercase()).collect(),
        })?;
        document.shared_with = shared;
        Ok(json!({}))
    })
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.")?;
    permission_type(input)?;
    let most = input.max_results(200)?;
    let shared: Vec<Value> = world.with_region(place.account, place.region, |state| {
        let document = state.documents.get(&name).ok_or_else(|| no_document(&name))?;
        Ok::<_, AwsError>(document.shared_with.iter().map(|id| json!(id)).collect())
    })?;
    let from = from_token(input, shared.len())?;
    input.finish()?;
    let mut output = page(&shared, from, most, "AccountIds");
    let infos: Vec<Value> = output["AccountIds"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|id| json!({ "AccountId": id, "SharedDocumentVersion": "$DEFAULT" }))
        .collect();
    output["AccountSharingInfoList"] = json!(infos);
    Ok(output)
}
