//! Wave after wave: one begins when the one before is done with, and a person approved it where the campaign file asks for that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bake::Baked;
use super::decide::{Decide, WaveQuestion};
use super::hands::{Hands, InWave};
use super::tolerance::Tolerance;
use super::{Campaign, CampaignError, Ending};
use crate::config::Wave;
use crate::event::Event;
use crate::ledger::{AccountWork, Scope};
use crate::model::{AccountOutcome, Verdict, WaveRecord, WaveState, now};

impl Campaign {
    /// Changes what there is to change, wave by wave.
    pub(super) async fn change_in_waves(
        self: &Arc<Self>,
        hands: &Hands,
        decide: &impl Decide,
    ) -> Result<Ending, CampaignError> {
        let waves = self.file.waves();
        let of = u32::try_from(waves.len()).unwrap_or(u32::MAX);
        self.accept(&waves).await?;
        for (number, wave) in (1..).zip(&waves) {
            let last = number == of;
            let work = self.work_of(Some(number))?;
            let idle = work.is_empty() && hands.late.lock().await.is_none();
            let record = self.wave_record(number)?;
            let state = record.as_ref().map(|record| record.state);
            if state == Some(WaveState::RolledBack) {
                return Ok(Ending::WaveRolledBack);
            }
            let accepted = record.as_ref().is_some_and(WaveRecord::was_accepted);
            // A wave that stopped, or is being watched, goes on being watched before anything else is begun.
            let watched = matches!(state, Some(WaveState::Changing | WaveState::Baking | WaveState::Stopped))
                || state == Some(WaveState::Approved) && accepted;
            if idle && !watched {
                if !self.is_whole(number)? {
                    return Ok(Ending::Narrowed);
                }
                let never_begun = matches!(state, None | Some(WaveState::Pending | WaveState::Waiting));
                if let Some(says) = self.untried(number)?.filter(|_| never_begun && !last) {
                    self.stopped(number, wave, says, |record| record).await?;
                    return Ok(Ending::WaveStopped);
                }
                continue;
            }
            if !idle {
                if self.options.until_wave.is_some_and(|last| number > last) {
                    return Ok(Ending::UntilWave);
                }
                if !self.is_approved(number, of, wave, record.as_ref(), &work, decide).await? {
                    return Ok(if self.stop.is_cancelled() { Ending::Interrupted } else { Ending::WaveWaits });
                }
                let before = self.started_in(number)?;
                if let Some(ending) = self.change_wave(number, wave, record.as_ref(), work, hands).await? {
                    return Ok(ending);
                }
                // A wave that was done with, and in which nothing more was started, has nothing new to be watched.
                if state == Some(WaveState::Done) && self.started_in(number)? == before {
                    self.move_wave(number, wave, WaveState::Done, |record| record).await?;
                    continue;
                }
            }
            if !self.is_whole(number)? {
                if self.resumed && !self.narrowed.is_empty() {
                    // It is not watched yet, and none comes after it.
                    return Ok(Ending::Narrowed);
                }
                if !last {
                    let says = "some of its buckets could not be changed, because the role could not be assumed in their accounts";
                    self.stopped(number, wave, says.to_owned(), |record| record).await?;
                    return Ok(Ending::WaveStopped);
                }
            }
            if !last && let Some(says) = self.failed_too_much(number, wave)? {
                self.stopped(number, wave, says, |record| record).await?;
                return Ok(Ending::WaveStopped);
            }
            match self.bake(number, wave, hands).await? {
                Baked::Well => {}
                Baked::Stopped => return Ok(Ending::WaveStopped),
                Baked::Interrupted => return Ok(self.ending(None).await),
            }
        }
        Ok(self.ending(None).await)
    }

    /// Names the waves beforehand, so that whoever looks at the campaign, or at its dry run, sees what is to come.
    pub(super) async fn name_waves(&self) -> Result<(), CampaignError> {
        for (number, wave) in (1..).zip(&self.file.waves()) {
            if self.wave_record(number)?.is_none() {
                self.move_wave(number, wave, WaveState::Pending, |record| record).await?;
            }
        }
        Ok(())
    }

    /// Writes down what a person accepts with `--approve-wave`: of waves that were stopped before this process came, what was
    /// shown so far. What is new counts, and what nobody has read yet is.
    async fn accept(&self, waves: &[Wave]) -> Result<(), CampaignError> {
        for (number, wave) in (1..).zip(waves) {
            let stopped = self.wave_record(number)?.filter(|record| record.state == WaveState::Stopped);
            let Some(stopped) = stopped.filter(|_| self.options.approved_waves.contains(&number)) else { continue };
            let failed: u64 = {
                let (reader, run) = self.reader()?;
                reader.failures(&run, Some(number))?.values().sum()
            };
            let says = format!("failed checks accepted by {}", self.aws.caller().arn);
            let approved = |record: WaveRecord| {
                let (bake_until, settle_until) = (stopped.bake_until, stopped.settle_until);
                let mut record =
                    WaveRecord { says: Some(says), bake_until, settle_until, accepted_failures: failed, ..record };
                record.accept(stopped);
                record
            };
            self.move_wave(number, wave, WaveState::Approved, approved).await?;
        }
        Ok(())
    }

    /// Whether nothing of a wave waits to be changed, whatever this process is narrowed to.
    fn is_whole(&self, number: u32) -> Result<bool, CampaignError> {
        let (reader, run) = self.reader()?;
        Ok(reader.work(&run, Scope::Waiting, Some(number))?.is_empty())
    }

    /// Why a wave with accounts of its own tried nothing: they could not be read, or all of their buckets are held. A canary that
    /// was not looked at says nothing of what comes after it.
    fn untried(&self, number: u32) -> Result<Option<String>, CampaignError> {
        let Some(population) = self.population.get() else { return Ok(None) };
        let (reader, run) = self.reader()?;
        let outcomes = reader.accounts(&run)?;
        let (mut unread, mut held) = (0_u64, 0_u64);
        for account in population.waves.accounts_of(number) {
            unread += u64::from(outcomes.get(account) == Some(&AccountOutcome::Unread));
            for (verdict, _) in reader.verdicts_of(&run, account)?.values() {
                match verdict {
                    Verdict::Held | Verdict::Unread => held += 1,
                    // What is as wanted already, or exempt, needs no trial.
                    _ => return Ok(None),
                }
            }
        }
        Ok((unread + held > 0).then(|| {
            format!(
                "no bucket of it was attempted: {unread} of its accounts could not be read, {held} of its buckets are held"
            )
        }))
    }

    /// What there is to do in a wave for this process; `None` means in all of them.
    pub(super) fn work_of(&self, wave: Option<u32>) -> Result<Vec<AccountWork>, CampaignError> {
        let (reader, run) = self.reader()?;
        let mut work = reader.work(&run, self.scope(), wave)?;
        if self.resumed && !self.narrowed.is_empty() {
            let mut narrowed = Vec::new();
            for account in work {
                let mut open = reader.open_buckets(&run, &account.account, self.scope(), wave)?;
                open.retain(|open| self.takes(open));
                if !open.is_empty() {
                    narrowed.push(AccountWork { buckets: open.len() as u64, ..account });
                }
            }
            work = narrowed;
        }
        Ok(work)
    }

    fn wave_record(&self, number: u32) -> Result<Option<WaveRecord>, CampaignError> {
        let (reader, run) = self.reader()?;
        Ok(reader.waves(&run)?.into_iter().find(|wave| wave.number == number))
    }

    /// Whether a wave may begin: where it needs a person's word, that was given beforehand, or is asked for now.
    async fn is_approved(
        &self,
        number: u32,
        of: u32,
        wave: &Wave,
        record: Option<&WaveRecord>,
        work: &[AccountWork],
        decide: &impl Decide,
    ) -> Result<bool, CampaignError> {
        let begun = record.is_some_and(|record| !matches!(record.state, WaveState::Pending | WaveState::Waiting));
        if !wave.approval || begun {
            return Ok(true);
        }
        let by = &self.aws.caller().arn;
        let mut said =
            self.options.approved_waves.contains(&number).then(|| format!("approved on the command line by {by}"));
        if said.is_none() {
            self.move_wave(number, wave, WaveState::Waiting, |record| record).await?;
            let question = WaveQuestion {
                number,
                of,
                name: wave.name.clone(),
                buckets: work.iter().map(|account| account.buckets).sum(),
                accounts: work.len(),
                before: self.waves_before(number)?,
            };
            said = decide.wave(question).await.then(|| format!("approved at the prompt by {by}"));
        }
        if let Some(said) = said {
            let approved = |record| WaveRecord { says: Some(said), ..record };
            self.move_wave(number, wave, WaveState::Approved, approved).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// What came of the waves before one, a line for each.
    fn waves_before(&self, number: u32) -> Result<Vec<String>, CampaignError> {
        let (reader, run) = self.reader()?;
        let counts = reader.wave_counts(&run)?;
        let lines = counts.iter().filter(|count| count.number < number).map(|count| {
            format!(
                "wave {}: {} of {} buckets sealed, {} held, {} failed",
                count.number, count.sealed, count.buckets, count.held, count.failed
            )
        });
        Ok(lines.collect())
    }

    /// Changes the buckets of a wave. What ends the run here is returned; `None`: all of the wave is changed.
    async fn change_wave(
        self: &Arc<Self>,
        number: u32,
        wave: &Wave,
        record: Option<&WaveRecord>,
        work: Vec<AccountWork>,
        hands: &Hands,
    ) -> Result<Option<Ending>, CampaignError> {
        // A key may have turned bad while the wave before was watched, or while a person was asked.
        if number > 1 || wave.approval {
            self.key_watch.forget();
        }
        let tolerance = self.tolerance(Some((number, wave)), &work)?;
        if let Some(passed) = tolerance.passed() {
            self.events.emit(&Event::Warning { message: format!("{passed}: nothing new is started") });
        }
        let said = record.filter(|record| record.state == WaveState::Approved).and_then(|record| record.says.clone());
        self.move_wave(number, wave, WaveState::Changing, |record| WaveRecord { says: said, ..record }).await?;
        let stage = self.change_work(&work, Some(number))?;
        self.events.emit(&Event::ChangesStarted { work: stage, accounts: work.len() });
        let in_wave = InWave { number, limits: wave.limits };
        self.change_accounts(hands, work, Some(in_wave), &tolerance).await?;
        let ending = self.ending(Some(&tolerance)).await;
        if ending == Ending::Stopped {
            let says = tolerance.passed().unwrap_or_default();
            self.move_wave(number, wave, WaveState::Stopped, |record| WaveRecord { says: Some(says), ..record })
                .await?;
        }
        if ending != Ending::Finished {
            return Ok(Some(ending));
        }
        Ok(None)
    }

    /// Executions that were started in a wave.
    fn started_in(&self, number: u32) -> Result<u64, CampaignError> {
        let (reader, run) = self.reader()?;
        let counts = reader.wave_counts(&run)?;
        Ok(counts.iter().filter(|count| count.number == number).map(|count| count.started).sum())
    }

    /// Why a wave failed, if it did: more failed than is tolerated, or anything where nothing says what is tolerated.
    fn failed_too_much(&self, number: u32, wave: &Wave) -> Result<Option<String>, CampaignError> {
        let tolerated = wave.failure_tolerance.as_ref().unwrap_or(&self.file.failure_tolerance);
        if tolerated.buckets.is_some() || tolerated.accounts.is_some() {
            return Ok(self.tolerance(Some((number, wave)), &[])?.passed());
        }
        let (reader, run) = self.reader()?;
        let failed: u64 = reader.failures(&run, Some(number))?.values().sum();
        let failed = failed.saturating_sub(self.accepted_failures(number)?);
        let some = if failed == 1 { "one of its buckets".to_owned() } else { format!("{failed} of its buckets") };
        Ok((failed > 0).then(|| format!("{some} failed, and no [failure_tolerance] is set")))
    }

    /// Failed buckets of a wave that a person accepted.
    fn accepted_failures(&self, number: u32) -> Result<u64, CampaignError> {
        Ok(self.wave_record(number)?.map_or(0, |record| record.accepted_failures))
    }

    /// The failure tolerance of a wave, or of all that is to be done.
    pub(super) fn tolerance(
        &self,
        wave: Option<(u32, &Wave)>,
        work: &[AccountWork],
    ) -> Result<Arc<Tolerance>, CampaignError> {
        let (reader, run) = self.reader()?;
        let mut failed = reader.failures(&run, wave.map(|(number, _)| number))?;
        let mut accounts: BTreeSet<String> = work.iter().map(|account| account.account.clone()).collect();
        accounts.extend(failed.keys().cloned());
        // What a person accepted is not counted again.
        let mut accepted = wave.map_or(Ok(0), |(number, _)| self.accepted_failures(number))?;
        failed.retain(|_, count| {
            let covered = accepted.min(*count);
            accepted -= covered;
            *count -= covered;
            *count > 0
        });
        if self.options.retry_failed {
            // What is tried again is not counted before it fails again.
            failed.retain(|account, _| !self.takes_account(account));
        }
        let waiting: u64 = work.iter().map(|account| account.buckets).sum();
        let done: u64 = match wave {
            Some((number, _)) => {
                accounts.extend(reader.accounts_touched_in_wave(&run, number)?);
                let counts = reader.wave_counts(&run)?;
                counts.iter().filter(|count| count.number == number).map(|count| count.sealed + count.failed).sum()
            }
            None => {
                let summary = reader.summary(&run)?;
                summary.sealed + summary.restored + summary.failed
            }
        };
        let choice = wave.and_then(|(_, wave)| wave.failure_tolerance.as_ref()).unwrap_or(&self.file.failure_tolerance);
        let whole = (waiting + done, accounts.len() as u64);
        Ok(Arc::new(Tolerance::new(choice, whole, failed, &self.no_starts)))
    }

    /// Writes down that something speaks against a wave, and tells what can be done.
    pub(super) async fn stopped(
        &self,
        number: u32,
        wave: &Wave,
        says: String,
        with: impl FnOnce(WaveRecord) -> WaveRecord,
    ) -> Result<(), CampaignError> {
        let mut evidence = Vec::new();
        let record = |record| {
            let record = with(WaveRecord { says: Some(says), ..record });
            evidence.clone_from(&record.evidence);
            record
        };
        self.move_wave(number, wave, WaveState::Stopped, record).await?;
        for message in evidence {
            self.events.emit(&Event::Warning { message });
        }
        let message = format!(
            "nothing is started any more; `orgseal rollback --campaign {} --wave {number}` puts the buckets of wave {number} back",
            self.id
        );
        self.events.emit(&Event::Warning { message });
        Ok(())
    }

    /// Writes down how far a wave has come. Campaigns without waves have none to speak of.
    pub(super) async fn move_wave(
        &self,
        number: u32,
        wave: &Wave,
        state: WaveState,
        with: impl FnOnce(WaveRecord) -> WaveRecord,
    ) -> Result<(), CampaignError> {
        if self.file.waves.is_empty() {
            return Ok(());
        }
        // What a person accepted stays accepted, however far the wave comes.
        let before = self.wave_record(number)?.unwrap_or_else(|| WaveRecord::new(number, &wave.name, state));
        let changing_since = before.changing_since_in(state, now());
        let WaveRecord { watched_since, accepted, accepted_denials, accepted_failures, .. } = before;
        let WaveRecord { rolled_back, sealed_earlier, .. } = before;
        let new = WaveRecord::new(number, &wave.name, state);
        let record = with(WaveRecord {
            watched_since,
            accepted,
            accepted_denials,
            accepted_failures,
            changing_since,
            rolled_back,
            sealed_earlier,
            ..new
        });
        self.events.emit(&Event::WaveMoved { wave: record.clone(), of: self.file.waves.len() });
        self.ledger.wave(record).await?;
        Ok(())
    }
}
