//! What was denied before a change: noise that stops no wave. It is read backwards from the change, each part of it once.
//!
//! In a busy account that is long: 24 hours have more pages than anybody can read. Where denials are clearly the change's doing, a
//! part of it is enough (docs/cloudtrail.md).

use jiff::{SignedDuration, Timestamp};

use super::{Events, SECOND, Work, rate, slice, whole};
use crate::aws::Window;
use crate::judge::{Denied, KnownDenials};
use crate::ledger::LookupMark;
use crate::model::{AwsError, DenialSource, Frequency, KnownDenial, SealedEarlier};

/// How far back noise is looked for: jobs run hourly or daily, and what is denied to them every day is no news.
const BASELINE: SignedDuration = SignedDuration::from_hours(24);
/// Pages of it that one look reads: about ten minutes of them. A busier account's baseline is shorter.
const BASELINE_PAGES: usize = 500;
/// Pages right before the change that are read in any case, and are enough for a denial that names the central key and a bucket of the
/// wave.
const CLEAR_PAGES: usize = 40;
/// The time right before the change that is enough for one that names the central key, but no bucket.
const CLEAR_TIME: SignedDuration = SignedDuration::from_mins(10);
/// So often a bucket's user has to be denied in one read: a single denial may be a job's that runs once a day at any time.
const CLEAR_COUNT: u64 = 3;
/// The same without a bucket.
const CLEAR_COUNT_WITHOUT_BUCKET: u64 = 10;
/// Jobs that are denied regularly were denied so long before, too.
const PERIODS: [SignedDuration; 2] = [SignedDuration::from_hours(1), SignedDuration::from_hours(24)];
/// The least and the most that is read around such a moment, to either side.
const AROUND: [SignedDuration; 2] = [SignedDuration::from_secs(5), SignedDuration::from_secs(120)];
/// Denials of a vague source that tell how often it is denied.
const ENOUGH: u64 = 30;
/// Sources of noise that are remembered of an account and Region.
const MOST_KNOWN: usize = 5000;

/// Whether denials in a read of so many seconds are no more than what was there before the change.
pub(super) fn is_noise(mark: &LookupMark, denied: &Denied, seconds: f64) -> bool {
    let source = denied.denial.source();
    let known = mark.known.iter().find(|known| known.source == source);
    match source.is_vague() {
        true => known.and_then(|known| known.before).is_some_and(|before| before.covers(denied.count, seconds)),
        false => known.is_some(),
    }
}

/// Whether reading more of the time before the change would say nothing new of a source.
fn is_settled(mark: &LookupMark, source: &DenialSource) -> bool {
    let known = mark.known.iter().find(|known| known.source == *source);
    match source.is_vague() {
        true => known.and_then(|known| known.before).is_some_and(|before| before.count >= ENOUGH),
        false => known.is_some(),
    }
}

/// Remembers denials from before the change. How often vague ones occur is counted in what is read without gaps.
fn learn(mark: &mut LookupMark, denied: &[Denied], counted: bool) {
    for denied in denied {
        let source = denied.denial.source();
        let at = match mark.known.iter().position(|known| known.source == source) {
            Some(at) => at,
            None if mark.known.len() < MOST_KNOWN => {
                mark.known.push(KnownDenial { source, before: None });
                mark.known.len() - 1
            }
            None => continue,
        };
        let known = &mut mark.known[at];
        if known.source.is_vague() && counted {
            let before = known.before.get_or_insert_with(Frequency::default);
            before.count += denied.count;
            before.most = before.most.max(denied.count);
        }
    }
}

impl<E: Events> Work<'_, E> {
    /// Learns what was denied before the change, until it is known of each of these whether it is new, or some are clearly new: then
    /// the others are returned, of which it is not known yet.
    pub(super) async fn read_baseline(&mut self, wanted: &[Denied]) -> Result<Vec<DenialSource>, AwsError> {
        let before = whole(self.look.changed) - SECOND;
        let sealed = self.sealed_before(before);
        // Beyond the time in which the wave was sealed already, there is as much to read as without it.
        let end = before - BASELINE - sealed.map_or(SignedDuration::ZERO, |sealed| sealed.until - sealed.from);
        let (mut to, mut pages) = (self.mark.baseline.unwrap_or(before).min(before), 0);
        let (mut length, mut sampled, mut told) = (slice(self.mark.rate), Vec::new(), false);
        let mut undecided = Vec::new();
        while to > end && pages < BASELINE_PAGES {
            if let Some(sealed) = sealed.filter(|sealed| sealed.from <= to && to <= sealed.until) {
                to = whole(sealed.from) - SECOND;
                continue;
            }
            let is_open = |denied: &&Denied| !is_settled(self.mark, &denied.denial.source());
            let open: Vec<&Denied> = wanted.iter().filter(is_open).collect();
            let is_clear = |denied: &&&Denied| self.is_clear(denied, before.duration_since(to), pages);
            let clear: Vec<Denied> = open.iter().filter(is_clear).map(|denied| (*denied).clone()).collect();
            if open.is_empty() || clear.iter().any(|denied| sampled.contains(&denied.denial.source())) {
                let others = open.iter().filter(|denied| !clear.contains(denied));
                undecided = others.map(|denied| denied.denial.source()).collect();
                break;
            }
            if !clear.is_empty() {
                sampled.extend(clear.iter().map(|denied| denied.denial.source()));
                self.read_samples(&clear, to).await?;
                continue;
            }
            if pages >= CLEAR_PAGES && !std::mem::replace(&mut told, true) {
                self.events.tell_of_baseline(wanted);
            }
            let from = (to - length).max(end);
            // A window that would reach into the time in which the wave was sealed ends where that ended.
            let clean = sealed.filter(|sealed| sealed.until < to).map(|sealed| whole(sealed.until) + SECOND);
            let window = Window { from: clean.map_or(from, |clean| from.max(clean.min(to))), to };
            let known = KnownDenials { before: &self.mark.known, accepted: &[] };
            let read = self.events.read(window, CLEAR_PAGES.min(BASELINE_PAGES - pages), known).await?;
            pages += read.pages.max(1);
            // All of this was delivered long ago, so that it tells the rate better than what is young.
            self.mark.rate = rate(window, &read).or(self.mark.rate);
            learn(self.mark, &read.denied, true);
            to = match read.complete {
                true => window.from - SECOND,
                // A denial that is new to the mark ends a read early, and so do the pages: the rest of the window comes next. A
                // second with more events than one read gives is left.
                false => read.oldest.filter(|oldest| *oldest < to).unwrap_or(to - SECOND),
            };
            self.mark.baseline = Some(to);
            // Where there is little to read, few requests reach far back.
            let growth = if read.complete && read.pages == 1 { 8 } else { 2 };
            length = (length * growth).min(BASELINE);
        }
        let unread =
            sealed.filter(|sealed| to < sealed.from).map_or(0.0, |sealed| (sealed.until - sealed.from).as_secs_f64());
        let seconds = (before.duration_since(to).as_secs_f64() - unread).max(1.0);
        for before in self.mark.known.iter_mut().filter_map(|known| known.before.as_mut()) {
            before.seconds = seconds;
        }
        self.events.keep(self.mark).await;
        Ok(undecided)
    }

    /// When buckets of the wave were sealed before this change.
    fn sealed_before(&self, before: Timestamp) -> Option<SealedEarlier> {
        let sealed = self.look.sealed_earlier.filter(|sealed| sealed.from < before)?;
        Some(SealedEarlier { until: sealed.until.min(before), ..sealed }).filter(|sealed| sealed.from < sealed.until)
    }

    /// Whether denials are the change's doing although only so many pages, and this time, before it were read: they go on, and name
    /// the central key, which was not the default of the wave's buckets before.
    fn is_clear(&self, denied: &Denied, read: SignedDuration, pages: usize) -> bool {
        let denial = &denied.denial;
        let of_wave = denial.bucket.as_ref().is_some_and(|bucket| self.look.buckets.binary_search(bucket).is_ok());
        let goes_on = match of_wave {
            true => denied.count >= CLEAR_COUNT,
            false => denied.count >= CLEAR_COUNT_WITHOUT_BUCKET && read >= CLEAR_TIME,
        };
        denial.names_key && pages >= CLEAR_PAGES && goes_on
    }

    /// Reads around the moments at which a regular job would have been denied before the change. What is later than `read_to` was
    /// read already.
    async fn read_samples(&mut self, wanted: &[Denied], read_to: Timestamp) -> Result<(), AwsError> {
        let around = (slice(self.mark.rate) / 4).clamp(AROUND[0], AROUND[1]);
        let mut read: Vec<Window> = Vec::new();
        for denied in wanted {
            let middle = denied.first + denied.last.duration_since(denied.first) / 2;
            for period in PERIODS {
                let mut at = middle - period;
                let was_sealed = |at: Timestamp| {
                    let sealed = self.look.sealed_earlier;
                    sealed.is_some_and(|sealed| sealed.from <= at + around && at - around <= sealed.until)
                };
                while at + around > read_to || was_sealed(at) {
                    at -= period;
                }
                let window = Window { from: at - around, to: at + around };
                // One read serves all that were denied at about the same time.
                let is_read = |other: &Window| other.from <= at && at <= other.to;
                if !read.iter().any(is_read) {
                    self.read_sample(window).await?;
                    read.push(window);
                }
            }
        }
        Ok(())
    }

    async fn read_sample(&mut self, mut window: Window) -> Result<(), AwsError> {
        let mut pages_left = CLEAR_PAGES;
        while pages_left > 0 && window.from <= window.to {
            let known = KnownDenials { before: &self.mark.known, accepted: &[] };
            let read = self.events.read(window, pages_left, known).await?;
            pages_left = pages_left.saturating_sub(read.pages.max(1));
            learn(self.mark, &read.denied, false);
            if read.complete {
                break;
            }
            window.to = read.oldest.filter(|oldest| *oldest < window.to).unwrap_or(window.to - SECOND);
        }
        Ok(())
    }
}
