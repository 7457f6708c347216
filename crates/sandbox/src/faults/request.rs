//! Faults of single requests: which answer or which broken connection a struck one gets.
//! Errors are worded as each service words them, so that SDKs classify them as they would AWS's.

use std::time::Duration;

use super::altered::Alteration;
use super::{Fault, FaultKind};
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::{Answer, Disposition};

/// A hanging request is let go after this: no test waits longer.
const LONGEST_HANG_MS: u64 = 300_000;

/// How a request is struck.
#[derive(Debug, Default)]
pub(crate) struct Blow {
    /// On top of the service's latency.
    pub(crate) delay: Duration,
    /// Answered instead of carrying it out.
    pub(crate) error: Option<AwsError>,
    /// What becomes of the connection.
    pub(crate) disposition: Disposition,
    /// Not carried out, whatever becomes of the connection.
    pub(crate) no_effect: bool,
    pub(crate) garbage: bool,
    /// The answer's `Date`, in place of the right one.
    pub(crate) date: Option<String>,
    /// What is changed in an answer that was given.
    pub(crate) alteration: Option<Alteration>,
}

impl Blow {
    /// Folds the faults that struck one request into one: delays add up, of the others the first one counts.
    pub(crate) fn of(faults: &[std::sync::Arc<Fault>], service: &str, who: &str, operation: &str) -> Option<Blow> {
        if faults.is_empty() {
            return None;
        }
        let mut blow = Blow::default();
        let mut decided = false;
        for fault in faults {
            if fault.kind == FaultKind::Slow {
                blow.delay += Duration::from_millis(fault.ms.unwrap_or(1000));
                continue;
            }
            if decided {
                continue;
            }
            decided = true;
            blow.strike(fault, service, who, operation);
        }
        Some(blow)
    }

    fn strike(&mut self, fault: &Fault, service: &str, who: &str, operation: &str) {
        let mut error = |error: AwsError| {
            let message = fault.message.clone();
            self.error = Some(match message {
                Some(message) => AwsError { message, ..error },
                None => error,
            });
        };
        match fault.kind {
            FaultKind::Throttle => error(throttled(service)),
            FaultKind::InternalError => error(internal(service)),
            FaultKind::Unavailable => error(unavailable(service)),
            FaultKind::ExpiredToken => error(expired(service)),
            FaultKind::InvalidToken => error(invalid_token(service)),
            FaultKind::Denied => error(denied(service, who, operation)),
            FaultKind::ResetBefore => {
                self.no_effect = true;
                self.disposition = Disposition::Reset;
            }
            FaultKind::Hang => {
                let ms = fault.ms.unwrap_or(LONGEST_HANG_MS).min(LONGEST_HANG_MS);
                self.no_effect = true;
                self.delay += Duration::from_millis(ms);
                self.disposition = Disposition::Reset;
            }
            FaultKind::ResetAfter => self.disposition = Disposition::Reset,
            FaultKind::HalfSent => self.disposition = Disposition::Truncate,
            FaultKind::Malformed => self.garbage = true,
            FaultKind::WrongDate => self.date.clone_from(&fault.date),
            FaultKind::EndlessBody => self.disposition = Disposition::Endless,
            _ => self.alteration = Alteration::of(fault),
        }
    }

    /// Changes an answer that was given into what is put on the wire.
    pub(crate) fn apply(&self, request: &Request, answer: &mut Answer) {
        answer.disposition = self.disposition;
        answer.headers.extend(self.date.clone().map(|date| ("date", date)));
        if let Some(alteration) = self.alteration.as_ref().filter(|one| one.is_for(answer.status)) {
            alteration.apply(request, answer);
        }
        if self.garbage {
            answer.status = 200;
            answer.body = bytes::Bytes::from_static(b"\xfe<\"{]This is no answer of any protocol\x00");
        }
    }
}

/// The throttling error of each service.
pub(crate) fn throttled(service: &str) -> AwsError {
    match service {
        "s3" => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
        "sts" | "iam" | "cloudformation" => AwsError::client("Throttling", "Rate exceeded"),
        "organizations" => AwsError::client(
            "TooManyRequestsException",
            "AWS Organizations can't complete your request because another request is already in progress or you exceeded \
             the request rate. Try again later.",
        )
        .with("Type", "TooManyRequests"),
        "kms" => AwsError::client(
            "ThrottlingException",
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
        ),
        _ => AwsError::client("ThrottlingException", "Rate exceeded"),
    }
}

fn internal(service: &str) -> AwsError {
    match service {
        "s3" => AwsError::server("InternalError", "We encountered an internal error. Please try again."),
        "sts" | "iam" | "cloudformation" => AwsError::server("InternalFailure", "An internal error occurred."),
        "kms" => AwsError::server("KMSInternalException", "An internal error occurred."),
        "organizations" => AwsError::server("ServiceException", "An internal error occurred."),
        "ssm" => AwsError::server("InternalServerError", "An error occurred on the server side."),
        _ => AwsError::server("InternalFailure", "An internal error occurred."),
    }
}

fn unavailable(service: &str) -> AwsError {
    match service {
        "s3" => AwsError::new(503, "ServiceUnavailable", "Service is unable to handle request."),
        "sts" | "iam" | "cloudformation" => AwsError::new(503, "ServiceUnavailable", "Service unavailable."),
        _ => AwsError::new(503, "ServiceUnavailableException", "Service unavailable."),
    }
}

/// The session token's time is over. S3 and STS name it without "Exception".
pub(crate) fn expired(service: &str) -> AwsError {
    match service {
        "s3" => AwsError::client("ExpiredToken", "The provided token has expired."),
        "sts" | "iam" | "cloudformation" => {
            AwsError::new(403, "ExpiredToken", "The security token included in the request is expired")
        }
        _ => AwsError::client("ExpiredTokenException", "The security token included in the request is expired"),
    }
}

/// The session token is not known: in a Region that its account has disabled, for example.
fn invalid_token(service: &str) -> AwsError {
    let message = "The security token included in the request is invalid.";
    match service {
        "s3" => AwsError::client("InvalidToken", "The provided token is malformed or otherwise invalid."),
        "sts" | "iam" | "cloudformation" => AwsError::new(403, "InvalidClientTokenId", message),
        _ => AwsError::client("UnrecognizedClientException", message),
    }
}

/// The action that a policy would have to allow. S3 names several of them otherwise than the operation.
fn action(service: &str, operation: &str) -> String {
    let name = match (service, operation) {
        ("s3", "ListBuckets") => "ListAllMyBuckets",
        ("s3", "HeadBucket") => "ListBucket",
        ("s3", "GetBucketEncryption") => "GetEncryptionConfiguration",
        ("s3", "PutBucketEncryption" | "DeleteBucketEncryption") => "PutEncryptionConfiguration",
        (_, other) => other,
    };
    format!("{service}:{name}")
}

fn denied(service: &str, who: &str, operation: &str) -> AwsError {
    let action = action(service, operation);
    let message = format!(
        "User: {who} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
    );
    match service {
        "s3" | "sts" | "iam" | "cloudformation" => AwsError::new(403, "AccessDenied", message),
        _ => AwsError::client("AccessDeniedException", message),
    }
}
