//! The campaign file as a person meets it: what is wrong is named with file, line and what to write instead.

use crate::world::{World, binary};

#[test]
fn a_wrong_campaign_file_is_refused_before_anything_runs() {
    let world = World::of("accounts = 3\nbuckets_per_account = 1");
    world.edit(|text| text.replace("[limits]", "[limits]\nexecutionss_per_account = 4"));
    let run = world.run(&["audit"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("unknown setting `limits.executionss_per_account`"), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean `executions_per_account`?"), "{}", run.stderr);
    assert!(run.stderr.contains("campaign.toml:"), "{}", run.stderr);
    assert_eq!(world.sandbox.counters().all(), 0);
}

#[test]
fn check_names_every_problem_in_json_too() {
    let world = World::of("accounts = 3\nbuckets_per_account = 1");
    assert_eq!(world.run(&["config", "check"]).code, 0);
    world.edit(|text| {
        text.replace("[limits]", "[limits]\naccounts = 0\nreads_per_account = 0").replacen("accounts = 20\n", "", 1)
    });
    let (code, document) = world.json(&["config", "check"]);
    assert_eq!(code, 1);
    assert_eq!(document["schema"], "orgseal.config-check/1");
    assert_eq!(document["problems"].as_array().unwrap().len(), 2, "{document:#}");
    assert!(document["problems"][0]["line"].as_u64().unwrap() > 1);
}

#[test]
fn the_schema_that_ships_is_the_schema_of_the_types() {
    let home = tempfile::TempDir::new().unwrap();
    let output = binary(home.path()).args(["config", "schema"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let shipped = include_str!("../../config/orgseal.schema.json");
    assert_eq!(printed, shipped, "write it anew: orgseal config schema > config/orgseal.schema.json");
}

#[test]
fn a_variable_lays_a_value_over_the_file() {
    let world = World::of("accounts = 3\nbuckets_per_account = 1");
    let output = world.command(&["config", "check"]).env("ORGSEAL_LIMITS__ACCOUNTS", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ORGSEAL_LIMITS__ACCOUNTS"));
    for (name, code) in [("PUBLIC_ACCESS", 0), ("OPT_OUT_TAG", 1), ("NO_SUCH_GUARD", 1)] {
        let mut command = world.command(&["config", "check"]);
        let output = command.env(format!("ORGSEAL_GUARDS__{name}"), "warn").output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
