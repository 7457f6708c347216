//! A simulated AWS Organization behind one loopback socket that speaks AWS's own protocols.
//!
//! Here: the public face (start, observe, meddle, stop). The world's state lives in `world`, the protocols in `wire`, the
//! services in `services`, the Automation engine in `automation`. Nothing here knows orgseal's own types.

mod applications;
mod authorize;
mod automation;
mod campaign_file;
mod control;
mod dump;
mod faults;
mod features;
mod generate;
mod journal;
mod latency;
mod line;
mod observe;
mod partition;
mod permissions;
mod policy;
mod random;
mod rates;
mod request;
mod server;
mod services;
mod signature;
mod spec;
#[cfg(test)]
mod tests;
mod trail;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use applications::{ApplicationBucket, ApplicationCredentials, ApplicationState};
pub use dump::{Difference, Dump, DumpedBucket, DumpedDocument};
pub use faults::{Fault, FaultFilter, FaultKind, FaultState};
pub use observe::{AccountState, AnswerCount, BucketEncryption, BucketState, Counters, ExecutionState, RequestCount};
pub use partition::Partition;
pub use permissions::PolicyRefused;
pub use rates::{Rate, RatesSpec};
pub use spec::{
    AccessPointSpec, AccountChoice, AccountSpec, AclGrantSpec, All, ApplicationKind, ApplicationSpec,
    AutomationElement, AutomationRoleSpec, BackgroundSpec, BlockedTypesSpec, BucketBlockedTypes, BucketCount,
    BucketSpec, CentralKeySpec, ClientTokens, CloudTrailSpec, ConfigRemediationSpec, ControlPolicySpec, Deploy,
    DirectoryBucketSpec, DisabledRegionSpec, DocumentSpec, DocumentVariant, EncryptionName, EncryptionSpec,
    ExecutionsSpec, FeaturesSpec, InventorySpec, LatencySpec, MemberRoleSpec, ObserveSpec, OmittedElement,
    PoliciesSpec, RoleSpec, Spec, SpecError,
};

pub use world::key_state::KeyState;

use journal::Journal;
use world::World;

/// How a sandbox is run, as opposed to what is in it (that is [`Spec`]).
#[derive(Debug, Clone)]
pub struct Options {
    /// Where changes are kept between runs; `None` keeps them in memory only.
    pub directory: Option<PathBuf>,
    /// Ten is ten times faster than AWS; zero or infinity means no delay at all.
    pub speed: f64,
    /// The loopback port; zero takes any free one.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Options {
        Options { directory: None, speed: 1.0, port: 0 }
    }
}

/// Why a sandbox could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or loopback cannot be bound.
    #[error("the sandbox cannot listen on 127.0.0.1:{port}: {source}. Choose another port, or 0 for any free one")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The threads that serve the socket could not be made.
    #[error("the sandbox cannot start its own threads: {0}")]
    Threads(std::io::Error),
    /// A file of the sandbox's directory cannot be read or written.
    #[error("the sandbox cannot use {}: {source}", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another process serves this directory now.
    #[error(
        "{} is in use by another sandbox. Stop that one, or give this one a directory of its own",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds the changes of an organization made from another spec or seed.
    #[error(
        "{} holds an organization made from another spec (seed {found}; this one has seed {wanted}). \
         Use the spec and seed it was made with, choose another directory, or start afresh by removing it",
        path.display()
    )]
    OtherSpec {
        /// The directory.
        path: PathBuf,
        /// The seed it was made with.
        found: u64,
        /// The seed that was asked for now.
        wanted: u64,
    },
    /// The journal holds a line that this version does not understand and that is not merely torn off at the end.
    #[error("{}:{line}: the sandbox's journal cannot be read: {reason}. Remove the directory to start afresh", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The spec asks for something that cannot be made.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// The thing that a test wanted to change is not there.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox has no {what}")]
pub struct NotThere {
    what: String,
}

fn not_there(what: String) -> NotThere {
    NotThere { what }
}

/// A running simulated organization. Dropping it stops it.
pub struct Sandbox {
    world: Arc<World>,
    endpoint: String,
    runtime: Option<tokio::runtime::Runtime>,
    stopped: watch::Sender<bool>,
}

impl Sandbox {
    /// Makes the organization and serves it on 127.0.0.1, on threads of its own, so that neither blocking nor dropping
    /// the caller's runtime stops it.
    ///
    /// # Errors
    /// When the port or the directory cannot be used, or the directory belongs to another spec.
    pub async fn start(spec: Spec, options: Options) -> Result<Sandbox, StartError> {
        let (answer, ready) = tokio::sync::oneshot::channel();
        // Reading a long journal blocks: it must not hold the caller's runtime.
        std::thread::spawn(move || {
            let _ = answer.send(Sandbox::start_blocking(spec, options));
        });
        ready.await.unwrap_or_else(|_| Err(StartError::Threads(std::io::Error::other("the starting thread ended"))))
    }

    fn start_blocking(spec: Spec, options: Options) -> Result<Sandbox, StartError> {
        spec.check()?;
        let journal = match &options.directory {
            Some(directory) => Journal::open(directory, &spec)?,
            None => Journal::in_memory(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("sandbox")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let world = Arc::new(World::new(spec, options.speed, journal, runtime.handle().clone()));
        if let Some(path) = &world.spec.observe.access_log
            && let Err(source) = world.trail.log_to(path)
        {
            runtime.shutdown_background();
            return Err(StartError::Directory { path: path.clone(), source });
        }
        if let Err(error) = world.replay() {
            runtime.shutdown_background();
            return Err(error);
        }
        let listening = runtime.block_on(server::listen(options.port));
        let (listener, endpoint) = match listening {
            Ok(pair) => pair,
            Err(source) => {
                runtime.shutdown_background();
                return Err(StartError::Listen { port: options.port, source });
            }
        };
        runtime.spawn(server::serve(listener, world.clone()));
        runtime.spawn(services::config::remediate::watch(world.clone()));
        automation::engine::go_on(&world);
        applications::start(&world);
        Ok(Sandbox { world, endpoint, runtime: Some(runtime), stopped: watch::channel(false).0 })
    }

    /// The Region that unchanged SDKs must be told, so that they sign for global services as AWS wants it. With
    /// `AWS_ENDPOINT_URL` set they sign every request for their own Region, and IAM and Organizations accept only the Region
    /// that serves them in the partition. Regional services are named with `--region` where the organization is elsewhere.
    pub fn client_region(&self) -> &str {
        self.world.spec.partition.global_region("organizations").unwrap_or(&self.world.spec.regions[0])
    }

    /// What `AWS_ENDPOINT_URL` must be: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Access key id and secret of the security account's user: long-lived, the same for the same seed.
    pub fn credentials(&self) -> (String, String) {
        self.world.security_user.pair()
    }

    /// Access key id and secret of the management account's user.
    pub fn management_credentials(&self) -> (String, String) {
        self.world.management_user.pair()
    }

    /// The Region to use where one must be named: the first of the spec.
    pub fn region(&self) -> &str {
        &self.world.spec.regions[0]
    }

    /// The partition that the organization is in.
    pub fn partition(&self) -> Partition {
        self.world.spec.partition
    }

    /// The seed that this organization was made from.
    pub fn seed(&self) -> u64 {
        self.world.spec.seed
    }

    /// `o-…`
    pub fn organization_id(&self) -> &str {
        &self.world.organization.id
    }

    /// The account that owns the central keys and calls everything: a delegated administrator.
    pub fn security_account(&self) -> &str {
        &self.world.security_account().id
    }

    /// The organization's management account.
    pub fn management_account(&self) -> &str {
        &self.world.management_account().id
    }

    /// What the member role's trust policy asks for; empty when it asks for nothing.
    pub fn external_id(&self) -> &str {
        &self.world.external_id
    }

    /// Every account, the management account first, then the security account.
    pub fn accounts(&self) -> Vec<AccountState> {
        self.world.account_states()
    }

    /// The `export` lines that point any AWS tool at this sandbox as the security account.
    pub fn exports(&self) -> String {
        let (id, secret) = self.credentials();
        let region = self.client_region();
        format!(
            "{}export AWS_ENDPOINT_URL={}\nexport AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}\n\
             export AWS_REGION={region}\nexport AWS_DEFAULT_REGION={region}\n\
             export AWS_ENDPOINT_URL_S3_CONTROL={}\nexport AWS_EC2_METADATA_DISABLED=true\nunset AWS_SESSION_TOKEN AWS_PROFILE\n",
            self.region_note(),
            self.endpoint,
            self.s3_control_endpoint(),
        )
    }

    /// What users must know where the exported Region is not right for every call.
    fn region_note(&self) -> String {
        let (spec, region) = (&self.world.spec, self.client_region());
        let mut note = String::new();
        if !spec.regions.iter().any(|enabled| enabled == region) {
            let regions = spec.regions.join(", ");
            note += &format!(
                "# {region} serves IAM and Organizations; use --region for the organization's Regions: {regions}\n"
            );
        }
        if let Some(iam) = spec.partition.global_region("iam").filter(|iam| *iam != region) {
            note += &format!("# {region} serves Organizations; use --region {iam} for IAM\n");
        }
        note
    }

    /// Where unchanged SDKs reach S3 Control. Their endpoint rules put the account id and a dot before the endpoint's
    /// authority, which makes no address of 127.0.0.1, but does make the user information of this URL longer. The header
    /// `x-amz-account-id` names the account in any case.
    pub fn s3_control_endpoint(&self) -> String {
        self.endpoint.replacen("://", "://s3-control@", 1)
    }

    /// A campaign file (TOML) that fits this organization.
    pub fn campaign_file(&self) -> String {
        campaign_file::campaign_file(&self.world)
    }

    /// Requests answered so far, by account, service and operation.
    pub fn counters(&self) -> Counters {
        self.world.observe.counters(&self.world)
    }

    /// Sets every request counter to zero.
    pub fn reset_counters(&self) {
        self.world.observe.reset();
    }

    /// The highest number of executions not ended at one time, by account and Region.
    pub fn peak_in_flight(&self) -> BTreeMap<(String, String), u32> {
        self.world.peak_in_flight()
    }

    /// The highest number of executions not ended at one time, by account, all Regions together.
    pub fn peak_in_flight_by_account(&self) -> BTreeMap<String, u32> {
        self.world.peak_in_flight_by_account()
    }

    /// Every bucket as stored. This makes every account's buckets: costly in a very large organization.
    pub fn buckets(&self) -> Vec<BucketState> {
        self.world.bucket_states()
    }

    /// One account's buckets as stored; none when there is no such account.
    pub fn buckets_of(&self, account: &str) -> Vec<BucketState> {
        self.world.organization.find(account).map(|index| self.world.bucket_states_of(index)).unwrap_or_default()
    }

    /// Every automation execution, oldest first within an account and Region.
    pub fn executions(&self) -> Vec<ExecutionState> {
        self.world.execution_states()
    }

    /// Someone changed a bucket's default encryption behind everyone's back; `None` is the old "no configuration".
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn set_bucket_encryption(&self, bucket: &str, encryption: Option<BucketEncryption>) -> Result<(), NotThere> {
        self.world
            .meddle_with_encryption(bucket, encryption.map(Into::into))
            .then_some(())
            .ok_or_else(|| NotThere { what: format!("bucket {bucket}") })
    }

    /// Someone deleted a bucket.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn delete_bucket(&self, bucket: &str) -> Result<(), NotThere> {
        self.world.delete_bucket(bucket).then_some(()).ok_or_else(|| NotThere { what: format!("bucket {bucket}") })
    }

    /// Someone changed the state of a KMS key, such as `KeyState::Disabled`.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn set_key_state(&self, arn: &str, state: KeyState) -> Result<(), NotThere> {
        let done = self.world.has_key(arn) && self.world.set_key_state(arn, state).is_ok();
        done.then_some(()).ok_or_else(|| NotThere { what: format!("key {arn}") })
    }

    /// Someone set up AWS Config in an account and Region: a managed rule by its identifier, with a remediation that starts a
    /// document by itself. It has no parameters: documents that need some refuse to be started.
    /// [`Sandbox::put_config_remediation`] makes one that seals.
    ///
    /// # Errors
    /// When the account or Region is not there.
    pub fn put_automatic_remediation(
        &self,
        account: &str,
        region: &str,
        rule: &str,
        identifier: &str,
        document: &str,
    ) -> Result<(), NotThere> {
        self.world.remediate(account, region, rule, identifier, document).map_err(not_there)
    }

    /// Someone put a remediation exception on a bucket, which need not be non-compliant for it.
    ///
    /// # Errors
    /// When the account or Region is not there.
    pub fn put_remediation_exception(
        &self,
        account: &str,
        region: &str,
        rule: &str,
        bucket: &str,
    ) -> Result<(), NotThere> {
        self.world.except(account, region, rule, bucket).map_err(not_there)
    }

    /// Someone set up AWS Config as the AWS article does it, in the accounts and Regions that are named: from now on a bucket
    /// there that is put on another default encryption than a KMS key's is sealed again.
    ///
    /// # Errors
    /// When a named account or Region is not there.
    pub fn put_config_remediation(&self, remediation: &ConfigRemediationSpec) -> Result<(), NotThere> {
        self.world.put_remediation(remediation).map_err(not_there)
    }

    /// Someone deleted a rule with its remediation and their exceptions.
    ///
    /// # Errors
    /// When there is no such rule.
    pub fn delete_config_rule(&self, account: &str, region: &str, rule: &str) -> Result<(), NotThere> {
        self.world.delete_config_rule(account, region, rule).map_err(not_there)
    }

    /// The buckets that a rule's remediation leaves alone now, whoever put the exception.
    pub fn remediation_exceptions(&self, account: &str, region: &str, rule: &str) -> Vec<String> {
        self.world.exceptions_of(account, region, rule)
    }

    /// Someone changed an Automation document: adds a version with this content and makes it the default one.
    ///
    /// # Errors
    /// When the account, Region or document is not there, or the content is no Automation document.
    pub fn put_document_content(&self, account: &str, region: &str, name: &str, content: &str) -> Result<(), NotThere> {
        self.world
            .put_document_content(account, region, name, content)
            .map_err(|reason| NotThere { what: format!("document {name} to change in {account} {region}: {reason}") })
    }

    /// Someone disabled an opt-in Region in an account. Its buckets stay.
    ///
    /// # Errors
    /// When the account or Region is not there, or the Region is one that cannot be disabled.
    pub fn disable_region(&self, account: &str, region: &str) -> Result<(), NotThere> {
        self.world.set_region_disabled(account, region, true).map_err(not_there)
    }

    /// Someone enabled a Region in an account again.
    ///
    /// # Errors
    /// When the account or Region is not there.
    pub fn enable_region(&self, account: &str, region: &str) -> Result<(), NotThere> {
        self.world.set_region_disabled(account, region, false).map_err(not_there)
    }

    /// What an application of the spec has done so far; nothing when there is none of this name.
    pub fn application(&self, name: &str) -> Option<ApplicationState> {
        self.world.application_state(name)
    }

    /// What every application of the spec has done so far.
    pub fn applications(&self) -> Vec<ApplicationState> {
        self.world.application_states()
    }

    /// Credentials of an application, one for each of its accounts: a user's own, or a role's session of an hour.
    pub fn application_credentials(&self, name: &str) -> Option<Vec<ApplicationCredentials>> {
        self.world.application_credentials(name)
    }

    /// Answers so far, by account, Region, service, operation and error code.
    pub fn answers(&self) -> Vec<AnswerCount> {
        self.world.observe.answers(&self.world)
    }

    /// Replaces the faults in force; every count begins anew.
    ///
    /// # Errors
    /// When one of them cannot be, with what to write instead; then nothing is replaced.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), SpecError> {
        if let Some(message) = faults.iter().find_map(Fault::wrong) {
            return Err(SpecError { origin: "the faults".into(), line: None, message });
        }
        self.world.faults.set(faults);
        Ok(())
    }

    /// The faults in force, and how often each has struck.
    pub fn faults(&self) -> Vec<FaultState> {
        self.world.fault_states()
    }

    /// Everything that can change, as it is now. This makes every account's buckets.
    pub fn dump(&self) -> Dump {
        self.world.dump()
    }

    /// Runs until the process ends: what a standalone sandbox waits on.
    pub async fn wait(&self) {
        let mut stopped = self.stopped.subscribe();
        while !*stopped.borrow_and_update() {
            if stopped.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stops serving. Executions in flight stay in the journal and go on at the next start.
    pub fn stop(self) {}
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("endpoint", &self.endpoint).field("seed", &self.seed()).finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stopped.send_replace(true);
        // On a thread of its own, because a caller inside a runtime may not block on another one; and waited for, so that
        // the directory is free and nothing changes any more when this returns.
        if let Some(runtime) = self.runtime.take() {
            let ended = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
            let _ = ended.join();
        }
    }
}
