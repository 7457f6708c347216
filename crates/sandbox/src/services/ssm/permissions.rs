//! Which IAM actions on which resources each operation of Systems Manager needs (service authorization reference).

use crate::authorize::{Ask, authorize};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;
use crate::world::session::Caller;

/// Refuses the operation before its input is looked at any closer. An input without the name of its resource is left to
/// the operation, which refuses it as invalid.
pub(super) fn check(
    world: &World,
    caller: &Caller,
    place: Place,
    operation: &str,
    input: &Input,
) -> Result<(), AwsError> {
    let region = world.spec.regions[place.region].as_str();
    let own = format!("arn:{}:ssm:{region}:{}", world.spec.partition, world.organization.accounts[place.account].id);
    let ask = |action: &str, resource: String| authorize(world, caller, &Ask::new(action, resource).in_region(region));
    let action = format!("ssm:{operation}");
    match operation {
        "StartAutomationExecution" => {
            let Some(document) = input.peek_text("DocumentName") else { return Ok(()) };
            let document = document_arn(&own, document);
            // The older definition's ARN may stand for the document's: either is enough.
            ask(&action, document.clone()).or_else(|refusal| {
                let version = input.peek_text("DocumentVersion").unwrap_or("$DEFAULT");
                let definition = document.replacen(":document/", ":automation-definition/", 1);
                let explicit = refusal.message.contains("explicit deny");
                match explicit {
                    true => Err(refusal),
                    false => ask(&action, format!("{definition}:{version}")).map_err(|_| refusal),
                }
            })?;
            let execution = format!("{own}:automation-execution/*");
            ask(&action, execution.clone())?;
            if input.has("Tags") { ask("ssm:AddTagsToResource", execution) } else { Ok(()) }
        }
        "GetAutomationExecution" | "StopAutomationExecution" | "DescribeAutomationStepExecutions" => {
            match input.peek_text("AutomationExecutionId") {
                Some(id) => ask(&action, format!("{own}:automation-execution/{id}")),
                None => Ok(()),
            }
        }
        "CreateDocument" if input.has("Tags") => {
            let Some(name) = input.peek_text("Name") else { return Ok(()) };
            ask(&action, document_arn(&own, name))?;
            ask("ssm:AddTagsToResource", document_arn(&own, name))
        }
        "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => {
            match (input.peek_text("ResourceType"), input.peek_text("ResourceId")) {
                (Some("Automation"), Some(id)) => ask(&action, format!("{own}:automation-execution/{id}")),
                (Some(_), Some(name)) => ask(&action, document_arn(&own, name)),
                _ => Ok(()),
            }
        }
        _ => match input.peek_text("Name") {
            Some(name) => ask(&action, document_arn(&own, name)),
            // What lists has no resource of its own: the account's Region stands for all.
            None => ask(&action, format!("{own}:*")),
        },
    }
}

fn document_arn(own: &str, name_or_arn: &str) -> String {
    match name_or_arn.starts_with("arn:") {
        true => name_or_arn.into(),
        false => format!("{own}:document/{name_or_arn}"),
    }
}

/// Systems Manager is handed a role only by who may pass it.
pub(super) fn pass_role(world: &World, caller: &Caller, region: &str, role_arn: &str) -> Result<(), AwsError> {
    let ask = Ask::new("iam:PassRole", role_arn).in_region(region).key("iam:PassedToService", "ssm.amazonaws.com");
    authorize(world, caller, &ask)
}
