//! IAM: roles with their trust, policies, boundary and tags, users with what is attached to them, and managed policies with
//! their versions. What is written is in force at once, and in the journal; what a policy allows is decided in `policy`.
//! Here: which operation goes where.

mod account_reads;
mod ask;
mod attachments;
mod authorization_details;
mod documents;
mod entities;
mod groups;
mod input;
mod managed_policies;
mod nothing_here;
mod policy_versions;
mod role_policies;
mod roles;
mod shapes;
mod tags;
mod users;

use std::sync::Arc;

use crate::journal::Entry;
use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;
use crate::world::World;
use crate::world::lock::lock;
use crate::world::managed_policy::ManagedRecord;
use crate::world::role_record::RoleRecord;
use crate::world::session::Caller;

pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

pub(crate) const OPERATIONS: &[&str] = &[
    "CreateRole",
    "GetRole",
    "UpdateRole",
    "UpdateAssumeRolePolicy",
    "DeleteRole",
    "ListRoles",
    "PutRolePolicy",
    "GetRolePolicy",
    "DeleteRolePolicy",
    "ListRolePolicies",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "ListAttachedRolePolicies",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
    "TagRole",
    "UntagRole",
    "ListRoleTags",
    "CreatePolicy",
    "GetPolicy",
    "DeletePolicy",
    "ListPolicies",
    "TagPolicy",
    "CreatePolicyVersion",
    "GetPolicyVersion",
    "SetDefaultPolicyVersion",
    "DeletePolicyVersion",
    "ListPolicyVersions",
    "ListEntitiesForPolicy",
    "GetUser",
    "ListUsers",
    "AttachUserPolicy",
    "DetachUserPolicy",
    "ListAttachedUserPolicies",
    "ListUserPolicies",
    "GetUserPolicy",
    "ListGroupsForUser",
    "ListAccessKeys",
    "GetLoginProfile",
    "ListGroups",
    "GetGroup",
    "ListGroupPolicies",
    "ListAttachedGroupPolicies",
    "ListInstanceProfiles",
    "ListInstanceProfilesForRole",
    "ListMFADevices",
    "ListOpenIDConnectProviders",
    "ListSAMLProviders",
    "ListServerCertificates",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListSSHPublicKeys",
    "ListUserTags",
    "ListVirtualMFADevices",
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "ListAccountAliases",
    "GetAccountPasswordPolicy",
    "GenerateCredentialReport",
    "GetCredentialReport",
];

/// The parameters that an operation takes; a name that ends in `.member.` is a list's.
fn parameters(operation: &str) -> &'static [&'static str] {
    match operation {
        "CreateRole" => &[
            "Path",
            "RoleName",
            "AssumeRolePolicyDocument",
            "Description",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "Tags.member.",
        ],
        "UpdateRole" => &["RoleName", "Description", "MaxSessionDuration"],
        "UpdateAssumeRolePolicy" => &["RoleName", "PolicyDocument"],
        "ListRoles" => &["PathPrefix", "Marker", "MaxItems"],
        "ListUserPolicies" | "ListGroupsForUser" | "ListAccessKeys" => &["UserName", "Marker", "MaxItems"],
        "GetLoginProfile" => &["UserName"],
        "ListGroups" => &["PathPrefix", "Marker", "MaxItems"],
        "GetGroup" | "ListGroupPolicies" => &["GroupName", "Marker", "MaxItems"],
        "ListAttachedGroupPolicies" => &["GroupName", "PathPrefix", "Marker", "MaxItems"],
        "GetUserPolicy" => &["UserName", "PolicyName"],
        "ListAccountAliases" => &["Marker", "MaxItems"],
        "GetAccountSummary" | "GetAccountPasswordPolicy" | "GenerateCredentialReport" | "GetCredentialReport" => &[],
        "PutRolePolicy" => &["RoleName", "PolicyName", "PolicyDocument"],
        "GetRolePolicy" | "DeleteRolePolicy" => &["RoleName", "PolicyName"],
        "ListRolePolicies" | "ListRoleTags" => &["RoleName", "Marker", "MaxItems"],
        "AttachRolePolicy" | "DetachRolePolicy" => &["RoleName", "PolicyArn"],
        "ListAttachedRolePolicies" => &["RoleName", "PathPrefix", "Marker", "MaxItems"],
        "PutRolePermissionsBoundary" => &["RoleName", "PermissionsBoundary"],
        "TagRole" => &["RoleName", "Tags.member."],
        "UntagRole" => &["RoleName", "TagKeys.member."],
        "CreatePolicy" => &["PolicyName", "Path", "PolicyDocument", "Description", "Tags.member."],
        "GetPolicy" | "DeletePolicy" => &["PolicyArn"],
        "TagPolicy" => &["PolicyArn", "Tags.member."],
        "ListPolicies" => &["Scope", "OnlyAttached", "PathPrefix", "PolicyUsageFilter", "Marker", "MaxItems"],
        "CreatePolicyVersion" => &["PolicyArn", "PolicyDocument", "SetAsDefault"],
        "GetPolicyVersion" | "SetDefaultPolicyVersion" | "DeletePolicyVersion" => &["PolicyArn", "VersionId"],
        "ListPolicyVersions" => &["PolicyArn", "Marker", "MaxItems"],
        "ListEntitiesForPolicy" => {
            &["PolicyArn", "EntityFilter", "PathPrefix", "PolicyUsageFilter", "Marker", "MaxItems"]
        }
        "GetUser" => &["UserName"],
        "ListUsers" => &["PathPrefix", "Marker", "MaxItems"],
        "AttachUserPolicy" | "DetachUserPolicy" => &["UserName", "PolicyArn"],
        "ListAttachedUserPolicies" => &["UserName", "PathPrefix", "Marker", "MaxItems"],
        "GetAccountAuthorizationDetails" => &["Marker", "MaxItems", "Filter.member."],
        _ => &["RoleName"],
    }
}

/// One request, and the account it is about.
struct Call<'a> {
    world: &'a World,
    caller: &'a Caller,
    account: usize,
    account_id: &'a str,
    form: &'a Form,
}

impl Call<'_> {
    /// The role that is named.
    fn role(&self) -> Result<Arc<RoleRecord>, AwsError> {
        let name = input::name(self.form, "RoleName", 64)?;
        let no_role = || AwsError::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."));
        self.world.role_record(self.account, name).ok_or_else(no_role)
    }

    /// The managed policy that is named.
    fn policy(&self) -> Result<Arc<ManagedRecord>, AwsError> {
        let arn = input::policy_arn(self.world.spec.partition, self.form, "PolicyArn")?;
        let no_policy = || AwsError::new(404, "NoSuchEntity", format!("Policy {arn} was not found."));
        self.world.managed_policy(self.account, arn).ok_or_else(no_policy)
    }

    fn store(&self, role: RoleRecord) -> Result<(), AwsError> {
        let account = self.account_id.to_string();
        self.world.journal.append(&Entry::Role { account, role: Box::new(role.clone()) })?;
        let name = role.name.clone();
        self.world.roles.put(self.account, &name, role);
        Ok(())
    }

    fn store_policy(&self, policy: ManagedRecord) -> Result<(), AwsError> {
        let account = self.account_id.to_string();
        self.world.journal.append(&Entry::ManagedPolicy { account, policy: Box::new(policy.clone()) })?;
        let name = policy.name.clone();
        self.world.managed.put(self.account, &name, policy);
        Ok(())
    }
}

/// The content of the action's `…Result` element.
pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<String, AwsError> {
    carry_out(world, caller, operation, &Form::read(request))
}

/// What a request does, or an AWS service for its caller.
pub(crate) fn carry_out(world: &World, caller: &Caller, operation: &str, form: &Form) -> Result<String, AwsError> {
    if operation == UNKNOWN || form.get("Version") != Some("2010-05-08") {
        let action = form.get("Action").unwrap_or("(none)");
        let message =
            format!("Could not find operation {action} for version {}", form.get("Version").unwrap_or("(none)"));
        return Err(AwsError::client("InvalidAction", message));
    }
    let known = nothing_here::parameters(operation).unwrap_or_else(|| parameters(operation));
    let fits = |name: &str| {
        let list = |known: &&str| known.ends_with('.') && name.starts_with(*known);
        matches!(name, "Action" | "Version") || known.contains(&name) || known.iter().any(list)
    };
    if let Some(name) = form.names().find(|name| !fits(name)) {
        let message = format!("The parameter {name} is unknown or not modelled by this sandbox");
        return Err(AwsError::client("ValidationError", message));
    }
    let account_id = world.organization.accounts[caller.account].id.as_str();
    let call = Call { world, caller, account: caller.account, account_id, form };
    // What is authorized and what is changed must be the same role, user or policy.
    let reads = operation.starts_with("Get") || operation.starts_with("List");
    let _writing = (!reads).then(|| lock(&world.iam_writing));
    ask::allowed(&call, caller, operation)?;
    if let Some(answer) = nothing_here::answer(&call, operation) {
        return answer;
    }
    match operation {
        "CreateRole" => roles::create(&call),
        "GetRole" => roles::get(&call),
        "UpdateRole" => roles::update(&call),
        "UpdateAssumeRolePolicy" => roles::update_trust(&call),
        "DeleteRole" => roles::delete(&call),
        "ListRoles" => roles::list(&call),
        "PutRolePolicy" => role_policies::put(&call),
        "GetRolePolicy" => role_policies::get(&call),
        "DeleteRolePolicy" => role_policies::delete(&call),
        "ListRolePolicies" => role_policies::list(&call),
        "AttachRolePolicy" => role_policies::attach(&call),
        "DetachRolePolicy" => role_policies::detach(&call),
        "ListAttachedRolePolicies" => role_policies::list_attached(&call),
        "PutRolePermissionsBoundary" => role_policies::put_boundary(&call),
        "DeleteRolePermissionsBoundary" => role_policies::delete_boundary(&call),
        "TagRole" => tags::tag(&call),
        "UntagRole" => tags::untag(&call),
        "ListRoleTags" => tags::list(&call),
        "CreatePolicy" => managed_policies::create(&call),
        "GetPolicy" => managed_policies::get(&call),
        "DeletePolicy" => managed_policies::delete(&call),
        "ListPolicies" => managed_policies::list(&call),
        "TagPolicy" => tags::tag_policy(&call),
        "CreatePolicyVersion" => policy_versions::create(&call),
        "GetPolicyVersion" => policy_versions::get(&call),
        "SetDefaultPolicyVersion" => policy_versions::set_default(&call),
        "DeletePolicyVersion" => policy_versions::delete(&call),
        "ListPolicyVersions" => policy_versions::list(&call),
        "ListEntitiesForPolicy" => entities::list(&call),
        "GetUser" => users::get(&call),
        "ListUsers" => users::list(&call),
        "ListUserPolicies" => users::list_policies(&call),
        "GetUserPolicy" => users::policy(&call),
        "ListGroupsForUser" => users::groups(&call),
        "ListAccessKeys" => users::access_keys(&call),
        "GetLoginProfile" => users::login_profile(&call),
        "ListGroups" => groups::list(&call),
        "GetGroup" => groups::get(&call),
        "ListGroupPolicies" => groups::list_policies(&call),
        "ListAttachedGroupPolicies" => groups::list_attached(&call),
        "GetAccountSummary" => account_reads::summary(&call),
        "ListAccountAliases" => account_reads::aliases(&call),
        "GetAccountPasswordPolicy" => account_reads::password_policy(&call),
        "GenerateCredentialReport" => account_reads::generate_report(),
        "GetCredentialReport" => account_reads::report(&call),
        "AttachUserPolicy" => users::attach(&call),
        "DetachUserPolicy" => users::detach(&call),
        "ListAttachedUserPolicies" => users::list_attached(&call),
        _ => authorization_details::answer(world, caller, form),
    }
}
