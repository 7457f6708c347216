//! Service and resource control policies: whether they deny what a rollout does in an account. What they deny shows otherwise
//! only when something is started.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Look, with_error};
use crate::aws::{Aws, Organization};
use crate::campaign::control_policies::{ControlPolicies, rollout_roles};
use crate::config::CampaignFile;
use crate::judge::policy::{ControlKind, Hindrance, Text};
use crate::judge::{AccountControls, RolloutCall, RolloutRoles};
use crate::model::{Account, AwsError, Check, CheckKind, Denier, Standing};

/// The control policies, and whom they are asked about.
pub(super) struct Controls {
    policies: ControlPolicies,
    organization: Organization,
    /// All accounts of the organization, with the root and the OUs above each.
    members: HashMap<String, Vec<String>>,
}

impl Controls {
    /// Learns which policies there are, and reads those of each root and OU above the accounts. Where that fails, nothing is said of
    /// any account: the check says why.
    pub(super) async fn read(
        aws: &Aws,
        file: &CampaignFile,
        organization: &Organization,
        listed: &[Account],
        accounts: &[Account],
    ) -> Result<Controls, Check> {
        let policies = ControlPolicies::open(&aws.organizations(), organization, accounts.len()).await;
        let policies = policies.map_err(|error| unread(&error))?;
        let owners: BTreeSet<String> = file.all_keys().into_iter().map(|key| key.account).collect();
        let concerned = listed.iter().filter(|account| owners.contains(&account.id)).chain(accounts);
        policies.read_above(concerned).await.map_err(|error| unread(&error))?;
        let members = listed.iter().map(|account| (account.id.clone(), account.ous.clone())).collect();
        Ok(Controls { policies, organization: organization.clone(), members })
    }

    /// A warning where many more requests were needed than with one permission more.
    pub(super) fn slow(&self) -> Option<Check> {
        let error = self.policies.denied()?;
        let message = format!(
            "orgseal reads the control policies of each root, OU and account, which takes longer: {}",
            error.message
        );
        let check = with_error(CheckKind::ControlPolicies, Standing::Warning, error);
        Some(Check { message, ..check })
    }

    /// The policies above an account of the organization; none above any other.
    async fn of(&self, account: &str) -> Result<AccountControls, AwsError> {
        match self.members.get(account) {
            Some(ous) => self.policies.of_account(account, ous).await,
            None => Ok(AccountControls::default()),
        }
    }
}

impl Look {
    /// Whether control policies deny what a rollout does in an account; nothing where they could not be read at all.
    pub(super) async fn control_policies(&self, account: &Account) -> Vec<Check> {
        let kind = CheckKind::ControlPolicies;
        let Some(controls) = &self.controls else { return Vec::new() };
        if account.id == controls.organization.management_account {
            return vec![Check::new(kind, Standing::Ok, "control policies do not apply to the management account")];
        }
        let own = match controls.of(&account.id).await {
            Ok(own) => own,
            Err(error) => return vec![unread(&error)],
        };
        let roles = self.rollout_roles(account);
        // What is in the way, of which calls, in which Regions.
        let mut found: BTreeMap<Hindrance, BTreeMap<(bool, &'static str), BTreeSet<String>>> = BTreeMap::new();
        for call in self.calls(&roles, account) {
            let of_key = match &call.key {
                Some(key) => match controls.of(&key.account).await {
                    Ok(controls) => controls.resource,
                    Err(error) => return vec![unread(&error)],
                },
                None => Vec::new(),
            };
            for hindrance in roles.denied_by_controls(&call, &own, &of_key) {
                let regions = found.entry(hindrance).or_default().entry((call.automation, call.action)).or_default();
                match &call.region {
                    Some(region) => drop(regions.insert(region.clone())),
                    None => regions.extend(self.regions.iter().cloned()),
                }
            }
        }
        if found.is_empty() {
            let message = "no service or resource control policy denies what a rollout does there";
            return vec![Check::new(kind, Standing::Ok, message)];
        }
        found.into_iter().flat_map(|(hindrance, deeds)| self.hindered(&hindrance, deeds)).collect()
    }

    /// What one statement stands in the way of: a check for each set of Regions.
    fn hindered(&self, hindrance: &Hindrance, deeds: BTreeMap<(bool, &'static str), BTreeSet<String>>) -> Vec<Check> {
        let mut by_regions: BTreeMap<BTreeSet<String>, Vec<(bool, &'static str)>> = BTreeMap::new();
        for (deed, regions) in deeds {
            by_regions.entry(regions).or_default().push(deed);
        }
        let checks = by_regions.into_iter().map(|(regions, deeds)| {
            let of = |automation: bool| -> Vec<&str> {
                deeds.iter().filter(|(by, _)| *by == automation).map(|(_, action)| *action).collect()
            };
            let mut whom: Vec<String> = Vec::new();
            for (role, actions) in [("the member role", of(false)), ("the automation role", of(true))] {
                if !actions.is_empty() {
                    whom.push(format!("{} to {role}", actions.join(", ")));
                }
            }
            let mut what = whom.join(", and ");
            if regions.len() < self.regions.len() {
                what.push_str(&format!(" in {}", regions.into_iter().collect::<Vec<_>>().join(", ")));
            }
            self.hindrance(hindrance, &what)
        });
        checks.collect()
    }

    fn hindrance(&self, hindrance: &Hindrance, what: &str) -> Check {
        let kind = CheckKind::ControlPolicies;
        let (called, denier) = match hindrance.kind {
            ControlKind::Service => ("service control policy", Denier::ServiceControlPolicy),
            ControlKind::Resource => ("resource control policy", Denier::ResourceControlPolicy),
        };
        let place = hindrance.attached_to();
        let roles = format!("{} and {}", self.file.member_role.name, self.file.automation_role.name);
        let (message, fix) = match (&hindrance.policy, &hindrance.statement, &hindrance.perhaps) {
            (Some((id, name)), statement, perhaps) => {
                let policy = format!("{called} {name} ({id}), attached to {place}");
                let statement = statement.as_deref().unwrap_or("it");
                match perhaps {
                    None => (
                        format!("{policy}: {statement} denies {what}"),
                        format!(
                            "ask the management account to exempt the roles {roles} from it, or exclude the account"
                        ),
                    ),
                    Some(why) => (
                        format!("{policy}: {statement} may deny {what}: {why}"),
                        format!(
                            "ask the management account whether it applies to the roles {roles}; if it denies, the first start \
                             in the account fails and changes nothing"
                        ),
                    ),
                }
            }
            (None, _, None) => (
                format!("no {called} attached to {place} allows {what}"),
                format!(
                    "ask the management account to allow it there, to the roles {roles} at least, or exclude the account"
                ),
            ),
            (None, _, Some(why)) => (
                format!("could not determine whether a {called} attached to {place} allows {what}: {why}"),
                "ask the management account; if none does, the first start in the account fails and changes nothing"
                    .to_owned(),
            ),
        };
        let certain = hindrance.perhaps.is_none();
        let standing = if certain { Standing::Failed } else { Standing::Warning };
        let mut check = Check::new(kind, standing, message).fix(fix).fact("attached_to", &*hindrance.target);
        if let Some((id, name)) = &hindrance.policy {
            check = check.fact("policy", &**id).fact("policy_name", &**name);
        }
        Check { denied_by: certain.then_some(denier), ..check }
    }

    /// orgseal's roles in an account.
    pub(super) fn rollout_roles(&self, account: &Account) -> RolloutRoles {
        let is_member = |id: &str| self.members.contains(id);
        rollout_roles(&self.file, self.aws.caller(), &self.organization, account, is_member)
    }

    /// The calls of a rollout in an account, in each Region.
    pub(super) fn calls(&self, roles: &RolloutRoles, account: &Account) -> Vec<RolloutCall> {
        let keys = self.file.keys_of(account);
        let member = |action, resources, region, key| RolloutCall { automation: false, action, resources, region, key };
        let mut calls = vec![member("s3:ListAllMyBuckets", vec![Text::from("*")], None, None)];
        calls.extend(roles.account_calls());
        for region in &self.regions {
            calls.extend(roles.region_calls(region));
            calls.extend(roles.bucket_calls(region, None));
            if let Some(key) = keys.get(region).filter(|_| self.file.keys.prove) {
                let resource = vec![Text::Exactly(key.to_string())];
                calls.push(member("kms:GenerateDataKey", resource, Some(region.clone()), Some(key.clone())));
            }
        }
        calls
    }
}

/// Policies that could not be read: a rollout needs no right to read them.
fn unread(error: &AwsError) -> Check {
    let standing = match error.code.as_str() {
        "AccessDeniedException" => Standing::Warning,
        _ => Standing::Unknown,
    };
    let check = with_error(CheckKind::ControlPolicies, standing, error);
    Check {
        message: format!(
            "could not determine whether service and resource control policies deny what a rollout does: {}",
            error.message
        ),
        ..check
    }
}
