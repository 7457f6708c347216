//! What can be seen of a sandbox from outside: request counters and the plain shapes of its state.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
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

/// How often a service answered so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCount {
    /// The caller's account id, or `-` when the caller is not known.
    pub account: String,
    /// The Region the request was signed for, or `-` when it is not one of the spec's.
    pub region: String,
    /// As in [`RequestCount`].
    pub service: String,
    /// As in [`RequestCount`].
    pub operation: String,
    /// The error's code; empty for a success.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// How often.
    pub count: u64,
}

type CountKey = (Option<u32>, &'static str, &'static str);

/// Account, Region, service, operation, code and status.
type AnswerKey = (Option<u32>, Option<u16>, &'static str, &'static str, &'static str, u16);

const SHARDS: usize = 32;

/// Counters behind many locks, one of them for each account: requests of two accounts rarely meet.
#[derive(Debug)]
struct Shards<K>([Mutex<HashMap<K, u64>>; SHARDS]);

impl<K> Default for Shards<K> {
    fn default() -> Shards<K> {
        Shards(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<K: Eq + Hash + Copy> Shards<K> {
    fn add(&self, account: Option<usize>, key: K) {
        *lock(&self.0[account.unwrap_or(0) % SHARDS]).entry(key).or_default() += 1;
    }

    fn clear(&self) {
        self.0.iter().for_each(|shard| lock(shard).clear());
    }

    fn all(&self) -> Vec<(K, u64)> {
        self.0
            .iter()
            .flat_map(|shard| lock(shard).iter().map(|(key, count)| (*key, *count)).collect::<Vec<_>>())
            .collect()
    }
}

/// The running counters.
#[derive(Debug, Default)]
pub(crate) struct Observe {
    counts: Shards<CountKey>,
    answers: Shards<AnswerKey>,
}

impl Observe {
    pub(crate) fn count(&self, account: Option<usize>, service: &'static str, operation: &'static str) {
        self.counts.add(account, (account.map(|a| a as u32), service, operation));
    }

    pub(crate) fn answered(
        &self,
        account: Option<usize>,
        region: Option<usize>,
        (service, operation): (&'static str, &'static str),
        code: &'static str,
        status: u16,
    ) {
        let key = (account.map(|a| a as u32), region.map(|r| r as u16), service, operation, code, status);
        self.answers.add(account, key);
    }

    pub(crate) fn reset(&self) {
        self.counts.clear();
        self.answers.clear();
    }

    pub(crate) fn counters(&self, world: &World) -> Counters {
        let mut requests: Vec<RequestCount> = self
            .counts
            .all()
            .into_iter()
            .map(|((account, service, operation), count)| RequestCount {
                account: account.map_or("-".into(), |index| world.organization.accounts[index as usize].id.clone()),
                service: service.into(),
                operation: operation.into(),
                count,
            })
            .collect();
        requests.sort_by(|a, b| (&a.account, &a.service, &a.operation).cmp(&(&b.account, &b.service, &b.operation)));
        Counters { requests }
    }

    pub(crate) fn answers(&self, world: &World) -> Vec<AnswerCount> {
        let named = |((account, region, service, operation, code, status), count): (AnswerKey, u64)| AnswerCount {
            account: account.map_or("-".into(), |index| world.organization.accounts[index as usize].id.clone()),
            region: region.map_or("-".into(), |index| world.spec.regions[usize::from(index)].clone()),
            service: service.into(),
            operation: operation.into(),
            code: code.into(),
            status,
            count,
        };
        let mut answers: Vec<AnswerCount> = self.answers.all().into_iter().map(named).collect();
        answers.sort_by(|a, b| {
            let key = |one: &AnswerCount| (one.account.clone(), one.service.clone(), one.operation.clone());
            (key(a), &a.region, &a.code, a.status).cmp(&(key(b), &b.region, &b.code, b.status))
        });
        answers
    }
}
