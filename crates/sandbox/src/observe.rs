//! What can be seen of a sandbox from outside: request counters and the plain shapes of its state.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::world::World;
use crate::world::lock::lock;

/// A bucket's default encryption, as S3 stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketEncryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// `KMSMasterKeyID`, verbatim.
    pub key: Option<String>,
    /// `BucketKeyEnabled`.
    pub bucket_key: bool,
    /// `BlockedEncryptionTypes`: empty, `NONE` or `SSE-C`.
    #[serde(default)]
    pub blocked: Vec<String>,
}

/// An account as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// Twelve digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The `State` field of ListAccounts.
    pub state: String,
    /// The OUs above it, as in `Paths`: `o-…/r-…/ou-…/`.
    pub path: String,
    /// Whether it has the member role.
    pub member_role: bool,
}

/// A bucket as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// The owner's account id.
    pub account: String,
    /// Where it is.
    pub region: String,
    /// Its name.
    pub name: String,
    /// `None` is the old "no configuration".
    pub encryption: Option<BucketEncryption>,
}

/// An automation execution as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionState {
    /// Where it runs.
    pub account: String,
    /// Where it runs.
    pub region: String,
    /// `AutomationExecutionId`
    pub id: String,
    /// The document's name.
    pub document: String,
    /// The document's version.
    pub version: usize,
    /// `AutomationExecutionStatus`
    pub status: String,
    /// Its parameters, the defaults filled in.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// The ARN of who started it.
    pub executed_by: String,
    /// Milliseconds since 1970.
    pub started_ms: i64,
    /// Milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// `FailureMessage`
    pub failure: Option<String>,
    /// The lower-case client token it was started with.
    pub client_token: Option<String>,
}

/// How often one account called one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCount {
    /// The caller's account id, or `-` when the caller is not known.
    pub account: String,
    /// `s3`, `sts`, `organizations`, `ssm` or `kms`.
    pub service: String,
    /// The operation's name in the service model.
    pub operation: String,
    /// How often.
    pub count: u64,
}

/// Requests answered, with errors counted too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Sorted by account, service and operation.
    pub requests: Vec<RequestCount>,
}

impl Counters {
    /// How often an operation was called, all accounts together.
    pub fn totals(&self, service: &str, operation: &str) -> u64 {
        self.requests.iter().filter(|r| r.service == service && r.operation == operation).map(|r| r.count).sum()
    }

    /// How often one account called an operation.
    pub fn of(&self, account: &str, service: &str, operation: &str) -> u64 {
        self.requests
            .iter()
            .filter(|r| r.account == account && r.service == service && r.operation == operation)
            .map(|r| r.count)
            .sum()
    }

    /// How many requests there were in all.
    pub fn all(&self) -> u64 {
        self.requests.iter().map(|r| r.count).sum()
    }
}

type CountKey = (Option<u32>, &'static str, &'static str);

/// The running counters.
#[derive(Debug, Default)]
pub(crate) struct Observe {
    counts: Mutex<BTreeMap<CountKey, u64>>,
}

impl Observe {
    pub(crate) fn count(&self, account: Option<usize>, service: &'static str, operation: &'static str) {
        *lock(&self.counts).entry((account.map(|a| a as u32), service, operation)).or_default() += 1;
    }

    pub(crate) fn reset(&self) {
        lock(&self.counts).clear();
    }

    pub(crate) fn counters(&self, world: &World) -> Counters {
        let mut requests: Vec<RequestCount> = lock(&self.counts)
            .iter()
            .map(|((account, service, operation), count)| RequestCount {
                account: account.map_or("-".into(), |index| world.organization.accounts[index as usize].id.clone()),
                service: (*service).into(),
                operation: (*operation).into(),
                count: *count,
            })
            .collect();
        requests.sort_by(|a, b| (&a.account, &a.service, &a.operation).cmp(&(&b.account, &b.service, &b.operation)));
        Counters { requests }
    }
}
