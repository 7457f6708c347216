//! Services that guards of their own look at.

/// They deliver logs, for which SSE-KMS has rules of its own.
pub(super) const LOG_DELIVERY: [&str; 3] =
    ["logging.s3.amazonaws.com", "delivery.logs.amazonaws.com", "logdelivery.elasticloadbalancing.amazonaws.com"];
