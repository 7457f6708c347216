//! Trusted services and delegated administrators. A delegated administrator of any service may read the organization.

use serde_json::{Value, json};

use super::{account, constraint, invalid, page};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::organization_state::OrganizationChange;

pub(super) fn is_administrator(world: &World, account: usize) -> bool {
    world.organization_state.now().administrators.keys().any(|(of, _)| *of == account)
}

fn shaped(principal: &str) -> Result<(), AwsError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(1..=128).contains(&principal.len()) || !principal.chars().all(legal) {
        return Err(invalid("INVALID_PATTERN"));
    }
    // Which services there are is not known here, only how they are called.
    match principal.strip_suffix(".amazonaws.com").is_some_and(|name| !name.is_empty()) {
        true => Ok(()),
        false => Err(invalid("UNRECOGNIZED_SERVICE_PRINCIPAL")),
    }
}

fn principal(input: &mut Input) -> Result<String, AwsError> {
    let principal = input.required_text("ServicePrincipal")?;
    shaped(&principal).map(|()| principal)
}

/// EnableAWSServiceAccess and DisableAWSServiceAccess; either may be repeated.
pub(super) fn trust(world: &World, input: &mut Input, enabled: bool) -> Result<Value, AwsError> {
    let principal = principal(input)?;
    input.finish()?;
    let (since_ms, delegated) = {
        let now = world.organization_state.now();
        let since = now.services.get(&principal).copied();
        (since, now.administrators.keys().any(|(_, service)| *service == principal))
    };
    if !enabled && delegated {
        let message = "Deregister the delegated administrators of this service first.";
        return Err(constraint("DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE", message));
    }
    if enabled != since_ms.is_some() {
        let since_ms = enabled.then(now_ms);
        world.change_organization(OrganizationChange::Service { principal, since_ms })?;
    }
    Ok(json!({}))
}

pub(super) fn services(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let services: Vec<(String, i64)> = world.organization_state.now().services.clone().into_iter().collect();
    page(
        input,
        "EnabledServicePrincipals",
        &services,
        |(principal, since_ms)| json!({ "ServicePrincipal": principal, "DateEnabled": epoch(*since_ms) }),
    )
}

fn member(world: &World, input: &mut Input) -> Result<usize, AwsError> {
    let id = input.required_text("AccountId")?;
    if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid("INVALID_PATTERN"));
    }
    let missing = "We can't find an Amazon Web Services account with the AccountId that you specified.";
    world.organization.find(&id).ok_or_else(|| AwsError::client("AccountNotFoundException", missing))
}

pub(super) fn register(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let account = member(world, input)?;
    let principal = principal(input)?;
    input.finish()?;
    if account == Organization::MANAGEMENT {
        let message = "You cannot register the management account as a delegated administrator.";
        return Err(constraint("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", message));
    }
    if world.organization.accounts[account].state != "ACTIVE" {
        let message = "You cannot register a suspended account as a delegated administrator.";
        return Err(constraint("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR", message));
    }
    let (trusted, registered) = {
        let now = world.organization_state.now();
        let registered = now.administrators.contains_key(&(account, principal.clone()));
        (now.services.contains_key(&principal), registered)
    };
    if registered {
        let message = "The specified account is already a delegated administrator for this service.";
        return Err(AwsError::client("AccountAlreadyRegisteredException", message));
    }
    if !trusted {
        let message = "You must enable service access before you register a delegated administrator.";
        return Err(constraint("SERVICE_ACCESS_NOT_ENABLED", message));
    }
    store(world, account, principal, Some(now_ms()))
}

pub(super) fn deregister(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let account = member(world, input)?;
    let principal = principal(input)?;
    input.finish()?;
    if !world.organization_state.now().administrators.contains_key(&(account, principal.clone())) {
        let message = "The specified account is not a delegated administrator for this service.";
        return Err(AwsError::client("AccountNotRegisteredException", message));
    }
    store(world, account, principal, None)
}

fn store(world: &World, account: usize, principal: String, since_ms: Option<i64>) -> Result<Value, AwsError> {
    let account = world.organization.accounts[account].id.clone();
    world.change_organization(OrganizationChange::Administrator { account, principal, since_ms })?;
    Ok(json!({}))
}

/// ListDelegatedServicesForAccount
pub(super) fn services_of(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let account = member(world, input)?;
    let delegated: Vec<(String, i64)> = {
        let now = world.organization_state.now();
        let of_it = now.administrators.iter().filter(|((of, _), _)| *of == account);
        of_it.map(|((_, principal), since_ms)| (principal.clone(), *since_ms)).collect()
    };
    if delegated.is_empty() {
        let message = "The specified account is not a delegated administrator for this service.";
        return Err(AwsError::client("AccountNotRegisteredException", message));
    }
    page(
        input,
        "DelegatedServices",
        &delegated,
        |(principal, since_ms)| json!({ "ServicePrincipal": principal, "DelegationEnabledDate": epoch(*since_ms) }),
    )
}

pub(super) fn administrators(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let only = input.text("ServicePrincipal")?;
    only.as_deref().map(shaped).transpose()?;
    let mut shown: Vec<(usize, i64)> = Vec::new();
    for ((index, principal), since_ms) in &world.organization_state.now().administrators {
        if only.as_ref().is_some_and(|only| only != principal) {
            continue;
        }
        // Once, with the day on which it became one.
        match shown.iter_mut().find(|(known, _)| known == index) {
            Some((_, first)) => *first = (*first).min(*since_ms),
            None => shown.push((*index, *since_ms)),
        }
    }
    page(input, "DelegatedAdministrators", &shown, |(index, since_ms)| {
        let mut shape = account(world, &world.organization.accounts[*index]);
        if let Value::Object(members) = &mut shape {
            members.remove("Paths");
        }
        shape["DelegationEnabledDate"] = json!(epoch(*since_ms));
        shape
    })
}
