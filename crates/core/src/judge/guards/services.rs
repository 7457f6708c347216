//! AWS services that use a bucket in their own name: which statements let them in, and whether the key's policy admits them.

use std::collections::BTreeMap;

use super::access::{self, GENERATE, WRITE, only_values};
use super::seen::Seen;
use super::sight::Sight;
use crate::judge::policy::{Answer, Condition, Known, Policy, Principal, Request, Statement, Text};
use crate::judge::service_sends;

/// What services' own documentation asks for where they write.
pub(super) const GENERATE_ANY: &str = "kms:GenerateDataKey*";

/// They deliver logs and reports, have rules of their own for SSE-KMS, and guards of their own.
pub(super) const OF_OTHER_GUARDS: [&str; 8] = [
    "logging.s3.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "logdelivery.elasticloadbalancing.amazonaws.com",
    "logdelivery.elb.amazonaws.com",
    "s3.amazonaws.com",
    "redshift.amazonaws.com",
    "billingreports.amazonaws.com",
    "bcm-data-exports.amazonaws.com",
];

/// The condition keys with the name of a service that asks in its own name, in lower case.
const NAMES: [&str; 2] = ["aws:principalservicename", "aws:principalservicenameslist"];

/// The services that a statement names: as principals, or as whoever comes with such a service's name.
pub(super) fn services(statement: &Statement) -> impl Iterator<Item = &str> {
    let named = statement.named_principals().iter().filter_map(|principal| match principal {
        Principal::Service(name) => Some(name.as_str()),
        _ => None,
    });
    named.chain(NAMES.into_iter().flat_map(|key| only_values(statement, key)))
}

/// A statement of the bucket's policy by which a service may do something to objects.
pub(super) struct Admission<'a> {
    statement: &'a Statement,
    /// The service.
    pub(super) service: &'a str,
}

impl std::fmt::Display for Admission<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the bucket policy, {}: {} may", self.statement.called(), self.service)
    }
}

/// The statements by which the bucket's policy lets services do something to its objects.
pub(super) fn admissions<'a>(
    policy: &'a Policy,
    action: &str,
    at: &Sight<'_>,
    is_meant: impl Fn(&str) -> bool,
) -> Vec<Admission<'a>> {
    let admitting = policy.allows().filter(|statement| access::covers_objects(statement, action, at));
    let named =
        admitting.flat_map(|statement| services(statement).map(move |service| Admission { statement, service }));
    named.filter(|admission| is_meant(admission.service)).collect()
}

/// What to add to the key policy for a service: what it lacks, bound by the same source as in the bucket policy, as far as AWS
/// documents that the service sends it to KMS.
pub(super) fn key_statement(admission: &Admission<'_>, actions: &[&str]) -> String {
    let service = admission.service;
    let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    let mut operators: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for condition in binding_conditions(admission) {
        let key =
            SOURCE_NAMES.iter().find(|name| name.eq_ignore_ascii_case(&condition.key)).unwrap_or(&"aws:SourceArn");
        let values: Vec<String> = condition.values.iter().map(|value| format!("\"{value}\"")).collect();
        let values = if let [one] = values.as_slice() { one.clone() } else { format!("[{}]", values.join(",")) };
        operators.entry(&condition.operator).or_default().push(format!(r#""{key}":{values}"#));
    }
    let conditions: Vec<String> =
        operators.into_iter().map(|(operator, keys)| format!(r#""{operator}":{{{}}}"#, keys.join(","))).collect();
    let condition = match conditions.is_empty() {
        true => String::new(),
        false => format!(r#","Condition":{{{}}}"#, conditions.join(",")),
    };
    format!(
        r#"{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":[{}],"Resource":"*"{condition}}}"#,
        actions.join(",")
    )
}

/// How to bind a statement that the bucket policy does not bind.
pub(super) fn binding_advice(admission: &Admission<'_>) -> &'static str {
    match binding_conditions(admission).next().is_some() {
        true => "",
        false => ", bound by aws:SourceArn or aws:SourceAccount where the service sends it",
    }
}

/// The conditions of the bucket policy that can bind the service in the key policy as well.
fn binding_conditions<'a>(admission: &Admission<'a>) -> impl Iterator<Item = &'a Condition> {
    let (conditions, service) = (&admission.statement.conditions, admission.service);
    conditions
        .iter()
        .filter(move |condition| SOURCES.contains(&condition.key.as_str()) && service_sends(service, &condition.key))
}

/// The keys of conditions that tell on whose behalf a service asks, in lower case, and as AWS writes them.
const SOURCES: [&str; 4] = ["aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"];
const SOURCE_NAMES: [&str; 4] = ["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"];

/// Those who deliver, and need the key's policy to admit them: finds whom it refuses. Whom they deliver for is taken to be the
/// bucket's own account, where the bucket's policy does not say.
pub(super) fn weigh_deliveries(admissions: &[Admission<'_>], what: &str, at: &Sight<'_>, seen: &mut Seen) {
    // The key matters only where a service comes in at all.
    if admissions.is_empty() {
        return;
    }
    let Some(key_policy) = seen.known(at.key_policy()) else { return };
    for admission in admissions {
        match key_admits(key_policy, admission, GENERATE, Some(&at.bucket.account), at) {
            Answer::Yes => {}
            Answer::No => {
                seen.saw(format!("{admission} {WRITE}{what}, and the key policy does not allow it {GENERATE}"));
                seen.fix(format!(
                    "keep SSE-S3 on this bucket (an exemption), or add to the key policy {}{}",
                    key_statement(admission, &[GENERATE_ANY]),
                    binding_advice(admission)
                ));
            }
            Answer::CannotTell(why) => {
                let why = unclear(admission, &why);
                seen.unsure(format!(
                    "{admission} {WRITE}{what}; could not determine whether the key policy allows it {GENERATE}: {why}"
                ))
            }
        }
    }
}

/// Whether the key policy lets a service use the key, for whom the bucket policy lets it in. `otherwise` is the account that it
/// works for where the bucket policy does not say; `None` where that may be any.
pub(super) fn key_admits(
    key_policy: &Policy,
    admission: &Admission<'_>,
    action: &str,
    otherwise: Option<&str>,
    at: &Sight<'_>,
) -> Answer {
    let key = match at.central_key() {
        Ok(Some(key)) => key,
        Ok(None) => return Answer::Yes,
        Err(dark) => return Answer::CannotTell(dark.why),
    };
    let request = Request::of_service(admission.service, action, Text::Exactly(key.to_string()));
    // Whether S3 hands on that it asks for a service is not documented, so nothing may hang on it.
    let request = access::of_key(request, at, &key).with("kms:ViaService", Known::Unknown);
    let said = |account| key_policy.admission(&of_source(request.clone(), admission, account, at)).admitted();
    let sources = only_values(admission.statement, "aws:sourceaccount");
    if sources.is_empty() {
        return said(otherwise);
    }
    sources.into_iter().map(|account| said(Some(account))).fold(Answer::Yes, Answer::and)
}

/// The request with whom the service works for, as far as the bucket policy binds it and AWS documents that the service sends it to
/// KMS. A key policy that asks for anything else may refuse the service.
fn of_source(request: Request, admission: &Admission<'_>, account: Option<&str>, at: &Sight<'_>) -> Request {
    let statement = admission.statement;
    let sends = |key: &str| service_sends(admission.service, key);
    let organizations = only_values(statement, "aws:sourceorgid");
    let is_ours = |account: &str| account == at.bucket.account || at.organization.accounts.contains(account);
    let request = match organizations.as_slice() {
        _ if !sends("aws:sourceorgid") => request,
        [organization] => request.with_value("aws:SourceOrgID", *organization),
        _ if account.is_some_and(is_ours) => request.with_value("aws:SourceOrgID", at.organization.id.as_str()),
        _ => request,
    };
    let request = match account.filter(|_| sends("aws:sourceaccount")) {
        Some(account) => request.with_value("aws:SourceAccount", account),
        None => request,
    };
    match only_values(statement, "aws:sourcearn").as_slice() {
        [arn] if sends("aws:sourcearn") => match arn.split_once('*') {
            None => request.with_value("aws:SourceArn", *arn),
            Some((start, "")) => request.with_value("aws:SourceArn", Text::Beginning(start.to_owned())),
            Some(_) => request,
        },
        _ => request,
    }
}

/// Why it could not be determined whether the key policy allows a service, with what is not documented of its condition keys.
pub(super) fn unclear(admission: &Admission<'_>, why: &str) -> String {
    let asks = |key: &str| why.contains(&format!(" on {key} "));
    let unsent = SOURCES.iter().zip(SOURCE_NAMES).find(|(key, _)| asks(key) && !service_sends(admission.service, key));
    match unsent {
        Some((_, name)) => format!("{why}, and AWS does not document that {} sends {name} to KMS", admission.service),
        None => why.to_owned(),
    }
}
