//! The documents `orgseal.audit/1` and `orgseal.rollback/1`: other people's scripts rest on its keys. Written element by element, one finding to
//! a line.

use std::io::Write;

use orgseal_core::ledger::{EarlierHold, PlanReference, Reader, Run, Summary};
use orgseal_core::model::{
    AccountRecord, AwsError, DefaultEncryption, ExemptionNote, Finding, GuardFinding, SealedInterval,
};
use orgseal_core::text::VisibleJson;
use serde::Serialize;

use crate::earlier::EarlierHolds;
use crate::next_steps::next_steps;
use crate::suggest::{Place, Suggest};
use crate::{ReportError, exemptions, kind, waves};

/// The name and version of the document's shape.
const SCHEMA: &str = "orgseal.audit/1";
/// The same shape with a rollback's verdicts.
const ROLLBACK_SCHEMA: &str = "orgseal.rollback/1";

#[derive(Serialize)]
struct RunRecord<'a> {
    id: &'a str,
    kind: &'a str,
    state: &'a str,
    caller: &'a str,
    version: &'a str,
    config_hash: &'a str,
    selection: &'a str,
    /// Whether the guards were evaluated: if not, `not_sealed` says nothing of what a rollout would change.
    guards_evaluated: bool,
    /// In a rollback: the campaign that is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<&'a str>,
    /// The approved plan that it carries out.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a PlanReference>,
}

#[derive(Serialize)]
struct FindingRecord<'a> {
    account: &'a str,
    region: &'a str,
    bucket: &'a str,
    verdict: &'a str,
    reason: &'a str,
    observed: Option<&'a str>,
    encryption: Option<EncryptionRecord<'a>>,
    execution: Option<ExecutionRecord<'a>>,
    error: Option<AwsError>,
    /// In a rollback: between when and when the bucket was under the central key.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<SealedInterval>,
    /// The wave in which it is changed.
    wave: Option<u32>,
    /// What guards found on it.
    guards: &'a [GuardFinding],
    /// By which exemption it stays as it is.
    exemption: Option<&'a ExemptionNote>,
    /// In an audit without guards: what held the bucket in the newest earlier plan or rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier: Option<&'a EarlierHold>,
}

#[derive(Serialize)]
struct EncryptionRecord<'a> {
    algorithm: Option<&'a str>,
    key: Option<&'a str>,
    bucket_key: bool,
    blocked: &'a [String],
    /// S3 documents a list of rules and gives one; more than one is said, so that nobody takes the first for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<usize>,
}

#[derive(Serialize)]
struct ExecutionRecord<'a> {
    id: &'a str,
    /// `null` while none was seen.
    status: Option<&'a str>,
}

impl<'a> EncryptionRecord<'a> {
    fn of(encryption: &'a DefaultEncryption) -> Option<Self> {
        let rule = encryption.rules.first()?;
        Some(EncryptionRecord {
            algorithm: rule.algorithm.as_ref().map(|algorithm| algorithm.as_str()),
            key: rule.key.as_deref(),
            bucket_key: rule.has_bucket_key(),
            blocked: rule.blocked.as_deref().unwrap_or_default(),
            rules: (encryption.rules.len() > 1).then_some(encryption.rules.len()),
        })
    }
}

impl<'a> FindingRecord<'a> {
    fn of(finding: &'a Finding, earlier: Option<&'a EarlierHold>, suggest: &Suggest) -> Self {
        FindingRecord {
            account: &finding.bucket.account,
            region: &finding.bucket.region,
            bucket: &finding.bucket.name,
            verdict: finding.judgement.verdict.as_str(),
            reason: finding.judgement.reason.as_str(),
            observed: finding.judgement.observed.map(|reason| reason.as_str()),
            encryption: finding.encryption.as_ref().and_then(EncryptionRecord::of),
            execution: finding.execution.as_ref().map(|execution| ExecutionRecord {
                id: &execution.id,
                status: execution.status.as_ref().map(|status| status.as_str()),
            }),
            error: finding.error.as_ref().map(|error| completed(suggest, error)),
            sealed: finding.sealed,
            wave: finding.wave,
            guards: &finding.guards,
            exemption: finding.exemption.as_ref(),
            earlier,
        }
    }
}

/// Writes a run as JSON.
pub fn write(reader: &Reader, run: &Run, place: &Place, out: &mut dyn Write) -> Result<(), ReportError> {
    let organization = reader.binding()?.organization;
    let campaign = matches!(run.kind.as_str(), "rollout" | "rollback").then_some(run.id.as_str());
    let summary: Summary = reader.summary(run)?;
    let about = RunRecord {
        id: &run.id,
        kind: &run.kind,
        state: &run.state,
        caller: &run.caller,
        version: &run.version,
        config_hash: &run.config_hash,
        selection: &run.selection,
        guards_evaluated: !kind::skips_guards(run) && !kind::is_rollback(run),
        undoes: run.parent.as_deref(),
        plan: run.plan.as_ref(),
    };
    let suggest = Suggest::of_run(place, run);
    let schema = if kind::is_rollback(run) { ROLLBACK_SCHEMA } else { SCHEMA };
    out.write_all(b"{\n")?;
    member(out, "schema", &schema)?;
    member(out, "organization", &organization)?;
    member(out, "campaign", &campaign)?;
    member(out, "started_at", &run.started_at)?;
    member(out, "finished_at", &run.finished_at)?;
    member(out, "summary", &summary)?;
    member(out, "scope", &"default_encryption")?;
    member(out, "run", &about)?;
    member(out, "ledger", &reader.head()?)?;
    member(out, "next", &next_steps(reader, place, run, &summary)?)?;
    let (waves, exemptions) = (waves::lines(reader, run)?, exemptions::lines(reader, run)?);
    if !waves.is_empty() {
        member(out, "waves", &waves)?;
    }
    if !exemptions.is_empty() {
        member(out, "exemptions", &exemptions)?;
    }
    out.write_all(b"  \"accounts\": [")?;
    let mut separator = "\n";
    reader.each_account::<ReportError>(run, |mut account: AccountRecord| {
        account.error = account.error.map(|error| completed(&suggest, &error));
        element(out, &mut separator, &account)
    })?;
    close_list(out, separator)?;
    out.write_all(b",\n  \"findings\": [")?;
    separator = "\n";
    let mut holds = EarlierHolds::of(reader, run);
    reader.each_finding::<ReportError>(run, |finding| {
        let record = FindingRecord::of(&finding, holds.hold(&finding)?, &suggest);
        element(out, &mut separator, &record)
    })?;
    close_list(out, separator)?;
    out.write_all(b"\n}\n")?;
    Ok(())
}

/// An error whose hint can be followed as it is.
fn completed(suggest: &Suggest, error: &AwsError) -> AwsError {
    AwsError { hint: suggest.completed(&error.hint).into_owned(), ..error.clone() }
}

/// One key of the document with its value and the comma after it.
fn member(out: &mut dyn Write, key: &str, value: &impl Serialize) -> Result<(), ReportError> {
    write!(out, "  \"{key}\": ")?;
    to_writer(out, value)?;
    out.write_all(b",\n")?;
    Ok(())
}

/// One element of a list, on a line of its own.
fn element(out: &mut dyn Write, separator: &mut &str, value: &impl Serialize) -> Result<(), ReportError> {
    write!(out, "{separator}    ")?;
    *separator = ",\n";
    to_writer(out, value)
}

fn close_list(out: &mut dyn Write, separator: &str) -> Result<(), ReportError> {
    // A list without elements stays on its line.
    out.write_all(if separator == "\n" { b"]" } else { b"\n  ]" })?;
    Ok(())
}

fn to_writer(out: &mut dyn Write, value: &impl Serialize) -> Result<(), ReportError> {
    serde_json::to_writer(VisibleJson(out), value).map_err(|error| ReportError::Io(error.into()))
}
