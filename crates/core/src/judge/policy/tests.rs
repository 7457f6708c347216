//! What policies say, on both sides.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{Identities, Identity};

const ACCOUNT: &str = "111122223333";
const KEY_ACCOUNT: &str = "999900001111";
const KEY: &str = "arn:aws:kms:us-east-1:999900001111:key/k";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/writer";

fn holder(arn: &str, policies: &[&str], boundary: Option<&str>) -> Holder {
    let identity = Identity {
        arn: arn.to_owned(),
        id: "AROAWRITER".to_owned(),
        policies: policies.iter().map(|text| ("p".to_owned(), statements(text).into())).collect(),
        boundary: boundary.map(|text| statements(text).into()),
        trust: None,
    };
    Holder::of(&identity, |text| Arc::new(Policy::parse(text)))
}

fn statements(text: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{text}]}}"#)
}

fn policy(text: &str) -> Policy {
    Policy::parse(&statements(text)).unwrap()
}

fn short(answer: &Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::CannotTell(_) => "?",
    }
}

fn put(holder: &Holder) -> Request {
    holder.request("o-ours", "s3:PutObject", Text::Beginning("arn:aws:s3:::b/".into()))
}

fn use_key(holder: &Holder) -> Request {
    holder
        .request("o-ours", "kms:Decrypt", KEY.into())
        .with_value("kms:ViaService", "s3.us-east-1.amazonaws.com")
        .with_value("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::b")
}

const PUT: &str = r#"{"Sid":"Put","Effect":"Allow","Action":"s3:Put*","Resource":"arn:aws:s3:::b/*"}"#;
const DECRYPT: &str = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#;

#[test]
fn an_identity_may_what_a_policy_allows_within_its_boundary_unless_denied() {
    let some = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/logs/*"}"#;
    let by_ip =
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#;
    let deny = r#"{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}"#;
    let deny_some = r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/secret/*"}"#;
    let own_prefix = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/*"}"#;
    for (policies, boundary, may) in [
        (vec![], None, "no"),
        (vec![PUT], None, "yes"),
        (vec![some], None, "yes"),
        (vec![own_prefix], None, "?"),
        (vec![own_prefix, PUT], None, "yes"),
        (vec![PUT, by_ip], None, "?"),
        (vec![PUT, deny_some], None, "?"),
        (vec![PUT, deny], None, "no"),
        (vec![PUT], Some(PUT), "yes"),
        (vec![PUT], Some(some), "?"),
        (vec![PUT], Some(DECRYPT), "no"),
        (vec![PUT], Some(deny), "no"),
        (vec![DECRYPT], Some(PUT), "no"),
        (vec!["nonsense"], None, "?"),
        (vec!["nonsense", deny], None, "no"),
    ] {
        let holder = holder(ROLE, &policies, boundary);
        assert_eq!(short(&holder.may(&put(&holder)).answer), may, "{policies:?} {boundary:?}");
    }
    let holder = holder(ROLE, &[PUT], None);
    assert_eq!(holder.may(&put(&holder)).by.as_deref(), Some("policy p, statement Put"));
}

#[test]
fn whom_a_resource_policy_reaches() {
    let reaches = |principal: &str| {
        let said = policy(&format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*",{principal}}}"#))
            .admission(&put(&holder(ROLE, &[], None)));
        [&said.named, &said.everyone, &said.delegated].map(short)
    };
    for (principal, named, everyone, delegated) in [
        (r#""Principal":"*""#, "no", "yes", "no"),
        (r#""Principal":{"AWS":"*"}"#, "no", "yes", "no"),
        (r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/team/writer"}"#, "yes", "no", "no"),
        (r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/writer"}"#, "no", "no", "no"),
        (r#""Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/writer/s"}"#, "?", "no", "no"),
        (r#""Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/other/s"}"#, "no", "no", "no"),
        (r#""Principal":{"AWS":"arn:aws:iam::111122223333:root"}"#, "no", "no", "yes"),
        (r#""Principal":{"AWS":["111122223333"]}"#, "no", "no", "yes"),
        (r#""Principal":{"AWS":"444455556666"}"#, "no", "no", "no"),
        (r#""Principal":{"AWS":"AIDAGONE"}"#, "no", "no", "no"),
        (r#""Principal":{"CanonicalUser":"abc"}"#, "no", "no", "?"),
        (r#""Principal":{"Service":"x.amazonaws.com"}"#, "no", "no", "no"),
        (r#""NotPrincipal":{"AWS":"444455556666"}"#, "no", "yes", "no"),
        (r#""NotPrincipal":{"AWS":"111122223333"}"#, "no", "?", "no"),
        (r#""NotPrincipal":{"AWS":"*"}"#, "no", "no", "no"),
        (r#""Sid":"NoPrincipal""#, "no", "?", "no"),
        (r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#, "no", "yes", "no"),
        (r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-theirs"}}"#, "no", "no", "no"),
        (r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#, "no", "yes", "no"),
        (r#""Principal":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}"#, "no", "no", "no"),
        (r#""Principal":"*","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#, "no", "no", "no"),
        (r#""Principal":"*","Condition":{"StringLike":{"aws:userid":"AROAWRITER:*"}}"#, "no", "yes", "no"),
        (
            r#""Principal":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team/*"}}"#,
            "no",
            "yes",
            "no",
        ),
        (
            r#""Principal":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}"#,
            "no",
            "yes",
            "no",
        ),
        (r#""Principal":"*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, "no", "?", "no"),
    ] {
        assert_eq!(reaches(principal), [named, everyone, delegated], "{principal}");
    }
}

#[test]
fn a_service_is_of_no_organization() {
    let ask = || {
        Request::of_service("x.amazonaws.com", "kms:GenerateDataKey", KEY.into())
            .with_value("aws:SourceAccount", ACCOUNT)
            .with_value("aws:SourceOrgID", "o-ours")
    };
    for (statement, admitted) in [
        (r#""Effect":"Allow","Principal":{"Service":"x.amazonaws.com"}"#, "yes"),
        (r#""Effect":"Allow","Principal":{"Service":"y.amazonaws.com"}"#, "no"),
        (r#""Effect":"Allow","Principal":"*""#, "?"),
        (
            r#""Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Condition":{"StringEquals":{"aws:SourceOrgID":"o-ours"}}"#,
            "yes",
        ),
        (r#""Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#, "no"),
    ] {
        let policy = policy(&format!(r#"{{"Action":"kms:GenerateDataKey*","Resource":"*",{statement}}}"#));
        assert_eq!(short(&policy.admission(&ask()).admitted()), admitted, "{statement}");
    }
    let denies = r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-ours"}}}"#;
    assert_eq!(policy(denies).admission(&ask()).denied, Answer::Yes);
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let organization = r#"{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours","kms:ViaService":"s3.us-east-1.amazonaws.com"}}}"#;
    let root =
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:root"},"Action":"kms:*","Resource":"*"}"#;
    let caller = r#"{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"111122223333"}}}"#;
    let role = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/team/writer"},"Action":"kms:Decrypt","Resource":"*"}"#;
    let secret = r#"{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:GrantOperations":"x"}}}"#;
    for (key_policy, own, admitted, answer) in [
        (organization, vec![DECRYPT], "yes", "yes"),
        (organization, vec![PUT], "yes", "no"),
        (caller, vec![DECRYPT], "yes", "yes"),
        (role, vec![DECRYPT], "yes", "yes"),
        (role, vec![], "yes", "no"),
        (root, vec![DECRYPT], "no", "no"),
        (secret, vec![DECRYPT], "?", "?"),
        (secret, vec![], "?", "no"),
    ] {
        let holder = holder(ROLE, &own, None);
        let right = holder.may_use_key(&policy(key_policy), KEY_ACCOUNT, &use_key(&holder));
        assert_eq!([short(&right.admitted), short(&right.answer())], [admitted, answer], "{key_policy} {own:?}");
    }
}

#[test]
fn in_the_keys_own_account_its_policy_may_do() {
    let arn = "arn:aws:iam::999900001111:role/app";
    let root =
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:root"},"Action":"kms:*","Resource":"*"}"#;
    let named = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:role/app"},"Action":"kms:*","Resource":"*"}"#;
    let deny = r#"{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}"#;
    for (key_policy, own, boundary, answer) in [
        (root, vec![DECRYPT], None, "yes"),
        (root, vec![], None, "no"),
        (named, vec![], None, "yes"),
        (named, vec![], Some(PUT), "no"),
        (named, vec![deny], None, "no"),
    ] {
        let holder = holder(arn, &own, boundary);
        let right = holder.may_use_key(&policy(key_policy), KEY_ACCOUNT, &use_key(&holder));
        assert_eq!(short(&right.answer()), answer, "{key_policy} {own:?}");
    }
}

#[test]
fn in_its_own_account_a_bucket_policy_may_name_a_principal_or_let_everyone_in() {
    let named = r#"{"Sid":"N","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/team/writer"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}"#;
    let root = r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}"#;
    let all = r#"{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}"#;
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/other"}}}"#;
    for (bucket_policy, own, answer, by) in [
        (Some(named), vec![], "yes", Some("the bucket policy, statement N")),
        (Some(root), vec![], "no", None),
        (Some(root), vec![PUT], "yes", Some("policy p, statement Put")),
        (Some(all), vec![], "yes", Some("the bucket policy, a statement without Sid")),
        (Some(all), vec![PUT], "yes", Some("policy p, statement Put")),
        (None, vec![PUT], "yes", Some("policy p, statement Put")),
        (Some(deny), vec![PUT], "no", None),
    ] {
        let holder = holder(ROLE, &own, None);
        let parsed = bucket_policy.map(policy);
        let right = holder.may_in_own_bucket(parsed.as_ref(), &put(&holder));
        assert_eq!((short(&right.answer), right.by.as_deref()), (answer, by), "{bucket_policy:?} {own:?}");
    }
}

#[test]
fn an_account_is_read_once() {
    let identity = |arn: &str| Identity {
        arn: arn.to_owned(),
        policies: vec![("p".to_owned(), statements(&format!("{PUT},{}", PUT.replace("s3:Put*", "ec2:*"))).into())],
        ..Identity::default()
    };
    let identities = Arc::new(Identities { principals: vec![identity("a"), identity("b")] });
    let holders = Holders::of(&identities);
    assert!(Arc::ptr_eq(&holders, &Holders::of(&identities)));
    assert!(Arc::ptr_eq(&holders.holders[0].policies[0].1, &holders.holders[1].policies[0].1));
    assert_eq!(holders.holders[0].policies[0].1.as_ref().as_ref().unwrap().statements.len(), 1);
    assert!(!Arc::ptr_eq(&holders, &Holders::of(&Arc::new(Identities::clone(&identities)))));
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#.to_owned()),
        Just(r#","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-ours"}}"#.to_owned()),
        Just(r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#.to_owned()),
        Just(r#","Condition":{"StringLike":{"aws:PrincipalTag/x":"${aws:username}"}}"#.to_owned()),
        Just(r#","Condition":{"Null":{"aws:SourceAccount":"true"}}"#.to_owned()),
    ]
}

fn statement(effect: &'static str) -> impl Strategy<Value = String> {
    let action = prop_oneof![Just("*"), Just("s3:PutObject"), Just("kms:*"), Just("s3:Get*")];
    let resource =
        prop_oneof![Just("*"), Just("arn:aws:s3:::b/*"), Just("arn:aws:s3:::b/x/*"), Just("arn:aws:s3:::${x}/*")];
    (action, resource, condition()).prop_map(move |(action, resource, condition)| {
        format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}"{condition}}}"#)
    })
}

/// How much is allowed: no, perhaps, yes.
fn rank(answer: &Answer) -> u8 {
    match answer {
        Answer::No => 0,
        Answer::CannotTell(_) => 1,
        Answer::Yes => 2,
    }
}

fn any_statement() -> impl Strategy<Value = String> {
    prop_oneof![statement("Allow"), statement("Deny")]
}

proptest! {
    #[test]
    fn a_deny_more_never_allows_more(have in prop::collection::vec(any_statement(), 0..5), more in statement("Deny")) {
        let may = |policies: &[String]| {
            let texts: Vec<&str> = policies.iter().map(String::as_str).collect();
            let holder = holder(ROLE, &texts, None);
            holder.may(&put(&holder)).answer
        };
        let before = may(&have);
        let after = may(&[have.clone(), vec![more]].concat());
        prop_assert!(rank(&after) <= rank(&before), "{before:?} {after:?}");
    }

    #[test]
    fn an_allow_more_never_allows_less(have in prop::collection::vec(any_statement(), 0..5), more in statement("Allow")) {
        let may = |policies: &[String]| {
            let texts: Vec<&str> = policies.iter().map(String::as_str).collect();
            let holder = holder(ROLE, &texts, None);
            holder.may(&put(&holder)).answer
        };
        prop_assert!(rank(&may(&[have.clone(), vec![more]].concat())) >= rank(&may(&have)));
    }

    #[test]
    fn a_boundary_never_allows_more(have in prop::collection::vec(any_statement(), 0..4), boundary in any_statement()) {
        let texts: Vec<&str> = have.iter().map(String::as_str).collect();
        let (free, bound) = (holder(ROLE, &texts, None), holder(ROLE, &texts, Some(&boundary)));
        prop_assert!(rank(&bound.may(&put(&bound)).answer) <= rank(&free.may(&put(&free)).answer));
    }

    /// What is learned of a key turns "cannot tell" into yes or no, and never a yes into a no or the other way round.
    #[test]
    fn knowing_less_is_never_more_certain(have in prop::collection::vec(any_statement(), 0..5)) {
        let texts: Vec<&str> = have.iter().map(String::as_str).collect();
        let holder = holder(ROLE, &texts, None);
        let ask = put(&holder);
        let vague = holder.may(&ask.clone().with("aws:PrincipalOrgID", Known::Unknown)).answer;
        let told = holder.may(&ask).answer;
        prop_assert!(matches!(vague, Answer::CannotTell(_)) || rank(&vague) == rank(&told), "{vague:?} {told:?}");
    }

    /// Who is said to have no right on the objects of a bucket has none on any: nobody is missed.
    #[test]
    fn no_right_on_objects_is_no_right_on_any(have in prop::collection::vec(any_statement(), 0..5), key in "x?/?[a-z]{1,3}") {
        let texts: Vec<&str> = have.iter().map(String::as_str).collect();
        let holder = holder(ROLE, &texts, None);
        let one = holder.request("o-ours", "s3:PutObject", format!("arn:aws:s3:::b/{key}").as_str().into());
        if holder.may(&put(&holder)).answer == Answer::No {
            prop_assert_eq!(holder.may(&one).answer, Answer::No);
        }
    }

    /// Whoever may do something to a bucket's objects, by whatever way, is among those who are looked at.
    #[test]
    fn nobody_who_may_is_passed_over(
        have in prop::collection::vec(any_statement(), 0..3),
        resource in r"(arn:aws:s3:::[bc?*]{1,2}(/[x*]{0,2})?|arn:aws:s3:::[$]\{x\}/[*]|[*])",
        negated in any::<bool>(),
        principal in prop_oneof![
            Just(r#""*""#),
            Just(r#"{"AWS":"arn:aws:iam::111122223333:role/team/writer"}"#),
            Just(r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/writer/s"}"#),
            Just(r#"{"AWS":"111122223333"}"#),
        ],
        element_of_principal in prop_oneof![Just("Principal"), Just("NotPrincipal")],
        who in prop_oneof![
            Just(""),
            Just(r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#),
            Just(r#","Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}}"#),
            Just(r#","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team/*"}}"#),
        ],
    ) {
        let element = if negated { "NotResource" } else { "Resource" };
        let own = format!(r#"{{"Effect":"Allow","Action":"s3:Put*","{element}":"{resource}"}}"#);
        let texts = have.iter().chain([&own]).map(|text| ("p".to_owned(), statements(text).into())).collect();
        let writer = Identity { arn: ROLE.to_owned(), policies: texts, ..Identity::default() };
        let reader = Identity { arn: ROLE.replace("writer", "reader"), ..Identity::default() };
        let identities = Arc::new(Identities { principals: vec![reader, writer] });
        let bucket = policy(&format!(
            r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","{element_of_principal}":{principal}{who}}}"#
        ));
        let read = Holders::of(&identities);
        let objects = Text::Beginning("arn:aws:s3:::b/".into());
        for bucket in [None, Some(&bucket)] {
            let concerned: Vec<&str> =
                read.concerned("b", &objects, bucket).iter().map(|holder| holder.arn.as_str()).collect();
            for holder in &read.holders {
                if holder.may_in_own_bucket(bucket, &put(holder)).answer.is_possible() {
                    prop_assert!(concerned.contains(&holder.arn.as_str()), "{concerned:?} {}", holder.arn);
                }
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_never_a_yes(have in prop::collection::vec(statement("Deny"), 0..4)) {
        let mut texts: Vec<&str> = have.iter().map(String::as_str).collect();
        texts.push(r#"{"Effect":"Allow","Action":"*","Resource":"*","Unheard":"of"}"#);
        let holder = holder(ROLE, &texts, None);
        prop_assert!(holder.may(&put(&holder)).answer != Answer::Yes);
    }
}
