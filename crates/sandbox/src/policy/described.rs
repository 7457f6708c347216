//! The identities that a spec describes: roles of its accounts, and its applications.

use std::collections::HashMap;
use std::sync::Arc;

use super::identities::{Managed, UserPolicies, Users};
use super::shipped::{checked, in_account};
use super::store::RolePolicies;
use super::{Kind, Policy};
use crate::spec::{ApplicationKind, Spec};
use crate::world::organization::Organization;

/// Whom a role of an application trusts when nothing is said: EC2, and its account as far as IAM allows.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
  "Principal":{"Service":"ec2.amazonaws.com","AWS":"arn:aws:iam::MEMBER-ACCOUNT:root"}}]}"#;

/// Roles by account, and path and name.
pub(super) type Roles = HashMap<usize, HashMap<String, Arc<RolePolicies>>>;

/// Texts that are the same for many accounts are loaded once.
struct Loading<'a> {
    organization: &'a Organization,
    known: HashMap<(Kind, String), Arc<Policy>>,
}

impl Loading<'_> {
    fn policy(&mut self, kind: Kind, text: &str, account: usize) -> Arc<Policy> {
        let text = in_account(text, self.organization, account);
        let load = |key: &(Kind, String)| checked(kind, &key.1);
        self.known.entry((kind, text)).or_insert_with_key(load).clone()
    }

    fn maybe(&mut self, kind: Kind, text: Option<&String>, account: usize) -> Option<Arc<Policy>> {
        text.map(|text| self.policy(kind, text, account))
    }
}

/// Everything that a checked spec describes.
pub(super) fn identities(spec: &Spec, organization: &Organization) -> (Roles, Users) {
    let (mut roles, mut users) = (Roles::new(), Users::new());
    let mut loading = Loading { organization, known: HashMap::new() };
    for (index, account) in organization.accounts.iter().enumerate() {
        let Some(described) = account.described else { continue };
        for role in &spec.account[described as usize].roles {
            let policies = RolePolicies::made(
                loading.policy(Kind::Trust, &role.trust, index),
                loading.maybe(Kind::Identity, role.policy.as_ref(), index).into_iter().collect(),
                loading.maybe(Kind::Identity, role.boundary.as_ref(), index),
                role.max_session_seconds,
            );
            roles.entry(index).or_default().insert(role.name.clone(), Arc::new(policies));
        }
    }
    for application in &spec.application {
        let managed = application.managed_policy.as_deref().map(|name| Managed { name: name.into(), aws: false });
        for (index, account) in organization.accounts.iter().enumerate() {
            if !application.accounts.takes(&account.id, &account.name) {
                continue;
            }
            let identity = loading.maybe(Kind::Identity, application.policy.as_ref(), index).into_iter().collect();
            let boundary = loading.maybe(Kind::Identity, application.boundary.as_ref(), index);
            match application.kind {
                ApplicationKind::Role => {
                    let usual = spec.partition.localized(TRUST, spec.via_service_suffix());
                    let trust = loading.policy(Kind::Trust, application.trust.as_ref().unwrap_or(&usual), index);
                    let mut policies = RolePolicies::made(trust, identity, boundary, 3600);
                    policies.managed.clone_from(&managed);
                    roles.entry(index).or_default().insert(application.name.clone(), Arc::new(policies));
                }
                ApplicationKind::User => {
                    let group = application.group.as_deref().map(Arc::from);
                    let policies = UserPolicies { identity, managed: managed.clone(), group, boundary };
                    users.entry(index).or_default().insert(application.name.clone(), Arc::new(policies));
                }
            }
        }
    }
    (roles, users)
}
