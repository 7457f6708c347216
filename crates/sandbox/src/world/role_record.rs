//! IAM roles as IAM keeps them, with their policies as JSON text: those that somebody made or changed are stored so, the
//! others are written out of the spec when IAM is asked for them. What a policy allows is not decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::partition::Partition;
use crate::policy::Policy;
use crate::policy::store::RolePolicies;
use crate::world::World;
use crate::world::records::Written;

/// When the identities of the spec were made.
pub(crate) const MADE_MS: i64 = 1_672_531_200_000;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleRecord {
    pub(crate) name: String,
    /// `/` or `/a/b/`.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) description: String,
    /// The trust policy's text.
    pub(crate) trust: Arc<str>,
    pub(crate) max_session_seconds: u32,
    pub(crate) created_ms: i64,
    pub(crate) tags: Vec<(String, String)>,
    /// Inline policies: name and text.
    pub(crate) policies: BTreeMap<String, String>,
    /// The ARNs of the managed policies that are attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attached: Vec<String>,
    /// The ARN of the managed policy that is its permissions boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) boundary: Option<String>,
}

impl RoleRecord {
    /// Path and name without the leading slash.
    pub(crate) fn full_name(&self) -> String {
        format!("{}{}", &self.path[1..], self.name)
    }

    pub(crate) fn arn(&self, partition: Partition, account_id: &str) -> String {
        partition.iam_arn(account_id, format_args!("role/{}", self.full_name()))
    }
}

/// Inline policies of the spec have no names: they are named after whom they belong to.
pub(crate) fn inline_names(owner: &str, policies: &[Arc<Policy>]) -> Vec<(String, String)> {
    let name = |nth: usize| if nth == 0 { owner.to_string() } else { format!("{owner}-{}", nth + 1) };
    policies.iter().enumerate().map(|(nth, policy)| (name(nth), policy.text.to_string())).collect()
}

/// The name of the managed policy that is the boundary of a role or user of the spec.
pub(crate) fn boundary_name(owner: &str) -> String {
    format!("{owner}-boundary")
}

impl World {
    /// The role of this name without its path, in any case.
    pub(crate) fn role_record(&self, account: usize, name: &str) -> Option<Arc<RoleRecord>> {
        match self.roles.get(account, name) {
            Written::Here(record) => Some(record),
            Written::Deleted => None,
            Written::Nothing => {
                let names = self.preset_role_names(account);
                let full = names.iter().find(|full| crate::policy::store::bare(full).eq_ignore_ascii_case(name))?;
                Some(Arc::new(self.preset_record(account, full)?))
            }
        }
    }

    /// Every role of the account, by name.
    pub(crate) fn role_records(&self, account: usize) -> Vec<Arc<RoleRecord>> {
        let names = self.preset_role_names(account).into_iter();
        let untouched =
            names.filter(|full| matches!(self.roles.get(account, crate::policy::store::bare(full)), Written::Nothing));
        let mut records: Vec<_> =
            untouched.filter_map(|full| Some(Arc::new(self.preset_record(account, &full)?))).collect();
        records.extend(self.roles.list(account));
        records.sort_by(|a, b| a.name.cmp(&b.name));
        records
    }

    /// A role of the spec as IAM keeps it.
    fn preset_record(&self, account: usize, full: &str) -> Option<RoleRecord> {
        let policies = self.preset_policies(account, full)?;
        let account_id = &self.organization.accounts[account].id;
        let (path, name) = match full.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".into(), full),
        };
        let RolePolicies { identity, managed, boundary, max_session_seconds, .. } = policies.as_ref();
        Some(RoleRecord {
            name: name.into(),
            path,
            id: self.preset_role_id(account, full),
            description: String::new(),
            trust: policies.trust(account_id).text.to_string().into(),
            max_session_seconds: *max_session_seconds,
            created_ms: MADE_MS,
            tags: Vec::new(),
            policies: match managed {
                None => inline_names(name, identity).into_iter().collect(),
                Some(_) => BTreeMap::new(),
            },
            attached: managed.iter().map(|managed| managed.arn(self.spec.partition, account_id)).collect(),
            boundary: boundary
                .as_ref()
                .map(|_| self.spec.partition.iam_arn(account_id, format_args!("policy/{}", boundary_name(name)))),
        })
    }
}
