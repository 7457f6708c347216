//! `orgseal bootstrap destroy`: takes away what bears our tag. Never a key.

use std::collections::BTreeMap;

use orgseal_bootstrap::deployed::{Kind, Taken};
use orgseal_report::counted;

use super::{Open, open, way_again, words};
use crate::args::{Common, Way};
use crate::commands::confirm;
use crate::failure::Failure;
use crate::output;
use crate::signals::INTERRUPTED;

pub(super) async fn run(common: &Common, way: &Way, json: bool, yes: bool) -> Result<u8, Failure> {
    let look = format!("`orgseal bootstrap diff{}`", way_again(way));
    confirm::possible_after("bootstrap destroy", yes, &look)?;
    let Open { place: _place, site, screen, stop, .. } = open(common, way).await?;
    let there = site.ours().await?;
    let all = site.accounts().iter().filter(|account| account.is_active()).count();
    if stop.is_cancelled() {
        screen.clear();
        return Ok(INTERRUPTED);
    }
    let pieces = there.iter().filter(|piece| piece.error.is_none()).count();
    if pieces > 0 {
        screen.suspend(|| {
            output::err_wrapped("\nThis bears the tag orgseal = bootstrap, and would be taken away:");
            grouped(&there, false, all).iter().for_each(|line| output::err_wrapped(line));
            output::err_wrapped(
                "Keys, their aliases and policies stay: whatever was written under a key is lost with it. Buckets stay as they are. \
                 A guardrail that is attached to anything stays, too.",
            );
        });
        if !yes && !confirm::ask("Take it away? [y/N] ", &screen, &stop).await {
            screen.clear();
            output::err("nothing was changed");
            return Ok(if stop.is_cancelled() { INTERRUPTED } else { 0 });
        }
    }
    let taken = if pieces > 0 { site.take().await? } else { there };
    screen.clear();
    let failed = taken.iter().filter(|piece| piece.error.is_some()).count();
    let gone = taken.len() - failed;
    if json {
        let pieces = serde_json::json!(taken);
        output::out_json(
            &serde_json::json!({ "schema": "orgseal.bootstrap-destroy/1", "taken": gone, "left": failed, "pieces": pieces }),
        )?;
    } else {
        grouped(&taken, true, all).iter().try_for_each(|line| output::out_wrapped(line))?;
        let left = if failed > 0 { format!(", {failed} could not be") } else { String::new() };
        output::out_wrapped(&format!("{} taken away{left}", counted(gone as u64, "piece")))?;
    }
    let hints: std::collections::BTreeSet<&str> =
        taken.iter().filter_map(|piece| Some(piece.error.as_ref()?.hint.as_str())).collect();
    hints.into_iter().for_each(|hint| output::err_wrapped(&format!("help: {hint}")));
    Ok(match () {
        () if stop.is_cancelled() => INTERRUPTED,
        () if failed > 0 => 3,
        () => 0,
    })
}

fn grouped(pieces: &[Taken], done: bool, all: usize) -> Vec<String> {
    let mut groups: BTreeMap<(Option<&str>, Kind, &str), Vec<words::Place>> = BTreeMap::new();
    for piece in pieces {
        let why = piece.error.as_ref().map(|error| error.message.as_str());
        let place = (piece.account.clone(), piece.region.clone());
        groups.entry((why, piece.kind, &piece.name)).or_default().push(place);
    }
    let said = groups.into_iter().flat_map(|((why, kind, name), places)| {
        let piece = format!("  {} {name}", kind.title());
        let what = match why {
            Some(why) => format!("{piece}: {why}"),
            None if done => format!("{piece}: taken away"),
            None => piece,
        };
        words::placed(&what, &places, all)
    });
    said.collect()
}
