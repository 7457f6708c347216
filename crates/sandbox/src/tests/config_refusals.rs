//! What AWS Config refuses, and what it does not see.

use serde_json::{Value, json};

use super::config::{
    ALPHA, HERE, a_while, call, compliance, executions, is_sealed, refusal, remediation, rule, s3, set_up,
};
use super::{SMALL, start};

#[tokio::test]
async fn what_the_model_does_not_allow_is_refused() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    let with = |member: &str, value: Value| {
        let mut rule = rule("other");
        rule[member] = value;
        json!({ "ConfigRule": rule })
    };
    for (input, code) in [
        (json!({}), "ValidationException"),
        (json!({ "ConfigRule": { "ConfigRuleName": "x" } }), "ValidationException"),
        (with("ConfigRuleName", json!(" ")), "ValidationException"),
        (with("ConfigRuleName", json!("x".repeat(129))), "ValidationException"),
        (with("ConfigRuleName", Value::Null), "InvalidParameterValueException"),
        (with("Colour", json!("red")), "ValidationException"),
        (with("Description", json!(1)), "SerializationException"),
        (with("Source", json!({ "Owner": "ME" })), "ValidationException"),
        (with("Source", json!({ "Owner": "AWS" })), "InvalidParameterValueException"),
        (with("Source", json!({ "Owner": "AWS", "SourceIdentifier": "no rule" })), "InvalidParameterValueException"),
        (with("Source", json!({ "Owner": "CUSTOM_POLICY" })), "InvalidParameterValueException"),
        (
            with("Source", json!({ "Owner": "CUSTOM_LAMBDA", "SourceIdentifier": "f" })),
            "InvalidParameterValueException",
        ),
        (with("InputParameters", json!("{")), "InvalidParameterValueException"),
        (with("Scope", json!({ "TagValue": "v" })), "InvalidParameterValueException"),
        (with("MaximumExecutionFrequency", json!("Daily")), "ValidationException"),
    ] {
        assert_eq!(refusal(&sandbox, "PutConfigRule", input.clone()).await, code, "{input}");
    }
    let with = |member: &str, value: Value| {
        let mut remediation = remediation(&sandbox, "kms");
        remediation[member] = value;
        json!({ "RemediationConfigurations": [remediation] })
    };
    for (input, code) in [
        (with("ConfigRuleName", json!("none")), "InvalidParameterValueException"),
        (with("TargetId", json!("Nothing")), "InvalidParameterValueException"),
        (with("TargetVersion", json!("9")), "InvalidParameterValueException"),
        (with("TargetType", json!("LAMBDA")), "ValidationException"),
        (with("TargetId", Value::Null), "SerializationException"),
        (with("MaximumAutomaticAttempts", json!(26)), "ValidationException"),
        (with("RetryAttemptSeconds", json!(0)), "ValidationException"),
        (with("ExecutionControls", json!({ "SsmControls": { "ErrorPercentage": 101 } })), "ValidationException"),
        (with("Parameters", json!({})), "InvalidParameterValueException"),
        (with("Parameters", json!({ "BucketName": {} })), "InvalidParameterValueException"),
        (with("Parameters", json!({ "B": { "ResourceValue": { "Value": "NAME" } } })), "ValidationException"),
    ] {
        assert_eq!(refusal(&sandbox, "PutRemediationConfigurations", input.clone()).await, code, "{input}");
    }
    let many: Vec<String> = (0..26).map(|nth| format!("r{nth}")).collect();
    let key = json!([{ "ResourceType": "AWS::S3::Bucket", "ResourceId": "alpha-one" }]);
    for (operation, input, code) in [
        ("DescribeConfigRules", json!({ "ConfigRuleNames": ["none"] }), "NoSuchConfigRuleException"),
        ("DescribeConfigRules", json!({ "ConfigRuleNames": many }), "ValidationException"),
        ("DescribeConfigRules", json!({ "NextToken": "?" }), "InvalidNextTokenException"),
        ("DeleteConfigRule", json!({ "ConfigRuleName": "none" }), "NoSuchConfigRuleException"),
        ("DeleteConfigRule", json!({ "ConfigRuleName": "kms" }), "ResourceInUseException"),
        ("DescribeRemediationConfigurations", json!({}), "ValidationException"),
        ("DescribeRemediationConfigurations", json!({ "ConfigRuleNames": many }), "ValidationException"),
        (
            "DeleteRemediationConfiguration",
            json!({ "ConfigRuleName": "none" }),
            "NoSuchRemediationConfigurationException",
        ),
        (
            "PutRemediationExceptions",
            json!({ "ConfigRuleName": "none", "ResourceKeys": key }),
            "InvalidParameterValueException",
        ),
        ("PutRemediationExceptions", json!({ "ConfigRuleName": "kms", "ResourceKeys": [] }), "ValidationException"),
        (
            "PutRemediationExceptions",
            json!({ "ConfigRuleName": "kms", "ResourceKeys": [{}] }),
            "InvalidParameterValueException",
        ),
        (
            "PutRemediationExceptions",
            json!({ "ConfigRuleName": "kms", "ResourceKeys": key, "ExpirationTime": 1 }),
            "InvalidParameterValueException",
        ),
        ("DescribeRemediationExceptions", json!({ "ConfigRuleName": "kms", "Limit": 101 }), "ValidationException"),
        (
            "DescribeRemediationExceptions",
            json!({ "ConfigRuleName": "kms", "Limit": 5, "ResourceKeys": key }),
            "InvalidParameterValueException",
        ),
        (
            "DescribeRemediationExceptions",
            json!({ "ConfigRuleName": "kms", "NextToken": "?" }),
            "InvalidNextTokenException",
        ),
    ] {
        assert_eq!(refusal(&sandbox, operation, input.clone()).await, code, "{operation} {input}");
    }
    let allowed =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"config:Describe*","Resource":"*"}]}"#;
    sandbox.set_role_policy(ALPHA, "orgseal-member", allowed).unwrap();
    let member = sandbox.session_of(ALPHA, "orgseal-member");
    sandbox.json(&member, HERE, "DescribeConfigRules", json!({})).await.unwrap();
    let denied = sandbox.json(&member, HERE, "PutConfigRule", json!({ "ConfigRule": rule("x") })).await;
    assert_eq!(denied.unwrap_err(), "AccessDeniedException");
}

#[tokio::test]
async fn what_nobody_records_is_not_seen() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    let status = call(&sandbox, "DescribeConfigurationRecorderStatus", json!({})).await.unwrap();
    assert_eq!(status["ConfigurationRecordersStatus"][0]["recording"], true);
    let name = json!({ "ConfigurationRecorderName": "default" });
    call(&sandbox, "StopConfigurationRecorder", name.clone()).await.unwrap();
    let status = call(&sandbox, "DescribeConfigurationRecorderStatus", json!({})).await.unwrap();
    assert_eq!(status["ConfigurationRecordersStatus"][0]["recording"], false);
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions(), []);
    assert_eq!(compliance(&sandbox, "NON_COMPLIANT").await, Vec::<String>::new());
    call(&sandbox, "StartConfigurationRecorder", name).await.unwrap();
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    executions(&sandbox, 1).await;
    assert!(is_sealed(&sandbox, "alpha-one"));
    let shown = call(&sandbox, "DescribeConfigurationRecorders", json!({})).await.unwrap();
    let arn = &shown["ConfigurationRecorders"][0]["arn"];
    for (operation, input, code) in [
        (
            "DescribeConfigurationRecorders",
            json!({ "ConfigurationRecorderNames": ["x"] }),
            "NoSuchConfigurationRecorderException",
        ),
        (
            "DescribeConfigurationRecorderStatus",
            json!({ "Arn": format!("{}x", arn.as_str().unwrap()) }),
            "NoSuchConfigurationRecorderException",
        ),
        (
            "DescribeConfigurationRecorders",
            json!({ "ConfigurationRecorderNames": ["default"], "Arn": arn }),
            "ValidationException",
        ),
        ("DescribeConfigurationRecorders", json!({ "ServicePrincipal": "x.amazonaws.com" }), "ValidationException"),
        (
            "StopConfigurationRecorder",
            json!({ "ConfigurationRecorderName": "x" }),
            "NoSuchConfigurationRecorderException",
        ),
        ("GetComplianceDetailsByConfigRule", json!({ "ConfigRuleName": "none" }), "NoSuchConfigRuleException"),
        ("GetComplianceDetailsByConfigRule", json!({ "ConfigRuleName": "x".repeat(65) }), "ValidationException"),
        ("GetComplianceDetailsByConfigRule", json!({ "ConfigRuleName": "kms", "Limit": 101 }), "ValidationException"),
        (
            "GetComplianceDetailsByConfigRule",
            json!({ "ConfigRuleName": "kms", "ComplianceTypes": ["INSUFFICIENT_DATA"] }),
            "InvalidParameterValueException",
        ),
        ("DescribeComplianceByConfigRule", json!({ "ConfigRuleNames": ["none"] }), "NoSuchConfigRuleException"),
        ("StartConfigRulesEvaluation", json!({ "ConfigRuleNames": ["none"] }), "NoSuchConfigRuleException"),
        ("StartConfigRulesEvaluation", json!({}), "ValidationException"),
        (
            "StartRemediationExecution",
            json!({ "ConfigRuleName": "none", "ResourceKeys": [{ "resourceType": "a", "resourceId": "b" }] }),
            "NoSuchRemediationConfigurationException",
        ),
        (
            "StartRemediationExecution",
            json!({ "ConfigRuleName": "kms", "ResourceKeys": [{ "ResourceType": "a", "ResourceId": "b" }] }),
            "ValidationException",
        ),
    ] {
        assert_eq!(refusal(&sandbox, operation, input.clone()).await, code, "{operation} {input}");
    }
    let summed = call(&sandbox, "DescribeComplianceByConfigRule", json!({ "ConfigRuleNames": ["kms"] })).await.unwrap();
    assert_eq!(summed["ComplianceByConfigRules"][0]["Compliance"]["ComplianceType"], "COMPLIANT");
}
