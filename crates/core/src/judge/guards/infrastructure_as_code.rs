//! `infrastructure-as-code`: what a stack, a state file, a controller or a landing zone owns drifts back.

use super::seen::Seen;
use super::sight::{Sight, read};
use super::{Guard, Need, Word};
use crate::judge::{OwnerSign, owner_signs};

pub(super) struct InfrastructureAsCode;

impl Guard for InfrastructureAsCode {
    fn name(&self) -> &'static str {
        "infrastructure-as-code"
    }

    fn keeps_from(&self) -> &'static str {
        "the next deployment reverts the change, or fails"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Tags]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        let tags = seen.known(read(&at.evidence.tags, "GetBucketTagging"));
        let signs = owner_signs(&at.bucket.name, tags, &at.terms.owner_tags);
        signs.iter().for_each(|sign| seen.saw(describe(sign)));
        let controllers = controllers(&signs);
        if controllers.is_empty() {
            return seen.word(
                "the bucket is managed by infrastructure as code; its next deployment may restore the former encryption",
                "set the central key in the template or module and deploy it; or override this guard when the owner agrees",
            );
        }
        let controllers = controllers.join(" and ");
        seen.word(
            &format!("the bucket is managed by {controllers}, a controller that re-applies its own configuration within minutes"),
            &format!(
                "set the central key in the Kubernetes resource that {controllers} reconciles, and apply it: any other change \
                 is reverted within minutes. Do not override this guard before that"
            ),
        )
    }
}

fn describe(OwnerSign { owner, seen }: &OwnerSign) -> String {
    match owner {
        Some(owner) if owner.reapplies_within_minutes => format!("{seen}: {}, re-applied within minutes", owner.name),
        Some(owner) => format!("{seen}: {}", owner.name),
        None => format!("{seen}: an owner named in guards.owner_tags"),
    }
}

/// The owners that compare and apply again all the time, each once.
fn controllers(signs: &[OwnerSign]) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for owner in signs.iter().filter_map(|sign| sign.owner).filter(|owner| owner.reapplies_within_minutes) {
        if !names.contains(&owner.name.as_str()) {
            names.push(&owner.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::fixture::*;
    use super::*;

    fn tagged(key: &str, value: &str) -> Scene {
        let mut scene = Scene::default();
        scene.evidence.tags = Some(Ok(BTreeMap::from([(key.to_owned(), value.to_owned())])));
        scene
    }

    #[test]
    fn finds_tags_and_names() {
        for (key, value, owner) in [
            ("aws:cloudformation:stack-name", "web", "AWS CloudFormation"),
            ("Terraform", "true", "Terraform"),
            ("Managed-By", "OpenTofu", "OpenTofu"),
            ("aws-control-tower", "managed-by-control-tower", "AWS Control Tower"),
        ] {
            assert_eq!(tagged(key, value).found(&InfrastructureAsCode), [format!("tag {key}={value}: {owner}")]);
        }
        for name in ["aws-controltower-logs-1", "cf-templates-x", "elasticbeanstalk-us-east-1-4", "cdk-hnb-assets-4"] {
            let mut scene = tagged("team", "web");
            scene.bucket.name = name.into();
            assert_eq!(scene.found(&InfrastructureAsCode).len(), 1, "{name}");
        }
        let mut own = tagged("pipeline", "web");
        own.terms.owner_tags.more = vec!["pipeline".into()];
        assert_eq!(own.found(&InfrastructureAsCode), ["tag pipeline=web: an owner named in guards.owner_tags"]);
    }

    #[test]
    fn controllers_that_re_apply_within_minutes_are_named() {
        for (key, value, name) in [
            ("crossplane-name", "media-7xk2p", "Crossplane"),
            ("services.k8s.aws/namespace", "shop", "AWS Controllers for Kubernetes (ACK)"),
        ] {
            let scene = tagged(key, value);
            let Word::Found { says, evidence, hint, .. } = scene.look(&InfrastructureAsCode) else { panic!() };
            assert!(says.contains(&format!("managed by {name}, a controller that re-applies")), "{says}");
            assert_eq!(evidence, [format!("tag {key}={value}: {name}, re-applied within minutes")]);
            assert!(hint.contains("Kubernetes resource"), "{hint}");
        }
    }

    #[test]
    fn finds_nothing_in_other_tags_and_names() {
        for (key, value) in [("team", "terraform"), ("terraform", "false"), ("managed-by", "hand")] {
            assert_eq!(tagged(key, value).look(&InfrastructureAsCode), Word::Clear, "{key}");
        }
    }

    #[test]
    fn cannot_tell_without_the_tags() {
        let mut scene = Scene::default();
        scene.evidence.tags = denied("GetBucketTagging", "allow s3:GetBucketTagging");
        assert_eq!(scene.advice(&InfrastructureAsCode), "allow s3:GetBucketTagging");
    }
}
