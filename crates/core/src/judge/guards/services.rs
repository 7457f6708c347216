//! Services that have guards of their own.

/// They deliver logs and reports, and have rules of their own for SSE-KMS.
pub(super) const OF_OTHER_GUARDS: [&str; 8] = [
    "logging.s3.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "logdelivery.elasticloadbalancing.amazonaws.com",
    "logdelivery.elb.amazonaws.com",
    "s3.amazonaws.com",
    "redshift.amazonaws.com",
    "billingreports.amazonaws.com",
    "bcm-data-exports.amazonaws.com",
];

/// The condition key with the name of a service that asks in its own name, in lower case.
pub(super) const SERVICE_NAME: &str = "aws:principalservicename";
