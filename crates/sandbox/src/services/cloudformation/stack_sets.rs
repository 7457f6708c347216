//! Stack sets: made, changed, shown, deleted; who may at all. Service-managed ones alone; they are all the management
//! account's, also those that a delegated administrator makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::input::{self, Fields, length, token};
use super::request::{self, acknowledged, body, parameters, read};
use super::stack_instances::{self, Order};
use super::stack_operations::preferences;
use super::stack_shapes;
use super::stacks::template_of;
use super::targets::{self, deployment_targets, regions};
use super::{Call, arn_of, invalid, page, tags};
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::organization_state::OrganizationChange;
use crate::world::place::Place;
use crate::world::stacks::{AutoDeployment, InstanceRecord, StackSetChange, StackSetRecord, Targets};

/// Of one administrator account (CloudFormation guide, quotas).
const MOST: usize = 1000;
/// Trusted access of StackSets, and what an administrator is delegated for.
const SERVICE: &str = "member.org.stacksets.cloudformation.amazonaws.com";

/// The stack set of this name or id that is there.
pub(super) fn find(world: &World, region: usize, name_or_id: &str) -> Option<Arc<StackSetRecord>> {
    world.stacks.sets(region).into_iter().find(|set| !set.deleted && (set.name == name_or_id || set.id == name_or_id))
}

/// `CallAs`: the management account for itself, or a delegated administrator as such. Whether the caller is one of them.
fn is_administrator(call: &Call<'_>, fields: &mut Fields) -> Result<bool, AwsError> {
    let delegated = fields.word("CallAs", &["SELF", "DELEGATED_ADMIN"])?.as_deref() == Some("DELEGATED_ADMIN");
    let now = call.world.organization_state.now();
    let registered = now.administrators.contains_key(&(call.caller.account, SERVICE.to_owned()));
    match delegated && !registered {
        true => Err(invalid("Account used is not a delegated administrator")),
        false => Ok(delegated || call.caller.account == Organization::MANAGEMENT),
    }
}

/// Whoever makes or deploys something, through the trust that the organization has in StackSets.
pub(super) fn trusted(world: &World) -> Result<(), AwsError> {
    match world.organization_state.now().services.contains_key(SERVICE) {
        true => Ok(()),
        false => Err(invalid("You must enable organizations access to operate a service managed stack set")),
    }
}

/// ActivateOrganizationsAccess, by the management account alone; it may be repeated.
pub(super) fn activate_access(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    fields.finish()?;
    if call.caller.account != Organization::MANAGEMENT {
        let message = "You must be the management account of an organization to activate organizations access";
        return Err(AwsError::client("InvalidOperationException", message));
    }
    if trusted(call.world).is_err() {
        let since_ms = Some(crate::wire::now_ms());
        call.world.change_organization(OrganizationChange::Service { principal: SERVICE.to_owned(), since_ms })?;
    }
    Ok(json!({}))
}

/// DescribeOrganizationsAccess
pub(super) fn describe_access(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let administers = is_administrator(call, fields)?;
    fields.finish()?;
    if !administers {
        let message = "You must be the management account or delegated admin account of an organization";
        return Err(AwsError::client("InvalidOperationException", message));
    }
    let status = if trusted(call.world).is_ok() { "ENABLED" } else { "DISABLED" };
    Ok(json!({ "Status": status }))
}

/// The stack set that is named, for whom it is there.
pub(super) fn named(call: &Call<'_>, fields: &mut Fields, name: &str) -> Result<Arc<StackSetRecord>, AwsError> {
    let administers = is_administrator(call, fields)?;
    let found = find(call.world, call.place.region, name).filter(|_| administers);
    found.ok_or_else(|| AwsError::new(404, "StackSetNotFoundException", format!("StackSet {name} not found")))
}

/// `StackSetName` of the input.
pub(super) fn of_input(call: &Call<'_>, fields: &mut Fields) -> Result<Arc<StackSetRecord>, AwsError> {
    let name = fields.required("StackSetName")?;
    named(call, fields, &name)
}

fn auto_deployment(fields: &mut Fields) -> Result<Option<AutoDeployment>, AwsError> {
    let Some(mut given) = fields.structure("AutoDeployment")? else { return Ok(None) };
    let (enabled, retain) = (given.flag("Enabled")?, given.flag("RetainStacksOnAccountRemoval")?);
    given.finish()?;
    match (enabled, retain) {
        (Some(true), None) => {
            Err(invalid("RetainStacksOnAccountRemoval must be specified when AutoDeployment is enabled"))
        }
        (None | Some(false), Some(_)) => {
            Err(invalid("RetainStacksOnAccountRemoval can be specified only when AutoDeployment is enabled"))
        }
        _ => Ok(Some(AutoDeployment { enabled: enabled.unwrap_or(false), retain: retain.unwrap_or(false) })),
    }
}

fn managed_execution(fields: &mut Fields) -> Result<Option<bool>, AwsError> {
    let Some(mut given) = fields.structure("ManagedExecution")? else { return Ok(None) };
    let active = given.flag("Active")?;
    given.finish()?;
    Ok(active)
}

/// Only what the organization itself looks after is here.
fn permission_model(fields: &mut Fields, otherwise: &str) -> Result<(), AwsError> {
    let model = fields.word("PermissionModel", &["SERVICE_MANAGED", "SELF_MANAGED"])?;
    match model.as_deref().unwrap_or(otherwise) {
        "SERVICE_MANAGED" => Ok(()),
        _ => Err(invalid(
            "Self-managed stack sets are not modelled by this sandbox: say --permission-model SERVICE_MANAGED",
        )),
    }
}

pub(super) fn create(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackSetName")?;
    input::name("StackSetName", &name)?;
    permission_model(fields, "SELF_MANAGED")?;
    if !is_administrator(call, fields)? {
        let message = "You must be the management account or delegated admin account of an organization before operating a \
                       SERVICE_MANAGED stack set";
        return Err(invalid(message));
    }
    trusted(call.world)?;
    let auto_deployment = auto_deployment(fields)?
        .ok_or_else(|| invalid("AutoDeployment must be specified when the permission model is SERVICE_MANAGED"))?;
    let description = fields.text("Description")?;
    description.as_deref().map(|text| length("Description", text, 1, 1024)).transpose()?;
    let token = token(fields, "ClientRequestToken")?;
    let managed_execution = managed_execution(fields)?.unwrap_or(false);
    let wanted = request::for_new(call.world, fields)?;
    fields.finish()?;
    if let Some(set) = find(call.world, call.place.region, &name) {
        // The request may have been sent twice.
        if token.is_some() && set.token == token {
            return Ok(json!({ "StackSetId": set.id }));
        }
        let message = format!("The StackSet {name} already exists.");
        return Err(AwsError::new(409, "NameAlreadyExistsException", message));
    }
    if call.world.stacks.sets(call.place.region).iter().filter(|set| !set.deleted).count() >= MOST {
        let message = format!("The number of stack sets has reached its limit of {MOST}.");
        return Err(AwsError::client("LimitExceededException", message));
    }
    let id = format!("{name}:{}", uuid::Uuid::new_v4());
    let set = StackSetRecord {
        id: id.clone(),
        name,
        token,
        description,
        template: wanted.template_id,
        parameters: wanted.parameters,
        capabilities: wanted.capabilities,
        tags: wanted.tags,
        auto_deployment,
        managed_execution,
        ..StackSetRecord::default()
    };
    call.world.change_stack_set(call.place.region, StackSetChange::Set(Box::new(set)))?;
    Ok(json!({ "StackSetId": id }))
}

/// Changes the set, and with it all its instances, or those that are named.
pub(super) fn update(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let former = of_input(call, fields)?;
    trusted(call.world)?;
    permission_model(fields, "SERVICE_MANAGED")?;
    let mut set = former.as_ref().clone();
    let previous = fields.flag("UsePreviousTemplate")?.unwrap_or(false);
    let body = match (body(fields)?, previous) {
        (Some(body), false) => body,
        (None, true) => call.world.stacks.template(&set.template).to_string(),
        _ => return Err(invalid("Either Template URL, Template Body or UsePreviousTemplate must be specified.")),
    };
    let template = read(&body)?;
    let given = parameters(fields, "Parameters")?;
    set.parameters = template.values(&given, Some(&set.parameters)).map_err(invalid)?;
    // Here no capabilities means the former ones.
    let capabilities = request::capabilities(fields)?;
    if !capabilities.is_empty() {
        set.capabilities = capabilities;
    }
    acknowledged(&template, &set.capabilities)?;
    if let Some(description) = fields.text("Description")? {
        length("Description", &description, 1, 1024)?;
        set.description = Some(description);
    }
    if let Some(tags) = fields.tags()? {
        set.tags = tags;
    }
    if let Some(auto_deployment) = auto_deployment(fields)? {
        set.auto_deployment = auto_deployment;
    }
    if let Some(active) = managed_execution(fields)? {
        set.managed_execution = active;
    }
    let operation = stack_instances::operation_id(&former, fields)?;
    let preferences = preferences(fields)?;
    let targets = deployment_targets(fields)?;
    let regions = regions(call.world, fields, targets.is_some())?;
    targets::no_accounts(fields)?;
    fields.finish()?;
    if targets.is_none() && !regions.is_empty() {
        return Err(invalid("DeploymentTargets and Regions must be specified together, or neither of them"));
    }
    let chosen: Option<Vec<InstanceRecord>> = match &targets {
        None => None,
        Some(targets) => Some(stack_instances::existing(call.world, &former, targets, &regions)?),
    };
    set.template = call.world.keep_template(&body)?;
    let other = set.template != former.template || set.parameters != former.parameters || set.tags != former.tags;
    call.world.change_stack_set(call.place.region, StackSetChange::Set(Box::new(set.clone())))?;
    if other {
        // All are out of date until their turn comes.
        for instance in former.instances.values().filter(|one| one.status == "CURRENT") {
            let outdated = InstanceRecord { status: "OUTDATED".into(), ..instance.clone() };
            stack_instances::put(call, &set, outdated)?;
        }
    }
    let chosen = chosen.unwrap_or_else(|| former.instances.values().cloned().collect());
    let order =
        Order { action: "UPDATE", id: operation, targets, preferences, retain: None, overrides: BTreeMap::new() };
    let id = stack_instances::carry_out(call, &set, order, chosen)?;
    Ok(json!({ "OperationId": id }))
}

fn auto_deployment_shape(set: &StackSetRecord) -> Value {
    let AutoDeployment { enabled, retain } = set.auto_deployment;
    match enabled {
        true => json!({ "Enabled": true, "RetainStacksOnAccountRemoval": retain }),
        false => json!({ "Enabled": false }),
    }
}

pub(super) fn describe(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let set = of_input(call, fields)?;
    fields.finish()?;
    let template = template_of(call.world, &set.template)?;
    let home = arn_of(call.world, Place { account: Organization::MANAGEMENT, ..call.place });
    let mut regions: Vec<&String> = set.instances.values().map(|instance| &instance.region).collect();
    regions.sort();
    regions.dedup();
    Ok(json!({ "StackSet": {
        "StackSetName": set.name,
        "StackSetId": set.id,
        "Description": set.description,
        "Status": "ACTIVE",
        "TemplateBody": &*call.world.stacks.template(&set.template),
        "Parameters": stack_shapes::parameters(&template, &set.parameters),
        "Capabilities": set.capabilities,
        "Tags": tags(&set.tags),
        "StackSetARN": format!("{home}:stackset/{}", set.id),
        "StackSetDriftDetectionDetails": { "DriftStatus": "NOT_CHECKED" },
        "AutoDeployment": auto_deployment_shape(&set),
        "PermissionModel": "SERVICE_MANAGED",
        "OrganizationalUnitIds": set.units,
        "ManagedExecution": { "Active": set.managed_execution },
        "Regions": regions,
    } }))
}

/// A set that is not there is as good as deleted; one with instances stays.
pub(super) fn delete(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    let name = fields.required("StackSetName")?;
    let found = named(call, fields, &name);
    fields.finish()?;
    let mut set = match found {
        Err(error) if error.code == "StackSetNotFoundException" => return Ok(json!({})),
        found => found?.as_ref().clone(),
    };
    if !set.instances.is_empty() {
        return Err(AwsError::new(409, "StackSetNotEmptyException", format!("StackSet {name} is not empty")));
    }
    set.deleted = true;
    call.world.change_stack_set(call.place.region, StackSetChange::Set(Box::new(set)))?;
    Ok(json!({}))
}

pub(super) fn list(call: &Call<'_>, fields: &mut Fields) -> Result<Value, AwsError> {
    // A member's own would be self-managed ones, of which there are none.
    let administers = is_administrator(call, fields)?;
    let status = fields.word("Status", &["ACTIVE", "DELETED"])?;
    let most = fields.number("MaxResults", 1, 100)?.unwrap_or(100) as usize;
    let all = call.world.stacks.sets(call.place.region);
    let shown = all.iter().filter(|set| administers && set.deleted == (status.as_deref() == Some("DELETED")));
    let shown = shown.map(|set| {
        json!({
            "StackSetName": set.name,
            "StackSetId": set.id,
            "Description": set.description,
            "Status": if set.deleted { "DELETED" } else { "ACTIVE" },
            "AutoDeployment": auto_deployment_shape(set),
            "PermissionModel": "SERVICE_MANAGED",
            "DriftStatus": "NOT_CHECKED",
            "ManagedExecution": { "Active": set.managed_execution },
        })
    });
    let shown: Vec<Value> = shown.collect();
    page(fields, "Summaries", &shown, most)
}

/// The root or the units that the set is deployed to from now on.
pub(super) fn deployed_to(set: &mut StackSetRecord, targets: &Targets) {
    for unit in &targets.units {
        if !set.units.contains(unit) {
            set.units.push(unit.clone());
        }
    }
}
