//! What happens to a document after it was made: its default version, its list of versions, its deletion.

use serde_json::{Value, json};

use super::documents::{checked_name, no_document, no_version, version_name};
use super::find_document;
use crate::journal::Entry;
use crate::wire::epoch;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;

fn names(world: &World, place: Place) -> (String, String) {
    (world.organization.accounts[place.account].id.clone(), world.spec.regions[place.region].clone())
}

pub(super) fn update_default(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.")?;
    let version = input.required_text("DocumentVersion")?;
    input.finish()?;
    if version.parse::<usize>().map_or(true, |number| number == 0) {
        let pattern = "Member must satisfy regular expression pattern: (^[1-9][0-9]*$)";
        return Err(AwsError::validation("documentVersion", &version, pattern));
    }
    world.with_region(place.account, place.region, |state| {
        let document = state.documents.get_mut(&name).ok_or_else(|| no_document(&name))?;
        let number = document.resolve(Some(&version), None).ok_or_else(no_version)?;
        let (account, region) = names(world, place);
        world.journal.append(&Entry::DocumentDefault { account, region, name: name.clone(), version: number })?;
        document.default_version = number;
        let mut description = json!({ "Name": name, "DefaultVersion": number.to_string() });
        if let Some(version_name) = &document.versions[number - 1].version_name {
            description["DefaultVersionName"] = json!(version_name);
        }
        Ok(json!({ "Description": description }))
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.")?;
    let version_name = version_name(input)?;
    let version = input.text("DocumentVersion")?;
    input.take("Force");
    input.finish()?;
    let one = version.is_some() || version_name.is_some();
    world.with_region(place.account, place.region, |state| {
        let document = state.documents.get_mut(&name).ok_or_else(|| no_document(&name))?;
        // A document that others use by its ARN must be taken back from them first.
        if !one && !document.shared_with.is_empty() {
            return Err(AwsError::client(
                "InvalidDocumentOperation",
                "Document is shared with other accounts. You must stop sharing it before you can delete it.",
            ));
        }
        let number = match one {
            true => Some(document.resolve(version.as_deref(), version_name.as_deref()).ok_or_else(no_version)?),
            false => None,
        };
        if number == Some(document.default_version) {
            return Err(AwsError::client(
                "InvalidDocumentOperation",
                "The default version of the document can't be deleted.",
            ));
        }
        let (account, region) = names(world, place);
        world.journal.append(&Entry::DocumentDeleted { account, region, name: name.clone(), version: number })?;
        match number {
            Some(number) => {
                document.deleted.insert(number);
            }
            None => {
                state.documents.remove(&name);
            }
        }
        Ok(json!({}))
    })
}

/// A place in a list, as a token.
pub(super) fn from_token(input: &mut Input, most: usize) -> Result<usize, AwsError> {
    let Some(token) = input.text("NextToken")? else { return Ok(0) };
    let place = token.strip_prefix("at-").and_then(|place| place.parse().ok()).filter(|place| *place <= most);
    place.ok_or_else(|| AwsError::client("InvalidNextToken", "The specified token isn't valid."))
}

/// One page of a list that does not change in between, with the token for the next.
pub(super) fn page(all: &[Value], from: usize, most: usize, member: &str) -> Value {
    let shown: Vec<&Value> = all[from..].iter().take(most).collect();
    let until = from + shown.len();
    let mut output = json!({ member: shown });
    if until < all.len() {
        output["NextToken"] = json!(format!("at-{until}"));
    }
    output
}

pub(super) fn list_versions(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.:/")?;
    let most = input.max_results(50)?;
    let found = find_document(world, place, &name).ok_or_else(|| no_document(&name))?;
    let document = &found.document;
    let all: Vec<Value> = (1..=document.versions.len())
        .rev()
        .filter(|number| !document.deleted.contains(number))
        .map(|number| {
            let version = &document.versions[number - 1];
            let mut shape = json!({
                "Name": found.name,
                "DocumentVersion": number.to_string(),
                "CreatedDate": epoch(version.created_ms),
                "IsDefaultVersion": number == document.default_version,
                "DocumentFormat": version.format.name(),
                "Status": "Active",
            });
            if let Some(name) = &version.version_name {
                shape["VersionName"] = json!(name);
            }
            shape
        })
        .collect();
    let from = from_token(input, all.len())?;
    input.finish()?;
    Ok(page(&all, from, most, "DocumentVersions"))
}
