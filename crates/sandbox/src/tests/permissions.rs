//! Permissions as callers meet them: each statement of the shipped policies taken away, session policies, control policies,
//! bucket and key policies.

use serde_json::{Value, json};

use super::{Keys, SMALL, seal, start};
use crate::Sandbox;
use crate::policy::shipped;
use crate::wire::Answer;

const ALPHA: &str = "111111111111";
const DOCUMENT: &str = "EnableS3BucketEncryptionWithKMS";

/// A shipped policy without one of its statements.
fn without(policy: &str, sid: &str) -> String {
    let mut policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != sid);
    assert_eq!(statements.len() + 1, before, "no statement {sid}");
    if statements.is_empty() {
        statements.push(json!({ "Effect": "Allow", "Action": "ec2:*", "Resource": "*" }));
    }
    policy.to_string()
}

fn sids(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    policy["Statement"].as_array().unwrap().iter().map(|s| s["Sid"].as_str().unwrap().to_string()).collect()
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).replace("&quot;", "\"")
}

impl Sandbox {
    async fn s3(&self, keys: &Keys, region: &str, uri: &str) -> Answer {
        self.send(keys, &format!("{region}/s3"), "GET", uri, &[], "").await
    }

    async fn ssm(&self, keys: &Keys, operation: &str, input: Value) -> Answer {
        let target = format!("AmazonSSM.{operation}");
        self.send(keys, "us-east-1/ssm", "POST", "/", &[("x-amz-target", &target)], &input.to_string()).await
    }

    async fn iam_call(&self, keys: &Keys, form: &str) -> Answer {
        let form = format!("{form}&Version=2010-05-08");
        self.send(keys, "us-east-1/iam", "POST", "/", &[], &form).await
    }

    pub(super) async fn start_sealing(&self, keys: &Keys, tags: bool) -> Answer {
        let mut input = json!({ "DocumentName": DOCUMENT, "Parameters": seal(self, ALPHA, 0, "alpha-one") });
        if tags {
            input["Tags"] = json!([{ "Key": "campaign", "Value": "c" }]);
        }
        self.ssm(keys, "StartAutomationExecution", input).await
    }

    pub(super) async fn assume(&self, keys: &Keys, role_arn: &str, more: &[(&str, &str)]) -> Answer {
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let mut form =
            format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=test&RoleArn={}", encode(role_arn));
        for (name, value) in more {
            form.push_str(&format!("&{name}={}", encode(value)));
        }
        self.send(keys, "us-east-1/sts", "POST", "/", &[], &form).await
    }

    /// A session of the member role with a session policy.
    async fn narrowed(&self, policy: &str) -> Keys {
        let role = format!("arn:aws:iam::{ALPHA}:role/orgseal-member");
        let external_id = self.external_id().to_string();
        let answer = self.assume(&self.security(), &role, &[("ExternalId", &external_id), ("Policy", policy)]).await;
        assert_eq!(answer.status, 200, "{}", text(&answer));
        let body = text(&answer);
        let element =
            |name: &str| body.split_once(&format!("<{name}>")).unwrap().1.split_once("</").unwrap().0.to_string();
        Keys { access_key: element("AccessKeyId"), token: Some(element("SessionToken")) }
    }
}

#[tokio::test]
async fn the_shipped_member_policy_is_enough_and_each_statement_is_needed() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    let started = sandbox.start_sealing(&keys, true).await;
    assert_eq!(started.status, 200, "{}", text(&started));
    let id = serde_json::from_slice::<Value>(&started.body).unwrap()["AutomationExecutionId"].clone();
    let rollout = shipped::MEMBER_ROLLOUT.replace("111122223333", sandbox.security_account());
    // The operations of the guards on a bucket, by their subresource.
    let subresources = [
        ("s3:GetBucketPolicy", "policy"),
        ("s3:GetBucketPolicyStatus", "policyStatus"),
        ("s3:GetBucketWebsite", "website"),
        ("s3:GetReplicationConfiguration", "replication"),
        ("s3:GetBucketTagging", "tagging"),
        ("s3:GetBucketAcl", "acl"),
        ("s3:GetBucketPublicAccessBlock", "publicAccessBlock"),
        ("s3:GetBucketOwnershipControls", "ownershipControls"),
    ];
    let mut cases = vec![
        ("ListBuckets", "s3:ListAllMyBuckets"),
        ("ReadDefaultEncryption", "s3:GetEncryptionConfiguration"),
        ("ReadTheDocuments", "ssm:GetDocument"),
        ("ReadTheDocuments", "ssm:DescribeDocument"),
        ("StartTheDocuments", "ssm:StartAutomationExecution"),
        ("TagExecutions", "ssm:AddTagsToResource"),
        ("FollowExecutions", "ssm:DescribeAutomationExecutions"),
        ("FollowExecutions", "ssm:GetAutomationExecution"),
        ("PassTheAutomationRole", "iam:PassRole"),
        ("ProveTheCentralKey", "kms:GenerateDataKey"),
        ("LookAtTheRoles", "iam:GetRole"),
        ("LookAtKeys", "kms:DescribeKey"),
        ("LookAtConfigRemediation", "config:DescribeConfigRules"),
        ("LookAtConfigRemediation", "config:DescribeRemediationConfigurations"),
        ("LookAtConfigRemediation", "config:DescribeRemediationExceptions"),
        ("ReadTheAccountForGuards", "s3:GetAccountPublicAccessBlock"),
        ("ReadTheAccountForGuards", "s3:ListAccessPoints"),
        ("ReadTheAccountForGuards", "s3:GetAccessPointPolicy"),
        ("ReadTheAccountForGuards", "iam:GetAccountAuthorizationDetails"),
        ("LookForDenials", "cloudtrail:LookupEvents"),
    ];
    cases.extend(subresources.iter().map(|(action, _)| ("ReadForGuards", *action)));
    let of_json = async |target: &str, scope: &str, input: Value| {
        sandbox.send(&keys, scope, "POST", "/", &[("x-amz-target", target)], &input.to_string()).await
    };
    // The team's own key leaves the decision to IAM; the central key admits the organization for a look and a proof.
    let alpha = sandbox.world.organization.find(ALPHA).unwrap();
    let former = sandbox.world.key(crate::world::key::KeyKind::Customer, alpha, 0).arn;
    let central = sandbox.world.central_arns[0].to_string();
    let tried: std::collections::BTreeSet<String> = cases.iter().map(|(sid, _)| (*sid).to_string()).collect();
    let document = sandbox.world.spec.document.name.clone();
    assert_eq!(tried, sids(shipped::MEMBER_ROLLOUT).into_iter().collect(), "a statement without a scenario");
    let call = async |action: &str| match action {
        "s3:ListAllMyBuckets" => sandbox.s3(&keys, "us-east-1", "/").await,
        "s3:GetEncryptionConfiguration" => sandbox.s3(&keys, "us-east-1", "/alpha-one?encryption").await,
        "s3:GetAccountPublicAccessBlock" | "s3:ListAccessPoints" | "s3:GetAccessPointPolicy" => {
            let path = match action {
                "s3:ListAccessPoints" => "/v20180820/accesspoint?bucket=alpha-one",
                "s3:GetAccessPointPolicy" => "/v20180820/accesspoint/any/policy",
                _ => "/v20180820/configuration/publicAccessBlock",
            };
            let id = [("x-amz-account-id", ALPHA)];
            sandbox.send(&keys, "us-east-1/s3", "GET", path, &id, "").await
        }
        "ssm:GetDocument" => sandbox.ssm(&keys, "GetDocument", json!({ "Name": document })).await,
        "ssm:DescribeDocument" => sandbox.ssm(&keys, "DescribeDocument", json!({ "Name": document })).await,
        "ssm:DescribeAutomationExecutions" => sandbox.ssm(&keys, "DescribeAutomationExecutions", json!({})).await,
        "ssm:GetAutomationExecution" => {
            sandbox.ssm(&keys, "GetAutomationExecution", json!({ "AutomationExecutionId": id })).await
        }
        "kms:DescribeKey" => of_json("TrentService.DescribeKey", "us-east-1/kms", json!({ "KeyId": former })).await,
        "kms:GenerateDataKey" => {
            let input = json!({ "KeyId": central, "KeySpec": "AES_256" });
            of_json("TrentService.GenerateDataKey", "us-east-1/kms", input).await
        }
        "cloudtrail:LookupEvents" => {
            let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
            of_json(target, "us-east-1/cloudtrail", json!({})).await
        }
        "iam:GetRole" => sandbox.iam_call(&keys, "Action=GetRole&RoleName=orgseal-automation").await,
        "iam:GetAccountAuthorizationDetails" => sandbox.iam_call(&keys, "Action=GetAccountAuthorizationDetails").await,
        config if config.starts_with("config:") => {
            let input = match config {
                "config:DescribeConfigRules" => json!({}),
                "config:DescribeRemediationConfigurations" => json!({ "ConfigRuleNames": ["any"] }),
                _ => json!({ "ConfigRuleName": "any" }),
            };
            let target = config.replacen("config:", "StarlingDoveService.", 1);
            of_json(&target, "us-east-1/config", input).await
        }
        action => match subresources.iter().find(|(of, _)| *of == action) {
            Some((_, name)) => sandbox.s3(&keys, "us-east-1", &format!("/alpha-one?{name}")).await,
            None => sandbox.start_sealing(&keys, true).await,
        },
    };
    for (sid, action) in cases {
        sandbox.set_role_policy(ALPHA, "orgseal-member", &rollout).unwrap();
        let allowed = call(action).await;
        // What is not configured is "not found" to who may ask.
        assert!([200, 404].contains(&allowed.status), "{action}: {}", text(&allowed));
        sandbox.set_role_policy(ALPHA, "orgseal-member", &without(&rollout, sid)).unwrap();
        let refused = call(action).await;
        let xml = action.starts_with("s3:") || matches!(action, "iam:GetRole" | "iam:GetAccountAuthorizationDetails");
        assert_eq!(refused.status, if xml { 403 } else { 400 }, "{sid}: {}", text(&refused));
        let code = if xml { "<Code>AccessDenied</Code>" } else { "\"AccessDeniedException\"" };
        let wanted = format!("is not authorized to perform: {action}");
        let why = format!("because no identity-based policy allows the {action} action");
        let said = text(&refused);
        assert!(said.contains(code) && said.contains(&wanted) && said.contains(&why), "{sid}: {said}");
    }
    let untagged = without(shipped::MEMBER_ROLLOUT, "TagExecutions");
    sandbox.set_role_policy(ALPHA, "orgseal-member", &untagged).unwrap();
    assert_eq!(sandbox.start_sealing(&keys, false).await.status, 200, "without tags no right to tag is needed");
}

#[tokio::test]
async fn the_proof_of_a_key_and_a_look_at_the_automation_role_need_their_statements() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    let shipped = shipped::MEMBER_ROLLOUT.replace("111122223333", sandbox.security_account());
    let prove = async || {
        let key = sandbox.world.central_arns[0].as_ref();
        let input = json!({ "KeyId": key, "KeySpec": "AES_256", "DryRun": true }).to_string();
        let headers = [("x-amz-target", "TrentService.GenerateDataKey")];
        text(&sandbox.send(&keys, "us-east-1/kms", "POST", "/", &headers, &input).await)
    };
    let look = async || {
        let form = "Action=GetRole&Version=2010-05-08&RoleName=orgseal-automation";
        text(&sandbox.send(&keys, "us-east-1/iam", "POST", "/", &[], form).await)
    };
    sandbox.set_role_policy(ALPHA, "orgseal-member", &shipped).unwrap();
    assert!(prove().await.contains("DryRunOperationException"));
    assert!(look().await.contains("<RoleName>orgseal-automation</RoleName>"));
    sandbox.set_role_policy(ALPHA, "orgseal-member", &without(&shipped, "ProveTheCentralKey")).unwrap();
    let said = prove().await;
    assert!(said.contains("because no identity-based policy allows the kms:GenerateDataKey action"), "{said}");
    sandbox.set_role_policy(ALPHA, "orgseal-member", &without(&shipped, "LookAtTheRoles")).unwrap();
    let said = look().await;
    assert!(said.contains("because no identity-based policy allows the iam:GetRole action"), "{said}");
}

#[tokio::test]
async fn the_start_needs_the_document_and_the_execution_and_the_right_role() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    for (gone, kept) in [
        ("arn:aws:ssm:*:*:automation-execution/*", ":document/"),
        ("arn:aws:ssm:*:*:document/EnableS3BucketEncryptionWithKMS", ""),
        ("arn:aws:iam::*:role/orgseal-automation", ":role/orgseal-automation"),
    ] {
        let policy = shipped::MEMBER_ROLLOUT.replace(gone, "arn:aws:none:::x");
        sandbox.set_role_policy(ALPHA, "orgseal-member", &policy).unwrap();
        let answer = sandbox.start_sealing(&keys, false).await;
        // The definition's ARN stands for the document's.
        assert_eq!(answer.status == 200, kept.is_empty(), "{gone}: {}", text(&answer));
    }
    let elsewhere = shipped::MEMBER_ROLLOUT.replace("\"ssm.amazonaws.com\"", "\"ec2.amazonaws.com\"");
    sandbox.set_role_policy(ALPHA, "orgseal-member", &elsewhere).unwrap();
    assert!(text(&sandbox.start_sealing(&keys, false).await).contains("iam:PassRole"));
}

#[tokio::test]
async fn the_automation_acts_as_its_role_and_its_trust_is_a_policy() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    let run = async || {
        let started = sandbox.start_sealing(&keys, false).await;
        let value: Value = serde_json::from_slice(&started.body).unwrap();
        match value["AutomationExecutionId"].as_str() {
            Some(id) => sandbox.until_ended(&keys, "us-east-1", id).await,
            None => value,
        }
    };
    for (name, action) in [
        ("PutEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
        ("GetEncryptionConfiguration", "s3:GetEncryptionConfiguration"),
    ] {
        let policy = shipped::AUTOMATION.replace(&format!("\"s3:{name}\""), "\"s3:ListBucket\"");
        sandbox.set_role_policy(ALPHA, "orgseal-automation", &policy).unwrap();
        let ended = run().await;
        assert_eq!(ended["AutomationExecutionStatus"], "Failed", "{ended}");
        let message = ended["FailureMessage"].as_str().unwrap();
        assert!(message.contains("(AccessDenied)") && message.contains(action), "{message}");
    }
    let whole = without(shipped::AUTOMATION, "SetAndCheckDefaultEncryption");
    sandbox.set_role_policy(ALPHA, "orgseal-automation", &whole).unwrap();
    assert_eq!(run().await["AutomationExecutionStatus"], "Failed");
    sandbox.set_role_policy(ALPHA, "orgseal-automation", shipped::AUTOMATION).unwrap();
    assert_eq!(run().await["AutomationExecutionStatus"], "Success");
    for wrong in [
        shipped::AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", "222222222222"),
        shipped::AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", ALPHA).replace("ssm.amazonaws.com", "ec2.amazonaws.com"),
        shipped::AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", ALPHA).replace("automation-execution/", "patch/"),
    ] {
        sandbox.set_role_trust(ALPHA, "orgseal-automation", &wrong).unwrap();
        assert_eq!(run().await["__type"], "InvalidAutomationExecutionParametersException", "{wrong}");
    }
    let right = shipped::AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", ALPHA);
    sandbox.set_role_trust(ALPHA, "orgseal-automation", &right).unwrap();
    assert_eq!(run().await["AutomationExecutionStatus"], "Success");
}

#[tokio::test]
async fn each_statement_of_the_callers_policy_is_needed() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.security();
    let caller = shipped::CALLER.replace("111122223333", sandbox.security_account());
    let external_id = sandbox.external_id().to_string();
    let role = format!("arn:aws:iam::{ALPHA}:role/orgseal-member");
    let call = async |action: &str| match action {
        "sts:AssumeRole" => sandbox.assume(&keys, &role, &[("ExternalId", &external_id)]).await,
        "kms:DescribeKey" | "kms:GetKeyPolicy" => {
            let input = json!({ "KeyId": sandbox.world.central_arns[0].as_ref() }).to_string();
            let target = action.replacen("kms:", "TrentService.", 1);
            sandbox.send(&keys, "us-east-1/kms", "POST", "/", &[("x-amz-target", &target)], &input).await
        }
        "config:DescribeConfigurationAggregators" => {
            let target = action.replacen("config:", "StarlingDoveService.", 1);
            sandbox.send(&keys, "us-east-1/config", "POST", "/", &[("x-amz-target", &target)], "{}").await
        }
        organizations => {
            let target = format!("AWSOrganizationsV20161128.{}", &organizations["organizations:".len()..]);
            let organization = &sandbox.world.organization;
            let input = match organizations {
                "organizations:ListTagsForResource" => json!({ "ResourceId": ALPHA }),
                "organizations:ListPoliciesForTarget" => {
                    json!({ "TargetId": ALPHA, "Filter": "SERVICE_CONTROL_POLICY" })
                }
                "organizations:ListPolicies" => json!({ "Filter": "SERVICE_CONTROL_POLICY" }),
                "organizations:DescribePolicy" => json!({ "PolicyId": "p-FullAWSAccess" }),
                of if of.ends_with("ForParent") => json!({ "ParentId": organization.root }),
                _ => json!({}),
            };
            let headers = [("x-amz-target", target.as_str())];
            sandbox.send(&keys, "us-east-1/organizations", "POST", "/", &headers, &input.to_string()).await
        }
    };
    let mut tried = std::collections::BTreeSet::new();
    for (sid, action) in [
        ("ReadTheOrganization", "organizations:DescribeOrganization"),
        ("ReadTheOrganization", "organizations:ListAccounts"),
        ("ReadTheOrganization", "organizations:ListRoots"),
        ("ReadTheOrganization", "organizations:ListOrganizationalUnitsForParent"),
        ("ReadTheOrganization", "organizations:ListAccountsForParent"),
        ("ReadTheOrganization", "organizations:ListTagsForResource"),
        ("ReadTheOrganization", "organizations:ListPoliciesForTarget"),
        ("ReadTheOrganization", "organizations:DescribePolicy"),
        ("ReadTheOrganization", "organizations:ListPolicies"),
        ("EnterMemberAccounts", "sts:AssumeRole"),
        ("CheckTheCentralKeys", "kms:DescribeKey"),
        ("CheckTheCentralKeys", "kms:GetKeyPolicy"),
        ("LookAtTheAggregator", "config:DescribeConfigurationAggregators"),
    ] {
        tried.insert(sid.to_string());
        sandbox.set_caller_policy(&caller).unwrap();
        let allowed = call(action).await;
        assert_eq!(allowed.status, 200, "{action}: {}", text(&allowed));
        sandbox.set_caller_policy(&without(&caller, sid)).unwrap();
        let said = text(&call(action).await);
        assert!(said.contains(&format!("because no identity-based policy allows the {action} action")), "{said}");
    }
    assert_eq!(tried, sids(shipped::CALLER).into_iter().collect());
}

#[tokio::test]
async fn the_member_role_trusts_the_caller_with_its_external_id_alone() {
    let sandbox = start(SMALL, 0.0).await;
    let role = format!("arn:aws:iam::{ALPHA}:role/orgseal-member");
    let external_id = sandbox.external_id().to_string();
    let plain = format!("is not authorized to perform: sts:AssumeRole on resource: {role}</Message>");
    for more in [&[][..], &[("ExternalId", "another")]] {
        let answer = sandbox.assume(&sandbox.security(), &role, more).await;
        assert!(answer.status == 403 && text(&answer).contains(&plain), "{}", text(&answer));
    }
    let good = [("ExternalId", external_id.as_str())];
    assert_eq!(sandbox.assume(&sandbox.security(), &role, &good).await.status, 200);
    let other = sandbox.session_of(sandbox.security_account(), "OrganizationAccountAccessRole");
    let answer = sandbox.assume(&other, &role, &good).await;
    assert!(answer.status == 403 && text(&answer).contains(&plain), "another principal of the account");
    let organization = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":"sts:AssumeRole",
           "Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"{}"}}}}}}}}"#,
        sandbox.organization_id()
    );
    sandbox.set_role_trust(ALPHA, "orgseal-member", &organization).unwrap();
    assert_eq!(sandbox.assume(&other, &role, &[]).await.status, 200);
    let strangers = organization.replace(sandbox.organization_id(), "o-another000");
    sandbox.set_role_trust(ALPHA, "orgseal-member", &strangers).unwrap();
    assert_eq!(sandbox.assume(&other, &role, &[]).await.status, 403);
    for more in [("SourceIdentity", "me"), ("Tags.member.1.Key", "a")] {
        sandbox.set_role_trust(ALPHA, "orgseal-member", &organization).unwrap();
        let answer = sandbox.assume(&other, &role, &[more, ("Tags.member.1.Value", "b")]).await;
        let action = if more.0 == "SourceIdentity" { "sts:SetSourceIdentity" } else { "sts:TagSession" };
        assert!(text(&answer).contains(action), "{}", text(&answer));
    }
}

#[tokio::test]
async fn a_session_policy_narrows_the_session() {
    let sandbox = start(SMALL, 0.0).await;
    let audit = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:ListAllMyBuckets","s3:GetEncryptionConfiguration"],"Resource":"*"}}"#;
    let keys = sandbox.narrowed(audit).await;
    assert_eq!(sandbox.s3(&keys, "us-east-1", "/").await.status, 200);
    let said = text(&sandbox.start_sealing(&keys, false).await);
    assert!(said.contains("because no session policy allows the ssm:StartAutomationExecution action"), "{said}");
    let denying = audit.replace("}}", r#"},{"Effect":"Deny","Action":"s3:List*","Resource":"*"}]}"#);
    let denying = denying.replace(r#""Statement":{"#, r#""Statement":[{"#);
    let keys = sandbox.narrowed(&denying).await;
    let said = text(&sandbox.s3(&keys, "us-east-1", "/").await);
    assert!(said.contains("with an explicit deny in a session policy"), "{said}");
    // It gives nothing that the role has not.
    let keys = sandbox.narrowed(shipped::ADMINISTRATOR).await;
    let said = text(&sandbox.s3(&keys, "us-east-1", "/alpha-one?location").await);
    assert!(said.contains("because no identity-based policy allows the s3:GetBucketLocation action"), "{said}");
}

#[tokio::test]
async fn control_policies_bind_members_and_never_the_management_account() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let manager = Keys { access_key: sandbox.management_credentials().0, token: None };
    let deny =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:ListAllMyBuckets","Resource":"*"}}"#;
    for targets in [&["root"][..], &["Workloads"], &["alpha"], &[ALPHA]] {
        sandbox.set_scp("no-lists", targets, deny).unwrap();
        let said = text(&sandbox.s3(&keys, "us-east-1", "/").await);
        assert!(said.contains("with an explicit deny in a service control policy"), "{targets:?}: {said}");
        assert_eq!(sandbox.s3(&manager, "us-east-1", "/").await.status, 200, "{targets:?}");
        sandbox.remove_scp("no-lists").unwrap();
        assert_eq!(sandbox.s3(&keys, "us-east-1", "/").await.status, 200);
    }
    sandbox.set_scp("no-lists", &["beta", "Sandbox"], deny).unwrap();
    assert_eq!(sandbox.s3(&keys, "us-east-1", "/").await.status, 200);
    assert!(sandbox.remove_scp("none").is_err());
    let rcp = deny
        .replace("ListAllMyBuckets", "GetEncryptionConfiguration")
        .replace(r#""Action""#, r#""Principal":"*","Action""#);
    sandbox.set_rcp("no-reads", &["Workloads"], &rcp).unwrap();
    let said = text(&sandbox.s3(&keys, "us-east-1", "/alpha-one?encryption").await);
    assert!(said.contains("with an explicit deny in a resource control policy"), "{said}");
    sandbox.remove_rcp("no-reads").unwrap();
    assert_eq!(sandbox.s3(&keys, "us-east-1", "/alpha-one?encryption").await.status, 200);
    let error = sandbox.set_scp("x", &["Nowhere"], deny).unwrap_err().to_string();
    assert!(error.contains("there is no target Nowhere"), "{error}");
}

#[tokio::test]
async fn an_allow_list_of_scps_by_spec() {
    let text_of = |statements: &str| {
        SMALL.replace(
            "\n[[account]]\nname = \"alpha\"",
            &format!("\n[[scp]]\nname = \"list\"\ntargets = [\"alpha\"]\nkeeps_full_access = false\ndocument = '''{statements}'''\n\n[[account]]\nname = \"alpha\""),
        )
    };
    let only = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
    let sandbox = start(&text_of(only), 0.0).await;
    let keys = sandbox.session(ALPHA);
    assert_eq!(sandbox.s3(&keys, "us-east-1", "/alpha-one?encryption").await.status, 200);
    let said = text(&sandbox.s3(&keys, "us-east-1", "/").await);
    assert!(said.contains("because no service control policy allows the s3:ListAllMyBuckets action"), "{said}");
    let error = crate::Spec::from_toml(&text_of("{\"Statement\":{}}"), "my.toml").unwrap_err().to_string();
    assert!(error.contains("the scp list does not load: Statement 1: "), "{error}");
}

#[tokio::test]
async fn bucket_policies_open_and_close() {
    let sandbox = start(SMALL, 0.0).await;
    let foreign = sandbox.session("222222222222");
    let read = async |keys: &Keys| sandbox.s3(keys, "us-east-1", "/alpha-one?encryption").await;
    let said = text(&read(&foreign).await);
    let why = "on resource: \"arn:aws:s3:::alpha-one\" because no resource-based policy allows the s3:GetEncryptionConfiguration action";
    assert!(said.contains(why), "{said}");
    let open = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:GetEncryptionConfiguration","Resource":"arn:aws:s3:::alpha-one"}}"#;
    sandbox.set_bucket_policy("alpha-one", Some(open)).unwrap();
    assert_eq!(read(&foreign).await.status, 200);
    let closed = open.replace("Allow", "Deny").replace("222222222222", "*");
    sandbox.set_bucket_policy("alpha-one", Some(&closed)).unwrap();
    let said = text(&read(&sandbox.session(ALPHA)).await);
    assert!(said.contains("with an explicit deny in a resource-based policy"), "{said}");
    sandbox.set_bucket_policy("alpha-one", None).unwrap();
    assert_eq!(read(&sandbox.session(ALPHA)).await.status, 200);
    assert!(sandbox.set_bucket_policy("alpha-one", Some("{}")).is_err());
    assert!(sandbox.set_bucket_policy("nobodys", Some(open)).is_err());
}

#[tokio::test]
async fn keys_need_their_policy_and_across_accounts_the_callers_too() {
    let sandbox = start(SMALL, 0.0).await;
    let arn = sandbox.world.central_arns[0].to_string();
    let describe = async |keys: &Keys| {
        let input = json!({ "KeyId": arn }).to_string();
        let headers = [("x-amz-target", "TrentService.DescribeKey")];
        text(&sandbox.send(keys, "us-east-1/kms", "POST", "/", &headers, &input).await)
    };
    let (admin, member) = (sandbox.session(ALPHA), sandbox.session_of(ALPHA, "orgseal-member"));
    assert!(describe(&admin).await.contains("KeyMetadata"));
    assert!(describe(&member).await.contains("KeyMetadata"));
    let blind = without(shipped::MEMBER_ROLLOUT, "LookAtKeys");
    sandbox.set_role_policy(ALPHA, "orgseal-member", &blind).unwrap();
    let said = describe(&member).await;
    assert!(said.contains("because no identity-based policy allows the kms:DescribeKey action"), "{said}");
    let own = shipped::central_key(&sandbox.world.spec, sandbox.security_account(), sandbox.organization_id(), false);
    sandbox.set_key_policy(&arn, &own).unwrap();
    let said = describe(&admin).await;
    assert!(said.contains("because no resource-based policy allows the kms:DescribeKey action"), "{said}");
    assert!(describe(&sandbox.security()).await.contains("KeyMetadata"));
    sandbox.set_key_policy(&arn, &shipped::central_key(&sandbox.world.spec, ALPHA, "o-another000", true)).unwrap();
    let said = describe(&sandbox.security()).await;
    assert!(said.contains("because no resource-based policy allows"), "the account itself is locked out: {said}");
    assert!(sandbox.set_key_policy(&arn, "{}").unwrap_err().to_string().contains("no Statement"));
    assert!(sandbox.set_key_policy("arn:aws:kms:us-east-1:1:key/x", &own).is_err());
}

#[tokio::test]
async fn further_roles_and_boundaries_come_from_the_spec() {
    let roles = r#"
[[account.roles]]
name = "app"
trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/OrganizationAccountAccessRole"},"Action":"sts:AssumeRole"}}'
policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
boundary = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}'

[[account]]
name = "beta""#;
    let sandbox = start(&SMALL.replace("\n[[account]]\nname = \"beta\"", roles), 0.0).await;
    let role = format!("arn:aws:iam::{ALPHA}:role/app");
    assert_eq!(sandbox.assume(&sandbox.session(ALPHA), &role, &[]).await.status, 200);
    let keys = sandbox.session_of(ALPHA, "app");
    assert_eq!(sandbox.s3(&keys, "us-east-1", "/alpha-one?encryption").await.status, 200);
    let said = text(&sandbox.s3(&keys, "us-east-1", "/").await);
    assert!(said.contains("because no permissions boundary allows the s3:ListAllMyBuckets action"), "{said}");
    // Within the account the trust may name the caller and is enough; an account alone is not.
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ALPHA}"}},"Action":"sts:AssumeRole"}}}}"#
    );
    sandbox.set_role_trust(ALPHA, "app", &trust).unwrap();
    let said = text(&sandbox.assume(&keys, &role, &[]).await);
    assert!(said.contains("because no identity-based policy allows the sts:AssumeRole action"), "{said}");
    sandbox.set_role_trust(ALPHA, "app", &trust.replace(ALPHA, "222222222222")).unwrap();
    let said = text(&sandbox.assume(&keys, &role, &[]).await);
    assert!(said.contains("because no role trust policy allows the sts:AssumeRole action"), "{said}");
}
