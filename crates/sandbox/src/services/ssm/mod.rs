//! Systems Manager: documents and automation executions. Here: which operation goes where, and how a document is found.
//! What a runbook does is in `automation`.

mod document_life;
mod document_listing;
mod documents;
mod executions;
mod listing;
mod permissions;
mod sharing;
mod step_listing;
mod tags;

pub(crate) use executions::{ServiceStart, start_for_service};

use std::sync::Arc;

use serde_json::Value;

use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::document::Document;
use crate::world::place::Place;
use crate::world::session::Caller;

pub(crate) const OPERATIONS: &[&str] = &[
    "CreateDocument",
    "UpdateDocument",
    "GetDocument",
    "DescribeDocument",
    "ModifyDocumentPermission",
    "UpdateDocumentDefaultVersion",
    "DeleteDocument",
    "ListDocuments",
    "ListDocumentVersions",
    "DescribeDocumentPermission",
    "AddTagsToResource",
    "RemoveTagsFromResource",
    "ListTagsForResource",
    "DescribeAutomationStepExecutions",
    "StartAutomationExecution",
    "DescribeAutomationExecutions",
    "GetAutomationExecution",
    "StopAutomationExecution",
];

pub(crate) fn answer(
    world: &Arc<World>,
    caller: &Caller,
    region: usize,
    operation: &str,
    input: &mut Input,
) -> Result<Value, AwsError> {
    let place = Place { account: caller.account, region };
    permissions::check(world, caller, place, operation, input)?;
    match operation {
        "CreateDocument" => documents::create(world, place, input),
        "UpdateDocument" => documents::update(world, place, input),
        "GetDocument" => documents::get(world, place, input),
        "DescribeDocument" => documents::describe(world, place, input),
        "ModifyDocumentPermission" => sharing::modify(world, place, input),
        "UpdateDocumentDefaultVersion" => document_life::update_default(world, place, input),
        "DeleteDocument" => document_life::delete(world, place, input),
        "ListDocumentVersions" => document_life::list_versions(world, place, input),
        "ListDocuments" => document_listing::list(world, place, input),
        "DescribeDocumentPermission" => sharing::describe(world, place, input),
        "AddTagsToResource" => tags::add(world, place, input),
        "RemoveTagsFromResource" => tags::remove(world, place, input),
        "ListTagsForResource" => tags::list(world, place, input),
        "DescribeAutomationStepExecutions" => step_listing::describe(world, place, input),
        "StartAutomationExecution" => executions::start(world, caller, place, input),
        "DescribeAutomationExecutions" => listing::describe(world, place, input),
        "GetAutomationExecution" => executions::get(world, place, input),
        _ => executions::stop(world, place, input),
    }
}

/// A document as someone may see it.
struct Found {
    owner: String,
    name: String,
    document: Document,
}

/// Finds a document by name (the caller's own) or by ARN (also another account's, when shared, in the same Region).
fn find_document(world: &World, place: Place, name_or_arn: &str) -> Option<Found> {
    let caller_id = &world.organization.accounts[place.account].id;
    let (owner, name) = match world.spec.partition.strip_arn("ssm", name_or_arn) {
        None => (place.account, name_or_arn),
        Some(rest) => {
            let mut parts = rest.splitn(3, ':');
            let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
            if region != world.spec.regions[place.region] {
                return None;
            }
            (world.organization.find(account)?, resource.strip_prefix("document/")?)
        }
    };
    let document = world.with_region(owner, place.region, |state| state.documents.get(name).cloned())?;
    if owner != place.account && !document.shared_to(caller_id) {
        return None;
    }
    Some(Found { owner: world.organization.accounts[owner].id.clone(), name: name.into(), document })
}

/// Whether a start could find this document and version.
pub(crate) fn has_document(world: &World, place: Place, name_or_arn: &str, version: Option<&str>) -> bool {
    find_document(world, place, name_or_arn).is_some_and(|found| found.document.resolve(version, None).is_some())
}

/// Whether a text has between `min` and `max` letters, digits and the further characters.
fn shaped(text: &str, min: usize, max: usize, further: &str) -> bool {
    (min..=max).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || further.contains(c))
}
