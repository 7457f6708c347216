//! The roles' own policies and permissions boundaries: whether they allow what a rollout does in an account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::any_bucket;
use super::{Look, with_error};
use crate::aws::Member;
use crate::judge::guards::{Guard, account_warnings_by_iam};
use crate::judge::{BucketPolicySeen, Place};
use crate::model::{Account, Check, CheckKind, Denier, Identities, Standing};

impl Look {
    /// Whether the member role and the automation role may do what a rollout does (`GetAccountAuthorizationDetails`).
    pub(super) async fn role_permissions(&self, member: &Member, account: &Account) -> Vec<Check> {
        let kind = CheckKind::RolePermissions;
        let identities = match member.identities().await {
            Ok(identities) => Arc::new(identities),
            // A rollout without guards works all the same.
            Err(error) => {
                let unseen = with_error(kind, Standing::Warning, &error);
                let message = format!(
                    "whether the roles' own policies allow a rollout could not be determined: {}",
                    error.message
                );
                return vec![Check { message, ..unseen }];
            }
        };
        let warnings = self.service_linked_roles(&identities, account);
        let roles = self.rollout_roles(account);
        // What denies or does not allow it, for certain or not; which actions of which role.
        type Cause = (Place, Option<String>, Option<String>, bool);
        let mut found: BTreeMap<Cause, BTreeSet<&'static str>> = BTreeMap::new();
        // That a role is missing is told by the check of the role.
        let is_listed = |arn: &str| identities.principals.iter().any(|identity| identity.arn == arn);
        for call in self.calls(&roles, account).into_iter().filter(|call| is_listed(roles.role(call.automation))) {
            if let Some(obstacle) = roles.denied_by_role(&call, &identities, BucketPolicySeen::Known(None)) {
                let cause = (obstacle.at, obstacle.statement, obstacle.perhaps, call.automation);
                found.entry(cause).or_default().insert(call.action);
            }
        }
        if found.is_empty() {
            let ok = Check::new(kind, Standing::Ok, "the policies of both roles allow what a rollout does");
            return [vec![ok], warnings].concat();
        }
        let checks = found.into_iter().map(|((at, statement, perhaps, automation), actions)| {
            let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
            let (role, shipped) = match automation {
                true => (&self.file.automation_role.name, "automation.json"),
                false => (&self.file.member_role.name, "member-rollout.json"),
            };
            let (what, denier) = match (&at, &statement) {
                (Place::Boundary, _) => {
                    ("its permissions boundary does not allow".to_owned(), Denier::PermissionsBoundary)
                }
                (_, Some(statement)) => (format!("{statement} denies"), Denier::IdentityPolicy),
                // A bucket policy could allow the calls on its own bucket. A preflight reads none, and a campaign cannot rest on it.
                (_, None) => ("its policies do not allow".to_owned(), Denier::IdentityPolicy),
            };
            let (standing, message) = match perhaps {
                None => (Standing::Failed, format!("role {role}: {what} {actions}")),
                Some(why) => {
                    (Standing::Warning, format!("whether role {role} may {actions} could not be determined: {why}"))
                }
            };
            let fix = match (&at, &statement) {
                (Place::Boundary, _) => format!("allow it in the permissions boundary of {role}"),
                (_, Some(_)) => format!("exempt it in that statement of {role}"),
                (_, None) => format!("give {role} the policy config/policies/{shipped}"),
            };
            let check = Check::new(kind, standing, message).fix(fix).fact("role", role.as_str());
            Check { denied_by: (standing == Standing::Failed).then_some(denier), ..check }
        });
        checks.chain(warnings).collect()
    }

    /// Service-linked roles whose own policies do not let them use the central key, once for the account.
    fn service_linked_roles(&self, identities: &Arc<Identities>, account: &Account) -> Vec<Check> {
        let keys = self.file.keys_of(account);
        // The warning names one key, and says that it is the same for the key of each Region.
        let Some((region, key)) = self.regions.iter().find_map(|region| Some((region, keys.get(region)?))) else {
            return Vec::new();
        };
        let any = any_bucket(account, region);
        let ruling = |guard: &dyn Guard| self.file.guards.ruling(guard, &any);
        let place = (self.aws.caller().partition.as_str(), account.id.as_str());
        let warnings = account_warnings_by_iam(identities, key, place, &self.file.guards.terms(), ruling);
        let checks = warnings.into_iter().map(|warning| {
            let message = format!("{}, unless a grant allows it ({})", warning.says, warning.principal);
            Check::new(CheckKind::ServiceLinkedRoles, Standing::Warning, message)
                .fix(warning.hint)
                .fact("role", warning.principal)
        });
        checks.collect()
    }
}
