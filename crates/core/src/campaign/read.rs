//! Reading accounts: assume the role, list buckets, read each one's default encryption, judge it, note the finding.
//!
//! What goes wrong in an account or a bucket is a finding of its own and stops nobody else.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{self, StreamExt};
use tokio::task::JoinError;

use super::examine::{AccountLook, Outlook, held, hold};
use super::fail_point::fail_point;
use super::place::calls;
use super::reading::{Next, ReadWatch, Reads, no_progress};
use super::{Campaign, CampaignError};
use crate::aws::{Member, Purpose, S3, Session};
use crate::event::Event;
use crate::judge::unread_reason;
use crate::ledger::BucketEvent;
use crate::model::{
    Account, AccountOutcome, AccountRecord, AwsError, Bucket, GuardFinding, Judgement, Reason, Restore, Verdict,
};
use crate::plan::AccountLimits;

/// An account that was entered, and may be worked on further.
#[derive(Clone)]
pub(super) struct Entered {
    pub(super) account: Account,
    pub(super) session: Session,
}

/// What was listed of an account.
#[derive(Default)]
struct Listed {
    /// How many of its buckets the run is about.
    buckets: usize,
    /// The Regions in which it has buckets.
    regions: BTreeSet<String>,
}

/// What came of reading an account.
#[derive(Default)]
pub(super) struct Read {
    /// How many of its buckets the run is about, as far as it was read.
    buckets: usize,
    /// It was read to its end, or skipped as the campaign file says.
    whole: bool,
    pub(super) entered: Option<Entered>,
}

/// Why an account is unread of which nothing was heard yet: what stands in the record until it is read.
pub(super) fn interrupted() -> AwsError {
    AwsError {
        code: "Interrupted".to_owned(),
        message: "the run ended before this account was read to its end".to_owned(),
        hint: "run the command again".to_owned(),
    }
}

impl Campaign {
    /// Reads all accounts, `limits.accounts` at once. For a rollout, the sessions of those with something to seal are kept.
    pub(super) async fn read_accounts(
        self: &Arc<Self>,
        accounts: Vec<Account>,
        purpose: Purpose,
    ) -> Result<Vec<Entered>, CampaignError> {
        Ok(self.read_answering_accounts(Reads::new(accounts, purpose), false).await?.0)
    }

    /// The same; where the run `leaves_stalled` accounts, those that give no answer are handed back when all others are read.
    pub(super) async fn read_answering_accounts(
        self: &Arc<Self>,
        mut reads: Reads,
        leaves_stalled: bool,
    ) -> Result<(Vec<Entered>, Option<Reads>), CampaignError> {
        let mut entered = Vec::new();
        let (mut buckets, mut whole, mut stalled) = (0, true, false);
        loop {
            let (account, read) = match reads.next(self, leaves_stalled).await {
                Next::Read(read) => *read,
                Next::Stalled => {
                    (whole, stalled) = (false, true);
                    break;
                }
                Next::Done => break,
            };
            let read = self.read_of(account, read).await?;
            buckets += read.buckets;
            whole &= read.whole;
            entered.extend(read.entered);
        }
        self.tell_of_missing_buckets(whole)?;
        // Where an account could not be read, the bucket may be in it: unknown is not absent.
        if buckets == 0 && whole && !self.resumed && self.selection.names_buckets() && !self.stop.is_cancelled() {
            return Err(CampaignError::NothingSelected("bucket"));
        }
        if !self.resumed && !self.stop.is_cancelled() {
            for pattern in self.selection.idle() {
                let unless = if whole { "" } else { "; accounts that could not be read may hold some" };
                let message = format!("{pattern} covers no bucket{unless}: check its spelling");
                self.events.emit(&Event::Warning { message });
            }
        }
        Ok((entered, stalled.then_some(reads)))
    }

    /// What came of reading an account, also where its task was lost.
    pub(super) async fn read_of(
        &self,
        account: Account,
        read: Result<Result<Read, CampaignError>, JoinError>,
    ) -> Result<Read, CampaignError> {
        match read {
            Ok(read) => read,
            Err(error) => {
                self.account_lost(account, &error).await?;
                Ok(Read::default())
            }
        }
    }

    /// A bucket that was named and is nowhere is told of: the others are changed all the same.
    fn tell_of_missing_buckets(&self, whole: bool) -> Result<(), CampaignError> {
        let named: Vec<&str> = self.selection.named_buckets().collect();
        if named.len() < 2 || !whole || self.stop.is_cancelled() {
            return Ok(());
        }
        let (reader, run) = self.reader()?;
        for name in named {
            if !reader.knows_bucket(&run, name)? {
                let message = format!("no account of the selection has a bucket {name}");
                self.events.emit(&Event::Warning { message });
            }
        }
        Ok(())
    }

    /// Reads one account. Its session is kept if there is something to seal.
    pub(super) async fn read_account(
        &self,
        account: Account,
        purpose: Purpose,
        watch: ReadWatch,
    ) -> Result<Read, CampaignError> {
        fail_point("read_account");
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        if !account.is_active() {
            return self.not_active(account).await;
        }
        let session = match self.enter_watched(&account, purpose, &watch).await {
            Ok(session) => session,
            Err(error) => {
                self.unread(account, error).await?;
                return Ok(Read::default());
            }
        };
        let limits = AccountLimits::of(&account, &self.file.limits);
        let member = self.aws.member(&session, calls(limits));
        // What an earlier process learned of a bucket stands; it may be far beyond a judgement.
        let known = match self.resumed {
            true => {
                let (reader, run) = self.reader()?;
                reader.known_buckets(&run, &account.id)?
            }
            false => HashSet::new(),
        };
        let (mut listed, to_seal) = (Listed { buckets: known.len(), ..Listed::default() }, AtomicUsize::new(0));
        let look = self.account_look(&account)?;
        let reading = self.read_buckets(&member, &look, limits, &known, &mut listed, &to_seal);
        let deadline = self.file.limits.account_read_deadline();
        let trouble = match self.stop.run_until_cancelled(watch.within(deadline, reading)).await {
            Some(Some(outcome)) => outcome?,
            Some(None) => Some(no_progress(&account.id, deadline)),
            None => Some(interrupted()),
        };
        let (whole, buckets) = (trouble.is_none(), listed.buckets);
        match trouble {
            Some(error) => self.unread(account.clone(), error).await?,
            None => {
                let mut record = record(&account, AccountOutcome::Read, None);
                if matches!(purpose, Purpose::Audit { directory_buckets: true, .. }) {
                    let count = self.count_directory_buckets(&member, &account, listed.regions);
                    record.directory_buckets = watch.within(deadline, count).await;
                }
                self.ledger.account(record).await?;
                self.events.emit(&Event::AccountRead { account: account.clone(), buckets });
            }
        }
        // What was read of an account that was not read to its end is true all the same, and can be sealed.
        let keep = purpose == Purpose::Rollout && to_seal.into_inner() > 0;
        Ok(Read { buckets, whole, entered: keep.then_some(Entered { account, session }) })
    }

    /// Assumes the role in an account that is about to be read, as long as the account's reading may take without an answer.
    pub(super) async fn enter_watched(
        &self,
        account: &Account,
        purpose: Purpose,
        watch: &ReadWatch,
    ) -> Result<Session, AwsError> {
        let deadline = self.file.limits.account_read_deadline();
        let session_name = self.session_name();
        let entering = self.aws.enter(&account.id, &self.file.member_role, purpose, &session_name);
        let session = match self.stop.run_until_cancelled(watch.within(deadline, entering)).await {
            Some(Some(session)) => session?,
            Some(None) => return Err(no_progress(&account.id, deadline)),
            None => return Err(interrupted()),
        };
        watch.follow(session.progress());
        Ok(session)
    }

    /// Reads the account's buckets, page by page. Returns why it could not be read to the end.
    async fn read_buckets(
        &self,
        member: &Member,
        look: &AccountLook,
        limits: AccountLimits,
        known: &HashSet<String>,
        listed: &mut Listed,
        to_seal: &AtomicUsize,
    ) -> Result<Option<AwsError>, CampaignError> {
        let mut pages = pin!(member.s3_at_home().bucket_pages());
        while let Some(page) = pages.next().await {
            let mut chosen = match page {
                Ok(page) => page,
                Err(error) => return Ok(Some(error)),
            };
            listed.regions.extend(chosen.iter().filter_map(|(_, region)| region.clone()));
            chosen.retain(|(name, region)| {
                self.selection.saw(name, region.as_deref());
                self.selection.takes_bucket(name)
                    && !known.contains(name)
                    && region.as_deref().is_none_or(|region| self.selection.takes_region(region))
            });
            let account = look.account().id.clone();
            self.events.emit(&Event::BucketsListed { account, buckets: chosen.len() });
            let mut reads = pin!(
                stream::iter(chosen)
                    .map(|(name, region)| self.read_bucket(member, look, name, region, to_seal))
                    .buffer_unordered(limits.reads)
            );
            while let Some(taken) = reads.next().await {
                listed.buckets += usize::from(taken?);
            }
        }
        Ok(None)
    }

    /// Reads and judges one bucket. `false`: it turned out to be in a Region that the run is not about.
    async fn read_bucket(
        &self,
        member: &Member,
        look: &AccountLook,
        name: String,
        region: Option<String>,
        to_seal: &AtomicUsize,
    ) -> Result<bool, CampaignError> {
        let account = look.account().id.clone();
        let mut bucket = Bucket { account, region: region.unwrap_or_default(), name };
        if bucket.region.is_empty() {
            match member.s3_at_home().region_of(&bucket.name).await {
                Ok(region) => {
                    self.selection.saw(&bucket.name, Some(&region));
                    if !self.selection.takes_region(&region) {
                        return Ok(false);
                    }
                    bucket.region = region;
                }
                Err(error) => {
                    self.judged(bucket, unread(Reason::RegionUnknown, error)).await?;
                    return Ok(true);
                }
            }
        }
        let s3 = member.s3(&bucket.region);
        let event = self.look(&s3, &bucket, Some(look), None).await;
        let waiting = match &event {
            BucketEvent::Judged { judgement, encryption: Some(found), .. }
                if judgement.verdict == Verdict::NotSealed && self.looks_ahead =>
            {
                Some((*judgement, found.clone()))
            }
            _ => None,
        };
        let Some((judgement, found)) = waiting else {
            self.judged(bucket, event).await?;
            return Ok(true);
        };
        let outlook = Box::pin(self.outlook(look, member, &bucket, &found)).await;
        if self.aws.halt().reason().await.is_some() {
            // What came of it says nothing of the bucket: it is looked at again when the run goes on.
            self.judged(bucket, event).await?;
            return Ok(true);
        }
        match outlook {
            Outlook::Held(reason, error) => self.judged(bucket, hold(judgement, reason, found, error)).await?,
            Outlook::Planned { wave, guards, guarded_at } => {
                let held_back = guards.iter().any(GuardFinding::holds);
                if !held_back {
                    to_seal.fetch_add(1, Ordering::Relaxed);
                }
                let told = if held_back { held(judgement, Reason::Guarded) } else { judgement };
                self.events.emit(&Event::BucketJudged { bucket: bucket.clone(), judgement: told, error: None });
                self.ledger.note(bucket.clone(), event).await?;
                self.ledger.note(bucket, BucketEvent::Planned { wave, guards, guarded_at }).await?;
            }
        }
        Ok(true)
    }

    /// What S3 shows of a bucket now, judged.
    pub(super) async fn look(
        &self,
        s3: &S3,
        bucket: &Bucket,
        at: Option<&AccountLook>,
        restore: Option<&Restore>,
    ) -> BucketEvent {
        let found = match s3.default_encryption(&bucket.name).await {
            Ok(found) => found,
            Err(error) => return unread(unread_reason(&error), error),
        };
        let judgement = self.judge_for(&found, bucket, restore);
        let (judgement, error, exemption) = match at.filter(|_| restore.is_none()) {
            Some(at) => self.with_exemptions(at, s3, bucket, judgement).await,
            None => (judgement, None, None),
        };
        BucketEvent::Judged { judgement, encryption: Some(found), error, restore: None, exemption }
    }

    /// Notes what was seen of a bucket, and tells.
    pub(super) async fn judged(&self, bucket: Bucket, event: BucketEvent) -> Result<(), CampaignError> {
        if let BucketEvent::Judged { judgement, error, .. } = &event {
            self.events.emit(&Event::BucketJudged {
                bucket: bucket.clone(),
                judgement: *judgement,
                error: error.clone(),
            });
        }
        self.ledger.note(bucket, event).await?;
        Ok(())
    }

    async fn not_active(&self, account: Account) -> Result<Read, CampaignError> {
        if self.file.organization.accept_states.contains(&account.state) {
            self.ledger.account(record(&account, AccountOutcome::Skipped, None)).await?;
            self.events.emit(&Event::AccountSkipped { account });
            return Ok(Read { whole: true, ..Read::default() });
        }
        let error = AwsError {
            code: "AccountNotActive".to_owned(),
            message: format!("the account is {}, and roles can be assumed in ACTIVE accounts only", account.state),
            hint: format!(
                "reopen it, exclude it under [accounts], or accept the state: organization.accept_states = [\"{}\"]",
                account.state
            ),
        };
        self.unread(account, error).await?;
        Ok(Read::default())
    }

    pub(super) async fn unread(&self, account: Account, error: AwsError) -> Result<(), CampaignError> {
        self.ledger.account(record(&account, AccountOutcome::Unread, Some(error.clone()))).await?;
        self.events.emit(&Event::AccountUnread { account, error });
        Ok(())
    }
}

pub(super) fn unread(reason: Reason, error: AwsError) -> BucketEvent {
    BucketEvent::Judged {
        judgement: Judgement { verdict: Verdict::Unread, reason, observed: None },
        encryption: None,
        error: Some(error),
        restore: None,
        exemption: None,
    }
}

pub(super) fn record(account: &Account, outcome: AccountOutcome, error: Option<AwsError>) -> AccountRecord {
    AccountRecord {
        id: account.id.clone(),
        name: account.name.clone(),
        state: account.state.clone(),
        outcome,
        error,
        ous: account.ous.clone(),
        directory_buckets: None,
    }
}
