//! "What now": the commands that lead on from the state in which a run ended.

use orgseal_core::campaign::{Target, rollback_covers};
use orgseal_core::ledger::{Reader, RollbackRequest, RolledBack, Run, Scope, Summary};
use orgseal_core::model::{Reason, Verdict, WaveState};
use serde::Serialize;

use crate::suggest::{Place, Suggest, flagged};
use crate::words::{counted, number};
use crate::{ReportError, kind, unread_accounts};

/// A suggested command names at most so many accounts or buckets.
const MOST_NAMED: usize = 20;

/// A command, and what it does.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// To be copied as it is; `None` where no command helps.
    pub(crate) command: Option<String>,
    pub(crate) does: String,
    /// How many buckets the command is about, where `does` names a number of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) buckets: Option<u64>,
}

/// What the next steps are derived from.
struct Situation<'a> {
    reader: &'a Reader,
    run: &'a Run,
    summary: &'a Summary,
}

/// What a person can do now, the most pressing first.
pub(crate) fn next_steps(
    reader: &Reader,
    place: &Place,
    run: &Run,
    summary: &Summary,
) -> Result<Vec<Step>, ReportError> {
    let now = &Situation { reader, run, summary };
    let suggest = Suggest::of_run(place, run);
    let mut steps = Steps::default();
    if let Some((campaign, request)) = reader.rollback_request_over(run)?
        && (run.parent.is_none() || run.stage == "reading")
    {
        return Ok(requested_rollback(&suggest, &campaign, &request));
    }
    if reader.is_narrowed() {
        // Counts of a part stand beside no command about the whole.
        let whole = suggest.reading(&format!("report --campaign {}", run.id));
        steps.add(Some(whole), "shows the whole run and what to do next; this report shows a part of it".to_owned());
        return Ok(steps.0);
    }
    // An earlier version's rollback is not in the campaign's record: what was restored would be taken for what it never was.
    let unrecorded = reader.undone_unrecorded(run)?;
    let rolled_back = reader.rolled_back(run)?;
    match run.kind.as_str() {
        _ if unrecorded.is_some() => {
            let by = unrecorded.as_ref().map_or("a rollback", |rollback| rollback.id.as_str());
            steps.add(
                Some(suggest.anew("plan")),
                format!("plans again: {by} undid this campaign, which cannot be resumed"),
            );
        }
        "rollout" if rolled_back.is_some() => after_rollback(&mut steps, &suggest, now, rolled_back.as_ref())?,
        "audit" => after_audit(&mut steps, &suggest, now)?,
        "plan" => after_plan(&mut steps, &suggest, now)?,
        _ => after_change(&mut steps, &suggest, now)?,
    }
    if summary.held > 0 {
        let need = if summary.held == 1 { "bucket needs" } else { "buckets need" };
        let them = number(summary.held);
        steps.add(
            None,
            format!(
                "{them} held {need} a decision: each reason above names the fix, or the setting that allows the change"
            ),
        );
    }
    if steps.0.is_empty() && run.state == "finished" {
        steps.add(None, "Nothing to do: every bucket is as the campaign requires.".to_owned());
    }
    if run.state != "running" {
        steps.add(
            Some(suggest.reading(&format!("report --format html --output report.html --campaign {}", run.id))),
            "writes this report as an HTML page".to_owned(),
        );
    }
    // Whether to undo is nobody's duty, so it comes last.
    let is_undone = unrecorded.is_some() || rolled_back.is_some_and(|rolled_back| rolled_back.first_whole().is_some());
    if run.kind == "rollout" && summary.started > 0 && run.state != "running" && !is_undone {
        let buckets = reader.touched(run, None)?;
        steps.about(
            suggest.recorded(&format!("rollback --campaign {}", run.id)),
            format!(
                "checks the {} and restores what each had before; asks for confirmation first",
                touched(buckets, summary.changed, "this campaign")
            ),
            buckets,
        );
    }
    Ok(steps.0)
}

/// What leads on from a campaign of which buckets were rolled back.
fn after_rollback(
    steps: &mut Steps,
    suggest: &Suggest,
    now: &Situation<'_>,
    rolled_back: Option<&RolledBack>,
) -> Result<(), ReportError> {
    let Situation { reader, run, summary } = *now;
    let Some(rolled_back) = rolled_back else { return Ok(()) };
    if let Some(rollback) = reader.undone_by(run)? {
        let left = reader.summary(&rollback)?;
        if left.failed + left.unread + left.accounts_unread > 0 {
            steps.add(
                Some(suggest.recorded(&format!("resume --retry-failed --campaign {}", rollback.id))),
                "retries what the rollback could not restore, after you removed the cause".to_owned(),
            );
        }
    }
    let has_waves = !reader.waves(run)?.is_empty();
    let redo = |wave: u32| suggest.recorded(&format!("resume --campaign {} --redo-wave {wave}", run.id));
    let first = rolled_back.first_whole();
    match first {
        // A redo that was cut short, or the waves before.
        Some(wave) if run.state != "paused: wave rolled back" && begun_before(reader, run, wave)? => {
            let resume = suggest.recorded(&format!("resume --campaign {}", run.id));
            steps.add(Some(resume), format!("continues where it stopped, up to wave {wave}, which is rolled back"));
        }
        None => after_change(steps, suggest, &Situation { reader, run, summary })?,
        Some(_) => {}
    }
    for wave in rolled_back.waves.iter().filter(|wave| first.is_none_or(|first| wave.number == first)) {
        let does = match (wave.whole, has_waves) {
            (true, true) => format!(
                "seals what was rolled back of wave {} again, under the same plan and approvals, then continues with later waves",
                wave.number
            ),
            (_, true) => {
                format!(
                    "seals the rolled-back buckets of wave {} again, under the same plan and approvals",
                    wave.number
                )
            }
            (_, false) => "seals the rolled-back buckets again, under the same plan and approvals".to_owned(),
        };
        steps.add(Some(redo(wave.number)), format!("{does}; asks for confirmation first"));
    }
    if first.is_some() {
        let does = "plans again instead, for another approval: the plan evaluates every bucket anew; changes nothing";
        steps.add(Some(suggest.anew("plan")), does.to_owned());
    }
    Ok(())
}

/// Whether something before a rolled-back wave was begun and is not done.
fn begun_before(reader: &Reader, run: &Run, wave: u32) -> Result<bool, ReportError> {
    let open = [WaveState::Approved, WaveState::Changing, WaveState::Baking, WaveState::Stopped];
    Ok(reader.waves(run)?.iter().any(|record| record.number < wave && open.contains(&record.state)))
}

/// What leads on from a rollback that was requested and has not begun: the campaign does not go on sealing before that.
fn requested_rollback(suggest: &Suggest, campaign: &Run, request: &RollbackRequest) -> Vec<Step> {
    let mut steps = Steps::default();
    let covers = rollback_covers(&campaign.id, request.wave, &request.narrowed);
    steps.add(
        Some(suggest.recorded(&format!("resume --campaign {}", campaign.id))),
        format!("continues the requested rollback of {covers}; asks for confirmation first"),
    );
    steps.add(
        Some(suggest.recorded(&format!("rollback --cancel --campaign {}", campaign.id))),
        "cancels the requested rollback: the campaign stays as it is, and can be resumed if it is not finished"
            .to_owned(),
    );
    steps.0
}

/// The buckets that a rollback checks. An execution that failed may have changed its bucket all the same.
fn touched(buckets: u64, changed: u64, by: &str) -> String {
    match buckets.saturating_sub(changed) {
        0 => format!("{} that {by} changed", counted(buckets, "bucket")),
        tried => format!(
            "{} that {by} changed or may have changed ({} changed, {} not known to be changed)",
            counted(buckets, "bucket"),
            number(changed),
            number(tried)
        ),
    }
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// A command that helps in two ways stands there once.
    fn add(&mut self, command: Option<String>, does: String) {
        self.merge(Step { command, does, buckets: None });
    }

    /// The same where the line names how many buckets the command is about.
    fn about(&mut self, command: String, does: String, buckets: u64) {
        self.merge(Step { command: Some(command), does, buckets: Some(buckets) });
    }

    /// Reads a few again by their names; many are read with everything else, and the line says so.
    fn again(&mut self, suggest: &Suggest, command: &str, named: Option<String>, what: &str) {
        match named {
            Some(named) => self.add(Some(named), format!("reads {what}")),
            None => self.add(Some(suggest.anew(command)), format!("reads everything again, among it {what}")),
        }
    }

    fn merge(&mut self, step: Step) {
        match self.0.iter_mut().find(|known| known.command.is_some() && known.command == step.command) {
            Some(known) => {
                known.does = format!("{}; {}", known.does, step.does);
                known.buckets = known.buckets.or(step.buckets);
            }
            None => self.0.push(step),
        }
    }
}

/// Reads again what is unknown, in an audit and in a plan alike.
fn read_again(steps: &mut Steps, suggest: &Suggest, now: &Situation<'_>) -> Result<(), ReportError> {
    let Situation { reader, run, summary } = *now;
    let command = run.kind.as_str();
    if run.state == "interrupted" {
        steps.add(Some(suggest.anew(command)), "reads the selection again".to_owned());
    }
    if summary.accounts_unread > 0 {
        let groups = unread_accounts::by_error(reader, run)?;
        let ids: Vec<String> = groups
            .into_iter()
            .flat_map(|group| group.accounts)
            .map(|account| account.id)
            .take(MOST_NAMED + 1)
            .collect();
        let them = counted(summary.accounts_unread, "account");
        steps.again(
            suggest,
            command,
            (ids.len() <= MOST_NAMED).then(|| suggest.anew_in(command, ids)),
            &format!("{them} again after you apply the fixes above"),
        );
    }
    if summary.unread > 0 {
        let names: Vec<String> = reader
            .first_with(run, Verdict::Unread, MOST_NAMED + 1)?
            .into_iter()
            .map(|finding| finding.bucket.name)
            .collect();
        let them = counted(summary.unread, "bucket");
        steps.again(
            suggest,
            command,
            (names.len() <= MOST_NAMED).then(|| suggest.anew_about(command, names)),
            &format!("{them} again after you remove the causes above"),
        );
    }
    Ok(())
}

fn after_audit(steps: &mut Steps, suggest: &Suggest, now: &Situation<'_>) -> Result<(), ReportError> {
    read_again(steps, suggest, now)?;
    let candidates = now.summary.not_sealed;
    if candidates > 0 && now.run.state != "interrupted" {
        // Which buckets may be changed is decided by a plan that a person approved: no step leads around it.
        steps.add(
            Some(suggest.anew_for_accounts("preflight")),
            "checks roles, keys and documents in every account and Region; changes nothing".to_owned(),
        );
        let held = match kind::skips_guards(now.run) {
            true => 0,
            false => guarded(now)?,
        };
        let them = counted(candidates + held, "bucket");
        let parts = match held {
            0 => String::new(),
            held => format!(" ({} to change, {} held now)", number(candidates), number(held)),
        };
        steps.about(
            suggest.anew("plan"),
            format!("evaluates the guards for {them}{parts} and writes a plan for approval; changes nothing"),
            candidates + held,
        );
    }
    Ok(())
}

/// How many buckets the guards of a run held.
fn guarded(now: &Situation<'_>) -> Result<u64, ReportError> {
    let reasons = now.reader.reasons(now.run)?;
    let held = reasons.iter().filter(|count| count.verdict == Verdict::Held && count.reason == Reason::Guarded);
    Ok(held.map(|count| count.buckets).sum())
}

fn after_plan(steps: &mut Steps, suggest: &Suggest, now: &Situation<'_>) -> Result<(), ReportError> {
    read_again(steps, suggest, now)?;
    let changes = now.summary.not_sealed;
    if changes > 0 && now.run.state == "finished" {
        let them = counted(changes, "bucket");
        let file = format!("{}.json", now.run.id);
        steps.add(
            None,
            format!(
                "The plan changes {them}. Have the plan file ({file}, unless --output named another) approved, then carry it out: \
                 `{}` prints the command.",
                suggest.reading(&format!("plan show {file}"))
            ),
        );
    }
    Ok(())
}

fn after_change(steps: &mut Steps, suggest: &Suggest, now: &Situation<'_>) -> Result<(), ReportError> {
    let Situation { reader, run, summary } = *now;
    let waves = reader.waves(run)?;
    let wave = |state: WaveState| waves.iter().find(|wave| wave.state == state).map_or(1, |wave| wave.number);
    let resume = suggest.recorded(&format!("resume --campaign {}", run.id));
    let retry = suggest.recorded(&format!("resume --retry-failed --campaign {}", run.id));
    let approve = |wave: u32| suggest.recorded(&format!("resume --campaign {} --approve-wave {wave}", run.id));
    match run.state.as_str() {
        "finished" | "dry_run" | "declined" => {}
        "paused: credentials expired" => {
            steps.add(Some(resume.clone()), "continues where it stopped, after you signed in again".to_owned());
        }
        "paused: approval" => {
            let wave = wave(WaveState::Waiting);
            let (them, buckets) = open_buckets(reader, run, Scope::Open)?;
            let does = format!("approves wave {wave} and continues with {them}; asks for confirmation first");
            steps.about(approve(wave), does, buckets);
        }
        "paused: until wave" => {
            let (them, buckets) = open_buckets(reader, run, Scope::Open)?;
            let does = format!("continues with the next waves: {them}; asks for confirmation first");
            steps.about(resume.clone(), does, buckets);
        }
        "stopped: wave" => {
            let wave = wave(WaveState::Stopped);
            let buckets = reader.touched(run, Some(wave))?;
            let changed = reader.sealed_in_wave(run, wave)?;
            steps.about(
                suggest.recorded(&format!("rollback --campaign {} --wave {wave}", run.id)),
                format!(
                    "checks the {} and restores what each had before; asks for confirmation first",
                    touched(buckets, changed, &format!("wave {wave}"))
                ),
                buckets,
            );
            steps.add(
                Some(retry.clone()),
                "checks the wave again, retries what failed, and continues with the next waves if every check passes"
                    .to_owned(),
            );
            steps.add(
                Some(approve(wave)),
                "continues despite the findings: you accept what was found so far; only new findings stop the wave again"
                    .to_owned(),
            );
        }
        "stopped: failure tolerance passed" => {
            steps.add(
                Some(retry.clone()),
                "retries what failed after you remove the cause; to continue past the limit, raise [failure_tolerance]"
                    .to_owned(),
            );
        }
        "running" => steps.add(
            Some(resume.clone()),
            format!(
                "continues where it stopped, if its process is gone: `{}` says so",
                suggest.reading(&format!("status --campaign {}", run.id))
            ),
        ),
        _ => steps.add(
            Some(resume.clone()),
            "continues where it stopped: follows the executions in flight and starts none of them twice".to_owned(),
        ),
    }
    let unknown: Vec<String> = [(summary.accounts_unread, "account"), (summary.unread, "bucket")]
        .into_iter()
        .filter(|(unknown, _)| *unknown > 0)
        .map(|(unknown, what)| counted(unknown, what))
        .collect();
    if !unknown.is_empty() && !is_rehearsal(run) {
        let (them, changes) = (unknown.join(" and "), changes_what_it_reads(run));
        steps.add(Some(resume), format!("reads {them} again after you apply the fixes above, {changes}"));
    }
    if summary.failed > 0 {
        if let Some((bucket, execution)) = reader.first_failed_execution(run)? {
            steps.add(
                Some(format!(
                    "aws ssm get-automation-execution --region {} --automation-execution-id {execution}",
                    bucket.region
                )),
                format!("with credentials of account {}, shows which step failed", bucket.account),
            );
        }
        let them = counted(summary.failed, "failed bucket");
        let (all, buckets) = open_buckets(reader, run, Scope::OpenAndFailed)?;
        let does = match buckets == summary.failed {
            true => format!("retries {them} after you remove the cause; asks for confirmation first"),
            false => {
                format!("retries {them} after you remove the cause, and continues: {all}; asks for confirmation first")
            }
        };
        steps.about(retry, does, buckets);
    }
    if matches!(run.state.as_str(), "finished" | "dry_run" | "declined") {
        once_more(steps, suggest, now)?;
    }
    Ok(())
}

/// What a resumed rollout has to change: in words, and how many buckets.
fn open_buckets(reader: &Reader, run: &Run, scope: Scope) -> Result<(String, u64), ReportError> {
    let work = reader.work(run, scope, None)?;
    let buckets = work.iter().map(|account| account.buckets).sum();
    let accounts = counted(work.len() as u64, "account");
    Ok((format!("{} in {accounts}", counted(buckets, "bucket")), buckets))
}

/// What a resumed run does with the accounts and buckets that it reads only now.
fn changes_what_it_reads(run: &Run) -> &'static str {
    match (&run.parent, &run.plan) {
        (Some(_), _) => "and restores what it finds changed; asks for confirmation first",
        (None, Some(_)) => "and changes only what the plan contains; asks for confirmation first",
        (None, None) => "and changes what is not sealed there; asks for confirmation first",
    }
}

/// A dry run, or one that a person declined, has nothing to resume.
fn is_rehearsal(run: &Run) -> bool {
    matches!(run.state.as_str(), "dry_run" | "declined")
}

/// What does for real what a dry run showed, or takes up what a finished run left.
fn once_more(steps: &mut Steps, suggest: &Suggest, now: &Situation<'_>) -> Result<(), ReportError> {
    let Situation { reader, run, summary } = *now;
    let Target { wave, until_wave, .. } = Target::of(run);
    let waiting = match until_wave {
        Some(last) if is_rehearsal(run) => {
            reader.wave_counts(run)?.iter().filter(|count| count.number <= last).map(|count| count.not_sealed).sum()
        }
        _ => summary.not_sealed + summary.not_restored,
    };
    // What was rolled back is redone in its campaign.
    if waiting == 0 || reader.rolled_back(run)?.is_some() {
        return Ok(());
    }
    match (&run.parent, &run.plan) {
        (Some(campaign), _) => {
            let wave = wave.map(|wave| format!(" --wave {wave}")).unwrap_or_default();
            let them = counted(waiting, "bucket");
            steps.about(
                suggest.anew(&format!("rollback --campaign {campaign}{wave}")),
                format!("restores {them}; asks for confirmation first"),
                waiting,
            );
        }
        // The same plan carries on with what it holds; a plan is approved as a whole.
        (None, Some(plan)) if is_rehearsal(run) => {
            let kept = flagged("--plan", &reader.kept_plan(plan).display().to_string());
            // Without the flag it is the caller.
            let approver = match plan.approver == run.caller {
                true => String::new(),
                false => flagged("--approved-by", &plan.approver),
            };
            let until = until_wave.map(|last| format!(" --until-wave {last}")).unwrap_or_default();
            let them = counted(waiting, "bucket");
            steps.about(
                suggest.anew(&format!("rollout{kept} --plan-sha256 {}{approver}{until}", plan.sha256)),
                format!("changes {them} as planned; asks for confirmation first"),
                waiting,
            );
        }
        (None, _) => {
            let candidates = summary.not_sealed;
            let them = counted(candidates, "bucket");
            let until = match until_wave.filter(|_| is_rehearsal(run)) {
                Some(last) => format!(
                    "; to change wave {last} and those before it only, carry the plan out with --until-wave {last}"
                ),
                None => String::new(),
            };
            steps.about(
                suggest.anew("plan"),
                format!("plans the change of {them} for approval; changes nothing{until}"),
                candidates,
            );
        }
    }
    Ok(())
}
