//! Every state of default encryption gets its verdict, and what may be stronger is left alone.

use crate::world::{World, finding, two_members};

const STATES: [(&str, &str, &str); 13] = [
    ("none", "not_sealed", "no_configuration"),
    ("sse_s3", "not_sealed", "sse_s3"),
    ("aws_managed", "not_sealed", "aws_managed_key"),
    ("aws_managed_alias", "not_sealed", "aws_managed_key"),
    ("sealed", "sealed", "as_wanted"),
    ("bucket_key_off", "not_sealed", "bucket_key_off"),
    ("dsse_sealed", "sealed", "stronger"),
    ("wrong_region_key", "not_sealed", "key_of_other_region"),
    ("customer_key", "held", "customer_key_kept"),
    ("other_account_key", "held", "customer_key_kept"),
    ("alias", "held", "unproven_key_kept"),
    ("bare_id", "held", "unproven_key_kept"),
    ("dsse_customer", "held", "dsse_kept"),
];

fn every_state() -> World {
    let buckets: Vec<String> = STATES
        .iter()
        .map(|(state, ..)| format!("{{ name = \"b-{}\", encryption = \"{state}\" }}", state.replace('_', "-")))
        .collect();
    World::of(&two_members(&buckets.join(", "), ""))
}

#[test]
fn each_state_has_its_verdict_and_reason() {
    let world = every_state();
    let (code, document) = world.json(&["audit"]);
    assert_eq!(code, 2);
    assert_eq!(document["campaign"], serde_json::Value::Null);
    for (state, verdict, reason) in STATES {
        let finding = finding(&document, &format!("b-{}", state.replace('_', "-")));
        assert_eq!(
            (finding["verdict"].as_str(), finding["reason"].as_str()),
            (Some(verdict), Some(reason)),
            "{finding}"
        );
    }
}

#[test]
fn a_rollout_changes_what_is_weaker_and_nothing_else() {
    let world = every_state();
    let before = world.sandbox.buckets();
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2, "held buckets are not as wanted");
    for (state, verdict, _) in STATES {
        let name = format!("b-{}", state.replace('_', "-"));
        let now = world.bucket(&name);
        if verdict == "held" {
            assert_eq!(Some(&now), before.iter().find(|bucket| bucket.name == name), "left as it was");
            assert_eq!(finding(&document, &name)["verdict"], "held");
        } else {
            assert!(world.is_sealed(&now), "{now:?}");
            assert_eq!(finding(&document, &name)["verdict"], "sealed");
        }
    }
}

#[test]
fn the_campaign_file_can_say_in_so_many_words_that_a_customer_key_is_replaced() {
    let world = every_state();
    let set = r#"encryption.replace=["none","sse-s3","aws-managed-key","bucket-key-off","central-key-of-other-region","customer-key"]"#;
    let (_, document) = world.json(&["rollout", "--yes", "--set", set]);
    assert!(world.is_sealed(&world.bucket("b-customer-key")));
    assert!(!world.is_sealed(&world.bucket("b-dsse-customer")), "that was not said of DSSE-KMS");
    assert_eq!(finding(&document, "b-dsse-customer")["verdict"], "held");
}

#[test]
fn blocked_encryption_types_are_carried_over() {
    let world = World::of(&two_members(
        r#"{ name = "blocked", encryption = "sse_s3", sse_c_blocked = true }, { name = "open", encryption = "sse_s3" }"#,
        "",
    ));
    world.json(&["rollout", "--yes"]);
    for (name, blocked) in [("blocked", vec!["SSE-C"]), ("open", vec!["NONE"])] {
        let bucket = world.bucket(name);
        assert!(world.is_sealed(&bucket));
        assert_eq!(bucket.encryption.unwrap().blocked, blocked, "{name}");
    }
}

#[test]
fn a_bucket_in_a_region_without_a_key_is_held() {
    let world = World::of(&two_members(
        r#"{ name = "far", region = "ap-southeast-2", encryption = "sse_s3" }, { name = "near", encryption = "sse_s3" }"#,
        "",
    ));
    world.edit(|text| text.lines().filter(|line| !line.starts_with("ap-southeast-2")).collect::<Vec<_>>().join("\n"));
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    assert_eq!(finding(&document, "far")["reason"], "no_key_for_region");
    assert!(world.is_sealed(&world.bucket("near")));
}
