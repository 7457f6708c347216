//! `log-destinations`: services that deliver reports and logs into buckets, and take a KMS key of another account only under
//! conditions, or not at all. Those whose support hangs on the key's policy alone are `service-principals`' business.

use super::access::WRITE;
use super::delivery_accounts::delivery_admissions;
use super::seen::Seen;
use super::services::{admissions, weigh_deliveries};
use super::sight::{Sight, read};
use super::{Guard, Need, Word};

/// A service that delivers into buckets.
struct Deliverer {
    /// Its principal in a bucket policy.
    service: &'static str,
    /// What it delivers.
    what: &'static str,
    /// Whether a key whose policy admits it is enough, as its user guide has it.
    key_policy_is_enough: bool,
}

/// From the user guides of S3 (Inventory, Storage Class Analysis, Storage Lens), Redshift (audit logging), Billing (Cost and
/// Usage Reports, Data Exports).
const DELIVERERS: [Deliverer; 4] = [
    Deliverer {
        service: "s3.amazonaws.com",
        what: "S3 Inventory, analytics or Storage Lens reports",
        key_policy_is_enough: true,
    },
    Deliverer { service: "redshift.amazonaws.com", what: "Redshift audit logs", key_policy_is_enough: false },
    Deliverer { service: "billingreports.amazonaws.com", what: "Cost and Usage Reports", key_policy_is_enough: false },
    Deliverer { service: "bcm-data-exports.amazonaws.com", what: "billing data exports", key_policy_is_enough: false },
];

/// The canonical user as whom CloudFront writes its older standard logs, by ACL: `awslogsdelivery`, from its user guide.
const CLOUDFRONT_LOGS: &str = "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0";

const KEEP: &str = "keep SSE-S3 on this bucket (an exemption), or deliver them to another bucket";

pub(super) struct LogDestinations;

impl Guard for LogDestinations {
    fn name(&self) -> &'static str {
        "log-destinations"
    }

    fn keeps_from(&self) -> &'static str {
        "reports and logs of AWS services are no longer delivered"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::Acl, Need::KeyPolicy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        if let Some(Some(policy)) = seen.known(at.bucket_policy()) {
            for deliverer in &DELIVERERS {
                let found = admissions(policy, WRITE, at, |service| service == deliverer.service);
                let what = format!(" ({})", deliverer.what);
                match deliverer.key_policy_is_enough {
                    true => weigh_deliveries(&found, &what, at, &mut seen),
                    false => found.iter().for_each(|admission| {
                        seen.saw(format!("{admission} {WRITE}{what}"));
                        seen.fix(format!("{} are delivered with SSE-S3: {KEEP}", deliverer.what));
                    }),
                }
            }
            delivery_admissions(policy, self.name(), at).iter().for_each(|admission| admission.report(&mut seen));
        }
        if let Some(acl) = seen.known(read(&at.evidence.acl, "GetBucketAcl"))
            && acl.grants.iter().any(|(grantee, _)| grantee == CLOUDFRONT_LOGS)
        {
            seen.saw("the ACL allows awslogsdelivery to write (CloudFront standard logs, legacy)");
            seen.fix(format!("CloudFront standard logs (legacy) need a separate statement in the key policy: {KEEP}"));
        }
        seen.word(
            "an AWS service may deliver reports or logs to this bucket, and may be unable to deliver with a KMS key of another \
             account",
            "deliver them to a bucket that keeps SSE-S3; or, where the service's guide says that this is enough, allow the \
             service in the key policy and check the next delivery",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn admitting(service: &str, key: &str) -> Scene {
        let scene = Scene::with_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}"#
        ));
        scene.with_key_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"Service":"{key}"}},"Action":"kms:GenerateDataKey","Resource":"*"}}"#
        ))
    }

    #[test]
    fn finds_services_whose_support_is_limited() {
        for (service, key) in [
            ("redshift.amazonaws.com", "redshift.amazonaws.com"),
            ("billingreports.amazonaws.com", "s3.amazonaws.com"),
            ("s3.amazonaws.com", "logs.amazonaws.com"),
        ] {
            assert_eq!(admitting(service, key).found(&LogDestinations).len(), 1, "{service}");
        }
        let mut scene = admitting("config.amazonaws.com", "");
        if let Some(Ok(acl)) = &mut scene.evidence.acl {
            acl.grants = vec![(CLOUDFRONT_LOGS.into(), "FULL_CONTROL".into())];
        }
        assert_eq!(scene.found(&LogDestinations).len(), 1);
    }

    #[test]
    fn finds_nothing_where_the_key_admits_inventory_and_in_others() {
        assert_eq!(admitting("s3.amazonaws.com", "s3.amazonaws.com").look(&LogDestinations), Word::Clear);
        assert_eq!(admitting("config.amazonaws.com", "").look(&LogDestinations), Word::Clear);
    }

    #[test]
    fn finds_the_accounts_from_which_aws_delivered_before_and_never_says_to_trust_them() {
        for (principal, service, fix) in [
            ("arn:aws:iam::193672423079:user/logs", "Redshift audit logging in us-east-1", "SSE-S3 only"),
            ("arn:aws:iam::386209384616:root", "billing reports", "billingreports.amazonaws.com"),
            ("386209384616", "billing reports", "billingreports.amazonaws.com"),
            ("arn:aws:iam::086441151436:root", "CloudTrail in us-east-1", "cloudtrail.amazonaws.com"),
        ] {
            let statement = format!(
                r#"{{"Sid":"Deliver","Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}"#
            );
            let scene = Scene::with_everything_read(&statement, ORGANIZATION);
            let found = scene.found(&LogDestinations);
            assert!(found[0].contains(&format!("AWS's own account for {service},")), "{found:?}");
            let hint = scene.advice(&LogDestinations);
            assert!(hint.contains(fix) && !hint.contains("trust"), "{hint}");
            assert_eq!(scene.look(&super::super::outside_principals::OutsidePrincipals), Word::Clear, "{principal}");
        }
    }

    #[test]
    fn cannot_tell_without_the_keys_policy() {
        let mut scene = admitting("s3.amazonaws.com", "");
        scene.key.policy = denied("GetKeyPolicy", "allow kms:GetKeyPolicy");
        assert_eq!(scene.advice(&LogDestinations), "allow kms:GetKeyPolicy");
    }
}
