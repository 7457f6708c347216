//! GetBucketInventoryConfiguration and ListBucketInventoryConfigurations: what a described bucket states; no reports are made.

use http::Method;
use serde_json::Value;

use super::shapes::INVENTORY;
use super::{Place, buckets};
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, escape, rest_xml};
use crate::world::World;
use crate::world::configuration::Configuration;

/// S3 lists at most so many at a time.
const PAGE: usize = 100;

/// The operation, for a request about inventories: the id tells one from all.
pub(super) fn operation(request: &Request) -> Option<&'static str> {
    let known = |name: &str| matches!(name, "inventory" | "id" | "continuation-token" | "x-id");
    let fits = |name: &str| known(name) || name.to_ascii_lowercase().starts_with("x-amz-");
    let wanted = request.method == Method::GET
        && request.parameter("inventory").is_some()
        && request.query.iter().all(|(name, _)| fits(name));
    wanted.then(|| match request.parameter("id") {
        Some(_) => "GetBucketInventoryConfiguration",
        None => "ListBucketInventoryConfigurations",
    })
}

fn stated(world: &World, place: &Place<'_>) -> Result<Vec<Value>, AwsError> {
    place.with(world, false, |bucket| {
        let held = bucket.configurations.get(Configuration::Inventory);
        let mut all = held.and_then(Value::as_array).cloned().unwrap_or_default();
        all.sort_by_key(|one| one["Id"].as_str().map(String::from));
        Ok(all)
    })
}

fn write(root: &str, value: &Value, namespace: bool, xml: &mut String) {
    let namespace = if namespace { format!(" xmlns=\"{NAMESPACE}\"") } else { String::new() };
    xml.push_str(&format!("<{root}{namespace}>"));
    INVENTORY.write(value, xml);
    xml.push_str(&format!("</{root}>"));
}

pub(super) fn get(world: &World, place: &Place<'_>, request: &Request) -> Result<Answer, AwsError> {
    let id = request.parameter("id").unwrap_or_default();
    let found = stated(world, place)?
        .into_iter()
        .find(|one| one["Id"] == id)
        .ok_or_else(|| AwsError::new(404, "NoSuchConfiguration", "The specified configuration does not exist."))?;
    let mut xml = String::new();
    write("InventoryConfiguration", &found, true, &mut xml);
    Ok(rest_xml::answer(&xml))
}

pub(super) fn list(world: &World, place: &Place<'_>, request: &Request) -> Result<Answer, AwsError> {
    let all = stated(world, place)?;
    let token = request.parameter("continuation-token");
    let after = match token {
        None => String::new(),
        Some(token) => buckets::from_token(token)
            .ok_or_else(|| AwsError::client("InvalidArgument", "The continuation token provided is incorrect"))?,
    };
    let mut left = all.iter().filter(|one| one["Id"].as_str().unwrap_or_default() > after.as_str());
    let page: Vec<&Value> = left.by_ref().take(PAGE).collect();
    let more = left.next().is_some();
    let mut xml = format!("<ListInventoryConfigurationsResult xmlns=\"{NAMESPACE}\">");
    if let Some(token) = token {
        xml.push_str(&format!("<ContinuationToken>{}</ContinuationToken>", escape(token)));
    }
    page.iter().for_each(|one| write("InventoryConfiguration", one, false, &mut xml));
    xml.push_str(&format!("<IsTruncated>{more}</IsTruncated>"));
    if let Some(last) = page.last().filter(|_| more) {
        let next = buckets::to_token(last["Id"].as_str().unwrap_or_default());
        xml.push_str(&format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    }
    xml.push_str("</ListInventoryConfigurationsResult>");
    Ok(rest_xml::answer(&xml))
}
