//! ListDocuments. AWS's own documents are not in this sandbox: a list has the account's own,
//! and where it asks for them those that others share with it.

use serde_json::{Value, json};

use super::document_life::{from_token, page};
use crate::wire::epoch;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::document::Document;
use crate::world::place::Place;

/// A filter's key and values.
type Filter = (String, Vec<String>);

fn filters(input: &mut Input) -> Result<Vec<Filter>, AwsError> {
    let mut filters = Vec::new();
    let invalid = || AwsError::client("InvalidFilterKey", "");
    for (member, key, values) in [("DocumentFilterList", "key", "value"), ("Filters", "Key", "Values")] {
        let Some(list) = input.take(member) else { continue };
        for filter in list.as_array().into_iter().flatten() {
            let name = filter.get(key).and_then(Value::as_str).ok_or_else(invalid)?;
            let texts = match filter.get(values) {
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(String::from).collect(),
                _ => Vec::new(),
            };
            let known = ["Name", "Owner", "PlatformTypes", "DocumentType", "TargetType", "SearchKeyword"];
            if !known.contains(&name) && !name.starts_with("tag:") {
                return Err(invalid());
            }
            filters.push((name.into(), texts));
        }
    }
    Ok(filters)
}

fn admits(filter: &Filter, name: &str, document: &Document, own: bool) -> bool {
    let (key, values) = filter;
    let any = |fits: &dyn Fn(&str) -> bool| values.iter().any(|value| fits(value));
    match key.as_str() {
        "Name" => any(&|prefix| name.starts_with(prefix)),
        "SearchKeyword" => any(&|word| name.to_lowercase().contains(&word.to_lowercase())),
        "Owner" => any(&|owner| match owner {
            "Self" => own,
            "Private" => own && document.shared_with.is_empty(),
            "Public" => document.shared_with.contains("all"),
            "ThirdParty" => !own,
            "All" => true,
            // Amazon's own documents are not here.
            _ => false,
        }),
        "DocumentType" => any(&|kind| kind == "Automation"),
        "PlatformTypes" => any(&|kind| ["Windows", "Linux", "MacOS"].contains(&kind)),
        "TargetType" => any(&|kind| document.target_type.as_deref() == Some(kind)),
        tag => {
            let tag = &tag["tag:".len()..];
            document.tags.iter().any(|(key, value)| key == tag && (values.is_empty() || values.contains(value)))
        }
    }
}

pub(super) fn list(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let filters = filters(input)?;
    let most = input.max_results(50)?;
    let caller = world.organization.accounts[place.account].id.clone();
    let identifier = |owner: &str, name: &str, document: &Document| {
        let version = &document.versions[document.default_version - 1];
        let tags: Vec<Value> = document.tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v })).collect();
        let mut shape = json!({
            "Name": if owner == caller { name.to_string() } else {
                let region = &world.spec.regions[place.region];
                world.spec.partition.arn("ssm", region, owner, format_args!("document/{name}"))
            },
            "Owner": owner,
            "CreatedDate": epoch(version.created_ms),
            "DocumentVersion": document.default_version.to_string(),
            "DocumentType": "Automation",
            "DocumentFormat": version.format.name(),
            "SchemaVersion": "0.3",
            "PlatformTypes": ["Windows", "Linux", "MacOS"],
            "Tags": tags,
        });
        if let Some(name) = &version.version_name {
            shape["VersionName"] = json!(name);
        }
        if let Some(target_type) = &document.target_type {
            shape["TargetType"] = json!(target_type);
        }
        shape
    };
    let asks_for_others =
        filters.iter().any(|(key, values)| key == "Owner" && values.iter().any(|v| v == "ThirdParty" || v == "Public"));
    // Only the security account shares with everybody: looking through each account would make all of their documents.
    let security = crate::world::organization::Organization::SECURITY;
    let mut owners = vec![place.account];
    owners.extend(Some(security).filter(|security| asks_for_others && *security != place.account));
    let mut all = Vec::new();
    for owner in owners {
        let own = owner == place.account;
        world.with_region(owner, place.region, |state| {
            let seen = state.documents.iter().filter(|(name, document)| {
                (own || document.shared_to(&caller)) && filters.iter().all(|filter| admits(filter, name, document, own))
            });
            let owner = world.organization.accounts[owner].id.as_str();
            all.extend(seen.map(|(name, document)| identifier(owner, name, document)));
        });
    }
    let from = from_token(input, all.len())?;
    input.finish()?;
    Ok(page(&all, from, most, "DocumentIdentifiers"))
}
