//! What responses may and may not say of the time.

use super::*;

/// 30 November 2026, 12:00:00 UTC.
const NOON: i64 = 1_796_040_000_000;
const YEARS: i64 = 25 * 365 * 86_400_000;

fn date(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms / 1000 * 1000).unwrap()
}

fn after(base: Instant, ms: u64) -> Instant {
    base + Duration::from_millis(ms)
}

fn by(service: &str, account: &str) -> Witness {
    Witness { service: service.into(), account: (!account.is_empty()).then(|| account.into()) }
}

/// A machine whose own clock showed `local` at `base`.
struct Machine {
    clock: AwsClock,
    base: Instant,
    local: i64,
}

impl Machine {
    fn new(local: i64) -> Machine {
        Machine { clock: AwsClock::new(), base: Instant::now(), local }
    }

    /// A response that came after `ms`, from a server whose clock showed `shown` when this machine's `base` was.
    fn hears(&self, ms: u64, shown: i64, witness: &Witness) {
        let (sent, received) = (after(self.base, ms.saturating_sub(5)), after(self.base, ms));
        let (date, local_ms) = (date(shown + ms as i64), self.local + ms as i64);
        self.clock.observe(&Dated { date, sent, received, local_ms, witness });
    }

    /// What is added to this machine's clock, in whole seconds.
    fn corrects(&self, ms: u64) -> i64 {
        let offset = self.clock.offset(after(self.base, ms), self.local + ms as i64);
        (offset as f64 / 1000.0).round() as i64
    }
}

#[test]
fn a_right_clock_is_left_alone_and_a_small_error_corrected_by_the_first_response() {
    let machine = Machine::new(NOON);
    assert_eq!(machine.corrects(0), 0, "nothing is known yet");
    machine.hears(100, NOON + 300, &by("sts", ""));
    assert_eq!(machine.corrects(100), 0);
    for off in [120_000, -120_000] {
        let machine = Machine::new(NOON + off);
        machine.hears(100, NOON, &by("sts", ""));
        assert!((machine.corrects(100) + off / 1000).abs() <= 1, "{off}: {}", machine.corrects(100));
    }
}

#[test]
fn a_large_error_is_corrected_once_two_services_agree() {
    for off in [1_200_000, -1_200_000, 7_200_000, -YEARS] {
        let machine = Machine::new(NOON + off);
        machine.hears(100, NOON, &by("sts", ""));
        machine.hears(200, NOON, &by("sts", ""));
        assert_eq!(machine.corrects(200), 0, "{off}: one service alone");
        machine.clock.refused();
        let signed = machine.clock.signing_offset(after(machine.base, 200), machine.local + 200);
        assert!((signed + off).abs() <= 1_100, "{off}: requests are signed by it");
        machine.hears(300, NOON, &by("organizations", ""));
        assert!((machine.corrects(300) + off / 1000).abs() <= 1, "{off}: {}", machine.corrects(300));
    }
}

#[test]
fn answers_of_one_account_or_one_service_never_move_the_time() {
    let cases: [&[(&str, &str)]; 3] = [
        &[("s3", "444455556666"), ("s3", "444455556666"), ("ssm", "444455556666"), ("kms", "444455556666")],
        &[("s3", "444455556666"), ("s3", "555566667777"), ("s3", ""), ("s3", "666677778888")],
        &[("sts", ""), ("sts", ""), ("sts", "")],
    ];
    for wrong in cases {
        let machine = Machine::new(NOON);
        for (at, (service, account)) in wrong.iter().enumerate() {
            machine.hears(at as u64 * 10, NOON + YEARS, &by(service, account));
            machine.clock.refused();
            assert_eq!(machine.corrects(100), 0, "{wrong:?}, before anything is known");
        }
        machine.hears(200, NOON, &by("sts", ""));
        for (at, (service, account)) in (30..).zip(wrong) {
            machine.hears(at * 10, NOON + YEARS, &by(service, account));
            machine.clock.refused();
            assert_eq!(machine.corrects(at * 10), 0, "{wrong:?}");
        }
        machine.hears(500, NOON, &by("organizations", ""));
        assert_eq!(machine.clock.signing_offset(after(machine.base, 500), NOON + 500), 0);
        let told = machine.clock.strange(NOON + 500).unwrap();
        let times = 2 * wrong.len();
        assert!(told.starts_with(&format!("{times} answers were dated otherwise than all others")), "{told}");
        assert!(told.contains("the first one 2051-11-24 12:00:00 UTC, 25 years after them (Date header of "), "{told}");
        assert_eq!(machine.clock.strange(NOON + 500), None, "said once");
    }
}

#[test]
fn a_date_that_stands_still_is_no_clock() {
    let machine = Machine::new(NOON);
    for second in 0..60 {
        let (service, account) = if second % 20 < 10 { ("s3", "444455556666") } else { ("ssm", "555566667777") };
        // Each ten seconds one more service gives the same date as before.
        if second % 10 == 0 {
            machine.hears(second * 1_000, NOON + YEARS - second as i64 * 1_000, &by(service, account));
        }
    }
    assert_eq!(machine.corrects(60_000), 0);
}

#[test]
fn a_renewed_session_is_no_second_witness() {
    session_of("ASIAFIRST", "444455556666");
    session_of("ASIASECOND", "444455556666");
    assert_eq!(Witness::signed("ASIAFIRST", "s3"), by("s3", "444455556666"));
    assert_eq!(Witness::signed("ASIASECOND", "ssm"), by("ssm", "444455556666"));
    assert_eq!(Witness::signed("AKIACALLER", "sts"), by("sts", ""));
}

#[test]
fn an_answer_dated_otherwise_than_all_others_is_told_of_with_its_source() {
    let machine = Machine::new(NOON);
    for (second, off, service, account) in
        [(0, 0, "sts", ""), (1, 0, "organizations", ""), (2, YEARS, "s3", "444455556666"), (3, 0, "s3", "555566667777")]
    {
        machine.hears(second * 1_000, NOON + off, &by(service, account));
    }
    assert_eq!(
        machine.clock.strange(NOON).unwrap(),
        "one answer was dated 2051-11-24 12:00:02 UTC, 25 years after the others (Date header of s3 in account 444455556666). It does \
         not count: the clock of one server or proxy is wrong"
    );
    // The last answers of a run, after which no right one comes.
    machine.hears(4_000, NOON - 7_200_000, &by("ssm", "444455556666"));
    let text = machine.clock.strange(NOON).unwrap();
    assert!(text.contains("2h before the others (Date header of ssm"), "{text}");
}

#[test]
fn more_responses_make_it_more_exact() {
    let machine = Machine::new(NOON);
    // AWS's clock is at NOON + t after t milliseconds; Date has whole seconds.
    for t in [150, 700, 960, 1_010, 1_600, 2_020, 2_980] {
        machine.hears(t, NOON, &by("sts", ""));
    }
    let known = machine.clock.known().estimate.unwrap();
    assert!(known.latest - known.earliest < 1_100, "{known:?}");
    let offset = machine.clock.offset(after(machine.base, 3_000), NOON + 3_000 + 600_000);
    assert!((offset + 600_000).abs() <= 600, "{offset}");
}

#[test]
fn a_local_clock_that_is_set_meanwhile_changes_nothing() {
    let machine = Machine::new(NOON);
    machine.hears(0, NOON, &by("sts", ""));
    let shown = |local: i64| local + machine.clock.offset(after(machine.base, 60_000), local);
    let (before, set) = (shown(NOON + 60_000), shown(NOON + 60_000 - 3_600_000));
    assert!((before - set).abs() <= 1_000, "{before} {set}");
}

#[test]
fn a_machine_that_slept_follows_two_services_that_agree_with_its_clock() {
    let mut machine = Machine::new(NOON);
    machine.hears(0, NOON, &by("sts", ""));
    // Ten minutes that the monotonic clock does not count.
    machine.local = NOON + 600_000;
    machine.hears(4_100, NOON + 600_000, &by("ssm", "444455556666"));
    machine.hears(4_150, NOON + 600_000, &by("ssm", "444455556666"));
    assert_eq!(machine.corrects(4_150), -599, "one service says so");
    machine.hears(4_200, NOON + 600_000, &by("s3", "444455556666"));
    assert_eq!(machine.corrects(4_200), 0, "two say so");
}

#[test]
fn a_response_that_took_too_long_says_nothing() {
    let machine = Machine::new(NOON + 100_000);
    let (sent, received) = (machine.base, after(machine.base, 61_000));
    let witness = by("sts", "");
    let dated = Dated { date: date(NOON), sent, received, local_ms: machine.local, witness: &witness };
    machine.clock.observe(&dated);
    assert_eq!(machine.corrects(61_000), 0);
}

#[test]
fn a_refused_signature_counts_for_signatures_until_others_agree() {
    let machine = Machine::new(NOON);
    machine.hears(0, NOON, &by("sts", ""));
    machine.clock.refused();
    assert_eq!(machine.clock.signing_offset(machine.base, NOON + 500), 0, "nothing contradicts the estimate");
    machine.hears(20, NOON + 600_000, &by("s3", "444455556666"));
    machine.clock.refused();
    let signs = || machine.clock.signing_offset(after(machine.base, 20), NOON + 20);
    assert!(signs() > 598_000, "{}", signs());
    assert_eq!(machine.corrects(20), 0, "the ledger is dated as before");
    machine.hears(30, NOON, &by("sts", ""));
    assert_eq!(signs(), 0);
}
