//! `orgseal rollout`: read, ask, seal, report.

use orgseal_core::campaign::{Campaign, ChangeOptions, Kind};
use tokio_util::sync::CancellationToken;

use super::{close, confirm};
use crate::args::{Common, Rollout};
use crate::failure::Failure;
use crate::{connect, listen, signals};

pub(crate) async fn run(common: &Common, own: &Rollout, json: bool, yes: bool) -> Result<u8, Failure> {
    confirm::possible("rollout", yes || own.dry_run, true)?;
    let place = connect::open(common).await?;
    let stop = CancellationToken::new();
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options =
        ChangeOptions { dry_run: own.dry_run, without_guards: own.without_guards, ..ChangeOptions::default() };
    let campaign = Campaign::begin(place.setting(events, stop.clone()), Kind::Rollout(options)).await?;
    let ending = campaign.carry_out(|preview| confirm::ask(preview, yes, screen.clone(), stop)).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}
