//! CreateBucket and DeleteBucket: the one namespace, legal names, and what a bucket has from the start.

use serde_json::{Value, json};

use super::Place;
use super::encryption::malformed;
use crate::request::Request;
use crate::wire::element::Element;
use crate::wire::error::AwsError;
use crate::wire::{Answer, now_ms, rest_xml};
use crate::world::World;
use crate::world::bucket::{Bucket, Encryption};
use crate::world::configuration::{Configuration, Configurations};

fn is_legal(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (3..=63).contains(&name.len())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix))
}

/// The LocationConstraint of the body, if it has one.
fn location(body: &[u8]) -> Result<Option<String>, AwsError> {
    if body.is_empty() {
        return Ok(None);
    }
    let root = Element::parse(body).filter(|root| root.name == "CreateBucketConfiguration").ok_or_else(malformed)?;
    match &root.children[..] {
        [] => Ok(None),
        [one] if one.name == "LocationConstraint" => Ok(Some(one.text.clone())),
        _ => Err(malformed()),
    }
}

pub(super) fn create_answer(world: &World, place: &Place<'_>, request: &Request) -> Result<Answer, AwsError> {
    let refused = ["x-amz-grant-full-control", "x-amz-bucket-object-lock-enabled"];
    if let Some(header) = refused.iter().find(|name| request.header(name).is_some_and(|v| v != "false")) {
        let message = format!("A header you provided implies functionality that is not implemented: {header}");
        return Err(AwsError::new(501, "NotImplemented", message));
    }
    let location = location(&request.body)?;
    let ownership = request.header("x-amz-object-ownership").unwrap_or("BucketOwnerEnforced");
    create(world, place, location.as_deref(), ownership)?;
    let mut answer = rest_xml::empty(200);
    answer.headers.push(("location", format!("/{}", place.bucket)));
    Ok(answer)
}

pub(super) fn create_value(world: &World, place: &Place<'_>, input: &Value) -> Result<Value, AwsError> {
    let location = input.pointer("/CreateBucketConfiguration/LocationConstraint").and_then(Value::as_str);
    let ownership = input.get("ObjectOwnership").and_then(Value::as_str).unwrap_or("BucketOwnerEnforced");
    create(world, place, location, ownership)?;
    Ok(json!({ "Location": format!("/{}", place.bucket) }))
}

fn create(world: &World, place: &Place<'_>, location: Option<&str>, ownership: &str) -> Result<(), AwsError> {
    if !is_legal(place.bucket) {
        return Err(AwsError::client("InvalidBucketName", "The specified bucket is not valid.")
            .with("BucketName", place.bucket));
    }
    if !["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"].contains(&ownership) {
        return Err(AwsError::client("InvalidArgument", "Invalid x-amz-object-ownership header")
            .with("ArgumentName", "x-amz-object-ownership"));
    }
    let wanted = match location {
        // The old name of eu-west-1.
        Some("EU") => "eu-west-1",
        Some("us-east-1") => {
            return Err(AwsError::client(
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            )
            .with("LocationConstraint", "us-east-1"));
        }
        Some(other) => other,
        None => "us-east-1",
    };
    let Some(region) = world.region_index(wanted).filter(|_| wanted == place.region || place.region == "us-east-1")
    else {
        let word = location.unwrap_or("unspecified");
        return Err(AwsError::client(
            "IllegalLocationConstraintException",
            format!(
                "The {word} location constraint is incompatible for the region specific endpoint this request was sent to."
            ),
        ));
    };
    let mut configurations = Configurations::default();
    // Since April 2023 new buckets have both.
    let block = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let block: serde_json::Map<String, Value> = block.iter().map(|name| ((*name).into(), json!(true))).collect();
    configurations.set(Configuration::PublicAccessBlock, Some(Value::Object(block)));
    let rules = json!({ "Rules": [{ "ObjectOwnership": ownership }] });
    configurations.set(Configuration::OwnershipControls, Some(rules));
    let bucket = Bucket {
        name: place.bucket.into(),
        region: region as u8,
        created: (now_ms() / 1000) as u32,
        encryption: Some(Encryption {
            blocked: world.spec.blocked_types.of_new_bucket(wanted),
            ..Encryption::sse_s3()
        }),
        configurations,
    };
    super::permissions::bucket(world, place.caller, "CreateBucket", place.caller.account, place.bucket, place.region)?;
    match world.create_bucket(place.caller.account, bucket)? {
        Ok(()) => Ok(()),
        // us-east-1 alone answers its owner as if the bucket had just been made.
        Err(owner) if owner == place.caller.account && place.region == "us-east-1" => Ok(()),
        Err(owner) if owner == place.caller.account => Err(AwsError::new(
            409,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
        .with("BucketName", place.bucket)),
        Err(_) => Err(AwsError::new(
            409,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again.",
        )
        .with("BucketName", place.bucket)),
    }
}

pub(super) fn delete(world: &World, place: &Place<'_>) -> Result<(), AwsError> {
    place.with(world, false, |_| Ok(()))?;
    // Asked under the bucket's lock: an object that is written now, or a name that changes hands, must not be lost.
    if world
        .delete_bucket_if(place.bucket, |owner| owner == place.caller.account && world.objects.is_empty(place.bucket))
    {
        return Ok(());
    }
    if !world.objects.is_empty(place.bucket) {
        return Err(AwsError::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
            .with("BucketName", place.bucket));
    }
    Err(AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", place.bucket))
}
