//! What somebody wrote about things of one kind that an account has by their names, on top of those that follow from the
//! spec. Sparse: what nobody touched is not in it.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use crate::world::lock::{read, write};

/// What is written about one thing.
#[derive(Debug)]
pub(crate) enum Written<T> {
    /// Nothing: it is as the spec has it.
    Nothing,
    /// It was deleted, whatever the spec says.
    Deleted,
    Here(Arc<T>),
}

/// By name; nothing there is a thing that was deleted.
type Names<T> = BTreeMap<String, Option<Arc<T>>>;

/// By account and name. IAM's names are unique whatever their path, and whatever their case.
#[derive(Debug)]
pub(crate) struct Records<T> {
    by_account: RwLock<BTreeMap<usize, Names<T>>>,
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Records { by_account: RwLock::default() }
    }
}

impl<T> Records<T> {
    pub(crate) fn get(&self, account: usize, name: &str) -> Written<T> {
        let by_account = read(&self.by_account);
        match by_account.get(&account).and_then(|names| names.get(&name.to_lowercase())) {
            None => Written::Nothing,
            Some(None) => Written::Deleted,
            Some(Some(here)) => Written::Here(here.clone()),
        }
    }

    pub(crate) fn put(&self, account: usize, name: &str, record: T) {
        write(&self.by_account).entry(account).or_default().insert(name.to_lowercase(), Some(Arc::new(record)));
    }

    pub(crate) fn remove(&self, account: usize, name: &str) {
        write(&self.by_account).entry(account).or_default().insert(name.to_lowercase(), None);
    }

    /// Those that are there, by name.
    pub(crate) fn list(&self, account: usize) -> Vec<Arc<T>> {
        let by_account = read(&self.by_account);
        by_account.get(&account).map(|names| names.values().flatten().cloned().collect()).unwrap_or_default()
    }

    /// Everything that was written, by name in lower case; nothing for what was deleted.
    pub(crate) fn written(&self, account: usize) -> Vec<(String, Option<Arc<T>>)> {
        let by_account = read(&self.by_account);
        let all = by_account.get(&account).into_iter().flatten();
        all.map(|(name, record)| (name.clone(), record.clone())).collect()
    }

    /// Whether nothing at all was written in the account.
    pub(crate) fn untouched(&self, account: usize) -> bool {
        !read(&self.by_account).contains_key(&account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_case_and_what_is_deleted_is_not_untouched() {
        let records: Records<u8> = Records::default();
        assert!(records.untouched(3) && matches!(records.get(3, "a"), Written::Nothing));
        records.put(3, "Mine", 1);
        assert!(matches!(records.get(3, "mINE"), Written::Here(found) if *found == 1));
        assert!(matches!(records.get(4, "mine"), Written::Nothing), "another account's");
        records.remove(3, "MINE");
        assert!(matches!(records.get(3, "Mine"), Written::Deleted));
        assert!(records.list(3).is_empty() && !records.untouched(3));
    }
}
