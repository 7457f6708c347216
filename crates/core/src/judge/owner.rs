//! Who owns a bucket's configuration, by its tags and name: code and controllers that apply it again. The list is data/owners.toml.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::glob::matches_ignoring_case;

/// The owner whose tags `guards.terraform_tags` replaces.
const TERRAFORM: &str = "Terraform";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownOwners {
    keys_naming_a_tool: Vec<String>,
    owner: Vec<Owner>,
}

/// A tool or service that owns buckets.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// What people call it.
    pub name: String,
    /// In whose language its owners write a bucket, where orgseal can suggest the code.
    #[serde(default)]
    pub code: Option<String>,
    /// A controller that compares and applies again all the time, not with the next deployment.
    #[serde(default)]
    pub reapplies_within_minutes: bool,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    tools: Vec<String>,
}

static KNOWN: LazyLock<KnownOwners> = LazyLock::new(|| {
    // A list that does not parse fails the tests of this file, and owns nothing here.
    toml::from_str(include_str!("data/owners.toml"))
        .unwrap_or(KnownOwners { keys_naming_a_tool: Vec::new(), owner: Vec::new() })
});

/// The tag patterns that the campaign file gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerTags {
    /// `guards.owner_tags`: more owners, in addition to the known ones.
    pub more: Vec<String>,
    /// `guards.terraform_tags`, where it differs from its default: instead of Terraform's own.
    pub terraform: Option<Vec<String>>,
}

/// A sign of an owner.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnerSign {
    /// The owner; `None` for a pattern of `guards.owner_tags`, which names none.
    pub owner: Option<&'static Owner>,
    /// Where it was seen: `tag managed-by=pulumi`, `name of the form cf-templates-*`.
    pub seen: String,
}

/// All signs of owners on a bucket. `tags` is `None` where they could not be read.
#[must_use]
pub fn owner_signs(name: &str, tags: Option<&BTreeMap<String, String>>, by: &OwnerTags) -> Vec<OwnerSign> {
    let mut found = Vec::new();
    for owner in &KNOWN.owner {
        for pattern in owner.names.iter().filter(|pattern| matches_ignoring_case(pattern, name)) {
            found.push(OwnerSign { owner: Some(owner), seen: format!("name of the form {pattern}") });
        }
        for (key, value) in tags.into_iter().flatten().filter(|(key, value)| owner.marks(key, value, by)) {
            found.push(OwnerSign { owner: Some(owner), seen: format!("tag {key}={value}") });
        }
    }
    for (key, value) in tags.into_iter().flatten().filter(|(key, value)| is_among(&by.more, key, value)) {
        found.push(OwnerSign { owner: None, seen: format!("tag {key}={value}") });
    }
    found
}

/// The default of `guards.terraform_tags`, as it was before owners were a list of their own.
#[must_use]
pub fn default_terraform_tags() -> Vec<String> {
    let keys = ["managed-by", "managed_by", "managedby", "created-by", "createdby", "provisioner"];
    std::iter::once("terraform".to_owned()).chain(keys.iter().map(|key| format!("{key}=terraform"))).collect()
}

impl Owner {
    fn marks(&self, key: &str, value: &str, by: &OwnerTags) -> bool {
        if let Some(own) = by.terraform.as_ref().filter(|_| self.name == TERRAFORM) {
            return is_among(own, key, value);
        }
        let names_it = || {
            KNOWN.keys_naming_a_tool.iter().any(|known| known.eq_ignore_ascii_case(key))
                && self.tools.iter().any(|tool| tool.eq_ignore_ascii_case(value.trim()))
        };
        is_among(&self.tags, key, value) || names_it()
    }
}

/// Whether a tag is among patterns: `key`, for any value but `false`, or `key=value`; both may hold `*` and `?`.
fn is_among(patterns: &[String], key: &str, value: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.split_once('=') {
        Some((wanted, its)) => matches_ignoring_case(wanted, key) && matches_ignoring_case(its, value),
        None => matches_ignoring_case(pattern, key) && !value.eq_ignore_ascii_case("false"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(name: &str, key: &str, value: &str, by: &OwnerTags) -> Vec<String> {
        let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let signs = owner_signs(name, Some(&tags), by).into_iter();
        signs.map(|sign| sign.owner.map_or("guards.owner_tags".to_owned(), |owner| owner.name.clone())).collect()
    }

    #[test]
    fn the_list_of_owners_is_understood() {
        let known: KnownOwners = toml::from_str(include_str!("data/owners.toml")).unwrap();
        assert!(known.owner.iter().all(|owner| !(owner.tags.is_empty() && owner.names.is_empty())));
        let minutes: Vec<&str> = known
            .owner
            .iter()
            .filter(|owner| owner.reapplies_within_minutes)
            .map(|owner| owner.name.as_str())
            .collect();
        assert_eq!(minutes, ["Crossplane", "AWS Controllers for Kubernetes (ACK)"]);
    }

    #[test]
    fn each_owner_is_known_by_its_tags() {
        for (key, value, owner) in [
            ("aws:cloudformation:stack-name", "web", "AWS CloudFormation"),
            ("aws-cdk:auto-delete-objects", "true", "AWS CDK"),
            ("ManagedStackSource", "AwsSamCli", "AWS SAM"),
            ("elasticbeanstalk:environment-id", "e-1", "AWS Elastic Beanstalk"),
            ("amplify:deployment-type", "branch", "AWS Amplify"),
            ("aws-control-tower", "managed-by-control-tower", "AWS Control Tower"),
            ("Accelerator", "AWSAccelerator", "Landing Zone Accelerator on AWS"),
            ("Terraform", "true", "Terraform"),
            ("ManagedBy", "Terraform", "Terraform"),
            ("IaC", "terraform", "Terraform"),
            ("managed-by", "OpenTofu", "OpenTofu"),
            ("pulumi:stack", "prod", "Pulumi"),
            ("managed-by", "ansible", "Ansible"),
            ("crossplane-kind", "bucket.s3.aws.upbound.io", "Crossplane"),
            ("services.k8s.aws/controller-version", "s3-v1.11.0", "AWS Controllers for Kubernetes (ACK)"),
            ("eks:kubernetes-api-group", "s3.services.k8s.aws", "AWS Controllers for Kubernetes (ACK)"),
        ] {
            assert_eq!(owners("b", key, value, &OwnerTags::default()), [owner], "{key}={value}");
        }
        for (key, value) in [("team", "terraform"), ("terraform", "False"), ("managed-by", "hand"), ("name", "pulumi")]
        {
            assert_eq!(owners("b", key, value, &OwnerTags::default()), [""; 0], "{key}={value}");
        }
        assert_eq!(owners("cdk-hnb-assets-4", "team", "web", &OwnerTags::default()), ["AWS CDK"]);
    }

    #[test]
    fn the_campaign_file_adds_owners_and_may_replace_terraforms_tags() {
        let more = OwnerTags { more: vec!["deployer".into(), "pipeline:*=prod".into()], terraform: None };
        assert_eq!(owners("b", "Deployer", "x", &more), ["guards.owner_tags"]);
        assert_eq!(owners("b", "pipeline:web", "prod", &more), ["guards.owner_tags"]);
        assert_eq!(owners("b", "pipeline:web", "test", &more), [""; 0]);
        assert_eq!(owners("b", "Terraform", "true", &more), ["Terraform"]);
        let own = OwnerTags { more: Vec::new(), terraform: Some(vec!["tf".into()]) };
        assert_eq!(owners("b", "tf", "1", &own), ["Terraform"]);
        assert_eq!(owners("b", "Terraform", "true", &own), [""; 0]);
        assert_eq!(owners("b", "managed-by", "opentofu", &own), ["OpenTofu"]);
    }

    #[test]
    fn what_was_terraforms_by_default_still_is() {
        for pattern in default_terraform_tags() {
            let (key, value) = pattern.split_once('=').unwrap_or((&pattern, "true"));
            assert_eq!(owners("b", key, value, &OwnerTags::default()), ["Terraform"], "{pattern}");
        }
    }
}
