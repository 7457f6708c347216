//! After a wave: wait and watch. Buckets still as set, keys still enabled, nobody denied the key, and the user's own command.

use std::collections::BTreeMap;
use std::io::Read;
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::denial_watch::pages_of_look;
use super::hands::Hands;
use super::place::calls;
use super::wave_denials::{DenialWatch, Touched};
use super::{Campaign, CampaignError};
use crate::aws::Member;
use crate::config::Wave;
use crate::event::Event;
use crate::ledger::{BucketEvent, OpenBucket, TouchedBucket};
use crate::model::{DefaultEncryption, Judgement, Reason, SeenDenial, Verdict, WaveRecord, WaveState, now};
use crate::plan::AccountLimits;

/// A command of the user's that takes longer says nothing.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);
/// How long a command's last words are waited for after its end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes of a command's words that are read.
const MOST_SAID: u64 = 1024 * 1024;
/// Lines of evidence that are kept of one look.
const MOST_EVIDENCE: usize = 100;
/// An end that is further ahead was not written by this campaign's waves, whatever they were before.
const LONGEST_BAKE: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Between looks of a wave that only waits for events to be read.
const BETWEEN_LAST_LOOKS: Duration = Duration::from_secs(5);

/// What watching a wave came to.
pub(super) enum Baked {
    /// Nothing speaks against it.
    Well,
    /// Something does: it is written down.
    Stopped,
    /// The run was told to stop: it is watched on when the campaign goes on.
    Interrupted,
}

/// What speaks against a wave.
struct Trouble {
    says: String,
    evidence: Vec<Evidence>,
}

/// A line of what was seen, and the denials that it speaks of.
#[derive(Clone)]
pub(super) struct Evidence {
    pub(super) line: String,
    pub(super) denial: Option<SeenDenial>,
}

impl From<String> for Evidence {
    fn from(line: String) -> Evidence {
        Evidence { line, denial: None }
    }
}

/// What a look at a wave, or at an account of it, found.
#[derive(Default)]
pub(super) struct Checked {
    troubles: Vec<Trouble>,
    /// Where CloudTrail's events were not all read yet.
    pub(super) unread: Vec<String>,
}

impl Checked {
    pub(super) fn trouble<E: Into<Evidence>>(&mut self, says: &str, evidence: Vec<E>) {
        let evidence = evidence.into_iter().map(Into::into).collect();
        self.troubles.push(Trouble { says: says.to_owned(), evidence });
    }

    fn add(&mut self, more: Checked) {
        self.troubles.extend(more.troubles);
        self.unread.extend(more.unread);
    }
}

/// Until when a wave is watched.
#[derive(Clone, Copy)]
struct Ends {
    /// The end of the bake.
    bake: Timestamp,
    /// When CloudTrail has delivered what happened until then.
    settle: Option<Timestamp>,
}

impl Ends {
    fn last(self) -> Timestamp {
        self.settle.map_or(self.bake, |settle| settle.max(self.bake))
    }

    /// The end that comes next.
    fn next(self, now: Timestamp) -> Timestamp {
        if now < self.bake { self.bake } else { self.last() }
    }
}

/// What is looked for in CloudTrail; `None` where the wave does not look for denied uses of the key.
fn denial_watch(
    number: u32,
    wave: &Wave,
    record: Option<&WaveRecord>,
    ends: Ends,
    over: bool,
) -> Option<Arc<DenialWatch>> {
    let settle = ends.last().duration_since(ends.bake).unsigned_abs();
    let pages = pages_of_look(wave.check_every());
    let watch = DenialWatch { wave: number, record: record.cloned(), until: ends.bake, settle, pages, over };
    wave.looks_for_denials().then(|| Arc::new(watch))
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
        let record = record.map(|record| record.without_future(now(), signed(wave.bake()).max(LONGEST_BAKE)));
        let changed = reader.accounts_touched_in_wave(&run, number)?;
        drop(reader);
        let state = record.as_ref().map(|record| record.state);
        // One that something speaks against, or did, is looked at once at least, whatever the campaign file says by now.
        let mut look_now = matches!(state, Some(WaveState::Stopped | WaveState::Approved));
        if changed.is_empty() || wave.bake().is_zero() && !look_now {
            let says = record.and_then(|record| record.says);
            self.move_wave(number, wave, WaveState::Done, |record| WaveRecord { says, ..record }).await?;
            return Ok(Baked::Well);
        }
        let accepted = record.as_ref().map(|record| record.accepted.clone()).unwrap_or_default();
        let said = record.as_ref().and_then(|record| record.says.clone()).filter(|_| state != Some(WaveState::Stopped));
        let kept = record.as_ref().filter(|_| state != Some(WaveState::Changing));
        let until = kept.and_then(|record| record.bake_until).unwrap_or_else(|| now() + signed(wave.bake()));
        let settle = Some(self.file.settle_of(wave)).filter(|settle| !settle.is_zero());
        let ends = Ends {
            bake: until,
            settle: kept.and_then(|record| record.settle_until).or(settle.map(|settle| until + signed(settle))),
        };
        let baking =
            |record| WaveRecord { bake_until: Some(until), settle_until: ends.settle, says: said.clone(), ..record };
        if !look_now {
            self.move_wave(number, wave, WaveState::Baking, baking).await?;
        }
        let (mut reads_on, mut told, mut looked) = (false, false, Instant::now());
        loop {
            let began = now();
            let was_baking = began < ends.bake;
            if !look_now {
                let left = ends.next(began).duration_since(began).max(SignedDuration::ZERO).unsigned_abs();
                // From look to look: reading CloudTrail takes its time.
                let due = wave.check_every().saturating_sub(looked.elapsed());
                let pause = if reads_on { BETWEEN_LAST_LOOKS } else { left.min(due) };
                tokio::select! {
                    () = self.stop.cancelled() => return Ok(Baked::Interrupted),
                    () = sleep(pause) => {}
                }
            }
            looked = Instant::now();
            let over = now() >= ends.last();
            let checking =
                self.check(number, wave, hands, &changed, denial_watch(number, wave, record.as_ref(), ends, over));
            let Some(checked) = self.stop.run_until_cancelled(checking).await else {
                return Ok(Baked::Interrupted);
            };
            let Checked { troubles, unread } = checked?;
            if let Some(Trouble { says, evidence }) = together(troubles, &accepted) {
                let denials = evidence.iter().filter_map(|evidence| evidence.denial.clone()).collect();
                let evidence = evidence.into_iter().map(|evidence| evidence.line).collect();
                let (bake_until, settle_until) = (Some(until), ends.settle);
                let stopped = |record| WaveRecord { bake_until, settle_until, evidence, denials, ..record };
                self.stopped(number, wave, says, stopped).await?;
                return Ok(Baked::Stopped);
            }
            // The clock may have been corrected while events were read.
            let over = over && now() >= ends.last();
            if over && unread.is_empty() {
                self.move_wave(number, wave, WaveState::Done, |record| WaveRecord { says: said, ..record }).await?;
                return Ok(Baked::Well);
            }
            // After a stop it is watched again; and when the bake is over, it is told what is waited for.
            let bake_ended = was_baking && now() >= ends.bake;
            if std::mem::take(&mut look_now) || bake_ended {
                self.move_wave(number, wave, WaveState::Baking, baking).await?;
            }
            reads_on = over;
            if !unread.is_empty() && !std::mem::replace(&mut told, true) {
                for message in unread {
                    self.events.emit(&Event::Warning { message });
                }
            }
        }
    }

    /// One look at a wave: all that speaks against it.
    async fn check(
        self: &Arc<Self>,
        number: u32,
        wave: &Wave,
        hands: &Hands,
        changed: &[String],
        watch: Option<Arc<DenialWatch>>,
    ) -> Result<Checked, CampaignError> {
        self.key_watch.forget();
        let mut looks = pin!(
            stream::iter(changed.to_vec())
                .map(|account| {
                    let campaign = Arc::clone(self);
                    let entered = hands.sessions.get(&account).cloned();
                    let known = hands.accounts.get(&account).cloned();
                    let watch = watch.clone();
                    async move { campaign.check_account(number, &account, entered, known, watch.as_deref()).await }
                })
                .buffer_unordered(self.file.limits.accounts)
        );
        let mut found = Checked::default();
        while let Some(look) = looks.next().await {
            found.add(look?);
        }
        found.troubles.extend(self.ask_command(number, wave).await);
        Ok(found)
    }

    async fn check_account(
        self: &Arc<Self>,
        number: u32,
        account: &str,
        entered: Option<super::read::Entered>,
        known: Option<crate::model::Account>,
        watch: Option<&DenialWatch>,
    ) -> Result<Checked, CampaignError> {
        let mut found = Checked::default();
        let entered = match entered {
            Some(entered) => entered,
            None => match self.enter_again(account, known).await? {
                Some(entered) => entered,
                None => {
                    found.trouble(
                        "the role can no longer be assumed in one of its accounts",
                        vec![format!("account {account}")],
                    );
                    return Ok(found);
                }
            },
        };
        let limits = AccountLimits::of(&entered.account, &self.file.limits);
        let member = self.aws.member(&entered.session, calls(limits));
        let (buckets, touched) = {
            let (reader, run) = self.reader()?;
            (reader.changed_in_wave(&run, number, account)?, reader.touched_in_wave(&run, number, account)?)
        };
        // Also where no change was seen to succeed: it may have.
        let mut regions: BTreeMap<String, Touched> = BTreeMap::new();
        for TouchedBucket { region, name, at } in touched {
            let touched = regions.entry(region).or_insert_with(|| Touched { first: at, buckets: Vec::new() });
            touched.first = touched.first.min(at);
            touched.buckets.push(name);
        }
        for region in regions.keys() {
            if let Some(fault) = self.key_fault(account, region).await {
                found.trouble("a central key cannot be used any more", vec![fault.to_string()]);
            }
        }
        // Each Region has a rate of its own, and buckets do not wait for any of them.
        let (campaign, member) = (&**self, &member);
        let denied = join_all(regions.iter().map(|(region, touched)| async move {
            match watch {
                Some(watch) => campaign.check_denials(member, region, touched, watch).await,
                None => Ok(Checked::default()),
            }
        }));
        let (denied, differ) = join(denied, self.check_buckets(member, limits.reads, &buckets)).await;
        for checked in denied {
            found.add(checked?);
        }
        let differ = differ?;
        if !differ.is_empty() {
            found.trouble("buckets are not as they were set", differ);
        }
        Ok(found)
    }

    /// Which buckets are not as they were set, a line each.
    async fn check_buckets(
        &self,
        member: &Member,
        at_once: usize,
        buckets: &[OpenBucket],
    ) -> Result<Vec<String>, CampaignError> {
        let mut looks = pin!(
            stream::iter(buckets)
                .map(|open| async move {
                    let look = member.s3(&open.bucket.region).default_encryption(&open.bucket.name).await;
                    (open, look)
                })
                .buffer_unordered(at_once)
        );
        let mut differ = Vec::new();
        while let Some((open, look)) = looks.next().await {
            let bucket = &open.bucket;
            let place = format!("{} in account {}, {}", bucket.name, bucket.account, bucket.region);
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
        Ok(differ)
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
        let failed = |says: String, lines: Vec<String>| {
            Some(Trouble { says, evidence: lines.into_iter().map(Evidence::from).collect() })
        };
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
                failed(format!("check command `{called}` failed ({})", output.status), last.into_iter().rev().collect())
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
        let is_new = |evidence: &&Evidence| !accepted.contains(&evidence.line);
        let new: Vec<Evidence> = trouble.evidence.iter().filter(is_new).cloned().collect();
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
        evidence.push(format!("and {more} more").into());
    }
    (!says.is_empty()).then(|| Trouble { says: says.join("; "), evidence })
}

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or_default()
}
