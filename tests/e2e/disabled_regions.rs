//! A Region that an account has disabled after buckets were created there: reported as that, asked once, and no reason to stop.

use serde_json::Value;

use crate::world::{World, finding};

const BAHRAIN: &str = "me-south-1";
const ALPHA: &str = "555555555551";
const BETA: &str = "555555555552";

/// Two members with buckets in an opt-in Region, which the first one has disabled, and one in us-east-1 each.
fn spec(disabled: &str) -> String {
    let buckets = |account: &str| {
        let bucket = |name: &str, region: &str| {
            format!("{{ name = \"{account}-{name}\", region = \"{region}\", encryption = \"sse_s3\" }}")
        };
        let bahrain = (0..12).map(|number| bucket(&format!("bahrain-{number}"), BAHRAIN));
        bahrain.chain([bucket("virginia", "us-east-1")]).collect::<Vec<_>>().join(", ")
    };
    format!(
        r#"
accounts = 4
buckets_per_account = 0
suspended = 0
without_member_role = 0
regions = ["us-east-1", "{BAHRAIN}"]
{disabled}
[[account]]
name = "alpha"
id = "{ALPHA}"
buckets = [{}]
[[account]]
name = "beta"
id = "{BETA}"
buckets = [{}]
"#,
        buckets("alpha"),
        buckets("beta"),
    )
}

fn in_alpha() -> String {
    spec(&format!("disabled_region = [{{ region = \"{BAHRAIN}\", accounts = [\"alpha\"] }}]"))
}

fn unread(document: &Value) -> Vec<&Value> {
    document["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "unread").collect()
}

/// Each bucket of the disabled Region, and nothing else, is unread for this one reason, in words that say what to do.
fn check(document: &Value) {
    let unread = unread(document);
    assert_eq!(unread.len(), 12, "{:#}", document["summary"]);
    for finding in unread {
        assert_eq!(finding["account"], ALPHA, "{finding}");
        assert_eq!(finding["reason"], "region_disabled", "{finding}");
        let message = finding["error"]["message"].as_str().unwrap();
        assert!(message.contains("Region me-south-1 is disabled in account 555555555551"), "{message}");
        // S3 answers InvalidToken, Systems Manager UnrecognizedClientException.
        assert!(["InvalidToken", "UnrecognizedClientException"].iter().any(|code| message.contains(code)), "{message}");
        let hint = finding["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("enable-region") && hint.contains("--region '!me-south-1'"), "{hint}");
    }
}

#[test]
fn an_audit_reads_the_other_regions_and_asks_the_disabled_one_once() {
    let world = World::of(&in_alpha());
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    check(&document);
    assert_eq!(finding(&document, "alpha-virginia")["reason"], "sse_s3");
    assert_eq!(finding(&document, "beta-bahrain-0")["reason"], "sse_s3");
    let counters = world.sandbox.counters();
    assert_eq!(counters.totals("sts", "AssumeRole"), 4 + 1, "one session is renewed before the Region is written off");
    // The caller's own, and one that confirms the refused session.
    assert_eq!(counters.totals("sts", "GetCallerIdentity"), 2);
    let refused = world.sandbox.answers().into_iter().filter(|answer| answer.code == "InvalidToken");
    assert_eq!(
        refused.map(|answer| answer.count).sum::<u64>(),
        2,
        "the Region is asked once, and once more, for twelve buckets"
    );
}

#[test]
fn a_rollout_a_resume_and_a_rollback_leave_it_alone_and_do_the_rest() {
    let world = World::of(&in_alpha());
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    check(&document);
    assert_eq!(document["run"]["state"], "finished");
    assert_eq!(document["summary"]["sealed"], 14);
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed"]);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    check(&document);
    let renewals = world.sandbox.counters().totals("sts", "AssumeRole");
    assert!(renewals <= 4 + 4 + 3, "{renewals}");
    // Enabled again, they are sealed like any other.
    world.sandbox.enable_region(ALPHA, BAHRAIN).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(document["summary"]["sealed"], 26);
    // Disabled after that, a rollback restores the others.
    world.sandbox.disable_region(ALPHA, BAHRAIN).unwrap();
    let (code, document) = world.json(&["rollback", "--yes"]);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    check(&document);
}

#[test]
fn a_campaign_that_paused_before_it_was_disabled_goes_on_with_the_rest() {
    let world = World::of(&spec(""));
    world.edit(|text| {
        format!("{text}\n[[waves]]\nname = \"canary\"\naccounts = [\"{BETA}\"]\napproval = true\n[[waves]]\nname = \"all\"\naccounts_percent = 100\napproval = true\n")
    });
    let (_, document) = world.json(&["rollout", "--yes", "--approve-wave", "1"]);
    assert_eq!(document["run"]["state"], "paused: approval", "{:#}", document["summary"]);
    world.sandbox.disable_region(ALPHA, BAHRAIN).unwrap();
    let (code, document) = world.json(&["resume", "--yes", "--approve-wave", "2"]);
    assert_eq!(code, 3, "{:#}", document["summary"]);
    let unread = unread(&document);
    assert_eq!(unread.len(), 12, "{:#}", document["summary"]);
    assert!(unread.iter().all(|finding| finding["reason"] == "region_disabled"), "{:#}", unread[0]);
    assert_eq!(finding(&document, "alpha-virginia")["verdict"], "sealed");
    assert_eq!(document["run"]["state"], "finished");
}

#[test]
fn a_plan_lists_them_as_unread() {
    let world = World::of(&in_alpha());
    let path = world.path("plan.json");
    let run = world.run(&["plan", "--output", path.to_str().unwrap()]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    let plan: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let text = plan.to_string();
    assert_eq!(text.matches("\"region_disabled\"").count(), 12, "{text}");
}

#[test]
fn a_preflight_names_the_region_once_for_the_account() {
    let world = World::of(&in_alpha());
    let (code, document) = world.json(&["preflight"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    let account = document["accounts"].as_array().unwrap().iter().find(|account| account["id"] == ALPHA).unwrap();
    let region = account["regions"].as_array().unwrap().iter().find(|region| region["region"] == BAHRAIN).unwrap();
    let checks = region["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "{region:#}");
    assert_eq!((&checks[0]["kind"], &checks[0]["standing"]), (&"region".into(), &"warning".into()));
    assert!(checks[0]["fix"].as_str().unwrap().contains("enable-region"), "{}", checks[0]);
}

#[test]
fn the_callers_own_account_with_its_own_credentials_is_not_taken_for_expired() {
    let world = World::of(&spec(""));
    let own = world.sandbox.security_account().to_owned();
    world.sandbox.disable_region(&own, BAHRAIN).unwrap();
    let run = world.run(&["rollout", "--yes", "--set", "member_role.own_account=caller"]);
    let (_, status) = world.json(&["status"]);
    assert_eq!(status["state"], "finished", "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("your own credentials"), "{}", run.stdout);
    // Its central key there cannot be described: nothing is pointed at it.
    let (_, document) = world.json(&["report"]);
    let held = finding(&document, "beta-bahrain-0");
    assert_eq!((&held["verdict"], &held["reason"]), (&"held".into(), &"key_not_usable".into()), "{held:#}");
    let message = held["error"]["message"].as_str().unwrap();
    assert!(message.contains("me-south-1 is disabled in account"), "{message}");
    assert_eq!(finding(&document, "beta-virginia")["verdict"], "sealed");
}

#[test]
fn buckets_of_the_callers_own_account_are_unread_and_the_run_goes_on() {
    let world = World::of(&format!(
        "accounts = 3\nbuckets_per_account = 12\nsuspended = 0\nwithout_member_role = 0\nregions = [\"us-east-1\", \"{BAHRAIN}\"]\n"
    ));
    let own = world.sandbox.security_account().to_owned();
    world.sandbox.disable_region(&own, BAHRAIN).unwrap();
    let there = world.sandbox.buckets_of(&own).iter().filter(|bucket| bucket.region == BAHRAIN).count();
    assert!(there > 1, "{there}");
    for entered in ["caller", "role"] {
        world.sandbox.reset_counters();
        let (code, document) = world.json(&["audit", "--set", &format!("member_role.own_account={entered}")]);
        assert_eq!((code, &document["run"]["state"]), (3, &"finished".into()), "{entered}");
        let unread = unread(&document);
        assert_eq!(unread.len(), there, "{entered}");
        for finding in unread {
            assert_eq!((&finding["account"], &finding["reason"]), (&own.as_str().into(), &"region_disabled".into()));
        }
        assert_eq!(world.sandbox.counters().totals("sts", "GetCallerIdentity"), 2, "{entered}");
    }
}

#[test]
fn a_home_region_that_is_disabled_in_an_account_is_named() {
    let world = World::of(&in_alpha());
    let run: crate::world::Run =
        world.command(&["audit", "--json"]).env("AWS_REGION", BAHRAIN).output().unwrap().into();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let account = document["unread_accounts"].as_array().and_then(|accounts| accounts.first());
    let text = account.unwrap_or(&document["accounts"]).to_string();
    assert!(text.contains("RegionDisabled") && text.contains(ALPHA), "{text}");
    assert_eq!(world.sandbox.counters().totals("sts", "AssumeRole"), 4 + 1);
}

/// An audit while a fault refuses the session of one account: `fits` says where, `when` how often.
fn audit_with_refusals(fits: &str, when: &str) -> (World, Value) {
    let fits = format!("service = \"s3\", account = \"{ALPHA}\", {fits}");
    let fault = format!("[[fault]]\nkind = \"invalid_token\"\nwhere = {{ {fits} }}\n{when}\n");
    let world = World::of(&format!("{}\n{fault}", spec("")));
    let (_, document) = world.json(&["audit"]);
    assert_eq!(document["run"]["state"], "finished");
    (world, document)
}

#[test]
fn one_refused_answer_writes_off_no_region() {
    for region in [BAHRAIN, "us-east-1"] {
        let (world, document) = audit_with_refusals(&format!("region = \"{region}\""), "first = 1");
        assert_eq!(document["summary"]["unread"], 0, "{region}: {:#}", document["summary"]);
        assert_eq!(world.sandbox.counters().totals("sts", "AssumeRole"), 4 + 1, "{region}");
    }
}

#[test]
fn a_region_that_cannot_be_disabled_or_accepted_the_session_before_is_not_called_disabled() {
    let default = "region = \"us-east-1\", operation = \"GetBucketEncryption\"";
    let worked_before = format!("region = \"{BAHRAIN}\"");
    for (fits, when) in [(default, ""), (&worked_before, "nth = 4\ncount = 1000")] {
        let (world, document) = audit_with_refusals(fits, when);
        let unread = unread(&document);
        assert!(!unread.is_empty(), "{fits}: {:#}", document["summary"]);
        for finding in unread {
            let error = &finding["error"];
            assert_ne!(finding["reason"], "region_disabled", "{finding}");
            assert_eq!(error["code"], "InvalidToken", "{finding}");
            assert!(error["hint"].as_str().unwrap().starts_with("run the command again"), "{finding}");
        }
        let sessions = world.sandbox.counters().totals("sts", "AssumeRole");
        assert!(sessions <= 4 + 3, "{fits}: {sessions}");
    }
}
