//! Where policies come from: those of the spec or the shipped ones, shared by all accounts, and on top of them the few
//! that were changed since. Which policies a caller has is looked up at each call, so that a change holds for sessions too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::controls::Controls;
pub(crate) use super::controls::targets;
use super::described::{self, Roles};
use super::identities::{Managed, Users};
use super::shipped::{self, Names, checked};
use super::{Kind, Policy};
use crate::spec::Spec;
use crate::world::World;
use crate::world::key::{Key, KeyKind};
use crate::world::lock::{lock, read, write};
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

/// What differs from the generated policies.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) roles: Roles,
    caller: Option<Vec<Arc<Policy>>>,
    controls: Controls,
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
            Trust::Same(checked(Kind::Trust, &shipped::trust(&spec.partition.iam_arn(account, "root"), actions)))
        };
        let user = spec.partition.iam_arn(security, format_args!("user/{}", shipped::CALLER_NAME));
        let caller_trust = shipped::trust(&user, &["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
        let key = spec.central_key.policy.clone().unwrap_or_else(|| {
            shipped::central_key(spec, security, &organization.id, spec.central_key.admits_organization)
        });
        let (roles, users) = described::identities(spec, organization);
        let changes = Changes { roles, caller: None, controls: Controls::new(spec, organization) };
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

    /// The service and resource control policies, as they are now.
    pub(super) fn controls(&self) -> Controls {
        self.now().controls.clone()
    }

    /// Works on them without a copy.
    pub(super) fn with_controls<T>(&self, work: impl FnOnce(&Controls) -> T) -> T {
        work(&self.now().controls)
    }

    pub(super) fn change_controls<T>(&self, work: impl FnOnce(&mut Controls) -> T) -> T {
        work(&mut Arc::make_mut(&mut write(&self.changes)).controls)
    }

    /// AdministratorAccess, which has the same text as FullAWSAccess.
    pub(super) fn full_access(&self) -> Arc<Policy> {
        self.full_access.clone()
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

    /// The policy of a key: the one that was put, or the one it was generated with.
    pub(crate) fn key_policy(&self, account: usize, key: &Key) -> Arc<Policy> {
        if let Some(text) = self.key_store.policy(&key.arn) {
            return self.permissions.of_ours(&text);
        }
        let id = &self.organization.accounts[account].id;
        match key.kind {
            KeyKind::Central => self.permissions.central_key.clone(),
            KeyKind::Customer | KeyKind::Created => self.permissions.of_ours(&shipped::customer_key(&self.spec, id)),
            KeyKind::AwsManaged => {
                let region = key.arn.split(':').nth(3).unwrap_or_default();
                self.permissions.of_ours(&shipped::aws_managed_key(&self.spec, id, region))
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
        let _writing = lock(&self.iam_writing);
        self.permissions.change(|changes| changes.caller = Some(vec![policy]));
        // It is all that the user has, as it is with a role.
        let of_caller = self.attached_to_users.get(Organization::SECURITY, shipped::CALLER_NAME);
        if matches!(of_caller, Written::Here(_)) {
            self.attached_to_users.put(Organization::SECURITY, shipped::CALLER_NAME, Vec::new());
        }
        Ok(())
    }
}

/// A role's name without its path.
pub(crate) fn bare(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
