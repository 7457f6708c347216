//! What a command line names is what a run is about, no more and no less; what nothing answers to is an error.

use std::collections::BTreeSet;

use crate::world::{World, two_members};

fn world() -> World {
    World::of(&two_members(
        r#"{ name = "app-a", encryption = "sse_s3" }, { name = "app-tmp", encryption = "sse_s3" },
           { name = "far", region = "eu-west-1", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }, { name = "asia", region = "ap-southeast-2", encryption = "sse_s3" }"#,
    ))
}

/// The OU right above an account.
fn ou_of(world: &World, account: &str) -> String {
    let account = world.sandbox.accounts().into_iter().find(|one| one.id == account).unwrap();
    account.path.split('/').rfind(|part| part.starts_with("ou-")).unwrap().to_owned()
}

#[test]
fn patterns_take_in_and_leave_out() {
    let world = world();
    let ou = ou_of(&world, "555555555551");
    let below: Vec<_> =
        world.sandbox.accounts().into_iter().filter(|one| one.path.contains(&ou)).map(|one| one.id).collect();
    let of_the_ou = match below.contains(&"555555555552".to_owned()) {
        true => vec!["app-a", "app-tmp", "far", "reports", "asia"],
        false => vec!["app-a", "app-tmp", "far"],
    };
    let not_of_it =
        ["app-a", "app-tmp", "far", "reports", "asia"].into_iter().filter(|name| !of_the_ou.contains(name)).collect();
    let out = format!("!{ou}");
    let cases: Vec<(Vec<&str>, Vec<&str>)> = vec![
        (vec!["--account", "payments"], vec!["app-a", "app-tmp", "far"]),
        (vec!["--account", "*2"], vec!["reports", "asia"]),
        (vec!["--account", "pay*", "--account", "555555555552"], vec!["app-a", "app-tmp", "far", "reports", "asia"]),
        (vec!["--account", "!pay*"], vec!["reports", "asia"]),
        (vec!["--ou", &ou], of_the_ou),
        (vec!["--ou", &out], not_of_it),
        (vec!["--region", "eu-*"], vec!["far"]),
        (vec!["--region", "!eu-*", "--region", "!ap-*"], vec!["app-a", "app-tmp", "reports"]),
        (vec!["--bucket", "app-*", "--bucket", "!app-tmp*"], vec!["app-a"]),
        (vec!["--bucket", "?ar"], vec!["far"]),
        (vec!["--account", "payments", "--region", "us-east-1", "--bucket", "!*tmp"], vec!["app-a"]),
    ];
    for (flags, buckets) in cases {
        for command in [&["audit"][..], &["rollout", "--dry-run"]] {
            let (_, document) = world.json(&[command, &flags].concat());
            let found: BTreeSet<_> = document["findings"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| one["bucket"].as_str().unwrap())
                .collect();
            assert_eq!(found, buckets.iter().copied().collect(), "{command:?} {flags:?}");
        }
    }
}

#[test]
fn a_narrowed_rollout_changes_what_it_names_alone() {
    let world = world();
    let (code, document) = world.json(&["rollout", "--yes", "--bucket", "app-*", "--bucket", "!app-tmp"]);
    assert_eq!((code, document["run"]["selection"].as_str()), (0, Some("bucket app-*, !app-tmp")), "{document:#}");
    let sealed: Vec<_> =
        world.sandbox.buckets().into_iter().filter(|bucket| world.is_sealed(bucket)).map(|one| one.name).collect();
    assert_eq!(sealed, ["app-a"]);
}

#[test]
fn a_narrowed_plan_narrows_its_rollout() {
    let world = world();
    let (_, plan) = world.json(&["plan", "--output", "plan.json", "--region", "eu-*"]);
    assert_eq!((&plan["head"]["selection"], &plan["head"]["decisions"]["change"]), (&"region eu-*".into(), &1.into()));
    let sha256 = plan["sha256"].as_str().unwrap();
    let (code, document) =
        world.json(&["rollout", "--yes", "--plan", "plan.json", "--plan-sha256", sha256, "--region", "eu-*"]);
    assert_eq!((code, document["summary"]["buckets"].as_u64()), (0, Some(1)));
    // Without the selection the others are seen as well, and left alone.
    let (code, document) = world.json(&["rollout", "--yes", "--plan", "plan.json", "--plan-sha256", sha256]);
    assert_eq!((code, document["summary"]["held"].as_u64(), world.sandbox.executions().len()), (2, Some(4), 1));
}

#[test]
fn what_nothing_answers_to_is_an_error() {
    let world = world();
    for flags in [
        &["--account", "nobody"][..],
        &["--account", "payments", "--account", "webb*"],
        &["--account", "!*"],
        &["--ou", "ou-none-none"],
        &["--region", "mars-*"],
        &["--bucket", "nope"],
        &["--bucket", "no*", "--bucket", "!reports"],
        &["--account", "payments", "--bucket", "reports"],
    ] {
        for command in [&["audit"][..], &["plan", "--output", "plan.json"], &["rollout", "--yes"]] {
            let run = world.run(&[command, flags].concat());
            assert_eq!(run.code, 1, "{command:?} {flags:?}: {}", run.stderr);
            assert!(
                run.stderr.contains("matches no") || run.stderr.contains("is not in this organization"),
                "{flags:?}: {}",
                run.stderr
            );
        }
        assert!(!world.path("plan.json").exists(), "{flags:?}");
    }
    assert!(world.sandbox.executions().is_empty());
    // Of several that are named, the one that is nowhere is told of.
    let run = world.run(&["rollout", "--yes", "--bucket", "reports", "--bucket", "raports"]);
    assert!(run.code == 0 && run.stderr.contains("no account of the selection has a bucket raports"), "{}", run.stderr);
}

#[test]
fn a_pattern_that_covers_nothing_is_told_of() {
    let world = world();
    // Whoever is to be left out and is not would be changed.
    for flags in [["--account", "!paymnts"], ["--ou", "!ou-ab12-nosuch00"]] {
        let run = world.run(&[&["rollout", "--dry-run", "--yes"][..], &flags].concat());
        assert_eq!(run.code, 1, "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(flags[1]), "{}", run.stderr);
    }
    for pattern in ["--bucket !ap-*", "--bucket ap-*", "--region !eu-wst-1", "--region eu-wst-1"] {
        let (flag, written) = pattern.split_once(' ').unwrap();
        let run = world.run(&["audit", "--bucket", "app-a", "--region", "us-*", flag, written]);
        assert_eq!(run.code, 2, "{pattern}: {}", run.stderr);
        assert!(run.stderr.contains(&format!("{pattern} covers no bucket")), "{pattern}: {}", run.stderr);
        assert!(!run.stderr.contains("--bucket app-a covers"), "{}", run.stderr);
    }
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    for command in ["report", "status"] {
        for (flags, code) in [
            (vec!["--account", "payments"], 0),
            (vec!["--account", "paymnts"], 1),
            (vec!["--account", "payments", "--bucket", "reports"], 1),
            (vec!["--account", "payments", "--region", "eu-west-*", "--bucket", "far"], 0),
            (vec!["--bucket", "fra"], 1),
            (vec!["--bucket", "far", "--bucket", "fra"], 1),
            (vec!["--region", "eu-wst-1"], 1),
            (vec!["--ou", "ou-ab12-nosuch00"], 1),
        ] {
            let run = world.run(&[&[command][..], &flags].concat());
            assert_eq!(run.code, code, "{command} {flags:?}: {}{}", run.stdout, run.stderr);
            assert!(code == 0 || run.stderr.contains("knows nothing of"), "{command} {flags:?}: {}", run.stderr);
        }
    }
}
