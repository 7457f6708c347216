//! A suggested command never does more or less than the line beside it says.

use serde_json::Value;

use crate::world::{Run, World, two_members, unbroken};

const SPEC: &str = "accounts = 6\nbuckets_per_account = 6\nsuspended = 0\nwithout_member_role = 0";

/// The suggested commands of a JSON document that name how many buckets they are about, without the program's name.
fn counted(document: &Value) -> Vec<(Vec<String>, u64)> {
    let steps = document["next"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let about = steps.iter().filter_map(|step| Some((step["command"].as_str()?, step["buckets"].as_u64()?)));
    about.map(|(command, buckets)| (words(command), buckets)).collect()
}

/// A command as a shell splits it, without the program's name.
fn words(command: &str) -> Vec<String> {
    let output = std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {command}")]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let words: Vec<String> = words.lines().map(str::to_owned).collect();
    assert_eq!(words[0], "orgseal");
    words[1..].to_vec()
}

/// Runs each suggested command without its effect, and compares how many buckets it is about with what its line says.
fn hold_to_their_word(world: &World, document: &Value) -> usize {
    let commands = counted(document);
    for (words, buckets) in &commands {
        // The test's own flags name the same campaign file and state directory once more.
        let own: Vec<&str> = without_place(words);
        let (counts, says) = match own[0] {
            "plan" => {
                let file = world.path("suggested-plan.json");
                let (_, made) = world.json(&[&own[..], &["--output", file.to_str().unwrap()]].concat());
                let decisions = &made["head"]["decisions"];
                let of = |name: &str| decisions[name].as_u64().unwrap_or(0);
                (of("change") + of("hold"), made.to_string())
            }
            "rollout" => {
                let (_, run) = world.json(&[&own[..], &["--dry-run", "--yes"]].concat());
                (run["summary"]["not_sealed"].as_u64().unwrap(), run["summary"].to_string())
            }
            "rollback" => {
                let (_, run) = world.json(&[&own[..], &["--dry-run"]].concat());
                // A rehearsal names what it would restore; a rollout names what it changed.
                let about = if document["run"]["kind"] == "rollback" { "not_restored" } else { "buckets" };
                (run["summary"][about].as_u64().unwrap(), run["summary"].to_string())
            }
            other => panic!("no count is known of {other}"),
        };
        assert_eq!(counts, *buckets, "{}\n{says}", words.join(" "));
    }
    commands.len()
}

fn without_place(words: &[String]) -> Vec<&str> {
    let mut own = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--config" | "--state" => drop(rest.next()),
            word => own.push(word),
        }
    }
    own
}

#[test]
fn a_narrowed_run_suggests_commands_about_the_same_buckets() {
    let world = World::of(SPEC);
    let (_, all) = world.json(&["audit"]);
    let unsealed = |document: &Value| -> Vec<Value> {
        let findings = document["findings"].as_array().unwrap();
        findings.iter().filter(|finding| finding["verdict"] == "not_sealed").cloned().collect()
    };
    let candidate = &unsealed(&all)[0];
    let of = |name: &str| candidate[name].as_str().unwrap().to_owned();
    let (account, region, bucket) = (of("account"), of("region"), of("bucket"));
    let others = format!("!{account}");
    let set = "limits.accounts=3";
    for selection in [
        vec!["--bucket", &bucket],
        vec!["--account", &account, "--region", &region],
        vec!["--set", set],
        vec!["--bucket", "*", "--account", &others],
    ] {
        for command in [&["audit"][..], &["rollout", "--dry-run"]] {
            let (_, run) = world.json(&[command, &selection].concat());
            let said = unsealed(&run).len() as u64;
            assert!(said > 0, "{selection:?}");
            let commands = counted(&run);
            assert!(commands.iter().any(|(words, buckets)| words[0] == "plan" && *buckets == said), "{commands:?}");
            assert!(hold_to_their_word(&world, &run) > 0);
            if selection.contains(&set) {
                assert!(run["next"].to_string().contains("--set limits.accounts=3"), "{:#}", run["next"]);
            }
            // Nothing leads around the approval of a plan.
            assert!(commands.iter().all(|(words, _)| words[0] != "rollout"), "{commands:?}");
            // The report of the run suggests the same as the run did.
            let (_, again) = world.json(&["report", "--campaign", run["run"]["id"].as_str().unwrap()]);
            assert_eq!(again["next"], run["next"]);
        }
    }
    // A part of a run is no reason for commands about the whole.
    let (_, part) = world.json(&["report", "--bucket", &bucket, "--campaign", all["run"]["id"].as_str().unwrap()]);
    assert_eq!(counted(&part), [], "{:#}", part["next"]);
}

#[test]
fn a_rehearsed_rollback_of_a_wave_suggests_the_rollback_of_that_wave() {
    let world = World::of(SPEC);
    world.edit(|text| {
        format!("{text}\n[[waves]]\nname = \"first\"\naccounts_percent = 34\n\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\n")
    });
    let (_, rollout) = world.json(&["rollout", "--yes"]);
    let campaign = rollout["campaign"].as_str().unwrap().to_owned();
    assert!(hold_to_their_word(&world, &rollout) > 0, "{:#}", rollout["next"]);
    let (_, whole) = world.json(&["rollback", "--dry-run"]);
    let (_, wave) = world.json(&["rollback", "--wave", "1", "--dry-run"]);
    let (whole, first) = (&counted(&whole)[0], &counted(&wave)[0]);
    assert!(first.1 < whole.1, "{first:?} {whole:?}");
    assert_eq!(without_place(&first.0), ["rollback", "--campaign", &campaign, "--wave", "1"]);
    hold_to_their_word(&world, &wave);
    let (_, restored) = world.json(&["rollback", "--wave", "1", "--yes"]);
    assert_eq!(restored["summary"]["restored"], first.1);
}

#[test]
fn a_rehearsed_plan_suggests_the_same_plan_and_waves() {
    let world = World::of(SPEC);
    world.edit(|text| {
        format!("{text}\n[[waves]]\nname = \"first\"\naccounts_percent = 34\n\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\n")
    });
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    world.json(&["plan", "--output", file]);
    let (_, all) = world.json(&["rollout", "--plan", file, "--dry-run"]);
    let (_, first) = world.json(&["rollout", "--plan", file, "--dry-run", "--until-wave", "1"]);
    hold_to_their_word(&world, &all);
    let (all, first) = (counted(&all)[0].clone(), counted(&first)[0].clone());
    assert!(first.1 < all.1, "{first:?} {all:?}");
    assert!(first.0.join(" ").contains("--until-wave 1"), "{first:?}");
}

/// The commands between backticks, and those that stand on a line of their own.
fn printed(run: &Run) -> Vec<String> {
    let text = format!("{} {}", unbroken(&run.stdout), unbroken(&run.stderr.replace('|', " ")));
    let quoted = text.split('`').skip(1).step_by(2).filter(|part| part.starts_with("orgseal "));
    let lines = run.stdout.lines().map(str::trim).filter(|line| line.starts_with("orgseal "));
    quoted.chain(lines).map(str::to_owned).collect()
}

#[test]
fn every_printed_command_finds_the_same_campaign_file_and_ledger() {
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "plain", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    ));
    let mut checked = 0;
    let mut check = |arguments: &[&str]| {
        let run = world.run(arguments);
        for command in printed(&run) {
            let is_of_files = ["orgseal sandbox", "orgseal config", "orgseal bootstrap render"];
            if is_of_files.iter().any(|start| command.starts_with(start)) {
                continue;
            }
            assert!(command.contains(" --config ") && command.contains(" --state "), "{arguments:?}: {command}");
            checked += 1;
        }
    };
    // Nothing there yet, and nobody to ask.
    for arguments in [
        &["status"][..],
        &["report"],
        &["resume", "--yes"],
        &["rollback", "--yes"],
        &["rollback", "--cancel"],
        &["rollout"],
        &["bootstrap", "deploy"],
        &["bootstrap", "destroy"],
        &["bootstrap", "remediation", "on"],
        &["bootstrap", "diff"],
        &["preflight"],
        &["audit"],
        &["plan", "--output", world.path("plan.json").to_str().unwrap()],
        &["rollout", "--plan", world.path("none.json").to_str().unwrap(), "--yes"],
    ] {
        check(arguments);
    }
    // A campaign that stopped halfway, one more that runs into it, and what a key that is not usable leaves.
    let mut killed = world.command(&["rollout", "--yes"]);
    killed.env("ORGSEAL_FAIL_POINT", "after_start");
    assert_eq!(killed.output().unwrap().status.code(), None);
    for arguments in [&["runs"][..], &["status"], &["report"], &["rollout", "--dry-run"]] {
        check(arguments);
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn a_suggested_look_before_a_deployment_is_about_the_same_accounts_through_the_same_role() {
    let world = World::of(SPEC);
    for verb in ["deploy", "destroy"] {
        let through = "OrganizationAccountAccessRole";
        let run = world.run(&["bootstrap", verb, "--through", through, "--account", "a*"]);
        let commands = printed(&run);
        assert_eq!((run.code, commands.len()), (1, 1), "{}", run.stderr);
        assert!(commands[0].contains(&format!("--through {through} --account='a*'")), "{commands:?}");
    }
}

#[test]
fn the_hint_of_a_recorded_bucket_resumes_that_campaign() {
    let spec = two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, "");
    let world = World::of(&format!("{spec}\n[[fault]]\nkind = \"automation_fail\""));
    let (_, rollout) = world.json(&["rollout", "--yes"]);
    let campaign = rollout["campaign"].as_str().unwrap();
    let hint = crate::world::finding(&rollout, "logs")["error"]["hint"].as_str().unwrap().to_owned();
    let command = hint.split('`').find(|part| part.starts_with("orgseal ")).unwrap_or_else(|| panic!("{hint}"));
    assert!(command.contains(&format!("--campaign {campaign}")) && command.contains(" --state "), "{command}");
    let (_, again) = world.json(&["report"]);
    assert_eq!(crate::world::finding(&again, "logs")["error"]["hint"], hint.as_str());
}
