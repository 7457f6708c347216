//! A line per bucket, and one per account that could not be read: unknown is a finding too. The last lines say what the
//! report is not about. For spreadsheets, so values
//! that those would take for formulas are defused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use orgseal_core::ledger::{EarlierHold, Reader, Run};
use orgseal_core::model::{AccountOutcome, AccountRecord, Finding, OUT_OF_SCOPE as OUT_OF_SCOPE_KINDS};
use orgseal_core::text::visible;

use crate::earlier::{self, EarlierHolds};
use crate::{ReportError, guards, out_of_scope};

const HEADER: [&str; 25] = [
    "account",
    "account_name",
    "region",
    "bucket",
    "verdict",
    "reason",
    "observed",
    "algorithm",
    "key",
    "bucket_key",
    "blocked",
    "execution",
    "status",
    "error_code",
    "error",
    "sealed_from",
    "sealed_until",
    "wave",
    "guards",
    "exemption_reason",
    "exemption_owner",
    "exemption_ticket",
    "exemption_until",
    "note",
    "earlier_hold",
];

/// The column of notes on what the report is not about.
const NOTE: usize = HEADER.len() - 2;

/// The verdict on the lines of what the report is not about; no bucket has it.
const OUT_OF_SCOPE: &str = "out_of_scope";

/// The reason on the line of an account that could not be read; no bucket has it.
const ACCOUNT_UNREAD: &str = "account_unread";

type Lines<'a> = ::csv::Writer<&'a mut dyn Write>;

/// Writes a run as CSV, by account; an account that could not be read comes before the buckets found in it.
pub fn write(reader: &Reader, run: &Run, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut names = BTreeMap::new();
    let mut unread = Vec::new();
    reader.each_account::<ReportError>(run, |account| {
        names.insert(account.id.clone(), account.name.clone());
        if account.outcome == AccountOutcome::Unread {
            unread.push(account);
        }
        Ok(())
    })?;
    let mut unread = unread.into_iter().peekable();
    let mut lines = ::csv::Writer::from_writer(out);
    line(&mut lines, HEADER)?;
    let mut holds = EarlierHolds::of(reader, run);
    reader.each_finding::<ReportError>(run, |finding| {
        while let Some(account) = unread.next_if(|account| account.id <= finding.bucket.account) {
            account_line(&mut lines, &account)?;
        }
        let name = names.get(&finding.bucket.account).map_or("", String::as_str);
        bucket_line(&mut lines, name, &finding, holds.hold(&finding)?)
    })?;
    unread.try_for_each(|account| account_line(&mut lines, &account))?;
    out_of_scope_lines(&mut lines, reader, run)?;
    lines.flush()?;
    Ok(())
}

fn account_line(lines: &mut Lines<'_>, account: &AccountRecord) -> Result<(), ReportError> {
    let (code, message) = account.error.as_ref().map_or(("", ""), |error| (&error.code, &error.message));
    let mut values = [""; HEADER.len()];
    (values[0], values[1], values[4], values[5]) = (&account.id, &account.name, "unread", ACCOUNT_UNREAD);
    (values[13], values[14]) = (code, message);
    line(lines, values)
}

/// A line of what the report is not about: of an account where directory buckets were counted there, else of the whole run.
fn out_of_scope_line(lines: &mut Lines<'_>, id: &str, name: &str, kind: &str, note: &str) -> Result<(), ReportError> {
    let mut values = [""; HEADER.len()];
    (values[0], values[1], values[4], values[5]) = (id, name, OUT_OF_SCOPE, kind);
    values[NOTE] = note;
    line(lines, values)
}

fn out_of_scope_lines(lines: &mut Lines<'_>, reader: &Reader, run: &Run) -> Result<(), ReportError> {
    for account in out_of_scope::accounts(reader, run)? {
        out_of_scope_line(lines, &account.id, &account.name, OUT_OF_SCOPE_KINDS[0], &account.says())?;
    }
    let says = out_of_scope::says(&reader.summary(run)?);
    OUT_OF_SCOPE_KINDS.iter().try_for_each(|kind| out_of_scope_line(lines, "", "", kind, &says))
}

fn bucket_line(
    lines: &mut Lines<'_>,
    account_name: &str,
    finding: &Finding,
    earlier: Option<&EarlierHold>,
) -> Result<(), ReportError> {
    let rule = finding.encryption.as_ref().and_then(|encryption| encryption.rules.first());
    let blocked = rule.and_then(|rule| rule.blocked.as_ref()).map(|types| types.join(" ")).unwrap_or_default();
    let execution = finding.execution.as_ref();
    let error = finding.error.as_ref();
    line(
        lines,
        [
            &finding.bucket.account,
            account_name,
            &finding.bucket.region,
            &finding.bucket.name,
            finding.judgement.verdict.as_str(),
            finding.judgement.reason.as_str(),
            finding.judgement.observed.map_or("", |reason| reason.as_str()),
            rule.and_then(|rule| rule.algorithm.as_ref()).map_or("", |algorithm| algorithm.as_str()),
            rule.and_then(|rule| rule.key.as_deref()).unwrap_or_default(),
            rule.map_or("", |rule| if rule.has_bucket_key() { "true" } else { "false" }),
            &blocked,
            execution.map_or("", |execution| &execution.id),
            execution.and_then(|execution| execution.status.as_ref()).map_or("", |status| status.as_str()),
            error.map_or("", |error| &error.code),
            error.map_or("", |error| &error.message),
            &moment(finding.sealed.map(|sealed| sealed.from)),
            &moment(finding.sealed.and_then(|sealed| sealed.until)),
            &finding.wave.map(|wave| wave.to_string()).unwrap_or_default(),
            &finding.guards.iter().map(guards::in_short).collect::<Vec<_>>().join(" "),
            finding.exemption.as_ref().map_or("", |note| &note.reason),
            finding.exemption.as_ref().map_or("", |note| &note.owner),
            finding.exemption.as_ref().map_or("", |note| &note.ticket),
            &finding.exemption.as_ref().map(|note| note.until.to_string()).unwrap_or_default(),
            "",
            &earlier.map(earlier::in_words).unwrap_or_default(),
        ],
    )
}

fn moment(time: Option<jiff::Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn line(lines: &mut Lines<'_>, values: [&str; HEADER.len()]) -> Result<(), ReportError> {
    lines.write_record(values.map(fit).iter().map(|value| value.as_bytes())).map_err(|error| match error.into_kind() {
        ::csv::ErrorKind::Io(error) => ReportError::Io(error),
        other => ReportError::Io(std::io::Error::other(format!("{other:?}"))),
    })
}

/// Other people's text as a value: in one line, and no formula.
fn fit(value: &str) -> Cow<'_, str> {
    match visible(value) {
        Cow::Borrowed(value) => defuse(value),
        Cow::Owned(value) => Cow::Owned(defuse(&value).into_owned()),
    }
}

/// Account names and messages are other people's text. A spreadsheet runs what begins with one of these characters
/// (OWASP, "CSV injection"), unless an apostrophe stands before it.
fn defuse(value: &str) -> Cow<'_, str> {
    match value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => Cow::Owned(format!("'{value}")),
        false => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused() {
        for value in ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(defuse(value), format!("'{value}"));
        }
        assert_eq!(fit("=a\nb\u{202e}\u{1b}"), "'=a\\nb\\u{202e}\\u{1b}");
        for value in ["", "plain", "a=b", "111122223333"] {
            assert_eq!(defuse(value), value);
        }
    }
}
