//! The right key or none: whether each account can use the central key is proven before its first start.

use serde_json::json;

use crate::world::{World, finding, sse_s3, two_members};

const MEMBER: &str = "555555555551";

fn world() -> World {
    World::of(&two_members(
        r#"{ name = "logs", encryption = "sse_s3" }, { name = "more", encryption = "sse_s3" }"#,
        r#"{ name = "reports", encryption = "sse_s3" }"#,
    ))
}

/// The key policy: its own account, and these statements.
fn put_key_policy(world: &World, statements: Vec<serde_json::Value>) {
    let own = json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{}:root", world.sandbox.security_account()) },
        "Action": "kms:*", "Resource": "*" });
    let statements: Vec<_> = std::iter::once(own).chain(statements).collect();
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    world.sandbox.set_key_policy(&world.key("us-east-1"), &policy).unwrap();
}

fn of_the_organization(world: &World, actions: &str, more: serde_json::Value) -> serde_json::Value {
    let mut condition = json!({ "StringEquals": { "aws:PrincipalOrgID": world.sandbox.organization_id() } });
    condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": actions, "Resource": "*", "Condition": condition })
}

#[test]
fn who_denies_the_key_is_named_and_the_neighbour_is_none_the_worse() {
    type Denies = fn(&World);
    let denials: [(Denies, &str, &str); 4] = [
        (
            |world| {
                let policy = include_str!("../../config/policies/member-rollout.json")
                    .replace("kms:GenerateDataKey", "kms:Encrypt");
                world
                    .sandbox
                    .set_role_policy(
                        MEMBER,
                        "orgseal-member",
                        &policy.replace("111122223333", world.sandbox.security_account()),
                    )
                    .unwrap();
            },
            "the role's own IAM policies",
            "ProveTheCentralKey",
        ),
        (
            |world| {
                let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}"#;
                world.sandbox.set_scp("no-kms", &[MEMBER], deny).unwrap();
            },
            "a service control policy",
            "management account",
        ),
        (
            |world| {
                let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
                    {"Effect":"Deny","Action":"kms:GenerateDataKey","Resource":"*"}]}"#;
                world.sandbox.set_role_boundary(MEMBER, "orgseal-member", Some(deny)).unwrap();
            },
            "the role's permissions boundary",
            "boundary",
        ),
        (
            |world| {
                let others = json!({ "StringNotEquals": { "aws:PrincipalAccount": MEMBER } });
                put_key_policy(world, vec![of_the_organization(world, "kms:*", others)]);
            },
            "the key's policy",
            "aws:PrincipalOrgID",
        ),
    ];
    for (deny, by, fix) in denials {
        let world = world();
        deny(&world);
        let (code, document) = world.json(&["rollout", "--yes"]);
        assert_eq!(code, 2, "{by}: {document:#}");
        for name in ["logs", "more"] {
            let held = finding(&document, name);
            assert_eq!(
                (held["verdict"].as_str(), held["reason"].as_str()),
                (Some("held"), Some("key_not_proven")),
                "{by}: {held}"
            );
            let message = held["error"]["message"].as_str().unwrap();
            assert!(
                message.contains(by) && message.contains("the member role") && message.contains(MEMBER),
                "{message}"
            );
            assert!(held["error"]["hint"].as_str().unwrap().contains(fix), "{held}");
            assert_eq!(world.bucket(name).encryption, sse_s3());
        }
        assert_eq!(finding(&document, "reports")["verdict"], "sealed", "{by}");
    }
}

#[test]
fn a_key_that_admits_s3_alone_is_not_provable_and_a_person_may_accept_it() {
    let world = world();
    let through_s3 = json!({ "StringLike": { "kms:ViaService": "s3.*.amazonaws.com" } });
    put_key_policy(&world, vec![of_the_organization(&world, "kms:*", through_s3)]);
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    let held = finding(&document, "logs");
    assert_eq!((held["verdict"].as_str(), held["reason"].as_str()), (Some("held"), Some("key_not_proven")));
    assert_eq!(held["error"]["code"], "KeyNotProvable", "{held}");
    assert!(held["error"]["hint"].as_str().unwrap().contains("keys.accept_unproven = true"), "{held}");
    // The policy is read once for the Region, whoever asks.
    assert_eq!(world.sandbox.counters().totals("kms", "GetKeyPolicy"), 1);
    assert!(world.sandbox.executions().is_empty());
    let (code, document) = world.json(&["rollout", "--yes", "--set", "keys.accept_unproven=true"]);
    assert_eq!(code, 0, "{document:#}");
    assert!(world.is_sealed(&world.bucket("logs")));
}

#[test]
fn what_was_held_for_its_key_is_tried_again_once_it_is_put_right() {
    let world = world();
    put_key_policy(&world, Vec::new());
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 2);
    assert_eq!(finding(&document, "reports")["reason"], "key_not_proven");
    put_key_policy(&world, vec![of_the_organization(&world, "kms:*", json!({}))]);
    let (code, document) = world.json(&["resume", "--retry-failed", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn no_proof_is_asked_for_where_the_campaign_file_says_so() {
    let world = world();
    put_key_policy(&world, Vec::new());
    // A guard would see that nobody there can use the key.
    let off = ["--set", "keys.prove=false", "--set", "guards.principals-without-key=off"];
    world.json(&[&["rollout", "--yes"][..], &off].concat());
    assert_eq!(world.sandbox.counters().totals("kms", "GenerateDataKey"), 0);
    assert_eq!(world.sandbox.executions().len(), 3);
}

#[test]
fn no_answer_is_no_proof_whatever_a_person_accepts() {
    let fault =
        "\n[[fault]]\nkind = \"malformed\"\nwhere = { operation = \"GenerateDataKey\", account = \"555555555551\" }\n";
    let world = World::of(
        &(two_members(r#"{ name = "logs", encryption = "sse_s3" }"#, r#"{ name = "reports", encryption = "sse_s3" }"#)
            + fault),
    );
    let (code, document) = world.json(&["rollout", "--yes", "--set", "keys.accept_unproven=true"]);
    assert_eq!(code, 2);
    assert_eq!(finding(&document, "logs")["reason"], "key_not_proven");
    assert!(
        finding(&document, "logs")["error"]["message"]
            .as_str()
            .unwrap()
            .contains("could not determine whether account")
    );
    assert_eq!(finding(&document, "reports")["verdict"], "sealed");
}

#[test]
fn an_override_gives_some_accounts_another_key() {
    let world = world();
    let (central, other) = (world.key("us-east-1"), world.create_key("us-east-1"));
    let own = json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{}:root", world.sandbox.security_account()) },
        "Action": "kms:*", "Resource": "*" });
    let policy =
        json!({ "Version": "2012-10-17", "Statement": [own, of_the_organization(&world, "kms:*", json!({}))] });
    world.sandbox.set_key_policy(&other, &policy.to_string()).unwrap();
    world.edit(|text| {
        format!("{text}\n[[central_key_overrides]]\naccounts = [\"{MEMBER}\"]\nkeys = {{ us-east-1 = \"{other}\" }}\n")
    });
    let (code, document) = world.json(&["rollout", "--yes"]);
    assert_eq!(code, 0, "{document:#}");
    let key = |name: &str| finding(&document, name)["encryption"]["key"].as_str().unwrap().to_owned();
    assert_eq!((key("logs"), key("more"), key("reports")), (other.clone(), other.clone(), central));
    // A campaign goes on with the keys that it began with.
    world.edit(|text| text.replace(&format!("accounts = [\"{MEMBER}\"]"), "accounts = [\"555555555552\"]"));
    let run = world.run(&["resume", "--yes"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("central_key_overrides"), "{}", run.stderr);
    // The other key turned bad stops the accounts that it is for, and no other.
    let fresh = self::world();
    let bad = fresh.create_key("us-east-1");
    fresh.edit(|text| {
        format!("{text}\n[[central_key_overrides]]\naccounts = [\"{MEMBER}\"]\nkeys = {{ us-east-1 = \"{bad}\" }}\n")
    });
    let (code, document) = fresh.json(&["rollout", "--yes"]);
    assert_eq!(code, 2, "{document:#}");
    assert_eq!(finding(&document, "logs")["reason"], "key_not_proven");
    assert_eq!(finding(&document, "reports")["verdict"], "sealed");
}

#[test]
fn an_audit_asks_nothing_of_keys() {
    let world = world();
    world.json(&["audit"]);
    for operation in ["DescribeKey", "GenerateDataKey", "GetKeyPolicy"] {
        assert_eq!(world.sandbox.counters().totals("kms", operation), 0, "{operation}");
    }
}
