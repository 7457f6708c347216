//! `load-balancer-log-target`: an Application or Classic Load Balancer writes its logs with SSE-S3 only; a Network Load
//! Balancer's come by a service that the key's policy must admit.

use super::access::{self, WRITE};
use super::seen::Seen;
use super::services::{admissions, weigh_deliveries};
use super::sight::Sight;
use super::{Guard, Need, Word};
use crate::judge::policy::Policy;

/// The services that write Application and Classic Load Balancer logs, in Regions and on Outposts.
const BALANCERS: [&str; 2] = ["logdelivery.elasticloadbalancing.amazonaws.com", "logdelivery.elb.amazonaws.com"];
/// The service that writes Network Load Balancer logs, among many others.
const DELIVERY: &str = "delivery.logs.amazonaws.com";

/// The accounts from which Elastic Load Balancing writes in the Regions that were there before August 2022, as its user guide
/// lists them ("Enable access logs"). Later Regions have the service principal alone.
const ACCOUNTS: [(&str, &str); 26] = [
    ("us-east-1", "127311923021"),
    ("us-east-2", "033677994240"),
    ("us-west-1", "027434742980"),
    ("us-west-2", "797873946194"),
    ("af-south-1", "098369216593"),
    ("ap-east-1", "754344448648"),
    ("ap-northeast-1", "582318560864"),
    ("ap-northeast-2", "600734575887"),
    ("ap-northeast-3", "383597477331"),
    ("ap-south-1", "718504428378"),
    ("ap-southeast-1", "114774131450"),
    ("ap-southeast-2", "783225319266"),
    ("ap-southeast-3", "589379963580"),
    ("ca-central-1", "985666609251"),
    ("eu-central-1", "054676820928"),
    ("eu-north-1", "897822967062"),
    ("eu-south-1", "635631232127"),
    ("eu-west-1", "156460612806"),
    ("eu-west-2", "652711504416"),
    ("eu-west-3", "009996457667"),
    ("me-south-1", "076674570225"),
    ("sa-east-1", "507241528517"),
    ("us-gov-east-1", "190560391635"),
    ("us-gov-west-1", "048591011584"),
    ("cn-north-1", "638102146993"),
    ("cn-northwest-1", "037604701340"),
];

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
            }
            accounts(policy, at).into_iter().for_each(|admission| seen.saw(admission));
            let delivered = admissions(policy, WRITE, at, |service| service == DELIVERY);
            weigh_deliveries(&delivered, "", at, &mut seen);
        }
        seen.word(
            "the bucket may receive load balancer logs, written with SSE-S3 only, or by a service that may not use the key",
            "exempt the bucket, so that it keeps SSE-S3 (Application and Classic Load Balancers); or admit \
             delivery.logs.amazonaws.com in the key policy (Network Load Balancers)",
        )
    }
}

/// The Region for which an account is Elastic Load Balancing's.
pub(super) fn region_of(account: &str) -> Option<&'static str> {
    ACCOUNTS.iter().find(|(_, known)| *known == account).map(|(region, _)| *region)
}

/// The older way in: the account of Elastic Load Balancing in a Region.
fn accounts(policy: &Policy, at: &Sight<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for statement in policy.allows().filter(|statement| access::covers_objects(statement, WRITE, at)) {
        for account in statement.named_principals().iter().filter_map(|principal| principal.account()) {
            if let Some(region) = region_of(account) {
                found.push(format!(
                    "the bucket policy, {}: {account}, Elastic Load Balancing's account in {region}, may {WRITE}",
                    statement.called()
                ));
            }
        }
    }
    found
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
        ] {
            let seen = admitting(principal).found(&LoadBalancerLogTarget);
            assert!(seen[0].contains(named), "{seen:?}");
        }
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
        for condition in [
            "",
            r#","Condition":{"StringEquals":{"aws:SourceOrgID":"o-ours"}}"#,
            r#","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
        ] {
            assert_eq!(under(condition).look(&LoadBalancerLogTarget), Word::Clear, "{condition}");
        }
        let elsewhere = under(r#","Condition":{"StringEquals":{"aws:SourceAccount":"444455556666"}}"#);
        assert_eq!(elsewhere.found(&LoadBalancerLogTarget).len(), 1);
        let untold = under(r#","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#).untold(&LoadBalancerLogTarget);
        assert!(untold[0].contains("its condition StringEquals on aws:sourcevpc depends on the request"), "{untold:?}");
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
