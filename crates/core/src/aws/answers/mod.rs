//! Every answer of AWS passes here before the SDK reads it: its body is bounded, a successful answer to a read is complete and
//! what the model says it is, and an error is whole.
//!
//! The SDK reads XML that ends in the middle of a list as a shorter list, and an empty body as an answer in which nothing is configured.
//! Both would make buckets look absent or sealed. Such an answer counts as no answer: the attempt failed, and the SDK repeats it.

mod elements;
mod expected;
mod xml;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::ErrorKind;

use expected::{Answered, Expected, check_error};

use super::wrapped_client::wrapped;

/// The largest body of an answer. A page of ListBuckets with 10,000 names is about 2 MiB.
const LARGEST_BODY: usize = 16 << 20;

/// What is wrong with an answer. It reaches [`super::error::aws_error`] through the SDK's errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the answer is larger than {} MiB", LARGEST_BODY >> 20)]
    TooLarge,
    #[error("the answer is empty")]
    Empty,
    #[error("the answer is cut off: {0}")]
    CutOff(String),
    #[error("the answer is not well-formed: {0}")]
    Malformed(String),
    #[error("the answer is <{found}>, not <{wanted}>")]
    OtherRoot { found: String, wanted: String },
    #[error("the answer holds no {0}")]
    Lacks(&'static str),
    #[error("an element {element} in the answer has no {member}")]
    ElementLacks { element: &'static str, member: String },
    #[error("an element {0} in the answer is empty")]
    EmptyElement(&'static str),
}

impl Unusable {
    /// What to do about it.
    pub(super) const HINT: &str = "run the command again; check the proxy or endpoint between orgseal and AWS";
}

/// The same client, checking.
pub(super) fn checked(client: SharedHttpClient) -> SharedHttpClient {
    wrapped(client, |connector| SharedHttpConnector::new(CheckedConnector(connector)))
}

#[derive(Debug)]
struct CheckedConnector(SharedHttpConnector);

impl HttpConnector for CheckedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (expected, request_was) = (Expected::of(&request), Answered::of(&request));
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            let body = bounded(&mut answer).await?;
            match answer.status().as_u16() {
                200..300 => expected.check(&body).map_err(unusable)?,
                400..500 => check_error(&request_was, &body).map_err(unusable)?,
                _ => {}
            }
            *answer.body_mut() = SdkBody::from(body);
            Ok(answer)
        })
    }
}

/// The whole body of an answer, unless it is too large.
async fn bounded(answer: &mut HttpResponse) -> Result<Vec<u8>, ConnectorError> {
    let announced = answer.headers().get("content-length").and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > LARGEST_BODY) {
        return Err(unusable(Unusable::TooLarge));
    }
    let mut body = Vec::with_capacity(announced.unwrap_or_default());
    let mut parts = ByteStream::new(answer.take_body());
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| ConnectorError::io(error.into()))?;
        if body.len() + part.len() > LARGEST_BODY {
            return Err(unusable(Unusable::TooLarge));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// The SDK tries again after it, as after a connection that broke.
fn unusable(fault: Unusable) -> ConnectorError {
    ConnectorError::other(fault.into(), Some(ErrorKind::TransientError))
}

#[cfg(test)]
mod tests;
