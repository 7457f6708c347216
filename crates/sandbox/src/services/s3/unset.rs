//! Bucket configurations that nothing here models. None can be put, so every bucket answers that it has none, in S3's words
//! and status codes (botocore's model for the shapes, the S3 API reference for the error codes).

use http::Method;
use serde_json::{Value, json};

use super::Place;
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, rest_xml};
use crate::world::World;

/// The name of a member of an answer, and its value.
type Member = (&'static str, &'static str);

/// What S3 answers where a configuration was never put.
enum Answered {
    /// 404 with this code and message.
    Missing(&'static str, &'static str),
    /// 200 with this root element, and one member with its value in it, if any.
    Default(&'static str, Option<Member>),
}

/// A read of such a configuration.
struct Unset {
    operation: &'static str,
    /// `?lifecycle`
    subresource: &'static str,
    /// Several of a kind, told apart by `id`: `Some(true)` reads one of them, `Some(false)` lists them.
    by_id: Option<bool>,
    answered: Answered,
}

const fn missing(
    operation: &'static str,
    subresource: &'static str,
    code: &'static str,
    message: &'static str,
) -> Unset {
    Unset { operation, subresource, by_id: None, answered: Answered::Missing(code, message) }
}

const fn one_of(operation: &'static str, subresource: &'static str) -> Unset {
    let answered = Answered::Missing("NoSuchConfiguration", "The specified configuration does not exist.");
    Unset { operation, subresource, by_id: Some(true), answered }
}

const fn list_of(operation: &'static str, subresource: &'static str, root: &'static str) -> Unset {
    Unset {
        operation,
        subresource,
        by_id: Some(false),
        answered: Answered::Default(root, Some(("IsTruncated", "false"))),
    }
}

const ALL: &[Unset] = &[
    missing(
        "GetBucketLifecycleConfiguration",
        "lifecycle",
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    missing("GetBucketCors", "cors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    missing(
        "GetObjectLockConfiguration",
        "object-lock",
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    missing(
        "GetBucketMetadataConfiguration",
        "metadataConfiguration",
        "MetadataConfigurationNotFound",
        "The metadata configuration does not exist",
    ),
    missing(
        "GetBucketMetadataTableConfiguration",
        "metadataTable",
        "MetadataConfigurationNotFound",
        "The metadata configuration does not exist",
    ),
    Unset {
        operation: "GetBucketRequestPayment",
        subresource: "requestPayment",
        by_id: None,
        answered: Answered::Default("RequestPaymentConfiguration", Some(("Payer", "BucketOwner"))),
    },
    Unset {
        operation: "GetBucketAbac",
        subresource: "abac",
        by_id: None,
        answered: Answered::Default("AbacStatus", Some(("Status", "Disabled"))),
    },
    one_of("GetBucketAnalyticsConfiguration", "analytics"),
    list_of("ListBucketAnalyticsConfigurations", "analytics", "ListBucketAnalyticsConfigurationResult"),
    one_of("GetBucketMetricsConfiguration", "metrics"),
    list_of("ListBucketMetricsConfigurations", "metrics", "ListMetricsConfigurationsResult"),
    one_of("GetBucketIntelligentTieringConfiguration", "intelligent-tiering"),
    list_of(
        "ListBucketIntelligentTieringConfigurations",
        "intelligent-tiering",
        "ListBucketIntelligentTieringConfigurationsOutput",
    ),
];

/// The operation, for a request that reads such a configuration.
pub(super) fn operation(request: &Request) -> Option<&'static str> {
    if request.method != Method::GET {
        return None;
    }
    let by_id = request.parameter("id").is_some();
    let found = ALL
        .iter()
        .find(|one| request.parameter(one.subresource).is_some() && one.by_id.is_none_or(|wanted| wanted == by_id))?;
    let expected = |name: &str| match name {
        "x-id" => true,
        "id" | "continuation-token" => found.by_id.is_some(),
        name => name == found.subresource || name.to_ascii_lowercase().starts_with("x-amz-"),
    };
    request.query.iter().all(|(name, _)| expected(name)).then_some(found.operation)
}

fn named(operation: &str) -> Option<&'static Unset> {
    ALL.iter().find(|one| one.operation == operation)
}

pub(super) fn is_unset(operation: &str) -> bool {
    named(operation).is_some()
}

/// Root element and the member in it; the error where S3 has one for "not configured".
fn read(world: &World, place: &Place<'_>) -> Result<(&'static str, Option<Member>), AwsError> {
    place.with(world, false, |_| Ok(()))?;
    match named(place.operation).map(|one| &one.answered) {
        Some(Answered::Default(root, member)) => Ok((root, *member)),
        Some(Answered::Missing(code, message)) => {
            Err(AwsError::new(404, code, *message).with("BucketName", place.bucket))
        }
        None => Err(AwsError::new(501, "NotImplemented", "This read is not implemented")),
    }
}

pub(super) fn answer(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    let (root, member) = read(world, place)?;
    let content = member.map(|(name, value)| format!("<{name}>{value}</{name}>")).unwrap_or_default();
    Ok(rest_xml::answer(&format!("<{root} xmlns=\"{NAMESPACE}\">{content}</{root}>")))
}

/// The same as the operation's output structure.
pub(super) fn value(world: &World, place: &Place<'_>) -> Result<Value, AwsError> {
    let (root, member) = read(world, place)?;
    Ok(match member {
        Some(("IsTruncated", _)) => json!({ "IsTruncated": false }),
        // The model makes this structure a member of the output.
        Some((name, value)) if root == "AbacStatus" => json!({ root: { name: value } }),
        Some((name, value)) => json!({ name: value }),
        None => json!({}),
    })
}
