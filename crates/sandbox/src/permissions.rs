//! The public face of the organization's policies: someone changes a role, a key policy, an SCP or an RCP at run time.
//! Such changes live as long as the process; what is to last belongs into the spec.

use crate::policy::Kind;
use crate::policy::role_change::RoleChange;
use crate::spec::ControlPolicySpec;
use crate::{NotThere, Sandbox};

/// A policy that was not taken: it does not load, or what it is for is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox does not take the policy of {what}: {reason}")]
pub struct PolicyRefused {
    what: String,
    reason: String,
}

fn refused(what: impl Into<String>) -> impl FnOnce(String) -> PolicyRefused {
    let what = what.into();
    |reason| PolicyRefused { what, reason }
}

impl Sandbox {
    fn change_role(&self, account: &str, role: &str, change: RoleChange<'_>) -> Result<(), PolicyRefused> {
        let there = self.world.organization.find(account).ok_or_else(|| format!("there is no account {account}"));
        there
            .and_then(|account| self.world.change_role(account, role, change))
            .map_err(refused(format!("the role {role} in {account}")))
    }

    /// Puts one identity policy in place of all that a role has. Open sessions of the role are bound by it at once.
    ///
    /// # Errors
    /// When the policy does not load, or there is no such account or role.
    pub fn set_role_policy(&self, account: &str, role: &str, policy: &str) -> Result<(), PolicyRefused> {
        self.change_role(account, role, RoleChange::Identity(policy))
    }

    /// Puts a role's trust policy; makes the role, without any right, when it is not there.
    ///
    /// # Errors
    /// When the policy does not load, or there is no such account.
    pub fn set_role_trust(&self, account: &str, role: &str, policy: &str) -> Result<(), PolicyRefused> {
        self.change_role(account, role, RoleChange::Trust(policy))
    }

    /// Puts a role's permissions boundary, or takes it away.
    ///
    /// # Errors
    /// When the policy does not load, or there is no such account or role.
    pub fn set_role_boundary(&self, account: &str, role: &str, policy: Option<&str>) -> Result<(), PolicyRefused> {
        self.change_role(account, role, RoleChange::Boundary(policy))
    }

    /// Puts one policy in place of all that the security account's user has: the caller's and its own account's.
    ///
    /// # Errors
    /// When the policy does not load.
    pub fn set_caller_policy(&self, policy: &str) -> Result<(), PolicyRefused> {
        self.world.set_caller_policy(policy).map_err(refused("the caller"))
    }

    /// Attaches a service control policy to "root", to OUs or accounts by name or id, in place of the one of this name.
    /// The targets keep FullAWSAccess.
    ///
    /// # Errors
    /// When the policy does not load, or a target is not there.
    pub fn set_scp(&self, name: &str, targets: &[&str], policy: &str) -> Result<(), PolicyRefused> {
        self.set_control(Kind::Scp, name, targets, policy)
    }

    /// Attaches a resource control policy, like [`Sandbox::set_scp`].
    ///
    /// # Errors
    /// When the policy does not load, or a target is not there.
    pub fn set_rcp(&self, name: &str, targets: &[&str], policy: &str) -> Result<(), PolicyRefused> {
        self.set_control(Kind::Rcp, name, targets, policy)
    }

    fn set_control(&self, kind: Kind, name: &str, targets: &[&str], policy: &str) -> Result<(), PolicyRefused> {
        let control = ControlPolicySpec {
            name: name.into(),
            targets: targets.iter().map(|target| (*target).to_string()).collect(),
            document: policy.into(),
            keeps_full_access: true,
        };
        self.world.set_control(kind, &control).map_err(refused(format!("the name {name}")))
    }

    /// Detaches and deletes a service control policy.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn remove_scp(&self, name: &str) -> Result<(), NotThere> {
        self.remove_control(Kind::Scp, name)
    }

    /// Detaches and deletes a resource control policy.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn remove_rcp(&self, name: &str) -> Result<(), NotThere> {
        self.remove_control(Kind::Rcp, name)
    }

    fn remove_control(&self, kind: Kind, name: &str) -> Result<(), NotThere> {
        let there = self.world.remove_control(kind, name);
        there.then_some(()).ok_or_else(|| NotThere { what: format!("control policy {name}") })
    }

    /// Puts a bucket's policy, or takes it away.
    ///
    /// # Errors
    /// When the policy does not load, or there is no such bucket.
    pub fn set_bucket_policy(&self, bucket: &str, policy: Option<&str>) -> Result<(), PolicyRefused> {
        self.world.set_bucket_policy(bucket, policy).map_err(refused(format!("the bucket {bucket}")))
    }

    /// Puts a key policy in place of the present one.
    ///
    /// # Errors
    /// When the policy does not load, or there is no key of this ARN.
    pub fn set_key_policy(&self, key_arn: &str, policy: &str) -> Result<(), PolicyRefused> {
        let parts: Vec<&str> = key_arn.splitn(6, ':').collect();
        let found = match parts[..] {
            ["arn", _, "kms", region, account, resource] => {
                let place = self.world.organization.find(account).zip(self.world.region_index(region));
                let id = resource.strip_prefix("key/");
                place.zip(id).and_then(|((account, region), id)| self.world.find_key(account, region, id))
            }
            _ => None,
        };
        let put = found
            .ok_or_else(|| "there is no such key".to_string())
            .and_then(|key| self.world.set_key_policy(&key.arn, policy));
        put.map_err(refused(format!("the key {key_arn}")))
    }
}
