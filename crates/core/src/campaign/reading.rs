//! Accounts under reading: so many at once, except that an account that gives no answer holds back no other.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::task::JoinError;

use super::read::Read;
use super::{Campaign, CampaignError};
use crate::aws::{Progress, Purpose};
use crate::model::{Account, AwsError};

/// An account without an answer for so long does not count against `limits.accounts` while it is read, and the first change in other
/// accounts does not wait for it.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// So many stalled accounts are read beyond `limits.accounts`.
const MOST_STALLED: usize = 100;
/// How often stalled accounts are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When the work on one account last got an answer.
#[derive(Clone)]
pub struct ReadWatch(Arc<Inner>);

struct Inner {
    begun: Instant,
    /// One for each session in the account.
    progress: Mutex<Vec<Progress>>,
}

impl Default for ReadWatch {
    fn default() -> Self {
        ReadWatch(Arc::new(Inner { begun: Instant::now(), progress: Mutex::default() }))
    }
}

impl ReadWatch {
    pub(super) fn new() -> ReadWatch {
        ReadWatch::default()
    }

    /// From now on the answers to this session of the account count.
    pub fn follow(&self, progress: Progress) {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
    }

    fn idle(&self) -> Duration {
        let progress = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.iter().map(Progress::idle).min().unwrap_or_else(|| self.0.begun.elapsed())
    }

    /// The outcome of a part of the work; `None` where the account gave no answer for as long as `limit`.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let idle = async {
            loop {
                match limit.checked_sub(self.idle()).filter(|left| !left.is_zero()) {
                    Some(left) => tokio::time::sleep(left).await,
                    None => return,
                }
            }
        };
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            () = idle => None,
        }
    }
}

/// Why an account is unread that gave no answer any more.
#[must_use]
pub fn no_progress(account: &str, limit: Duration) -> AwsError {
    let time = jiff::SignedDuration::try_from(limit).unwrap_or_default();
    AwsError {
        code: "NoProgress".to_owned(),
        message: format!("account {account} gave no usable response for {time:#}"),
        hint: "check AWS Health and the network path to the account's Regions, then run the command again; \
               limits.account_read_deadline sets how long orgseal waits"
            .to_owned(),
    }
}

type Task = Pin<Box<dyn Future<Output = (Account, Result<Result<Read, CampaignError>, JoinError>)> + Send>>;

/// The accounts that are read, and those that are yet to be.
pub(super) struct Reads {
    waiting: VecDeque<Account>,
    under_way: FuturesUnordered<Task>,
    watches: BTreeMap<String, ReadWatch>,
    purpose: Purpose,
}

/// What became of the task that read an account.
type ReadOutcome = Result<Result<Read, CampaignError>, JoinError>;

/// What came next.
pub(super) enum Next {
    Read(Box<(Account, ReadOutcome)>),
    /// All that are left give no answer.
    Stalled,
    Done,
}

impl Reads {
    pub(super) fn new(accounts: Vec<Account>, purpose: Purpose) -> Reads {
        Reads { waiting: accounts.into(), under_way: FuturesUnordered::new(), watches: BTreeMap::new(), purpose }
    }

    /// Waits for the next account that is read, or, where the caller has other things to do, until all that are left are stalled.
    pub(super) async fn next(&mut self, campaign: &Arc<Campaign>, leaves_stalled: bool) -> Next {
        loop {
            self.begin_more(campaign);
            if self.under_way.is_empty() {
                return Next::Done;
            }
            if leaves_stalled && self.waiting.is_empty() && self.stalled() == self.watches.len() {
                return Next::Stalled;
            }
            tokio::select! {
                biased;
                Some((account, read)) = self.under_way.next() => {
                    self.watches.remove(&account.id);
                    return Next::Read(Box::new((account, read)));
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Whether an account is still being read.
    pub(super) fn reads(&self, account: &str) -> bool {
        self.watches.contains_key(account)
    }

    fn begin_more(&mut self, campaign: &Arc<Campaign>) {
        if campaign.stop.is_cancelled() {
            self.waiting.clear();
        }
        let most = campaign.file.limits.accounts + self.stalled().min(MOST_STALLED);
        while self.under_way.len() < most
            && let Some(account) = self.waiting.pop_front()
        {
            let watch = ReadWatch::new();
            self.watches.insert(account.id.clone(), watch.clone());
            let (campaign, purpose, id) = (Arc::clone(campaign), self.purpose, account.clone());
            let task = tokio::spawn(async move { campaign.read_account(account, purpose, watch).await });
            self.under_way.push(Box::pin(async move { (id, task.await) }));
        }
    }

    fn stalled(&self) -> usize {
        self.watches.values().filter(|watch| watch.idle() >= STALLED_AFTER).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_account_without_answers_is_given_up() {
        let (watch, progress) = (ReadWatch::new(), Progress::default());
        watch.follow(progress.clone());
        let limit = Duration::from_millis(150);
        assert_eq!(watch.within(limit, async { 1 }).await, Some(1));
        let answering = async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                progress.made_now();
            }
        };
        assert_eq!(watch.within(limit, answering).await, Some(()));
        assert_eq!(watch.within(limit, std::future::pending::<()>()).await, None);
        assert!(no_progress("111122223333", Duration::from_secs(600)).message.ends_with("for 10m"));
    }
}
