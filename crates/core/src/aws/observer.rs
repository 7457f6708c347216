//! What the SDK hears on each attempt and hides in its retries: throttling, and sessions that are not valid any more.

use aws_sdk_s3::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use super::Progress;
use super::adaptive::Adaptive;
use super::call_log::CallLog;
use super::disabled_region::{Regions, is_token_refused};
use crate::clock;

/// Listens to every attempt of one account's calls to one service.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    pub(super) adaptive: Adaptive,
    pub(super) regions: Regions,
    pub(super) progress: Progress,
    pub(super) log: CallLog,
}

/// The access key that an attempt was signed with, and the Region that it was signed for.
#[derive(Clone, Debug)]
struct SignedWith {
    key: String,
    region: String,
}

impl Storable for SignedWith {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "orgseal observer"
    }

    fn read_before_execution(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.log.read_before_execution(context, cfg)
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.log.read_before_transmit(context, components, cfg)?;
        let header = context.request().headers().get("authorization").unwrap_or_default();
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let scope = header.split_once("Credential=").map(|(_, rest)| rest.split('/').collect::<Vec<_>>());
        if let Some([key, _, region, ..]) = scope.as_deref() {
            cfg.interceptor_state().store_put(SignedWith { key: (*key).to_owned(), region: (*region).to_owned() });
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.log.read_after_attempt(context, components, cfg)?;
        let signed = cfg.load::<SignedWith>();
        // No answer at all says nothing of how many calls there may be.
        let Some(response) = context.response() else {
            if let Some(SignedWith { region, .. }) = signed {
                self.regions.unanswered(region);
            }
            return Ok(());
        };
        let code = error_code(response);
        let status = response.status().as_u16();
        if is_throttling(status, code.as_deref()) {
            self.adaptive.throttled();
        } else {
            self.adaptive.answered();
            if status < 500 {
                self.progress.made();
            }
        }
        // Also where the SDK makes one attempt only, and asks no classifier.
        if is_skewed(response) {
            clock::signature_time_refused();
        }
        if let Some(SignedWith { key, region }) = signed {
            self.regions.answered(region, key, code.as_deref());
            if code.as_deref().is_some_and(is_expired) {
                self.regions.renew(key);
            }
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.log.read_after_execution(context, components, cfg)
    }
}

/// Has the SDK try again when a session was refused: by then it is a new one, or its Region is known to be disabled. The caller's own that
/// has expired is the same again, and trying would only delay a clean stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpiredIsTransient {
    pub(super) renewable: bool,
}

impl ClassifyRetry for ExpiredIsTransient {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().and_then(error_code) {
            Some(code) if is_token_refused(&code) => RetryAction::transient_error(),
            Some(code) if self.renewable && is_expired(&code) => RetryAction::transient_error(),
            _ => SkewIsTransient.classify_retry(context),
        }
    }

    fn name(&self) -> &'static str {
        "a session that was refused is renewed"
    }
}

/// Has the SDK try again when a signature's time was refused: the answer has set [`crate::clock`], by which the next one is
/// signed. The SDK's own correction is off, since both together would correct twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct SkewIsTransient;

impl ClassifyRetry for SkewIsTransient {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if is_skewed(response) => {
                clock::signature_time_refused();
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "a request that was signed for another time is signed again"
    }
}

/// Whether an answer refuses the time of a signature. S3 has a code of its own; the others word it in a signature's error.
fn is_skewed(response: &HttpResponse) -> bool {
    match error_code(response).as_deref() {
        Some("RequestTimeTooSkewed") => true,
        Some(code) => response
            .body()
            .bytes()
            .and_then(|body| std::str::from_utf8(body).ok())
            .is_some_and(|body| is_skew_error(code, body)),
        None => false,
    }
}

/// The same by the code and the message.
pub(super) fn is_skew_error(code: &str, message: &str) -> bool {
    code == "RequestTimeTooSkewed"
        || matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException")
            && (message.contains("Signature expired") || message.contains("Signature not yet current"))
}

/// What services say of a session whose time is over.
pub(super) fn is_expired(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
}

pub(super) fn is_throttling(status: u16, code: Option<&str>) -> bool {
    const CODES: [&str; 8] = [
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
    ];
    status == 429 || code.is_some_and(|code| CODES.contains(&code))
}

/// The code of an error in an answer: in a header or a JSON member for most services, in an XML element for S3.
pub(super) fn error_code(response: &HttpResponse) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let bare = |code: &str| {
        let code = code.rsplit('#').next().unwrap_or_default();
        code.split(':').next().unwrap_or_default().trim().to_owned()
    };
    if let Some(header) = response.headers().get("x-amzn-errortype") {
        return Some(bare(header));
    }
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    if let Some((_, rest)) = body.split_once("<Code>") {
        return rest.split_once("</Code>").map(|(code, _)| bare(code));
    }
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    json.get("__type").or_else(|| json.get("code")).and_then(|code| code.as_str()).map(bare)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answer(status: u16, body: &'static str) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
    }

    #[test]
    fn each_protocol_says_its_code_in_its_own_place() {
        let xml = answer(503, "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce</Message></Error>");
        assert_eq!(error_code(&xml).as_deref(), Some("SlowDown"));
        let json = answer(400, "{\"__type\":\"com.amazonaws.ssm#ThrottlingException\",\"Message\":\"Rate exceeded\"}");
        assert_eq!(error_code(&json).as_deref(), Some("ThrottlingException"));
        let mut header = answer(400, "");
        header.headers_mut().insert("x-amzn-errortype", "ExpiredTokenException:http://x/");
        assert_eq!(error_code(&header).as_deref(), Some("ExpiredTokenException"));
        assert_eq!(error_code(&answer(200, "<Code>SlowDown</Code>")), None);
        assert_eq!(error_code(&answer(500, "nothing")), None);
        let late = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: 20261130T114000Z is now \
                    earlier than 20261130T115500Z</Message></Error></ErrorResponse>";
        assert!(is_skewed(&answer(403, late)) && !is_skewed(&answer(200, late)));
        assert!(is_skewed(&answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>")));
        assert!(!is_skewed(&answer(403, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>")));
        assert!(is_throttling(429, None) && is_throttling(503, Some("SlowDown")) && !is_throttling(503, None));
    }
}
