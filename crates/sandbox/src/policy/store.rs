//! Where policies come from: those of the spec or the shipped ones, shared by all accounts, and on top of them the few
//! that were changed since. Which policies a caller has is looked up at each call, so that a change holds for sessions too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::described::{self, Roles};
use super::identities::{Managed, Users};
use super::shipped::{self, Names, checked};
use super::{Kind, Policy};
use crate::spec::{ControlPolicySpec, Spec};
use crate::world::World;
use crate::world::key::{Key, KeyKind};
use crate::world::lock::{read, write};
use crate::world::organization::Organization;
use crate::world::records::Written;
use crate::world::role_record::RoleRecord;

/// Who may assume a role.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    Same(Arc<Policy>),
    /// MEMBER-ACCOUNT stands for the role's own account.
    ByAccount(Arc<str>),
}

/// The policies of a role.
#[derive(Debug, Clone)]
pub(crate) struct RolePolicies {
    pub(super) trust: Trust,
    pub(crate) identity: Vec<Arc<Policy>>,
    /// Present when the identity policy is an attached managed one, and no inline one.
    pub(crate) managed: Option<Managed>,
    pub(crate) boundary: Option<Arc<Policy>>,
    pub(crate) max_session_seconds: u32,
}

impl RolePolicies {
    /// Of a role that somebody made.
    pub(crate) fn made(
        trust: Arc<Policy>,
        identity: Vec<Arc<Policy>>,
        boundary: Option<Arc<Policy>>,
        max_session_seconds: u32,
    ) -> RolePolicies {
        RolePolicies { trust: Trust::Same(trust), identity, managed: None, boundary, max_session_seconds }
    }

    pub(crate) fn trust(&self, account_id: &str) -> Arc<Policy> {
        match &self.trust {
            Trust::Same(policy) => policy.clone(),
            Trust::ByAccount(text) => checked(Kind::Trust, &text.replace("MEMBER-ACCOUNT", account_id)),
        }
    }
}

/// What a control policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Root,
    Ou(u32),
    Account(usize),
}

/// An attached service or resource control policy.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) keeps_full_access: bool,
    pub(crate) policy: Arc<Policy>,
}

impl Control {
    fn new(kind: Kind, spec: &ControlPolicySpec, organization: &Organization) -> Result<Control, String> {
        Ok(Control {
            name: spec.name.clone(),
            targets: targets(organization, &spec.targets).map_err(|target| format!("there is no target {target}"))?,
            keeps_full_access: spec.keeps_full_access,
            policy: Arc::new(Policy::load(kind, &spec.document)?),
        })
    }
}

/// Finds what a control policy is attached to.
///
/// # Errors
/// The first target that is not there.
pub(crate) fn targets(organization: &Organization, names: &[String]) -> Result<Vec<Target>, String> {
    let mut found = Vec::new();
    for name in names {
        let before = found.len();
        if name == "root" || *name == organization.root {
            found.push(Target::Root);
        }
        let ous = organization.ous.iter().enumerate().filter(|(_, ou)| ou.id == *name || ou.name == *name);
        found.extend(ous.map(|(index, _)| Target::Ou(index as u32)));
        let accounts = organization.accounts.iter().enumerate().filter(|(_, a)| a.id == *name || a.name == *name);
        found.extend(accounts.map(|(index, _)| Target::Account(index)));
        if found.len() == before {
            return Err(name.clone());
        }
    }
    Ok(found)
}

/// What differs from the generated policies.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) roles: Roles,
    caller: Option<Vec<Arc<Policy>>>,
    scps: Vec<Control>,
    rcps: Vec<Control>,
}

/// All policies of the organization.
#[derive(Debug)]
pub(crate) struct Permissions {
    member: Arc<RolePolicies>,
    automation: Arc<RolePolicies>,
    /// OrganizationAccountAccessRole
    administrator: Arc<RolePolicies>,
    caller_role: Arc<RolePolicies>,
    caller: Vec<Arc<Policy>>,
    full_access: Arc<Policy>,
    central_key: Arc<Policy>,
    pub(super) users: Users,
    changes: RwLock<Arc<Changes>>,
    /// By kind and text: a campaign hands the same session policy to each of its sessions, and who stores a policy as text
    /// need not read it at each request.
    loaded: RwLock<HashMap<Kind, HashMap<String, Arc<Policy>>>>,
}

/// So many texts of a kind are remembered.
const MOST_LOADED: usize = 4_096;

impl Permissions {
    /// Of a spec that was checked.
    pub(crate) fn new(spec: &Spec, organization: &Organization, external_id: &str) -> Permissions {
        let security = organization.accounts[Organization::SECURITY].id.as_str();
        let management = organization.accounts[Organization::MANAGEMENT].id.as_str();
        let names = Names::new(spec, security, external_id);
        let own = &spec.policies;
        let identity = |text: &Option<String>, shipped: &str| match text {
            Some(text) => checked(Kind::Identity, text),
            None => checked(Kind::Identity, &names.put_into(shipped)),
        };
        let boundary = |text: &Option<String>| text.as_ref().map(|text| checked(Kind::Identity, text));
        let member_trust = own.member_trust.as_ref().map_or_else(|| names.member_trust(), |text| names.put_into(text));
        let automation_trust = own.automation_trust.as_deref().unwrap_or(shipped::AUTOMATION_TRUST);
        let administrator = checked(Kind::Identity, shipped::ADMINISTRATOR);
        let caller = match &own.caller {
            Some(text) => vec![checked(Kind::Identity, text)],
            None => vec![identity(&None, shipped::CALLER), checked(Kind::Identity, shipped::OWN_ACCOUNT)],
        };
        let by_account = |account: &str, actions: &[&str]| {
            Trust::Same(checked(Kind::Trust, &shipped::trust(&format!("arn:aws:iam::{account}:root"), actions)))
        };
        let user = format!("arn:aws:iam::{security}:user/{}", shipped::CALLER_NAME);
        let caller_trust = shipped::trust(&user, &["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
        let key =
            spec.central_key.policy.clone().unwrap_or_else(|| {
                shipped::central_key(security, &organization.id, spec.central_key.admits_organization)
            });
        let controls = |kind, specs: &[ControlPolicySpec]| {
            specs.iter().filter_map(|spec| Control::new(kind, spec, organization).ok()).collect()
        };
        let (roles, users) = described::identities(spec, organization);
        let changes =
            Changes { roles, caller: None, scps: controls(Kind::Scp, &spec.scp), rcps: controls(Kind::Rcp, &spec.rcp) };
        Permissions {
            member: Arc::new(RolePolicies {
                trust: Trust::Same(checked(Kind::Trust, &member_trust)),
                identity: vec![identity(&own.member_role, shipped::MEMBER_ROLLOUT)],
                managed: None,
                boundary: boundary(&own.member_boundary),
                max_session_seconds: spec.member_role.max_session_seconds,
            }),
            automation: Arc::new(RolePolicies {
                trust: Trust::ByAccount(names.put_into(automation_trust).into()),
                identity: vec![identity(&own.automation_role, shipped::AUTOMATION)],
                managed: None,
                boundary: boundary(&own.automation_boundary),
                max_session_seconds: 3600,
            }),
            administrator: Arc::new(RolePolicies {
                trust: by_account(management, &["sts:AssumeRole"]),
                identity: vec![administrator.clone()],
                managed: Some(Managed::administrator()),
                boundary: None,
                max_session_seconds: 3600,
            }),
            caller_role: Arc::new(RolePolicies {
                trust: Trust::Same(checked(Kind::Trust, &caller_trust)),
                identity: caller.clone(),
                managed: None,
                boundary: None,
                max_session_seconds: 3600,
            }),
            caller,
            full_access: administrator,
            central_key: checked(Kind::Key, &key),
            users,
            changes: RwLock::new(Arc::new(changes)),
            loaded: RwLock::default(),
        }
    }

    /// The policy of this text, read once.
    pub(crate) fn load(&self, kind: Kind, text: &str) -> Result<Arc<Policy>, String> {
        if let Some(known) = read(&self.loaded).get(&kind).and_then(|known| known.get(text)) {
            return Ok(known.clone());
        }
        let policy = Arc::new(Policy::load(kind, text)?);
        let mut loaded = write(&self.loaded);
        let known = loaded.entry(kind).or_default();
        if known.len() >= MOST_LOADED {
            known.clear();
        }
        known.insert(text.into(), policy.clone());
        Ok(policy)
    }

    /// A generated key policy.
    fn of_ours(&self, text: &str) -> Arc<Policy> {
        self.load(Kind::Key, text).unwrap_or_else(|_| checked(Kind::Key, text))
    }

    /// The roles of an account that the spec or somebody gave policies of their own.
    pub(crate) fn changed_roles(&self, account: usize) -> Vec<String> {
        self.now().roles.get(&account).map(|roles| roles.keys().cloned().collect()).unwrap_or_default()
    }

    fn now(&self) -> Arc<Changes> {
        read(&self.changes).clone()
    }

    /// The identity policies of the management account's user `admin`.
    pub(super) fn administrator(&self) -> Vec<Arc<Policy>> {
        self.administrator.identity.clone()
    }

    /// The identity policies of the security account's user `orgseal`.
    pub(super) fn caller(&self) -> Vec<Arc<Policy>> {
        self.now().caller.clone().unwrap_or_else(|| self.caller.clone())
    }

    pub(super) fn change(&self, work: impl FnOnce(&mut Changes)) {
        work(Arc::make_mut(&mut write(&self.changes)));
    }
}

impl World {
    /// The policies of a role that is there; `name` is its path and name without the leading slash.
    pub(crate) fn policies_of_role(&self, account: usize, name: &str) -> Option<Arc<RolePolicies>> {
        match self.roles.get(account, bare(name)) {
            Written::Nothing => Some(self.role_as_written(account, name, self.preset_policies(account, name)?)),
            Written::Deleted => None,
            Written::Here(record) if record.full_name() == name => self.policies_of_record(account, &record),
            Written::Here(_) => None,
        }
    }

    /// The policies of a role as the spec and the changes at run time have them, whatever was written in IAM since.
    pub(crate) fn preset_policies(&self, account: usize, name: &str) -> Option<Arc<RolePolicies>> {
        let permissions = &self.permissions;
        if let Some(changed) = permissions.now().roles.get(&account).and_then(|roles| roles.get(name)) {
            return Some(changed.clone());
        }
        let facts = &self.organization.accounts[account];
        if name == self.spec.member_role.name {
            return facts.member_role.then(|| permissions.member.clone());
        }
        if name == self.spec.automation_role.name {
            return facts.automation_role.then(|| permissions.automation.clone());
        }
        // Organizations makes this role in accounts it creates; the management account has none.
        if name == "OrganizationAccountAccessRole" && account != Organization::MANAGEMENT {
            return Some(permissions.administrator.clone());
        }
        (name == shipped::CALLER_NAME && account == Organization::SECURITY && self.spec.groundwork)
            .then(|| permissions.caller_role.clone())
    }

    fn policies_of_record(&self, account: usize, record: &RoleRecord) -> Option<Arc<RolePolicies>> {
        let permissions = &self.permissions;
        let inline = record.policies.values().filter_map(|text| permissions.load(Kind::Identity, text).ok());
        let attached = record.attached.iter().filter_map(|arn| self.policy_of_arn(account, arn));
        let identity = inline.chain(attached).collect();
        // A boundary that does not load admits nothing.
        let boundary = record.boundary.as_ref().map(|arn| {
            self.policy_of_arn(account, arn)
                .unwrap_or_else(|| Arc::new(Policy { statements: Vec::new(), text: "".into() }))
        });
        let trust = permissions.load(Kind::Trust, &record.trust).ok()?;
        Some(Arc::new(RolePolicies::made(trust, identity, boundary, record.max_session_seconds)))
    }

    /// Path and name of the role that a session's ARN names without its path.
    pub(crate) fn role_path<'a>(&'a self, account: usize, name: &'a str) -> Cow<'a, str> {
        match self.roles.get(account, name) {
            Written::Here(record) => return record.full_name().into(),
            Written::Deleted => return name.into(),
            Written::Nothing => {}
        }
        for known in [&self.spec.member_role.name, &self.spec.automation_role.name] {
            if bare(known) == name {
                return known.into();
            }
        }
        let changes = self.permissions.now();
        let changed = changes.roles.get(&account).and_then(|roles| roles.keys().find(|known| bare(known) == name));
        changed.map_or(name.into(), |known| known.clone().into())
    }

    /// Whether the target is the account, or the root or an OU above it.
    fn is_below(&self, account: usize, target: Target) -> bool {
        match target {
            Target::Root => true,
            Target::Account(of) => of == account,
            Target::Ou(of) => {
                let mut above = self.organization.accounts[account].ou;
                while let Some(index) = above {
                    if index == of {
                        return true;
                    }
                    above = self.organization.ous[index as usize].parent;
                }
                false
            }
        }
    }

    /// The service control policies that bind an account, by level. Levels with FullAWSAccess alone are left out, and
    /// there are none at all for the management account.
    pub(crate) fn scps(&self, account: usize) -> Vec<Vec<Arc<Policy>>> {
        let changes = self.permissions.now();
        let mut levels: Vec<(Target, Vec<Arc<Policy>>, bool)> = Vec::new();
        if account == Organization::MANAGEMENT {
            return Vec::new();
        }
        for scp in &changes.scps {
            for target in scp.targets.iter().filter(|target| self.is_below(account, **target)) {
                match levels.iter_mut().find(|(level, _, _)| level == target) {
                    Some((_, policies, full)) => {
                        policies.push(scp.policy.clone());
                        *full &= scp.keeps_full_access;
                    }
                    None => levels.push((*target, vec![scp.policy.clone()], scp.keeps_full_access)),
                }
            }
        }
        let with_full_access = |(_, mut policies, full): (Target, Vec<Arc<Policy>>, bool)| {
            if full {
                policies.push(self.permissions.full_access.clone());
            }
            policies
        };
        levels.into_iter().map(with_full_access).collect()
    }

    /// The resource control policies that bind an account's resources.
    pub(crate) fn rcps(&self, account: usize) -> Vec<Arc<Policy>> {
        if account == Organization::MANAGEMENT {
            return Vec::new();
        }
        let changes = self.permissions.now();
        let binding =
            changes.rcps.iter().filter(|rcp| rcp.targets.iter().any(|target| self.is_below(account, *target)));
        binding.map(|rcp| rcp.policy.clone()).collect()
    }

    /// The policy of a key: the one that was put, or the one it was generated with.
    pub(crate) fn key_policy(&self, account: usize, key: &Key) -> Arc<Policy> {
        if let Some(text) = self.key_store.policy(&key.arn) {
            return self.permissions.of_ours(&text);
        }
        let id = &self.organization.accounts[account].id;
        match key.kind {
            KeyKind::Central => self.permissions.central_key.clone(),
            KeyKind::Customer | KeyKind::Created => self.permissions.of_ours(&shipped::customer_key(id)),
            KeyKind::AwsManaged => {
                let region = key.arn.split(':').nth(3).unwrap_or_default();
                self.permissions.of_ours(&shipped::aws_managed_key(id, region))
            }
        }
    }

    /// Puts a key policy in place of the present one.
    pub(crate) fn set_key_policy(&self, arn: &str, text: &str) -> Result<(), String> {
        self.permissions.load(Kind::Key, text)?;
        self.key_store.set_policy(arn, text);
        Ok(())
    }

    /// The policy of a bucket. One that S3 took but IAM would not have admits nobody.
    pub(crate) fn bucket_policy(&self, bucket: &str) -> Option<Arc<Policy>> {
        let owner = self.bucket_owner(bucket)?;
        let text = self.with_buckets(owner, |buckets| {
            let at = buckets.binary_search_by(|found| (*found.name).cmp(bucket)).ok()?;
            buckets[at].configurations.policy().map(String::from)
        })?;
        self.permissions.load(Kind::Resource, &text).ok()
    }

    /// Puts a bucket policy, or takes it away.
    pub(crate) fn set_bucket_policy(&self, bucket: &str, text: Option<&str>) -> Result<(), String> {
        text.map(|text| self.permissions.load(Kind::Resource, text)).transpose()?;
        let found = self.bucket_owner(bucket).is_some_and(|owner| {
            self.with_buckets(owner, |buckets| {
                let Ok(at) = buckets.binary_search_by(|found| (*found.name).cmp(bucket)) else { return false };
                let policy = text.map(serde_json::Value::from);
                buckets[at].configurations.set(crate::world::configuration::Configuration::Policy, policy);
                true
            })
        });
        found.then_some(()).ok_or_else(|| "there is no such bucket".into())
    }

    pub(crate) fn set_caller_policy(&self, text: &str) -> Result<(), String> {
        let policy = Arc::new(Policy::load(Kind::Identity, text)?);
        self.permissions.change(|changes| changes.caller = Some(vec![policy]));
        Ok(())
    }

    /// The control policies of a kind.
    pub(crate) fn controls(&self, kind: Kind) -> Vec<Control> {
        let changes = self.permissions.now();
        if kind == Kind::Scp { changes.scps.clone() } else { changes.rcps.clone() }
    }

    /// Attaches a control policy, in place of the one of this name.
    pub(crate) fn set_control(&self, kind: Kind, spec: &ControlPolicySpec) -> Result<(), String> {
        let control = Control::new(kind, spec, &self.organization)?;
        self.permissions.change(|changes| {
            let controls = if kind == Kind::Scp { &mut changes.scps } else { &mut changes.rcps };
            controls.retain(|other| other.name != control.name);
            controls.push(control);
        });
        Ok(())
    }

    /// Detaches and deletes a control policy; tells whether it was there.
    pub(crate) fn remove_control(&self, kind: Kind, name: &str) -> bool {
        let mut found = false;
        self.permissions.change(|changes| {
            let controls = if kind == Kind::Scp { &mut changes.scps } else { &mut changes.rcps };
            let before = controls.len();
            controls.retain(|control| control.name != name);
            found = controls.len() < before;
        });
        found
    }
}

/// A role's name without its path.
pub(crate) fn bare(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
