//! Whether the caller may: the action, the resource it is on, and the condition keys that IAM adds.

use super::{Call, input, tags, users};
use crate::authorize::{Ask, authorize, refused};
use crate::wire::error::AwsError;
use crate::world::session::Caller;

/// What an operation is about.
enum Subject<'a> {
    Role(&'a str),
    User(&'a str),
    /// A role or policy that is yet to be made, or a list of them.
    Of(String),
    Policy(&'a str),
    Everything,
}

fn subject<'a>(call: &'a Call<'_>, operation: &str) -> Result<Subject<'a>, AwsError> {
    let (form, account) = (call.form, call.account_id);
    let partition = call.world.spec.partition;
    let new = |kind: &str, name: &str| {
        let path = form.get("Path").unwrap_or("/");
        partition.iam_arn(account, format_args!("{kind}{path}{}", form.get(name).unwrap_or_default()))
    };
    Ok(match operation {
        "GetAccountAuthorizationDetails"
        | "GetAccountSummary"
        | "ListAccountAliases"
        | "GetAccountPasswordPolicy"
        | "GenerateCredentialReport"
        | "GetCredentialReport"
        | "ListOpenIDConnectProviders"
        | "ListSAMLProviders"
        | "ListServerCertificates"
        | "ListVirtualMFADevices"
        | "ListInstanceProfiles" => Subject::Everything,
        "ListGroups" => Subject::Of(partition.iam_arn(account, "group/")),
        _ if operation.contains("Group") && !operation.contains("User") => {
            let name = form.get("GroupName").unwrap_or_default();
            Subject::Of(partition.iam_arn(account, format_args!("group/{name}")))
        }
        "CreateRole" => Subject::Of(new("role", "RoleName")),
        "CreatePolicy" => Subject::Of(new("policy", "PolicyName")),
        "ListRoles" => Subject::Of(partition.iam_arn(account, "role/")),
        "ListPolicies" => Subject::Of(partition.iam_arn(account, "policy/")),
        "ListUsers" => Subject::Of(partition.iam_arn(account, "user/")),
        "GetUser"
        | "GetLoginProfile"
        | "ListAccessKeys"
        | "ListMFADevices"
        | "ListServiceSpecificCredentials"
        | "ListSigningCertificates"
        | "ListSSHPublicKeys"
        | "ListUserTags" => Subject::User(users::asked_for(call)?),
        _ if operation.contains("User") => Subject::User(form.get("UserName").unwrap_or_default()),
        _ if operation.contains("Role") => Subject::Role(form.get("RoleName").unwrap_or_default()),
        _ => Subject::Policy(input::policy_arn(partition, form, "PolicyArn")?),
    })
}

/// # Errors
/// AccessDenied; and what is wrong with a parameter that the question needs.
pub(super) fn allowed(call: &Call<'_>, caller: &Caller, operation: &str) -> Result<(), AwsError> {
    let mut keys: Vec<(String, String)> = Vec::new();
    let (world, form) = (call.world, call.form);
    let given = tags::given(form)?;
    for (name, value) in &given {
        keys.push((format!("aws:RequestTag/{name}"), value.clone()));
        keys.push(("aws:TagKeys".into(), name.clone()));
    }
    keys.extend(tags::given_keys(form).into_iter().map(|name| ("aws:TagKeys".to_string(), name)));
    let action = format!("iam:{operation}");
    let mut boundary = form.get("PermissionsBoundary").map(String::from);
    let (resource, of) = match subject(call, operation)? {
        Subject::Everything => ("*".to_string(), None),
        Subject::Of(arn) => (arn, None),
        Subject::Role(name) => {
            let record = world.role_record(call.account, name);
            let arn = record.as_ref().map_or_else(
                || world.spec.partition.iam_arn(call.account_id, format_args!("role/{name}")),
                |role| role.arn(world.spec.partition, call.account_id),
            );
            if let Some(role) = record {
                keys.extend(resource_tags(&role.tags));
                // Of a role that has none the key is absent.
                boundary = boundary.or_else(|| role.boundary.clone());
            }
            (arn, None)
        }
        Subject::User(name) => {
            let record = world.user_record(call.account, name);
            let arn = record.as_ref().map_or_else(
                || world.spec.partition.iam_arn(call.account_id, format_args!("user/{name}")),
                |user| user.arn(world.spec.partition, call.account_id),
            );
            boundary = record.and_then(|user| user.boundary);
            (arn, None)
        }
        Subject::Policy(arn) => {
            if let Some(policy) = world.managed_policy(call.account, arn) {
                keys.extend(resource_tags(&policy.tags));
            }
            (arn.to_string(), arn.split(':').nth(4))
        }
    };
    let hangs = operation.starts_with("Attach") || operation.starts_with("Detach");
    if let Some(arn) = form.get("PolicyArn").filter(|_| hangs) {
        keys.push(("iam:PolicyARN".into(), arn.into()));
    }
    if let Some(boundary) = boundary {
        keys.push(("iam:PermissionsBoundary".into(), boundary));
    }
    // AWS's own policies can be read by everyone and changed by nobody, another account's are not even shown.
    let reads = operation.starts_with("Get") || operation.starts_with("List");
    if of.is_some_and(|of| of != call.account_id && !(reads && of == "aws")) {
        return Err(refused(caller.into(), &Ask::new(&action, resource.clone()), None));
    }
    authorize(world, caller, &question(&action, &resource, &keys))?;
    // Who makes a thing with tags needs the right to tag it as well.
    match operation {
        "CreateRole" if !given.is_empty() => authorize(world, caller, &question("iam:TagRole", &resource, &keys)),
        "CreatePolicy" if !given.is_empty() => authorize(world, caller, &question("iam:TagPolicy", &resource, &keys)),
        _ => Ok(()),
    }
}

fn question<'a>(action: &'a str, resource: &'a str, keys: &'a [(String, String)]) -> Ask<'a> {
    keys.iter().fold(Ask::new(action, resource), |ask, (name, value)| ask.key(name, value.as_str()))
}

fn resource_tags(tags: &[(String, String)]) -> impl Iterator<Item = (String, String)> + '_ {
    let both = |(name, value): &(String, String)| {
        [(format!("aws:ResourceTag/{name}"), value.clone()), (format!("iam:ResourceTag/{name}"), value.clone())]
    };
    tags.iter().flat_map(both)
}
