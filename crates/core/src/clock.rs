//! AWS's time. What is compared with AWS's records (CloudTrail events, sessions' ends, executions' starts) must not depend on
//! this machine's clock, so the difference is measured with each response's `Date` header and every moment is corrected by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

mod estimate;
#[cfg(test)]
mod tests;
mod witness;

use estimate::Estimate;
use witness::{Group, Strange};
pub(crate) use witness::{Witness, session_of};

/// A response that took longer says too little about the time.
const SLOWEST_RESPONSE: Duration = Duration::from_secs(60);
/// A clock that is off by more is reported.
const REPORTED_MS: i64 = 60_000;
/// A response may move the time this far from this machine's clock; further only with independent others.
const NEAR_MS: i64 = 300_000;

/// The clock of the one AWS (or sandbox) that this process talks to.
static AWS: AwsClock = AwsClock::new();

/// What AWS's clock shows, as far as responses have told it: this machine's clock until the first one.
#[derive(Debug)]
pub struct AwsClock(Mutex<Known>);

/// What responses told.
#[derive(Debug)]
struct Known {
    /// What counts: the ledger is dated and exemptions expire by it.
    estimate: Option<Estimate>,
    /// What requests are signed by in its place, after AWS refused a signature's time.
    signing: Option<Estimate>,
    /// The last responses, if they contradict the estimate. The clock of one server, of one service's servers, or of a proxy before
    /// one account may be wrong.
    contradiction: Option<Group>,
    /// Those with which no independent other agreed.
    strange: Option<Strange>,
}

/// A response that says what time it is.
struct Dated<'a> {
    date: Timestamp,
    sent: Instant,
    received: Instant,
    /// This machine's clock when it was received.
    local_ms: i64,
    witness: &'a Witness,
}

impl Known {
    fn set(&mut self, estimate: Estimate) {
        (self.estimate, self.signing) = (Some(estimate), None);
        if let Some(wrong) = self.contradiction.take() {
            let off = wrong.estimate.earliest - estimate.at(wrong.estimate.base).earliest;
            self.remember(&wrong, off);
        }
    }

    fn remember(&mut self, wrong: &Group, off_ms: i64) {
        if off_ms.abs() > REPORTED_MS {
            self.strange = Some(match self.strange.take() {
                Some(strange) => strange.and(wrong),
                None => Strange::new(wrong.clone(), off_ms),
            });
        }
    }

    /// A response that contradicts the estimate, or the first one, which contradicts this machine's clock. This machine slept, or one of
    /// the clocks is wrong: whose, the agreement of others decides.
    fn contradicted(&mut self, newer: Estimate, near: bool, dated: &Dated<'_>) {
        let joined = self.contradiction.as_ref().and_then(|group| group.joined(newer, dated.witness));
        let group = joined.unwrap_or_else(|| {
            if let Some(other) = self.contradiction.take() {
                let right = self.estimate.map_or(dated.local_ms, |estimate| estimate.at(newer.base).earliest);
                self.remember(&other, other.estimate.at(newer.base).earliest - right);
            }
            Group::new(newer, dated.witness)
        });
        match if near { group.has_services() } else { group.is_independent() } {
            true => {
                self.contradiction = None;
                self.set(group.estimate);
            }
            false => self.contradiction = Some(group),
        }
    }
}

impl AwsClock {
    const fn new() -> AwsClock {
        AwsClock(Mutex::new(Known { estimate: None, signing: None, contradiction: None, strange: None }))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a dated response.
    fn observe(&self, dated: &Dated<'_>) {
        let Dated { date, sent, received, local_ms, .. } = *dated;
        if received.saturating_duration_since(sent) > SLOWEST_RESPONSE {
            return;
        }
        let newer = Estimate::of(date.as_millisecond(), sent, received);
        let near = (newer.earliest - NEAR_MS..=newer.latest + NEAR_MS).contains(&local_ms);
        let mut known = self.known();
        let agreed = match known.estimate {
            None => Some(newer).filter(|_| near),
            Some(estimate) => estimate.and(newer),
        };
        match agreed {
            Some(agreed) => known.set(agreed),
            None => known.contradicted(newer, near, dated),
        }
    }

    /// AWS has refused a signature's time: requests are signed by the last responses that contradict the estimate, until others
    /// agree with one of them.
    fn refused(&self) {
        let mut known = self.known();
        if let Some(group) = &known.contradiction {
            known.signing = Some(group.estimate);
        }
    }

    /// What has to be added to a local time, read at a moment.
    fn offset(&self, at: Instant, local_ms: i64) -> i64 {
        let known = self.known().estimate;
        known.map_or(0, |known| known.at(at).offset(local_ms))
    }

    /// The same for the time of a signature.
    fn signing_offset(&self, at: Instant, local_ms: i64) -> i64 {
        let known = self.known();
        let counts = known.signing.or(known.estimate);
        counts.map_or(0, |counts| counts.at(at).offset(local_ms))
    }

    /// What to tell about responses that did not count, up to now.
    fn strange(&self, local_ms: i64) -> Option<String> {
        let mut known = self.known();
        if let Some(last) = known.contradiction.clone() {
            let base = last.estimate.base;
            let right = known.estimate.map_or(local_ms, |estimate| estimate.at(base).earliest);
            known.remember(&last, last.estimate.earliest - right);
        }
        known.strange.take().map(|strange| strange.message())
    }
}

/// Takes in a response's `Date` header, and who gave it.
pub(crate) fn observe(date: Timestamp, sent: Instant, received: Instant, witness: &Witness) {
    AWS.observe(&Dated { date, sent, received, local_ms: local_ms(), witness });
}

/// Takes in that AWS refused the time of a signature, after its response was observed: requests are signed by that response's time. What
/// else depends on the time waits for other services to agree.
pub(crate) fn signature_time_refused() {
    AWS.refused();
}

/// The moment now by AWS's clock, to the millisecond.
#[must_use]
pub fn now() -> Timestamp {
    let local = local_ms();
    let corrected = local + AWS.offset(Instant::now(), local);
    Timestamp::from_millisecond(corrected).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The moment by which requests are signed: [`now`], unless AWS refused a signature's time.
#[must_use]
pub(crate) fn signing_now() -> SystemTime {
    let local = local_ms();
    let corrected = local + AWS.signing_offset(Instant::now(), local);
    UNIX_EPOCH + Duration::from_millis(u64::try_from(corrected).unwrap_or(0))
}

/// Whether requests are signed by another time than this machine's.
#[must_use]
pub(crate) fn signs_by_another_time() -> bool {
    AWS.signing_offset(Instant::now(), local_ms()).abs() > REPORTED_MS
}

/// [`now`] for those who want the system's type.
#[must_use]
pub fn system_now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(now().as_millisecond()).unwrap_or(0))
}

/// How many seconds this machine's clock is ahead of AWS's (behind: negative), where that is more than a minute.
#[must_use]
pub fn seconds_off() -> Option<i64> {
    let ahead = -AWS.offset(Instant::now(), local_ms());
    (ahead.abs() > REPORTED_MS).then_some(ahead / 1000)
}

/// What to tell about a clock that is off, and what to do.
#[must_use]
pub fn warning() -> Option<String> {
    let off = seconds_off()?;
    // It is known to a second or so.
    let time = jiff::SignedDuration::from_secs((off.abs() + 5) / 10 * 10);
    let direction = if off > 0 { "ahead of" } else { "behind" };
    Some(format!(
        "this machine's clock is {time:#} {direction} AWS's clock. orgseal corrects every time that it compares with AWS and every \
         time in the ledger. Fix the clock all the same (chrony or NTP): other tools on this machine do not correct it"
    ))
}

/// The same, for whoever asks first: one process reports it once.
#[must_use]
pub fn warning_once() -> Option<String> {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    warning().filter(|_| !REPORTED.swap(true, Ordering::Relaxed))
}

/// What to tell about answers that were dated otherwise than all others: said once.
#[must_use]
pub fn strange_answer() -> Option<String> {
    AWS.strange(local_ms())
}

fn local_ms() -> i64 {
    Timestamp::now().as_millisecond() + skew::milliseconds()
}

/// A wrong local clock, for tests: read in debug builds alone.
mod skew {
    #[cfg(not(debug_assertions))]
    pub(super) fn milliseconds() -> i64 {
        0
    }

    #[cfg(debug_assertions)]
    pub(super) fn milliseconds() -> i64 {
        static SKEW: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
        let seconds = || std::env::var("ORGSEAL_CLOCK_SKEW_SECONDS").ok()?.parse::<i64>().ok();
        *SKEW.get_or_init(|| seconds().unwrap_or(0) * 1000)
    }
}
