//! CreateStack, UpdateStack and DeleteStack, and how a stack is found.

use std::sync::Arc;

use serde_json::{Value, json};

use super::deploy::Deployment;
use super::input::{self, Fields, token};
use super::request::{self, Wanted};
use super::template::Template;
use super::{Call, arn_of, invalid};
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::place::Place;
use crate::world::stacks::{StackRecord, is_under_way};

/// In one account and Region (CloudFormation guide, quotas).
const MOST: usize = 2000;

/// The stack of this name that is there, or the one of this id, deleted or not.
pub(super) fn find(world: &World, place: Place, name_or_id: &str) -> Option<Arc<StackRecord>> {
    let all = world.stacks.of(place);
    match name_or_id.starts_with("arn:") {
        true => all
            .into_iter()
            .find(|stack| stack.id == name_or_id || stack.change_sets.iter().any(|set| set.id == name_or_id)),
        false => all.into_iter().find(|stack| stack.is_there() && stack.name == name_or_id),
    }
}

pub(super) fn no_such(name: &str) -> AwsError {
    invalid(format!("Stack with id {name} does not exist"))
}

pub(super) fn template_of(world: &World, id: &str) -> Result<Template, AwsError> {
    let body = world.stacks.template(id);
    Template::read(&body).map_err(|reason| AwsError::server("InternalFailure", reason))
}

/// A stack that has nothing yet.
pub(super) fn new(world: &World, place: Place, name: &str) -> StackRecord {
    StackRecord {
        id: format!("{}:stack/{name}/{}", arn_of(world, place), uuid::Uuid::new_v4()),
        name: name.into(),
        created_ms: now_ms(),
        ..StackRecord::default()
    }
}

/// Whether one more may be made.
pub(super) fn has_room(call: &Call<'_>) -> Result<(), AwsError> {
    match call.world.stacks.of(call.place).iter().filter(|stack| stack.is_there()).count() {
        full if full >= MOST => {
            let message = format!("Limit for stacks has been exceeded: {MOST}");
            Err(AwsError::client("LimitExceededException", message))
        }
        _ => Ok(()),
    }
}

pub(super) fn create(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackName")?;
    input::name("StackName", &name)?;
    let on_failure = fields.word("OnFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?;
    let disable_rollback = fields.flag("DisableRollback")?;
    // A stack is done before it could time out.
    fields.number("TimeoutInMinutes", 1, i64::MAX)?;
    let token = token(fields, "ClientRequestToken")?;
    let wanted = request::for_new(call.world, fields)?;
    fields.finish()?;
    if on_failure.is_some() && disable_rollback.is_some() {
        return Err(invalid("Either DisableRollback or OnFailure can be specified, not both."));
    }
    if let Some(stack) = find(call.world, call.place, &name) {
        // The request may have been sent twice.
        if token.is_some() && stack.events.first().is_some_and(|first| first.token == token) {
            return Ok(json!({ "StackId": stack.id }));
        }
        return Err(AwsError::client("AlreadyExistsException", format!("Stack [{name}] already exists")));
    }
    has_room(call)?;
    let mut stack = new(call.world, call.place, &name);
    let on_failure = match (on_failure, disable_rollback) {
        (Some(word), _) => word,
        (None, Some(true)) => "DO_NOTHING".into(),
        (None, _) => "ROLLBACK".into(),
    };
    stack.disable_rollback = on_failure == "DO_NOTHING";
    let id = stack.id.clone();
    deployment(call, stack, token).create(&wanted, &on_failure)?;
    Ok(json!({ "StackId": id }))
}

/// A stack at work for the request's caller.
pub(super) fn deployment<'a>(call: &Call<'a>, stack: StackRecord, token: Option<String>) -> Deployment<'a> {
    Deployment { world: call.world, caller: call.caller, place: call.place, stack, token }
}

/// The stack, when it is in a state to be updated.
pub(super) fn updatable(stack: &StackRecord) -> Result<(), AwsError> {
    let complete = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"];
    match complete.contains(&stack.status.as_str()) {
        true => Ok(()),
        false => Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status))),
    }
}

/// A token stands for one request: a second of another kind with it is refused.
fn unused(stack: &StackRecord, token: Option<&String>) -> Result<(), AwsError> {
    match token.is_some_and(|token| stack.events.iter().any(|event| event.token.as_ref() == Some(token))) {
        true => Err(AwsError::client("TokenAlreadyExistsException", "A client request token already exists.")),
        false => Ok(()),
    }
}

pub(super) fn update(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackName")?;
    let disable_rollback = fields.flag("DisableRollback")?.unwrap_or(false);
    let token = token(fields, "ClientRequestToken")?;
    let stack = find(call.world, call.place, &name).filter(|stack| stack.is_there());
    let stack = stack.ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    updatable(&stack)?;
    let wanted = request::for_update(call.world, &stack, fields)?;
    fields.finish()?;
    unused(&stack, token.as_ref())?;
    let id = stack.id.clone();
    let mut deployment = deployment(call, stack.as_ref().clone(), token);
    if !deployment.changes(&wanted)?.1 {
        return Err(invalid("No updates are to be performed."));
    }
    carry_out(&mut deployment, &wanted, disable_rollback)?;
    Ok(json!({ "StackId": id }))
}

/// An update makes every change set of the stack void.
pub(super) fn carry_out(
    deployment: &mut Deployment<'_>,
    wanted: &Wanted,
    disable_rollback: bool,
) -> Result<(), AwsError> {
    deployment.stack.disable_rollback = disable_rollback;
    deployment.stack.change_sets.retain(|set| set.execution == "EXECUTE_COMPLETE");
    deployment.update(wanted, disable_rollback)
}

pub(super) fn delete(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackName")?;
    let retain = fields.texts("RetainResources")?;
    let token = token(fields, "ClientRequestToken")?;
    fields.word("DeletionMode", &["STANDARD"])?;
    fields.finish()?;
    // What is not there is as good as deleted.
    let Some(stack) = find(call.world, call.place, &name).filter(|stack| stack.is_there()) else {
        return Ok(json!({}));
    };
    if !retain.is_empty() && stack.status != "DELETE_FAILED" {
        let message = format!(
            "Invalid operation on stack [{}]. When you delete a stack, specify which resources to retain only when the stack is \
             in the DELETE_FAILED state.",
            stack.id
        );
        return Err(invalid(message));
    }
    if let Some(other) = retain.iter().find(|logical| stack.resource(logical).is_none()) {
        return Err(invalid(format!("Resource [{other}] does not exist in stack [{}].", stack.id)));
    }
    if is_under_way(&stack.status) {
        return Err(invalid(format!("Stack [{}] cannot be deleted while in status {}", stack.id, stack.status)));
    }
    unused(&stack, token.as_ref())?;
    deployment(call, stack.as_ref().clone(), token).delete(&retain)?;
    Ok(json!({}))
}
