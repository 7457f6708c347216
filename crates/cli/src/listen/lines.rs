//! Plain lines for pipes and CI logs: a line when a stage begins, one now and then in between, and whatever went wrong.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use orgseal_core::event::{Event, Listener};
use orgseal_core::model::{Verdict, WaveRecord, WaveState};
use orgseal_core::text::visible;
use orgseal_report::{counted, number};

use super::stage;
use super::tally::{Counters, Tally};
use crate::failure::completed;
use crate::output;

/// Between two lines of progress.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Lines {
    counters: Counters,
    last: Mutex<Instant>,
}

impl Lines {
    pub(crate) fn new(counters: Counters) -> Lines {
        Lines { counters, last: Mutex::new(Instant::now()) }
    }
}

impl Listener for Lines {
    fn hear(&self, event: &Event) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted { run, organization, campaign_file, .. } => {
                say(&format!("{run}: organization {organization}, campaign file: {}", short(campaign_file)));
            }
            Event::AccountsFound { accounts } => say(&format!("reading {}", counted(*accounts as u64, "account"))),
            Event::AccountUnread { account, error } => {
                say(&format!("unread: account {} ({}): {error}", account.id, account.name));
            }
            Event::ChangesStarted { work, accounts } => {
                say(&stage::begins(self.counters.with(Tally::operation), work, *accounts));
            }
            Event::BucketSettled { finding } if finding.judgement.verdict == Verdict::Failed => {
                say(&failed(finding));
            }
            Event::WaveMoved { wave: moved, of } if moved.state != WaveState::Pending => say(&wave(moved, *of)),
            Event::Warning { message } => say(&format!("warning: {message}")),
            // Before the run has begun it ends at once, and says so itself.
            Event::Stopping if !self.counters.with(Tally::has_begun) => {}
            Event::Stopping => say("stopping: no new starts; press Ctrl-C again to exit immediately"),
            _ if last.elapsed() >= EVERY => {
                *last = Instant::now();
                say(&self.counters.with(progress));
            }
            _ => {}
        }
    }
}

/// A line, in which texts of others are fit to be shown.
fn say(text: &str) {
    output::err(&visible(&completed(text)));
}

/// One line on a bucket that could not be sealed.
pub(super) fn failed(finding: &orgseal_core::model::Finding) -> String {
    let bucket = &finding.bucket;
    let why = finding.error.as_ref().map_or_else(|| finding.judgement.reason.says().to_owned(), ToString::to_string);
    format!("failed: {} in account {}, Region {}: {why}", bucket.name, bucket.account, bucket.region)
}

/// One line on how far a wave has come.
pub(super) fn wave(wave: &WaveRecord, of: usize) -> String {
    let says = match wave.state {
        WaveState::Pending => "is pending".to_owned(),
        WaveState::Waiting => "waits for approval".to_owned(),
        WaveState::Approved => wave.says.clone().unwrap_or_else(|| "approved".to_owned()),
        WaveState::Changing => "changing buckets".to_owned(),
        WaveState::Baking => {
            let until = |end: jiff::Timestamp| end.strftime("%-d %b %Y, %H:%M:%S UTC").to_string();
            match (wave.bake_until, wave.settle_until) {
                (Some(bake), Some(settle)) if bake <= orgseal_core::clock::now() => {
                    format!("has baked: waiting for CloudTrail until {}", until(settle))
                }
                (bake, _) => format!("is changed, and is watched until {}", bake.map(until).unwrap_or_default()),
            }
        }
        WaveState::Done => "completed".to_owned(),
        WaveState::RolledBack => "is rolled back".to_owned(),
        WaveState::Stopped => format!("is stopped: {}", wave.says.as_deref().unwrap_or_default()),
    };
    format!("wave {} of {of}, {}, {says}", wave.number, wave.name)
}

fn progress(tally: &Tally) -> String {
    let accounts = format!("{} of {}", number(tally.accounts_done), counted(tally.accounts, "account"));
    match &tally.sealing {
        None if tally.only_looks() => {
            format!("checked {accounts}, {} could not be checked", number(tally.accounts_unread))
        }
        None => format!(
            "read {} in {accounts}, {} unread",
            counted(tally.judged, "bucket"),
            counted(tally.accounts_unread, "account")
        ),
        Some(sealing) => {
            let left = sealing.seconds_left().map_or_else(String::new, |left| format!(", about {left} s left"));
            let finished = format!("{} of {} finished", number(sealing.settled), counted(sealing.buckets, "bucket"));
            let outcomes = sealing.outcomes(tally.operation());
            let unknown = match tally.accounts_unread {
                0 => String::new(),
                unknown => format!(", {} unknown", counted(unknown, "account")),
            };
            let colon = if outcomes.is_empty() { "" } else { ": " };
            format!("{finished}{colon}{outcomes}{unknown}, {:.1}/s{left}", sealing.rate())
        }
    }
}

/// The name of a campaign file after the words "campaign file".
pub(super) fn short(campaign_file: &str) -> &str {
    campaign_file.strip_suffix(" campaign file").unwrap_or(campaign_file)
}
