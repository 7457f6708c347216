//! Which reason an AWS error gives for a bucket that could not be read.

use crate::model::{AwsError, REGION_DISABLED, Reason};

/// The reason for `unread` that an error stands for.
#[must_use]
pub fn unread_reason(error: &AwsError) -> Reason {
    match error.code.as_str() {
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "InvalidAccessKeyId" | "ExpiredToken" => {
            Reason::AccessDenied
        }
        "SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" => {
            Reason::Throttled
        }
        "Timeout" | "ConnectionFailed" => Reason::NoAnswer,
        "NoSuchBucket" => Reason::Gone,
        REGION_DISABLED => Reason::RegionDisabled,
        _ => Reason::ReadError,
    }
}
