//! The condition keys of a request, each as a policy meets it: the statement holds, or it does not.

use serde_json::{Value, json};

use super::{Keys, SMALL, start};
use crate::Sandbox;
use crate::world::session::{Caller, CallerKind, SessionContext};

const ALPHA: &str = "111111111111";

impl Sandbox {
    /// Whether the caller may list buckets under a policy with this condition.
    async fn holds(&self, keys: &Keys, condition: &Value) -> bool {
        let policy = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*", "Condition": condition } });
        self.set_role_policy(ALPHA, "orgseal-member", &policy.to_string()).unwrap();
        self.set_caller_policy(&policy.to_string()).unwrap();
        self.send(keys, "us-east-1/s3", "GET", "/", &[], "").await.status == 200
    }
}

#[tokio::test]
async fn what_a_session_is_known_by() {
    let sandbox = start(SMALL, 0.0).await;
    let caller = Caller {
        account: sandbox.world.organization.find(ALPHA).unwrap(),
        arn: format!("arn:aws:sts::{ALPHA}:assumed-role/orgseal-member/me").into(),
        user_id: "AROATEST:me".into(),
        kind: CallerKind::RoleSession,
        session: Some(std::sync::Arc::new(SessionContext {
            policy: None,
            tags: vec![("Team".into(), "payments".into())],
            source_identity: Some("ann".into()),
        })),
    };
    let path = sandbox.accounts().into_iter().find(|account| account.id == ALPHA).unwrap().path;
    let session = sandbox.world.sessions.open(caller, crate::wire::now_ms(), 900);
    let keys = Keys { access_key: session.access_key.clone(), token: Some(session.token.clone()) };
    let organization = sandbox.organization_id().to_string();
    for (operator, key, value, expected) in [
        ("StringEquals", "aws:PrincipalOrgID", organization.as_str(), true),
        ("StringEquals", "aws:principalorgid", "o-another000", false),
        ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", &format!("{path}*"), true),
        ("ForAnyValue:StringEquals", "aws:PrincipalOrgPaths", &organization, false),
        ("ArnEquals", "aws:PrincipalArn", &format!("arn:aws:iam::{ALPHA}:role/orgseal-member"), true),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::222222222222:role/*", false),
        ("StringEquals", "aws:PrincipalAccount", ALPHA, true),
        ("StringEquals", "aws:PrincipalType", "AssumedRole", true),
        ("StringEquals", "aws:PrincipalTag/team", "payments", true),
        ("StringEquals", "aws:PrincipalTag/Team", "checkout", false),
        ("Null", "aws:PrincipalTag/Other", "true", true),
        ("StringEquals", "aws:SourceIdentity", "ann", true),
        ("StringLike", "aws:userid", "*:me", true),
        ("Null", "aws:username", "true", true),
        ("Null", "aws:SourceAccount", "true", true),
        ("Bool", "aws:PrincipalIsAWSService", "false", true),
        ("Bool", "aws:ViaAWSService", "false", true),
        ("Bool", "aws:SecureTransport", "true", true),
        ("StringEquals", "aws:RequestedRegion", "us-east-1", true),
        ("StringNotEquals", "aws:RequestedRegion", "us-east-1", false),
        ("StringEquals", "aws:ResourceAccount", ALPHA, true),
        ("StringEquals", "s3:ResourceAccount", ALPHA, true),
        ("StringEquals", "aws:ResourceOrgID", &organization, true),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", true),
        ("NotIpAddress", "aws:SourceIp", "127.0.0.0/8", false),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", true),
        ("NumericLessThan", "aws:EpochTime", "1000", false),
        ("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}", true),
        ("Null", "kms:ViaService", "true", true),
    ] {
        let condition = json!({ operator: { key: value } });
        assert_eq!(sandbox.holds(&keys, &condition).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn a_session_of_a_role_with_a_path() {
    let text =
        SMALL.replacen("seed", "member_role = { name = \"ops/seal/orgseal-member\", external_id = \"\" }\nseed", 1);
    let sandbox = start(&text, 0.0).await;
    let form = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=arn%3Aaws%3Aiam%3A%3A{ALPHA}%3Arole%2F"
    );
    let assume = async |path: &str| {
        sandbox.send(&sandbox.security(), "us-east-1/sts", "POST", "/", &[], &format!("{form}{path}")).await
    };
    assert_eq!(assume("orgseal-member").await.status, 403, "the path is part of the role's ARN");
    let answer = assume("ops%2Fseal%2Forgseal-member").await;
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains(&format!("<Arn>arn:aws:sts::{ALPHA}:assumed-role/orgseal-member/me</Arn>")), "{body}");
    let part = |name: &str| body.split_once(&format!("<{name}>")).unwrap().1.split_once("</").unwrap().0.to_string();
    let keys = Keys { access_key: part("AccessKeyId"), token: Some(part("SessionToken")) };
    let condition =
        json!({ "ArnEquals": { "aws:PrincipalArn": format!("arn:aws:iam::{ALPHA}:role/ops/seal/orgseal-member") } });
    let policy = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition } });
    assert_eq!(sandbox.send(&keys, "us-east-1/s3", "GET", "/", &[], "").await.status, 200);
    sandbox.set_role_policy(ALPHA, "ops/seal/orgseal-member", &policy.to_string()).unwrap();
    assert_eq!(sandbox.send(&keys, "us-east-1/s3", "GET", "/", &[], "").await.status, 200);
}

#[tokio::test]
async fn what_a_user_is_known_by() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.security();
    let arn = format!("arn:aws:iam::{}:user/orgseal", sandbox.security_account());
    for (operator, key, value, expected) in [
        ("StringEquals", "aws:username", "orgseal", true),
        ("ArnEquals", "aws:PrincipalArn", arn.as_str(), true),
        ("StringEquals", "aws:PrincipalType", "User", true),
        ("Null", "aws:SourceIdentity", "false", false),
        ("StringLike", "aws:PrincipalArn", "arn:aws:iam::*:user/${aws:username}", true),
    ] {
        let condition = json!({ operator: { key: value } });
        assert_eq!(sandbox.holds(&keys, &condition).await, expected, "{condition}");
    }
    let both = json!({ "StringEquals": { "aws:username": "orgseal", "aws:PrincipalType": "User" }, "Null": { "aws:TokenIssueTime": "true" } });
    assert!(sandbox.holds(&keys, &both).await);
    let one = json!({ "StringEquals": { "aws:username": "orgseal", "aws:PrincipalType": "Role" } });
    assert!(!sandbox.holds(&keys, &one).await, "every key of every operator must fit");
}
