//! A log event for each call to AWS: what was called where, in how many attempts, how long it took, and the request id that
//! AWS Support asks for. Neither a header nor a body is logged, so that no credential and no external ID can be.

use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tracing::{Level, debug, enabled};

use super::observer::{error_code, is_throttling};

/// Headers that AWS's services name a request in.
const REQUEST_IDS: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];

/// Logs the calls of one account, or of the caller.
#[derive(Clone, Debug, Default)]
pub(super) struct CallLog {
    account: Option<Arc<str>>,
}

/// When the call began.
#[derive(Clone, Copy, Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

/// When the attempt was sent, and where to.
#[derive(Clone, Debug)]
struct Sent {
    at: Instant,
    region: Option<String>,
    /// S3 names the bucket in the host or in the path.
    resource: Option<String>,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl CallLog {
    /// The log of a member account's calls.
    pub(super) fn of_account(account: &str) -> CallLog {
        CallLog { account: Some(account.into()) }
    }

    fn is_on() -> bool {
        enabled!(target: "orgseal::aws", Level::DEBUG)
    }
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "orgseal call log"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if CallLog::is_on() {
            cfg.interceptor_state().store_put(Began(Instant::now()));
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if CallLog::is_on() {
            let request = context.request();
            // Credential=KEY/DATE/REGION/SERVICE/aws4_request
            let header = request.headers().get("authorization").unwrap_or_default();
            let scope = header.split_once("Credential=").map(|(_, rest)| rest);
            let region = scope.and_then(|scope| scope.split('/').nth(2)).map(str::to_owned);
            let is_s3 = cfg.load::<Metadata>().is_some_and(|metadata| metadata.service() == "S3");
            let resource = is_s3.then(|| without_query(request.uri()));
            cfg.interceptor_state().store_put(Sent { at: Instant::now(), region, resource });
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if CallLog::is_on() && is_repeated(context.response()) {
            self.log(context.response(), cfg, "AWS attempt failed");
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if CallLog::is_on() {
            self.log(context.response(), cfg, "AWS call");
        }
        Ok(())
    }
}

impl CallLog {
    fn log(&self, response: Option<&HttpResponse>, cfg: &ConfigBag, what: &'static str) {
        let metadata = cfg.load::<Metadata>();
        let sent = cfg.load::<Sent>();
        let header = |name: &str| response.and_then(|response| response.headers().get(name));
        debug!(
            target: "orgseal::aws",
            service = metadata.map(Metadata::service),
            operation = metadata.map(Metadata::name),
            account = self.account.as_deref(),
            region = sent.and_then(|sent| sent.region.as_deref()),
            resource = sent.and_then(|sent| sent.resource.as_deref()),
            attempts = cfg.load::<RequestAttempts>().map_or(0, RequestAttempts::attempts),
            latency_ms = sent.map(|sent| millis(sent.at)),
            total_ms = cfg.load::<Began>().map(|began| millis(began.0)),
            status = response.map(|response| response.status().as_u16()),
            code = response.and_then(error_code),
            request_id = REQUEST_IDS.iter().find_map(|name| header(name)),
            extended_request_id = header("x-amz-id-2"),
            "{what}"
        );
    }
}

/// Whether the SDK sends the request again after such an answer, as long as it has attempts left.
fn is_repeated(response: Option<&HttpResponse>) -> bool {
    response.is_none_or(|response| {
        let status = response.status().as_u16();
        status >= 500 || is_throttling(status, error_code(response).as_deref())
    })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Host and path. A query may be long, and says nothing that the operation's name does not say.
fn without_query(uri: &str) -> String {
    let bare = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    bare.split('?').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn what_is_sent_again_is_logged_attempt_by_attempt() {
        let answer =
            |status: u16, body: &'static str| HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        assert!(is_repeated(None));
        assert!(is_repeated(Some(&answer(503, "<Error><Code>SlowDown</Code></Error>"))));
        assert!(is_repeated(Some(&answer(400, "{\"__type\":\"ThrottlingException\"}"))));
        assert!(!is_repeated(Some(&answer(200, ""))));
        assert!(!is_repeated(Some(&answer(403, "<Error><Code>AccessDenied</Code></Error>"))));
    }

    #[test]
    fn the_resource_is_host_and_path() {
        assert_eq!(
            without_query("https://logs.s3.eu-west-1.amazonaws.com/?encryption"),
            "logs.s3.eu-west-1.amazonaws.com/"
        );
        assert_eq!(without_query("http://127.0.0.1:1/logs?policy"), "127.0.0.1:1/logs");
    }
}
