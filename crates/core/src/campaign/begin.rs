//! The beginning of a run, and of going on with one: what may be begun, and with what.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::control_policies::ControlReads;
use super::discover::the_organization;
use super::fail_point::fail_point;
use super::key_proof::KeyProofs;
use super::key_watch::KeyWatch;
use super::lost::Lost;
use super::omission::Omissions;
use super::planning::{self, PlanDocuments};
use super::target::Target;
use super::warnings::Warnings;
use super::{CHANGING, Campaign, CampaignError, ChangeOptions, Ending, Kind, Setting, new_id, requested};
use crate::aws::Organization;
use crate::clock;
use crate::config::CampaignFile;
use crate::event::Event;
use crate::host::host;
use crate::ledger::{Binding, Ledger, LedgerCheck, LedgerError, NewRun, NewSession, Reader, Run, Scope, check_runs};
use crate::model::{Operation, WaveState};
use crate::plan::{Narrowed, PlanFile, Selection};

impl Campaign {
    /// Begins a run: learns which organization this is, opens its ledger, writes down who runs what.
    pub async fn begin(setting: Setting, kind: Kind) -> Result<Arc<Campaign>, CampaignError> {
        let (organization, ledger) = open(&setting, kind.changes()).await?;
        let (parent, unfinished) = match &kind {
            Kind::Rollback { of, .. } => {
                (Some(requested::to_undo(ledger.folder(), of.as_deref(), &setting.checked)?), None)
            }
            Kind::Rollout { options, .. } => {
                check_others(ledger.folder(), &setting.checked)?;
                (None, if options.dry_run { None } else { unfinished(ledger.folder())? })
            }
            Kind::Plan { .. } => {
                check_others(ledger.folder(), &setting.checked)?;
                (None, None)
            }
            Kind::Audit { .. } => (None, None),
        };
        let (wave, plan) = match &kind {
            Kind::Rollback { wave, .. } => (*wave, None),
            Kind::Rollout { plan: Some(plan), .. } => {
                (None, Some(planning::accept(plan, &setting, &organization, ledger.folder())?))
            }
            _ => (None, None),
        };
        known_waves(&setting.loaded.campaign, &kind.options())?;
        if let Some(campaign) = &parent {
            requested::known_wave(ledger.folder(), campaign, wave)?;
            if !kind.options().dry_run {
                requested::commit(&ledger, &setting, campaign, wave, false).await?;
            }
            fail_point("before_rollback_begun");
        }
        let id = new_id(&kind);
        let settings = setting.loaded.campaign.target();
        let audits_guards = matches!(kind, Kind::Audit { guards: true });
        let target = Target {
            settings,
            narrowed: setting.narrowed.clone(),
            wave,
            until_wave: kind.options().until_wave,
            guards: audits_guards,
            set: setting.loaded.set.clone(),
        };
        let exemptions = &setting.loaded.exemptions;
        let ledger = ledger
            .begin(NewRun {
                id: id.clone(),
                kind: kind.as_str(),
                parent: parent.clone(),
                target: serde_json::to_string(&target).map_err(|error| CampaignError::Task(error.to_string()))?,
                plan: plan.as_ref().map(|(_, reference)| reference.clone()),
                exemptions: (!exemptions.exemption.is_empty())
                    .then(|| serde_json::to_string(exemptions))
                    .transpose()
                    .map_err(|error| CampaignError::Task(error.to_string()))?,
                session: session(&setting, kind.as_str()),
            })
            .await?;
        if parent.is_some() {
            fail_point("after_rollback_begun");
        }
        let operation = if parent.is_some() { Operation::Restore } else { Operation::Seal };
        let began = Began {
            id,
            kind: kind.as_str(),
            parent,
            operation,
            options: kind.options(),
            of: setting.narrowed.clone(),
            wave,
            plan: plan.map(|(file, _)| file),
            audits_guards,
            resumed: None,
        };
        let campaign = Campaign::assemble(setting, organization, ledger, began);
        if let Some(plan) = &campaign.plan {
            campaign.lay_out(plan).await?;
        }
        if let Some(earlier) = unfinished {
            let message = format!(
                "campaign {earlier} is not finished; this starts a new campaign, and `orgseal resume --campaign {earlier}` continues the earlier one"
            );
            campaign.events.emit(&Event::Warning { message });
        }
        Ok(campaign)
    }

    /// Goes on with a rollout or a rollback, the newest one where none is named.
    pub async fn resume(
        setting: Setting,
        campaign: Option<&str>,
        command: &'static str,
        options: ChangeOptions,
    ) -> Result<Arc<Campaign>, CampaignError> {
        let (organization, ledger) = open(&setting, true).await?;
        let run = {
            let reader = Reader::open(ledger.folder())?;
            match campaign {
                Some(id) => reader.run(id)?,
                None => newest_to_resume(&reader, &options)?
                    .ok_or_else(|| CampaignError::NoCampaign(ledger.folder().display().to_string()))?,
            }
        };
        let (kind, operation) = match run.kind.as_str() {
            "rollout" => ("rollout", Operation::Seal),
            "rollback" => ("rollback", Operation::Restore),
            "plan" => {
                let what = "a plan, which starts nothing: `orgseal rollout --plan FILE` carries it out";
                return Err(CampaignError::NotThat { id: run.id, what });
            }
            _ => {
                let what = "an audit, which ends with its process: run `orgseal audit` again";
                return Err(CampaignError::NotThat { id: run.id, what });
            }
        };
        known_waves(&setting.loaded.campaign, &options)?;
        {
            let reader = Reader::open(ledger.folder())?;
            check_runs(ledger.folder(), &requested::acted_on(&reader, &run)?, &setting.checked)?;
        }
        if !options.settle_only {
            may_go_on(&Reader::open(ledger.folder())?, &run, operation, &options.redo_waves)?;
        }
        let target = Target::of(&run);
        let settings = target.other_settings(&setting.loaded.campaign);
        if !settings.is_empty() && !options.settle_only {
            return Err(CampaignError::OtherTarget { id: run.id, settings });
        }
        let plan = match &run.plan {
            Some(plan) if run.kind == "rollout" && !options.settle_only => Some(planning::kept(ledger.folder(), plan)?),
            _ => None,
        };
        let ledger = ledger.redo(&run.id, session(&setting, command), options.redo_waves.clone()).await?;
        if !options.redo_waves.is_empty() {
            fail_point("after_redo_requested");
        }
        let began = Began {
            id: run.id,
            kind,
            parent: run.parent,
            operation,
            options,
            of: target.narrowed,
            wave: target.wave,
            plan,
            audits_guards: false,
            resumed: Some(Ending::restored(&run.state)),
        };
        let campaign = Campaign::assemble(setting, organization, ledger, began);
        if let Some(plan) = &campaign.plan {
            campaign.lay_out(plan).await?;
        }
        Ok(campaign)
    }

    fn assemble(setting: Setting, organization: Organization, ledger: Ledger, began: Began) -> Arc<Campaign> {
        let Setting { aws, loaded, narrowed, events, stop, .. } = setting;
        events.emit(&Event::RunStarted {
            run: began.id.clone(),
            kind: began.kind,
            organization: organization.id.clone(),
            campaign_file: loaded.origin.clone(),
        });
        if let Some(message) = clock::warning_once() {
            events.emit(&Event::Warning { message });
        }
        let keys = loaded.campaign.keys();
        let selection = Selection::new(&loaded.campaign, &loaded.exemptions, began.of);
        let key_watch = KeyWatch::new(aws.clone(), loaded.campaign.executions.key_checked_every());
        let aws = aws.with_keys(loaded.campaign.all_keys());
        let omissions =
            Omissions::new(loaded.campaign.encryption.blocked_types, loaded.campaign.executions.proof_within());
        let key_proofs = KeyProofs::new(aws.clone(), organization.id.clone(), events.clone());
        Arc::new(Campaign {
            aws,
            organization,
            choices: loaded.campaign.encryption.choices(),
            exemptions: loaded.exemptions,
            file: loaded.campaign,
            config_hash: loaded.hash,
            keys,
            key_watch,
            key_proofs,
            omissions,
            selection,
            narrowed,
            population: OnceLock::new(),
            only_wave: began.wave,
            plan: began.plan,
            plans: began.kind == "plan",
            audits_guards: began.audits_guards,
            looks_ahead: began.audits_guards || matches!(began.kind, "plan" | "rollout"),
            plan_documents: PlanDocuments::default(),
            warnings: Warnings::default(),
            lost: Lost::default(),
            controls: ControlReads::default(),
            ledger,
            events,
            no_starts: stop.child_token(),
            stop,
            id: began.id,
            parent: began.parent,
            operation: began.operation,
            options: began.options,
            resumed: began.resumed.is_some(),
            ended_before: began.resumed,
            follows_only: AtomicBool::new(false),
            unreachable: super::out_of_scope::Unreachable::default(),
        })
    }
}

struct Began {
    id: String,
    kind: &'static str,
    parent: Option<String>,
    operation: Operation,
    options: ChangeOptions,
    of: Narrowed,
    wave: Option<u32>,
    plan: Option<PlanFile>,
    audits_guards: bool,
    /// How the run ended before this process resumed it.
    resumed: Option<Ending>,
}

/// Checks that this may be worked on, and opens its ledger: with the state directory's lock for a run that changes something.
pub(super) async fn open(setting: &Setting, changes: bool) -> Result<(Organization, Ledger), CampaignError> {
    let Setting { aws, loaded, state, stop, .. } = setting;
    let asked = stop.run_until_cancelled(the_organization(aws, &loaded.campaign)).await;
    let organization = asked.ok_or(CampaignError::StoppedBefore)??;
    let binding = Binding {
        organization: organization.id.clone(),
        partition: aws.caller().partition.clone(),
        endpoint: aws.binding().to_owned(),
    };
    let ledger = match changes {
        true => Ledger::open(state, &binding)?,
        false => Ledger::open_beside_others(state, &binding)?,
    };
    if let Some(message) = ledger.dating_warning() {
        setting.events.emit(&Event::Warning { message });
    }
    Ok((organization, ledger))
}

/// Checks what earlier runs say that decides what a new one does: whether one of them is not finished, and which buckets have a
/// start without a known outcome.
fn check_others(folder: &Path, checked: &LedgerCheck) -> Result<(), CampaignError> {
    Ok(check_runs(folder, &Reader::open(folder)?.runs_under_way()?, checked)?)
}

/// Whether the waves that the command line names are there.
fn known_waves(file: &CampaignFile, options: &ChangeOptions) -> Result<(), CampaignError> {
    let waves = file.waves().len();
    let named = options.until_wave.iter().chain(&options.approved_waves).chain(&options.redo_waves);
    match named.copied().find(|wave| *wave as usize > waves) {
        Some(wanted) => Err(CampaignError::NoSuchWave { wanted, waves }),
        None => Ok(()),
    }
}

pub(super) fn session(setting: &Setting, command: &'static str) -> NewSession {
    NewSession {
        command: command.to_owned(),
        caller: setting.aws.caller().arn.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
        pid: std::process::id(),
        config_hash: setting.loaded.hash.clone(),
        selection: setting.narrowed.in_words(),
        clock_off_seconds: clock::seconds_off(),
    }
}

/// The run that `resume` is about where none is named. What was rolled back is redone in its campaign.
pub fn newest_to_resume(reader: &Reader, options: &ChangeOptions) -> Result<Option<Run>, LedgerError> {
    let scope = if options.retry_failed { Scope::OpenAndFailed } else { Scope::Open };
    reader.newest_campaign(Some(scope).filter(|_| options.redo_waves.is_empty()))
}

/// Whether a run is one that can go on.
fn may_go_on(
    reader: &Reader,
    run: &Run,
    operation: Operation,
    redo_waves: &BTreeSet<u32>,
) -> Result<(), CampaignError> {
    let not_that = |what| Err(CampaignError::NotThat { id: run.id.clone(), what });
    match run.state.as_str() {
        "dry_run" => return not_that("a dry run, which starts nothing: run its command again without --dry-run"),
        // Earlier versions called a campaign declined whose resumption was declined.
        "declined" if run.stage != CHANGING => {
            return not_that("a run that was declined before it changed a bucket: run its command again");
        }
        _ if operation == Operation::Restore && !redo_waves.is_empty() => {
            return not_that("a rollback, which has no waves: name the campaign that it undoes with --campaign");
        }
        _ => {}
    }
    if operation == Operation::Restore {
        // What it read may have changed since, and its campaign may have moved on.
        if run.stage != CHANGING {
            return not_that("a rollback that has changed nothing yet: run `orgseal rollback` again");
        }
        return Ok(());
    }
    if let Some(open) = open_rollback(reader, run)? {
        return Err(CampaignError::RollbackOpen(open));
    }
    if run.rollback_request.is_some() {
        return Err(requested::stands_over(run.clone()));
    }
    if let Some(rollback) = reader.undone_unrecorded(run)? {
        return Err(CampaignError::Undone { id: run.id.clone(), by: rollback.id });
    }
    may_redo(reader, run, redo_waves)
}

/// Whether what is to be redone was rolled back, and nothing that was rolled back is passed over: a wave begins only after the ones
/// before it are changed.
fn may_redo(reader: &Reader, run: &Run, redo_waves: &BTreeSet<u32>) -> Result<(), CampaignError> {
    let records = reader.waves(run)?;
    let rolled_back = reader.rolled_back(run)?;
    let waves = rolled_back.as_ref().map(|all| all.waves.as_slice()).unwrap_or_default();
    if let Some(wave) = redo_waves.iter().find(|redo| !waves.iter().any(|wave| wave.number == **redo)) {
        let state =
            records.iter().find(|record| record.number == *wave).map_or("not begun", |record| record.state.as_str());
        return Err(CampaignError::NotRolledBack { id: run.id.clone(), wave: *wave, state });
    }
    let left = waves.iter().find(|wave| wave.whole && !redo_waves.contains(&wave.number));
    let (Some(all), Some(left)) = (&rolled_back, left) else { return Ok(()) };
    // A redo that was cut short goes on as far as that wave.
    let mut before = redo_waves.iter().any(|redo| *redo < left.number);
    for number in 1..left.number {
        before |= !reader.work(run, Scope::Waiting, Some(number))?.is_empty();
    }
    let open = [WaveState::Approved, WaveState::Changing, WaveState::Baking, WaveState::Stopped];
    before |= records.iter().any(|record| record.number < left.number && open.contains(&record.state));
    match before && redo_waves.iter().all(|redo| *redo < left.number) {
        true => Ok(()),
        false => Err(CampaignError::WaveRolledBack {
            id: run.id.clone(),
            wave: left.number,
            waves: !records.is_empty(),
            by: all.by.clone(),
            at: records
                .iter()
                .find(|record| record.number == left.number)
                .and_then(|record| record.rolled_back.as_ref())
                .map_or(all.rolled_back_at, |rollback| rollback.rolled_back_at),
            buckets: left.buckets,
        }),
    }
}

/// The newest rollout, if it did not come to its end. A rollback that did not is in the way of any rollout: the two would
/// undo each other.
fn unfinished(folder: &Path) -> Result<Option<String>, CampaignError> {
    let reader = Reader::open(folder)?;
    if let Some(rollback) = reader.newest_of(&["rollback"])?
        && is_open(&reader, &rollback)?
    {
        return Err(CampaignError::RollbackOpen(rollback.id));
    }
    requested::nothing_requested(&reader)?;
    let Some(newest) = reader.newest_of(&["rollout"])? else { return Ok(None) };
    let open = [WaveState::Changing, WaveState::Baking, WaveState::Stopped];
    if let Some(wave) = reader.waves(&newest)?.into_iter().find(|wave| open.contains(&wave.state))
        && reader.undone_unrecorded(&newest)?.is_none()
    {
        // A new campaign would find the wave's buckets sealed, and go on with those of the next one.
        let state = wave.state.as_str();
        return Err(CampaignError::WaveOpen { campaign: newest.id, wave: wave.number, state });
    }
    Ok((!is_done(&newest)).then_some(newest.id))
}

/// Whether a run came to an end after which nothing goes on.
fn is_done(run: &Run) -> bool {
    [Ending::Finished, Ending::Declined, Ending::DryRun, Ending::Failed]
        .iter()
        .any(|ending| ending.as_str() == run.state)
}

/// A rollback of the campaign that began to change buckets and is not done with.
pub(super) fn open_rollback(reader: &Reader, campaign: &Run) -> Result<Option<String>, CampaignError> {
    for rollback in reader.rollbacks_of(campaign)? {
        if is_open(reader, &rollback)? {
            return Ok(Some(rollback.id));
        }
    }
    Ok(None)
}

/// Whether a rollback began to change buckets and is not done with.
fn is_open(reader: &Reader, rollback: &Run) -> Result<bool, CampaignError> {
    Ok((!is_done(rollback) && rollback.stage == CHANGING) || reader.in_flight(rollback)? > 0)
}
