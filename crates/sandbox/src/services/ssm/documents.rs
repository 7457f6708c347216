//! CreateDocument, UpdateDocument, GetDocument and DescribeDocument.
//! Only documents of type Automation are modelled.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Found, find_document, shaped};
use crate::automation::document::Format;
use crate::journal::{DocumentEntry, Entry};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::document::{Document, DocumentVersion};
use crate::world::place::Place;

const LARGEST_CONTENT: usize = 64 * 1024;
const MOST_DOCUMENTS: usize = 500;
const MOST_VERSIONS: usize = 1000;

fn format(input: &mut Input) -> Result<Option<Format>, AwsError> {
    match input.text("DocumentFormat")?.as_deref() {
        None => Ok(None),
        Some("YAML") => Ok(Some(Format::Yaml)),
        Some("JSON") => Ok(Some(Format::Json)),
        Some(other) => Err(AwsError::validation(
            "documentFormat",
            other,
            "Member must satisfy enum value set: [YAML, JSON] (TEXT is not modelled by this sandbox)",
        )),
    }
}

pub(super) fn checked_name(input: &mut Input, further: &str) -> Result<String, AwsError> {
    let name = input.required_text("Name")?;
    if !shaped(&name, 3, 128, further) {
        let pattern = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\\-.]{3,128}$";
        return Err(AwsError::validation("name", &name, pattern));
    }
    Ok(name)
}

pub(super) fn version_name(input: &mut Input) -> Result<Option<String>, AwsError> {
    let name = input.text("VersionName")?;
    match name {
        Some(name) if !shaped(&name, 1, 128, "_-.") => Err(AwsError::validation(
            "versionName",
            &name,
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\\-.]{1,128}$",
        )),
        other => Ok(other),
    }
}

/// The kind of resource that a document is for, as CloudFormation calls it.
fn target_type(input: &mut Input) -> Result<Option<String>, AwsError> {
    let target_type = input.text("TargetType")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.-:/".contains(c);
    match target_type {
        Some(text) if text.len() > 200 || !text.starts_with('/') || !text.chars().all(legal) => {
            let pattern = "Member must satisfy regular expression pattern: ^\\/[\\w\\.\\-\\:\\/]*$";
            Err(AwsError::validation("targetType", &text, pattern))
        }
        other => Ok(other),
    }
}

/// What a new version is made of.
struct Draft {
    content: String,
    format: Format,
    target_type: Option<String>,
    version: DocumentVersion,
}

/// `Content`, `DocumentFormat`, `VersionName` and `TargetType` of an input.
fn draft(input: &mut Input) -> Result<Draft, AwsError> {
    let content = input.required_text("Content")?;
    let (format, version_name) = (format(input)?, version_name(input)?);
    let target_type = target_type(input)?;
    if content.len() > LARGEST_CONTENT {
        return Err(AwsError::client("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB."));
    }
    // The service's default is JSON.
    let format = format.unwrap_or(Format::Json);
    let version = DocumentVersion::new(&content, format, version_name, now_ms()).map_err(|reason| {
        let code =
            if reason.starts_with("schemaVersion") { "InvalidDocumentSchemaVersion" } else { "InvalidDocumentContent" };
        AwsError::client(code, reason)
    })?;
    Ok(Draft { content, format, target_type, version })
}

fn journal(
    world: &World,
    place: Place,
    name: &str,
    draft: &Draft,
    make_default: bool,
    tags: Vec<(String, String)>,
) -> Result<(), AwsError> {
    world.journal.append(&Entry::DocumentVersion(Box::new(DocumentEntry {
        account: world.organization.accounts[place.account].id.clone(),
        region: world.spec.regions[place.region].clone(),
        name: name.into(),
        content: draft.content.clone(),
        format: draft.format,
        version_name: draft.version.version_name.clone(),
        created_ms: draft.version.created_ms,
        make_default,
        tags,
        target_type: draft.target_type.clone(),
    })))
}

pub(super) fn create(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.")?;
    let tags = super::tags::checked(input)?;
    if tags.len() > super::tags::MOST_TAGS {
        let most = "Member must have length less than or equal to 50";
        return Err(AwsError::validation("tags", &format!("{} tags", tags.len()), most));
    }
    let draft = draft(input)?;
    match input.text("DocumentType")?.as_deref() {
        // Left out, it would be a Command document, which this sandbox cannot run.
        Some("Automation") => {}
        other => {
            return Err(AwsError::validation(
                "documentType",
                other.unwrap_or("null"),
                "only Automation documents are modelled by this sandbox",
            ));
        }
    }
    input.finish()?;
    if ["aws", "amazon", "amzn"].iter().any(|prefix| name.to_lowercase().starts_with(prefix)) {
        return Err(AwsError::client(
            "ValidationException",
            "Document names can't begin with aws, amazon or amzn: these are reserved.",
        ));
    }
    world.with_region(place.account, place.region, |state| {
        if state.documents.contains_key(&name) {
            return Err(AwsError::client(
                "DocumentAlreadyExists",
                format!("Document with name {name} already exists."),
            ));
        }
        if state.documents.len() >= MOST_DOCUMENTS {
            return Err(AwsError::client("DocumentLimitExceeded", "You can have at most 500 active SSM documents."));
        }
        journal(world, place, &name, &draft, true, tags.clone())?;
        let mut document = Document::new(Arc::new(draft.version));
        document.tags = tags;
        document.target_type = draft.target_type;
        state.documents.insert(name.clone(), document.clone());
        let owner = world.organization.accounts[place.account].id.clone();
        Ok(json!({ "DocumentDescription": description(&Found { owner, name: name.clone(), document }, 1) }))
    })
}

pub(super) fn no_document(name: &str) -> AwsError {
    AwsError::client("InvalidDocument", format!("Document with name {name} does not exist."))
}

pub(super) fn no_version() -> AwsError {
    AwsError::client("InvalidDocumentVersion", "The document version is not valid or does not exist.")
}

pub(super) fn update(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = checked_name(input, "_-.")?;
    let version = input.text("DocumentVersion")?;
    let draft = draft(input)?;
    input.finish()?;
    world.with_region(place.account, place.region, |state| {
        let document = state.documents.get_mut(&name).ok_or_else(|| no_document(&name))?;
        // UpdateDocument always builds on the newest version, and the caller must say so.
        let latest = document.latest();
        if document.resolve(version.as_deref(), None) != Some(latest) || version.is_none() {
            return Err(AwsError::client(
                "InvalidDocumentVersion",
                "The document version is not valid: use $LATEST to update the newest version.",
            ));
        }
        if document.versions[latest - 1].hash == draft.version.hash {
            return Err(AwsError::client(
                "DuplicateDocumentContent",
                "The content of the document matches its newest version. Change the content and try again.",
            ));
        }
        if let Some(wanted) = &draft.version.version_name
            && document.versions.iter().any(|v| v.version_name.as_ref() == Some(wanted))
        {
            return Err(AwsError::client(
                "DuplicateDocumentVersionName",
                "The version name has already been used in this document.",
            ));
        }
        if latest >= MOST_VERSIONS {
            return Err(AwsError::client("DocumentVersionLimitExceeded", "The document has too many versions."));
        }
        journal(world, place, &name, &draft, false, Vec::new())?;
        document.versions.push(Arc::new(draft.version));
        if draft.target_type.is_some() {
            document.target_type = draft.target_type;
        }
        let added = document.versions.len();
        let owner = world.organization.accounts[place.account].id.clone();
        let found = Found { owner, name: name.clone(), document: document.clone() };
        Ok(json!({ "DocumentDescription": description(&found, added) }))
    })
}

/// The document and version that a read asks for.
fn asked(world: &World, place: Place, input: &mut Input) -> Result<(Found, usize), AwsError> {
    let name = checked_name(input, "_-.:/")?;
    let version_name = version_name(input)?;
    let version = input.text("DocumentVersion")?;
    let found = find_document(world, place, &name).ok_or_else(|| no_document(&name))?;
    let number = found.document.resolve(version.as_deref(), version_name.as_deref()).ok_or_else(no_version)?;
    Ok((found, number))
}

pub(super) fn get(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let (found, number) = asked(world, place, input)?;
    let wanted = format(input)?;
    input.finish()?;
    let version = &found.document.versions[number - 1];
    // GetDocument, DocumentFormat: "JSON is the default format", also for a document that was created as YAML [model].
    let wanted = wanted.unwrap_or(Format::Json);
    let content = match wanted == version.format {
        true => version.content.to_string(),
        false => converted(&version.content, version.format)?,
    };
    let mut output = json!({
        "Name": found.name,
        "CreatedDate": epoch(version.created_ms),
        "DocumentVersion": number.to_string(),
        "Status": "Active",
        "Content": content,
        "DocumentType": "Automation",
        "DocumentFormat": wanted.name(),
    });
    if let Some(name) = &version.version_name {
        output["VersionName"] = json!(name);
    }
    Ok(output)
}

fn converted(content: &str, from: Format) -> Result<String, AwsError> {
    let broken = |error: &dyn std::fmt::Display| AwsError::server("InternalServerError", error.to_string());
    match from {
        Format::Yaml => {
            let value: Value = serde_norway::from_str(content).map_err(|error| broken(&error))?;
            serde_json::to_string_pretty(&value).map_err(|error| broken(&error))
        }
        Format::Json => {
            let value: Value = serde_json::from_str(content).map_err(|error| broken(&error))?;
            serde_norway::to_string(&value).map_err(|error| broken(&error))
        }
    }
}

pub(super) fn describe(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let (found, number) = asked(world, place, input)?;
    input.finish()?;
    Ok(json!({ "Document": description(&found, number) }))
}

fn description(found: &Found, number: usize) -> Value {
    let version = &found.document.versions[number - 1];
    let parameters: Vec<Value> = version
        .runbook
        .parameters
        .iter()
        .map(|parameter| {
            let mut shape = json!({
                "Name": parameter.name,
                "Type": parameter.kind.name(),
                "Description": parameter.description,
            });
            if let Some(default) = &parameter.default {
                shape["DefaultValue"] = json!(crate::automation::reference::text_of(default));
            }
            shape
        })
        .collect();
    let tags: Vec<Value> = found.document.tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v })).collect();
    let mut shape = json!({
        "Hash": version.hash,
        "HashType": "Sha256",
        "Name": found.name,
        "Owner": found.owner,
        "CreatedDate": epoch(version.created_ms),
        "Status": "Active",
        "DocumentVersion": number.to_string(),
        "Description": version.runbook.description,
        "Parameters": parameters,
        "PlatformTypes": ["Windows", "Linux", "MacOS"],
        "DocumentType": "Automation",
        "SchemaVersion": "0.3",
        "LatestVersion": found.document.latest().to_string(),
        "DefaultVersion": found.document.default_version.to_string(),
        "DocumentFormat": version.format.name(),
        "Tags": tags,
    });
    if let Some(name) = &version.version_name {
        shape["VersionName"] = json!(name);
    }
    if let Some(target_type) = &found.document.target_type {
        shape["TargetType"] = json!(target_type);
    }
    shape
}
