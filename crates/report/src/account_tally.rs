//! Counts of verdicts per account: the one thing that is gathered, since there are far fewer accounts than buckets.

use std::collections::BTreeMap;

use orgseal_core::ledger::{LedgerError, Reader, Run};
use orgseal_core::model::{AccountRecord, Verdict};

/// How many buckets of an account have which verdict.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts([u64; Verdict::ALL.len()]);

impl Counts {
    pub(crate) fn of(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    pub(crate) fn buckets(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.0[verdict as usize] += 1;
    }
}

/// An account of a run with its counts.
#[derive(Default)]
pub(crate) struct AccountTally {
    /// `None` while nobody has said what became of it: the run was cut off in the middle of the account.
    pub(crate) account: Option<AccountRecord>,
    pub(crate) counts: Counts,
}

/// Each account of a run with its counts, by id.
pub(crate) fn tally(reader: &Reader, run: &Run) -> Result<BTreeMap<String, AccountTally>, LedgerError> {
    let mut tallies: BTreeMap<String, AccountTally> = BTreeMap::new();
    reader.each_account::<LedgerError>(run, |account| {
        tallies.insert(account.id.clone(), AccountTally { account: Some(account), counts: Counts::default() });
        Ok(())
    })?;
    reader.each_finding::<LedgerError>(run, |finding| {
        let verdict = finding.judgement.verdict;
        match tallies.get_mut(&finding.bucket.account) {
            Some(tally) => tally.counts.add(verdict),
            None => tallies.entry(finding.bucket.account).or_default().counts.add(verdict),
        }
        Ok(())
    })?;
    Ok(tallies)
}
