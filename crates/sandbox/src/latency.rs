//! How long things take: a seeded jitter around each service's latency, scaled by the sandbox's speed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::random::Random;
use crate::spec::{LatencySpec, Spec};

/// Delays for one running sandbox.
#[derive(Debug)]
pub(crate) struct Latency {
    spec: LatencySpec,
    seed: u64,
    speed: f64,
    drawn: AtomicU64,
}

impl Latency {
    pub(crate) fn new(spec: &Spec, speed: f64) -> Latency {
        Latency { spec: spec.latency.clone(), seed: spec.seed, speed, drawn: AtomicU64::new(0) }
    }

    /// A time at speed 1, at this sandbox's speed.
    pub(crate) fn scale(&self, ms: f64) -> Duration {
        if self.speed > 0.0 && self.speed.is_finite() && ms > 0.0 {
            Duration::from_micros((ms * 1000.0 / self.speed) as u64)
        } else {
            Duration::ZERO
        }
    }

    /// How long the next answer of a service takes.
    pub(crate) fn of(&self, service: &str) -> Duration {
        let ms = match service {
            "s3" => self.spec.s3_ms,
            "sts" => self.spec.sts_ms,
            "organizations" => self.spec.organizations_ms,
            "ssm" => self.spec.ssm_ms,
            "kms" => self.spec.kms_ms,
            _ => 1.0,
        };
        let nth = self.drawn.fetch_add(1, Ordering::Relaxed);
        let off = 1.0 + self.spec.jitter * (2.0 * Random::new(self.seed, service, nth).fraction() - 1.0);
        let delay = self.scale(ms * off);
        // Tokio's timer has a grain of a millisecond: what is far below it would be rounded up to many times its length.
        if delay < Duration::from_micros(300) { Duration::ZERO } else { delay }
    }
}
