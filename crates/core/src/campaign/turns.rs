//! Which buckets wait for a proof before they are changed, and in which order they come.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::life::Life;
use super::omission::Stake;
use super::place::Place;
use super::{Campaign, CampaignError};
use crate::config::BlockedTypesChoice;
use crate::judge::former_rule;
use crate::ledger::{AccountWork, Reader, check_omissions};
use crate::model::{BlockedTypesElement, DefaultEncryption, EncryptionRule};
use crate::plan::Change;

impl Campaign {
    /// Takes in what the ledger knows of omissions: proofs of every run, and what this one learned or has in flight.
    pub(super) fn recall_omissions(&self) -> Result<(), CampaignError> {
        let reader = Reader::open(self.ledger.folder())?;
        let run = reader.run(&self.id)?;
        let (proofs, refusals) = (reader.omission_proofs()?, reader.omission_refusals(&run)?);
        if !proofs.is_empty() || !refusals.is_empty() {
            // On the word of a planted row a document that omits the element would be started on buckets that block types.
            check_omissions(self.ledger.folder())?;
        }
        for learned in proofs.iter().chain(&refusals) {
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
    pub(super) fn expect_blocks(&self, wave: Option<u32>, work: &[AccountWork]) -> Result<(), CampaignError> {
        if self.options.dry_run || self.file.encryption.blocked_types != BlockedTypesChoice::Prove {
            return Ok(());
        }
        self.omissions.expect_anew();
        let at_work: BTreeSet<&str> = work.iter().map(|account| account.account.as_str()).collect();
        let (reader, run) = self.reader()?;
        for (account, region) in reader.blocking_places(&run, wave)? {
            if at_work.contains(account.as_str()) {
                self.omissions.expect(&account, &region);
            }
        }
        Ok(())
    }

    /// The same for one account that was read later than the others.
    pub(super) fn expect_blocks_of(&self, account: &str) -> Result<(), CampaignError> {
        if self.file.encryption.blocked_types != BlockedTypesChoice::Prove {
            return Ok(());
        }
        let (reader, run) = self.reader()?;
        for (account, region) in reader.blocking_places(&run, None)?.into_iter().filter(|place| place.0 == account) {
            self.omissions.expect(&account, &region);
        }
        Ok(())
    }

    /// The rule that a bucket is to have; `None` where the campaign has no key for it.
    pub(super) fn rule_for(&self, life: &Life, found: &DefaultEncryption) -> Option<EncryptionRule> {
        let state = life.state();
        let rule = match state.restore.as_deref() {
            Some(restore) => former_rule(restore, found),
            None => self.wanted(life.bucket())?.rule(found),
        };
        // What an earlier attempt altered is not what the bucket is to keep, whatever key it is on by now.
        Some(match state.types_to_set_again(found) {
            Some(types) => EncryptionRule { blocked: Some(types), ..rule },
            None => rule,
        })
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

    /// Buckets in the order in which they are taken up: those that are to prove a block, one for the other proof, those that need no proof,
    /// the rest.
    pub(super) fn provers_first(&self, place: &Place<'_>, waiting: Vec<Life>) -> Vec<Life> {
        let (mut block, mut open, mut free) = (Vec::new(), Vec::new(), Vec::new());
        let blocks = waiting.iter().filter(|life| is_blocking(life)).count();
        for life in waiting {
            match self.omission(place, &life) {
                Some((stake, hash)) if !self.omissions.is_kept(place.region, hash, stake) => match stake {
                    Stake::Block => block.push(life),
                    Stake::Open => open.push(life),
                },
                _ => free.push(life),
            }
        }
        place.blocks.store(blocks, Ordering::Relaxed);
        match blocks {
            0 => self.omissions.expect_no_more(place.account, Some(place.region)),
            _ => self.omissions.expect(place.account, place.region),
        }
        // One that was started and not read back may hold the proof already.
        block.sort_by_key(|life| !is_undecided(life));
        open.sort_by_key(|life| !is_undecided(life));
        let rest = open.split_off(open.len().min(1));
        block.into_iter().chain(open).chain(free).chain(rest).collect()
    }
}

/// Whether a start that omitted the element was made on a bucket and its effect is not known.
fn is_undecided(life: &Life) -> bool {
    let state = life.state();
    state.omits_types() && state.execution.is_some() && !state.was_read_back()
}

/// Whether a bucket that waits blocks encryption types.
fn is_blocking(life: &Life) -> bool {
    life.state().encryption.as_ref().is_some_and(|found| !found.blocked_types().is_empty())
}
