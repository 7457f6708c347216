//! S3: which operation a request is, and S3's own order of checks: does the bucket exist, is it here, is it yours.
//! The operations themselves are in `buckets` and `encryption`; `call` is the door for automations.

mod buckets;
mod encryption;

use http::Method;
use serde_json::Value;

use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::Answer;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::session::Caller;

/// The operation's name in the service model.
pub(crate) fn operation(request: &Request) -> &'static str {
    let (bucket, key) = bucket_and_key(request);
    if bucket.is_empty() {
        return if request.method == Method::GET { "ListBuckets" } else { UNKNOWN };
    }
    if !key.is_empty() {
        return UNKNOWN;
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
        _ => UNKNOWN,
    }
}

pub(crate) fn bucket_and_key(request: &Request) -> (&str, &str) {
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    match &request.host_bucket {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    }
}

pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<Answer, AwsError> {
    let (bucket, _) = bucket_and_key(request);
    let region = request.scope().map_or("", |scope| scope.region.as_str());
    let place = Place { caller, region, bucket, expected_owner: request.header("x-amz-expected-bucket-owner") };
    match operation {
        "ListBuckets" => buckets::list(world, caller, region, request),
        "HeadBucket" => buckets::head(world, &place),
        "GetBucketLocation" => buckets::location(world, &place),
        "GetBucketEncryption" => encryption::get_answer(world, &place),
        "PutBucketEncryption" => encryption::put_answer(world, &place, &request.body),
        "DeleteBucketEncryption" => encryption::delete_answer(world, &place),
        _ => Err(AwsError::new(
            501,
            "NotImplemented",
            "A header or query you provided implies functionality that is not implemented",
        )),
    }
}

/// Calls an operation with its input as the service model has it, as `aws:executeAwsApi` does; gives the output structure.
pub(crate) fn call(world: &World, caller: &Caller, region: &str, api: &str, input: &Value) -> Result<Value, AwsError> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let bucket = text("Bucket").unwrap_or_default();
    let place = Place { caller, region, bucket, expected_owner: text("ExpectedBucketOwner") };
    if api != "ListBuckets" && bucket.is_empty() {
        return Err(AwsError::client("ParamValidationError", "Missing required parameter in input: \"Bucket\""));
    }
    match api {
        "ListBuckets" => Ok(buckets::list_value(world, caller)),
        "HeadBucket" => buckets::head(world, &place).map(|_| serde_json::json!({ "BucketRegion": region })),
        "GetBucketLocation" => buckets::location_value(world, &place),
        "GetBucketEncryption" => encryption::get_value(world, &place),
        "PutBucketEncryption" => encryption::put_value(world, &place, input),
        "DeleteBucketEncryption" => encryption::delete(world, &place).map(|()| serde_json::json!({})),
        _ => Err(AwsError::client("InvalidAction", format!("s3 has no API named {api} in this sandbox"))),
    }
}

/// Who asks for which bucket, from where.
struct Place<'a> {
    caller: &'a Caller,
    region: &'a str,
    bucket: &'a str,
    expected_owner: Option<&'a str>,
}

impl Place<'_> {
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
        if let Some(owner) = self.expected_owner
            && (owner.len() != 12 || !owner.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(AwsError::client(
                "InvalidBucketOwnerAWSAccountID",
                "The value of the expected bucket owner parameter must be an AWS Account ID",
            ));
        }
        let owner = world.bucket_owner(name).ok_or_else(missing)?;
        world.with_buckets(owner, |buckets| {
            let at = buckets.binary_search_by(|bucket| (*bucket.name).cmp(name)).map_err(|_| missing())?;
            let home = &world.spec.regions[usize::from(buckets[at].region)];
            if home != self.region && !region_free {
                return Err(AwsError::new(
                    301,
                    "PermanentRedirect",
                    "The bucket you are attempting to access must be addressed using the specified endpoint. Please send \
                     all future requests to this endpoint.",
                )
                .with("Endpoint", format!("{name}.s3.{home}.amazonaws.com"))
                .with("Bucket", name)
                .with_header("x-amz-bucket-region", home.as_str()));
            }
            let owner_id = &world.organization.accounts[owner].id;
            if owner != self.caller.account || self.expected_owner.is_some_and(|expected| expected != owner_id) {
                return Err(AwsError::new(403, "AccessDenied", "Access Denied")
                    .with_header("x-amz-bucket-region", home.as_str()));
            }
            work(&mut buckets[at])
        })
    }
}
