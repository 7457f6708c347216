//! `infrastructure-as-code`: what a stack, a state file or a landing zone owns will drift back with its next deployment.

use std::collections::BTreeMap;

use super::sight::Sight;
use super::{Guard, Need, Subject, Word};
use crate::judge::policy::matches;

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
        "a change that the next deployment takes back, or that breaks the deployment"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Tags]
    }

    fn look(&self, at: &Subject<'_>) -> Word {
        let mut sight = Sight::default();
        for (pattern, whose) in NAMES.iter().filter(|(pattern, _)| matches(pattern, &at.bucket.name)) {
            sight.saw(format!("the name is of the form {pattern}: {whose}"));
        }
        if let Some(tags) = sight.read(&at.evidence.tags, "GetBucketTagging") {
            for tag in owners(tags, &at.terms.terraform_tags) {
                sight.saw(format!("the tag {tag}"));
            }
        }
        sight.word(
            "the bucket's configuration belongs to code, which will put its own encryption back",
            "set the key in the template or module and deploy it, or override the guard when its owner agrees",
        )
    }
}

/// The tags that tell of an owner, as `key=value`.
fn owners(tags: &BTreeMap<String, String>, terraform: &[String]) -> Vec<String> {
    let is_owner = |key: &str, value: &str| {
        key.starts_with(CLOUDFORMATION)
            || key.eq_ignore_ascii_case(CONTROL_TOWER)
            || speaks_of_terraform(key, value, terraform)
    };
    tags.iter().filter(|(key, value)| is_owner(key, value)).map(|(key, value)| format!("{key}={value}")).collect()
}

/// Whether a tag is one of those by which Terraform marks its buckets: `key` for any value but `false`, or `key=value`.
pub(crate) fn speaks_of_terraform(key: &str, value: &str, terraform: &[String]) -> bool {
    terraform.iter().any(|wanted| match wanted.split_once('=') {
        Some((wanted, its)) => key.eq_ignore_ascii_case(wanted) && value.eq_ignore_ascii_case(its),
        None => key.eq_ignore_ascii_case(wanted) && !value.eq_ignore_ascii_case("false"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::scene::*;
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
            assert_eq!(found(&tagged(key, value).look(&InfrastructureAsCode)), [format!("the tag {key}={value}")]);
        }
        for name in ["aws-controltower-logs-1", "cf-templates-x", "elasticbeanstalk-us-east-1-4", "cdk-hnb-assets-4"] {
            let mut scene = tagged("team", "web");
            scene.bucket.name = name.into();
            assert_eq!(found(&scene.look(&InfrastructureAsCode)).len(), 1, "{name}");
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
        scene.evidence.tags = Some(Err(denied("GetBucketTagging", "allow s3:GetBucketTagging")));
        assert_eq!(dark(&scene.look(&InfrastructureAsCode)).1, "allow s3:GetBucketTagging");
    }
}
