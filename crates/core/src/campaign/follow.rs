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
        let _ = self.look(self.own.len().div_ceil(50) + 1).await;
        self.ask_for_the_missing().await;
        self.pace.polled(Instant::now());
    }

    /// Reads pages, newest first, until all of ours that can have ended were seen.
    async fn look(&mut self, most_pages: usize) -> Result<(), AwsError> {
        let now = Instant::now();
        let oldest = self.own.values().map(|followee| now - followee.started).max().unwrap_or_default();
        let since = SystemTime::now() - oldest - CLOCK_MARGIN;
        let mut due: HashSet<String> = self
            .own
            .iter()
            .filter(|(_, followee)| self.pace.may_have_ended(followee.started, now))
            .map(|(id, _)| id.clone())
            .collect();
        let (mut others, mut token) = (0, None);
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
                    self.see(execution);
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
        Ok(())
    }

    /// An unfinished execution of the same document which somebody else started.
    fn is_others(&self, execution: &ExecutionSeen) -> bool {
        let name = execution.document.rsplit('/').next().unwrap_or_default();
        let session = execution.executed_by.rsplit('/').next().unwrap_or_default();
        name == self.watch.document && session != self.watch.session_name && !execution.status.has_ended()
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

/// When to ask: pure but for the clock it is given.
struct Pace {
    /// A low estimate of how long an execution takes, learned from those that ended.
    typical: Duration,
    learned: bool,
    last: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { typical: Duration::from_secs(2), learned: false, last: None }
    }
}

/// Between two polls lies this part of the time for which the youngest execution that is due has been running: what does
/// not end is asked for less and less often.
const GAP: f64 = 0.06;
const SHORTEST_GAP: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_secs(15);

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

    fn polled(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Whether an execution can have ended by now, by what was learned.
    fn may_have_ended(&self, started: Instant, now: Instant) -> bool {
        now.duration_since(started) >= self.typical.mul_f64(0.6)
    }

    /// When to poll next; `None` while there is nothing to ask for.
    fn next(&self, started: impl Iterator<Item = Instant>, others: bool) -> Option<Instant> {
        let mut due: Vec<Instant> = started.map(|started| started + self.typical).collect();
        if due.is_empty() {
            // Only executions of others take room: their end is no hurry, but somebody may wait for it.
            let gap = self.typical.clamp(SHORTEST_GAP, LONGEST_GAP);
            return others.then(|| self.last.map_or_else(Instant::now, |last| last + gap));
        }
        due.sort_unstable();
        // A poll costs a page for every fifty in flight: of many, wait for a tenth to be due, but not long for it.
        let pages = due.len().div_ceil(50);
        let wanted = due[due.len().div_ceil(10) - 1].min(due[0] + self.typical.mul_f64(0.1));
        let Some(last) = self.last else { return Some(wanted) };
        let youngest_due = due.iter().rev().find(|&&due| due <= last).unwrap_or(&due[0]);
        let running_for = self.typical + last.saturating_duration_since(*youngest_due);
        let gap = running_for.mul_f64(GAP * pages as f64).clamp(SHORTEST_GAP, LONGEST_GAP);
        Some(wanted.max(last + gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(typical: u64) -> Pace {
        let mut pace = Pace::default();
        pace.learn(Duration::from_secs(typical));
        pace
    }

    #[test]
    fn it_asks_when_executions_are_due_and_not_before() {
        let now = Instant::now();
        let next = pace(5).next([now; 10].into_iter(), false);
        assert_eq!(next, Some(now + Duration::from_secs(5)));
        assert_eq!(pace(5).next(std::iter::empty(), false), None);
    }

    #[test]
    fn what_does_not_end_is_asked_for_less_and_less_often() {
        let start = Instant::now();
        let mut pace = pace(5);
        let mut polls = Vec::new();
        while polls.last().is_none_or(|last: &Instant| last.duration_since(start) < Duration::from_secs(3600)) {
            let next = pace.next(std::iter::once(start), false).unwrap();
            pace.polled(next);
            polls.push(next);
        }
        let gaps: Vec<Duration> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]), "{gaps:?}");
        assert!(gaps[0] < Duration::from_millis(400), "{:?}", gaps[0]);
        assert_eq!(gaps.last(), Some(&LONGEST_GAP));
        // A young one next to it is asked for in its own time.
        let young = start + Duration::from_secs(3600);
        let next = pace.next([start, young].into_iter(), false).unwrap();
        pace.polled(young + Duration::from_secs(6));
        assert!(pace.next([start, young].into_iter(), false).unwrap() < young + Duration::from_secs(7), "{next:?}");
    }

    #[test]
    fn many_in_flight_are_not_asked_for_one_by_one() {
        let start = Instant::now();
        let starts: Vec<Instant> = (0..100).map(|n| start + Duration::from_millis(50 * n)).collect();
        let first = pace(5).next(starts.iter().copied(), false).unwrap();
        assert!(first >= start + Duration::from_millis(5450), "{:?}", first - start);
    }

    #[test]
    fn it_learns_quickly_downwards_and_slowly_upwards() {
        let mut pace = pace(10);
        assert_eq!(pace.typical, Duration::from_secs(10));
        pace.learn(Duration::from_secs(5));
        assert!(pace.typical < Duration::from_secs(9));
        let low = pace.typical;
        pace.learn(Duration::from_secs(10));
        assert!(pace.typical < low + Duration::from_secs(1));
    }
}
