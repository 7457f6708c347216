//! `orgseal plan`: what a rollout would do, written down for a person to approve; shown again, and compared.

use std::path::{Path, PathBuf};

use orgseal_core::campaign::{Campaign, CampaignError, Ending, Kind, WrittenPlan};
use orgseal_core::plan::{
    Content, Decision, Draft, HeadDifference, PlanDifference, PlanFile, check_place, diff, same_file,
};
use orgseal_report::{ReportError, plan};

use super::{close, to_stdout};
use crate::args::{Common, Plan, PlanVerb};
use crate::failure::Failure;
use crate::signals::Watched;
use crate::{connect, output};

pub(crate) async fn run(common: &Common, own: &Plan, json: bool) -> Result<u8, Failure> {
    match &own.verb {
        None => make(common, own, json).await,
        Some(PlanVerb::Show { file, markdown }) => show(common, file, *markdown, json),
        Some(PlanVerb::Diff { before, after }) => compare(before, after, json),
    }
}

async fn make(common: &Common, own: &Plan, json: bool) -> Result<u8, Failure> {
    // Reading an organization may take an hour: where the plan goes is looked at before.
    // Without a name of its own it gets its id, which is not known yet: any new one tells whether the folder takes it.
    let some_name = PathBuf::from(format!("plan-{}.json", std::process::id()));
    check_place(own.output.as_ref().unwrap_or(&some_name), Content::Plan).map_err(CampaignError::from)?;
    if let Some(markdown) = &own.markdown {
        if own.output.as_ref().is_some_and(|path| same_file(path, markdown)) {
            return Err(Failure::plain(
                format!("--output and --markdown name the same file, {}", markdown.display()),
                "nothing was read: name another file with --markdown",
            ));
        }
        check_place(markdown, Content::Markdown).map_err(CampaignError::from)?;
    }
    let watched = Watched::new();
    let place = watched.opens(connect::open_to_seal(common)).await?;
    let Watched { stop, events, screen } = watched;
    let kind = Kind::Plan { suggest_code: own.suggest_iac };
    let campaign = Campaign::begin(place.setting(events, stop), kind).await?;
    let path = own.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.json", campaign.id())));
    let outcome = campaign.plan(&path).await;
    screen.clear();
    let (ending, written) = outcome?;
    let Some(written) = written else {
        output::err("stopped before the plan was whole: nothing was written");
        return close(common, &place.state, campaign.id(), ending, json);
    };
    let file = PlanFile::open(&path).map_err(CampaignError::from)?;
    if let Some(markdown) = &own.markdown {
        let wrong = |error: std::io::Error| Failure::file("the Markdown cannot be written to", markdown, &error);
        let mut out = Draft::begin(markdown, Content::Markdown).map_err(CampaignError::from)?;
        match plan::write_markdown(&file, &mut out) {
            Err(ReportError::Io(error)) => return Err(wrong(error)),
            written => written?,
        }
        out.commit().map_err(CampaignError::from)?;
    }
    if json {
        output::out_json(&document(&file, &path, &written))?;
    } else {
        let shown = path.display().to_string();
        to_stdout(|out| {
            plan::write(&file, &shown, &connect::style(common), out)?;
            for (bucket, snippet) in &written.code {
                writeln!(out, "\n# {} in account {}, {}", bucket.name, bucket.account, bucket.region)?;
                writeln!(out, "{}", snippet.text.trim_end())?;
            }
            Ok(())
        })?;
    }
    Ok(code(&file, ending))
}

/// 0: all is as wanted; 2: there is something to change or held; 3: not everything could be read.
fn code(file: &PlanFile, ending: Ending) -> u8 {
    let some = |decision: Decision| file.head.decisions.get(decision.as_str()).is_some_and(|buckets| *buckets > 0);
    if ending != Ending::Finished || !file.head.unread_accounts.is_empty() || some(Decision::Unread) {
        return 3;
    }
    if some(Decision::Change) || some(Decision::Hold) { 2 } else { 0 }
}

fn document(file: &PlanFile, path: &Path, written: &WrittenPlan) -> serde_json::Value {
    let code: Vec<_> = written
        .code
        .iter()
        .map(|(bucket, snippet)| {
            serde_json::json!({
                "account": bucket.account, "region": bucket.region, "bucket": bucket.name,
                "tool": snippet.tool, "stack": snippet.stack, "code": snippet.text,
            })
        })
        .collect();
    serde_json::json!({
        "schema": "orgseal.plan-written/1", "plan": file.head.id, "file": path, "sha256": file.sha256,
        "head": file.head, "code": code,
    })
}

fn show(common: &Common, path: &Path, markdown: bool, json: bool) -> Result<u8, Failure> {
    let file = PlanFile::open(path).map_err(CampaignError::from)?;
    if json {
        output::out_json(&serde_json::json!({
            "schema": "orgseal.plan-shown/1", "plan": file.head.id, "file": path, "sha256": file.sha256, "head": file.head,
        }))?;
        return Ok(0);
    }
    let shown = path.display().to_string();
    to_stdout(|out| match markdown {
        true => plan::write_markdown(&file, out),
        false => plan::write(&file, &shown, &connect::style(common), out),
    })?;
    Ok(0)
}

fn compare(before: &Path, after: &Path, json: bool) -> Result<u8, Failure> {
    let (before, after) =
        (PlanFile::open(before).map_err(CampaignError::from)?, PlanFile::open(after).map_err(CampaignError::from)?);
    let mut differ = false;
    // Two plans may differ in a million buckets: each difference goes out as it is found.
    to_stdout(|out| {
        if json {
            let ids =
                [("before", &before), ("after", &after)].map(|(name, plan)| (name, serde_json::json!(plan.head.id)));
            writeln!(out, "{{\n  \"schema\": \"orgseal.plan-diff/1\",")?;
            ids.iter().try_for_each(|(name, id)| writeln!(out, "  \"{name}\": {id},"))?;
            write!(out, "  \"differences\": [")?;
        }
        diff::<ReportError>(&before, &after, |difference| {
            let first = !std::mem::replace(&mut differ, true);
            match json {
                true => {
                    let separator = if first { "" } else { "," };
                    write!(out, "{separator}\n    {}", as_document(&difference))?;
                }
                false => writeln!(out, "{}", plan::difference(&difference))?,
            }
            Ok(())
        })?;
        match (json, differ) {
            (true, true) => writeln!(out, "\n  ]\n}}")?,
            (true, false) => writeln!(out, "]\n}}")?,
            (false, true) => {}
            (false, false) => writeln!(out, "the two plans do the same")?,
        }
        Ok(())
    })?;
    Ok(if differ { 2 } else { 0 })
}

fn as_document(difference: &PlanDifference) -> serde_json::Value {
    match difference {
        PlanDifference::Head(HeadDifference { name, before, after }) => {
            serde_json::json!({ "kind": "head", "name": name, "before": before, "after": after })
        }
        PlanDifference::Added(bucket) => serde_json::json!({ "kind": "added", "after": bucket }),
        PlanDifference::Removed(bucket) => serde_json::json!({ "kind": "removed", "before": bucket }),
        PlanDifference::Changed { before, after, parts } => {
            serde_json::json!({ "kind": "changed", "before": before, "after": after, "parts": parts })
        }
    }
}
