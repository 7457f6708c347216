//! KMS keys, their aliases and policies. Nothing here disables or deletes a key.

use std::collections::BTreeSet;

use aws_sdk_kms::types::Tag;

use super::{TAG, TAG_VALUE, found, unbuilt, unreadable};
use crate::aws::{Member, Paging};
use crate::model::{AwsError, KeyArn, KeyFacts};

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey<'a> {
    /// Where.
    pub region: &'a str,
    /// What it says of itself.
    pub description: &'a str,
    /// Its policy, JSON.
    pub policy: &'a str,
    /// Whether it may have replicas.
    pub multi_region: bool,
}

fn tag(operation: &str) -> Result<Tag, AwsError> {
    Tag::builder().tag_key(TAG).tag_value(TAG_VALUE).build().map_err(|error| unbuilt(operation, &error))
}

impl Member {
    /// The key behind an alias of this account and Region (`DescribeKey`); `None` where there is no such alias.
    pub async fn alias(&self, region: &str, alias: &str) -> Result<Option<KeyFacts>, AwsError> {
        found(self.describe_key(region, alias).await)
    }

    /// `GetKeyPolicy` of a key of this account.
    pub async fn key_policy(&self, key: &KeyArn) -> Result<String, AwsError> {
        let (client, calls) = self.kms_service(&key.region);
        let _permit = calls.enter().await;
        crate::aws::kms::key_policy(&client, &key.to_string()).await.map_err(|error| calls.heed(error))
    }

    /// A key that bears our tag and this description, and no alias (`ListAliases`, `ListKeys`, `ListResourceTags`): one whose making
    /// was cut short. `None` where there is none.
    pub async fn key_without_alias(&self, region: &str, description: &str) -> Result<Option<KeyArn>, AwsError> {
        let (client, calls) = self.kms_service(region);
        let mut named = BTreeSet::new();
        let (mut marker, mut paging) = (None, Paging::new("ListAliases"));
        loop {
            let page = call!(calls, "ListAliases", client.list_aliases().set_marker(marker))?;
            named.extend(page.aliases().iter().filter_map(|alias| alias.target_key_id()).map(str::to_owned));
            marker = paging.next_of(page.truncated(), page.next_marker())?;
            if marker.is_none() {
                break;
            }
        }
        let mut paging = Paging::new("ListKeys");
        loop {
            let page = call!(calls, "ListKeys", client.list_keys().set_marker(marker))?;
            for id in page.keys().iter().filter_map(|key| key.key_id()).filter(|id| !named.contains(*id)) {
                // Another's key may hide its tags.
                let Ok(tags) = call!(calls, "ListResourceTags", client.list_resource_tags().key_id(id)) else {
                    continue;
                };
                if !tags.tags().iter().any(|tag| tag.tag_key() == TAG && tag.tag_value() == TAG_VALUE) {
                    continue;
                }
                let answer = call!(calls, "DescribeKey", client.describe_key().key_id(id))?;
                let ours = answer.key_metadata().filter(|key| key.enabled() && key.description() == Some(description));
                if let Some(arn) = ours.and_then(|key| key.arn()?.parse().ok()) {
                    return Ok(Some(arn));
                }
            }
            marker = paging.next_of(page.truncated(), page.next_marker())?;
            if marker.is_none() {
                return Ok(None);
            }
        }
    }

    /// Makes a symmetric key that rotates each year (`CreateKey`, `EnableKeyRotation`).
    pub async fn create_key(&self, key: &NewKey<'_>) -> Result<KeyArn, AwsError> {
        let (client, calls) = self.kms_service(key.region);
        let request = client
            .create_key()
            .description(key.description)
            .policy(key.policy)
            .multi_region(key.multi_region)
            .tags(tag("CreateKey")?);
        let answer = call!(calls, "CreateKey", request)?;
        let arn = answer.key_metadata().and_then(|made| made.arn()).ok_or_else(|| unreadable("CreateKey", "ARN"))?;
        let arn = arn.parse::<KeyArn>().map_err(|error| unbuilt("CreateKey", &error))?;
        self.rotate_key(&arn).await?;
        Ok(arn)
    }

    /// `EnableKeyRotation`: each year.
    pub async fn rotate_key(&self, key: &KeyArn) -> Result<(), AwsError> {
        let (client, calls) = self.kms_service(&key.region);
        call!(calls, "EnableKeyRotation", client.enable_key_rotation().key_id(key.to_string())).map(drop)
    }

    /// Whether a key rotates by itself (`GetKeyRotationStatus`).
    pub async fn key_rotates(&self, key: &KeyArn) -> Result<bool, AwsError> {
        let (client, calls) = self.kms_service(&key.region);
        let answer = call!(calls, "GetKeyRotationStatus", client.get_key_rotation_status().key_id(key.to_string()))?;
        Ok(answer.key_rotation_enabled())
    }

    /// Makes a replica of a multi-Region key in another Region (`ReplicateKey`).
    pub async fn replicate_key(&self, primary: &KeyArn, key: &NewKey<'_>) -> Result<KeyArn, AwsError> {
        let (client, calls) = self.kms_service(&primary.region);
        let request = client
            .replicate_key()
            .key_id(primary.to_string())
            .replica_region(key.region)
            .description(key.description)
            .policy(key.policy)
            .tags(tag("ReplicateKey")?);
        call!(calls, "ReplicateKey", request)?;
        Ok(KeyArn { region: key.region.to_owned(), ..primary.clone() })
    }

    /// Whether a key bears our tag (`ListResourceTags`).
    pub async fn key_is_ours(&self, key: &KeyArn) -> Result<bool, AwsError> {
        let (client, calls) = self.kms_service(&key.region);
        let tags = call!(calls, "ListResourceTags", client.list_resource_tags().key_id(key.to_string()))?;
        Ok(tags.tags().iter().any(|tag| tag.tag_key() == TAG && tag.tag_value() == TAG_VALUE))
    }

    /// `CreateAlias`.
    pub async fn create_alias(&self, key: &KeyArn, alias: &str) -> Result<(), AwsError> {
        let (client, calls) = self.kms_service(&key.region);
        let request = client.create_alias().alias_name(alias).target_key_id(&key.id);
        call!(calls, "CreateAlias", request).map(drop)
    }

    /// `PutKeyPolicy`.
    pub async fn put_key_policy(&self, key: &KeyArn, policy: &str) -> Result<(), AwsError> {
        let (client, calls) = self.kms_service(&key.region);
        let request = client.put_key_policy().key_id(key.to_string()).policy_name("default").policy(policy);
        call!(calls, "PutKeyPolicy", request).map(drop)
    }
}
