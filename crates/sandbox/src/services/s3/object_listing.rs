//! ListObjectsV2: keys and common prefixes, in order and in pages.

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
    subject.bucket(world, "s3:ListBucket", &format!("arn:aws:s3:::{}", subject.bucket), request)?;
    let most = match request.parameter("max-keys") {
        None => 1000,
        Some(text) => text.parse::<usize>().map(|most| most.min(1000)).map_err(|_| {
            AwsError::client("InvalidArgument", "Provided max-keys not an integer or within integer range")
                .with("ArgumentName", "max-keys")
                .with("ArgumentValue", text)
        })?,
    };
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
    let encode = request.parameter("encoding-type") == Some("url");
    let written = |text: &str| match encode {
        true => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string(),
        false => escape(text).into_owned(),
    };
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
    for line in &lines {
        let _ = match line {
            Line::Prefix(common) => {
                write!(body, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", written(common))
            }
            Line::Object(key, object) => write!(
                body,
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size>\
                 <StorageClass>STANDARD</StorageClass></Contents>",
                written(key),
                iso8601(object.modified_ms),
                escape(&object.etag),
                object.body.len()
            ),
        };
    }
    body.push_str("</ListBucketResult>");
    Ok(rest_xml::answer(&body))
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
            let common = Some(delimiter).filter(|delimiter| !delimiter.is_empty()).and_then(|delimiter| {
                let at = key[prefix.len()..].find(delimiter)?;
                Some(key[..prefix.len() + at + delimiter.len()].to_string())
            });
            match common {
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
