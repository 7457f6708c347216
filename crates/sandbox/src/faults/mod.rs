//! Misbehaviour on order: what a fault is, and which requests it strikes. What a struck request then gets is in `request`
//! (answers and connections) and `start` (automation executions and what they work on).

pub(crate) mod altered;
pub(crate) mod glob;
pub(crate) mod request;
pub(crate) mod stale;
pub(crate) mod start;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::world::lock::{lock, read, write};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The service's own throttling error, with no effect.
    Throttle,
    /// 500 in the service's own shape, with no effect.
    InternalError,
    /// 503 in the service's own shape, with no effect.
    Unavailable,
    /// The connection is reset before anything happens.
    ResetBefore,
    /// The request has its effect, then the connection is reset.
    ResetAfter,
    /// The answer takes `ms` longer.
    Slow,
    /// No answer for `ms`, at most five minutes, then the connection is reset; no effect.
    Hang,
    /// The request has its effect, half of the answer's body is sent, then the connection is closed.
    HalfSent,
    /// The request has its effect; the answer is 200 with a body that no protocol knows.
    Malformed,
    /// The request has its effect; the answer's body is delivered whole, and ends in the middle: before `before`, or after half of it.
    TruncatedBody,
    /// The request has its effect; the answer is a success without a body.
    EmptyBody,
    /// The request has its effect; the answer's body does not end.
    EndlessBody,
    /// Every page of a list names a next page, always by the same token.
    RepeatedToken,
    /// Every page of a list names a next page, by three tokens in turn.
    CyclingToken,
    /// Every number in the answer is one of `numbers`, and every time in XML is in the year 1 or 9999.
    ExtremeNumbers,
    /// The session token is said to have expired.
    ExpiredToken,
    /// The session token is said to be unknown.
    InvalidToken,
    /// AccessDenied in AWS's words.
    Denied,
    /// After a put, GetBucketEncryption shows the former configuration for `ms`.
    StaleEncryption,
    /// The answer is dated `date`.
    WrongDate,
    /// The first element of the answer that has a member `member` lacks it.
    MissingMember,
    /// The first member `member` of the answer is empty.
    EmptyMember,
    /// Each element of the answer's list stands there twice.
    RepeatedElements,
    /// The body of an error (400 to 499) is delivered whole, and ends in the middle: before `before`, or after half of it.
    TruncatedError,
    /// The execution ends with Success and changes nothing.
    AutomationLie,
    /// The execution ends with Success, and what it was to change changes `ms` later.
    AutomationLate,
    /// The execution sets another key: `key`, or the account's own.
    AutomationWrongKey,
    /// The execution ends as Failed before it changes anything.
    AutomationFail,
    /// The execution stays in `status` (Pending, Waiting or InProgress) until it is stopped.
    AutomationStuck,
    /// The execution ends as TimedOut before it changes anything.
    AutomationTimedOut,
    /// The execution ends as Cancelled before it changes anything.
    AutomationCancelled,
    /// DescribeAutomationExecutions does not show the execution for `ms`.
    AutomationInvisible,
    /// The document gets a new default version right before the start is carried out.
    DocumentChanged,
    /// From this start on the key is disabled: `key`, or the one that the start's parameters name.
    KeyDisabled,
    /// From this start on the key is pending deletion.
    KeyPendingDeletion,
    /// The bucket that the start is for is deleted.
    BucketDeleted,
    /// The bucket that the start is for is deleted and made again by another account: `account`, or the next one.
    BucketRetaken,
}

impl FaultKind {
    /// Whether it strikes accepted starts of automation executions, and not requests as such.
    fn strikes_starts(self) -> bool {
        use FaultKind as K;
        matches!(
            self,
            K::AutomationLie
                | K::AutomationLate
                | K::AutomationWrongKey
                | K::AutomationFail
                | K::AutomationStuck
                | K::AutomationTimedOut
                | K::AutomationCancelled
                | K::AutomationInvisible
                | K::DocumentChanged
                | K::KeyDisabled
                | K::KeyPendingDeletion
                | K::BucketDeleted
                | K::BucketRetaken
        )
    }

    fn at(self) -> Occasion {
        match self {
            FaultKind::StaleEncryption => Occasion::Put,
            kind if kind.strikes_starts() => Occasion::Start,
            _ => Occasion::Request,
        }
    }
}

/// When a kind of fault is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    Request,
    /// StartAutomationExecution with good parameters.
    Start,
    /// A bucket's encryption is about to be changed, by whomever.
    Put,
}

/// Which requests a fault is for. Each is a pattern with `*` and `?`; what is left out admits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultFilter {
    /// The caller's account id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The Region the request is signed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `s3`, `sts`, `organizations`, `ssm`, `kms` or `cloudtrail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The operation's name in the service model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The bucket of an S3 request, or the one that an execution is started for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

/// One fault. Every condition that is given must hold; with none, every matching request is struck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which requests it is for.
    #[serde(rename = "where", default)]
    pub filter: FaultFilter,
    /// Strikes this part of the matching requests, 0 to 1, drawn from the seed, the account and its own count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Strikes from the n-th matching request of each account on, counted from one; once, unless `count` says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Strikes the first so many matching requests of each account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Strikes each account at most so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How long, in milliseconds of the clock: the sandbox's speed does not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The error's or the failure's text, in place of AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A KMS key, verbatim for `automation_wrong_key`, an ARN for the key's states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Pending, Waiting or InProgress, for `automation_stuck`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The document's new content, for `document_changed`; absent, the former content with nothing but its hash changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Who takes the bucket, for `bucket_retaken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The text before which the body ends, for `truncated_body`; bodies without it are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Numbers in JSON's syntax, for `extreme_numbers`: the answer's numbers are replaced by them in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// The `Date` header, for `wrong_date`: `Fri, 01 Dec 2051 00:00:00 GMT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// A member's name as it is on the wire, for `missing_member` and `empty_member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

impl Fault {
    /// A fault of this kind for every request.
    pub fn new(kind: FaultKind) -> Fault {
        Fault {
            kind,
            filter: FaultFilter::default(),
            probability: None,
            nth: None,
            first: None,
            count: None,
            ms: None,
            message: None,
            key: None,
            status: None,
            content: None,
            account: None,
            before: None,
            numbers: Vec::new(),
            date: None,
            member: None,
        }
    }

    /// What is wrong with it, in words, and what to write instead.
    pub(crate) fn wrong(&self) -> Option<String> {
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Some("probability is a part of the requests: write a number from 0.0 to 1.0".into());
        }
        if self.nth == Some(0) {
            return Some("nth counts from one: write nth = 1 for the first matching request".into());
        }
        if self.ms.is_some_and(|ms| ms > 3_600_000) {
            return Some("ms is at most 3600000, an hour".into());
        }
        if self.kind == FaultKind::AutomationStuck
            && !matches!(self.status.as_deref(), Some("Pending" | "Waiting" | "InProgress"))
        {
            return Some("automation_stuck needs a status: write \"Pending\", \"Waiting\" or \"InProgress\"".into());
        }
        if self.kind == FaultKind::ExtremeNumbers
            && (self.numbers.is_empty()
                || self.numbers.iter().any(|number| serde_json::from_str::<serde_json::Number>(number).is_err()))
        {
            return Some("extreme_numbers needs numbers: write for example numbers = [\"-1e300\"]".into());
        }
        if self.kind == FaultKind::WrongDate && self.date.as_deref().is_none_or(|date| !date.ends_with(" GMT")) {
            return Some("wrong_date needs a date: write for example date = \"Fri, 01 Dec 2051 00:00:00 GMT\"".into());
        }
        if matches!(self.kind, FaultKind::MissingMember | FaultKind::EmptyMember) && self.member.is_none() {
            return Some("missing_member and empty_member need a member: write for example member = \"Name\"".into());
        }
        if let Some(content) = &self.content {
            let format = crate::automation::document::Format::guess(content);
            if let Err(reason) = crate::automation::document::Runbook::parse(content, format) {
                return Some(format!("content cannot run as a document: {reason}"));
            }
        }
        None
    }

    fn strikes(&self, seed: u64, index: usize, account: u64, matched: u64, struck: u64) -> bool {
        let most = self.count.or(self.nth.is_some().then_some(1));
        if self.nth.is_some_and(|nth| matched < nth)
            || self.first.is_some_and(|first| matched > first)
            || most.is_some_and(|most| struck >= most)
        {
            return false;
        }
        // By the account's own count and not by a global order: another account's requests change nothing here.
        let label = format!("fault-{index}-{account}");
        self.probability.is_none_or(|p| Random::new(seed, &label, matched).fraction() < p)
    }
}

/// A fault and how it has struck so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultState {
    /// The fault as it was ordered.
    pub fault: Fault,
    /// How many requests it was for.
    pub matched: u64,
    /// How many of them it struck.
    pub struck: u64,
    /// How many it struck, by the caller's account (`-` when the caller is not known).
    pub struck_by_account: BTreeMap<String, u64>,
}

/// What a fault is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The account's index; absent when the caller is not known.
    pub(crate) account: Option<usize>,
    /// Its id, or `-`.
    pub(crate) account_id: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) bucket: &'a str,
}

#[derive(Debug)]
struct Armed {
    fault: Arc<Fault>,
    /// Matched and struck, by account.
    counts: Mutex<BTreeMap<Option<usize>, (u64, u64)>>,
}

impl Armed {
    fn admits(&self, target: &Target<'_>) -> bool {
        let filter = &self.fault.filter;
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_deref().is_none_or(|pattern| glob::matches(pattern, text))
        };
        fits(&filter.operation, target.operation)
            && fits(&filter.service, target.service)
            && fits(&filter.account, target.account_id)
            && fits(&filter.region, target.region)
            && fits(&filter.bucket, target.bucket)
    }
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    /// Spares every request the look at an empty list.
    any: AtomicBool,
    armed: RwLock<Arc<Vec<Armed>>>,
    pub(crate) stale: stale::Stale,
}

impl Faults {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Faults {
        let new =
            Faults { seed, any: AtomicBool::new(false), armed: RwLock::default(), stale: stale::Stale::default() };
        new.set(faults);
        new
    }

    /// Replaces the list; every count begins anew.
    pub(crate) fn set(&self, faults: Vec<Fault>) {
        self.any.store(!faults.is_empty(), Ordering::Release);
        let armed = faults.into_iter().map(|fault| Armed { fault: Arc::new(fault), counts: Mutex::default() });
        *write(&self.armed) = Arc::new(armed.collect());
    }

    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// The faults that strike here, in the order of the list. All that match are counted, whether they strike or not.
    pub(crate) fn strike(&self, occasion: Occasion, target: &Target<'_>) -> Vec<Arc<Fault>> {
        if !self.any() {
            return Vec::new();
        }
        let armed = read(&self.armed).clone();
        let mut struck = Vec::new();
        for (index, one) in armed.iter().enumerate() {
            if one.fault.kind.at() != occasion || !one.admits(target) {
                continue;
            }
            let mut counts = lock(&one.counts);
            let (matched, hits) = counts.entry(target.account).or_default();
            *matched += 1;
            let account = target.account.map_or(u64::MAX, |account| account as u64);
            if one.fault.strikes(self.seed, index, account, *matched, *hits) {
                *hits += 1;
                struck.push(one.fault.clone());
            }
        }
        struck
    }

    pub(crate) fn states(&self, account_id: impl Fn(usize) -> String) -> Vec<FaultState> {
        let armed = read(&self.armed).clone();
        let state = |one: &Armed| {
            let counts = lock(&one.counts);
            FaultState {
                fault: (*one.fault).clone(),
                matched: counts.values().map(|(matched, _)| matched).sum(),
                struck: counts.values().map(|(_, struck)| struck).sum(),
                struck_by_account: counts
                    .iter()
                    .filter(|(_, (_, struck))| *struck > 0)
                    .map(|(account, (_, struck))| (account.map_or("-".into(), &account_id), *struck))
                    .collect(),
            }
        };
        armed.iter().map(state).collect()
    }
}
