//! GetAccountAuthorizationDetails: every user, group, role and managed policy of the account, with the policies' texts.
//! Of AWS's own policies those are shown that something in the account has attached.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{encoded, tags_xml};
use crate::policy::Policy;
use crate::policy::identities::{Managed, User};
use crate::random::{KEY_ID, Random};
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;
use crate::wire::{escape, iso8601};
use crate::world::World;
use crate::world::created_role::CreatedRole;
use crate::world::role::Role;
use crate::world::session::Caller;

/// When the identities of the spec were made.
const MADE_MS: i64 = 1_672_531_200_000;

/// The values of `Filter`, and the list in which each is shown.
const FILTERS: [(&str, &str); 5] = [
    ("User", "UserDetailList"),
    ("Group", "GroupDetailList"),
    ("Role", "RoleDetailList"),
    ("LocalManagedPolicy", "Policies"),
    ("AWSManagedPolicy", "Policies"),
];
const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];

/// A managed policy and what hangs on it.
struct Detail {
    managed: Managed,
    policy: Arc<Policy>,
    attached: usize,
    boundaries: usize,
}

/// What is found in one account: the items as XML, and the managed policies on the way.
struct Account<'a> {
    world: &'a World,
    account: usize,
    id: &'a str,
    managed: BTreeMap<String, Detail>,
    groups: BTreeMap<String, Arc<Policy>>,
    /// The filter that takes it, and the `member` element's content.
    items: Vec<(&'static str, String)>,
}

impl Account<'_> {
    fn note(&mut self, managed: &Managed, policy: &Arc<Policy>) -> &mut Detail {
        let arn = managed.arn(self.id);
        let detail = || Detail { managed: managed.clone(), policy: policy.clone(), attached: 0, boundaries: 0 };
        self.managed.entry(arn).or_insert_with(detail)
    }

    /// `AttachedManagedPolicies`
    fn attached(&mut self, managed: Option<&Managed>, identity: &[Arc<Policy>]) -> String {
        let mut xml = String::from("<AttachedManagedPolicies>");
        if let (Some(managed), Some(policy)) = (managed, identity.first()) {
            self.note(managed, policy).attached += 1;
            let (name, arn) = (escape(&managed.name), managed.arn(self.id));
            let _ = write!(xml, "<member><PolicyName>{name}</PolicyName><PolicyArn>{arn}</PolicyArn></member>");
        }
        xml.push_str("</AttachedManagedPolicies>");
        xml
    }

    /// A boundary is a managed policy too: here it is named after whom it binds.
    fn boundary(&mut self, of: &str, boundary: Option<&Arc<Policy>>) -> String {
        let Some(policy) = boundary else { return String::new() };
        let managed = Managed { name: format!("{of}-boundary").into(), aws: false };
        self.note(&managed, policy).boundaries += 1;
        format!(
            "<PermissionsBoundary><PermissionsBoundaryType>PermissionsBoundaryPolicy</PermissionsBoundaryType>\
             <PermissionsBoundaryArn>{}</PermissionsBoundaryArn></PermissionsBoundary>",
            managed.arn(self.id)
        )
    }

    fn user(&mut self, user: &User) {
        let (name, policies) = (&user.name, &user.policies);
        let mut xml = format!(
            "<Path>/</Path><UserName>{name}</UserName><UserId>{}</UserId><Arn>arn:aws:iam::{}:user/{name}</Arn>\
             <CreateDate>{}</CreateDate>",
            user.id,
            self.id,
            iso8601(MADE_MS)
        );
        let inline: &[_] =
            if policies.managed.is_none() && policies.group.is_none() { &policies.identity } else { &[] };
        xml.push_str(&inline_xml("UserPolicyList", &named(name, inline)));
        xml.push_str("<GroupList>");
        if let (Some(group), Some(policy)) = (&policies.group, policies.identity.first()) {
            self.groups.insert(group.to_string(), policy.clone());
            let _ = write!(xml, "<member>{}</member>", escape(group));
        }
        xml.push_str("</GroupList>");
        xml.push_str(&self.attached(policies.managed.as_ref(), &policies.identity));
        xml.push_str(&self.boundary(name, policies.boundary.as_ref()));
        self.items.push(("User", xml));
    }

    fn group(&mut self, name: &str, policy: &Arc<Policy>) {
        let id = Random::new(self.world.spec.seed, &format!("group {name}"), self.account as u64).text(KEY_ID, 17);
        let mut xml = format!(
            "<Path>/</Path><GroupName>{name}</GroupName><GroupId>AGPA{id}</GroupId>\
             <Arn>arn:aws:iam::{}:group/{name}</Arn><CreateDate>{}</CreateDate>",
            self.id,
            iso8601(MADE_MS)
        );
        xml.push_str(&inline_xml("GroupPolicyList", &[(name.to_string(), policy.text.to_string())]));
        xml.push_str("<AttachedManagedPolicies/>");
        self.items.push(("Group", xml));
    }

    fn role(&mut self, role: &Role, created: Option<&CreatedRole>) {
        let mut xml = super::role_head(self.id, role, created);
        let policies = &role.policies;
        let inline = match created {
            Some(created) => created.policies.iter().map(|(name, text)| (name.clone(), text.clone())).collect(),
            None if policies.managed.is_some() => Vec::new(),
            None => named(super::path_and_name(role, None).1, &policies.identity),
        };
        xml.push_str("<InstanceProfileList/>");
        xml.push_str(&inline_xml("RolePolicyList", &inline));
        xml.push_str(&self.attached(policies.managed.as_ref(), &policies.identity));
        xml.push_str(&self.boundary(super::path_and_name(role, created).1, policies.boundary.as_ref()));
        xml.push_str(&tags_xml(created.map_or(&[], |created| &created.tags)));
        xml.push_str("<RoleLastUsed/>");
        self.items.push(("Role", xml));
    }

    fn policy(&mut self, arn: &str, detail: &Detail) {
        let Detail { managed, policy, attached, boundaries } = detail;
        let id = Random::new(self.world.spec.seed, arn, self.account as u64).text(KEY_ID, 17);
        let made = iso8601(MADE_MS);
        let xml = format!(
            "<PolicyName>{}</PolicyName><PolicyId>ANPA{id}</PolicyId><Arn>{arn}</Arn><Path>/</Path>\
             <DefaultVersionId>v1</DefaultVersionId><AttachmentCount>{attached}</AttachmentCount>\
             <PermissionsBoundaryUsageCount>{boundaries}</PermissionsBoundaryUsageCount>\
             <IsAttachable>true</IsAttachable><CreateDate>{made}</CreateDate><UpdateDate>{made}</UpdateDate>\
             <PolicyVersionList><member><Document>{}</Document><VersionId>v1</VersionId>\
             <IsDefaultVersion>true</IsDefaultVersion><CreateDate>{made}</CreateDate></member></PolicyVersionList>",
            escape(&managed.name),
            encoded(&policy.text)
        );
        self.items.push((if managed.aws { "AWSManagedPolicy" } else { "LocalManagedPolicy" }, xml));
    }
}

/// Inline policies without names of their own are named after whom they belong to.
fn named(owner: &str, policies: &[Arc<Policy>]) -> Vec<(String, String)> {
    let name = |nth: usize| if nth == 0 { owner.to_string() } else { format!("{owner}-{}", nth + 1) };
    policies.iter().enumerate().map(|(nth, policy)| (name(nth), policy.text.to_string())).collect()
}

fn inline_xml(list: &str, policies: &[(String, String)]) -> String {
    let members = policies.iter().fold(String::new(), |mut members, (name, text)| {
        let (name, text) = (escape(name), encoded(text));
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
    let most = super::max_items(form)?;
    let account = caller.account;
    let mut found = Account {
        world,
        account,
        id: &world.organization.accounts[account].id,
        managed: BTreeMap::new(),
        groups: BTreeMap::new(),
        items: Vec::new(),
    };
    for user in world.users(account) {
        found.user(&user);
    }
    for (name, policy) in std::mem::take(&mut found.groups) {
        found.group(&name, &policy);
    }
    for (_, role, created) in super::all_roles(world, account) {
        found.role(&role, created.as_deref());
    }
    for (arn, detail) in std::mem::take(&mut found.managed) {
        found.policy(&arn, &detail);
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
