//! What is out of scope is stated: directory buckets (S3 Express One Zone), S3 Tables and S3 on Outposts. Directory buckets are
//! counted where the campaign asks for it.

use serde_json::{Value, json};

use crate::world::World;

const ORGANIZATION: &str = r#"
accounts = 4
suspended = 0
without_member_role = 0
buckets_per_account = 0
regions = ["us-east-1", "eu-west-1"]
[[account]]
name = "payments"
id = "555555555551"
directory_buckets = [
  { name = "a--use1-az4--x-s3" }, { name = "b--use1-az4--x-s3" }, { name = "c--euw1-az1--x-s3", region = "eu-west-1" },
]
[[account.buckets]]
name = "letters"
encryption = "sealed"
[[account]]
name = "analytics"
id = "555555555552"
directory_buckets = [{ name = "d--use1-az4--x-s3" }]
[[account.buckets]]
name = "reports"
encryption = "sealed"
"#;
const SAYS: &str = "directory buckets (S3 Express One Zone), S3 Tables, and S3 on Outposts";

/// The member role of an account may list directory buckets, or may not.
fn allow(world: &World, account: &str, lists: bool) {
    let mut actions = vec!["s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration"];
    if lists {
        actions.push("s3express:ListAllMyDirectoryBuckets");
    }
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    world.sandbox.set_role_policy(account, "orgseal-member", &policy.to_string()).unwrap();
}

fn account<'a>(document: &'a Value, id: &str) -> &'a Value {
    document["accounts"].as_array().unwrap().iter().find(|account| account["id"] == id).unwrap()
}

#[test]
fn every_report_and_the_help_say_what_is_out_of_scope() {
    let world = World::of(ORGANIZATION);
    let help = world.run(&["audit", "--help"]);
    assert!(help.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(SAYS), "{}", help.stdout);
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 0, "it is stated, and changes no exit code");
    let scope = &document["summary"]["out_of_scope"];
    assert_eq!(scope["kinds"], json!(["directory_buckets", "s3_tables", "s3_on_outposts"]));
    assert!(scope["says"].as_str().unwrap().contains(SAYS));
    assert_eq!((&scope["directory_buckets"], &scope["accounts_not_counted"]), (&Value::Null, &Value::Null));
    assert_eq!(world.sandbox.counters().totals("s3", "ListDirectoryBuckets"), 0, "nobody asked for a count");
    for format in ["terminal", "json", "csv", "html"] {
        let report = world.run(&["report", "--format", format]);
        let text = report.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(SAYS), "{format}: {text}");
    }
    let csv = world.run(&["report", "--format", "csv"]).stdout;
    let lines = csv.lines().filter(|line| line.contains("out_of_scope")).count();
    assert_eq!(lines, 3, "{csv}");
    let plan = world.run(&["plan", "--output", "plan.json"]);
    let shown = plan.stdout + &plan.stderr;
    assert!(shown.split_whitespace().collect::<Vec<_>>().join(" ").contains(SAYS), "{shown}");
}

#[test]
fn directory_buckets_are_counted_where_the_role_may_list_them() {
    let world = World::of(ORGANIZATION);
    for one in world.sandbox.accounts() {
        allow(&world, &one.id, one.name != "analytics");
    }
    let (code, document) = world.json(&["audit", "--count-out-of-scope"]);
    assert_eq!(code, 0, "what is out of scope changes no exit code");
    let scope = &document["summary"]["out_of_scope"];
    assert_eq!((&scope["directory_buckets"], &scope["accounts_not_counted"]), (&json!(3), &json!(1)));
    assert_eq!(account(&document, "555555555551")["directory_buckets"], json!({ "buckets": 3 }));
    let refused = &account(&document, "555555555552")["directory_buckets"];
    assert_eq!((&refused["buckets"], refused["unread"].as_array().unwrap().len()), (&json!(0), 2), "{refused}");
    let error = &refused["unread"][0]["error"];
    assert_eq!(error["code"], "AccessDenied");
    assert!(error["hint"].as_str().unwrap().contains("s3express:ListAllMyDirectoryBuckets"), "{error}");
    // One for each account and Region in use.
    let asked = world.sandbox.counters().totals("s3", "ListDirectoryBuckets");
    assert_eq!(asked, 4 * 2);
    let terminal = world.run(&["report"]).stdout;
    assert!(terminal.contains("555555555551 payments: 3 directory buckets"), "{terminal}");
    assert!(terminal.contains("not counted in eu-west-1 (AccessDenied), us-east-1 (AccessDenied)"), "{terminal}");
    let csv = world.run(&["report", "--format", "csv"]).stdout;
    assert!(
        csv.lines().any(|line| line.starts_with("555555555551,payments,,,out_of_scope,directory_buckets,")),
        "{csv}"
    );
    let html = world.run(&["report", "--format", "html"]).stdout;
    assert!(html.contains("Directory buckets (out of scope)"));
    assert_eq!(world.run(&["ledger", "verify"]).code, 0);
    // The campaign file does the same.
    world.edit(|text| format!("{text}\n[audit]\ncount_out_of_scope = true\n"));
    let (_, document) = world.json(&["audit"]);
    assert_eq!(document["summary"]["out_of_scope"]["directory_buckets"], 3);
}
