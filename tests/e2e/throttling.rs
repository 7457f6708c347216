//! Throttling slows the account it comes from and no other, and is a wait; sessions that are refused are renewed.

use orgseal_sandbox::{Fault, FaultKind};

use crate::world::World;

const FOUR: &str = "accounts = 4\nbuckets_per_account = 15\nsuspended = 0\nwithout_member_role = 0\n";

#[test]
fn a_throttled_account_comes_through_and_no_other_pays_for_it() {
    let world = World::of(FOUR);
    let accounts = world.sandbox.accounts();
    let victim = &accounts[2].id;
    let mut throttle = Fault::new(FaultKind::Throttle);
    throttle.filter.account = Some(victim.clone());
    throttle.filter.operation = Some("GetBucketEncryption".into());
    throttle.probability = Some(0.4);
    world.sandbox.set_faults(vec![throttle]).unwrap();
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 2, "{:#}", document["summary"]);
    assert_eq!(document["summary"]["unread"], 0);
    for account in accounts.iter().filter(|account| account.id != *victim) {
        let buckets = world.sandbox.buckets_of(&account.id).len() as u64;
        assert_eq!(world.sandbox.counters().of(&account.id, "s3", "GetBucketEncryption"), buckets, "{}", account.name);
    }
}

#[test]
fn the_rate_of_starts_is_learned_and_remembered() {
    let world = World::of(FOUR);
    let accounts = world.sandbox.accounts();
    let mut throttle = Fault::new(FaultKind::Throttle);
    throttle.filter.account = Some(accounts[2].id.clone());
    throttle.filter.operation = Some("StartAutomationExecution".into());
    throttle.first = Some(3);
    world.sandbox.set_faults(vec![throttle]).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let ledger = rusqlite::Connection::open(world.state().join("ledger.sqlite")).unwrap();
    let paced: Vec<(String, f64)> = ledger
        .prepare("SELECT account, per_second FROM pace")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(!paced.is_empty());
    assert!(paced.iter().all(|(account, rate)| *account == accounts[2].id && *rate > 0.0), "{paced:?}");
}

#[test]
fn a_session_that_is_refused_is_renewed_once() {
    let world = World::of(FOUR);
    let mut expired = Fault::new(FaultKind::ExpiredToken);
    expired.filter.operation = Some("GetBucketEncryption".into());
    expired.first = Some(1);
    let mut at_the_start = Fault::new(FaultKind::ExpiredToken);
    at_the_start.filter.operation = Some("StartAutomationExecution".into());
    at_the_start.first = Some(1);
    world.sandbox.set_faults(vec![expired, at_the_start]).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    // Entered once, and renewed once for each refusal.
    assert_eq!(world.sandbox.counters().totals("sts", "AssumeRole"), 4 * 3);
}
