//! How IAM's structures look in XML.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::partition::Partition;
use crate::random::{KEY_ID, Random};
use crate::wire::{escape, iso8601};
use crate::world::World;
use crate::world::managed_policy::{ManagedRecord, PolicyVersion, Usage};
use crate::world::role_record::{MADE_MS, RoleRecord};
use crate::world::user_record::UserRecord;

/// RFC 3986: everything but its unreserved characters, as IAM encodes the policies it answers.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn encoded(policy: &str) -> String {
    utf8_percent_encode(policy, RESERVED).to_string()
}

/// What the structures Role and RoleDetail begin with.
pub(super) fn role_head(partition: Partition, account_id: &str, role: &RoleRecord) -> String {
    format!(
        "<Path>{}</Path><RoleName>{}</RoleName><RoleId>{}</RoleId><Arn>{}</Arn><CreateDate>{}</CreateDate>\
         <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument>",
        escape(&role.path),
        role.name,
        role.id,
        escape(&role.arn(partition, account_id)),
        iso8601(role.created_ms),
        encoded(&role.trust)
    )
}

/// The members of the Role structure that ListRoles shows as well.
pub(super) fn listed_role(partition: Partition, account_id: &str, role: &RoleRecord) -> String {
    let mut xml = role_head(partition, account_id, role);
    if !role.description.is_empty() {
        let _ = write!(xml, "<Description>{}</Description>", escape(&role.description));
    }
    let _ = write!(xml, "<MaxSessionDuration>{}</MaxSessionDuration>", role.max_session_seconds);
    xml
}

/// The members of the Role structure.
pub(super) fn role(partition: Partition, account_id: &str, role: &RoleRecord) -> String {
    listed_role(partition, account_id, role) + &boundary(role.boundary.as_deref()) + &tags(&role.tags)
}

/// What the structures User and UserDetail begin with, and the members of User that ListUsers shows as well.
pub(super) fn user(partition: Partition, account_id: &str, user: &UserRecord) -> String {
    let name = &user.name;
    format!(
        "<Path>{}</Path><UserName>{name}</UserName><UserId>{}</UserId><Arn>{}</Arn><CreateDate>{}</CreateDate>",
        UserRecord::PATH,
        user.id,
        user.arn(partition, account_id),
        iso8601(MADE_MS)
    )
}

/// What the structures Group and GroupDetail begin with.
pub(super) fn group(world: &World, account: usize, account_id: &str, name: &str) -> String {
    let id = Random::new(world.spec.seed, &format!("group {name}"), account as u64).text(KEY_ID, 17);
    let arn = world.spec.partition.iam_arn(account_id, format_args!("group/{name}"));
    format!(
        "<Path>/</Path><GroupName>{name}</GroupName><GroupId>AGPA{id}</GroupId>\
         <Arn>{arn}</Arn><CreateDate>{}</CreateDate>",
        iso8601(MADE_MS)
    )
}

/// `PermissionsBoundary`, where there is one.
pub(super) fn boundary(arn: Option<&str>) -> String {
    let Some(arn) = arn else { return String::new() };
    format!(
        "<PermissionsBoundary><PermissionsBoundaryType>PermissionsBoundaryPolicy</PermissionsBoundaryType>\
         <PermissionsBoundaryArn>{}</PermissionsBoundaryArn></PermissionsBoundary>",
        escape(arn)
    )
}

/// The content of a Tag.
pub(super) fn tag((key, value): &(String, String)) -> String {
    format!("<Key>{}</Key><Value>{}</Value>", escape(key), escape(value))
}

/// `Tags`, where there are some.
pub(super) fn tags(tags: &[(String, String)]) -> String {
    let members: String = tags.iter().map(|one| format!("<member>{}</member>", tag(one))).collect();
    if members.is_empty() { members } else { format!("<Tags>{members}</Tags>") }
}

/// The content of an AttachedPolicy.
pub(super) fn attached(arn: &str) -> String {
    let name = arn.rsplit('/').next().unwrap_or_default();
    format!("<PolicyName>{name}</PolicyName><PolicyArn>{}</PolicyArn>", escape(arn))
}

/// The members of the Policy structure that ListPolicies and ManagedPolicyDetail show as well.
pub(super) fn listed_policy(partition: Partition, account_id: &str, policy: &ManagedRecord, usage: Usage) -> String {
    format!(
        "<PolicyName>{}</PolicyName><PolicyId>{}</PolicyId><Arn>{}</Arn><Path>{}</Path>\
         <DefaultVersionId>v{}</DefaultVersionId><AttachmentCount>{}</AttachmentCount>\
         <PermissionsBoundaryUsageCount>{}</PermissionsBoundaryUsageCount><IsAttachable>true</IsAttachable>\
         <CreateDate>{}</CreateDate><UpdateDate>{}</UpdateDate>",
        policy.name,
        policy.id,
        policy.arn(partition, account_id),
        policy.path,
        policy.default_version,
        usage.attached,
        usage.boundaries,
        iso8601(policy.created_ms),
        iso8601(policy.updated_ms)
    )
}

/// The members of a PolicyVersion. Only who asks for one version is shown its text.
pub(super) fn version(policy: &ManagedRecord, version: &PolicyVersion, with_text: bool) -> String {
    let text = match with_text {
        true => format!("<Document>{}</Document>", encoded(&version.text)),
        false => String::new(),
    };
    format!(
        "{text}<VersionId>v{}</VersionId><IsDefaultVersion>{}</IsDefaultVersion><CreateDate>{}</CreateDate>",
        version.number,
        version.number == policy.default_version,
        iso8601(version.created_ms)
    )
}
