//! An organization with `groundwork = false`: nothing of a campaign's is there, and it can be made.

use serde_json::json;

use super::iam::{all, one};
use super::{SMALL, seal, start};
use crate::Sandbox;
use crate::policy::shipped;

const ALPHA: &str = "111111111111";
const SHIPPED: &str = include_str!("../../../../config/sandbox/fresh.toml");

async fn fresh() -> Sandbox {
    start(&format!("groundwork = false\n{SMALL}"), 0.0).await
}

#[tokio::test]
async fn nothing_of_a_campaign_s_is_deployed() {
    let (sandbox, usual) = (start(SHIPPED, 0.0).await, start(&SHIPPED.replace("groundwork = false", ""), 0.0).await);
    for account in sandbox.accounts() {
        assert!(!account.member_role, "{}", account.name);
        let at = sandbox.world.organization.find(&account.id).unwrap();
        let roles: Vec<String> = sandbox.world.role_records(at).iter().map(|role| role.name.clone()).collect();
        let expected =
            if account.name == "management" { vec![] } else { vec!["OrganizationAccountAccessRole".to_string()] };
        assert_eq!(roles, expected, "{}", account.name);
    }
    for account in [sandbox.security_account(), &sandbox.accounts()[5].id] {
        let keys = sandbox.session(account);
        let documents = sandbox.json(&keys, "eu-west-1", "ListDocuments", json!({})).await.unwrap();
        assert_eq!(documents["DocumentIdentifiers"], json!([]));
        let central = json!({ "KeyId": "alias/orgseal-central" });
        assert_eq!(sandbox.json(&keys, "eu-west-1", "DescribeKey", central).await.unwrap_err(), "NotFoundException");
        // Another account is told less than the owner.
        let arn = json!({ "KeyId": sandbox.world.central_arns[1].as_ref() });
        let gone = if account == sandbox.security_account() { "NotFoundException" } else { "AccessDeniedException" };
        assert_eq!(sandbox.json(&keys, "eu-west-1", "DescribeKey", arn).await.unwrap_err(), gone);
        sandbox.json(&keys, "eu-west-1", "DescribeKey", json!({ "KeyId": "alias/team-key" })).await.unwrap();
        sandbox.json(&keys, "eu-west-1", "DescribeKey", json!({ "KeyId": "alias/aws/s3" })).await.unwrap();
    }
    let central = |bucket: &crate::BucketState| {
        let key = bucket.encryption.as_ref().and_then(|encryption| encryption.key.as_deref());
        key.is_some_and(|key| key.contains(sandbox.security_account()))
    };
    assert_eq!(sandbox.buckets().iter().filter(|bucket| central(bucket)).count(), 0);
    assert!(sandbox.buckets().len() >= 48 && usual.buckets().iter().filter(|bucket| central(bucket)).count() > 0);
    let users = sandbox.details(&sandbox.security(), "&Filter.member.1=User").await;
    assert_eq!(one(&users, "UserName"), "orgseal");
    // What the campaign file names is what it names in the same organization with its groundwork, but for the keys.
    let lines = |file: String| {
        let (before, after) = (file.find("\n[bootstrap]"), file.find("\n[limits]").unwrap());
        let file = format!("{}{}", &file[..before.unwrap_or(after)], &file[after..]);
        file.lines().filter(|line| !line.contains(":key/")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(lines(sandbox.campaign_file()), lines(usual.campaign_file()));
    assert_eq!(sandbox.campaign_file().matches(":key/NEW").count(), 2);
    assert!(!usual.campaign_file().contains("key/NEW"));
    // A key under the usual alias is that of the campaign.
    let security = sandbox.security();
    let made = sandbox.json(&security, "us-east-1", "CreateKey", json!({})).await.unwrap();
    let id = made["KeyMetadata"]["KeyId"].as_str().unwrap();
    let alias = json!({ "AliasName": "alias/orgseal-central", "TargetKeyId": id });
    sandbox.json(&security, "us-east-1", "CreateAlias", alias).await.unwrap();
    assert!(sandbox.campaign_file().contains(&format!(":key/{id}\"")));
}

#[tokio::test]
async fn a_bucket_is_sealed_once_the_groundwork_is_made() {
    let sandbox = fresh().await;
    let (security, keys) = (sandbox.security(), sandbox.session(ALPHA));
    let key = sandbox.json(&security, "us-east-1", "CreateKey", json!({})).await.unwrap()["KeyMetadata"]["Arn"].clone();
    let names = shipped::Names::new(&sandbox.world.spec, sandbox.security_account(), sandbox.external_id());
    let member_trust = names.put_into(shipped::MEMBER_TRUST);
    let role = async |keys, name: &str, trust: &str, policy: &str| {
        let create = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
        sandbox.iam_do(keys, "CreateRole", &create).await?;
        let put = [("RoleName", name), ("PolicyName", name), ("PolicyDocument", policy)];
        sandbox.iam_do(keys, "PutRolePolicy", &put).await
    };
    // The member role trusts the caller's role, and so that one has to be there first.
    let rollout = names.put_into(shipped::MEMBER_ROLLOUT);
    let error = role(&keys, "orgseal-member", &member_trust, &rollout).await.unwrap_err();
    assert!(error.starts_with("MalformedPolicyDocument: Invalid principal in policy"), "{error}");
    let user = format!("arn:aws:iam::{}:user/orgseal", sandbox.security_account());
    let caller_trust = shipped::trust(&user, &["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    role(&security, "orgseal", &caller_trust, &names.put_into(shipped::CALLER)).await.unwrap();
    role(&keys, "orgseal-member", &member_trust, &rollout).await.unwrap();
    let automation_trust = shipped::AUTOMATION_TRUST.replace("MEMBER-ACCOUNT", ALPHA);
    role(&keys, "orgseal-automation", &automation_trust, shipped::AUTOMATION).await.unwrap();
    let content = include_str!("../../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
    let document = json!({ "Name": "EnableS3BucketEncryptionWithKMS", "Content": content, "DocumentType": "Automation", "DocumentFormat": "YAML" });
    sandbox.json(&keys, "us-east-1", "CreateDocument", document).await.unwrap();
    assert!(sandbox.accounts().iter().find(|account| account.id == ALPHA).unwrap().member_role);

    let text = |answer: crate::wire::Answer| String::from_utf8(answer.body.to_vec()).unwrap();
    let arn = format!("arn:aws:iam::{}:role/orgseal", sandbox.security_account());
    let session =
        |xml: String| super::Keys { access_key: one(&xml, "AccessKeyId"), token: Some(one(&xml, "SessionToken")) };
    let caller = session(text(sandbox.assume(&security, &arn, &[]).await));
    let external_id = sandbox.external_id().to_string();
    let arn = format!("arn:aws:iam::{ALPHA}:role/orgseal-member");
    let entered = text(sandbox.assume(&caller, &arn, &[("ExternalId", &external_id)]).await);
    assert_eq!(all(&entered, "AccessKeyId").len(), 1, "{entered}");
    let member = session(entered);
    let mut parameters = seal(&sandbox, ALPHA, 0, "alpha-one");
    parameters["KMSMasterKeyID"] = json!([key]);
    let input = json!({ "DocumentName": "EnableS3BucketEncryptionWithKMS", "Parameters": parameters });
    let id = sandbox.start_execution(&member, "us-east-1", input).await.unwrap();
    let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    assert_eq!(sandbox.bucket("alpha-one").encryption.unwrap().key.as_deref(), key.as_str());
}
