//! What is written with IAM's API is in force at once, and outlives the process.

use serde_json::Value;

use super::iam::{all, one};
use super::{Keys, SMALL, spec, start};
use crate::policy::shipped;
use crate::{Options, Sandbox};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";
const ARN: &str = "arn:aws:iam::111111111111:role/orgseal-automation";

fn allow(action: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#)
}

/// Whom a role trusts: every principal of an account that may.
fn trust(account: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"arn:aws:iam::{account}:root"}}}}]}}"#
    )
}

impl Sandbox {
    async fn enter(&self, keys: &Keys, role: &str) -> Option<Keys> {
        let answer = self.assume(keys, &format!("arn:aws:iam::{ALPHA}:role/{role}"), &[]).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        (answer.status == 200)
            .then(|| Keys { access_key: one(&text, "AccessKeyId"), token: Some(one(&text, "SessionToken")) })
    }

    async fn may_list(&self, keys: &Keys) -> bool {
        self.send(keys, "us-east-1/s3", "GET", "/", &[], "").await.status == 200
    }
}

#[tokio::test]
async fn a_made_role_follows_its_trust_its_policies_and_its_boundary() {
    let sandbox = start(SMALL, 0.0).await;
    let (keys, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    let role = ("RoleName", "app");
    call("CreateRole", &[role, ("AssumeRolePolicyDocument", &trust(ALPHA))]).await;
    assert!(sandbox.enter(&beta, "app").await.is_none());
    call("UpdateAssumeRolePolicy", &[role, ("PolicyDocument", &trust(BETA))]).await;
    let session = sandbox.enter(&beta, "app").await.unwrap();
    assert!(sandbox.enter(&keys, "app").await.is_none());
    let policy = [("PolicyName", "lists"), ("PolicyDocument", &allow("s3:ListAllMyBuckets"))];
    assert!(!sandbox.may_list(&session).await);
    call("PutRolePolicy", &[role, policy[0], policy[1]]).await;
    assert!(sandbox.may_list(&session).await, "an inline policy");
    call("DeleteRolePolicy", &[role, policy[0]]).await;
    assert!(!sandbox.may_list(&session).await);
    call("CreatePolicy", &policy).await;
    let arn = format!("arn:aws:iam::{ALPHA}:policy/lists");
    call("AttachRolePolicy", &[role, ("PolicyArn", &arn)]).await;
    assert!(sandbox.may_list(&session).await, "a managed policy");
    let narrow = [("PolicyArn", arn.as_str()), ("PolicyDocument", &allow("s3:GetObject")), ("SetAsDefault", "true")];
    call("CreatePolicyVersion", &narrow).await;
    assert!(!sandbox.may_list(&session).await, "its version in force");
    call("SetDefaultPolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v1")]).await;
    assert!(sandbox.may_list(&session).await);
    call("CreatePolicy", &[("PolicyName", "bound"), ("PolicyDocument", &allow("kms:*"))]).await;
    let bound = format!("arn:aws:iam::{ALPHA}:policy/bound");
    call("PutRolePermissionsBoundary", &[role, ("PermissionsBoundary", &bound)]).await;
    assert!(!sandbox.may_list(&session).await, "its boundary");
    call("DeleteRolePermissionsBoundary", &[role]).await;
    assert!(sandbox.may_list(&session).await);
    call("DetachRolePolicy", &[role, ("PolicyArn", &arn)]).await;
    assert!(!sandbox.may_list(&session).await);
    call("DeleteRole", &[role]).await;
    assert!(sandbox.enter(&beta, "app").await.is_none());
}

#[tokio::test]
async fn a_role_gives_its_session_its_tags_and_its_longest_duration() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    let role = ("RoleName", "app");
    call("CreateRole", &[role, ("AssumeRolePolicyDocument", &trust(sandbox.security_account()))]).await;
    let tagged =
        allow("s3:*").replace("\"Effect\"", r#""Condition":{"StringEquals":{"aws:PrincipalTag/team":"one"}},"Effect""#);
    call("PutRolePolicy", &[role, ("PolicyName", "p"), ("PolicyDocument", &tagged)]).await;
    let session = sandbox.session_of(ALPHA, "app");
    assert!(!sandbox.may_list(&session).await);
    call("TagRole", &[role, ("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "one")]).await;
    assert!(sandbox.may_list(&session).await);
    call("UntagRole", &[role, ("TagKeys.member.1", "Team")]).await;
    assert!(!sandbox.may_list(&session).await);

    sandbox.set_caller_policy(&allow("sts:*")).unwrap();
    let long = async || {
        sandbox
            .assume(&sandbox.security(), &format!("arn:aws:iam::{ALPHA}:role/app"), &[("DurationSeconds", "7200")])
            .await
    };
    assert_eq!(long().await.status, 400);
    call("UpdateRole", &[role, ("MaxSessionDuration", "7200")]).await;
    assert_eq!(long().await.status, 200);
}

#[tokio::test]
async fn the_spec_s_roles_are_changed_like_others() {
    let sandbox = start(SMALL, 0.0).await;
    let (keys, member) = (sandbox.session(ALPHA), sandbox.session_of(ALPHA, "orgseal-member"));
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    assert!(sandbox.may_list(&member).await);
    let own = [("RoleName", "orgseal-member"), ("PolicyName", "orgseal-member")];
    call("PutRolePolicy", &[own[0], own[1], ("PolicyDocument", &allow("kms:*"))]).await;
    assert!(!sandbox.may_list(&member).await);
    // Past IAM, and on top of what IAM keeps.
    sandbox.set_role_policy(ALPHA, "orgseal-member", &allow("s3:*")).unwrap();
    assert!(sandbox.may_list(&member).await);
    assert!(call("GetRolePolicy", &own).await.contains("s3%3A%2A"));
    sandbox.set_role_boundary(ALPHA, "orgseal-member", Some(&allow("kms:*"))).unwrap();
    assert!(!sandbox.may_list(&member).await);
    let bound = format!("arn:aws:iam::{ALPHA}:policy/orgseal-member-boundary");
    assert_eq!(one(&call("GetRole", &own[..1]).await, "PermissionsBoundaryArn"), bound);
    sandbox.set_role_boundary(ALPHA, "orgseal-member", None).unwrap();
    call("DeleteRolePolicy", &own).await;
    call("DeleteRole", &own[..1]).await;
    assert!(!sandbox.may_list(&member).await);
    assert!(sandbox.set_role_policy(ALPHA, "orgseal-member", &allow("s3:*")).is_err());
    sandbox.set_role_trust(ALPHA, "orgseal-member", &trust(ALPHA)).unwrap();
    sandbox.set_role_policy(ALPHA, "orgseal-member", &allow("s3:*")).unwrap();
    assert!(sandbox.may_list(&member).await);
}

#[tokio::test]
async fn a_boundary_of_the_spec_is_a_policy_that_can_have_versions() {
    let role = r#"[[account.roles]]
name = "app"
trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::MEMBER-ACCOUNT:root"},"Action":"sts:AssumeRole"}}'
policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
boundary = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}'

[[account]]
name = "beta""#;
    let sandbox = start(&SMALL.replace("[[account]]\nname = \"beta\"", role), 0.0).await;
    let (keys, app) = (sandbox.session(ALPHA), sandbox.session_of(ALPHA, "app"));
    assert!(!sandbox.may_list(&app).await);
    let arn = format!("arn:aws:iam::{ALPHA}:policy/app-boundary");
    let wide = [("PolicyArn", arn.as_str()), ("PolicyDocument", &allow("*")), ("SetAsDefault", "true")];
    sandbox.iam_do(&keys, "CreatePolicyVersion", &wide).await.unwrap();
    assert!(sandbox.may_list(&app).await);
    let shown = sandbox.details(&keys, "&Filter.member.1=LocalManagedPolicy").await;
    assert_eq!(all(&shown, "VersionId"), ["v2", "v1"]);
}

#[tokio::test]
async fn an_automation_has_what_its_role_has_now() {
    let sandbox = start(SMALL, 0.0).await;
    let (keys, member) = (sandbox.session(ALPHA), sandbox.session_of(ALPHA, "orgseal-member"));
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    let run = async || {
        let started = sandbox.start_sealing(&member, false).await;
        let value: Value = serde_json::from_slice(&started.body).unwrap();
        match value["AutomationExecutionId"].as_str() {
            Some(id) => sandbox.until_ended(&keys, "us-east-1", id).await["AutomationExecutionStatus"].clone(),
            None => value["__type"].clone(),
        }
    };
    let role = ("RoleName", "orgseal-automation");
    let policy = ("PolicyName", "orgseal-automation");
    call("PutRolePolicy", &[role, policy, ("PolicyDocument", &allow("kms:*"))]).await;
    assert_eq!(run().await, "Failed");
    call("DeleteRolePolicy", &[role, policy]).await;
    call("DeleteRole", &[role]).await;
    assert_eq!(run().await, "InvalidAutomationExecutionParametersException");
    let ssm = shipped::AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", ALPHA);
    let made = call("CreateRole", &[role, ("AssumeRolePolicyDocument", &ssm.replace("ssm.", "ec2."))]).await;
    assert_eq!(one(&made, "Arn"), ARN);
    assert_eq!(run().await, "InvalidAutomationExecutionParametersException");
    call("UpdateAssumeRolePolicy", &[role, ("PolicyDocument", &ssm)]).await;
    assert_eq!(run().await, "Failed");
    call("CreatePolicy", &[("PolicyName", "seals"), ("PolicyDocument", shipped::AUTOMATION)]).await;
    let arn = format!("arn:aws:iam::{ALPHA}:policy/seals");
    call("AttachRolePolicy", &[role, ("PolicyArn", &arn)]).await;
    assert_eq!(run().await, "Success");
    call("CreatePolicy", &[("PolicyName", "bound"), ("PolicyDocument", &allow("kms:*"))]).await;
    let bound = format!("arn:aws:iam::{ALPHA}:policy/bound");
    call("PutRolePermissionsBoundary", &[role, ("PermissionsBoundary", &bound)]).await;
    assert_eq!(run().await, "Failed");
}

#[tokio::test]
async fn it_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(SMALL), options).await.unwrap()
    };
    let sandbox = open().await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    let app = ("RoleName", "app");
    call("CreateRole", &[app, ("AssumeRolePolicyDocument", &trust(ALPHA)), ("Path", "/a/")]).await;
    call("CreatePolicy", &[("PolicyName", "lists"), ("PolicyDocument", &allow("s3:ListAllMyBuckets"))]).await;
    call("CreatePolicy", &[("PolicyName", "gone"), ("PolicyDocument", &allow("s3:*"))]).await;
    call("DeletePolicy", &[("PolicyArn", &format!("arn:aws:iam::{ALPHA}:policy/gone"))]).await;
    let arn = format!("arn:aws:iam::{ALPHA}:policy/lists");
    call("CreatePolicyVersion", &[("PolicyArn", &arn), ("PolicyDocument", &allow("kms:*"))]).await;
    call("AttachRolePolicy", &[app, ("PolicyArn", &arn)]).await;
    call("PutRolePermissionsBoundary", &[app, ("PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess")])
        .await;
    call("TagRole", &[app, ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")]).await;
    call("DeleteRolePolicy", &[("RoleName", "orgseal-member"), ("PolicyName", "orgseal-member")]).await;
    call("DeleteRole", &[("RoleName", "orgseal-member")]).await;
    call("UpdateRole", &[("RoleName", "orgseal-automation"), ("Description", "changed")]).await;
    let (before, dump) = (sandbox.details(&keys, "").await, sandbox.dump());
    sandbox.stop();

    let again = open().await;
    assert_eq!(again.dump(), dump);
    assert_eq!(dump.iam[&format!("{ALPHA}/role/orgseal-member")], Value::Null);
    assert_eq!(dump.iam[&format!("{ALPHA}/policy/lists")]["default_version"], 1);
    let keys = again.session(ALPHA);
    let after = again.details(&keys, "").await;
    let lists = |xml: &str| xml.split_once("<ResponseMetadata>").unwrap().0.to_string();
    assert_eq!(lists(&after), lists(&before));
    assert!(after.contains("role/a/app") && !after.contains("role/orgseal-member<") && !after.contains("policy/gone"));
    let shown = again.iam_do(&keys, "GetRole", &[("RoleName", "orgseal-automation")]).await.unwrap();
    assert_eq!(one(&shown, "Description"), "changed");
    let session = again.enter(&keys, "a/app").await.unwrap();
    assert!(again.may_list(&session).await);
}
