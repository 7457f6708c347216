//! What outlives a process: changes, documents, executions in flight; and what is refused at the next start.

use std::io::Write as _;

use serde_json::json;

use super::{SMALL, seal, spec};
use crate::{BucketEncryption, Options, Sandbox, StartError};

const ALPHA: &str = "111111111111";
const NAME: &str = "EnableS3BucketEncryptionWithKMS";

async fn open(directory: &std::path::Path, text: &str, speed: f64) -> Result<Sandbox, StartError> {
    Sandbox::start(spec(text), Options { directory: Some(directory.into()), speed, port: 0 }).await
}

#[tokio::test]
async fn changes_outlive_the_process_and_a_torn_last_line_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = open(directory.path(), SMALL, 0.0).await.unwrap();
    let keys = sandbox.session(ALPHA);
    let input = json!({ "DocumentName": NAME, "Parameters": seal(&sandbox, ALPHA, 0, "alpha-one") });
    let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
    sandbox.until_ended(&keys, "us-east-1", &id).await;
    sandbox
        .set_bucket_encryption(
            "beta-one",
            Some(BucketEncryption {
                algorithm: "aws:kms".into(),
                key: Some("k".into()),
                bucket_key: true,
                blocked: vec!["SSE-C".into()],
            }),
        )
        .unwrap();
    sandbox.delete_bucket("alpha-ireland").unwrap();
    let nap =
        r#"{"schemaVersion":"0.3","mainSteps":[{"name":"Nap","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}"#;
    sandbox.put_document_content(ALPHA, "eu-west-1", NAME, nap).unwrap();
    let (buckets, executions) = (sandbox.buckets(), sandbox.executions());
    sandbox.stop();

    let path = directory.path().join("journal.jsonl");
    let mut journal = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    journal.write_all(b"{\"encryption\":{\"bucket\":\"alpha-one\",\"encr").unwrap();
    drop(journal);
    let again = open(directory.path(), SMALL, 0.0).await.unwrap();
    assert_eq!(again.buckets(), buckets);
    assert_eq!(again.executions(), executions);
    let keys = again.session(ALPHA);
    let described = again.json(&keys, "eu-west-1", "DescribeDocument", json!({ "Name": NAME })).await.unwrap();
    assert_eq!(described["Document"]["DefaultVersion"], "2");
    // What is written after the torn line is read at the next start: the torn part is gone.
    again.set_bucket_encryption("alpha-one", None).unwrap();
    again.stop();
    let third = open(directory.path(), SMALL, 0.0).await.unwrap();
    assert_eq!(third.bucket("alpha-one").encryption, None);
}

#[tokio::test]
async fn an_execution_in_flight_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let text = SMALL.replacen("seed", "executions = { min_seconds = 1.5, max_seconds = 1.5, concurrent = 1 }\nseed", 1);
    let sandbox = open(directory.path(), &text, 1.0).await.unwrap();
    let keys = sandbox.session(ALPHA);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let input = json!({ "DocumentName": NAME, "Parameters": seal(&sandbox, ALPHA, 0, "alpha-one") });
        ids.push(sandbox.start_execution(&keys, "us-east-1", input).await.unwrap());
    }
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let statuses: Vec<String> = sandbox.executions().into_iter().map(|e| e.status).collect();
    assert_eq!(statuses, ["InProgress", "Pending"]);
    let started = sandbox.executions()[0].started_ms;
    sandbox.stop();

    let again = open(directory.path(), &text, 1.0).await.unwrap();
    let keys = again.session(ALPHA);
    for id in &ids {
        let execution = again.until_ended(&keys, "us-east-1", id).await;
        assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
        let names: Vec<&str> = execution["StepExecutions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["StepStatus"] == "Success")
            .map(|s| s["StepName"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["ChooseRule", "PutBucketEncryption", "AssertKey", "ReadBack"], "each step once");
    }
    let first = &again.executions()[0];
    let took = first.ended_ms.unwrap() - started;
    assert!((1400..2600).contains(&took), "it runs its remaining time, not all of it again: {took} ms");
}

#[tokio::test]
async fn another_spec_another_process_and_a_broken_line_are_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = open(directory.path(), SMALL, 0.0).await.unwrap();
    let error = open(directory.path(), SMALL, 0.0).await.unwrap_err();
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    sandbox.delete_bucket("beta-one").unwrap();
    sandbox.stop();
    let error = open(directory.path(), &SMALL.replace("seed = 11", "seed = 12"), 0.0).await.unwrap_err();
    assert!(matches!(error, StartError::OtherSpec { found: 11, wanted: 12, .. }), "{error}");
    let path = directory.path().join("journal.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("nonsense\n{text}")).unwrap();
    let error = open(directory.path(), SMALL, 0.0).await.unwrap_err().to_string();
    assert!(error.contains("journal.jsonl:1:"), "{error}");
}

#[tokio::test]
async fn an_execution_that_had_failed_is_failed_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let text = SMALL.replacen("seed", "executions = { min_seconds = 1.2, max_seconds = 1.2 }\nseed", 1);
    let sandbox = open(directory.path(), &text, 1.0).await.unwrap();
    let keys = sandbox.session(ALPHA);
    // Not critical, so that nothing but the step's own abort can make the execution fail.
    let content = json!({ "schemaVersion": "0.3", "mainSteps": [{
        "name": "Fails", "action": "aws:executeAwsApi", "isCritical": false,
        "inputs": { "Service": "s3", "Api": "HeadBucket", "Bucket": "nobodys" } }] });
    sandbox.create_document(&keys, "us-east-1", "Failing", &content).await;
    let id = sandbox.start_execution(&keys, "us-east-1", json!({ "DocumentName": "Failing" })).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(850)).await;
    let execution = sandbox.execution(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "InProgress");
    assert_eq!(execution["StepExecutions"][0]["StepStatus"], "Failed");
    sandbox.stop();

    let again = open(directory.path(), &text, 1.0).await.unwrap();
    let keys = again.session(ALPHA);
    let execution = again.until_ended(&keys, "us-east-1", &id).await;
    assert_eq!(execution["AutomationExecutionStatus"], "Failed");
    assert!(execution["FailureMessage"].as_str().unwrap().contains("NoSuchBucket"));
}
