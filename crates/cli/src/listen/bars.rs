//! Live bars on a terminal: the organization, the buckets, and the accounts at work.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use orgseal_core::event::{Event, Listener};
use orgseal_core::model::{Verdict, WaveState};
use orgseal_core::text::visible;
use orgseal_report::{counted, number};

use super::hatched::{self, Counted, Unknown};
use super::tally::{Counters, Tally};
use super::{clock, lines};
use crate::failure::completed;
use crate::output;

/// Accounts at work that get a line; the others are counted in the line above.
const ACCOUNT_LINES: usize = 8;
/// Cells of the large bars, and of an account's.
const WIDTH: usize = 28;
const ACCOUNT_WIDTH: usize = 20;
const ACCOUNTS: &str =
    "{spinner:.cyan} {prefix:<9} {filled:.cyan}{open:.black.bright}{hatched:.yellow} {pos:>6}/{len:<6} {wide_msg}";
const BUCKETS: &str = "  {prefix:<9} {filled:.green}{open:.black.bright}{hatched:.yellow} {pos:>6}/{len:<6} {wide_msg}";
const OF_ACCOUNT: &str = "    {prefix} {filled:.green}{open:.black.bright} {pos:>6}/{len:<6} {wide_msg:.dim}";

pub(crate) struct Bars {
    screen: MultiProgress,
    accounts: ProgressBar,
    buckets: ProgressBar,
    counters: Counters,
    unknown: Unknown,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: HashMap<String, String>,
    lines: BTreeMap<String, ProgressBar>,
    done: HashMap<String, u64>,
}

impl Bars {
    pub(crate) fn new(counters: Counters) -> Bars {
        let screen = MultiProgress::new();
        let accounts = screen.add(ProgressBar::new(0));
        let unknown = Unknown::default();
        accounts.set_style(hatched::style(ACCOUNTS, WIDTH, Counted::Accounts, &unknown));
        accounts.set_prefix("accounts");
        accounts.enable_steady_tick(Duration::from_millis(120));
        let buckets = screen.add(ProgressBar::new_spinner());
        buckets.set_style(style("  {prefix:<9} {wide_msg}"));
        buckets.set_prefix("buckets");
        Bars { screen, accounts, buckets, counters, unknown, state: Mutex::default() }
    }

    pub(crate) fn screen(&self) -> MultiProgress {
        self.screen.clone()
    }

    fn say(&self, line: &str) {
        let line = completed(line);
        let line = visible(&line);
        match self.screen.is_hidden() {
            true => output::err(&line),
            // Above the bars; a terminal that is gone hears nothing.
            false => drop(self.screen.println(&*line)),
        }
    }

    fn open_line(&self, state: &mut State, account: &str, length: Option<u64>) {
        if state.lines.len() >= ACCOUNT_LINES {
            return;
        }
        let bar = self.screen.add(ProgressBar::new(length.unwrap_or(0)));
        bar.set_style(match length {
            // What it counts is known: an account that is unknown is not changed.
            Some(_) => hatched::style(OF_ACCOUNT, ACCOUNT_WIDTH, Counted::Buckets, &Unknown::default()),
            None => style("    {prefix} {wide_msg:.dim}"),
        });
        let name = state.names.get(account).map_or("", String::as_str);
        bar.set_prefix(format!("{account} {name:<18.18}"));
        state.lines.insert(account.to_owned(), bar);
    }

    fn close_line(&self, state: &mut State, account: &str) {
        if let Some(bar) = state.lines.remove(account) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    fn refresh(&self, tally: &Tally) {
        self.refresh_accounts(tally);
        if tally.only_looks() {
            self.buckets.set_prefix("checking");
            self.buckets
                .set_message(format!("roles, documents and keys, for {}", clock(tally.began.elapsed().as_secs())));
        } else if let Some(until) = tally.baking_until {
            let left =
                |end: jiff::Timestamp| (end.as_second() - orgseal_core::clock::now().as_second()).max(0).unsigned_abs();
            self.buckets.set_message(match tally.settle_until {
                Some(settle) if left(until) == 0 => {
                    format!("changed; waiting for CloudTrail, {} more", clock(left(settle)))
                }
                _ => format!("changed; watched for {} more", clock(left(until))),
            });
        } else if let Some(sealing) = &tally.sealing {
            self.buckets.set_length(sealing.buckets);
            self.buckets.set_position(sealing.settled);
            let left = sealing.seconds_left().map_or_else(String::new, |left| format!(", {} left", clock(left)));
            let outcomes = sealing.outcomes(tally.operation());
            let comma = if outcomes.is_empty() { "" } else { ", " };
            self.buckets.set_message(format!("{outcomes}{comma}{:.1}/s{left}", sealing.rate()));
        } else {
            self.buckets.set_message(format!(
                "{} read in {}: {} {}, {} not, {} held",
                tally.judged,
                clock(tally.began.elapsed().as_secs()),
                tally.of(Verdict::Sealed) + tally.of(Verdict::Restored),
                tally.operation().done(),
                tally.of(Verdict::NotSealed) + tally.of(Verdict::NotRestored),
                tally.of(Verdict::Held)
            ));
        }
    }
}

impl Bars {
    /// The bar of accounts stays open at its end while one is unknown, in every phase.
    fn refresh_accounts(&self, tally: &Tally) {
        let (done, accounts) = match &tally.sealing {
            Some(sealing) => (sealing.accounts_changed, sealing.accounts),
            None => (tally.accounts_done.saturating_sub(tally.accounts_unread), tally.accounts),
        };
        self.unknown.set(tally.accounts_unread, accounts);
        self.accounts.set_length(accounts);
        self.accounts.set_position(done);
        let parts = [(tally.accounts_unread, "unknown"), (tally.accounts_skipped, "skipped")];
        let parts = parts.iter().filter(|(amount, _)| *amount > 0);
        let parts: Vec<String> = parts.map(|(amount, what)| format!("{} {what}", number(*amount))).collect();
        self.accounts.set_message(parts.join(", "));
    }
}

impl Listener for Bars {
    fn hear(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        match event {
            Event::RunStarted { run, organization, campaign_file, .. } => {
                self.say(&format!(
                    "{run}  organization {organization}, campaign file: {}",
                    lines::short(campaign_file)
                ));
            }
            Event::AccountEntered { account } => {
                state.names.insert(account.id.clone(), visible(&account.name).into_owned());
                self.open_line(state, &account.id, None);
            }
            Event::BucketsListed { account, buckets } => {
                if let Some(bar) = state.lines.get(account) {
                    bar.set_message(format!("reading {}", counted(*buckets as u64, "bucket")));
                }
            }
            Event::AccountUnread { account, error } => {
                self.close_line(state, &account.id);
                self.say(&format!("unread: {} {}: {}", account.id, account.name, error.code));
            }
            Event::AccountRead { account, .. } | Event::AccountSkipped { account } => {
                self.close_line(state, &account.id);
            }
            Event::ChangesStarted { .. } => {
                self.buckets.set_style(hatched::style(BUCKETS, WIDTH, Counted::Buckets, &self.unknown));
                self.buckets.set_prefix("finished");
            }
            Event::AccountChanging { account, buckets } => self.open_line(state, account, Some(*buckets)),
            Event::AccountChanged { account } => self.close_line(state, account),
            Event::ExecutionSeen { bucket, status, .. } => {
                if let Some(bar) = state.lines.get(&bucket.account) {
                    bar.set_message(format!("{} {}", bucket.region, status.as_str()));
                }
            }
            Event::BucketSettled { finding } => {
                let done = state.done.entry(finding.bucket.account.clone()).or_default();
                *done += 1;
                if let Some(bar) = state.lines.get(&finding.bucket.account) {
                    bar.set_position(*done);
                }
                if finding.judgement.verdict == Verdict::Failed {
                    self.say(&lines::failed(finding));
                }
            }
            Event::WaveMoved { wave, of } if wave.state != WaveState::Pending => self.say(&lines::wave(wave, *of)),
            Event::Warning { message } => self.say(&format!("warning: {message}")),
            // Before the run has begun it ends at once, and says so itself.
            Event::Stopping if !self.counters.with(Tally::has_begun) => {}
            Event::Stopping => self.say("stopping: no new starts; press Ctrl-C again to exit immediately"),
            _ => {}
        }
        self.counters.with(|tally| self.refresh(tally));
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours and fixed; a wrong one shows as indicatif's own bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
