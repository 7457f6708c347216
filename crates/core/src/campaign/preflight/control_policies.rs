//! Service and resource control policies: whether they deny what a rollout does in an account. What they deny shows otherwise
//! only when something is started.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{join, join_all};
use tokio::sync::{OnceCell, Semaphore};

use super::{Look, with_error};
use crate::aws::{Aws, Organization, Organizations};
use crate::config::{CampaignFile, OwnAccount};
use crate::judge::policy::{
    ControlKind, ControlPolicy, Hindrance, Known, Level, Parsed, Policy, Request, Text, hindrances,
};
use crate::model::{Account, AwsError, Check, CheckKind, Denier, KeyArn, Operation, Standing, role_arn};

/// Calls at once: the API is global and throttles early.
const READS: usize = 4;

/// The policies that are attached to one root, OU or account.
struct Attached {
    service: Level,
    resource: Level,
}

/// Every control policy above the accounts. Those of the accounts themselves are read with the account.
pub(super) struct ControlPolicies {
    organizations: Organizations,
    reads: Semaphore,
    /// What the policies say, by their ids: most are attached in many places.
    texts: Mutex<HashMap<String, Arc<OnceCell<Parsed>>>>,
    /// By the id of the root or OU, and, of the accounts that keys are in, by theirs.
    attached: HashMap<String, Attached>,
    organization: Organization,
    /// The roots and OUs above each account of the campaign, and each that keys are in.
    above: HashMap<String, Vec<String>>,
    /// The accounts that keys are in and that are bound by resource control policies.
    owners: BTreeSet<String>,
    /// All accounts of the organization.
    members: HashSet<String>,
}

impl ControlPolicies {
    /// Reads those of each root and OU above the accounts, and of the accounts that keys are in. Where that fails, nothing is
    /// said of any account: the check says why.
    pub(super) async fn read(
        aws: &Aws,
        file: &CampaignFile,
        organization: &Organization,
        listed: &[Account],
        accounts: &[Account],
    ) -> Result<ControlPolicies, Check> {
        let owners: BTreeSet<String> = file
            .all_keys()
            .into_iter()
            .map(|key| key.account)
            .filter(|owner| *owner != organization.management_account)
            .filter(|owner| listed.iter().any(|account| account.id == *owner))
            .collect();
        let concerned = || listed.iter().filter(|account| owners.contains(&account.id)).chain(accounts);
        let organizations = aws.organizations().clone();
        let mut above: HashMap<String, Vec<String>> =
            concerned().map(|account| (account.id.clone(), account.ous.clone())).collect();
        // ListAccounts gave no Paths, and nothing else has needed them so far.
        if above.values().any(Vec::is_empty) {
            let mut walked = organizations.walk().await.map_err(|error| unread(&error))?;
            for (account, ous) in above.iter_mut().filter(|(_, ous)| ous.is_empty()) {
                *ous = walked.remove(account).unwrap_or_default();
            }
        }
        let mut found = ControlPolicies {
            organizations,
            reads: Semaphore::new(READS),
            texts: Mutex::default(),
            attached: HashMap::new(),
            organization: organization.clone(),
            above,
            owners,
            members: listed.iter().map(|account| account.id.clone()).collect(),
        };
        let targets: BTreeSet<&String> = found.above.values().flatten().chain(&found.owners).collect();
        let read =
            join_all(targets.into_iter().map(|target| async { Ok((target.clone(), found.of(target).await?)) })).await;
        let attached: Result<HashMap<String, Attached>, AwsError> = read.into_iter().collect();
        found.attached = attached.map_err(|error| unread(&error))?;
        Ok(found)
    }

    async fn of(&self, target: &str) -> Result<Attached, AwsError> {
        let (service, resource) =
            join(self.level(target, ControlKind::Service), self.level(target, ControlKind::Resource)).await;
        Ok(Attached { service: service?, resource: resource? })
    }

    async fn level(&self, target: &str, kind: ControlKind) -> Result<Level, AwsError> {
        let listed = {
            let _permit = self.reads.acquire().await;
            match self.organizations.attached(target, kind).await {
                // A partition that does not know resource control policies has none.
                Err(error) if kind == ControlKind::Resource && is_not_known(&error) => Vec::new(),
                listed => listed?,
            }
        };
        let mut policies = Vec::new();
        for (id, name) in listed {
            let policy = self.text(&id).await?;
            policies.push(ControlPolicy { id: id.into(), name: name.into(), policy });
        }
        Ok(Level { target: target.into(), policies })
    }

    async fn text(&self, id: &str) -> Result<Parsed, AwsError> {
        let cell = {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.entry(id.to_owned()).or_default().clone()
        };
        let read = cell.get_or_try_init(|| async {
            let _permit = self.reads.acquire().await;
            self.organizations.policy(id).await.map(|text| Arc::new(Policy::parse(&text)))
        });
        read.await.cloned()
    }

    /// The levels of the roots and OUs above an account.
    fn levels_above(&self, account: &str) -> impl Iterator<Item = &Attached> {
        self.above.get(account).into_iter().flatten().filter_map(|target| self.attached.get(target))
    }
}

/// What a rollout does in an account.
struct Deed {
    /// Whether the automation role does it; the member role does it otherwise.
    automation: bool,
    action: &'static str,
    /// Each must be allowed.
    resources: Vec<Text>,
    /// `None`: it is not said of a Region.
    region: Option<String>,
    /// The central key that it is done with.
    key: Option<KeyArn>,
}

impl Look {
    /// Whether control policies deny what a rollout does in an account; nothing where they could not be read at all.
    pub(super) async fn control_policies(&self, account: &Account) -> Vec<Check> {
        let kind = CheckKind::ControlPolicies;
        let Some(controls) = &self.controls else { return Vec::new() };
        if account.id == controls.organization.management_account {
            return vec![Check::new(kind, Standing::Ok, "the management account is bound by no control policy")];
        }
        if controls.above.get(&account.id).is_none_or(Vec::is_empty) {
            let message =
                format!("the OUs above account {} are not known, and so neither are their policies", account.id);
            return vec![
                Check::new(kind, Standing::Warning, message).fix("run it again: the account may have been moved"),
            ];
        }
        let own = match controls.of(&account.id).await {
            Ok(own) => own,
            Err(error) => return vec![unread(&error)],
        };
        let service: Vec<&Level> =
            controls.levels_above(&account.id).chain([&own]).map(|level| &level.service).collect();
        let resource: Vec<&Level> =
            controls.levels_above(&account.id).chain([&own]).map(|level| &level.resource).collect();
        // What is in the way, of which deeds, in which Regions.
        let mut found: BTreeMap<Hindrance, BTreeMap<(bool, &'static str), BTreeSet<String>>> = BTreeMap::new();
        for deed in self.deeds(account) {
            let mut in_the_way: BTreeSet<Hindrance> = BTreeSet::new();
            for text in &deed.resources {
                let request = self.request(controls, account, &deed, text.clone());
                in_the_way.extend(hindrances(ControlKind::Service, &service, &request));
                in_the_way.extend(match &deed.key {
                    // Bound is the account that the resource is in.
                    Some(key) if !controls.owners.contains(&key.account) => Vec::new(),
                    Some(key) => {
                        let of_key = controls.attached.get(&key.account);
                        let levels = controls.levels_above(&key.account).chain(of_key);
                        let levels: Vec<&Level> = levels.map(|level| &level.resource).collect();
                        hindrances(ControlKind::Resource, &levels, &request)
                    }
                    None if deed.action.starts_with("s3:") => hindrances(ControlKind::Resource, &resource, &request),
                    // Neither Systems Manager nor IAM is among the services that they bound.
                    None => Vec::new(),
                });
            }
            if in_the_way.iter().any(|hindrance| hindrance.perhaps.is_none()) {
                in_the_way.retain(|hindrance| hindrance.perhaps.is_none());
            }
            for hindrance in in_the_way {
                let regions = found.entry(hindrance).or_default().entry((deed.automation, deed.action)).or_default();
                match &deed.region {
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
        let place = match &*hindrance.target {
            root if root.starts_with("r-") => format!("root {root}"),
            ou if ou.starts_with("ou-") => format!("OU {ou}"),
            account => format!("account {account}"),
        };
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
                            "ask the management account whether it is meant for the roles {roles}; where it denies, the first start in \
                             the account says so and harms nothing"
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
                format!("whether a {called} attached to {place} allows {what} cannot be told: {why}"),
                "ask the management account; where none does, the first start in the account says so and harms nothing"
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

    /// What a rollout does in an account, in each Region.
    fn deeds(&self, account: &Account) -> Vec<Deed> {
        let partition = &self.aws.caller().partition;
        let buckets = || vec![Text::Beginning(format!("arn:{partition}:s3:::"))];
        let keys = self.file.keys_of(account);
        let passed = vec![Text::Exactly(self.automation_role_arn(account))];
        let everywhere = |action, resources| Deed { automation: false, action, resources, region: None, key: None };
        let mut deeds =
            vec![everywhere("s3:ListAllMyBuckets", vec![Text::from("*")]), everywhere("iam:PassRole", passed)];
        for region in &self.regions {
            let reference = self.file.document.reference(Operation::Seal, partition, region);
            let document = match reference.starts_with("arn:") {
                true => reference,
                false => format!("arn:{partition}:ssm:{region}:{}:document/{reference}", account.id),
            };
            let executions =
                Text::Beginning(format!("arn:{partition}:ssm:{region}:{}:automation-execution/", account.id));
            let here = |automation, action, resources| Deed {
                automation,
                action,
                resources,
                region: Some(region.clone()),
                key: None,
            };
            deeds.extend([
                here(false, "ssm:StartAutomationExecution", vec![Text::Exactly(document), executions.clone()]),
                here(false, "ssm:AddTagsToResource", vec![executions]),
                here(false, "ssm:DescribeAutomationExecutions", vec![Text::from("*")]),
                here(false, "s3:GetEncryptionConfiguration", buckets()),
                here(true, "s3:GetEncryptionConfiguration", buckets()),
                here(true, "s3:PutEncryptionConfiguration", buckets()),
            ]);
            if let Some(key) = keys.get(region).filter(|_| self.file.keys.prove) {
                let proof = here(false, "kms:GenerateDataKey", vec![Text::Exactly(key.to_string())]);
                deeds.push(Deed { key: Some(key.clone()), ..proof });
            }
        }
        deeds
    }

    /// What is known beforehand of the request that a deed is.
    fn request(&self, controls: &ControlPolicies, account: &Account, deed: &Deed, resource: Text) -> Request {
        let organization = &controls.organization.id;
        let caller = self.aws.caller();
        let role = &self.file.member_role;
        let member = role_arn(&caller.partition, &account.id, &role.path, &role.name);
        let is_caller = !deed.automation && role.own_account == OwnAccount::Caller && account.id == caller.account;
        let principal = if deed.automation { self.automation_role_arn(account) } else { member };
        let above = controls.above.get(&account.id).into_iter().flatten();
        let path = above.fold(format!("{organization}/"), |path, ou| format!("{path}{ou}/"));
        let mut request = Request::of(&principal, &account.id, deed.action, resource)
            .with_value("aws:PrincipalOrgID", organization.as_str())
            .with_value("aws:PrincipalOrgPaths", path)
            .with_value("aws:PrincipalType", "AssumedRole");
        if is_caller {
            // A session's ARN does not tell the path of its role.
            request = request.with("aws:PrincipalArn", Known::Unknown).with("aws:PrincipalType", Known::Unknown);
        }
        if let Some(region) = &deed.region {
            request = request.with_value("aws:RequestedRegion", region.as_str());
        }
        if deed.action == "iam:PassRole" {
            request = request.with_value("iam:PassedToService", "ssm.amazonaws.com");
        }
        if deed.key.is_some() {
            // The proof is made directly.
            request = request.with("kms:ViaService", Known::Absent);
        }
        // Buckets have no account in their ARN, and are the account's own.
        let (Text::Exactly(arn) | Text::Beginning(arn)) = &request.resource;
        let owner = arn.split(':').nth(4).filter(|owner| !owner.is_empty()).unwrap_or(&account.id).to_owned();
        if controls.members.contains(&owner) {
            request = request.with_value("aws:ResourceOrgID", organization.as_str());
        }
        if deed.action.starts_with("s3:") {
            request = request.with_value("s3:ResourceAccount", owner.as_str());
        }
        request.with_value("aws:ResourceAccount", owner)
    }
}

fn is_not_known(error: &AwsError) -> bool {
    matches!(error.code.as_str(), "InvalidInputException" | "UnsupportedAPIEndpointException")
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
            "whether service and resource control policies deny what a rollout does cannot be told: {}",
            error.message
        ),
        ..check
    }
}
