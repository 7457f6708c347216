//! IAM users as IAM shows them. Which users there are, and their inline policies, follows from the spec; which managed
//! policies are attached to one is stored from the first change on.

use std::sync::Arc;

use crate::partition::Partition;
use crate::policy::Policy;
use crate::policy::identities::User;
use crate::world::World;
use crate::world::records::Written;
use crate::world::role_record::{boundary_name, inline_names};

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct UserRecord {
    pub(crate) name: String,
    pub(crate) id: String,
    /// Inline policies: name and text.
    pub(crate) policies: Vec<(String, String)>,
    /// The group it is in, and that group's inline policy.
    pub(crate) group: Option<(Arc<str>, Arc<Policy>)>,
    /// The ARNs of the managed policies that are attached.
    pub(crate) attached: Vec<String>,
    /// The ARN of the managed policy that is its permissions boundary.
    pub(crate) boundary: Option<String>,
}

impl UserRecord {
    /// No user of the spec has another.
    pub(crate) const PATH: &'static str = "/";

    pub(crate) fn arn(&self, partition: Partition, account_id: &str) -> String {
        partition.iam_arn(account_id, format_args!("user/{}", self.name))
    }
}

impl World {
    /// Every user of the account, by name.
    pub(crate) fn user_records(&self, account: usize) -> Vec<UserRecord> {
        self.users(account).into_iter().map(|user| self.user_as_shown(account, user)).collect()
    }

    /// The user of this name, in any case.
    pub(crate) fn user_record(&self, account: usize, name: &str) -> Option<UserRecord> {
        let user = self.users(account).into_iter().find(|user| user.name.eq_ignore_ascii_case(name))?;
        Some(self.user_as_shown(account, user))
    }

    fn user_as_shown(&self, account: usize, user: User) -> UserRecord {
        let account_id = &self.organization.accounts[account].id;
        let User { name, id, policies } = user;
        let inline: &[_] =
            if policies.managed.is_none() && policies.group.is_none() { &policies.identity } else { &[] };
        let attached = match self.attached_to_users.get(account, &name) {
            Written::Here(attached) => attached.as_ref().clone(),
            Written::Deleted | Written::Nothing => {
                policies.managed.iter().map(|managed| managed.arn(self.spec.partition, account_id)).collect()
            }
        };
        let boundary = policies.boundary.as_ref();
        UserRecord {
            policies: inline_names(&name, inline),
            group: policies.group.clone().zip(policies.identity.first().cloned()),
            attached,
            boundary: boundary
                .map(|_| self.spec.partition.iam_arn(account_id, format_args!("policy/{}", boundary_name(&name)))),
            name,
            id,
        }
    }
}
