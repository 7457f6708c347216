//! S3: which operation a request is, and S3's own order of checks: does the bucket exist, is it here, is it yours.
//! The operations themselves are in the files beside this one; `call` is the door for automations.

mod access_points;
mod account_block;
mod body;
mod buckets;
mod configurations;
mod creation;
mod directory_buckets;
mod encryption;
mod inventory;
mod object_listing;
mod objects;
mod permissions;
mod policy;
mod replication;
mod sealing;
mod shape;
mod shapes;
mod unset;

use http::Method;
use serde_json::Value;

use crate::partition::Partition;
use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::error::AwsError;
use crate::wire::{Answer, rest_xml};
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::session::Caller;

pub(crate) use account_block::is_control;
pub(crate) use directory_buckets::LIST as LIST_DIRECTORY_BUCKETS;

/// The operation's name in the service model.
pub(crate) fn operation(request: &Request) -> &'static str {
    if let Some(operation) = account_block::operation(request) {
        return operation;
    }
    let (bucket, key) = bucket_and_key(request);
    if request.scope().is_some_and(|scope| scope.service == directory_buckets::SERVICE) {
        let list = bucket.is_empty() && request.method == Method::GET;
        return if list { directory_buckets::LIST } else { UNKNOWN };
    }
    if bucket.is_empty() {
        return if request.method == Method::GET { "ListBuckets" } else { UNKNOWN };
    }
    if !key.is_empty() {
        return object_operation(request);
    }
    if request.method == Method::GET && request.parameter("list-type") == Some("2") {
        return "ListObjectsV2";
    }
    if object_listing::is_first_version(request) {
        return "ListObjects";
    }
    if let Some(operation) = inventory::operation(request).or_else(|| unset::operation(request)) {
        return operation;
    }
    // `x-id` is the SDKs' own name for the operation; S3 does not look at it. The rest signs a URL.
    let mut subresources = request
        .query
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| *name != "x-id" && !name.to_ascii_lowercase().starts_with("x-amz-"));
    match (&request.method, subresources.next(), subresources.next()) {
        (&Method::HEAD, None, None) => "HeadBucket",
        (&Method::GET, Some("location"), None) => "GetBucketLocation",
        (&Method::GET, Some("encryption"), None) => "GetBucketEncryption",
        (&Method::PUT, Some("encryption"), None) => "PutBucketEncryption",
        (&Method::DELETE, Some("encryption"), None) => "DeleteBucketEncryption",
        (&Method::PUT, None, None) => "CreateBucket",
        (&Method::DELETE, None, None) => "DeleteBucket",
        (&Method::GET, Some("policy"), None) => "GetBucketPolicy",
        (&Method::PUT, Some("policy"), None) => "PutBucketPolicy",
        (&Method::DELETE, Some("policy"), None) => "DeleteBucketPolicy",
        (&Method::GET, Some("policyStatus"), None) => "GetBucketPolicyStatus",
        (method, Some(subresource), None) => {
            let kind = configurations::KINDS.iter().find(|kind| kind.subresource == subresource);
            match (kind, method.as_str()) {
                (Some(kind), "GET") => kind.get,
                (Some(kind), "PUT") => kind.put,
                (Some(kind), "DELETE") => kind.delete.unwrap_or(UNKNOWN),
                _ => UNKNOWN,
            }
        }
        _ => UNKNOWN,
    }
}

fn object_operation(request: &Request) -> &'static str {
    // What an object's URL may carry besides a signature; subresources such as `?acl` or `?uploads` are not modelled.
    let plain = request.query.iter().all(|(name, _)| name == "x-id" || name.to_ascii_lowercase().starts_with("x-amz-"));
    match (request.method.as_str(), plain) {
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) => "PutObject",
        ("DELETE", true) => "DeleteObject",
        _ => UNKNOWN,
    }
}

pub(crate) fn bucket_and_key(request: &Request) -> (&str, &str) {
    // S3 Control names a bucket in its query, if at all.
    if account_block::operation(request).is_some() {
        return (request.parameter("bucket").unwrap_or_default(), "");
    }
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    match &request.host_bucket {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    }
}

pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<Answer, AwsError> {
    let (bucket, _) = bucket_and_key(request);
    let region = request.scope().map_or("", |scope| scope.region.as_str());
    let expected_owner = request.header("x-amz-expected-bucket-owner");
    if is_for_objects(operation) {
        return object_answer(world, Some(caller), operation, request, true);
    }
    if operation.contains("AccountPublicAccessBlock") || access_points::OPERATIONS.contains(&operation) {
        return account_block::answer(world, caller, operation, request);
    }
    let place = Place { caller, region, bucket, expected_owner, operation };
    match operation {
        "ListBuckets" => {
            permissions::list_buckets(world, caller, region)?;
            buckets::list(world, caller, region, request)
        }
        directory_buckets::LIST => directory_buckets::list(world, caller, region, request),
        "HeadBucket" => buckets::head(world, &place),
        "GetBucketLocation" => buckets::location(world, &place),
        "GetBucketEncryption" => encryption::get_answer(world, &place),
        "PutBucketEncryption" => encryption::put_answer(world, &place, &request.body),
        "DeleteBucketEncryption" => encryption::delete_answer(world, &place),
        "CreateBucket" => creation::create_answer(world, &place, request),
        "DeleteBucket" => creation::delete(world, &place).map(|()| rest_xml::empty(204)),
        "GetBucketPolicy" => policy::get(world, &place),
        "GetBucketPolicyStatus" => policy::status_answer(world, &place),
        "PutBucketPolicy" => {
            policy::put(world, &place, &String::from_utf8_lossy(&request.body)).map(|()| rest_xml::empty(204))
        }
        "DeleteBucketPolicy" => policy::delete(world, &place).map(|()| rest_xml::empty(204)),
        "GetBucketInventoryConfiguration" => inventory::get(world, &place, request),
        "ListBucketInventoryConfigurations" => inventory::list(world, &place, request),
        unset if unset::is_unset(unset) => unset::answer(world, &place),
        other => match configurations::Kind::of(other) {
            Some(kind) => kind.answer(world, &place, other, request),
            None => Err(AwsError::new(
                501,
                "NotImplemented",
                "A header or query you provided implies functionality that is not implemented",
            )),
        },
    }
}

fn is_for_objects(operation: &str) -> bool {
    matches!(operation, "GetObject" | "HeadObject" | "PutObject" | "DeleteObject" | "ListObjects" | "ListObjectsV2")
}

/// An unsigned request: objects may be open to everyone, everything else is not.
pub(crate) fn answer_anonymous(world: &World, operation: &str, request: &Request) -> Result<Answer, AwsError> {
    match is_for_objects(operation) {
        true => object_answer(world, None, operation, request, true),
        false => Err(AwsError::new(403, "AccessDenied", "Access Denied")),
    }
}

/// An object call of an application, which writes on and on: its objects do not outlive the process.
pub(crate) fn answer_unrecorded(
    world: &World,
    caller: &Caller,
    operation: &str,
    request: &Request,
) -> Result<Answer, AwsError> {
    object_answer(world, Some(caller), operation, request, false)
}

fn object_answer(
    world: &World,
    caller: Option<&Caller>,
    operation: &str,
    request: &Request,
    durable: bool,
) -> Result<Answer, AwsError> {
    let (bucket, key) = bucket_and_key(request);
    let region = request.scope().map_or("", |scope| scope.region.as_str());
    let expected_owner = request.header("x-amz-expected-bucket-owner");
    check_expected_owner(expected_owner)?;
    let subject = objects::Subject { caller, region, bucket, key, expected_owner, durable };
    match operation {
        "PutObject" => objects::put(world, &subject, request),
        "DeleteObject" => objects::delete(world, &subject, request),
        "ListObjects" => object_listing::list_first_version(world, &subject, request),
        "ListObjectsV2" => object_listing::list(world, &subject, request),
        _ => objects::get(world, &subject, request),
    }
}

/// Calls an operation with its input as the service model has it, as `aws:executeAwsApi` does; gives the output structure.
pub(crate) fn call(world: &World, caller: &Caller, region: &str, api: &str, input: &Value) -> Result<Value, AwsError> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let bucket = text("Bucket").unwrap_or_default();
    let place = Place { caller, region, bucket, expected_owner: text("ExpectedBucketOwner"), operation: api };
    if api != "ListBuckets" && bucket.is_empty() {
        return Err(AwsError::client("ParamValidationError", "Missing required parameter in input: \"Bucket\""));
    }
    match api {
        "ListBuckets" => {
            permissions::list_buckets(world, caller, region)?;
            Ok(buckets::list_value(world, caller))
        }
        "HeadBucket" => buckets::head(world, &place).map(|_| serde_json::json!({ "BucketRegion": region })),
        "GetBucketLocation" => buckets::location_value(world, &place),
        "GetBucketEncryption" => encryption::get_value(world, &place),
        "PutBucketEncryption" => encryption::put_value(world, &place, input),
        "DeleteBucketEncryption" => encryption::delete(world, &place).map(|()| serde_json::json!({})),
        "CreateBucket" => creation::create_value(world, &place, input),
        "DeleteBucket" => creation::delete(world, &place).map(|()| serde_json::json!({})),
        "GetBucketPolicy" => policy::get_value(world, &place),
        "GetBucketPolicyStatus" => policy::status(world, &place),
        "PutBucketPolicy" => {
            policy::put(world, &place, text("Policy").unwrap_or_default()).map(|()| serde_json::json!({}))
        }
        "DeleteBucketPolicy" => policy::delete(world, &place).map(|()| serde_json::json!({})),
        unset if unset::is_unset(unset) => unset::value(world, &place),
        other => match configurations::Kind::of(other) {
            Some(kind) => kind.call(world, &place, other, input),
            None => Err(AwsError::client("InvalidAction", format!("s3 has no API named {api} in this sandbox"))),
        },
    }
}

fn check_expected_owner(owner: Option<&str>) -> Result<(), AwsError> {
    match owner {
        Some(owner) if owner.len() != 12 || !owner.bytes().all(|b| b.is_ascii_digit()) => Err(AwsError::client(
            "InvalidBucketOwnerAWSAccountID",
            "The value of the expected bucket owner parameter must be an AWS Account ID",
        )),
        _ => Ok(()),
    }
}

fn elsewhere(partition: Partition, bucket: &str, home: &str) -> AwsError {
    AwsError::new(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future \
         requests to this endpoint.",
    )
    .with("Endpoint", format!("{bucket}.s3.{home}.{}", partition.dns_suffix()))
    .with("Bucket", bucket)
    .with_header("x-amz-bucket-region", home)
}

/// Who asks for which bucket, from where.
struct Place<'a> {
    caller: &'a Caller,
    region: &'a str,
    bucket: &'a str,
    expected_owner: Option<&'a str>,
    operation: &'a str,
}

impl Place<'_> {
    /// The account that owns the bucket; the caller's own for a bucket that is not there.
    fn owner(&self, world: &World) -> usize {
        world.bucket_owner(self.bucket).unwrap_or(self.caller.account)
    }

    /// Works on the bucket when the caller may. `region_free` is for GetBucketLocation at us-east-1, which knows every
    /// bucket's place.
    fn with<T>(
        &self,
        world: &World,
        region_free: bool,
        work: impl FnOnce(&mut Bucket) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let name = self.bucket;
        let missing =
            || AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name);
        check_expected_owner(self.expected_owner)?;
        let owner = world.bucket_owner(name).ok_or_else(missing)?;
        let find =
            |buckets: &[Bucket]| buckets.binary_search_by(|bucket| (*bucket.name).cmp(name)).map_err(|_| missing());
        let home =
            world.with_buckets(owner, |buckets| Ok::<usize, AwsError>(usize::from(buckets[find(buckets)?].region)))?;
        let home = world.spec.regions[home].as_str();
        if home != self.region && !region_free {
            return Err(elsewhere(world.spec.partition, name, home));
        }
        let here = |error: AwsError| error.with_header("x-amz-bucket-region", home);
        if self.expected_owner.is_some_and(|expected| expected != world.organization.accounts[owner].id) {
            return Err(here(AwsError::new(403, "AccessDenied", "Access Denied")));
        }
        // Not under the account's lock: the policies are looked up on the way.
        permissions::bucket(world, self.caller, self.operation, owner, name, home).map_err(here)?;
        world.with_buckets(owner, |buckets| {
            let at = find(buckets)?;
            work(&mut buckets[at])
        })
    }
}
