//! What the guard finds, of whom, why, and what it proposes.

use super::super::fixture::*;
use super::*;
use std::sync::Arc;

use crate::model::{AccessPoint, Identities, Identity, ReplicationRule};

const WRITES: &str = r#"{"Sid":"W","Effect":"Allow","Action":"s3:Put*","Resource":"*"}"#;
const READS: &str = r#"{"Sid":"R","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/logs/*"}"#;
const ALL_KEYS: &str = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#;
const GENERATES: &str = r#"{"Effect":"Allow","Action":"kms:GenerateDataKey*","Resource":"*"}"#;
const ELSEWHERE: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::c","arn:aws:s3:::c/*"]}"#;
const GUARD: PrincipalsWithoutKey = PrincipalsWithoutKey;

fn site(own: &[&str]) -> Scene {
    Scene::with_policies(None, ORGANIZATION).with_roles(&[("app", own), ("idle", &[ELSEWHERE]), ("none", &[])])
}

#[test]
fn finds_who_works_with_objects_and_has_no_right_on_the_key() {
    let arn = "arn:aws:iam::111122223333:role/app";
    for (own, line) in [
        (vec![WRITES], "may write (policy team, statement W), and lacks kms:GenerateDataKey and kms:Decrypt"),
        (vec![READS], "may read (policy team, statement R), and lacks kms:Decrypt"),
        (
            vec![WRITES, GENERATES],
            "may write (policy team, statement W), and lacks kms:Decrypt, which multipart uploads need",
        ),
    ] {
        let found = site(&own).found(&GUARD);
        assert_eq!(found, [format!("{arn} {line}: its own policies do not allow it")]);
    }
    let Word::Found { says, hint, .. } = site(&[WRITES]).look(&GUARD) else { panic!() };
    insta::assert_snapshot!(format!("{says}\n{hint}"), @r#"
    a user or role of the bucket's account can access objects in this bucket but cannot use the central key
    add to the policies of role/app {"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"arn:aws:kms:us-east-1:999900001111:key/k","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}; add principals that do not need the key to guards.ignored_principals
    "#);
}

#[test]
fn finds_everyone_where_the_key_does_not_admit_the_account() {
    let sister = ORGANIZATION.replace("o-ours", "o-theirs");
    let site = Scene::with_policies(None, &sister).with_roles(&[("app", &[WRITES, ALL_KEYS])]);
    assert!(site.found(&GUARD)[0].ends_with("the key policy does not allow it"));
    let Word::Found { hint, .. } = site.look(&GUARD) else { panic!() };
    assert!(
        hint.starts_with(
            r#"add to the key policy {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"#
        ),
        "{hint}"
    );
}

#[test]
fn finds_who_is_named_in_the_bucket_policy_and_not_who_is_denied_there() {
    let named = r#"{"Sid":"N","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/none"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}"#;
    let by_condition = named.replace(r#"{"AWS":"arn:aws:iam::111122223333:role/none"}"#, r#""*""#).replace(
        r#""Resource""#,
        r#""Condition":{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/none"}},"Resource""#,
    );
    for policy in [named, &by_condition] {
        let found =
            Scene::with_policies(Some(policy), ORGANIZATION).with_roles(&[("app", &[]), ("none", &[])]).found(&GUARD);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("role/none may write and read (the bucket policy, statement N)"), "{found:?}");
    }
    let only_admin = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}}}"#;
    let site = Scene::with_policies(Some(only_admin), ORGANIZATION).with_roles(&[("app", &[WRITES])]);
    assert_eq!(site.look(&GUARD), Word::Clear);
}

/// A bucket whose policy lets in whom this says; `keyed` holds the key, `none` nothing.
fn open(principal: &str, condition: &str) -> Scene {
    let statement = format!(
        r#"{{"Sid":"E","Effect":"Allow",{principal},"Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{{{condition}}}}}"#
    );
    Scene::with_policies(Some(&statement), ORGANIZATION).with_roles(&[("keyed", &[ALL_KEYS]), ("none", &[])])
}

const NONE: &str = "arn:aws:iam::111122223333:role/none may write and read (the bucket policy, statement E), and lacks kms:GenerateDataKey and kms:Decrypt: its own policies do not allow it";

#[test]
fn finds_whom_the_bucket_policy_lets_in_as_one_of_all() {
    let all = r#""Principal":"*""#;
    for (principal, condition) in [
        (all, ""),
        (r#""Principal":{"AWS":"*"}"#, ""),
        (r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/keyed"}"#, ""),
        (all, r#""StringEquals":{"aws:PrincipalOrgID":"o-ours"}"#),
        (all, r#""StringEquals":{"aws:PrincipalAccount":"111122223333"}"#),
        (all, r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/*"}"#),
        (all, r#""StringEquals":{"aws:ResourceAccount":"111122223333"}"#),
        (all, r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"},"Bool":{"aws:SecureTransport":"true"}"#),
    ] {
        let found = open(principal, condition).found(&GUARD);
        let door = "the bucket policy allows every principal of the account (statement E)";
        assert_eq!(found, [door, NONE], "{principal} {condition}");
    }
    // Its condition names whom it is for.
    for arn in ["arn:aws:iam::*:role/none", "arn:aws:iam::111122223333:role/n*"] {
        let condition = format!(r#""ArnLike":{{"aws:PrincipalArn":"{arn}"}}"#);
        assert_eq!(open(all, &condition).found(&GUARD), [NONE], "{arn}");
    }
    let mut users = open(all, r#""StringEquals":{"aws:username":"ann"}"#);
    let user = |name: &str| Identity { arn: format!("arn:aws:iam::{OWN}:user/team/{name}"), ..Identity::default() };
    users.account.identities = Some(Ok(Arc::new(Identities { principals: vec![user("ann"), user("bob")] })));
    assert!(matches!(users.found(&GUARD).as_slice(), [one] if one.contains("user/team/ann may write and read")));
    let hint = open(all, "").advice(&GUARD);
    assert!(hint.contains("with the principals that use the bucket"), "{hint}");
}

#[test]
fn no_boundary_holds_back_what_is_allowed_to_everyone_but_a_deny_does() {
    let mut site = open(r#""Principal":"*""#, "");
    let with = |boundary: Option<&str>, own: &str| {
        let none = Identity {
            arn: format!("arn:aws:iam::{OWN}:role/none"),
            policies: vec![("own".to_owned(), policy(own).into())],
            boundary: boundary.map(|text| policy(text).into()),
            ..Identity::default()
        };
        Some(Ok(Arc::new(Identities { principals: vec![none] })))
    };
    site.account.identities = with(Some(ALL_KEYS), ELSEWHERE);
    assert_eq!(site.found(&GUARD).len(), 2);
    let denies = r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#;
    site.account.identities = with(None, denies);
    assert_eq!(site.look(&GUARD), Word::Clear);
    site.account.identities = with(Some(denies), ELSEWHERE);
    assert_eq!(site.look(&GUARD), Word::Clear);
}

#[test]
fn cannot_tell_of_whom_the_bucket_policy_lets_in_under_conditions_on_the_request() {
    for condition in [
        r#""StringEquals":{"aws:PrincipalTag/team":"x"}"#,
        r#""StringEquals":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}"#,
        r#""StringEquals":{"s3:DataAccessPointAccount":"111122223333"}"#,
        r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/r-1/ou-1/*"}"#,
    ] {
        let untold = open(r#""Principal":"*""#, condition).untold(&GUARD);
        assert_eq!(untold.len(), 2, "{untold:?}");
        let door = "the bucket policy possibly allows every principal of the account (statement E): its condition";
        assert!(untold[0].starts_with(door), "{untold:?}");
        assert!(untold[1].contains("role/none may possibly, under conditions, write and read"), "{untold:?}");
    }
    // Surely reads, and has what that needs; perhaps writes, and has not.
    let statement = r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}}}"#;
    let decrypts = ALL_KEYS.replace("kms:*", "kms:Decrypt");
    let reader = Scene::with_policies(Some(statement), ORGANIZATION).with_roles(&[("r", &[READS, &decrypts])]);
    assert_eq!(reader.untold(&GUARD).len(), 2);
    let reader = Scene::with_policies(Some(statement), ORGANIZATION).with_roles(&[("r", &[READS])]);
    assert_eq!(reader.found(&GUARD).len(), 2, "it lacks what it surely needs");
}

#[test]
fn finds_callers_of_a_network_where_the_policy_denies_unsigned_requests() {
    let endpoint = r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}"#;
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-ours"}}}"#;
    let look =
        |policy: &str| Scene::with_policies(Some(policy), ORGANIZATION).with_roles(&[("none", &[])]).look(&GUARD);
    assert_eq!(look(endpoint), Word::Clear, "`public-access` tells of them");
    assert_ne!(look(&format!("{endpoint},{deny}")), Word::Clear);
}

#[test]
fn finds_nobody_whom_everyone_does_not_hold_or_who_has_the_key() {
    for condition in [
        r#""StringEquals":{"aws:PrincipalOrgID":"o-theirs"}"#,
        r#""StringEquals":{"aws:PrincipalAccount":"777788889999"}"#,
        r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-theirs/*"}"#,
        r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/keyed"}"#,
        r#""StringEquals":{"aws:username":"none"}"#,
        r#""StringEquals":{"aws:SourceAccount":"111122223333"}"#,
        r#""Bool":{"aws:PrincipalIsAWSService":"true"}"#,
        r#""StringEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}"#,
    ] {
        assert_eq!(open(r#""Principal":"*""#, condition).look(&GUARD), Word::Clear, "{condition}");
    }
    let mut ignoring = open(r#""Principal":"*""#, "");
    ignoring.terms.ignored_principals = vec!["arn:aws:iam::*:role/none".into()];
    assert_eq!(ignoring.look(&GUARD), Word::Clear);
    let lists = r#"{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"*"}"#;
    let site = Scene::with_policies(Some(lists), ORGANIZATION).with_roles(&[("none", &[])]);
    assert_eq!(site.look(&GUARD), Word::Clear);
}

#[test]
fn who_reads_versions_alone_reads() {
    let versions = READS.replace("s3:GetObject", "s3:GetObjectVersion");
    let found = site(&[&versions]).found(&GUARD);
    assert!(found[0].contains("may read (policy team, statement R), and lacks kms:Decrypt"), "{found:?}");
}

#[test]
fn finds_a_right_that_is_bound_to_other_objects_or_another_service() {
    let objects = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::b/*"}}}"#;
    let mut site = site(&[WRITES, objects]);
    assert_eq!(site.found(&GUARD).len(), 1);
    site.rule.bucket_key = None;
    assert_eq!(site.look(&GUARD), Word::Clear);
    let other = ALL_KEYS
        .replace(r#""*"}"#, r#""*","Condition":{"StringEquals":{"kms:ViaService":"sqs.us-east-1.amazonaws.com"}}}"#);
    assert_eq!(
        Scene::with_policies(None, ORGANIZATION).with_roles(&[("app", &[READS, &other])]).found(&GUARD).len(),
        1
    );
}

#[test]
fn finds_nothing_where_both_sides_allow() {
    assert_eq!(site(&[WRITES, READS, ALL_KEYS]).look(&GUARD), Word::Clear);
    assert_eq!(site(&[]).look(&GUARD), Word::Clear);
    let administrator = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    let power_user = r#"{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}"#;
    for own in [administrator, power_user] {
        assert_eq!(site(&[own]).look(&GUARD), Word::Clear, "{own}");
    }
    let mut ignoring = site(&[WRITES]);
    ignoring.terms.ignored_principals = vec!["arn:aws:iam::*:role/app".into()];
    assert_eq!(ignoring.look(&GUARD), Word::Clear);
    let mut no_key = site(&[WRITES]);
    no_key.rule = crate::model::EncryptionRule::SSE_S3;
    assert_eq!(no_key.look(&GUARD), Word::Clear);
}

#[test]
fn in_the_keys_own_account_its_policy_may_leave_it_to_the_account_or_name_a_role() {
    let root =
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:root"},"Action":"kms:*","Resource":"*"}"#;
    let named = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:role/app"},"Action":"kms:*","Resource":"*"}"#;
    for (key_policy, own, finds) in
        [(root, vec![WRITES], true), (root, vec![WRITES, ALL_KEYS], false), (named, vec![WRITES], false)]
    {
        let mut site = Scene::with_policies(None, key_policy);
        site.bucket.account = KEY_ACCOUNT.into();
        let site = site.with_roles(&[("app", &own)]);
        assert_eq!(site.look(&GUARD) != Word::Clear, finds, "{key_policy} {own:?}");
    }
}

#[test]
fn cannot_tell_what_was_not_read_or_is_not_understood() {
    let tagged = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}}}"#;
    let why = site(&[WRITES, tagged]).untold(&GUARD);
    assert!(why[0].contains("kms:GenerateDataKey: policy team: a statement without Sid: its condition StringEquals on aws:principaltag/team"), "{why:?}");
    let mut dark = site(&[WRITES]);
    dark.account.identities = denied("GetAccountAuthorizationDetails", "allow it");
    assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetAccountAuthorizationDetails: Access Denied"]);
    let mut dark = site(&[WRITES]);
    dark.key.policy = None;
    assert_eq!(dark.untold(&GUARD), ["GetKeyPolicy was not called"]);
    let mut dark = site(&[WRITES]);
    dark.evidence.policy = Some(Ok(Some("{}".into())));
    assert_eq!(dark.untold(&GUARD), ["the bucket policy could not be evaluated: it has no Statement"]);
}

#[test]
fn shows_the_first_twenty() {
    let names: Vec<String> = (0..30).map(|number| format!("app{number}")).collect();
    let roles: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), [WRITES].as_slice())).collect();
    let found = Scene::with_policies(None, ORGANIZATION).with_roles(&roles).found(&GUARD);
    assert_eq!((found.len(), found[20].as_str()), (21, "and 10 more"));
    let all = r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#;
    let roles: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), [].as_slice())).collect();
    let found = Scene::with_policies(Some(all), ORGANIZATION).with_roles(&roles).found(&GUARD);
    assert_eq!((found.len(), found[21].as_str()), (22, "and 10 more"));
    assert_eq!(found[0], "the bucket policy allows every principal of the account (statement E)");
}

#[test]
fn of_many_principals_those_who_have_to_do_with_the_bucket_are_found() {
    let scoped = |number: usize| {
        format!(
            r#"{{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket-{number}/*"}}"#
        )
    };
    let principals = (0..100).map(|number| Identity {
        arn: format!("arn:aws:iam::{OWN}:role/app{number}"),
        policies: vec![
            ("own".to_owned(), policy(&scoped(number % 50)).into()),
            ("reader".to_owned(), policy(if number % 20 == 0 { READS } else { ALL_KEYS }).into()),
        ],
        ..Identity::default()
    });
    let mut scene = Scene::with_policies(None, ORGANIZATION);
    scene.account.identities = Some(Ok(Arc::new(Identities { principals: principals.collect() })));
    assert_eq!(scene.found(&GUARD).len(), 5, "those who read b/logs");
    for (number, found) in [(0, 1), (1, 0), (20, 1), (40, 1), (51, 0)] {
        scene.bucket.name = format!("bucket-{number}");
        let seen = match scene.look(&GUARD) {
            Word::Found { evidence, .. } => evidence.len(),
            word => usize::from(word != Word::Clear),
        };
        assert_eq!(seen, found, "bucket-{number}");
    }
}

const REPLICATES_FROM: &str = r#"{"Effect":"Allow","Action":["s3:GetObjectVersionForReplication","s3:GetObjectVersionAcl"],"Resource":"arn:aws:s3:::b/*"}"#;
const REPLICATES_TO: &str =
    r#"{"Effect":"Allow","Action":["s3:ReplicateObject","s3:ReplicateDelete"],"Resource":"arn:aws:s3:::b/*"}"#;

fn rule(role: &str) -> ReplicationRule {
    ReplicationRule {
        id: "all".into(),
        enabled: true,
        destination: "arn:aws:s3:::copy".into(),
        selects_kms: true,
        replica_key: Some("arn:aws:kms:eu-west-1:111122223333:key/k2".into()),
        role: format!("arn:aws:iam::{OWN}:role/{role}"),
    }
}

#[test]
fn finds_the_role_of_a_replication_rule_by_what_it_reads() {
    let own_keys = ALL_KEYS.replace(r#""*"}"#, r#""arn:aws:kms:us-east-1:111122223333:key/*"}"#);
    let mut site = site(&[REPLICATES_FROM, &own_keys]).trusting("app", "s3.amazonaws.com");
    site.evidence.replication = Some(Ok(vec![rule("app")]));
    assert_eq!(
        site.found(&GUARD),
        [
            "arn:aws:iam::111122223333:role/app may replicate objects from this bucket (policy team, a statement without Sid), as the role of \
          replication rule all to arn:aws:s3:::copy, and lacks kms:Decrypt: its own policies do not allow it"
        ]
    );
    let hint = site.advice(&GUARD);
    assert!(
        hint.starts_with(r#"add to the policies of role/app {"Effect":"Allow","Action":["kms:Decrypt"],"#),
        "{hint}"
    );
    let keyed = self::site(&[REPLICATES_FROM, ALL_KEYS]).trusting("app", "s3.amazonaws.com");
    assert_eq!(keyed.look(&GUARD), Word::Clear);
    // A role that the account does not show.
    let mut elsewhere = self::site(&[]);
    elsewhere.evidence.replication = Some(Ok(vec![rule("gone")]));
    assert!(elsewhere.untold(&GUARD)[0].contains("role/gone, the role of replication rule all"));
}

#[test]
fn a_replication_role_may_be_bound_to_the_arns_of_objects() {
    let objects = r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringLike":{"kms:ViaService":"s3.us-east-1.amazonaws.com","kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::b/*"}}}"#;
    let mut site = site(&[REPLICATES_FROM, objects]).trusting("app", "s3.amazonaws.com");
    let found = site.found(&GUARD);
    assert!(found[0].contains("for object ARNs only (kms:EncryptionContext:aws:s3:arn)"), "{found:?}");
    let hint = site.advice(&GUARD);
    assert!(
        hint.starts_with(
            "extend the condition on kms:EncryptionContext:aws:s3:arn in the policies of role/app with the bucket ARN, arn:aws:s3:::b, "
        ),
        "{hint}"
    );
    site.rule.bucket_key = None;
    assert_eq!(site.look(&GUARD), Word::Clear);
}

#[test]
fn at_the_destination_a_replication_role_needs_to_encrypt() {
    let site = site(&[REPLICATES_TO, READS]).trusting("app", "s3.amazonaws.com");
    let found = site.found(&GUARD);
    assert!(found[0].contains("may read (policy team, statement R) and replicate objects to this bucket"), "{found:?}");
    assert!(found[0].contains("and lacks kms:Encrypt and kms:Decrypt:"), "{found:?}");
    // Whoever may do everything is no replication role, and is not told to become one.
    let everything = r#"{"Sid":"All","Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
    assert_eq!(
        self::site(&[everything]).found(&GUARD),
        [
            "arn:aws:iam::111122223333:role/app may write and read (policy team, statement All), and lacks kms:GenerateDataKey and \
          kms:Decrypt: its own policies do not allow it"
        ]
    );
}

#[test]
fn finds_each_action_that_uses_the_key_where_nothing_else_tells_of_it() {
    for (action, does) in [
        ("s3:RestoreObject", "restore archived objects"),
        ("s3:GetObjectAttributes", "read attributes of objects"),
        ("s3:GetObjectVersionAttributes", "read attributes of objects"),
        ("s3:GetObjectVersionForReplication", "replicate objects from this bucket"),
    ] {
        let found = site(&[&READS.replace("s3:GetObject", action)]).found(&GUARD);
        assert!(found[0].contains(&format!("may {does} (")) && found[0].contains("lacks kms:Decrypt:"), "{found:?}");
    }
    let reads_all = READS.replace("s3:GetObject", "s3:Get*");
    assert!(
        site(&[&reads_all]).found(&GUARD)[0].contains("may read (policy team, statement R), and lacks kms:Decrypt")
    );
}

#[test]
fn each_principal_is_given_exactly_what_it_lacks() {
    let site = Scene::with_policies(None, ORGANIZATION).with_roles(&[
        ("scan", &[READS]),
        ("aws-reserved/sso.amazonaws.com/AWSReservedSSO_ReadOnly_0a1b2c3d4e5f6071", &[READS]),
        ("app", &[WRITES]),
        ("audit", &[READS]),
    ]);
    let Word::Found { hint, principals, .. } = site.look(&GUARD) else { panic!() };
    let hint: Vec<&str> = hint.split("; ").collect();
    let reader = r#"{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":"arn:aws:kms:us-east-1:999900001111:key/k","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}"#;
    let writer = reader.replace(r#"["kms:Decrypt"]"#, r#"["kms:GenerateDataKey","kms:Decrypt"]"#);
    let set = "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_ReadOnly_0a1b2c3d4e5f6071";
    assert_eq!(hint[0], format!("add to the policies of role/scan, role/audit {reader}"));
    assert_eq!(hint[1], format!("add to the IAM Identity Center permission set of {set} {reader}"));
    assert_eq!(hint[2], format!("add to the policies of role/app {writer}"));
    let scan = &principals[0];
    assert_eq!(
        (scan.lacks.join(","), scan.fix.clone()),
        ("kms:Decrypt".into(), format!("add to the policies of role/scan {reader}"))
    );
}

#[test]
fn the_fix_depends_on_the_cause() {
    let denies = r#"{"Sid":"No","Effect":"Deny","Action":"kms:*","Resource":"*"}"#;
    let site = site(&[READS, ALL_KEYS, denies]);
    assert!(site.found(&GUARD)[0].ends_with("lacks kms:Decrypt: policy team, statement No, denies it"));
    let hint = site.advice(&GUARD);
    assert!(hint.starts_with("exempt role/app from policy team, statement No, which denies"), "{hint}");
    let mut bound = self::site(&[READS, ALL_KEYS]);
    let reader = Identity {
        arn: format!("arn:aws:iam::{OWN}:role/app"),
        policies: vec![("own".to_owned(), policy(&format!("{READS},{ALL_KEYS}")).into())],
        boundary: Some(policy(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#).into()),
        ..Identity::default()
    };
    bound.account.identities = Some(Ok(Arc::new(Identities { principals: vec![reader] })));
    assert!(bound.found(&GUARD)[0].ends_with("its permissions boundary does not allow it"));
    assert!(
        bound
            .advice(&GUARD)
            .starts_with(r#"add to the permissions boundary of role/app {"Effect":"Allow","Action":["kms:Decrypt"]"#)
    );
    let by_key = format!(
        r#"{ORGANIZATION},{{"Sid":"NotApp","Effect":"Deny","Principal":{{"AWS":"arn:aws:iam::{OWN}:role/app"}},"Action":"kms:*","Resource":"*"}}"#
    );
    let refused = Scene::with_policies(None, &by_key).with_roles(&[("app", &[READS, ALL_KEYS])]);
    assert!(refused.found(&GUARD)[0].ends_with("the key policy, statement NotApp, denies it"));
    assert!(refused.advice(&GUARD).starts_with("exempt role/app from statement NotApp of the key policy"));
}

#[test]
fn finds_service_linked_roles_and_says_what_can_be_done() {
    let lake = "aws-service-role/lakeformation.amazonaws.com/AWSServiceRoleForLakeFormationDataAccess";
    let macie = "aws-service-role/macie.amazonaws.com/AWSServiceRoleForAmazonMacie";
    let site = Scene::with_policies(None, ORGANIZATION).with_roles(&[
        (lake, &[WRITES]),
        (macie, &[READS]),
        ("aws-service-role/x.amazonaws.com/AWSServiceRoleForX", &[READS]),
    ]);
    let found = site.found(&GUARD);
    assert!(found.len() == 2 && found[0].contains("AWSServiceRoleForLakeFormationDataAccess may write"), "{found:?}");
    let hint = site.advice(&GUARD);
    assert!(hint.contains("register the location in Lake Formation with a role of your own"), "{hint}");
    assert!(hint.contains("policies of a service-linked role cannot be changed: where the service supports"), "{hint}");
    assert!(!hint.contains("add to the policies"), "{hint}");
    let [warning] = account_warnings(&site.sight()).try_into().unwrap();
    assert!(warning.says.contains("Macie will not be able to read objects") && warning.hint.contains("create-grant"));
    let by_iam = |scene: &Scene, key: &str| {
        let Some(Ok(identities)) = &scene.account.identities else { panic!() };
        warnings_by_iam(identities, &key.parse().unwrap(), ("aws", OWN), &scene.terms)
    };
    assert_eq!(by_iam(&site, KEY), [warning]);
    assert_eq!(by_iam(&site, &KEY.replace(KEY_ACCOUNT, OWN)), []);
    let keyed = Scene::with_policies(None, ORGANIZATION).with_roles(&[(macie, &[READS, ALL_KEYS])]);
    assert_eq!(by_iam(&keyed, KEY), []);
    let mut ignoring = Scene::with_policies(None, ORGANIZATION).with_roles(&[(macie, &[READS])]);
    assert_eq!(by_iam(&ignoring, KEY).len(), 1);
    ignoring.terms.ignored_principals = vec!["arn:aws:iam::*:role/aws-service-role/*".into()];
    assert_eq!(by_iam(&ignoring, KEY), []);
    // What is open to everyone of the account is nothing that a service uses by itself.
    let mut open = open(r#""Principal":"*""#, "");
    open = open.with_roles(&[(macie, &[]), ("aws-service-role/x.amazonaws.com/AWSServiceRoleForX", &[])]);
    assert_eq!(open.look(&GUARD), Word::Clear);
    assert_eq!(account_warnings(&open.sight()), []);
    // A role that customers make for malware scanning is a role like others.
    let scans = r#"{"Sid":"Scan","Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::b/*"}"#;
    let scanner = Scene::with_policies(None, ORGANIZATION)
        .with_roles(&[("GuardDutyMalwareProtection", &[scans])])
        .trusting("GuardDutyMalwareProtection", "malware-protection-plan.guardduty.amazonaws.com");
    assert!(scanner.advice(&GUARD).starts_with("add to the policies of role/GuardDutyMalwareProtection"));
}

#[test]
fn finds_who_comes_in_through_an_access_point_of_the_account() {
    let delegates = r#"{"Sid":"ToPoints","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:DataAccessPointAccount":"111122223333"}}}"#;
    let point_policy = r#"{"Sid":"P","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/none"},"Action":"s3:GetObject","Resource":"arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/*"}"#;
    let through = r#"{"Sid":"Ap","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/*"}"#;
    let with = |bucket_policy: Option<&str>, of_point: Option<&str>, own: &[&str]| {
        let mut scene = Scene::with_policies(bucket_policy, ORGANIZATION).with_roles(&[("none", own), ("other", &[])]);
        scene.evidence.access_points = Some(Ok(vec![AccessPoint {
            name: "ap".into(),
            account: OWN.into(),
            origin: "Internet".into(),
            policy: of_point.map(policy),
        }]));
        scene
    };
    let found = with(Some(delegates), Some(point_policy), &[]).found(&GUARD);
    assert_eq!(
        found,
        [
            "arn:aws:iam::111122223333:role/none may read (access point ap: its policy, statement P), and lacks kms:Decrypt: its own \
          policies do not allow it"
        ]
    );
    let found = with(Some(delegates), None, &[through]).found(&GUARD);
    assert!(found[0].contains("may read (access point ap: policy team, statement Ap)"), "{found:?}");
    // The bucket has to permit it too.
    assert_eq!(with(None, Some(point_policy), &[]).look(&GUARD), Word::Clear);
    assert_eq!(with(Some(delegates), Some(point_policy), &[ALL_KEYS]).look(&GUARD), Word::Clear);
}

#[test]
fn who_comes_in_by_network_alone_is_public_access_finding() {
    let mut site = open(r#""Principal":"*""#, r#""StringEquals":{"aws:SourceVpce":"vpce-1"}"#);
    assert_eq!(site.look(&GUARD), Word::Clear);
    site = site.with_roles(&[("reader", &[READS])]);
    assert_eq!(site.found(&GUARD).len(), 1, "by its own policy it comes in all the same");
}

/// S3 user guide, "Configuring IAM policies for Object Lambda Access Points": a caller uses its supporting access point with its
/// own rights, as a rule under `aws:CalledVia`. The Lambda function reads by a presigned URL and writes its answer, with no right on objects.
#[test]
fn finds_callers_of_an_object_lambda_access_point_and_not_its_function() {
    let delegates = r#"{"Sid":"ToPoints","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:DataAccessPointAccount":"111122223333"}}}"#;
    let lambda = r#"{"Effect":"Allow","Action":["s3-object-lambda:GetObject","lambda:InvokeFunction"],"Resource":"*"}"#;
    let supporting = r#"{"Sid":"Supporting","Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":["arn:aws:s3:us-east-1:111122223333:accesspoint/ap","arn:aws:s3:us-east-1:111122223333:accesspoint/ap/*"]"#;
    let plain = format!("{supporting}}}");
    let called_via = format!(
        r#"{supporting},"Condition":{{"ForAnyValue:StringEquals":{{"aws:CalledVia":["s3-object-lambda.amazonaws.com"]}}}}}}"#
    );
    let answers = r#"{"Effect":"Allow","Action":"s3-object-lambda:WriteGetObjectResponse","Resource":"*"}"#;
    let with = |own: &[&str]| {
        let mut scene = Scene::with_policies(Some(delegates), ORGANIZATION)
            .with_roles(&[("caller", own), ("function", &[answers])])
            .trusting("function", "lambda.amazonaws.com");
        scene.evidence.access_points = Some(Ok(vec![AccessPoint {
            name: "ap".into(),
            account: OWN.into(),
            origin: "Internet".into(),
            policy: None,
        }]));
        scene
    };
    let found = with(&[lambda, &plain]).found(&GUARD);
    let says = "role/caller may read (access point ap: policy team, statement Supporting), and lacks kms:Decrypt";
    assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    let found = with(&[lambda, &called_via]).found(&GUARD);
    let says = "role/caller may possibly, under conditions, read (access point ap: policy team, statement Supporting), and lacks kms:Decrypt";
    assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    assert!(with(&[lambda, &called_via]).advice(&GUARD).starts_with("add to the policies of role/caller"));
    for own in [&[lambda][..], &[lambda, &called_via, ALL_KEYS]] {
        assert_eq!(with(own).look(&GUARD), Word::Clear, "{own:?}");
    }
}
