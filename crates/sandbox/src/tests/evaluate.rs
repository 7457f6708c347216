//! IAM's evaluation logic, case by case: which policies there are, and who stands in the way.

use std::borrow::Cow;
use std::sync::Arc;

use crate::policy::evaluate::{Refusal, ResourceKind, Sides, Source, evaluate};
use crate::policy::principal::Asker;
use crate::policy::{Keys, Kind, Policy, Question};

const ACTION: &str = "s3:GetObject";
const RESOURCE: &str = "arn:aws:s3:::b/k";
const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const NOTHING: &str = r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#;
const DENY: &str = r#"{"Effect":"Deny","Action":"s3:Get*","Resource":"*"}"#;

const USER: Asker<'_> = Asker::User { account: "111111111111", arn: "arn:aws:iam::111111111111:user/ann" };
const SESSION: Asker<'_> =
    Asker::Session { account: "111111111111", arn: "arn:aws:sts::111111111111:assumed-role/app/s", role: "app" };

struct NoKeys;

impl Keys for NoKeys {
    fn values(&self, _key: &str) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}

fn load(kind: Kind, statements: &[&str]) -> Arc<Policy> {
    Arc::new(
        Policy::load(kind, &format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))).unwrap(),
    )
}

/// A bucket policy's statement for a principal.
fn to(effect: &str, principal: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":"s3:GetObject","Resource":"*"}}"#)
}

/// What has a say; everything absent unless a case names it.
#[derive(Default)]
struct Case<'a> {
    identity: &'a [&'a str],
    boundary: Option<&'a str>,
    session: Option<&'a str>,
    scps: &'a [&'a [&'a str]],
    rcps: &'a [&'a str],
    resource: Option<String>,
    root: bool,
    foreign: bool,
}

fn judge(case: &Case<'_>, asker: &Asker<'_>) -> Result<(), (Source, bool)> {
    let one = |text: &&str| load(Kind::Identity, &[text]);
    let identity: Vec<Arc<Policy>> = case.identity.iter().map(one).collect();
    let boundary = case.boundary.as_ref().map(one);
    let session = case.session.as_ref().map(one);
    let scps: Vec<Vec<Arc<Policy>>> = case.scps.iter().map(|level| level.iter().map(one).collect()).collect();
    let rcps: Vec<Arc<Policy>> = case.rcps.iter().map(|text| load(Kind::Rcp, &[text])).collect();
    let resource = case.resource.as_ref().map(|text| load(Kind::Resource, &[text]));
    let sides = Sides {
        identity: &identity,
        boundary: boundary.as_deref(),
        session: session.as_deref(),
        scps: &scps,
        rcps: &rcps,
        resource: resource.as_deref(),
        kind: if case.root { ResourceKind::Key } else { ResourceKind::Plain },
        same_account: !case.foreign,
    };
    let question = Question { action: &ACTION.to_lowercase(), resource: RESOURCE, asker, keys: &NoKeys };
    evaluate(&sides, &question).map_err(|Refusal { source, explicit }| (source, explicit))
}

#[test]
fn identity_boundary_and_session_must_all_allow() {
    for (identity, boundary, session, expected) in [
        (&[ALL][..], None, None, Ok(())),
        (&[][..], None, None, Err((Source::Identity, false))),
        (&[NOTHING], None, None, Err((Source::Identity, false))),
        (&[NOTHING, ALL], None, None, Ok(())),
        (&[ALL, DENY], None, None, Err((Source::Identity, true))),
        (&[ALL], Some(ALL), Some(ALL), Ok(())),
        (&[ALL], Some(NOTHING), None, Err((Source::Boundary, false))),
        (&[ALL], Some(DENY), None, Err((Source::Boundary, true))),
        (&[ALL], None, Some(NOTHING), Err((Source::Session, false))),
        (&[ALL], None, Some(DENY), Err((Source::Session, true))),
        // A boundary and a session policy limit; they give nothing.
        (&[NOTHING], Some(ALL), Some(ALL), Err((Source::Identity, false))),
    ] {
        let case = Case { identity, boundary, session, ..Case::default() };
        assert_eq!(judge(&case, &SESSION), expected, "{identity:?} {boundary:?} {session:?}");
    }
}

#[test]
fn elements_that_are_negated() {
    for (statement, expected) in [
        (r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#, true),
        (r#"{"Effect":"Allow","NotAction":["iam:*","S3:getobject"],"Resource":"*"}"#, false),
        (r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::b/*"}"#, false),
        (r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::c/*"}"#, true),
        (r#"{"Effect":"Allow","Action":"s3:g?tobj*","Resource":"arn:aws:s3:::?/k"}"#, true),
        (r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::B/k"}"#, false),
    ] {
        let case = Case { identity: &[statement], ..Case::default() };
        assert_eq!(judge(&case, &USER).is_ok(), expected, "{statement}");
    }
    let all_but_ann = to("Deny", "null").replace(
        r#""Principal":null"#,
        r#""NotPrincipal":{"AWS":["arn:aws:iam::111111111111:user/ann","111111111111"]}"#,
    );
    let case = Case { identity: &[ALL], resource: Some(all_but_ann), ..Case::default() };
    assert_eq!(judge(&case, &USER), Ok(()));
    assert_eq!(judge(&case, &Asker::Service("ssm.amazonaws.com")), Err((Source::Resource, true)));
}

#[test]
fn every_level_of_scps_must_allow_and_none_may_deny() {
    for (scps, expected) in [
        (&[&[ALL][..], &[ALL], &[ALL]][..], Ok(())),
        (&[&[ALL], &[NOTHING], &[ALL]], Err((Source::Scp, false))),
        (&[&[ALL], &[NOTHING, ALL]], Ok(())),
        (&[&[ALL, DENY], &[ALL]], Err((Source::Scp, true))),
        (&[&[ALL], &[]], Err((Source::Scp, false))),
    ] {
        let case = Case { identity: &[ALL], scps, ..Case::default() };
        assert_eq!(judge(&case, &USER), expected, "{scps:?}");
    }
}

#[test]
fn rcps_only_deny() {
    let deny = to("Deny", "\"*\"");
    let case = Case { identity: &[ALL], rcps: &[&deny], ..Case::default() };
    assert_eq!(judge(&case, &USER), Err((Source::Rcp, true)));
    let other = deny.replace("s3:GetObject", "s3:PutObject");
    assert_eq!(judge(&Case { identity: &[ALL], rcps: &[&other], ..Case::default() }, &USER), Ok(()));
}

#[test]
fn resource_policies_within_the_account() {
    let (user, role, account) = (
        r#"{"AWS":"arn:aws:iam::111111111111:user/ann"}"#,
        r#"{"AWS":"arn:aws:iam::111111111111:role/app"}"#,
        r#"{"AWS":"111111111111"}"#,
    );
    let session = r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/app/s"}"#;
    let (none, by_boundary, by_session) =
        (Err((Source::Identity, false)), Err((Source::Boundary, false)), Err((Source::Session, false)));
    for (principal, asker, identity, boundary, limits, expected) in [
        // Either side is enough, but the account's root only hands the decision on.
        (user, &USER, &[][..], None, None, Ok(())),
        (role, &SESSION, &[], None, None, Ok(())),
        ("\"*\"", &SESSION, &[], None, None, Ok(())),
        (account, &USER, &[], None, None, none),
        (account, &USER, &[ALL], None, None, Ok(())),
        // A user by name is not limited by its boundary; a role by name is, and by the session policy.
        (user, &USER, &[], Some(NOTHING), None, Ok(())),
        (role, &SESSION, &[], Some(NOTHING), None, by_boundary),
        (role, &SESSION, &[], None, Some(NOTHING), by_session),
        (session, &SESSION, &[], Some(NOTHING), Some(NOTHING), Ok(())),
    ] {
        let resource = Some(to("Allow", principal));
        let case = Case { identity, boundary, session: limits, resource, ..Case::default() };
        assert_eq!(judge(&case, asker), expected, "{principal} {asker:?} {identity:?} {boundary:?} {limits:?}");
    }
    let case = Case { identity: &[ALL], resource: Some(to("Deny", account)), ..Case::default() };
    assert_eq!(judge(&case, &USER), Err((Source::Resource, true)));
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let role = r#"{"AWS":"arn:aws:iam::111111111111:role/app"}"#;
    for (identity, resource, session, expected) in [
        (&[ALL][..], Some(to("Allow", role)), None, Ok(())),
        (&[ALL], Some(to("Allow", r#"{"AWS":"111111111111"}"#)), None, Ok(())),
        (&[], Some(to("Allow", role)), None, Err((Source::Identity, false))),
        (&[ALL], None, None, Err((Source::Resource, false))),
        (&[ALL], Some(to("Allow", r#"{"AWS":"222222222222"}"#)), None, Err((Source::Resource, false))),
        (&[ALL], Some(to("Allow", role)), Some(NOTHING), Err((Source::Session, false))),
    ] {
        let case = Case { identity, resource: resource.clone(), session, foreign: true, ..Case::default() };
        assert_eq!(judge(&case, &SESSION), expected, "{identity:?} {resource:?} {session:?}");
    }
}

#[test]
fn a_key_policy_is_the_root_of_all_access_to_the_key() {
    let root = || Some(to("Allow", r#"{"AWS":"arn:aws:iam::111111111111:root"}"#));
    for (identity, resource, expected) in [
        (&[ALL][..], root(), Ok(())),
        (&[], root(), Err((Source::Identity, false))),
        (&[ALL], Some(to("Allow", r#"{"AWS":"222222222222"}"#)), Err((Source::Resource, false))),
        (&[ALL], None, Err((Source::Resource, false))),
        (&[], Some(to("Allow", r#"{"AWS":"arn:aws:iam::111111111111:role/app"}"#)), Ok(())),
    ] {
        let case = Case { identity, resource: resource.clone(), root: true, ..Case::default() };
        assert_eq!(judge(&case, &SESSION), expected, "{identity:?} {resource:?}");
    }
}

#[test]
fn services_and_anonymous_callers_have_the_resource_alone() {
    let service = Asker::Service("logging.s3.amazonaws.com");
    for (asker, principal, expected) in [
        (&service, r#"{"Service":"logging.s3.amazonaws.com"}"#, true),
        (&service, r#"{"AWS":"111111111111"}"#, false),
        (&Asker::Anonymous, "\"*\"", true),
        (&Asker::Anonymous, r#"{"Service":"logging.s3.amazonaws.com"}"#, false),
    ] {
        let case = Case { resource: Some(to("Allow", principal)), foreign: true, ..Case::default() };
        assert_eq!(judge(&case, asker).is_ok(), expected, "{asker:?} {principal}");
    }
}

/// The headers of a PutObject.
struct Headers(&'static [(&'static str, &'static str)]);

impl Keys for Headers {
    fn values(&self, key: &str) -> Vec<Cow<'_, str>> {
        self.0.iter().filter(|(name, _)| *name == key).map(|(_, value)| Cow::Borrowed(*value)).collect()
    }
}

/// The guardrail of aws-facts.md: without `Null`, a Deny with a negated operator stops every write that sends no header.
#[test]
fn a_guardrail_on_the_key_needs_null_beside_its_negated_operator() {
    const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    const RIGHT: &str = "arn:aws:kms:eu-west-1:111122223333:key/right";
    let denied = |conditions: &str, headers: &'static [(&'static str, &'static str)]| {
        let statement = format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*","Condition":{{{conditions}}}}}"#
        );
        let policy = load(Kind::Rcp, &[&statement]);
        let keys = Headers(headers);
        policy.denies(&Question { action: "s3:putobject", resource: RESOURCE, asker: &USER, keys: &keys })
    };
    let bare: &'static [_] = &[];
    let wrong: &'static [_] = &[(KEY, "arn:aws:kms:eu-west-1:111122223333:key/wrong")];
    let right: &'static [_] = &[(KEY, RIGHT)];
    let negated = format!(r#""StringNotEquals":{{"{KEY}":"{RIGHT}"}}"#);
    let if_exists = negated.replace("StringNotEquals", "StringNotEqualsIfExists");
    let guarded = format!(r#"{negated},"Null":{{"{KEY}":"false"}}"#);
    for (name, conditions, with_none) in
        [("bare", &negated, true), ("IfExists", &if_exists, true), ("Null", &guarded, false)]
    {
        assert_eq!(denied(conditions, bare), with_none, "{name}: no header");
        assert!(denied(conditions, wrong), "{name}: another key");
        assert!(!denied(conditions, right), "{name}: the right key");
    }
}

/// Whatever is handed to the loader: it answers, and what it takes can be asked.
#[test]
fn mangled_policies_neither_panic_nor_hang() {
    let whole = crate::policy::shipped::MEMBER_ROLLOUT;
    let mut random = crate::random::Random::new(7, "mangled-policies", 0);
    let mut taken = 0;
    for _ in 0..4_000 {
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = b" *?${}:\"[],aA0\xff"[random.below(15) as usize],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"*?${}:\",a"[random.below(9) as usize]),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        for kind in [Kind::Identity, Kind::Resource, Kind::Trust, Kind::Rcp] {
            if let Ok(policy) = Policy::load(kind, &text) {
                taken += 1;
                policy.allows(&Question { action: "s3:getobject", resource: RESOURCE, asker: &SESSION, keys: &NoKeys });
            }
        }
    }
    assert!(taken > 100, "nothing got through: {taken}");
}
