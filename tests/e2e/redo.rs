//! A rolled-back campaign stays in sight: it shows its latest known state, and continues only where a person asks to redo it.

use std::collections::BTreeMap;
use std::process::Stdio;

use orgseal_sandbox::BucketEncryption;
use serde_json::{Value, json};

use crate::waves::{APPLICATION, SPEC, canary_with, moved_at, of, outside_the_canary, status, world};
use crate::world::{World, finding, two_members, unbroken, wait_until};

const CANARY: &str = "555555555551";

fn shown(world: &World) -> BTreeMap<String, Option<BucketEncryption>> {
    world.sandbox.buckets().into_iter().map(|bucket| (bucket.name, bucket.encryption)).collect()
}

/// The commands of `next`.
fn next(document: &Value) -> Vec<&str> {
    document["next"].as_array().unwrap().iter().filter_map(|step| step["command"].as_str()).collect()
}

fn starts(world: &World) -> usize {
    world.sandbox.executions().len()
}

#[test]
fn a_rolled_back_wave_is_shown_and_redone_under_the_same_plan_and_approvals() {
    let world = world(
        "[[waves]]\nname = \"canary\"\naccounts = [\"can*\"]\n[[waves]]\nname = \"half\"\naccounts_percent = 50\napproval = true\n\
         [[waves]]\nname = \"rest\"\naccounts_percent = 100\n",
    );
    let before = shown(&world);
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    assert_eq!(world.run(&["plan", "--output", file]).code, 2);
    let (_, plan) = world.json(&["plan", "show", file]);
    let sha256 = plan["sha256"].as_str().unwrap();
    let rollout =
        ["rollout", "--yes", "--plan", file, "--plan-sha256", sha256, "--approve-wave", "2", "--until-wave", "2"];
    let (code, document) = world.json(&rollout);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    let campaign = document["campaign"].as_str().unwrap().to_owned();
    let in_wave = |number: u64| -> Vec<String> {
        let findings = document["findings"].as_array().unwrap().iter();
        let of = findings.filter(|finding| finding["wave"] == number);
        of.map(|finding| finding["bucket"].as_str().unwrap().to_owned()).collect()
    };
    let (second, third) = (in_wave(2), in_wave(3));
    assert_eq!(world.run(&["rollback", "--yes", "--wave", "2"]).code, 0);

    // The campaign is what is shown, as it is now.
    let (code, now) = world.json(&["status"]);
    assert_eq!((code, &now["campaign"], &now["kind"]), (3, &json!(campaign), &json!("rollout")), "{now:#}");
    let waves = now["waves"].as_array().unwrap();
    let states: Vec<&str> = waves.iter().map(|wave| wave["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "rolled_back", "pending"]);
    assert_eq!(waves[1]["rolled_back"], second.len());
    assert!(waves[1]["rolled_back_at"].as_str().unwrap() >= now["started_at"].as_str().unwrap());
    assert!(waves[1]["rolled_back_by"].as_str().unwrap().starts_with("rollback-"));
    assert_eq!(now["rolled_back"]["buckets"], second.len());
    assert_eq!(now["summary"]["not_sealed"], second.len() + third.len());
    assert!(next(&now)[0].contains(&format!("resume --campaign {campaign} --redo-wave 2")), "{:#}", now["next"]);
    let text = unbroken(&world.run(&["status"]).stdout);
    for says in [
        "Wave 2 was rolled back ",
        &format!("{} buckets restored", second.len()),
        "Waves 2 and 3 are pending. 14 buckets are not sealed now.",
        "--redo-wave 2",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let (_, report) = world.json(&["report", "--campaign", &campaign]);
    for bucket in &second {
        let finding = finding(&report, bucket);
        assert_eq!(
            (&finding["verdict"], &finding["reason"]),
            (&json!("not_sealed"), &json!("rolled_back")),
            "{finding:#}"
        );
        assert_eq!(finding["encryption"]["algorithm"], "AES256", "{finding:#}");
    }
    assert!(world.run(&["runs"]).stdout.contains("undone by rollback-"));

    // Nothing is sealed before somebody asks for it, and nothing out of order.
    let (entries, before_resume) = (world.entries().len(), starts(&world));
    for (flags, says) in [
        (&[][..], "--redo-wave 2"),
        (&["--retry-failed"], "--redo-wave 2"),
        (&["--approve-wave", "3"], "--redo-wave 2"),
        (&["--redo-wave", "1"], "wave 1 of campaign"),
        (&["--redo-wave", "3"], "is not rolled back"),
        (&["--redo-wave", "4"], "there is no wave 4"),
    ] {
        let refused = world.run(&[&["resume", "--yes"][..], flags].concat());
        let stderr = unbroken(&refused.stderr);
        assert!(refused.code == 1 && stderr.contains(says), "{flags:?}: {} {stderr}", refused.code);
    }
    assert_eq!((world.entries().len(), starts(&world)), (entries, before_resume), "a refusal writes nothing");

    let (code, document) = world.json(&["resume", "--yes", "--redo-wave", "2"]);
    assert_eq!((code, &document["campaign"]), (0, &json!(campaign)), "{:#}", document["summary"]);
    let (state, waves) = status(&world);
    assert_eq!((state.as_str(), &waves[1]["state"], &waves[2]["state"]), ("finished", &json!("done"), &json!("done")));
    assert!(waves[1]["rolled_back_at"].is_null() && world.json(&["status"]).1["rolled_back"].is_null(), "{waves:#?}");
    let entries = world.entries();
    let redone = entries.iter().rposition(|entry| entry["event"]["event"] == "reopened").unwrap();
    let done = moved_at(&entries[redone..], 2, "done");
    let executions = world.sandbox.executions();
    let of_third = executions.iter().filter(|execution| third.contains(&execution.parameters["BucketName"][0]));
    assert!(of_third.clone().count() == third.len() && of_third.clone().all(|execution| execution.started_ms >= done));
    assert_eq!(starts(&world), before_resume + second.len() + third.len(), "each once");
    assert_eq!(world.json(&["status"]).1["plan"]["id"], plan["plan"]);

    // And again: the wave of a finished campaign, which `resume` names.
    assert_eq!(world.run(&["rollback", "--yes", "--wave", "2"]).code, 0);
    let now = shown(&world);
    assert!(second.iter().all(|bucket| now[bucket] == before[bucket]));
    let text = world.run(&["status"]).stdout;
    assert!(text.contains("finished, then rolled back in part") && text.contains("Wave 2 is pending."), "{text}");
    let refused = world.run(&["resume", "--yes"]);
    assert!(refused.code == 1 && refused.stderr.contains("--redo-wave 2"), "{}", refused.stderr);
    // The command stands in one line, whatever the width of the terminal, to be copied.
    let whole =
        |line: &str| line.trim().starts_with("orgseal resume --campaign ") && line.contains("--redo-wave 2 --config");
    assert!(refused.stderr.lines().any(whole), "{}", refused.stderr);
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_campaign_without_waves_says_what_is_rolled_back_and_is_redone_as_wave_1() {
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "old", encryption = "aws_managed" }"#,
        r#"{ name = "reports", encryption = "none" }"#,
    ));
    let before = shown(&world);
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let sealed = shown(&world);
    // A part of it: the campaign is not undone, and what was rolled back stays so.
    assert_eq!(world.run(&["rollback", "--yes", "--bucket", "logs"]).code, 0);
    let text = world.run(&["status"]).stdout;
    assert!(text.contains("finished, then rolled back in part") && text.contains("--redo-wave 1"), "{text}");
    for flags in [&[][..], &["--retry-failed"]] {
        let resumed = world.run(&[&["resume", "--yes"][..], flags].concat());
        assert_eq!(resumed.code, 2, "{flags:?}: {}", resumed.stderr);
        assert_eq!(world.bucket("logs").encryption, before["logs"], "{flags:?}");
    }
    assert_eq!(world.run(&["rollback", "--yes"]).code, 0);
    assert_eq!(world.bucket("old").encryption, before["old"]);
    let (code, now) = world.json(&["status"]);
    assert_eq!((code, &now["kind"], &now["rolled_back"]["buckets"]), (2, &json!("rollout"), &json!(3)), "{now:#}");
    assert!(now["rolled_back"]["rolled_back_at"].is_string() && now["waves"].as_array().unwrap().is_empty());
    let text = world.run(&["status"]).stdout;
    assert!(text.contains("3 buckets of it were rolled back by rollback-"), "{text}");
    let refused = world.run(&["resume", "--yes"]);
    let stderr = unbroken(&refused.stderr);
    assert!(refused.code == 1 && stderr.contains("was undone by rollback-"), "{stderr}");
    assert!(stderr.contains("--redo-wave 1"), "{stderr}");
    // Guards are evaluated anew: what they hold by now stays as it is.
    let (code, document) = world.json(&["resume", "--yes", "--redo-wave", "1"]);
    assert_eq!((code, shown(&world)), (0, sealed), "{:#}", document["summary"]);
    let (code, again) = world.json(&["rollback", "--yes"]);
    assert_eq!((code, again["summary"]["restored"].as_u64()), (0, Some(3)), "{again:#}");
    for finding in again["findings"].as_array().unwrap() {
        assert!(
            finding["sealed"]["from"].as_str().unwrap() < finding["sealed"]["until"].as_str().unwrap(),
            "{finding}"
        );
    }
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_redo_that_was_killed_is_continued_by_a_plain_resume() {
    let world = of(SPEC, 40.0, &canary_with(""));
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    assert_eq!(world.run(&["rollback", "--yes", "--wave", "2"]).code, 0);
    let before = starts(&world);
    for (point, command) in [
        ("after_redo_requested", &["resume", "--yes", "--redo-wave", "2"][..]),
        ("after_intent:3", &["resume", "--yes"]),
        ("after_ended:2", &["resume", "--yes"]),
        ("before_read_back:2", &["resume", "--yes"]),
    ] {
        let mut child = world.command(&[command, &["--set", "executions.visible_within=1"]].concat());
        child.env("ORGSEAL_FAIL_POINT", point).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(child.status().unwrap().code(), None, "{point} was passed");
    }
    let text = world.run(&["status"]).stdout;
    assert!(text.contains("orgseal resume --campaign") && !text.contains("--redo-wave"), "{text}");
    let (code, document) = world.json(&["resume", "--yes", "--set", "executions.visible_within=1"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(starts(&world), before + 14, "no bucket was started twice");
    assert!(
        outside_the_canary(&world).len() == 42 && world.sandbox.buckets().iter().all(|bucket| world.is_sealed(bucket))
    );
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn denials_from_before_a_rollback_neither_stop_a_redone_wave_nor_hide_new_ones() {
    const MAY_WRITE: &str = r#"{ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::first/*" },
        { "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*" } ] }"#;
    let world = of(&format!("{SPEC}{APPLICATION}"), 0.0, &canary_with("bake = 2\ncheck_every = 1"));
    let unguarded = ["--set", "guards.principals-without-key=warn"];
    let is_failing =
        || world.sandbox.application("orders").unwrap().buckets.first().is_some_and(|bucket| bucket.failing);
    let rollback = || {
        assert_eq!(world.run(&["rollback", "--yes", "--wave", "1"]).code, 0);
        wait_until("the application writes again", || !is_failing());
    };
    assert_eq!(world.run(&[&["rollout", "--yes"][..], &unguarded].concat()).code, 3);
    rollback();
    // Nothing was repaired: the application fails again, and that is found again.
    let redo = [&["resume", "--yes", "--redo-wave", "1"][..], &unguarded].concat();
    let run = world.run(&redo);
    assert_eq!((run.code, status(&world).1[0]["state"].as_str()), (3, Some("stopped")), "{}", run.stderr);
    assert!(run.stderr.contains("role/orders"), "{}", run.stderr);
    rollback();
    world.sandbox.set_role_policy(CANARY, "orders", MAY_WRITE).unwrap();
    let run = world.run(&redo);
    assert_eq!((run.code, outside_the_canary(&world).len()), (0, 14), "{}", run.stderr);
}
