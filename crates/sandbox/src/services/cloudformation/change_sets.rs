//! Change sets: what a new stack or an update would be, looked at first and carried out later.

use serde_json::{Value, json};

use super::input::{self, Fields, length};
use super::request::{self, kept};
use super::stack_shapes::parameters;
use super::stacks::{self, deployment, template_of, updatable};
use super::{Call, PAGE, invalid, page, tags};
use crate::wire::error::AwsError;
use crate::wire::{iso8601, now_ms};
use crate::world::stacks::{ChangeRecord, ChangeSetRecord, StackRecord};

fn not_found(name: &str) -> AwsError {
    AwsError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

/// The change set that is named, by its ARN or with its stack, and the stack.
pub(super) fn find(
    call: &Call<'_>,
    stack: Option<&str>,
    name: &str,
) -> Result<(StackRecord, ChangeSetRecord), AwsError> {
    if stack.is_none() && !name.starts_with("arn:") {
        return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN."));
    }
    let found = match stack {
        Some(stack) => stacks::find(call.world, call.place, stack).ok_or_else(|| match name.starts_with("arn:") {
            true => not_found(name),
            false => invalid(format!("Stack [{stack}] does not exist")),
        })?,
        None => stacks::find(call.world, call.place, name).ok_or_else(|| not_found(name))?,
    };
    let set = found.change_sets.iter().find(|set| set.id == name || set.name == name).cloned();
    let set = set.ok_or_else(|| not_found(name))?;
    Ok((found.as_ref().clone(), set))
}

pub(super) fn create(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let stack_name = fields.required("StackName")?;
    let name = fields.required("ChangeSetName")?;
    input::name("ChangeSetName", &name)?;
    let kind = fields.word("ChangeSetType", &["CREATE", "UPDATE"])?.unwrap_or_else(|| "UPDATE".into());
    let on_failure = fields.word("OnStackFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?;
    let description = fields.text("Description")?;
    description.as_deref().map(|text| length("Description", text, 1, 1024)).transpose()?;
    let token = fields.text("ClientToken")?;
    token.as_deref().map(|token| length("ClientToken", token, 1, 128)).transpose()?;
    let former = stacks::find(call.world, call.place, &stack_name).filter(|stack| stack.is_there());
    let in_review = former.as_ref().is_some_and(|stack| stack.status == "REVIEW_IN_PROGRESS");
    let (stack, wanted) = match (kind.as_str(), former) {
        ("CREATE", Some(stack)) if !in_review => {
            let message = format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{name}].",
                stack.name
            );
            return Err(invalid(message));
        }
        ("CREATE", former) => {
            input::name("StackName", former.as_ref().map_or(&stack_name, |stack| &stack.name))?;
            let wanted = request::for_new(call.world, fields)?;
            let stack = match former {
                Some(stack) => stack.as_ref().clone(),
                None => {
                    stacks::has_room(call)?;
                    let mut stack = stacks::new(call.world, call.place, &stack_name);
                    stack.be("REVIEW_IN_PROGRESS", Some("User Initiated".into()), None);
                    stack
                }
            };
            (stack, wanted)
        }
        (_, None) => return Err(invalid(format!("Stack [{stack_name}] does not exist"))),
        (_, Some(stack)) => {
            updatable(&stack)?;
            let wanted = request::for_update(call.world, &stack, fields)?;
            (stack.as_ref().clone(), wanted)
        }
    };
    fields.finish()?;
    if stack.change_sets.iter().any(|set| set.name == name) {
        return Err(AwsError::client("AlreadyExistsException", format!("ChangeSet [{name}] already exists")));
    }
    let mut deployment = deployment(call, stack, None);
    let (changes, any) = match kind.as_str() {
        "CREATE" => {
            let add = |resource: &super::template::Resource| ChangeRecord {
                action: "Add".into(),
                logical: resource.logical.clone(),
                physical: None,
                kind: resource.kind.name().into(),
                replacement: None,
            };
            (wanted.template.resources.iter().map(add).collect(), true)
        }
        _ => deployment.changes(&wanted)?,
    };
    let (status, execution, reason) = match any {
        true => ("CREATE_COMPLETE", "AVAILABLE", None),
        false => {
            let reason = "The submitted information didn't contain changes. Submit different information to create a change set.";
            ("FAILED", "UNAVAILABLE", Some(reason.to_owned()))
        }
    };
    let id = format!("{}:changeSet/{name}/{}", call.arn(), uuid::Uuid::new_v4());
    deployment.stack.change_sets.push(ChangeSetRecord {
        id: id.clone(),
        name,
        kind,
        status: status.into(),
        execution: execution.into(),
        reason,
        description,
        template: wanted.template_id,
        parameters: wanted.parameters,
        capabilities: wanted.capabilities,
        tags: wanted.tags,
        on_failure,
        changes,
        created_ms: now_ms(),
    });
    deployment.keep()?;
    Ok(json!({ "Id": id, "StackId": deployment.stack.id }))
}

pub(super) fn describe(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let (stack, name) = (fields.text("StackName")?, fields.required("ChangeSetName")?);
    fields.flag("IncludePropertyValues")?;
    let (stack, set) = find(call, stack.as_deref(), &name)?;
    let change = |change: &ChangeRecord| {
        let replacement = change.replacement.map(|replaced| if replaced { "True" } else { "False" });
        json!({ "Type": "Resource", "ResourceChange": {
            "Action": change.action,
            "LogicalResourceId": change.logical,
            "PhysicalResourceId": change.physical,
            "ResourceType": change.kind,
            "Replacement": replacement,
            "Scope": if change.action == "Modify" { vec!["Properties"] } else { vec![] },
            "Details": [],
        } })
    };
    let changes: Vec<Value> = set.changes.iter().map(change).collect();
    let mut shape = page(fields, "Changes", &changes, PAGE)?;
    let template = template_of(call.world, &set.template)?;
    let more = json!({
        "ChangeSetName": set.name,
        "ChangeSetId": set.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": set.description,
        "Parameters": parameters(&template, &set.parameters),
        "CreationTime": iso8601(set.created_ms),
        "ExecutionStatus": set.execution,
        "Status": set.status,
        "StatusReason": set.reason,
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": set.capabilities,
        "Tags": tags(&set.tags),
        "IncludeNestedStacks": false,
        "OnStackFailure": set.on_failure,
    });
    if let (Value::Object(shape), Value::Object(more)) = (&mut shape, more) {
        shape.extend(more);
    }
    Ok(shape)
}

/// The other change sets of the stack are void once one is carried out.
pub(super) fn execute(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let (stack, name) = (fields.text("StackName")?, fields.required("ChangeSetName")?);
    let disable_rollback = fields.flag("DisableRollback")?.unwrap_or(false);
    let token = input::token(fields, "ClientRequestToken")?;
    fields.finish()?;
    let (mut stack, mut set) = find(call, stack.as_deref(), &name)?;
    if set.execution != "AVAILABLE" {
        let status = if set.status == "FAILED" { &set.status } else { &set.execution };
        let message = format!("ChangeSet [{}] cannot be executed in its current status of [{status}]", set.id);
        return Err(AwsError::client("InvalidChangeSetStatus", message));
    }
    let wanted = kept(call.world, &set.template, set.parameters.clone(), &set.capabilities, &set.tags)?;
    set.execution = "EXECUTE_COMPLETE".into();
    let (kind, on_failure) = (set.kind.clone(), set.on_failure.clone());
    stack.change_sets = vec![set];
    let mut deployment = deployment(call, stack, token);
    match kind.as_str() {
        "CREATE" => {
            let otherwise = if disable_rollback { "DO_NOTHING" } else { "ROLLBACK" };
            deployment.stack.disable_rollback = disable_rollback;
            deployment.create(&wanted, on_failure.as_deref().unwrap_or(otherwise))?;
        }
        _ => stacks::carry_out(&mut deployment, &wanted, disable_rollback)?,
    }
    Ok(json!({}))
}

/// What is not there is as good as deleted.
pub(super) fn delete(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let (stack, name) = (fields.text("StackName")?, fields.required("ChangeSetName")?);
    fields.finish()?;
    let (mut stack, set) = match find(call, stack.as_deref(), &name) {
        Err(error) if error.code == "ChangeSetNotFound" => return Ok(json!({})),
        found => found?,
    };
    if set.execution == "EXECUTE_COMPLETE" {
        let message = format!("ChangeSet [{}] cannot be deleted in its current status of [EXECUTE_COMPLETE]", set.id);
        return Err(AwsError::client("InvalidChangeSetStatus", message));
    }
    stack.change_sets.retain(|other| other.id != set.id);
    call.world.keep_stack(call.place, &stack)?;
    Ok(json!({}))
}

pub(super) fn list(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackName")?;
    let stack = stacks::find(call.world, call.place, &name);
    let stack = stack.ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let shown = stack.change_sets.iter().map(|set| {
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "ChangeSetId": set.id,
            "ChangeSetName": set.name,
            "ExecutionStatus": set.execution,
            "Status": set.status,
            "StatusReason": set.reason,
            "CreationTime": iso8601(set.created_ms),
            "Description": set.description,
            "IncludeNestedStacks": false,
        })
    });
    let shown: Vec<Value> = shown.collect();
    page(fields, "Summaries", &shown, PAGE)
}
