//! DescribeAutomationExecutions: filters and pages over the executions of one account and Region.

use serde_json::{Value, json};

use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::execution::{Execution, Status};
use crate::world::place::Place;

/// One filter of DescribeAutomationExecutions.
enum Filter {
    Id(Vec<String>),
    Status(Vec<String>),
    DocumentPrefix(Vec<String>),
    Action(Vec<String>),
    Tag(Vec<String>),
    Before(i64),
    After(i64),
    /// No execution here has what it asks for.
    Nothing,
    Everything,
}

impl Filter {
    fn parse(world: &World, value: &Value) -> Result<Filter, AwsError> {
        let key = value
            .get("Key")
            .and_then(Value::as_str)
            .ok_or_else(|| crate::wire::json::missing("filters.1.member.key"))?;
        let values: Vec<String> = value
            .get("Values")
            .and_then(|values| serde_json::from_value(values.clone()).ok())
            .ok_or_else(|| crate::wire::json::missing("filters.1.member.values"))?;
        if !(1..=10).contains(&values.len()) || values.iter().any(|v| !(1..=150).contains(&v.len())) {
            return Err(AwsError::client(
                "InvalidFilterValue",
                format!("The filter {key} takes 1 to 10 values of 1 to 150 characters."),
            ));
        }
        let time = || {
            let wrong = || AwsError::client("InvalidFilterValue", format!("The filter {key} takes one ISO 8601 time."));
            match &values[..] {
                [one] => one.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| wrong()),
                _ => Err(wrong()),
            }
        };
        let one_of = |known: &[&str]| match values.iter().find(|value| !known.contains(&value.as_str())) {
            Some(wrong) => {
                Err(AwsError::client("InvalidFilterValue", format!("{wrong} is not a value of the filter {key}.")))
            }
            None => Ok(()),
        };
        Ok(match key {
            "ExecutionId" => Filter::Id(values),
            "ExecutionStatus" => {
                let statuses = [
                    "Pending",
                    "InProgress",
                    "Waiting",
                    "Success",
                    "TimedOut",
                    "Cancelling",
                    "Cancelled",
                    "Failed",
                    // Added to the API later.
                    "PendingApproval",
                    "Approved",
                    "Rejected",
                    "Scheduled",
                    "RunbookInProgress",
                    "PendingChangeCalendarOverride",
                    "ChangeCalendarOverrideApproved",
                    "ChangeCalendarOverrideRejected",
                    "CompletedWithSuccess",
                    "CompletedWithFailure",
                    "Exited",
                ];
                one_of(if world.spec.executions.basic_status_filter { &statuses[..8] } else { &statuses })?;
                Filter::Status(values)
            }
            "DocumentNamePrefix" => Filter::DocumentPrefix(values),
            "CurrentAction" => Filter::Action(values),
            "TagKey" => Filter::Tag(values),
            "StartTimeBefore" => Filter::Before(time()?),
            "StartTimeAfter" => Filter::After(time()?),
            "AutomationType" => {
                one_of(&["Local", "CrossAccount"])?;
                if values.iter().any(|value| value == "Local") { Filter::Everything } else { Filter::Nothing }
            }
            "ParentExecutionId" | "TargetResourceGroup" | "AutomationSubtype" | "OpsItemId" => Filter::Nothing,
            // The model's InvalidFilterKey has no message.
            _ => return Err(AwsError::client("InvalidFilterKey", "")),
        })
    }

    fn admits(&self, execution: &Execution) -> bool {
        match self {
            Filter::Id(ids) => ids.contains(&execution.id),
            Filter::Status(names) => names.iter().any(|name| name == execution.status.name()),
            Filter::DocumentPrefix(prefixes) => prefixes.iter().any(|p| execution.document.starts_with(p.as_str())),
            Filter::Action(actions) => {
                current_step(execution).is_some_and(|(_, action)| actions.iter().any(|wanted| wanted == action))
            }
            Filter::Tag(keys) => execution.tags.iter().any(|(key, _)| keys.contains(key)),
            Filter::Before(ms) => execution.started_ms < *ms,
            Filter::After(ms) => execution.started_ms > *ms,
            Filter::Nothing => false,
            Filter::Everything => true,
        }
    }
}

/// Name and action of the step at work.
pub(super) fn current_step(execution: &Execution) -> Option<(&str, &str)> {
    if execution.status.ended() || execution.status == Status::Pending {
        return None;
    }
    let name = execution.next_step.as_deref()?;
    let step = execution.runbook.as_ref()?.step(name)?;
    Some((name, step.action.as_str()))
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let filters = input.take("Filters").unwrap_or_else(|| json!([]));
    let filters = filters
        .as_array()
        .ok_or_else(|| AwsError::client("SerializationException", "Filters can not be converted to a list"))?;
    if filters.len() > 10 {
        let limit = "Member must have length less than or equal to 10";
        return Err(AwsError::validation("filters", &format!("{} filters", filters.len()), limit));
    }
    let filters: Vec<Filter> = filters.iter().map(|filter| Filter::parse(world, filter)).collect::<Result<_, _>>()?;
    let most = input.max_results(50)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    // Newest first: the token is the place, in the order of starts, below which the next page begins. New executions do
    // not shift it.
    let below = match token.as_deref() {
        None => usize::MAX,
        Some(text) => text
            .strip_prefix("before-")
            .and_then(|place| usize::from_str_radix(place, 16).ok())
            .ok_or_else(|| AwsError::client("InvalidNextToken", "The specified token isn't valid."))?,
    };
    let now = now_ms();
    world.with_region(place.account, place.region, |state| {
        let all = &state.executions.all;
        let mut matching = all[..below.min(all.len())]
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, execution)| execution.is_kept(now) && execution.visible_ms <= now)
            .filter(|(_, execution)| filters.iter().all(|filter| filter.admits(execution)));
        let page: Vec<(usize, &Execution)> = matching.by_ref().take(most).collect();
        let more = matching.next().is_some();
        let list: Vec<Value> = page.iter().map(|(_, execution)| metadata(execution)).collect();
        let mut output = json!({ "AutomationExecutionMetadataList": list });
        if let Some((last, _)) = page.last().filter(|_| more) {
            output["NextToken"] = json!(format!("before-{last:x}"));
        }
        Ok(output)
    })
}

/// What the list shows and the single execution too. No parameters: which bucket it is for is not in the list.
pub(super) fn metadata(execution: &Execution) -> Value {
    let mut shape = json!({
        "AutomationExecutionId": execution.id,
        "DocumentName": execution.document,
        "DocumentVersion": execution.document_version.to_string(),
        "AutomationExecutionStatus": execution.status.name(),
        "ExecutionStartTime": epoch(execution.started_ms),
        "ExecutedBy": execution.executed_by,
        "Mode": execution.mode,
        "Outputs": execution.outputs,
        "Targets": [],
        "ResolvedTargets": { "ParameterValues": [], "Truncated": false },
        "AutomationType": "Local",
        "LogFile": "",
    });
    if let Some(ended) = execution.ended_ms {
        shape["ExecutionEndTime"] = json!(epoch(ended));
    }
    if let Some((name, action)) = current_step(execution) {
        shape["CurrentStepName"] = json!(name);
        shape["CurrentAction"] = json!(action);
    }
    if let Some(message) = &execution.failure {
        shape["FailureMessage"] = json!(message);
    }
    shape
}
