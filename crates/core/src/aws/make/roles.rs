//! IAM roles with their trust, policies and boundary.

use std::collections::BTreeSet;

use aws_sdk_iam::types::Tag;

use super::{TAG, TAG_VALUE, found, unbuilt};
use crate::aws::{Member, Paging};
use crate::model::AwsError;

/// A role as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWanted {
    /// Its name.
    pub name: String,
    /// Its path, `/` for none.
    pub path: String,
    /// What it says of itself.
    pub description: String,
    /// Its trust policy, JSON.
    pub trust: String,
    /// Its inline policies: name and JSON. It has no others.
    pub inline: Vec<(String, String)>,
    /// ARNs of the managed policies that are attached. It has no others.
    pub attached: Vec<String>,
    /// The longest session, in seconds.
    pub max_session: i32,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
}

/// A role as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMade {
    /// It bears the tag of what orgseal made.
    pub ours: bool,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// How long a session of it may last, in seconds.
    pub max_session: i32,
}

/// The least `MaxSessionDuration` that IAM takes, and its default, in seconds.
pub const LEAST_MAX_SESSION: i32 = 3600;

/// The tag of what we make, as IAM takes it.
pub(super) fn tag() -> Result<Tag, AwsError> {
    Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(|error| unbuilt("TagRole", &error))
}

impl Member {
    /// Who made a role, from `GetRole`; `None` where there is none of this name.
    pub async fn role_made(&self, name: &str) -> Result<Option<RoleMade>, AwsError> {
        let (client, calls) = self.iam_service();
        let answer = found(call!(calls, "GetRole", client.get_role().role_name(name)))?;
        Ok(answer.and_then(|answer| answer.role).map(|role| RoleMade {
            ours: role.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE),
            boundary: role.permissions_boundary().and_then(|set| set.permissions_boundary_arn()).map(str::to_owned),
            max_session: role.max_session_duration().unwrap_or(LEAST_MAX_SESSION),
        }))
    }

    /// Makes a role with all that it has (`CreateRole`, `PutRolePolicy`, `AttachRolePolicy`).
    pub async fn create_role(&self, role: &RoleWanted) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        let request = client
            .create_role()
            .role_name(&role.name)
            .path(&role.path)
            .description(&role.description)
            .assume_role_policy_document(&role.trust)
            .max_session_duration(role.max_session)
            .set_permissions_boundary(role.boundary.clone())
            .tags(tag()?);
        call!(calls, "CreateRole", request)?;
        self.give_policies(role).await
    }

    /// Makes a role what it is to be: trust, duration, boundary, and exactly these policies.
    pub async fn update_role(&self, role: &RoleWanted, before: &RoleMade) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        let name = &role.name;
        // Whatever narrows comes first.
        let trust = client.update_assume_role_policy().role_name(name).policy_document(&role.trust);
        call!(calls, "UpdateAssumeRolePolicy", trust)?;
        match &role.boundary {
            Some(arn) => {
                let request = client.put_role_permissions_boundary().role_name(name).permissions_boundary(arn);
                call!(calls, "PutRolePermissionsBoundary", request)?;
            }
            None if before.boundary.is_some() => {
                call!(
                    calls,
                    "DeleteRolePermissionsBoundary",
                    client.delete_role_permissions_boundary().role_name(name)
                )?;
            }
            None => {}
        }
        let wanted: BTreeSet<&str> = role.inline.iter().map(|(name, _)| name.as_str()).collect();
        self.take_policies(name, &wanted, &role.attached).await?;
        let update =
            client.update_role().role_name(name).max_session_duration(role.max_session).description(&role.description);
        call!(calls, "UpdateRole", update)?;
        self.give_policies(role).await
    }

    /// Marks a role as ours (`TagRole`).
    pub async fn tag_role(&self, name: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        call!(calls, "TagRole", client.tag_role().role_name(name).tags(tag()?)).map(drop)
    }

    /// Takes a role away, with its policies; its policies' documents stay where they are managed ones.
    pub async fn delete_role(&self, name: &str) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        self.take_policies(name, &BTreeSet::new(), &[]).await?;
        call!(calls, "DeleteRole", client.delete_role().role_name(name)).map(drop)
    }

    async fn give_policies(&self, role: &RoleWanted) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        for (policy, text) in &role.inline {
            let request = client.put_role_policy().role_name(&role.name).policy_name(policy).policy_document(text);
            call!(calls, "PutRolePolicy", request)?;
        }
        for arn in &role.attached {
            let request = client.attach_role_policy().role_name(&role.name).policy_arn(arn);
            call!(calls, "AttachRolePolicy", request)?;
        }
        Ok(())
    }

    /// Takes all policies but these from a role.
    async fn take_policies(&self, role: &str, inline: &BTreeSet<&str>, attached: &[String]) -> Result<(), AwsError> {
        let (client, calls) = self.iam_service();
        let (mut marker, mut paging) = (None, Paging::new("ListRolePolicies"));
        loop {
            let request = client.list_role_policies().role_name(role).set_marker(marker);
            let page = call!(calls, "ListRolePolicies", request)?;
            for policy in page.policy_names().iter().filter(|name| !inline.contains(name.as_str())) {
                let request = client.delete_role_policy().role_name(role).policy_name(policy);
                call!(calls, "DeleteRolePolicy", request)?;
            }
            marker = paging.next_of(page.is_truncated(), page.marker())?;
            if marker.is_none() {
                break;
            }
        }
        let (mut marker, mut paging) = (None, Paging::new("ListAttachedRolePolicies"));
        loop {
            let request = client.list_attached_role_policies().role_name(role).set_marker(marker);
            let page = call!(calls, "ListAttachedRolePolicies", request)?;
            for arn in page.attached_policies().iter().filter_map(|policy| policy.policy_arn()) {
                if !attached.iter().any(|wanted| wanted == arn) {
                    let request = client.detach_role_policy().role_name(role).policy_arn(arn);
                    call!(calls, "DetachRolePolicy", request)?;
                }
            }
            marker = paging.next_of(page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(());
            }
        }
    }
}
