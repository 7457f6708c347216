//! PutConfigurationAggregator, DescribeConfigurationAggregators and DeleteConfigurationAggregator, and whom one looks at.

use serde_json::{Value, json};

use super::organization_packs::{administers, enable_access};
use super::permissions::pass_role;
use super::{invalid, limit, listed, page, shape, tags, without_nulls};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::config::{AccountSource, Aggregator, BUCKET, ConfigChange, OrganizationSource};
use crate::world::place::Place;
use crate::world::session::Caller;

/// Whose delegated administrators aggregate over the organization.
const CONFIG: &str = "config.amazonaws.com";
/// Config guide, service limits.
const MOST: usize = 50;
const MOST_ACCOUNTS: usize = 10_000;

pub(super) fn name_of(input: &mut Input) -> Result<String, AwsError> {
    let name = input.required_text("ConfigurationAggregatorName")?;
    aggregator_name("configurationAggregatorName", &name)?;
    Ok(name)
}

/// `[\w\-]+`
fn aggregator_name(member: &str, name: &str) -> Result<(), AwsError> {
    shape::length(member, Some(name), 1, 256)?;
    match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        true => Ok(()),
        false => Err(AwsError::validation(member, name, "Member must satisfy regular expression pattern: [\\w\\-]+")),
    }
}

fn no_such(name: &str) -> AwsError {
    let message =
        format!("The configuration aggregator {name} does not exist. Check the configuration aggregator name.");
    AwsError::client("NoSuchConfigurationAggregatorException", message)
}

pub(super) fn put(world: &World, caller: &Caller, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = name_of(input)?;
    let accounts = input.take("AccountAggregationSources");
    let organization = input.take("OrganizationAggregationSource");
    let aggregator_filters = input.take("AggregatorFilters");
    let tags = tags::read(input.tags()?)?;
    input.finish()?;
    let accounts: Option<Vec<AccountSource>> =
        accounts.map(|value| shape::read("accountAggregationSources", value)).transpose()?;
    let accounts = accounts.filter(|sources| !sources.is_empty());
    shape::count("accountAggregationSources", accounts.as_ref().map_or(0, Vec::len), 0, 1)?;
    match (&accounts, &organization) {
        (Some(_), Some(_)) | (None, None) => {
            let message = "You must choose either account aggregation sources or an organization aggregation source.";
            return Err(invalid(message));
        }
        (Some(sources), None) => check_accounts(world, &sources[0])?,
        (None, Some(_)) => {
            administers(world, place, CONFIG)?;
            enable_access(world, CONFIG)?;
        }
    }
    let organization = organization.map(|value| check_organization(world, caller, place, value)).transpose()?;
    check_filters(aggregator_filters.as_ref())?;
    let now = epoch(now_ms());
    let arn = Aggregator::arn_of(&world.config_arn(place), &name);
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        let former = config.aggregators.get(&name);
        if former.is_none() && config.aggregators.len() >= MOST {
            let message = format!("The account already has {MOST} configuration aggregators.");
            return Err(AwsError::client("LimitExceededException", message));
        }
        let is_new = former.is_none();
        let aggregator = Aggregator {
            configuration_aggregator_name: name.clone(),
            configuration_aggregator_arn: arn.clone(),
            account_aggregation_sources: accounts,
            organization_aggregation_source: organization,
            creation_time: former.map_or(now, |former| former.creation_time),
            last_updated_time: now,
            aggregator_filters,
        };
        let shown = without_nulls(json!({ "ConfigurationAggregator": aggregator }));
        let change = ConfigChange::Aggregator { name, aggregator: Some(Box::new(aggregator)) };
        world.change_config(place, config, change)?;
        if is_new {
            tags::put_new(world, place, config, &arn, tags)?;
        }
        Ok(shown)
    })
}

fn check_accounts(world: &World, source: &AccountSource) -> Result<(), AwsError> {
    let member = "accountAggregationSources.1.member";
    shape::count(&format!("{member}.accountIds"), source.account_ids.len(), 1, usize::MAX)?;
    for id in &source.account_ids {
        shape::account_id(&format!("{member}.accountIds.1.member"), id)?;
    }
    if source.account_ids.len() > MOST_ACCOUNTS {
        let message = format!("An aggregator has at most {MOST_ACCOUNTS} source accounts.");
        return Err(AwsError::client("LimitExceededException", message));
    }
    check_regions(world, member, source.all_aws_regions, source.aws_regions.as_deref())
}

fn check_organization(
    world: &World,
    caller: &Caller,
    place: Place,
    value: Value,
) -> Result<OrganizationSource, AwsError> {
    let member = "organizationAggregationSource";
    let source: OrganizationSource = shape::read(member, value)?;
    check_regions(world, member, source.all_aws_regions, source.aws_regions.as_deref())?;
    let account = &world.organization.accounts[place.account].id;
    // The model: "a null or empty ARN". A role of another account cannot be handed over either.
    if !source.role_arn.starts_with(&world.spec.partition.iam_arn(account, "role/")) {
        let message = format!("The role ARN '{}' is not valid: it is a role of account {account}.", source.role_arn);
        return Err(AwsError::client("InvalidRoleException", message));
    }
    pass_role(world, caller, place, &source.role_arn, "config.amazonaws.com")?;
    Ok(source)
}

/// All Regions, or some by name.
fn check_regions(world: &World, member: &str, all: Option<bool>, some: Option<&[String]>) -> Result<(), AwsError> {
    match (all.unwrap_or(false), some) {
        (true, Some(_)) => Err(invalid("You cannot choose all Regions and name some as well.")),
        (false, None) => Err(invalid("You must choose all Regions or name some.")),
        (true, None) => Ok(()),
        (false, Some(some)) => {
            shape::count(&format!("{member}.awsRegions"), some.len(), 1, usize::MAX)?;
            match some.iter().find(|region| world.region_index(region).is_none()) {
                None => Ok(()),
                Some(region) => Err(invalid(format!("The Region {region} is not valid."))),
            }
        }
    }
}

fn check_filters(filters: Option<&Value>) -> Result<(), AwsError> {
    let Some(filters) = filters else { return Ok(()) };
    let members = filters.as_object().ok_or_else(|| invalid("AggregatorFilters is no structure."))?;
    for (name, filter) in members {
        if !["ResourceType", "ServicePrincipal"].contains(&name.as_str()) {
            return Err(AwsError::client("ValidationException", format!("There is no aggregator filter {name}.")));
        }
        shape::word("aggregatorFilters.type", filter["Type"].as_str(), &["INCLUDE"])?;
        let values = filter["Value"].as_array().filter(|values| values.iter().all(Value::is_string));
        shape::count("aggregatorFilters.value", values.map_or(0, Vec::len), 1, usize::MAX)?;
    }
    Ok(())
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let names = input.texts("ConfigurationAggregatorNames")?;
    let most = limit(input, 100, 100)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::count("configurationAggregatorNames", names.len(), 0, 10)?;
    for name in &names {
        aggregator_name("configurationAggregatorNames.1.member", name)?;
    }
    world.with_region(place.account, place.region, |state| {
        let held = &state.config.aggregators;
        if let Some(name) = names.iter().find(|name| !held.contains_key(*name)) {
            return Err(no_such(name));
        }
        let all = held.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
        let (found, next) = page(all.map(|(name, one)| (name.clone(), one)).collect(), token.as_deref(), most)?;
        Ok(listed("ConfigurationAggregators", &found, next))
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = name_of(input)?;
    input.finish()?;
    world.with_region(place.account, place.region, |state| {
        if !state.config.aggregators.contains_key(&name) {
            return Err(no_such(&name));
        }
        world.change_config(place, &mut state.config, ConfigChange::Aggregator { name, aggregator: None })?;
        Ok(json!({}))
    })
}

/// The active accounts and the Regions that an aggregator looks at, by their indices.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) accounts: Vec<usize>,
    pub(super) regions: Vec<usize>,
}

pub(super) fn sources(world: &World, place: Place, name: &str) -> Result<Sources, AwsError> {
    let found = world.with_region(place.account, place.region, |state| state.config.aggregators.get(name).cloned());
    let aggregator = found.ok_or_else(|| no_such(name))?;
    let accounts = aggregator.account_aggregation_sources.as_deref().and_then(<[AccountSource]>::first);
    let regions = match (accounts, &aggregator.organization_aggregation_source) {
        (Some(source), _) => &source.aws_regions,
        (None, Some(source)) => &source.aws_regions,
        (None, None) => &None,
    };
    let all = world.organization.accounts.iter().enumerate();
    // Of the resource types only buckets are recorded here.
    let types = aggregator.aggregator_filters.as_ref().and_then(|filters| filters["ResourceType"]["Value"].as_array());
    let buckets_too = types.is_none_or(|types| types.iter().any(|kind| kind == BUCKET));
    Ok(Sources {
        accounts: all
            .filter(|(_, account)| buckets_too && account.state == "ACTIVE")
            .filter(|(_, account)| accounts.is_none_or(|source| source.account_ids.contains(&account.id)))
            .map(|(at, _)| at)
            .collect(),
        regions: (0..world.spec.regions.len())
            .filter(|at| regions.as_ref().is_none_or(|some| some.contains(&world.spec.regions[*at])))
            .collect(),
    })
}
