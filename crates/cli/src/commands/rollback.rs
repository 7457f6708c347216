//! `orgseal rollback`: put back what a campaign changed.

use orgseal_core::campaign::{Campaign, ChangeOptions, Ending, Kind};
use orgseal_core::ledger::Reader;
use tokio_util::sync::CancellationToken;

use super::{close, confirm};
use crate::args::{Common, Rollback};
use crate::connect::Workplace;
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, listen, signals};

pub(crate) async fn run(common: &Common, own: &Rollback, json: bool, yes: bool) -> Result<u8, Failure> {
    confirm::possible("rollback", yes || own.dry_run, true)?;
    let place = connect::open(common).await?;
    let stop = CancellationToken::new();
    if !own.dry_run && settle(&place, own, stop.clone()).await? == Some(Ending::Interrupted) {
        return Ok(INTERRUPTED);
    }
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options =
        ChangeOptions { dry_run: own.dry_run, without_guards: own.without_guards, ..ChangeOptions::default() };
    let kind = Kind::Rollback { of: own.campaign.clone(), options };
    let campaign = Campaign::begin(place.setting(events, stop.clone()), kind).await?;
    let ending = campaign.carry_out(|preview| confirm::ask(preview, yes, screen.clone(), stop)).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}

/// What the campaign has in flight is followed to its end first, with nothing new started: only then is it known what there is
/// to undo.
async fn settle(place: &Workplace, own: &Rollback, stop: CancellationToken) -> Result<Option<Ending>, Failure> {
    let campaign = {
        let Ok(reader) = Reader::open(&place.state) else { return Ok(None) };
        let run = match &own.campaign {
            Some(id) => Some(reader.run(id)?),
            None => reader.newest_of(&["rollout"])?,
        };
        match run {
            Some(run) if reader.in_flight(&run)? > 0 => run.id,
            _ => return Ok(None),
        }
    };
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options = ChangeOptions { settle_only: true, ..ChangeOptions::default() };
    let campaign = Campaign::resume(place.setting(events, stop), Some(&campaign), "rollback", options).await?;
    let ending = campaign.carry_out(|_| async { true }).await;
    screen.clear();
    Ok(Some(ending?))
}
