//! What carrying out a plan will take: requests, executions, time, and what it means for KMS. Pure; an estimate from what was
//! counted and what `[forecast]` assumes, never a promise. What making the plan took is behind us: what guards read then is
//! good for as long as `guards.max_age` says.

mod kms;
mod requests;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use kms::{KmsLoad, Money};
pub use requests::Requests;

use super::AccountLimits;
use crate::config::Assumptions;

/// What is to be done, counted.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// Accounts that Organizations lists.
    pub organization_accounts: usize,
    /// Accounts worked on at once: `limits.accounts`.
    pub accounts_at_once: usize,
    /// The accounts that are read, with what is to change in each.
    pub accounts: Vec<AccountWork>,
    /// How long each wave bakes, the first wave first. A wave beyond them does not.
    pub bakes: Vec<Duration>,
    /// Pages of `LookupEvents` for an account and Region in each bake.
    pub lookups_per_bake: usize,
    /// What guards read.
    pub guards: GuardReads,
    /// The account that owns the central keys.
    pub key_account: String,
    /// How many central keys there are: one for each Region.
    pub keys: usize,
    /// Whether sealed buckets have a Bucket Key.
    pub bucket_key: bool,
    /// How old a look at a Region's key may be: `executions.key_checked_every`.
    pub key_checked_every: Duration,
}

/// One account of a plan.
#[derive(Clone, Debug)]
pub struct AccountWork {
    /// Twelve digits.
    pub id: String,
    /// The limits that hold for it.
    pub limits: AccountLimits,
    /// Whether it is read with this entry. An account of several waves has one for each, and is read once.
    pub is_read: bool,
    /// All buckets in it: each is read.
    pub buckets: usize,
    /// Buckets to change, by Region.
    pub to_change: BTreeMap<String, usize>,
    /// The wave that it goes with, from 0.
    pub wave: usize,
}

/// What guards read, in requests, where a wave begins so late that they are asked again; and what proves a key.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardReads {
    /// To S3, for each bucket to change.
    pub per_bucket: usize,
    /// To S3 (S3 Control), for each account with a bucket to change.
    pub per_account: usize,
    /// Pages of `GetAccountAuthorizationDetails`, for each account with a bucket to change.
    pub identity_pages: usize,
    /// `GetKeyPolicy`, for each central key.
    pub key_policies: bool,
    /// To Organizations, for the control policies: at the first start, and each time that guards are asked again.
    pub control_policies: usize,
    /// How old what guards said may be when a bucket is started.
    pub max_age: Duration,
    /// To KMS, for each account and Region with a bucket to change, before its first start: `DescribeKey` as the member, and
    /// the dry run that proves the key.
    pub proofs: usize,
}

/// What a plan will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Requests to AWS, by service.
    pub requests: Requests,
    /// Automation executions: one for each bucket to change.
    pub executions: u64,
    /// Seconds from the first request to the end of the last bake. Approvals and pauses come on top.
    pub seconds: f64,
    /// Of these, seconds in which the organization is read.
    pub reading_seconds: f64,
    /// The waves, in order.
    pub waves: Vec<WaveForecast>,
    /// What new objects will ask of KMS, by account and Region, once all is sealed.
    pub kms: Vec<KmsLoad>,
    /// What that costs a month.
    pub money: Money,
}

/// One wave of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaveForecast {
    /// Accounts with a bucket to change.
    pub accounts: u64,
    /// Automation executions.
    pub executions: u64,
    /// Seconds from the first start to the last read back.
    pub seconds: f64,
    /// Seconds that it bakes afterwards.
    pub bake_seconds: f64,
}

/// Sessions are good for so long.
const HOUR: f64 = 3600.0;

/// What a plan will take.
#[must_use]
pub fn forecast(work: &Workload, assumed: &Assumptions) -> Forecast {
    let ms = &assumed.request_ms;
    let mut requests = requests::of_reading(work);
    let to_read = work.accounts.iter().filter(|account| account.is_read);
    let reads: Vec<f64> = to_read.map(|account| schedule::reading_seconds(account, ms)).collect();
    let reading_seconds =
        requests.organizations as f64 * ms.organizations / 1e3 + schedule::packed(reads, work.accounts_at_once);
    let mut seconds = reading_seconds;
    let mut waves = Vec::new();
    let (mut has_key_policies, mut has_control_policies) = (false, false);
    let last = work.accounts.iter().filter(|account| account.executions() > 0).map(|account| account.wave + 1).max();
    for wave in 0..last.unwrap_or(0).max(work.bakes.len()) {
        let accounts: Vec<&AccountWork> =
            work.accounts.iter().filter(|account| account.wave == wave && account.executions() > 0).collect();
        // A later wave finds its sessions ended, and what guards said too old.
        let (new_session, asks_guards) = (seconds > HOUR, seconds > work.guards.max_age.as_secs_f64());
        let each = accounts.iter().map(|account| {
            let guards = if asks_guards { schedule::guard_seconds(account, work, ms) } else { 0.0 };
            let session = if new_session { ms.sts / 1e3 } else { 0.0 };
            let proofs = (account.regions().count() * work.guards.proofs) as f64 * ms.kms / 1e3;
            guards + session + proofs + schedule::sealing_seconds(account, assumed)
        });
        let sealing = schedule::packed(each.collect(), work.accounts_at_once) * assumed.overhead;
        let bake_seconds = work.bakes.get(wave).map_or(0.0, Duration::as_secs_f64);
        let bakes = bake_seconds > 0.0;
        requests += requests::of_wave(&accounts, work, new_session, sealing, bakes, assumed.execution_seconds);
        // A rollout by plan reads the control policies before its first start.
        if !accounts.is_empty() && (asks_guards || !std::mem::replace(&mut has_control_policies, true)) {
            requests.organizations += work.guards.control_policies as u64;
        }
        if asks_guards && !accounts.is_empty() {
            accounts.iter().for_each(|account| requests += requests::of_guards(account, work));
            // A key's policy is read once.
            let reads = !std::mem::replace(&mut has_key_policies, true) && work.guards.key_policies;
            requests.kms += if reads { work.keys as u64 } else { 0 };
        }
        seconds += sealing + bake_seconds;
        waves.push(WaveForecast {
            accounts: accounts.len() as u64,
            executions: accounts.iter().map(|account| account.executions()).sum(),
            seconds: sealing,
            bake_seconds,
        });
    }
    let kms = kms::loads(work, assumed);
    let money = Money::of(&kms, work, assumed);
    let executions = waves.iter().map(|wave| wave.executions).sum();
    Forecast { requests, executions, seconds, reading_seconds, waves, kms, money }
}

impl AccountWork {
    fn executions(&self) -> u64 {
        self.to_change.values().map(|&buckets| buckets as u64).sum()
    }

    /// The Regions with a bucket to change.
    fn regions(&self) -> impl Iterator<Item = (&str, usize)> {
        self.to_change.iter().map(|(region, &buckets)| (region.as_str(), buckets)).filter(|&(_, buckets)| buckets > 0)
    }
}
