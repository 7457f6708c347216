//! `service-principals`: AWS services which read or write the bucket in their own name, and which the key does not admit.

use super::access::{DECRYPT, GENERATE, READ, WRITE};
use super::seen::Seen;
use super::services::{GENERATE_ANY, OF_OTHER_GUARDS, admissions, binding_advice, key_admits, key_statement, unclear};
use super::sight::{Dark, Sight};
use super::{Guard, Need, Word};
use crate::judge::policy::Answer;

/// A service belongs to no organization: a key policy that admits it by `aws:PrincipalOrgID` alone does not admit the service.
pub(super) struct ServicePrincipals;

impl Guard for ServicePrincipals {
    fn name(&self) -> &'static str {
        "service-principals"
    }

    fn keeps_from(&self) -> &'static str {
        "AWS services that deliver to the bucket or read from it are denied the use of the central key"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::KeyPolicy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at).unwrap_or_else(Word::from)
    }
}

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    if at.central_key()?.is_none() {
        return Ok(Word::Clear);
    }
    let Some(bucket) = at.bucket_policy()? else { return Ok(Word::Clear) };
    let mut seen = Seen::default();
    for (does, verb, action) in [(WRITE, "write", GENERATE), (READ, "read", DECRYPT)] {
        for admission in admissions(bucket, does, at, |service| !OF_OTHER_GUARDS.contains(&service)) {
            // The key matters only where a service comes in at all.
            match key_admits(at.key_policy()?, &admission, action, None, at) {
                Answer::Yes => {}
                Answer::No => {
                    seen.saw(format!("{admission} {verb}, and the key policy does not allow it {action}"));
                    let lacks = if action == GENERATE { GENERATE_ANY } else { action };
                    let wanted = key_statement(&admission, &[lacks]);
                    seen.fix(format!("add to the key policy {wanted}{}", binding_advice(&admission)));
                }
                Answer::CannotTell(why) => {
                    let why = unclear(&admission, &why);
                    seen.unsure(format!(
                        "{admission} {verb}; could not determine whether the key policy allows it {action}: {why}"
                    ));
                }
            }
        }
    }
    let hint = "check the conditions of the key policy, and allow these services with the same conditions as in the bucket policy, where \
                AWS documents that they send those condition keys to KMS: aws:SourceAccount or aws:SourceArn, not \
                aws:SourceOrgID (docs/bootstrap.md)";
    Ok(seen.word("AWS services access the bucket as service principals, and the key policy does not allow them", hint))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
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
        let site = Scene::with_policies(Some(&writes(TRAIL, "")), ORGANIZATION);
        assert_eq!(
            site.found(&GUARD),
            [
                "the bucket policy, statement D: cloudtrail.amazonaws.com may write, and the key policy does not allow it kms:GenerateDataKey"
            ]
        );
        let Word::Found { hint, .. } = site.look(&GUARD) else { panic!() };
        let wanted = r#"add to the key policy {"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":["kms:GenerateDataKey*"],"Resource":"*"}, bound by"#;
        assert!(hint.starts_with(wanted), "{hint}");
        let other = key_for(TRAIL, r#","Condition":{"StringEquals":{"aws:SourceAccount":"444455556666"}}"#);
        assert_eq!(Scene::with_policies(Some(&writes(TRAIL, OWN_SOURCE)), &other).found(&GUARD).len(), 1);
        let by_name =
            writes(TRAIL, r#","Condition":{"StringEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}"#)
                .replace(r#"{"Service":"cloudtrail.amazonaws.com"}"#, r#""*""#);
        assert_eq!(Scene::with_policies(Some(&by_name), ORGANIZATION).found(&GUARD).len(), 1);
        let read = writes(TRAIL, "").replace("s3:PutObject", "s3:Get*");
        let found = Scene::with_policies(Some(&read), &key_for(TRAIL, "")).found(&GUARD);
        assert!(found[0].ends_with("may read, and the key policy does not allow it kms:Decrypt"), "{found:?}");
    }

    #[test]
    fn cloudfront_is_admitted_for_its_distribution_alone() {
        let distribution = "arn:aws:cloudfront::111122223333:distribution/EDFDVBD6EXAMPLE";
        let reads = writes(
            "cloudfront.amazonaws.com",
            &format!(r#","Condition":{{"StringEquals":{{"AWS:SourceArn":"{distribution}"}}}}"#),
        );
        let site = Scene::with_policies(Some(&reads.replace("s3:PutObject", "s3:GetObject")), ORGANIZATION);
        assert_eq!(
            site.advice(&GUARD),
            format!(
                r#"add to the key policy {{"Effect":"Allow","Principal":{{"Service":"cloudfront.amazonaws.com"}},"Action":["kms:Decrypt"],"Resource":"*","Condition":{{"StringEquals":{{"aws:SourceArn":"{distribution}"}}}}}}"#
            )
        );
    }

    #[test]
    fn finds_nothing_where_the_key_admits_the_service() {
        for (bucket, key) in [
            ("", key_for(TRAIL, "")),
            (OWN_SOURCE, key_for(TRAIL, OWN_SOURCE)),
            (
                r#","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:cloudtrail:*:111122223333:trail/*"},"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
                key_for(TRAIL, OWN_SOURCE),
            ),
        ] {
            assert_eq!(
                Scene::with_policies(Some(&writes(TRAIL, bucket)), &key).look(&GUARD),
                Word::Clear,
                "{bucket} {key}"
            );
        }
    }

    #[test]
    fn an_organization_is_nothing_that_a_service_is_known_to_send() {
        for bucket in [OWN_SOURCE, OUR_ORG, ""] {
            let site = Scene::with_policies(Some(&writes(TRAIL, bucket)), &key_for(TRAIL, OUR_ORG));
            let untold = site.untold(&GUARD);
            let ends = "depends on the request, and AWS does not document that cloudtrail.amazonaws.com sends aws:SourceOrgID to KMS";
            assert!(untold[0].ends_with(ends), "{untold:?}");
            assert!(site.advice(&GUARD).contains("aws:SourceAccount or aws:SourceArn"));
        }
        // What is proposed is not bound by it either.
        let both = r#","Condition":{"StringEquals":{"aws:SourceOrgID":"o-ours","aws:SourceAccount":"111122223333"}}"#;
        for (bucket, bound) in [
            (both, r#""Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}}"#),
            (OUR_ORG, r#""Resource":"*"}, bound by aws:SourceArn or aws:SourceAccount where the service sends it"#),
        ] {
            let hint = Scene::with_policies(Some(&writes(TRAIL, bucket)), ORGANIZATION).advice(&GUARD);
            assert!(hint.ends_with(bound), "{hint}");
        }
        // CloudFront sends the distribution's ARN alone.
        let front = r#","Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudfront::111122223333:distribution/E1","aws:SourceAccount":"111122223333"}}"#;
        let bucket = writes("cloudfront.amazonaws.com", front);
        let with_key = |condition: &str| {
            let key = key_for("cloudfront.amazonaws.com", condition);
            Scene::with_policies(Some(&bucket), &key).look(&GUARD)
        };
        let any = r#","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:cloudfront::111122223333:distribution/*"}}"#;
        assert_eq!(with_key(any), Word::Clear);
        assert!(matches!(with_key(OWN_SOURCE), Word::CannotTell { .. }));
    }

    #[test]
    fn finds_nothing_without_services_and_leaves_log_delivery_to_others() {
        assert_eq!(Scene::with_policies(None, ORGANIZATION).look(&GUARD), Word::Clear);
        for service in OF_OTHER_GUARDS {
            assert_eq!(
                Scene::with_policies(Some(&writes(service, "")), ORGANIZATION).look(&GUARD),
                Word::Clear,
                "{service}"
            );
        }
        let other_action = writes(TRAIL, "").replace("s3:PutObject", "s3:GetBucketAcl");
        assert_eq!(Scene::with_policies(Some(&other_action), ORGANIZATION).look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_under_conditions_that_are_not_known() {
        let site = Scene::with_policies(Some(&writes(TRAIL, "")), &key_for(TRAIL, OWN_SOURCE));
        assert!(site.untold(&GUARD)[0].contains("aws:sourceaccount depends on the request"));
        let mut dark = Scene::with_policies(Some(&writes(TRAIL, "")), ORGANIZATION);
        dark.key.policy = denied("GetKeyPolicy", "allow it");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetKeyPolicy: Access Denied"]);
    }
}
