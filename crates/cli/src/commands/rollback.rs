//! `orgseal rollback`: put back what a campaign changed.

use orgseal_core::campaign::{Campaign, ChangeOptions, Kind};
use orgseal_core::ledger::Reader;
use tokio_util::sync::CancellationToken;

use super::confirm::Asker;
use super::{close, confirm};
use crate::args::{Common, Rollback};
use crate::connect::Workplace;
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, listen, output, signals};

pub(crate) async fn run(common: &Common, own: &Rollback, json: bool, yes: bool) -> Result<u8, Failure> {
    confirm::possible("rollback", yes || own.dry_run, true)?;
    let place = connect::open(common).await?;
    let stop = CancellationToken::new();
    if settle(&place, own, stop.clone()).await? && stop.is_cancelled() {
        let said = "stopped while the campaign's starts were followed: the rollback has not begun";
        Failure::plain(said, "run `orgseal rollback` again; `orgseal resume` would go on with the campaign instead")
            .show(json);
        return Ok(INTERRUPTED);
    }
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options = ChangeOptions { dry_run: own.dry_run, ..ChangeOptions::default() };
    let kind = Kind::Rollback { of: own.campaign.clone(), wave: own.wave, options };
    let campaign = Campaign::begin(place.setting(events, stop.clone()), kind).await?;
    let ending = campaign.carry_out(&Asker { yes, screen: screen.clone(), stop, plan_sha256: None }).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}

/// What the campaign has in flight is followed to its end first, with nothing new started: only then is it known what there is
/// to undo. Says whether there was anything.
async fn settle(place: &Workplace, own: &Rollback, stop: CancellationToken) -> Result<bool, Failure> {
    let (campaign, starts) = {
        let Ok(reader) = Reader::open(&place.state) else { return Ok(false) };
        let run = match &own.campaign {
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
    let ending = campaign.carry_out(&Asker { yes: true, screen: screen.clone(), stop, plan_sha256: None }).await;
    screen.clear();
    ending?;
    Ok(true)
}
