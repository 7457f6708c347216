//! The instances of a stack set: deployed, updated, taken away, shown. Each is a stack in its account and Region, made there
//! by the role that StackSets has in each account, which may do everything that control policies leave it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::deploy::Deployment;
use super::input::{Fields, token};
use super::request::{kept, parameters};
use super::stack_operations::{preferences, tolerance};
use super::stack_sets::{self, of_input};
use super::stack_shapes;
use super::stacks::{self, template_of};
use super::targets::{self, MOST_UNITS, deployment_targets, no_accounts, regions};
use super::template::Given;
use super::{Call, invalid, page};
use crate::journal::Entry;
use crate::random::Random;
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::place::Place;
use crate::world::role_record::RoleRecord;
use crate::world::session::{Caller, CallerKind};
use crate::world::stacks::{
    InstanceRecord, OperationRecord, Preferences, ResultRecord, StackRecord, StackSetChange, StackSetRecord, Targets,
};

/// What an operation is to do.
pub(super) struct Order {
    pub(super) action: &'static str,
    pub(super) id: String,
    pub(super) targets: Option<Targets>,
    pub(super) preferences: Preferences,
    pub(super) retain: Option<bool>,
    /// Beside those that an instance has already.
    pub(super) overrides: BTreeMap<String, String>,
}

/// `OperationId`, or one that is made up; each is used once.
pub(super) fn operation_id(set: &StackSetRecord, fields: &mut Fields) -> Result<String, AwsError> {
    let id = token(fields, "OperationId")?.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    match set.operations.iter().any(|operation| operation.id == id) {
        true => {
            let message = format!("The operation {id} already exists.");
            Err(AwsError::new(409, "OperationIdAlreadyExistsException", message))
        }
        false => Ok(id),
    }
}

pub(super) fn put(call: &Call<'_>, set: &StackSetRecord, instance: InstanceRecord) -> Result<(), AwsError> {
    let change = StackSetChange::Instance { set: set.id.clone(), instance: Box::new(instance) };
    call.world.change_stack_set(call.place.region, change)
}

/// Values in place of the set's own: only of its template's parameters.
fn overrides(call: &Call<'_>, set: &StackSetRecord, given: &[Given]) -> Result<BTreeMap<String, String>, AwsError> {
    let template = template_of(call.world, &set.template)?;
    let own = |key: &String| given.iter().all(|one| one.key != *key);
    let others = set.parameters.iter().filter(|(key, _)| own(key));
    let others = others.map(|(key, value)| Given { key: key.clone(), value: Some(value.clone()) });
    let all: Vec<Given> = given.iter().cloned().chain(others).collect();
    template.values(&all, Some(&set.parameters)).map_err(invalid)?;
    Ok(given.iter().filter_map(|one| Some((one.key.clone(), one.value.clone()?))).collect())
}

pub(super) fn create(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    stack_sets::trusted(call.world)?;
    no_accounts(fields)?;
    let targets = deployment_targets(fields)?
        .filter(|targets| !targets.units.is_empty())
        .ok_or_else(|| invalid("DeploymentTargets must name OrganizationalUnitIds for a SERVICE_MANAGED stack set"))?;
    let regions = regions(call.world, fields, true)?;
    let overrides = overrides(call, &set, &parameters(fields, "ParameterOverrides")?)?;
    let preferences = preferences(fields)?;
    let id = operation_id(&set, fields)?;
    fields.finish()?;
    // The model: UNION is what no filter means, and is not supported here.
    let joined = targets.filter.as_deref() == Some("UNION");
    if joined || targets.filter.is_none() && !targets.accounts.is_empty() {
        return Err(invalid(
            "AccountFilterType UNION is not supported for CreateStackInstances: say INTERSECTION or DIFFERENCE",
        ));
    }
    if targets.units.len() > MOST_UNITS {
        return Err(invalid(format!("CreateStackInstances supports at most {MOST_UNITS} organizational units")));
    }
    let accounts = targets::accounts(call.world, &targets)?;
    let mut chosen = Vec::new();
    for (account, unit) in &accounts {
        for region in &regions {
            let key = (call.world.organization.accounts[*account].id.clone(), region.clone());
            let former = set.instances.get(&key).cloned();
            chosen.push(former.unwrap_or_else(|| InstanceRecord {
                account: key.0,
                region: key.1,
                unit: unit.clone(),
                ..InstanceRecord::default()
            }));
        }
    }
    let mut wider = set.as_ref().clone();
    stack_sets::deployed_to(&mut wider, &targets);
    call.world.change_stack_set(call.place.region, StackSetChange::Set(Box::new(wider)))?;
    let order = Order { action: "CREATE", id, targets: Some(targets), preferences, retain: None, overrides };
    let id = carry_out(call, &set, order, chosen)?;
    Ok(json!({ "OperationId": id }))
}

/// The instances that targets and Regions name, among those that are there.
pub(super) fn existing(
    world: &World,
    set: &StackSetRecord,
    targets: &Targets,
    regions: &[String],
) -> Result<Vec<InstanceRecord>, AwsError> {
    let accounts = targets::accounts(world, targets)?;
    let ids: BTreeSet<&String> = accounts.iter().map(|(at, _)| &world.organization.accounts[*at].id).collect();
    let chosen = set.instances.values().filter(|one| ids.contains(&one.account) && regions.contains(&one.region));
    Ok(chosen.cloned().collect())
}

pub(super) fn update(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    stack_sets::trusted(call.world)?;
    no_accounts(fields)?;
    let targets = deployment_targets(fields)?.ok_or_else(|| invalid("DeploymentTargets must be specified"))?;
    let regions = regions(call.world, fields, true)?;
    let overrides = overrides(call, &set, &parameters(fields, "ParameterOverrides")?)?;
    let preferences = preferences(fields)?;
    let id = operation_id(&set, fields)?;
    fields.finish()?;
    let chosen = existing(call.world, &set, &targets, &regions)?;
    if chosen.is_empty() {
        return Err(no_instance("for these targets and Regions"));
    }
    let order = Order { action: "UPDATE", id, targets: Some(targets), preferences, retain: None, overrides };
    let id = carry_out(call, &set, order, chosen)?;
    Ok(json!({ "OperationId": id }))
}

pub(super) fn delete(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    stack_sets::trusted(call.world)?;
    no_accounts(fields)?;
    let targets = deployment_targets(fields)?.ok_or_else(|| invalid("DeploymentTargets must be specified"))?;
    let regions = regions(call.world, fields, true)?;
    let retain = fields.flag("RetainStacks")?.ok_or_else(|| super::input::missing("RetainStacks"))?;
    let preferences = preferences(fields)?;
    let id = operation_id(&set, fields)?;
    fields.finish()?;
    let chosen = existing(call.world, &set, &targets, &regions)?;
    let order = Order {
        action: "DELETE",
        id,
        targets: Some(targets),
        preferences,
        retain: Some(retain),
        overrides: BTreeMap::new(),
    };
    let id = carry_out(call, &set, order, chosen)?;
    // A set without instances is deployed nowhere.
    if let Some(now) = stack_sets::find(call.world, call.place.region, &set.id).filter(|now| now.instances.is_empty()) {
        let bare = StackSetRecord { units: Vec::new(), ..now.as_ref().clone() };
        call.world.change_stack_set(call.place.region, StackSetChange::Set(Box::new(bare)))?;
    }
    Ok(json!({ "OperationId": id }))
}

fn no_instance(what: &str) -> AwsError {
    AwsError::new(404, "StackInstanceNotFoundException", format!("There is no stack instance {what}"))
}

/// Region by Region, in each account by account, until more of them have failed in one Region than may.
pub(super) fn carry_out(
    call: &Call<'_>,
    set: &StackSetRecord,
    order: Order,
    chosen: Vec<InstanceRecord>,
) -> Result<String, AwsError> {
    let world = call.world;
    let mut operation = OperationRecord {
        id: order.id.clone(),
        action: order.action.into(),
        status: "RUNNING".into(),
        targets: order.targets.clone(),
        preferences: order.preferences.clone(),
        retain: order.retain,
        created_ms: now_ms(),
        ..OperationRecord::default()
    };
    let note = |operation: &OperationRecord| {
        let change = StackSetChange::Operation { set: set.id.clone(), operation: Box::new(operation.clone()) };
        world.change_stack_set(call.place.region, change)
    };
    note(&operation)?;
    let mut in_order = order.preferences.region_order.clone();
    let others: Vec<String> =
        chosen.iter().map(|one| one.region.clone()).filter(|one| !in_order.contains(one)).collect();
    for region in others {
        if !in_order.contains(&region) {
            in_order.push(region);
        }
    }
    let mut stopped = false;
    for region in &in_order {
        let here: Vec<&InstanceRecord> = chosen.iter().filter(|one| one.region == *region).collect();
        let tolerated = tolerance(&order.preferences, here.len());
        let mut failures = 0;
        for instance in here {
            let mut instance = instance.clone();
            instance.last_operation.clone_from(&order.id);
            let account = world.organization.find(&instance.account);
            let active = account.is_some_and(|account| world.organization.accounts[account].state == "ACTIVE");
            // What has no stack, or is to leave it, needs nobody in the account.
            let lets_go = order.action == "DELETE" && (order.retain == Some(true) || instance.stack.is_none());
            if !active && !lets_go {
                operation.skipped += 1;
                instance.detailed = "SKIPPED_SUSPENDED_ACCOUNT".into();
                instance.status = "OUTDATED".into();
                put(call, set, instance)?;
                continue;
            }
            let mut result = ResultRecord {
                account: instance.account.clone(),
                region: region.clone(),
                unit: instance.unit.clone(),
                status: "CANCELLED".into(),
                reason: Some("Cancelled since failure tolerance has exceeded".into()),
            };
            if stopped {
                (instance.detailed, instance.reason) = ("CANCELLED".into(), result.reason.clone());
                if order.action == "UPDATE" || instance.stack.is_none() {
                    instance.status = "OUTDATED".into();
                }
                put(call, set, instance)?;
            } else {
                result.reason = one(call, set, &order, instance, account.unwrap_or_default())?;
                result.status = if result.reason.is_some() { "FAILED" } else { "SUCCEEDED" }.into();
                failures += usize::from(result.reason.is_some());
                stopped = failures > tolerated;
            }
            operation.results.push(result);
        }
    }
    operation.status = if stopped { "FAILED" } else { "SUCCEEDED" }.into();
    operation.ended_ms = Some(now_ms());
    note(&operation)?;
    Ok(order.id)
}

/// One instance; the reason when it failed.
fn one(
    call: &Call<'_>,
    set: &StackSetRecord,
    order: &Order,
    mut instance: InstanceRecord,
    account: usize,
) -> Result<Option<String>, AwsError> {
    let world = call.world;
    let place = Place { account, region: world.region_index(&instance.region).unwrap_or_default() };
    let found = stack_of(world, place, &set.id);
    if order.action == "DELETE" {
        if order.retain != Some(true)
            && let Some(stack) = found
        {
            let caller = execution_role(world, account)?;
            let mut deployment = work(call, &caller, place, stack.as_ref().clone());
            deployment.delete(&[])?;
            if deployment.stack.is_there() {
                let reason = why(&deployment.stack);
                instance.status = "INOPERABLE".into();
                (instance.detailed, instance.reason) = ("INOPERABLE".into(), Some(reason.clone()));
                put(call, set, instance)?;
                return Ok(Some(reason));
            }
        } else if let Some(stack) = found {
            // It is no longer the set's.
            world.keep_stack(place, &StackRecord { stack_set: None, ..stack.as_ref().clone() })?;
        }
        let InstanceRecord { account, region, .. } = instance;
        let change = StackSetChange::InstanceGone { set: set.id.clone(), account, region };
        world.change_stack_set(call.place.region, change)?;
        return Ok(None);
    }
    let caller = execution_role(world, account)?;
    instance.overrides.extend(order.overrides.clone());
    let mut values = set.parameters.clone();
    values.extend(
        instance
            .overrides
            .iter()
            .filter(|(key, _)| set.parameters.contains_key(*key))
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    let wanted = kept(world, &set.template, values, &set.capabilities, &set.tags)?;
    // A stack whose creation failed can only be made anew.
    let (fit, unfit): (Vec<_>, Vec<_>) = found.into_iter().partition(|stack| stacks::updatable(stack).is_ok());
    for stack in unfit {
        work(call, &caller, place, stack.as_ref().clone()).delete(&[])?;
    }
    let deployment = match fit.into_iter().next() {
        Some(stack) => {
            let mut deployment = work(call, &caller, place, stack.as_ref().clone());
            if deployment.changes(&wanted)?.1 {
                deployment.update(&wanted, false)?;
            }
            deployment
        }
        None => {
            let mut stack = stacks::new(world, place, &format!("StackSet-{}-{}", set.name, uuid::Uuid::new_v4()));
            stack.stack_set = Some(set.id.clone());
            let mut deployment = work(call, &caller, place, stack);
            deployment.create(&wanted, "ROLLBACK")?;
            deployment
        }
    };
    instance.stack = Some(deployment.stack.id.clone());
    let done = ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&deployment.stack.status.as_str());
    instance.reason = (!done).then(|| why(&deployment.stack));
    instance.status = if done { "CURRENT" } else { "OUTDATED" }.into();
    instance.detailed = if done { "SUCCEEDED" } else { "FAILED" }.into();
    let reason = instance.reason.clone();
    put(call, set, instance)?;
    Ok(reason)
}

fn work<'a>(call: &Call<'a>, caller: &'a Caller, place: Place, stack: StackRecord) -> Deployment<'a> {
    Deployment { world: call.world, caller, place, stack, token: None }
}

/// The stack of this set in one account and Region.
fn stack_of(world: &World, place: Place, set: &str) -> Option<Arc<StackRecord>> {
    world.stacks.of(place).into_iter().find(|stack| stack.is_there() && stack.stack_set.as_deref() == Some(set))
}

/// What of a stack failed, and why.
fn why(stack: &StackRecord) -> String {
    let of_resources = stack.events.iter().rev().filter(|event| event.kind != "AWS::CloudFormation::Stack");
    let failed = of_resources.into_iter().find(|event| event.status.ends_with("_FAILED") && event.reason.is_some());
    match failed {
        Some(event) => format!(
            "ResourceLogicalId:{}, ResourceType:{}, ResourceStatusReason:{}.",
            event.logical,
            event.kind,
            event.reason.as_deref().unwrap_or_default()
        ),
        None => stack.reason.clone().unwrap_or_default(),
    }
}

/// A session of the role by which StackSets works in an account; the role is made there when it is first needed.
fn execution_role(world: &World, account: usize) -> Result<Caller, AwsError> {
    let partition = world.spec.partition;
    let name =
        format!("stacksets-exec-{}", Random::new(world.spec.seed, "stacksets-exec", 0).text(b"0123456789abcdef", 32));
    let account_id = &world.organization.accounts[account].id;
    if world.role_record(account, &name).is_none() {
        let administrator = partition.iam_arn(
            &world.organization.accounts[Organization::MANAGEMENT].id,
            "role/aws-service-role/stacksets.cloudformation.amazonaws.com/AWSServiceRoleForCloudFormationStackSetsOrgAdmin",
        );
        let id = Random::new(world.spec.seed, "stacksets-exec-id", account as u64).text(crate::random::KEY_ID, 17);
        let role = RoleRecord {
            name: name.clone(),
            path: "/".into(),
            id: format!("AROA{id}"),
            description: "Role assumed by AWSServiceRoleForCloudFormationStackSetsOrgAdmin to provision resources in member accounts".into(),
            trust: crate::policy::shipped::trust(&administrator, &["sts:AssumeRole"]).into(),
            max_session_seconds: 3600,
            created_ms: now_ms(),
            tags: Vec::new(),
            policies: BTreeMap::new(),
            attached: vec![partition.iam_arn("aws", "policy/AdministratorAccess")],
            boundary: None,
        };
        world.journal.append(&Entry::Role { account: account_id.clone(), role: Box::new(role.clone()) })?;
        world.roles.put(account, &name, role);
    }
    let id = world.role_record(account, &name).map(|role| role.id.clone()).unwrap_or_default();
    Ok(Caller {
        account,
        arn: partition.session_arn(account_id, &name, "StackSets").into(),
        user_id: format!("{id}:StackSets").into(),
        kind: CallerKind::RoleSession,
        session: None,
    })
}

/// The members that DescribeStackInstance and ListStackInstances show alike.
fn shape(set: &StackSetRecord, instance: &InstanceRecord) -> Value {
    json!({
        "StackSetId": set.id,
        "Region": instance.region,
        "Account": instance.account,
        "StackId": instance.stack,
        "Status": instance.status,
        "StatusReason": instance.reason,
        "StackInstanceStatus": { "DetailedStatus": instance.detailed },
        "OrganizationalUnitId": instance.unit,
        "DriftStatus": "NOT_CHECKED",
        "LastOperationId": instance.last_operation,
    })
}

pub(super) fn describe(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    let account = fields.required("StackInstanceAccount")?;
    let region = fields.required("StackInstanceRegion")?;
    fields.finish()?;
    let found = set.instances.get(&(account.clone(), region.clone()));
    let instance = found.ok_or_else(|| no_instance(&format!("of {} in {account} {region}", set.name)))?;
    let template = template_of(call.world, &set.template)?;
    let mut shape = shape(&set, instance);
    shape["ParameterOverrides"] = stack_shapes::parameters(&template, &instance.overrides);
    Ok(json!({ "StackInstance": shape }))
}

pub(super) fn list(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    let most = fields.number("MaxResults", 1, 100)?.unwrap_or(100) as usize;
    let account = fields.text("StackInstanceAccount")?;
    let region = fields.text("StackInstanceRegion")?;
    let (mut detailed, mut operation) = (None, None);
    for mut filter in fields.structures("Filters")? {
        let name = filter.word("Name", &["DETAILED_STATUS", "LAST_OPERATION_ID"])?;
        let values = filter.text("Values")?;
        filter.finish()?;
        match name.as_deref() {
            Some("DETAILED_STATUS") => detailed = values,
            _ => operation = values,
        }
    }
    let fits = |wanted: &Option<String>, value: &String| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let shown = set.instances.values().filter(|one| {
        fits(&account, &one.account)
            && fits(&region, &one.region)
            && fits(&detailed, &one.detailed)
            && fits(&operation, &one.last_operation)
    });
    let shown: Vec<Value> = shown.map(|one| shape(&set, one)).collect();
    page(fields, "Summaries", &shown, most)
}
