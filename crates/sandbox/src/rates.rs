//! How many requests a service takes: token buckets by account, Region and group of operations, as AWS has them.
//! What is answered to one too many is worded in `faults::request`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::world::lock::lock;

/// A rate of requests and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Refilled in a second, at speed 1.
    pub per_second: f64,
    /// How many may come at once.
    pub burst: f64,
}

/// Request rates: on unless said otherwise, faster with the sandbox's speed, and off when there is no delay at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RatesSpec {
    /// Whether requests are throttled at all.
    pub enabled: bool,
    /// Rates of your own, by `service:Operation`; such an operation then shares its rate with no other.
    pub operation: BTreeMap<String, Rate>,
}

impl Default for RatesSpec {
    fn default() -> Self {
        RatesSpec { enabled: true, operation: BTreeMap::new() }
    }
}

/// Operations that share a rate.
struct Group {
    service: &'static str,
    operations: &'static [&'static str],
    rate: Rate,
}

const fn rate(per_second: f64, burst: f64) -> Rate {
    Rate { per_second, burst }
}

/// The rates. Documented: STS 600 a second by account and Region (IAM quotas); LookupEvents two a second (CloudTrail
/// model); KMS by operation and by the calling account (KMS request quotas), cryptographic operations shared. The others
/// are not published: these are believable ones, on the low side where AWS is known to throttle early.
const GROUPS: &[Group] = &[
    Group { service: "sts", operations: &["AssumeRole", "GetCallerIdentity"], rate: rate(600.0, 600.0) },
    Group { service: "cloudtrail", operations: &["LookupEvents"], rate: rate(2.0, 2.0) },
    Group { service: "kms", operations: &["GenerateDataKey", "Decrypt", "Encrypt"], rate: rate(10_000.0, 10_000.0) },
    Group { service: "kms", operations: &["DescribeKey"], rate: rate(2000.0, 2000.0) },
    Group { service: "kms", operations: &["GetKeyPolicy"], rate: rate(1000.0, 1000.0) },
    Group { service: "kms", operations: &["ListAliases"], rate: rate(500.0, 500.0) },
    Group { service: "kms", operations: &["EnableKey", "DisableKey"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["CancelKeyDeletion"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["ScheduleKeyDeletion"], rate: rate(15.0, 15.0) },
    Group { service: "kms", operations: &["CreateKey"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["ReplicateKey"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["CreateAlias"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["UpdateAlias"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["DeleteAlias"], rate: rate(15.0, 15.0) },
    Group { service: "kms", operations: &["PutKeyPolicy"], rate: rate(15.0, 15.0) },
    Group { service: "kms", operations: &["EnableKeyRotation"], rate: rate(15.0, 15.0) },
    Group { service: "kms", operations: &["DisableKeyRotation"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["TagResource"], rate: rate(10.0, 10.0) },
    Group { service: "kms", operations: &["UntagResource"], rate: rate(5.0, 5.0) },
    Group { service: "kms", operations: &["UpdateKeyDescription"], rate: rate(5.0, 5.0) },
    Group { service: "organizations", operations: &["ListAccounts"], rate: rate(8.0, 26.0) },
    Group { service: "organizations", operations: &["ListTagsForResource"], rate: rate(10.0, 100.0) },
    Group {
        service: "organizations",
        operations: &["ListAccountsForParent", "ListOrganizationalUnitsForParent", "ListParents", "ListRoots"],
        rate: rate(8.0, 60.0),
    },
    Group { service: "organizations", operations: &["DescribeOrganization"], rate: rate(5.0, 20.0) },
    Group {
        service: "organizations",
        operations: &["CreatePolicy", "UpdatePolicy", "DeletePolicy", "AttachPolicy", "DetachPolicy"],
        rate: rate(5.0, 25.0),
    },
    Group { service: "s3", operations: &["ListBuckets"], rate: rate(20.0, 100.0) },
    Group {
        service: "s3",
        operations: &[
            "PutBucketEncryption",
            "DeleteBucketEncryption",
            "PutBucketPolicy",
            "CreateBucket",
            "DeleteBucket",
        ],
        rate: rate(20.0, 100.0),
    },
    Group { service: "iam", operations: IAM_WRITES, rate: rate(10.0, 60.0) },
    Group { service: "cloudformation", operations: STACK_WRITES, rate: rate(5.0, 25.0) },
    Group { service: "cloudformation", operations: STACK_SET_WRITES, rate: rate(1.0, 10.0) },
    Group { service: "ssm", operations: &["StartAutomationExecution"], rate: rate(5.0, 50.0) },
    Group { service: "ssm", operations: &["DescribeAutomationExecutions"], rate: rate(10.0, 40.0) },
    Group { service: "ssm", operations: &["GetAutomationExecution"], rate: rate(40.0, 100.0) },
    Group { service: "ssm", operations: &["StopAutomationExecution"], rate: rate(10.0, 150.0) },
    Group {
        service: "ssm",
        operations: &["CreateDocument", "UpdateDocument", "ModifyDocumentPermission"],
        rate: rate(5.0, 50.0),
    },
];

/// IAM is one service for all Regions, and early to throttle those who write.
const IAM_WRITES: &[&str] = &[
    "CreateRole",
    "UpdateRole",
    "UpdateAssumeRolePolicy",
    "DeleteRole",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "AttachUserPolicy",
    "DetachUserPolicy",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
    "TagRole",
    "UntagRole",
    "CreatePolicy",
    "DeletePolicy",
    "TagPolicy",
    "CreatePolicyVersion",
    "SetDefaultPolicyVersion",
    "DeletePolicyVersion",
];

/// CloudFormation's, which each set a whole stack in motion.
const STACK_WRITES: &[&str] =
    &["CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet"];
const STACK_SET_WRITES: &[&str] = &[
    "CreateStackSet",
    "UpdateStackSet",
    "DeleteStackSet",
    "CreateStackInstances",
    "UpdateStackInstances",
    "DeleteStackInstances",
];

/// What is not named above: reads of buckets, documents and the like. Object calls of S3 (thousands a second by prefix)
/// are far beyond what one machine asks.
const OTHERWISE: Rate = rate(100.0, 400.0);
const SERVICES: &[&str] =
    &["s3", "sts", "ssm", "kms", "organizations", "cloudtrail", "iam", "config", "cloudformation"];
const OBJECTS: &[&str] = &["PutObject", "GetObject", "HeadObject", "DeleteObject"];

/// Which rate an operation has: groups first, then the spec's own, then one for the rest of each service.
type Class = u16;
const SHARDS: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: f64,
    at: f64,
}

/// By account, Region and class.
type Levels = HashMap<(u32, u16, Class), Level>;

/// The token buckets of one sandbox.
#[derive(Debug)]
pub(crate) struct Rates {
    speed: f64,
    began: Instant,
    own: HashMap<String, (Class, Rate)>,
    levels: Vec<Mutex<Levels>>,
}

impl Rates {
    pub(crate) fn new(spec: &RatesSpec, speed: f64) -> Rates {
        let on = spec.enabled && speed > 0.0 && speed.is_finite();
        let first = GROUPS.len() as Class;
        let own = spec.operation.iter().zip(first..).map(|((name, rate), class)| (name.clone(), (class, *rate)));
        Rates {
            speed: if on { speed } else { 0.0 },
            began: Instant::now(),
            own: own.collect(),
            levels: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    fn class(&self, service: &'static str, operation: &'static str) -> Option<(Class, Rate)> {
        if !self.own.is_empty()
            && let Some(own) = self.own.get(&format!("{service}:{operation}"))
        {
            return Some(*own);
        }
        if service == "s3" && OBJECTS.contains(&operation) {
            return None;
        }
        let named = |group: &Group| group.service == service && group.operations.contains(&operation);
        Some(match GROUPS.iter().position(named) {
            Some(index) => (index as Class, GROUPS[index].rate),
            None => {
                let nth = SERVICES.iter().position(|name| *name == service).unwrap_or(SERVICES.len());
                (Class::MAX - nth as Class, OTHERWISE)
            }
        })
    }

    /// Takes a token; false when there is none left and the request is to be throttled. Organizations counts the whole
    /// account, whatever the Region.
    pub(crate) fn admit(&self, account: usize, region: usize, service: &'static str, operation: &'static str) -> bool {
        if self.speed == 0.0 {
            return true;
        }
        self.admit_at(self.began.elapsed().as_secs_f64(), account, region, service, operation)
    }

    fn admit_at(
        &self,
        now: f64,
        account: usize,
        region: usize,
        service: &'static str,
        operation: &'static str,
    ) -> bool {
        let Some((class, rate)) = self.class(service, operation) else { return true };
        let region = if service == "organizations" { 0 } else { region };
        let mut levels = lock(&self.levels[account % SHARDS]);
        let level =
            levels.entry((account as u32, region as u16, class)).or_insert(Level { tokens: rate.burst, at: now });
        // The sandbox's clock: at speed ten, ten times as much is refilled, as ten times as much is asked.
        let refilled = (now - level.at).max(0.0) * self.speed * rate.per_second;
        level.tokens = (level.tokens + refilled).min(rate.burst);
        level.at = now;
        if level.tokens < 1.0 {
            return false;
        }
        level.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_the_rate_and_others_have_their_own() {
        let rates = Rates::new(&RatesSpec::default(), 1.0);
        let start = |now, account, region| rates.admit_at(now, account, region, "ssm", "StartAutomationExecution");
        assert_eq!((0..100).filter(|_| start(0.0, 5, 0)).count(), 50);
        assert!(start(0.0, 5, 1), "another Region");
        assert!(start(0.0, 6, 0), "another account");
        assert!(rates.admit_at(0.0, 5, 0, "ssm", "GetAutomationExecution"), "another operation");
        assert_eq!((0..100).filter(|_| start(2.0, 5, 0)).count(), 10);
    }

    #[test]
    fn organizations_counts_the_account_in_all_regions_and_groups_are_shared() {
        let rates = Rates::new(&RatesSpec::default(), 1.0);
        let list = |region| rates.admit_at(0.0, 1, region, "organizations", "ListAccounts");
        assert_eq!((0..40).filter(|n| list(n % 2)).count(), 26);
        let put = |operation| rates.admit_at(0.0, 1, 0, "s3", operation);
        assert_eq!((0..100).filter(|_| put("PutBucketEncryption")).count(), 100);
        assert!(!put("DeleteBucketEncryption"));
        let write = |operation| rates.admit_at(0.0, 1, 0, "iam", operation);
        assert_eq!((0..100).filter(|_| write("PutRolePolicy")).count(), 60);
        assert!(!write("CreatePolicy") && write("GetRole"));
        let stack = |operation| rates.admit_at(0.0, 1, 0, "cloudformation", operation);
        assert_eq!((0..40).filter(|_| stack("CreateStack")).count(), 25);
        assert!(!stack("ExecuteChangeSet") && stack("DescribeStacks") && stack("CreateStackSet"));
    }

    #[test]
    fn speed_scales_it_and_none_at_all_turns_it_off() {
        let fast = Rates::new(&RatesSpec::default(), 10.0);
        let lookup = |now| fast.admit_at(now, 0, 0, "cloudtrail", "LookupEvents");
        assert_eq!((0..9).filter(|_| lookup(0.0)).count(), 2);
        assert!(lookup(0.06) && !lookup(0.06), "twenty a second");
        for off in [
            Rates::new(&RatesSpec::default(), 0.0),
            Rates::new(&RatesSpec { enabled: false, ..RatesSpec::default() }, 1.0),
        ] {
            assert!((0..1000).all(|_| off.admit(0, 0, "cloudtrail", "LookupEvents")));
        }
    }

    #[test]
    fn a_rate_of_ones_own_is_its_own() {
        let operation = [("s3:HeadBucket".to_string(), rate(1.0, 3.0))].into();
        let rates = Rates::new(&RatesSpec { enabled: true, operation }, 1.0);
        assert_eq!((0..9).filter(|_| rates.admit_at(0.0, 0, 0, "s3", "HeadBucket")).count(), 3);
        assert!(rates.admit_at(0.0, 0, 0, "s3", "GetBucketEncryption"));
    }
}
