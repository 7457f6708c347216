//! `orgseal resume`: resume a rollout or a rollback where an earlier process ended.

use std::collections::BTreeSet;

use orgseal_core::campaign::{Campaign, ChangeOptions, Target, newest_to_resume, rollback_to_continue};
use orgseal_core::ledger::{LedgerCheck, LedgerError, Reader, Scope, check_runs};
use orgseal_core::model::WaveState;

use super::confirm::Asker;
use super::rollout::with_waves;
use super::{close, close_declined_wave, confirm, report_again, rollback};
use crate::args::{Common, Resume};
use crate::connect::Workplace;
use crate::failure::Failure;
use crate::signals::Watched;
use crate::{connect, output};

pub(crate) async fn run(common: &Common, own: &Resume, json: bool, yes: bool) -> Result<u8, Failure> {
    let watched = Watched::new();
    let place = watched.opens(connect::open_to_seal(common)).await?;
    if let Some(requested) = rollback_to_continue(&place.state, own.campaign.as_deref())? {
        return rollback::carry_on(common, (place, watched), requested, json, yes).await;
    }
    let redo_waves: BTreeSet<u32> = own.redo_wave.iter().copied().collect();
    let options = ChangeOptions { retry_failed: own.retry_failed, redo_waves, ..with_waves(&own.waves) };
    if let Some(run) = nothing_to_resume(&place, own, &options)? {
        output::err(&format!("nothing to resume: {run} is finished; nothing was read or written"));
        return report_again(common, &place.state, &run, json);
    }
    confirm::possible("resume", yes, false)?;
    let Watched { stop, events, screen } = watched;
    let setting = place.setting(events, stop.clone());
    let campaign = Campaign::resume(setting, own.campaign.as_deref(), "resume", options).await?;
    let plan_sha256 = campaign.plan_sha256().map(str::to_owned);
    let started = {
        let reader = Reader::open(&place.state)?;
        reader.summary(&reader.run(campaign.id())?)?.started
    };
    let asker = Asker::new(yes, screen.clone(), stop, plan_sha256);
    let ending = campaign.carry_out(&asker).await;
    screen.clear();
    match asker.declined_wave() {
        Some(wave) => close_declined_wave(common, &place.state, campaign.id(), ending?, json, (wave, started)),
        None => close(common, &place.state, campaign.id(), ending?, json),
    }
}

/// The id of the run that is to be resumed, where it is finished and nothing of it is left to do.
fn nothing_to_resume(place: &Workplace, own: &Resume, options: &ChangeOptions) -> Result<Option<String>, Failure> {
    if !options.redo_waves.is_empty() {
        return Ok(None);
    }
    let reader = match Reader::open(&place.state) {
        Err(LedgerError::Missing { .. }) => return Ok(None),
        reader => reader?,
    };
    let run = match &own.campaign {
        Some(id) => Some(reader.run(id)?),
        None => newest_to_resume(&reader, options)?,
    };
    let changes = |kind: &str| matches!(kind, "rollout" | "rollback");
    let Some(run) = run.filter(|run| run.state == "finished" && changes(&run.kind)) else { return Ok(None) };
    // Whether it is finished follows from rows: edited ones would have it left as it is.
    check_runs(&place.state, std::slice::from_ref(&run), &LedgerCheck::default())?;
    let scope = if own.retry_failed { Scope::OpenAndFailed } else { Scope::Open };
    let is_open = reader.summary(&run)?.accounts_unread > 0
        || !reader.work(&run, scope, None)?.is_empty()
        || reader.waves(&run)?.iter().any(|wave| wave.state != WaveState::Done);
    // A campaign that was undone has another story to tell.
    let undone = reader.undone_unrecorded(&run)?.is_some()
        || reader.rolled_back(&run)?.is_some_and(|rolled_back| rolled_back.first_whole().is_some());
    // Who changed the campaign file since may expect that its buckets get something else now.
    let changed = !Target::of(&run).other_settings(&place.loaded.campaign).is_empty();
    Ok((!is_open && !undone && !changed).then_some(run.id))
}
