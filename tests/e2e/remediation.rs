//! AWS Config seals by itself where a campaign is over, and leaves alone what a person, a guard or a rollback left.

use serde_json::{Value, json};

use crate::world::{Run, World, sse_s3, two_members, unbroken, wait_until};

const PAYMENTS: &str = "555555555551";
const ANALYTICS: &str = "555555555552";
const RULE: &str = "orgseal-seal-by-itself";
const EXEMPTIONS: &str = r#"
[[exemption]]
accounts = ["payments"]
buckets = ["exempted"]
reason = "a vendor reads it"
owner = "payments@example.com"
ticket = "PAY-1"
until = "2099-01-01"
"#;

fn as_management(world: &World, arguments: &[&str]) -> Run {
    let way = ["--through", "OrganizationAccountAccessRole"];
    world.as_management(&[&["bootstrap", "remediation"][..], arguments, &way].concat())
}

fn world() -> World {
    let world = World::of(&two_members(
        r#"{ name = "letters", encryption = "sse_s3" }, { name = "team", encryption = "customer_key" },
           { name = "exempted", encryption = "sse_s3" }, { name = "undone", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    ));
    std::fs::write(world.path("exemptions.toml"), EXEMPTIONS).unwrap();
    world.edit(|text| format!("exemptions = \"exemptions.toml\"\n{text}"));
    world
}

fn excepted(world: &World) -> Vec<String> {
    world.sandbox.remediation_exceptions(PAYMENTS, "us-east-1", RULE)
}

#[test]
fn drift_is_sealed_by_itself_and_what_was_left_stays_left() {
    let world = world();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 2, "one is held");
    assert_eq!(world.run(&["rollback", "--yes", "--bucket", "undone"]).code, 0);
    // Somebody puts a bucket on another key before it is switched on: whose it is, nobody knows.
    world.sandbox.set_bucket_encryption("reports", sse_s3()).unwrap();
    let left: Vec<_> = ["team", "exempted", "undone"].map(|name| world.bucket(name).encryption).into();
    let run = as_management(&world, &["on", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let done: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&done["switched"], &done["failed"]), (&json!("on"), &json!(0)));
    assert_eq!(excepted(&world), ["exempted", "team", "undone"]);
    assert!(unbroken(&run.stderr).contains("3 buckets are known to be left alone"), "{}", run.stderr);

    world.sandbox.set_bucket_encryption("letters", sse_s3()).unwrap();
    wait_until("sealed by itself", || world.is_sealed(&world.bucket("letters")));
    assert_eq!(world.bucket("reports").encryption, sse_s3());
    assert_eq!(world.sandbox.remediation_exceptions(ANALYTICS, "us-east-1", RULE), ["reports"]);
    // Whoever touches what is left alone does not wake it.
    world.sandbox.set_bucket_encryption("undone", sse_s3()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(left, Vec::from(["team", "exempted", "undone"].map(|name| world.bucket(name).encryption)));
    // A preflight and a rollback say that it is on.
    let (_, preflight) = world.json(&["preflight"]);
    assert!(preflight.to_string().contains(RULE));

    let run = as_management(&world, &["off", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    world.sandbox.set_bucket_encryption("letters", sse_s3()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(world.bucket("letters").encryption, sse_s3());
    assert!(!world.json(&["preflight"]).1.to_string().contains(RULE));
}

#[test]
fn where_a_campaign_is_not_over_nothing_is_switched_on() {
    let world = world();
    let run = as_management(&world, &["on", "--yes"]);
    assert!(run.code == 1 && !run.stderr.is_empty(), "{}", run.stderr);
    assert_eq!(world.run(&["audit"]).code, 2);
    let run = as_management(&world, &["on", "--yes"]);
    assert!(run.code == 1 && run.stderr.contains("there is no campaign"), "{}", run.stderr);
    // One account is over, the other is not: a bucket of it failed.
    let fault = orgseal_sandbox::Fault::new(orgseal_sandbox::FaultKind::AutomationFail);
    let filter = orgseal_sandbox::FaultFilter { account: Some(PAYMENTS.into()), ..Default::default() };
    world.sandbox.set_faults(vec![orgseal_sandbox::Fault { filter, ..fault }]).unwrap();
    let tolerant = ["--set", "failure_tolerance.buckets=100%", "--set", "failure_tolerance.accounts=100%"];
    assert_eq!(world.run(&[&["rollout", "--yes"][..], &tolerant].concat()).code, 3);
    let run = as_management(&world, &["on", "--yes", "--json"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let said = unbroken(&run.stderr);
    assert!(said.contains("left out: account 555555555551, since 2 buckets of it are not finished"), "{said}");
    let places: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(places["places"].as_array().unwrap().iter().all(|place| place["account"] != PAYMENTS), "{places:#}");
    assert!(excepted(&world).is_empty());
}

#[test]
fn what_the_newest_campaign_does_not_say_is_not_taken_from_an_older_one() {
    let world = world();
    let on = |more: &[&str]| as_management(&world, &[&["on", "--yes"][..], more].concat());
    assert_eq!(world.run(&["rollout", "--yes", "--bucket", "letters"]).code, 0);
    let run = on(&[]);
    assert!(run.code == 1 && run.stderr.contains("covers only"), "{}", run.stderr);
    let (_, first) = world.json(&["rollout", "--yes"]);
    // Another key than the buckets were sealed with.
    let other = world.create_key("us-east-1");
    let run = on(&["--set", &format!("central_key.us-east-1={other}")]);
    assert!(run.code == 1 && run.stderr.contains("[central_key]"), "{}", run.stderr);
    // A newer campaign that is not over counts, whichever is named.
    world.edit(|text| format!("{text}\n[[waves]]\nname = \"first\"\naccounts = [\"analytics\"]\n[[waves]]\nname = \"rest\"\naccounts_percent = 100\napproval = true\n"));
    world.sandbox.set_bucket_encryption("letters", sse_s3()).unwrap();
    world.sandbox.set_bucket_encryption("reports", sse_s3()).unwrap();
    assert_eq!(world.run(&["rollout", "--yes", "--until-wave", "1"]).code, 3);
    let run = on(&[]);
    assert!(run.code == 1 && run.stderr.contains("is not finished"), "{}", run.stderr);
    let run = on(&["--campaign", first["campaign"].as_str().unwrap()]);
    assert!(run.code == 1 && run.stderr.contains("is not the newest campaign"), "{}", run.stderr);
    assert!(excepted(&world).is_empty());
    assert_eq!(world.bucket("letters").encryption, sse_s3());
}

#[test]
fn a_region_that_is_left_out_stays_as_it_is() {
    let world = world();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 2);
    let run = as_management(&world, &["on", "--yes", "--json", "--region", "eu-west-1"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let done: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(done["places"].as_array().unwrap().iter().all(|place| place["region"] == "eu-west-1"), "{done:#}");
    assert!(excepted(&world).is_empty());
    // Destroying the groundwork takes the rules with it.
    let run =
        world.as_management(&["bootstrap", "destroy", "--yes", "--json", "--through", "OrganizationAccountAccessRole"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stdout.contains(RULE), "{}", run.stdout);
    assert!(!world.json(&["preflight"]).1.to_string().contains(RULE));
}
