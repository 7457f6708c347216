//! Following the executions of one account and Region together, through pages of `DescribeAutomationExecutions`.
//!
//! One task asks, all executions share the answer. It asks when something is likely to have ended, backs off while
//! nothing moves, and counts the executions of others that it sees against the limits.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::slots::{Slot, Slots};
use crate::aws::{ExecutionSeen, Ssm};
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
}

/// Where executions to follow are handed in. The task ends when the last clone is gone and nothing is left to follow.
#[derive(Clone)]
pub(super) struct Follower {
    inbox: mpsc::UnboundedSender<Follow>,
}

/// What a follower works with.
pub(super) struct Watch {
    pub(super) ssm: Ssm,
    pub(super) region: String,
    /// The document's name, without an ARN around it.
    pub(super) document: String,
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

/// How far back an execution may have been started by a clock that differs from ours.
const CLOCK_MARGIN: Duration = Duration::from_secs(900);

impl Follower {
    /// Looks once, so that the executions of others count from the first start on, then follows in a task of its own.
    ///
    /// An error means that executions cannot be followed here, so that none should be started.
    pub(super) async fn start(watch: Watch) -> Result<Follower, AwsError> {
        let (inbox, arrivals) = mpsc::unbounded_channel();
        let mut task = Task { watch, own: HashMap::new(), others: 0, pace: Pace::default() };
        task.look(1).await?;
        tokio::spawn(task.run(arrivals));
        Ok(Follower { inbox })
    }

    /// Follows an execution to its end. The room it takes is given back when it has ended, not when we stop looking.
    pub(super) async fn follow(&self, bucket: &Bucket, id: &str, slots: (Slot, Slot)) -> Followed {
        let (answer, ended) = oneshot::channel();
        let follow = Follow { bucket: bucket.clone(), id: id.to_owned(), slots, answer };
        if self.inbox.send(follow).is_err() {
            return Followed::Stopped;
        }
        ended.await.unwrap_or(Followed::Stopped)
    }
}

struct Task {
    watch: Watch,
    own: HashMap<String, Followee>,
    others: usize,
    pace: Pace,
}

impl Task {
    async fn run(mut self, mut arrivals: mpsc::UnboundedReceiver<Follow>) {
        let mut open = true;
        while !self.watch.stop.is_cancelled() && (open || self.own.values().any(|followee| followee.answer.is_some())) {
            let next = self.pace.next(self.own.values().map(|followee| followee.started), self.others > 0);
            tokio::select! {
                biased;
                () = self.watch.stop.cancelled() => {}
                arrival = arrivals.recv(), if open => match arrival {
                    Some(follow) => self.take_in(follow),
                    None => open = false,
                },
                () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                    self.poll().await;
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
        // Ours are among the newest: as many pages as they fill, and one more for what others started since.
        // The list is only the cheap way: what it does not say is asked for by id, or times out.
        let moved = self.look(self.own.len().div_ceil(50) + 1).await.unwrap_or(false);
        let asked_alone = self.ask_for_the_missing().await;
        self.pace.polled(moved || asked_alone);
    }

    /// Reads pages, newest first, until all of ours that can have ended were seen. Says whether anything moved.
    async fn look(&mut self, most_pages: usize) -> Result<bool, AwsError> {
        let now = Instant::now();
        let oldest = self.own.values().map(|followee| now - followee.started).max().unwrap_or_default();
        let since = SystemTime::now() - oldest - CLOCK_MARGIN;
        let mut due: HashSet<String> = self
            .own
            .iter()
            .filter(|(_, followee)| self.pace.may_have_ended(followee.started, now))
            .map(|(id, _)| id.clone())
            .collect();
        let (mut moved, mut others, mut token) = (false, 0, None);
        let mut trouble = None;
        for _ in 0..most_pages {
            let (seen, next) = match self.watch.ssm.executions(since, token).await {
                Ok(page) => page,
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            };
            for execution in seen {
                due.remove(&execution.id);
                if self.own.contains_key(&execution.id) {
                    moved |= self.see(execution);
                } else if self.is_others(&execution) {
                    others += 1;
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
        if let Some(error) = trouble {
            return Err(error);
        }
        self.others = others;
        self.watch.region_slots.others(&self.watch.region, others);
        self.watch.account_slots.others(&self.watch.region, others);
        Ok(moved)
    }

    /// An unfinished execution of the same document which somebody else started.
    fn is_others(&self, execution: &ExecutionSeen) -> bool {
        let name = execution.document.rsplit('/').next().unwrap_or_default();
        let session = execution.executed_by.rsplit('/').next().unwrap_or_default();
        name == self.watch.document && session != self.watch.session_name && !execution.status.has_ended()
    }

    /// Takes in how one of ours stands. Says whether that is news.
    fn see(&mut self, execution: ExecutionSeen) -> bool {
        let Some(followee) = self.own.get_mut(&execution.id) else { return false };
        followee.missed = 0;
        let news = followee.status.as_ref() != Some(&execution.status);
        if news {
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
        news
    }

    /// An execution that the list keeps leaving out is asked for by its id: the list may lag, or hold too much.
    async fn ask_for_the_missing(&mut self) -> bool {
        let missing: Vec<String> =
            self.own.iter().filter(|(_, followee)| followee.missed >= 3).map(|(id, _)| id.clone()).collect();
        let mut moved = false;
        for id in missing {
            if let Ok(answer) = self.watch.ssm.explain(&id).await {
                let document = String::new();
                moved |= self.see(ExecutionSeen {
                    id,
                    document,
                    executed_by: String::new(),
                    status: answer.status,
                    took: None,
                });
            }
        }
        moved
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

/// When to ask: pure but for the clock it is given.
struct Pace {
    /// A low estimate of how long an execution takes, learned from those that ended.
    typical: Duration,
    learned: bool,
    last: Option<Instant>,
    idle: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { typical: Duration::from_secs(2), learned: false, last: None, idle: 0 }
    }
}

/// Never more than this between two polls while something is in flight.
const LONGEST_GAP: Duration = Duration::from_secs(15);
const SHORTEST_GAP: Duration = Duration::from_millis(100);

impl Pace {
    /// Learns from an execution that ended. Leans to the low side: asking a little early costs a page, late costs time.
    fn learn(&mut self, took: Duration) {
        let (old, new) = (self.typical.as_secs_f64(), took.as_secs_f64());
        let weight = match (self.learned, new < old) {
            (false, _) => 1.0,
            (true, true) => 0.3,
            (true, false) => 0.1,
        };
        self.learned = true;
        self.typical = Duration::from_secs_f64(old + weight * (new - old));
    }

    /// Notes that a poll was made, and whether anything moved.
    fn polled(&mut self, moved: bool) {
        self.last = Some(Instant::now());
        self.idle = if moved { 0 } else { (self.idle + 1).min(16) };
    }

    /// Whether an execution can have ended by now, by what was learned.
    fn may_have_ended(&self, started: Instant, now: Instant) -> bool {
        now.duration_since(started) >= self.typical.mul_f64(0.6)
    }

    /// When to poll next; `None` while there is nothing to ask for.
    fn next(&self, started: impl Iterator<Item = Instant>, others: bool) -> Option<Instant> {
        let mut due: Vec<Instant> = started.map(|started| started + self.typical).collect();
        let gap =
            self.typical.mul_f64(0.08 * 1.6_f64.powi(self.idle.min(16).cast_signed())).clamp(SHORTEST_GAP, LONGEST_GAP);
        let earliest = self.last.map(|last| last + gap);
        if due.is_empty() {
            return others.then(|| self.last.map_or_else(Instant::now, |last| last + self.typical.max(gap)));
        }
        due.sort_unstable();
        // Wait for a good part of them to be due, but not long after the first one.
        let part = due.len().div_ceil(3).min(25);
        let first = due[0] + self.typical.mul_f64(0.25);
        let wanted = due[part - 1].min(first);
        Some(earliest.map_or(wanted, |earliest| wanted.max(earliest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_when_executions_are_due_and_not_before() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.learn(Duration::from_secs(5));
        let starts = vec![now; 10];
        assert_eq!(pace.next(starts.iter().copied(), false), Some(now + Duration::from_secs(5)));
        assert_eq!(pace.next(std::iter::empty(), false), None);
    }

    #[test]
    fn it_backs_off_while_nothing_moves_and_recovers() {
        let long_ago = Instant::now() - Duration::from_secs(100);
        let mut pace = Pace::default();
        let mut gaps = Vec::new();
        for _ in 0..20 {
            pace.polled(false);
            gaps.push(pace.next(std::iter::once(long_ago), false).unwrap().duration_since(pace.last.unwrap()));
        }
        assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]), "{gaps:?}");
        assert_eq!(gaps[19], LONGEST_GAP);
        pace.polled(true);
        let gap = pace.next(std::iter::once(long_ago), false).unwrap().duration_since(pace.last.unwrap());
        assert!(gap < Duration::from_secs(1), "{gap:?}");
    }

    #[test]
    fn it_learns_quickly_downwards_and_slowly_upwards() {
        let mut pace = Pace::default();
        pace.learn(Duration::from_secs(10));
        assert_eq!(pace.typical, Duration::from_secs(10));
        pace.learn(Duration::from_secs(5));
        assert!(pace.typical < Duration::from_secs(9));
        let low = pace.typical;
        pace.learn(Duration::from_secs(10));
        assert!(pace.typical < low + Duration::from_secs(1));
    }
}
