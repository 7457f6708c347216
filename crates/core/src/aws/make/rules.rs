//! AWS Config: the organization's conformance pack, its aggregator, and the rules that look at default encryption.

use std::collections::BTreeSet;

use aws_sdk_config::types::{OrganizationAggregationSource, Tag};

use super::{TAG, TAG_VALUE, found, unbuilt};
use crate::aws::{Member, Paging};
use crate::model::AwsError;

/// The managed rule.
pub(super) const RULE: &str = "S3_DEFAULT_ENCRYPTION_KMS";

impl Member {
    /// The rules of an account and Region that find buckets under another key (`DescribeConfigRules`): the name of each, and the
    /// keys that it takes for right.
    pub async fn encryption_rules(&self, region: &str) -> Result<Vec<(String, BTreeSet<String>)>, AwsError> {
        let (client, calls) = self.config_service(region);
        let mut rules = Vec::new();
        let (mut token, mut paging) = (None, Paging::new("DescribeConfigRules"));
        loop {
            let page = call!(calls, "DescribeConfigRules", client.describe_config_rules().set_next_token(token))?;
            for rule in page.config_rules() {
                let is_ours = rule.source().and_then(|source| source.source_identifier()) == Some(RULE);
                if let (true, Some(name)) = (is_ours, rule.config_rule_name()) {
                    rules.push((name.to_owned(), keys_of(rule.input_parameters().unwrap_or_default())));
                }
            }
            token = paging.next(page.next_token())?;
            if token.is_none() {
                return Ok(rules);
            }
        }
    }

    /// Puts the organization's conformance pack in a Region (`PutOrganizationConformancePack`). AWS Config makes its rules in
    /// each account but those of `without` later.
    pub async fn put_organization_pack(
        &self,
        region: &str,
        name: &str,
        template: &str,
        without: &[String],
    ) -> Result<(), AwsError> {
        let (client, calls) = self.config_service(region);
        let request =
            client.put_organization_conformance_pack().organization_conformance_pack_name(name).template_body(template);
        let request = request.set_excluded_accounts((!without.is_empty()).then(|| without.to_vec()));
        call!(calls, "PutOrganizationConformancePack", request).map(drop)
    }

    /// How the organization's conformance pack stands in a Region (`DescribeOrganizationConformancePackStatuses`): its status and,
    /// where it failed, why. `None` where there is none.
    pub async fn organization_pack(&self, region: &str, name: &str) -> Result<Option<(String, String)>, AwsError> {
        let (client, calls) = self.config_service(region);
        let request =
            client.describe_organization_conformance_pack_statuses().organization_conformance_pack_names(name);
        let answer = found(call!(calls, "DescribeOrganizationConformancePackStatuses", request))?;
        let statuses = answer.and_then(|answer| answer.organization_conformance_pack_statuses);
        Ok(statuses
            .unwrap_or_default()
            .first()
            .map(|status| (status.status().as_str().to_owned(), status.error_message().unwrap_or_default().to_owned())))
    }

    /// `DeleteOrganizationConformancePack`: whether there was one.
    pub async fn delete_organization_pack(&self, region: &str, name: &str) -> Result<bool, AwsError> {
        let (client, calls) = self.config_service(region);
        let request = client.delete_organization_conformance_pack().organization_conformance_pack_name(name);
        Ok(found(call!(calls, "DeleteOrganizationConformancePack", request))?.is_some())
    }

    /// The role by which an aggregator reads the organization (`DescribeConfigurationAggregators`), empty where it reads something
    /// else than the organization in all Regions; and its ARN. `None` where there is none of this name.
    pub async fn aggregator(&self, region: &str, name: &str) -> Result<Option<(String, String)>, AwsError> {
        let (client, calls) = self.config_service(region);
        let request = client.describe_configuration_aggregators().configuration_aggregator_names(name);
        let answer = found(call!(calls, "DescribeConfigurationAggregators", request))?;
        let found = answer.and_then(|answer| answer.configuration_aggregators).unwrap_or_default();
        Ok(found.into_iter().next().map(|aggregator| {
            let source = aggregator.organization_aggregation_source.filter(|source| source.all_aws_regions);
            let arn = aggregator.configuration_aggregator_arn.unwrap_or_default();
            (source.map(|source| source.role_arn).unwrap_or_default(), arn)
        }))
    }

    /// Whether an aggregator bears our tag (`ListTagsForResource`).
    pub async fn aggregator_is_ours(&self, region: &str, arn: &str) -> Result<bool, AwsError> {
        let (client, calls) = self.config_service(region);
        let answer = call!(calls, "ListTagsForResource", client.list_tags_for_resource().resource_arn(arn))?;
        Ok(answer.tags().iter().any(|tag| tag.key() == Some(TAG) && tag.value() == Some(TAG_VALUE)))
    }

    /// Marks an aggregator as ours (`TagResource`): a put tags only what is new.
    pub async fn tag_aggregator(&self, region: &str, arn: &str) -> Result<(), AwsError> {
        let (client, calls) = self.config_service(region);
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build();
        call!(calls, "TagResource", client.tag_resource().resource_arn(arn).tags(tag)).map(drop)
    }

    /// `PutConfigurationAggregator`, over the whole organization and all Regions.
    pub async fn put_aggregator(&self, region: &str, name: &str, role: &str) -> Result<(), AwsError> {
        let (client, calls) = self.config_service(region);
        let source = OrganizationAggregationSource::builder().role_arn(role).all_aws_regions(true).build();
        let source = source.map_err(|error| unbuilt("PutConfigurationAggregator", &error))?;
        let request = client
            .put_configuration_aggregator()
            .configuration_aggregator_name(name)
            .organization_aggregation_source(source)
            .tags(Tag::builder().key(TAG).value(TAG_VALUE).build());
        call!(calls, "PutConfigurationAggregator", request).map(drop)
    }

    /// `DeleteConfigurationAggregator`: whether there was one.
    pub async fn delete_aggregator(&self, region: &str, name: &str) -> Result<bool, AwsError> {
        let (client, calls) = self.config_service(region);
        let request = client.delete_configuration_aggregator().configuration_aggregator_name(name);
        Ok(found(call!(calls, "DeleteConfigurationAggregator", request))?.is_some())
    }
}

/// The keys that a rule's parameters name.
fn keys_of(parameters: &str) -> BTreeSet<String> {
    let tree: serde_json::Value = serde_json::from_str(parameters).unwrap_or_default();
    let keys = tree.get("kmsKeyArns").and_then(|keys| keys.as_str()).unwrap_or_default();
    keys.split(',').map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::keys_of;

    #[test]
    fn the_keys_of_a_rule_are_read() {
        let keys = keys_of(r#"{"kmsKeyArns":"arn:a, arn:b"}"#);
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["arn:a", "arn:b"]);
        assert!(keys_of("").is_empty() && keys_of("{}").is_empty());
    }
}
