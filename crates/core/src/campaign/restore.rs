//! What a rollback is about: the buckets that its campaign touched, read again and judged against what was there before.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use super::place::{Place, calls};
use super::read::{Entered, interrupted, record, unread};
use super::reading::{ReadWatch, no_progress};
use super::{Campaign, CampaignError};
use crate::config::{ConfigRemediation, UnusableKeys};
use crate::event::Event;
use crate::judge::unread_reason;
use crate::ledger::{BucketEvent, LedgerError, Reader};
use crate::model::{
    Account, AccountOutcome, AwsError, Bucket, DefaultEncryption, KeyReference, Reason, Restore, Verdict,
};
use crate::plan::AccountLimits;

/// A bucket that a campaign touched, with what is to be put back.
type Touched = (Bucket, Box<Restore>);

impl Campaign {
    /// Reads what the campaign touched, `limits.accounts` at once.
    pub(super) async fn read_touched(self: &Arc<Self>, accounts: &[Account]) -> Result<Vec<Entered>, CampaignError> {
        let mut touched = self.touched()?;
        if touched.is_empty() && !self.resumed {
            return Err(CampaignError::NothingSelected("bucket that the campaign changed"));
        }
        let mut listed: BTreeMap<&str, &Account> =
            accounts.iter().map(|account| (account.id.as_str(), account)).collect();
        let mut reads = Vec::new();
        let known = {
            let (reader, run) = self.reader()?;
            reader.accounts(&run)?
        };
        for (id, buckets) in std::mem::take(&mut touched) {
            if known.get(&id) == Some(&AccountOutcome::Read) {
                continue;
            }
            // An account that left the organization cannot be entered, and its buckets show as what they are: unread.
            let account = listed.remove(id.as_str()).cloned().unwrap_or_else(|| Account {
                id: id.clone(),
                name: String::new(),
                state: "UNKNOWN".to_owned(),
                ous: Vec::new(),
                tags: BTreeMap::new(),
            });
            self.ledger.account(record(&account, AccountOutcome::Unread, Some(interrupted()))).await?;
            reads.push((account, buckets));
        }
        self.ledger.flush().await?;
        self.events.emit(&Event::AccountsFound { accounts: reads.len() });
        let stopped = self.stop.clone().cancelled_owned();
        let mut reads = pin!(
            stream::iter(reads)
                .take_until(stopped)
                .map(|(account, buckets)| {
                    let (campaign, id) = (Arc::clone(self), account.clone());
                    let task = tokio::spawn(async move { campaign.read_touched_account(account, buckets).await });
                    async move { (id, task.await) }
                })
                .buffer_unordered(self.file.limits.accounts)
        );
        let mut entered = Vec::new();
        while let Some((account, read)) = reads.next().await {
            match read {
                Ok(read) => entered.extend(read?),
                Err(error) => self.account_lost(account, &error).await?,
            }
        }
        Ok(entered)
    }

    /// The buckets that the campaign touched, narrowed as the command line says, by account.
    fn touched(&self) -> Result<BTreeMap<String, Vec<Touched>>, CampaignError> {
        let reader = Reader::open(self.ledger.folder())?;
        let campaign = reader.run(self.parent.as_deref().unwrap_or_default())?;
        let mut restored = BTreeMap::new();
        for rollback in reader.rollbacks_of(&campaign)? {
            reader.each_touched::<LedgerError>(&rollback, |open| {
                if open.state.judgement.verdict == Verdict::Restored {
                    restored.insert((open.bucket.account, open.bucket.name), open.at);
                }
                Ok(())
            })?;
        }
        let mut touched: BTreeMap<String, Vec<Touched>> = BTreeMap::new();
        reader.each_touched::<LedgerError>(&campaign, |open| {
            let state = open.state;
            let chosen = self.selection.takes_region(&open.bucket.region)
                && self.selection.takes_bucket(&open.bucket.name)
                && self.takes_account(&open.bucket.account)
                && self.only_wave.is_none_or(|wave| wave == state.wave.unwrap_or(1));
            if let (true, Some(former), Some(touched_at)) = (chosen, state.found, state.touched_at) {
                let wanted = state.intent.and_then(|intent| intent.rule).map(DefaultEncryption::from);
                let left = state.left.into_iter().chain(wanted).collect();
                let restored_at = restored.get(&(open.bucket.account.clone(), open.bucket.name.clone())).copied();
                let restore = Box::new(Restore { former, left, touched_at, restored_at });
                touched.entry(open.bucket.account.clone()).or_default().push((open.bucket, restore));
            }
            Ok(())
        })?;
        Ok(touched)
    }

    /// Nothing is known of these buckets of an account.
    async fn all_unread(&self, account: Account, buckets: Vec<Touched>, error: AwsError) -> Result<(), CampaignError> {
        for (bucket, restore) in buckets {
            let look = unread(unread_reason(&error), error.clone());
            self.judged(bucket, to_restore(look, restore)).await?;
        }
        self.unread(account, error).await
    }

    async fn read_touched_account(
        &self,
        account: Account,
        buckets: Vec<Touched>,
    ) -> Result<Option<Entered>, CampaignError> {
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        self.events.emit(&Event::BucketsListed { account: account.id.clone(), buckets: buckets.len() });
        let known = {
            let (reader, run) = self.reader()?;
            reader.known_buckets(&run, &account.id)?
        };
        let buckets: Vec<Touched> = buckets.into_iter().filter(|(bucket, _)| !known.contains(&bucket.name)).collect();
        let watch = ReadWatch::new();
        let session = match self.enter_watched(&account, self.purpose(), &watch).await {
            Ok(session) => session,
            Err(error) => {
                self.all_unread(account, buckets, error).await?;
                return Ok(None);
            }
        };
        let limits = AccountLimits::of(&account, &self.file.limits);
        let member = self.aws.member(&session, calls(limits));
        let total = buckets.len();
        let mut reads = pin!(
            stream::iter(buckets)
                .take_until(self.stop.cancelled())
                .map(|(bucket, restore)| {
                    let s3 = member.s3(&bucket.region);
                    async move {
                        let look = self.look(&s3, &bucket, None, Some(&restore)).await;
                        (bucket, to_restore(look, restore))
                    }
                })
                .buffer_unordered(limits.reads)
        );
        let (mut read, deadline) = (0, self.file.limits.account_read_deadline());
        loop {
            match watch.within(deadline, reads.next()).await {
                Some(Some((bucket, look))) => self.judged(bucket, look).await?,
                Some(None) => break,
                None => {
                    self.unread(account.clone(), no_progress(&account.id, deadline)).await?;
                    break;
                }
            }
            read += 1;
        }
        if read == total {
            self.ledger.account(record(&account, AccountOutcome::Read, None)).await?;
            self.events.emit(&Event::AccountRead { account: account.clone(), buckets: total });
        }
        Ok(Some(Entered { account, session }))
    }

    /// Whether a bucket may go back to its former configuration: the former key must serve, and nobody must undo it at once.
    pub(super) async fn may_restore(
        &self,
        place: &Place<'_>,
        bucket: &Bucket,
        restore: &Restore,
    ) -> Result<(), (Reason, AwsError)> {
        let former = restore.former.only_rule().and_then(|rule| rule.key.as_deref()).filter(|key| !key.is_empty());
        if let Some(key) = former
            && self.file.rollback.unusable_keys == UnusableKeys::Hold
            && KeyReference::parse(key) != KeyReference::AwsManaged
            && let Some(fault) = place.work.former_keys.fault(&place.work.member, &bucket.region, key).await
        {
            return Err((Reason::FormerKeyNotUsable, fault));
        }
        if self.file.rollback.config_remediation == ConfigRemediation::Ignore {
            return Ok(());
        }
        let rules = place
            .remediation
            .get_or_init(|| place.work.member.automatic_remediations(&bucket.region, &self.file.document.name))
            .await;
        let hint = "switch the remediation off, or put a remediation exception on the bucket, then `orgseal resume \
                    --retry-failed`; rollback.config_remediation = \"ignore\" restores all the same";
        match rules {
            Ok(rules) => match rules.iter().find(|rule| !rule.excepts(&bucket.name)) {
                None => Ok(()),
                Some(rule) => Err((
                    Reason::ConfigWouldUndo,
                    AwsError {
                        code: "ConfigWouldUndo".to_owned(),
                        message: format!(
                            "rule {} of AWS Config in account {} and Region {} starts {} automatically on buckets like {}",
                            rule.rule, bucket.account, bucket.region, rule.document, bucket.name
                        ),
                        hint: hint.to_owned(),
                    },
                )),
            },
            Err(error) => Err((
                Reason::ConfigWouldUndo,
                AwsError {
                    code: error.code.clone(),
                    message: format!("could not determine whether AWS Config would revert it: {}", error.message),
                    hint: format!("{}; or {hint}", error.hint),
                },
            )),
        }
    }
}

/// A look at a bucket, with what is to be put back.
fn to_restore(mut look: BucketEvent, what: Box<Restore>) -> BucketEvent {
    if let BucketEvent::Judged { restore, .. } = &mut look {
        *restore = Some(what);
    }
    look
}
