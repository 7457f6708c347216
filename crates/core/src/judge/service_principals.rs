//! What AWS services that use a bucket's key in their own name tell KMS of the resource that they work for. The list is
//! data/service_principals.toml.

use std::sync::LazyLock;

use serde::Deserialize;

/// What a service sends to KMS, by its own documentation, and so what a key policy may bind it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoundBy {
    /// `aws:SourceOrgID`.
    Organization,
    /// `aws:SourceAccount`.
    Account,
    /// `aws:SourceArn` alone.
    Arn,
    /// Neither of them.
    Nothing,
}

/// An AWS service and what it sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePrincipal {
    /// Such as `cloudtrail.amazonaws.com`.
    pub service: String,
    /// What it sends.
    pub bound_by: BoundBy,
    /// The pattern of `aws:SourceArn`, with PARTITION and ACCOUNT in it; for [`BoundBy::Arn`].
    pub arn: Option<String>,
    /// The AWS guide that says so.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicePrincipals {
    service: Vec<ServicePrincipal>,
}

/// The services whose documentation was read.
pub static SERVICE_PRINCIPALS: LazyLock<Vec<ServicePrincipal>> = LazyLock::new(|| {
    // A list that does not parse fails the test of this file.
    toml::from_str::<ServicePrincipals>(include_str!("data/service_principals.toml"))
        .map(|list| list.service)
        .unwrap_or_default()
});

impl ServicePrincipal {
    /// A service of the list; `None` where its documentation was not read.
    #[must_use]
    pub fn find(service: &str) -> Option<&'static ServicePrincipal> {
        SERVICE_PRINCIPALS.iter().find(|one| one.service == service)
    }

    /// The pattern of `aws:SourceArn` for the resources of an account.
    #[must_use]
    pub fn source_arn(&self, partition: &str, account: &str) -> Option<String> {
        let arn = self.arn.as_ref().filter(|_| self.bound_by == BoundBy::Arn)?;
        Some(arn.replace("PARTITION", partition).replace("ACCOUNT", account))
    }
}

/// Whether a service may be taken to send a condition key to KMS, given in lower case. One that is not listed is believed what a bucket
/// policy says of its account and resource, and never its organization, which AWS documents for few.
#[must_use]
pub fn service_sends(service: &str, key: &str) -> bool {
    let bound_by = ServicePrincipal::find(service).map(|one| one.bound_by);
    match key {
        "aws:sourceorgid" | "aws:sourceorgpaths" => bound_by == Some(BoundBy::Organization),
        "aws:sourceaccount" => !matches!(bound_by, Some(BoundBy::Arn | BoundBy::Nothing)),
        "aws:sourcearn" => bound_by != Some(BoundBy::Nothing),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood() {
        let list: ServicePrincipals = toml::from_str(include_str!("data/service_principals.toml")).unwrap();
        assert!(list.service.iter().all(|one| (one.bound_by == BoundBy::Arn) == one.arn.is_some()));
        let cloudfront = ServicePrincipal::find("cloudfront.amazonaws.com").unwrap();
        let arn = "arn:aws-cn:cloudfront::111122223333:distribution/*";
        assert_eq!(cloudfront.source_arn("aws-cn", "111122223333").as_deref(), Some(arn));
    }

    #[test]
    fn a_service_sends_what_its_documentation_says_and_no_organization_otherwise() {
        for (service, sent) in [
            ("cloudtrail.amazonaws.com", ["aws:sourceaccount", "aws:sourcearn"].as_slice()),
            ("cloudfront.amazonaws.com", &["aws:sourcearn"]),
            ("acm-pca.amazonaws.com", &[]),
            ("unlisted.amazonaws.com", &["aws:sourceaccount", "aws:sourcearn"]),
        ] {
            let keys = ["aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"];
            let found: Vec<&str> = keys.into_iter().filter(|key| service_sends(service, key)).collect();
            assert_eq!(found, sent, "{service}");
        }
    }
}
