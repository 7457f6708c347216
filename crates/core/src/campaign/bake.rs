//! After a wave: wait and watch. Buckets still as set, keys still enabled, nobody denied the key, and the user's own command.

use std::collections::BTreeMap;
use std::io::Read;
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::hands::Hands;
use super::place::calls;
use super::{Campaign, CampaignError};
use crate::aws::Member;
use crate::config::Wave;
use crate::judge::KeyDenial;
use crate::ledger::{BucketEvent, OpenBucket};
use crate::model::{DefaultEncryption, Judgement, Reason, Verdict, WaveRecord, WaveState, now};
use crate::plan::AccountLimits;

/// A command of the user's that takes longer says nothing.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);
/// How long a command's last words are waited for after its end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes of a command's words that are read.
const MOST_SAID: u64 = 1024 * 1024;
/// Lines of evidence that are kept of one look.
const MOST_EVIDENCE: usize = 100;
/// CloudTrail's clock and ours differ, and the look for denials begins a little early.
const MARGIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// What watching a wave came to.
pub(super) enum Baked {
    /// Nothing speaks against it.
    Well,
    /// Something does: it is written down.
    Stopped,
    /// The run was told to stop: it is watched on when the campaign goes on.
    Interrupted,
}

/// What a look found.
struct Trouble {
    says: String,
    evidence: Vec<String>,
}

impl Campaign {
    /// Watches a wave of which all is changed, for as long as the campaign file says. One that an earlier process watched is
    /// watched to the end of its time.
    pub(super) async fn bake(
        self: &Arc<Self>,
        number: u32,
        wave: &Wave,
        hands: &Hands,
    ) -> Result<Baked, CampaignError> {
        let (reader, run) = self.reader()?;
        let record = reader.waves(&run)?.into_iter().find(|record| record.number == number);
        let changed = reader.accounts_changed_in_wave(&run, number)?;
        drop(reader);
        let state = record.as_ref().map(|record| record.state);
        // One that something speaks against, or did, is looked at once at least, whatever the campaign file says by now.
        let mut look_now = matches!(state, Some(WaveState::Stopped | WaveState::Approved));
        if changed.is_empty() || wave.bake().is_zero() && !look_now {
            let says = record.and_then(|record| record.says);
            self.move_wave(number, wave, WaveState::Done, |record| WaveRecord { says, ..record }).await?;
            return Ok(Baked::Well);
        }
        let (watched_since, accepted) =
            record.as_ref().map(|record| (record.watched_since, record.accepted.clone())).unwrap_or_default();
        let said = record.as_ref().and_then(|record| record.says.clone()).filter(|_| state != Some(WaveState::Stopped));
        let until = match record.and_then(|record| record.bake_until).filter(|_| state != Some(WaveState::Changing)) {
            Some(until) => until,
            None => now() + jiff::SignedDuration::try_from(wave.bake()).unwrap_or_default(),
        };
        let baking = |record| WaveRecord { bake_until: Some(until), says: said.clone(), ..record };
        if !look_now {
            self.move_wave(number, wave, WaveState::Baking, baking).await?;
        }
        loop {
            let left =
                Duration::from_millis(u64::try_from(until.as_millisecond() - now().as_millisecond()).unwrap_or(0));
            if !look_now {
                let pause = left.min(wave.check_every());
                tokio::select! {
                    () = self.stop.cancelled() => return Ok(Baked::Interrupted),
                    () = sleep(pause) => {}
                }
            }
            let over = now() >= until;
            let Some(trouble) =
                self.stop.run_until_cancelled(self.check(number, wave, watched_since, hands, &changed)).await
            else {
                return Ok(Baked::Interrupted);
            };
            if let Some(Trouble { says, evidence }) = together(trouble?, &accepted) {
                let stopped = |record| WaveRecord { bake_until: Some(until), evidence, ..record };
                self.stopped(number, wave, says, stopped).await?;
                return Ok(Baked::Stopped);
            }
            if std::mem::take(&mut look_now) && !over {
                self.move_wave(number, wave, WaveState::Baking, baking).await?;
            }
            if over {
                self.move_wave(number, wave, WaveState::Done, |record| WaveRecord { says: said, ..record }).await?;
                return Ok(Baked::Well);
            }
        }
    }

    /// One look at a wave: all that speaks against it.
    async fn check(
        self: &Arc<Self>,
        number: u32,
        wave: &Wave,
        since: Option<Timestamp>,
        hands: &Hands,
        changed: &[String],
    ) -> Result<Vec<Trouble>, CampaignError> {
        self.key_watch.forget();
        let mut looks = pin!(
            stream::iter(changed.to_vec())
                .map(|account| {
                    let campaign = Arc::clone(self);
                    let entered = hands.sessions.get(&account).cloned();
                    let known = hands.accounts.get(&account).cloned();
                    let denials = wave.looks_for_denials();
                    async move { campaign.check_account(number, &account, entered, known, since, denials).await }
                })
                .buffer_unordered(self.file.limits.accounts)
        );
        let mut found = Vec::new();
        while let Some(look) = looks.next().await {
            found.extend(look?);
        }
        found.extend(self.ask_command(number, wave).await);
        Ok(found)
    }

    async fn check_account(
        self: &Arc<Self>,
        number: u32,
        account: &str,
        entered: Option<super::read::Entered>,
        known: Option<crate::model::Account>,
        since: Option<Timestamp>,
        denials: bool,
    ) -> Result<Vec<Trouble>, CampaignError> {
        let mut found = Vec::new();
        let mut trouble = |says: &str, evidence: Vec<String>| found.push(Trouble { says: says.to_owned(), evidence });
        let entered = match entered {
            Some(entered) => entered,
            None => match self.enter_again(account, known).await? {
                Some(entered) => entered,
                None => {
                    trouble("an account of it cannot be entered any more", vec![format!("account {account}")]);
                    return Ok(found);
                }
            },
        };
        let limits = AccountLimits::of(&entered.account, &self.file.limits);
        let member = self.aws.member(&entered.session, calls(limits));
        let buckets = {
            let (reader, run) = self.reader()?;
            reader.changed_in_wave(&run, number, account)?
        };
        let mut regions: BTreeMap<String, Timestamp> = BTreeMap::new();
        for open in &buckets {
            let touched = open.state.touched_at.unwrap_or(open.at);
            let first = regions.entry(open.bucket.region.clone()).or_insert(touched);
            *first = (*first).min(touched);
        }
        for (region, first) in regions {
            if let Some(fault) = self.key_fault(account, &region).await {
                trouble("a central key cannot be used any more", vec![fault.to_string()]);
            }
            if denials {
                let from = since.map_or(first - MARGIN, |since| since.max(first - MARGIN));
                match self.denied(&member, account, &region, from).await {
                    Ok(denied) if denied.is_empty() => {}
                    Ok(denied) => {
                        trouble("CloudTrail shows denied uses of the central key", describe(account, &region, &denied));
                    }
                    // Unknown is not well.
                    Err(error) => {
                        let line =
                            format!("account {account}, {region}: {error} → {}; or say denials = false", error.hint);
                        trouble("whether anybody was denied the central key cannot be told", vec![line]);
                    }
                }
            }
        }
        let member = &member;
        let mut looks = pin!(
            stream::iter(&buckets)
                .map(|open| async move {
                    let look = member.s3(&open.bucket.region).default_encryption(&open.bucket.name).await;
                    (open, look)
                })
                .buffer_unordered(limits.reads)
        );
        let mut differ = Vec::new();
        while let Some((open, look)) = looks.next().await {
            let bucket = &open.bucket;
            let place = format!("{} in account {account}, {}", bucket.name, bucket.region);
            match look {
                Ok(found) if self.judge(&found, bucket).verdict == Verdict::Sealed => {}
                Ok(found) => {
                    differ.push(format!("{place}: its default encryption was changed since"));
                    self.drifted(open, found).await?;
                }
                // A bucket that is gone hurts nobody.
                Err(error) if error.code == "NoSuchBucket" => {}
                Err(error) => differ.push(format!("{place}: it cannot be read any more ({error})")),
            }
        }
        if !differ.is_empty() {
            trouble("buckets are not as they were set", differ);
        }
        Ok(found)
    }

    /// Writes down that somebody changed a bucket since: it is not called sealed any more.
    async fn drifted(&self, open: &OpenBucket, encryption: DefaultEncryption) -> Result<(), CampaignError> {
        if open.state.judgement.verdict == Verdict::Sealed {
            let observed = Some(self.judge(&encryption, &open.bucket).reason);
            let judgement = Judgement { verdict: Verdict::Held, reason: Reason::ChangedSince, observed };
            self.ledger.record(&open.bucket, BucketEvent::Drifted { judgement, encryption }).await?;
        }
        Ok(())
    }

    /// Denied uses of a Region's key since a moment, those of this campaign's own sessions aside.
    async fn denied(
        &self,
        member: &Member,
        account: &str,
        region: &str,
        since: Timestamp,
    ) -> Result<Vec<KeyDenial>, crate::model::AwsError> {
        match self.key_of(account, region) {
            Some(key) => member.kms_denials(region, &key, since).await,
            None => Ok(Vec::new()),
        }
    }

    /// The user's own command, where there is one.
    async fn ask_command(&self, number: u32, wave: &Wave) -> Option<Trouble> {
        let (program, arguments) = wave.command.split_first()?;
        let called = wave.command.join(" ");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("ORGSEAL_CAMPAIGN", &self.id)
            .env("ORGSEAL_WAVE", number.to_string())
            .env("ORGSEAL_WAVE_NAME", &wave.name)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own, so that all of it can be ended.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let stop = self.stop.clone();
        let ran = tokio::task::spawn_blocking(move || run(command, &stop)).await;
        let failed = |says: String, evidence: Vec<String>| Some(Trouble { says, evidence });
        match ran {
            Err(error) => failed(format!("the command `{called}` cannot be run: {error}"), vec![]),
            Ok(Err(error)) => failed(format!("the command `{called}` cannot be run: {error}"), vec![]),
            Ok(Ok(None)) => {
                failed(format!("the command `{called}` did not end within {} s", COMMAND_LIMIT.as_secs()), vec![])
            }
            Ok(Ok(Some(output))) if output.status.success() => None,
            Ok(Ok(Some(output))) => {
                let text = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&text);
                let last: Vec<String> = text.lines().rev().take(5).map(str::to_owned).collect();
                failed(format!("the command `{called}` says no ({})", output.status), last.into_iter().rev().collect())
            }
        }
    }
}

/// Runs a command to its end. `None`: it took too long, or the run is to stop, and it was ended with all that it began.
fn run(mut command: Command, stop: &CancellationToken) -> std::io::Result<Option<Output>> {
    let mut child = command.spawn()?;
    let until = Instant::now() + COMMAND_LIMIT;
    // Read aside, so that a command with much to say does not wait for us for ever.
    let read = |stream: Option<Box<dyn Read + Send>>| {
        let (said, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut stream) = stream {
                // What cannot be read is not there to be shown; what is beyond is taken, so that nobody waits.
                let _ = stream.by_ref().take(MOST_SAID).read_to_end(&mut text);
                let _ = said.send(text);
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        });
        heard
    };
    let stdout = read(child.stdout.take().map(|stream| Box::new(stream) as _));
    let stderr = read(child.stderr.take().map(|stream| Box::new(stream) as _));
    loop {
        if let Some(status) = child.try_wait()? {
            // What it left behind may hold its streams open for ever: it is not waited for.
            let text = |heard: std::sync::mpsc::Receiver<Vec<u8>>| heard.recv_timeout(LAST_WORDS).unwrap_or_default();
            return Ok(Some(Output { status, stdout: text(stdout), stderr: text(stderr) }));
        }
        if Instant::now() >= until || stop.is_cancelled() {
            end_group(&child);
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends what a command began: its process group bears its own number.
fn end_group(child: &std::process::Child) {
    // Without a `kill` there the command alone is ended.
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).stderr(Stdio::null()).status();
}

/// All that speaks against a wave as one: what says the same is put together, and what a person accepted is left out.
fn together(found: Vec<Trouble>, accepted: &[String]) -> Option<Trouble> {
    let mut says: Vec<String> = Vec::new();
    let mut evidence = Vec::new();
    for trouble in found {
        let known = accepted.iter().any(|text| text.contains(&trouble.says));
        let new: Vec<String> = trouble.evidence.iter().filter(|line| !accepted.contains(line)).cloned().collect();
        if known && new.is_empty() {
            continue;
        }
        evidence.extend(new);
        if !says.contains(&trouble.says) {
            says.push(trouble.says);
        }
    }
    let more = evidence.len().saturating_sub(MOST_EVIDENCE);
    evidence.truncate(MOST_EVIDENCE);
    if more > 0 {
        evidence.push(format!("and {more} more"));
    }
    (!says.is_empty()).then(|| Trouble { says: says.join("; "), evidence })
}

/// Who was denied what for which bucket, a line each, with the times of the first and the last.
fn describe(account: &str, region: &str, denied: &[KeyDenial]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &str, &str), (u64, Timestamp, Timestamp)> = BTreeMap::new();
    for denial in denied {
        let who = denial.role.as_deref().unwrap_or(&denial.principal);
        let bucket = denial.bucket.as_deref().unwrap_or("a bucket that the event does not name");
        let (count, first, last) = groups.entry((who, &denial.event, bucket)).or_insert((0, denial.at, denial.at));
        *count += 1;
        (*first, *last) = ((*first).min(denial.at), (*last).max(denial.at));
    }
    let line = |((who, event, bucket), (count, first, last)): (_, (u64, Timestamp, Timestamp))| {
        let times = if count == 1 { format!("at {first}") } else { format!("{count} times from {first} to {last}") };
        format!("{who} was denied {event} for {bucket} in account {account}, {region}, {times}")
    };
    groups.into_iter().map(line).collect()
}
