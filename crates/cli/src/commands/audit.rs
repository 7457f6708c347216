//! `orgseal audit`: read, judge, report.

use orgseal_core::campaign::{Campaign, Kind};

use super::close;
use crate::args::{Audit, Common};
use crate::connect;
use crate::failure::Failure;
use crate::signals::Watched;

pub(crate) async fn run(common: &Common, audit: &Audit, json: bool) -> Result<u8, Failure> {
    let mut counting = common.clone();
    if audit.count_out_of_scope {
        counting.set.push("audit.count_out_of_scope=true".to_owned());
    }
    let watched = Watched::new();
    let place = watched.opens(connect::open(&counting)).await?;
    let Watched { stop, events, screen } = watched;
    let campaign = Campaign::begin(place.setting(events, stop), Kind::Audit { guards: audit.guards }).await?;
    let ending = campaign.audit().await;
    screen.clear();
    // The commands that are suggested next need not count again.
    close(common, &place.state, campaign.id(), ending?, json)
}
