//! Lists that come in pages: each is read to its last page, and a list that would never end is an error.
//!
//! The SDK's own paginators end a list silently where a continuation token comes a second time: buckets or accounts would be
//! missing, and nobody would know.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use super::answers::Unusable;
use crate::model::AwsError;

/// Pages of one list at the most. The largest list has a quota far below it: 50,000 accounts at 20 a page.
const MOST_PAGES: usize = 10_000;

/// The continuation tokens of one list.
pub struct Paging {
    operation: &'static str,
    /// Hashes of the tokens that were given: tokens may be long.
    seen: HashSet<u64>,
    state: RandomState,
}

impl Paging {
    /// A list of which no page was read yet.
    #[must_use]
    pub fn new(operation: &'static str) -> Paging {
        Paging { operation, seen: HashSet::new(), state: RandomState::new() }
    }

    /// The token for the next page, from the page that was read last: `None` after the last one.
    ///
    /// # Errors
    ///
    /// The token came before, or there are more pages than any list has.
    pub fn next(&mut self, token: Option<&str>) -> Result<Option<String>, AwsError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
        if !self.seen.insert(self.state.hash_one(token)) {
            let pages = self.seen.len() + 1;
            return Err(self.endless(format!("page {pages} names the continuation token of an earlier page")));
        }
        if self.seen.len() >= MOST_PAGES {
            return Err(self.endless(format!("there are more than {MOST_PAGES} pages")));
        }
        Ok(Some(token.to_owned()))
    }

    /// The same where the answer says by itself whether there is more.
    ///
    /// # Errors
    ///
    /// As `next`; or there is more, and no token to ask for it.
    pub fn next_of(&mut self, is_truncated: bool, token: Option<&str>) -> Result<Option<String>, AwsError> {
        if !is_truncated {
            return Ok(None);
        }
        match self.next(token)? {
            Some(token) => Ok(Some(token)),
            None => Err(self.endless("the answer says that there is more, and names no next page".to_owned())),
        }
    }

    fn endless(&self, why: String) -> AwsError {
        AwsError {
            code: "Unreadable".to_owned(),
            message: format!("{}: the list could not be read to its end: {why}", self.operation),
            hint: Unusable::HINT.to_owned(),
        }
    }
}

/// What was read of each element of a list, by its id. A page that was read while the list changed, or a proxy, may give an element twice:
/// it counts once, and two that contradict each other are an error.
pub(super) struct Unique {
    operation: &'static str,
    /// Hashes of ids and of what was read: an account may have a million buckets.
    seen: HashMap<u128, u64>,
    states: [RandomState; 2],
}

impl Unique {
    /// Of a list of which no page was read yet.
    #[must_use]
    pub(super) fn new(operation: &'static str) -> Unique {
        Unique { operation, seen: HashMap::new(), states: [RandomState::new(), RandomState::new()] }
    }

    /// Whether an element comes for the first time.
    ///
    /// # Errors
    ///
    /// It came before, and was another then.
    pub(super) fn is_new(&mut self, id: &str, rest: impl Hash) -> Result<bool, AwsError> {
        let [one, other] = &self.states;
        let key = u128::from(one.hash_one(id)) << 64 | u128::from(other.hash_one(id));
        let rest = one.hash_one(rest);
        match self.seen.insert(key, rest) {
            None => Ok(true),
            Some(before) if before == rest => Ok(false),
            Some(_) => Err(AwsError {
                code: "Unreadable".to_owned(),
                message: format!("{}: the list has {id} twice, and the two contradict each other", self.operation),
                hint: Unusable::HINT.to_owned(),
            }),
        }
    }

    /// The elements that come for the first time.
    pub(super) fn only_new<T, H: Hash>(
        &mut self,
        elements: impl IntoIterator<Item = T>,
        id_and_rest: impl Fn(&T) -> (String, H),
    ) -> Result<Vec<T>, AwsError> {
        let mut new = Vec::new();
        for element in elements {
            let (id, rest) = id_and_rest(&element);
            if self.is_new(&id, rest)? {
                new.push(element);
            }
        }
        Ok(new)
    }
}

/// Reads a list to its last page: `read` asks for a page, `take` keeps what is in it and returns the next page's token.
pub(super) async fn each_page<P, F: Future<Output = Result<P, AwsError>> + Send>(
    operation: &'static str,
    read: impl Fn(Option<String>) -> F,
    mut take: impl FnMut(P) -> Option<String>,
) -> Result<(), AwsError> {
    let (mut paging, mut token) = (Paging::new(operation), None);
    loop {
        let page = read(token).await?;
        token = paging.next(take(page).as_deref())?;
        if token.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_again_is_an_error_and_so_is_a_list_without_end() {
        let mut paging = Paging::new("ListBuckets");
        assert_eq!(paging.next(Some("a")).unwrap().as_deref(), Some("a"));
        assert_eq!(paging.next(Some("b")).unwrap().as_deref(), Some("b"));
        let error = paging.next(Some("a")).unwrap_err();
        assert!(error.message.contains("page 3 names the continuation token of an earlier page"), "{error:?}");
        assert_eq!(paging.next(Some("")).unwrap(), None);
        assert_eq!(paging.next(None).unwrap(), None);
        let mut endless = Paging::new("ListBuckets");
        let pages = (0..).take_while(|n| endless.next(Some(&n.to_string())).is_ok()).count();
        assert_eq!(pages, MOST_PAGES - 1);
    }

    #[test]
    fn more_without_a_token_is_an_error() {
        let mut paging = Paging::new("ListKeys");
        assert_eq!(paging.next_of(false, Some("a")).unwrap(), None);
        assert!(paging.next_of(true, None).unwrap_err().message.contains("names no next page"));
    }

    #[test]
    fn an_element_that_comes_twice_counts_once_unless_it_changed() {
        let mut unique = Unique::new("ListAccounts");
        let listed = ["one", "two", "one", "two", "one"];
        let new = unique.only_new(listed, |id| (format!("account {id}"), "ACTIVE")).unwrap();
        assert_eq!(new, ["one", "two"]);
        let error = unique.is_new("account two", "SUSPENDED").unwrap_err();
        assert_eq!(error.message, "ListAccounts: the list has account two twice, and the two contradict each other");
        assert_eq!((error.code.as_str(), error.hint.as_str()), ("Unreadable", Unusable::HINT));
    }
}
