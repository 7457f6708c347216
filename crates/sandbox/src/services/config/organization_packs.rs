//! An organization's conformance packs: PutOrganizationConformancePack, DescribeOrganizationConformancePacks and …Statuses,
//! GetOrganizationConformancePackDetailedStatus, DeleteOrganizationConformancePack. Each active account that is not excluded
//! gets a pack of its own, the management account among them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::deploy::{self, Order};
use super::packs::{MOST, in_use, organization_word, pack_name};
use super::template::Template;
use super::{limit, listed, page, shape, tags};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::config::{Act, ConfigChange, ConfigState, Failure, MULTI_ACCOUNT, OrganizationPack};
use crate::world::organization::Organization;
use crate::world::organization_state::OrganizationChange;
use crate::world::place::Place;

/// Whose delegated administrators deploy organization rules and conformance packs.
const MULTI_ACCOUNT_SETUP: &str = "config-multiaccountsetup.amazonaws.com";

/// Only the management account and a delegated administrator of the service look after what is the organization's.
pub(super) fn administers(world: &World, place: Place, service: &str) -> Result<(), AwsError> {
    let registered = (place.account, service.to_owned());
    let delegated = world.organization_state.now().administrators.contains_key(&registered);
    match delegated || place.account == Organization::MANAGEMENT {
        true => Ok(()),
        false => Err(AwsError::client(
            "OrganizationAccessDeniedException",
            "This action can only be performed if you are a registered delegated administrator for AWS Config with permissions \
             to call ListDelegatedAdministrators API.",
        )),
    }
}

/// The model: the call "enables organization service access" where the management account makes it.
pub(super) fn enable_access(world: &World, service: &str) -> Result<(), AwsError> {
    if world.organization_state.now().services.contains_key(service) {
        return Ok(());
    }
    let since_ms = Some(now_ms());
    world.change_organization(OrganizationChange::Service { principal: service.to_owned(), since_ms })
}

fn no_such(name: &str) -> AwsError {
    let message = format!("Organization conformance pack {name} does not exist.");
    AwsError::client("NoSuchOrganizationConformancePackException", message)
}

fn invalid(message: &str) -> AwsError {
    AwsError::client("ValidationException", message)
}

fn name_of(input: &mut Input) -> Result<String, AwsError> {
    let name = input.required_text("OrganizationConformancePackName")?;
    pack_name("organizationConformancePackName", &name, 128)?;
    Ok(name)
}

fn held(config: &ConfigState, now_ms: i64) -> impl Iterator<Item = &OrganizationPack> {
    config.organization_packs.values().filter(move |pack| !pack.progress.is_gone(now_ms))
}

/// The pack of this name that is put here, when nothing is under way with it.
fn at_rest(config: &ConfigState, name: &str, now_ms: i64) -> Result<Option<OrganizationPack>, AwsError> {
    match held(config, now_ms).find(|pack| pack.name == name) {
        Some(pack) if pack.progress.is_under_way(now_ms) => Err(in_use(name)),
        found => Ok(found.cloned()),
    }
}

pub(super) fn put(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    administers(world, place, MULTI_ACCOUNT_SETUP)?;
    enable_access(world, MULTI_ACCOUNT_SETUP)?;
    let name = name_of(input)?;
    let settings = deploy::settings(input)?;
    let body = deploy::body(input)?;
    let excluded_accounts = input.texts("ExcludedAccounts")?;
    let tags = tags::read(input.tags()?)?;
    input.finish()?;
    shape::count("excludedAccounts", excluded_accounts.len(), 0, 1000)?;
    for id in &excluded_accounts {
        shape::account_id("excludedAccounts.1.member", id)?;
    }
    if settings.delivery_s3_bucket.as_ref().is_some_and(|bucket| !bucket.starts_with("awsconfigconforms")) {
        return Err(invalid("The name of the delivery bucket must start with awsconfigconforms."));
    }
    let body = body.ok_or_else(|| invalid("You must specify either the TemplateS3Uri or the TemplateBody."))?;
    let ill = |message| AwsError::client("OrganizationConformancePackTemplateValidationException", message);
    let template = Template::read(&body).map_err(ill)?;
    let home = world.config_arn(place);
    let member = OrganizationPack::member_name(&home, &name);
    let order = Order { name: &member, template: &template, settings: &settings, created_by: Some(MULTI_ACCOUNT) };
    order.made(world, place).map_err(ill)?;

    let now = now_ms();
    let accounts = world.organization.accounts.iter().enumerate();
    let wanted: Vec<usize> = accounts
        .filter(|(_, account)| account.state == "ACTIVE" && !excluded_accounts.contains(&account.id))
        .map(|(at, _)| at)
        .collect();
    let arn = OrganizationPack::arn_of(&home, &name);
    // The organization's pack first: what was begun can then be seen, put again or deleted whenever the process ends.
    let (former, mut pack) = world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        let former = at_rest(config, &name, now)?;
        if former.is_none() && held(config, now).count() >= MOST {
            let message = format!("The organization already has {MOST} organization conformance packs.");
            return Err(AwsError::client("MaxNumberOfOrganizationConformancePacksExceededException", message));
        }
        let act = if former.is_some() { Act::Update } else { Act::Create };
        let id = |at: &usize| (world.organization.accounts[*at].id.clone(), None);
        let pack = OrganizationPack {
            name: name.clone(),
            arn: arn.clone(),
            settings: settings.clone(),
            excluded_accounts,
            accounts: wanted.iter().map(id).collect(),
            progress: deploy::progress(world, act, now),
        };
        keep(world, place, config, &pack)?;
        if former.is_none() {
            tags::put_new(world, place, config, &arn, tags)?;
        }
        Ok((former, pack))
    })?;
    // Accounts that are excluded from now on lose theirs.
    for id in former.iter().flat_map(|former| former.accounts.keys()).filter(|id| !pack.accounts.contains_key(*id)) {
        if let Some(account) = world.organization.find(id) {
            deploy::delete(world, Place { account, ..place }, &member, now)?;
        }
    }
    let mut failed = false;
    for account in wanted {
        let failure = order.put(world, Place { account, ..place }, now)?;
        failed |= failure.is_some();
        pack.accounts.insert(world.organization.accounts[account].id.clone(), failure);
    }
    if failed {
        world.with_region(place.account, place.region, |state| keep(world, place, &mut state.config, &pack))?;
    }
    Ok(json!({ "OrganizationConformancePackArn": arn }))
}

fn keep(world: &World, place: Place, config: &mut ConfigState, pack: &OrganizationPack) -> Result<(), AwsError> {
    let change = ConfigChange::OrganizationPack { name: pack.name.clone(), pack: Some(Box::new(pack.clone())) };
    world.change_config(place, config, change)
}

/// For a service that waits until an organization's pack is in every account, or out of it: the time for that is over.
///
/// # Errors
/// What went wrong in one of the accounts.
pub(crate) fn have_waited(world: &World, place: Place, name: &str) -> Result<(), AwsError> {
    let (home, now) = (world.config_arn(place), now_ms());
    let waited = world.with_region(place.account, place.region, |state| -> Result<_, AwsError> {
        let Some(mut pack) = state.config.organization_packs.get(name).cloned() else { return Ok(None) };
        pack.progress.done_ms = now;
        keep(world, place, &mut state.config, &pack)?;
        Ok(Some(pack))
    })?;
    let Some(pack) = waited else { return Ok(()) };
    let member = OrganizationPack::member_name(&home, name);
    for account in pack.accounts.keys().filter_map(|id| world.organization.find(id)) {
        let there = Place { account, ..place };
        world.with_region(account, place.region, |state| {
            let Some(mut own) = state.config.packs.get(&member).cloned() else { return Ok(()) };
            own.progress.done_ms = now;
            let change = ConfigChange::Pack { name: member.clone(), pack: Some(Box::new(own)) };
            world.change_config(there, &mut state.config, change)
        })?;
    }
    match pack.accounts.iter().find_map(|(account, failure)| Some((account, failure.as_ref()?))) {
        None => Ok(()),
        Some((account, failure)) => Err(invalid(&format!("{account}: {}", failure.message))),
    }
}

/// The packs that were put in this account and Region: those of another administrator are not seen.
fn described(
    world: &World,
    place: Place,
    input: &mut Input,
    member: &str,
    show: impl Fn(&OrganizationPack, i64) -> Value,
) -> Result<Value, AwsError> {
    administers(world, place, MULTI_ACCOUNT_SETUP)?;
    let names = input.texts("OrganizationConformancePackNames")?;
    let most = limit(input, 100, 100)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::count("organizationConformancePackNames", names.len(), 0, 25)?;
    for name in &names {
        pack_name("organizationConformancePackNames.1.member", name, 128)?;
    }
    let now = now_ms();
    world.with_region(place.account, place.region, |state| {
        let config = &state.config;
        if let Some(name) = names.iter().find(|name| held(config, now).all(|pack| pack.name != **name)) {
            return Err(no_such(name));
        }
        let wanted = held(config, now).filter(|pack| names.is_empty() || names.contains(&pack.name));
        let all = wanted.map(|pack| (pack.name.clone(), show(pack, now))).collect();
        let (packs, next) = page(all, token.as_deref(), most)?;
        Ok(listed(member, &packs, next))
    })
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    described(world, place, input, "OrganizationConformancePacks", |pack, now| {
        let mut shown = serde_json::to_value(&pack.settings).unwrap_or_default();
        shown["OrganizationConformancePackName"] = json!(pack.name);
        shown["OrganizationConformancePackArn"] = json!(pack.arn);
        shown["ExcludedAccounts"] = json!(pack.excluded_accounts);
        shown["LastUpdateTime"] = json!(epoch(pack.progress.changed_ms(now)));
        shown
    })
}

pub(super) fn statuses(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    described(world, place, input, "OrganizationConformancePackStatuses", |pack, now| {
        let first = pack.accounts.values().flatten().next();
        shown(pack, first, now, json!({ "OrganizationConformancePackName": pack.name }))
    })
}

/// The members that a status of the whole and of one account have in common.
fn shown(pack: &OrganizationPack, failure: Option<&Failure>, now_ms: i64, mut begun: Value) -> Value {
    let under_way = pack.progress.is_under_way(now_ms);
    let failure = failure.filter(|_| !under_way);
    begun["Status"] = json!(organization_word(pack.progress.act, under_way, failure.is_some()));
    begun["ErrorCode"] = json!(failure.map(|failure| &failure.code));
    begun["ErrorMessage"] = json!(failure.map(|failure| &failure.message));
    begun["LastUpdateTime"] = json!(epoch(pack.progress.changed_ms(now_ms)));
    begun
}

pub(super) fn detailed(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    administers(world, place, MULTI_ACCOUNT_SETUP)?;
    let name = name_of(input)?;
    let filters = input.take("Filters").unwrap_or_default();
    let most = limit(input, 100, 100)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    let account = filters["AccountId"].as_str();
    let status = filters["Status"].as_str();
    account.map_or(Ok(()), |id| shape::account_id("filters.accountId", id))?;
    let words = [Act::Create, Act::Update, Act::Delete]
        .map(|act| [(true, false), (false, true), (false, false)].map(|(on, bad)| organization_word(act, on, bad)));
    let words: Vec<&str> = words.iter().flatten().map(String::as_str).collect();
    shape::word("filters.status", status, &words)?;
    let now = now_ms();
    let member = OrganizationPack::member_name(&world.config_arn(place), &name);
    world.with_region(place.account, place.region, |state| {
        let pack = held(&state.config, now).find(|pack| pack.name == name).ok_or_else(|| no_such(&name))?;
        let all: BTreeMap<String, Value> = pack
            .accounts
            .iter()
            .filter(|(id, _)| account.is_none_or(|wanted| *id == wanted))
            .map(|(id, failure)| {
                let begun = json!({ "AccountId": id, "ConformancePackName": member });
                (id.clone(), shown(pack, failure.as_ref(), now, begun))
            })
            .filter(|(_, shown)| status.is_none_or(|wanted| shown["Status"] == wanted))
            .collect();
        let (statuses, next) = page(all.into_iter().collect(), token.as_deref(), most)?;
        Ok(listed("OrganizationConformancePackDetailedStatuses", &statuses, next))
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    administers(world, place, MULTI_ACCOUNT_SETUP)?;
    let name = name_of(input)?;
    input.finish()?;
    let now = now_ms();
    let mut pack = world.with_region(place.account, place.region, |state| {
        at_rest(&state.config, &name, now)?.ok_or_else(|| no_such(&name))
    })?;
    let member = OrganizationPack::member_name(&world.config_arn(place), &name);
    for id in pack.accounts.keys() {
        if let Some(account) = world.organization.find(id) {
            deploy::delete(world, Place { account, ..place }, &member, now)?;
        }
    }
    pack.progress = deploy::progress(world, Act::Delete, now);
    pack.accounts.values_mut().for_each(|failure| *failure = None);
    world.with_region(place.account, place.region, |state| match pack.progress.is_gone(now) {
        true => world.change_config(place, &mut state.config, ConfigChange::OrganizationPack { name, pack: None }),
        false => keep(world, place, &mut state.config, &pack),
    })?;
    Ok(json!({}))
}
