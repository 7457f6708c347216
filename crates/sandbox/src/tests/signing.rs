//! Signs the tests' requests, and AWS's own published example of a signature.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::Keys;
use crate::request::Request;
use crate::signature::{SigningKeys, Style, verify};

/// How a request is signed: with its host and every `x-amz-` header.
pub(super) struct Signing<'a> {
    pub(super) keys: &'a Keys,
    pub(super) secret: &'a str,
    /// `Region/service`
    pub(super) scope: &'a str,
    pub(super) host: &'a str,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decoded and encoded again as signatures want it.
fn encoded(text: &str) -> String {
    const SAFE: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, &SAFE).to_string()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Signing<'_> {
    pub(super) fn headers(
        &self,
        method: &str,
        uri: &str,
        further: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<(String, String)> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut fields: Vec<String> = query
            .split('&')
            .filter(|field| !field.is_empty())
            .map(|field| {
                let (name, value) = field.split_once('=').unwrap_or((field, ""));
                format!("{}={}", encoded(name), encoded(value))
            })
            .collect();
        fields.sort();
        // A body that is streamed names no hash but how it is streamed.
        let named = further.iter().find(|(name, _)| *name == "x-amz-content-sha256");
        let hash = named.map_or_else(|| hex(&Sha256::digest(body)), |(_, value)| (*value).to_string());
        let mut headers = vec![
            ("host".to_string(), self.host.to_string()),
            ("x-amz-content-sha256".into(), hash.clone()),
            ("x-amz-date".into(), stamp.clone()),
        ];
        headers.extend(self.keys.token.iter().map(|token| ("x-amz-security-token".into(), token.clone())));
        let amazon = further.iter().filter(|(name, _)| name.starts_with("x-amz-") && *name != "x-amz-content-sha256");
        headers.extend(amazon.map(|(name, value)| ((*name).into(), (*value).into())));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = names.join(";");
        let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\n{hash}", fields.join("&"));
        let scope = format!("{}/{}/aws4_request", &stamp[..8], self.scope);
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let key = scope.split('/').fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| hmac(&key, part));
        headers.push((
            "authorization".into(),
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
                self.keys.access_key,
                hex(&hmac(&key, &to_sign))
            ),
        ));
        headers
    }
}

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 20150830T123600Z
const THEN_MS: i64 = 1_440_938_160_000;

/// The example of the AWS General Reference: GET ListUsers of IAM.
fn example(uri: &str, stamp: &str) -> Request {
    let request = http::Request::builder()
        .uri(uri)
        .header("host", "iam.amazonaws.com")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-amz-date", stamp)
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        );
    Request::new(request.body(()).unwrap().into_parts().0, bytes::Bytes::new())
}

#[test]
fn the_published_example_verifies() {
    let (keys, request) =
        (SigningKeys::default(), example("/?Action=ListUsers&Version=2010-05-08", "20150830T123600Z"));
    verify(&keys, &request, SECRET, Style::Query, THEN_MS).unwrap();
    verify(&keys, &request, SECRET, Style::Query, THEN_MS + 299_000).unwrap();
    let wrong = verify(&SigningKeys::default(), &request, "another", Style::Query, THEN_MS).unwrap_err();
    assert_eq!((wrong.status, wrong.code), (403, "SignatureDoesNotMatch"));
    let wrong = verify(&SigningKeys::default(), &request, "another", Style::Json, THEN_MS).unwrap_err();
    assert_eq!((wrong.status, wrong.code), (400, "InvalidSignatureException"));
    let tampered = example("/?Action=DeleteUser&Version=2010-05-08", "20150830T123600Z");
    assert_eq!(verify(&keys, &tampered, SECRET, Style::Query, THEN_MS).unwrap_err().code, "SignatureDoesNotMatch");
}

#[test]
fn a_signature_holds_for_its_time_only() {
    let keys = SigningKeys::default();
    let request = example("/?Action=ListUsers&Version=2010-05-08", "20150830T123600Z");
    let at = |style, ms| verify(&keys, &request, SECRET, style, THEN_MS + ms).unwrap_err();
    assert_eq!(
        at(Style::Query, 301_000).message,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    let early = at(Style::Json, -301_000);
    assert_eq!(early.code, "InvalidSignatureException");
    assert_eq!(
        early.message,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    );
    assert_eq!(at(Style::S3, 901_000).code, "RequestTimeTooSkewed");
    let other_day = example("/?Action=ListUsers&Version=2010-05-08", "20150831T123600Z");
    let error = verify(&keys, &other_day, SECRET, Style::Query, THEN_MS).unwrap_err();
    assert!(error.message.starts_with("Date in Credential scope does not match"), "{}", error.message);
}

/// Whatever the headers hold: it is answered, and never taken for signed.
#[test]
fn mangled_signatures_neither_panic_nor_pass() {
    let mut random = crate::random::Random::new(7, "mangled-signatures", 0);
    let keys = SigningKeys::default();
    let whole = example("/?Action=ListUsers&Version=2010-05-08", "20150830T123600Z");
    for nth in 0..3_000 {
        let mut builder = http::Request::builder().uri("/?Action=ListUsers&Version=2010-05-08");
        for (name, value) in &whole.headers {
            let mut bytes = value.as_bytes().to_vec();
            let (at, letter) = (random.below(bytes.len() as u64) as usize, b" =,;/0Zz\x80"[random.below(9) as usize]);
            // Spaces at the ends are no part of a header's value, and several of them are one.
            if letter == b' ' || bytes[at] == b' ' || bytes[at] == letter {
                bytes.push(b'x');
            } else if random.below(2) == 0 {
                bytes[at] = letter;
            } else {
                bytes.truncate(at);
            }
            builder = builder.header(name, http::HeaderValue::from_bytes(&bytes).unwrap());
        }
        let request = Request::new(builder.body(()).unwrap().into_parts().0, bytes::Bytes::new());
        for style in [Style::S3, Style::Query, Style::Json] {
            assert!(verify(&keys, &request, SECRET, style, THEN_MS).is_err(), "{nth}: {:?}", request.headers);
        }
    }
}

/// A request of S3, signed by the tests' own signer, then changed.
fn of_s3(
    body: &[u8],
    change: impl FnOnce(http::request::Builder) -> http::request::Builder,
    sent: &[u8],
) -> &'static str {
    let keys = Keys { access_key: "AKIDEXAMPLE".into(), token: None };
    let signing = Signing { keys: &keys, secret: SECRET, scope: "us-east-1/s3", host: "b.localhost" };
    let mut builder = http::Request::builder().method("PUT").uri("/?encryption");
    for (name, value) in signing.headers("PUT", "/?encryption", &[], body) {
        builder = builder.header(name, value);
    }
    let parts = change(builder).body(()).unwrap().into_parts().0;
    let request = Request::new(parts, bytes::Bytes::copy_from_slice(sent));
    let now = jiff::Timestamp::now().as_millisecond();
    verify(&SigningKeys::default(), &request, SECRET, Style::S3, now).map_or_else(|error| error.code, |()| "good")
}

#[test]
fn s3_wants_the_body_that_was_hashed_and_every_amazon_header_signed() {
    assert_eq!(of_s3(b"body", |request| request, b"body"), "good");
    assert_eq!(of_s3(b"", |request| request, b""), "good");
    assert_eq!(of_s3(b"body", |request| request, b"Body"), "XAmzContentSHA256Mismatch");
    assert_eq!(of_s3(b"body", |request| request.header("user-agent", "any"), b"body"), "good");
    assert_eq!(of_s3(b"body", |request| request.header("x-amz-acl", "private"), b"body"), "AccessDenied");
    assert_eq!(of_s3(b"body", |request| request.uri("/?policy"), b"body"), "SignatureDoesNotMatch");
    assert_eq!(of_s3(b"body", |request| request.uri("/?encryption="), b"body"), "good");
    assert_eq!(of_s3(b"body", |request| request.uri("/./?encryption"), b"body"), "SignatureDoesNotMatch");
    assert_eq!(of_s3(b"body", |request| request.method("GET"), b"body"), "SignatureDoesNotMatch");
    let without_hash = |mut request: http::request::Builder| {
        request.headers_mut().unwrap().remove("x-amz-content-sha256");
        request
    };
    assert_eq!(of_s3(b"body", without_hash, b"body"), "InvalidRequest");
    let unsigned = |mut request: http::request::Builder| {
        request
            .headers_mut()
            .unwrap()
            .insert("x-amz-content-sha256", http::HeaderValue::from_static("UNSIGNED-PAYLOAD"));
        request
    };
    assert_eq!(of_s3(b"body", unsigned, b"body"), "SignatureDoesNotMatch", "the hash's header is signed itself");
}
