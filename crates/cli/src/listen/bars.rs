//! Live bars on a terminal: the organization, the buckets, and the accounts at work.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use orgseal_core::event::{Event, Listener};
use orgseal_core::model::{Verdict, WaveState};
use orgseal_core::text::visible;

use super::tally::{Counters, Tally};
use super::{clock, lines};
use crate::failure::completed;
use crate::output;

/// Accounts at work that get a line; the others are counted in the line above.
const ACCOUNT_LINES: usize = 8;

pub(crate) struct Bars {
    screen: MultiProgress,
    accounts: ProgressBar,
    buckets: ProgressBar,
    counters: Counters,
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
        accounts
            .set_style(style("{spinner:.cyan} {prefix:<9} {bar:28.cyan/black.bright} {pos:>6}/{len:<6} {wide_msg}"));
        accounts.set_prefix("accounts");
        accounts.enable_steady_tick(Duration::from_millis(120));
        let buckets = screen.add(ProgressBar::new_spinner());
        buckets.set_style(style("  {prefix:<9} {wide_msg}"));
        buckets.set_prefix("buckets");
        Bars { screen, accounts, buckets, counters, state: Mutex::default() }
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
        bar.set_style(style(match length {
            Some(_) => "    {prefix} {bar:20.green/black.bright} {pos:>6}/{len:<6} {wide_msg:.dim}",
            None => "    {prefix} {wide_msg:.dim}",
        }));
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
        self.accounts.set_length(tally.accounts);
        if tally.only_looks() {
            self.accounts.set_position(tally.accounts_done);
            self.buckets.set_prefix("looking");
            self.buckets.set_message(format!(
                "after roles, documents and keys, for {}",
                clock(tally.began.elapsed().as_secs())
            ));
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
            let failed = if sealing.failed > 0 { format!(", {} failed", sealing.failed) } else { String::new() };
            self.buckets.set_message(format!("{} in flight{failed}, {:.1}/s{left}", sealing.in_flight, sealing.rate()));
        } else {
            // The bar stays open at its end while an account is unknown.
            self.accounts.set_position(tally.accounts_done.saturating_sub(tally.accounts_unread));
            self.accounts.set_message(match (tally.accounts_unread, tally.accounts_skipped) {
                (0, 0) => String::new(),
                (unread, 0) => format!("{unread} unread"),
                (unread, skipped) => format!("{unread} unread, {skipped} skipped"),
            });
            self.buckets.set_message(format!(
                "{} read in {}: {} {}, {} not, {} held",
                tally.judged,
                clock(tally.began.elapsed().as_secs()),
                tally.of(Verdict::Sealed) + tally.of(Verdict::Restored),
                tally.words().1,
                tally.of(Verdict::NotSealed) + tally.of(Verdict::NotRestored),
                tally.of(Verdict::Held)
            ));
        }
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
                    bar.set_message(format!("reading {buckets} buckets"));
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
                self.accounts.set_position(0);
                self.accounts.set_message("");
                self.buckets.set_style(style("  {prefix:<9} {bar:28.green/black.bright} {pos:>6}/{len:<6} {wide_msg}"));
                self.buckets.set_prefix(self.counters.with(|tally| tally.words().1));
            }
            Event::AccountChanging { account, buckets } => self.open_line(state, account, Some(*buckets)),
            Event::AccountChanged { account } => {
                self.close_line(state, account);
                self.accounts.inc(1);
            }
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
            Event::Stopping => self.say("stopping: no new starts; press Ctrl-C again to exit immediately"),
            _ => {}
        }
        self.counters.with(|tally| self.refresh(tally));
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours and fixed; a wrong one shows as indicatif's own bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━╌")
}
