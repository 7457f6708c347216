//! `orgseal rollout`: read, ask, seal, report.

use std::io::{BufRead, IsTerminal};

use orgseal_core::campaign::{Campaign, Kind, Preview, RolloutOptions};
use tokio_util::sync::CancellationToken;

use super::close;
use crate::args::{Common, Rollout};
use crate::failure::Failure;
use crate::listen::Screen;
use crate::{connect, listen, output, signals};

pub(crate) async fn run(common: &Common, own: &Rollout, json: bool, yes: bool) -> Result<u8, Failure> {
    if !yes && !own.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::plain(
            "rollout asks before it changes anything, and there is no terminal to ask on",
            "look first with --dry-run, then add --yes",
        ));
    }
    let place = connect::open(common).await?;
    let stop = CancellationToken::new();
    let (events, screen) = listen::events();
    signals::watch(&stop, &events);
    let kind = Kind::Rollout(RolloutOptions { dry_run: own.dry_run, without_guards: own.without_guards });
    let campaign =
        Campaign::begin(place.aws, place.loaded, kind, place.narrowed, &place.state, events, stop.clone()).await?;
    let ending = campaign.rollout(|preview| confirm(preview, yes, screen.clone(), stop)).await;
    screen.clear();
    close(common, &place.state, campaign.id(), ending?, json)
}

async fn confirm(preview: Preview, yes: bool, screen: Screen, stop: CancellationToken) -> bool {
    if yes {
        return true;
    }
    screen.suspend(|| {
        output::err(&format!(
            "\nDocument {} would change the default encryption of {} buckets in {} accounts:",
            preview.document, preview.buckets, preview.accounts
        ));
        for region in &preview.regions {
            match &region.fault {
                None => output::err(&format!("  {:<16} {:>7}  -> {}", region.region, region.buckets, region.key)),
                Some(fault) => output::err(&format!("  {:<16} {:>7}  held: {fault}", region.region, region.buckets)),
            }
        }
        output::err(&format!(
            "{} buckets are sealed already, {} are held, {} could not be read.",
            preview.summary.sealed, preview.summary.held, preview.summary.unread
        ));
    });
    let answer = tokio::task::spawn_blocking(move || {
        screen.suspend(|| {
            output::ask("Change them? [y/N] ");
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).is_ok()
                && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
        })
    });
    tokio::select! {
        answer = answer => answer.unwrap_or(false),
        () = stop.cancelled() => false,
    }
}
