//! The Automation engine on real documents: both shipped ones, failures, branches, quotas, tokens, stopping.

use serde_json::{Value, json};

use super::{SMALL, seal, start};

const ALPHA: &str = "111111111111";
const NAME: &str = "EnableS3BucketEncryptionWithKMS";

#[tokio::test]
async fn the_shipped_document_seals_the_bucket_it_is_given_and_no_other() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let before = sandbox.buckets();
    let id = sandbox
        .start_execution(
            &keys,
            "us-east-1",
            json!({ "DocumentName": NAME, "Parameters": seal(&sandbox, ALPHA, 0, "alpha-one") }),
        )
        .await
        .unwrap();
    let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    assert_eq!(execution["Outputs"]["ReadBack.SSEAlgorithm"], json!(["aws:kms"]));
    let encryption = sandbox.bucket("alpha-one").encryption.unwrap();
    assert_eq!(encryption.key.as_deref(), Some(&*sandbox.world.central_arns[0]));
    assert!(encryption.bucket_key && encryption.blocked == ["NONE"]);
    let changed = before.iter().zip(sandbox.buckets()).filter(|(old, new)| *old != new).count();
    assert_eq!(changed, 1);
}

#[tokio::test]
async fn the_shipped_document_can_carry_blocked_types_and_dsse() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let mut parameters = seal(&sandbox, ALPHA, 1, "alpha-ireland");
    parameters["BlockedEncryptionType"] = json!(["SSE-C"]);
    parameters["SSEAlgorithm"] = json!(["aws:kms:dsse"]);
    parameters["BucketKeyEnabled"] = json!(["false"]);
    let input = json!({ "DocumentName": NAME, "Parameters": parameters });
    let id = sandbox.start_execution(&keys, "eu-west-1", input).await.unwrap();
    let execution = sandbox.until_ended(&keys, "eu-west-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    let encryption = sandbox.bucket("alpha-ireland").encryption.unwrap();
    assert_eq!((encryption.algorithm.as_str(), encryption.bucket_key), ("aws:kms:dsse", false));
    assert_eq!(encryption.blocked, ["SSE-C"]);
}

#[tokio::test]
async fn a_value_outside_the_limits_of_its_parameter_is_refused_and_nothing_runs() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let shipped = include_str!("../../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
    let at = shipped.find("  BucketName:").unwrap();
    let pattern = shipped[at..].lines().find(|line| line.contains("allowedPattern")).unwrap();
    for limit in [
        "allowedPattern: '^prod-[a-z]+$'",
        "allowedPattern: 'alpha'",
        "allowedValues: [other]",
        "minChars: 10",
        "maxChars: 8",
    ] {
        let content = shipped.replacen(pattern, &format!("    {limit}"), 1);
        sandbox.put_document_content(ALPHA, "us-east-1", NAME, &content).unwrap();
        let input = json!({ "DocumentName": NAME, "Parameters": seal(&sandbox, ALPHA, 0, "alpha-one") });
        let refused = sandbox.start_execution(&keys, "us-east-1", input).await;
        assert_eq!(refused.unwrap_err(), "InvalidAutomationExecutionParametersException", "{limit}");
    }
    assert!(sandbox.executions().is_empty());
}

#[tokio::test]
async fn the_original_document_runs_by_its_own_three_parameters() {
    let sandbox = start(&SMALL.replacen("seed", "document.variant = \"original\"\nseed", 1), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let mut parameters = seal(&sandbox, ALPHA, 0, "alpha-one");
    let refused =
        sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": NAME, "Parameters": parameters })).await;
    assert_eq!(refused.unwrap_err(), "InvalidAutomationExecutionParametersException");
    parameters.as_object_mut().unwrap().remove("ExpectedBucketOwner");
    let input = json!({ "DocumentName": NAME, "Parameters": parameters });
    let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
    let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    let encryption = sandbox.bucket("alpha-one").encryption.unwrap();
    assert!(!encryption.bucket_key && encryption.key.is_some());
}

#[tokio::test]
async fn another_accounts_bucket_and_another_regions_bucket_make_it_fail() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let before = sandbox.buckets();
    for (bucket, code) in
        [("beta-one", "AccessDenied"), ("alpha-ireland", "PermanentRedirect"), ("gone", "NoSuchBucket")]
    {
        let input = json!({ "DocumentName": NAME, "Parameters": seal(&sandbox, ALPHA, 0, bucket) });
        let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
        let execution = sandbox.until_ended(&keys, "us-east-1", &id).await;
        assert_eq!(execution["AutomationExecutionStatus"], "Failed");
        let message = execution["FailureMessage"].as_str().unwrap();
        assert!(message.contains(code) && message.contains("PutBucketEncryption"), "{message}");
    }
    assert_eq!(sandbox.buckets(), before);
}

#[tokio::test]
async fn a_role_that_does_not_trust_systems_manager_or_is_elsewhere_is_refused_at_the_start() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for role in [
        "arn:aws:iam::111111111111:role/orgseal-member",
        "arn:aws:iam::222222222222:role/orgseal-automation",
        "arn:aws:iam::111111111111:role/none",
    ] {
        let mut parameters = seal(&sandbox, ALPHA, 0, "alpha-one");
        parameters["AutomationAssumeRole"] = json!([role]);
        let input = json!({ "DocumentName": NAME, "Parameters": parameters });
        let error = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap_err();
        assert_eq!(error, "InvalidAutomationExecutionParametersException", "{role}");
    }
}

/// Runs a document made of these steps; gives the execution.
async fn run(steps: Value) -> Value {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let outputs = steps.as_array().unwrap().iter().any(|step| step["name"] == "Read");
    let mut content = json!({
        "schemaVersion": "0.3",
        "parameters": { "Flag": { "type": "Boolean", "default": true } },
        "mainSteps": steps,
    });
    if outputs {
        content["outputs"] = json!(["Read.Algorithm"]);
    }
    sandbox.create_document(&keys, "us-east-1", "Test-document", &content).await;
    let id = sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Test-document" })).await.unwrap();
    sandbox.until_ended(&keys, "us-east-1", &id).await
}

fn read(name: &str, bucket: &str) -> Value {
    json!({
        "name": name, "action": "aws:executeAwsApi",
        "inputs": { "Service": "s3", "Api": "GetBucketEncryption", "Bucket": bucket },
        "outputs": [{ "Name": "Algorithm", "Type": "String",
            "Selector": "$.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm" }],
    })
}

fn statuses(execution: &Value) -> Vec<(String, String)> {
    let steps = execution["StepExecutions"].as_array().unwrap();
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_string();
    steps.iter().map(|step| (text(step, "StepName"), text(step, "StepStatus"))).collect()
}

#[tokio::test]
async fn a_step_uses_what_an_earlier_one_read() {
    let mut then = read("Read", "alpha-one");
    then["nextStep"] = json!("Choose");
    let execution = run(json!([
        then,
        { "name": "Wrong", "action": "aws:sleep", "inputs": { "Duration": "nonsense" } },
        { "name": "Choose", "action": "aws:branch", "inputs": { "Choices": [
            { "NextStep": "End", "And": [
                { "Variable": "{{ Read.Algorithm }}", "StringEquals": "AES256" },
                { "Variable": "{{ Flag }}", "BooleanEquals": true } ] } ], "Default": "Wrong" } },
        { "name": "End", "action": "aws:sleep", "inputs": { "Duration": "PT1S" } },
    ]))
    .await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    assert_eq!(execution["Outputs"]["Read.Algorithm"], json!(["AES256"]));
    assert!(statuses(&execution).contains(&("Wrong".into(), "Pending".into())));
}

#[tokio::test]
async fn on_failure_decides_what_follows_and_is_critical_how_it_ends() {
    let end = json!({ "name": "End", "action": "aws:sleep", "inputs": { "Duration": "PT1S" } });
    for (on_failure, critical, status, end_status) in [
        ("Abort", true, "Failed", "Pending"),
        ("Continue", true, "Failed", "Success"),
        ("Continue", false, "Success", "Success"),
        ("step:End", true, "Failed", "Success"),
    ] {
        let mut fails = read("Fails", "no-such-bucket");
        fails["onFailure"] = json!(on_failure);
        fails["isCritical"] = json!(critical);
        let execution = run(json!([fails, end])).await;
        assert_eq!(execution["AutomationExecutionStatus"], status, "{on_failure} {critical}");
        assert_eq!(statuses(&execution)[1].1, end_status, "{on_failure} {critical}");
    }
}

#[tokio::test]
async fn a_property_that_is_not_as_desired_fails_an_assertion_and_times_a_wait_out() {
    let property = |name: &str, action: &str, desired: &str| {
        json!({
            "name": name, "action": action, "timeoutSeconds": 4,
            "inputs": { "Service": "s3", "Api": "GetBucketEncryption", "Bucket": "alpha-one", "DesiredValues": [desired],
                "PropertySelector": "$.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm" },
        })
    };
    for (action, desired, status) in [
        ("aws:assertAwsResourceProperty", "AES256", "Success"),
        ("aws:assertAwsResourceProperty", "aws:kms", "Failed"),
        ("aws:waitForAwsResourceProperty", "AES256", "Success"),
        ("aws:waitForAwsResourceProperty", "aws:kms", "TimedOut"),
    ] {
        let execution = run(json!([property("Look", action, desired)])).await;
        assert_eq!(execution["AutomationExecutionStatus"], status, "{action} {desired}: {execution}");
    }
}

fn sleeper() -> Value {
    json!({ "schemaVersion": "0.3", "mainSteps": [{ "name": "Sleep", "action": "aws:sleep", "inputs": { "Duration": "PT100H" } }] })
}

#[tokio::test]
async fn above_the_quota_executions_are_pending_and_above_the_queue_refused() {
    let text = SMALL.replacen("seed", "executions = { concurrent = 3, queue = 2 }\nseed", 1);
    let sandbox = start(&text, 1.0).await;
    let keys = sandbox.session(ALPHA);
    sandbox.create_document(&keys, "us-east-1", "Sleeper", &sleeper()).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Sleeper" })).await.unwrap());
    }
    let refused = sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Sleeper" })).await;
    assert_eq!(refused.unwrap_err(), "AutomationExecutionLimitExceededException");
    // The quota is per account and Region.
    sandbox.create_document(&keys, "eu-west-1", "Sleeper", &sleeper()).await;
    sandbox.start_execution(&keys, "eu-west-1", json!({ "DocumentName": "Sleeper" })).await.unwrap();
    let status = async |id: &str| sandbox.execution(&keys, "us-east-1", id).await["AutomationExecutionStatus"].clone();
    assert_eq!(status(&ids[2]).await, "InProgress");
    assert_eq!(status(&ids[3]).await, "Pending");
    assert_eq!(sandbox.peak_in_flight()[&(ALPHA.to_string(), "us-east-1".to_string())], 5);
    assert_eq!(sandbox.peak_in_flight_by_account()[ALPHA], 6);
    let stop = json!({ "AutomationExecutionId": ids[0] });
    sandbox.json(&keys, "us-east-1", "StopAutomationExecution", stop.clone()).await.unwrap();
    assert_eq!(sandbox.until_ended(&keys, "us-east-1", &ids[0]).await["AutomationExecutionStatus"], "Cancelled");
    let again = sandbox.json(&keys, "us-east-1", "StopAutomationExecution", stop).await;
    assert_eq!(again.unwrap_err(), "InvalidAutomationStatusUpdateException");
    for _ in 0..200 {
        if status(&ids[3]).await == "InProgress" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the place that was left is not taken");
}

#[tokio::test]
async fn a_repeated_client_token_gives_the_same_execution_or_is_refused() {
    let input = |bucket_key: &str, sandbox: &crate::Sandbox| {
        let mut parameters = seal(sandbox, ALPHA, 0, "alpha-one");
        parameters["BucketKeyEnabled"] = json!([bucket_key]);
        json!({ "DocumentName": NAME, "Parameters": parameters, "ClientToken": "ABCDEFAB-1234-1234-1234-abcdefabcdef" })
    };
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let first = sandbox.start_execution(&keys, "us-east-1", input("true", &sandbox)).await.unwrap();
    assert_eq!(sandbox.start_execution(&keys, "us-east-1", input("true", &sandbox)).await.unwrap(), first);
    let other = sandbox.start_execution(&keys, "us-east-1", input("false", &sandbox)).await;
    assert_eq!(other.unwrap_err(), "IdempotentParameterMismatch");
    assert_eq!(sandbox.executions().len(), 1);

    let strict = start(&SMALL.replacen("seed", "client_tokens = \"refuse\"\nseed", 1), 0.0).await;
    let keys = strict.session(ALPHA);
    strict.start_execution(&keys, "us-east-1", input("true", &strict)).await.unwrap();
    let again = strict.start_execution(&keys, "us-east-1", input("true", &strict)).await;
    assert_eq!(again.unwrap_err(), "IdempotentParameterMismatch");
}

#[tokio::test]
async fn executions_take_the_time_that_the_spec_gives_them() {
    let text = SMALL.replacen("seed", "executions = { min_seconds = 3.0, max_seconds = 3.0 }\nseed", 1);
    let sandbox = start(&text, 10.0).await;
    let keys = sandbox.session(ALPHA);
    let input = json!({ "DocumentName": NAME, "Parameters": seal(&sandbox, ALPHA, 0, "alpha-one") });
    let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
    sandbox.until_ended(&keys, "us-east-1", &id).await;
    let execution = sandbox.executions().remove(0);
    let took = execution.ended_ms.unwrap() - execution.started_ms;
    assert!((300..600).contains(&took), "{took} ms");
}
