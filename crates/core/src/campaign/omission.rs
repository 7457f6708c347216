//! Where a start omits `BlockedEncryptionTypes`: one bucket in each Region goes first, alone, and its read-back decides for the
//! rest. AWS does not document what a `PutBucketEncryption` without the element does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::BlockedTypesChoice;
use crate::model::{Bucket, DefaultEncryption, OmissionOutcome, OmissionRecord};

/// What is at stake when the element is omitted: a kept block proves nothing for buckets that block nothing, and the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stake {
    /// The bucket blocks encryption types: the block may be lost.
    Block,
    /// The bucket blocks nothing: SSE-C may become blocked.
    Open,
}

impl Stake {
    pub(super) fn of(found: &DefaultEncryption) -> Stake {
        Stake::of_types(found.blocked_types().is_empty())
    }

    pub(super) fn of_types(none: bool) -> Stake {
        if none { Stake::Open } else { Stake::Block }
    }
}

/// What the omission of the element by one document in one Region comes to so far.
#[derive(Default)]
struct Region {
    kept: BTreeSet<Stake>,
    changed: BTreeMap<Stake, OmissionRecord>,
    provers: Vec<Prover>,
    /// Since when buckets that block nothing have waited for one that blocks types: they wait once, together.
    waited_for_block: Option<Instant>,
}

/// A bucket whose read-back is to decide.
struct Prover {
    number: u64,
    account: String,
    since: Instant,
    /// It was changed and could not be read back: nothing else will be learned from it in this run.
    unread: bool,
}

#[derive(Default)]
struct Known {
    /// By Region and document hash.
    regions: BTreeMap<(String, String), Region>,
    /// Accounts, Regions and documents in which Automation does not know the element.
    refused: BTreeSet<(String, String, String)>,
    /// Accounts with buckets that block types and are yet to be changed, by Region: one of theirs goes first.
    expected: BTreeMap<String, BTreeSet<String>>,
    next: u64,
}

/// All that a run knows of omissions, shared by its accounts.
pub(super) struct Omissions {
    known: Mutex<Known>,
    /// Turns of buckets that were in flight when this process began, by account and name, until their accounts are at work.
    adopted: Mutex<BTreeMap<(String, String), Turn>>,
    moved: Notify,
    choice: BlockedTypesChoice,
    /// How long one bucket may take before a bucket of another account takes its place.
    patience: Duration,
}

/// What a bucket waits for, or is told.
#[derive(Clone, Copy)]
enum Answer {
    Free,
    Prove(u64),
    Wait(Duration),
}

/// Leave to start where the element is omitted, for buckets with the same stake. Whoever proves holds the Region until it is
/// dropped.
pub(super) struct Turn {
    pub(super) stake: Stake,
    hash: String,
    prover: Option<(Arc<Omissions>, u64)>,
}

impl Turn {
    /// Whether it serves a start of this document on a bucket with this stake.
    pub(super) fn serves(&self, stake: Stake, hash: &str) -> bool {
        self.stake == stake && self.hash == hash
    }
}

impl Turn {
    /// The bucket was changed and could not be read back. It may have lost its block: the next one does not take its place at once.
    pub(super) fn leave_unread(&self) {
        let Some((omissions, number)) = &self.prover else { return };
        for region in omissions.lock().regions.values_mut() {
            for prover in region.provers.iter_mut().filter(|prover| prover.number == *number) {
                prover.unread = true;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((omissions, number)) = &self.prover {
            for region in omissions.lock().regions.values_mut() {
                region.provers.retain(|prover| prover.number != *number || prover.unread);
            }
            omissions.moved.notify_waiters();
        }
    }
}

impl Omissions {
    pub(super) fn new(choice: BlockedTypesChoice, patience: Duration) -> Arc<Omissions> {
        Arc::new(Omissions {
            known: Mutex::default(),
            adopted: Mutex::default(),
            moved: Notify::new(),
            choice,
            patience,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the ledger or this run learned.
    pub(super) fn learn(&self, learned: &OmissionRecord) {
        let mut known = self.lock();
        let key = (learned.region.clone(), learned.document_hash.clone());
        match learned.outcome {
            OmissionOutcome::Refused => {
                known.refused.insert((learned.account.clone(), key.0, key.1));
            }
            OmissionOutcome::Kept => {
                known.regions.entry(key).or_default().kept.insert(Stake::of_types(learned.blocked.is_empty()));
            }
            OmissionOutcome::Changed => {
                let stake = Stake::of_types(learned.blocked.is_empty());
                known.regions.entry(key).or_default().changed.insert(stake, learned.clone());
            }
        }
        drop(known);
        self.moved.notify_waiters();
    }

    /// Automation does not know the element in an account and Region. Whether that is news.
    pub(super) fn refuse(&self, account: &str, region: &str, hash: &str) -> bool {
        self.lock().refused.insert((account.to_owned(), region.to_owned(), hash.to_owned()))
    }

    /// Whether Automation does not know the element in an account and Region.
    pub(super) fn is_refused(&self, account: &str, region: &str, hash: &str) -> bool {
        self.lock().refused.contains(&(account.to_owned(), region.to_owned(), hash.to_owned()))
    }

    /// Whether it is proven that S3 keeps what this document omits there.
    pub(super) fn is_kept(&self, region: &str, hash: &str, stake: Stake) -> bool {
        let known = self.lock();
        known.regions.get(&(region.to_owned(), hash.to_owned())).is_some_and(|region| region.kept.contains(&stake))
    }

    /// The bucket whose blocked types S3 changed when this document omitted them there, so that no other with this stake is
    /// started. Where a block is to be proven and was lost, nothing else is started either.
    pub(super) fn changed(&self, region: &str, hash: &str, stake: Stake) -> Option<OmissionRecord> {
        let known = self.lock();
        self.verdict(known.regions.get(&(region.to_owned(), hash.to_owned()))?, stake).cloned()
    }

    fn verdict<'a>(&self, region: &'a Region, stake: Stake) -> Option<&'a OmissionRecord> {
        let block = region.changed.get(&Stake::Block).filter(|_| self.choice == BlockedTypesChoice::Prove);
        region.changed.get(&stake).or(block)
    }

    /// An account has buckets that block types: one of them goes first, if its document omits the element.
    pub(super) fn expect(&self, account: &str, region: &str) {
        if self.choice == BlockedTypesChoice::Prove {
            self.lock().expected.entry(region.to_owned()).or_default().insert(account.to_owned());
        }
    }

    /// Other accounts come to work: buckets may have to wait for one of theirs.
    pub(super) fn expect_anew(&self) {
        for region in self.lock().regions.values_mut() {
            region.waited_for_block = None;
        }
    }

    /// Whether one of the account's buckets is to go first somewhere.
    pub(super) fn expects(&self, account: &str) -> bool {
        self.lock().expected.values().any(|accounts| accounts.contains(account))
    }

    /// The account works in these Regions alone.
    pub(super) fn expect_only_in(&self, account: &str, regions: &BTreeSet<&str>) {
        for (_, accounts) in self.lock().expected.iter_mut().filter(|(place, _)| !regions.contains(place.as_str())) {
            accounts.remove(account);
        }
        self.moved.notify_waiters();
    }

    /// The account has no such bucket (any more): in a Region, or in any.
    pub(super) fn expect_no_more(&self, account: &str, region: Option<&str>) {
        for (place, accounts) in &mut self.lock().expected {
            if region.is_none_or(|region| region == place) {
                accounts.remove(account);
            }
        }
        self.moved.notify_waiters();
    }

    /// A start of an earlier process is in flight on a bucket: its read-back decides as any other.
    pub(super) fn in_flight(self: &Arc<Self>, bucket: &Bucket, hash: &str, stake: Stake) {
        let turn = self.adopt(bucket, hash, stake);
        let key = (bucket.account.clone(), bucket.name.clone());
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner).insert(key, turn);
    }

    /// The turn of a bucket that was in flight when this process began.
    pub(super) fn take_adopted(&self, bucket: &Bucket) -> Option<Turn> {
        let key = (bucket.account.clone(), bucket.name.clone());
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner).remove(&key)
    }

    fn adopt(self: &Arc<Self>, bucket: &Bucket, hash: &str, stake: Stake) -> Turn {
        let number = {
            let mut known = self.lock();
            let number = known.number();
            known.region(&bucket.region, hash).provers.push(Prover {
                number,
                account: bucket.account.clone(),
                since: Instant::now(),
                unread: false,
            });
            number
        };
        Turn { stake, hash: hash.to_owned(), prover: Some((Arc::clone(self), number)) }
    }

    /// Waits until a bucket may be started: its read-back is to decide, or that of another has. `None`: nothing new may be started.
    pub(super) async fn turn(
        self: &Arc<Self>,
        bucket: &Bucket,
        hash: &str,
        stake: Stake,
        stop: &CancellationToken,
    ) -> Option<Turn> {
        let turn = |prover| Some(Turn { stake, hash: hash.to_owned(), prover });
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // From here on no news is missed.
            moved.as_mut().enable();
            match self.ask(bucket, hash, stake) {
                Answer::Free => return turn(None),
                Answer::Prove(number) => return turn(Some((Arc::clone(self), number))),
                Answer::Wait(time) => {
                    let _ = stop.run_until_cancelled(timeout(time, moved)).await?;
                }
            }
        }
    }

    fn ask(&self, bucket: &Bucket, hash: &str, stake: Stake) -> Answer {
        let mut known = self.lock();
        let number = known.number();
        let block_is_expected = known.expected.get(&bucket.region).is_some_and(|accounts| !accounts.is_empty());
        let region = known.region(&bucket.region, hash);
        if self.verdict(region, stake).is_some() {
            return Answer::Free;
        }
        let block_first = stake == Stake::Open
            && block_is_expected
            && self.choice == BlockedTypesChoice::Prove
            && !region.kept.contains(&Stake::Block);
        if block_first {
            let since = region.waited_for_block.get_or_insert_with(Instant::now);
            if let Some(left) = self.patience.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
                return Answer::Wait(left);
            }
        }
        if region.kept.contains(&stake) {
            return Answer::Free;
        }
        // One that takes too long is replaced by a bucket of another account: its own account may be what is slow.
        let left = |prover: &Prover| match prover.account == bucket.account && !prover.unread {
            true => Some(self.patience),
            false => self.patience.checked_sub(prover.since.elapsed()).filter(|left| !left.is_zero()),
        };
        if let Some(left) = region.provers.iter().filter_map(left).max() {
            return Answer::Wait(left);
        }
        let account = bucket.account.clone();
        region.provers.push(Prover { number, account, since: Instant::now(), unread: false });
        Answer::Prove(number)
    }
}

impl Known {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn region(&mut self, region: &str, hash: &str) -> &mut Region {
        self.regions.entry((region.to_owned(), hash.to_owned())).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(30);

    fn bucket(account: &str) -> Bucket {
        Bucket { account: account.into(), region: "us-east-1".into(), name: format!("logs-{account}") }
    }

    fn learned(outcome: OmissionOutcome, blocked: &[&str]) -> OmissionRecord {
        OmissionRecord {
            account: "a".into(),
            region: "us-east-1".into(),
            bucket: "logs".into(),
            document_hash: "h".into(),
            blocked: blocked.iter().map(ToString::to_string).collect(),
            outcome,
            repair: None,
        }
    }

    async fn now(omissions: &Arc<Omissions>, account: &str, stake: Stake) -> Option<Turn> {
        let stop = CancellationToken::new();
        timeout(SOON, omissions.turn(&bucket(account), "h", stake, &stop)).await.ok().flatten()
    }

    fn proves(turn: &Option<Turn>) -> Option<bool> {
        turn.as_ref().map(|turn| turn.prover.is_some())
    }

    #[tokio::test]
    async fn one_goes_first_and_its_read_back_frees_the_rest() {
        let omissions = Omissions::new(BlockedTypesChoice::Hold, Duration::from_secs(60));
        let first = now(&omissions, "a", Stake::Open).await;
        assert_eq!(proves(&first), Some(true));
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), None);
        // Another Region, or another document, is another question.
        let other = omissions.turn(&bucket("b"), "other", Stake::Open, &CancellationToken::new()).await;
        assert_eq!(proves(&other), Some(true));
        omissions.learn(&learned(OmissionOutcome::Kept, &[]));
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), Some(false));
        assert!(first.is_some());
    }

    #[tokio::test]
    async fn one_that_decides_nothing_makes_place_for_the_next() {
        let omissions = Omissions::new(BlockedTypesChoice::Hold, Duration::from_secs(60));
        drop(now(&omissions, "a", Stake::Open).await);
        assert_eq!(proves(&now(&omissions, "a", Stake::Open).await), Some(true));
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_replaced_by_another_account_alone() {
        let omissions = Omissions::new(BlockedTypesChoice::Hold, Duration::from_millis(60));
        let slow = now(&omissions, "a", Stake::Open).await;
        tokio::time::sleep(Duration::from_millis(70)).await;
        assert_eq!(proves(&now(&omissions, "a", Stake::Open).await), None);
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), Some(true));
        assert!(slow.is_some());
    }

    #[tokio::test]
    async fn one_that_could_not_be_read_back_is_not_followed_by_the_next_at_once() {
        let omissions = Omissions::new(BlockedTypesChoice::Hold, Duration::from_millis(90));
        let turn = now(&omissions, "a", Stake::Open).await;
        turn.as_ref().unwrap().leave_unread();
        drop(turn);
        for account in ["a", "b"] {
            assert_eq!(proves(&now(&omissions, account, Stake::Open).await), None, "{account}");
        }
        tokio::time::sleep(SOON * 2).await;
        assert_eq!(proves(&now(&omissions, "a", Stake::Open).await), Some(true));
    }

    #[tokio::test]
    async fn a_changed_block_frees_everybody_to_be_held() {
        let omissions = Omissions::new(BlockedTypesChoice::Prove, Duration::from_secs(60));
        omissions.learn(&learned(OmissionOutcome::Kept, &[]));
        assert!(omissions.is_kept("us-east-1", "h", Stake::Open) && !omissions.is_kept("us-east-1", "h", Stake::Block));
        omissions.learn(&learned(OmissionOutcome::Changed, &["SSE-C"]));
        for stake in [Stake::Block, Stake::Open] {
            assert!(omissions.changed("us-east-1", "h", stake).is_some());
            assert!(omissions.changed("eu-west-1", "h", stake).is_none());
        }
        let by_default = Omissions::new(BlockedTypesChoice::Hold, Duration::from_secs(60));
        by_default.learn(&learned(OmissionOutcome::Changed, &["SSE-C"]));
        assert!(by_default.changed("us-east-1", "h", Stake::Open).is_none(), "a lost block says nothing of it");
        assert_eq!(proves(&now(&omissions, "b", Stake::Block).await), Some(false));
    }

    #[tokio::test]
    async fn a_block_that_nobody_proves_is_waited_for_once() {
        let patience = Duration::from_millis(200);
        let omissions = Omissions::new(BlockedTypesChoice::Prove, patience);
        omissions.expect("a", "us-east-1");
        let (began, stop) = (Instant::now(), CancellationToken::new());
        for account in ["b", "b", "c"] {
            let turn = omissions.turn(&bucket(account), "h", Stake::Open, &stop).await;
            assert_eq!(proves(&turn), Some(true));
        }
        omissions.learn(&learned(OmissionOutcome::Kept, &[]));
        let turn = omissions.turn(&bucket("e"), "h", Stake::Open, &stop).await;
        assert_eq!(proves(&turn), Some(false));
        let waited = began.elapsed();
        assert!((patience..patience * 2).contains(&waited), "{waited:?}");
    }

    #[tokio::test]
    async fn where_a_block_is_to_be_proven_the_others_wait_for_it() {
        let omissions = Omissions::new(BlockedTypesChoice::Prove, Duration::from_secs(60));
        omissions.expect("a", "us-east-1");
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), None);
        let block = now(&omissions, "a", Stake::Block).await;
        assert_eq!(proves(&block), Some(true));
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), None, "it is alone");
        omissions.learn(&learned(OmissionOutcome::Kept, &["SSE-C"]));
        drop(block);
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), Some(true));
        // By default nobody waits for what is held anyway.
        let omissions = Omissions::new(BlockedTypesChoice::Hold, Duration::from_secs(60));
        omissions.expect("a", "us-east-1");
        assert_eq!(proves(&now(&omissions, "b", Stake::Open).await), Some(true));
    }
}
