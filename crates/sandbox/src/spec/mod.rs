//! The spec: what is in a simulated organization. One small type per concern, all of it optional, unknown keys refused.
//! How a sandbox is run (directory, speed, port) is not here but in `Options`.

mod account;
mod applications;
mod blocked_types;
mod check;
mod cloudtrail;
mod config_remediation;
mod disabled_region;
mod features;
mod groundwork;
mod policies;
mod regions;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::faults::Fault;
use crate::partition::Partition;
use crate::rates::RatesSpec;

pub use account::{AccessPointSpec, AccountSpec, AclGrantSpec, BucketSpec, DirectoryBucketSpec, InventorySpec};
pub use applications::{ApplicationKind, ApplicationSpec};
pub use blocked_types::{AutomationElement, BlockedTypesSpec, BucketBlockedTypes, OmittedElement};
pub use check::SpecError;
pub use cloudtrail::{BackgroundSpec, CloudTrailSpec};
pub use config_remediation::{AccountChoice, All, ConfigRemediationSpec};
pub use disabled_region::DisabledRegionSpec;
pub(crate) use disabled_region::cannot_be_disabled;
pub use features::FeaturesSpec;
pub use policies::{ControlPolicySpec, PoliciesSpec, RoleSpec};

/// What a simulated organization is made of. The default is the demonstration: fifty accounts with about twenty buckets
/// each, one of them suspended and two without the member role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// The same seed and spec make the same organization, to the last bucket.
    pub seed: u64,
    /// How many accounts in all, the management and the security account included.
    pub accounts: u32,
    /// How many buckets each account has.
    pub buckets_per_account: BucketCount,
    /// The partition: what ARNs, host names and Regions look like.
    #[serde(skip_serializing_if = "is_default")]
    pub partition: Partition,
    /// What `kms:ViaService` ends with, in place of the partition's DNS suffix: AWS does not document it for every partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via_service_suffix: Option<String>,
    /// The Regions that are enabled and hold buckets; the first one is where the tools are pointed.
    pub regions: Vec<String>,
    /// How many accounts are suspended.
    pub suspended: u32,
    /// How many accounts lack the member role, so that AssumeRole is denied.
    pub without_member_role: u32,
    /// How many levels of organizational units there are below the root, 1 to 5.
    pub ou_depth: u32,
    /// What a repeated `ClientToken` of StartAutomationExecution gives.
    pub client_tokens: ClientTokens,
    /// Whether ListAccounts gives each account's `Paths`, as AWS does since 2025; not every endpoint knows them.
    #[serde(skip_serializing_if = "is_true")]
    pub account_paths: bool,
    /// Whether the roles, documents and keys that a campaign works with are there; without them the organization is fresh.
    #[serde(skip_serializing_if = "is_true")]
    pub groundwork: bool,
    /// Whether the organization trusts StackSets, AWS Config and Security Hub, has handed them on to the security account, and has
    /// the policy types for service and resource control policies enabled; without it nothing is enabled or registered yet.
    #[serde(skip_serializing_if = "is_true")]
    pub trusted_access: bool,
    /// How long after its creation a role is missing from IAM's reads and cannot be assumed, in seconds at speed 1.
    #[serde(skip_serializing_if = "is_default")]
    pub iam_consistency_seconds: f64,
    /// The role which the security account assumes in each member.
    pub member_role: MemberRoleSpec,
    /// The role under which automations run.
    pub automation_role: AutomationRoleSpec,
    /// The Automation document.
    pub document: DocumentSpec,
    /// The central keys, one per Region, in the security account.
    pub central_key: CentralKeySpec,
    /// The mix of default encryption.
    pub encryption: EncryptionSpec,
    /// What S3 and Automation make of `BlockedEncryptionTypes`.
    #[serde(skip_serializing_if = "is_default")]
    pub blocked_types: BlockedTypesSpec,
    /// What else generated buckets have configured.
    #[serde(skip_serializing_if = "FeaturesSpec::is_default")]
    pub features: FeaturesSpec,
    /// How long each service takes to answer.
    pub latency: LatencySpec,
    /// How long automation executions take and how many run at once.
    pub executions: ExecutionsSpec,
    /// Policies in place of the generated ones.
    #[serde(skip_serializing_if = "PoliciesSpec::is_default")]
    pub policies: PoliciesSpec,
    /// Service control policies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scp: Vec<ControlPolicySpec>,
    /// Resource control policies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rcp: Vec<ControlPolicySpec>,
    /// How many requests the services take.
    #[serde(skip_serializing_if = "is_default")]
    pub rates: RatesSpec,
    /// What is written and kept of the requests.
    #[serde(skip_serializing_if = "is_default")]
    pub observe: ObserveSpec,
    /// How LookupEvents behaves.
    #[serde(skip_serializing_if = "is_default")]
    pub cloudtrail: CloudTrailSpec,
    /// AWS Config's remediations.
    #[serde(skip_serializing_if = "is_default")]
    pub config_remediation: Vec<ConfigRemediationSpec>,
    /// Regions that accounts have disabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled_region: Vec<DisabledRegionSpec>,
    /// What goes wrong.
    #[serde(skip_serializing_if = "is_default")]
    pub fault: Vec<Fault>,
    /// Applications: identities that write into buckets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub application: Vec<ApplicationSpec>,
    /// Accounts described one by one; they take the place of the last generated ones.
    pub account: Vec<AccountSpec>,
}

/// Left out where a directory keeps its spec: directories of sandboxes from before there was such a key stay usable.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            seed: 20230105,
            accounts: 50,
            buckets_per_account: BucketCount::Between { min: 16, max: 24 },
            partition: Partition::Aws,
            via_service_suffix: None,
            regions: ["us-east-1", "eu-west-1", "ap-southeast-2"].map(String::from).to_vec(),
            suspended: 1,
            without_member_role: 2,
            ou_depth: 3,
            client_tokens: ClientTokens::Same,
            account_paths: true,
            groundwork: true,
            trusted_access: true,
            iam_consistency_seconds: 0.0,
            member_role: MemberRoleSpec::default(),
            automation_role: AutomationRoleSpec::default(),
            document: DocumentSpec::default(),
            central_key: CentralKeySpec::default(),
            encryption: EncryptionSpec::default(),
            blocked_types: BlockedTypesSpec::default(),
            features: FeaturesSpec::default(),
            latency: LatencySpec::default(),
            executions: ExecutionsSpec::default(),
            policies: PoliciesSpec::default(),
            scp: Vec::new(),
            rcp: Vec::new(),
            rates: RatesSpec::default(),
            observe: ObserveSpec::default(),
            cloudtrail: CloudTrailSpec::default(),
            config_remediation: Vec::new(),
            disabled_region: Vec::new(),
            fault: Vec::new(),
            application: Vec::new(),
            account: Vec::new(),
        }
    }
}

/// A fixed number, or a range out of which each account draws its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "write a number such as 20, or a range such as { min = 10, max = 30 }"
)]
pub enum BucketCount {
    /// Every account has this many.
    Fixed(u32),
    /// Each account has between `min` and `max`, both included.
    Between {
        /// At least this many.
        min: u32,
        /// At most this many.
        max: u32,
    },
}

/// What StartAutomationExecution does with a `ClientToken` it has seen, when the parameters are the same. The service
/// model says only that a token "can't be reused", so both answers have to be coped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientTokens {
    /// The same execution is returned.
    Same,
    /// IdempotentParameterMismatch.
    Refuse,
}

/// The role which the security account assumes in each member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemberRoleSpec {
    /// Its name.
    pub name: String,
    /// The external ID its trust policy asks for: absent, one made from the seed; empty, none is asked for.
    pub external_id: Option<String>,
    /// Its `MaxSessionDuration`, 3600 to 43200 seconds.
    pub max_session_seconds: u32,
}

impl Default for MemberRoleSpec {
    fn default() -> Self {
        MemberRoleSpec { name: "orgseal-member".into(), external_id: None, max_session_seconds: 3600 }
    }
}

/// The role under which automations run: it trusts `ssm.amazonaws.com` and is in every account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutomationRoleSpec {
    /// Its name.
    pub name: String,
}

impl Default for AutomationRoleSpec {
    fn default() -> Self {
        AutomationRoleSpec { name: "orgseal-automation".into() }
    }
}

/// The Automation document and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentSpec {
    /// Its name.
    pub name: String,
    /// Which content it has.
    pub variant: DocumentVariant,
    /// Content of your own, YAML or JSON, in place of the variant.
    pub content: Option<String>,
    /// The name of the document that undoes it, deployed beside it.
    #[serde(skip_serializing_if = "is_usual_restore")]
    pub restore_name: String,
    /// Content of your own for that one, YAML or JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_content: Option<String>,
    /// In each account, or in the security account only and shared with the others.
    pub deploy: Deploy,
}

impl Default for DocumentSpec {
    fn default() -> Self {
        DocumentSpec {
            name: "EnableS3BucketEncryptionWithKMS".into(),
            variant: DocumentVariant::Shipped,
            content: None,
            restore_name: RESTORE_NAME.into(),
            restore_content: None,
            deploy: Deploy::Each,
        }
    }
}

const RESTORE_NAME: &str = "RestoreS3BucketEncryption";

fn is_usual_restore(name: &str) -> bool {
    name == RESTORE_NAME
}

/// Which of the two documents in `config/documents/` is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentVariant {
    /// The one that names the expected owner and checks its own effect.
    Shipped,
    /// The AWS article's, with three parameters.
    Original,
}

/// Where the document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deploy {
    /// In each account and Region.
    Each,
    /// In the security account's Regions, shared with (up to 1,000) members.
    Shared,
    /// Both.
    Both,
    /// Nowhere: someone has yet to deploy it.
    Nowhere,
}

/// The central keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CentralKeySpec {
    /// Whether the key policy admits the whole organization, or the security account alone.
    pub admits_organization: bool,
    /// One multi-Region key (`mrk-…`, the same id everywhere) instead of one key per Region.
    pub multi_region: bool,
    /// A key policy in place of the generated one: JSON text or a path. `admits_organization` has no meaning then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl Default for CentralKeySpec {
    fn default() -> Self {
        CentralKeySpec { admits_organization: true, multi_region: false, policy: None }
    }
}

/// A state of a bucket's default encryption, by the name it has in a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncryptionName {
    /// No configuration: ServerSideEncryptionConfigurationNotFoundError.
    None,
    /// SSE-S3.
    SseS3,
    /// `aws:kms` without a key id, which means `aws/s3`.
    AwsManaged,
    /// `aws:kms` with `alias/aws/s3`.
    AwsManagedAlias,
    /// The central key of the bucket's Region, Bucket Key on.
    Sealed,
    /// The central key of the bucket's Region, Bucket Key off.
    BucketKeyOff,
    /// DSSE-KMS with the central key of the bucket's Region.
    DsseSealed,
    /// The central key of another Region: no object can be written.
    WrongRegionKey,
    /// A customer managed key of the account itself.
    CustomerKey,
    /// A customer managed key of another member account.
    OtherAccountKey,
    /// `alias/team-key`.
    Alias,
    /// The id of the account's own key, not its ARN.
    BareId,
    /// DSSE-KMS with the account's own key.
    DsseCustomer,
}

/// How often each state occurs: weights, not percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // Each field is the weight of the EncryptionName of the same name.
pub struct EncryptionSpec {
    pub none: u32,
    pub sse_s3: u32,
    pub aws_managed: u32,
    pub aws_managed_alias: u32,
    pub sealed: u32,
    pub bucket_key_off: u32,
    pub dsse_sealed: u32,
    pub wrong_region_key: u32,
    pub customer_key: u32,
    pub other_account_key: u32,
    pub alias: u32,
    pub bare_id: u32,
    pub dsse_customer: u32,
    /// The part of the buckets, 0 to 1, which block SSE-C (new buckets do since April 2026).
    pub sse_c_blocked: f64,
}

impl Default for EncryptionSpec {
    /// Only what a campaign with default settings can seal: the product's first command must end with every reachable
    /// bucket sealed.
    fn default() -> Self {
        EncryptionSpec {
            none: 4,
            sse_s3: 40,
            aws_managed: 14,
            aws_managed_alias: 6,
            sealed: 22,
            bucket_key_off: 8,
            dsse_sealed: 2,
            wrong_region_key: 4,
            customer_key: 0,
            other_account_key: 0,
            alias: 0,
            bare_id: 0,
            dsse_customer: 0,
            sse_c_blocked: 0.3,
        }
    }
}

impl EncryptionSpec {
    pub(crate) fn weights(&self) -> [(EncryptionName, u32); 13] {
        use EncryptionName as E;
        [
            (E::None, self.none),
            (E::SseS3, self.sse_s3),
            (E::AwsManaged, self.aws_managed),
            (E::AwsManagedAlias, self.aws_managed_alias),
            (E::Sealed, self.sealed),
            (E::BucketKeyOff, self.bucket_key_off),
            (E::DsseSealed, self.dsse_sealed),
            (E::WrongRegionKey, self.wrong_region_key),
            (E::CustomerKey, self.customer_key),
            (E::OtherAccountKey, self.other_account_key),
            (E::Alias, self.alias),
            (E::BareId, self.bare_id),
            (E::DsseCustomer, self.dsse_customer),
        ]
    }
}

/// How long each service takes to answer, in milliseconds at speed 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // Each field is named after its service.
pub struct LatencySpec {
    pub s3_ms: f64,
    pub sts_ms: f64,
    pub organizations_ms: f64,
    pub ssm_ms: f64,
    pub kms_ms: f64,
    /// How far an answer may be off, 0 to 1 of its latency, seeded.
    pub jitter: f64,
}

impl Default for LatencySpec {
    fn default() -> Self {
        LatencySpec { s3_ms: 25.0, sts_ms: 40.0, organizations_ms: 60.0, ssm_ms: 50.0, kms_ms: 15.0, jitter: 0.3 }
    }
}

/// Automation executions: how long they take at speed 1, and the quotas per account and Region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutionsSpec {
    /// The shortest, without what `aws:sleep` adds.
    pub min_seconds: f64,
    /// The longest, without what `aws:sleep` adds.
    pub max_seconds: f64,
    /// How many run at once; the next ones are Pending.
    pub concurrent: u32,
    /// How many may be Pending; the next one is refused.
    pub queue: u32,
    /// How long after its start DescribeAutomationExecutions first shows an execution, in milliseconds at speed 1.
    #[serde(skip_serializing_if = "is_usual")]
    pub visible_after_ms: u64,
    /// Whether DescribeAutomationExecutions refuses statuses that were added to the API later as values of the filter
    /// ExecutionStatus (InvalidFilterValue).
    #[serde(skip_serializing_if = "is_default")]
    pub basic_status_filter: bool,
}

const VISIBLE_AFTER_MS: u64 = 200;

fn is_usual(ms: &u64) -> bool {
    *ms == VISIBLE_AFTER_MS
}

impl Default for ExecutionsSpec {
    fn default() -> Self {
        ExecutionsSpec {
            min_seconds: 2.0,
            max_seconds: 5.0,
            concurrent: 100,
            queue: 1000,
            visible_after_ms: VISIBLE_AFTER_MS,
            basic_status_filter: false,
        }
    }
}

/// What is written and kept of the requests, as CloudTrail records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObserveSpec {
    /// A file to which a record of every request is appended, one JSON object a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<PathBuf>,
    /// How many management events of each account LookupEvents knows, the newest; in a very large organization fewer.
    pub events_per_account: u32,
}

impl Default for ObserveSpec {
    fn default() -> Self {
        ObserveSpec { access_log: None, events_per_account: 500 }
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}
