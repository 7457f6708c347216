//! The limits that hold for one account, after the overrides.

use crate::config::{Limits, WaveLimits};
use crate::model::Account;

/// How much may go on at once in one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLimits {
    /// Automation executions in flight in the account.
    pub executions: usize,
    /// Automation executions in flight in one Region of the account.
    pub executions_per_region: usize,
    /// S3 reads at once in the account.
    pub reads: usize,
}

impl AccountLimits {
    /// The campaign's limits for an account. Of several overrides that name it, the last one in the file counts; one that
    /// names the account itself beats one that names its OU.
    #[must_use]
    pub fn of(account: &Account, limits: &Limits) -> AccountLimits {
        let mut found = AccountLimits {
            executions: limits.executions_per_account,
            executions_per_region: limits.executions_per_account_region.unwrap_or(Limits::EXECUTIONS_PER_REGION),
            reads: limits.reads_per_account,
        };
        let by_ou = limits.overrides.iter().filter(|over| over.ous.iter().any(|ou| account.ous.contains(ou)));
        let by_id = limits.overrides.iter().filter(|over| over.accounts.contains(&account.id));
        for over in by_ou.chain(by_id) {
            found.executions = over.executions_per_account.unwrap_or(found.executions);
            found.executions_per_region = over.executions_per_account_region.unwrap_or(found.executions_per_region);
            found.reads = over.reads_per_account.unwrap_or(found.reads);
        }
        // More than the account may have could never be reached.
        found.executions_per_region = found.executions_per_region.min(found.executions);
        found
    }

    /// The same within a wave's own limits, which only lower.
    #[must_use]
    pub fn within(self, wave: WaveLimits) -> AccountLimits {
        let executions = self.executions.min(wave.executions_per_account.unwrap_or(usize::MAX));
        let region = wave.executions_per_account_region.unwrap_or(usize::MAX).min(executions);
        AccountLimits { executions, executions_per_region: self.executions_per_region.min(region), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LimitOverride;

    #[test]
    fn an_override_by_account_beats_one_by_ou() {
        let account = Account {
            id: "444455556666".into(),
            name: "payments".into(),
            state: "ACTIVE".into(),
            ous: vec!["ou-a".into()],
            tags: Default::default(),
        };
        let over = |accounts: &[&str], ous: &[&str], executions| LimitOverride {
            accounts: accounts.iter().map(|&id| id.into()).collect(),
            ous: ous.iter().map(|&ou| ou.into()).collect(),
            executions_per_account: Some(executions),
            executions_per_account_region: None,
            reads_per_account: None,
        };
        let limits =
            Limits { overrides: vec![over(&["444455556666"], &[], 1), over(&[], &["ou-a"], 7)], ..Limits::default() };
        assert_eq!(AccountLimits::of(&account, &limits).executions, 1);
        let neighbour = Account { id: "777788889999".into(), ..account };
        assert_eq!(AccountLimits::of(&neighbour, &limits).executions, 7);
        let stranger = Account { ous: vec![], ..neighbour };
        assert_eq!(AccountLimits::of(&stranger, &limits).executions, limits.executions_per_account);
    }
}
