//! What a plan marks as a change can be made, as far as this can be known beforehand: the document accepts the bucket, and no policy
//! denies the change to orgseal's own roles. Where that was not checked, one execution fails and not twelve.

use std::collections::BTreeSet;
use std::process::Stdio;

use orgseal_sandbox::{Fault, FaultFilter, FaultKind};
use serde_json::{Value, json};

use crate::world::{World, finding, two_members, unbroken};

const SHIPPED: &str = include_str!("../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
const DOCUMENT: &str = "EnableS3BucketEncryptionWithKMS";
const PAYMENTS: &str = "555555555551";
const ANALYTICS: &str = "555555555552";
const OFF: [&str; 2] = ["--set", "guards.change-denied=off"];

/// Only Control Tower's own role changes default encryption.
const ONLY_CONTROL_TOWER: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"OnlyControlTower","Effect":"Deny","Action":["s3:PutEncryptionConfiguration"],"Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalARN":"arn:aws:iam::*:role/AWSControlTowerExecution"}}}}"#;

/// Buckets of such names on SSE-S3.
fn on_sse_s3(names: &[String]) -> String {
    names.iter().map(|name| format!("{{ name = \"{name}\", encryption = \"sse_s3\" }}")).collect::<Vec<_>>().join(", ")
}

fn names(account: &str, amount: usize) -> Vec<String> {
    (0..amount).map(|n| format!("{account}-{n:02}")).collect()
}

/// Twelve buckets in the one account, two in the other; the accounts are in different OUs.
fn world() -> World {
    let spec = two_members(&on_sse_s3(&names("payments", 12)), &on_sse_s3(&names("analytics", 2)));
    World::of(&format!("ou_depth = 5\n{spec}"))
}

/// An OU that is above the one account and not above the other.
fn ou_of_payments_alone(world: &World) -> String {
    let accounts = world.sandbox.accounts();
    let ous = |id: &str| -> Vec<String> {
        let path = &accounts.iter().find(|account| account.id == id).unwrap().path;
        path.split('/').filter(|part| part.starts_with("ou-")).map(str::to_owned).collect()
    };
    let others = ous(ANALYTICS);
    ous(PAYMENTS).into_iter().find(|ou| !others.contains(ou)).expect("the accounts are in one OU")
}

/// A bucket policy that denies the change to all but one role.
fn only_the_platform_team(bucket: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"OnlyThePlatformTeam","Effect":"Deny","Principal":"*","Action":"s3:PutEncryptionConfiguration","Resource":"arn:aws:s3:::{bucket}","Condition":{{"ArnNotEquals":{{"aws:PrincipalArn":"arn:aws:iam::{PAYMENTS}:role/platform-team"}}}}}}]}}"#
    )
}

/// The plan: its exit code, what it says to programs, and its file.
fn plan(world: &World, more: &[&str]) -> (i32, Value) {
    let run = world.run(&[&["plan", "--output", "plan.json"][..], more].concat());
    let text = std::fs::read_to_string(world.path("plan.json"))
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", run.stdout, run.stderr));
    (run.code, serde_json::from_str(&text).unwrap())
}

fn decided(plan: &Value, decision: &str) -> BTreeSet<String> {
    let buckets = plan["buckets"].as_array().unwrap().iter();
    buckets.filter(|one| one["decision"] == decision).map(|one| one["bucket"].as_str().unwrap().to_owned()).collect()
}

fn planned<'a>(plan: &'a Value, bucket: &str) -> &'a Value {
    plan["buckets"].as_array().unwrap().iter().find(|one| one["bucket"] == bucket).unwrap()
}

/// What the guard says of a bucket.
fn denied(of: &Value) -> &Value {
    let words = of["guards"].as_array().unwrap_or_else(|| panic!("no guards in {of:#}"));
    words.iter().find(|word| word["guard"] == "change-denied").unwrap_or_else(|| panic!("{of:#}"))
}

fn says(word: &Value, parts: &[&str]) {
    let evidence = word["evidence"].to_string();
    for part in parts {
        assert!(evidence.contains(part), "{part}: {word:#}");
    }
}

fn sealed(world: &World) -> BTreeSet<String> {
    let buckets = world.sandbox.buckets().into_iter();
    buckets.filter(|bucket| world.is_sealed(bucket)).map(|bucket| bucket.name).collect()
}

fn reasons(document: &Value, reason: &str) -> BTreeSet<String> {
    let findings = document["findings"].as_array().unwrap().iter();
    findings.filter(|one| one["reason"] == reason).map(|one| one["bucket"].as_str().unwrap().to_owned()).collect()
}

fn set(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().collect()
}

#[test]
fn a_bucket_whose_name_the_document_does_not_accept_is_held_and_not_started() {
    let pattern = "    allowedPattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$'";
    let bucket_name = SHIPPED.find("  BucketName:").unwrap();
    for (limits, name, limit) in [
        ("    allowedPattern: '^prod-[a-z]+$'", "web", "allowedPattern is ^prod-[a-z]+$"),
        ("    minChars: 5", "web", "minChars is 5"),
        ("    maxChars: 10", "prod-longer-than-that", "maxChars is 10"),
    ] {
        let (before, after) = SHIPPED.split_at(bucket_name);
        let line = after.lines().find(|line| line.trim_start().starts_with("allowedPattern")).unwrap_or(pattern);
        let content = format!("{before}{}", after.replacen(line, limits, 1));
        let world = World::of(&two_members(&on_sse_s3(&["prod-logs".to_owned(), name.to_owned()]), ""));
        world.sandbox.put_document_content(PAYMENTS, "us-east-1", DOCUMENT, &content).unwrap();
        let (code, plan) = plan(&world, &[]);
        assert_eq!((code, decided(&plan, "hold")), (2, set(vec![name.to_owned()])), "{plan:#}");
        let held = planned(&plan, name);
        assert_eq!(
            (&held["reason"], &held["error"]["code"]),
            (&json!("parameter_not_accepted"), &json!("ParameterNotAccepted"))
        );
        let message = held["error"]["message"].as_str().unwrap();
        assert!(message.contains("BucketName") && message.contains(name) && message.contains(limit), "{message}");
        assert!(held["error"]["hint"].as_str().unwrap().contains("of parameter BucketName"), "{held:#}");
        let (_, document) = world.json(&["rollout", "--yes"]);
        assert_eq!(finding(&document, name)["reason"], "parameter_not_accepted");
        let started: Vec<_> =
            world.sandbox.executions().iter().map(|one| one.parameters["BucketName"][0].clone()).collect();
        assert_eq!(started, ["prod-logs"]);
        // A preflight knows no bucket, but it knows which names S3 allows.
        let (_, preflight) = world.json(&["preflight", "--account", PAYMENTS, "--region", "us-east-1"]);
        let check = &preflight["accounts"][0]["regions"][0]["checks"][0];
        assert_eq!((&check["kind"], &check["standing"]), (&json!("document"), &json!("warning")), "{check:#}");
        assert!(check["message"].as_str().unwrap().contains(limit), "{check:#}");
    }
}

/// S3 allowed such names in us-east-1 until March 2018, and the pattern of the shipped documents does not.
#[test]
fn a_name_that_begins_or_ends_with_a_dot_a_hyphen_or_an_underscore_is_held_with_a_fix_that_works() {
    let old = ["_team-logs".to_owned(), "team.logs-".to_owned(), "Team_logs".to_owned()];
    let world = World::of(&two_members(&on_sse_s3(&old), ""));
    let (code, plan) = plan(&world, &[]);
    assert_eq!((code, decided(&plan, "hold")), (2, set(old[..2].to_vec())), "{plan:#}");
    for name in &old[..2] {
        let held = planned(&plan, name);
        let hint = held["error"]["hint"].as_str().unwrap();
        assert_eq!(held["reason"], "parameter_not_accepted");
        assert!(hint.contains("accept no bucket name that begins or ends with") && hint.contains("exempt"), "{hint}");
        assert!(!hint.contains("use the shipped document"), "{hint}");
    }
}

#[test]
fn a_limit_that_is_a_quoted_number_is_one_all_the_same() {
    let content = SHIPPED.replace("allowedPattern: '^[0-9]{12}$'", "allowedPattern: '^[0-9]{12}$'\n    maxChars: '11'");
    let world = world();
    for account in [PAYMENTS, ANALYTICS] {
        world.sandbox.put_document_content(account, "us-east-1", DOCUMENT, &content).unwrap();
    }
    let (_, plan) = plan(&world, &[]);
    assert_eq!(planned(&plan, "payments-00")["reason"], "parameter_not_accepted", "{plan:#}");
}

#[test]
fn a_service_control_policy_that_lets_only_one_role_change_encryption_holds_the_accounts_below_it() {
    let world = world();
    let ou = ou_of_payments_alone(&world);
    world.sandbox.set_scp("encryption-guard", &[&ou], ONLY_CONTROL_TOWER).unwrap();
    let (code, plan) = plan(&world, &[]);
    assert_eq!((code, decided(&plan, "hold")), (2, set(names("payments", 12))), "{plan:#}");
    assert_eq!(decided(&plan, "change"), set(names("analytics", 2)));
    let held = planned(&plan, "payments-00");
    assert_eq!(held["reason"], "guarded");
    let word = denied(held);
    assert_eq!((&word["outcome"], &word["severity"]), (&json!("found"), &json!("hold")), "{word:#}");
    let role = format!("arn:aws:iam::{PAYMENTS}:role/orgseal-automation");
    says(
        word,
        &["service control policy encryption-guard (p-", &format!("attached to OU {ou}"), "statement OnlyControlTower"],
    );
    says(word, &["denies s3:PutEncryptionConfiguration to", &role]);
    assert!(word["hint"].as_str().unwrap().contains("ask the management account to exempt"), "{word:#}");
    let (code, preflight) = world.json(&["preflight"]);
    assert_eq!(code, 2);
    let said = preflight.to_string();
    assert!(said.contains("encryption-guard") && said.contains("OnlyControlTower"), "{preflight:#}");
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!((code, sealed(&world)), (2, set(names("analytics", 2))), "{document:#}");
    assert!(world.sandbox.executions().iter().all(|one| one.account == ANALYTICS));
}

#[test]
fn without_the_check_one_execution_fails_and_the_rest_is_held_until_somebody_puts_it_right() {
    let world = world();
    let ou = ou_of_payments_alone(&world);
    world.sandbox.set_scp("encryption-guard", &[&ou], ONLY_CONTROL_TOWER).unwrap();
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &OFF].concat());
    assert_eq!(code, 3, "{document:#}");
    assert_eq!(world.sandbox.executions().iter().filter(|one| one.account == PAYMENTS).count(), 1);
    assert_eq!(sealed(&world), set(names("analytics", 2)));
    let failed = reasons(&document, "execution_failed");
    let held = reasons(&document, "change_denied");
    assert_eq!((failed.len(), held.len()), (1, 11), "{document:#}");
    let first = finding(&document, failed.first().unwrap());
    let rest = finding(&document, held.first().unwrap());
    let (cause, fix) =
        ("with an explicit deny in a service control policy", "ask the management account to exempt the role");
    for one in [first, rest] {
        assert!(one["error"]["message"].as_str().unwrap().contains(cause), "{one:#}");
        assert!(one["error"]["hint"].as_str().unwrap().contains(fix), "{one:#}");
    }
    assert_eq!(rest["verdict"], "held");
    // Still denied: one more execution, and no more.
    let (code, _) = world.json(&[&["resume", "--yes"][..], &OFF].concat());
    assert_eq!((code, world.sandbox.executions().iter().filter(|one| one.account == PAYMENTS).count()), (3, 2));
    world.sandbox.remove_scp("encryption-guard").unwrap();
    let (code, document) = world.json(&[&["resume", "--yes", "--retry-failed"][..], &OFF].concat());
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(sealed(&world).len(), 14);
}

#[test]
fn an_execution_that_fails_for_another_reason_frees_nobody() {
    let world = world();
    let ou = ou_of_payments_alone(&world);
    world.sandbox.set_scp("encryption-guard", &[&ou], ONLY_CONTROL_TOWER).unwrap();
    let filter = FaultFilter { account: Some(PAYMENTS.into()), ..FaultFilter::default() };
    let fault = Fault { filter, nth: Some(1), ..Fault::new(FaultKind::AutomationTimedOut) };
    world.sandbox.set_faults(vec![fault]).unwrap();
    let (code, document) = world.json(&[&["rollout", "--yes", "--set", "executions.attempts=1"][..], &OFF].concat());
    assert_eq!(code, 3, "{document:#}");
    let statuses: Vec<String> =
        world.sandbox.executions().into_iter().filter(|one| one.account == PAYMENTS).map(|one| one.status).collect();
    assert_eq!(statuses, ["TimedOut", "Failed"], "the second one is denied, and stops the others");
    assert_eq!(reasons(&document, "change_denied").len(), 10);
}

#[test]
fn a_denial_is_known_to_the_process_that_resumes() {
    let world = World::of(&two_members(&on_sse_s3(&names("payments", 12)), ""));
    world.sandbox.set_scp("encryption-guard", &["root"], ONLY_CONTROL_TOWER).unwrap();
    let mut child = world.command(&[&["rollout", "--yes"][..], &OFF].concat());
    child.env("ORGSEAL_FAIL_POINT", "after_ended:1").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(child.status().unwrap().code(), None, "killed");
    let (code, document) = world.json(&[&["resume", "--yes"][..], &OFF].concat());
    assert_eq!((code, world.sandbox.executions().len()), (3, 1), "{document:#}");
    assert_eq!((reasons(&document, "execution_failed").len(), reasons(&document, "change_denied").len()), (1, 11));
}

#[test]
fn a_bucket_policy_that_lets_only_one_role_change_encryption_holds_the_bucket() {
    let world = world();
    let bucket = "payments-03";
    world.sandbox.set_bucket_policy(bucket, Some(&only_the_platform_team(bucket))).unwrap();
    let (code, plan) = plan(&world, &[]);
    assert_eq!((code, decided(&plan, "hold")), (2, set(vec![bucket.to_owned()])), "{plan:#}");
    let word = denied(planned(&plan, bucket));
    says(word, &["the bucket policy, statement OnlyThePlatformTeam denies s3:PutEncryptionConfiguration"]);
    assert!(word["hint"].as_str().unwrap().contains("ask the bucket's owner to exempt"), "{word:#}");
    let (code, _) = world.json(&["rollout", "--yes"]);
    assert_eq!((code, sealed(&world).len(), sealed(&world).contains(bucket)), (2, 13, false));
    assert!(world.sandbox.executions().iter().all(|one| one.parameters["BucketName"][0] != bucket));
}

#[test]
fn without_the_check_a_bucket_policy_fails_one_execution() {
    let buckets = names("payments", 6);
    let world = World::of(&two_members(&on_sse_s3(&buckets), ""));
    for bucket in &buckets {
        world.sandbox.set_bucket_policy(bucket, Some(&only_the_platform_team(bucket))).unwrap();
    }
    let (code, document) = world.json(&[&["rollout", "--yes"][..], &OFF].concat());
    assert_eq!((code, world.sandbox.executions().len()), (3, 1), "{document:#}");
    assert_eq!((reasons(&document, "execution_failed").len(), reasons(&document, "change_denied").len()), (1, 5));
    let rest = finding(&document, reasons(&document, "change_denied").first().unwrap()).clone();
    assert!(rest["error"]["hint"].as_str().unwrap().contains("ask the bucket's owner to exempt the role"), "{rest:#}");
}

#[test]
fn a_role_without_a_right_that_it_needs_holds_the_account_and_preflight_says_so() {
    let read_only = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetEncryptionConfiguration","Resource":"*"}}"#;
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    for (policy, boundary, what) in [
        (read_only, None, "the role's own policies do not allow s3:PutEncryptionConfiguration"),
        (all, Some(read_only), "the permissions boundary of the role does not allow s3:PutEncryptionConfiguration"),
    ] {
        let world = world();
        world.sandbox.set_role_policy(PAYMENTS, "orgseal-automation", policy).unwrap();
        world.sandbox.set_role_boundary(PAYMENTS, "orgseal-automation", boundary).unwrap();
        let (_, plan) = plan(&world, &[]);
        assert_eq!(decided(&plan, "hold"), set(names("payments", 12)), "{plan:#}");
        says(denied(planned(&plan, "payments-07")), &[what]);
        let (code, preflight) = world.json(&["preflight", "--account", PAYMENTS]);
        let checks = preflight["accounts"][0]["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["kind"] == "role_permissions").unwrap();
        assert_eq!((code, &check["standing"]), (2, &json!("failed")), "{check:#}");
        assert!(check["message"].as_str().unwrap().contains("s3:PutEncryptionConfiguration"), "{check:#}");
    }
}

#[test]
fn a_deny_that_may_or_may_not_apply_is_a_warning_and_the_first_start_shows_it() {
    let world = world();
    let by_tag = ONLY_CONTROL_TOWER.replace(
        r#"{"ArnNotLike":{"aws:PrincipalARN":"arn:aws:iam::*:role/AWSControlTowerExecution"}}"#,
        r#"{"StringNotEquals":{"aws:PrincipalTag/team":"security"}}"#,
    );
    world.sandbox.set_scp("by-tag", &[PAYMENTS], &by_tag).unwrap();
    let (_, plan) = plan(&world, &[]);
    assert_eq!(decided(&plan, "change").len(), 14, "{plan:#}");
    let word = denied(planned(&plan, "payments-00"));
    assert_eq!((&word["outcome"], &word["severity"]), (&json!("cannot_tell"), &json!("warn")), "{word:#}");
    assert_eq!(word["overridden"], false, "{word:#}");
    says(word, &["may deny s3:PutEncryptionConfiguration", "aws:principaltag/team"]);
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3, "{document:#}");
    assert_eq!(world.sandbox.executions().iter().filter(|one| one.account == PAYMENTS).count(), 1);
    assert_eq!(reasons(&document, "change_denied").len(), 11);
}

#[test]
fn a_start_that_is_denied_stops_the_others_too() {
    let world = world();
    let deny = r#"{"Version":"2012-10-17","Statement":{"Sid":"NoPassing","Effect":"Deny","Action":"iam:PassRole","Resource":"*"}}"#;
    world.sandbox.set_scp("no-passing", &[PAYMENTS], deny).unwrap();
    let (_, document) = world.json(&[&["rollout", "--yes"][..], &OFF].concat());
    assert_eq!((reasons(&document, "start_refused").len(), reasons(&document, "change_denied").len()), (1, 11));
    let (_, plan) = plan(&world, &[]);
    assert_eq!(decided(&plan, "hold").len(), 12, "{plan:#}");
    says(denied(planned(&plan, "payments-00")), &["statement NoPassing denies iam:PassRole"]);
}

#[test]
fn an_organization_without_policies_of_its_own_costs_two_requests_and_one_with_some_costs_few() {
    let world = World::of("accounts = 30\nbuckets_per_account = 3\nsuspended = 0\nwithout_member_role = 0\n");
    plan(&world, &[]);
    let counters = world.sandbox.counters();
    let of = |operation: &str| world.sandbox.counters().totals("organizations", operation);
    assert_eq!(counters.totals("organizations", "ListPolicies"), 2, "{counters:?}");
    assert_eq!((of("ListPoliciesForTarget"), of("ListTargetsForPolicy"), of("DescribePolicy")), (0, 0, 0));
    world.sandbox.set_scp("encryption-guard", &["root"], ONLY_CONTROL_TOWER).unwrap();
    world.sandbox.reset_counters();
    plan(&world, &[]);
    assert_eq!((of("ListPolicies"), of("ListTargetsForPolicy"), of("ListPoliciesForTarget")), (2, 1, 1));
    assert_eq!(of("DescribePolicy"), 2, "this one and FullAWSAccess");
}

/// Two requests for each account would throttle Organizations for everybody, so accounts are not asked.
#[test]
fn a_caller_that_may_not_list_targets_is_warned_once_and_roots_and_ous_alone_are_asked() {
    let spec = two_members(&on_sse_s3(&names("payments", 3)), &on_sse_s3(&names("analytics", 3)));
    let spec =
        spec.replace("accounts = 4", "accounts = 30").replace("buckets_per_account = 0", "buckets_per_account = 2");
    let world = World::of(&format!("ou_depth = 5\n{spec}"));
    let accounts = world.sandbox.accounts();
    let above: BTreeSet<&str> =
        accounts.iter().flat_map(|one| one.path.split('/')).filter(|part| part.contains('-')).collect();
    // One above the one account, one attached to the other, where it is not seen.
    world.sandbox.set_scp("above", &[&ou_of_payments_alone(&world)], ONLY_CONTROL_TOWER).unwrap();
    world.sandbox.set_scp("own", &[ANALYTICS], ONLY_CONTROL_TOWER).unwrap();
    let policy =
        include_str!("../../config/policies/caller.json").replace("111122223333", world.sandbox.security_account());
    world
        .sandbox
        .set_caller_policy(&policy.replace("organizations:ListTargetsForPolicy", "organizations:ListRoots"))
        .unwrap();
    world.sandbox.reset_counters();
    let run = world.run(&["plan", "--output", "plan.json"]);
    let plan: Value = serde_json::from_str(&std::fs::read_to_string(world.path("plan.json")).unwrap()).unwrap();
    let asked = world.sandbox.counters().totals("organizations", "ListPoliciesForTarget");
    assert!(asked > 0 && asked <= 2 * above.len() as u64, "{asked} requests, {} roots and OUs", above.len());
    let said = unbroken(&run.stderr);
    assert_eq!(said.matches("attached to accounts deny the change could not be determined").count(), 1, "{said}");
    assert!(plan["notices"].to_string().contains("organizations:ListTargetsForPolicy"), "{}", plan["notices"]);
    says(denied(planned(&plan, "payments-00")), &["service control policy above", "attached to OU"]);
    assert_eq!(planned(&plan, "analytics-00")["decision"], "change");
    // What was not seen shows at the first start, which goes alone.
    let (_, document) = world.json(&["rollout", "--yes", "--account", ANALYTICS]);
    assert_eq!(world.sandbox.executions().len(), 1, "{document:#}");
    assert_eq!(reasons(&document, "change_denied").len(), 2);
}

#[test]
fn a_caller_that_may_not_read_control_policies_is_warned_once() {
    let world = world();
    world.sandbox.set_scp("harmless", &["root"], &ONLY_CONTROL_TOWER.replace("AWSControlTowerExecution", "*")).unwrap();
    let policy =
        include_str!("../../config/policies/caller.json").replace("111122223333", world.sandbox.security_account());
    world
        .sandbox
        .set_caller_policy(&policy.replace("organizations:DescribePolicy", "organizations:ListRoots"))
        .unwrap();
    let run = world.run(&["plan", "--output", "plan.json"]);
    let plan: Value = serde_json::from_str(&std::fs::read_to_string(world.path("plan.json")).unwrap()).unwrap();
    assert_eq!(decided(&plan, "change").len(), 14, "{plan:#}");
    let said = unbroken(&run.stderr);
    assert_eq!(said.matches("deny the change could not be determined").count(), 1, "{said}");
    assert!(plan["notices"].to_string().contains("organizations:DescribePolicy"), "{}", plan["notices"]);
    // Nobody knows, so one goes first; nothing denies it, and all are changed.
    let (code, _) = world.json(&["rollout", "--yes"]);
    assert_eq!((code, sealed(&world).len()), (0, 14));
}
