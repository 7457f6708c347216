//! A rollback is an intent too: it is in the ledger before what is in flight is followed, and before anything is read or asked.

use std::path::Path;

use super::begin::{open, open_rollback, session};
use super::fail_point::fail_point;
use super::{CampaignError, Setting, Target};
use crate::clock;
use crate::ledger::{Ledger, LedgerCheck, LedgerError, Reader, RollbackRequest, Run, check_runs};
use crate::plan::Narrowed;

/// What a requested rollback comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// A new rollback of this campaign.
    New(String),
    /// A rollback of the same buckets has begun to change them, and is not finished: it is to be continued.
    Open {
        /// The campaign that it undoes.
        campaign: String,
        /// Its id.
        rollback: String,
    },
}

/// Writes down that a campaign is to be rolled back (the newest one that changed anything, where none is named), and says which.
///
/// A request for other buckets of the same campaign that has not come to its end is an error: a person decides which one counts.
pub async fn request_rollback(
    setting: &Setting,
    of: Option<&str>,
    wave: Option<u32>,
    confirmed: bool,
) -> Result<Requested, CampaignError> {
    let (_, ledger) = open(setting, true).await?;
    let campaign = match to_undo(ledger.folder(), of, &setting.checked) {
        Err(CampaignError::RollbackOpen(rollback)) => return same_open(setting, ledger.folder(), rollback, wave),
        campaign => campaign?,
    };
    known_wave(ledger.folder(), &campaign, wave)?;
    commit(&ledger, setting, &campaign, wave, confirmed).await?;
    Ok(Requested::New(campaign))
}

/// The open rollback of a campaign, where it is about the same buckets.
fn same_open(
    setting: &Setting,
    folder: &Path,
    rollback: String,
    wave: Option<u32>,
) -> Result<Requested, CampaignError> {
    let run = Reader::open(folder)?.run(&rollback)?;
    let target = Target::of(&run);
    let campaign = run.parent.unwrap_or_default();
    match target.wave == wave && target.narrowed == setting.narrowed {
        true => Ok(Requested::Open { campaign, rollback }),
        false => Err(CampaignError::OtherRollbackOpen {
            covers: rollback_covers(&campaign, target.wave, &target.narrowed),
            rollback,
            campaign,
            wave,
            narrowed: Box::new(setting.narrowed.clone()),
        }),
    }
}

/// The same, with the ledger open: what is requested already is not written down again.
pub(super) async fn commit(
    ledger: &Ledger,
    setting: &Setting,
    campaign: &str,
    wave: Option<u32>,
    confirmed: bool,
) -> Result<(), CampaignError> {
    let reader = Reader::open(ledger.folder())?;
    let run = reader.run(campaign)?;
    match run.rollback_request {
        Some(earlier) if !earlier.covers_the_same(wave, &setting.narrowed) => {
            return Err(CampaignError::RollbackRequested { campaign: run.id, request: Box::new(earlier) });
        }
        Some(earlier) if earlier.confirmed || !confirmed => return Ok(()),
        _ => {}
    }
    let request = RollbackRequest {
        requested_at: clock::now(),
        wave,
        narrowed: setting.narrowed.clone(),
        confirmed,
        session: session(setting, "rollback"),
    };
    ledger.request_rollback(campaign, request).await?;
    fail_point("after_rollback_requested");
    Ok(())
}

/// The runs whose rows decide what is changed where this one is resumed or rolled back.
pub(super) fn acted_on(reader: &Reader, run: &Run) -> Result<Vec<Run>, LedgerError> {
    let campaign = match &run.parent {
        Some(campaign) => reader.run(campaign)?,
        None => run.clone(),
    };
    let mut runs = reader.rollbacks_of(&campaign)?;
    runs.push(campaign);
    Ok(runs)
}

/// Cancels the rollback that was requested of a campaign (of the only one, where none is named) and has changed nothing yet.
pub async fn cancel_rollback(state: &Path, of: Option<&str>) -> Result<(String, RollbackRequest), CampaignError> {
    let reader = Reader::open(state)?;
    let run = match of {
        Some(id) => Some(reader.run(id)?),
        None => reader.rollbacks_requested()?.pop(),
    };
    let over = run.map(|run| reader.rollback_request_over(&run)).transpose()?.flatten();
    let (campaign, request) = over.ok_or_else(|| CampaignError::NoRollbackRequested(state.display().to_string()))?;
    if let Some(open) = open_rollback(&reader, &campaign)? {
        return Err(CampaignError::RollbackOpen(open));
    }
    let ledger = Ledger::open(state, &reader.binding()?)?;
    ledger.close_rollback_request(&campaign.id, "cancelled").await?;
    Ok((campaign.id, request))
}

/// The rollback that `resume` has to continue: the one requested of the run that is named, or of the newest one.
pub fn rollback_to_continue(
    state: &Path,
    run: Option<&str>,
) -> Result<Option<(String, RollbackRequest)>, CampaignError> {
    let reader = match Reader::open(state) {
        Err(LedgerError::Missing { .. }) => return Ok(None),
        reader => reader?,
    };
    let chosen = match run {
        Some(id) => Some(reader.run(id)?),
        None => reader.newest_of(&["rollout", "rollback"])?,
    };
    let Some(chosen) = chosen else { return Ok(None) };
    let over = match reader.rollback_request_over(&chosen)? {
        // Without a name, one that was requested of an older campaign comes first: the two would undo each other.
        None if run.is_none() => reader
            .rollbacks_requested()?
            .pop()
            .and_then(|run| run.rollback_request.clone().map(|request| (run, request))),
        over => over,
    };
    let Some((campaign, request)) = over else { return Ok(None) };
    // Once it changes buckets it is resumed like any run.
    match open_rollback(&reader, &campaign)? {
        Some(_) => Ok(None),
        None => Ok(Some((campaign.id, request))),
    }
}

/// The campaign that a rollback is to undo.
pub(super) fn to_undo(folder: &Path, of: Option<&str>, checked: &LedgerCheck) -> Result<String, CampaignError> {
    let reader = Reader::open(folder)?;
    let run = match of {
        Some(id) => {
            let run = reader.run(id)?;
            check_runs(folder, &acted_on(&reader, &run)?, checked)?;
            run
        }
        None => {
            let (newest, requested) = (reader.newest_to_undo()?, reader.rollbacks_requested()?.pop());
            // Which campaign is the newest one that changed a bucket follows from rows: were those of a newer one deleted or edited,
            // an older one would be undone.
            let mut runs = reader.rollouts_from(newest.as_ref())?;
            for campaign in newest.iter().chain(&requested) {
                runs.extend(acted_on(&reader, campaign)?);
            }
            check_runs(folder, &runs, checked)?;
            match (newest, requested) {
                (None, None) => return Err(CampaignError::NothingToUndo(folder.display().to_string())),
                (Some(newest), None) => newest,
                (None, Some(requested)) => requested,
                (Some(newest), Some(requested)) if newest.id == requested.id => newest,
                (Some(_), Some(requested)) => return Err(stands_over(requested)),
            }
        }
    };
    let what = match run.kind.as_str() {
        "rollout" => match open_rollback(&reader, &run)? {
            Some(open) => return Err(CampaignError::RollbackOpen(open)),
            None => return Ok(run.id),
        },
        "rollback" => "a rollback, which is not undone: begin a rollout instead",
        _ => "an audit, which changed nothing",
    };
    Err(CampaignError::NotThat { id: run.id, what })
}

/// Whether the campaign has the wave that is to be rolled back, and changed a bucket in it.
pub(super) fn known_wave(folder: &Path, campaign: &str, wave: Option<u32>) -> Result<(), CampaignError> {
    let Some(wanted) = wave else { return Ok(()) };
    let reader = Reader::open(folder)?;
    let run = reader.run(campaign)?;
    let counts = reader.wave_counts(&run)?;
    if !counts.iter().any(|count| count.number == wanted) {
        return Err(CampaignError::NoSuchWave { wanted, waves: counts.len() });
    }
    match reader.touched(&run, Some(wanted))? {
        0 => Err(CampaignError::NothingChangedInWave { campaign: run.id, wave: wanted }),
        _ => Ok(()),
    }
}

/// A rollback that was requested and has not come to its end: nothing may be sealed meanwhile.
pub(super) fn nothing_requested(reader: &Reader) -> Result<(), CampaignError> {
    match reader.rollbacks_requested()?.pop() {
        Some(campaign) => Err(match open_rollback(reader, &campaign)? {
            Some(open) => CampaignError::RollbackOpen(open),
            None => stands_over(campaign),
        }),
        None => Ok(()),
    }
}

/// Why a campaign over which a request stands does not go on sealing.
pub(super) fn stands_over(campaign: Run) -> CampaignError {
    match campaign.rollback_request {
        Some(request) => CampaignError::RollbackRequested { campaign: campaign.id, request: Box::new(request) },
        None => CampaignError::NoRollbackRequested(campaign.id),
    }
}

/// What a request covers, in words.
#[must_use]
pub fn rollback_covers(campaign: &str, wave: Option<u32>, narrowed: &Narrowed) -> String {
    let mut covers = match wave {
        Some(wave) => format!("wave {wave} of campaign {campaign}"),
        None => format!("campaign {campaign}"),
    };
    if !narrowed.is_empty() {
        covers.push_str(&format!(" (only {})", narrowed.in_words()));
    }
    covers
}
