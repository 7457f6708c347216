//! Whether the caller may: the action of the operation's name, on the stack or stack set that it names.

use super::input::Fields;
use super::{Call, arn_of, stack_sets, stacks};
use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::world::organization::Organization;
use crate::world::place::Place;

/// # Errors
/// AccessDenied.
pub(super) fn allowed(call: &Call<'_>, operation: &str, fields: &Fields) -> Result<(), AwsError> {
    let action = format!("cloudformation:{operation}");
    let mut ask =
        Ask::new(&action, resource(call, operation, fields)).in_region(&call.world.spec.regions[call.place.region]);
    for tag in fields.peek_list("Tags") {
        if let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) {
            ask = ask.key(&format!("aws:RequestTag/{key}"), value.to_owned()).key("aws:TagKeys", key.to_owned());
        }
    }
    authorize(call.world, call.caller, &ask)
}

/// The ARN. A stack that is not there yet has no id, and IAM is asked about `stack/NAME/*`.
fn resource(call: &Call<'_>, operation: &str, fields: &Fields) -> String {
    if operation == "CreateStackSet" || operation.ends_with("OrganizationsAccess") {
        return "*".into();
    }
    if let Some(set) = fields.peek("StackSetName") {
        let management = Place { account: Organization::MANAGEMENT, ..call.place };
        let name =
            stack_sets::find(call.world, call.place.region, set).map_or_else(|| set.to_owned(), |set| set.id.clone());
        return format!("{}:stackset/{name}", arn_of(call.world, management));
    }
    let named =
        fields.peek("StackName").or_else(|| fields.peek("ChangeSetName").filter(|name| name.starts_with("arn:")));
    match named {
        None => "*".into(),
        Some(name) => match stacks::find(call.world, call.place, name) {
            Some(stack) => stack.id.clone(),
            None if name.starts_with("arn:") => name.into(),
            None => format!("{}:stack/{name}/*", call.arn()),
        },
    }
}
