//! What an earlier plan, rollout or audit with guards said of a bucket that an audit without guards finds not sealed.

use std::collections::BTreeMap;

use orgseal_core::ledger::{EarlierHold, LedgerError, Reader, Run, Summary};
use orgseal_core::model::{Finding, Reason, Verdict};

use crate::headline::meaning;
use crate::kind;
use crate::meaning::count;
use crate::words::{moment, number};

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

    /// The hold of the newest earlier plan, rollout or audit with guards that knows the bucket. Where this run evaluated the guards itself, its
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

/// How many candidates earlier runs held, by guard or reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlierTally {
    pub(crate) buckets: u64,
    /// A bucket that several guards held is counted under each.
    pub(crate) by_cause: BTreeMap<String, u64>,
}

impl EarlierTally {
    /// Nothing of a run that evaluated the guards itself.
    pub(crate) fn of(reader: &Reader, run: &Run) -> Result<EarlierTally, LedgerError> {
        let mut tally = EarlierTally::default();
        if !kind::skips_guards(run) {
            return Ok(tally);
        }
        for (reason, guards, buckets) in reader.earlier_hold_counts(run)? {
            tally.buckets += buckets;
            if guards.is_empty() {
                *tally.by_cause.entry(says(&reason)).or_default() += buckets;
            }
            for guard in guards {
                *tally.by_cause.entry(format!("guard {guard}")).or_default() += buckets;
            }
        }
        Ok(tally)
    }

    /// What a verdict says of a bucket. Where no guard was evaluated, the count of held buckets is not what a rollout would hold.
    pub(crate) fn meaning(&self, run: &Run, summary: &Summary, verdict: Verdict) -> String {
        if verdict != Verdict::Held || !kind::skips_guards(run) {
            return meaning(run, verdict).to_owned();
        }
        let known = if summary.held > 0 { "waits for a decision; " } else { "" };
        let more = if summary.held > 0 { " more" } else { "" };
        let earlier = match self.buckets {
            0 => String::new(),
            buckets => format!("; {}{more} held earlier", number(buckets)),
        };
        format!("{known}guards not evaluated{earlier}")
    }
}

/// A verdict's count for people: what was not evaluated is not zero.
pub(crate) fn amount(run: &Run, summary: &Summary, verdict: Verdict) -> String {
    match count(summary, verdict) {
        0 if verdict == Verdict::Held && kind::skips_guards(run) => "?".to_owned(),
        buckets => number(buckets),
    }
}

/// A reason in words.
fn says(code: &str) -> String {
    let known = Reason::ALL.iter().find(|reason| reason.as_str() == code);
    known.map_or_else(|| code.to_owned(), |reason| reason.says().to_owned())
}

/// An earlier hold in words: `held by plan-… on 29 Nov 2026, 03:00 UTC: guards public-access`.
pub(crate) fn in_words(hold: &EarlierHold) -> String {
    let why = match hold.guards.as_slice() {
        [] => says(&hold.reason),
        [guard] => format!("guard {guard}"),
        guards => format!("guards {}", guards.join(", ")),
    };
    format!("held by {} on {}: {why}", hold.run, moment(hold.at))
}
