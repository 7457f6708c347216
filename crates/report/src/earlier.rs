//! What an earlier plan or rollout said of a bucket that an audit without guards finds not sealed.

use std::collections::BTreeMap;

use orgseal_core::ledger::{EarlierHold, LedgerError, Reader, Run};
use orgseal_core::model::{Finding, Reason, Verdict};

use crate::kind;
use crate::words::moment;

/// Looks up earlier holds, an account at a time: findings come by account.
pub(crate) struct EarlierHolds<'a> {
    reader: &'a Reader,
    run: &'a Run,
    account: String,
    of_account: BTreeMap<String, EarlierHold>,
}

impl<'a> EarlierHolds<'a> {
    pub(crate) fn of(reader: &'a Reader, run: &'a Run) -> EarlierHolds<'a> {
        EarlierHolds { reader, run, account: String::new(), of_account: BTreeMap::new() }
    }

    /// The hold of the newest earlier plan or rollout that knows the bucket. Where this run evaluated the guards itself, its
    /// own verdict stands.
    pub(crate) fn hold(&mut self, finding: &Finding) -> Result<Option<&EarlierHold>, LedgerError> {
        if finding.judgement.verdict != Verdict::NotSealed || !kind::skips_guards(self.run) {
            return Ok(None);
        }
        if self.account != finding.bucket.account {
            self.account.clone_from(&finding.bucket.account);
            self.of_account = self.reader.earlier_holds(self.run, &self.account)?;
        }
        Ok(self.of_account.get(&finding.bucket.name))
    }
}

/// An earlier hold in words: `held by plan-… on 29 Nov 2026, 03:00 UTC: guards public-access`.
pub(crate) fn in_words(hold: &EarlierHold) -> String {
    let why = match hold.guards.as_slice() {
        [] => match Reason::ALL.iter().find(|reason| reason.as_str() == hold.reason) {
            Some(reason) => reason.says().to_owned(),
            None => hold.reason.clone(),
        },
        [guard] => format!("guard {guard}"),
        guards => format!("guards {}", guards.join(", ")),
    };
    format!("held by {} on {}: {why}", hold.run, moment(hold.at))
}
