//! Room for executions in flight: of one account, or of one Region in it.
//!
//! A semaphore would not do: executions of others, seen in the same pages, take room too, and come and go by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// At most `limit` executions at once, ours and others' together.
#[derive(Clone)]
pub(super) struct Slots(Arc<Inner>);

struct Inner {
    limit: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    own: usize,
    /// By Region: what a follower there saw last.
    others: HashMap<String, usize>,
}

/// Room for one execution, until it is dropped.
pub(super) struct Slot(Arc<Inner>);

impl Slots {
    pub(super) fn new(limit: usize) -> Slots {
        Slots(Arc::new(Inner { limit, taken: Mutex::default(), freed: Notify::new() }))
    }

    /// Waits for room.
    pub(super) async fn take(&self) -> Slot {
        loop {
            let freed = self.0.freed.notified();
            if self.0.try_take() {
                return Slot(Arc::clone(&self.0));
            }
            freed.await;
        }
    }

    /// Takes room whether there is any or not: for what may be in flight already.
    pub(super) fn take_anyway(&self) -> Slot {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).own += 1;
        Slot(Arc::clone(&self.0))
    }

    /// Says how many executions of others are in flight in a Region.
    pub(super) fn others(&self, region: &str, count: usize) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let before = taken.others.insert(region.to_owned(), count).unwrap_or(0);
        drop(taken);
        if count < before {
            self.0.freed.notify_waiters();
        }
    }
}

impl Inner {
    fn try_take(&self) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let room = taken.own + taken.others.values().sum::<usize>() < self.limit;
        taken.own += usize::from(room);
        room
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).own -= 1;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn never_more_than_the_limit_and_all_come_through() {
        let slots = Slots::new(3);
        let (now, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        join_all((0..50).map(|_| async {
            let slot = slots.take().await;
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            drop(slot);
        }))
        .await;
        assert_eq!(peak.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn what_is_in_flight_already_takes_room_beyond_the_limit() {
        let slots = Slots::new(1);
        let (first, second) = (slots.take_anyway(), slots.take_anyway());
        let mut third = Box::pin(slots.take());
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut third).await.is_err());
        drop(first);
        assert!(tokio::time::timeout(soon, &mut third).await.is_err(), "one is in flight still, and one is the limit");
        drop(second);
        assert!(tokio::time::timeout(soon, third).await.is_ok());
    }

    #[tokio::test]
    async fn executions_of_others_take_room() {
        let slots = Slots::new(3);
        slots.others("us-east-1", 1);
        slots.others("eu-west-1", 1);
        let first = slots.take().await;
        let mut second = Box::pin(slots.take());
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut second).await.is_err(), "the limit is reached");
        slots.others("eu-west-1", 0);
        let second = tokio::time::timeout(soon, second).await.expect("another one ended");
        drop((first, second));
    }
}
