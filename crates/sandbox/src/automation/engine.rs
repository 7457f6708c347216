//! Makes executions move: from Pending into one of the places that run at once, step after step, to their end.
//! Each change is journaled, so that an execution which was in flight at a kill goes on where it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::document::{OnFailure, Runbook, Step};
use super::reference::{resolve, text_of};
use super::steps::{Outcome, Stage};
use super::twist::{self, Twist, Twisted};
use crate::authorize::{Ask, Who, authorize};
use crate::journal::{EndEntry, Entry};
use crate::policy::store::bare;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::execution::{Execution, Status, StepRecord, Stop};
use crate::world::place::Place;
use crate::world::session::{Caller, CallerKind};

/// Lets as many waiting executions run as the quota leaves room for.
pub(crate) fn admit(world: &Arc<World>, place: Place) {
    let account_id = &world.organization.accounts[place.account].id;
    let region_name = &world.spec.regions[place.region];
    let admitted = world.with_region(place.account, place.region, |state| {
        let executions = &mut state.executions;
        let mut admitted = Vec::new();
        while executions.running < world.spec.executions.concurrent {
            let Some(index) = executions.next_waiting() else { break };
            let now = now_ms();
            let execution = &mut executions.all[index];
            execution.status = Status::InProgress;
            execution.running_ms = Some(now);
            // Nobody waits for this answer: without a journal line the execution would start again from Pending.
            let _ = world.journal.append(&Entry::Running {
                account: account_id.clone(),
                region: region_name.clone(),
                id: execution.id.clone(),
                at_ms: now,
            });
            executions.running += 1;
            admitted.push(index);
        }
        admitted
    });
    for index in admitted {
        world.runtime.spawn(run(world.clone(), place, index));
    }
}

/// Goes on with what was in flight when the sandbox last ended.
pub(crate) fn go_on(world: &Arc<World>) {
    for account in 0..world.organization.accounts.len() {
        let regions = world.with_account(account, |state| state.regions_in_use());
        for region in regions {
            let place = Place { account, region };
            let running: Vec<usize> = world.with_region(account, region, |state| {
                let all = state.executions.all.iter().enumerate();
                all.filter(|(_, e)| !e.status.ended() && e.status != Status::Pending).map(|(index, _)| index).collect()
            });
            for index in running {
                world.runtime.spawn(run(world.clone(), place, index));
            }
            admit(world, place);
        }
    }
}

/// Why a role cannot be assumed: all that Systems Manager says.
pub(crate) const CANNOT_ASSUME: &str = "The defined assume role is unable to be assumed.";

/// The caller that an automation's steps act as: a session of the role, which must be in the same account and trust
/// `ssm.amazonaws.com`.
pub(crate) fn act_as(world: &World, place: Place, role_arn: &str, execution: &str) -> Result<Caller, &'static str> {
    let account_id = &world.organization.accounts[place.account].id;
    let partition = world.spec.partition;
    let name = partition
        .strip_arn("iam", role_arn)
        .and_then(|rest| rest.strip_prefix(':')?.strip_prefix(account_id.as_str()))
        .and_then(|rest| rest.strip_prefix(":role/"))
        .ok_or(CANNOT_ASSUME)?;
    let role = world.role(place.account, name).ok_or(CANNOT_ASSUME)?;
    let trust = role.policies.trust(account_id);
    let region = &world.spec.regions[place.region];
    let ask = Ask::new("sts:AssumeRole", role_arn)
        .of(place.account)
        .in_region(region)
        .trust(&trust)
        .key("aws:SourceAccount", account_id.as_str())
        .key("aws:SourceOrgID", world.organization.id.as_str())
        .key(
            "aws:SourceArn",
            partition.arn("ssm", region, account_id, format_args!("automation-execution/{execution}")),
        );
    authorize(world, Who::Service("ssm.amazonaws.com"), &ask).map_err(|_| CANNOT_ASSUME)?;
    let session = format!("Automation-{execution}");
    Ok(Caller {
        account: place.account,
        arn: partition.session_arn(account_id, bare(&role.name), &session).into(),
        user_id: format!("{}:{session}", role.id).into(),
        kind: CallerKind::RoleSession,
        session: None,
    })
}

/// The typed values of an execution's parameters.
pub(crate) fn parameter_values(
    runbook: &Runbook,
    given: &BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, Value>, String> {
    let mut values = BTreeMap::new();
    let unknown: Vec<&str> = given
        .keys()
        .filter(|name| !runbook.parameters.iter().any(|parameter| parameter.name == **name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(format!("Unknown parameters: [{}]. They are not declared by the document.", unknown.join(", ")));
    }
    for parameter in &runbook.parameters {
        let value = match (given.get(&parameter.name), &parameter.default) {
            // What equals the default need not pass the limits: an empty default is common.
            (Some(texts), Some(default)) if Some(texts) == parameter.default_texts().as_ref() => default.clone(),
            (Some(texts), _) => parameter.read(texts)?,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(format!("Missing required parameter: {} in user inputs.", parameter.name)),
        };
        values.insert(parameter.name.clone(), value);
    }
    Ok(values)
}

/// How an execution ends.
struct End {
    status: Status,
    failure: Option<String>,
}

impl End {
    fn failed(message: impl Into<String>) -> End {
        End { status: Status::Failed, failure: Some(message.into()) }
    }
}

/// One execution at work.
struct Run {
    stage: Stage,
    place: Place,
    index: usize,
    id: String,
    runbook: Arc<Runbook>,
    values: BTreeMap<String, Value>,
    /// `Step.Output`
    outputs: BTreeMap<String, Value>,
    bell: Arc<Notify>,
    running_ms: i64,
    takes_ms: u64,
    /// Time that steps took by their own content, such as `aws:sleep`, on top of `takes_ms`.
    own_ms: i64,
    done: usize,
    /// The failure of a critical step, after which the others were still carried out.
    failure: Option<String>,
    /// Cancelled during a step with `onCancel`: the steps it names are carried out all the same.
    cleaning: bool,
    /// The step that was noted last had failed and ends the execution: only the end is missing.
    aborted: Option<End>,
}

async fn run(world: Arc<World>, place: Place, index: usize) {
    let (run, next) = match begin(&world, place, index) {
        Ok(begun) => begun,
        Err(message) => return end(&world, place, index, End::failed(message), &BTreeMap::new(), None),
    };
    let mut run = run;
    let ended = match run.aborted.take() {
        Some(ended) => ended,
        None => match run.twisted().await {
            Some(ended) => ended,
            None => run.steps(next).await,
        },
    };
    // A cancelled execution ends at once; the others take the time they were given.
    if ended.status != Status::Cancelled {
        run.pace(1.0).await;
    }
    let ended = match run.asked_to_stop() {
        Some(Stop::Cancel) => End { status: Status::Cancelled, failure: None },
        _ => ended,
    };
    end(&world, place, index, ended, &run.outputs, Some(&run.runbook));
    twist::catch_up(run.stage);
}

fn begin(world: &Arc<World>, place: Place, index: usize) -> Result<(Run, Option<String>), String> {
    let execution = world.with_region(place.account, place.region, |state| state.executions.all[index].clone());
    let runbook = execution.runbook.clone().ok_or("The document that this execution was started with is gone.")?;
    let values = parameter_values(&runbook, &execution.parameters)?;
    let role = match &runbook.assume_role {
        None => String::new(),
        Some(text) => text_of(&resolve(&json!(text), &|name| values.get(name).cloned())?),
    };
    let actor = if role.is_empty() {
        Caller {
            account: place.account,
            arn: execution.executed_by.as_str().into(),
            user_id: execution.executed_by.as_str().into(),
            kind: CallerKind::RoleSession,
            session: None,
        }
    } else {
        act_as(world, place, &role, &execution.id)?
    };
    let mut outputs = BTreeMap::new();
    let mut failure = None;
    for step in &execution.steps {
        for (name, value) in &step.outputs {
            outputs.insert(format!("{}.{name}", step.name), value.clone());
        }
        if step.failure.is_some() && runbook.step(&step.name).is_some_and(|s| s.is_critical) {
            failure.clone_from(&step.failure);
        }
    }
    let aborted = execution.steps.last().and_then(|last| {
        let message = last.failure.clone()?;
        let aborts = runbook.step(&last.name).is_none_or(|step| step.on_failure == OnFailure::Abort);
        aborts.then_some(End { status: last.status, failure: Some(message) })
    });
    let next = match execution.steps.is_empty() {
        true => Some(runbook.steps[0].name.clone()),
        false => execution.next_step.clone(),
    };
    let run = Run {
        stage: Stage {
            world: world.clone(),
            actor,
            region: world.spec.regions[place.region].clone(),
            twisted: Twisted::new(execution.twist),
        },
        place,
        index,
        id: execution.id,
        runbook,
        values,
        outputs,
        bell: execution.bell,
        running_ms: execution.running_ms.unwrap_or_else(now_ms),
        takes_ms: execution.takes_ms,
        own_ms: 0,
        done: execution.steps.len(),
        failure,
        cleaning: execution.steps.iter().any(|step| step.status == Status::Cancelled),
        aborted,
    };
    Ok((run, next))
}

impl Run {
    /// How an execution ends that a fault keeps from its steps.
    async fn twisted(&self) -> Option<End> {
        match self.stage.twisted.twist.clone()? {
            Twist::Ends { status, message } => Some(End { status, failure: message }),
            Twist::Stuck { status } => {
                self.with_execution(|execution| {
                    if execution.status == Status::InProgress {
                        execution.status = status;
                    }
                });
                loop {
                    match self.stop() {
                        Some(Stop::Cancel) => return Some(End { status: Status::Cancelled, failure: None }),
                        Some(Stop::Complete) => return Some(End { status: Status::Success, failure: None }),
                        None => self.bell.notified().await,
                    }
                }
            }
            Twist::Lie | Twist::Late { .. } | Twist::WrongKey { .. } => None,
        }
    }

    async fn steps(&mut self, first: Option<String>) -> End {
        let runbook = self.runbook.clone();
        let mut next = first;
        while let Some(step) = next.as_deref().and_then(|name| runbook.step(name)) {
            match self.stop() {
                Some(Stop::Cancel) => return End { status: Status::Cancelled, failure: None },
                Some(Stop::Complete) => return End { status: Status::Success, failure: None },
                None => {}
            }
            // A document may send its steps in a circle: AWS lets an execution attempt this many at most.
            if self.done >= 500 {
                return End::failed("The execution exceeded the number of steps that it may attempt.");
            }
            self.with_execution(|execution| {
                execution.next_step = Some(step.name.clone());
                execution.step_started_ms = Some(now_ms());
            });
            let share = (self.done + 1) as f64 / (runbook.steps.len() + 1) as f64;
            self.pace(share.min(1.0)).await;
            if self.stop() == Some(Stop::Cancel) {
                return End { status: Status::Cancelled, failure: None };
            }
            match self.step(step).await {
                Ok(after) => next = after,
                Err(ended) => return ended,
            }
            self.done += 1;
        }
        match self.failure.take() {
            Some(message) => End::failed(message),
            None => End { status: Status::Success, failure: None },
        }
    }

    /// Carries out one step and notes it; gives the step to do next.
    async fn step(&mut self, step: &Step) -> Result<Option<String>, End> {
        let started = now_ms();
        let resolved = resolve(&step.inputs, &|name| self.lookup(name));
        let outcome = match &resolved {
            Err(what) => Outcome::Failed(format!("Step fails when it is resolving its inputs. {what}")),
            Ok(inputs) => {
                let bell = self.bell.clone();
                let stopped = async {
                    loop {
                        bell.notified().await;
                        if self.stop() == Some(Stop::Cancel) {
                            return;
                        }
                    }
                };
                let cancelled = tokio::select! {
                    outcome = self.stage.perform_within_limit(step, inputs) => Ok(outcome),
                    () = stopped => Err(End { status: Status::Cancelled, failure: None }),
                };
                match cancelled {
                    Ok(outcome) => outcome,
                    Err(ended) => return self.cancelled(step, started, inputs).ok_or(ended),
                }
            }
        };
        let ended = now_ms();
        self.own_ms += ended - started;
        let default_next = self.runbook.after(step).map(|after| after.name.clone());
        let (status, failure, outputs, next) = match outcome {
            Outcome::Done { outputs, next } => (Status::Success, None, outputs, next.or(default_next)),
            Outcome::Failed(message) => (Status::Failed, Some(message), BTreeMap::new(), default_next),
            Outcome::TimedOut(message) => (Status::TimedOut, Some(message), BTreeMap::new(), default_next),
        };
        let next = match (&failure, &step.on_failure) {
            (None, _) | (Some(_), OnFailure::Continue) => next,
            (Some(_), OnFailure::Step(name)) => Some(name.clone()),
            (Some(_), OnFailure::Abort) => None,
        };
        let inputs = resolved.ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
        let record = StepRecord {
            name: step.name.clone(),
            status,
            started_ms: started,
            ended_ms: ended,
            inputs: inputs.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
            outputs: outputs.clone(),
            response_code: failure.is_none().then(|| "0".to_string()),
            failure: failure.clone(),
        };
        self.note(record, next.clone());
        self.outputs.extend(outputs.into_iter().map(|(name, value)| (format!("{}.{name}", step.name), value)));
        if let Some(message) = failure {
            if step.on_failure == OnFailure::Abort {
                return Err(End { status, failure: Some(message) });
            }
            // A critical step that failed makes the whole execution fail, though the others were carried out.
            if step.is_critical {
                self.failure = Some(message);
            }
        }
        Ok(next)
    }

    /// Notes a step that was cut off by a cancellation, and gives the step that is to clean up after it, if any.
    fn cancelled(&mut self, step: &Step, started_ms: i64, inputs: &Value) -> Option<Option<String>> {
        let next = step.on_cancel.clone()?;
        let record = StepRecord {
            name: step.name.clone(),
            status: Status::Cancelled,
            started_ms,
            ended_ms: now_ms(),
            inputs: inputs.as_object().into_iter().flatten().map(|(n, value)| (n.clone(), value.to_string())).collect(),
            outputs: BTreeMap::new(),
            response_code: None,
            failure: None,
        };
        self.note(record, Some(next.clone()));
        self.cleaning = true;
        Some(Some(next))
    }

    fn note(&self, record: StepRecord, next: Option<String>) {
        let world = &self.stage.world;
        // Should the journal fail here, the step is done again after a restart.
        let _ = world.journal.append(&Entry::Step {
            account: world.organization.accounts[self.place.account].id.clone(),
            region: self.stage.region.clone(),
            id: self.id.clone(),
            step: Box::new(record.clone()),
            next: next.clone(),
        });
        self.with_execution(|execution| {
            execution.steps.push(record);
            execution.next_step = next;
            execution.step_started_ms = None;
        });
    }

    fn with_execution<T>(&self, work: impl FnOnce(&mut Execution) -> T) -> T {
        let Place { account, region } = self.place;
        self.stage.world.with_region(account, region, |state| work(&mut state.executions.all[self.index]))
    }

    /// What a running step has to obey.
    fn stop(&self) -> Option<Stop> {
        if self.cleaning { None } else { self.asked_to_stop() }
    }

    fn asked_to_stop(&self) -> Option<Stop> {
        self.with_execution(|execution| execution.stop)
    }

    /// Waits until this share of the execution's time has passed, or it is cancelled.
    async fn pace(&self, share: f64) {
        let due = self.running_ms + self.own_ms + (self.takes_ms as f64 * share) as i64;
        loop {
            let left = due - now_ms();
            if left <= 0 || self.stop() == Some(Stop::Cancel) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left as u64)) => return,
                () = self.bell.notified() => {}
            }
        }
    }

    fn lookup(&self, name: &str) -> Option<Value> {
        let world = &self.stage.world;
        match name {
            "global:ACCOUNT_ID" => Some(json!(world.organization.accounts[self.place.account].id)),
            "global:REGION" => Some(json!(self.stage.region)),
            "global:DATE" => Some(json!(crate::wire::iso8601(now_ms())[..10])),
            "global:DATE_TIME" => Some(json!(crate::wire::iso8601(now_ms()))),
            "automation:EXECUTION_ID" => Some(json!(self.id)),
            _ => self.values.get(name).or_else(|| self.outputs.get(name)).cloned(),
        }
    }
}

fn end(
    world: &Arc<World>,
    place: Place,
    index: usize,
    ended: End,
    outputs: &BTreeMap<String, Value>,
    runbook: Option<&Runbook>,
) {
    const NO_OUTPUT: &str = "No output available yet because the step is not successfully executed";
    let texts = |value: &Value| match value {
        Value::Array(items) => items.iter().map(text_of).collect(),
        one => vec![text_of(one)],
    };
    let outputs: BTreeMap<String, Vec<String>> = runbook
        .map(|runbook| runbook.outputs.iter())
        .into_iter()
        .flatten()
        .map(|name| (name.clone(), outputs.get(name).map_or_else(|| vec![NO_OUTPUT.into()], texts)))
        .collect();
    let now = now_ms();
    world.with_account(place.account, |account| {
        let executions = &mut world.region_of(account, place.account, place.region).executions;
        let execution = &mut executions.all[index];
        let _ = world.journal.append(&Entry::Ended(Box::new(EndEntry {
            account: world.organization.accounts[place.account].id.clone(),
            region: world.spec.regions[place.region].clone(),
            id: execution.id.clone(),
            status: ended.status,
            at_ms: now,
            outputs: outputs.clone(),
            failure: ended.failure.clone(),
        })));
        execution.status = ended.status;
        execution.ended_ms = Some(now);
        execution.outputs = outputs;
        execution.failure = ended.failure;
        execution.step_started_ms = None;
        executions.running -= 1;
        account.recount();
    });
    admit(world, place);
}
