//! Customer managed policies: the caller's, and the permissions boundary.

use aws_sdk_iam::types::PolicyUsageType;

use super::roles::tag;
use super::{TAG, TAG_VALUE, found};
use crate::aws::Member;
use crate::aws::iam::decoded;
use crate::model::AwsError;

/// A managed policy has at most so many versions [IAM quotas].
const VERSIONS: usize = 5;

/// A managed policy as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyMade {
    /// It bears the tag of what orgseal made.
    pub ours: bool,
    /// The document in force, JSON.
    pub document: String,
}

impl Member {
    /// Who made a managed policy, and its document in force (`GetPolicy`, `GetPolicyVersion`); `None` where it is not there.
    pub async fn policy_made(&self, arn: &str) -> Result<Option<PolicyMade>, AwsError> {
        let (client, calls) = self.iam_service();
        let answer = found(call!(calls, "GetPolicy", client.get_policy().policy_arn(arn)))?;
        let Some(policy) = answer.and_then(|answer| answer.policy) else { return Ok(None) };
        let ours = policy.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE);
        let version = policy.default_version_id().unwrap_or_default();
        let request = client.get_policy_version().policy_arn(arn).version_id(version);
        let answer = call!(calls, "GetPolicyVersion", request)?;
        let document = answer.policy_version().and_then(|version| version.document()).map(decoded);
        Ok(Some(PolicyMade { ours, document: document.unwrap_or_default() }))
    }

    /// Makes a managed policy (`CreatePolicy`).
    pub async fn create_policy(&self, name: &str, description: &str, text: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        let request =
            client.create_policy().policy_name(name).description(description).policy_document(text).tags(tag()?);
        call!(calls, "CreatePolicy", request).map(drop)
    }

    /// Marks a managed policy as ours (`TagPolicy`).
    pub async fn tag_policy(&self, arn: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        call!(calls, "TagPolicy", client.tag_policy().policy_arn(arn).tags(tag()?)).map(drop)
    }

    /// Puts another document in force (`CreatePolicyVersion`). Where all versions are taken, the oldest goes.
    pub async fn update_policy(&self, arn: &str, text: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        let versions = call!(calls, "ListPolicyVersions", client.list_policy_versions().policy_arn(arn))?;
        let others = versions.versions().iter().filter(|version| !version.is_default_version());
        let number = |id: &str| id.trim_start_matches('v').parse::<u64>().unwrap_or(u64::MAX);
        let oldest = others.filter_map(|version| version.version_id()).min_by_key(|id| number(id));
        if let Some(oldest) = oldest.filter(|_| versions.versions().len() >= VERSIONS) {
            let request = client.delete_policy_version().policy_arn(arn).version_id(oldest);
            call!(calls, "DeletePolicyVersion", request)?;
        }
        let request = client.create_policy_version().policy_arn(arn).policy_document(text).set_as_default(true);
        call!(calls, "CreatePolicyVersion", request).map(drop)
    }

    /// Attaches a managed policy to a role or a user (`AttachRolePolicy`, `AttachUserPolicy`).
    pub async fn attach_policy(&self, is_user: bool, name: &str, arn: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        match is_user {
            true => {
                call!(calls, "AttachUserPolicy", client.attach_user_policy().user_name(name).policy_arn(arn)).map(drop)
            }
            false => {
                call!(calls, "AttachRolePolicy", client.attach_role_policy().role_name(name).policy_arn(arn)).map(drop)
            }
        }
    }

    /// Takes a managed policy away with its versions, from whoever has it (`DeletePolicy`).
    pub async fn delete_policy(&self, arn: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        let asked = |usage| client.list_entities_for_policy().policy_arn(arn).policy_usage_filter(usage);
        let bounded = call!(calls, "ListEntitiesForPolicy", asked(PolicyUsageType::PermissionsBoundary))?;
        let whose = call!(calls, "ListEntitiesForPolicy", asked(PolicyUsageType::PermissionsPolicy))?;
        let roles = bounded.policy_roles().iter().filter(|role| !whose.policy_roles().contains(role));
        let users = bounded.policy_users().iter().filter(|user| !whose.policy_users().contains(user));
        let names = roles.filter_map(|role| role.role_name()).chain(users.filter_map(|user| user.user_name()));
        let bounded: Vec<&str> = names.collect();
        if !bounded.is_empty() {
            return Err(AwsError {
                code: "DeleteConflict".to_owned(),
                message: format!("it is the permissions boundary of {}", bounded.join(", ")),
                hint: "give them another boundary first: without one they could do more".to_owned(),
            });
        }
        for role in whose.policy_roles().iter().filter_map(|role| role.role_name()) {
            call!(calls, "DetachRolePolicy", client.detach_role_policy().role_name(role).policy_arn(arn))?;
        }
        for user in whose.policy_users().iter().filter_map(|user| user.user_name()) {
            call!(calls, "DetachUserPolicy", client.detach_user_policy().user_name(user).policy_arn(arn))?;
        }
        let versions = call!(calls, "ListPolicyVersions", client.list_policy_versions().policy_arn(arn))?;
        let others = versions.versions().iter().filter(|version| !version.is_default_version());
        for version in others.filter_map(|version| version.version_id()) {
            let request = client.delete_policy_version().policy_arn(arn).version_id(version);
            call!(calls, "DeletePolicyVersion", request)?;
        }
        call!(calls, "DeletePolicy", client.delete_policy().policy_arn(arn)).map(drop)
    }
}
