//! Organizations: the reads that a delegated administrator may make, and what the management account alone may change.
//! Accounts and organizational units stay as they were made.

mod attachments;
mod delegation;
mod policies;
mod policy_writes;
mod tags;

use serde_json::{Value, json};

use crate::authorize::{Ask, authorize};
use crate::wire::epoch;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::organization::{Account, Organization};
use crate::world::session::Caller;

pub(crate) const OPERATIONS: &[&str] = &[
    "DescribeOrganization",
    "DescribeAccount",
    "DescribeOrganizationalUnit",
    "ListAccounts",
    "ListRoots",
    "ListOrganizationalUnitsForParent",
    "ListAccountsForParent",
    "ListParents",
    "ListTagsForResource",
    "ListPoliciesForTarget",
    "ListPolicies",
    "ListTargetsForPolicy",
    "DescribePolicy",
    "ListAWSServiceAccessForOrganization",
    "ListDelegatedAdministrators",
    "ListDelegatedServicesForAccount",
    "CreatePolicy",
    "UpdatePolicy",
    "DeletePolicy",
    "AttachPolicy",
    "DetachPolicy",
    "EnablePolicyType",
    "DisablePolicyType",
    "EnableAWSServiceAccess",
    "DisableAWSServiceAccess",
    "RegisterDelegatedAdministrator",
    "DeregisterDelegatedAdministrator",
    "TagResource",
    "UntagResource",
];

/// Where the operations that change something begin in the list above.
const WRITES_FROM: usize = 16;

pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, input: &mut Input) -> Result<Value, AwsError> {
    let organization = &world.organization;
    let action = format!("organizations:{operation}");
    for resource in resources(world, input) {
        authorize(world, caller, &with_keys(Ask::new(&action, resource).in_region(region(world)), input))?;
    }
    let writes = OPERATIONS[WRITES_FROM..].contains(&operation);
    // Every member may ask which organization it is in. The reads are for the management account and delegated
    // administrators. Those may write where a resource policy of the organization says so; there is none here.
    let may = match operation {
        "DescribeOrganization" => true,
        _ if caller.account == Organization::MANAGEMENT => true,
        _ => !writes && delegation::is_administrator(world, caller.account),
    };
    if !may {
        return Err(AwsError::client("AccessDeniedException", "You don't have permissions to access this resource."));
    }
    let _alone = writes.then(|| world.organization_state.one_at_a_time());
    match operation {
        "DescribeOrganization" => {
            input.finish()?;
            Ok(describe(world))
        }
        "DescribeAccount" => {
            let id = input.required_text("AccountId")?;
            input.finish()?;
            let found = organization.find(&id).ok_or_else(|| {
                AwsError::client("AccountNotFoundException", "You specified an account that doesn't exist.")
            })?;
            Ok(json!({ "Account": account(world, &organization.accounts[found]) }))
        }
        "DescribeOrganizationalUnit" => {
            let id = input.required_text("OrganizationalUnitId")?;
            input.finish()?;
            let found = organization.find_ou(&id).ok_or_else(|| {
                AwsError::client(
                    "OrganizationalUnitNotFoundException",
                    "You specified an organizational unit that doesn't exist.",
                )
            })?;
            Ok(json!({ "OrganizationalUnit": unit(world, found) }))
        }
        "ListAccounts" => {
            let all: Vec<usize> = (0..organization.accounts.len()).collect();
            page(input, "Accounts", &all, |index| account(world, &organization.accounts[*index]))
        }
        "ListRoots" => page(input, "Roots", &[()], |()| root(world)),
        "ListOrganizationalUnitsForParent" => {
            let parent = parent(world, input)?;
            let below: Vec<u32> = (0..organization.ous.len() as u32)
                .filter(|index| organization.ous[*index as usize].parent == parent)
                .collect();
            page(input, "OrganizationalUnits", &below, |index| unit(world, *index))
        }
        "ListAccountsForParent" => {
            let parent = parent(world, input)?;
            let below: Vec<&Account> = organization.accounts.iter().filter(|a| a.ou == parent).collect();
            page(input, "Accounts", &below, |found| account(world, found))
        }
        "ListParents" => {
            let child = input.required_text("ChildId")?;
            let parent = match organization.find_ou(&child) {
                Some(ou) => organization.ous[ou as usize].parent,
                None => {
                    let found = organization.find(&child).ok_or_else(|| {
                        AwsError::client("ChildNotFoundException", "You specified a child that doesn't exist.")
                    })?;
                    organization.accounts[found].ou
                }
            };
            page(input, "Parents", &[parent], |parent| match parent {
                Some(ou) => json!({ "Id": organization.ous[*ou as usize].id, "Type": "ORGANIZATIONAL_UNIT" }),
                None => json!({ "Id": organization.root, "Type": "ROOT" }),
            })
        }
        "ListPoliciesForTarget" => policies::for_target(world, input),
        "ListPolicies" => policies::list(world, input),
        "ListTargetsForPolicy" => policies::targets(world, input),
        "DescribePolicy" => policies::describe(world, input),
        "ListAWSServiceAccessForOrganization" => delegation::services(world, input),
        "ListDelegatedAdministrators" => delegation::administrators(world, input),
        "ListDelegatedServicesForAccount" => delegation::services_of(world, input),
        "CreatePolicy" => policy_writes::create(world, caller, input),
        "UpdatePolicy" => policy_writes::update(world, input),
        "DeletePolicy" => policy_writes::delete(world, input),
        "AttachPolicy" => attachments::attach(world, input),
        "DetachPolicy" => attachments::detach(world, input),
        "EnablePolicyType" => attachments::enable_type(world, input, true),
        "DisablePolicyType" => attachments::enable_type(world, input, false),
        "EnableAWSServiceAccess" => delegation::trust(world, input, true),
        "DisableAWSServiceAccess" => delegation::trust(world, input, false),
        "RegisterDelegatedAdministrator" => delegation::register(world, input),
        "DeregisterDelegatedAdministrator" => delegation::deregister(world, input),
        "TagResource" => tags::add(world, input),
        "UntagResource" => tags::remove(world, input),
        _ => tags::list(world, input),
    }
}

/// The ARNs that IAM checks: of what the request names, a policy and its target both, or everything.
fn resources(world: &World, input: &Input) -> Vec<String> {
    let organization = &world.organization;
    let named =
        ["PolicyId", "OrganizationalUnitId", "ParentId", "ChildId", "ResourceId", "TargetId", "RootId", "AccountId"];
    let of = |id: &str| {
        let kind = match id {
            _ if id.starts_with("p-") => return policies::resource(world, id),
            _ if id.starts_with("r-") => "root",
            _ if id.starts_with("ou-") => "ou",
            _ => "account",
        };
        arn(world, &format!("{kind}/{}/{id}", organization.id))
    };
    let found: Vec<String> = named.iter().filter_map(|member| input.peek_text(member)).map(of).collect();
    if found.is_empty() { vec!["*".into()] } else { found }
}

/// The service's own condition keys, as far as the request has them.
fn with_keys<'a>(ask: Ask<'a>, input: &Input) -> Ask<'a> {
    let keys = [
        ("organizations:PolicyType", ["Type", "PolicyType", "Filter"].as_slice()),
        ("organizations:ServicePrincipal", ["ServicePrincipal"].as_slice()),
    ];
    keys.into_iter().fold(ask, |ask, (key, members)| {
        let value = members.iter().find_map(|member| input.peek_text(member)).map(String::from);
        match value {
            Some(value) => ask.key(key, value),
            None => ask,
        }
    })
}

fn root(world: &World) -> Value {
    let organization = &world.organization;
    json!({
        "Id": organization.root,
        "Arn": arn(world, &format!("root/{}/{}", organization.id, organization.root)),
        "Name": "Root",
        "PolicyTypes": policies::types(world),
    })
}

fn invalid(reason: &str) -> AwsError {
    AwsError::client("InvalidInputException", "You specified an invalid value.").with("Reason", reason)
}

/// A limit of the organization's that is reached, or a rule of its own.
fn constraint(reason: &str, message: &str) -> AwsError {
    AwsError::client("ConstraintViolationException", message).with("Reason", reason)
}

/// One page of a list. The token is the place of the next item, marked with the list's name so that it serves no other.
fn page<T>(input: &mut Input, list: &str, items: &[T], shape: impl Fn(&T) -> Value) -> Result<Value, AwsError> {
    let most = input.max_results(20)?;
    let invalid = || invalid("INVALID_NEXT_TOKEN");
    let from = match input.text("NextToken")? {
        None => 0,
        Some(token) => token
            .strip_prefix(list)
            .and_then(|rest| usize::from_str_radix(rest.strip_prefix('.')?, 16).ok())
            .filter(|from| *from < items.len())
            .ok_or_else(invalid)?,
    };
    input.finish()?;
    let to = (from + most).min(items.len());
    let mut output = json!({ list: items[from..to].iter().map(shape).collect::<Vec<_>>() });
    if to < items.len() {
        output["NextToken"] = json!(format!("{list}.{to:x}"));
    }
    Ok(output)
}

fn parent(world: &World, input: &mut Input) -> Result<Option<u32>, AwsError> {
    let id = input.required_text("ParentId")?;
    if id == world.organization.root {
        return Ok(None);
    }
    world
        .organization
        .find_ou(&id)
        .map(Some)
        .ok_or_else(|| AwsError::client("ParentNotFoundException", "You specified parent that doesn't exist."))
}

/// The Region that serves Organizations in this partition.
fn region(world: &World) -> &'static str {
    world.spec.partition.global_region("organizations").unwrap_or_default()
}

fn arn(world: &World, resource: &str) -> String {
    world.spec.partition.arn("organizations", "", &world.management_account().id, resource)
}

fn email(account: &Account) -> String {
    let local: String = account.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(30).collect();
    format!("aws+{local}@example.com")
}

fn unit(world: &World, index: u32) -> Value {
    let organization = &world.organization;
    let ou = &organization.ous[index as usize];
    json!({
        "Id": ou.id,
        "Arn": arn(world, &format!("ou/{}/{}", organization.id, ou.id)),
        "Name": ou.name,
        "Path": organization.ou_path(Some(index)),
    })
}

fn account(world: &World, account: &Account) -> Value {
    let organization = &world.organization;
    let mut shape = json!({
        "Id": account.id,
        "Arn": arn(world, &format!("account/{}/{}", organization.id, account.id)),
        "Email": email(account),
        "Name": account.name,
        "Status": account.status(),
        "State": account.state,
        "Paths": [format!("{}{}/", organization.ou_path(account.ou), account.id)],
        "JoinedMethod": if account.id == world.management_account().id { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": epoch(i64::from(account.joined) * 1000),
    });
    if let (false, Some(members)) = (world.spec.account_paths, shape.as_object_mut()) {
        members.remove("Paths");
    }
    shape
}

fn describe(world: &World) -> Value {
    let organization = &world.organization;
    let management = world.management_account();
    json!({ "Organization": {
        "Id": organization.id,
        "Arn": arn(world, &format!("organization/{}", organization.id)),
        "FeatureSet": "ALL",
        "MasterAccountArn": arn(world, &format!("account/{}/{}", organization.id, management.id)),
        "MasterAccountId": management.id,
        "MasterAccountEmail": email(management),
        "AvailablePolicyTypes": policies::available_types(),
    }})
}
