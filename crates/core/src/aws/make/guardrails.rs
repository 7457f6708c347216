//! Service and resource control policies of the organization: made, changed, attached.

use aws_sdk_organizations::types::{PolicyType, Tag};

use super::{TAG, TAG_VALUE, unbuilt, unreadable};
use crate::aws::Organizations;
use crate::aws::error::aws_error;
use crate::aws::paging::each_page;
use crate::judge::policy::ControlKind;
use crate::model::AwsError;

/// A control policy of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPolicy {
    /// `p-…`
    pub id: String,
    /// Its name.
    pub name: String,
}

fn kind_of(kind: ControlKind) -> PolicyType {
    match kind {
        ControlKind::Service => PolicyType::ServiceControlPolicy,
        ControlKind::Resource => PolicyType::ResourceControlPolicy,
    }
}

impl Organizations {
    /// All control policies of a kind (`ListPolicies`).
    pub async fn control_policies(&self, kind: ControlKind) -> Result<Vec<ControlPolicy>, AwsError> {
        const OPERATION: &str = "ListPolicies";
        let read = |token| async move {
            let page = self.client.list_policies().filter(kind_of(kind)).set_next_token(token).send().await;
            page.map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))
        };
        let mut found = Vec::new();
        each_page(OPERATION, read, |page| {
            found.extend(page.policies().iter().filter_map(|policy| {
                Some(ControlPolicy { id: policy.id()?.to_owned(), name: policy.name()?.to_owned() })
            }));
            page.next_token
        })
        .await?;
        Ok(found)
    }

    /// Whether a control policy bears our tag (`ListTagsForResource`).
    pub async fn control_policy_is_ours(&self, id: &str) -> Result<bool, AwsError> {
        Ok(self.tags(id).await?.get(TAG).is_some_and(|value| value == TAG_VALUE))
    }

    /// Marks a control policy as ours (`TagResource`).
    pub async fn tag_control_policy(&self, id: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "TagResource";
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(|error| unbuilt(OPERATION, &error))?;
        let answer = self.client.tag_resource().resource_id(id).tags(tag).send().await;
        answer.map(drop).map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))
    }

    /// Makes a control policy, attached to nothing (`CreatePolicy`): its id.
    pub async fn create_control_policy(
        &self,
        kind: ControlKind,
        name: &str,
        description: &str,
        content: &str,
    ) -> Result<String, AwsError> {
        const OPERATION: &str = "CreatePolicy";
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(|error| unbuilt(OPERATION, &error))?;
        let request = self
            .client
            .create_policy()
            .name(name)
            .r#type(kind_of(kind))
            .description(description)
            .content(content)
            .tags(tag);
        let answer = request.send().await.map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))?;
        let made = answer.policy().and_then(|policy| policy.policy_summary()).and_then(|summary| summary.id());
        made.map(str::to_owned).ok_or_else(|| unreadable(OPERATION, "id"))
    }

    /// `UpdatePolicy`: its content.
    pub async fn update_control_policy(&self, id: &str, content: &str) -> Result<(), AwsError> {
        let answer = self.client.update_policy().policy_id(id).content(content).send().await;
        answer.map(drop).map_err(|error| self.halt.heed(aws_error("UpdatePolicy", &error)))
    }

    /// What a control policy is attached to (`ListTargetsForPolicy`): ids of roots, OUs and accounts.
    pub async fn targets(&self, id: &str) -> Result<Vec<String>, AwsError> {
        const OPERATION: &str = "ListTargetsForPolicy";
        let read = |token| async move {
            let page = self.client.list_targets_for_policy().policy_id(id).set_next_token(token).send().await;
            page.map_err(|error| self.halt.heed(aws_error(OPERATION, &error)))
        };
        let mut found = Vec::new();
        each_page(OPERATION, read, |page| {
            found.extend(page.targets().iter().filter_map(|target| target.target_id()).map(str::to_owned));
            page.next_token
        })
        .await?;
        Ok(found)
    }

    /// `AttachPolicy`.
    pub async fn attach_control_policy(&self, id: &str, target: &str) -> Result<(), AwsError> {
        let answer = self.client.attach_policy().policy_id(id).target_id(target).send().await;
        answer.map(drop).map_err(|error| self.halt.heed(aws_error("AttachPolicy", &error)))
    }

    /// `DeletePolicy`, of a policy that is attached to nothing.
    pub async fn delete_control_policy(&self, id: &str) -> Result<(), AwsError> {
        let answer = self.client.delete_policy().policy_id(id).send().await;
        answer.map(drop).map_err(|error| self.halt.heed(aws_error("DeletePolicy", &error)))
    }
}
