//! CloudTrail: LookupEvents over the management events of the caller's account and Region, newest first.
//! There are no trails and no Insights here; an event is there as soon as it was answered, not after minutes.

use serde_json::{Value, json};

use crate::authorize::{Ask, authorize};
use crate::trail::record::Event;
use crate::wire::epoch;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::session::Caller;

pub(crate) const OPERATIONS: &[&str] = &["LookupEvents"];
/// The Rust SDK's target; botocore and the command line put [`NAMESPACE`] before it, and AWS answers both.
pub(crate) const TARGET: &str = "CloudTrail_20131101.";
pub(crate) const NAMESPACE: &str = "com.amazonaws.cloudtrail.v20131101.";

/// One `LookupAttribute`.
struct Wanted {
    key: String,
    value: String,
}

impl Wanted {
    fn admits(&self, event: &Event) -> bool {
        let value = self.value.as_str();
        match self.key.as_str() {
            "EventId" => event.event_id.to_string() == value,
            "EventName" => event.operation == value,
            "EventSource" => event.source() == value,
            "ReadOnly" => event.reads().to_string() == value,
            "Username" => event.user_name() == value,
            "AccessKeyId" => *event.actor.access_key == *value,
            "ResourceType" => event.resources().iter().any(|(kind, _)| *kind == value),
            _ => event.resources().iter().any(|(_, name)| name == value),
        }
    }
}

const KEYS: [&str; 8] =
    ["EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"];

fn attribute(input: &mut Input) -> Result<Option<Wanted>, AwsError> {
    let invalid = || AwsError::client("InvalidLookupAttributesException", "The lookup attributes are not valid.");
    let Some(list) = input.take("LookupAttributes") else { return Ok(None) };
    let list = list
        .as_array()
        .ok_or_else(|| AwsError::client("SerializationException", "LookupAttributes can not be converted to a list"))?;
    let one = match &list[..] {
        [] => return Ok(None),
        [one] => one,
        // The model: "Currently the list can contain only one item."
        _ => return Err(invalid()),
    };
    let text = |name: &str| one.get(name).and_then(Value::as_str).map(String::from).ok_or_else(invalid);
    let (key, value) = (text("AttributeKey")?, text("AttributeValue")?);
    if !KEYS.contains(&key.as_str()) || !(1..=2000).contains(&value.chars().count()) {
        return Err(invalid());
    }
    Ok(Some(Wanted { key, value }))
}

/// Milliseconds since 1970 of a timestamp in seconds.
fn time(input: &mut Input, member: &str) -> Result<Option<i64>, AwsError> {
    let Some(value) = input.take(member) else { return Ok(None) };
    let invalid = || AwsError::client("InvalidTimeRangeException", format!("{member} is not a time."));
    let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e11).ok_or_else(invalid)?;
    Ok(Some((seconds * 1000.0) as i64))
}

pub(crate) fn answer(world: &World, caller: &Caller, region: usize, input: &mut Input) -> Result<Value, AwsError> {
    let wanted = attribute(input)?;
    let (from, to) = (time(input, "StartTime")?, time(input, "EndTime")?);
    let category = input.text("EventCategory")?;
    let most = match input.take("MaxResults") {
        None => 50,
        Some(value) => value
            .as_i64()
            .filter(|n| (1..=50).contains(n))
            .ok_or_else(|| AwsError::client("InvalidMaxResultsException", "MaxResults is from 1 to 50."))?,
    };
    let token = input.text("NextToken")?;
    input.finish()?;
    authorize(world, caller, &Ask::new("cloudtrail:LookupEvents", "*").in_region(&world.spec.regions[region]))?;
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(AwsError::client("InvalidTimeRangeException", "StartTime is after EndTime."));
    }
    match category.as_deref() {
        None => {}
        // There are no trails here that Insights are enabled for.
        Some("insight") => return Ok(json!({ "Events": [] })),
        Some(other) => {
            return Err(AwsError::client(
                "InvalidEventCategoryException",
                format!("{other} is not an event category."),
            ));
        }
    }
    // A token belongs to the parameters it was given for.
    let question = json!([wanted.as_ref().map(|w| (&w.key, &w.value)), from, to]).to_string();
    let question = crate::random::Random::new(0, &question, 0).next();
    let below = match token.as_deref() {
        None => u64::MAX,
        Some(text) => text
            .split_once('-')
            .filter(|(left, _)| *left == format!("{question:016x}"))
            .and_then(|(_, place)| u64::from_str_radix(place, 16).ok())
            .ok_or_else(|| AwsError::client("InvalidNextTokenException", "The token is not valid."))?,
    };
    let region = region as u16;
    world.trail.with_events(caller.account, |kept| {
        let matching = kept.events.iter().enumerate().rev().filter(|(at, event)| {
            kept.gone + (*at as u64) < below
                && event.region == region
                && from.is_none_or(|from| event.at_ms >= from)
                && to.is_none_or(|to| event.at_ms <= to)
                && wanted.as_ref().is_none_or(|wanted| wanted.admits(event))
        });
        let mut matching = matching.peekable();
        let mut events = Vec::new();
        let mut last = 0;
        while events.len() < most as usize
            && let Some((at, event)) = matching.next()
        {
            last = kept.gone + at as u64;
            events.push(shape(world, event));
        }
        let mut output = json!({ "Events": events });
        if matching.peek().is_some() {
            output["NextToken"] = json!(format!("{question:016x}-{last:x}"));
        }
        Ok(output)
    })
}

fn shape(world: &World, event: &Event) -> Value {
    let resources: Vec<Value> = event
        .resources()
        .into_iter()
        .map(|(kind, name)| json!({ "ResourceType": kind, "ResourceName": name }))
        .collect();
    let mut shape = json!({
        "EventId": event.event_id.to_string(),
        "EventName": event.operation,
        "ReadOnly": event.reads().to_string(),
        // CloudTrail's times are whole seconds.
        "EventTime": epoch(event.at_ms / 1000 * 1000),
        "EventSource": event.source(),
        "Username": event.user_name(),
        "Resources": resources,
        "CloudTrailEvent": event.record(world).to_string(),
    });
    if !event.actor.access_key.is_empty() {
        shape["AccessKeyId"] = json!(event.actor.access_key);
    }
    shape
}
