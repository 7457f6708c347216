//! PutObject, GetObject, HeadObject and DeleteObject over small objects in memory; the list is in `object_listing`.
//! Callers from elsewhere, and anonymous ones, come in by the bucket policy alone.

use super::replication::{self, Replica};
use super::{body, policy, sealing};
use crate::authorize::{Ask, Who, authorize};
use crate::journal::Entry;
use crate::policy::Kind;
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::{Answer, now_ms, rest_xml};
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::object::Object;
use crate::world::session::Caller;

const LARGEST_OBJECT: usize = 5 << 20;

/// Who wants what of which object.
pub(super) struct Subject<'a> {
    /// Nobody: an unsigned request.
    pub(super) caller: Option<&'a Caller>,
    /// Empty for an unsigned request, which names no Region.
    pub(super) region: &'a str,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) expected_owner: Option<&'a str>,
    /// Whether an object that is put goes into the journal.
    pub(super) durable: bool,
}

impl Subject<'_> {
    pub(super) fn region_at(&self, world: &World) -> Result<usize, AwsError> {
        world.region_index(self.region).ok_or_else(|| AwsError::new(403, "AccessDenied", "Access Denied"))
    }

    /// With a Bucket Key, KMS sees the bucket's ARN and not the object's.
    pub(super) fn encryption_context(&self, world: &World, bucket_key: bool) -> String {
        if bucket_key { world.spec.partition.s3_arn(self.bucket) } else { self.arn(world) }
    }

    fn arn(&self, world: &World) -> String {
        world.spec.partition.s3_arn(format_args!("{}/{}", self.bucket, self.key))
    }

    /// The bucket as it stands, when the caller may do this in it.
    pub(super) fn bucket(
        &self,
        world: &World,
        action: &str,
        resource: &str,
        request: &Request,
    ) -> Result<Bucket, AwsError> {
        let name = self.bucket;
        let missing =
            || AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name);
        let denied = || AwsError::new(403, "AccessDenied", "Access Denied");
        let owner = world.bucket_owner(name).ok_or_else(missing)?;
        let bucket = world.with_buckets(owner, |buckets| {
            let at = buckets.binary_search_by(|bucket| (*bucket.name).cmp(name)).map_err(|_| missing())?;
            Ok::<_, AwsError>(buckets[at].clone())
        })?;
        let home = &world.spec.regions[usize::from(bucket.region)];
        // An unsigned request is led to the right Region by the DNS of the endpoint; signed ones are for one Region.
        if self.caller.is_some() && home != self.region {
            return Err(super::elsewhere(world.spec.partition, name, home));
        }
        let owner_id = &world.organization.accounts[owner].id;
        if self.expected_owner.is_some_and(|expected| expected != owner_id) {
            return Err(denied());
        }
        let policy = bucket.configurations.policy().and_then(|text| world.permissions.load(Kind::Resource, text).ok());
        let who = self.caller.map_or(Who::Anonymous, Who::Caller);
        let mut ask = Ask::new(action, resource).of(owner).in_region(home).guarded_by(policy.as_deref());
        for header in ["x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl"] {
            if let Some(value) = request.header(header) {
                ask = ask.key(condition_key(header), value);
            }
        }
        authorize(world, who, &ask)?;
        if self.caller.is_some_and(|caller| caller.account == owner) {
            return Ok(bucket);
        }
        let text = bucket.configurations.policy().ok_or_else(denied)?;
        let account_block = world.with_account(owner, |state| {
            state.public_access_block.as_ref().is_some_and(|block| block["RestrictPublicBuckets"] == true)
        });
        let restricted = policy::restricts_public(&bucket.configurations)
            || (account_block && serde_json::from_str(text).is_ok_and(|policy| policy::is_public(&policy)));
        if restricted { Err(denied()) } else { Ok(bucket) }
    }
}

fn condition_key(header: &str) -> &'static str {
    match header {
        "x-amz-server-side-encryption" => "s3:x-amz-server-side-encryption",
        "x-amz-acl" => "s3:x-amz-acl",
        _ => "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
}

/// Headers of PutObject that would have an effect which is not modelled.
const NOT_MODELLED: [&str; 6] = [
    "x-amz-copy-source",
    "x-amz-object-lock-mode",
    "x-amz-website-redirect-location",
    "x-amz-tagging",
    "if-match",
    "x-amz-write-offset-bytes",
];

pub(super) fn put(world: &World, subject: &Subject<'_>, request: &Request) -> Result<Answer, AwsError> {
    if let Some(header) = NOT_MODELLED.iter().find(|name| request.header(name).is_some()) {
        let message = format!("A header you provided implies functionality that is not implemented: {header}");
        return Err(AwsError::new(501, "NotImplemented", message));
    }
    let arn = subject.arn(world);
    let bucket = subject.bucket(world, "s3:PutObject", &arn, request)?;
    if subject.key.len() > 1024 {
        return Err(AwsError::client("KeyTooLongError", "Your key is too long"));
    }
    let body = body::read(request)?;
    if body.bytes.len() > LARGEST_OBJECT {
        return Err(AwsError::client("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            .with("MaxSizeAllowed", LARGEST_OBJECT));
    }
    if request.header("if-none-match").is_some() && world.objects.get(subject.bucket, subject.key).is_some() {
        return Err(AwsError::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .with("Condition", "If-None-Match"));
    }
    let sealing = sealing::seal(world, subject, bucket.encryption.as_ref(), request)?;
    if !world.objects.has_room(body.bytes.len()) {
        return Err(AwsError::new(
            503,
            "SlowDown",
            "The sandbox holds as many bytes of objects as it may: delete some",
        ));
    }
    let metadata = request
        .headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix("x-amz-meta-")?.into(), value.to_str().ok()?.into()))
        })
        .collect();
    let mut object = Object {
        etag: match sealing {
            // Only under SSE-S3 is an ETag the content's MD5.
            crate::world::object::Sealing::SseS3 => body::etag(&body.bytes),
            _ => body::etag(uuid::Uuid::new_v4().as_bytes()),
        },
        body: body.bytes,
        modified_ms: now_ms(),
        content_type: request.header("content-type").unwrap_or("binary/octet-stream").into(),
        metadata,
        checksum: body.checksum,
        sealing,
        replication: None,
    };
    let replica = match replication::replicate(world, subject, &bucket, &object) {
        None => None,
        Some((status, replica)) => {
            object.replication = Some(status.into());
            replica
        }
    };
    let mut answer = rest_xml::empty(200);
    answer.headers.push(("etag", object.etag.clone()));
    answer.headers.extend(sealing::headers(&object.sealing));
    answer.headers.extend(checksum_header(&object));
    // Under the bucket owner's lock, so that the journal has it before a deletion of the bucket or not at all.
    let owner = world.bucket_owner(subject.bucket).unwrap_or_default();
    world.with_buckets(owner, |buckets| {
        buckets.binary_search_by(|b| (*b.name).cmp(subject.bucket)).map_err(|_| {
            AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", subject.bucket)
        })?;
        if subject.durable {
            world.journal.append(&Entry::ObjectPut {
                bucket: subject.bucket.into(),
                key: subject.key.into(),
                object: Box::new(object.clone()),
            })?;
        }
        world.objects.put(subject.bucket, subject.key, object);
        Ok::<_, AwsError>(())
    })?;
    if let Some(Replica { bucket, object }) =
        replica.filter(|replica| world.objects.has_room(replica.object.body.len()))
    {
        if subject.durable {
            let (bucket, key, object) = (bucket.clone(), subject.key.into(), Box::new(object.clone()));
            world.journal.append(&Entry::ObjectPut { bucket, key, object })?;
        }
        world.objects.put(&bucket, subject.key, object);
    }
    Ok(answer)
}

fn checksum_header(object: &Object) -> Option<(&'static str, String)> {
    let (name, value) = object.checksum.as_ref()?;
    let name = match name.as_str() {
        "x-amz-checksum-crc32" => "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c" => "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme" => "x-amz-checksum-crc64nvme",
        "x-amz-checksum-sha256" => "x-amz-checksum-sha256",
        _ => "x-amz-checksum-sha1",
    };
    Some((name, value.clone()))
}

/// GetObject and HeadObject: the socket leaves the body of an answer to HEAD out.
pub(super) fn get(world: &World, subject: &Subject<'_>, request: &Request) -> Result<Answer, AwsError> {
    let arn = subject.arn(world);
    subject.bucket(world, "s3:GetObject", &arn, request)?;
    let object = world
        .objects
        .get(subject.bucket, subject.key)
        .ok_or_else(|| AwsError::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", subject.key))?;
    sealing::unseal(world, subject, &object.sealing, request)?;
    if request.header("if-none-match") == Some(&object.etag) {
        return Ok(rest_xml::empty(304));
    }
    if request.header("if-match").is_some_and(|etag| etag != object.etag) {
        return Err(AwsError::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .with("Condition", "If-Match"));
    }
    let size = object.body.len();
    let mut answer = rest_xml::empty(200);
    let range = request.header("range").and_then(|text| text.strip_prefix("bytes="));
    answer.body = match range.map(|text| range_of(text, size)) {
        None => object.body.clone(),
        Some(Some((from, to))) => {
            answer.status = 206;
            answer.headers.push(("content-range", format!("bytes {from}-{}/{size}", to - 1)));
            object.body.slice(from..to)
        }
        Some(None) => {
            return Err(AwsError::new(416, "InvalidRange", "The requested range is not satisfiable"));
        }
    };
    answer.headers.push(("content-type", object.content_type.clone()));
    answer.headers.push(("content-length", answer.body.len().to_string()));
    answer.headers.push(("accept-ranges", "bytes".into()));
    answer.headers.push(("etag", object.etag.clone()));
    answer.headers.push(("last-modified", http_date(object.modified_ms)));
    answer.headers.extend(sealing::headers(&object.sealing));
    if let Some(status) = &object.replication {
        answer.headers.push(("x-amz-replication-status", status.clone()));
    }
    if request.header("x-amz-checksum-mode") == Some("ENABLED") && answer.status == 200 {
        answer.headers.extend(checksum_header(&object));
    }
    answer.metadata = object.metadata.iter().map(|(n, v)| (format!("x-amz-meta-{n}"), v.clone())).collect();
    Ok(answer)
}

/// From and behind; nothing when the range is outside.
fn range_of(text: &str, size: usize) -> Option<(usize, usize)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = match (from.is_empty(), to.is_empty()) {
        (true, _) => (size.checked_sub(to.parse::<usize>().ok()?.min(size))?, size),
        (false, true) => (from.parse().ok()?, size),
        (false, false) => (from.parse().ok()?, to.parse::<usize>().ok()?.saturating_add(1).min(size)),
    };
    (from < to).then_some((from, to))
}

fn http_date(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) fn delete(world: &World, subject: &Subject<'_>, request: &Request) -> Result<Answer, AwsError> {
    let arn = subject.arn(world);
    subject.bucket(world, "s3:DeleteObject", &arn, request)?;
    if world.objects.get(subject.bucket, subject.key).is_some() {
        world.journal.append(&Entry::ObjectDeleted { bucket: subject.bucket.into(), key: subject.key.into() })?;
        world.objects.delete(subject.bucket, subject.key);
    }
    // What is not there is deleted all the same.
    Ok(rest_xml::empty(204))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(range_of("0-3", 10), Some((0, 4)));
        assert_eq!(range_of("8-", 10), Some((8, 10)));
        assert_eq!(range_of("-3", 10), Some((7, 10)));
        assert_eq!(range_of("-30", 10), Some((0, 10)));
        assert_eq!(range_of("4-99999999999999999999", 10), None);
        assert_eq!(range_of("10-12", 10), None);
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
