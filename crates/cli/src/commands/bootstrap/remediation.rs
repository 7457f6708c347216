//! `orgseal bootstrap remediation`: AWS Config's automatic remediation, where a campaign is over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orgseal_bootstrap::deployed::{Excepted, RemediationDone, Tries};
use orgseal_core::config::{Loaded, differences};
use orgseal_core::ledger::{LedgerError, Reader, Run};
use orgseal_core::model::{AccountOutcome, Reason, Verdict};
use orgseal_report::counted;

use super::{Open, open, words};
use crate::args::{Common, Way};
use crate::commands::confirm;
use crate::failure::{Failure, suggested};
use crate::output;
use crate::signals::INTERRUPTED;

/// What the ledger says of a campaign's accounts.
#[derive(Default)]
struct Standing {
    /// Buckets that are not done with, by account, with their number.
    open: BTreeMap<String, u64>,
    /// Accounts of which all is done with.
    over: BTreeSet<String>,
    /// Buckets to be left alone.
    excepted: Vec<Excepted>,
}

pub(super) async fn on(
    common: &Common,
    way: &Way,
    campaign: Option<&str>,
    tries: Tries,
    json: bool,
    yes: bool,
) -> Result<u8, Failure> {
    confirm::possible_after("bootstrap remediation on", yes, "`orgseal status`")?;
    let Open { place, site, screen, stop, .. } = open(common, way).await?;
    let (run, standing) = standing(&place.state, campaign, &place.loaded)?;
    let in_scope: BTreeSet<String> = site.accounts().iter().map(|account| account.id.clone()).collect();
    let accounts: BTreeSet<String> = standing.over.intersection(&in_scope).cloned().collect();
    let excepted: Vec<Excepted> =
        standing.excepted.into_iter().filter(|one| accounts.contains(&one.bucket.account)).collect();
    screen.suspend(|| {
        for (account, buckets) in standing.open.iter().filter(|(account, _)| in_scope.contains(*account)) {
            let them = counted(*buckets, "bucket");
            output::err_wrapped(&format!("left out: account {account}, since {them} of it are not finished in {}", run.id));
        }
        let known: BTreeSet<&String> = standing.open.keys().chain(&standing.over).collect();
        let unknown: Vec<String> = in_scope.iter().filter(|account| !known.contains(account)).cloned().collect();
        if !unknown.is_empty() {
            output::err_wrapped(&format!("left out, since {} did not read them: {}", run.id, words::named(&unknown)));
        }
        output::err_wrapped(&format!(
            "\nIn {}, from now on AWS Config automatically starts the sealing document on every bucket that drifts from the central key, {} times within {} s, and on new buckets. Guards and waves do not apply to remediation. A bucket whose rule blocks an encryption type loses that setting, because a remediation cannot read it. Buckets that AWS Config finds with another key at that moment get a remediation exception.",
            counted(accounts.len() as u64, "account"),
            tries.attempts,
            tries.seconds
        ));
        let are = if excepted.len() == 1 { "is" } else { "are" };
        let them = counted(excepted.len() as u64, "bucket");
        output::err_wrapped(&format!("{them} {are} known to be left alone{}", if excepted.is_empty() { "." } else { ":" }));
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for one in &excepted {
            by_reason.entry(&one.why).or_default().push(one.bucket.name.clone());
        }
        for (why, buckets) in by_reason {
            output::err_wrapped(&format!("  {why}: {}", words::named(&buckets)));
        }
    });
    if accounts.is_empty() {
        screen.clear();
        return Err(Failure::plain(
            format!("there is no account in which {} is over", run.id),
            "finish it first: `orgseal status` says what is open, `orgseal resume --retry-failed` tries again",
        ));
    }
    if !yes && !confirm::ask("Switch it on? [y/N] ", &screen, &stop).await {
        screen.clear();
        output::err("nothing was changed");
        return Ok(if stop.is_cancelled() { INTERRUPTED } else { 0 });
    }
    let done = site.remediation_on(&accounts, &excepted, tries).await;
    screen.clear();
    show(&done?, "on", json, stop.is_cancelled())
}

pub(super) async fn off(common: &Common, way: &Way, json: bool, yes: bool) -> Result<u8, Failure> {
    confirm::possible_after("bootstrap remediation off", yes, "`orgseal preflight`")?;
    let Open { place: _place, site, screen, stop, .. } = open(common, way).await?;
    let accounts: BTreeSet<String> = site.accounts().iter().map(|account| account.id.clone()).collect();
    let question = "Switch automatic remediation off in every account of the campaign? [y/N] ";
    if !yes && !confirm::ask(question, &screen, &stop).await {
        screen.clear();
        output::err("nothing was changed");
        return Ok(if stop.is_cancelled() { INTERRUPTED } else { 0 });
    }
    let done = site.remediation_off(&accounts).await;
    screen.clear();
    show(&done?, "off", json, stop.is_cancelled())
}

fn show(done: &[RemediationDone], switched: &str, json: bool, interrupted: bool) -> Result<u8, Failure> {
    let failed: Vec<&RemediationDone> = done.iter().filter(|one| one.error.is_some()).collect();
    if json {
        output::out_json(&serde_json::json!({
            "schema": "orgseal.bootstrap-remediation/1", "switched": switched, "failed": failed.len(), "places": done,
        }))?;
    } else {
        let mut groups: BTreeMap<&str, Vec<words::Place>> = BTreeMap::new();
        for one in &failed {
            let why = one.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            groups.entry(why).or_default().push((one.account.clone(), one.region.clone()));
        }
        for (why, places) in groups {
            let what = format!("not switched {switched}: {why}");
            words::placed(&what, &places, 0).iter().try_for_each(|line| output::out_wrapped(line))?;
        }
        let changed = done.iter().filter(|one| one.changed).count() as u64;
        let excepted: usize = done.iter().map(|one| one.excepted).sum();
        let left =
            if excepted > 0 { format!(", {} left alone", counted(excepted as u64, "bucket")) } else { String::new() };
        let places = counted(changed, "pair");
        output::out_wrapped(&format!("switched {switched} in {places} of account and Region{left}"))?;
    }
    let hints: BTreeSet<&str> = failed.iter().filter_map(|one| Some(one.error.as_ref()?.hint.as_str())).collect();
    hints.into_iter().for_each(|hint| output::err_wrapped(&format!("help: {hint}")));
    Ok(match (interrupted, failed.is_empty()) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => 3,
    })
}

/// How the newest campaign stands in each account, with all that was rolled back, ever, and what is exempt now. Refused wherever
/// something is still open, or is not as it was when the campaign began.
fn standing(state: &Path, campaign: Option<&str>, loaded: &Loaded) -> Result<(Run, Standing), Failure> {
    let reader = Reader::open(state)?;
    let Some(run) = reader.newest_rollout()? else {
        return Err(Failure::plain(
            "there is no campaign in the ledger",
            "begin one: `orgseal plan` writes a plan for approval",
        ));
    };
    if let Some(other) = campaign.filter(|id| *id != run.id) {
        let other = reader.run(other)?;
        let said = format!(
            "{} is not the newest campaign: {} is, and what it left open must be finished first",
            other.id, run.id
        );
        return Err(Failure::plain(said, "leave --campaign out; `orgseal status` shows where the newest one stands"));
    }
    if run.state != "finished" {
        let said = format!("{} is not finished: it is {}", run.id, run.state);
        return Err(Failure::plain(
            said,
            format!("continue it first: {}", suggested(&format!("resume --campaign {}", run.id))),
        ));
    }
    if !run.selection.is_empty() {
        let said = format!("{} covers only {}: nothing is known of the other buckets", run.id, run.selection);
        return Err(Failure::plain(said, "finish a rollout of the whole campaign first"));
    }
    let target: serde_json::Value = serde_json::from_str(&run.target).unwrap_or_default();
    let changed = differences(&target["settings"], &loaded.campaign.target());
    if !changed.is_empty() {
        let said = format!("the campaign file says something else than when {} began: {}", run.id, changed.join(", "));
        return Err(Failure::plain(said, "finish a rollout with the file as it is now first: it has guards and waves"));
    }
    let mut standing = Standing::default();
    // An account without a bucket is over, too; one that could not be read is not.
    let accounts = reader.accounts(&run)?;
    let read = accounts.into_iter().filter(|(_, outcome)| *outcome == AccountOutcome::Read).map(|(account, _)| account);
    let seen: BTreeSet<String> = read.collect();
    let mut sealed = BTreeSet::new();
    reader.each_finding(&run, |finding| -> Result<(), LedgerError> {
        match finding.judgement.verdict {
            Verdict::Sealed => drop(sealed.insert(finding.bucket)),
            // Its rollback says so below.
            Verdict::NotSealed if finding.judgement.reason == Reason::RolledBack => {}
            Verdict::Held | Verdict::Exempt => standing.excepted.push(Excepted {
                why: format!("{} in {}", finding.judgement.verdict.as_str(), run.id),
                bucket: finding.bucket,
            }),
            _ => *standing.open.entry(finding.bucket.account).or_default() += 1,
        }
        Ok(())
    })?;
    // Of a campaign that was undone in part, what went back stays back.
    for rollback in reader.rollbacks()? {
        if rollback.state != "finished" {
            let said = format!("{} is not finished: it is {}", rollback.id, rollback.state);
            return Err(Failure::plain(
                said,
                format!("continue it first: {}", suggested(&format!("resume --campaign {}", rollback.id))),
            ));
        }
        let is_of_this = rollback.parent.as_deref() == Some(run.id.as_str());
        // What the campaign itself sealed again, in a redo of its wave, is sealed as well.
        let knows_redo = is_of_this && reader.records_rollback(&run, &rollback)?;
        reader.each_finding(&rollback, |finding| -> Result<(), LedgerError> {
            // What a later campaign sealed again is sealed.
            let restored = finding.judgement.verdict == Verdict::Restored;
            let again = (!is_of_this || knows_redo && restored) && sealed.contains(&finding.bucket);
            if !again && !standing.excepted.iter().any(|one| one.bucket == finding.bucket) {
                let why = format!("rolled back in {}", rollback.id);
                standing.excepted.push(Excepted { why, bucket: finding.bucket });
            }
            Ok(())
        })?;
    }
    standing.over = seen.into_iter().filter(|account| !standing.open.contains_key(account)).collect();
    Ok((run, standing))
}
