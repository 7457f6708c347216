//! ListBuckets, HeadBucket and GetBucketLocation.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Place;
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, escape, iso8601, rest_xml};
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::session::Caller;

/// An account with more buckets than the default quota must ask for pages.
const LARGEST_WITHOUT_PAGES: usize = 10_000;

fn invalid(argument: &'static str, value: &str, message: &str) -> AwsError {
    AwsError::client("InvalidArgument", message).with("ArgumentName", argument).with("ArgumentValue", value)
}

pub(super) fn list(world: &World, caller: &Caller, region: &str, request: &Request) -> Result<Answer, AwsError> {
    const KNOWN: [&str; 5] = ["max-buckets", "continuation-token", "prefix", "bucket-region", "x-id"];
    if let Some((name, value)) = request
        .query
        .iter()
        .find(|(name, _)| !KNOWN.contains(&name.as_str()) && !name.to_ascii_lowercase().starts_with("x-amz-"))
    {
        return Err(AwsError::new(501, "NotImplemented", format!("The parameter {name}={value} is not implemented")));
    }
    let max_buckets = match request.parameter("max-buckets") {
        None => None,
        Some(text) => Some(text.parse::<usize>().ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(|| {
            invalid("max-buckets", text, "Argument max-buckets must be an integer between 1 and 10000")
        })?),
    };
    let after = match request.parameter("continuation-token") {
        None => None,
        Some(token) => Some(
            from_token(token)
                .ok_or_else(|| invalid("continuation-token", token, "The continuation token provided is incorrect"))?,
        ),
    };
    let prefix = request.parameter("prefix");
    let wanted_region = match request.parameter("bucket-region") {
        None => None,
        // S3 lists one Region's buckets at that Region's endpoint only.
        Some(text) if text != region => {
            return Err(invalid("bucket-region", text, "The bucket-region must be the Region of the endpoint"));
        }
        Some(text) => world.region_index(text).map(|index| index as u8),
    };
    // `BucketRegion` is in the answer when the request has at least one valid parameter.
    let with_region = KNOWN[..4].iter().any(|name| request.parameter(name).is_some());
    world.with_buckets(caller.account, |buckets| {
        if max_buckets.is_none() && buckets.len() > LARGEST_WITHOUT_PAGES {
            return Err(AwsError::client(
                "InvalidRequest",
                "This account has more than 10000 buckets: ListBuckets must be called with max-buckets",
            ));
        }
        let most = max_buckets.unwrap_or(LARGEST_WITHOUT_PAGES);
        let from = after.map_or(0, |name| buckets.partition_point(|bucket| *bucket.name <= *name));
        let mut matching = buckets[from..].iter().filter(|bucket| {
            prefix.is_none_or(|prefix| bucket.name.starts_with(prefix))
                && wanted_region.is_none_or(|region| bucket.region == region)
        });
        let page: Vec<&Bucket> = matching.by_ref().take(most).collect();
        let more = matching.next().is_some();
        let mut body = format!(
            "<ListAllMyBucketsResult xmlns=\"{NAMESPACE}\"><Owner><ID>{}</ID></Owner><Buckets>",
            world.canonical_id(caller.account)
        );
        for bucket in &page {
            let _ = write!(
                body,
                "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate>",
                escape(&bucket.name),
                iso8601(i64::from(bucket.created) * 1000)
            );
            if with_region {
                let home = &world.spec.regions[usize::from(bucket.region)];
                let _ = write!(body, "<BucketRegion>{home}</BucketRegion>");
            }
            body.push_str("</Bucket>");
        }
        body.push_str("</Buckets>");
        if let Some(last) = page.last().filter(|_| more) {
            let _ = write!(body, "<ContinuationToken>{}</ContinuationToken>", to_token(&last.name));
        }
        if let Some(prefix) = prefix {
            let _ = write!(body, "<Prefix>{}</Prefix>", escape(prefix));
        }
        body.push_str("</ListAllMyBucketsResult>");
        Ok(rest_xml::answer(&body))
    })
}

pub(super) fn list_value(world: &World, caller: &Caller) -> Value {
    world.with_buckets(caller.account, |buckets| {
        let all: Vec<Value> = buckets.iter().map(|bucket| json!({ "Name": &*bucket.name })).collect();
        json!({ "Buckets": all, "Owner": { "ID": world.canonical_id(caller.account) } })
    })
}

pub(super) fn head(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    // An error of HEAD has a status and no code: SDKs see 404 and 403.
    let region = place.with(world, false, |bucket| Ok(world.spec.regions[usize::from(bucket.region)].clone()))?;
    let mut answer = rest_xml::empty(200);
    answer.content_type = "application/xml";
    answer.headers.push(("x-amz-bucket-region", region));
    answer.headers.push(("x-amz-access-point-alias", "false".into()));
    Ok(answer)
}

pub(super) fn location_value(world: &World, place: &Place<'_>) -> Result<Value, AwsError> {
    let region = place.with(world, place.region == "us-east-1", |bucket| Ok(usize::from(bucket.region)))?;
    let name = &world.spec.regions[region];
    Ok(json!({ "LocationConstraint": if name == "us-east-1" { Value::Null } else { json!(name) } }))
}

pub(super) fn location(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    let value = location_value(world, place)?;
    let body = match value["LocationConstraint"].as_str() {
        Some(region) => format!("<LocationConstraint xmlns=\"{NAMESPACE}\">{region}</LocationConstraint>"),
        None => format!("<LocationConstraint xmlns=\"{NAMESPACE}\"/>"),
    };
    Ok(rest_xml::answer(&body))
}

pub(super) fn to_token(name: &str) -> String {
    name.bytes().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{:02x}", byte ^ 0x5a);
        token
    })
}

pub(super) fn from_token(token: &str) -> Option<String> {
    if token.is_empty() || !token.len().is_multiple_of(2) || !token.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..token.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&token[at..at + 2], 16).ok().map(|byte| byte ^ 0x5a))
        .collect();
    String::from_utf8(bytes?).ok()
}
