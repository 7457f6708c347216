//! IAM, as much as the single-account procedure needs: roles with a trust policy and inline policies.
//! What the policies allow is decided elsewhere; here they are stored texts.

mod authorization_details;

use std::fmt::Write as _;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::authorize::{Ask, authorize};
use crate::journal::Entry;
use crate::random::{KEY_ID, Random};
use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;
use crate::wire::{escape, iso8601, now_ms};
use crate::world::World;
use crate::world::created_role::CreatedRole;
use crate::world::role::Role;
use crate::world::session::Caller;

pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

pub(crate) const OPERATIONS: &[&str] = &[
    "CreateRole",
    "GetRole",
    "DeleteRole",
    "ListRoles",
    "PutRolePolicy",
    "GetRolePolicy",
    "DeleteRolePolicy",
    "ListRolePolicies",
    "GetAccountAuthorizationDetails",
];

/// RFC 3986: everything but its unreserved characters, as IAM encodes the policies it answers.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encoded(policy: &str) -> String {
    utf8_percent_encode(policy, RESERVED).to_string()
}

/// Inline policies of a role, all together, without white space.
const MOST_POLICY_CHARACTERS: usize = 10_240;
const MOST_ROLES: usize = 1000;

/// The content of the action's `…Result` element.
pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<String, AwsError> {
    let form = Form::read(request);
    if operation == UNKNOWN || form.get("Version") != Some("2010-05-08") {
        let action = form.get("Action").unwrap_or("(none)");
        let message =
            format!("Could not find operation {action} for version {}", form.get("Version").unwrap_or("(none)"));
        return Err(AwsError::client("InvalidAction", message));
    }
    let known: &[&str] = match operation {
        "CreateRole" => &["Path", "RoleName", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration"],
        "ListRoles" => &["PathPrefix", "Marker", "MaxItems"],
        "GetAccountAuthorizationDetails" => &["Marker", "MaxItems"],
        "PutRolePolicy" => &["RoleName", "PolicyName", "PolicyDocument"],
        "GetRolePolicy" | "DeleteRolePolicy" => &["RoleName", "PolicyName"],
        _ => &["RoleName"],
    };
    let fits = |name: &str| {
        matches!(name, "Action" | "Version")
            || known.contains(&name)
            || (operation == "CreateRole" && name.starts_with("Tags.member."))
            || (operation == "GetAccountAuthorizationDetails" && name.starts_with("Filter.member."))
    };
    if let Some(name) = form.names().find(|name| !fits(name)) {
        let message = format!("The parameter {name} is unknown or not modelled by this sandbox");
        return Err(AwsError::client("ValidationError", message));
    }
    let role = form.get("RoleName").unwrap_or_default();
    let arn = match operation {
        "GetAccountAuthorizationDetails" => "*".into(),
        _ => {
            let role = world.role_path(caller.account, role);
            format!("arn:aws:iam::{}:role/{role}", world.organization.accounts[caller.account].id)
        }
    };
    authorize(world, caller, &Ask::new(&format!("iam:{operation}"), arn))?;
    match operation {
        "CreateRole" => create(world, caller, &form),
        "ListRoles" => list(world, caller, &form),
        "GetAccountAuthorizationDetails" => authorization_details::answer(world, caller, &form),
        "GetRole" => {
            let name = named(&form, "RoleName", "roleName", 64)?;
            let role = world.role(caller.account, name).or_else(|| by_name(world, caller, name));
            let role = role.ok_or_else(|| no_role(name))?;
            let created = world.created_roles.get(caller.account, name);
            Ok(format!("<Role>{}</Role>\n", shape(world, caller, &role, created.as_deref())))
        }
        "DeleteRole" => {
            let role = made(world, caller, &form)?;
            if !role.policies.is_empty() {
                let message = "Cannot delete entity, must delete policies first.";
                return Err(AwsError::new(409, "DeleteConflict", message));
            }
            let account = world.organization.accounts[caller.account].id.clone();
            world.journal.append(&Entry::RoleDeleted { account, name: role.name.clone() })?;
            world.created_roles.remove(caller.account, &role.name);
            Ok(String::new())
        }
        "PutRolePolicy" => put_policy(world, caller, &form),
        "GetRolePolicy" => {
            let role = made(world, caller, &form)?;
            let (name, document) = policy(&role, &form)?;
            Ok(format!(
                "<RoleName>{}</RoleName>\n<PolicyName>{}</PolicyName>\n<PolicyDocument>{}</PolicyDocument>\n",
                role.name,
                escape(name),
                encoded(document)
            ))
        }
        "DeleteRolePolicy" => {
            let role = made(world, caller, &form)?;
            let name = policy(&role, &form)?.0.clone();
            let mut changed = CreatedRole::clone(&role);
            changed.policies.remove(&name);
            store(world, caller, changed)?;
            Ok(String::new())
        }
        _ => {
            let role = made(world, caller, &form)?;
            let names = role.policies.keys().fold(String::new(), |mut names, name| {
                let _ = write!(names, "<member>{}</member>", escape(name));
                names
            });
            Ok(format!("<PolicyNames>{names}</PolicyNames>\n<IsTruncated>false</IsTruncated>\n"))
        }
    }
}

fn no_role(name: &str) -> AwsError {
    AwsError::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}

/// A required name of letters, digits and `+=,.@_-`.
fn named<'a>(form: &'a Form, field: &str, member: &str, most: usize) -> Result<&'a str, AwsError> {
    let Some(name) = form.get(field) else {
        let message = format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        );
        return Err(AwsError::client("ValidationError", message));
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.is_empty() || name.len() > most || !name.chars().all(legal) {
        let message = format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        );
        return Err(AwsError::client("ValidationError", message));
    }
    Ok(name)
}

/// A role that CreateRole made. The generated ones cannot be changed.
fn made(world: &World, caller: &Caller, form: &Form) -> Result<Arc<CreatedRole>, AwsError> {
    let name = named(form, "RoleName", "roleName", 64)?;
    match world.created_roles.get(caller.account, name) {
        Some(role) => Ok(role),
        None if world.role(caller.account, name).is_some() => Err(AwsError::client(
            "UnmodifiableEntity",
            format!(
                "The role {name} follows from the sandbox's spec: its policies cannot be read or changed through IAM"
            ),
        )),
        None => Err(no_role(name)),
    }
}

/// GetRole takes a name whatever the path.
fn by_name(world: &World, caller: &Caller, name: &str) -> Option<Role> {
    let role = world.created_roles.get(caller.account, name)?;
    world.role(caller.account, &format!("{}{}", &role.path[1..], role.name))
}

fn policy<'a>(role: &'a CreatedRole, form: &Form) -> Result<(&'a String, &'a String), AwsError> {
    let name = named(form, "PolicyName", "policyName", 128)?;
    role.policies
        .get_key_value(name)
        .ok_or_else(|| AwsError::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found.")))
}

fn document<'a>(form: &'a Form, field: &str, member: &str) -> Result<(&'a str, Value), AwsError> {
    let Some(text) = form.get(field) else {
        let message = format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        );
        return Err(AwsError::client("ValidationError", message));
    };
    let malformed = |message: &str| AwsError::client("MalformedPolicyDocument", message);
    let value: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    let statements = super::resource_policy::statements(&value);
    if statements.is_empty() || !statements.iter().all(|s| matches!(s["Effect"].as_str(), Some("Allow" | "Deny"))) {
        return Err(malformed("Syntax errors in policy."));
    }
    Ok((text, value))
}

fn store(world: &World, caller: &Caller, role: CreatedRole) -> Result<(), AwsError> {
    let account = world.organization.accounts[caller.account].id.clone();
    world.journal.append(&Entry::Role { account, role: Box::new(role.clone()) })?;
    world.created_roles.put(caller.account, role);
    Ok(())
}

fn create(world: &World, caller: &Caller, form: &Form) -> Result<String, AwsError> {
    let name = named(form, "RoleName", "roleName", 64)?;
    let (trust, value) = document(form, "AssumeRolePolicyDocument", "assumeRolePolicyDocument")?;
    let statements = super::resource_policy::statements(&value);
    if statements.iter().any(|statement| statement.get("Resource").is_some()) {
        return Err(AwsError::client("MalformedPolicyDocument", "Has prohibited field Resource"));
    }
    if statements.iter().any(|s| s.get("Principal").is_none() && s.get("NotPrincipal").is_none()) {
        return Err(AwsError::client("MalformedPolicyDocument", "Missing required field Principal"));
    }
    let path = form.get("Path").unwrap_or("/");
    if !path.starts_with('/') || !path.ends_with('/') || path.len() > 512 || path.contains("//") {
        return Err(AwsError::client(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with /",
        ));
    }
    let seconds = match form.get("MaxSessionDuration") {
        None => 3600,
        Some(text) => text.parse().ok().filter(|s| (3600..=43_200).contains(s)).ok_or_else(|| {
            AwsError::client("ValidationError", format!("1 validation error detected: Value '{text}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200"))
        })?,
    };
    if world.role(caller.account, name).is_some() || world.created_roles.get(caller.account, name).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(AwsError::new(409, "EntityAlreadyExists", message));
    }
    if world.created_roles.list(caller.account).len() >= MOST_ROLES {
        return Err(AwsError::new(409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"));
    }
    let mut tags = Vec::new();
    for nth in 1..=50 {
        let field = |part: &str| form.get(&format!("Tags.member.{nth}.{part}")).map(String::from);
        let Some(pair) = field("Key").zip(field("Value")) else { break };
        tags.push(pair);
    }
    let mut random = Random::new(uuid::Uuid::new_v4().as_u128() as u64, "role", 0);
    let role = CreatedRole {
        name: name.into(),
        path: path.into(),
        id: format!("AROA{}", random.text(KEY_ID, 17)),
        description: form.get("Description").unwrap_or_default().into(),
        trust: trust.into(),
        max_session_seconds: seconds,
        created_ms: now_ms(),
        tags,
        policies: std::collections::BTreeMap::new(),
    };
    store(world, caller, role.clone())?;
    let full = by_name(world, caller, name).ok_or_else(|| no_role(name))?;
    Ok(format!("<Role>{}</Role>\n", shape(world, caller, &full, Some(&role))))
}

fn put_policy(world: &World, caller: &Caller, form: &Form) -> Result<String, AwsError> {
    let role = made(world, caller, form)?;
    let name = named(form, "PolicyName", "policyName", 128)?;
    let (text, value) = document(form, "PolicyDocument", "policyDocument")?;
    let statements = super::resource_policy::statements(&value);
    if statements.iter().any(|s| s.get("Principal").is_some() || s.get("NotPrincipal").is_some()) {
        return Err(AwsError::client("MalformedPolicyDocument", "Policy document should not specify a principal."));
    }
    let mut changed = CreatedRole::clone(&role);
    changed.policies.insert(name.into(), text.into());
    let characters: usize =
        changed.policies.values().map(|policy| policy.chars().filter(|c| !c.is_whitespace()).count()).sum();
    if characters > MOST_POLICY_CHARACTERS {
        let message = format!("Maximum policy size of {MOST_POLICY_CHARACTERS} bytes exceeded for role {}", role.name);
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    store(world, caller, changed)?;
    Ok(String::new())
}

/// The path of a role, with its slashes, and its name.
fn path_and_name<'a>(role: &'a Role, created: Option<&'a CreatedRole>) -> (String, &'a str) {
    match (created, role.name.rsplit_once('/')) {
        (Some(created), _) => (created.path.clone(), created.name.as_str()),
        (None, Some((path, name))) => (format!("/{path}/"), name),
        (None, None) => ("/".into(), role.name.as_str()),
    }
}

/// What the structures Role and RoleDetail begin with.
fn role_head(account: &str, role: &Role, created: Option<&CreatedRole>) -> String {
    let (path, name) = path_and_name(role, created);
    let trust =
        created.map_or_else(|| role.policies.trust(account).text.to_string(), |created| created.trust.to_string());
    format!(
        "<Path>{path}</Path><RoleName>{name}</RoleName><RoleId>{}</RoleId><Arn>arn:aws:iam::{account}:role{path}{name}</Arn>\
         <CreateDate>{}</CreateDate><AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument>",
        role.id,
        iso8601(created.map_or(1_672_531_200_000, |created| created.created_ms)),
        encoded(&trust)
    )
}

/// `Tags`, where there are some.
fn tags_xml(tags: &[(String, String)]) -> String {
    let members = tags.iter().fold(String::new(), |mut members, (key, value)| {
        let _ = write!(members, "<member><Key>{}</Key><Value>{}</Value></member>", escape(key), escape(value));
        members
    });
    if members.is_empty() { members } else { format!("<Tags>{members}</Tags>") }
}

/// The members of the Role structure.
fn shape(world: &World, caller: &Caller, role: &Role, created: Option<&CreatedRole>) -> String {
    let account = &world.organization.accounts[caller.account].id;
    let mut xml = role_head(account, role, created);
    if let Some(created) = created.filter(|created| !created.description.is_empty()) {
        let _ = write!(xml, "<Description>{}</Description>", escape(&created.description));
    }
    xml.push_str(&tags_xml(created.map_or(&[], |created| &created.tags)));
    let _ = write!(xml, "<MaxSessionDuration>{}</MaxSessionDuration>", role.policies.max_session_seconds);
    xml
}

/// `MaxItems`, or its default.
fn max_items(form: &Form) -> Result<usize, AwsError> {
    match form.get("MaxItems") {
        None => Ok(100),
        Some(text) => text.parse::<usize>().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(|| {
            AwsError::client("ValidationError", format!("1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000"))
        }),
    }
}

/// Every role of the account, generated or made, by its path and name.
fn all_roles(world: &World, account: usize) -> Vec<(String, Role, Option<Arc<CreatedRole>>)> {
    let generated = world.generated_role_names(account).into_iter();
    let generated = generated
        .filter(|name| world.created_role(account, name).is_none())
        .filter_map(|name| Some((name.clone(), world.role(account, &name)?, None)));
    let created = world.created_roles.list(account).into_iter().filter_map(|created| {
        let role = world.role(account, &format!("{}{}", &created.path[1..], created.name))?;
        Some((created.name.clone(), role, Some(created)))
    });
    let mut roles: Vec<_> = generated.chain(created).collect();
    roles.sort_by(|a, b| a.0.cmp(&b.0));
    roles
}

fn list(world: &World, caller: &Caller, form: &Form) -> Result<String, AwsError> {
    let most = max_items(form)?;
    let prefix = form.get("PathPrefix").unwrap_or("/");
    let mut roles = all_roles(world, caller.account);
    roles.retain(|(_, role, created)| path_and_name(role, created.as_deref()).0.starts_with(prefix));
    let after = form.get("Marker").unwrap_or_default();
    let mut left = roles.iter().filter(|(name, _, _)| name.as_str() > after);
    let page: Vec<_> = left.by_ref().take(most).collect();
    let more = left.next().is_some();
    let mut xml = String::from("<Roles>");
    for (_, role, created) in &page {
        let _ = write!(xml, "<member>{}</member>", shape(world, caller, role, created.as_deref()));
    }
    let _ = write!(xml, "</Roles>\n<IsTruncated>{more}</IsTruncated>\n");
    if let Some((last, _, _)) = page.last().filter(|_| more) {
        let _ = writeln!(xml, "<Marker>{last}</Marker>");
    }
    Ok(xml)
}
