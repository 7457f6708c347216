//! `orgseal rollback`: restore what each bucket had before a campaign.

use orgseal_core::campaign::{
    self, Campaign, CampaignError, ChangeOptions, Kind, Narrowed, Requested, Setting, cancel_rollback,
    request_rollback, rollback_covers,
};
use orgseal_core::ledger::{Reader, RollbackRequest};
use orgseal_report::Suggest;

use super::confirm::Asker;
use super::{close, confirm};
use crate::args::{Common, Rollback};
use crate::connect::Workplace;
use crate::failure::Failure;
use crate::signals::{INTERRUPTED, Watched};
use crate::{connect, output};

pub(crate) async fn run(common: &Common, own: &Rollback, json: bool, yes: bool) -> Result<u8, Failure> {
    if own.cancel {
        return cancel(common, own, json).await;
    }
    confirm::possible("rollback", yes || own.dry_run, true)?;
    let watched = Watched::new();
    let place = watched.opens(connect::open(common)).await?;
    let wanted = Wanted { campaign: own.campaign.clone(), wave: own.wave, dry_run: own.dry_run };
    carry_out(common, (place, watched), wanted, json, yes).await
}

/// Which rollback.
struct Wanted {
    campaign: Option<String>,
    wave: Option<u32>,
    dry_run: bool,
}

async fn carry_out(
    common: &Common,
    (place, watched): (Workplace, Watched),
    mut wanted: Wanted,
    json: bool,
    yes: bool,
) -> Result<u8, Failure> {
    let stop = watched.stop.clone();
    if !wanted.dry_run {
        // Before anything else: whatever ends this process, the campaign must not go on sealing.
        let setting = place.setting(watched.events.clone(), stop.clone());
        match request_rollback(&setting, wanted.campaign.as_deref(), wanted.wave, yes).await? {
            Requested::New(campaign) => wanted.campaign = Some(campaign),
            Requested::Open { campaign, rollback } => {
                let covers = rollback_covers(&campaign, wanted.wave, &place.narrowed);
                output::err_wrapped(&format!(
                    "Continuing {rollback}, the rollback of {covers}, which is not finished."
                ));
                return continue_open(common, (place, watched), &rollback, json, yes).await;
            }
        }
    }
    let settled = settle(&place, &wanted, &watched).await;
    if stop.is_cancelled() && matches!(settled, Ok(true)) {
        return Ok(stopped(
            wanted.dry_run,
            "stopped while executions of the campaign were followed to their end",
            json,
        ));
    }
    let Watched { events, screen, .. } = watched;
    let dry_run = wanted.dry_run;
    let options = ChangeOptions { dry_run: wanted.dry_run, ..ChangeOptions::default() };
    let kind = Kind::Rollback { of: wanted.campaign, wave: wanted.wave, options };
    let begun = match settled {
        Ok(_) => Campaign::begin(place.setting(events, stop.clone()), kind).await,
        Err(error) => Err(error),
    };
    let campaign = match begun {
        Err(CampaignError::StoppedBefore) if !dry_run => return Ok(stopped(dry_run, "stopped", json)),
        begun => begun?,
    };
    let ending = campaign.carry_out(&Asker::new(yes, screen.clone(), stop, None)).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}

/// Says how a rollback stands that was stopped before its run began.
fn stopped(dry_run: bool, when: &str, json: bool) -> u8 {
    let (stands, next) = match dry_run {
        true => ("the dry run has not started", "run `orgseal rollback --dry-run` again"),
        false => (
            "the rollback is requested and has changed nothing yet",
            "`orgseal resume` continues the rollback; `orgseal rollback --cancel` cancels it",
        ),
    };
    Failure::plain(format!("{when}: {stands}"), next).show(json);
    INTERRUPTED
}

/// Continues a rollback that began to change buckets, with all that it was begun for.
async fn continue_open(
    common: &Common,
    (place, watched): (Workplace, Watched),
    rollback: &str,
    json: bool,
    yes: bool,
) -> Result<u8, Failure> {
    let Watched { stop, events, screen } = watched;
    let setting = Setting { narrowed: Narrowed::default(), ..place.setting(events, stop.clone()) };
    let campaign = Campaign::resume(setting, Some(rollback), "rollback", ChangeOptions::default()).await?;
    let ending = campaign.carry_out(&Asker::new(yes, screen.clone(), stop, None)).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}

/// Continues a requested rollback that an earlier process did not begin, as it was requested.
pub(super) async fn carry_on(
    common: &Common,
    (mut place, watched): (Workplace, Watched),
    (campaign, request): (String, RollbackRequest),
    json: bool,
    yes: bool,
) -> Result<u8, Failure> {
    let selected = !place.narrowed.is_empty() && place.narrowed != request.narrowed;
    if selected || (yes && !request.confirmed) {
        // Nobody has confirmed this rollback, or something else is asked for: a person says which.
        return Err(CampaignError::RollbackRequested { campaign, request: Box::new(request) }.into());
    }
    let covers = rollback_covers(&campaign, request.wave, &request.narrowed);
    output::err_wrapped(&format!("Continuing the rollback of {covers}, requested at {}.", request.requested_at));
    let mut again = common.clone();
    let Narrowed { accounts, ous, regions, buckets } = request.narrowed.clone();
    (again.account, again.ou, again.region, again.bucket) = (accounts, ous, regions, buckets);
    place.narrowed = request.narrowed;
    let wanted = Wanted { campaign: Some(campaign), wave: request.wave, dry_run: false };
    carry_out(&again, (place, watched), wanted, json, yes).await
}

/// Cancels a requested rollback. The ledger alone says whether there is one, so AWS is not called.
async fn cancel(common: &Common, own: &Rollback, json: bool) -> Result<u8, Failure> {
    let state = connect::state_in_force(common)?;
    let (campaign, request) = cancel_rollback(&state, own.campaign.as_deref()).await?;
    let covers = campaign::rollback_covers(&campaign, request.wave, &request.narrowed);
    if json {
        output::out_json(&serde_json::json!({
            "schema": "orgseal.rollback-cancelled/1", "campaign": campaign, "wave": request.wave,
            "requested_at": request.requested_at,
        }))?;
        return Ok(0);
    }
    output::out(&format!("The rollback of {covers}, requested at {}, is cancelled.", request.requested_at))?;
    let resume = Suggest::here(&connect::place(common)).recorded(&format!("resume --campaign {campaign}"));
    output::out(&format!("To continue the campaign: {resume}"))?;
    Ok(0)
}

/// Follows what the campaign has in flight to its end, and starts nothing new: only then is it known what there is to restore.
/// Says whether there was anything.
async fn settle(place: &Workplace, wanted: &Wanted, watched: &Watched) -> Result<bool, CampaignError> {
    let (campaign, starts) = {
        let Ok(reader) = Reader::open(&place.state) else { return Ok(false) };
        let run = match &wanted.campaign {
            Some(id) => Some(reader.run(id)?),
            None => reader.newest_to_undo()?,
        };
        match run {
            Some(run) if reader.in_flight(&run)? > 0 => {
                let starts = reader.in_flight(&run)?;
                (run.id, starts)
            }
            _ => return Ok(false),
        }
    };
    output::err(&format!(
        "{starts} starts of {campaign} have no known outcome: they are followed to their end first, and nothing new is started"
    ));
    let Watched { stop, events, screen } = watched;
    let options = ChangeOptions { settle_only: true, ..ChangeOptions::default() };
    let setting = place.setting(events.clone(), stop.clone());
    let campaign = Campaign::resume(setting, Some(&campaign), "rollback", options).await?;
    let asker = Asker::new(true, screen.clone(), stop.clone(), None);
    let ending = campaign.carry_out(&asker).await;
    screen.clear();
    ending?;
    screen.go_on();
    Ok(true)
}
