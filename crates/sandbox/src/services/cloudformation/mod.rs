//! CloudFormation: stacks, their change sets, and service-managed stack sets. A stack is done before the request that sets it in
//! motion is answered. What it makes is made by the services themselves, by their own operations, for the stack's caller.
//! Here: which operation goes where, and what is common to all.

mod ask;
mod change_sets;
mod deploy;
mod input;
mod request;
pub(crate) mod resources;
mod rollback;
mod scope;
mod stack_instances;
mod stack_operations;
mod stack_sets;
mod stack_shapes;
mod stacks;
mod targets;
mod template;
mod xml;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;
use crate::world::World;
use crate::world::place::Place;
use crate::world::session::Caller;
use input::Fields;

pub(crate) const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

pub(crate) const OPERATIONS: &[&str] = &[
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "DescribeStacks",
    "ListStacks",
    "DescribeStackEvents",
    "DescribeStackResources",
    "DescribeStackResource",
    "ListStackResources",
    "GetTemplate",
    "GetTemplateSummary",
    "ValidateTemplate",
    "CreateChangeSet",
    "DescribeChangeSet",
    "ExecuteChangeSet",
    "DeleteChangeSet",
    "ListChangeSets",
    "CreateStackSet",
    "UpdateStackSet",
    "DescribeStackSet",
    "DeleteStackSet",
    "ListStackSets",
    "ActivateOrganizationsAccess",
    "DescribeOrganizationsAccess",
    "CreateStackInstances",
    "UpdateStackInstances",
    "DeleteStackInstances",
    "DescribeStackInstance",
    "ListStackInstances",
    "DescribeStackSetOperation",
    "ListStackSetOperations",
    "ListStackSetOperationResults",
];

/// Shown on a page of a list that is longer.
const PAGE: usize = 100;

/// One request, and the account and Region it is about.
#[derive(Clone, Copy)]
struct Call<'a> {
    world: &'a Arc<World>,
    caller: &'a Caller,
    place: Place,
}

impl Call<'_> {
    /// `arn:PARTITION:cloudformation:REGION:ACCOUNT`
    fn arn(&self) -> String {
        arn_of(self.world, self.place)
    }
}

fn arn_of(world: &World, place: Place) -> String {
    let (account, region) = world.names_of(place);
    format!("arn:{}:cloudformation:{region}:{account}", world.spec.partition)
}

/// The content of the action's `…Result` element.
pub(crate) fn answer(
    world: &Arc<World>,
    caller: &Caller,
    operation: &'static str,
    request: &Request,
) -> Result<String, AwsError> {
    let form = Form::read(request);
    if operation == UNKNOWN || form.get("Version") != Some("2010-05-15") {
        let action = form.get("Action").unwrap_or("(none)");
        let message =
            format!("Could not find operation {action} for version {}", form.get("Version").unwrap_or("(none)"));
        return Err(AwsError::client("InvalidAction", message));
    }
    let region = request.scope().and_then(|scope| world.region_index(&scope.region)).ok_or_else(|| {
        // A Region that is not in the spec is one that is not enabled in the organization.
        AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    })?;
    let call = Call { world, caller, place: Place { account: caller.account, region } };
    let mut fields = Fields::read(&form)?;
    let reads = ["Describe", "List", "Get", "Validate"].iter().any(|verb| operation.starts_with(verb));
    let _alone = (!reads).then(|| world.stacks.one_at_a_time());
    ask::allowed(&call, operation, &fields)?;
    let fields = &mut fields;
    let value = match operation {
        "CreateStack" => stacks::create(&call, fields),
        "UpdateStack" => stacks::update(&call, fields),
        "DeleteStack" => stacks::delete(&call, fields),
        "DescribeStacks" => stack_shapes::describe(&call, fields),
        "ListStacks" => stack_shapes::list(&call, fields),
        "DescribeStackEvents" => stack_shapes::events(&call, fields),
        "DescribeStackResources" => stack_shapes::resources(&call, fields),
        "DescribeStackResource" => stack_shapes::resource(&call, fields),
        "ListStackResources" => stack_shapes::list_resources(&call, fields),
        "GetTemplate" => stack_shapes::template(&call, fields),
        "GetTemplateSummary" => stack_shapes::summary(&call, fields),
        "ValidateTemplate" => stack_shapes::validate(fields),
        "CreateChangeSet" => change_sets::create(&call, fields),
        "DescribeChangeSet" => change_sets::describe(&call, fields),
        "ExecuteChangeSet" => change_sets::execute(&call, fields),
        "DeleteChangeSet" => change_sets::delete(&call, fields),
        "ListChangeSets" => change_sets::list(&call, fields),
        "CreateStackSet" => stack_sets::create(&call, fields),
        "UpdateStackSet" => stack_sets::update(&call, fields),
        "DescribeStackSet" => stack_sets::describe(&call, fields),
        "DeleteStackSet" => stack_sets::delete(&call, fields),
        "ListStackSets" => stack_sets::list(&call, fields),
        "ActivateOrganizationsAccess" => stack_sets::activate_access(&call, fields),
        "DescribeOrganizationsAccess" => stack_sets::describe_access(&call, fields),
        "CreateStackInstances" => stack_instances::create(&call, fields),
        "UpdateStackInstances" => stack_instances::update(&call, fields),
        "DeleteStackInstances" => stack_instances::delete(&call, fields),
        "DescribeStackInstance" => stack_instances::describe(&call, fields),
        "ListStackInstances" => stack_instances::list(&call, fields),
        "DescribeStackSetOperation" => stack_operations::describe(&call, fields),
        "ListStackSetOperations" => stack_operations::list(&call, fields),
        _ => stack_operations::results(&call, fields),
    }?;
    Ok(xml::members(&value))
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("ValidationError", message)
}

/// One page of a list, with the token for the next one: the place of its first item.
fn page(fields: &mut Fields, member: &str, items: &[Value], most: usize) -> Result<Value, AwsError> {
    let from = match fields.text("NextToken")? {
        None => 0,
        Some(token) => {
            let place = token.strip_prefix(member).and_then(|rest| rest.strip_prefix('.')?.parse().ok());
            place.filter(|from| *from < items.len()).ok_or_else(|| invalid("NextToken is not valid."))?
        }
    };
    fields.finish()?;
    let to = (from + most).min(items.len());
    let mut page = json!({ member: items[from..to] });
    if to < items.len() {
        page["NextToken"] = json!(format!("{member}.{to}"));
    }
    Ok(page)
}

/// Tags as the query protocol shows them.
fn tags(tags: &[(String, String)]) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
