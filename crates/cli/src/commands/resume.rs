//! `orgseal resume`: resume a rollout or a rollback where an earlier process ended.

use orgseal_core::campaign::{Campaign, ChangeOptions, rollback_to_continue};
use tokio_util::sync::CancellationToken;

use super::confirm::Asker;
use super::rollout::with_waves;
use super::{close, confirm, rollback};
use crate::args::{Common, Resume};
use crate::failure::Failure;
use crate::{connect, listen, signals};

pub(crate) async fn run(common: &Common, own: &Resume, json: bool, yes: bool) -> Result<u8, Failure> {
    confirm::possible("resume", yes, false)?;
    let place = connect::open_to_seal(common).await?;
    if let Some(requested) = rollback_to_continue(&place.state, own.campaign.as_deref())? {
        return rollback::carry_on(common, place, requested, json, yes).await;
    }
    let stop = CancellationToken::new();
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let options = ChangeOptions { retry_failed: own.retry_failed, ..with_waves(&own.waves) };
    let setting = place.setting(events, stop.clone());
    let campaign = Campaign::resume(setting, own.campaign.as_deref(), "resume", options).await?;
    let plan_sha256 = campaign.plan_sha256().map(str::to_owned);
    let ending = campaign.carry_out(&Asker { yes, screen: screen.clone(), stop, plan_sha256 }).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}
