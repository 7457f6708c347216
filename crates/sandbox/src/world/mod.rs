//! The simulated world: fixed facts made from the spec, and per account what changes, each account behind its own lock.
//! No protocol here, and no service's rules: those are in `services`.

pub(crate) mod bucket;
pub(crate) mod bucket_names;
pub(crate) mod config;
pub(crate) mod configuration;
pub(crate) mod disabled_regions;
pub(crate) mod document;
pub(crate) mod execution;
pub(crate) mod key;
pub(crate) mod key_settings;
pub(crate) mod key_state;
pub(crate) mod key_store;
pub(crate) mod lock;
pub(crate) mod managed_policy;
pub(crate) mod object;
pub(crate) mod organization;
pub(crate) mod organization_state;
pub(crate) mod place;
pub(crate) mod records;
mod replay;
mod replay_made;
pub(crate) mod role;
pub(crate) mod role_record;
pub(crate) mod session;
pub(crate) mod stacks;
pub(crate) mod user_record;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::applications::Applications;
use crate::automation::document::Format;
use crate::dump::{DumpedDocument, Dumps};
use crate::faults::{FaultState, Faults};
use crate::generate;
use crate::journal::{DocumentEntry, Entry, Journal};
use crate::latency::Latency;
use crate::observe::{self, BucketState, ExecutionState, Observe};
use crate::policy::store::Permissions;
use crate::random::Random;
use crate::rates::Rates;
use crate::services::config::remediate::Changes;
use crate::signature::SigningKeys;
use crate::spec::{Deploy, DocumentVariant, Spec};
use crate::trail::Trail;

use bucket::{Bucket, Encryption};
use config::ConfigState;
use document::{Document, DocumentVersion};
use execution::Executions;
use lock::lock;
use organization::{Account, Organization};
use place::Place;
use session::{LongLived, Sessions};

const SHIPPED: &str = include_str!("../../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const RESTORE: &str = include_str!("../../../../config/documents/RestoreS3BucketEncryption.yaml");
const ORIGINAL: &str = include_str!("../../../../config/documents/original-three-parameters.yaml");

/// What changes in one account.
#[derive(Debug, Default)]
pub(crate) struct AccountState {
    /// Made when first asked for; sorted by name.
    buckets: Option<Vec<Bucket>>,
    regions: BTreeMap<usize, RegionState>,
    /// Executions not ended, all Regions together, and the highest that was.
    pub(crate) in_flight: u32,
    pub(crate) peak: u32,
    /// The account's own public access block.
    pub(crate) public_access_block: Option<serde_json::Value>,
}

/// What changes in one account and Region.
#[derive(Debug, Default)]
pub(crate) struct RegionState {
    pub(crate) documents: BTreeMap<String, Document>,
    pub(crate) executions: Executions,
    pub(crate) config: ConfigState,
}

impl AccountState {
    /// The Regions in which anything was ever touched.
    pub(crate) fn regions_in_use(&self) -> Vec<usize> {
        self.regions.keys().copied().collect()
    }

    /// Keeps the account's own count in step with its Regions'.
    pub(crate) fn recount(&mut self) {
        self.in_flight = 0;
        for region in self.regions.values_mut() {
            let executions = &mut region.executions;
            executions.peak = executions.peak.max(executions.in_flight());
            self.in_flight += executions.in_flight();
        }
        self.peak = self.peak.max(self.in_flight);
    }
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) spec: Spec,
    pub(crate) organization: Organization,
    pub(crate) external_id: String,
    pub(crate) security_user: LongLived,
    pub(crate) management_user: LongLived,
    pub(crate) sessions: Sessions,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) permissions: Permissions,
    pub(crate) journal: Journal,
    pub(crate) latency: Latency,
    pub(crate) observe: Observe,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) rates: Rates,
    pub(crate) faults: Faults,
    pub(crate) trail: Trail,
    pub(crate) dumps: Dumps,
    /// By Region.
    pub(crate) central_arns: Vec<Arc<str>>,
    pub(crate) key_states: key_state::KeyStates,
    pub(crate) key_store: key_store::KeyStore,
    pub(crate) organization_state: organization_state::OrganizationState,
    pub(crate) stacks: stacks::Stacks,
    pub(crate) roles: records::Records<role_record::RoleRecord>,
    pub(crate) managed: records::Records<managed_policy::ManagedRecord>,
    /// The ARNs of the managed policies of a user, once somebody changed them.
    pub(crate) attached_to_users: records::Records<Vec<String>>,
    /// Held while IAM reads, changes and writes a role, user or policy, so that no change is lost.
    pub(crate) iam_writing: Mutex<()>,
    pub(crate) created_buckets: bucket_names::CreatedBuckets,
    pub(crate) objects: object::Objects,
    pub(crate) disabled_regions: disabled_regions::DisabledRegions,
    pub(crate) config_changes: Changes,
    pub(crate) applications: Applications,
    named_buckets: BTreeMap<String, u32>,
    /// By name: what `document.deploy` puts into accounts.
    deployed: Vec<(String, Arc<DocumentVersion>)>,
    accounts: Vec<Mutex<AccountState>>,
}

impl World {
    pub(crate) fn new(spec: Spec, speed: f64, journal: Journal, runtime: tokio::runtime::Handle) -> World {
        let organization = generate::organization(&spec);
        let user = |account: usize, name| LongLived::new(&spec, account, &organization.accounts[account].id, name);
        let external_id = spec.member_role.external_id.clone().unwrap_or_else(|| {
            format!("orgseal-{}", Random::new(spec.seed, "external-id", 0).text(crate::random::LOWER, 20))
        });
        let mut world = World {
            security_user: user(Organization::SECURITY, "orgseal"),
            management_user: user(Organization::MANAGEMENT, "admin"),
            permissions: Permissions::new(&spec, &organization, &external_id),
            external_id,
            sessions: Sessions::default(),
            signing_keys: SigningKeys::default(),
            journal,
            latency: Latency::new(&spec, speed),
            observe: Observe::default(),
            runtime,
            rates: Rates::new(&spec.rates, speed),
            faults: Faults::new(spec.seed, spec.fault.clone()),
            trail: Trail::new(&spec.observe, organization.accounts.len()),
            dumps: Dumps::default(),
            central_arns: Vec::new(),
            key_states: key_state::KeyStates::default(),
            key_store: key_store::KeyStore::default(),
            organization_state: organization_state::OrganizationState::new(&spec),
            stacks: stacks::Stacks::default(),
            roles: records::Records::default(),
            managed: records::Records::default(),
            attached_to_users: records::Records::default(),
            iam_writing: Mutex::default(),
            created_buckets: bucket_names::CreatedBuckets::default(),
            objects: object::Objects::default(),
            disabled_regions: disabled_regions::DisabledRegions::new(&spec, &organization),
            config_changes: Changes::default(),
            applications: Applications::new(&spec, &organization),
            named_buckets: generate::named_buckets(&spec, &organization),
            deployed: deployed(&spec),
            accounts: organization.accounts.iter().map(|_| Mutex::default()).collect(),
            organization,
            spec,
        };
        if !world.spec.config_remediation.is_empty() {
            world.config_changes.be_in_use();
        }
        world.central_arns = (0..world.spec.regions.len()).map(|region| world.central_key(region).arn.into()).collect();
        world
    }

    pub(crate) fn management_account(&self) -> &Account {
        &self.organization.accounts[Organization::MANAGEMENT]
    }

    pub(crate) fn security_account(&self) -> &Account {
        &self.organization.accounts[Organization::SECURITY]
    }

    /// The canonical user id of an account.
    pub(crate) fn canonical_id(&self, account: usize) -> String {
        Random::new(self.spec.seed, "canonical-id", account as u64).text(b"0123456789abcdef", 64)
    }

    pub(crate) fn region_index(&self, name: &str) -> Option<usize> {
        self.spec.regions.iter().position(|region| region == name)
    }

    /// Works on one account; its buckets are not made for this.
    pub(crate) fn with_account<T>(&self, account: usize, work: impl FnOnce(&mut AccountState) -> T) -> T {
        work(&mut lock(&self.accounts[account]))
    }

    /// Works on the buckets of one account, sorted by name; makes them when they were not asked for before.
    pub(crate) fn with_buckets<T>(&self, account: usize, work: impl FnOnce(&mut Vec<Bucket>) -> T) -> T {
        self.with_account(account, |state| work(state.buckets.get_or_insert_with(|| generate::buckets(self, account))))
    }

    /// Works on one account and Region.
    pub(crate) fn with_region<T>(&self, account: usize, region: usize, work: impl FnOnce(&mut RegionState) -> T) -> T {
        self.with_account(account, |state| work(self.region_of(state, account, region)))
    }

    /// The state of a Region, with the deployed documents and the spec's remediations in it.
    pub(crate) fn region_of<'a>(
        &self,
        state: &'a mut AccountState,
        account: usize,
        region: usize,
    ) -> &'a mut RegionState {
        state.regions.entry(region).or_insert_with(|| RegionState {
            documents: self.generated_documents(account),
            executions: Executions::default(),
            config: self.generated_config(Place { account, region }),
        })
    }

    fn generated_documents(&self, account: usize) -> BTreeMap<String, Document> {
        let mut documents = BTreeMap::new();
        let deploy = self.spec.document.deploy;
        let security = account == Organization::SECURITY;
        let shared = security && matches!(deploy, Deploy::Shared | Deploy::Both);
        let here = shared || matches!(deploy, Deploy::Each | Deploy::Both);
        for (name, version) in self.deployed.iter().filter(|_| here) {
            let mut document = Document::new(version.clone());
            if shared {
                // SSM shares a document with a thousand accounts at most.
                let members = self.organization.accounts.iter().enumerate().filter(|(index, _)| *index != account);
                document.shared_with = members.map(|(_, member)| member.id.clone()).take(1000).collect();
            }
            documents.insert(name.clone(), document);
        }
        documents
    }

    /// The account that owns the bucket, found without making anybody's buckets. It may turn out to have none of this name.
    pub(crate) fn bucket_owner(&self, bucket: &str) -> Option<usize> {
        if let Some(account) = self.created_buckets.owner(bucket) {
            return Some(account);
        }
        self.generated_owner(bucket)
    }

    fn generated_owner(&self, bucket: &str) -> Option<usize> {
        if let Some(account) = self.named_buckets.get(bucket) {
            return Some(*account as usize);
        }
        let (_, id) = bucket.rsplit_once('-')?;
        self.organization.find(id)
    }

    pub(crate) fn meddle_with_encryption(&self, bucket: &str, encryption: Option<Encryption>) -> bool {
        let Some(owner) = self.bucket_owner(bucket) else { return false };
        let region = self.with_buckets(owner, |buckets| {
            let at = buckets.binary_search_by(|b| (*b.name).cmp(bucket)).ok()?;
            let entry = Entry::Encryption { bucket: bucket.into(), encryption: encryption.as_ref().map(Into::into) };
            self.journal.append(&entry).ok()?;
            buckets[at].encryption = encryption;
            Some(usize::from(buckets[at].region))
        });
        if let Some(region) = region {
            self.config_changes.note(Place { account: owner, region }, bucket);
        }
        region.is_some()
    }

    pub(crate) fn put_document_content(
        &self,
        account: &str,
        region: &str,
        name: &str,
        content: &str,
    ) -> Result<(), String> {
        let at = self.organization.find(account).ok_or("there is no such account")?;
        let region_at = self.region_index(region).ok_or("there is no such Region")?;
        let format = Format::guess(content);
        let now = crate::wire::now_ms();
        let version = DocumentVersion::new(content, format, None, now)?;
        self.with_region(at, region_at, |state| {
            let document = state.documents.get_mut(name).ok_or("there is no such document")?;
            self.journal
                .append(&Entry::DocumentVersion(Box::new(DocumentEntry {
                    account: account.into(),
                    region: region.into(),
                    name: name.into(),
                    content: content.into(),
                    format,
                    version_name: None,
                    created_ms: now,
                    make_default: true,
                    tags: Vec::new(),
                    target_type: None,
                })))
                .map_err(|error| error.message)?;
            document.versions.push(Arc::new(version));
            document.default_version = document.versions.len();
            Ok(())
        })
    }

    pub(crate) fn account_states(&self) -> Vec<observe::AccountState> {
        let state = |(index, account): (usize, &Account)| observe::AccountState {
            id: account.id.clone(),
            name: account.name.clone(),
            state: account.state.into(),
            path: self.organization.ou_path(account.ou),
            member_role: self.policies_of_role(index, &self.spec.member_role.name).is_some(),
        };
        self.organization.accounts.iter().enumerate().map(state).collect()
    }

    pub(crate) fn bucket_states(&self) -> Vec<BucketState> {
        (0..self.organization.accounts.len()).flat_map(|index| self.bucket_states_of(index)).collect()
    }

    pub(crate) fn bucket_states_of(&self, account: usize) -> Vec<BucketState> {
        let state = |bucket: &Bucket| BucketState {
            account: self.organization.accounts[account].id.clone(),
            region: self.spec.regions[usize::from(bucket.region)].clone(),
            name: bucket.name.to_string(),
            encryption: bucket.encryption.as_ref().map(Into::into),
        };
        self.with_buckets(account, |buckets| buckets.iter().map(state).collect())
    }

    pub(crate) fn fault_states(&self) -> Vec<FaultState> {
        self.faults.states(|account| self.organization.accounts[account].id.clone())
    }

    /// The documents that are not as they were made, by `account/region/name`.
    pub(crate) fn changed_documents(&self) -> BTreeMap<String, DumpedDocument> {
        let mut changed = BTreeMap::new();
        for (index, account) in self.organization.accounts.iter().enumerate() {
            let made = self.generated_documents(index);
            self.with_account(index, |state| {
                for (region, held) in &state.regions {
                    for (name, document) in &held.documents {
                        let dumped = DumpedDocument::from(document);
                        if made.get(name).map(DumpedDocument::from).as_ref() != Some(&dumped) {
                            changed.insert(format!("{}/{}/{name}", account.id, self.spec.regions[*region]), dumped);
                        }
                    }
                }
            });
        }
        changed
    }

    /// Visits every account and Region that was ever touched.
    fn for_each_region(&self, mut visit: impl FnMut(&str, &str, &RegionState)) {
        for (index, account) in self.organization.accounts.iter().enumerate() {
            self.with_account(index, |state| {
                for (region, held) in &state.regions {
                    visit(&account.id, &self.spec.regions[*region], held);
                }
            });
        }
    }

    pub(crate) fn execution_states(&self) -> Vec<ExecutionState> {
        let mut all = Vec::new();
        self.for_each_region(|account, region, state| {
            all.extend(state.executions.all.iter().map(|execution| ExecutionState {
                account: account.into(),
                region: region.into(),
                id: execution.id.clone(),
                document: execution.document.clone(),
                version: execution.document_version,
                status: execution.status.name().into(),
                parameters: execution.parameters.clone(),
                executed_by: execution.executed_by.clone(),
                started_ms: execution.started_ms,
                ended_ms: execution.ended_ms,
                failure: execution.failure.clone(),
                client_token: execution.client_token.clone(),
            }));
        });
        all
    }

    pub(crate) fn peak_in_flight(&self) -> BTreeMap<(String, String), u32> {
        let mut peaks = BTreeMap::new();
        self.for_each_region(|account, region, state| {
            if state.executions.peak > 0 {
                peaks.insert((account.into(), region.into()), state.executions.peak);
            }
        });
        peaks
    }

    pub(crate) fn peak_in_flight_by_account(&self) -> BTreeMap<String, u32> {
        let accounts = self.organization.accounts.iter().enumerate();
        accounts
            .map(|(index, account)| (account.id.clone(), self.with_account(index, |state| state.peak)))
            .filter(|(_, peak)| *peak > 0)
            .collect()
    }
}

/// The documents that `document.deploy` puts into accounts: the one that seals, and the one that undoes it.
fn deployed(spec: &Spec) -> Vec<(String, Arc<DocumentVersion>)> {
    if !spec.groundwork {
        return Vec::new();
    }
    let seal = match (&spec.document.content, spec.document.variant) {
        (Some(content), _) => content.as_str(),
        (None, DocumentVariant::Shipped) => SHIPPED,
        (None, DocumentVariant::Original) => ORIGINAL,
    };
    let version = |content: &str| DocumentVersion::new(content, Format::guess(content), None, 1_760_000_000_000).ok();
    let restore = spec.document.restore_content.as_deref().unwrap_or(RESTORE);
    [(&spec.document.name, seal), (&spec.document.restore_name, restore)]
        .into_iter()
        .filter_map(|(name, content)| Some((name.clone(), Arc::new(version(content)?))))
        .collect()
}
