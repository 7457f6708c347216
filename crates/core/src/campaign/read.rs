//! Reading accounts: assume the role, list buckets, read each one's default encryption, judge it, note the finding.
//!
//! What goes wrong in an account or a bucket is a finding of its own and stops nobody else.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{self, StreamExt};

use super::examine::{AccountLook, Outlook, held, hold};
use super::place::calls;
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
struct Read {
    /// How many of its buckets the run is about, as far as it was read.
    buckets: usize,
    /// It was read to its end, or skipped as the campaign file says.
    whole: bool,
    entered: Option<Entered>,
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
    /// Reads accounts, `limits.accounts` at once. For a rollout, the sessions of those with something to seal are kept.
    pub(super) async fn read_accounts(
        self: &Arc<Self>,
        accounts: Vec<Account>,
        purpose: Purpose,
    ) -> Result<Vec<Entered>, CampaignError> {
        let stopped = self.stop.clone().cancelled_owned();
        let mut reads = pin!(
            stream::iter(accounts)
                .take_until(stopped)
                .map(|account| {
                    let campaign = Arc::clone(self);
                    tokio::spawn(async move { campaign.read_account(account, purpose).await })
                })
                .buffer_unordered(self.file.limits.accounts)
        );
        let mut entered = Vec::new();
        let (mut buckets, mut whole) = (0, true);
        while let Some(read) = reads.next().await {
            let read = read.map_err(|error| CampaignError::Task(error.to_string()))??;
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
        Ok(entered)
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
    async fn read_account(&self, account: Account, purpose: Purpose) -> Result<Read, CampaignError> {
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        if !account.is_active() {
            return self.not_active(account).await;
        }
        let entered = self.aws.enter(&account.id, &self.file.member_role, purpose, &self.session_name()).await;
        let session = match entered {
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
        let trouble = match self.stop.run_until_cancelled(reading).await {
            Some(outcome) => outcome?,
            None => Some(interrupted()),
        };
        let (whole, buckets) = (trouble.is_none(), listed.buckets);
        match trouble {
            Some(error) => self.unread(account.clone(), error).await?,
            None => {
                let mut record = record(&account, AccountOutcome::Read, None);
                if purpose == (Purpose::Audit { directory_buckets: true }) {
                    record.directory_buckets =
                        Some(self.count_directory_buckets(&member, &account, listed.regions).await);
                }
                self.ledger.account(record).await?;
                self.events.emit(&Event::AccountRead { account: account.clone(), buckets });
            }
        }
        // What was read of an account that was not read to its end is true all the same, and can be sealed.
        let keep = purpose == Purpose::Rollout && to_seal.into_inner() > 0;
        Ok(Read { buckets, whole, entered: keep.then_some(Entered { account, session }) })
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
            message: format!("the account is {}, and only ACTIVE accounts can be entered", account.state),
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
