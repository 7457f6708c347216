//! Denied uses of the central key in one account and Region of a wave that is watched: from the ledger's mark to what is told of them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::bake::{Checked, Evidence};
use super::denial_watch::{self, Events, Look};
use super::{Campaign, CampaignError};
use crate::aws::{EventsRead, Member, Window};
use crate::event::Event;
use crate::judge::{Denied, KnownDenials};
use crate::ledger::LookupMark;
use crate::model::{AwsError, KeyArn, SealedEarlier, SeenDenial, WaveRecord, now};

/// A look for denials begins a little before the first change: times of both are known to a second or two.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// Where a record of an earlier version dates the first change in the future, its clock was wrong: this far back is looked.
const UNDATED: SignedDuration = SignedDuration::from_hours(2);
/// Reading that takes longer when the bake is over is not waited for.
const LONGEST_READING: Duration = Duration::from_secs(3600);
/// What to do where an account has more KMS events than LookupEvents gives.
const TOO_BUSY: &str =
    "query CloudTrail Lake or an organization trail in the wave's `command` instead (docs/cloudtrail.md)";

/// What is looked for in all accounts and Regions of a wave.
pub(super) struct DenialWatch {
    /// The wave, from 1.
    pub(super) wave: u32,
    /// What is on record of it.
    pub(super) record: Option<WaveRecord>,
    /// The end of the bake.
    pub(super) until: Timestamp,
    /// How long CloudTrail is waited for after it.
    pub(super) settle: Duration,
    /// Pages that a look may read of each Region.
    pub(super) pages: usize,
    /// Whether the wave is done once all is read.
    pub(super) over: bool,
}

/// What the wave changed in an account and Region, or may have.
pub(super) struct Touched {
    /// When its first change there began.
    pub(super) first: Timestamp,
    /// The buckets, sorted.
    pub(super) buckets: Vec<String>,
}

impl Campaign {
    /// Whether anybody was denied the central key in an account and Region since its first change there.
    pub(super) async fn check_denials(
        &self,
        member: &Member,
        region: &str,
        touched: &Touched,
        watch: &DenialWatch,
    ) -> Result<Checked, CampaignError> {
        let account = member.account();
        let mut found = Checked::default();
        let Some(key) = self.key_of(account, region) else { return Ok(found) };
        let record = watch.record.as_ref();
        let began = record.and_then(|record| record.changing_since);
        let sealed_earlier = record.and_then(|record| record.sealed_earlier);
        let changed = after_rollback(first_change(touched.first, began, now()), touched.first, sealed_earlier);
        let kept = {
            let (reader, run) = self.reader()?;
            reader.lookup(&run, watch.wave, account, region)?
        };
        // A mark that a wrong clock wrote would make everything up to it count as read.
        let kept = kept.filter(|mark| mark.read_to.duration_since(now()) <= MARGIN);
        let mut mark = kept.unwrap_or_else(|| LookupMark {
            wave: watch.wave,
            account: account.to_owned(),
            region: region.to_owned(),
            read_to: changed,
            known: Vec::new(),
            rate: None,
            baseline: None,
        });
        mark.read_to = begin_of_watch(mark.read_to, began);
        if sealed_earlier.is_some() {
            mark.read_to = mark.read_to.max(changed);
        }
        let mut accepted = record.map(|record| record.accepted_denials.clone()).unwrap_or_default();
        accepted.retain(|seen| seen.account == account && seen.region == region);
        let look = Look {
            changed,
            buckets: &touched.buckets,
            accepted: &accepted,
            accepted_before: record.and_then(|record| record.watched_since),
            until: watch.until,
            settle: watch.settle,
            pages: watch.pages,
            sealed_earlier,
        };
        let source = Source { campaign: self, member, region, key: &key };
        match denial_watch::look(&source, &mut mark, look).await {
            Ok(looked) if !looked.denied.is_empty() => {
                let evidence = looked.denied.iter().map(|denied| evidence(account, region, denied)).collect();
                found.trouble("CloudTrail shows denied uses of the central key", evidence);
            }
            Ok(looked) if watch.over && looked.reading_left > LONGEST_READING => {
                let line = format!(
                    "account {account}, {region}: TooManyEvents: it has about {:.0} KMS events a second, and LookupEvents gives at most \
                     {:.0}: reading what is left takes {} → {}; or say denials = false",
                    mark.rate.unwrap_or_default(),
                    denial_watch::readable_rate(),
                    minutes(looked.reading_left),
                    TOO_BUSY
                );
                found.trouble("could not determine whether requests for the central key were denied", vec![line]);
            }
            Ok(looked) => {
                if watch.over && !looked.complete {
                    found.unread.push(format!(
                        "waiting for CloudTrail: the events of account {account}, {region}, are read up to {}; what is left takes about \
                         {}",
                        mark.read_to,
                        minutes(looked.reading_left)
                    ));
                }
            }
            // Unknown is not well.
            Err(error) => {
                let line = format!("account {account}, {region}: {error} → {}; or say denials = false", error.hint);
                found.trouble("could not determine whether requests for the central key were denied", vec![line]);
            }
        }
        Ok(found)
    }
}

/// From when on denials may come from the first change in a Region. An earlier version's record may date it in the future.
fn first_change(first: Timestamp, began: Option<Timestamp>, now: Timestamp) -> Timestamp {
    if first <= now { first - MARGIN } else { began.unwrap_or(now - UNDATED) }
}

/// Where a wave is redone right after its rollback, the margin before its first change must not reach back into the time before.
/// CloudTrail knows whole seconds only.
fn after_rollback(changed: Timestamp, first: Timestamp, sealed_earlier: Option<SealedEarlier>) -> Timestamp {
    match sealed_earlier.filter(|sealed| sealed.until < first) {
        Some(sealed) => changed.max((sealed.until + SignedDuration::from_secs(1)).min(first)),
        None => changed,
    }
}

/// Where reading begins, or is continued. A wave that was done and is opened again has a new beginning: what happened in between
/// was not watched, and is not read.
fn begin_of_watch(read_to: Timestamp, began: Option<Timestamp>) -> Timestamp {
    began.map_or(read_to, |began| read_to.max(began - MARGIN))
}

/// CloudTrail in an account and Region, for a key.
struct Source<'a> {
    campaign: &'a Campaign,
    member: &'a Member,
    region: &'a str,
    key: &'a KeyArn,
}

impl Events for Source<'_> {
    async fn read(&self, window: Window, most_pages: usize, known: KnownDenials<'_>) -> Result<EventsRead, AwsError> {
        self.member.kms_denials(self.region, self.key, window, most_pages, known).await
    }

    fn now(&self) -> Timestamp {
        now()
    }

    async fn keep(&self, mark: &LookupMark) {
        // A mark that is not kept is read from again; if the record itself has failed, the next entry says so.
        let _ = self.campaign.ledger.remember_lookup(mark.clone()).await;
    }

    fn tell_of_baseline(&self, denied: &[Denied]) {
        for denied in denied {
            let Evidence { line, .. } = evidence(self.member.account(), self.region, denied);
            let message = format!(
                "{line}; orgseal reads CloudTrail to find out whether this happened before the change too, which takes up to 10 minutes"
            );
            self.campaign.events.emit(&Event::Warning { message });
        }
    }
}

/// Who was denied what for which bucket in one line, with the times of the first and the last.
fn evidence(account: &str, region: &str, denied: &Denied) -> Evidence {
    let Denied { denial, count, first, last } = denied;
    let source = denial.source();
    let bucket = denial.bucket.as_deref().unwrap_or("a bucket that the event does not name");
    let times = match count {
        1 => format!("at {first}"),
        count => format!("{count} times from {first} to {last}"),
    };
    let line = format!(
        "{} was denied {} for {bucket} in account {account}, {region}, {times}",
        source.principal, denial.event
    );
    let seen = SeenDenial { account: account.to_owned(), region: region.to_owned(), source, last: *last };
    Evidence { line, denial: Some(seen) }
}

fn minutes(time: Duration) -> String {
    format!("{} min", time.as_secs().div_ceil(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_wave_that_is_opened_again_reads_nothing_of_the_time_between() {
        // Watched to second 1,000 and done; opened again at second 900,000.
        let again = begin_of_watch(at(1_000), Some(at(900_000)));
        assert_eq!(again, at(900_000) - MARGIN);
        // One that was only interrupted goes on where it was.
        assert_eq!(begin_of_watch(at(1_000), Some(at(100))), at(1_000));
        assert_eq!(begin_of_watch(at(1_000), None), at(1_000));
    }

    #[test]
    fn a_wave_that_is_redone_at_once_does_not_see_what_was_denied_before_its_rollback() {
        let sealed = Some(SealedEarlier { from: at(100), until: at(1_000) });
        let changed = |first: Timestamp| after_rollback(first - MARGIN, first, sealed);
        assert_eq!(changed(at(1_003)), at(1_001));
        assert_eq!(changed(at(2_000)), at(2_000) - MARGIN);
        // Of a wave that is redone in part, the other buckets stayed sealed.
        assert_eq!(changed(at(200)), at(200) - MARGIN);
        assert_eq!(after_rollback(at(1), at(6), None), at(1));
    }

    #[test]
    fn a_change_that_is_dated_in_the_future_is_looked_for_since_the_wave_began() {
        assert_eq!(first_change(at(500), Some(at(100)), at(600)), at(500) - MARGIN);
        assert_eq!(first_change(at(700), Some(at(100)), at(600)), at(100));
        assert_eq!(first_change(at(90_000), None, at(80_000)), at(80_000) - UNDATED);
    }
}
