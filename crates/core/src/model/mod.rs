//! Plain data, no I/O: what AWS calls things, and what we say of them.

mod account;
mod blocked_types;
mod bucket;
mod denial;
mod document;
mod encryption;
mod error;
mod evidence;
mod execution;
mod exemption;
mod finding;
mod guard;
mod key;
mod moment;
mod operation;
mod out_of_scope;
mod partition;
mod preflight;
mod proof;
mod restore;
mod role;
mod wave;

pub use account::{Account, AccountOutcome, AccountRecord};
pub use blocked_types::{BlockedTypesElement, OmissionOutcome, OmissionRecord};
pub use bucket::Bucket;
pub use denial::{Denial, DenialSource, Denier, Frequency, KnownDenial, SeenDenial};
pub(crate) use document::sha256_hex;
pub use document::{DocumentContent, deserialize_boolean, deserialize_text, document_boolean};
pub use encryption::{Algorithm, DefaultEncryption, EncryptionRule};
pub use error::{AwsError, REGION_DISABLED};
pub use evidence::{
    AccessPoint, AccountEvidence, Acl, BucketEvidence, Identities, Identity, KeyEvidence, Need, OrganizationEvidence,
    PublicAccessBlock, Read, ReplicationRule,
};
pub use execution::{Execution, ExecutionStatus};
pub use exemption::ExemptionNote;
pub use finding::{Finding, Judgement, Reason, SealedInterval, Verdict};
pub use guard::{AccountWarning, BlockingPrincipal, GuardFinding, GuardOutcome, Severity};
pub(crate) use moment::plausible;
pub use operation::Operation;
pub use out_of_scope::{DirectoryBuckets, OUT_OF_SCOPE, OUT_OF_SCOPE_SAYS, UnreadRegion};

pub use key::{KeyArn, KeyArnError, KeyFacts, KeyMap, KeyReference};
pub use partition::{Partition, is_service_name};
pub use preflight::{AccountChecks, Check, CheckKind, Preflight, PreflightCounts, RegionChecks, Standing};
pub use proof::DryRun;
pub use restore::Restore;
pub use role::role_arn;
pub use wave::{SealedEarlier, WaveRecord, WaveRollback, WaveState};

/// The moment now by AWS's clock, to the millisecond: what the ledger and the reports are dated with.
#[must_use]
pub fn now() -> jiff::Timestamp {
    crate::clock::now()
}
