//! The document that undoes a seal, end to end: each part of a former default encryption comes back as it was.

use serde_json::{Value, json};

use super::{SMALL, seal, start};
use crate::{BucketEncryption, Sandbox};

const ALPHA: &str = "111111111111";
const SEAL: &str = "EnableS3BucketEncryptionWithKMS";
const RESTORE: &str = "RestoreS3BucketEncryption";

fn former(algorithm: &str, key: Option<&str>, bucket_key: bool, blocked: Option<&str>) -> BucketEncryption {
    BucketEncryption {
        algorithm: algorithm.into(),
        key: key.map(Into::into),
        bucket_key,
        blocked: blocked.map(Into::into).into_iter().collect(),
    }
}

/// The parameters that put a former configuration back; what has a default is left out where it is meant.
fn parameters(former: &BucketEncryption) -> Value {
    let mut parameters = json!({
        "BucketName": ["alpha-one"],
        "AutomationAssumeRole": [format!("arn:aws:iam::{ALPHA}:role/orgseal-automation")],
        "ExpectedBucketOwner": [ALPHA],
        "SSEAlgorithm": [former.algorithm],
    });
    if let Some(key) = &former.key {
        parameters["KMSMasterKeyID"] = json!([key]);
    }
    if former.bucket_key {
        parameters["BucketKeyEnabled"] = json!(["true"]);
    }
    if let Some(blocked) = former.blocked.first() {
        parameters["BlockedEncryptionType"] = json!([blocked]);
    }
    parameters
}

async fn run(sandbox: &Sandbox, document: &str, parameters: Value) -> Value {
    let keys = sandbox.session(ALPHA);
    let input = json!({ "DocumentName": document, "Parameters": parameters });
    let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
    sandbox.until_ended(&keys, "us-east-1", &id).await
}

#[tokio::test]
async fn every_former_configuration_comes_back_exactly() {
    let sandbox = start(SMALL, 0.0).await;
    let arn = format!("arn:aws:kms:us-east-1:{ALPHA}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let alias_arn = format!("arn:aws:kms:us-east-1:{ALPHA}:alias/team-key");
    let keys =
        [None, Some("1234abcd-12ab-34cd-56ef-1234567890ab"), Some("alias/team-key"), Some(&*arn), Some(&*alias_arn)];
    let mut steps_seen = std::collections::BTreeSet::new();
    for algorithm in ["AES256", "aws:kms", "aws:kms:dsse"] {
        for key in keys.into_iter().filter(|key| algorithm != "AES256" || key.is_none()) {
            for bucket_key in [false, true] {
                for blocked in [None, Some("SSE-C"), Some("NONE")] {
                    let mut former = former(algorithm, key, bucket_key, blocked);
                    let sealed = run(&sandbox, SEAL, seal(&sandbox, ALPHA, 0, "alpha-one")).await;
                    assert_eq!(sealed["AutomationExecutionStatus"], "Success", "{sealed}");
                    assert_ne!(sandbox.bucket("alpha-one").encryption.as_ref(), Some(&former));
                    let restored = run(&sandbox, RESTORE, parameters(&former)).await;
                    if blocked.is_none() {
                        // A put without the element leaves what the last one set.
                        former.blocked = sandbox.bucket("alpha-one").encryption.unwrap().blocked;
                    }
                    assert_eq!(restored["AutomationExecutionStatus"], "Success", "{former:?}: {restored}");
                    assert_eq!(sandbox.bucket("alpha-one").encryption, Some(former));
                    assert_eq!(restored["Outputs"]["ReadBack.SSEAlgorithm"], json!([algorithm]));
                    let steps = restored["StepExecutions"].as_array().unwrap();
                    let done = steps.iter().filter(|step| step["StepStatus"] == "Success");
                    let puts: Vec<&str> = done
                        .filter_map(|step| step["StepName"].as_str())
                        .filter(|name| name.starts_with("Put"))
                        .collect();
                    assert_eq!(puts.len(), 1, "one put alone: {puts:?}");
                    steps_seen.insert(puts[0].to_owned());
                }
            }
        }
    }
    assert_eq!(steps_seen.len(), 4, "{steps_seen:?}");
}

#[tokio::test]
async fn what_it_must_not_do_is_refused() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let good = parameters(&former("AES256", None, false, None));
    for (parameter, value) in [
        ("SSEAlgorithm", Value::Null),
        ("SSEAlgorithm", json!(["none"])),
        ("BlockedEncryptionType", json!(["SSE-KMS"])),
        ("BucketKeyEnabled", json!(["perhaps"])),
        ("ExpectedBucketOwner", json!(["me"])),
    ] {
        let mut parameters = good.clone();
        parameters[parameter] = value;
        let parameters: Value = parameters
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let input = json!({ "DocumentName": RESTORE, "Parameters": parameters });
        let error = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap_err();
        assert_eq!(error, "InvalidAutomationExecutionParametersException", "{parameter}");
    }
    let mut strange = good.clone();
    strange["ExpectedBucketOwner"] = json!(["222222222222"]);
    let failed = run(&sandbox, RESTORE, strange).await;
    assert_eq!(failed["AutomationExecutionStatus"], "Failed");
    assert!(failed["FailureMessage"].as_str().unwrap().contains("AccessDenied"), "{failed}");
}

#[tokio::test]
async fn it_is_wherever_the_document_that_seals_is() {
    for (deploy, own, security) in
        [("each", true, true), ("shared", false, true), ("both", true, true), ("nowhere", false, false)]
    {
        let text = SMALL.replacen("seed", &format!("document = {{ deploy = \"{deploy}\" }}\nseed"), 1);
        let sandbox = start(&text, 0.0).await;
        let central = sandbox.security_account().to_owned();
        for name in [SEAL, RESTORE] {
            let has = async |account: &str, name: String| {
                let keys = sandbox.session(account);
                sandbox.json(&keys, "eu-west-1", "DescribeDocument", json!({ "Name": name })).await.is_ok()
            };
            assert_eq!(has(ALPHA, name.into()).await, own, "{deploy} {name}");
            assert_eq!(has(&central, name.into()).await, security, "{deploy} {name}");
            let shared = format!("arn:aws:ssm:eu-west-1:{central}:document/{name}");
            assert_eq!(has(ALPHA, shared).await, matches!(deploy, "shared" | "both"), "{deploy} {name}");
        }
    }
}

#[tokio::test]
async fn its_name_and_content_may_be_others() {
    let nap =
        r#"{"schemaVersion":"0.3","mainSteps":[{"name":"Nap","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}"#;
    let text = format!("[document]\nrestore_name = \"Undo\"\nrestore_content = '{nap}'\n");
    let sandbox = start(&text, 0.0).await;
    let keys = sandbox.session(&sandbox.accounts()[4].id);
    let got = sandbox.json(&keys, "us-east-1", "GetDocument", json!({ "Name": "Undo" })).await.unwrap();
    assert_eq!(got["Content"], nap);
    assert!(sandbox.json(&keys, "us-east-1", "GetDocument", json!({ "Name": RESTORE })).await.is_err());
    let error = |text: &str| crate::Spec::from_toml(text, "my.toml").unwrap_err().to_string();
    assert!(error("[document]\nrestore_content = \"{}\"\n").starts_with("my.toml:2: the document's restore_content"));
    assert!(error(&format!("[document]\nrestore_name = \"{SEAL}\"\n")).contains("a name of its own"));
}
