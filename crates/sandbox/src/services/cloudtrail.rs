//! CloudTrail: LookupEvents over the management events of the caller's account and Region, newest first.
//! There are no trails and no Insights here. An event shows after the delay of the spec, at once by default.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::authorize::{Ask, authorize};
use crate::random::Random;
use crate::trail::Kept;
use crate::trail::background::{self, Stream};
use crate::trail::record::Event;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
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
    let question = Random::new(0, &question, 0).next();
    let now = now_ms();
    let search = Search {
        wanted,
        // Event history goes back 90 days.
        from: from.unwrap_or(i64::MIN).max(now - HISTORY_MS),
        // EventTime has whole seconds: what happened within the last one belongs to it.
        to: to.map_or(now, |to| to.div_euclid(1000) * 1000 + 999).min(now),
        now,
    };
    let streams = background::streams(world, caller.account, region);
    let mut places = Places::of(token.as_deref(), question, streams.len())?;
    let page = world.trail.with_events(caller.account, |kept| {
        search.page(world, region as u16, kept, &streams, &mut places, most as usize)
    });
    let events: Vec<Value> = page.events.iter().map(|event| shape(world, event)).collect();
    let mut output = json!({ "Events": events });
    if page.more {
        output["NextToken"] = json!(places.token(question));
    }
    Ok(output)
}

/// CloudTrail's event history.
const HISTORY_MS: i64 = 90 * 86_400_000;

/// Where a page begins: below these numbers, of the events that are kept and of each stream.
struct Places(Vec<u64>);

impl Places {
    fn of(token: Option<&str>, question: u64, streams: usize) -> Result<Places, AwsError> {
        let Some(text) = token else { return Ok(Places(vec![u64::MAX; streams + 1])) };
        let mut parts = text.split('-');
        let places: Option<Vec<u64>> = parts
            .next()
            .filter(|left| *left == format!("{question:016x}"))
            .and_then(|_| parts.map(|place| u64::from_str_radix(place, 16).ok()).collect());
        places
            .filter(|places| places.len() == streams + 1)
            .map(Places)
            .ok_or_else(|| AwsError::client("InvalidNextTokenException", "The token is not valid."))
    }

    fn token(&self, question: u64) -> String {
        let places: Vec<String> = self.0.iter().map(|place| format!("{place:x}")).collect();
        format!("{question:016x}-{}", places.join("-"))
    }
}

/// What is asked for. Times in milliseconds, both ends belonging to it.
struct Search {
    wanted: Option<Wanted>,
    from: i64,
    to: i64,
    now: i64,
}

struct Page {
    events: Vec<Event>,
    more: bool,
}

impl Search {
    /// The next page, newest first: the events that are kept and those of the streams, together by time.
    fn page(
        &self,
        world: &World,
        region: u16,
        kept: &Kept,
        streams: &[Stream<'_>],
        places: &mut Places,
        most: usize,
    ) -> Page {
        let mut page = Page { events: Vec::new(), more: false };
        loop {
            let stored = self.stored(world, region, kept, places.0[0]).map(|(place, event)| (event.at_ms, 0, place));
            let made = streams.iter().enumerate().filter_map(|(nth, stream)| {
                let place = self.made(world, stream, places.0[nth + 1])?;
                Some((stream.at_ms(place), nth + 1, place))
            });
            let Some((_, from, place)) = stored.into_iter().chain(made).max_by_key(|(at, ..)| *at) else { return page };
            if page.events.len() == most {
                page.more = true;
                return page;
            }
            places.0[from] = place;
            page.events.push(match from {
                0 => kept.events[(place - kept.gone) as usize].clone(),
                nth => streams[nth - 1].event(place),
            });
        }
    }

    /// The newest event that is kept below a place.
    fn stored<'a>(&self, world: &World, region: u16, kept: &'a Kept, below: u64) -> Option<(u64, &'a Event)> {
        let end = below.saturating_sub(kept.gone).min(kept.events.len() as u64) as usize;
        let events = kept.events.range(..end).enumerate().rev();
        let mut fitting = events.filter(|(_, event)| {
            event.region == region
                && (self.from..=self.to).contains(&event.at_ms)
                && self.shows(world, event.event_id, event.at_ms)
                && self.wanted.as_ref().is_none_or(|wanted| wanted.admits(event))
        });
        fitting.next().map(|(at, event)| (kept.gone + at as u64, event))
    }

    /// The newest event of a stream below a number. Its events differ by time and id alone.
    fn made(&self, world: &World, stream: &Stream<'_>, below: u64) -> Option<u64> {
        let fits = |k: u64| {
            (self.from..=self.to).contains(&stream.at_ms(k)) && self.shows(world, stream.event_id(k), stream.at_ms(k))
        };
        if let Some(wanted) = &self.wanted {
            if wanted.key == "EventId" {
                let k = stream.number_of(wanted.value.parse().ok()?)?;
                return (k < below && fits(k)).then_some(k);
            }
            if !wanted.admits(&stream.event(0)) {
                return None;
            }
        }
        let mut k = below;
        if below == u64::MAX {
            k = stream.after(self.to.min(self.now - delays(world).0));
        }
        while k > 0 {
            k -= 1;
            if stream.at_ms(k) < self.from {
                return None;
            }
            if fits(k) {
                return Some(k);
            }
        }
        None
    }

    /// Whether an event was delivered by now.
    fn shows(&self, world: &World, id: Uuid, at_ms: i64) -> bool {
        let (least, most) = delays(world);
        if most == 0 {
            return true;
        }
        let part = Random::new(world.spec.seed, "delivery", id.as_u128() as u64).fraction();
        at_ms + least + ((most - least) as f64 * part) as i64 <= self.now
    }
}

/// The shortest and the longest delay of an event, in milliseconds.
fn delays(world: &World) -> (i64, i64) {
    let scaled = |seconds: f64| world.latency.scale(seconds * 1000.0).as_millis() as i64;
    (scaled(world.spec.cloudtrail.delay_min_seconds), scaled(world.spec.cloudtrail.delay_max_seconds))
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
