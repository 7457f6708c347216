//! `orgseal bootstrap deploy`: puts there what is missing, and makes as it is to be what differs.

use std::collections::BTreeMap;

use orgseal_bootstrap::deployed::{
    Compared, Done, Guardrail, KeyMade, KeyStep, Kind, Outcome, PATH_IS_FIXED, Site, State, is_put,
};
use orgseal_core::config::Loaded;
use orgseal_core::model::KeyArn;
use orgseal_report::{Suggest, counted};

use super::{Open, campaign_file, guardrails, open_checked, way_again, words};
use crate::args::{Common, Deploy};
use crate::commands::confirm;
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, output};

/// Everything that a deployment did.
#[derive(Default)]
struct Record {
    keys: Vec<KeyMade>,
    done: Vec<Done>,
    guardrails: Vec<Guardrail>,
}

pub(super) async fn run(common: &Common, own: &Deploy, json: bool, yes: bool) -> Result<u8, Failure> {
    let look = format!("`orgseal bootstrap diff{}`", way_again(&own.way));
    confirm::possible_after("bootstrap deploy", yes, &look)?;
    // Reading an organization may take long: where the keys' ARNs go is checked before.
    let writable = |loaded: &Loaded| {
        let mut new_keys = loaded.campaign.all_keys();
        new_keys.retain(KeyArn::is_placeholder);
        // A deployment to some accounts may be one that makes no key: it is checked once they are known.
        let everywhere = common.account.is_empty() && common.ou.is_empty();
        match connect::campaign_path(common).filter(|_| everywhere && !new_keys.is_empty()) {
            Some(path) => campaign_file::takes(&path, &new_keys),
            None => Ok(()),
        }
    };
    let Open { place, mut site, mut setting, screen, stop } = open_checked(common, &own.way, writable).await?;
    let new_keys = site.new_keys().map_err(|error| Failure::plain(error.message, error.hint))?;
    if let Some(path) = connect::campaign_path(common).filter(|_| !new_keys.is_empty()) {
        campaign_file::takes(&path, &new_keys)?;
    }
    let unknown = site.no_targets(&own.attach).await?;
    if !unknown.is_empty() {
        return Err(Failure::plain(
            format!("root, OU or account {} does not exist", unknown.join(", ")),
            "use IDs: aws organizations list-roots, list-organizational-units-for-parent and list-accounts show them",
        ));
    }
    let compared = site.compare().await?;
    may_be_put(&compared)?;
    let before = guardrails::before(&site, own).await?;
    // Of the guardrails that are there, those that differ are put right as well.
    let differing = compared.guardrails.iter().filter(|finding| is_put(finding));
    let mut named: Vec<String> =
        differing.filter_map(|finding| finding.name.strip_prefix("orgseal-")).map(str::to_owned).collect();
    named.retain(|name| !own.guardrail.contains(name));
    let nothing_to_do = new_keys.is_empty()
        && named.is_empty()
        && own.guardrail.is_empty()
        && !compared.findings().any(|(_, finding)| is_put(finding));
    if !nothing_to_do && !compared.interrupted {
        screen.suspend(|| {
            preview(common, own, &site, &compared, &new_keys);
            guardrails::preview(own, before.as_ref());
        });
    }
    let declined = !nothing_to_do && !yes && !confirm::ask("Apply these changes? [y/N] ", &screen, &stop).await;
    if declined || compared.interrupted || stop.is_cancelled() {
        screen.clear();
        output::err("nothing was changed");
        show(common, own, json, &site, &Record::default(), &compared)?;
        return Ok(if stop.is_cancelled() { INTERRUPTED } else { compared.exit_code() });
    }
    let mut record = Record::default();
    for key in &new_keys {
        if stop.is_cancelled() {
            break;
        }
        let made = site.make_key(key).await.map_err(|error| {
            let said = format!("could not create the key for {} in account {}: {error}", key.region, key.account);
            Failure::plain(said, error.hint)
        })?;
        if let Some(path) = connect::campaign_path(common) {
            campaign_file::write(&path, &made)?;
        }
        record.keys.push(made);
    }
    // Rules and guardrails name the keys: from here on as they are.
    if !record.keys.is_empty() {
        setting.loaded = match connect::campaign_path(common) {
            Some(_) => connect::campaign_file(common)?,
            None => place.sandbox_campaign(common)?,
        };
        site = site.with_keys(&setting)?;
    }
    if !stop.is_cancelled() && !nothing_to_do {
        record.done = site.put(&compared, own.adopt).await?;
        record.guardrails = site.put_guardrails(&own.guardrail, &own.attach, own.adopt).await;
        record.guardrails.extend(site.put_guardrails(&named, &[], own.adopt).await);
    }
    // What was looked at before is more than what is looked at once it was told to stop.
    let after = match nothing_to_do || stop.is_cancelled() {
        true => Compared { interrupted: stop.is_cancelled(), ..compared },
        false => {
            let mut said = false;
            let waiting = |accounts: usize| {
                if !std::mem::replace(&mut said, true) {
                    let accounts = counted(accounts as u64, "account");
                    let text =
                        format!("waiting until IAM returns what was created in {accounts} (at most two minutes)");
                    screen.suspend(|| output::err(&text));
                }
            };
            site.compare_settled(&record.done, waiting).await?
        }
    };
    screen.clear();
    show(common, own, json, &site, &record, &after)?;
    let failed = record.guardrails.iter().any(|one| matches!(one.outcome, Some(Outcome::Failed(_) | Outcome::NotOurs)));
    Ok(match () {
        () if stop.is_cancelled() => INTERRUPTED,
        () if site.has_lost_a_task() => 3,
        () if failed && after.exit_code() == 0 => 2,
        () => after.exit_code(),
    })
}

/// A role's path cannot be changed, and whatever names the role names its path: nothing of it is put half way.
fn may_be_put(compared: &Compared) -> Result<(), Failure> {
    let moved = compared.findings().find(|(_, finding)| {
        finding.kind == Kind::Role && finding.says.iter().any(|line| line.ends_with(PATH_IS_FIXED))
    });
    match moved {
        None => Ok(()),
        Some((account, finding)) => Err(Failure::plain(
            format!(
                "the path of role {} in account {} differs from the campaign file, and a path cannot be changed",
                finding.name, account.id
            ),
            "write the existing path into the campaign file, or delete the roles first: `orgseal bootstrap destroy`",
        )),
    }
}

/// What would be done, before it is asked about.
fn preview(common: &Common, own: &Deploy, site: &Site, compared: &Compared, keys: &[KeyArn]) {
    output::err(&format!("\nChanges in organization {}, through {}:", compared.organization, site.through()));
    for key in keys {
        let what = match key.id.starts_with("mrk-") {
            true => "a multi-Region KMS key (or its replica)",
            false => "a KMS key",
        };
        let written = match connect::campaign_path(common) {
            Some(path) => format!("; its ARN is written to {}", path.display()),
            None => String::new(),
        };
        output::err_wrapped(&format!("  create   {what} in {}, account {}{written}", key.region, key.account));
    }
    let mut groups: BTreeMap<(State, Kind, &str), Vec<words::Place>> = BTreeMap::new();
    for (account, finding) in compared.findings() {
        if !is_put(finding) {
            continue;
        }
        let place = (words::called(&account.id, &account.name), finding.region.clone());
        groups.entry((finding.state, finding.kind, &finding.name)).or_default().push(place);
    }
    let all = compared.counts().accounts - compared.counts().skipped;
    for ((state, kind, name), places) in groups {
        let does = if state == State::Missing { "create" } else { "update" };
        let what = format!("  {does}   {} {name}", kind.title());
        words::placed(&what, &places, all).iter().for_each(|line| output::err_wrapped(line));
    }
    for finding in compared.guardrails.iter().filter(|finding| is_put(finding)) {
        output::err_wrapped(&format!("  update   guardrail {}", finding.name));
    }
    if site.is_narrowed() && compared.findings().any(|(_, finding)| finding.kind == Kind::Rule) {
        output::err_wrapped(
            "Not the rule: an organization conformance pack deploys it, and this deployment covers only some accounts.",
        );
    }
    if compared.findings().any(|(_, finding)| finding.state == State::Differs) && !own.adopt {
        output::err_wrapped(
            "Resources without the tag orgseal = bootstrap were created by others and are not changed (--adopt changes them \
             too).",
        );
    }
    for line in
        compared.findings().filter(|(_, finding)| finding.state == State::Missing).flat_map(|(_, one)| &one.says)
    {
        if !keys.iter().any(|_| line == "not created yet") {
            output::err_wrapped(&format!("Warning: {line}."));
        }
    }
    unreached(site, compared);
}

/// Accounts that cannot be entered, and the way of StackSets.
fn unreached(site: &Site, compared: &Compared) {
    let closed = compared.findings().filter(|(_, finding)| finding.kind == Kind::Account);
    let closed: Vec<_> = closed.map(|(account, _)| account).collect();
    let management = closed.iter().any(|account| account.id == site.management_account());
    let closed: Vec<String> = closed.iter().map(|account| words::called(&account.id, &account.name)).collect();
    if !closed.is_empty() {
        output::err_wrapped(&format!(
            "cannot access {} through {}: {}",
            counted(closed.len() as u64, "account"),
            site.through(),
            words::named(&closed)
        ));
        output::err_wrapped(
            "  Use one of two ways. With the management account's credentials: --through OrganizationAccountAccessRole. Or with \
             service-managed StackSets: `orgseal bootstrap render DIR` writes cloudformation/member-roles.json and \
             documents.json, and shell/deploy.sh runs the commands in order; StackSets also deploys to new accounts.",
        );
    }
    if management {
        output::err_wrapped(&format!(
            "  StackSets does not deploy to the management account {}. With its own credentials, deploy its stack:",
            site.management_account()
        ));
        output::err(
            "    aws cloudformation deploy --stack-name orgseal-management-account --capabilities CAPABILITY_NAMED_IAM \\\n      \
             --template-file DIR/cloudformation/management-account.json --parameter-overrides ExternalId=…",
        );
    }
    if site.leaves_out_management() {
        output::err_wrapped(words::WITHOUT_MANAGEMENT);
    }
}

fn show(
    common: &Common,
    own: &Deploy,
    json: bool,
    site: &Site,
    record: &Record,
    after: &Compared,
) -> Result<(), Failure> {
    if json {
        let mut document = super::diff::document(after);
        document["schema"] = "orgseal.bootstrap-deploy/1".into();
        document["keys"] = serde_json::json!(record.keys);
        document["done"] = serde_json::json!(record.done);
        document["guardrails_done"] = serde_json::json!(record.guardrails);
        output::out_json(&document)?;
    }
    // With a document on standard output, the words are for whoever watches.
    let say = |text: &str| {
        if !json {
            return output::out_wrapped(text);
        }
        output::err_wrapped(text);
        Ok(())
    };
    for key in &record.keys {
        let did = match key.step {
            KeyStep::Made => "created",
            KeyStep::Replicated => "created as a replica",
            KeyStep::Found => "created by an earlier deployment",
        };
        say(&format!("{did}: {}", key.arn))?;
    }
    let mut groups: BTreeMap<(&str, Kind, &str), Vec<words::Place>> = BTreeMap::new();
    for done in &record.done {
        let did = match &done.outcome {
            Outcome::Made => "created",
            Outcome::Changed => "updated",
            Outcome::NotOurs => "not changed, because others created it (--adopt changes it too)",
            Outcome::Failed(error) => &error.message,
        };
        groups.entry((did, done.kind, &done.name)).or_default().push((done.account.clone(), done.region.clone()));
    }
    let all = after.counts().accounts - after.counts().skipped;
    for ((did, kind, name), places) in groups {
        let what = format!("{} {name}: {did}", kind.title());
        words::placed(&what, &places, all).iter().try_for_each(|line| say(line))?;
    }
    for guardrail in &record.guardrails {
        say(&guardrails::in_words(guardrail))?;
    }
    for line in words::findings(after) {
        say(&line)?;
    }
    say(&format!("\n{}", words::counts(&after.counts())))?;
    let hints: std::collections::BTreeSet<&str> = record
        .done
        .iter()
        .filter_map(|done| match &done.outcome {
            Outcome::Failed(error) => Some(error.hint.as_str()),
            _ => None,
        })
        .collect();
    hints.into_iter().for_each(|hint| output::err_wrapped(&format!("help: {hint}")));
    if own.way.through.is_none() || after.counts().unread > 0 {
        unreached(site, after);
    }
    let suggest = Suggest::here(&connect::place(common));
    let next = match after.exit_code() {
        0 => format!("check whether a rollout would succeed: {}", suggest.anew_for_accounts("preflight")),
        _ => suggest.anew(&format!("bootstrap diff{}", way_again(&own.way))),
    };
    output::err_wrapped(&format!("next: {next}"));
    Ok(())
}
