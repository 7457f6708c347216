//! Numbers, times and names in people's words.

use std::borrow::Cow;

use orgseal_core::ledger::{Process, Run, Summary};
use orgseal_core::model::{Execution, Finding, Reason};
use orgseal_core::text::is_unfit;

/// `1,234,567`
#[must_use]
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 bucket`, `2 buckets`: nouns that take a plain `s`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

/// `96.2 %`, rounded down: 100 % is said of the whole alone.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    let tenths = (u128::from(part) * 1000).checked_div(u128::from(whole))?;
    let (units, rest) = (tenths / 10, tenths % 10);
    Some(if part == whole { "100 %".to_owned() } else { format!("{units}.{rest} %") })
}

/// `25 Nov 2026, 03:00 UTC`
pub(crate) fn moment(time: jiff::Timestamp) -> String {
    time.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// `0.4 s`, `12 s`, `4 min 05 s`, `3 h 02 min`, `2 d 04 h`
pub(crate) fn duration(from: jiff::Timestamp, to: jiff::Timestamp) -> String {
    lasting(to.as_millisecond() - from.as_millisecond())
}

/// The same of milliseconds.
pub(crate) fn lasting(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How a run ended, where it did more or less than go to its end.
pub(crate) fn ending(run: &Run) -> Option<String> {
    match &run.process {
        Process::Gone { pid, host } => {
            Some(format!("interrupted: process {pid} on {host} was killed; not everything was read or finished"))
        }
        Process::Unclear { pid, host, last_entry_at } => {
            let since =
                last_entry_at.map(|at| format!(", and wrote its last entry {}", moment(at))).unwrap_or_default();
            Some(format!("not finished: process {pid} on {host} is still running, or was killed{since}"))
        }
        Process::AtWork => {
            Some(format!("running, {}", if run.stage == "changing" { "changing buckets" } else { "reading" }))
        }
        Process::NotChecked => ending_of_state(run).map(str::to_owned),
    }
}

fn ending_of_state(run: &Run) -> Option<&'static str> {
    match run.state.as_str() {
        "finished" => None,
        "dry_run" => Some("a dry run: nothing was started"),
        "declined" => Some("declined at the prompt: nothing was started"),
        "interrupted" => Some("interrupted: not everything was read or finished"),
        "paused: credentials expired" if matches!(run.kind.as_str(), "audit" | "plan") => {
            Some("stopped: your own credentials are not valid any more; sign in again, then run the command again")
        }
        "paused: credentials expired" => {
            Some("paused: your own credentials are not valid any more; what was started is in the ledger")
        }
        "paused: narrowed" => Some("paused: the selected buckets are done, others remain"),
        "stopped: failure tolerance passed" => {
            Some("stopped: more failed than [failure_tolerance] allows; nothing new was started after that")
        }
        "paused: approval" => Some("paused: the next wave waits for a person's approval"),
        "paused: until wave" => Some("paused: no further wave was allowed to start (--until-wave)"),
        "paused: wave rolled back" => Some(
            "paused: the next wave was rolled back, and begins only when its redo is requested (resume --redo-wave)",
        ),
        "stopped: wave" => Some("stopped: a check of a wave failed; no further execution was started"),
        "stopped: internal error" => Some(
            "stopped by a fault of orgseal: not everything was read or finished; report it with the lines of --log text",
        ),
        "failed" => Some("failed: not everything was read or finished"),
        "running" => Some("not finished: it is still running, or was killed"),
        _ => Some("not finished"),
    }
}

/// What the counts leave out, if anything.
pub(crate) fn unknown_share(summary: &Summary) -> Option<String> {
    if summary.accounts_unread == 0 {
        return None;
    }
    let they = if summary.accounts_unread == 1 { "it holds" } else { "they hold" };
    Some(format!(
        "{} of {} could not be read completely: what else {they} is unknown and not counted here.",
        number(summary.accounts_unread),
        counted(summary.accounts, "account"),
    ))
}

/// Executions that nobody follows any more.
pub(crate) fn left_under_way(executions: u64) -> String {
    let (be, act) =
        if executions == 1 { ("was", "it is still running in AWS") } else { ("were", "they are still running in AWS") };
    format!("{} {be} still under way when orgseal stopped: {act}.", counted(executions, "execution"))
}

/// Whether an execution may still act.
pub(crate) fn under_way(execution: &Execution) -> bool {
    execution.status.as_ref().is_none_or(|status| !status.has_ended())
}

/// The execution of a bucket that may still act, in a sentence.
pub(crate) fn still_acting(finding: &Finding) -> Option<String> {
    let execution = finding.execution.as_ref().filter(|execution| under_way(execution))?;
    Some(format!("execution {} was under way", execution.id))
}

/// What was observed, where the reason does not say it already.
fn beneath(finding: &Finding) -> Option<Reason> {
    let reason = finding.judgement.reason;
    let says_it = matches!(reason, Reason::CustomerKeyKept | Reason::DsseKept | Reason::UnprovenKeyKept);
    finding.judgement.observed.filter(|observed| *observed != reason && !says_it)
}

/// Why a bucket has its verdict, with what lies beneath it.
pub(crate) fn why(finding: &Finding) -> String {
    let mut text = finding.judgement.reason.says().to_owned();
    if let Some(observed) = beneath(finding) {
        text.push_str(" (found: ");
        text.push_str(observed.says());
        text.push(')');
    }
    text
}

/// Other people's text, fit for one line of a terminal: no control characters (they could move the cursor or rewrite
/// what is above), none that turn the direction of writing.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_unfit) { Cow::Owned(text.replace(is_unfit, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(number), ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn only_the_whole_is_100_percent() {
        assert_eq!(percent(999_999, 1_000_000).unwrap(), "99.9 %");
        assert_eq!(percent(7, 7).unwrap(), "100 %");
        assert_eq!(percent(1, 3).unwrap(), "33.3 %");
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let at = |millis| jiff::Timestamp::from_millisecond(millis).unwrap();
        let of = |millis| duration(at(0), at(millis));
        assert_eq!(
            [of(420), of(12_900), of(245_000), of(10_925_000), of(187_200_000), of(-5)],
            ["0.4 s", "12 s", "4 min 05 s", "3 h 02 min", "2 d 04 h", "0.0 s"]
        );
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(plain("Ünïcode"), "Ünïcode");
    }
}
