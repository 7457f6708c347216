//! An HTTP client that measures AWS's clock: the `Date` of every response goes to [`crate::clock`], and requests are signed by
//! that clock, so that a machine whose clock is off is not refused.

use std::time::{Instant, SystemTime};

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::Timestamp;

use super::wrapped_client::wrapped;
use crate::clock::{self, Witness};
use crate::model::plausible;

/// Signs by AWS's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct AwsTime;

impl TimeSource for AwsTime {
    fn now(&self) -> SystemTime {
        clock::signing_now()
    }
}

/// The same client, measuring.
pub(super) fn measured(client: SharedHttpClient) -> SharedHttpClient {
    wrapped(client, |connector| SharedHttpConnector::new(MeasuredConnector(connector)))
}

#[derive(Debug)]
struct MeasuredConnector(SharedHttpConnector);

impl HttpConnector for MeasuredConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = Instant::now();
        let witness = witness_of(request.headers().get("authorization").unwrap_or_default());
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let response = answer.await?;
            if let (Some(date), Some(witness)) = (date_of(&response), &witness) {
                clock::observe(date, sent, Instant::now(), witness);
            }
            Ok(response)
        })
    }
}

/// Who answers a request that was signed like this: `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn witness_of(authorization: &str) -> Option<Witness> {
    let (_, scope) = authorization.split_once("Credential=")?;
    let mut parts = scope.split(['/', ',']);
    let (access_key, service) = (parts.next()?, parts.nth(2)?);
    Some(Witness::signed(access_key, service))
}

/// Headers that AWS's services name a request in. What a proxy or the instance metadata service answers by itself has none of
/// them, and its clock is not AWS's.
const REQUEST_IDS: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];

/// The `Date` of an answer that AWS gave just now; one with an `Age` comes from a cache (RFC 9111).
fn date_of(response: &HttpResponse) -> Option<Timestamp> {
    let headers = response.headers();
    if headers.get("age").is_some() || !REQUEST_IDS.iter().any(|name| headers.get(*name).is_some()) {
        return None;
    }
    let date = DateTime::from_str(headers.get("date")?, Format::HttpDate).ok()?;
    // A clock that is set by centuries overflows where spans are added to it: such a date is none of AWS's.
    let at = Timestamp::from_second(date.secs()).ok()?;
    (at == plausible(at.as_second())).then_some(at)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn only_what_aws_answered_just_now_tells_the_time() {
        let answer = |headers: &[(&'static str, &'static str)]| {
            let mut answer = HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
            for (name, value) in headers {
                answer.headers_mut().insert(*name, *value);
            }
            date_of(&answer)
        };
        let date = ("date", "Mon, 30 Nov 2026 12:00:00 GMT");
        let noon = Some("2026-11-30T12:00:00Z".parse().unwrap());
        assert_eq!(answer(&[date, ("x-amzn-requestid", "a")]), noon);
        assert_eq!(answer(&[date, ("x-amz-request-id", "A")]), noon);
        assert_eq!(answer(&[date]), None, "a proxy's own answer");
        assert_eq!(answer(&[date, ("x-amzn-requestid", "a"), ("age", "7")]), None, "a cache's");
        assert_eq!(answer(&[("x-amzn-requestid", "a"), ("date", "soon")]), None);
        for absurd in
            ["Thu, 30 Dec 9999 12:00:00 GMT", "Mon, 01 Jan 0001 12:00:00 GMT", "Thu, 01 Jan 3000 12:00:00 GMT"]
        {
            assert_eq!(answer(&[("x-amzn-requestid", "a"), ("date", absurd)]), None, "{absurd}");
        }
    }
}
