//! IAM users and how identity policies hang on users and roles: inline, attached, or through a group.
//! Which roles there are is in `store` and `world::role`.

use std::collections::HashMap;
use std::sync::Arc;

use super::Policy;
use crate::partition::Partition;
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::records::Written;
use crate::world::session::Caller;

/// A managed policy that is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Managed {
    pub(crate) name: Arc<str>,
    /// AWS's own, and not a customer managed policy of the account.
    pub(crate) aws: bool,
}

impl Managed {
    pub(crate) fn administrator() -> Managed {
        Managed { name: "AdministratorAccess".into(), aws: true }
    }

    pub(crate) fn arn(&self, partition: Partition, account_id: &str) -> String {
        let owner = if self.aws { "aws" } else { account_id };
        partition.iam_arn(owner, format_args!("policy/{}", self.name))
    }
}

/// The policies of a user.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserPolicies {
    pub(crate) identity: Vec<Arc<Policy>>,
    /// Present when the identity policy is an attached managed one, and no inline one.
    pub(crate) managed: Option<Managed>,
    /// Present when the identity policy is the inline policy of this group, which the user is in.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) boundary: Option<Arc<Policy>>,
}

/// Users beside the management account's `admin` and the security account's `orgseal`, by account and name.
pub(crate) type Users = HashMap<usize, HashMap<String, Arc<UserPolicies>>>;

/// A user that is there.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) policies: Arc<UserPolicies>,
}

/// The name at the end of a user's ARN.
pub(crate) fn user_name(caller: &Caller) -> &str {
    caller.arn.rsplit('/').next().unwrap_or_default()
}

impl World {
    /// The policies of a calling user; none for one that is not there.
    pub(crate) fn user_policies(&self, caller: &Caller) -> Arc<UserPolicies> {
        let (account, name) = (caller.account, user_name(caller));
        let policies = self.policies_of_user(account, name).unwrap_or_default();
        let policies = self.user_as_written(account, name, policies);
        let Written::Here(attached) = self.attached_to_users.get(account, name) else { return policies };
        let mut now = policies.as_ref().clone();
        // The managed policy of the spec is one of those attached, or no longer there.
        if now.managed.is_some() {
            now.identity.clear();
        }
        now.identity.extend(attached.iter().filter_map(|arn| self.policy_of_arn(account, arn)));
        Arc::new(now)
    }

    /// The users of an account with their policies as the spec has them.
    pub(crate) fn preset_users(&self, account: usize) -> Vec<(String, Arc<UserPolicies>)> {
        self.users(account).into_iter().map(|user| (user.name, user.policies)).collect()
    }

    fn policies_of_user(&self, account: usize, name: &str) -> Option<Arc<UserPolicies>> {
        let permissions = &self.permissions;
        let own = |identity| Arc::new(UserPolicies { identity, ..UserPolicies::default() });
        match account {
            Organization::MANAGEMENT if name == user_name(&self.management_user.caller) => {
                Some(Arc::new(UserPolicies {
                    identity: permissions.administrator(),
                    managed: Some(Managed::administrator()),
                    ..UserPolicies::default()
                }))
            }
            Organization::SECURITY if name == user_name(&self.security_user.caller) => Some(own(permissions.caller())),
            _ => permissions.users.get(&account)?.get(name).cloned(),
        }
    }

    /// The users of an account, by name.
    pub(crate) fn users(&self, account: usize) -> Vec<User> {
        let fixed = [&self.management_user, &self.security_user];
        let all = fixed.into_iter().chain(self.applications.users()).map(|user| &user.caller);
        let mut users: Vec<User> = all
            .filter(|user| user.account == account)
            .filter_map(|user| {
                let name = user_name(user).to_string();
                let policies = self.policies_of_user(account, &name)?;
                Some(User { name, id: user.user_id.to_string(), policies })
            })
            .collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }
}
