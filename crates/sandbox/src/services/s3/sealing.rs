//! How an object is encrypted when it is written, and whether who writes or reads it may use the key: the headers of the
//! request first, the bucket's default encryption after them, and KMS asked through `kms::may_use`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::objects::Subject;
use crate::request::Request;
use crate::services::kms::{self, KmsDenied};
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::bucket::{Algorithm, Blocked, Encryption};
use crate::world::object::Sealing;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const SSE_C: &str = "x-amz-server-side-encryption-customer-algorithm";
const SSE_C_KEY: &str = "x-amz-server-side-encryption-customer-key";
const SSE_C_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";

fn invalid(message: &str) -> AwsError {
    AwsError::client("InvalidArgument", message)
}

/// KMS's refusal in S3's words: some of KMS's codes pass through with a prefix, a missing right becomes AccessDenied.
fn refused(denied: KmsDenied) -> AwsError {
    match denied {
        KmsDenied::NotFound(message) => AwsError::client("KMS.NotFoundException", message),
        KmsDenied::Disabled(message) => AwsError::client("KMS.DisabledException", message),
        KmsDenied::InvalidState(message) => AwsError::client("KMS.KMSInvalidStateException", message),
        KmsDenied::Denied(message) => AwsError::new(403, "AccessDenied", message),
    }
}

/// The digest of a key that the client keeps, checked against the key.
fn customer_key(request: &Request) -> Result<String, AwsError> {
    use md5::{Digest as _, Md5};
    if request.header(SSE_C) != Some("AES256") {
        return Err(AwsError::client(
            "InvalidEncryptionAlgorithmError",
            "The encryption request that you specified is not valid. The valid value is AES256.",
        ));
    }
    let key = request.header(SSE_C_KEY).and_then(|text| STANDARD.decode(text).ok()).filter(|key| key.len() == 32);
    let key = key.ok_or_else(|| invalid("The secret key was invalid for the specified algorithm."))?;
    let digest = STANDARD.encode(Md5::digest(&key));
    match request.header(SSE_C_MD5) {
        Some(given) if given == digest => Ok(digest),
        _ => Err(invalid("The calculated MD5 hash of the key did not match the hash that was provided.")),
    }
}

/// What the request's headers and the bucket's default make of a new object; asks KMS where it comes to that.
pub(super) fn seal(
    world: &World,
    subject: &Subject<'_>,
    default: Option<&Encryption>,
    request: &Request,
) -> Result<Sealing, AwsError> {
    if request.header(SSE_C).is_some() {
        if request.header(SSE).is_some() {
            return Err(invalid(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            ));
        }
        if default.is_some_and(|default| default.blocked == Blocked::SseC) {
            return Err(AwsError::new(
                403,
                "AccessDenied",
                "Access Denied: this bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys (SSE-C).",
            ));
        }
        return Ok(Sealing::Customer { key_md5: customer_key(request)? });
    }
    let wanted_key = request.header(KEY_ID);
    let (algorithm, key, by_default) = match request.header(SSE) {
        Some(name) => {
            let algorithm = Algorithm::parse(name).ok_or_else(|| {
                invalid("The encryption method specified is not supported").with("ArgumentValue", name)
            })?;
            (algorithm, wanted_key, false)
        }
        None if wanted_key.is_some() => {
            return Err(invalid(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            ));
        }
        None => match default {
            Some(default) => (default.algorithm, default.key.as_deref(), true),
            None => (Algorithm::Aes256, None, true),
        },
    };
    if algorithm == Algorithm::Aes256 {
        if wanted_key.is_some() {
            return Err(invalid(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            ));
        }
        return Ok(Sealing::SseS3);
    }
    let bucket_key = match request.header(BUCKET_KEY) {
        Some(text) => text == "true",
        None => default.is_some_and(|default| default.bucket_key && (by_default || default.algorithm == algorithm)),
    } && algorithm == Algorithm::Kms;
    let Some(caller) = subject.caller else {
        return Err(anonymous());
    };
    let region = subject.region_at(world)?;
    // Without a key it is aws/s3 of whoever asks; an alias or a bare id is looked for in the requester's account too.
    let key = key.unwrap_or("alias/aws/s3");
    let context = subject.encryption_context(world, bucket_key);
    kms::may_use(world, caller, key, "kms:GenerateDataKey", Some(region), &context).map_err(refused)?;
    let (_, found) = kms::resolve(world, caller, region, key, "kms:GenerateDataKey").map_err(refused)?;
    Ok(Sealing::Kms { algorithm, key: found.arn, bucket_key })
}

/// Whether a reader gets what was written.
pub(super) fn unseal(
    world: &World,
    subject: &Subject<'_>,
    sealing: &Sealing,
    request: &Request,
) -> Result<(), AwsError> {
    match sealing {
        Sealing::SseS3 if request.header(SSE_C).is_some() => {
            Err(AwsError::client("InvalidRequest", "The encryption parameters are not applicable to this object."))
        }
        Sealing::SseS3 => Ok(()),
        Sealing::Customer { key_md5 } => {
            if request.header(SSE_C).is_none() {
                return Err(AwsError::client(
                    "InvalidRequest",
                    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
                ));
            }
            match customer_key(request)? == *key_md5 {
                true => Ok(()),
                false => Err(AwsError::new(403, "AccessDenied", "Access Denied")),
            }
        }
        Sealing::Kms { key, bucket_key, .. } => {
            let Some(caller) = subject.caller else { return Err(anonymous()) };
            let region = subject.region_at(world)?;
            let context = subject.encryption_context(world, *bucket_key);
            kms::may_use(world, caller, key, "kms:Decrypt", Some(region), &context).map_err(refused)
        }
    }
}

fn anonymous() -> AwsError {
    invalid("Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.")
}

/// The headers by which answers show it.
pub(super) fn headers(sealing: &Sealing) -> Vec<(&'static str, String)> {
    match sealing {
        Sealing::SseS3 => vec![(SSE, "AES256".into())],
        Sealing::Kms { algorithm, key, bucket_key } => {
            let mut headers = vec![(SSE, algorithm.name().into()), (KEY_ID, key.clone())];
            if *bucket_key {
                headers.push((BUCKET_KEY, "true".into()));
            }
            headers
        }
        Sealing::Customer { key_md5 } => vec![(SSE_C, "AES256".into()), (SSE_C_MD5, key_md5.clone())],
    }
}
