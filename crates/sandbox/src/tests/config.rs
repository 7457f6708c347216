//! AWS Config: what is put, described and refused; and that an automatic remediation acts.

use std::time::Duration;

use serde_json::{Value, json};

use super::{SMALL, spec, start};
use crate::{AccountChoice, BucketEncryption, ConfigRemediationSpec, ExecutionState, Options, Sandbox};

pub(super) const ALPHA: &str = "111111111111";
pub(super) const SEAL: &str = "EnableS3BucketEncryptionWithKMS";
pub(super) const HERE: &str = "us-east-1";

pub(super) async fn call(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, String> {
    sandbox.json(&sandbox.session(ALPHA), HERE, operation, input).await
}

pub(super) async fn refusal(sandbox: &Sandbox, operation: &str, input: Value) -> String {
    call(sandbox, operation, input).await.unwrap_err()
}

pub(super) fn rule(name: &str) -> Value {
    json!({ "ConfigRuleName": name, "Source": { "Owner": "AWS", "SourceIdentifier": "S3_DEFAULT_ENCRYPTION_KMS" } })
}

pub(super) fn remediation(sandbox: &Sandbox, name: &str) -> Value {
    let fixed = |value: &str| json!({ "StaticValue": { "Values": [value] } });
    json!({
        "ConfigRuleName": name, "TargetType": "SSM_DOCUMENT", "TargetId": SEAL, "Automatic": true,
        "ResourceType": "AWS::S3::Bucket", "MaximumAutomaticAttempts": 3, "RetryAttemptSeconds": 600,
        "Parameters": {
            "BucketName": { "ResourceValue": { "Value": "RESOURCE_ID" } },
            "KMSMasterKeyID": fixed(&sandbox.world.central_arns[0]),
            "AutomationAssumeRole": fixed(&format!("arn:aws:iam::{ALPHA}:role/orgseal-automation")),
            "ExpectedBucketOwner": fixed(ALPHA),
        },
    })
}

pub(super) async fn set_up(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) {
    call(sandbox, "PutConfigRule", json!({ "ConfigRule": rule("kms") })).await.unwrap();
    let mut remediation = remediation(sandbox, "kms");
    change(&mut remediation);
    call(sandbox, "PutRemediationConfigurations", json!({ "RemediationConfigurations": [remediation] })).await.unwrap();
}

pub(super) async fn s3(sandbox: &Sandbox, method: &str, body: &str) -> u16 {
    sandbox.send(&sandbox.session(ALPHA), "us-east-1/s3", method, "/alpha-one?encryption", &[], body).await.status
}

/// The executions, once there are so many and all have ended.
pub(super) async fn executions(sandbox: &Sandbox, count: usize) -> Vec<ExecutionState> {
    for _ in 0..2000 {
        let all = sandbox.executions();
        if all.len() >= count && all.iter().all(|one| one.ended_ms.is_some()) {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there are no {count} executions: {:?}", sandbox.executions());
}

/// Long enough for everything that is due at speed 0.
pub(super) async fn a_while() {
    tokio::time::sleep(Duration::from_millis(150)).await;
}

pub(super) fn is_sealed(sandbox: &Sandbox, bucket: &str) -> bool {
    let key = sandbox.bucket(bucket).encryption.and_then(|encryption| encryption.key);
    key.is_some_and(|key| sandbox.world.central_arns.iter().any(|arn| **arn == *key))
}

#[tokio::test]
async fn rules_are_put_described_in_pages_and_deleted() {
    let sandbox = start(SMALL, 0.0).await;
    for nth in 0..27 {
        call(&sandbox, "PutConfigRule", json!({ "ConfigRule": rule(&format!("rule-{nth:02}")) })).await.unwrap();
    }
    let first = call(&sandbox, "DescribeConfigRules", json!({})).await.unwrap();
    assert_eq!(first["ConfigRules"].as_array().unwrap().len(), 25);
    let one = &first["ConfigRules"][0];
    let arn = format!("arn:aws:config:us-east-1:{ALPHA}:config-rule/{}", one["ConfigRuleId"].as_str().unwrap());
    assert_eq!((&one["ConfigRuleArn"], &one["ConfigRuleState"]), (&json!(arn), &json!("ACTIVE")));
    assert!(one.get("Description").is_none(), "what was not put is not shown: {one}");
    // What goes while pages are read hides nothing.
    call(&sandbox, "DeleteConfigRule", json!({ "ConfigRuleName": "rule-03" })).await.unwrap();
    let rest = call(&sandbox, "DescribeConfigRules", json!({ "NextToken": first["NextToken"] })).await.unwrap();
    let names: Vec<&str> =
        rest["ConfigRules"].as_array().unwrap().iter().map(|rule| rule["ConfigRuleName"].as_str().unwrap()).collect();
    assert_eq!((names, rest.get("NextToken")), (vec!["rule-25", "rule-26"], None));
    // An update by the ARN keeps the name.
    let mut by_arn = rule("x");
    by_arn.as_object_mut().unwrap().remove("ConfigRuleName");
    by_arn["ConfigRuleArn"] = json!(arn);
    by_arn["Description"] = json!("changed");
    call(&sandbox, "PutConfigRule", json!({ "ConfigRule": by_arn })).await.unwrap();
    let input = json!({ "ConfigRuleNames": ["rule-00"], "Filters": { "EvaluationMode": "DETECTIVE" } });
    assert_eq!(call(&sandbox, "DescribeConfigRules", input).await.unwrap()["ConfigRules"][0]["Description"], "changed");
    let elsewhere = sandbox.json(&sandbox.session(ALPHA), "eu-west-1", "DescribeConfigRules", json!({})).await.unwrap();
    assert_eq!(elsewhere["ConfigRules"], json!([]), "each Region has its own");
}

#[tokio::test]
async fn the_shipped_member_role_may_look_at_config_and_no_more() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    let member = sandbox.session_of(ALPHA, "orgseal-member");
    for (operation, input) in [
        ("DescribeConfigRules", json!({})),
        ("DescribeRemediationConfigurations", json!({ "ConfigRuleNames": ["kms"] })),
        ("DescribeRemediationExceptions", json!({ "ConfigRuleName": "kms" })),
    ] {
        sandbox.json(&member, HERE, operation, input).await.unwrap();
    }
    let input = json!({ "ConfigRuleName": "kms" });
    let denied = sandbox.json(&member, HERE, "DeleteRemediationConfiguration", input).await.unwrap_err();
    assert_eq!(denied, "AccessDeniedException");
}

#[tokio::test]
async fn a_bucket_that_no_longer_complies_is_sealed_by_a_real_execution() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    a_while().await;
    assert_eq!(sandbox.executions(), [], "what did not comply before is left alone");
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    let done = executions(&sandbox, 1).await;
    assert_eq!((done[0].document.as_str(), done[0].status.as_str()), (SEAL, "Success"));
    assert_eq!(done[0].parameters["BucketName"], ["alpha-one"]);
    assert!(
        done[0].executed_by.contains("assumed-role/AWSServiceRoleForConfigRemediation/"),
        "{}",
        done[0].executed_by
    );
    assert!(is_sealed(&sandbox, "alpha-one"));
    // Any KMS key complies, until the rule asks for one.
    sandbox
        .set_bucket_encryption(
            "alpha-one",
            Some(BucketEncryption {
                algorithm: "aws:kms".into(),
                key: Some("alias/team-key".into()),
                bucket_key: false,
                blocked: Vec::new(),
            }),
        )
        .unwrap();
    a_while().await;
    assert_eq!(sandbox.executions().len(), 1);
    // What an automation did is seen as well.
    let restore = json!({ "DocumentName": "RestoreS3BucketEncryption", "Parameters": {
        "BucketName": ["alpha-one"], "ExpectedBucketOwner": [ALPHA], "SSEAlgorithm": ["AES256"],
        "AutomationAssumeRole": [format!("arn:aws:iam::{ALPHA}:role/orgseal-automation")],
    } });
    sandbox.start_execution(&sandbox.session(ALPHA), HERE, restore).await.unwrap();
    let done = executions(&sandbox, 3).await;
    assert_eq!((done.len(), done[2].document.as_str()), (3, SEAL));
    assert!(is_sealed(&sandbox, "alpha-one"));
}

#[tokio::test]
async fn a_rule_may_ask_for_one_key_by_whatever_name() {
    let sandbox = start(SMALL, 0.0).await;
    let team = call(&sandbox, "DescribeKey", json!({ "KeyId": "alias/team-key" })).await.unwrap();
    let arn = team["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    set_up(&sandbox, |_| {}).await;
    let mut narrow = rule("kms");
    narrow["InputParameters"] =
        json!(json!({ "kmsKeyArns": format!("{arn}, {}", sandbox.world.central_arns[0]) }).to_string());
    call(&sandbox, "PutConfigRule", json!({ "ConfigRule": narrow })).await.unwrap();
    let id = arn.rsplit('/').next().unwrap().to_owned();
    let put = |key: Option<String>| {
        let (algorithm, blocked) = ("aws:kms".into(), Vec::new());
        let encryption = BucketEncryption { algorithm, key, bucket_key: true, blocked };
        sandbox.set_bucket_encryption("alpha-one", Some(encryption)).unwrap();
    };
    for key in
        [arn.clone(), id, "alias/team-key".into(), arn.replace(&arn[arn.find(":key/").unwrap()..], ":alias/team-key")]
    {
        put(Some(key.clone()));
        a_while().await;
        assert_eq!(sandbox.executions(), [], "{key}");
    }
    put(None);
    executions(&sandbox, 1).await;
    assert!(is_sealed(&sandbox, "alpha-one"), "aws/s3 is not among the keys");
}

#[tokio::test]
async fn an_exception_or_a_manual_remediation_or_another_scope_leaves_the_bucket_alone() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    let key = json!([{ "ResourceType": "AWS::S3::Bucket", "ResourceId": "alpha-one" }]);
    let put =
        json!({ "ConfigRuleName": "kms", "ResourceKeys": key, "Message": "ours", "ExpirationTime": 4_102_444_800.0 });
    assert_eq!(call(&sandbox, "PutRemediationExceptions", put.clone()).await.unwrap()["FailedBatches"], json!([]));
    let shown = call(&sandbox, "DescribeRemediationExceptions", json!({ "ConfigRuleName": "kms" })).await.unwrap();
    assert_eq!(shown["RemediationExceptions"][0]["Message"], "ours");
    assert_eq!(sandbox.remediation_exceptions(ALPHA, HERE, "kms"), ["alpha-one"]);
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions(), []);
    // With the remediation its exceptions go.
    call(&sandbox, "DeleteRemediationConfiguration", json!({ "ConfigRuleName": "kms" })).await.unwrap();
    set_up(&sandbox, |remediation| remediation["Automatic"] = json!(false)).await;
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions(), []);
    set_up(&sandbox, |_| {}).await;
    let mut elsewhere = rule("kms");
    elsewhere["Scope"] =
        json!({ "ComplianceResourceTypes": ["AWS::S3::Bucket"], "ComplianceResourceId": "alpha-ireland" });
    call(&sandbox, "PutConfigRule", json!({ "ConfigRule": elsewhere })).await.unwrap();
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions(), []);
    set_up(&sandbox, |_| {}).await;
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    executions(&sandbox, 1).await;
    // A bucket that complies gets no exception.
    let failed = call(&sandbox, "PutRemediationExceptions", put).await.unwrap();
    assert_eq!(failed["FailedBatches"][0]["FailedItems"][0]["ResourceId"], "alpha-one", "{failed}");
    assert!(sandbox.remediation_exceptions(ALPHA, HERE, "kms").is_empty());
}

#[tokio::test]
async fn after_so_many_failed_attempts_the_bucket_gets_an_exception() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |remediation| {
        remediation["Parameters"]["ExpectedBucketOwner"]["StaticValue"]["Values"] = json!(["222222222222"]);
    })
    .await;
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    let failed = executions(&sandbox, 3).await;
    a_while().await;
    assert_eq!(sandbox.executions().len(), 3, "MaximumAutomaticAttempts");
    assert!(failed.iter().all(|one| one.status == "Failed"));
    let shown = call(&sandbox, "DescribeRemediationExceptions", json!({ "ConfigRuleName": "kms" })).await.unwrap();
    let exception = &shown["RemediationExceptions"][0];
    assert_eq!(exception["ResourceId"], "alpha-one");
    assert!(exception["Message"].as_str().unwrap().contains("3 failed remediation attempts"), "{exception}");
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions().len(), 3);
}

#[tokio::test]
async fn a_start_that_is_refused_is_a_failed_attempt() {
    let sandbox = start(SMALL, 0.0).await;
    sandbox.put_automatic_remediation(ALPHA, HERE, "kms", "S3_DEFAULT_ENCRYPTION_KMS", SEAL).unwrap();
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    for _ in 0..1000 {
        if !sandbox.remediation_exceptions(ALPHA, HERE, "kms").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sandbox.remediation_exceptions(ALPHA, HERE, "kms"), ["alpha-one"]);
    assert_eq!(sandbox.executions(), [], "it lacks the document's parameters");
}

#[tokio::test]
async fn it_takes_a_while_and_cannot_be_deleted_at_work() {
    let text = SMALL.replacen("seed", "executions = { min_seconds = 60, max_seconds = 60 }\nseed", 1);
    // At speed 20 it is due after a quarter of a second, and runs for three seconds.
    let sandbox = start(&text, 20.0).await;
    set_up(&sandbox, |_| {}).await;
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    assert_eq!(sandbox.executions(), []);
    while sandbox.executions().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let input = json!({ "ConfigRuleName": "kms" });
    assert_eq!(refusal(&sandbox, "DeleteRemediationConfiguration", input).await, "RemediationInProgressException");
    // Another change while one is at work does not start a second one.
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(sandbox.executions().len(), 1);
}

#[tokio::test]
async fn a_spec_names_the_document_as_the_account_has_it() {
    for document in ["deploy = \"shared\"", "variant = \"original\"", "name = \"Mine\""] {
        let text = format!("{SMALL}\n[document]\n{document}\n[[config_remediation]]\n");
        let sandbox = start(&text, 0.0).await;
        assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
        let done = executions(&sandbox, 1).await;
        assert_eq!(done[0].status, "Success", "{document}: {done:?}");
        assert!(is_sealed(&sandbox, "alpha-one"));
    }
}

#[tokio::test]
async fn a_spec_has_it_from_the_start_and_what_was_put_outlives_the_process() {
    let text = format!(
        "{SMALL}\n[[config_remediation]]\naccounts = [\"alpha\"]\nregions = [\"us-east-1\"]\nexceptions = [\"spared\"]\n"
    );
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(&text), options).await.unwrap()
    };
    let sandbox = open().await;
    let described = call(&sandbox, "DescribeConfigRules", json!({})).await.unwrap();
    assert_eq!(described["ConfigRules"][0]["ConfigRuleName"], "s3-default-encryption-kms");
    assert_eq!(sandbox.remediation_exceptions(ALPHA, HERE, "s3-default-encryption-kms"), ["spared"]);
    let beta = sandbox.session("222222222222");
    let none = sandbox.json(&beta, HERE, "DescribeConfigRules", json!({})).await.unwrap();
    assert_eq!(none["ConfigRules"], json!([]));
    assert!(sandbox.dump().config.is_empty(), "as it was made");
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    executions(&sandbox, 1).await;
    assert!(is_sealed(&sandbox, "alpha-one"));
    set_up(&sandbox, |remediation| remediation["Automatic"] = json!(false)).await;
    sandbox.delete_config_rule(ALPHA, HERE, "s3-default-encryption-kms").unwrap();
    sandbox.put_remediation_exception(ALPHA, HERE, "kms", "alpha-one").unwrap();
    let dump = sandbox.dump();
    let at = |name: &str| &dump.config[&format!("{ALPHA}/us-east-1/{name}")];
    assert_eq!(at("rule/s3-default-encryption-kms"), &Value::Null);
    assert_eq!(at("remediation/kms")["TargetId"], SEAL);
    sandbox.stop();

    let again = open().await;
    assert_eq!(again.dump().config, dump.config);
    let rules = call(&again, "DescribeConfigRules", json!({})).await.unwrap();
    assert_eq!(rules["ConfigRules"].as_array().unwrap().len(), 1);
    assert_eq!(again.remediation_exceptions(ALPHA, HERE, "kms"), ["alpha-one"]);
    let everywhere = ConfigRemediationSpec { central_key_only: true, ..ConfigRemediationSpec::default() };
    again.put_config_remediation(&everywhere).unwrap();
    again.set_bucket_encryption("beta-one", None).unwrap();
    for _ in 0..1000 {
        if is_sealed(&again, "beta-one") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(is_sealed(&again, "beta-one"));
    let nobody = ConfigRemediationSpec { accounts: AccountChoice::Named(vec!["moon".into()]), ..everywhere };
    assert_eq!(again.put_config_remediation(&nobody).unwrap_err().to_string(), "the sandbox has no account moon");
    again.delete_config_rule(ALPHA, HERE, "none").unwrap_err();
}

async fn put_default(sandbox: &Sandbox, bucket: &str) -> u16 {
    let body = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
                </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    sandbox
        .send(&sandbox.session(ALPHA), "us-east-1/s3", "PUT", &format!("/{bucket}?encryption"), &[], body)
        .await
        .status
}

pub(super) async fn compliance(sandbox: &Sandbox, kind: &str) -> Vec<String> {
    let input = json!({ "ConfigRuleName": "kms", "ComplianceTypes": [kind] });
    let found = call(sandbox, "GetComplianceDetailsByConfigRule", input).await.unwrap();
    let id = |one: &Value| {
        one["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ResourceId"].as_str().unwrap().to_owned()
    };
    found["EvaluationResults"].as_array().unwrap().iter().map(id).collect()
}

/// Two buckets of alpha in one Region.
const TWO: &str = "[[account.buckets]]\nname = \"alpha-two\"\nencryption = \"sealed\"\n\n[[account]]\nname = \"beta\"";

#[tokio::test]
async fn drift_is_found_and_sealed_again_and_an_exception_stays() {
    let text = SMALL.replacen("[[account]]\nname = \"beta\"", TWO, 1);
    // Fast, but with every wait in its place: a remediation is due after a tenth of a second.
    let sandbox = start(&text, 50.0).await;
    set_up(&sandbox, |_| {}).await;
    assert_eq!(compliance(&sandbox, "COMPLIANT").await, ["alpha-two"]);
    assert_eq!(compliance(&sandbox, "NON_COMPLIANT").await, ["alpha-one"]);
    // An evaluation on demand finds what was there before the rule.
    let evaluate = json!({ "ConfigRuleNames": ["kms"] });
    call(&sandbox, "StartConfigRulesEvaluation", evaluate.clone()).await.unwrap();
    assert_eq!(refusal(&sandbox, "StartConfigRulesEvaluation", evaluate.clone()).await, "LimitExceededException");
    executions(&sandbox, 1).await;
    assert!(is_sealed(&sandbox, "alpha-one"));
    assert_eq!(compliance(&sandbox, "COMPLIANT").await, ["alpha-one", "alpha-two"]);

    // Drift: found, remediated, sealed, each by its own part.
    assert_eq!(put_default(&sandbox, "alpha-two").await, 200);
    let done = executions(&sandbox, 2).await;
    assert_eq!((done[1].document.as_str(), done[1].status.as_str()), (SEAL, "Success"));
    assert_eq!(done[1].parameters["BucketName"], ["alpha-two"]);
    assert_eq!(done[1].parameters["AutomationAssumeRole"], [format!("arn:aws:iam::{ALPHA}:role/orgseal-automation")]);
    assert!(is_sealed(&sandbox, "alpha-two"));

    // An exception is for what does not comply, as the model advises while the remediation is manual; then it holds.
    set_up(&sandbox, |remediation| remediation["Automatic"] = json!(false)).await;
    assert_eq!(put_default(&sandbox, "alpha-two").await, 200);
    assert_eq!(compliance(&sandbox, "NON_COMPLIANT").await, ["alpha-two"]);
    let key = json!([{ "ResourceType": "AWS::S3::Bucket", "ResourceId": "alpha-two" }]);
    let spared = json!({ "ConfigRuleName": "kms", "ResourceKeys": key });
    assert_eq!(call(&sandbox, "PutRemediationExceptions", spared.clone()).await.unwrap()["FailedBatches"], json!([]));
    set_up(&sandbox, |_| {}).await;
    assert_eq!(put_default(&sandbox, "alpha-two").await, 200);
    tokio::time::sleep(Duration::from_millis(1250)).await;
    call(&sandbox, "StartConfigRulesEvaluation", evaluate).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sandbox.executions().len(), 2);
    assert!(!is_sealed(&sandbox, "alpha-two"));
    // By hand it is remediated all the same.
    let by_hand = json!({ "ConfigRuleName": "kms", "ResourceKeys": [
        { "resourceType": "AWS::S3::Bucket", "resourceId": "alpha-two" },
        { "resourceType": "AWS::S3::Bucket", "resourceId": "nowhere" },
    ] });
    let started = call(&sandbox, "StartRemediationExecution", by_hand).await.unwrap();
    assert_eq!(started["FailedItems"], json!([{ "resourceType": "AWS::S3::Bucket", "resourceId": "nowhere" }]));
    executions(&sandbox, 3).await;
    assert!(is_sealed(&sandbox, "alpha-two"));
    call(&sandbox, "DeleteRemediationExceptions", spared.clone()).await.unwrap();
    let gone = refusal(&sandbox, "DeleteRemediationExceptions", spared).await;
    assert_eq!(gone, "NoSuchRemediationExceptionException");
}
