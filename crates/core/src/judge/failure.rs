//! What kind of failure an error is: whose, and whether trying again may help.

use crate::model::{AwsError, ExecutionStatus, REGION_DISABLED};

/// Whose failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// It may pass by itself.
    Retryable,
    /// The bucket's: nothing changes by itself, and nobody else is concerned.
    Bucket,
    /// The account's: roles and permissions.
    Account,
    /// The organization's: the caller's credentials.
    Organization,
}

/// What kind of failure an error is, by its code.
#[must_use]
pub fn classify(error: &AwsError) -> FailureClass {
    match error.code.as_str() {
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "ThrottledException"
        | "SlowDown"
        | "InternalServerError"
        | "InternalError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        // KMS.
        | "KMSInternalException"
        | "DependencyTimeoutException"
        // An answer to HEAD has no code but its status.
        | "Http500"
        | "Http502"
        | "Http503"
        | "Http504"
        | "Timeout"
        | "ConnectionFailed"
        | "Unreadable"
        | "AutomationExecutionLimitExceededException" => FailureClass::Retryable,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "NoCredentials" => FailureClass::Organization,
        "AccessDenied" | "AccessDeniedException" | "InvalidDocument" | "RegionDisabledException" | REGION_DISABLED => {
            FailureClass::Account
        }
        _ => FailureClass::Bucket,
    }
}

/// What a step's message says when its cause may pass.
const PASSING: [&str; 12] = [
    "throttl",
    "rate exceeded",
    "slowdown",
    "slow down",
    "internalerror",
    "internal error",
    "internalservererror",
    "serviceunavailable",
    "service unavailable",
    "timed out",
    "timeout",
    "time-out",
];

/// Whether a failed execution is worth another one: it ran out of time, or a step's message says that the cause may pass.
#[must_use]
pub fn execution_is_retryable(status: &ExecutionStatus, message: Option<&str>) -> bool {
    if status.as_str() == "TimedOut" {
        return true;
    }
    let message = message.unwrap_or_default().to_ascii_lowercase();
    status.as_str() == "Failed" && PASSING.iter().any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_an_owner() {
        for (code, class) in [
            ("ThrottlingException", FailureClass::Retryable),
            ("SlowDown", FailureClass::Retryable),
            ("Timeout", FailureClass::Retryable),
            ("Http503", FailureClass::Retryable),
            ("KMSInternalException", FailureClass::Retryable),
            ("NoCredentials", FailureClass::Organization),
            ("ExpiredToken", FailureClass::Organization),
            ("AccessDenied", FailureClass::Account),
            ("NoSuchBucket", FailureClass::Bucket),
            ("InvalidAutomationExecutionParametersException", FailureClass::Bucket),
        ] {
            let error = AwsError { code: code.into(), message: String::new(), hint: String::new() };
            assert_eq!(classify(&error), class, "{code}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, message, again) in [
            ("Failed", "Step fails when it is Execute/Cancelling action. Rate exceeded", true),
            ("Failed", "step PutBucketEncryption: InternalError: We encountered an internal error.", true),
            ("Failed", "An error occurred (AccessDenied) when calling the PutBucketEncryption operation", false),
            ("Failed", "step SealBucket: RequestTimeout: Your socket connection was not read from.", true),
            ("Failed", "step SealBucket: Read timed out.", true),
            ("Failed", "An error occurred (NoSuchBucket) when calling the PutBucketEncryption operation", false),
            ("Failed", "An error occurred (MalformedXML) when calling the PutBucketEncryption operation", false),
            ("Failed", "", false),
            ("TimedOut", "", true),
            ("Cancelled", "Rate exceeded", false),
            ("Rejected", "", false),
        ] {
            assert_eq!(execution_is_retryable(&status.into(), Some(message)), again, "{status} {message}");
        }
    }
}
