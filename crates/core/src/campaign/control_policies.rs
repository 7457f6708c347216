//! The service and resource control policies above an account, for `preflight` and for the guard `change-denied`.
//!
//! Organizations throttles early, so the question goes from the policies to their targets: an organization with nothing beside
//! `FullAWSAccess` costs two requests, however many accounts it has. A policy is read once, and so is each root, OU or account that
//! one is attached to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{join, join_all};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::Campaign;
use super::examine::AccountLook;
use super::fresh::Fresh;
use crate::aws::{Organization, Organizations};
use crate::config::{CampaignFile, OwnAccount};
use crate::judge::guards::Rollout;
use crate::judge::policy::{ControlKind, ControlPolicy, Level, Parsed, Policy};
use crate::judge::{AccountControls, RolloutRoles};
use crate::model::{Account, AwsError, role_arn};

/// Calls at once: the API is global and throttles early.
const READS: usize = 4;
/// AWS's own policies: they allow everything, and are attached wherever nobody detached them.
const FULL_ACCESS: [&str; 2] = ["p-FullAWSAccess", "p-RCPFullAWSAccess"];

/// What policies other than AWS's own are attached to.
enum Attachments {
    /// There are none.
    Nothing,
    /// To these roots, OUs and accounts. Everything else has `FullAWSAccess` alone: Organizations does not let the last service
    /// control policy of a target be detached.
    To(HashSet<String>),
    /// Not known, or cheaper to ask of each target.
    Unknown,
}

/// Which roots, OUs and accounts are asked for their policies where the caller may not ask the policies what they are attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Each of them: two requests for each account.
    Everything,
    /// Roots and OUs, which accounts share. What is attached to accounts is unknown then.
    RootsAndOus,
}

/// Reads by what they are about, each made once as long as it is not too old.
type Reads<K, T> = Mutex<HashMap<K, Arc<Fresh<T>>>>;

/// What was read of control policies so far. A run keeps it when it learns anew which policies there are, so that a root or OU that
/// was read a minute before is not read again.
#[derive(Default)]
struct Known {
    /// What the policies say, by their ids: most are attached in many places.
    texts: Reads<String, Parsed>,
    /// A denial is an answer: no account below asks again.
    levels: Reads<(ControlKind, String), Result<Arc<Level>, AwsError>>,
    /// The root and OUs above each account, where ListAccounts gives no `Paths`.
    walked: Fresh<Arc<BTreeMap<String, Vec<String>>>>,
}

/// The control policies of the organization.
pub(super) struct ControlPolicies {
    organizations: Organizations,
    management_account: String,
    reads: Semaphore,
    /// Requests so far, each counted as one page.
    requests: Arc<AtomicUsize>,
    service: Attachments,
    resource: Attachments,
    /// Why each root, OU and account has to be asked, where the caller may not ask the policies.
    denied: Option<AwsError>,
    asked: Asked,
    max_age: Duration,
    known: Arc<Known>,
}

impl ControlPolicies {
    /// Learns which policies there are, and what they are attached to (`ListPolicies`, `ListTargetsForPolicy`). `accounts`: how many
    /// accounts will be asked about.
    pub(super) async fn open(
        organizations: &Organizations,
        organization: &Organization,
        accounts: usize,
    ) -> Result<ControlPolicies, AwsError> {
        let known = Arc::default();
        ControlPolicies::open_again(organizations, organization, accounts, Asked::Everything, Duration::MAX, known)
            .await
    }

    /// The same, with what was read before, as far as it is not older than `max_age`.
    async fn open_again(
        organizations: &Organizations,
        organization: &Organization,
        accounts: usize,
        asked: Asked,
        max_age: Duration,
        known: Arc<Known>,
    ) -> Result<ControlPolicies, AwsError> {
        let (reads, requests) = (Semaphore::new(READS), Arc::<AtomicUsize>::default());
        let denied = Mutex::new(None);
        let reader = Reader { organizations, reads: &reads, requests: &requests, accounts, denied: &denied };
        let (service, resource) =
            join(reader.attachments(ControlKind::Service), reader.attachments(ControlKind::Resource)).await;
        Ok(ControlPolicies {
            organizations: organizations.clone(),
            management_account: organization.management_account.clone(),
            reads,
            requests,
            service: service?,
            resource: resource?,
            denied: denied.into_inner().unwrap_or_else(PoisonError::into_inner),
            asked,
            max_age,
            known,
        })
    }

    /// The policies above an account, and its own. `ous`: the root and the OUs above it, empty where they are not known.
    pub(super) async fn of_account(&self, account: &str, ous: &[String]) -> Result<AccountControls, AwsError> {
        if account == self.management_account || self.is_empty() {
            return Ok(AccountControls::default());
        }
        let walked;
        let above = match ous {
            [] => {
                walked = self.above(account).await?;
                walked.as_slice()
            }
            known => known,
        };
        let account_unread = self.asked == Asked::RootsAndOus && self.denied.is_some();
        let own = (!account_unread).then_some(account);
        let targets: Vec<&str> = above.iter().map(String::as_str).chain(own).collect();
        let (service, resource) =
            join(self.levels(ControlKind::Service, &targets), self.levels(ControlKind::Resource, &targets)).await;
        Ok(AccountControls { service: service?, resource: resource?, account_unread })
    }

    /// Why each root, OU and account has to be asked, where the caller may not ask the policies what they are attached to.
    pub(super) fn denied(&self) -> Option<&AwsError> {
        self.denied.as_ref()
    }

    /// Whether there is nothing beside AWS's own policies.
    pub(super) fn is_empty(&self) -> bool {
        matches!((&self.service, &self.resource), (Attachments::Nothing, Attachments::Nothing))
    }

    /// Reads the policies of roots and OUs, so that an error is told once and not for each account below them.
    pub(super) async fn read_above(&self, accounts: impl Iterator<Item = &Account>) -> Result<(), AwsError> {
        if self.is_empty() {
            return Ok(());
        }
        let mut targets: HashSet<String> = HashSet::new();
        for account in accounts.filter(|account| account.id != self.management_account) {
            match account.ous.is_empty() {
                true => targets.extend(self.above(&account.id).await?),
                false => targets.extend(account.ous.iter().cloned()),
            }
        }
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let (service, resource) =
            join(self.levels(ControlKind::Service, &targets), self.levels(ControlKind::Resource, &targets)).await;
        service.and(resource).map(drop)
    }

    /// The root and the OUs above an account, by a walk of the tree.
    async fn above(&self, account: &str) -> Result<Vec<String>, AwsError> {
        let walk = async { self.organizations.walk().await.map(Arc::new) };
        let walked = self.known.walked.try_get(self.max_age, walk).await?;
        walked.get(account).cloned().ok_or_else(|| AwsError {
            code: "OusNotKnown".to_owned(),
            message: format!("the OUs above account {account} are not known, and so neither are their policies"),
            hint: "run the command again: the account may have been moved".to_owned(),
        })
    }

    async fn levels(&self, kind: ControlKind, targets: &[&str]) -> Result<Vec<Arc<Level>>, AwsError> {
        let attachments = match kind {
            ControlKind::Service => &self.service,
            ControlKind::Resource => &self.resource,
        };
        let asked = targets.iter().filter(|target| match attachments {
            Attachments::Nothing => false,
            Attachments::To(known) => known.contains(**target),
            Attachments::Unknown => true,
        });
        join_all(asked.map(|target| self.level(kind, target))).await.into_iter().collect()
    }

    async fn level(&self, kind: ControlKind, target: &str) -> Result<Arc<Level>, AwsError> {
        let cell = cell(&self.known.levels, (kind, target.to_owned()));
        let read = async {
            match self.read_level(kind, target).await {
                Err(error) if !is_denied(&error) => Err(error),
                answer => Ok(answer),
            }
        };
        cell.try_get(self.max_age, read).await?
    }

    async fn read_level(&self, kind: ControlKind, target: &str) -> Result<Arc<Level>, AwsError> {
        let listed = {
            let _permit = self.reads.acquire().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            match self.organizations.attached(target, kind).await {
                Err(error) if kind == ControlKind::Resource && is_unknown_type(&error) => Vec::new(),
                listed => listed?,
            }
        };
        let mut policies = Vec::new();
        for (id, name) in listed {
            let policy = self.text(&id).await?;
            policies.push(ControlPolicy { id: id.into(), name: name.into(), policy });
        }
        Ok(Arc::new(Level { target: target.into(), policies }))
    }

    async fn text(&self, id: &str) -> Result<Parsed, AwsError> {
        let cell = cell(&self.known.texts, id.to_owned());
        let read = async {
            let _permit = self.reads.acquire().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            self.organizations.policy(id).await.map(|text| Arc::new(Policy::parse(&text)))
        };
        cell.try_get(self.max_age, read).await
    }
}

/// What it takes to learn what policies are attached to.
struct Reader<'a> {
    organizations: &'a Organizations,
    reads: &'a Semaphore,
    requests: &'a AtomicUsize,
    accounts: usize,
    denied: &'a Mutex<Option<AwsError>>,
}

impl Reader<'_> {
    /// What the policies of a kind are attached to.
    async fn attachments(&self, kind: ControlKind) -> Result<Attachments, AwsError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let listed = match self.organizations.control_policies(kind).await {
            Ok(listed) => listed,
            Err(error) if kind == ControlKind::Resource && is_unknown_type(&error) => return Ok(Attachments::Nothing),
            // A caller with the permissions of earlier versions may list the policies of a target, and no more.
            Err(error) if is_denied(&error) => return Ok(self.unknown(error)),
            Err(error) => return Err(error),
        };
        let own: Vec<_> = listed.iter().filter(|policy| !FULL_ACCESS.contains(&policy.id.as_str())).collect();
        if own.is_empty() {
            return Ok(Attachments::Nothing);
        }
        if own.len() > self.accounts {
            return Ok(Attachments::Unknown);
        }
        let targets = own.iter().map(|policy| async {
            let _permit = self.reads.acquire().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            self.organizations.targets(&policy.id).await
        });
        let mut found = HashSet::new();
        for targets in join_all(targets).await {
            match targets {
                Ok(targets) => found.extend(targets),
                Err(error) if is_denied(&error) => return Ok(self.unknown(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(Attachments::To(found))
    }

    fn unknown(&self, error: AwsError) -> Attachments {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        Attachments::Unknown
    }
}

/// A partition that does not know resource control policies has none.
fn is_unknown_type(error: &AwsError) -> bool {
    matches!(error.code.as_str(), "InvalidInputException" | "UnsupportedAPIEndpointException")
}

fn is_denied(error: &AwsError) -> bool {
    matches!(error.code.as_str(), "AccessDeniedException" | "AccessDenied")
}

fn cell<K: Eq + Hash, T>(reads: &Reads<K, T>, key: K) -> Arc<Fresh<T>> {
    let mut reads = reads.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(reads.entry(key).or_default())
}

/// The control policies of the organization as a run reads them: anew when they are older than `guards.max_age`.
#[derive(Default)]
pub(super) struct ControlReads {
    policies: Fresh<Result<Arc<ControlPolicies>, AwsError>>,
    known: Arc<Known>,
    /// Requests that the last reading took so far.
    requests: Mutex<Arc<AtomicUsize>>,
}

impl ControlReads {
    /// Requests to Organizations that the last reading took.
    pub(super) fn requests(&self) -> usize {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).load(Ordering::Relaxed)
    }
}

/// orgseal's roles in an account, as the campaign file names them. `is_member` says whether an account is in the organization.
pub(super) fn rollout_roles(
    file: &CampaignFile,
    caller: &crate::aws::Caller,
    organization: &str,
    account: &Account,
    is_member: impl Fn(&str) -> bool,
) -> RolloutRoles {
    let (member, automation) = (&file.member_role, &file.automation_role);
    let others = file.document.owner.iter().cloned().chain(file.all_keys().into_iter().map(|key| key.account));
    RolloutRoles {
        partition: caller.partition.clone(),
        account: account.id.clone(),
        member: role_arn(&caller.partition, &account.id, &member.path, &member.name),
        automation: role_arn(&caller.partition, &account.id, &automation.path, &automation.name),
        member_is_caller: member.own_account == OwnAccount::Caller && account.id == caller.account,
        document: file.document.name.clone(),
        document_owner: file.document.owner.clone(),
        organization: organization.to_owned(),
        ous: account.ous.clone(),
        outside: others.filter(|other| !is_member(other)).collect(),
    }
}

impl Campaign {
    /// orgseal's roles in an account and the control policies above it, for guards; and when they were read. Policies that cannot be
    /// read are told of once: a rollout needs no right to read them.
    pub(super) async fn rollout(&self, at: &AccountLook, max_age: Duration) -> (Rollout, Timestamp) {
        let read = async {
            let account = at.account();
            let population = self.population.get();
            let is_member = |id: &str| population.is_some_and(|known| known.organization.accounts.contains(id));
            let roles = rollout_roles(&self.file, self.aws.caller(), &self.organization.id, account, is_member);
            let controls = match self.control_policies(max_age).await {
                Ok(policies) => policies.of_account(&account.id, &account.ous).await,
                Err(error) => Err(error),
            };
            let controls = match controls {
                Ok(controls) => Some(Arc::new(controls)),
                Err(error) => {
                    self.warn_of_controls(&error);
                    None
                }
            };
            Rollout { roles, controls }
        };
        at.rollout.get(max_age, Box::pin(read)).await
    }

    async fn control_policies(&self, max_age: Duration) -> Result<Arc<ControlPolicies>, AwsError> {
        let accounts = self.population.get().map_or(0, |population| population.organization.accounts.len());
        let open = async {
            let known = Arc::clone(&self.controls.known);
            let organizations = self.aws.organizations();
            let open = ControlPolicies::open_again(
                &organizations,
                &self.organization,
                accounts,
                Asked::RootsAndOus,
                max_age,
                known,
            );
            let opened = open.await?;
            if let Some(error) = opened.denied().filter(|_| !opened.is_empty()) {
                self.warn_of_account_level(error);
            }
            *self.controls.requests.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&opened.requests);
            Ok(Arc::new(opened))
        };
        self.controls.policies.get(max_age, Box::pin(open)).await.0
    }

    /// Told once, since the message is the same each time.
    fn warn_of_account_level(&self, error: &AwsError) {
        let message = format!(
            "whether control policies that are attached to accounts deny the change could not be determined, since each account would have to \
             be asked: {error}; those of roots and OUs are evaluated, and the first execution in each account and Region goes alone; \
             help: {}",
            error.hint
        );
        self.warnings.once(&self.events, message);
    }

    fn warn_of_controls(&self, error: &AwsError) {
        let message = format!(
            "whether service and resource control policies deny the change could not be determined: {error}; help: {}",
            error.hint
        );
        self.warnings.once(&self.events, message);
    }
}
