//! `orgseal rollback`: restore what each bucket had before a campaign.

use orgseal_core::campaign::{
    self, Campaign, CampaignError, ChangeOptions, Kind, Narrowed, cancel_rollback, request_rollback, rollback_covers,
};
use orgseal_core::ledger::{Reader, RollbackRequest};
use orgseal_report::Suggest;
use tokio_util::sync::CancellationToken;

use super::confirm::Asker;
use super::{close, confirm};
use crate::args::{Common, Rollback};
use crate::connect::Workplace;
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, listen, output, signals};

pub(crate) async fn run(common: &Common, own: &Rollback, json: bool, yes: bool) -> Result<u8, Failure> {
    if own.cancel {
        return cancel(common, own, json).await;
    }
    confirm::possible("rollback", yes || own.dry_run, true)?;
    let place = connect::open(common).await?;
    let wanted = Wanted { campaign: own.campaign.clone(), wave: own.wave, dry_run: own.dry_run };
    carry_out(common, &place, wanted, json, yes).await
}

/// Which rollback.
struct Wanted {
    campaign: Option<String>,
    wave: Option<u32>,
    dry_run: bool,
}

async fn carry_out(
    common: &Common,
    place: &Workplace,
    mut wanted: Wanted,
    json: bool,
    yes: bool,
) -> Result<u8, Failure> {
    let stop = CancellationToken::new();
    if !wanted.dry_run {
        // Before anything else: whatever ends this process, the campaign must not go on sealing.
        let setting = place.setting(listen::events().0, stop.clone());
        let campaign = request_rollback(&setting, wanted.campaign.as_deref(), wanted.wave, yes).await?;
        wanted.campaign = Some(campaign);
    }
    if settle(place, &wanted, stop.clone()).await? && stop.is_cancelled() {
        let (said, next) = match wanted.dry_run {
            true => (
                "stopped while executions of the campaign were followed to their end: the dry run has not begun",
                "run `orgseal rollback --dry-run` again",
            ),
            false => (
                "stopped while executions of the campaign were followed to their end: the rollback is requested and has changed nothing yet",
                "`orgseal resume` continues the rollback; `orgseal rollback --cancel` cancels it",
            ),
        };
        Failure::plain(said, next).show(json);
        return Ok(INTERRUPTED);
    }
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options = ChangeOptions { dry_run: wanted.dry_run, ..ChangeOptions::default() };
    let kind = Kind::Rollback { of: wanted.campaign, wave: wanted.wave, options };
    let campaign = Campaign::begin(place.setting(events, stop.clone()), kind).await?;
    let ending = campaign.carry_out(&Asker::new(yes, screen.clone(), stop, None)).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}

/// Continues a requested rollback that an earlier process did not begin, as it was requested.
pub(super) async fn carry_on(
    common: &Common,
    mut place: Workplace,
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
    carry_out(&again, &place, wanted, json, yes).await
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
async fn settle(place: &Workplace, wanted: &Wanted, stop: CancellationToken) -> Result<bool, Failure> {
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
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options = ChangeOptions { settle_only: true, ..ChangeOptions::default() };
    let campaign = Campaign::resume(place.setting(events, stop.clone()), Some(&campaign), "rollback", options).await?;
    let ending = campaign.carry_out(&Asker::new(true, screen.clone(), stop, None)).await;
    screen.clear();
    ending?;
    Ok(true)
}
