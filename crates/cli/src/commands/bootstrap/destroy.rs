//! `orgseal bootstrap destroy`: takes away what bears our tag. Never a key.

use std::collections::BTreeMap;

use orgseal_bootstrap::deployed::{Kind, Taken};
use orgseal_report::counted;

use super::{Open, open, way_again, words};
use crate::args::{Common, Destroy};
use crate::commands::confirm;
use crate::failure::Failure;
use crate::output;
use crate::signals::INTERRUPTED;

pub(super) async fn run(common: &Common, own: &Destroy, json: bool, yes: bool) -> Result<u8, Failure> {
    let way = &own.way;
    let look = format!("`orgseal bootstrap destroy --dry-run{}`", way_again(way));
    confirm::possible_after("bootstrap destroy", yes || own.dry_run, &look)?;
    let Open { place: _place, site, screen, stop, .. } = open(common, way).await?;
    let there = site.ours().await?;
    let all = site.accounts().iter().filter(|account| account.is_active()).count();
    let (closed, rest): (Vec<&Taken>, Vec<&Taken>) =
        there.iter().partition(|piece| piece.error.is_some() && piece.kind != Kind::Guardrail);
    let pieces = rest.iter().filter(|piece| piece.error.is_none()).count();
    screen.suspend(|| {
        if pieces > 0 && !json {
            output::err_wrapped("\nThese resources of a deployment of orgseal would be deleted:");
            grouped(&rest, false, all).iter().for_each(|line| output::err_wrapped(line));
            output::err_wrapped(
                "Keys, their aliases and policies are kept, because objects encrypted with a deleted key are lost. Buckets are \
                 not changed. Guardrails that are attached are kept.",
            );
        }
    });
    let end = |done: &[&Taken], taken: usize, code: u8| -> Result<u8, Failure> {
        screen.clear();
        let left = done.iter().filter(|piece| piece.error.is_some()).count();
        if json {
            let pieces = serde_json::json!(done);
            output::out_json(&serde_json::json!({
                "schema": "orgseal.bootstrap-destroy/1", "taken": taken, "left": left, "pieces": pieces,
            }))?;
        }
        Ok(code)
    };
    let every: Vec<&Taken> = there.iter().collect();
    if stop.is_cancelled() {
        return end(&every, 0, INTERRUPTED);
    }
    if !closed.is_empty() {
        grouped(&closed, false, all).iter().for_each(|line| output::err_wrapped(line));
        let hints: std::collections::BTreeSet<&str> =
            closed.iter().filter_map(|piece| Some(piece.error.as_ref()?.hint.as_str())).collect();
        hints.into_iter().for_each(|hint| output::err_wrapped(&format!("help: {hint}")));
        output::err_wrapped(
            "nothing was deleted: not everything could be read. Use --through with a role that has the permissions, or select \
             accounts with --account",
        );
        return end(&every, 0, 3);
    }
    if own.dry_run {
        if pieces == 0 {
            output::err("nothing to delete");
        }
        return end(&every, 0, if pieces == 0 { 0 } else { 2 });
    }
    if pieces > 0 && !yes && !confirm::ask("Delete them? [y/N] ", &screen, &stop).await {
        output::err("nothing was changed");
        return end(&every, 0, if stop.is_cancelled() { INTERRUPTED } else { 2 });
    }
    let taken = if pieces > 0 { site.take().await? } else { there.clone() };
    let failed = taken.iter().filter(|piece| piece.error.is_some()).count();
    let gone = taken.len() - failed;
    let taken: Vec<&Taken> = taken.iter().collect();
    screen.clear();
    if !json {
        grouped(&taken, true, all).iter().try_for_each(|line| output::out_wrapped(line))?;
        let left = if failed > 0 { format!(", {failed} could not be") } else { String::new() };
        output::out_wrapped(&format!("{} deleted{left}", counted(gone as u64, "piece")))?;
    }
    let hints: std::collections::BTreeSet<&str> =
        taken.iter().filter_map(|piece| Some(piece.error.as_ref()?.hint.as_str())).collect();
    hints.into_iter().for_each(|hint| output::err_wrapped(&format!("help: {hint}")));
    let code = match () {
        () if stop.is_cancelled() => INTERRUPTED,
        () if failed > 0 => 3,
        () => 0,
    };
    end(&taken, gone, code)
}

/// What is the same in many places, once. AWS's messages name the account, and are the same otherwise: one of them is shown.
fn grouped(pieces: &[&Taken], done: bool, all: usize) -> Vec<String> {
    type Group<'a> = (Option<&'a str>, Kind, &'a str);
    let mut groups: BTreeMap<Group<'_>, (String, Vec<words::Place>)> = BTreeMap::new();
    for piece in pieces {
        let code = piece.error.as_ref().map(|error| error.code.as_str());
        let place = (piece.account.clone(), piece.region.clone());
        let says = piece.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        groups.entry((code, piece.kind, &piece.name)).or_insert_with(|| (says, Vec::new())).1.push(place);
    }
    let said = groups.into_iter().flat_map(|((code, kind, name), (says, places))| {
        let piece = format!("  {} {name}", kind.title());
        let what = match code {
            Some(_) => format!("{piece}: {says}"),
            None if done => format!("{piece}: deleted"),
            None => piece,
        };
        words::placed(&what, &places, all)
    });
    said.collect()
}
