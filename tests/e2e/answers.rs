//! Answers that are cut off, empty or without end are no answers: what they would hide is unknown, and nothing is changed by them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{World, finding, two_members};

const CUT: &str = "555555555551";
const CYCLING: &str = "555555555552";
const READ: &str = "555555555553";

/// Two accounts whose lists of buckets are unusable, and one in which single buckets' answers are.
fn world() -> World {
    World::of(&format!(
        r#"
accounts = 5
buckets_per_account = 0
suspended = 0
without_member_role = 0
[[account]]
name = "cut"
id = "{CUT}"
buckets = [{{ name = "cut-one", encryption = "sse_s3" }}, {{ name = "cut-two", encryption = "sse_s3" }}]
[[account]]
name = "cycling"
id = "{CYCLING}"
buckets = [{{ name = "cycling-one", encryption = "sse_s3" }}]
[[account]]
name = "read"
id = "{READ}"
buckets = [
  {{ name = "blocks", encryption = "sse_s3", blocked_types = "SSE-C" }},
  {{ name = "empty", encryption = "sse_s3" }},
  {{ name = "endless", encryption = "sse_s3" }},
  {{ name = "whole", encryption = "sse_s3" }},
]
[[fault]]
kind = "truncated_body"
where = {{ operation = "ListBuckets", account = "{CUT}" }}
before = "<Bucket><Name>cut-two"
[[fault]]
kind = "cycling_token"
where = {{ operation = "ListBuckets", account = "{CYCLING}" }}
[[fault]]
kind = "truncated_body"
where = {{ operation = "GetBucketEncryption", bucket = "blocks" }}
before = "<BlockedEncryptionTypes"
[[fault]]
kind = "empty_body"
where = {{ operation = "GetBucketEncryption", bucket = "empty" }}
[[fault]]
kind = "endless_body"
where = {{ operation = "GetBucketEncryption", bucket = "endless" }}
"#
    ))
}

fn error_of<'a>(document: &'a Value, account: &str) -> &'a str {
    let accounts = document["accounts"].as_array().unwrap();
    let account = accounts.iter().find(|one| one["id"] == account).unwrap();
    assert_eq!(account["outcome"], "unread", "{account}");
    account["error"]["message"].as_str().unwrap()
}

#[test]
fn what_an_unusable_answer_hides_is_unknown_and_stays_as_it_is() {
    let world = world();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3, "{document:#}");
    let cut = error_of(&document, CUT);
    assert!(cut.starts_with("ListBuckets: the answer is cut off: element <"), "{cut}");
    let cycling = error_of(&document, CYCLING);
    assert!(cycling.contains("names the continuation token of an earlier page"), "{cycling}");
    for (bucket, says) in [
        ("blocks", "GetBucketEncryption: the answer is cut off: element <Rule> does not end"),
        ("empty", "GetBucketEncryption: the answer is empty"),
        ("endless", "GetBucketEncryption: the answer is larger than 16 MiB"),
    ] {
        let finding = finding(&document, bucket);
        assert_eq!((&finding["verdict"], &finding["reason"]), (&"unread".into(), &"read_error".into()), "{finding}");
        assert_eq!(finding["error"]["message"], says, "{finding}");
    }
    assert_eq!(finding(&document, "whole")["verdict"], "sealed");
    assert!(world.is_sealed(&world.bucket("whole")));
    let blocks = world.bucket("blocks").encryption.unwrap();
    assert_eq!((blocks.algorithm.as_str(), blocks.blocked), ("AES256", vec!["SSE-C".to_owned()]));
    // The first page of the list that never ends was an answer as any other.
    assert_eq!(finding(&document, "cycling-one")["verdict"], "sealed");
    assert_eq!(world.sandbox.executions().len(), 2);
}

const TWO: [&str; 2] = ["555555555551", "555555555552"];

fn two_buckets(fault: &str) -> World {
    let spec =
        two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, r#"{ name = "reports", encryption = "sse_s3" }"#);
    World::of(&format!("{spec}\n{fault}"))
}

#[test]
fn an_account_that_never_answers_delays_no_other_and_ends_as_unknown() {
    let world = two_buckets(&format!("[[fault]]\nkind = \"hang\"\nwhere = {{ account = \"{}\" }}", TWO[0]));
    let limits = ["--set", "limits.accounts=1", "--set", "limits.account_read_deadline=14"];
    let mut command = world.command(&[&["rollout", "--yes", "--json"], &limits[..]].concat());
    let begun = Instant::now();
    let running = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    crate::world::wait_until("the other account is changed", || world.sandbox.executions().len() == 1);
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = error_of(&document, TWO[0]);
    assert_eq!(error, format!("account {} gave no usable response for 14s", TWO[0]));
    assert_eq!(finding(&document, "reports")["verdict"], "sealed");
}

/// The run begins to change buckets while one more bucket of the same account gives no answer. Each bucket is changed by one task only.
#[test]
fn buckets_of_an_account_that_stalls_halfway_are_changed_once() {
    let stalls =
        "kind = \"slow\"\nms = 8000\nwhere = { operation = \"GetBucketEncryption\", bucket = \"stalls\" }\nfirst = 1";
    let executions = "[executions]\nmin_seconds = 3.0\nmax_seconds = 3.0";
    let spec = two_members(
        r#"{ name = "answers", encryption = "sse_s3" }, { name = "stalls", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    );
    let world = World::at_speed(&format!("{spec}\n{executions}\n[[fault]]\n{stalls}"), 1.0);
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    for bucket in ["answers", "stalls", "reports"] {
        assert_eq!(finding(&document, bucket)["verdict"], "sealed", "{document:#}");
    }
    assert_eq!(world.sandbox.executions().len(), 3);
}

#[test]
fn times_beyond_all_bounds_break_nothing() {
    for numbers in [r#"["1.8e19", "-1e300"]"#, r#"["-1e300", "1.8e19"]"#, r#"["9223372036854775807", "-1"]"#] {
        let world = two_buckets(&format!(
            "[[fault]]\nkind = \"extreme_numbers\"\nwhere = {{ operation = \"DescribeAutomationExecutions\" }}\nnumbers = {numbers}"
        ));
        let (code, document) = world.json(&["rollout", "--yes"]);
        assert_eq!(code, 0, "{numbers}: {document:#}");
        assert_eq!(finding(&document, "logs")["verdict"], "sealed", "{numbers}");
    }
}

#[test]
fn a_task_that_panics_is_a_failure_of_the_run_and_the_others_go_on() {
    let world = two_buckets("");
    let panicking = |point: &str, arguments: &[&str]| {
        let output = world.command(arguments).arg("--json").env("ORGSEAL_FAIL_POINT", point).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let document = panicking("panic-read_account", &["audit"]);
    assert_eq!(document["run"]["state"], "stopped: internal error", "{document:#}");
    let unread: Vec<&Value> =
        document["accounts"].as_array().unwrap().iter().filter(|account| account["outcome"] == "unread").collect();
    assert_eq!(unread.len(), 1, "{unread:#?}");
    assert_eq!(unread[0]["error"]["code"], "TaskLost");
    // The task that follows executions panics: nobody knows how they end, and nothing new is started.
    let document = panicking("panic-poll", &["rollout", "--yes"]);
    assert_eq!(document["run"]["state"], "stopped: internal error", "{document:#}");
    let (code, document) = world.json(&["resume", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(world.sandbox.executions().len(), 2);
}

/// Checks and deployments of an account end as the reading of one does.
#[test]
fn an_account_that_never_answers_holds_up_neither_a_preflight_nor_a_comparison() {
    let world = two_buckets(&format!("[[fault]]\nkind = \"hang\"\nwhere = {{ account = \"{}\" }}", TWO[0]));
    let limits = ["--set", "limits.accounts=1", "--set", "limits.account_read_deadline=6"];
    for command in [&["preflight"][..], &["bootstrap", "diff"]] {
        let begun = Instant::now();
        let (code, document) = world.json(&[command, &limits].concat());
        assert_eq!(code, 3, "{command:?}: {document:#}");
        assert!(begun.elapsed() < Duration::from_secs(25), "{command:?}: {:?}", begun.elapsed());
        let of = |id: &str| {
            let accounts = document["accounts"].as_array().unwrap();
            accounts.iter().find(|account| account["id"] == *id).unwrap().to_string()
        };
        assert!(of(TWO[0]).contains("gave no usable response for 6s"), "{command:?}: {}", of(TWO[0]));
        assert!(!of(TWO[1]).contains("NoProgress"), "{command:?}: {}", of(TWO[1]));
    }
}

#[test]
fn a_task_that_panics_in_a_preflight_or_a_deployment_leaves_its_account_unknown() {
    // Nothing is deployed yet, so that there is something to be put.
    let spec = "groundwork = false\naccounts = 3\nsuspended = 0\nbuckets_per_account = 1\nregions = [\"us-east-1\"]\n";
    let (deployed, fresh) = (two_buckets(""), World::of(spec));
    let deploy = ["bootstrap", "deploy", "--yes", "--through", "OrganizationAccountAccessRole"];
    for (point, world, command, words) in [
        ("panic-preflight_account", &deployed, &["preflight"][..], "the task that checked account "),
        ("panic-bootstrap_look", &deployed, &["bootstrap", "diff"], "the task that worked on account "),
        ("panic-bootstrap_put", &fresh, &deploy, "the task that worked on account "),
    ] {
        let mut command = world.command(command);
        if point == "panic-bootstrap_put" {
            let (access_key, secret_key) = world.sandbox.management_credentials();
            command.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key);
        }
        let output = command.arg("--json").env("ORGSEAL_FAIL_POINT", point).output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{point}: {stderr}");
        assert!(stdout.contains("TaskLost"), "{point}: {stdout}");
        assert!(stderr.contains(words), "{point}: {stderr}");
    }
}

/// Lists with an element that lacks its name, with each element twice, and errors that are cut off.
#[test]
fn an_element_without_its_name_is_no_shorter_list_and_one_that_comes_twice_counts_once() {
    let fault = |kind: &str, filter: &str| format!("[[fault]]\nkind = \"{kind}\"\nwhere = {{ {filter} }}\n");
    let of = |account: &str| format!("operation = \"ListBuckets\", account = \"{account}\"");
    let world = two_buckets(&format!(
        "{}{}{}member = \"Name\"\n",
        fault("repeated_elements", "operation = \"ListAccounts\""),
        fault("repeated_elements", &of(TWO[1])),
        fault("missing_member", &of(TWO[0])),
    ));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3, "{document:#}");
    assert_eq!(error_of(&document, TWO[0]), "ListBuckets: an element Bucket in the answer has no Name");
    assert_eq!(document["accounts"].as_array().unwrap().len(), 4, "each account once");
    assert_eq!(finding(&document, "reports")["verdict"], "sealed");
    assert_eq!(world.sandbox.executions().len(), 1);
}

#[test]
fn an_error_that_is_cut_off_says_nothing() {
    let spec =
        two_members(r#"{ name = "logs", encryption = "none" }"#, r#"{ name = "reports", encryption = "sse_s3" }"#);
    let world = World::of(&format!(
        "{spec}\n[[fault]]\nkind = \"truncated_error\"\nbefore = \"age>\"\nwhere = {{ operation = \"GetBucketEncryption\" }}"
    ));
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 3, "{document:#}");
    let logs = finding(&document, "logs");
    assert_eq!((&logs["verdict"], &logs["error"]["code"]), (&"unread".into(), &"Unreadable".into()), "{logs}");
    assert_eq!(finding(&document, "reports")["verdict"], "not_sealed");
}

#[test]
fn an_empty_selection_is_told_as_such() {
    let run = two_buckets("").run(&["audit", "--account", ""]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("--account") && run.stderr.contains("it is empty"), "{}", run.stderr);
}
