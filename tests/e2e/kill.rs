//! `kill -9` at any instant, then `resume`: the end is the same as if nothing had happened.
//!
//! A child process is ended at named fail points (every step between an intent and its record) and at random instants, and
//! resumed until the campaign is done. `ORGSEAL_KILLS` sets how many kills there are, `ORGSEAL_SEED` where they fall.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use orgseal_sandbox::BucketEncryption;

use crate::random::Random;
use crate::world::World;

/// Between an intent and the record of its outcome, these are passed in this order.
const FAIL_POINTS: [&str; 10] = [
    "before_intent",
    "after_intent",
    "after_start",
    "after_started",
    "after_adopted",
    "after_start_unknown",
    "before_ended",
    "after_ended",
    "before_read_back",
    "after_read_back",
];

/// Small, with every state that a campaign seals, executions of 50 to 1500 ms, and a list that shows them 1500 ms late: whoever
/// resumes at once must do without it, and finds buckets on which something is under way that does not show yet.
const ORGANIZATION: &str = "accounts = 4\nbuckets_per_account = 9\nsuspended = 0\nwithout_member_role = 0\nseed = 7\n\
    [executions]\nmin_seconds = 2\nmax_seconds = 60\nvisible_after_ms = 60000\n";
const SPEED: f64 = 40.0;
const LIMITS: [&str; 4] =
    ["--set", "limits.executions_per_account=3", "--set", "limits.executions_per_account_region=2"];

fn kills(default: u32) -> u32 {
    std::env::var("ORGSEAL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

type States = BTreeMap<String, Option<BucketEncryption>>;

fn states(world: &World) -> States {
    world.sandbox.buckets().into_iter().map(|bucket| (bucket.name, bucket.encryption)).collect()
}

fn world(tokens: &str) -> World {
    World::at_speed(&format!("client_tokens = \"{tokens}\"\n{ORGANIZATION}"), SPEED)
}

/// What the ledger says of each bucket in the end.
fn verdicts(document: &serde_json::Value) -> BTreeMap<String, (String, String)> {
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (text(finding, "bucket"), (text(finding, "verdict"), text(finding, "reason"))))
        .collect()
}

/// How a child comes to its end.
#[derive(Debug)]
enum Death {
    At { point: &'static str, time: u32 },
    After(Duration),
}

/// Runs a command until it dies so. `true`: it was faster and came to its own end.
fn run_until(world: &World, arguments: &[&str], death: &Death) -> bool {
    let mut command = world.command(&[arguments, &LIMITS].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    if let Death::At { point, time } = death {
        command.env("ORGSEAL_FAIL_POINT", format!("{point}:{time}"));
    }
    let mut child: Child = command.spawn().unwrap();
    if let Death::After(instant) = death {
        let until = Instant::now() + *instant;
        while Instant::now() < until {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // SIGKILL; it may have ended by itself a moment before.
        let _ = child.kill();
    }
    let output = child.wait_with_output().unwrap();
    let Some(code) = output.status.code() else { return false };
    let said = String::from_utf8_lossy(&output.stderr);
    // Killed before the campaign was in the ledger, it is begun again.
    assert!(code == 0 || said.contains("holds no campaign yet"), "{death:?}: {code}: {said}");
    code == 0
}

/// One campaign, killed again and again until it is done. Returns how many kills there were.
fn campaign(tokens: &str, random: &mut Random, most: u32, wanted: &(States, serde_json::Value)) -> u32 {
    let world = world(tokens);
    let mut deaths = Vec::new();
    let mut begun = false;
    loop {
        // The fewer are left, the sooner a count of passes is never reached: then the campaign is done.
        let death = match random.below(3) {
            0 => Death::After(Duration::from_millis(random.below(500))),
            _ => {
                let point = FAIL_POINTS[random.below(FAIL_POINTS.len() as u64) as usize];
                Death::At { point, time: 1 + random.below(6) as u32 }
            }
        };
        let done = deaths.len() as u32 >= most;
        let death = if done { Death::After(Duration::from_secs(120)) } else { death };
        let command: &[&str] = if begun { &["resume", "--yes"] } else { &["rollout", "--yes"] };
        let ended = run_until(&world, command, &death);
        begun = world.run(&["status"]).code != 1;
        if ended {
            break;
        }
        deaths.push(death);
    }
    let told = format!("seed {}, tokens {tokens}, deaths {deaths:?}", random.seed());
    let (code, document) = world.json(&["report"]);
    assert_eq!(code, 0, "{told}: {:#}", document["summary"]);
    assert_eq!(states(&world), wanted.0, "{told}");
    assert_eq!(verdicts(&document), verdicts(&wanted.1), "{told}");
    let mut started: BTreeMap<String, u32> = BTreeMap::new();
    for execution in world.sandbox.executions() {
        *started.entry(execution.parameters["BucketName"][0].clone()).or_default() += 1;
    }
    assert!(started.values().all(|&times| times == 1), "{told}: {started:?}");
    assert_eq!(document["summary"]["started"], wanted.1["summary"]["started"], "{told}");
    assert!(world.sandbox.peak_in_flight_by_account().values().all(|&peak| peak <= 3), "{told}");
    assert!(world.sandbox.peak_in_flight().values().all(|&peak| peak <= 2), "{told}");
    let verified = world.run(&["ledger", "verify"]);
    assert_eq!(verified.code, 0, "{told}: {}", verified.stderr);
    deaths.len() as u32
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture, and when the test fails")]
fn killed(tokens: &str, kills: u32) {
    let undisturbed = world(tokens);
    let (code, document) = undisturbed.json(&[&["rollout", "--yes"][..], &LIMITS].concat());
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let wanted = (states(&undisturbed), document);
    let mut random = Random::of_the_environment();
    let (mut done, mut campaigns) = (0, 0);
    while done < kills {
        done += campaign(tokens, &mut random, (kills - done).min(25), &wanted);
        campaigns += 1;
    }
    println!("{done} kills in {campaigns} campaigns, seed {}", random.seed());
}

#[test]
fn a_killed_campaign_ends_as_an_undisturbed_one_where_tokens_give_the_same_execution() {
    killed("same", kills(24));
}

#[test]
fn a_killed_campaign_ends_as_an_undisturbed_one_where_tokens_are_refused() {
    killed("refuse", kills(24));
}
