//! Signature Version 4, in the Authorization header and in presigned URLs: is the request signed with this secret, for
//! this moment, and is its body the one that was signed. The errors are each protocol's own.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::RwLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::request::Request;
use crate::wire::error::AwsError;
use crate::world::lock::{read, write};

type Keyed = Hmac<Sha256>;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const EMPTY_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Whose words an error is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    S3,
    /// STS
    Query,
    Json,
}

impl Style {
    fn error(self, message: String) -> AwsError {
        match self {
            Style::S3 => AwsError::new(403, "SignatureDoesNotMatch", message),
            Style::Query => AwsError::new(403, "SignatureDoesNotMatch", message),
            Style::Json => AwsError::client("InvalidSignatureException", message),
        }
    }

    fn incomplete(self, message: String) -> AwsError {
        match self {
            Style::S3 => AwsError::client("AuthorizationHeaderMalformed", message),
            Style::Query => AwsError::client("IncompleteSignature", message),
            Style::Json => AwsError::client("IncompleteSignatureException", message),
        }
    }
}

/// Signing keys by access key, day, Region and service, as in the credential's own text.
#[derive(Debug, Default)]
pub(crate) struct SigningKeys {
    shards: [RwLock<HashMap<Box<str>, Keyed>>; 16],
}

/// A shard that has grown to this is emptied: a key is made again in microseconds.
const LARGEST_SHARD: usize = 4_096;

impl SigningKeys {
    /// `scope`: `AKID/date/Region/service/aws4_request`. The secret of an access key never changes.
    fn key(&self, scope: &str, secret: &str) -> Keyed {
        let place = scope.bytes().take(24).fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let shard = &self.shards[usize::from(place) % self.shards.len()];
        if let Some(known) = read(shard).get(scope) {
            return known.clone();
        }
        let mut parts: Vec<&str> = scope.rsplitn(5, '/').take(4).collect();
        parts.reverse();
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in parts {
            let mut mac = keyed(&key);
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        let made = keyed(&key);
        let mut shard = write(shard);
        if shard.len() >= LARGEST_SHARD {
            shard.clear();
        }
        shard.insert(scope.into(), made.clone());
        made
    }
}

fn keyed(key: &[u8]) -> Keyed {
    // HMAC takes keys of every length; the fallback is never reached.
    Keyed::new_from_slice(key).unwrap_or_else(|_| Keyed::new(&Default::default()))
}

/// The signature as the request shows it.
struct Shown<'a> {
    presigned: bool,
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

fn shown(request: &Request, style: Style) -> Result<Shown<'_>, AwsError> {
    let parameter = |name: &str| request.parameter(name).unwrap_or_default();
    let Some(header) = request.header("authorization") else {
        let shown = Shown {
            presigned: true,
            credential: parameter("X-Amz-Credential"),
            signed_headers: parameter("X-Amz-SignedHeaders"),
            signature: parameter("X-Amz-Signature"),
        };
        if parameter("X-Amz-Algorithm") != ALGORITHM || shown.signed_headers.is_empty() || shown.signature.is_empty() {
            let message = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                           X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
            return Err(match style {
                Style::S3 => AwsError::client("AuthorizationQueryParametersError", message),
                Style::Query | Style::Json => style.incomplete(message.into()),
            });
        }
        return Ok(shown);
    };
    let rest = header.strip_prefix(ALGORITHM).unwrap_or_default();
    let find = |name: &str| {
        rest.split([',', ' ']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    let shown = Shown {
        presigned: false,
        credential: find("Credential"),
        signed_headers: find("SignedHeaders"),
        signature: find("Signature"),
    };
    for (name, value) in [("Signature", shown.signature), ("SignedHeaders", shown.signed_headers)] {
        if value.is_empty() {
            return Err(style.incomplete(format!("Authorization header requires '{name}' parameter.")));
        }
    }
    Ok(shown)
}

/// Refuses a request that is not signed with this secret, or not for now.
pub(crate) fn verify(
    keys: &SigningKeys,
    request: &Request,
    secret: &str,
    style: Style,
    now_ms: i64,
) -> Result<(), AwsError> {
    let shown = shown(request, style)?;
    let date = date_of(request, shown.presigned);
    let (stamp, signed_ms) = date.and_then(|stamp| Some((stamp, instant(stamp)?))).ok_or_else(|| match style {
        Style::S3 => {
            AwsError::new(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
        }
        Style::Query | Style::Json => style.incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_string(),
        ),
    })?;
    check_day(shown.credential, stamp, style)?;
    check_moment(request, &shown, stamp, signed_ms, now_ms, style)?;
    check_signed_headers(request, &shown, style)?;
    let payload = payload_hash(request, shown.presigned, style)?;
    let canonical = canonical_request(request, &shown, &payload, style == Style::S3);
    let scope = shown.credential.split_once('/').map_or("", |(_, scope)| scope);
    let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut mac = keys.key(shown.credential, secret);
    mac.update(to_sign.as_bytes());
    if unhex(shown.signature).is_some_and(|signature| mac.verify_slice(&signature).is_ok()) {
        return Ok(());
    }
    let access_key = request.scope().map_or("", |scope| scope.access_key.as_str());
    Err(match style {
        Style::S3 => style
            .error(
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method."
                    .into(),
            )
            .with("AWSAccessKeyId", access_key)
            .with("StringToSign", to_sign)
            .with("SignatureProvided", shown.signature)
            .with("CanonicalRequest", canonical),
        Style::Query | Style::Json => style.error(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
                .into(),
        ),
    })
}

fn date_of(request: &Request, presigned: bool) -> Option<&str> {
    if presigned { request.parameter("X-Amz-Date") } else { request.header("x-amz-date") }
}

/// `20260131T235959Z`
fn instant(stamp: &str) -> Option<i64> {
    if stamp.len() != 16 || !stamp.ends_with('Z') {
        return None;
    }
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok().map(jiff::Timestamp::as_millisecond)
}

fn stamp_of(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn check_day(credential: &str, stamp: &str, style: Style) -> Result<(), AwsError> {
    let day = credential.rsplit('/').nth(3).unwrap_or_default();
    if stamp.starts_with(day) && day.len() == 8 {
        return Ok(());
    }
    Err(match style {
        Style::S3 => style.incomplete(format!(
            "The authorization header is malformed; Invalid credential date \"{day}\". This date is not the same as \
             X-Amz-Date: \"{}\".",
            &stamp[..8]
        )),
        Style::Query | Style::Json => style.error(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != \
             '{}', from '{stamp}'.",
            &stamp[..8]
        )),
    })
}

/// S3 lets clocks differ by 15 minutes, the others by 5; a presigned URL says itself how long it holds.
fn check_moment(
    request: &Request,
    shown: &Shown<'_>,
    stamp: &str,
    signed_ms: i64,
    now_ms: i64,
    style: Style,
) -> Result<(), AwsError> {
    const MINUTE_MS: i64 = 60_000;
    if shown.presigned {
        let seconds = request.parameter("X-Amz-Expires").and_then(|text| text.parse::<i64>().ok());
        let Some(seconds) = seconds.filter(|seconds| (1..=604_800).contains(seconds)) else {
            return Err(AwsError::client(
                "AuthorizationQueryParametersError",
                "X-Amz-Expires must be a number between 1 and 604800 seconds",
            ));
        };
        if signed_ms > now_ms + 15 * MINUTE_MS {
            return Err(AwsError::new(403, "AccessDenied", "Request is not valid yet"));
        }
        if signed_ms + seconds * 1000 < now_ms {
            return Err(AwsError::new(403, "AccessDenied", "Request has expired")
                .with("X-Amz-Expires", seconds.to_string())
                .with("ServerTime", crate::wire::iso8601(now_ms)));
        }
        return Ok(());
    }
    if style == Style::S3 {
        if (signed_ms - now_ms).abs() <= 15 * MINUTE_MS {
            return Ok(());
        }
        return Err(AwsError::new(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
        .with("RequestTime", stamp)
        .with("ServerTime", crate::wire::iso8601(now_ms))
        .with("MaxAllowedSkewMilliseconds", "900000"));
    }
    let (now, edge) = (stamp_of(now_ms), |ms| stamp_of(now_ms + ms));
    if signed_ms < now_ms - 5 * MINUTE_MS {
        let edge = edge(-5 * MINUTE_MS);
        return Err(style.error(format!("Signature expired: {stamp} is now earlier than {edge} ({now} - 5 min.)")));
    }
    if signed_ms > now_ms + 5 * MINUTE_MS {
        let edge = edge(5 * MINUTE_MS);
        return Err(
            style.error(format!("Signature not yet current: {stamp} is still later than {edge} ({now} + 5 min.)"))
        );
    }
    Ok(())
}

/// The host must be signed; S3 wants every `x-amz-` header signed too.
fn check_signed_headers(request: &Request, shown: &Shown<'_>, style: Style) -> Result<(), AwsError> {
    let signed = |name: &str| shown.signed_headers.split(';').any(|header| header == name);
    if style != Style::S3 {
        if !signed("host") {
            return Err(style.error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into()));
        }
        return Ok(());
    }
    let mut unsigned: Vec<&str> = Vec::new();
    if !signed("host") {
        unsigned.push("host");
    }
    let amazon = request.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    // In a presigned URL the hash of the payload may be left to the signature.
    let may_be_unsigned = |name: &str| shown.presigned && name == "x-amz-content-sha256";
    unsigned.extend(amazon.filter(|name| !signed(name) && !may_be_unsigned(name)));
    if unsigned.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    Err(AwsError::new(403, "AccessDenied", message).with("HeadersNotSigned", unsigned.join(", ")))
}

/// The hash that the canonical request ends with, compared with the body where it speaks of the body.
fn payload_hash(request: &Request, presigned: bool, style: Style) -> Result<String, AwsError> {
    let computed = || match request.body.is_empty() {
        true => EMPTY_BODY.to_string(),
        false => hex(&Sha256::digest(&request.body)),
    };
    if style != Style::S3 {
        return Ok(computed());
    }
    let Some(said) = request.header("x-amz-content-sha256") else {
        if presigned {
            return Ok("UNSIGNED-PAYLOAD".into());
        }
        let message = "Missing required header for this request: x-amz-content-sha256";
        return Err(AwsError::client("InvalidRequest", message));
    };
    // The chunks' own signatures are not looked at.
    if said == "UNSIGNED-PAYLOAD" || said.starts_with("STREAMING-") {
        return Ok(said.into());
    }
    if unhex(said).is_none_or(|bytes| bytes.len() != 32) {
        return Err(AwsError::client(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.",
        )
        .with("ArgumentName", "x-amz-content-sha256")
        .with("ArgumentValue", said));
    }
    let computed = computed();
    if !computed.eq_ignore_ascii_case(said) {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(AwsError::client("XAmzContentSHA256Mismatch", message)
            .with("ClientComputedContentSHA256", said)
            .with("S3ComputedContentSHA256", computed));
    }
    Ok(said.into())
}

fn canonical_request(request: &Request, shown: &Shown<'_>, payload: &str, s3: bool) -> String {
    let mut text = String::with_capacity(512);
    text.push_str(request.method.as_str());
    text.push('\n');
    canonical_path(&mut text, request.uri.path(), s3);
    text.push('\n');
    canonical_query(&mut text, request.uri.query().unwrap_or_default());
    text.push('\n');
    for name in shown.signed_headers.split(';') {
        text.push_str(name);
        text.push(':');
        for (nth, value) in request.headers.get_all(name).iter().enumerate() {
            if nth > 0 {
                text.push(',');
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            for (nth, word) in value.split_ascii_whitespace().enumerate() {
                if nth > 0 {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
        text.push('\n');
    }
    let _ = write!(text, "\n{}\n{payload}", shown.signed_headers);
    text
}

/// S3 takes the path as it is, encoded once; the others normalise it and encode it twice.
fn canonical_path(into: &mut String, path: &str, s3: bool) {
    if s3 {
        encode(into, &percent_decode_str(path).collect::<Vec<u8>>(), true);
        return;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    for part in &parts {
        into.push('/');
        encode(into, part.as_bytes(), false);
    }
    if parts.is_empty() || path.ends_with('/') {
        into.push('/');
    }
}

fn canonical_query(into: &mut String, query: &str) {
    let mut fields: Vec<(String, String)> = query
        .split('&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let again = |text: &str| {
                let mut encoded = String::with_capacity(text.len());
                encode(&mut encoded, &percent_decode_str(text).collect::<Vec<u8>>(), false);
                encoded
            };
            (again(name), again(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    fields.sort();
    for (nth, (name, value)) in fields.iter().enumerate() {
        let _ = write!(into, "{}{name}={value}", if nth > 0 { "&" } else { "" });
    }
}

fn encode(into: &mut String, bytes: &[u8], keep_slash: bool) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || (keep_slash && *byte == b'/') {
            into.push(char::from(*byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
