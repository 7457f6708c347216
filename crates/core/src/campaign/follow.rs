//! Following the executions of one account and Region together, through pages of `DescribeAutomationExecutions`.
//!
//! One task asks, all executions share the answer. It asks when something is likely to have ended, backs off while
//! nothing moves, and counts the executions of others that it sees against the limits.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::SESSION_PREFIX;
use super::fail_point::fail_point;
use super::pace::Pace;
use super::slots::{Slot, Slots};
use crate::aws::{ExecutionSeen, Paging, Ssm};
use crate::clock::system_now;
use crate::event::{Event, Events};
use crate::model::{AwsError, Bucket, ExecutionStatus};

/// How following an execution ended.
pub(super) enum Followed {
    /// It ended with this status.
    Ended(ExecutionStatus),
    /// It did not end in time. Its room stays taken until it does.
    Overdue(Option<ExecutionStatus>),
    /// The run was stopped.
    Stopped,
    /// The task that follows was lost: nobody knows how the execution ends.
    Lost,
}

/// Where executions to follow are handed in. The task ends when the last clone is gone and nothing is left to follow.
#[derive(Clone)]
pub(super) struct Follower {
    stop: CancellationToken,
    inbox: mpsc::UnboundedSender<Follow>,
}

/// What a follower works with.
pub(super) struct Watch {
    pub(super) ssm: Ssm,
    pub(super) region: String,
    /// The names of the documents to seal and to restore with, without ARNs around them.
    pub(super) documents: [String; 2],
    /// Our role session's name: executions that carry it are ours.
    pub(super) session_name: String,
    pub(super) account_slots: Slots,
    pub(super) region_slots: Slots,
    pub(super) time_limit: Duration,
    pub(super) events: Events,
    pub(super) stop: CancellationToken,
}

struct Follow {
    bucket: Bucket,
    id: String,
    slots: (Slot, Slot),
    answer: oneshot::Sender<Followed>,
}

struct Followee {
    bucket: Bucket,
    started: Instant,
    status: Option<ExecutionStatus>,
    /// Polls in which it should have shown and did not.
    missed: u32,
    slots: (Slot, Slot),
    answer: Option<oneshot::Sender<Followed>>,
}

/// Pages of unfinished executions read at the most: the quota of an account and Region, running and queued, several times
/// over.
const MOST_PAGES: usize = 100;

/// How far back an execution may have been started by a clock that differs from ours.
const CLOCK_MARGIN: Duration = Duration::from_secs(900);

impl Follower {
    /// Looks once, so that the executions of others count from the first start on, then follows in a task of its own.
    ///
    /// An error means that executions cannot be followed here, so that none should be started.
    pub(super) async fn start(watch: Watch) -> Result<Follower, AwsError> {
        let (inbox, arrivals) = mpsc::unbounded_channel();
        let stop = watch.stop.clone();
        let mut task = Task {
            watch,
            own: HashMap::new(),
            others: HashSet::new(),
            looked_for_others: Instant::now(),
            pace: Pace::default(),
        };
        task.look_for_others().await?;
        tokio::spawn(task.run(arrivals));
        Ok(Follower { stop, inbox })
    }

    /// Follows an execution to its end. The room it takes is given back when it has ended, not when we stop looking.
    pub(super) async fn follow(&self, bucket: &Bucket, id: &str, slots: (Slot, Slot)) -> Followed {
        let (answer, ended) = oneshot::channel();
        let follow = Follow { bucket: bucket.clone(), id: id.to_owned(), slots, answer };
        let ended = match self.inbox.send(follow) {
            Ok(()) => ended.await.ok(),
            Err(_) => None,
        };
        match ended {
            Some(followed) => followed,
            None if self.stop.is_cancelled() => Followed::Stopped,
            None => Followed::Lost,
        }
    }
}

struct Task {
    watch: Watch,
    own: HashMap<String, Followee>,
    /// Unfinished executions of others, by id.
    others: HashSet<String>,
    looked_for_others: Instant,
    pace: Pace,
}

impl Task {
    async fn run(mut self, mut arrivals: mpsc::UnboundedReceiver<Follow>) {
        let mut open = true;
        while !self.watch.stop.is_cancelled() && (open || self.own.values().any(|followee| followee.answer.is_some())) {
            let next = self.pace.next(self.own.values().map(|followee| followee.started), !self.others.is_empty());
            tokio::select! {
                biased;
                () = self.watch.stop.cancelled() => {}
                arrival = arrivals.recv(), if open => match arrival {
                    Some(follow) => self.take_in(follow),
                    None => open = false,
                },
                () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                    let stop = self.watch.stop.clone();
                    // A poll in the way of a stop is not worth its answer.
                    stop.run_until_cancelled(self.poll()).await;
                    self.give_up_on_the_overdue();
                }
            }
        }
        // What has not ended may still act: for the rest of the run its room is not to be had.
        self.own.into_values().for_each(|followee| std::mem::forget(followee.slots));
    }

    fn take_in(&mut self, follow: Follow) {
        self.own.insert(
            follow.id,
            Followee {
                bucket: follow.bucket,
                started: Instant::now(),
                status: None,
                missed: 0,
                slots: follow.slots,
                answer: Some(follow.answer),
            },
        );
    }

    async fn poll(&mut self) {
        fail_point("poll");
        // The list is only the cheap way: what it does not say is asked for by id, or times out.
        if !self.own.is_empty() && self.look().await.is_ok() {
            self.ask_for_the_missing().await;
        }
        if !self.others.is_empty() && self.looked_for_others.elapsed() >= self.pace.typical {
            // Without an answer, the others seen last go on taking room.
            let _ = self.look_for_others().await;
        }
        self.pace.polled(Instant::now());
    }

    /// Reads all that has not ended here, to the last page: which executions of others take room now.
    async fn look_for_others(&mut self) -> Result<(), AwsError> {
        let (mut others, mut token, mut paging) = (HashSet::new(), None, Paging::new("DescribeAutomationExecutions"));
        for _ in 0..MOST_PAGES {
            let (seen, next) = self.watch.ssm.unfinished(token).await?;
            others.extend(seen.into_iter().filter(|execution| self.is_others(execution)).map(|execution| execution.id));
            token = paging.next(next.as_deref())?;
            if token.is_none() {
                break;
            }
        }
        self.looked_for_others = Instant::now();
        self.others = others;
        self.count_others();
        Ok(())
    }

    fn count_others(&self) {
        self.watch.region_slots.others(&self.watch.region, self.others.len());
        self.watch.account_slots.others(&self.watch.region, self.others.len());
    }

    /// Reads pages, newest first, until all of ours that can have ended were seen.
    async fn look(&mut self) -> Result<(), AwsError> {
        let now = Instant::now();
        let oldest = self.own.values().map(|followee| now - followee.started).max().unwrap_or_default();
        let since = system_now() - oldest - CLOCK_MARGIN;
        let mut due: HashSet<String> = self
            .own
            .iter()
            .filter(|(_, followee)| self.pace.may_have_ended(followee.started, now))
            .map(|(id, _)| id.clone())
            .collect();
        let mut token = None;
        // Ours are among the newest: as many pages as they fill, and one more for what others started since.
        for _ in 0..=self.own.len().div_ceil(50) {
            let (seen, next) = self.watch.ssm.executions(since, token).await?;
            for execution in seen {
                due.remove(&execution.id);
                if self.own.contains_key(&execution.id) {
                    self.see(execution);
                } else if self.is_others(&execution) {
                    self.others.insert(execution.id);
                } else {
                    self.others.remove(&execution.id);
                }
            }
            token = next;
            if token.is_none() || due.is_empty() {
                break;
            }
        }
        for id in due {
            if let Some(followee) = self.own.get_mut(&id) {
                followee.missed += 1;
            }
        }
        self.count_others();
        Ok(())
    }

    /// An unfinished execution of the same document, or of another orgseal, which is not of this run.
    fn is_others(&self, execution: &ExecutionSeen) -> bool {
        let name = execution.document.rsplit('/').next().unwrap_or_default();
        let session = execution.executed_by.rsplit('/').next().unwrap_or_default();
        let of_concern =
            self.watch.documents.iter().any(|document| document == name) || session.starts_with(SESSION_PREFIX);
        of_concern && session != self.watch.session_name && !execution.status.has_ended()
    }

    /// Takes in how one of ours stands.
    fn see(&mut self, execution: ExecutionSeen) {
        let Some(followee) = self.own.get_mut(&execution.id) else { return };
        followee.missed = 0;
        if followee.status.as_ref() != Some(&execution.status) {
            followee.status = Some(execution.status.clone());
            self.watch.events.emit(&Event::ExecutionSeen {
                bucket: followee.bucket.clone(),
                id: execution.id.clone(),
                status: execution.status.clone(),
            });
        }
        if execution.status.has_ended() {
            self.pace.learn(execution.took.unwrap_or_else(|| followee.started.elapsed()));
            if let Some(followee) = self.own.remove(&execution.id)
                && let Some(answer) = followee.answer
            {
                // Whoever asked may be gone, when the run was stopped.
                let _ = answer.send(Followed::Ended(execution.status));
            }
        }
    }

    /// An execution that the list keeps leaving out is asked for by its id: the list may lag, or hold too much.
    async fn ask_for_the_missing(&mut self) {
        let missing: Vec<String> =
            self.own.iter().filter(|(_, followee)| followee.missed >= 3).map(|(id, _)| id.clone()).collect();
        for id in missing {
            if let Ok(answer) = self.watch.ssm.explain(&id).await {
                let (document, executed_by) = (String::new(), String::new());
                self.see(ExecutionSeen { id, document, executed_by, status: answer.status, took: None });
            }
        }
    }

    /// Whoever waits for an execution beyond the time limit is told; the execution keeps its room, as it may still act.
    fn give_up_on_the_overdue(&mut self) {
        for followee in self.own.values_mut().filter(|followee| followee.started.elapsed() > self.watch.time_limit) {
            if let Some(answer) = followee.answer.take() {
                let _ = answer.send(Followed::Overdue(followee.status.clone()));
            }
        }
    }
}
