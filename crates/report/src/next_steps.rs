//! "What now": the commands that lead on from the state in which a run ended.

use orgseal_core::campaign::rollback_covers;
use orgseal_core::ledger::{Reader, RollbackRequest, Run, Summary};
use orgseal_core::model::{Bucket, Finding, Reason, WaveState};

use crate::ReportError;
use crate::waves::WaveLine;
use crate::words::{counted, number};

/// A command, and what it does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// To be copied as it is; `None` where no command helps.
    pub(crate) command: Option<String>,
    pub(crate) does: String,
}

/// An execution that failed, for the command that explains it.
pub(crate) struct FailedExecution {
    pub(crate) bucket: Bucket,
    pub(crate) id: String,
}

impl FailedExecution {
    /// The failed execution of a finding, if it has one: where its effect is what failed, its steps say nothing.
    pub(crate) fn of(finding: &Finding) -> Option<Self> {
        if finding.judgement.reason == Reason::BlockedTypesChanged {
            return None;
        }
        let id = finding.execution.as_ref()?.id.clone();
        Some(FailedExecution { bucket: finding.bucket.clone(), id })
    }
}

/// What a person can do now, the most pressing first. `place` holds the flags with which a command finds the same ledger.
pub(crate) fn next_steps(
    reader: &Reader,
    place: &str,
    run: &Run,
    summary: &Summary,
    only_unread_account: Option<&str>,
    failed: Option<&FailedExecution>,
    waves: &[WaveLine],
) -> Result<Vec<Step>, ReportError> {
    let mut steps = Steps::default();
    if let Some((campaign, request)) = reader.rollback_request_over(run)?
        && (run.parent.is_none() || run.stage == "reading")
    {
        return Ok(requested_rollback(place, &campaign, &request));
    }
    let undone = reader.undone_by(run)?;
    match run.kind.as_str() {
        // It cannot go on: what was put back would be taken for what it never was.
        _ if undone.is_some() => {
            let by = undone.as_ref().map_or("a rollback", |rollback| rollback.id.as_str());
            steps.add(Some(format!("orgseal rollout{place}")), format!("begins anew: {by} undid this campaign"));
        }
        "audit" | "plan" => after_audit(&mut steps, place, run, summary, only_unread_account),
        _ => {
            let again = again(reader, place, run);
            after_change(&mut steps, (place, &again), run, summary, failed, waves);
        }
    }
    if summary.held > 0 {
        let (them, wait) = (number(summary.held), if summary.held == 1 { "bucket waits" } else { "buckets wait" });
        steps.add(
            None,
            format!(
                "{them} held {wait} for a decision: the reasons above say whose, and what the campaign file may allow"
            ),
        );
    }
    if steps.0.is_empty() && run.state == "finished" {
        steps.add(None, "Nothing has to be done: all that was found is as wanted.".to_owned());
    }
    if run.state != "running" {
        steps.add(
            Some(format!("orgseal report --format html --output report.html{place}")),
            "writes this report as a page to hand on".to_owned(),
        );
    }
    // Whether to undo is nobody's duty, so it comes last.
    if run.kind == "rollout" && summary.started > 0 && run.state != "running" {
        steps.add(
            Some(format!("orgseal rollback --campaign {}{place}", run.id)),
            "puts back what each bucket had before; it asks before it starts".to_owned(),
        );
    }
    Ok(steps.0)
}

/// What leads on from a rollback that was requested and has not begun: the campaign does not go on sealing before that.
fn requested_rollback(place: &str, campaign: &Run, request: &RollbackRequest) -> Vec<Step> {
    let mut steps = Steps::default();
    let covers = rollback_covers(&campaign.id, request.wave, &request.narrowed);
    steps.add(
        Some(format!("orgseal resume --campaign {}{place}", campaign.id)),
        format!("continues the requested rollback of {covers}; it asks before it starts"),
    );
    steps.add(
        Some(format!("orgseal rollback --cancel --campaign {}{place}", campaign.id)),
        "cancels the requested rollback; after that, `orgseal resume` continues the campaign".to_owned(),
    );
    steps.0
}

/// The command that begins a run of the same kind once more: by the same plan, or of the same campaign.
fn again(reader: &Reader, place: &str, run: &Run) -> String {
    match (&run.parent, &run.plan) {
        (Some(campaign), _) => format!("orgseal rollback --campaign {campaign}{place}"),
        (None, Some(plan)) => {
            let kept = reader.kept_plan(plan).display().to_string();
            let plain = kept.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:+@".contains(c));
            let kept = if plain { kept } else { format!("'{}'", kept.replace('\'', r"'\''")) };
            format!("orgseal rollout --plan {kept} --plan-sha256 {}{place}", plan.sha256)
        }
        (None, None) => format!("orgseal rollout{place}"),
    }
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// A command that helps in two ways stands there once.
    fn add(&mut self, command: Option<String>, does: String) {
        match self.0.iter_mut().find(|step| step.command.is_some() && step.command == command) {
            Some(step) => step.does = format!("{}; {does}", step.does),
            None => self.0.push(Step { command, does }),
        }
    }
}

fn after_audit(steps: &mut Steps, place: &str, run: &Run, summary: &Summary, only_unread_account: Option<&str>) {
    if run.state == "interrupted" {
        steps.add(Some(format!("orgseal audit{place}")), "reads the organization anew".to_owned());
    }
    if summary.accounts_unread > 0 {
        let command = match only_unread_account {
            Some(id) => format!("orgseal audit --account {id}{place}"),
            None => format!("orgseal audit{place}"),
        };
        let them = counted(summary.accounts_unread, "account");
        steps.add(Some(command), format!("tries {them} again, once you have followed the hints above"));
    }
    if summary.unread > 0 {
        let them = counted(summary.unread, "bucket");
        steps.add(Some(format!("orgseal audit{place}")), format!("reads {them} again, once the causes above are gone"));
    }
    if summary.not_sealed > 0 && run.state != "interrupted" {
        let them = counted(summary.not_sealed, "bucket");
        let dry = format!("orgseal rollout --dry-run{place}");
        steps.add(Some(dry), "shows what would be started, and starts nothing".to_owned());
        steps.add(Some(format!("orgseal rollout{place}")), format!("seals {them}; it asks before it starts"));
    }
}

/// `place` comes with the command that begins such a run once more.
fn after_change(
    steps: &mut Steps,
    (place, again): (&str, &str),
    run: &Run,
    summary: &Summary,
    failed: Option<&FailedExecution>,
    waves: &[WaveLine],
) {
    let wave =
        |state: WaveState| waves.iter().find(|line| line.record.state == state).map_or(1, |line| line.record.number);
    let resume = format!("orgseal resume --campaign {}{place}", run.id);
    let retry = format!("orgseal resume --retry-failed --campaign {}{place}", run.id);
    let waiting = summary.not_sealed + summary.not_restored;
    match run.state.as_str() {
        "finished" | "dry_run" | "declined" => {}
        "paused: credentials expired" => {
            steps.add(Some(resume.clone()), "goes on where it stopped, once you have signed in again".to_owned());
        }
        "paused: approval" => {
            let wave = wave(WaveState::Waiting);
            steps.add(
                Some(format!("orgseal resume --campaign {} --approve-wave {wave}{place}", run.id)),
                format!("lets wave {wave} begin"),
            );
        }
        "paused: until wave" => steps.add(Some(resume.clone()), "goes on with the next wave".to_owned()),
        "stopped: wave" => {
            let wave = wave(WaveState::Stopped);
            steps.add(
                Some(format!("orgseal rollback --campaign {} --wave {wave}{place}", run.id)),
                format!("puts back what the buckets of wave {wave} had before; it asks before it starts"),
            );
            steps.add(
                Some(retry.clone()),
                "looks at the wave again, tries what failed again, and goes on if nothing speaks against it".to_owned(),
            );
            steps.add(
                Some(format!("orgseal resume --campaign {} --approve-wave {wave}{place}", run.id)),
                "goes on all the same: a person accepts what was seen so far, and only what is new counts".to_owned(),
            );
        }
        "stopped: failure tolerance passed" => {
            steps.add(
                Some(retry.clone()),
                "tries what failed again, once the cause is gone; to go on past it, raise [failure_tolerance]"
                    .to_owned(),
            );
        }
        "running" => steps.add(
            Some(resume.clone()),
            "goes on where it stopped, if its process is gone: `orgseal status` tells".to_owned(),
        ),
        _ => steps.add(
            Some(resume.clone()),
            "goes on where it stopped; what is in flight is followed, and nothing is started twice".to_owned(),
        ),
    }
    if summary.accounts_unread > 0 {
        let them = counted(summary.accounts_unread, "account");
        steps.add(Some(resume.clone()), format!("tries {them} again, once you have followed the hints above"));
    }
    if summary.failed > 0 {
        if let Some(failed) = failed {
            steps.add(
                Some(format!(
                    "aws ssm get-automation-execution --region {} --automation-execution-id {}",
                    failed.bucket.region, failed.id
                )),
                format!("with credentials of account {}, shows which step failed", failed.bucket.account),
            );
        }
        let them = counted(summary.failed, "failed bucket");
        steps.add(Some(retry), format!("tries {them} again, once the cause is gone"));
    }
    if summary.unread > 0 {
        let them = counted(summary.unread, "bucket");
        steps.add(Some(resume), format!("reads {them} again, once the causes above are gone"));
    }
    if waiting > 0 && matches!(run.state.as_str(), "finished" | "dry_run" | "declined") {
        let them = counted(waiting, "bucket");
        let does = if run.parent.is_some() { "restores" } else { "seals" };
        steps.add(Some(again.to_owned()), format!("{does} {them}; it asks before it starts"));
    }
}
