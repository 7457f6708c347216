//! What each action must be given. Systems Manager looks at it when the document is put, not when it runs.

use super::document::Step;

/// The types that an output may be declared with.
const OUTPUT_TYPES: [&str; 6] = ["String", "StringList", "Boolean", "Integer", "StringMap", "MapList"];

/// # Errors
/// The input that is missing, or the output of a type that there is not.
pub(super) fn check(step: &Step) -> Result<(), String> {
    let required: &[&str] = match step.action.as_str() {
        "aws:executeAwsApi" => &["Service", "Api"],
        "aws:assertAwsResourceProperty" | "aws:waitForAwsResourceProperty" => {
            &["Service", "Api", "PropertySelector", "DesiredValues"]
        }
        "aws:sleep" => &["Duration"],
        _ => &["Choices"],
    };
    let missing = required.iter().find(|name| step.inputs.get(**name).is_none_or(serde_json::Value::is_null));
    if let Some(name) = missing {
        return Err(format!("step {}: the input {name} is required by {}", step.name, step.action));
    }
    let wrong = step.outputs.iter().find(|output| !OUTPUT_TYPES.contains(&output.kind.as_str()));
    wrong.map_or(Ok(()), |output| {
        Err(format!("step {}: {} is not a type of an output: {}", step.name, output.kind, OUTPUT_TYPES.join(", ")))
    })
}
