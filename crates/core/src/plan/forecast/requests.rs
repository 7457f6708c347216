//! How many requests it takes, by service.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::{AccountWork, HOUR, Workload, schedule};

/// Requests to AWS, by service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Amazon S3, S3 Control with it.
    pub s3: u64,
    /// Systems Manager.
    pub ssm: u64,
    /// AWS KMS, by orgseal: not those of the applications.
    pub kms: u64,
    /// STS.
    pub sts: u64,
    /// Organizations.
    pub organizations: u64,
    /// IAM.
    pub iam: u64,
    /// CloudTrail.
    pub cloudtrail: u64,
}

impl Requests {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.s3 + self.ssm + self.kms + self.sts + self.organizations + self.iam + self.cloudtrail
    }
}

impl AddAssign for Requests {
    fn add_assign(&mut self, other: Requests) {
        self.s3 += other.s3;
        self.ssm += other.ssm;
        self.kms += other.kms;
        self.sts += other.sts;
        self.organizations += other.organizations;
        self.iam += other.iam;
        self.cloudtrail += other.cloudtrail;
    }
}

/// `ListAccounts` gives at most so many accounts a page [model].
const ACCOUNTS_A_PAGE: u64 = 20;
/// `DescribeAutomationExecutions` gives at most so many executions a page [model].
const EXECUTIONS_A_PAGE: usize = 50;
/// Polls while the slots of an account and Region are filled once: measured (docs/benchmarks.md, 53 polls in 10 rounds).
const POLLS_A_ROUND: u64 = 5;
/// Seconds that an execution is thought to take before one ended in an account and Region: until then it is asked for from
/// there on, each time after so much more of the time that it runs (docs/benchmarks.md, 483 polls in 33 places).
const FIRST_GUESS: f64 = 2.0;
const FURTHER: f64 = 1.08;

/// Polls in an account and Region.
fn polls(rounds: u64, execution_seconds: f64) -> u64 {
    let first = (execution_seconds / FIRST_GUESS).max(1.0).ln() / FURTHER.ln();
    let first = (first.ceil() as u64).max(POLLS_A_ROUND);
    if rounds == 0 { 0 } else { first + (rounds - 1) * POLLS_A_ROUND }
}

/// Reading the organization, as a rollout by plan does: nobody asks guards, whose word is in the plan.
pub(super) fn of_reading(work: &Workload) -> Requests {
    let organizations = 1 + (work.organization_accounts as u64).div_ceil(ACCOUNTS_A_PAGE).max(1);
    // GetCallerIdentity.
    let mut found = Requests { organizations, sts: 1, ..Requests::default() };
    for account in work.accounts.iter().filter(|account| account.is_read) {
        found.sts += 1;
        found.s3 += schedule::list_pages(account) + account.buckets as u64;
    }
    found
}

/// What guards read of an account once more.
pub(super) fn of_guards(account: &AccountWork, work: &Workload) -> Requests {
    let buckets = account.executions();
    if buckets == 0 {
        return Requests::default();
    }
    let guards = &work.guards;
    Requests {
        s3: buckets * guards.per_bucket as u64 + guards.per_account as u64,
        iam: guards.identity_pages as u64,
        ..Requests::default()
    }
}

/// Sealing the accounts of a wave in so many seconds, and looking for denials while it bakes.
pub(super) fn of_wave(
    accounts: &[&AccountWork],
    work: &Workload,
    new_session: bool,
    seconds: f64,
    bakes: bool,
    execution_seconds: f64,
) -> Requests {
    let mut found = Requests::default();
    let mut regions = BTreeSet::new();
    // A session is renewed before it ends.
    let sessions = u64::from(new_session) + (seconds / HOUR) as u64;
    for account in accounts {
        found.sts += sessions;
        for (region, buckets) in account.regions() {
            regions.insert(region);
            found.kms += work.guards.proofs as u64;
            let pages = schedule::in_flight(account, buckets).div_ceil(EXECUTIONS_A_PAGE) as u64;
            let polls = polls(schedule::region_rounds(account, buckets), execution_seconds) * pages;
            // The document, the first look at executions, the starts.
            found.ssm += 2 + buckets as u64 + polls;
            // The look before the start, and the read back.
            found.s3 += 2 * buckets as u64;
            found.cloudtrail += if bakes { work.lookups_per_bake as u64 } else { 0 };
        }
    }
    let looks = 1 + (seconds / work.key_checked_every.as_secs_f64().max(1.0)) as u64;
    found.kms += regions.len() as u64 * looks;
    found
}
