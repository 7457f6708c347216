//! Campaigns stay in sight: which runs there were, and that there is nothing to resume.

use std::process::Stdio;

use crate::world::{World, unbroken, wait_until};

const SPEC: &str = "accounts = 4\nbuckets_per_account = 4\nsuspended = 0\nwithout_member_role = 0";

#[test]
fn the_runs_are_listed_with_what_undid_them() {
    let world = World::of(SPEC);
    assert_eq!(world.run(&["runs"]).code, 1, "there is no ledger");
    let (_, audit) = world.json(&["audit", "--region", "us-east-1"]);
    let (_, rollout) = world.json(&["rollout", "--yes"]);
    let (_, rollback) = world.json(&["rollback", "--yes"]);
    let id = |document: &serde_json::Value| document["run"]["id"].as_str().unwrap().to_owned();
    let (code, listed) = world.json(&["runs"]);
    assert_eq!((code, &listed["schema"]), (0, &"orgseal.runs/1".into()));
    let runs = listed["runs"].as_array().unwrap();
    let ids: Vec<&str> = runs.iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [id(&rollback), id(&rollout), id(&audit)]);
    assert_eq!((&runs[0]["undoes"], &runs[1]["undone_by"][0]), (&id(&rollout).into(), &id(&rollback).into()));
    assert_eq!(runs[2]["selection"], "region us-east-1");
    // The campaign's counts are those of now, not of before its rollback.
    let (then, now) = (&rollout["summary"], &runs[1]["summary"]);
    assert!(then["changed"].as_u64() > Some(0) && then["rolled_back"].is_null(), "{then}");
    let count = |summary: &serde_json::Value, name: &str| summary[name].as_u64().unwrap();
    assert_eq!(count(now, "rolled_back"), count(&rollback["summary"], "restored"), "{now}");
    assert_eq!(count(now, "sealed"), count(then, "sealed") - count(now, "rolled_back"), "{now}");
    assert!(runs.iter().all(|run| run["caller"].as_str().unwrap().contains(":user/orgseal")));
    let text = world.run(&["runs", "--limit", "2"]).stdout;
    assert!(text.contains(&format!("undone by {}", id(&rollback))) && text.contains("1 run older"), "{text}");
    assert!(text.contains("rolled back since"), "{text}");
    assert!(!text.contains(&id(&audit)), "{text}");
}

#[test]
fn a_finished_run_has_nothing_to_resume_and_nothing_is_written() {
    let world = World::of(SPEC);
    let (code, rollout) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0);
    let before = world.entries().len();
    let again = world.run(&["resume", "--yes"]);
    let campaign = rollout["campaign"].as_str().unwrap();
    assert_eq!(again.code, 0);
    assert!(again.stderr.contains(&format!("nothing to resume: {campaign} is finished")), "{}", again.stderr);
    assert_eq!(world.entries().len(), before);
    let (_, document) = world.json(&["resume", "--yes"]);
    assert_eq!(document["summary"], rollout["summary"]);
    assert_eq!(world.entries().len(), before);
}

#[test]
fn a_resumed_campaign_does_not_warn_of_what_it_sealed_itself() {
    let world = World::of(SPEC);
    world.edit(|text| {
        format!("{text}\n[[waves]]\nname = \"first\"\naccounts_percent = 50\n\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\n")
    });
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    let (_, plan) = world.json(&["plan", "--output", file]);
    let sha256 = plan["sha256"].as_str().unwrap();
    let first = world.run(&["rollout", "--yes", "--plan", file, "--plan-sha256", sha256, "--until-wave", "1"]);
    assert_eq!(first.code, 3, "{}", first.stderr);
    let rest = world.run(&["resume", "--yes"]);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    assert!(!rest.stderr.contains("left out of the plan"), "{}", rest.stderr);
}

#[test]
fn a_run_whose_process_was_ended_by_force_is_interrupted_and_its_report_is_not_complete() {
    let world = World::of(SPEC);
    for (point, command) in [("read_account:4", &["audit"][..]), ("after_start", &["rollout", "--yes"])] {
        let mut killed = world.command(command);
        killed.env("ORGSEAL_FAIL_POINT", point);
        assert_eq!(killed.output().unwrap().status.code(), None, "{point} was passed");
        let entries = world.entries().len();
        let (_, listed) = world.json(&["runs"]);
        let run = &listed["runs"][0];
        assert_eq!((&run["state"], &run["process"]["state"]), (&"interrupted".into(), &"gone".into()), "{run:#}");
        assert_eq!(run["summary"]["complete"], false);
        let id = run["id"].as_str().unwrap();
        for words in [&["runs"][..], &["status", "--campaign", id], &["report", "--campaign", id]] {
            let text = unbroken(&world.run(words).stdout);
            assert!(text.contains("interrupted: process ") && text.contains(" was killed"), "{words:?}: {text}");
            assert!(!text.contains("100 %"), "{words:?}: {text}");
        }
        let (code, report) = world.json(&["report", "--campaign", id]);
        assert_eq!((code, &report["run"]["state"]), (3, &"interrupted".into()));
        assert_eq!(report["summary"]["complete"], false);
        assert_eq!(world.entries().len(), entries, "reading wrote to the ledger");
    }
}

#[test]
fn an_audit_at_work_is_not_taken_for_one_that_was_ended_by_force() {
    let world = World::of(&format!("{SPEC}\n[[fault]]\nkind = \"hang\"\nwhere = {{ operation = \"ListBuckets\" }}"));
    let begun = |host: Option<&str>| {
        let mut command = world.command(&["audit"]);
        host.map(|host| command.env("HOSTNAME", host));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let newest = || world.json(&["runs"]).1["runs"][0].clone();
    let mut audit = begun(None);
    wait_until("the audit is in the ledger", || newest()["id"].is_string());
    let id = newest()["id"].as_str().unwrap().to_owned();
    assert_eq!((&newest()["state"], &newest()["process"]["state"]), (&"running".into(), &"at_work".into()));
    let (code, status) = world.json(&["status", "--campaign", &id]);
    assert_eq!((code, &status["state"]), (0, &"running".into()));
    audit.kill().unwrap();
    // Nobody waited for it yet: the process is dead all the same.
    wait_until("the audit is gone", || newest()["process"]["state"] == "gone");
    audit.wait().unwrap();
    // On another machine nobody can say so.
    let mut elsewhere = begun(Some("elsewhere"));
    wait_until("the second audit is in the ledger", || newest()["id"] != *id);
    elsewhere.kill().unwrap();
    elsewhere.wait().unwrap();
    let run = newest();
    assert_eq!((&run["state"], &run["process"]["state"]), (&"running".into(), &"unknown".into()));
    assert!(run["process"]["last_entry_at"].is_string(), "{run:#}");
    let text = unbroken(&world.run(&["runs"]).stdout);
    assert!(text.contains("on elsewhere is still running, or was killed, and wrote its last entry"), "{text}");
}
