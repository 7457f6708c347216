//! GetAccountAuthorizationDetails: every user, group, role and managed policy of the account, with the policies' texts.
//! Of AWS's own policies those are shown that something in the account has attached.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{input, shapes};
use crate::policy::{Policy, aws_managed};
use crate::wire::error::AwsError;
use crate::wire::escape;
use crate::wire::query_xml::Form;
use crate::world::World;
use crate::world::managed_policy::{ManagedRecord, Usage};
use crate::world::role_record::RoleRecord;
use crate::world::session::Caller;
use crate::world::user_record::UserRecord;

/// The values of `Filter`, and the list in which each is shown.
const FILTERS: [(&str, &str); 5] = [
    ("User", "UserDetailList"),
    ("Group", "GroupDetailList"),
    ("Role", "RoleDetailList"),
    ("LocalManagedPolicy", "Policies"),
    ("AWSManagedPolicy", "Policies"),
];
const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];

/// What is found in one account: the items as XML.
struct Account<'a> {
    world: &'a World,
    account: usize,
    id: &'a str,
    groups: BTreeMap<String, Arc<Policy>>,
    /// The filter that takes it, and the `member` element's content.
    items: Vec<(&'static str, String)>,
}

/// `AttachedManagedPolicies`
fn attached_xml(arns: &[String]) -> String {
    let members: String = arns.iter().map(|arn| format!("<member>{}</member>", shapes::attached(arn))).collect();
    format!("<AttachedManagedPolicies>{members}</AttachedManagedPolicies>")
}

impl Account<'_> {
    fn user(&mut self, user: &UserRecord) {
        let mut xml = shapes::user(self.world.spec.partition, self.id, user);
        xml.push_str(&inline_xml("UserPolicyList", &user.policies));
        xml.push_str("<GroupList>");
        if let Some((group, policy)) = &user.group {
            self.groups.insert(group.to_string(), policy.clone());
            let _ = write!(xml, "<member>{}</member>", escape(group));
        }
        xml.push_str("</GroupList>");
        xml.push_str(&attached_xml(&user.attached));
        xml.push_str(&shapes::boundary(user.boundary.as_deref()));
        self.items.push(("User", xml));
    }

    fn group(&mut self, name: &str, policy: &Arc<Policy>) {
        let mut xml = shapes::group(self.world, self.account, self.id, name);
        xml.push_str(&inline_xml("GroupPolicyList", &[(name.to_string(), policy.text.to_string())]));
        xml.push_str("<AttachedManagedPolicies/>");
        self.items.push(("Group", xml));
    }

    fn role(&mut self, role: &RoleRecord) {
        let mut xml = shapes::role_head(self.world.spec.partition, self.id, role);
        let inline: Vec<_> = role.policies.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        xml.push_str("<InstanceProfileList/>");
        xml.push_str(&inline_xml("RolePolicyList", &inline));
        xml.push_str(&attached_xml(&role.attached));
        xml.push_str(&shapes::boundary(role.boundary.as_deref()));
        xml.push_str(&shapes::tags(&role.tags));
        xml.push_str("<RoleLastUsed/>");
        self.items.push(("Role", xml));
    }

    fn policy(&mut self, policy: &ManagedRecord, usage: Usage) {
        let mut xml = shapes::listed_policy(self.world.spec.partition, self.id, policy, usage);
        let newest_first = policy.versions.iter().rev();
        let versions: String = newest_first
            .map(|version| format!("<member>{}</member>", shapes::version(policy, version, true)))
            .collect();
        let _ = write!(xml, "<PolicyVersionList>{versions}</PolicyVersionList>");
        self.items.push((if policy.aws { "AWSManagedPolicy" } else { "LocalManagedPolicy" }, xml));
    }
}

fn inline_xml(list: &str, policies: &[(String, String)]) -> String {
    let members = policies.iter().fold(String::new(), |mut members, (name, text)| {
        let (name, text) = (escape(name), shapes::encoded(text));
        let _ =
            write!(members, "<member><PolicyName>{name}</PolicyName><PolicyDocument>{text}</PolicyDocument></member>");
        members
    });
    format!("<{list}>{members}</{list}>")
}

/// The filters asked for; all of them when none is.
fn filters(form: &Form) -> Result<Vec<&'static str>, AwsError> {
    let mut wanted = Vec::new();
    for nth in 1.. {
        let Some(name) = form.get(&format!("Filter.member.{nth}")) else { break };
        let known = FILTERS.iter().find(|(filter, _)| *filter == name).ok_or_else(|| {
            let message = format!(
                "1 validation error detected: Value '[{name}]' at 'filter' failed to satisfy constraint: Member must satisfy \
                 constraint: [Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]]"
            );
            AwsError::client("ValidationError", message)
        })?;
        wanted.push(known.0);
    }
    Ok(if wanted.is_empty() { FILTERS.iter().map(|(filter, _)| *filter).collect() } else { wanted })
}

pub(super) fn answer(world: &World, caller: &Caller, form: &Form) -> Result<String, AwsError> {
    let wanted = filters(form)?;
    let most = input::max_items(form)?;
    let account = caller.account;
    let mut found = Account {
        world,
        account,
        id: &world.organization.accounts[account].id,
        groups: BTreeMap::new(),
        items: Vec::new(),
    };
    for user in world.user_records(account) {
        found.user(&user);
    }
    for (name, policy) in std::mem::take(&mut found.groups) {
        found.group(&name, &policy);
    }
    for role in world.role_records(account).into_iter().filter(|role| world.is_known(role)) {
        found.role(&role);
    }
    let usage = world.policy_usage(account);
    let used = aws_managed::all()
        .iter()
        .filter(|policy| usage.contains_key(&policy.arn(world.spec.partition, found.id)))
        .cloned();
    for policy in world.managed_policies(account).into_iter().chain(used) {
        found.policy(&policy, usage.get(&policy.arn(world.spec.partition, found.id)).copied().unwrap_or_default());
    }
    let items: Vec<&(&str, String)> = found.items.iter().filter(|(filter, _)| wanted.contains(filter)).collect();
    let from = match form.get("Marker") {
        None => 0,
        Some(marker) => marker
            .strip_prefix("from-")
            .and_then(|at| at.parse().ok())
            .filter(|at| *at <= items.len())
            .ok_or_else(|| AwsError::client("ValidationError", "Invalid Marker."))?,
    };
    let to = (from + most).min(items.len());
    let mut xml = String::new();
    for list in LISTS {
        let _ = write!(xml, "<{list}>");
        for (filter, item) in &items[from..to] {
            if FILTERS.contains(&(*filter, list)) {
                let _ = write!(xml, "<member>{item}</member>");
            }
        }
        let _ = writeln!(xml, "</{list}>");
    }
    let more = to < items.len();
    let _ = writeln!(xml, "<IsTruncated>{more}</IsTruncated>");
    if more {
        let _ = writeln!(xml, "<Marker>from-{to}</Marker>");
    }
    Ok(xml)
}
