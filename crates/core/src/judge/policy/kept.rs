//! What was read of evidence that many buckets share, kept as long as the evidence is: an account's principals, a key's policy.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Parsed, Policy};

/// What was read of each `K` that is in use. The weak side keeps an address from being used again while it stands here.
pub(in crate::judge) struct Kept<K: ?Sized, V>(Mutex<Vec<(Weak<K>, Arc<V>)>>);

impl<K: ?Sized, V> Kept<K, V> {
    pub(in crate::judge) const fn new() -> Kept<K, V> {
        Kept(Mutex::new(Vec::new()))
    }

    /// What was read of this one; at the first question it is read.
    pub(in crate::judge) fn of(&self, one: &Arc<K>, read: impl FnOnce(&K) -> V) -> Arc<V> {
        let known = |kept: &[(Weak<K>, Arc<V>)]| {
            let is_same = |(of, _): &&(Weak<K>, Arc<V>)| std::ptr::addr_eq(of.as_ptr(), Arc::as_ptr(one));
            kept.iter().find(is_same).map(|(_, value)| value.clone())
        };
        if let Some(value) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return value;
        }
        // Outside the lock: reading takes long, and others have their own to read.
        let value = Arc::new(read(one));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _)| of.strong_count() > 0);
        known(&kept).unwrap_or_else(|| {
            kept.push((Arc::downgrade(one), value.clone()));
            value
        })
    }
}

/// One for each Region's central key.
static KEY_POLICIES: Kept<str, Result<Policy, super::NotUnderstood>> = Kept::new();

/// The policy of a key, which all buckets of a Region share.
#[must_use]
pub fn key_policy(text: &Arc<str>) -> Parsed {
    KEY_POLICIES.of(text, Policy::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_once_and_kept_as_long_as_what_it_was_read_of() {
        let kept: Kept<str, usize> = Kept::new();
        let (one, equal): (Arc<str>, Arc<str>) = ("key".into(), "key".into());
        assert_eq!((*kept.of(&one, str::len), *kept.of(&one, |_| unreachable!())), (3, 3));
        assert_eq!(*kept.of(&equal, |_| 7), 7, "another with the same text is another");
        drop(one);
        kept.of(&"new".into(), str::len);
        assert_eq!(kept.0.lock().unwrap().len(), 2, "what nobody has any more is forgotten");
    }
}
