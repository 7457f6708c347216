//! The watch over generated events: an account with so many KMS events a second, in virtual time.

use std::cell::{Cell, RefCell};

use super::*;
use crate::judge::KeyDenial;
use crate::model::{DenialSource, Frequency, KnownDenial};

const START: i64 = 1_796_040_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

/// An account with `rate` events a second at all times, delivered after `delay` seconds. Denials: who (`name`, `name@bucket`, or `name?`
/// where the record names neither the key nor a bucket), every how many seconds, from when on, until when.
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
    /// So many milliseconds the clock is ahead until the next read.
    ahead: Cell<i64>,
    told: Cell<usize>,
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
            ahead: Cell::new(0),
            told: Cell::new(0),
        }
    }

    fn seconds(&self) -> i64 {
        self.now.get().div_euclid(1000)
    }

    fn set(&self, second: i64) {
        self.now.set(self.now.get().max(second * 1000));
    }
}

fn denial(who: &str, second: i64) -> KeyDenial {
    let (name, bucket) = who.split_once('@').map_or((who, None), |(name, bucket)| (name, Some(bucket)));
    KeyDenial {
        at: at(second),
        principal: name.trim_end_matches('?').to_owned(),
        role: None,
        event: "Decrypt".to_owned(),
        bucket: bucket.map(str::to_owned),
        message: String::new(),
        by_service: Some("s3.amazonaws.com".to_owned()),
        names_key: !name.ends_with('?'),
    }
}

impl Events for Account {
    async fn read(&self, window: Window, most_pages: usize, known: KnownDenials<'_>) -> Result<EventsRead, AwsError> {
        self.ahead.set(0);
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
                if denied && !known.leave_out(&denial) {
                    if !known.contain(&denial.source()) {
                        most = most.min(read.pages + 4);
                    }
                    match read.denied.iter_mut().find(|known| known.denial.source() == denial.source()) {
                        Some(known) => known.add(&denial),
                        None => read.denied.push(Denied::new(denial)),
                    }
                }
            }
            second -= 1;
        }
        read.complete = second < from;
        self.most_denied.set(self.most_denied.get().max(read.denied.len() + known.before.len()));
        self.requests.set(self.requests.get() + read.pages);
        self.now.set(self.now.get() + read.pages as i64 * BETWEEN_REQUESTS.as_millis() as i64);
        Ok(read)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(START * 1000 + self.now.get() + self.ahead.get()).unwrap()
    }

    async fn keep(&self, mark: &LookupMark) {
        self.kept.borrow_mut().push(mark.clone());
    }

    fn tell_of_baseline(&self, denied: &[Denied]) {
        self.told.set(self.told.get() + denied.len());
    }
}

fn mark() -> LookupMark {
    LookupMark {
        wave: 1,
        account: "a".into(),
        region: "r".into(),
        read_to: at(0),
        known: Vec::new(),
        rate: None,
        baseline: None,
    }
}

const DAY: i64 = 86_400;
const SETTLE: i64 = 1_800;
const EVERY: u64 = 300;

/// A look at a bake of so many seconds.
fn wanted(seconds: i64) -> Look<'static> {
    Look {
        changed: at(0),
        buckets: &[],
        accepted: &[],
        accepted_before: None,
        until: at(seconds),
        settle: Duration::from_secs(SETTLE as u64),
        pages: pages_of_look(Duration::from_secs(EVERY)),
        sealed_earlier: None,
    }
}

/// What came of a whole bake: when it ended (done, or a denial was found), and what was found last.
async fn bake(account: &Account, mark: &mut LookupMark, seconds: i64) -> (i64, Found) {
    bake_with(account, mark, seconds, wanted(seconds)).await
}

async fn bake_with(account: &Account, mark: &mut LookupMark, seconds: i64, wanted: Look<'_>) -> (i64, Found) {
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
    let wanted = wanted(DAY);
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
    let wanted = wanted(7_200);
    let mut found = Found::default();
    for second in (0..10_800).step_by(300) {
        account.set(second);
        found = look(&account, &mut mark, wanted).await.unwrap();
    }
    assert!(!found.complete && found.reading_left > Duration::from_secs(3_600), "{found:?}");
}

fn who(found: &Found) -> Vec<String> {
    found.denied.iter().map(|denied| denied.denial.principal.clone()).collect()
}

fn seen(denied: &Denied) -> SeenDenial {
    SeenDenial { account: "a".into(), region: "r".into(), source: denied.denial.source(), last: denied.last }
}

#[tokio::test]
async fn what_a_person_accepted_does_not_count_and_what_comes_after_does() {
    let account = Account::new(
        1,
        60,
        &[("orders@first", 30, 100, 3_900), ("orders@first", 30, 8_000, DAY), ("etl@first", 30, 300, 900)],
    );
    account.set(4_000);
    let look_again =
        async |accepted: &[SeenDenial]| look(&account, &mut mark(), Look { accepted, ..wanted(DAY) }).await.unwrap();
    let first = look_again(&[]).await;
    assert_eq!(who(&first), ["orders"]);
    // The newest denial is shown, too: what a person accepts is what was denied until then.
    assert!(first.denied[0].last >= at(3_900), "{first:?}");
    let mut accepted: Vec<SeenDenial> = first.denied.iter().map(seen).collect();
    // Of the other one nothing was accepted.
    let second = look_again(&accepted).await;
    assert_eq!(who(&second), ["etl"]);
    accepted.extend(second.denied.iter().map(seen));
    assert_eq!(who(&look_again(&accepted).await), [""; 0]);
    let elsewhere = DenialSource { bucket: Some("second".into()), ..accepted[0].source.clone() };
    let other_bucket = SeenDenial { source: elsewhere, ..accepted[0].clone() };
    assert_eq!(who(&look_again(&[other_bucket, accepted[1].clone()]).await), ["orders"]);
    account.set(9_000);
    assert_eq!(who(&look_again(&accepted).await), ["orders"], "it goes on");
    // Ledgers of earlier versions have a time up to which everything was accepted.
    let before = Look { accepted_before: Some(account.now()), ..wanted(DAY) };
    assert!(look(&account, &mut mark(), before).await.unwrap().denied.is_empty());
}

#[tokio::test]
async fn noise_of_another_bucket_or_of_an_unknown_key_hides_no_outage() {
    let cases: [(&'static str, &'static str, bool); 6] = [
        ("etl@logs", "etl@first", true),
        ("etl", "etl@first", true),
        ("etl?@first", "etl@first", true),
        ("etl?", "etl", true),
        ("etl@first", "etl@first", false),
        ("etl", "etl", false),
    ];
    for (before, since, is_new) in cases {
        let account = Account::new(1, 60, &[(before, 3_600, -DAY, -1), (since, 120, 60, 2 * DAY)]);
        let (_, found) = bake(&account, &mut mark(), 3_600).await;
        assert_eq!(!found.denied.is_empty(), is_new, "{before} before, {since} since: {found:?}");
    }
}

#[tokio::test]
async fn denials_that_name_neither_key_nor_bucket_count_where_they_are_more_than_before() {
    let steady = ("legacy?", 30, -2 * DAY, 2 * DAY);
    let job = ("legacy?", 1, -3_000, -2_940);
    type Denials<'a> = &'a [(&'static str, i64, i64, i64)];
    let cases: [(Denials<'_>, bool); 5] = [
        (&[steady], false),
        (&[job, ("legacy?", 1, 600, 660)], false),
        (&[("legacy?", 1, -7_200, -7_200), ("legacy?", 20, 60, 2 * DAY)], true),
        (&[steady, ("legacy?", 2, 60, 2 * DAY)], true),
        (&[("legacy?", 20, 60, 2 * DAY)], true),
    ];
    for (denials, is_new) in cases {
        for rate in [1, 5] {
            let account = Account::new(rate, 60, denials);
            let (_, found) = bake(&account, &mut mark(), 3_600).await;
            assert_eq!(!found.denied.is_empty(), is_new, "{denials:?} at {rate}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_ahead_for_a_moment_completes_nothing() {
    let account = Account::new(1, 60, &[]);
    account.set(1_200);
    // It is three hours ahead when the look begins.
    account.ahead.set(3 * 3_600_000);
    let mut kept = mark();
    let found = look(&account, &mut kept, wanted(3_600)).await.unwrap();
    assert!(!found.complete, "{found:?}");
    let overlap = SETTLE.max(OVERLAP.as_secs());
    assert!(kept.read_to <= at((account.seconds() - overlap).max(0)), "{}", kept.read_to);
    // Nor is a bake done before its settling time, however much was read.
    kept.read_to = at(3_600);
    assert!(!look(&account, &mut kept, wanted(3_600)).await.unwrap().complete);
    account.set(3_600 + SETTLE);
    assert!(look(&account, &mut kept, wanted(3_600)).await.unwrap().complete);
}

#[tokio::test]
async fn a_wave_stops_soon_where_the_denials_are_clearly_its_own_doing() {
    let buckets = ["first".to_owned()];
    let look_at = async |account: &Account, changed: &[String]| {
        account.set(300);
        let found = look(account, &mut mark(), Look { buckets: changed, ..wanted(DAY) }).await.unwrap();
        (account.requests.get(), account.seconds() - 300, found)
    };
    // Thirty events a second: a baseline of 24 hours has 52,000 pages.
    let outage = ("orders@first", 1, 30, 2 * DAY);
    let (pages, seconds, found) = look_at(&Account::new(30, 60, &[outage]), &buckets).await;
    assert_eq!(who(&found), ["orders"]);
    assert!(pages <= 100 && seconds <= 110, "{pages} pages, {seconds} s");
    // A job that is denied at that time of each day, or each hour, is no news; neither is what was denied a minute before.
    for before in [-DAY, -3_600] {
        let job = ("orders@first", 1, before + 30, before + 300);
        let (_, _, found) = look_at(&Account::new(30, 60, &[job, ("orders@first", 1, 30, 300)]), &buckets).await;
        assert!(found.denied.is_empty(), "{before}: {found:?}");
    }
    let (_, _, found) = look_at(&Account::new(30, 60, &[("orders@first", 20, -DAY, 2 * DAY)]), &buckets).await;
    assert!(found.denied.is_empty(), "{found:?}");
    // A bucket that the wave did not change, a single denial, and a vague one are not clear: all that can be read is read, and told of.
    for (denied, changed) in
        [(outage, &[][..]), (("orders@first", 1_000, 0, 0), &buckets[..]), (("orders?", 1, 30, 2 * DAY), &buckets[..])]
    {
        let account = Account::new(30, 60, &[denied]);
        let (pages, _, found) = look_at(&account, changed).await;
        assert!(found.denied.len() == 1 && pages >= 500 && account.told.get() == 1, "{denied:?}: {pages} {found:?}");
    }
    // In a quieter account ten minutes without them are enough where the record names the key alone.
    let account = Account::new(5, 60, &[("orders", 1, 30, 2 * DAY)]);
    let (pages, _, found) = look_at(&account, &buckets).await;
    assert!(found.denied.len() == 1 && pages <= 150, "{pages} {found:?}");
}

#[tokio::test]
async fn the_time_before_the_change_is_read_once() {
    let hourly =
        [("a@one", 3_600, -DAY, 2 * DAY), ("b@two", 3_600, -DAY + 900, 2 * DAY), ("new@three", 60, 7_000, 2 * DAY)];
    let account = Account::new(1, 60, &hourly);
    let mut kept = mark();
    let (_, found) = bake(&account, &mut kept, DAY).await;
    assert_eq!(who(&found), ["new"]);
    let baseline = kept.baseline.unwrap();
    // The next process begins where this one ended.
    account.oldest_asked.set(i64::MAX);
    let mut next = account.kept.borrow().last().cloned().unwrap();
    assert_eq!(next.baseline, Some(baseline));
    let pages = account.requests.get();
    let (_, found) = bake(&account, &mut next, DAY).await;
    assert_eq!(who(&found), ["new"]);
    assert!(account.requests.get() - pages <= 700, "{} pages", account.requests.get() - pages);
    assert!(next.baseline.unwrap() <= baseline);
}

#[tokio::test]
async fn denials_from_before_a_rollback_hide_no_new_outage_when_the_wave_is_redone() {
    // Sealed from -3 h, rolled back at -1 h, redone at 0: the application is denied the key whenever the bucket is sealed.
    let first = ("orders@first", 60, -10_800, -3_600);
    let job = ("backup@second", 600, -DAY, 2 * DAY);
    let sealed_earlier = Some(SealedEarlier { from: at(-10_810), until: at(-3_590) });
    let look_at = async |denials: &[(&'static str, i64, i64, i64)], sealed_earlier| {
        let account = Account::new(1, 60, denials);
        account.set(2_000);
        look(&account, &mut mark(), Look { sealed_earlier, ..wanted(DAY) }).await.unwrap()
    };
    let again = ("orders@first", 60, 30, 2 * DAY);
    assert_eq!(who(&look_at(&[first, again, job], sealed_earlier).await), ["orders"]);
    // What is denied at all times is noise as before, and what was denied before the rollback stops nothing.
    assert!(look_at(&[first, job], sealed_earlier).await.denied.is_empty());
    // Noise that shows only before the first change is found beyond it.
    let rare = [("rare@third", 7_000, -DAY, -20_000), ("rare@third", 60, 30, 2 * DAY)];
    assert!(look_at(&rare, sealed_earlier).await.denied.is_empty());
    // Without the earlier time, its denials would be the baseline.
    assert!(look_at(&[first, again, job], None).await.denied.is_empty());
}

#[test]
fn sources_are_told_apart_by_principal_operation_key_and_bucket() {
    let source = denial("a@logs", 0).source();
    let bucket = Some("logs".to_owned());
    assert_eq!(source, DenialSource { principal: "a".into(), operation: "Decrypt".into(), names_key: true, bucket });
    let role = KeyDenial { role: Some("role".into()), ..denial("a", 0) };
    assert_eq!(role.source().principal, "role", "sessions of a role are one principal");
    // What earlier versions kept has no bucket.
    let old: KnownDenial =
        serde_json::from_str(r#"{ "principal": "a", "operation": "Decrypt", "names_key": false }"#).unwrap();
    assert!(old.source.is_vague() && old.before.is_none());
    let often = Frequency { count: 120, seconds: 3_600.0, most: 5 };
    assert!(often.covers(10, 1.0) && often.covers(300, 3_600.0) && !often.covers(20, 60.0));
}
