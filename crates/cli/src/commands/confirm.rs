//! The question before anything is changed.

use std::io::{BufRead, IsTerminal};

use orgseal_core::campaign::Preview;
use orgseal_core::model::Operation;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::listen::Screen;
use crate::output;

/// Whether the question can be asked, if it has to be.
pub(crate) fn possible(command: &str, answered: bool, has_dry_run: bool) -> Result<(), Failure> {
    if answered || std::io::stdin().is_terminal() {
        return Ok(());
    }
    let help = match has_dry_run {
        true => "look first with --dry-run, then add --yes",
        false => "look first with `orgseal status`, then add --yes",
    };
    Err(Failure::plain(format!("{command} asks before it changes anything, and there is no terminal to ask on"), help))
}

/// Shows what would be done, and asks.
pub(crate) async fn ask(preview: Preview, yes: bool, screen: Screen, stop: CancellationToken) -> bool {
    if yes {
        return true;
    }
    screen.suspend(|| show(&preview));
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

fn show(preview: &Preview) {
    let Preview { buckets, accounts, document, .. } = preview;
    let does = match preview.operation {
        Operation::Seal => "change the default encryption",
        Operation::Restore => "put back the former default encryption",
    };
    output::err(&format!("\nDocument {document} would {does} of {buckets} buckets in {accounts} accounts:"));
    if let Some(campaign) = &preview.undoes {
        output::err(&format!("It undoes campaign {campaign}."));
    }
    for region in &preview.regions {
        let count = format!("  {:<16} {:>7}", region.region, region.buckets);
        match (&region.fault, &region.key) {
            (Some(fault), _) => output::err(&format!("{count}  held: {fault}")),
            (None, Some(key)) => output::err(&format!("{count}  -> {key}")),
            (None, None) => output::err(&count),
        }
    }
    let summary = &preview.summary;
    let done = match preview.operation {
        Operation::Seal => format!("{} buckets are sealed already", summary.sealed),
        Operation::Restore => format!("{} buckets are as before already", summary.restored),
    };
    output::err(&format!("{done}, {} are held, {} could not be read.", summary.held, summary.unread));
    if preview.in_flight > 0 {
        output::err(&format!(
            "{} buckets have an execution under way, which is followed in any case.",
            preview.in_flight
        ));
    }
}
