//! StartAutomationExecution, GetAutomationExecution and StopAutomationExecution. The list is in `listing`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::listing::{current_step, metadata};
use super::{find_document, shaped};
use crate::automation::engine;
use crate::automation::reference::{resolve, text_of};
use crate::faults;
use crate::journal::Entry;
use crate::random::Random;
use crate::spec::ClientTokens;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::execution::{Execution, Status, Stop};
use crate::world::place::Place;
use crate::world::session::Caller;

fn ill(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidAutomationExecutionParametersException", message)
}

fn parameters(input: &mut Input) -> Result<BTreeMap<String, Vec<String>>, AwsError> {
    let Some(value) = input.take("Parameters") else { return Ok(BTreeMap::new()) };
    let given: BTreeMap<String, Vec<String>> = serde_json::from_value(value)
        .map_err(|_| AwsError::client("SerializationException", "Parameters is a map of lists of String"))?;
    for (name, values) in &given {
        if !(1..=50).contains(&name.len()) || values.len() > 50 {
            let limit = "Map keys must have length between 1 and 50, lists at most 50 items";
            return Err(AwsError::validation("parameters", name, limit));
        }
        if let Some(wrong) = values.iter().find(|value| !(1..=512).contains(&value.chars().count())) {
            return Err(AwsError::validation("parameters", wrong, "Member must have length between 1 and 512"));
        }
    }
    Ok(given)
}

fn client_token(input: &mut Input) -> Result<Option<String>, AwsError> {
    let Some(token) = input.text("ClientToken")? else { return Ok(None) };
    let groups: Vec<usize> = token.split('-').map(str::len).collect();
    if groups != [8, 4, 4, 4, 12] || !token.chars().all(|c| c == '-' || c.is_ascii_hexdigit()) {
        let pattern = "Member must satisfy regular expression pattern: [a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}";
        return Err(AwsError::validation("clientToken", &token, pattern));
    }
    // The token is case insensitive.
    Ok(Some(token.to_lowercase()))
}

pub(super) fn start(world: &Arc<World>, caller: &Caller, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = input.required_text("DocumentName")?;
    let version = input.text("DocumentVersion")?;
    let given = parameters(input)?;
    let client_token = client_token(input)?;
    let mode = input.text("Mode")?.unwrap_or_else(|| "Auto".into());
    let tags = input.tags()?;
    input.finish()?;
    if !shaped(&name, 3, 128, "_-.:/") {
        let pattern = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\\-.:/]{3,128}$";
        return Err(AwsError::validation("documentName", &name, pattern));
    }
    if mode != "Auto" {
        return Err(AwsError::validation("mode", &mode, "only Auto is modelled by this sandbox"));
    }
    if tags.len() > 5 {
        return Err(AwsError::validation("tags", &format!("{} tags", tags.len()), "at most 5 tags for an automation"));
    }
    let id = begin(world, caller, place, Start { name, version, given, client_token, mode, tags, passes: true })?;
    Ok(json!({ "AutomationExecutionId": id }))
}

/// A start by another service of AWS, in the name of its service-linked role.
pub(crate) struct ServiceStart<'a> {
    pub(crate) document: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) parameters: &'a BTreeMap<String, Vec<String>>,
}

/// Starts a document for a service, which may start any and pass any role; gives the execution's id.
pub(crate) fn start_for_service(
    world: &Arc<World>,
    caller: &Caller,
    place: Place,
    start: ServiceStart<'_>,
) -> Result<String, AwsError> {
    let start = Start {
        name: start.document.into(),
        version: start.version.map(Into::into),
        given: start.parameters.clone(),
        client_token: None,
        mode: "Auto".into(),
        tags: Vec::new(),
        passes: false,
    };
    begin(world, caller, place, start)
}

/// What is started, its shape checked.
struct Start {
    name: String,
    version: Option<String>,
    given: BTreeMap<String, Vec<String>>,
    client_token: Option<String>,
    mode: String,
    tags: Vec<(String, String)>,
    /// Whether the caller needs `iam:PassRole`.
    passes: bool,
}

fn begin(world: &Arc<World>, caller: &Caller, place: Place, start: Start) -> Result<String, AwsError> {
    let Start { name, version, given, client_token, mode, tags, passes } = start;
    let fingerprint = json!([name, version, given]).to_string();
    if let Some(answer) = repeated(world, place, client_token.as_deref(), &fingerprint)? {
        return Ok(answer);
    }
    let struck = faults::start::strike(world, place, &name, &given);
    let found = find_document(world, place, &name).ok_or_else(|| {
        AwsError::client(
            "AutomationDefinitionNotFoundException",
            format!("Automation definition {name} was not found."),
        )
    })?;
    let number = found.document.resolve(version.as_deref(), None).ok_or_else(|| {
        AwsError::client(
            "AutomationDefinitionVersionNotFoundException",
            format!(
                "Version {} of automation definition {name} was not found.",
                version.as_deref().unwrap_or_default()
            ),
        )
    })?;
    let runbook = found.document.versions[number - 1].runbook.clone();
    let values = engine::parameter_values(&runbook, &given).map_err(ill)?;
    let id = uuid::Uuid::new_v4().to_string();
    // Systems Manager assumes the role before it accepts the start.
    if let Some(role) = &runbook.assume_role {
        let arn = text_of(&resolve(&json!(role), &|name| values.get(name).cloned()).map_err(ill)?);
        if !arn.is_empty() {
            if passes {
                super::permissions::pass_role(world, caller, &world.spec.regions[place.region], &arn)?;
            }
            engine::act_as(world, place, &arn, &id).map_err(ill)?;
        }
    }
    let mut all = given;
    for parameter in &runbook.parameters {
        if let Some(default) = parameter.default_texts() {
            all.entry(parameter.name.clone()).or_insert(default);
        }
    }
    let started_ms = now_ms();
    let delay = || world.latency.scale(world.spec.executions.visible_after_ms as f64).as_millis() as u64;
    let unseen_ms = struck.invisible_ms.unwrap_or_else(delay);
    let execution = Execution {
        id: id.clone(),
        document: found.name,
        document_owner: found.owner,
        document_version: number,
        parameters: all,
        fingerprint: fingerprint.clone(),
        client_token: client_token.clone(),
        executed_by: caller.arn.to_string(),
        mode,
        tags,
        status: Status::Pending,
        started_ms,
        running_ms: None,
        ended_ms: None,
        takes_ms: 0,
        steps: Vec::new(),
        next_step: None,
        outputs: BTreeMap::new(),
        failure: None,
        stop: None,
        twist: struck.twist,
        visible_ms: started_ms + unseen_ms as i64,
        step_started_ms: None,
        runbook: Some(runbook),
        bell: Arc::default(),
    };
    enqueue(world, place, execution)
}

/// Puts a start into the queue, unless it is full or the same token came in between.
fn enqueue(world: &Arc<World>, place: Place, mut execution: Execution) -> Result<String, AwsError> {
    let limits = &world.spec.executions;
    let id = execution.id.clone();
    let answer = world.with_account(place.account, |account| {
        let executions = &mut world.region_of(account, place.account, place.region).executions;
        if let Some(token) = &execution.client_token
            && let Some(index) = executions.by_token.get(token)
        {
            let before = &executions.all[*index];
            return same_or_refused(world, before, &execution.fingerprint);
        }
        if executions.running >= limits.concurrent && executions.waiting.len() >= limits.queue as usize {
            return Err(AwsError::client(
                "AutomationExecutionLimitExceededException",
                "The number of simultaneously running Automation executions exceeded the allowable limit.",
            ));
        }
        let nth = ((place.account as u64) << 40) | ((place.region as u64) << 32) | executions.all.len() as u64;
        let draw = Random::new(world.spec.seed, "execution", nth).fraction();
        let seconds = limits.min_seconds + (limits.max_seconds - limits.min_seconds) * draw;
        execution.takes_ms = world.latency.scale(seconds * 1000.0).as_millis() as u64;
        world.journal.append(&Entry::Started {
            account: world.organization.accounts[place.account].id.clone(),
            region: world.spec.regions[place.region].clone(),
            execution: Box::new(execution.clone()),
        })?;
        let index = executions.add(execution);
        executions.waiting.push_back(index);
        account.recount();
        Ok(id)
    })?;
    engine::admit(world, place);
    Ok(answer)
}

fn same_or_refused(world: &World, before: &Execution, fingerprint: &str) -> Result<String, AwsError> {
    if world.spec.client_tokens == ClientTokens::Refuse || before.fingerprint != fingerprint {
        return Err(AwsError::client(
            "IdempotentParameterMismatch",
            "The client token was used before, for another execution or with other parameters.",
        ));
    }
    Ok(before.id.clone())
}

/// What is answered to a token that was seen before.
fn repeated(world: &World, place: Place, token: Option<&str>, fingerprint: &str) -> Result<Option<String>, AwsError> {
    let Some(token) = token else { return Ok(None) };
    world.with_region(place.account, place.region, |state| {
        let executions = &state.executions;
        match executions.by_token.get(token) {
            None => Ok(None),
            Some(index) => same_or_refused(world, &executions.all[*index], fingerprint).map(Some),
        }
    })
}

pub(super) fn find<T>(
    world: &World,
    place: Place,
    id: &str,
    work: impl FnOnce(usize, &mut crate::world::execution::Executions) -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    if id.len() != 36 {
        return Err(AwsError::validation("automationExecutionId", id, "Member must have length of 36"));
    }
    world.with_region(place.account, place.region, |state| match state.executions.by_id.get(id) {
        Some(index) if state.executions.all[*index].is_kept(now_ms()) => work(*index, &mut state.executions),
        _ => Err(AwsError::client(
            "AutomationExecutionNotFoundException",
            format!("Automation execution {id} was not found."),
        )),
    })
}

pub(super) fn get(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let id = input.required_text("AutomationExecutionId")?;
    input.finish()?;
    find(world, place, &id, |index, executions| {
        let execution = &executions.all[index];
        let mut shape = metadata(execution);
        if let Value::Object(members) = &mut shape {
            for only_in_list in ["AutomationType", "LogFile"] {
                members.remove(only_in_list);
            }
        }
        shape["Parameters"] = json!(execution.parameters);
        let steps = steps(execution);
        shape["ProgressCounters"] = progress(&steps);
        shape["StepExecutions"] = json!(steps);
        shape["StepExecutionsTruncated"] = json!(false);
        Ok(json!({ "AutomationExecution": shape }))
    })
}

/// The steps that were carried out, the one at work, and the ones that have not begun.
pub(super) fn steps(execution: &Execution) -> Vec<Value> {
    let Some(runbook) = &execution.runbook else { return Vec::new() };
    let mut shapes: Vec<Value> = execution
        .steps
        .iter()
        .map(|record| {
            let outputs: BTreeMap<&String, Vec<String>> = record
                .outputs
                .iter()
                .map(|(name, value)| {
                    let texts = match value {
                        Value::Array(items) => items.iter().map(text_of).collect(),
                        one => vec![text_of(one)],
                    };
                    (name, texts)
                })
                .collect();
            let mut shape = json!({
                "StepName": record.name,
                "StepStatus": record.status.name(),
                "ExecutionStartTime": epoch(record.started_ms),
                "ExecutionEndTime": epoch(record.ended_ms),
                "Inputs": record.inputs,
                "Outputs": outputs,
            });
            if let Some(code) = &record.response_code {
                shape["ResponseCode"] = json!(code);
            }
            if let Some(message) = &record.failure {
                shape["FailureMessage"] = json!(message);
                shape["FailureDetails"] = json!({
                    "FailureStage": "Invocation",
                    "FailureType": "Execution",
                    "Details": {},
                });
            }
            shape
        })
        .collect();
    let done: Vec<&str> = execution.steps.iter().map(|record| record.name.as_str()).collect();
    let current = current_step(execution).map(|(name, _)| name);
    for step in runbook.steps.iter().filter(|step| !done.contains(&step.name.as_str())) {
        let mut shape = json!({ "StepName": step.name, "StepStatus": "Pending" });
        if Some(step.name.as_str()) == current {
            shape["StepStatus"] = json!("InProgress");
            if let Some(started) = execution.step_started_ms {
                shape["ExecutionStartTime"] = json!(epoch(started));
            }
        }
        shapes.push(shape);
    }
    for (nth, shape) in shapes.iter_mut().enumerate() {
        let Some(step) = shape["StepName"].as_str().and_then(|name| runbook.step(name)) else { continue };
        shape["Action"] = json!(step.action);
        shape["IsEnd"] = json!(step.is_end);
        shape["IsCritical"] = json!(step.is_critical);
        shape["MaxAttempts"] = json!(step.max_attempts);
        if let Some(seconds) = step.timeout_seconds {
            shape["TimeoutSeconds"] = json!(seconds);
        }
        if let Some(next) = &step.next {
            shape["NextStep"] = json!(next);
        }
        let label = format!("{}-{}-{nth}", execution.id, step.name);
        shape["StepExecutionId"] = json!(Random::new(0, &label, nth as u64).uuid());
    }
    shapes
}

fn progress(steps: &[Value]) -> Value {
    let with = |status: &str| steps.iter().filter(|step| step["StepStatus"] == status).count();
    json!({
        "TotalSteps": steps.len(),
        "SuccessSteps": with("Success"),
        "FailedSteps": with("Failed"),
        "CancelledSteps": with("Cancelled"),
        "TimedOutSteps": with("TimedOut"),
    })
}

pub(super) fn stop(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let id = input.required_text("AutomationExecutionId")?;
    let kind = match input.text("Type")?.as_deref() {
        None | Some("Cancel") => Stop::Cancel,
        Some("Complete") => Stop::Complete,
        Some(other) => {
            return Err(AwsError::validation("type", other, "Member must satisfy enum value set: [Complete, Cancel]"));
        }
    };
    input.finish()?;
    let account_id = world.organization.accounts[place.account].id.clone();
    let region = world.spec.regions[place.region].clone();
    find(world, place, &id, |index, executions| {
        let execution = &mut executions.all[index];
        if execution.status.ended() || execution.stop.is_some() {
            return Err(AwsError::client(
                "InvalidAutomationStatusUpdateException",
                format!("The execution {id} is {} and can not be stopped.", execution.status.name()),
            ));
        }
        world.journal.append(&Entry::Stopping {
            account: account_id.clone(),
            region: region.clone(),
            id: id.clone(),
            stop: kind,
        })?;
        execution.stop = Some(kind);
        if execution.status == Status::Pending {
            let at_ms = now_ms();
            world.journal.append(&Entry::Ended(Box::new(crate::journal::EndEntry {
                account: account_id,
                region,
                id: id.clone(),
                status: Status::Cancelled,
                at_ms,
                outputs: BTreeMap::new(),
                failure: None,
            })))?;
            execution.status = Status::Cancelled;
            execution.ended_ms = Some(at_ms);
            executions.waiting.retain(|waiting| *waiting != index);
        } else {
            if kind == Stop::Cancel {
                execution.status = Status::Cancelling;
            }
            execution.bell.notify_one();
        }
        Ok(json!({}))
    })?;
    world.with_account(place.account, crate::world::AccountState::recount);
    Ok(json!({}))
}
