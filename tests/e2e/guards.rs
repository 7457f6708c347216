//! A guard keeps a bucket from a change that would break something, says what and why, and stands back when a person says so.

use std::collections::BTreeSet;

use orgseal_sandbox::ApplicationBucket;
use serde_json::{Value, json};

use crate::world::{World, block_on, finding, sse_s3, two_members, wait_until};

/// An organization with a bucket for each guard in the account `workloads`, named after it.
const SPEC: &str = include_str!("../../config/sandbox/one-of-each-guard.toml");
const WORKLOADS: &str = "444455556666";
/// Writes into every bucket of its account, and may use the central key.
const WRITER: &str = r#"
[[application]]
name = "writer"
accounts = "all"
buckets = ["*"]
writes_every_ms = 100
policy = '''{ "Version": "2012-10-17", "Statement": [
  { "Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "*" },
  { "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "arn:aws:kms:*:SECURITY-ACCOUNT:key/*" } ] }'''
"#;
/// What the organization has no bucket for: nothing else can be told of a bucket that another account took, and one whose change is
/// denied stays as it is also without the guard (`feasible.rs`).
const WITHOUT_A_BUCKET: [&str; 2] = ["not-owned", "change-denied"];

/// The guards' names, from their pages.
fn guards() -> Vec<&'static str> {
    let pages = include_str!("../../docs/guards.md");
    let names = pages.lines().filter_map(|line| line.strip_prefix("## ")).filter(|name| !name.contains(' '));
    names.filter(|name| !WITHOUT_A_BUCKET.contains(name)).collect()
}

/// The guard that a bucket of `workloads` is for: none for plain ones.
fn guard_of(bucket: &str) -> Option<&'static str> {
    guards().into_iter().filter(|guard| bucket.starts_with(guard)).max_by_key(|guard| guard.len())
}

/// Names of the buckets of `workloads` that are sealed.
fn sealed(world: &World) -> BTreeSet<String> {
    let buckets = world.sandbox.buckets_of(WORKLOADS).into_iter();
    buckets.filter(|bucket| world.is_sealed(bucket)).map(|bucket| bucket.name).collect()
}

/// What guards said of a bucket.
fn words<'a>(document: &'a Value, bucket: &str) -> Vec<&'a Value> {
    let finding = finding(document, bucket);
    finding["guards"].as_array().unwrap_or_else(|| panic!("no guards in {finding:#}")).iter().collect()
}

/// A finding of a guard is one that a person can act on.
fn is_explained(word: &Value) {
    let evidence = word["evidence"].as_array().unwrap();
    assert!(!evidence.is_empty() && evidence.iter().all(|line| !line.as_str().unwrap().trim().is_empty()), "{word:#}");
    for part in ["says", "hint"] {
        assert!(!word[part].as_str().unwrap().trim().is_empty(), "{part}: {word:#}");
    }
}

fn application(world: &World, name: &str, bucket: &str) -> ApplicationBucket {
    let state = world.sandbox.application(name).unwrap();
    state.buckets.into_iter().find(|one| one.bucket == bucket).unwrap_or_default()
}

/// Waits for an application's next write.
fn next_write(world: &World, name: &str, bucket: &str) -> ApplicationBucket {
    let tried = |state: &ApplicationBucket| state.writes + state.failed_writes;
    let before = tried(&application(world, name, bucket));
    wait_until("another write", || tried(&application(world, name, bucket)) > before + 1);
    application(world, name, bucket)
}

#[test]
fn each_guarded_bucket_stays_as_it_is_and_is_explained() {
    let world = World::of(&format!("{SPEC}{WRITER}"));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2, "{:#}", document["summary"]);
    let mut seen = BTreeSet::new();
    for bucket in world.sandbox.buckets_of(WORKLOADS) {
        let found = finding(&document, &bucket.name);
        let Some(guard) = guard_of(&bucket.name) else {
            assert_eq!(found["verdict"], "sealed", "{found:#}");
            continue;
        };
        assert_eq!(bucket.encryption, sse_s3(), "{}", bucket.name);
        let said = (found["verdict"].as_str(), found["reason"].as_str(), found["observed"].as_str());
        assert_eq!(said, (Some("held"), Some("guarded"), Some("sse_s3")), "{found:#}");
        assert!(found["execution"].is_null(), "{found:#}");
        let words = words(&document, &bucket.name);
        let word = words.iter().find(|word| word["guard"] == guard).unwrap_or_else(|| panic!("{guard}: {found:#}"));
        let said = (word["outcome"].as_str(), word["severity"].as_str(), word["overridden"].as_bool());
        assert_eq!(said, (Some("found"), Some("hold"), Some(false)), "{word:#}");
        words.into_iter().for_each(is_explained);
        seen.insert(guard);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), {
        let mut all = guards();
        all.sort_unstable();
        all
    });
    // A write goes through wherever something was changed, and also wherever a guard held.
    let changed: Vec<_> =
        world.sandbox.executions().iter().map(|one| one.parameters["BucketName"][0].clone()).collect();
    assert!(changed.len() > 2 && !changed.iter().any(|name| guard_of(name).is_some()), "{changed:?}");
    for bucket in &changed {
        let state = next_write(&world, "writer", bucket);
        assert!(!state.failing, "{state:?}");
    }
    for (name, bucket) in [("without-key", "principals-without-key"), ("object-context", "object-encryption-context")] {
        let state = next_write(&world, name, &format!("{bucket}-{WORKLOADS}"));
        assert!(!state.failing, "{state:?}");
    }
}

#[test]
fn a_hold_that_is_switched_off_lets_its_own_buckets_through_and_is_shown_as_overridden() {
    let world = World::of(SPEC);
    let plain: BTreeSet<String> = ["plain-1", "plain-2"].map(|name| format!("{name}-{WORKLOADS}")).into();
    let (code, _) = world.json(&["rollout", "--yes", "--account", "workloads"]);
    assert_eq!((code, sealed(&world)), (2, plain));
    for guard in guards() {
        let before = sealed(&world);
        let warn = format!("guards.{guard}=warn");
        // Whose right on the key ends with the Bucket Key has none then, and two guards say so. A bucket policy that lets everyone
        // in lets in the account's own roles too.
        let other = match guard {
            "object-encryption-context" | "public-access" => "guards.principals-without-key=warn",
            _ => &warn,
        };
        // The first one's run sees all buckets, so that nothing else comes through; for the others it is quicker so.
        let own = if guard == guards()[0] { "*".to_owned() } else { format!("{guard}-*") };
        let set = ["--account", "workloads", "--bucket", &own, "--set", &warn, "--set", other];
        let (_, document) = world.json(&[&["rollout", "--yes"][..], &set].concat());
        let more: BTreeSet<String> = sealed(&world).difference(&before).cloned().collect();
        let own = world.sandbox.buckets_of(WORKLOADS).into_iter().map(|bucket| bucket.name);
        assert_eq!(more, own.filter(|name| guard_of(name) == Some(guard)).collect(), "{guard}");
        for bucket in &more {
            assert_eq!(finding(&document, bucket)["verdict"], "sealed");
            let words = words(&document, bucket);
            let word =
                words.iter().find(|word| word["guard"] == guard).unwrap_or_else(|| panic!("{guard}: {words:#?}"));
            assert_eq!((&word["severity"], &word["overridden"]), (&json!("warn"), &json!(true)), "{word:#}");
            is_explained(word);
        }
    }
    // They were right: these two cannot write any more, and the one with the key can.
    for (name, bucket, failing) in [
        ("without-key", "principals-without-key", true),
        ("object-context", "object-encryption-context", true),
        ("with-key", "plain-1", false),
    ] {
        assert_eq!(next_write(&world, name, &format!("{bucket}-{WORKLOADS}")).failing, failing, "{name}");
    }
}

/// The member role's policy without one action.
fn without(world: &World, action: &str) -> String {
    let mut policy: Value = serde_json::from_str(include_str!("../../config/policies/member-rollout.json")).unwrap();
    let mut taken = 0;
    for statement in policy["Statement"].as_array_mut().unwrap() {
        if let Some(actions) = statement["Action"].as_array_mut() {
            let before = actions.len();
            actions.retain(|one| one != action);
            taken += before - actions.len();
        }
    }
    assert_eq!(taken, 1, "{action}");
    policy.to_string().replace("111122223333", world.sandbox.security_account())
}

#[test]
fn what_cannot_be_read_holds_the_bucket_and_names_the_permission() {
    const MEMBER: &str = "555555555551";
    // An access point of its own; and public unless the account's block says otherwise.
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3", access_points = [{ name = "ap" }] },
           { name = "open", encryption = "sse_s3", website = true }"#,
        "",
    ));
    for (action, bucket) in [
        ("s3:GetBucketPolicy", "logs"),
        ("s3:GetBucketPolicyStatus", "logs"),
        ("s3:GetBucketWebsite", "logs"),
        ("s3:GetReplicationConfiguration", "logs"),
        ("s3:GetBucketTagging", "logs"),
        ("s3:GetBucketAcl", "logs"),
        ("s3:GetBucketOwnershipControls", "logs"),
        ("s3:ListAccessPoints", "logs"),
        ("s3:GetAccessPointPolicy", "logs"),
        ("iam:GetAccountAuthorizationDetails", "logs"),
        // What a block clears is only of interest where there is something to be cleared.
        ("s3:GetBucketPublicAccessBlock", "open"),
        ("s3:GetAccountPublicAccessBlock", "open"),
    ] {
        world.sandbox.set_role_policy(MEMBER, "orgseal-member", &without(&world, action)).unwrap();
        let (code, document) = world.json(&["rollout", "--yes", "--bucket", bucket]);
        assert_eq!(code, 2, "{action}: {document:#}");
        let found = finding(&document, bucket);
        assert_eq!((&found["verdict"], &found["reason"]), (&json!("held"), &json!("guarded")), "{action}: {found:#}");
        let words = words(&document, bucket);
        let unclear: Vec<_> = words.iter().filter(|word| word["outcome"] == "cannot_tell").collect();
        let named = unclear.iter().any(|word| word["evidence"].to_string().contains(action));
        assert!(
            named || words.iter().any(|word| word["evidence"].to_string().contains(action)),
            "{action}: {words:#?}"
        );
        words.into_iter().for_each(is_explained);
    }
    // The key's policy is read by the caller.
    let whole = include_str!("../../config/policies/member-rollout.json");
    let whole = whole.replace("111122223333", world.sandbox.security_account());
    world.sandbox.set_role_policy(MEMBER, "orgseal-member", &whole).unwrap();
    let caller = include_str!("../../config/policies/caller.json").replace(", \"kms:GetKeyPolicy\"", "");
    world.sandbox.set_caller_policy(&caller.replace("111122223333", world.sandbox.security_account())).unwrap();
    let (_, document) = world.json(&["rollout", "--yes", "--bucket", "logs"]);
    assert!(finding(&document, "logs")["guards"].to_string().contains("kms:GetKeyPolicy"), "{document:#}");
    assert!(world.sandbox.executions().is_empty(), "nothing was changed all the while");
    world
        .sandbox
        .set_caller_policy(
            &include_str!("../../config/policies/caller.json")
                .replace("111122223333", world.sandbox.security_account()),
        )
        .unwrap();
    assert_eq!(world.run(&["rollout", "--yes", "--bucket", "logs"]).code, 0, "and with all of them it is changed");
}

#[test]
fn where_another_account_may_own_the_bucket_nobody_touches_it() {
    let world = World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "more", encryption = "sse_s3" }"#,
        "",
    ));
    // As S3 answers for a bucket that somebody else took: each read is refused, whatever the policies say.
    let deny = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "NotAction": ["s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"], "Resource": "arn:aws:s3:::logs" } ] }"#;
    world.sandbox.set_role_boundary("555555555551", "orgseal-member", Some(deny)).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    assert_eq!(finding(&document, "more")["verdict"], "sealed");
    let words = words(&document, "logs");
    let word = words.iter().find(|word| word["guard"] == "not-owned").unwrap();
    assert_eq!(word["outcome"], "cannot_tell", "{word:#}");
    is_explained(word);
    assert_eq!(world.bucket("logs").encryption, sse_s3());
}

const READS: [&str; 8] = [
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketWebsite",
    "GetBucketAcl",
    "GetBucketOwnershipControls",
    "GetPublicAccessBlock",
    "GetBucketReplication",
    "GetBucketTagging",
];

#[test]
fn guards_read_each_bucket_about_to_change_once_and_no_other() {
    let world = World::of(
        "accounts = 6\nbuckets_per_account = 20\nsuspended = 0\nwithout_member_role = 0\nregions = [\"us-east-1\", \"eu-west-1\"]\n",
    );
    let waiting: Vec<_> = world.sandbox.buckets().into_iter().filter(|bucket| !world.is_sealed(bucket)).collect();
    assert!(waiting.len() > 20 && waiting.len() < 110, "{}", waiting.len());
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let counters = world.sandbox.counters();
    for operation in READS {
        assert_eq!(counters.totals("s3", operation), waiting.len() as u64, "{operation}");
    }
    for account in world.sandbox.accounts() {
        let of = |service: &str, operation: &str| counters.of(&account.id, service, operation);
        assert_eq!(of("iam", "GetAccountAuthorizationDetails"), 1, "{}", account.id);
        let blocks: u64 = counters
            .requests
            .iter()
            .filter(|one| one.account == account.id && one.operation == "GetAccountPublicAccessBlock")
            .map(|one| one.count)
            .sum();
        assert_eq!(blocks, 1, "{}", account.id);
    }
    assert_eq!(counters.totals("kms", "GetKeyPolicy"), 2, "one for each Region");
    let listed: u64 =
        counters.requests.iter().filter(|one| one.operation == "ListAccessPoints").map(|one| one.count).sum();
    assert_eq!(listed, waiting.len() as u64);
    // All is sealed: nobody has to be asked.
    world.sandbox.reset_counters();
    assert_eq!(world.run(&["rollout", "--yes"]).code, 0);
    let audit_alone = [
        "AssumeRole",
        "GetCallerIdentity",
        "ListBuckets",
        "GetBucketEncryption",
        "DescribeOrganization",
        "ListAccounts",
    ];
    for request in world.sandbox.counters().requests {
        assert!(audit_alone.contains(&request.operation.as_str()), "{request:?}");
    }
}

#[test]
fn guards_that_are_off_are_not_read_for() {
    let world = World::of(&two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, ""));
    let off = guards()
        .into_iter()
        .chain(WITHOUT_A_BUCKET)
        .flat_map(|guard| ["--set".to_owned(), format!("guards.{guard}=off")]);
    let off: Vec<String> = off.collect();
    let arguments: Vec<&str> = ["rollout", "--yes"].into_iter().chain(off.iter().map(String::as_str)).collect();
    assert_eq!(world.run(&arguments).code, 0);
    let counters = world.sandbox.counters();
    for operation in READS {
        assert_eq!(counters.totals("s3", operation), 0, "{operation}");
    }
    assert_eq!(counters.totals("iam", "GetAccountAuthorizationDetails") + counters.totals("kms", "GetKeyPolicy"), 0);
    assert_eq!(counters.totals("organizations", "ListPolicies"), 0);
}

#[test]
fn an_old_word_is_asked_for_again_at_the_start() {
    for (max_age, verdict) in [("0", "held"), ("3600", "sealed")] {
        let world = World::of(&two_members(
            r#"{ name = "logs", encryption = "sse_s3" }, { name = "more", encryption = "sse_s3" }"#,
            "",
        ));
        let (_, plan) = world.json(&["plan", "--output", "plan.json"]);
        // It becomes public after guards looked at it.
        let public = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs/*" } ] }"#;
        world.sandbox.set_bucket_policy("logs", Some(public)).unwrap();
        let age = format!("guards.max_age={max_age}");
        let sha256 = plan["sha256"].as_str().unwrap();
        let (_, document) =
            world.json(&["rollout", "--plan", "plan.json", "--plan-sha256", sha256, "--yes", "--set", &age]);
        assert_eq!(finding(&document, "logs")["verdict"], verdict, "{max_age}: {document:#}");
        assert_eq!(finding(&document, "more")["verdict"], "sealed", "{max_age}");
        if verdict == "held" {
            assert_eq!(finding(&document, "logs")["reason"], "guarded");
            let words = words(&document, "logs");
            assert!(words.iter().any(|word| word["guard"] == "public-access"), "{words:#?}");
            assert_eq!(world.bucket("logs").encryption, sse_s3());
        }
    }
}

#[test]
fn a_person_decides_for_one_bucket_and_says_why() {
    let world = World::of(SPEC);
    world.edit(|text| {
        format!("{text}\n[[guards.overrides]]\nguard = \"public-access\"\nbuckets = [\"public-access-{WORKLOADS}\"]\nseverity = \"off\"\nreason = \"CHG-7: behind CloudFront since May\"\nowner = \"web\"\nuntil = 2099-12-31\n\
                 [[guards.overrides]]\nguard = \"principals-without-key\"\nbuckets = [\"public-access-{WORKLOADS}\"]\nseverity = \"warn\"\nreason = \"CHG-7: no role reads it\"\n\
                 [[guards.overrides]]\nguard = \"access-points\"\naccounts = [\"{WORKLOADS}\"]\nseverity = \"warn\"\nreason = \"gone\"\nuntil = 2020-01-01\n")
    });
    let (_, document) = world.json(&["rollout", "--yes", "--account", WORKLOADS]);
    let one = format!("public-access-{WORKLOADS}");
    assert_eq!(finding(&document, &one)["verdict"], "sealed");
    let said = words(&document, &one);
    let word = said.iter().find(|word| word["guard"] == "public-access").unwrap();
    assert_eq!((&word["severity"], &word["overridden"]), (&json!("off"), &json!(true)));
    assert_eq!(word["because"], "CHG-7: behind CloudFront since May (web, until 2099-12-31)");
    let html = world.run(&["report", "--format", "html"]).stdout;
    let terminal = world.run(&["report", "--format", "terminal"]).stdout;
    for page in [&html, &terminal] {
        assert!(page.contains("CHG-7"), "{page}");
    }
    assert_eq!(
        finding(&document, &format!("public-access-website-{WORKLOADS}"))["reason"],
        "guarded",
        "another bucket"
    );
    assert_eq!(finding(&document, &format!("access-points-{WORKLOADS}"))["reason"], "guarded", "its time is over");
    let no_reason =
        "guards.overrides=[{ guard = \"public-access\", buckets = [\"x\"], severity = \"off\", reason = \" \" }]";
    let refused = world.run(&["rollout", "--yes", "--set", no_reason]);
    assert!(refused.code == 1 && refused.stderr.contains("reason"), "{}", refused.stderr);
}

#[test]
fn what_was_put_right_goes_on_with_the_campaign() {
    let world = World::of(&two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, ""));
    let public = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs/*" } ] }"#;
    world.sandbox.set_bucket_policy("logs", Some(public)).unwrap();
    let (_, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(finding(&document, "logs")["reason"], "guarded");
    // The same as before, as long as nobody put it right.
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed"]);
    assert_eq!((code, finding(&document, "logs")["reason"].as_str()), (2, Some("guarded")));
    world.sandbox.set_bucket_policy("logs", None).unwrap();
    assert_eq!(world.run(&["resume", "--yes", "--retry-failed"]).code, 0);
    assert!(world.is_sealed(&world.bucket("logs")));
}

#[test]
fn a_team_keeps_its_bucket_out_with_a_tag() {
    let world = World::of(&two_members(
        r#"{ name = "out", encryption = "sse_s3", tags = { "orgseal:opt-out" = "yes" } },
           { name = "back", encryption = "sse_s3", tags = { "orgseal:opt-out" = "false" } },
           { name = "own", encryption = "sse_s3", tags = { seal = "no" } }"#,
        "",
    ));
    let verdicts = |more: &[&str]| {
        let (_, document) = world.json(&[&["rollout", "--yes", "--dry-run"][..], more].concat());
        ["out", "back", "own"].map(|bucket| finding(&document, bucket)["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdicts(&[]), ["held", "not_sealed", "not_sealed"]);
    assert_eq!(verdicts(&["--set", "guards.opt_out_tag=seal=no"]), ["not_sealed", "not_sealed", "held"]);
}

#[test]
fn a_write_as_the_application_itself_shows_the_same() {
    let world = World::of(SPEC);
    assert_eq!(world.run(&["rollout", "--yes", "--account", WORKLOADS]).code, 2);
    let keys = world.sandbox.application_credentials("with-key").unwrap().remove(0);
    let s3 = world.s3("us-east-1", (keys.access_key_id, keys.secret_access_key, keys.session_token));
    let put = s3.put_object().bucket(format!("plain-1-{WORKLOADS}")).key("a").body(b"a".to_vec().into());
    let answer = block_on(put.send()).unwrap();
    assert_eq!(answer.ssekms_key_id(), Some(world.key("us-east-1").as_str()), "it is under the central key");
}
