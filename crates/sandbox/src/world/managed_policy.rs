//! Managed policies with their versions. Those of the spec (of applications, and boundaries) are written out of it when IAM
//! is asked for them, until somebody changes them. AWS's own are in `policy::aws_managed`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::partition::Partition;
use crate::policy::aws_managed;
use crate::policy::identities::{Managed, UserPolicies};
use crate::policy::store::{RolePolicies, bare};
use crate::policy::{Kind, Policy};
use crate::random::{KEY_ID, Random};
use crate::world::World;
use crate::world::records::Written;
use crate::world::role_record::{MADE_MS, boundary_name};

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyVersion {
    /// The n of `vn`.
    pub(crate) number: u32,
    pub(crate) text: Arc<str>,
    pub(crate) created_ms: i64,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManagedRecord {
    pub(crate) name: String,
    /// `/` or `/a/b/`.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) tags: Vec<(String, String)>,
    /// The oldest first.
    pub(crate) versions: Vec<PolicyVersion>,
    /// The number of the version in force.
    pub(crate) default_version: u32,
    /// The highest number ever given: numbers are not used again.
    pub(crate) newest: u32,
    /// AWS's own, which nobody can change.
    #[serde(skip)]
    pub(crate) aws: bool,
}

impl ManagedRecord {
    pub(crate) fn new(name: &str, id: String, text: &str, created_ms: i64) -> ManagedRecord {
        ManagedRecord {
            name: name.into(),
            path: "/".into(),
            id,
            description: String::new(),
            created_ms,
            updated_ms: created_ms,
            tags: Vec::new(),
            versions: vec![PolicyVersion { number: 1, text: text.into(), created_ms }],
            default_version: 1,
            newest: 1,
            aws: false,
        }
    }

    pub(crate) fn arn(&self, partition: Partition, account_id: &str) -> String {
        let owner = if self.aws { "aws" } else { account_id };
        partition.iam_arn(owner, format_args!("policy{}{}", self.path, self.name))
    }

    pub(crate) fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The text in force.
    pub(crate) fn text(&self) -> &str {
        self.version(self.default_version).map_or("", |version| &version.text)
    }
}

/// How many roles, users and groups have a managed policy attached, and how many as their boundary.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) attached: usize,
    pub(crate) boundaries: usize,
}

impl World {
    /// The managed policy of this ARN, when it is the account's own or AWS's.
    pub(crate) fn managed_policy(&self, account: usize, arn: &str) -> Option<Arc<ManagedRecord>> {
        let account_id = &self.organization.accounts[account].id;
        if arn.split(':').nth(4) == Some("aws") {
            return aws_managed::all()
                .iter()
                .find(|policy| policy.arn(self.spec.partition, account_id) == arn)
                .cloned();
        }
        let record = match self.managed.get(account, bare(arn)) {
            Written::Here(record) => record,
            Written::Deleted => return None,
            Written::Nothing => {
                let text = self.preset_managed(account).remove(bare(arn))?;
                Arc::new(self.preset_managed_record(account, bare(arn), &text))
            }
        };
        (record.arn(self.spec.partition, account_id) == arn).then_some(record)
    }

    /// Every managed policy of the account's own, by name.
    pub(crate) fn managed_policies(&self, account: usize) -> Vec<Arc<ManagedRecord>> {
        let presets = self.preset_managed(account).into_iter();
        let untouched = presets.filter(|(name, _)| matches!(self.managed.get(account, name), Written::Nothing));
        let mut all: Vec<_> =
            untouched.map(|(name, policy)| Arc::new(self.preset_managed_record(account, &name, &policy))).collect();
        all.extend(self.managed.list(account));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn preset_managed_record(&self, account: usize, name: &str, policy: &Policy) -> ManagedRecord {
        let id = Random::new(self.spec.seed, &format!("policy {name}"), account as u64).text(KEY_ID, 17);
        ManagedRecord::new(name, format!("ANPA{id}"), &policy.text, MADE_MS)
    }

    /// The managed policies that the spec gives to an account, whatever was written since.
    fn preset_managed(&self, account: usize) -> BTreeMap<String, Arc<Policy>> {
        let mut found = BTreeMap::new();
        let mut note =
            |owner: &str, managed: Option<&Managed>, identity: &[Arc<Policy>], boundary: Option<&Arc<Policy>>| {
                if let (Some(managed), Some(policy)) = (managed.filter(|managed| !managed.aws), identity.first()) {
                    found.insert(managed.name.to_string(), policy.clone());
                }
                if let Some(policy) = boundary {
                    found.insert(boundary_name(owner), policy.clone());
                }
            };
        for full in self.preset_role_names(account) {
            if let Some(role) = self.preset_policies(account, &full) {
                note(bare(&full), role.managed.as_ref(), &role.identity, role.boundary.as_ref());
            }
        }
        for (name, user) in self.preset_users(account) {
            note(&name, user.managed.as_ref(), &user.identity, user.boundary.as_ref());
        }
        found
    }

    /// What a managed policy allows, by its ARN.
    pub(crate) fn policy_of_arn(&self, account: usize, arn: &str) -> Option<Arc<Policy>> {
        let record = self.managed_policy(account, arn)?;
        self.permissions.load(Kind::Identity, record.text()).ok()
    }

    /// What was written of a managed policy of the spec takes the place of what the spec says.
    fn written(&self, account: usize, name: &str) -> Option<Arc<Policy>> {
        match self.managed.get(account, name) {
            Written::Here(record) => self.permissions.load(Kind::Identity, record.text()).ok(),
            Written::Deleted | Written::Nothing => None,
        }
    }

    /// The policies of a role of the spec, with its managed policies as they are now.
    pub(crate) fn role_as_written(&self, account: usize, full: &str, role: Arc<RolePolicies>) -> Arc<RolePolicies> {
        if role.managed.is_none() && role.boundary.is_none() || self.managed.untouched(account) {
            return role;
        }
        let mut now = role.as_ref().clone();
        self.put_written(account, bare(full), now.managed.as_ref(), &mut now.identity, &mut now.boundary);
        Arc::new(now)
    }

    /// The same of a user.
    pub(crate) fn user_as_written(&self, account: usize, name: &str, user: Arc<UserPolicies>) -> Arc<UserPolicies> {
        if user.managed.is_none() && user.boundary.is_none() || self.managed.untouched(account) {
            return user;
        }
        let mut now = user.as_ref().clone();
        self.put_written(account, name, now.managed.as_ref(), &mut now.identity, &mut now.boundary);
        Arc::new(now)
    }

    fn put_written(
        &self,
        account: usize,
        owner: &str,
        managed: Option<&Managed>,
        identity: &mut Vec<Arc<Policy>>,
        boundary: &mut Option<Arc<Policy>>,
    ) {
        if let Some(policy) = managed.filter(|managed| !managed.aws).and_then(|own| self.written(account, &own.name)) {
            *identity = vec![policy];
        }
        if boundary.is_some()
            && let Some(policy) = self.written(account, &boundary_name(owner))
        {
            *boundary = Some(policy);
        }
    }

    /// Who uses the managed policies of an account, by ARN.
    pub(crate) fn policy_usage(&self, account: usize) -> BTreeMap<String, Usage> {
        let mut usage: BTreeMap<String, Usage> = BTreeMap::new();
        let mut note = |attached: &[String], boundary: Option<&String>| {
            for arn in attached {
                usage.entry(arn.clone()).or_default().attached += 1;
            }
            if let Some(arn) = boundary {
                usage.entry(arn.clone()).or_default().boundaries += 1;
            }
        };
        for role in self.role_records(account) {
            note(&role.attached, role.boundary.as_ref());
        }
        for user in self.user_records(account) {
            note(&user.attached, user.boundary.as_ref());
        }
        usage
    }
}
