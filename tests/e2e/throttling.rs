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

#[test]
fn a_renewal_that_fails_is_not_asked_for_by_every_call() {
    let world = World::of(FOUR);
    let victim = world.sandbox.accounts()[2].id.clone();
    // The session is refused for good once the listing is through, and the role no longer lets anyone in.
    let mut expired = Fault::new(FaultKind::ExpiredToken);
    expired.filter.account = Some(victim.clone());
    expired.filter.operation = Some("GetBucketEncryption".into());
    // AssumeRole is the caller's call, and each account's first one is counted with the others'.
    let mut denied = Fault::new(FaultKind::Denied);
    denied.filter.operation = Some("AssumeRole".into());
    denied.nth = Some(5);
    denied.count = Some(1000);
    world.sandbox.set_faults(vec![expired, denied]).unwrap();
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    let buckets = world.sandbox.buckets_of(&victim).len() as u64;
    let unread: Vec<_> =
        document["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "unread").collect();
    assert_eq!(unread.len() as u64, buckets, "the account's own, and no other's");
    for finding in unread {
        assert_eq!(finding["account"], victim.as_str());
        assert_eq!(finding["error"]["code"], "AccessDenied", "what AssumeRole said: {finding}");
        assert!(finding["error"]["message"].as_str().unwrap().contains("could not be renewed"), "{finding}");
    }
    let renewals = world.sandbox.counters().totals("sts", "AssumeRole") - 4;
    assert_eq!(renewals, 1, "for {buckets} buckets");
}

#[test]
fn the_callers_own_account_ends_the_run_when_its_credentials_do() {
    let world = World::of(FOUR);
    let own = world
        .sandbox
        .accounts()
        .iter()
        .find(|account| world.key("us-east-1").contains(&account.id))
        .unwrap()
        .id
        .clone();
    let mut expired = Fault::new(FaultKind::ExpiredToken);
    expired.filter.account = Some(own);
    expired.filter.service = Some("s3".into());
    // Unless GetCallerIdentity confirms it, the run does not stop: the first one is that of the connection.
    let mut confirmed = Fault::new(FaultKind::ExpiredToken);
    confirmed.filter.operation = Some("GetCallerIdentity".into());
    confirmed.nth = Some(2);
    confirmed.count = Some(1000);
    world.sandbox.set_faults(vec![expired.clone()]).unwrap();
    let run = world.run(&["audit", "--set", "member_role.own_account=caller"]);
    assert!(run.code == 3 && !run.stdout.contains("your own credentials"), "{}{}", run.stdout, run.stderr);
    world.sandbox.set_faults(vec![expired, confirmed]).unwrap();
    let run = world.run(&["rollout", "--yes", "--set", "member_role.own_account=caller"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let (_, status) = world.json(&["status"]);
    assert_eq!(status["state"], "paused: credentials expired", "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_chain_that_runs_dry_pauses_the_campaign() {
    let world = World::of(FOUR);
    let (access_key, secret_key) = world.sandbox.credentials();
    // A credential process that answers a few times, each time for seconds alone, and then has no more to give.
    let (script, asked) = (world.path("credentials.sh"), world.path("asked"));
    let text = format!(
        "echo >> {asked}\n[ $(wc -l < {asked}) -gt 5 ] && {{ echo 'the sign-in has expired' >&2; exit 1; }}\n\
         echo '{{\"Version\":1,\"AccessKeyId\":\"{access_key}\",\"SecretAccessKey\":\"{secret_key}\",\"Expiration\":\"'$(date -u -d '+3 seconds' +%FT%TZ)'\"}}'\n",
        asked = asked.display(),
    );
    std::fs::write(&script, text).unwrap();
    let profile = world.path("aws-config");
    std::fs::write(&profile, format!("[default]\ncredential_process = sh {}\n", script.display())).unwrap();
    let run: crate::world::Run = world
        .command(&["rollout", "--yes", "--set", "limits.accounts=1"])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONFIG_FILE", &profile)
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("your own credentials are not valid any more"), "{said}");
    let (_, status) = world.json(&["status"]);
    assert_eq!(status["state"], "paused: credentials expired", "{said}");
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
}
