//! PutConformancePack, DescribeConformancePacks, DescribeConformancePackStatus and DeleteConformancePack: packs of one account.

use serde_json::{Value, json};

use super::deploy::{self, Order};
use super::template::Template;
use super::{invalid, limit, listed, page, shape, tags};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::config::{Act, ConfigState, Pack};
use crate::world::place::Place;

/// Config guide, service limits.
pub(super) const MOST: usize = 50;

/// `[a-zA-Z][-a-zA-Z0-9]*`
pub(super) fn pack_name(member: &str, name: &str, most: usize) -> Result<(), AwsError> {
    shape::length(member, Some(name), 1, most)?;
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match fits {
        true => Ok(()),
        false => Err(AwsError::validation(
            member,
            name,
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        )),
    }
}

pub(super) fn in_use(name: &str) -> AwsError {
    let message =
        format!("The conformance pack {name} is being created, updated or deleted. Try your request again later.");
    AwsError::client("ResourceInUseException", message)
}

fn no_such(name: &str) -> AwsError {
    let message = format!("Conformance pack {name} does not exist.");
    AwsError::client("NoSuchConformancePackException", message)
}

/// A pack that is made by an organization belongs to it.
fn may_change(pack: &Pack, now_ms: i64) -> Result<(), AwsError> {
    if pack.created_by.is_some() {
        let message = "An AWS service owns this conformance pack. You do not have permissions to take action on it.";
        return Err(AwsError::client("AccessDeniedException", message));
    }
    match pack.progress.is_under_way(now_ms) {
        true => Err(in_use(&pack.name)),
        false => Ok(()),
    }
}

fn held(config: &ConfigState, now_ms: i64) -> impl Iterator<Item = &Pack> {
    config.packs.values().filter(move |pack| !pack.progress.is_gone(now_ms))
}

pub(super) fn put(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = input.required_text("ConformancePackName")?;
    let settings = deploy::settings(input)?;
    let body = deploy::body(input)?;
    let tags = tags::read(input.tags()?)?;
    input.finish()?;
    pack_name("conformancePackName", &name, 256)?;
    let body =
        body.ok_or_else(|| invalid("A custom conformance pack has one template: its TemplateBody is needed."))?;
    let ill = |message| AwsError::client("ConformancePackTemplateValidationException", message);
    let template = Template::read(&body).map_err(ill)?;
    let order = Order { name: &name, template: &template, settings: &settings, created_by: None };
    order.made(world, place).map_err(ill)?;
    let now = now_ms();
    let is_new = world.with_region(place.account, place.region, |state| {
        let config = &state.config;
        let found = held(config, now).find(|pack| pack.name == name);
        found.map_or(Ok(()), |pack| may_change(pack, now))?;
        if found.is_none() && held(config, now).count() >= MOST {
            let message = format!("The account already has {MOST} conformance packs.");
            return Err(AwsError::client("MaxNumberOfConformancePacksExceededException", message));
        }
        Ok(found.is_none())
    })?;
    order.put(world, place, now)?;
    let arn = Pack::arn_of(&world.config_arn(place), &name);
    if is_new {
        world.with_region(place.account, place.region, |state| {
            tags::put_new(world, place, &mut state.config, &arn, tags)
        })?;
    }
    Ok(json!({ "ConformancePackArn": arn }))
}

/// What both describing operations are asked for: names, types, a page.
fn described<T: serde::Serialize>(
    world: &World,
    place: Place,
    input: &mut Input,
    member: &str,
    strict: bool,
    show: impl Fn(&Pack, i64) -> T,
) -> Result<Value, AwsError> {
    let names = input.texts("ConformancePackNames")?;
    let filters = input.take("Filters").unwrap_or_default();
    let most = limit(input, 20, 20)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::count("conformancePackNames", names.len(), 0, 25)?;
    let types = filters["Types"].as_array();
    for kind in types.into_iter().flatten() {
        shape::word("filters.types.1.member", kind.as_str(), &["CUSTOM", "MANAGED"])?;
    }
    for name in &names {
        pack_name("conformancePackNames.1.member", name, 256)?;
    }
    let now = now_ms();
    world.with_region(place.account, place.region, |state| {
        let config = &state.config;
        if let Some(name) = names.iter().find(|name| strict && held(config, now).all(|pack| pack.name != **name)) {
            return Err(no_such(name));
        }
        // There are no managed packs here.
        let fits = types.is_none_or(|types| types.iter().any(|kind| kind == "CUSTOM"));
        let wanted = held(config, now).filter(|pack| fits && (names.is_empty() || names.contains(&pack.name)));
        let all = wanted.map(|pack| (pack.name.clone(), show(pack, now))).collect();
        let (packs, next) = page(all, token.as_deref(), most)?;
        Ok(listed(member, &packs, next))
    })
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    described(world, place, input, "ConformancePackDetails", true, |pack, _| {
        let mut shown = serde_json::to_value(&pack.settings).unwrap_or_default();
        for (member, value) in [
            ("ConformancePackName", json!(pack.name)),
            ("ConformancePackArn", json!(pack.arn)),
            ("ConformancePackId", json!(pack.id)),
            ("LastUpdateRequestedTime", json!(epoch(pack.progress.asked_ms))),
            ("CreatedBy", json!(pack.created_by)),
            ("Type", json!("CUSTOM")),
        ] {
            shown[member] = value;
        }
        shown
    })
}

pub(super) fn status(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let region = &world.spec.regions[place.region];
    let account = &world.organization.accounts[place.account].id;
    described(world, place, input, "ConformancePackStatusDetails", false, |pack, now| {
        let progress = &pack.progress;
        let (act, under_way) = (progress.act.name(), progress.is_under_way(now));
        let state = match (under_way, &pack.failure) {
            (true, _) => "IN_PROGRESS",
            (false, Some(_)) => "FAILED",
            (false, None) => "COMPLETE",
        };
        let reason = pack.failure.as_ref().filter(|_| !under_way).map(|failure| &failure.message);
        let done = (!under_way && pack.failure.is_none()).then(|| epoch(progress.done_ms));
        json!({
            "ConformancePackName": pack.name,
            "ConformancePackId": pack.id,
            "ConformancePackArn": pack.arn,
            "ConformancePackState": format!("{act}_{state}"),
            "StackArn": world.spec.partition.arn(
                "cloudformation",
                region,
                account,
                format_args!("stack/awsconfigconforms-{}/{}", pack.name, pack.id),
            ),
            "ConformancePackStatusReason": reason,
            "LastUpdateRequestedTime": epoch(progress.asked_ms),
            "LastUpdateCompletedTime": done,
            "Type": "CUSTOM",
        })
    })
}

pub(super) fn delete(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    if !input.has("ConformancePackName") {
        return Err(missing("conformancePackName"));
    }
    let name = input.required_text("ConformancePackName")?;
    input.finish()?;
    pack_name("conformancePackName", &name, 256)?;
    let now = now_ms();
    world.with_region(place.account, place.region, |state| {
        let found = held(&state.config, now).find(|pack| pack.name == name).ok_or_else(|| no_such(&name))?;
        may_change(found, now)
    })?;
    deploy::delete(world, place, &name, now)?;
    Ok(json!({}))
}

/// How far an act on an organization's pack is, in its words.
pub(super) fn organization_word(act: Act, under_way: bool, failed: bool) -> String {
    let state = match (under_way, failed) {
        (true, _) => "IN_PROGRESS",
        (false, true) => "FAILED",
        (false, false) => "SUCCESSFUL",
    };
    format!("{}_{state}", act.name())
}
