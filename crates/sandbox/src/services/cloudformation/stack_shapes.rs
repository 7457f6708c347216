//! Stacks as they are shown: DescribeStacks, ListStacks, their events and resources, and templates.

use serde_json::{Value, json};

use super::input::Fields;
use super::request::{self, read};
use super::stacks::{find, no_such, template_of};
use super::template::Template;
use super::{Call, PAGE, change_sets, invalid, page, stack_sets, tags};
use crate::services::config::intrinsic::text;
use crate::wire::error::AwsError;
use crate::wire::iso8601;
use crate::world::World;
use crate::world::stacks::{ResourceRecord, StackRecord};

/// A NoEcho parameter is never shown.
pub(super) fn parameters(template: &Template, values: &std::collections::BTreeMap<String, String>) -> Value {
    let shown = |(key, value): (&String, &String)| {
        let value = if template.is_secret(key) { "****" } else { value.as_str() };
        json!({ "ParameterKey": key, "ParameterValue": value })
    };
    values.iter().map(shown).collect()
}

fn stack(world: &World, stack: &StackRecord) -> Result<Value, AwsError> {
    let outputs = stack.outputs.iter().map(
        |output| json!({ "OutputKey": output.key, "OutputValue": output.value, "Description": output.description }),
    );
    let template = match stack.template.as_str() {
        "" => None,
        id => Some(template_of(world, id)?),
    };
    let change_set = stack.change_sets.iter().rev().find(|set| set.execution == "EXECUTE_COMPLETE");
    Ok(json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": change_set.map(|set| &set.id),
        "Description": stack.description,
        "Parameters": template.map(|template| parameters(&template, &stack.parameters)),
        "CreationTime": iso8601(stack.created_ms),
        "DeletionTime": stack.deleted_ms.map(iso8601),
        "LastUpdatedTime": stack.updated_ms.map(iso8601),
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": [],
        "Capabilities": stack.capabilities,
        "Outputs": outputs.collect::<Value>(),
        "Tags": tags(&stack.tags),
        "EnableTerminationProtection": false,
        "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
    }))
}

pub(super) fn describe(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let shown = match fields.text("StackName")? {
        Some(name) => vec![find(call.world, call.place, &name).ok_or_else(|| no_such(&name))?],
        None => call.world.stacks.of(call.place).into_iter().rev().filter(|stack| stack.is_there()).collect(),
    };
    let shown: Vec<Value> = shown.iter().map(|one| stack(call.world, one)).collect::<Result<_, _>>()?;
    page(fields, "Stacks", &shown, PAGE)
}

pub(super) fn list(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let wanted = fields.texts("StackStatusFilter")?;
    let summary = |stack: &StackRecord| {
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "TemplateDescription": stack.description,
            "CreationTime": iso8601(stack.created_ms),
            "LastUpdatedTime": stack.updated_ms.map(iso8601),
            "DeletionTime": stack.deleted_ms.map(iso8601),
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
        })
    };
    let all = call.world.stacks.of(call.place);
    let shown = all.iter().rev().filter(|stack| wanted.is_empty() || wanted.contains(&stack.status));
    let shown: Vec<Value> = shown.map(|one| summary(one)).collect();
    page(fields, "StackSummaries", &shown, PAGE)
}

/// The newest first.
pub(super) fn events(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackName")?;
    let stack = find(call.world, call.place, &name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let shown = stack.events.iter().rev().map(|event| {
        json!({
            "StackId": stack.id,
            "EventId": event.id,
            "StackName": stack.name,
            "LogicalResourceId": event.logical,
            "PhysicalResourceId": event.physical,
            "ResourceType": event.kind,
            "Timestamp": iso8601(event.at_ms),
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason,
            "ClientRequestToken": event.token,
        })
    });
    let shown: Vec<Value> = shown.collect();
    page(fields, "StackEvents", &shown, PAGE)
}

/// What every shape of a resource has.
fn resource_shape(resource: &ResourceRecord, time: &str) -> Value {
    json!({
        "LogicalResourceId": resource.logical,
        "PhysicalResourceId": resource.physical,
        "ResourceType": resource.kind,
        time: iso8601(resource.at_ms),
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": { "StackResourceDriftStatus": "NOT_CHECKED" },
    })
}

fn of_stack(mut shape: Value, stack: &StackRecord) -> Value {
    (shape["StackId"], shape["StackName"]) = (json!(stack.id), json!(stack.name));
    shape
}

pub(super) fn resources(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let (name, logical) = (fields.text("StackName")?, fields.text("LogicalResourceId")?);
    let physical = fields.text("PhysicalResourceId")?;
    fields.finish()?;
    let stack = match (&name, &physical) {
        (Some(name), None) => find(call.world, call.place, name).ok_or_else(|| no_such(name))?,
        (None, Some(physical)) => {
            let has = |stack: &StackRecord| stack.resources.iter().any(|one| one.physical.as_ref() == Some(physical));
            let all = call.world.stacks.of(call.place);
            let found = all.into_iter().find(|stack| stack.is_there() && has(stack));
            found.ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))?
        }
        _ => return Err(invalid("You must specify either StackName or PhysicalResourceId, but not both.")),
    };
    let shown = stack.resources.iter().filter(|one| logical.as_ref().is_none_or(|logical| *logical == one.logical));
    let shown: Vec<Value> = shown.map(|one| of_stack(resource_shape(one, "Timestamp"), &stack)).collect();
    Ok(json!({ "StackResources": shown }))
}

pub(super) fn resource(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let (name, logical) = (fields.required("StackName")?, fields.required("LogicalResourceId")?);
    fields.finish()?;
    let stack = find(call.world, call.place, &name).ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
    let found = stack.resource(&logical);
    let found = found.ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {name}")))?;
    Ok(json!({ "StackResourceDetail": of_stack(resource_shape(found, "LastUpdatedTimestamp"), &stack) }))
}

pub(super) fn list_resources(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackName")?;
    let stack = find(call.world, call.place, &name).ok_or_else(|| no_such(&name))?;
    let shown: Vec<Value> =
        stack.resources.iter().map(|resource| resource_shape(resource, "LastUpdatedTimestamp")).collect();
    page(fields, "StackResourceSummaries", &shown, PAGE)
}

pub(super) fn template(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.text("StackName")?;
    let change_set = fields.text("ChangeSetName")?;
    fields.word("TemplateStage", &["Original", "Processed"])?;
    fields.finish()?;
    let id = match change_set {
        Some(change_set) => change_sets::find(call, name.as_deref(), &change_set)?.1.template,
        None => {
            let name = name.ok_or_else(|| super::input::missing("StackName"))?;
            let stack = find(call.world, call.place, &name).ok_or_else(|| no_such(&name))?;
            // What is under review only has no template yet.
            let known = !stack.template.is_empty();
            known.then(|| stack.template.clone()).ok_or_else(|| no_such(&name))?
        }
    };
    let body = call.world.stacks.template(&id).to_string();
    Ok(json!({ "TemplateBody": body, "StagesAvailable": ["Original", "Processed"] }))
}

/// Of a template's parameters what GetTemplateSummary and ValidateTemplate show alike.
fn declared(template: &Template, with_type: bool) -> Vec<Value> {
    let shown = template.parameters.iter().map(|(name, parameter)| {
        let mut shape = json!({
            "ParameterKey": name,
            "DefaultValue": text(&parameter["Default"]),
            "NoEcho": template.is_secret(name),
            "Description": parameter["Description"],
        });
        if with_type {
            shape["ParameterType"] = parameter["Type"].clone();
            let allowed = parameter["AllowedValues"].as_array().into_iter().flatten();
            let allowed: Vec<String> = allowed.filter_map(text).collect();
            let constraints = if allowed.is_empty() { json!({}) } else { json!({ "AllowedValues": allowed }) };
            shape["ParameterConstraints"] = constraints;
        }
        shape
    });
    shown.collect()
}

fn described(template: &Template, with_type: bool) -> Value {
    let capability = template.capability();
    json!({
        "Parameters": declared(template, with_type),
        "Description": template.description,
        "Capabilities": capability.as_ref().map(|(capability, _)| vec![*capability]).unwrap_or_default(),
        "CapabilitiesReason": capability.map(|(_, kinds)| {
            format!("The following resource(s) require capabilities: [{}]", kinds.join(", "))
        }),
        "DeclaredTransforms": [],
    })
}

pub(super) fn summary(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let body = request::body(fields)?;
    let (stack, set) = (fields.text("StackName")?, fields.text("StackSetName")?);
    let of_set = set.map(|set| stack_sets::named(call, fields, &set)).transpose()?;
    fields.finish()?;
    let template = match (body, stack, of_set) {
        (Some(body), None, None) => read(&body)?,
        (None, Some(name), None) => {
            let stack = find(call.world, call.place, &name).filter(|stack| !stack.template.is_empty());
            template_of(call.world, &stack.ok_or_else(|| no_such(&name))?.template)?
        }
        (None, None, Some(set)) => template_of(call.world, &set.template)?,
        _ => return Err(invalid("Specify exactly one of TemplateBody, TemplateURL, StackName and StackSetName.")),
    };
    let mut shape = described(&template, true);
    let mut kinds: Vec<&str> = template.resources.iter().map(|resource| resource.kind.name()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    shape["ResourceTypes"] = json!(kinds);
    shape["Version"] = json!(template.version);
    shape["Metadata"] = json!(template.metadata.as_ref().map(ToString::to_string));
    Ok(shape)
}

pub(super) fn validate(fields: &mut Fields) -> Result<Value, AwsError> {
    let body = request::body(fields)?;
    fields.finish()?;
    let body = body.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    Ok(described(&read(&body)?, false))
}
