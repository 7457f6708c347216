//! `infrastructure-as-code`: what a stack, a state file or a landing zone owns will drift back with its next deployment.

use std::collections::BTreeMap;

use super::seen::Seen;
use super::sight::{Sight, read};
use super::{Guard, Need, Word};
use crate::glob::matches;
use crate::judge::is_terraform_tag;

/// The names that services give to buckets of their own, and whose they are.
const NAMES: [(&str, &str); 4] = [
    ("aws-controltower-*", "AWS Control Tower"),
    ("cf-templates-*", "CloudFormation"),
    ("elasticbeanstalk-*", "Elastic Beanstalk"),
    ("cdk-*-assets-*", "the CDK's bootstrap stack"),
];
/// CloudFormation tags what a stack makes.
const CLOUDFORMATION: &str = "aws:cloudformation:";
/// Control Tower tags what its landing zone makes.
const CONTROL_TOWER: &str = "aws-control-tower";

pub(super) struct InfrastructureAsCode;

impl Guard for InfrastructureAsCode {
    fn name(&self) -> &'static str {
        "infrastructure-as-code"
    }

    fn keeps_from(&self) -> &'static str {
        "the next deployment takes the change back, or fails"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Tags]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        for (pattern, whose) in NAMES.iter().filter(|(pattern, _)| matches(pattern, &at.bucket.name)) {
            seen.saw(format!("the name is of the form {pattern}: {whose}"));
        }
        if let Some(tags) = seen.known(read(&at.evidence.tags, "GetBucketTagging")) {
            for tag in owners(tags, &at.terms.terraform_tags) {
                seen.saw(format!("the tag {tag}"));
            }
        }
        seen.word(
            "the bucket is made by code, whose next deployment may put its own encryption back",
            "set the key in the template or module and deploy it, or override the guard when its owner agrees",
        )
    }
}

/// The tags that tell of an owner, as `key=value`.
fn owners(tags: &BTreeMap<String, String>, terraform: &[String]) -> Vec<String> {
    let is_owner = |key: &str, value: &str| {
        key.starts_with(CLOUDFORMATION)
            || key.eq_ignore_ascii_case(CONTROL_TOWER)
            || is_terraform_tag(key, value, terraform)
    };
    tags.iter().filter(|(key, value)| is_owner(key, value)).map(|(key, value)| format!("{key}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn tagged(key: &str, value: &str) -> Scene {
        let mut scene = Scene::default();
        scene.terms.terraform_tags = vec!["terraform".into(), "managed-by=terraform".into()];
        scene.evidence.tags = Some(Ok(BTreeMap::from([(key.to_owned(), value.to_owned())])));
        scene
    }

    #[test]
    fn finds_tags_and_names() {
        for (key, value) in [
            ("aws:cloudformation:stack-name", "web"),
            ("Terraform", "true"),
            ("Managed-By", "Terraform"),
            ("aws-control-tower", "managed-by-control-tower"),
        ] {
            assert_eq!(tagged(key, value).found(&InfrastructureAsCode), [format!("the tag {key}={value}")]);
        }
        for name in ["aws-controltower-logs-1", "cf-templates-x", "elasticbeanstalk-us-east-1-4", "cdk-hnb-assets-4"] {
            let mut scene = tagged("team", "web");
            scene.bucket.name = name.into();
            assert_eq!(scene.found(&InfrastructureAsCode).len(), 1, "{name}");
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
