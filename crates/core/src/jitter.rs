//! Chance for pauses, so that many who were turned away together do not come back together.

/// From 0 to 1.
pub(crate) fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_bytes()[15]) / 255.0
}
