//! Organizations: the reads that a delegated administrator may make. Nothing here changes the organization.

mod policies;

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
    "ListAccounts",
    "ListRoots",
    "ListOrganizationalUnitsForParent",
    "ListAccountsForParent",
    "ListParents",
    "ListTagsForResource",
    "ListPoliciesForTarget",
    "DescribePolicy",
];

pub(crate) fn answer(world: &World, caller: &Caller, operation: &str, input: &mut Input) -> Result<Value, AwsError> {
    let organization = &world.organization;
    let action = format!("organizations:{operation}");
    let ask = Ask::new(&action, resource(world, input)).in_region("us-east-1");
    authorize(world, caller, &ask)?;
    // Every member may ask which organization it is in; the rest is for the management account and delegated administrators.
    if operation != "DescribeOrganization"
        && ![Organization::MANAGEMENT, Organization::SECURITY].contains(&caller.account)
    {
        return Err(AwsError::client("AccessDeniedException", "You don't have permissions to access this resource."));
    }
    match operation {
        "DescribeOrganization" => {
            input.finish()?;
            Ok(describe(world))
        }
        "ListAccounts" => {
            let all: Vec<usize> = (0..organization.accounts.len()).collect();
            page(input, "Accounts", &all, |index| account(world, &organization.accounts[*index]))
        }
        "ListRoots" => page(input, "Roots", &[()], |()| {
            json!({
                "Id": organization.root,
                "Arn": arn(world, &format!("root/{}/{}", organization.id, organization.root)),
                "Name": "Root",
                "PolicyTypes": policies::types(),
            })
        }),
        "ListOrganizationalUnitsForParent" => {
            let parent = parent(world, input)?;
            let below: Vec<u32> = (0..organization.ous.len() as u32)
                .filter(|index| organization.ous[*index as usize].parent == parent)
                .collect();
            page(input, "OrganizationalUnits", &below, |index| {
                let ou = &organization.ous[*index as usize];
                json!({
                    "Id": ou.id,
                    "Arn": arn(world, &format!("ou/{}/{}", organization.id, ou.id)),
                    "Name": ou.name,
                    "Path": organization.ou_path(Some(*index)),
                })
            })
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
        "DescribePolicy" => policies::describe(world, input),
        _ => {
            let resource = input.required_text("ResourceId")?;
            let tags: &[(&str, String)] = match organization.find(&resource) {
                Some(index) => &organization.accounts[index].tags,
                None if resource == organization.root || organization.find_ou(&resource).is_some() => &[],
                None => {
                    return Err(AwsError::client(
                        "TargetNotFoundException",
                        "You specified a target that doesn't exist.",
                    ));
                }
            };
            page(input, "Tags", tags, |(key, value)| json!({ "Key": key, "Value": value }))
        }
    }
}

/// The ARN that IAM checks: of the parent, child or resource that the request names.
fn resource(world: &World, input: &Input) -> String {
    let organization = &world.organization;
    if let Some(id) = input.peek_text("PolicyId") {
        return policies::resource(world, id);
    }
    let Some(id) = ["ParentId", "ChildId", "ResourceId", "TargetId"].iter().find_map(|member| input.peek_text(member))
    else {
        return "*".into();
    };
    let kind = match id {
        _ if id.starts_with("r-") => "root",
        _ if id.starts_with("ou-") => "ou",
        _ => "account",
    };
    arn(world, &format!("{kind}/{}/{id}", organization.id))
}

/// One page of a list. The token is the place of the next item, marked with the list's name so that it serves no other.
fn page<T>(input: &mut Input, list: &str, items: &[T], shape: impl Fn(&T) -> Value) -> Result<Value, AwsError> {
    let most = input.max_results(20)?;
    let invalid = || {
        AwsError::client("InvalidInputException", "You specified an invalid value.")
            .with("Reason", "INVALID_NEXT_TOKEN")
    };
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

fn arn(world: &World, resource: &str) -> String {
    format!("arn:aws:organizations::{}:{resource}", world.management_account().id)
}

fn email(account: &Account) -> String {
    let local: String = account.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(30).collect();
    format!("aws+{local}@example.com")
}

fn account(world: &World, account: &Account) -> Value {
    let organization = &world.organization;
    json!({
        "Id": account.id,
        "Arn": arn(world, &format!("account/{}/{}", organization.id, account.id)),
        "Email": email(account),
        "Name": account.name,
        "Status": account.status(),
        "State": account.state,
        "Paths": [format!("{}{}/", organization.ou_path(account.ou), account.id)],
        "JoinedMethod": if account.id == world.management_account().id { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": epoch(i64::from(account.joined) * 1000),
    })
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
        "AvailablePolicyTypes": policies::types(),
    }})
}
