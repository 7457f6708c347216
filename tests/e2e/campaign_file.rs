//! The campaign file as a person meets it: what is wrong is named with file, line and what to write instead.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::{Run, World, binary, unbroken};

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

const SMALL: &str = "accounts = 3\nbuckets_per_account = 1\nsuspended = 0\nwithout_member_role = 0";

/// The binary in a directory, pointed at a world, without --config.
fn in_directory(world: &World, directory: &Path, arguments: &[&str]) -> Run {
    let (access_key, secret_key) = world.sandbox.credentials();
    let mut command = binary(directory);
    command
        .args(arguments)
        .env("AWS_ENDPOINT_URL", world.sandbox.endpoint())
        .env("AWS_ACCESS_KEY_ID", access_key)
        .env("AWS_SECRET_ACCESS_KEY", secret_key)
        .env("AWS_REGION", world.sandbox.region());
    command.output().unwrap().into()
}

#[test]
fn without_config_the_file_of_the_directory_is_read_and_named() {
    let world = World::of(SMALL);
    let home = tempfile::TempDir::new().unwrap();
    let run = in_directory(&world, home.path(), &["audit"]);
    assert_eq!(run.code, 1);
    assert!(unbroken(&run.stderr).contains("neither orgseal.toml nor config/orgseal.toml exists"), "{}", run.stderr);
    std::fs::create_dir(home.path().join("config")).unwrap();
    for name in ["config/orgseal.toml", "orgseal.toml"] {
        std::fs::copy(world.campaign_file(), home.path().join(name)).unwrap();
        let run = in_directory(&world, home.path(), &["audit"]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.lines().any(|line| line.ends_with(&format!("campaign file: {name}"))), "{}", run.stderr);
        let run = in_directory(&world, home.path(), &["config", "check"]);
        assert!(run.code == 0 && run.stdout.contains(&format!("campaign file {name} is valid")), "{}", run.stdout);
    }
    let run = in_directory(&world, home.path(), &["audit", "--help"]);
    assert!(unbroken(&run.stdout).contains("[default: orgseal.toml, otherwise config/orgseal.toml"), "{}", run.stdout);
}

#[test]
fn the_shipped_example_never_calls_aws() {
    let home = tempfile::TempDir::new().unwrap();
    let example = include_str!("../../config/orgseal.toml");
    std::fs::write(home.path().join("orgseal.toml"), example).unwrap();
    for arguments in [&["audit"][..], &["rollout", "--yes"], &["preflight"], &["bootstrap", "diff"]] {
        // Neither credentials nor a Region: the file comes first. An endpoint elsewhere is AWS, too.
        for endpoint in [None, Some("https://vpce.example.com")] {
            let mut command = binary(home.path());
            command.args(arguments).envs(endpoint.map(|endpoint| ("AWS_ENDPOINT_URL", endpoint)));
            let run: Run = command.output().unwrap().into();
            assert_eq!(run.code, 1, "{arguments:?}");
            let said = unbroken(&run.stderr);
            assert!(said.contains("this is the shipped example") && said.contains("key/1234abcd"), "{said}");
        }
    }
    let run: Run = binary(home.path()).args(["config", "check"]).output().unwrap().into();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let with_id = example.replace("# id = \"o-a1b2c3d4e5\"", "id = \"o-a1b2c3d4e5\"");
    std::fs::write(home.path().join("orgseal.toml"), with_id).unwrap();
    let run: Run = binary(home.path()).args(["bootstrap", "render", "out"]).output().unwrap().into();
    assert_eq!(run.code, 0, "{}", run.stderr);
    // On this machine it may be tried.
    let world = World::of(SMALL);
    let run = in_directory(&world, home.path(), &["audit"]);
    assert!(run.code == 1 && !run.stderr.contains("shipped example"), "{}", run.stderr);
}

#[test]
fn the_file_is_checked_before_credentials_and_region() {
    let home = tempfile::TempDir::new().unwrap();
    let wrong = include_str!("../../config/orgseal.toml").replace("accounts = 20", "accounts = 0");
    std::fs::write(home.path().join("orgseal.toml"), wrong).unwrap();
    let run: Run = binary(home.path()).arg("audit").env("AWS_PROFILE", "nobody").output().unwrap().into();
    assert!(run.code == 1 && run.stderr.contains("limits.accounts is 0"), "{}", run.stderr);
}

#[test]
fn a_key_that_is_to_be_created_is_valid_for_bootstrap_only() {
    let world = World::of(SMALL);
    let key = world.key("us-east-1");
    let id = key.rsplit('/').next().unwrap().to_owned();
    world.edit(|text| text.replace(&id, "NEW"));
    let run = world.run(&["config", "check"]);
    assert!(run.code == 0 && unbroken(&run.stderr).contains("valid for bootstrap only"), "{}", run.stderr);
    let before = world.sandbox.counters().all();
    for arguments in [&["plan"][..], &["rollout", "--yes"], &["resume", "--yes"]] {
        let run = world.run(arguments);
        assert!(run.code == 1 && unbroken(&run.stderr).contains("valid for bootstrap only"), "{}", run.stderr);
    }
    assert_eq!(world.sandbox.counters().all(), before);
    assert!(unbroken(&world.run(&["audit"]).stderr).contains("valid for bootstrap only"));
    // Where the key's ARN goes is checked before the organization is read.
    let elsewhere = format!("central_key.us-east-1={}", key.replace(&id, "NEW"));
    world.edit(|text| text.replace(&key.replace(&id, "NEW"), &key));
    let listed = || world.sandbox.counters().totals("organizations", "ListAccounts");
    let before = listed();
    let run = world.run(&["bootstrap", "deploy", "--yes", "--set", &elsewhere]);
    assert!(run.code == 1 && unbroken(&run.stderr).contains("no key was made"), "{}", run.stderr);
    assert_eq!(listed(), before);
}

#[test]
fn a_misspelt_region_is_told_as_such() {
    let world = World::of(SMALL);
    let before = world.sandbox.counters().totals("organizations", "ListAccounts");
    let run = world.run(&["rollout", "--yes", "--region", "us-eats-1"]);
    let said = unbroken(&run.stderr);
    assert!(run.code == 1 && said.contains("--region us-eats-1 matches no Region"), "{said}");
    assert!(said.contains("did you mean us-east-1?"), "{said}");
    assert_eq!(world.sandbox.counters().totals("organizations", "ListAccounts"), before);
    // To leave out what is misspelt leaves nothing out.
    let run = world.run(&["audit", "--region", "!us-eats-1"]);
    assert!(unbroken(&run.stderr).contains("warning: --region !us-eats-1 matches no Region"), "{}", run.stderr);

    let mut command = world.command(&["audit"]);
    let run: Run =
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_REGION", "us-eats-1").output().unwrap().into();
    let said = unbroken(&run.stderr);
    assert!(run.code == 1 && said.contains("AWS_REGION is us-eats-1, which is not a Region"), "{said}");
    assert!(said.contains("set AWS_REGION to us-east-1"), "{said}");
    let key = world.key("us-east-1").replace("us-east-1", "us-eats-1");
    world.edit(|text| text.replace("[central_key]", &format!("[central_key]\nus-eats-1 = \"{key}\"")));
    let run = world.run(&["config", "check"]);
    assert!(run.code == 0 && unbroken(&run.stderr).contains("`us-eats-1` is not a Region that"), "{}", run.stderr);
}

/// A variable that is set is meant: it counts, or the command says that it does not.
#[test]
fn no_variable_is_passed_over_in_silence() {
    let world = World::of(SMALL);
    let with = |name: &str, value: &str| -> Run {
        world.command(&["config", "check"]).env(name, value).output().unwrap().into()
    };
    let run = with("ORGSEAL_EXEMPTIONS", "nowhere.toml");
    assert!(run.code == 1 && run.stderr.contains("nowhere.toml"), "{}", run.stderr);
    let run = with("ORGSEAL_REGIONS", "[\"us-west-2\"]");
    assert!(run.code == 1 && run.stderr.contains("no central key for us-west-2"), "{}", run.stderr);
    let run = with("ORGSEAL_ACCOUNT", "payments");
    assert!(run.code == 1 && run.stderr.contains("--account"), "{}", run.stderr);
    let run = with("ORGSEAL_EXEMPTION", "x.toml");
    assert!(run.code == 1 && run.stderr.contains("use ORGSEAL_EXEMPTIONS if"), "{}", run.stderr);
    let run = with("ORGSEAL_IMAGE_VERSION", "1");
    assert!(run.code == 0 && run.stderr.contains("ORGSEAL_IMAGE_VERSION has no effect"), "{}", run.stderr);
    for name in ["ORGSEAL_SERVICE_HOST", "ORGSEAL_PORT_8080_TCP", "ORGSEAL_BIN"] {
        let run = with(name, "x");
        assert!(run.code == 0 && run.stderr.is_empty(), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_device_is_refused_and_a_process_substitution_is_read() {
    let world = World::of(SMALL);
    let home = tempfile::TempDir::new().unwrap();
    let check = |arguments: &[&str]| -> Run { binary(home.path()).args(arguments).output().unwrap().into() };
    for arguments in [
        &["config", "check", "--config", "/dev/zero"][..],
        &["audit", "--config", "/dev/zero"],
        &["audit", "--sandbox=/dev/zero"],
        &["sandbox", "--spec", "/dev/zero"],
    ] {
        let run = check(arguments);
        assert!(run.code == 1 && run.stderr.contains("it is a device"), "{arguments:?}: {}", run.stderr);
    }
    world.edit(|text| format!("exemptions = \"/dev/zero\"\n{text}"));
    let run = check(&["config", "check", "--config", world.campaign_file().to_str().unwrap()]);
    assert!(run.code == 1 && run.stderr.contains("it is a device"), "{}", run.stderr);
    world.edit(|text| text.replace("exemptions = \"/dev/zero\"\n", ""));
    let script = format!(
        "{} config check --config <(sleep 0.2; cat {})",
        env!("CARGO_BIN_EXE_orgseal"),
        world.campaign_file().display()
    );
    let output = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).current_dir(home.path()).output();
    let run: Run = output.unwrap().into();
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_file_with_thousands_of_problems_names_twenty() {
    let world = World::of(SMALL);
    let waves = "[[waves]]\nname = \"w\"\naccounts_percent = 0\n".repeat(8_000);
    world.edit(|text| format!("{text}\n{waves}"));
    let began = std::time::Instant::now();
    let (code, document) = world.json(&["config", "check"]);
    assert_eq!(code, 1);
    assert_eq!(document["problems"].as_array().unwrap().len(), 20);
    assert_eq!(document["more_problems"], 15_979);
    let run = world.run(&["config", "check"]);
    assert!(run.stderr.contains("15979 more problems are not shown"), "{}", run.stderr);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
