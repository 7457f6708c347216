//! The operations on a stack set as they are shown, and the preferences that they are begun with.

use serde_json::{Value, json};

use super::input::Fields;
use super::stack_sets::of_input;
use super::{Call, invalid, page};
use crate::wire::error::AwsError;
use crate::wire::iso8601;
use crate::world::stacks::{OperationRecord, Preferences, StackSetRecord};

/// `OperationPreferences`
pub(super) fn preferences(fields: &mut Fields) -> Result<Preferences, AwsError> {
    let Some(mut given) = fields.structure("OperationPreferences")? else { return Ok(Preferences::default()) };
    let preferences = Preferences {
        region_concurrency: given.word("RegionConcurrencyType", &["SEQUENTIAL", "PARALLEL"])?,
        region_order: given.texts("RegionOrder")?,
        tolerance_count: given.number("FailureToleranceCount", 0, i64::MAX)?,
        tolerance_percentage: given.number("FailureTolerancePercentage", 0, 100)?,
        concurrent_count: given.number("MaxConcurrentCount", 1, i64::MAX)?,
        concurrent_percentage: given.number("MaxConcurrentPercentage", 1, 100)?,
        concurrency_mode: given.word("ConcurrencyMode", &["STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"])?,
    };
    given.finish()?;
    if preferences.tolerance_count.is_some() && preferences.tolerance_percentage.is_some() {
        return Err(invalid("Specify either FailureToleranceCount or FailureTolerancePercentage, but not both."));
    }
    if preferences.concurrent_count.is_some() && preferences.concurrent_percentage.is_some() {
        return Err(invalid("Specify either MaxConcurrentCount or MaxConcurrentPercentage, but not both."));
    }
    Ok(preferences)
}

/// In how many accounts of a Region it may fail. A percentage is rounded down.
pub(super) fn tolerance(preferences: &Preferences, accounts: usize) -> usize {
    let count = preferences.tolerance_count.map(|count| count.max(0) as usize);
    let share = preferences.tolerance_percentage.map(|percent| accounts * percent.max(0) as usize / 100);
    count.or(share).unwrap_or(0)
}

/// The members that are shown of one operation and in a list.
fn summary(operation: &OperationRecord) -> Value {
    let Preferences {
        region_concurrency,
        region_order,
        tolerance_count,
        tolerance_percentage,
        concurrent_count,
        concurrent_percentage,
        concurrency_mode,
    } = &operation.preferences;
    let failed = operation.results.iter().filter(|result| result.status == "FAILED").count();
    json!({
        "OperationId": operation.id,
        "Action": operation.action,
        "Status": operation.status,
        "StatusReason": operation.reason,
        "CreationTimestamp": iso8601(operation.created_ms),
        "EndTimestamp": operation.ended_ms.map(iso8601),
        "OperationPreferences": {
            "RegionConcurrencyType": region_concurrency,
            "RegionOrder": region_order,
            "FailureToleranceCount": tolerance_count,
            "FailureTolerancePercentage": tolerance_percentage,
            "MaxConcurrentCount": concurrent_count,
            "MaxConcurrentPercentage": concurrent_percentage,
            "ConcurrencyMode": concurrency_mode,
        },
        "StatusDetails": { "FailedStackInstancesCount": failed },
    })
}

fn named<'a>(set: &'a StackSetRecord, id: &str) -> Result<&'a OperationRecord, AwsError> {
    let found = set.operations.iter().find(|operation| operation.id == id);
    found.ok_or_else(|| AwsError::new(404, "OperationNotFoundException", format!("Operation {id} not found")))
}

pub(super) fn describe(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    let id = fields.required("OperationId")?;
    fields.finish()?;
    let operation = named(&set, &id)?;
    let mut shape = summary(operation);
    shape["StackSetId"] = json!(set.id);
    shape["RetainStacks"] = json!(operation.retain);
    if let Some(targets) = &operation.targets {
        shape["DeploymentTargets"] = json!({
            "Accounts": targets.accounts,
            "OrganizationalUnitIds": targets.units,
            "AccountFilterType": targets.filter,
        });
    }
    Ok(json!({ "StackSetOperation": shape }))
}

/// The newest first.
pub(super) fn list(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    let most = fields.number("MaxResults", 1, 100)?.unwrap_or(100) as usize;
    let shown: Vec<Value> = set.operations.iter().rev().map(summary).collect();
    page(fields, "Summaries", &shown, most)
}

pub(super) fn results(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    let id = fields.required("OperationId")?;
    let most = fields.number("MaxResults", 1, 100)?.unwrap_or(100) as usize;
    let mut status = None;
    for mut filter in fields.structures("Filters")? {
        filter.word("Name", &["OPERATION_RESULT_STATUS"])?;
        status = filter.text("Values")?;
        filter.finish()?;
    }
    let operation = named(&set, &id)?;
    let wanted =
        operation.results.iter().filter(|result| status.as_ref().is_none_or(|status| *status == result.status));
    let shown = wanted.map(|result| {
        json!({
            "Account": result.account,
            "Region": result.region,
            "Status": result.status,
            "StatusReason": result.reason,
            "OrganizationalUnitId": result.unit,
        })
    });
    let shown: Vec<Value> = shown.collect();
    page(fields, "Summaries", &shown, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_of_failures_is_rounded_down_and_none_is_tolerated_unless_said() {
        let of = |count, percentage| Preferences {
            tolerance_count: count,
            tolerance_percentage: percentage,
            ..Preferences::default()
        };
        assert_eq!(tolerance(&of(None, Some(5)), 11), 0);
        assert_eq!(tolerance(&of(None, Some(10)), 25), 2);
        assert_eq!((tolerance(&of(Some(3), None), 11), tolerance(&of(None, None), 11)), (3, 0));
    }
}
