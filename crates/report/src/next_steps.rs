//! "What now": the commands that lead on from the state in which a run ended.

use orgseal_core::ledger::{Run, Summary};
use orgseal_core::model::{Bucket, Finding};

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
    /// The failed execution of a finding, if it has one.
    pub(crate) fn of(finding: &Finding) -> Option<Self> {
        let id = finding.execution.as_ref()?.id.clone();
        Some(FailedExecution { bucket: finding.bucket.clone(), id })
    }
}

/// What a person can do now, the most pressing first. `place` holds the flags with which a command finds the same ledger.
pub(crate) fn next_steps(
    place: &str,
    run: &Run,
    summary: &Summary,
    only_unread_account: Option<&str>,
    failed: Option<&FailedExecution>,
) -> Vec<Step> {
    let run_again = format!("orgseal {}{place}", run.kind);
    let rollout = run.kind == "rollout";
    let mut steps = Vec::new();
    // A command that helps in two ways stands there once.
    let mut step = |command: Option<String>, does: String| {
        let same = steps.iter_mut().find(|step: &&mut Step| step.command.is_some() && step.command == command);
        match same {
            Some(step) => step.does = format!("{}; {does}", step.does),
            None => steps.push(Step { command, does }),
        }
    };
    if run.state == "interrupted" {
        let does = match rollout {
            true => {
                "goes on with what is left; buckets whose executions are still under way are left alone until those have ended"
            }
            false => "reads the organization anew",
        };
        step(Some(run_again.clone()), does.to_owned());
    }
    if summary.accounts_unread > 0 {
        let command = match only_unread_account {
            Some(id) => format!("orgseal audit --account {id}{place}"),
            None => format!("orgseal audit{place}"),
        };
        let them = counted(summary.accounts_unread, "account");
        step(Some(command), format!("tries {them} again, once you have followed the hints above"));
    }
    if summary.failed > 0 {
        if let Some(failed) = failed {
            step(
                Some(format!(
                    "aws ssm get-automation-execution --region {} --automation-execution-id {}",
                    failed.bucket.region, failed.id
                )),
                format!("with credentials of account {}, shows which step failed", failed.bucket.account),
            );
        }
        let them = counted(summary.failed, "failed bucket");
        step(Some(format!("orgseal rollout{place}")), format!("tries {them} again, once the cause is gone"));
    }
    if summary.unread > 0 {
        let them = counted(summary.unread, "bucket");
        step(Some(format!("orgseal audit{place}")), format!("reads {them} again, once the causes above are gone"));
    }
    if summary.not_sealed > 0 && run.state != "interrupted" {
        let them = counted(summary.not_sealed, "bucket");
        if !rollout {
            step(
                Some(format!("orgseal rollout --dry-run{place}")),
                "shows what would be started, and starts nothing".to_owned(),
            );
        }
        step(Some(format!("orgseal rollout{place}")), format!("seals {them}; it asks before it starts"));
    }
    if summary.held > 0 {
        let (them, wait) = (number(summary.held), if summary.held == 1 { "bucket waits" } else { "buckets wait" });
        step(
            None,
            format!(
                "{them} held {wait} for a decision: the reasons above say whose, and what the campaign file may allow"
            ),
        );
    }
    if steps.is_empty() && run.state == "finished" {
        steps.push(Step { command: None, does: "Nothing has to be done: all that was found is as wanted.".to_owned() });
    }
    if run.state != "running" {
        steps.push(Step {
            command: Some(format!("orgseal report --format html --output report.html{place}")),
            does: "writes this report as a page to hand on".to_owned(),
        });
    }
    steps
}
