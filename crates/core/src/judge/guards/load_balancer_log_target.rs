//! `load-balancer-log-target`: an Application or Classic Load Balancer writes its logs with SSE-S3 only; a Network Load
//! Balancer's come by a service that the key's policy must admit.

use super::admission::{admissions, key_admits};
use super::sight::Sight;
use super::{Guard, Need, Subject, Word};
use crate::judge::policy::Policy;

/// The services that write Application and Classic Load Balancer logs, in Regions and on Outposts.
const BALANCERS: [&str; 2] = ["logdelivery.elasticloadbalancing.amazonaws.com", "logdelivery.elb.amazonaws.com"];
/// The service that writes Network Load Balancer logs, among many others.
const DELIVERY: &str = "delivery.logs.amazonaws.com";

/// The accounts from which Elastic Load Balancing writes in the Regions that were there before August 2022, as its user guide
/// lists them ("Enable access logs"). Later Regions have the service principal alone.
pub(super) const ACCOUNTS: [(&str, &str); 26] = [
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
        "load balancer access logs that are no longer delivered"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::KeyPolicy]
    }

    fn look(&self, at: &Subject<'_>) -> Word {
        let mut sight = Sight::default();
        if let Some(policy) = sight.bucket_policy(&at.evidence.policy) {
            for admission in admissions(&policy, "s3:PutObject", |service| BALANCERS.contains(&service)) {
                sight.saw(admission);
            }
            for admission in accounts(&policy) {
                sight.saw(admission);
            }
            let delivered = admissions(&policy, "s3:PutObject", |service| service == DELIVERY);
            // The key matters only where the service comes in at all.
            if !delivered.is_empty()
                && let Some(key) = sight.key_policy(&at.key.policy)
            {
                match key_admits(&key, DELIVERY, "kms:GenerateDataKey", at) {
                    Some(true) => {}
                    Some(false) => {
                        for admission in delivered {
                            sight.saw(format!("{admission}, and the key's policy does not admit it"));
                        }
                    }
                    None => sight.unsure(
                        format!("the key's policy admits {DELIVERY} under conditions that are not understood"),
                        "look at the conditions, and override the guard if they hold for this account",
                    ),
                }
            }
        }
        sight.word(
            "the bucket receives load balancer logs, which are written with SSE-S3 only, or by a service that may not use the key",
            "keep SSE-S3 here (Application and Classic Load Balancers), or admit delivery.logs.amazonaws.com in the key's \
             policy (Network Load Balancers)",
        )
    }
}

/// The older way in: the account of Elastic Load Balancing in a Region.
fn accounts(policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    for statement in policy.allows().filter(|statement| statement.covers_action("s3:PutObject")) {
        for account in statement.named_principals().iter().filter_map(|principal| principal.account()) {
            if let Some((region, _)) = ACCOUNTS.iter().find(|(_, known)| *known == account) {
                found.push(format!(
                    "the bucket policy, {}: {account}, Elastic Load Balancing's account in {region}, may s3:PutObject",
                    statement.called()
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::scene::*;
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
            let seen = found(&admitting(principal).look(&LoadBalancerLogTarget));
            assert!(seen[0].contains(named), "{seen:?}");
        }
    }

    #[test]
    fn network_load_balancers_need_the_key_to_admit_their_service() {
        let mut scene = admitting(r#"{"Service":"delivery.logs.amazonaws.com"}"#);
        let key = |condition: &str| {
            Some(Ok(policy(&format!(
                r#"{{"Effect":"Allow","Principal":{{"Service":"delivery.logs.amazonaws.com"}},"Action":"kms:GenerateDataKey*",
                "Resource":"*"{condition}}}"#
            ))))
        };
        scene.key.policy = key("");
        assert_eq!(scene.look(&LoadBalancerLogTarget), Word::Clear);
        scene.key.policy = key(r#","Condition":{"StringEquals":{"aws:SourceOrgID":"o-a1b2c3d4e5"}}"#);
        assert_eq!(scene.look(&LoadBalancerLogTarget), Word::Clear);
        scene.key.policy = key(r#","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#);
        assert!(dark(&scene.look(&LoadBalancerLogTarget)).0[0].contains("conditions"));
        scene.key.policy = Some(Ok(policy(
            r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#,
        )));
        assert!(found(&scene.look(&LoadBalancerLogTarget))[0].ends_with("the key's policy does not admit it"));
    }

    #[test]
    fn finds_nothing_for_others_and_cannot_tell_without_the_policy() {
        assert_eq!(admitting(r#"{"AWS":"arn:aws:iam::444455556666:root"}"#).look(&LoadBalancerLogTarget), Word::Clear);
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Err(denied("GetBucketPolicy", "allow s3:GetBucketPolicy")));
        assert_eq!(dark(&scene.look(&LoadBalancerLogTarget)).1, "allow s3:GetBucketPolicy");
    }
}
