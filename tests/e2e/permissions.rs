//! The documented policies: each command works under exactly those, and each action in them is needed. Without it a command fails,
//! holds or leaves unread, and names it.

use std::collections::BTreeSet;

use orgseal_bootstrap::{Who, grants};
use serde_json::{Value, json};

use crate::world::World;

const PAYMENTS: &str = "555555555551";
const ANALYTICS: &str = "555555555552";

/// An organization in which whatever is read is worth reading.
const ORGANIZATION: &str = r#"
accounts = 4
buckets_per_account = 0
suspended = 0
without_member_role = 0
regions = ["us-east-1"]
[[account]]
name = "payments"
id = "555555555551"
[[account.buckets]]
name = "letters"
encryption = "sse_s3"
access_points = [{ name = "ap", policy = '''{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::MEMBER-ACCOUNT:role/orgseal-automation" }, "Action": "s3:GetObject", "Resource": "arn:aws:s3:us-east-1:MEMBER-ACCOUNT:accesspoint/ap/object/*" } ] }''' }]
[[account.buckets]]
name = "team"
encryption = "customer_key"
[[account]]
name = "analytics"
id = "555555555552"
[[account.buckets]]
name = "reports"
encryption = "sse_s3"
[[account.buckets]]
name = "open"
encryption = "sse_s3"
policy = '''{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open/*" } ] }'''
[[config_remediation]]
accounts = ["analytics"]
rule = "seal-by-itself"
central_key_only = true
"#;
/// Waves that are watched, and a key of a team's own that may be replaced.
const CAMPAIGN: &str = r#"
[encryption]
replace = ["none", "sse-s3", "customer-key"]
[[waves]]
name = "all"
accounts_percent = 100
bake = "1s"
check_every = "1s"
"#;

/// The documented policies, as they would be put into the accounts of a world.
struct Policies {
    caller: Value,
    audit: Value,
    rollout: Value,
    automation: Value,
}

impl Policies {
    fn of(world: &World) -> Policies {
        let run = world.run(&["bootstrap", "render", "groundwork"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let read = |name: &str| {
            let text = std::fs::read_to_string(world.path("groundwork/policies").join(name)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        Policies {
            caller: read("caller.json"),
            audit: read("member-audit.json"),
            rollout: read("member-rollout.json"),
            automation: read("automation.json"),
        }
    }

    fn of_whom(&mut self, who: Who) -> &mut Value {
        match who {
            Who::Caller => &mut self.caller,
            Who::Audit => &mut self.audit,
            Who::Rollout => &mut self.rollout,
            Who::Automation => &mut self.automation,
        }
    }

    /// Takes one action away from a statement.
    fn without(&mut self, who: Who, sid: &str, action: &str) {
        let policy = self.of_whom(who);
        let statements = policy["Statement"].as_array_mut().unwrap();
        let place = statements.iter().position(|statement| statement["Sid"] == sid).unwrap();
        let actions = &mut statements[place]["Action"];
        match actions.as_array_mut() {
            Some(several) if several.len() > 1 => {
                let before = several.len();
                several.retain(|one| one != action);
                assert_eq!(several.len(), before - 1, "{sid} {action}");
            }
            _ => {
                assert!(*actions == action || actions[0] == action, "{sid} {action}");
                statements.remove(place);
            }
        }
    }

    fn put(&self, world: &World, member: &Value) {
        world.sandbox.set_caller_policy(&self.caller.to_string()).unwrap();
        for account in world.sandbox.accounts() {
            world.sandbox.set_role_policy(&account.id, "orgseal-member", &member.to_string()).unwrap();
            world.sandbox.set_role_policy(&account.id, "orgseal-automation", &self.automation.to_string()).unwrap();
        }
    }
}

fn world(scenario: Scenario) -> World {
    let paths = if scenario == Scenario::AuditOfAnOu { "account_paths = false\n" } else { "" };
    let world = World::of(&format!("{paths}{ORGANIZATION}"));
    if scenario == Scenario::Preflight {
        // Without one there is nothing to read.
        let harmless =
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "sqs:*", "Resource": "*" }] });
        world.sandbox.set_scp("harmless", &["root"], &harmless.to_string()).unwrap();
    }
    world.edit(|text| match scenario {
        Scenario::AuditAndCount => format!("{text}\n[audit]\ncount_out_of_scope = true\n"),
        Scenario::AuditByTags => format!("{text}\n[accounts]\nexclude.tags = {{ env = \"none\" }}\n"),
        Scenario::Rollout | Scenario::Rollback | Scenario::Failure | Scenario::Preflight | Scenario::Plan => {
            format!("{text}\n{CAMPAIGN}")
        }
        _ => text,
    });
    world
}

/// What is done to see that an action is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scenario {
    /// `audit`.
    Audit,
    /// `audit` that counts directory buckets.
    AuditAndCount,
    /// `audit` of an OU, where ListAccounts does not say where an account is.
    AuditOfAnOu,
    /// `audit` of the accounts with a tag.
    AuditByTags,
    /// `plan`, with every guard.
    Plan,
    /// `preflight`.
    Preflight,
    /// `rollout`, wave by wave.
    Rollout,
    /// `rollout` with an execution that fails.
    Failure,
    /// `rollout`, then `rollback` with what is left.
    Rollback,
    /// `bootstrap diff`.
    Diff,
}

impl Scenario {
    /// Does it: the exit code, and all that was said. `before` is done ahead of what is looked at.
    fn play(self, world: &World, then: impl FnOnce()) -> (i32, String) {
        let one_account = ["--account", "payments"];
        let (before, arguments): (Option<&[&str]>, Vec<&str>) = match self {
            Scenario::Audit | Scenario::AuditAndCount => (None, vec!["audit"]),
            Scenario::AuditOfAnOu => (None, vec!["audit", "--ou", "ou-*"]),
            Scenario::AuditByTags => (None, vec!["audit"]),
            Scenario::Plan => (None, vec!["plan", "--output", "plan.json"]),
            Scenario::Preflight => (None, vec!["preflight"]),
            Scenario::Rollout | Scenario::Failure => (None, [&["rollout", "--yes"][..], &one_account].concat()),
            Scenario::Rollback => (Some(&["rollout", "--yes", "--account", "payments"]), vec!["rollback", "--yes"]),
            Scenario::Diff => (None, vec!["bootstrap", "diff"]),
        };
        if self == Scenario::Failure {
            let fault = orgseal_sandbox::Fault::new(orgseal_sandbox::FaultKind::AutomationFail);
            world.sandbox.set_faults(vec![fault]).unwrap();
        }
        if let Some(before) = before {
            let run = world.run(before);
            assert_eq!(run.code, 0, "{self:?}: {}\n{}", run.stdout, run.stderr);
        }
        then();
        let run = world.run(&[&arguments[..], &["--json"]].concat());
        let plan = std::fs::read_to_string(world.path("plan.json")).unwrap_or_default();
        (run.code, format!("{}\n{}\n{plan}", run.stdout, run.stderr))
    }
}

/// Where each action of each grant is needed.
fn scenario(who: Who, sid: &str, action: &str) -> Scenario {
    match (who, sid, action) {
        (_, _, "organizations:ListRoots" | "organizations:ListOrganizationalUnitsForParent")
        | (_, _, "organizations:ListAccountsForParent") => Scenario::AuditOfAnOu,
        (_, _, "organizations:ListTagsForResource") => Scenario::AuditByTags,
        (_, _, "organizations:ListPoliciesForTarget" | "organizations:DescribePolicy")
        | (_, _, "organizations:ListTargetsForPolicy") => Scenario::Preflight,
        (_, _, "organizations:ListPolicies" | "kms:GetKeyRotationStatus") | (_, "LookAtTheAggregator", _) => {
            Scenario::Diff
        }
        (Who::Caller, "CheckTheCentralKeys", "kms:DescribeKey") => Scenario::Rollout,
        (Who::Caller, "CheckTheCentralKeys", _) => Scenario::Plan,
        (Who::Caller, ..) => Scenario::Audit,
        (_, "ListBuckets" | "ReadDefaultEncryption", _) => Scenario::Audit,
        (_, "CountDirectoryBuckets", _) => Scenario::AuditAndCount,
        (_, "ReadForGuards" | "ReadTheAccountForGuards", _) => Scenario::Plan,
        (_, "LookAtTheRoles" | "LookAtConfigRemediation", _) => Scenario::Preflight,
        (_, "LookAtKeys", _) => Scenario::Rollback,
        (_, _, "ssm:GetAutomationExecution") => Scenario::Failure,
        (_, _, "ssm:DescribeDocument") => Scenario::Plan,
        _ => Scenario::Rollout,
    }
}

#[test]
fn each_command_works_under_its_documented_policies() {
    for scenario in [
        Scenario::Audit,
        Scenario::AuditAndCount,
        Scenario::AuditOfAnOu,
        Scenario::AuditByTags,
        Scenario::Plan,
        Scenario::Preflight,
        Scenario::Rollout,
        Scenario::Failure,
        Scenario::Rollback,
        Scenario::Diff,
    ] {
        let world = world(scenario);
        let policies = Policies::of(&world);
        policies.put(&world, &policies.rollout);
        let (code, said) = scenario.play(&world, || {});
        let expected = match scenario {
            Scenario::Rollout | Scenario::Rollback | Scenario::Preflight => 0,
            // The wave in which it failed is not over.
            Scenario::Failure => 3,
            // Buckets that are not sealed, changes to be made, roles that are not as they are rendered.
            _ => 2,
        };
        assert_eq!(code, expected, "{scenario:?}: {said}");
        assert!(!said.contains("is not authorized to perform"), "{scenario:?}: {said}");
        if scenario == Scenario::Failure {
            world.sandbox.set_faults(Vec::new()).unwrap();
            let run = world.run(&["resume", "--yes", "--retry-failed", "--approve-wave", "1"]);
            assert!(run.code == 0 && !run.stderr.contains("is not authorized"), "{}\n{}", run.stdout, run.stderr);
        }
        if scenario <= Scenario::AuditByTags {
            policies.put(&world, &policies.audit);
            let (code, said) = scenario.play(&world, || {});
            assert!(code == 2 && !said.contains("is not authorized"), "{scenario:?} by the audit role: {said}");
        }
    }
    // What reads the record alone needs nobody's rights.
    let world = world(Scenario::Rollout);
    assert_eq!(world.run(&["rollout", "--yes", "--account", "payments"]).code, 0);
    let nothing =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*" }] });
    world.sandbox.set_caller_policy(&nothing.to_string()).unwrap();
    for command in [&["status"][..], &["report"], &["ledger", "verify"]] {
        assert_eq!(world.run(command).code, 0, "{command:?}");
    }
}

/// A part of the grants, so that several tests go through them side by side.
fn each_action_is_needed(part: usize, parts: usize) {
    let all = grants();
    let each = all.iter().flat_map(|grant| {
        let actions = grant.actions.keys().filter_map(|action| action.as_str());
        actions.map(move |action| (grant, action.to_owned()))
    });
    let mut faults = Vec::new();
    for (grant, action) in each.enumerate().filter(|(n, _)| n % parts == part).map(|(_, each)| each) {
        // A right of both member roles is looked at in the one that has more.
        let who = if grant.who.contains(&Who::Rollout) { Who::Rollout } else { grant.who[0] };
        let scenario = scenario(who, &grant.sid, &action);
        let world = world(scenario);
        let mut policies = Policies::of(&world);
        policies.put(&world, &policies.rollout.clone());
        let (code, said) = scenario.play(&world, || {
            policies.without(who, &grant.sid, &action);
            policies.put(&world, &policies.rollout.clone());
        });
        // A preflight may end well with a warning that names what it could not see.
        let is_needed = (code != 0 || scenario == Scenario::Preflight) && said.contains(&action);
        if !is_needed {
            faults.push(format!("{} {action} in {scenario:?}: exit {code}\n{said:.2000}", grant.sid));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn each_action_is_needed_and_named_in_the_first_third() {
    each_action_is_needed(0, 3);
}

#[test]
fn each_action_is_needed_and_named_in_the_second_third() {
    each_action_is_needed(1, 3);
}

#[test]
fn each_action_is_needed_and_named_in_the_last_third() {
    each_action_is_needed(2, 3);
}

#[test]
fn every_action_of_the_policies_is_one_that_is_documented() {
    let world = world(Scenario::Audit);
    let policies = Policies::of(&world);
    let documented: BTreeSet<String> = grants()
        .iter()
        .flat_map(|grant| {
            grant.actions.keys().filter_map(|action| action.as_str().map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect();
    let table = include_str!("../../docs/permissions.md");
    for policy in [&policies.caller, &policies.audit, &policies.rollout, &policies.automation] {
        for statement in policy["Statement"].as_array().unwrap() {
            let actions = statement["Action"].as_array().cloned().unwrap_or_else(|| vec![statement["Action"].clone()]);
            for action in actions.iter().map(|action| action.as_str().unwrap().to_owned()) {
                assert!(documented.contains(&action) && table.contains(&format!("`{action}`")), "{action}");
            }
        }
    }
    assert!([PAYMENTS, ANALYTICS].iter().all(|id| world.sandbox.accounts().iter().any(|account| account.id == **id)));
}
