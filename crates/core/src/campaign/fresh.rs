//! What is read once for many, and anew when it has become too old.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::model::now;

/// A value with the moment at which it was read. Whoever comes while it is read waits for it.
pub(super) struct Fresh<T>(Mutex<Option<(Timestamp, T)>>);

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Fresh(Mutex::new(None))
    }
}

impl<T: Clone> Fresh<T> {
    /// The value, not older than `max_age`, and when it was read.
    pub(super) async fn get(&self, max_age: Duration, read: impl Future<Output = T>) -> (T, Timestamp) {
        let mut last = self.0.lock().await;
        if let Some((at, value)) = &*last
            && !is_older(*at, max_age)
        {
            return (value.clone(), *at);
        }
        let at = now();
        let value = read.await;
        *last = Some((at, value.clone()));
        (value, at)
    }

    /// The same for a read that may fail: only what was read is kept.
    pub(super) async fn try_get<E>(&self, max_age: Duration, read: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut last = self.0.lock().await;
        if let Some((at, value)) = &*last
            && !is_older(*at, max_age)
        {
            return Ok(value.clone());
        }
        let at = now();
        let value = read.await?;
        *last = Some((at, value.clone()));
        Ok(value)
    }
}

/// Whether something that was read then is older than this. A clock that went back makes nothing young.
pub(super) fn is_older(at: Timestamp, max_age: Duration) -> bool {
    let age = now().as_millisecond() - at.as_millisecond();
    u64::try_from(age).map_or(true, |age| u128::from(age) > max_age.as_millis())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_value_is_read_once_and_anew_when_it_is_too_old() {
        let (cell, reads) = (Fresh::default(), AtomicU32::new(0));
        let read = || async { reads.fetch_add(1, Ordering::Relaxed) };
        let hour = Duration::from_secs(3600);
        let both = futures::join!(cell.get(hour, read()), cell.get(hour, read()));
        assert_eq!((both.0.0, both.1), (0, both.0));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (value, at) = cell.get(Duration::ZERO, read()).await;
        assert!(value == 1 && at > both.0.1);
        assert!(is_older(now() + jiff::SignedDuration::from_secs(60), hour), "a clock went back");
    }

    #[tokio::test]
    async fn a_read_that_failed_is_not_kept() {
        let (cell, reads) = (Fresh::default(), AtomicU32::new(0));
        let read = |ok: bool| {
            let reads = &reads;
            async move {
                let count = reads.fetch_add(1, Ordering::Relaxed);
                if ok { Ok(count) } else { Err("denied") }
            }
        };
        let hour = Duration::from_secs(3600);
        assert_eq!(cell.try_get(hour, read(false)).await, Err("denied"));
        assert_eq!(cell.try_get(hour, read(true)).await, Ok(1));
        assert_eq!(cell.try_get(hour, read(false)).await, Ok(1));
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }
}
