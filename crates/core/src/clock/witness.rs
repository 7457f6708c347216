//! Whose answers contradict what is known of AWS's time, and how many of them agree with each other.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::Timestamp;

use super::estimate::Estimate;

/// Services or accounts that a warning names.
const NAMED: usize = 3;

/// Who gave an answer: a service, to the session in an account. No account: to the caller's own credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) service: String,
    pub(crate) account: Option<String>,
}

impl Witness {
    /// By what a request was signed with: its access key, and the service in its credential scope.
    pub(crate) fn signed(access_key: &str, service: &str) -> Witness {
        let account = sessions().lock().unwrap_or_else(PoisonError::into_inner).get(access_key).cloned();
        Witness { service: service.to_owned(), account }
    }
}

/// The account of each session's access key.
fn sessions() -> &'static Mutex<HashMap<String, String>> {
    static SESSIONS: OnceLock<Mutex<HashMap<String, String>>> = OnceLock::new();
    SESSIONS.get_or_init(Mutex::default)
}

/// Keeps whose session an access key is of: a renewed session is no second witness.
pub(crate) fn session_of(access_key: &str, account: &str) {
    sessions().lock().unwrap_or_else(PoisonError::into_inner).insert(access_key.to_owned(), account.to_owned());
}

/// Answers that agree with each other, and not with the estimate that counts.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) estimate: Estimate,
    /// The first answer's date.
    pub(super) date_ms: i64,
    pub(super) answers: u64,
    services: BTreeSet<String>,
    accounts: BTreeSet<Option<String>>,
}

impl Group {
    pub(super) fn new(estimate: Estimate, witness: &Witness) -> Group {
        let date_ms = estimate.earliest;
        let group = Group { estimate, date_ms, answers: 0, services: BTreeSet::new(), accounts: BTreeSet::new() };
        group.with(estimate, witness)
    }

    /// The group with one more answer; `None` where that one contradicts it.
    pub(super) fn joined(&self, newer: Estimate, witness: &Witness) -> Option<Group> {
        Some(self.clone().with(self.estimate.and(newer)?, witness))
    }

    fn with(mut self, estimate: Estimate, witness: &Witness) -> Group {
        self.estimate = estimate;
        self.answers += 1;
        self.services.insert(witness.service.clone());
        // Beyond two accounts none more is needed, and there may be thousands.
        if self.accounts.len() < NAMED {
            self.accounts.insert(witness.account.clone());
        }
        self
    }

    /// Whether several services agree.
    pub(super) fn has_services(&self) -> bool {
        self.services.len() >= 2
    }

    /// Whether several services agree, and not those of one member account alone.
    pub(super) fn is_independent(&self) -> bool {
        self.has_services() && (self.accounts.len() >= 2 || self.accounts.contains(&None))
    }
}

/// Answers that did not count, for a warning.
#[derive(Clone, Debug)]
pub(super) struct Strange {
    first: Group,
    off_ms: i64,
}

impl Strange {
    pub(super) fn new(group: Group, off_ms: i64) -> Strange {
        Strange { first: group, off_ms }
    }

    /// This, and others that did not count either.
    pub(super) fn and(mut self, later: &Group) -> Strange {
        self.first.answers += later.answers;
        self.first.services.extend(later.services.iter().cloned());
        self.first.accounts.extend(later.accounts.iter().take(NAMED).cloned());
        self
    }

    pub(super) fn message(&self) -> String {
        let date = Timestamp::from_millisecond(self.first.date_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let direction = if self.off_ms > 0 { "after" } else { "before" };
        let (off, date) = (span(self.off_ms), date.strftime("%Y-%m-%d %H:%M:%S UTC"));
        let accounts: Vec<&str> = self.first.accounts.iter().flatten().map(String::as_str).collect();
        let whose = match accounts.as_slice() {
            _ if self.first.accounts.contains(&None) || accounts.len() >= NAMED => String::new(),
            [account] => format!(" in account {account}"),
            accounts => format!(" in accounts {}", accounts.join(", ")),
        };
        let services: Vec<&str> = self.first.services.iter().map(String::as_str).collect();
        let source = format!("Date header of {}{whose}", services.join(", "));
        match self.first.answers {
            1 => format!(
                "one answer was dated {date}, {off} {direction} the others ({source}). It does not count: the clock of one server \
                 or proxy is wrong"
            ),
            answers => format!(
                "{answers} answers were dated otherwise than all others: the first one {date}, {off} {direction} them ({source}). \
                 They do not count: the clock of one server or proxy is wrong"
            ),
        }
    }
}

/// A time span as a person says it.
fn span(ms: i64) -> String {
    const DAY: i64 = 86_400;
    let seconds = ms.abs() / 1000;
    match seconds / DAY {
        0..2 => format!("{:#}", jiff::SignedDuration::from_secs(seconds)),
        days @ 2..730 => format!("{days} days"),
        days => format!("{} years", days / 365),
    }
}
