//! `load-balancer-log-target`: an Application or Classic Load Balancer writes its logs with SSE-S3 only; a Network Load
//! Balancer's come by a service that the key's policy must admit.

use super::access::WRITE;
use super::delivery_accounts::delivery_admissions;
use super::seen::Seen;
use super::services::{admissions, weigh_deliveries};
use super::sight::Sight;
use super::{Guard, Need, Word};

/// The services that write Application and Classic Load Balancer logs, in Regions and on Outposts.
const BALANCERS: [&str; 2] = ["logdelivery.elasticloadbalancing.amazonaws.com", "logdelivery.elb.amazonaws.com"];
/// The service that writes Network Load Balancer logs, among many others.
const DELIVERY: &str = "delivery.logs.amazonaws.com";

pub(super) struct LoadBalancerLogTarget;

impl Guard for LoadBalancerLogTarget {
    fn name(&self) -> &'static str {
        "load-balancer-log-target"
    }

    fn keeps_from(&self) -> &'static str {
        "load balancer access logs are no longer delivered"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::KeyPolicy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        if let Some(Some(policy)) = seen.known(at.bucket_policy()) {
            for admission in admissions(policy, WRITE, at, |service| BALANCERS.contains(&service)) {
                seen.saw(format!("{admission} {WRITE}"));
                seen.fix(
                    "keep SSE-S3 on this bucket (an exemption): Application and Classic Load Balancers write access logs with SSE-S3 \
                     only",
                );
            }
            delivery_admissions(policy, self.name(), at).iter().for_each(|admission| admission.report(&mut seen));
            let delivered = admissions(policy, WRITE, at, |service| service == DELIVERY);
            weigh_deliveries(&delivered, "", at, &mut seen);
        }
        seen.word(
            "the bucket may receive load balancer logs, which are written with SSE-S3 only or by a service that cannot use the \
             central key",
            "exempt the bucket so that it keeps SSE-S3 (Application and Classic Load Balancers); or allow \
             delivery.logs.amazonaws.com in the key policy (Network Load Balancers)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn admitting(principal: &str) -> Scene {
        Scene::with_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"s3:Put*","Resource":"arn:aws:s3:::b/*"}}"#
        ))
    }

    #[test]
    fn finds_the_service_and_the_regions_account() {
        for (principal, named) in [
            (r#"{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}"#, BALANCERS[0]),
            (r#"{"AWS":"arn:aws:iam::127311923021:root"}"#, "127311923021"),
            (r#"{"AWS":"156460612806"}"#, "eu-west-1"),
            (r#"{"AWS":"arn:aws-us-gov:iam::048591011584:root"}"#, "us-gov-west-1"),
        ] {
            let seen = admitting(principal).found(&LoadBalancerLogTarget);
            assert!(seen[0].contains(named), "{seen:?}");
        }
        let advice = admitting(r#"{"AWS":"156460612806"}"#).advice(&LoadBalancerLogTarget);
        assert!(advice.starts_with("keep SSE-S3 on this bucket"), "{advice}");
    }

    #[test]
    fn network_load_balancers_need_the_key_to_admit_their_service() {
        let with =
            |statement: &str| admitting(r#"{"Service":"delivery.logs.amazonaws.com"}"#).with_key_policy(statement);
        let under = |condition: &str| {
            with(&format!(
                r#"{{"Effect":"Allow","Principal":{{"Service":"delivery.logs.amazonaws.com"}},"Action":"kms:GenerateDataKey*",
                "Resource":"*"{condition}}}"#
            ))
        };
        for condition in ["", r#","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#] {
            assert_eq!(under(condition).look(&LoadBalancerLogTarget), Word::Clear, "{condition}");
        }
        let elsewhere = under(r#","Condition":{"StringEquals":{"aws:SourceAccount":"444455556666"}}"#);
        assert_eq!(elsewhere.found(&LoadBalancerLogTarget).len(), 1);
        let untold = under(r#","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#).untold(&LoadBalancerLogTarget);
        assert!(untold[0].contains("its condition StringEquals on aws:sourcevpc depends on the request"), "{untold:?}");
        let by_organization = r#","Condition":{"StringEquals":{"aws:SourceOrgID":"o-ours"}}"#;
        let untold = under(by_organization).untold(&LoadBalancerLogTarget);
        assert!(untold[0].ends_with("sends aws:SourceOrgID to KMS"), "{untold:?}");
        let account = r#"{"Effect":"Allow","Principal":{"AWS":"999900001111"},"Action":"kms:*","Resource":"*"}"#;
        let found = with(account).found(&LoadBalancerLogTarget);
        assert!(found[0].ends_with("the key policy does not allow it kms:GenerateDataKey"), "{found:?}");
        // A deny for all binds services as well.
        let denied = r#"{"Effect":"Allow","Principal":{"Service":"delivery.logs.amazonaws.com"},"Action":"kms:*","Resource":"*"},
            {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-ours"}}}"#;
        assert_eq!(with(denied).found(&LoadBalancerLogTarget).len(), 1);
    }

    #[test]
    fn finds_nothing_for_others_and_cannot_tell_without_the_policy() {
        assert_eq!(admitting(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#).look(&LoadBalancerLogTarget), Word::Clear);
        let mut scene = Scene::default();
        scene.evidence.policy = denied("GetBucketPolicy", "allow s3:GetBucketPolicy");
        assert_eq!(scene.advice(&LoadBalancerLogTarget), "allow s3:GetBucketPolicy");
    }
}
