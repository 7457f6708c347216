//! `service-principals`: AWS services which read or write the bucket in their own name, and which the key does not admit.

use super::access::{self, DECRYPT, GENERATE, READ, WRITE};
use super::services::{OF_OTHER_GUARDS, SERVICE_NAME};
use super::{Guard, Need, Subject, Word};
use crate::judge::policy::{Answer, Known, Policy, Principal, Request, Statement, Text};
use crate::model::KeyArn;

/// A service belongs to no organization: a key policy that admits it by `aws:PrincipalOrgID` alone does not admit the service.
pub(super) struct ServicePrincipals;

impl Guard for ServicePrincipals {
    fn name(&self) -> &'static str {
        "service-principals"
    }

    fn keeps_from(&self) -> &'static str {
        "AWS services that deliver to the bucket, or read from it, are refused by the key"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::KeyPolicy]
    }

    fn look(&self, at: &Subject<'_>) -> Word {
        look(at).unwrap_or_else(|word| word)
    }
}

fn look(at: &Subject<'_>) -> Result<Word, Word> {
    let Some(key) = access::key(at)? else { return Ok(Word::Clear) };
    let Some(bucket) = access::bucket_policy(at)? else { return Ok(Word::Clear) };
    let used: Vec<(&Statement, &str)> =
        bucket.allows().flat_map(|statement| services(statement).map(move |of| (statement, of))).collect();
    if used.is_empty() {
        return Ok(Word::Clear);
    }
    let key_policy = access::key_policy(at)?;
    let (mut found, mut unclear, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (statement, service) in used {
        for (does, verb, action) in [(WRITE, "write", GENERATE), (READ, "read", DECRYPT)] {
            if !access::covers_objects(statement, does, at) {
                continue;
            }
            let called = format!("the bucket policy, {}: {service} may {verb}", statement.called());
            match admitted(at, &key, &key_policy, statement, service, action) {
                Answer::Yes => {}
                Answer::No => {
                    found.push(format!("{called}, and the key policy does not allow it {action}"));
                    if !refused.contains(&service) {
                        refused.push(service);
                    }
                }
                Answer::CannotTell(why) => {
                    unclear.push(format!("{called}; whether the key policy allows it {action}: {why}"))
                }
            }
        }
    }
    let says = |_| "AWS services use the bucket in their own name, and the key policy does not admit them".to_owned();
    let service = refused.first().copied().unwrap_or("SERVICE.amazonaws.com");
    let wanted = access::statement(at, &key, &[GENERATE_ANY, DECRYPT], Some(("Service", service)));
    let hint = format!(
        "add to the key policy, for each service, {wanted}, bound by aws:SourceOrgID or aws:SourceAccount where the service sends it"
    );
    Ok(access::word(found, unclear, says, hint))
}

/// What services' own documentation asks for.
const GENERATE_ANY: &str = "kms:GenerateDataKey*";

/// The services that a statement names, as principals or by condition, without those that guards of their own look at.
fn services(statement: &Statement) -> impl Iterator<Item = &str> {
    let named = statement.named_principals().iter().filter_map(|principal| match principal {
        Principal::Service(name) => Some(name.as_str()),
        _ => None,
    });
    let by_condition = access::only_values(statement, SERVICE_NAME);
    named.chain(by_condition).filter(|name| !OF_OTHER_GUARDS.contains(name))
}

/// Whether the key policy lets a service use the key, for whom the bucket policy lets it in.
fn admitted(
    at: &Subject<'_>,
    key: &KeyArn,
    key_policy: &Policy,
    statement: &Statement,
    service: &str,
    action: &str,
) -> Answer {
    let request = Request::of_service(service, action, Text::Exactly(key.to_string()));
    // Whether S3 hands on that it asks for a service is not documented, so nothing may hang on it.
    let request = access::of_key(request, at, key).with("kms:ViaService", Known::Unknown);
    let sources = access::only_values(statement, "aws:sourceaccount");
    if sources.is_empty() {
        return key_policy.admission(&of_source(request, statement, None, at)).admitted();
    }
    sources
        .iter()
        .map(|account| key_policy.admission(&of_source(request.clone(), statement, Some(account), at)).admitted())
        .fold(Answer::Yes, Answer::and)
}

/// The request with whom the service works for, as far as the bucket policy binds it.
fn of_source(request: Request, statement: &Statement, account: Option<&str>, at: &Subject<'_>) -> Request {
    let organizations = access::only_values(statement, "aws:sourceorgid");
    let request = match organizations.as_slice() {
        [organization] => request.with_value("aws:SourceOrgID", *organization),
        _ if account.is_some_and(|account| at.organization.accounts.contains(account)) => {
            request.with_value("aws:SourceOrgID", at.organization.id.as_str())
        }
        _ => request,
    };
    let request = match account {
        Some(account) => request.with_value("aws:SourceAccount", account),
        None => request,
    };
    match access::only_values(statement, "aws:sourcearn").as_slice() {
        [arn] => match arn.split_once('*') {
            None => request.with_value("aws:SourceArn", *arn),
            Some((start, "")) => request.with_value("aws:SourceArn", Text::Beginning(start.to_owned())),
            Some(_) => request,
        },
        _ => request,
    }
}

#[cfg(test)]
mod tests {
    use super::super::access_fixture::*;
    use super::*;

    const GUARD: ServicePrincipals = ServicePrincipals;

    fn writes(service: &str, condition: &str) -> String {
        format!(
            r#"{{"Sid":"D","Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"{condition}}}"#
        )
    }

    fn key_for(service: &str, condition: &str) -> String {
        format!(
            r#"{ORGANIZATION},{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"kms:GenerateDataKey*","Resource":"*"{condition}}}"#
        )
    }

    const TRAIL: &str = "cloudtrail.amazonaws.com";
    const OWN_SOURCE: &str = r#","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#;
    const OUR_ORG: &str = r#","Condition":{"StringEquals":{"aws:SourceOrgID":"o-ours"}}"#;

    #[test]
    fn finds_a_service_that_the_key_does_not_admit() {
        let site = Site::new(Some(&writes(TRAIL, "")), ORGANIZATION);
        assert_eq!(
            site.found(&GUARD),
            [
                "the bucket policy, statement D: cloudtrail.amazonaws.com may write, and the key policy does not allow it kms:GenerateDataKey"
            ]
        );
        let Word::Found { hint, .. } = site.look(&GUARD) else { panic!() };
        assert!(hint.contains(r#""Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":["kms:GenerateDataKey*","kms:Decrypt"],"Resource":"*"}"#), "{hint}");
        let other = key_for(TRAIL, r#","Condition":{"StringEquals":{"aws:SourceAccount":"444455556666"}}"#);
        assert_eq!(Site::new(Some(&writes(TRAIL, OWN_SOURCE)), &other).found(&GUARD).len(), 1);
        let by_name =
            writes(TRAIL, r#","Condition":{"StringEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}"#)
                .replace(r#"{"Service":"cloudtrail.amazonaws.com"}"#, r#""*""#);
        assert_eq!(Site::new(Some(&by_name), ORGANIZATION).found(&GUARD).len(), 1);
        let read = writes(TRAIL, "").replace("s3:PutObject", "s3:Get*");
        let found = Site::new(Some(&read), &key_for(TRAIL, "")).found(&GUARD);
        assert!(found[0].ends_with("may read, and the key policy does not allow it kms:Decrypt"), "{found:?}");
    }

    #[test]
    fn finds_nothing_where_the_key_admits_the_service() {
        for (bucket, key) in [
            ("", key_for(TRAIL, "")),
            (OWN_SOURCE, key_for(TRAIL, OWN_SOURCE)),
            (OWN_SOURCE, key_for(TRAIL, OUR_ORG)),
            (OUR_ORG, key_for(TRAIL, OUR_ORG)),
            (
                r#","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:cloudtrail:*:111122223333:trail/*"},"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
                key_for(TRAIL, OWN_SOURCE),
            ),
        ] {
            assert_eq!(Site::new(Some(&writes(TRAIL, bucket)), &key).look(&GUARD), Word::Clear, "{bucket} {key}");
        }
    }

    #[test]
    fn finds_nothing_without_services_and_leaves_log_delivery_to_others() {
        assert_eq!(Site::new(None, ORGANIZATION).look(&GUARD), Word::Clear);
        for service in OF_OTHER_GUARDS {
            assert_eq!(Site::new(Some(&writes(service, "")), ORGANIZATION).look(&GUARD), Word::Clear, "{service}");
        }
        let other_action = writes(TRAIL, "").replace("s3:PutObject", "s3:GetBucketAcl");
        assert_eq!(Site::new(Some(&other_action), ORGANIZATION).look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_under_conditions_that_are_not_known() {
        let site = Site::new(Some(&writes(TRAIL, "")), &key_for(TRAIL, OWN_SOURCE));
        assert!(site.untold(&GUARD)[0].contains("aws:sourceaccount depends on the request"));
        let mut dark = Site::new(Some(&writes(TRAIL, "")), ORGANIZATION);
        dark.key.policy = denied("GetKeyPolicy");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetKeyPolicy: Access Denied"]);
    }
}
