//! DescribeAutomationStepExecutions: the steps of one execution, filtered and in pages.

use serde_json::Value;

use super::document_life::{from_token, page};
use super::executions::{find, steps};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::place::Place;

fn admits(step: &Value, key: &str, values: &[String]) -> Result<bool, AwsError> {
    let is = |member: &str| values.iter().any(|value| step[member] == value.as_str());
    let started = || step["ExecutionStartTime"].as_f64();
    let time = || {
        let one = values.first().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let wrong = || AwsError::client("InvalidFilterValue", format!("The filter {key} takes one ISO 8601 time."));
        one.map(|time| time.as_millisecond() as f64 / 1000.0).ok_or_else(wrong)
    };
    Ok(match key {
        "StepName" => is("StepName"),
        "StepExecutionId" => is("StepExecutionId"),
        "StepExecutionStatus" => is("StepStatus"),
        "Action" => is("Action"),
        "StartTimeBefore" => time().map(|at| started().is_some_and(|start| start < at))?,
        "StartTimeAfter" => time().map(|at| started().is_some_and(|start| start > at))?,
        // No step here has a parent.
        "ParentStepExecutionId" | "ParentStepIteration" | "ParentStepIteratorValue" => false,
        _ => return Err(AwsError::client("InvalidFilterKey", "")),
    })
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let id = input.required_text("AutomationExecutionId")?;
    let filters = input.take("Filters");
    let reverse = input.take("ReverseOrder").is_some_and(|value| value == true);
    let most = input.max_results(50)?;
    let all = find(world, place, &id, |index, executions| Ok(steps(&executions.all[index])))?;
    let mut shown = Vec::new();
    for step in all {
        let mut fits = true;
        for filter in filters.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let values: Vec<String> = serde_json::from_value(filter["Values"].clone()).unwrap_or_default();
            fits &= admits(&step, filter["Key"].as_str().unwrap_or_default(), &values)?;
        }
        if fits {
            shown.push(step);
        }
    }
    if reverse {
        shown.reverse();
    }
    let from = from_token(input, shown.len())?;
    input.finish()?;
    Ok(page(&shown, from, most, "StepExecutions"))
}
