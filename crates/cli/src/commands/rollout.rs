//! `orgseal rollout`: read, ask, seal wave by wave, report; or carry out an approved plan.

use std::collections::BTreeSet;

use orgseal_core::campaign::{ApprovedPlan, Campaign, CampaignError, ChangeOptions, Kind};
use orgseal_core::plan::PlanFile;

use super::confirm::Asker;
use super::{close, close_declined_wave, confirm};
use crate::args::{Common, Rollout, Waves};
use crate::connect;
use crate::failure::Failure;
use crate::signals::Watched;

pub(crate) async fn run(common: &Common, own: &Rollout, json: bool, yes: bool) -> Result<u8, Failure> {
    confirm::possible("rollout", yes || own.dry_run, true)?;
    let plan = approved(own, yes)?;
    let watched = Watched::new();
    let place = watched.opens(connect::open_to_seal(common)).await?;
    let Watched { stop, events, screen } = watched;
    let options = ChangeOptions { dry_run: own.dry_run, ..with_waves(&own.waves) };
    let campaign = Campaign::begin(place.setting(events, stop.clone()), Kind::Rollout { plan, options }).await?;
    let plan_sha256 = campaign.plan_sha256().map(str::to_owned);
    let asker = Asker::new(yes, screen.clone(), stop, plan_sha256);
    let ending = campaign.carry_out(&asker).await;
    screen.clear();
    match asker.declined_wave() {
        Some(wave) => close_declined_wave(common, &place.state, campaign.id(), ending?, json, (wave, 0)),
        None => close(common, &place.state, campaign.id(), ending?, json),
    }
}

/// How far a campaign goes by itself.
pub(super) fn with_waves(waves: &Waves) -> ChangeOptions {
    ChangeOptions {
        until_wave: waves.until_wave,
        approved_waves: waves.approve_wave.iter().copied().collect::<BTreeSet<_>>(),
        ..ChangeOptions::default()
    }
}

/// The plan that is to be carried out. Without a person to look at it, its hash says that it is the approved one.
fn approved(own: &Rollout, yes: bool) -> Result<Option<Box<ApprovedPlan>>, Failure> {
    let Some(path) = &own.plan else { return Ok(None) };
    if yes && own.plan_sha256.is_none() {
        return Err(Failure::plain(
            "--yes with --plan needs --plan-sha256: without a prompt, the approved hash must be given",
            "give the SHA-256 that was printed when the plan was made, and that was approved",
        ));
    }
    let file = PlanFile::open(path).map_err(CampaignError::from)?;
    let approved = ApprovedPlan { file, sha256: own.plan_sha256.clone(), approver: own.approved_by.clone() };
    Ok(Some(Box::new(approved)))
}
