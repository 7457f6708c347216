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
use crate::model::{Verdict, WaveRecord, WaveState, now};
use crate::plan::AccountLimits;

/// A command of the user's that takes longer says nothing.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);
/// Bytes of a command's words that are read.
const MOST_SAID: u64 = 1024 * 1024;
/// Lines of evidence that are kept of one look.
const MOST_EVIDENCE: usize = 20;
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
        let accepted = state == Some(WaveState::Stopped) && self.options.approved_waves.contains(&number);
        let said = accepted.then(|| format!("accepted by {}", self.aws.caller().arn));
        // One that something speaks against is looked at once at least, whatever the campaign file says by now.
        let spoken_against = record.as_ref().is_some_and(|record| record.state == WaveState::Stopped);
        if changed.is_empty() || wave.bake().is_zero() && !spoken_against {
            self.move_wave(number, wave, WaveState::Done, |record| WaveRecord { says: said, ..record }).await?;
            return Ok(Baked::Well);
        }
        let mut watched_since = record.as_ref().and_then(|record| record.watched_since);
        if accepted {
            watched_since = Some(now());
        }
        let until = match record.and_then(|record| record.bake_until).filter(|_| state != Some(WaveState::Changing)) {
            Some(until) => until,
            None => now() + jiff::SignedDuration::try_from(wave.bake()).unwrap_or_default(),
        };
        let mut look_now = state == Some(WaveState::Stopped);
        if !look_now || accepted {
            let baking = |record| WaveRecord { bake_until: Some(until), watched_since, says: said, ..record };
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
            if let Some(Trouble { says, evidence }) = trouble? {
                let stopped = |record| WaveRecord { bake_until: Some(until), watched_since, evidence, ..record };
                self.stopped(number, wave, says, stopped).await?;
                return Ok(Baked::Stopped);
            }
            if look_now {
                look_now = false;
                let baking = |record| WaveRecord { bake_until: Some(until), watched_since, ..record };
                self.move_wave(number, wave, WaveState::Baking, baking).await?;
            }
            if over {
                self.move_wave(number, wave, WaveState::Done, |record| WaveRecord { watched_since, ..record }).await?;
                return Ok(Baked::Well);
            }
        }
    }

    /// One look at a wave; the first trouble found.
    async fn check(
        self: &Arc<Self>,
        number: u32,
        wave: &Wave,
        since: Option<Timestamp>,
        hands: &Hands,
        changed: &[String],
    ) -> Result<Option<Trouble>, CampaignError> {
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
        let mut found: Option<Trouble> = None;
        while let Some(look) = looks.next().await {
            let Some(trouble) = look? else { continue };
            match &mut found {
                Some(known) if known.says == trouble.says => known.evidence.extend(trouble.evidence),
                Some(_) => {}
                None => found = Some(trouble),
            }
        }
        if let Some(trouble) = &mut found {
            let more = trouble.evidence.len().saturating_sub(MOST_EVIDENCE);
            trouble.evidence.truncate(MOST_EVIDENCE);
            if more > 0 {
                trouble.evidence.push(format!("and {more} more"));
            }
            return Ok(found);
        }
        Ok(self.ask_command(number, wave).await)
    }

    async fn check_account(
        self: &Arc<Self>,
        number: u32,
        account: &str,
        entered: Option<super::read::Entered>,
        known: Option<crate::model::Account>,
        since: Option<Timestamp>,
        denials: bool,
    ) -> Result<Option<Trouble>, CampaignError> {
        let trouble = |says: &str, evidence: Vec<String>| Ok(Some(Trouble { says: says.to_owned(), evidence }));
        let entered = match entered {
            Some(entered) => entered,
            None => match self.enter_again(account, known).await? {
                Some(entered) => entered,
                None => {
                    return trouble("an account of it cannot be entered any more", vec![format!("account {account}")]);
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
                return trouble("a central key cannot be used any more", vec![fault.to_string()]);
            }
            if denials {
                let from = since.map_or(first, |since| since.max(first)) - MARGIN;
                match self.denied(&member, account, &region, from).await {
                    Ok(denied) if denied.is_empty() => {}
                    Ok(denied) => {
                        let lines = describe(account, &region, &denied);
                        return trouble("CloudTrail shows denied uses of the central key", lines);
                    }
                    // Unknown is not well.
                    Err(error) => {
                        let line =
                            format!("account {account}, {region}: {error} → {}; or say denials = false", error.hint);
                        return trouble("whether anybody was denied the central key cannot be told", vec![line]);
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
                Ok(_) => differ.push(format!("{place}: its default encryption was changed since")),
                // A bucket that is gone hurts nobody.
                Err(error) if error.code == "NoSuchBucket" => {}
                Err(error) => differ.push(format!("{place}: it cannot be read any more ({error})")),
            }
        }
        match differ.is_empty() {
            true => Ok(None),
            false => trouble("buckets are not as they were set", differ),
        }
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

/// Runs a command to its end. `None`: it took too long, or the run is to stop, and it was ended.
fn run(mut command: Command, stop: &CancellationToken) -> std::io::Result<Option<Output>> {
    let mut child = command.spawn()?;
    let until = Instant::now() + COMMAND_LIMIT;
    // Read aside, so that a command with much to say does not wait for us for ever.
    let read = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut stream) = stream {
                // What cannot be read is not there to be shown; what is beyond is taken, so that nobody waits.
                let _ = stream.by_ref().take(MOST_SAID).read_to_end(&mut text);
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
            text
        })
    };
    let stdout = read(child.stdout.take().map(|stream| Box::new(stream) as _));
    let stderr = read(child.stderr.take().map(|stream| Box::new(stream) as _));
    loop {
        if let Some(status) = child.try_wait()? {
            let text = |reader: std::thread::JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
            return Ok(Some(Output { status, stdout: text(stdout), stderr: text(stderr) }));
        }
        if Instant::now() >= until || stop.is_cancelled() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
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
