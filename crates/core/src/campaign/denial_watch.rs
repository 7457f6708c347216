//! Denied uses of the central key while a wave is watched: which of CloudTrail's events are read when.
//!
//! CloudTrail delivers an event about five minutes after it happened on average, and gives no guarantee (docs/cloudtrail.md). So
//! there is a high-water mark in the ledger, and each look reads
//! - first what has settled since the mark, oldest first in slices; the mark follows, and what is before it is never read again;
//! - then, as far as the look's share of requests goes, what is younger, newest first: that is the overlap, read again and again
//!   until it has settled.
//!
//! A denial counts only if it began with the change: sources that were denied before it, too, are noise.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::aws::{BETWEEN_REQUESTS, EVENTS_A_PAGE, EventsRead, Window};
use crate::judge::{Denied, KnownDenials};
use crate::ledger::LookupMark;
use crate::model::{AwsError, SealedEarlier, SeenDenial};

mod baseline;

/// What is younger is read again at each look, however short the settling time is. Three times CloudTrail's average.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
/// Slices are cut so that they have about so many pages.
const PAGES_A_SLICE: usize = 40;
/// The first slice of an account of which no rate is known.
const FIRST_SLICE: SignedDuration = SignedDuration::from_secs(60);
/// The longest slice.
const LONGEST_SLICE: SignedDuration = SignedDuration::from_hours(1);
/// Pages of the overlap that are read in any case: the newest events show an outage first.
const LEAST_FRESH_PAGES: usize = 3;
/// Pages that are read for the newest denials of a source that is new: a person sees until when it was denied.
const NEWEST_PAGES: usize = 20;

/// Where the events come from, and where the mark is kept.
pub(super) trait Events {
    /// Reads a window, newest first, on so many pages at the most. Denials that are known are left out.
    async fn read(&self, window: Window, most_pages: usize, known: KnownDenials<'_>) -> Result<EventsRead, AwsError>;
    /// AWS's time.
    fn now(&self) -> Timestamp;
    /// Keeps the mark.
    async fn keep(&self, mark: &LookupMark);
    /// Tells that it takes a while to find out whether these were denied before the change, too.
    fn tell_of_baseline(&self, denied: &[Denied]);
}

/// What a look at an account and Region is to find out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// When the wave's first change began there.
    pub(super) changed: Timestamp,
    /// The buckets that the wave changes there, sorted.
    pub(super) buckets: &'a [String],
    /// What a person accepted there.
    pub(super) accepted: &'a [SeenDenial],
    /// An earlier version accepted all denials before this, seen or not.
    pub(super) accepted_before: Option<Timestamp>,
    /// Until when events are to be complete: the end of the bake.
    pub(super) until: Timestamp,
    /// How old events are before they count as complete.
    pub(super) settle: Duration,
    /// Pages that this look may read.
    pub(super) pages: usize,
    /// When buckets of the wave were sealed before a rollback restored them: denials of that time are no baseline.
    pub(super) sealed_earlier: Option<SealedEarlier>,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Denials that began with the change.
    pub(super) denied: Vec<Denied>,
    /// Whether all that happened until the end of the bake was read.
    pub(super) complete: bool,
    /// How long reading that takes.
    pub(super) reading_left: Duration,
}

/// How many pages one look may read, so that the next one begins in time.
pub(super) fn pages_of_look(check_every: Duration) -> usize {
    let time = check_every.max(Duration::from_secs(60));
    usize::try_from(time.as_millis() / BETWEEN_REQUESTS.as_millis()).unwrap_or(usize::MAX)
}

/// KMS events a second that can be read of an account and Region.
pub(super) fn readable_rate() -> f64 {
    EVENTS_A_PAGE as f64 / BETWEEN_REQUESTS.as_secs_f64()
}

/// One look. The mark moves on as far as everything was read and nothing new was found: what stopped a wave is found again.
pub(super) async fn look(events: &impl Events, mark: &mut LookupMark, look: Look<'_>) -> Result<Found, AwsError> {
    let mut work = Work { events, mark, look, pages_left: look.pages };
    let began = events.now();
    let mut found = work.read_all().await?;
    // The clock may have been corrected meanwhile: both moments have to be late enough.
    let settled = look.until + signed(look.settle);
    found.complete &= began >= settled && events.now() >= settled;
    Ok(found)
}

struct Work<'a, E> {
    events: &'a E,
    mark: &'a mut LookupMark,
    look: Look<'a>,
    pages_left: usize,
}

impl<E: Events> Work<'_, E> {
    /// What is younger is read again.
    fn overlap(&self) -> SignedDuration {
        signed(self.look.settle).max(OVERLAP)
    }

    /// Everything before this has settled, or is none of the bake's business.
    fn settled_to(&self) -> Timestamp {
        whole((self.events.now() - self.overlap()).min(self.look.until))
    }

    async fn read_all(&mut self) -> Result<Found, AwsError> {
        let settled_to = self.settled_to();
        let denied = self.read_settled(settled_to).await?;
        if !denied.is_empty() {
            return Ok(Found { denied, ..Found::default() });
        }
        let behind = settled_to.duration_since(self.mark.read_to).max(SignedDuration::ZERO);
        let behind = behind.unsigned_abs();
        let reading_left = behind.mul_f64((self.mark.rate.unwrap_or(0.0) / readable_rate()).min(1e6));
        let (denied, fresh_is_complete) = self.read_fresh(settled_to).await?;
        let complete = self.mark.read_to >= whole(self.look.until) || (behind.is_zero() && fresh_is_complete);
        Ok(Found { denied, complete, reading_left })
    }

    /// What has settled since the mark, oldest first: the denials that are new, at which the mark stays.
    async fn read_settled(&mut self, settled_to: Timestamp) -> Result<Vec<Denied>, AwsError> {
        let accepted = self.look.accepted_before.unwrap_or(self.mark.read_to);
        self.mark.read_to = whole(self.mark.read_to.max(accepted));
        while self.mark.read_to < settled_to && self.pages_left > 0 {
            let slice = slice(self.mark.rate);
            // Two slices share a second: whether EndTime means its beginning or its end is not documented.
            let window = Window { from: self.mark.read_to, to: (self.mark.read_to + slice).min(settled_to) };
            // A slice is read whole, so that the mark moves: it goes over the look's share by one slice at the most.
            let known = self.mark.known.len();
            let read = self.read(window, PAGES_A_SLICE * 2).await?;
            self.mark.rate = rate(window, &read).or(self.mark.rate);
            let denied = self.new_ones(window, &read).await?;
            if !denied.is_empty() {
                return self.with_newest(denied, window.to).await;
            }
            // A slice that had too many events is cut shorter by their rate; one that noise ended early is read without it.
            let read_on = slice > SECOND || self.mark.known.len() > known;
            if read.complete {
                // A clock that was ahead and has been corrected: the slice had not settled.
                if window.to > self.settled_to() {
                    break;
                }
                self.mark.read_to = window.to;
                self.events.keep(self.mark).await;
            } else if !read_on {
                break;
            }
        }
        Ok(Vec::new())
    }

    /// New denials with the newest ones of the same sources: who accepts them accepts them up to the last one that is shown.
    async fn with_newest(&mut self, mut denied: Vec<Denied>, from: Timestamp) -> Result<Vec<Denied>, AwsError> {
        let to = self.events.now();
        if from < to {
            for newer in self.read(Window { from, to }, NEWEST_PAGES).await?.denied {
                let source = newer.denial.source();
                if let Some(known) = denied.iter_mut().find(|known| known.denial.source() == source) {
                    known.merge(&newer);
                }
            }
        }
        Ok(denied)
    }

    /// What is younger than the settling time, as far as the look's share goes: the denials that are new, and whether all was read.
    async fn read_fresh(&mut self, settled_to: Timestamp) -> Result<(Vec<Denied>, bool), AwsError> {
        loop {
            let now = self.events.now();
            let from = settled_to.max(whole(now - self.overlap())).max(self.mark.read_to);
            if from > now {
                return Ok((Vec::new(), true));
            }
            let (window, known) = (Window { from, to: now }, self.mark.known.len());
            let read = self.read(window, self.pages_left.max(LEAST_FRESH_PAGES)).await?;
            let denied = self.new_ones(window, &read).await?;
            // What turned out to be noise ended the read early: it is read again without that.
            if self.mark.known.len() == known || self.pages_left == 0 {
                return Ok((denied, read.complete));
            }
        }
    }

    async fn read(&mut self, window: Window, most_pages: usize) -> Result<EventsRead, AwsError> {
        let known = KnownDenials { before: &self.mark.known, accepted: self.look.accepted };
        let read = self.events.read(window, most_pages, known).await?;
        self.pages_left = self.pages_left.saturating_sub(read.pages);
        // Of what is young only a part has been delivered, so that its rate says little.
        self.mark.rate = self.mark.rate.or_else(|| rate(window, &read));
        Ok(read)
    }

    /// Those denials of a window that began with the change. Before it is said of a source that it is new, what was there before the
    /// change is read; in an account without denials nothing ever is.
    async fn new_ones(&mut self, window: Window, read: &EventsRead) -> Result<Vec<Denied>, AwsError> {
        let changed = self.look.changed;
        let since = whole(self.look.accepted_before.map_or(changed, |accepted| accepted.max(changed)));
        let seconds = seconds_of(window, read);
        let new = |mark: &LookupMark| -> Vec<Denied> {
            let is_new = |denied: &&Denied| denied.last >= since && !baseline::is_noise(mark, denied, seconds);
            read.denied.iter().filter(is_new).cloned().collect()
        };
        let wanted = new(&*self.mark);
        if wanted.is_empty() {
            return Ok(wanted);
        }
        let undecided = self.read_baseline(&wanted).await?;
        let mut found = new(&*self.mark);
        found.retain(|denied| !undecided.contains(&denied.denial.source()));
        Ok(found)
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

/// The second that a moment is in: EventTime knows no others.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// How long a slice is to be, by the rate of the last one.
fn slice(rate: Option<f64>) -> SignedDuration {
    let Some(rate) = rate else { return FIRST_SLICE };
    let seconds = (PAGES_A_SLICE * EVENTS_A_PAGE) as f64 / rate.max(0.001);
    SignedDuration::try_from_secs_f64(seconds).unwrap_or(LONGEST_SLICE).clamp(SECOND, LONGEST_SLICE)
}

/// The length of a window, or of that part of it that was read.
fn seconds_of(window: Window, read: &EventsRead) -> f64 {
    let from = if read.complete { window.from } else { read.oldest.unwrap_or(window.to) };
    (window.to.duration_since(from).as_secs_f64() + 1.0).max(1.0)
}

/// Events a second in a window, or in that part of it that was read.
fn rate(window: Window, read: &EventsRead) -> Option<f64> {
    (read.complete || read.oldest.is_some()).then(|| read.events as f64 / seconds_of(window, read))
}

#[cfg(test)]
mod tests;
