//! An exemption is a person's decision with reason, owner, ticket and end: the bucket stays as it is, and is never called sealed.

use serde_json::{Value, json};

use crate::world::{World, finding, sse_s3, two_members, unbroken};

const PAYMENTS: &str = "555555555551";

/// A world whose campaign file names these exemptions.
fn world(payments: &str, analytics: &str, exemptions: &str) -> World {
    let world = World::of(&two_members(payments, analytics));
    world.edit(|text| format!("exemptions = \"exemptions.toml\"\n{text}"));
    write(&world, exemptions);
    world
}

fn write(world: &World, exemptions: &str) {
    std::fs::write(world.path("exemptions.toml"), exemptions).unwrap();
}

/// An exemption of what the selectors name.
fn exemption(selectors: &str) -> String {
    format!(
        "[[exemption]]\n{selectors}\nreason = \"reads with SigV2 clients\"\nowner = \"payments team\"\nticket = \"SEC-1\"\n\
         until = \"2099-12-31\"\n"
    )
}

fn verdict(document: &Value, bucket: &str) -> String {
    let finding = finding(document, bucket);
    format!("{} {}", finding["verdict"].as_str().unwrap(), finding["reason"].as_str().unwrap())
}

const LEGACY: &str = r#"{ name = "legacy-1", encryption = "sse_s3", tags = { keep = "until-2030" } }, { name = "new", encryption = "sse_s3", tags = { keep = "no" } }"#;
const REPORTS: &str = r#"{ name = "legacy-2", encryption = "sse_s3" }, { name = "legacy-3", encryption = "sealed" }"#;

#[test]
fn each_selector_exempts_what_it_names_and_nothing_else() {
    let world = world(LEGACY, REPORTS, "");
    let account = world.sandbox.accounts().into_iter().find(|account| account.id == PAYMENTS).unwrap();
    let parts: Vec<&str> = account.path.split('/').filter(|part| part.starts_with("ou-")).collect();
    let of_the_other = world.sandbox.accounts().into_iter().find(|account| account.id == "555555555552").unwrap().path;
    let own = parts.iter().find(|part| !of_the_other.contains(**part));
    let mut cases = vec![
        ("accounts = [\"555555555551\"]".to_owned(), [true, true, false]),
        ("accounts = [\"pay*\"]".to_owned(), [true, true, false]),
        ("buckets = [\"legacy-*\"]".to_owned(), [true, false, true]),
        ("accounts = [\"analytics\"]\nbuckets = [\"legacy-?\"]".to_owned(), [false, false, true]),
        ("account_tags = { team = \"described\" }\nbuckets = [\"n*\"]".to_owned(), [false, true, false]),
        ("account_tags = { team = \"somebody\" }".to_owned(), [false, false, false]),
        ("bucket_tags = { keep = \"until-*\" }".to_owned(), [true, false, false]),
        ("ous = [\"ou-none-none\"]".to_owned(), [false, false, false]),
    ];
    // What is below an OU is meant too: the first one is the highest.
    cases.push((format!("ous = [\"{}\"]\nbuckets = [\"new\"]", parts[0]), [false, true, false]));
    if let Some(own) = own {
        cases.push((format!("ous = [\"{own}\"]"), [true, true, false]));
    }
    for (selectors, exempt) in cases {
        write(&world, &exemption(&selectors));
        let (_, document) = world.json(&["rollout", "--yes", "--dry-run"]);
        for (bucket, exempt) in ["legacy-1", "new", "legacy-2"].into_iter().zip(exempt) {
            let wanted = if exempt { "exempt exempted" } else { "not_sealed sse_s3" };
            assert_eq!(verdict(&document, bucket), wanted, "{bucket}: {selectors}");
        }
        assert_eq!(verdict(&document, "legacy-3"), "sealed as_wanted", "a sealed one needs none: {selectors}");
    }
}

#[test]
fn an_exempt_bucket_stays_as_it_is_and_shows_as_exempt_everywhere() {
    let world = world(LEGACY, REPORTS, &exemption("buckets = [\"legacy-*\"]"));
    for command in [&["audit"][..], &["plan", "--output", "plan.json"]] {
        assert_eq!(world.run(command).code, 2, "there is one to be sealed");
    }
    let plan: Value = serde_json::from_slice(&std::fs::read(world.path("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["decisions"], json!({ "change": 1, "exempt": 2, "keep": 1 }));
    assert!(plan["exemptions_sha256"].is_string());
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "only exempt ones are left: {:#}", document["summary"]);
    let summary = &document["summary"];
    assert_eq!((&summary["exempt"], &summary["sealed"], &summary["held"]), (&json!(2), &json!(2), &json!(0)));
    for bucket in ["legacy-1", "legacy-2"] {
        assert_eq!(world.bucket(bucket).encryption, sse_s3());
        let found = finding(&document, bucket);
        assert_eq!(
            (&found["verdict"], &found["reason"], &found["observed"]),
            (&json!("exempt"), &json!("exempted"), &json!("sse_s3"))
        );
        let note = json!({ "number": 1, "reason": "reads with SigV2 clients", "owner": "payments team", "ticket": "SEC-1", "until": "2099-12-31" });
        assert_eq!(found["exemption"], note);
    }
    assert!(finding(&document, "legacy-3")["exemption"].is_null() && finding(&document, "new")["exemption"].is_null());
    // To people, in each form.
    for (format, parts) in [
        ("terminal", &["SEC-1", "payments team", "2099"][..]),
        ("html", &["SEC-1", "payments team", "2099"]),
        ("csv", &["SEC-1", "2099"]),
    ] {
        let text = unbroken(&world.run(&["report", "--format", format]).stdout);
        for part in parts {
            assert!(text.contains(part), "{format}: no {part} in {text}");
        }
    }
    assert_eq!(world.json(&["status"]).1["summary"]["exempt"], 2);
    assert_eq!(world.run(&["audit"]).code, 0);
}

#[test]
fn an_exemption_ends_with_its_day() {
    let world = world(LEGACY, REPORTS, &exemption("buckets = [\"legacy-*\"]").replace("2099-12-31", "2020-12-31"));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!((code, verdict(&document, "legacy-1").as_str()), (0, "sealed as_wanted"));
}

#[test]
fn where_the_tags_cannot_be_read_nothing_is_exempt_and_nothing_is_changed() {
    let world = world(LEGACY, REPORTS, &exemption("accounts = [\"payments\"]\nbucket_tags = { keep = \"until-*\" }"));
    let policy = include_str!("../../config/policies/member-rollout.json").replace("\"s3:GetBucketTagging\",", "");
    let policy = policy.replace("111122223333", world.sandbox.security_account());
    world.sandbox.set_role_policy(PAYMENTS, "orgseal-member", &policy).unwrap();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    for bucket in ["legacy-1", "new"] {
        assert_eq!(verdict(&document, bucket), "held exemption_unclear");
        let error = finding(&document, bucket)["error"].to_string();
        assert!(error.contains("s3:GetBucketTagging"), "{error}");
        assert_eq!(world.bucket(bucket).encryption, sse_s3());
    }
    assert_eq!(verdict(&document, "legacy-2"), "sealed as_wanted", "another account");
    // The cause is gone: it is tried again.
    let whole = include_str!("../../config/policies/member-rollout.json");
    world
        .sandbox
        .set_role_policy(PAYMENTS, "orgseal-member", &whole.replace("111122223333", world.sandbox.security_account()))
        .unwrap();
    let (code, document) = world.json(&["resume", "--yes", "--retry-failed"]);
    assert_eq!(code, 0, "{:#}", document["summary"]);
    assert_eq!(
        (verdict(&document, "legacy-1").as_str(), verdict(&document, "new").as_str()),
        ("exempt exempted", "sealed as_wanted")
    );
}

#[test]
fn one_that_is_made_while_a_campaign_runs_counts_at_the_buckets_start() {
    let world = world(LEGACY, REPORTS, "");
    let (_, plan) = world.json(&["plan", "--output", "plan.json"]);
    write(&world, &exemption("buckets = [\"legacy-*\"]"));
    let sha256 = plan["sha256"].as_str().unwrap();
    let run = world.run(&["rollout", "--yes", "--plan", "plan.json", "--plan-sha256", sha256]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!((world.bucket("legacy-1").encryption, world.is_sealed(&world.bucket("new"))), (sse_s3(), true));
    assert!(run.stderr.contains("2 left out of the plan"), "{}", run.stderr);
}

#[test]
fn a_file_that_cannot_be_read_or_says_too_little_is_refused_before_anything_runs() {
    let world = world(LEGACY, REPORTS, "");
    let good = exemption("buckets = [\"legacy-*\"]");
    for (text, words) in [
        (good.replace("owner = \"payments team\"\n", ""), "owner"),
        (good.replace("SEC-1", " "), "ticket"),
        (good.replace("until = \"2099-12-31\"\n", ""), "until"),
        (exemption(""), "would exempt every bucket"),
        (good.replace("buckets", "bukets"), "did you mean `buckets`"),
    ] {
        write(&world, &text);
        let run = world.run(&["rollout", "--yes"]);
        assert!(run.code == 1 && run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    std::fs::remove_file(world.path("exemptions.toml")).unwrap();
    let run = world.run(&["rollout", "--yes"]);
    assert!(run.code == 1 && run.stderr.contains("cannot be read"), "{}", run.stderr);
    assert!(world.sandbox.executions().is_empty());
}

#[test]
fn what_became_of_each_is_told_as_far_as_it_is_known() {
    let world = world(LEGACY, REPORTS, "");
    let state = |document: &Value, owner: &str| -> Vec<(String, u64)> {
        let all = document["exemptions"]
            .as_array()
            .unwrap_or_else(|| panic!("{document:#}"))
            .iter()
            .filter(|one| one["owner"] == owner);
        all.map(|one| (one["state"].as_str().unwrap().to_owned(), one["exempted"].as_u64().unwrap())).collect()
    };
    let of =
        |buckets: &str, owner: &str| exemption(&format!("buckets = [{buckets:?}]")).replace("payments team", owner);
    let over = of("legacy-3", "over").replace("2099-12-31", "2020-01-01");
    write(&world, &[of("legacy-1", "one"), of("none-such", "nobody"), over].concat());
    let whole = world.json(&["audit"]).1;
    assert_eq!(state(&whole, "one"), [("active".to_owned(), 1)]);
    assert_eq!(state(&whole, "nobody"), [("unused".to_owned(), 0)]);
    assert_eq!(state(&whole, "over"), [("expired".to_owned(), 0)]);
    // Nothing is known of what was not read.
    let part = world.json(&["audit", "--account", "analytics"]).1;
    assert_eq!(
        (state(&part, "one"), state(&part, "nobody")),
        (vec![("unknown".to_owned(), 0)], vec![("unknown".to_owned(), 0)])
    );
    // Whoever approves a plan hears of what is over.
    for command in [&["plan", "--output", "plan.json"][..], &["rollout", "--yes", "--dry-run"]] {
        let run = world.run(command);
        let words: Vec<&str> = run.stderr.split_whitespace().collect();
        assert!(words.join(" ").contains("is over since 2020-01-01"), "{command:?}: {}", run.stderr);
    }
    // A file that is edited in the middle of a campaign moves what stands in it.
    let mut child = world.command(&["rollout", "--yes"]);
    child
        .env("ORGSEAL_FAIL_POINT", "after_start")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    assert_eq!(child.status().unwrap().code(), None);
    write(&world, &[of("none-such", "nobody"), of("new", "late"), of("legacy-1", "one")].concat());
    world.json(&["resume", "--yes"]);
    let document = world.json(&["report"]).1;
    assert_eq!(state(&document, "one"), [("active".to_owned(), 1)], "{:#}", document["exemptions"]);
    assert_eq!(state(&document, "nobody"), [("unused".to_owned(), 0)], "{:#}", document["exemptions"]);
}
