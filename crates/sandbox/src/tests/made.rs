//! What people make and configure outlives the process; documents' later life; generated features.

use serde_json::{Value, json};

use super::{SMALL, spec, start};
use crate::world::configuration::Configuration;
use crate::{Options, Sandbox};

const ALPHA: &str = "111111111111";
const NAME: &str = "EnableS3BucketEncryptionWithKMS";

#[tokio::test]
async fn everything_made_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(SMALL), options).await.unwrap()
    };
    let sandbox = open().await;
    let keys = sandbox.session(ALPHA);
    let s3 = async |sandbox: &Sandbox, method: &str, path: &str, body: &str| {
        sandbox.send(&sandbox.session(ALPHA), "us-east-1/s3", method, path, &[], body).await
    };
    assert_eq!(s3(&sandbox, "PUT", "/fresh", "").await.status, 200);
    assert_eq!(s3(&sandbox, "PUT", "/fresh/k", "content").await.status, 200);
    assert_eq!(s3(&sandbox, "PUT", "/fresh/gone", "content").await.status, 200);
    assert_eq!(s3(&sandbox, "DELETE", "/fresh/gone", "").await.status, 204);
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    assert_eq!(s3(&sandbox, "PUT", "/alpha-one?tagging", tags).await.status, 204);
    let json = async |operation: &str, input: Value| sandbox.json(&keys, "us-east-1", operation, input).await.unwrap();
    let key = json("CreateKey", json!({ "Description": "mine" })).await["KeyMetadata"].clone();
    json("CreateAlias", json!({ "AliasName": "alias/mine", "TargetKeyId": key["KeyId"] })).await;
    json("DisableKey", json!({ "KeyId": key["KeyId"] })).await;
    let nap = json!({ "schemaVersion": "0.3", "mainSteps": [
        { "name": "Nap", "action": "aws:sleep", "inputs": { "Duration": "PT1S" } }] });
    let update = json!({ "Name": NAME, "Content": nap.to_string(), "DocumentVersion": "$LATEST" });
    json("UpdateDocument", update).await;
    json("UpdateDocumentDefaultVersion", json!({ "Name": NAME, "DocumentVersion": "2" })).await;
    json("DeleteDocument", json!({ "Name": NAME, "DocumentVersion": "1" })).await;
    let tag = json!({ "ResourceType": "Document", "ResourceId": NAME, "Tags": [{ "Key": "a", "Value": "b" }] });
    json("AddTagsToResource", tag).await;
    let trust = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ssm.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
    let form =
        format!("Action=CreateRole&Version=2010-05-08&RoleName=kept&Path=%2Fa%2F&AssumeRolePolicyDocument={trust}");
    assert_eq!(sandbox.send(&keys, "us-east-1/iam", "POST", "/", &[], &form).await.status, 200);
    sandbox.stop();

    let again = open().await;
    let keys = again.session(ALPHA);
    assert_eq!(&s3(&again, "GET", "/fresh/k", "").await.body[..], b"content");
    assert_eq!(s3(&again, "GET", "/fresh/gone", "").await.status, 404);
    assert_eq!(s3(&again, "PUT", "/fresh/k", "content").await.status, 200);
    assert_eq!(s3(&again, "GET", "/alpha-one?tagging", "").await.status, 200);
    let described = again.json(&keys, "us-east-1", "DescribeKey", json!({ "KeyId": "alias/mine" })).await.unwrap();
    assert_eq!(
        (&described["KeyMetadata"]["Arn"], &described["KeyMetadata"]["KeyState"]),
        (&key["Arn"], &json!("Disabled"))
    );
    let document = again.json(&keys, "us-east-1", "DescribeDocument", json!({ "Name": NAME })).await.unwrap();
    assert_eq!(
        (&document["Document"]["DefaultVersion"], &document["Document"]["Tags"][0]["Key"]),
        (&json!("2"), &json!("a"))
    );
    let first = json!({ "Name": NAME, "DocumentVersion": "1" });
    assert_eq!(again.json(&keys, "us-east-1", "GetDocument", first).await.unwrap_err(), "InvalidDocumentVersion");
    let account = again.world.organization.find(ALPHA).unwrap();
    let trust = again.world.role(account, "a/kept").unwrap().policies.trust(ALPHA);
    assert!(trust.text.contains("ssm.amazonaws.com"));
    assert!(again.world.role(account, "kept").is_none(), "the path is part of a role's ARN");
}

#[tokio::test]
async fn a_document_is_shared_with_a_thousand_accounts_at_most() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let share = async |ids: Vec<String>| {
        let input = json!({ "Name": NAME, "PermissionType": "Share", "AccountIdsToAdd": ids });
        sandbox.json(&keys, "us-east-1", "ModifyDocumentPermission", input).await
    };
    for call in 0..50 {
        share((0..20).map(|nth| format!("{:012}", call * 20 + nth)).collect()).await.unwrap();
    }
    assert_eq!(share(vec!["999999999999".into()]).await.unwrap_err(), "DocumentPermissionLimit");
    share(vec!["000000000000".into()]).await.unwrap();
    assert_eq!(share(vec!["1".repeat(12); 21]).await.unwrap_err(), "ValidationException");
    let input = json!({ "Name": NAME, "PermissionType": "Share" });
    let page = sandbox.json(&keys, "us-east-1", "DescribeDocumentPermission", input).await.unwrap();
    assert_eq!((page["AccountIds"].as_array().unwrap().len(), page["NextToken"].is_string()), (200, true));
}

#[tokio::test]
async fn a_cancelled_step_may_name_the_one_that_cleans_up() {
    let text = SMALL.replacen("seed", "executions = { min_seconds = 0, max_seconds = 0 }\nseed", 1);
    let sandbox = start(&text, 1.0).await;
    let keys = sandbox.session(ALPHA);
    let content = json!({ "schemaVersion": "0.3", "mainSteps": [
        { "name": "Long", "action": "aws:sleep", "onCancel": "step:CleanUp", "inputs": { "Duration": "PT1H" }, "isEnd": true },
        { "name": "Never", "action": "aws:sleep", "inputs": { "Duration": "PT1H" } },
        { "name": "CleanUp", "action": "aws:executeAwsApi", "isEnd": true,
          "inputs": { "Service": "s3", "Api": "DeletePublicAccessBlock", "Bucket": "alpha-one" } },
    ] });
    sandbox.create_document(&keys, "us-east-1", "Cleaning", &content).await;
    let id = sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Cleaning" })).await.unwrap();
    while sandbox.execution(&keys, "us-east-1", &id).await["StepExecutions"][0]["StepStatus"] != "InProgress" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let stop = json!({ "AutomationExecutionId": id, "Type": "Cancel" });
    sandbox.json(&keys, "us-east-1", "StopAutomationExecution", stop).await.unwrap();
    let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "Cancelled");
    let steps: Vec<(&str, &str)> = execution["StepExecutions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["StepName"].as_str().unwrap(), step["StepStatus"].as_str().unwrap()))
        .collect();
    assert_eq!(steps, [("Long", "Cancelled"), ("CleanUp", "Success"), ("Never", "Pending")]);
}

#[tokio::test]
async fn runbooks_of_the_shape_of_awss_own_run() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    // AWS-EnableS3BucketKeys branches on an optional key; AWS-EnableS3BucketEncryption is one step with isEnd.
    let rule = |default: Value| json!({ "Rules": [{ "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": true }] });
    let put = |name: &str, rule: Value| {
        json!({ "name": name, "action": "aws:executeAwsApi", "nextStep": "Verify", "onFailure": "Abort", "inputs": {
            "Service": "s3", "Api": "PutBucketEncryption", "Bucket": "{{ BucketName }}",
            "ServerSideEncryptionConfiguration": rule } })
    };
    let content = json!({
        "schemaVersion": "0.3",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {
            "AutomationAssumeRole": { "type": "AWS::IAM::Role::Arn", "default": "" },
            "BucketName": { "type": "AWS::S3::Bucket::Name" },
            "KMSKeyId": { "type": "String", "default": "", "allowedPattern": "^$|^[a-zA-Z0-9:/-]+$" },
            "SSEAlgorithm": { "type": "String", "default": "AES256", "allowedValues": ["AES256", "aws:kms"] },
        },
        "mainSteps": [
            { "name": "Choose", "action": "aws:branch", "inputs": {
                "Choices": [{ "NextStep": "PutKms", "Not": { "Variable": "{{ KMSKeyId }}", "StringEquals": "" } }],
                "Default": "PutAes256" } },
            put("PutKms", rule(json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "{{ KMSKeyId }}" }))),
            put("PutAes256", rule(json!({ "SSEAlgorithm": "{{ SSEAlgorithm }}" }))),
            { "name": "Verify", "action": "aws:assertAwsResourceProperty", "isEnd": true, "timeoutSeconds": 600, "inputs": {
                "Service": "s3", "Api": "GetBucketEncryption", "Bucket": "{{ BucketName }}",
                "PropertySelector": "$.ServerSideEncryptionConfiguration.Rules[0].BucketKeyEnabled",
                "DesiredValues": ["True", "true"] } },
        ],
    });
    sandbox.create_document(&keys, "us-east-1", "Mine", &content).await;
    for (key, algorithm) in [(None, "AES256"), (Some("alias/team-key"), "aws:kms")] {
        let mut parameters = json!({ "BucketName": ["alpha-one"] });
        if let Some(key) = key {
            parameters["KMSKeyId"] = json!([key]);
        }
        let input = json!({ "DocumentName": "Mine", "Parameters": parameters });
        let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
        let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
        assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
        let encryption = sandbox.bucket("alpha-one").encryption.unwrap();
        assert_eq!((encryption.algorithm.as_str(), encryption.key.as_deref()), (algorithm, key));
    }
    let input =
        json!({ "DocumentName": "Mine", "Parameters": { "BucketName": ["alpha-one"], "SSEAlgorithm": ["rot13"] } });
    let refused = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap_err();
    assert_eq!(refused, "InvalidAutomationExecutionParametersException");
}

#[tokio::test]
async fn a_step_that_takes_longer_than_its_timeout_is_timed_out() {
    let sandbox = start(SMALL, 100.0).await;
    let keys = sandbox.session(ALPHA);
    let content = json!({ "schemaVersion": "0.3", "mainSteps": [
        { "name": "Long", "action": "aws:sleep", "timeoutSeconds": 5, "inputs": { "Duration": "PT1H" } }] });
    sandbox.create_document(&keys, "us-east-1", "Slow", &content).await;
    let id = sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Slow" })).await.unwrap();
    let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "TimedOut");
    assert_eq!(execution["StepExecutions"][0]["StepStatus"], "TimedOut");
}

#[tokio::test]
async fn features_are_drawn_beside_everything_else() {
    let plain = start("accounts = 3\nbuckets_per_account = 40", 0.0).await;
    assert!(plain.world.with_buckets(2, |b| b.iter().all(|b| b.configurations == Default::default())));
    let text = "accounts = 3\nbuckets_per_account = 40\n[features]\npublic_policy = 0.5\nreplication = 1.0\ncloudformation_tags = 1.0";
    let some = start(text, 0.0).await;
    assert_eq!(plain.buckets(), some.buckets(), "names and encryption stay what they were");
    let public = some.world.with_buckets(2, |buckets| {
        assert!(buckets.iter().all(|b| b.configurations.get(Configuration::Replication).is_some()));
        assert!(buckets.iter().all(|b| b.configurations.get(Configuration::Tagging).is_some()));
        buckets.iter().filter(|b| b.configurations.policy().is_some()).count()
    });
    assert!((8..=32).contains(&public), "{public} of 40");
    let named = start("accounts = 3\nbuckets_per_account = 4\n[features]\ncontroltower_name = 1.0", 0.0).await;
    for bucket in named.buckets() {
        assert!(bucket.name.starts_with("aws-controltower-logs-"), "{}", bucket.name);
        assert_eq!(named.world.bucket_owner(&bucket.name), named.world.organization.find(&bucket.account));
    }
    let error = crate::Spec::from_toml("[features]\nwebsite = 2.0", "my.toml").unwrap_err().to_string();
    assert!(error.starts_with("my.toml:1: ") && error.contains("0.0 to 1.0"), "{error}");
    let policy = r#"policy = '{"Statement":[]}'
website = true
logging_target = "alpha-ireland"
tags = { team = "one" }
encryption = "sse_s3"
"#;
    let stated = start(&SMALL.replacen("encryption = \"sse_s3\"\n", policy, 1), 0.0).await;
    let alpha = stated.world.organization.find(ALPHA).unwrap();
    stated.world.with_buckets(alpha, |buckets| {
        let one = buckets.iter().find(|b| &*b.name == "alpha-one").unwrap();
        assert_eq!(one.configurations.policy(), Some(r#"{"Statement":[]}"#));
        assert!(one.configurations.get(Configuration::Website).is_some());
        let tags = one.configurations.get(Configuration::Tagging).unwrap();
        assert_eq!(tags["TagSet"][0], json!({ "Key": "team", "Value": "one" }));
    });
}

#[tokio::test]
async fn an_execution_is_shown_for_thirty_days_after_its_end() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let nap = json!({ "schemaVersion": "0.3", "mainSteps": [
        { "name": "Nap", "action": "aws:sleep", "inputs": { "Duration": "PT1S" } }] });
    sandbox.create_document(&keys, "us-east-1", "Nap", &nap).await;
    let id = sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Nap" })).await.unwrap();
    sandbox.until_ended(&keys, "us-east-1", &id).await;
    let alpha = sandbox.world.organization.find(ALPHA).unwrap();
    let age = |days: i64| {
        sandbox.world.with_region(alpha, 0, |state| {
            state.executions.all[0].ended_ms = Some(crate::wire::now_ms() - days * 86_400_000);
        });
    };
    let shown = async || {
        let listed = sandbox.json(&keys, "us-east-1", "DescribeAutomationExecutions", json!({})).await.unwrap();
        let input = json!({ "AutomationExecutionId": id });
        let got = sandbox.json(&keys, "us-east-1", "GetAutomationExecution", input).await;
        (listed["AutomationExecutionMetadataList"].as_array().unwrap().len(), got.is_ok())
    };
    age(29);
    assert_eq!(shown().await, (1, true));
    age(31);
    assert_eq!(shown().await, (0, false));
}
