//! ListObjectsV2, and ListObjects that came before it: keys and common prefixes, in order and in pages.

use std::fmt::Write as _;
use std::sync::Arc;

use super::buckets::{from_token, to_token};
use super::objects::Subject;
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, escape, iso8601, rest_xml};
use crate::world::World;
use crate::world::object::Object;

/// A line of the list: an object, or all that begins alike up to the delimiter.
enum Line {
    Object(String, Arc<Object>),
    Prefix(String),
}

pub(super) fn list(world: &World, subject: &Subject<'_>, request: &Request) -> Result<Answer, AwsError> {
    const KNOWN: [&str; 9] = [
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "continuation-token",
        "start-after",
        "encoding-type",
        "fetch-owner",
        "x-id",
    ];
    let unknown = |name: &str| !KNOWN.contains(&name) && !name.to_ascii_lowercase().starts_with("x-amz-");
    if let Some((name, _)) = request.query.iter().find(|(name, _)| unknown(name)) {
        return Err(AwsError::new(501, "NotImplemented", format!("The parameter {name} is not implemented")));
    }
    subject.bucket(world, "s3:ListBucket", &world.spec.partition.s3_arn(subject.bucket), request)?;
    let most = max_keys(request)?;
    let prefix = request.parameter("prefix").unwrap_or_default();
    let delimiter = request.parameter("delimiter").unwrap_or_default();
    let token = request.parameter("continuation-token");
    let after = match token {
        Some(token) => from_token(token).ok_or_else(|| {
            AwsError::client("InvalidArgument", "The continuation token provided is incorrect")
                .with("ArgumentName", "continuation-token")
        })?,
        None => request.parameter("start-after").unwrap_or_default().to_string(),
    };
    let mut lines = lines(world, subject.bucket, prefix, delimiter, &after, most + 1);
    let more = lines.len() > most;
    lines.truncate(most);
    let encode = is_encoded(request);
    let written = |text: &str| written(text, encode);
    let mut body = format!(
        "<ListBucketResult xmlns=\"{NAMESPACE}\"><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount>\
         <MaxKeys>{most}</MaxKeys><IsTruncated>{more}</IsTruncated>",
        escape(subject.bucket),
        written(prefix),
        lines.len()
    );
    if !delimiter.is_empty() {
        let _ = write!(body, "<Delimiter>{}</Delimiter>", written(delimiter));
    }
    if encode {
        body.push_str("<EncodingType>url</EncodingType>");
    }
    if let Some(token) = token {
        let _ = write!(body, "<ContinuationToken>{}</ContinuationToken>", escape(token));
    }
    if let Some(last) = lines.last().filter(|_| more) {
        let place = match last {
            Line::Object(key, _) => key.clone(),
            Line::Prefix(common) => behind(common),
        };
        let _ = write!(body, "<NextContinuationToken>{}</NextContinuationToken>", to_token(&place));
    }
    write_lines(&lines, encode, "", &mut body);
    body.push_str("</ListBucketResult>");
    Ok(rest_xml::answer(&body))
}

/// Parameters of ListObjects, besides the SDKs' own. A bucket's URL with nothing else in it lists its objects.
const FIRST_VERSION: [&str; 5] = ["prefix", "delimiter", "marker", "max-keys", "encoding-type"];

/// Whether a request on a bucket, which is not a ListObjectsV2, lists its objects.
pub(super) fn is_first_version(request: &Request) -> bool {
    let expected =
        |name: &str| FIRST_VERSION.contains(&name) || name == "x-id" || name.to_ascii_lowercase().starts_with("x-amz-");
    request.method == http::Method::GET && request.query.iter().all(|(name, _)| expected(name))
}

/// ListObjects: pages by a marker, which is a key and no token, and each object with its owner.
pub(super) fn list_first_version(world: &World, subject: &Subject<'_>, request: &Request) -> Result<Answer, AwsError> {
    subject.bucket(world, "s3:ListBucket", &world.spec.partition.s3_arn(subject.bucket), request)?;
    let most = max_keys(request)?;
    let text = |name: &str| request.parameter(name).unwrap_or_default();
    let (prefix, delimiter, marker) = (text("prefix"), text("delimiter"), text("marker"));
    // A marker within a common prefix is behind all of it.
    let after = common_prefix(marker, prefix, delimiter).map_or_else(|| marker.to_string(), |common| behind(&common));
    let mut lines = lines(world, subject.bucket, prefix, delimiter, &after, most + 1);
    let more = lines.len() > most;
    lines.truncate(most);
    let encode = is_encoded(request);
    let mut body = format!(
        "<ListBucketResult xmlns=\"{NAMESPACE}\"><Name>{}</Name><Prefix>{}</Prefix><Marker>{}</Marker>\
         <MaxKeys>{most}</MaxKeys><IsTruncated>{more}</IsTruncated>",
        escape(subject.bucket),
        written(prefix, encode),
        written(marker, encode),
    );
    if !delimiter.is_empty() {
        let _ = write!(body, "<Delimiter>{}</Delimiter>", written(delimiter, encode));
        // Only with a delimiter; without one the last key is the next marker [model: NextMarker].
        if let Some(Line::Object(next, _) | Line::Prefix(next)) = lines.last().filter(|_| more) {
            let _ = write!(body, "<NextMarker>{}</NextMarker>", written(next, encode));
        }
    }
    if encode {
        body.push_str("<EncodingType>url</EncodingType>");
    }
    let owner = world.bucket_owner(subject.bucket).map(|owner| world.canonical_id(owner)).unwrap_or_default();
    write_lines(&lines, encode, &format!("<Owner><ID>{owner}</ID></Owner>"), &mut body);
    body.push_str("</ListBucketResult>");
    Ok(rest_xml::answer(&body))
}

fn max_keys(request: &Request) -> Result<usize, AwsError> {
    let Some(text) = request.parameter("max-keys") else { return Ok(1000) };
    text.parse::<usize>().map(|most| most.min(1000)).map_err(|_| {
        AwsError::client("InvalidArgument", "Provided max-keys not an integer or within integer range")
            .with("ArgumentName", "max-keys")
            .with("ArgumentValue", text)
    })
}

fn is_encoded(request: &Request) -> bool {
    request.parameter("encoding-type") == Some("url")
}

fn written(text: &str, encode: bool) -> String {
    match encode {
        true => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string(),
        false => escape(text).into_owned(),
    }
}

fn write_lines(lines: &[Line], encode: bool, owner: &str, body: &mut String) {
    for line in lines {
        let _ = match line {
            Line::Prefix(common) => {
                write!(body, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", written(common, encode))
            }
            Line::Object(key, object) => write!(
                body,
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size>{owner}\
                 <StorageClass>STANDARD</StorageClass></Contents>",
                written(key, encode),
                iso8601(object.modified_ms),
                escape(&object.etag),
                object.body.len()
            ),
        };
    }
}

/// What a key begins with up to the first delimiter after the prefix.
fn common_prefix(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let rest = key.strip_prefix(prefix).filter(|_| !delimiter.is_empty())?;
    let at = rest.find(delimiter)?;
    Some(key[..prefix.len() + at + delimiter.len()].to_string())
}

/// A text behind every key that begins with this one.
fn behind(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

fn lines(world: &World, bucket: &str, prefix: &str, delimiter: &str, after: &str, most: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut after = after.to_string();
    while lines.len() < most {
        let wanted = if delimiter.is_empty() { most } else { 1 };
        let found = world.objects.list(bucket, prefix, &after, wanted);
        if found.is_empty() {
            break;
        }
        for (key, object) in found {
            match common_prefix(&key, prefix, delimiter) {
                Some(common) => {
                    after = behind(&common);
                    lines.push(Line::Prefix(common));
                }
                None => {
                    after.clone_from(&key);
                    lines.push(Line::Object(key, object));
                }
            }
        }
    }
    lines.truncate(most);
    lines
}
