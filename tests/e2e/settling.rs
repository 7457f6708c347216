//! A wave that looks for denied uses of the key is done when CloudTrail has delivered what happened until its bake ended.

use jiff::Timestamp;
use serde_json::json;

use crate::waves::{
    APPLICATION, CANARY, SPEC, canary_with, is_stopped, moved_at, of, outside_the_canary, status, watched, world,
};
use crate::world::{World, wait_until};

/// Denied uses of the key all day long, by somebody whom no change concerns, among other KMS events.
const NOISE: &str =
    "[[cloudtrail.background]]\naccounts = [\"canary\"]\nkms_events_per_second = 5\nkms_denials_per_second = 2\n";

#[test]
fn a_wave_is_done_when_cloudtrail_has_settled() {
    let world = world(&canary_with("bake = 1\ncheck_every = 1\nsettle = 4"));
    let mut child = watched(&world, &[]);
    wait_until("the bake is over", || {
        let wave = &status(&world).1[0];
        wave["bake_until"].as_str().unwrap().parse::<Timestamp>().unwrap() < Timestamp::now()
    });
    let (_, waves) = status(&world);
    assert_eq!(waves[0]["state"], "baking", "{:#}", waves[0]);
    let time = |name: &str| waves[0][name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!((time("settle_until") - time("bake_until")).as_secs(), 4);
    assert!(world.run(&["status"]).stdout.contains("waiting for CloudTrail until"));
    // Neither a kill nor another process begins the time anew.
    child.kill().unwrap();
    child.wait().unwrap();
    let run = world.run(&["resume", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let done = moved_at(&world.entries(), 1, "done");
    let late = done - time("settle_until").as_millisecond();
    assert!((0..30_000).contains(&late), "done {late} ms after its end");
    let first = outside_the_canary(&world).iter().map(|execution| execution.started_ms).min().unwrap();
    assert!(first >= time("settle_until").as_millisecond(), "the next wave began too early");
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn what_waits_for_cloudtrail_says_so_and_what_has_nothing_to_wait_for_does_not() {
    let settle = "bake = 1\ncheck_every = 1\nsettle = 2";
    let world = world(&canary_with(settle));
    let run = world.run(&["rollout", "--yes"]);
    assert!(run.code == 0 && run.stderr.contains("waiting for CloudTrail until"), "{}", run.stderr);
    // A wave that changed nothing is not watched at all.
    let run = world.run(&["rollout", "--yes"]);
    assert!(run.code == 0 && !run.stderr.contains("CloudTrail"), "{}", run.stderr);
    for quiet in ["denials = false\nbake = 1\ncheck_every = 1\nsettle = 600", "settle = 600"] {
        let world = of(SPEC, 0.0, &canary_with(quiet));
        let run = world.run(&["rollout", "--yes"]);
        assert!(run.code == 0 && !run.stderr.contains("waiting for CloudTrail"), "{quiet}: {}", run.stderr);
        assert_eq!(world.sandbox.counters().totals("cloudtrail", "LookupEvents"), 0);
        assert!(status(&world).1[0].get("settle_until").is_none());
    }
}

#[test]
fn a_denial_that_shows_after_the_bake_stops_the_wave() {
    // CloudTrail delivers after ten seconds, and the bake takes one.
    let late = "[cloudtrail]\ndelay_min_seconds = 10\ndelay_max_seconds = 11\n[executions]\nmin_seconds = 1\nmax_seconds = 1.2\n";
    let spec = format!("{SPEC}{late}{APPLICATION}").replace("writes_every_ms = 50", "writes_every_ms = 500");
    for (settle, code) in [(16, 3), (0, 0)] {
        let world = of(&spec, 1.0, &canary_with(&format!("bake = 1\ncheck_every = 1\nsettle = {settle}")));
        let run = world.run(&["rollout", "--yes", "--set", "guards.principals-without-key=warn"]);
        assert_eq!(run.code, code, "settle = {settle}: {}", run.stderr);
        if code == 3 {
            is_stopped(&world, "denied uses of the central key", &["role/orders", "GenerateDataKey"]);
        }
    }
}

#[test]
fn who_was_denied_before_the_change_stops_nothing_and_who_is_denied_since_does() {
    let waves = canary_with("bake = 3\ncheck_every = 1");
    let world = of(&format!("{SPEC}{NOISE}"), 0.0, &waves);
    let run = world.run(&["rollout", "--yes"]);
    assert_eq!((run.code, outside_the_canary(&world).len()), (0, 14), "{}", run.stderr);
    // A denial that is new is looked for in the whole day before the change, at CloudTrail's rate: so this account is a quiet one.
    let quiet = NOISE.replace("= 5\n", "= 0.004\n").replace("= 2\n", "= 0.006\n");
    let world = of(&format!("{SPEC}{quiet}{APPLICATION}"), 0.0, &waves.replace("bake = 3", "bake = \"10m\""));
    let run = world.run(&["rollout", "--yes", "--set", "guards.principals-without-key=warn"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    is_stopped(&world, "denied uses of the central key", &["role/orders"]);
    let evidence = status(&world).1[0]["evidence"].to_string();
    assert!(!evidence.contains("legacy-reader"), "{evidence}");
    // Nobody goes on past it, although what stopped it was read before.
    assert_eq!(world.run(&["resume", "--yes"]).code, 3);
    is_stopped(&world, "denied uses of the central key", &["role/orders"]);
}

#[test]
fn an_account_that_is_too_busy_is_named_beforehand() {
    let busy = "[[cloudtrail.background]]\naccounts = [\"canary\"]\nkms_events_per_second = 120\n";
    let world = of(&format!("{SPEC}{busy}"), 0.0, &canary_with("bake = \"1h\""));
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0, "a warning: {document:#}");
    let mut checks = Vec::new();
    for account in document["accounts"].as_array().unwrap() {
        for region in account["regions"].as_array().unwrap() {
            let found =
                region["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "cloudtrail").unwrap();
            checks.push((account["id"].as_str().unwrap().to_owned(), found.clone()));
        }
    }
    for (account, check) in checks {
        let rate: f64 = check["facts"]["kms_events_per_second"].as_str().unwrap().parse().unwrap();
        if account == CANARY {
            assert_eq!(check["standing"], "warning", "{check}");
            assert!((90.0..150.0).contains(&rate), "{check}");
            assert!(check["fix"].as_str().unwrap().contains("CloudTrail Lake"), "{check}");
        } else {
            assert_eq!((&check["standing"], rate), (&json!("ok"), 0.0), "{check}");
        }
    }
    // One page of each place, and a few more of the busy one.
    let lookups = world.sandbox.counters().totals("cloudtrail", "LookupEvents");
    assert!((9..=12).contains(&lookups), "{lookups}");
}

#[test]
fn a_bake_that_is_shorter_than_its_settling_time_is_warned_of() {
    let world = world(&canary_with("bake = \"10m\"\nsettle = \"30m\""));
    let run = world.run(&["config", "check"]);
    let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(run.code == 0 && text.contains("waves[0].bake") && text.contains("10m") && text.contains("30m"), "{text}");
    let (code, document) = world.json(&["config", "check"]);
    assert_eq!((code, &document["warnings"][0]["path"]), (0, &json!("waves[0].bake")), "{document}");
    for fine in ["bake = \"1h\"\nsettle = \"30m\"", "bake = \"10m\"\nsettle = \"30m\"\ndenials = false\n", ""] {
        let world = of(SPEC, 0.0, &canary_with(fine.trim_end()).replace("settle = \"30m\"\ndenials", "denials"));
        assert_eq!(world.json(&["config", "check"]).1["warnings"], json!([]), "{fine}");
    }
}

#[test]
fn the_examples_for_busy_accounts_are_whole() {
    let page = include_str!("../../docs/cloudtrail.md");
    let blocks = |language: &str| -> Vec<&str> {
        let fence = format!("```{language}\n");
        let parts = page.split(fence.as_str()).skip(1);
        parts.map(|part| part.split("```").next().unwrap()).collect()
    };
    let (scripts, waves) = (blocks("bash"), blocks("toml"));
    assert_eq!((scripts.len(), waves.len()), (2, 1));
    let world = world(&format!("{}\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\n", waves[0]));
    let run = world.run(&["config", "check"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (number, script) in scripts.iter().enumerate() {
        let path = world.path(&format!("{number}.sh"));
        std::fs::write(&path, script).unwrap();
        let parsed = std::process::Command::new("bash").arg("-n").arg(&path).output().unwrap();
        assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    }
}

#[test]
fn in_a_sandbox_a_wave_settles_as_fast_as_everything_else() {
    let world = world(&canary_with("bake = 1\ncheck_every = 1"));
    // The file's own default of half an hour, in a sandbox inside the process.
    world.edit(|text| text.replace("\n[cloudtrail]\nsettle = 0\n", ""));
    assert!(!std::fs::read_to_string(world.campaign_file()).unwrap().contains("settle"));
    let spec = world.path("spec.toml");
    std::fs::write(&spec, SPEC).unwrap();
    let began = std::time::Instant::now();
    let sandbox = format!("--sandbox={}", spec.display());
    let run = world.run(&["rollout", "--yes", &sandbox, "--sandbox-speed", "0"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());
    // A served one says it in its campaign file.
    let world = World::at_speed(SPEC, 60.0);
    assert!(world.sandbox.campaign_file().contains("[cloudtrail]\nsettle = 30\n"), "{}", world.sandbox.campaign_file());
    assert!(!World::at_speed(SPEC, 1.0).sandbox.campaign_file().contains("settle"), "half an hour is the default");
}
