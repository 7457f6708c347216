//! Which buckets wait for a proof before they are changed, and in which order they come.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::life::Life;
use super::omission::Stake;
use super::place::Place;
use super::{Campaign, CampaignError};
use crate::config::BlockedTypesChoice;
use crate::judge::former_rule;
use crate::ledger::Reader;
use crate::model::{BlockedTypesElement, DefaultEncryption, EncryptionRule, Reason};
use crate::plan::Change;

impl Campaign {
    /// Takes in what the ledger knows of omissions: proofs of every run, and what this one learned or has in flight.
    pub(super) fn recall_omissions(&self) -> Result<(), CampaignError> {
        let reader = Reader::open(self.ledger.folder())?;
        let run = reader.run(&self.id)?;
        for learned in reader.omission_proofs()?.iter().chain(&reader.omission_refusals(&run)?) {
            self.omissions.learn(learned);
        }
        for open in reader.omissions_in_flight(&run)? {
            let Some(intent) = &open.state.intent else { continue };
            let types = intent.rule.as_ref().map(EncryptionRule::blocked_types).unwrap_or_default();
            self.omissions.in_flight(&open.bucket, &intent.document_hash, Stake::of_types(types.is_empty()));
        }
        Ok(())
    }

    /// Notes where buckets that block encryption types wait: where a block is to be proven, one of them goes first.
    pub(super) fn expect_blocks(&self, wave: Option<u32>) -> Result<(), CampaignError> {
        if self.options.dry_run || self.file.encryption.blocked_types != BlockedTypesChoice::Prove {
            return Ok(());
        }
        let (reader, run) = self.reader()?;
        for (account, region) in reader.blocking_places(&run, wave)? {
            self.omissions.expect(&account, &region);
        }
        Ok(())
    }

    /// The rule that a bucket is to have; `None` where the campaign has no key for it.
    pub(super) fn rule_for(&self, life: &Life, found: &DefaultEncryption) -> Option<EncryptionRule> {
        let state = life.state();
        if let Some(restore) = state.restore.as_deref() {
            return Some(former_rule(restore, found));
        }
        let rule = self.wanted(life.bucket())?.rule(found);
        // What an earlier attempt altered is not what the bucket is to keep.
        let before = state.intent.as_ref().and_then(|intent| intent.rule.as_ref());
        match before.filter(|_| state.judgement.reason == Reason::BlockedTypesChanged) {
            Some(before) => Some(EncryptionRule {
                blocked: before.blocked.clone().or_else(|| Some(vec!["NONE".to_owned()])),
                ..rule
            }),
            None => Some(rule),
        }
    }

    /// What is at stake in the start on a bucket, where it omits the element; with the document's hash.
    fn omission<'a>(&self, place: &'a Place<'_>, life: &Life) -> Option<(Stake, &'a str)> {
        let document = place.document.as_ref().ok()?;
        let found = life.state().encryption.as_ref()?;
        let rule = self.rule_for(life, found)?;
        let change = Change { bucket: life.bucket(), automation_role: &place.automation_role, rule: &rule };
        let start = self.planned_start(document, &change, found).ok()?;
        (start.blocked_types == BlockedTypesElement::Omitted).then(|| (Stake::of(found), document.runbook.hash()))
    }

    /// Waits until a bucket may be started, where the start omits the element. `false`: nothing new may be started.
    pub(super) async fn take_turn(&self, place: &Place<'_>, life: &mut Life) -> bool {
        let Some((stake, hash)) = self.omission(place, life) else {
            life.turn = None;
            return true;
        };
        if life.turn.as_ref().is_some_and(|turn| turn.serves(stake, hash)) {
            return true;
        }
        // Whoever waits holds nothing that the one it waits for may need.
        (life.turn, life.first, life.slots, life.pass) = (None, None, None, None);
        life.turn = self.omissions.turn(life.bucket(), hash, stake, &self.no_starts).await;
        life.turn.is_some()
    }

    /// Carries a bucket from where it stands to its end; after the last one that blocks encryption types nobody waits for one.
    pub(super) async fn carry_counted(&self, place: &Place<'_>, life: Life) -> Result<(), CampaignError> {
        let block = is_blocking(&life);
        let carried = self.carry(place, life).await;
        if block && place.blocks.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.omissions.expect_no_more(place.account, Some(place.region));
        }
        carried
    }

    /// Buckets in the order in which they are taken up: one for each proof that is missing, those that need none, the rest.
    pub(super) fn provers_first(&self, place: &Place<'_>, waiting: Vec<Life>) -> Vec<Life> {
        let (mut first, mut free, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let (mut seen, mut blocks) = (BTreeSet::new(), 0);
        for life in waiting {
            blocks += usize::from(is_blocking(&life));
            match self.omission(place, &life) {
                Some((stake, hash)) if !self.omissions.is_kept(place.region, hash, stake) => match seen.insert(stake) {
                    true => first.push((stake, life)),
                    false => last.push(life),
                },
                _ => free.push(life),
            }
        }
        place.blocks.store(blocks, Ordering::Relaxed);
        match blocks {
            0 => self.omissions.expect_no_more(place.account, Some(place.region)),
            _ => self.omissions.expect(place.account, place.region),
        }
        first.sort_by_key(|(stake, _)| *stake);
        first.into_iter().map(|(_, life)| life).chain(free).chain(last).collect()
    }
}

/// Whether a bucket that waits blocks encryption types.
fn is_blocking(life: &Life) -> bool {
    life.state().encryption.as_ref().is_some_and(|found| !found.blocked_types().is_empty())
}
