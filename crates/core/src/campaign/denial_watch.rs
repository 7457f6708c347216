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
use crate::judge::Denied;
use crate::ledger::LookupMark;
use crate::model::AwsError;

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
/// How far back noise is looked for: jobs run hourly or daily, and what is denied to them every day is no news.
const BASELINE: SignedDuration = SignedDuration::from_hours(24);
/// Pages of it that are read: about ten minutes of them. A busier account's baseline is shorter.
const BASELINE_PAGES: usize = 500;
/// Sources of noise that are remembered of an account and Region.
const MOST_KNOWN: usize = 1000;

/// Where the events come from, and where the mark is kept.
pub(super) trait Events {
    /// Reads a window, newest first, on so many pages at the most. Denials of the mark's known sources are left out.
    async fn read(&self, window: Window, most_pages: usize, mark: &LookupMark) -> Result<EventsRead, AwsError>;
    /// AWS's time.
    fn now(&self) -> Timestamp;
    /// Keeps the mark.
    async fn keep(&self, mark: &LookupMark);
}

/// What a look at an account and Region is to find out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// When the wave's first change began there.
    pub(super) changed: Timestamp,
    /// Denials before this are known, and a person accepted them.
    pub(super) accepted: Option<Timestamp>,
    /// Until when events are to be complete: the end of the bake.
    pub(super) until: Timestamp,
    /// How old events are before they count as complete.
    pub(super) settle: Duration,
    /// Pages that this look may read.
    pub(super) pages: usize,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Denials that began with the change.
    pub(super) denied: Vec<Denied>,
    /// Whether all that happened until the end of the bake was read.
    pub(super) complete: bool,
    /// How far what was read is behind what has settled.
    pub(super) behind: Duration,
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
pub(super) async fn look(events: &impl Events, mark: &mut LookupMark, look: Look) -> Result<Found, AwsError> {
    let mut work = Work { events, mark, look, pages_left: look.pages };
    let settled_to = whole(work.settled_to());
    work.read_settled(settled_to).await
}

struct Work<'a, E> {
    events: &'a E,
    mark: &'a mut LookupMark,
    look: Look,
    pages_left: usize,
}

impl<E: Events> Work<'_, E> {
    /// Everything before this has settled, or is none of the bake's business.
    fn settled_to(&self) -> Timestamp {
        let overlap = SignedDuration::try_from(self.look.settle).unwrap_or(OVERLAP).max(OVERLAP);
        (self.events.now() - overlap).min(self.look.until)
    }

    async fn read_settled(&mut self, settled_to: Timestamp) -> Result<Found, AwsError> {
        let accepted = self.look.accepted.unwrap_or(self.mark.read_to);
        self.mark.read_to = whole(self.mark.read_to.max(accepted));
        let mut found = Found::default();
        while self.mark.read_to < settled_to && self.pages_left > 0 {
            let slice = slice(self.mark.rate);
            let to = (self.mark.read_to + slice).min(settled_to).max(self.mark.read_to + SECOND);
            // Two slices share a second: whether EndTime means its beginning or its end is not documented.
            let window = Window { from: self.mark.read_to, to };
            // A slice is read whole, so that the mark moves: it goes over the look's share by one slice at the most.
            let known = self.mark.known.len();
            let read = self.read(window, PAGES_A_SLICE * 2).await?;
            self.mark.rate = rate(window, &read).or(self.mark.rate);
            found.denied = self.new_ones(&read.denied).await?;
            if !found.denied.is_empty() {
                return Ok(found);
            }
            // A slice that had too many events is cut shorter by their rate; one that noise ended early is read without it.
            let read_on = slice > SECOND || self.mark.known.len() > known;
            if read.complete {
                self.mark.read_to = to;
                self.events.keep(self.mark).await;
            } else if !read_on {
                break;
            }
        }
        let behind = settled_to.duration_since(self.mark.read_to).max(SignedDuration::ZERO);
        found.behind = behind.unsigned_abs();
        found.reading_left = found.behind.mul_f64((self.mark.rate.unwrap_or(0.0) / readable_rate()).min(1e6));
        let fresh = loop {
            let known = self.mark.known.len();
            let fresh = self.read_fresh(settled_to).await?;
            found.denied = self.new_ones(&fresh.denied).await?;
            // What turned out to be noise ended the read early: it is read again without that.
            if self.mark.known.len() == known || self.pages_left == 0 {
                break fresh;
            }
        };
        found.complete = self.mark.read_to >= whole(self.look.until) || (found.behind.is_zero() && fresh.complete);
        Ok(found)
    }

    /// What is younger than the settling time, as far as the look's share goes.
    async fn read_fresh(&mut self, settled_to: Timestamp) -> Result<EventsRead, AwsError> {
        let now = self.events.now();
        let overlap = SignedDuration::try_from(self.look.settle).unwrap_or(OVERLAP).max(OVERLAP);
        let from = settled_to.max(whole(now - overlap)).max(self.mark.read_to);
        if from > now {
            return Ok(EventsRead { complete: true, ..EventsRead::default() });
        }
        let most = self.pages_left.max(LEAST_FRESH_PAGES);
        self.read(Window { from, to: now }, most).await
    }

    async fn read(&mut self, window: Window, most_pages: usize) -> Result<EventsRead, AwsError> {
        let read = self.events.read(window, most_pages, self.mark).await?;
        self.pages_left = self.pages_left.saturating_sub(read.pages);
        // Of what is young only a part has been delivered, so that its rate says little.
        self.mark.rate = self.mark.rate.or_else(|| rate(window, &read));
        Ok(read)
    }

    /// Those of some denials that began with the change. Before it is said of a source that it is new, what was there before the
    /// change is read; in an account without denials nothing ever is.
    async fn new_ones(&mut self, denied: &[Denied]) -> Result<Vec<Denied>, AwsError> {
        let since = self.look.accepted.map_or(self.look.changed, |accepted| accepted.max(self.look.changed));
        let candidates = |mark: &LookupMark| -> Vec<Denied> {
            let counts =
                |denied: &&Denied| denied.last >= whole(since) && !mark.known.contains(&denied.denial.source());
            denied.iter().filter(counts).cloned().collect()
        };
        let new = candidates(&*self.mark);
        if new.is_empty() {
            return Ok(new);
        }
        self.read_baseline(&new).await?;
        Ok(candidates(&*self.mark))
    }

    /// Learns what was denied before the change, backwards until each of these sources was met.
    async fn read_baseline(&mut self, wanted: &[Denied]) -> Result<(), AwsError> {
        let before = self.look.changed;
        let (mut to, mut pages_left) = (whole(before) - SECOND, BASELINE_PAGES);
        let end = before - BASELINE;
        let mut length = slice(self.mark.rate);
        while to > end && pages_left > 0 {
            let window = Window { from: (to - length).max(end), to };
            let read = self.events.read(window, pages_left, self.mark).await?;
            pages_left = pages_left.saturating_sub(read.pages.max(1));
            for denied in &read.denied {
                let source = denied.denial.source();
                if self.mark.known.len() < MOST_KNOWN && !self.mark.known.contains(&source) {
                    self.mark.known.push(source);
                }
            }
            if wanted.iter().all(|denied| self.mark.known.contains(&denied.denial.source())) {
                break;
            }
            // A denial that is new to the mark ends a read early; the rest of the window is read without it.
            if !read.complete && !read.denied.is_empty() {
                to = read.oldest.map_or(window.from, |oldest| oldest.min(to));
            } else {
                to = window.from - SECOND;
            }
            // Where there is little to read, few requests reach far back.
            let growth = if read.complete && read.pages == 1 { 8 } else { 2 };
            length = (length * growth).min(BASELINE);
        }
        self.events.keep(self.mark).await;
        Ok(())
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

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

/// Events a second in a window, or in that part of it that was read.
fn rate(window: Window, read: &EventsRead) -> Option<f64> {
    let from = if read.complete { window.from } else { read.oldest? };
    let seconds = window.to.duration_since(from).as_secs_f64() + 1.0;
    Some(read.events as f64 / seconds.max(1.0))
}

#[cfg(test)]
mod tests;
