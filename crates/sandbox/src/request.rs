//! A request taken apart: path, query, headers, body, and the SigV4 scope that says who calls what, where.
//! The signature is verified in `signature`.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

/// `Credential=AKID/date/region/service/aws4_request`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    fn parse(credential: &str) -> Option<Scope> {
        // From the right: nothing forbids a slash in what stands before the date.
        let mut parts = credential.rsplitn(5, '/');
        if parts.next()? != "aws4_request" {
            return None;
        }
        let (service, region, _date, access_key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Scope { access_key: access_key.into(), region: region.into(), service: service.into() })
    }
}

/// Whether and how the request is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signed {
    No,
    /// There is an Authorization header, but no SigV4 scope in it.
    Malformed,
    By(Scope),
}

/// A whole request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it was sent: signatures are made over this.
    pub(crate) uri: http::Uri,
    /// Decoded, with its leading slash.
    pub(crate) path: String,
    /// Decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) signed: Signed,
    pub(crate) session_token: Option<String>,
    /// The bucket named by `Host: BUCKET.…`, in virtual-host style.
    pub(crate) host_bucket: Option<String>,
}

impl Request {
    pub(crate) fn new(parts: http::request::Parts, body: Bytes) -> Request {
        let query = query_fields(parts.uri.query().unwrap_or_default());
        let find =
            |name: &str| query.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let signed = match (header("authorization"), find("X-Amz-Credential")) {
            (Some(text), _) => text
                .strip_prefix("AWS4-HMAC-SHA256")
                .and_then(|rest| rest.split([',', ' ']).find_map(|part| part.trim().strip_prefix("Credential=")))
                .and_then(Scope::parse)
                .map_or(Signed::Malformed, Signed::By),
            (None, Some(credential)) => Scope::parse(&credential).map_or(Signed::Malformed, Signed::By),
            (None, None) => Signed::No,
        };
        let session_token = header("x-amz-security-token").map(String::from).or_else(|| find("X-Amz-Security-Token"));
        let host_bucket = parts
            .uri
            .host()
            .or_else(|| header("host"))
            .map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name))
            .and_then(|host| host.strip_suffix(".localhost"))
            .map(|name| name.strip_suffix(".s3").unwrap_or(name).to_string());
        Request {
            path: percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned(),
            method: parts.method,
            query,
            body,
            signed,
            session_token,
            host_bucket,
            headers: parts.headers,
            uri: parts.uri,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A query parameter's value; empty for one that only stands there, as in `?encryption`.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn scope(&self) -> Option<&Scope> {
        match &self.signed {
            Signed::By(scope) => Some(scope),
            Signed::No | Signed::Malformed => None,
        }
    }
}

fn query_fields(text: &str) -> Vec<(String, String)> {
    fields(text, |part| percent_decode_str(part).decode_utf8_lossy().into_owned())
}

/// The fields of an `application/x-www-form-urlencoded` body, in which a plus is a space.
pub(crate) fn form_fields(body: &[u8]) -> Vec<(String, String)> {
    fields(&String::from_utf8_lossy(body), |part| {
        percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned()
    })
}

fn fields(text: &str, decode: impl Fn(&str) -> String) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request {
        let mut builder = http::Request::builder().uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        Request::new(builder.body(()).unwrap().into_parts().0, Bytes::new())
    }

    #[test]
    fn the_scope_says_who_calls_what_where() {
        let signed = request(
            "/",
            &[(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIAX/20261125/eu-west-1/ssm/aws4_request, SignedHeaders=host, Signature=00",
            )],
        );
        let scope = signed.scope().unwrap();
        assert_eq!(
            (scope.access_key.as_str(), scope.region.as_str(), scope.service.as_str()),
            ("AKIAX", "eu-west-1", "ssm")
        );
        assert_eq!(request("/", &[]).signed, Signed::No);
        assert_eq!(request("/", &[("authorization", "Basic eHk6eg==")]).signed, Signed::Malformed);
        let presigned = request("/b?X-Amz-Credential=AKIAX%2F20261125%2Fus-east-1%2Fs3%2Faws4_request", &[]);
        assert_eq!(presigned.scope().unwrap().service, "s3");
    }

    #[test]
    fn a_bucket_may_be_named_by_the_host() {
        assert_eq!(request("/", &[("host", "my.bucket.localhost:4566")]).host_bucket.as_deref(), Some("my.bucket"));
        assert_eq!(request("/", &[("host", "127.0.0.1:4566")]).host_bucket, None);
        assert_eq!(request("/", &[("host", "localhost:4566")]).host_bucket, None);
    }
}
