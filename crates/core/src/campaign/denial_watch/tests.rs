//! The watch over generated events: an account with so many KMS events a second, in virtual time.

use std::cell::{Cell, RefCell};

use super::*;
use crate::judge::KeyDenial;
use crate::model::DenialSource;

const START: i64 = 1_796_040_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

/// An account with `rate` events a second at all times, delivered after `delay` seconds. Denials: who, every how many seconds, from
/// when on, until when.
struct Account {
    rate: i64,
    delay: i64,
    denials: Vec<(&'static str, i64, i64, i64)>,
    /// Milliseconds since the start.
    now: Cell<i64>,
    requests: Cell<usize>,
    oldest_asked: Cell<i64>,
    kept: RefCell<Vec<LookupMark>>,
    /// The most that was in memory at once: groups of denials.
    most_denied: Cell<usize>,
}

impl Account {
    fn new(rate: i64, delay: i64, denials: &[(&'static str, i64, i64, i64)]) -> Account {
        Account {
            rate,
            delay,
            denials: denials.to_vec(),
            now: Cell::new(0),
            requests: Cell::new(0),
            oldest_asked: Cell::new(i64::MAX),
            kept: RefCell::default(),
            most_denied: Cell::new(0),
        }
    }

    fn seconds(&self) -> i64 {
        self.now.get().div_euclid(1000)
    }

    fn set(&self, second: i64) {
        self.now.set(self.now.get().max(second * 1000));
    }
}

fn denial(principal: &str, second: i64) -> KeyDenial {
    KeyDenial {
        at: at(second),
        principal: principal.to_owned(),
        role: None,
        event: "Decrypt".to_owned(),
        bucket: None,
        message: String::new(),
        by_service: Some("s3.amazonaws.com".to_owned()),
        names_key: false,
    }
}

impl Events for Account {
    async fn read(&self, window: Window, most_pages: usize, mark: &LookupMark) -> Result<EventsRead, AwsError> {
        let (from, to) = (window.from.as_second() - START, window.to.as_second() - START);
        self.oldest_asked.set(self.oldest_asked.get().min(from));
        let (mut read, mut second, mut on_page) = (EventsRead::default(), to, 0);
        let mut most = most_pages;
        read.pages = 1;
        'pages: while second >= from {
            // What is not delivered yet is not there.
            let there = if second + self.delay <= self.seconds() { self.rate } else { 0 };
            for _ in 0..there {
                if on_page == EVENTS_A_PAGE as i64 {
                    if read.pages >= most {
                        break 'pages;
                    }
                    read.pages += 1;
                    on_page = 0;
                }
                on_page += 1;
                read.events += 1;
                read.oldest = Some(at(second));
            }
            for (who, every, first, last) in &self.denials {
                let denied = second >= *first && second <= *last && second.rem_euclid(*every) == 0 && there > 0;
                let denial = denial(who, second);
                if denied && !mark.known.contains(&denial.source()) {
                    match read.denied.iter_mut().find(|known| known.denial.source() == denial.source()) {
                        Some(known) => known.add(&denial),
                        None => read.denied.push(Denied::new(denial)),
                    }
                    most = most.min(read.pages + 4);
                }
            }
            second -= 1;
        }
        read.complete = second < from;
        self.most_denied.set(self.most_denied.get().max(read.denied.len() + mark.known.len()));
        self.requests.set(self.requests.get() + read.pages);
        self.now.set(self.now.get() + read.pages as i64 * BETWEEN_REQUESTS.as_millis() as i64);
        Ok(read)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(START * 1000 + self.now.get()).unwrap()
    }

    async fn keep(&self, mark: &LookupMark) {
        self.kept.borrow_mut().push(mark.clone());
    }
}

fn mark() -> LookupMark {
    LookupMark { wave: 1, account: "a".into(), region: "r".into(), read_to: at(0), known: Vec::new(), rate: None }
}

const DAY: i64 = 86_400;
const SETTLE: i64 = 1_800;
const EVERY: u64 = 300;

/// What came of a whole bake: when it ended (done, or a denial was found), and what was found last.
async fn bake(account: &Account, mark: &mut LookupMark, seconds: i64) -> (i64, Found) {
    let wanted = Look {
        changed: at(0),
        accepted: None,
        until: at(seconds),
        settle: Duration::from_secs(SETTLE as u64),
        pages: pages_of_look(Duration::from_secs(EVERY)),
    };
    loop {
        account.set(account.seconds() + 1);
        let began = account.seconds();
        let found = look(account, mark, wanted).await.unwrap();
        let over = began >= seconds + SETTLE;
        if !found.denied.is_empty() || over && found.complete || began > seconds + 3 * DAY {
            return (account.seconds(), found);
        }
        account.set(began + EVERY as i64);
    }
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the figure of docs/benchmarks.md")]
async fn thirty_events_a_second_for_a_day_are_read_in_bounded_requests_and_memory() {
    let account = Account::new(30, 300, &[("noise", 7, -2 * DAY, 2 * DAY)]);
    let mut mark = mark();
    let (ended, found) = bake(&account, &mut mark, DAY).await;
    assert!(found.denied.is_empty() && found.complete, "{found:?}");
    // Done as soon as the settling time is over, give or take one look.
    assert!((DAY + SETTLE..DAY + SETTLE + 1_200).contains(&ended), "{ended}");
    // Each event is read once when it has settled; what is left of the share goes to the newest ones. Never more than the share.
    let (pages, share) = (account.requests.get(), ended as usize * 10 / 11);
    let once = (DAY * 30) as usize / EVENTS_A_PAGE;
    assert!(pages >= once && pages <= share, "{pages} pages; {once} hold all events, {share} may be read");
    // Nothing from before the change but the baseline, and only until the noise was found in it.
    assert!(account.oldest_asked.get() > -4_000, "{}", account.oldest_asked.get());
    assert!(account.most_denied.get() <= 2 && mark.known.len() == 1);
    println!("30 events a second, a day: {pages} requests, {:.2} a second", pages as f64 / ended as f64);
}

#[tokio::test]
async fn a_denial_that_began_with_the_change_is_found_also_among_noise() {
    let cases = [(1, 120, 900), (5, 300, 900), (30, 60, 1_200), (30, 300, SETTLE + 1_800), (30, 1_500, SETTLE + 1_800)];
    for (rate, delay, within) in cases {
        let account = Account::new(rate, delay, &[("noise", 5, -2 * DAY, 2 * DAY), ("orders", 40, 600, 2 * DAY)]);
        let mut mark = mark();
        let (ended, found) = bake(&account, &mut mark, DAY).await;
        let who: Vec<&str> = found.denied.iter().map(|denied| denied.denial.principal.as_str()).collect();
        assert_eq!(who, ["orders"], "{rate} a second, {delay} s late");
        assert!(ended <= 600 + delay + within, "{rate} a second, {delay} s late: found after {ended} s");
        // What stopped the wave is found again by the next process.
        let (_, again) = bake(&account, &mut mark.clone(), DAY).await;
        assert_eq!(again.denied[0].denial.principal, "orders");
    }
}

#[tokio::test]
async fn one_late_denial_in_a_day_is_found_before_the_wave_is_done() {
    for (rate, second) in [(2, 40_000), (20, DAY - 30), (30, DAY - 10)] {
        let account = Account::new(rate, 1_700, &[("nightly", 1, second, second)]);
        let (_, found) = bake(&account, &mut mark(), DAY).await;
        assert_eq!(found.denied.len(), 1, "{rate} a second");
    }
}

#[tokio::test]
async fn nothing_before_the_mark_is_read_again_after_a_kill() {
    let account = Account::new(10, 300, &[]);
    let wanted = Look {
        changed: at(0),
        accepted: None,
        until: at(DAY),
        settle: Duration::from_secs(SETTLE as u64),
        pages: pages_of_look(Duration::from_secs(EVERY)),
    };
    let mut first = mark();
    for second in (0..20_000).step_by(300) {
        account.set(second);
        look(&account, &mut first, wanted).await.unwrap();
    }
    // The next process has what was kept last, and begins two hours later.
    let mut second = account.kept.borrow().last().cloned().unwrap();
    assert!(second.read_to > at(20_000 - SETTLE - 900), "{:?}", second.read_to);
    account.oldest_asked.set(i64::MAX);
    account.set(27_200);
    let (kept, pages) = (second.read_to, account.requests.get());
    look(&account, &mut second, wanted).await.unwrap();
    assert_eq!(account.oldest_asked.get(), kept.as_second() - START);
    let read = account.requests.get() - pages;
    assert!(read <= wanted.pages + PAGES_A_SLICE * 2 + LEAST_FRESH_PAGES, "{read} pages in one look");
}

#[tokio::test]
async fn an_account_that_is_too_busy_is_never_called_complete() {
    let account = Account::new(200, 60, &[]);
    let mut mark = mark();
    let wanted = Look {
        changed: at(0),
        accepted: None,
        until: at(7_200),
        settle: Duration::from_secs(SETTLE as u64),
        pages: pages_of_look(Duration::from_secs(EVERY)),
    };
    let mut found = Found::default();
    for second in (0..10_800).step_by(300) {
        account.set(second);
        found = look(&account, &mut mark, wanted).await.unwrap();
    }
    assert!(!found.complete && found.reading_left > Duration::from_secs(3_600), "{found:?}");
}

#[tokio::test]
async fn what_a_person_accepted_does_not_count_and_what_comes_after_does() {
    let account = Account::new(1, 60, &[("orders", 30, 100, 2 * DAY)]);
    account.set(2_000);
    let mut wanted =
        Look { changed: at(0), accepted: Some(at(1_900)), until: at(3_600), settle: Duration::ZERO, pages: 100 };
    let found = look(&account, &mut mark(), wanted).await.unwrap();
    assert!(found.denied.len() == 1 && found.denied[0].first >= at(1_900), "{found:?}");
    wanted.accepted = Some(account.now());
    assert!(look(&account, &mut mark(), wanted).await.unwrap().denied.is_empty());
}

#[test]
fn sources_are_told_apart_by_principal_operation_and_key() {
    let source = denial("a", 0).source();
    assert_eq!(source, DenialSource { principal: "a".into(), operation: "Decrypt".into(), names_key: false });
    let role = KeyDenial { role: Some("role".into()), ..denial("a", 0) };
    assert_eq!(role.source().principal, "role", "sessions of a role are one principal");
}
