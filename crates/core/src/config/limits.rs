//! `[limits]`: how much may go on at once.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id};

/// How much may go on at once. The limits on executions hold whatever else happens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Accounts worked on at once.
    #[schemars(range(min = 1, max = 1000))]
    pub accounts: usize,
    /// Automation executions in flight in one account.
    #[schemars(range(min = 1, max = 2000))]
    pub executions_per_account: usize,
    /// Automation executions in flight in one account and Region: 5 where it is left out, or as many as the account may
    /// have. The quota there is 100.
    #[schemars(range(min = 1, max = 500))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions_per_account_region: Option<usize>,
    /// S3 reads at once in one account.
    #[schemars(range(min = 1, max = 200))]
    pub reads_per_account: usize,
    /// Seconds without a usable answer after which an account that is being read is unknown, and the run continues without it.
    #[schemars(range(min = 1, max = 86400))]
    pub account_read_deadline: u64,
    /// Other limits for some accounts. The last match counts; a match by account beats one by OU.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<LimitOverride>,
}

/// Limits for the accounts and OUs it names. What it leaves out stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOverride {
    /// Account ids.
    pub accounts: Vec<String>,
    /// OU ids; their descendants are meant too.
    pub ous: Vec<String>,
    /// Automation executions in flight in each of these accounts.
    pub executions_per_account: Option<usize>,
    /// Automation executions in flight in one Region of each of these accounts.
    pub executions_per_account_region: Option<usize>,
    /// S3 reads at once in each of these accounts.
    pub reads_per_account: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            accounts: 20,
            executions_per_account: 10,
            executions_per_account_region: None,
            reads_per_account: 10,
            account_read_deadline: 600,
            overrides: Vec::new(),
        }
    }
}

impl Limits {
    /// Executions in flight in one Region, where the file leaves it open.
    pub const EXECUTIONS_PER_REGION: usize = 5;

    /// How long an account that is being read may give no usable answer.
    #[must_use]
    pub fn account_read_deadline(&self) -> Duration {
        Duration::from_secs(self.account_read_deadline)
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        let mut range = |path: &str, value: usize, most: usize| {
            if !(1..=most).contains(&value) {
                found.push(Problem::new(
                    path,
                    format!("{path} is {value}"),
                    format!("write a number from 1 to {most}"),
                ));
            }
        };
        range("limits.accounts", self.accounts, 1000);
        range("limits.executions_per_account", self.executions_per_account, 2000);
        range("limits.executions_per_account_region", self.executions_per_account_region.unwrap_or(1), 500);
        range("limits.reads_per_account", self.reads_per_account, 200);
        let deadline = usize::try_from(self.account_read_deadline).unwrap_or(usize::MAX);
        range("limits.account_read_deadline", deadline, 86_400);
        for (index, over) in self.overrides.iter().enumerate() {
            let path = format!("limits.overrides[{index}]");
            range(&format!("{path}.executions_per_account"), over.executions_per_account.unwrap_or(1), 2000);
            range(
                &format!("{path}.executions_per_account_region"),
                over.executions_per_account_region.unwrap_or(1),
                500,
            );
            range(&format!("{path}.reads_per_account"), over.reads_per_account.unwrap_or(1), 200);
        }
        if let Some(region) = self.executions_per_account_region {
            contradiction("limits", self.executions_per_account, region, found);
        }
        for (index, over) in self.overrides.iter().enumerate() {
            let path = format!("limits.overrides[{index}]");
            if over.accounts.is_empty() && over.ous.is_empty() {
                found.push(Problem::new(
                    &path,
                    "this override names neither accounts nor OUs",
                    "add accounts = [\"…\"] or ous = [\"…\"]",
                ));
            }
            for (place, id) in over.accounts.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
                found.push(Problem::new(
                    format!("{path}.accounts[{place}]"),
                    format!("`{id}` is not an account id"),
                    "write twelve digits in quotes",
                ));
            }
            if let (Some(account), Some(region)) = (over.executions_per_account, over.executions_per_account_region) {
                contradiction(&path, account, region, found);
            }
        }
    }
}

fn contradiction(path: &str, account: usize, region: usize, found: &mut Vec<Problem>) {
    if region > account {
        found.push(Problem::new(
            format!("{path}.executions_per_account_region"),
            format!(
                "executions_per_account_region ({region}) is above executions_per_account ({account}), so it could never be reached"
            ),
            format!("lower it to {account}, or raise executions_per_account"),
        ));
    }
}
