//! Conformance packs of AWS Config, of one account and of the organization, and that their remediations act.

use serde_json::{Value, json};

use super::config::{ALPHA, HERE, SEAL, a_while, call, executions, is_sealed, refusal, s3};
use super::{SMALL, spec, start};
use crate::{Options, Sandbox};

/// The pack that `config/` ships.
const SHIPPED: &str = include_str!("../../../../config/aws-config/conformance-pack-us-east-1.yaml");

/// A pack with a remediation, of which each account gets its own.
const REMEDIED: &str = "
Parameters:
  KeyArn: { Type: String }
  Attempts: { Type: Number, Default: '3' }
  Automatic: { Type: String, Default: 'true', AllowedValues: ['true', 'false'] }
Conditions:
  Acts: !Equals [!Ref Automatic, 'true']
Resources:
  Kms:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: kms
      InputParameters: { kmsKeyArns: !Ref KeyArn }
      Scope: { ComplianceResourceTypes: ['AWS::S3::Bucket'] }
      Source: { Owner: AWS, SourceIdentifier: S3_DEFAULT_ENCRYPTION_KMS }
  Seals:
    Type: AWS::Config::RemediationConfiguration
    DependsOn: Kms
    Condition: Acts
    Properties:
      ConfigRuleName: !Ref Kms
      TargetType: SSM_DOCUMENT
      TargetId: EnableS3BucketEncryptionWithKMS
      ResourceType: AWS::S3::Bucket
      Automatic: !Ref Automatic
      MaximumAutomaticAttempts: !Ref Attempts
      RetryAttemptSeconds: 600
      Parameters:
        BucketName: { ResourceValue: { Value: RESOURCE_ID } }
        KMSMasterKeyID: { StaticValue: { Values: [!Ref KeyArn] } }
        AutomationAssumeRole: { StaticValue: { Values: [!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/orgseal-automation'] } }
        ExpectedBucketOwner: { StaticValue: { Values: [!Ref AWS::AccountId] } }
";

/// A call of the management account.
async fn admin(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, String> {
    // It has no role to be entered by.
    let keys = super::Keys { access_key: sandbox.world.management_user.access_key.clone(), token: None };
    sandbox.json(&keys, HERE, operation, input).await
}

fn key_parameter(sandbox: &Sandbox) -> Value {
    json!([{ "ParameterName": "KeyArn", "ParameterValue": &*sandbox.world.central_arns[0] }])
}

fn put(sandbox: &Sandbox) -> Value {
    json!({
        "OrganizationConformancePackName": "seal", "TemplateBody": REMEDIED,
        "ConformancePackInputParameters": key_parameter(sandbox),
    })
}

async fn rule_names(sandbox: &Sandbox) -> Vec<String> {
    let rules = call(sandbox, "DescribeConfigRules", json!({})).await.unwrap();
    let name = |rule: &Value| rule["ConfigRuleName"].as_str().unwrap().to_owned();
    rules["ConfigRules"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn an_organizations_pack_seals_in_every_account() {
    let sandbox = start(SMALL, 0.0).await;
    admin(&sandbox, "PutOrganizationConformancePack", put(&sandbox)).await.unwrap();
    let [name] = &rule_names(&sandbox).await[..] else { panic!("one rule") };
    let (start, end) = name.split_once("-conformance-pack-").unwrap();
    assert_eq!((start, end.len()), ("kms", 9));
    let named = json!({ "ConfigRuleNames": [name] });
    let rule = call(&sandbox, "DescribeConfigRules", named.clone()).await.unwrap()["ConfigRules"][0].clone();
    assert_eq!(rule["CreatedBy"], "config-conforms.amazonaws.com");
    assert_eq!(rule["InputParameters"], json!({ "kmsKeyArns": &*sandbox.world.central_arns[0] }).to_string());
    let arn = rule["ConfigRuleArn"].as_str().unwrap();
    assert!(arn.contains(":config-rule/aws-service-rule/config-conforms.amazonaws.com/config-rule-"), "{arn}");
    let remediation = call(&sandbox, "DescribeRemediationConfigurations", named).await.unwrap();
    let remediation = &remediation["RemediationConfigurations"][0];
    assert_eq!((&remediation["Automatic"], &remediation["MaximumAutomaticAttempts"]), (&json!(true), &json!(3)));

    // It acts, as the role of the account that it is in.
    for (account, bucket) in [(ALPHA, "alpha-one"), ("222222222222", "beta-one")] {
        let before = sandbox.executions().len();
        sandbox.set_bucket_encryption(bucket, None).unwrap();
        executions(&sandbox, before + 1).await;
        assert!(is_sealed(&sandbox, bucket));
        let all = sandbox.executions();
        let one = all.iter().find(|one| one.account == account).unwrap();
        assert_eq!((one.document.as_str(), one.status.as_str()), (SEAL, "Success"));
        assert_eq!(one.parameters["AutomationAssumeRole"], [format!("arn:aws:iam::{account}:role/orgseal-automation")]);
    }

    // What a service owns is changed with the pack alone.
    let key = json!([{ "ResourceType": "AWS::S3::Bucket", "ResourceId": "alpha-one" }]);
    let own = json!({ "ConfigRule": { "ConfigRuleName": name, "Source": rule["Source"] } });
    let remedy = json!({ "RemediationConfigurations": [{
        "ConfigRuleName": name, "TargetType": "SSM_DOCUMENT", "TargetId": SEAL }] });
    let pack =
        call(&sandbox, "DescribeConformancePacks", json!({})).await.unwrap()["ConformancePackDetails"][0].clone();
    assert_eq!(pack["CreatedBy"], "config-multiaccountsetup.amazonaws.com");
    assert!(pack["ConformancePackName"].as_str().unwrap().starts_with("OrgConformsPack-seal-"), "{pack}");
    for (operation, input, code) in [
        ("PutConfigRule", own, "AccessDeniedException"),
        ("DeleteConfigRule", json!({ "ConfigRuleName": name }), "AccessDeniedException"),
        ("PutRemediationConfigurations", remedy, "AccessDeniedException"),
        ("DeleteRemediationConfiguration", json!({ "ConfigRuleName": name }), "AccessDeniedException"),
        (
            "PutRemediationExceptions",
            json!({ "ConfigRuleName": name, "ResourceKeys": key }),
            "InvalidParameterValueException",
        ),
        (
            "DeleteConformancePack",
            json!({ "ConformancePackName": pack["ConformancePackName"] }),
            "AccessDeniedException",
        ),
    ] {
        assert_eq!(refusal(&sandbox, operation, input.clone()).await, code, "{operation} {input}");
    }

    // An update that excludes an account takes its pack away, and one without the condition the remediations.
    let mut update = put(&sandbox);
    update["ExcludedAccounts"] = json!(["222222222222"]);
    update["ConformancePackInputParameters"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "ParameterName": "Automatic", "ParameterValue": "false" }));
    admin(&sandbox, "PutOrganizationConformancePack", update).await.unwrap();
    let beta = sandbox.session("222222222222");
    let rules = sandbox.json(&beta, HERE, "DescribeConfigRules", json!({})).await.unwrap();
    assert_eq!(rules["ConfigRules"], json!([]));
    let before = sandbox.executions().len();
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions().len(), before);
    let statuses = admin(&sandbox, "DescribeOrganizationConformancePackStatuses", json!({})).await.unwrap();
    assert_eq!(statuses["OrganizationConformancePackStatuses"][0]["Status"], "UPDATE_SUCCESSFUL");

    let name = json!({ "OrganizationConformancePackName": "seal" });
    admin(&sandbox, "DeleteOrganizationConformancePack", name.clone()).await.unwrap();
    assert!(rule_names(&sandbox).await.is_empty());
    let gone = admin(&sandbox, "DeleteOrganizationConformancePack", name).await.unwrap_err();
    assert_eq!(gone, "NoSuchOrganizationConformancePackException");
    assert!(sandbox.dump().config.is_empty(), "nothing is left behind: {:?}", sandbox.dump().config);
}

/// InputParameters hold 1,024 characters: twelve key ARNs, and not thirteen.
#[tokio::test]
async fn a_rule_of_a_pack_names_twelve_keys_at_most() {
    let sandbox = start(SMALL, 0.0).await;
    let security = sandbox.session(sandbox.security_account());
    let pack = |amount: usize| {
        let arn = |n: usize| format!("arn:aws:kms:ap-southeast-2:111122223333:key/1234abcd-12ab-34cd-56ef-{n:012}");
        let keys: Vec<String> = (0..amount).map(arn).collect();
        let place = SHIPPED.find("arn:aws:kms:").unwrap();
        let own: String = SHIPPED[place..].chars().take_while(|letter| !letter.is_whitespace()).collect();
        json!({ "OrganizationConformancePackName": "orgseal", "TemplateBody": SHIPPED.replace(&own, &keys.join(",")) })
    };
    let put = async |amount| sandbox.json(&security, HERE, "PutOrganizationConformancePack", pack(amount)).await;
    assert_eq!(put(13).await.unwrap_err(), "OrganizationConformancePackTemplateValidationException");
    put(12).await.unwrap();
}

#[tokio::test]
async fn the_shipped_pack_only_detects() {
    let sandbox = start(SMALL, 0.0).await;
    let input = json!({ "OrganizationConformancePackName": "orgseal", "TemplateBody": SHIPPED });
    let security = sandbox.session(sandbox.security_account());
    sandbox.json(&security, HERE, "PutOrganizationConformancePack", input).await.unwrap();
    let statuses = json!({ "OrganizationConformancePackName": "orgseal" });
    let statuses =
        sandbox.json(&security, HERE, "GetOrganizationConformancePackDetailedStatus", statuses).await.unwrap();
    let statuses = statuses["OrganizationConformancePackDetailedStatuses"].as_array().unwrap();
    assert_eq!(statuses.len(), 4, "the management account too");
    assert!(statuses.iter().all(|one| one["Status"] == "CREATE_SUCCESSFUL"), "{statuses:?}");
    let [name] = &rule_names(&sandbox).await[..] else { panic!("one rule") };
    let found = call(&sandbox, "GetComplianceDetailsByConfigRule", json!({ "ConfigRuleName": name })).await.unwrap();
    assert_eq!(found["EvaluationResults"][0]["ComplianceType"], "NON_COMPLIANT");
    assert_eq!(s3(&sandbox, "DELETE", "").await, 204);
    a_while().await;
    assert_eq!(sandbox.executions(), []);
    // Where it was put it is known, and nowhere else.
    let here = admin(&sandbox, "DescribeOrganizationConformancePacks", json!({})).await.unwrap();
    assert_eq!(here["OrganizationConformancePacks"], json!([]));
}

#[tokio::test]
async fn it_is_made_where_something_records() {
    let text = SMALL.replacen("name = \"beta\"", "name = \"beta\"\nstate = \"SUSPENDED\"", 1);
    let sandbox = start(&text, 0.0).await;
    let recorder = json!({ "ConfigurationRecorderName": "default" });
    call(&sandbox, "StopConfigurationRecorder", recorder.clone()).await.unwrap();
    admin(&sandbox, "PutOrganizationConformancePack", put(&sandbox)).await.unwrap();
    let one = json!({ "OrganizationConformancePackName": "seal", "Filters": { "Status": "CREATE_FAILED" } });
    let failed = admin(&sandbox, "GetOrganizationConformancePackDetailedStatus", one).await.unwrap();
    let failed = failed["OrganizationConformancePackDetailedStatuses"].as_array().unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["AccountId"], &failed[0]["ErrorCode"]),
        (&json!(ALPHA), &json!("NoAvailableConfigurationRecorder"))
    );
    let whole = admin(&sandbox, "DescribeOrganizationConformancePackStatuses", json!({})).await.unwrap();
    assert_eq!(whole["OrganizationConformancePackStatuses"][0]["Status"], "CREATE_FAILED");
    assert!(rule_names(&sandbox).await.is_empty());
    let mine = call(&sandbox, "DescribeConformancePackStatus", json!({})).await.unwrap();
    assert_eq!(mine["ConformancePackStatusDetails"][0]["ConformancePackState"], "CREATE_FAILED");
    let all = json!({ "OrganizationConformancePackName": "seal" });
    let all = admin(&sandbox, "GetOrganizationConformancePackDetailedStatus", all).await.unwrap();
    let all = all["OrganizationConformancePackDetailedStatuses"].as_array().unwrap().len();
    assert_eq!(all, 3, "the suspended account gets none");
    call(&sandbox, "StartConfigurationRecorder", recorder).await.unwrap();
    admin(&sandbox, "PutOrganizationConformancePack", put(&sandbox)).await.unwrap();
    assert_eq!(rule_names(&sandbox).await.len(), 1);
}

#[tokio::test]
async fn a_pack_takes_a_while_and_is_left_alone_meanwhile() {
    let sandbox = start(SMALL, 10.0).await;
    let input =
        json!({ "ConformancePackName": "mine", "TemplateBody": SHIPPED, "Tags": [{ "Key": "a", "Value": "b" }] });
    let arn = call(&sandbox, "PutConformancePack", input.clone()).await.unwrap()["ConformancePackArn"].clone();
    let state = async || {
        let shown = call(&sandbox, "DescribeConformancePackStatus", json!({})).await.unwrap();
        shown["ConformancePackStatusDetails"][0]["ConformancePackState"].as_str().map(String::from)
    };
    assert_eq!(state().await.unwrap(), "CREATE_IN_PROGRESS");
    let name = json!({ "ConformancePackName": "mine" });
    assert_eq!(refusal(&sandbox, "PutConformancePack", input.clone()).await, "ResourceInUseException");
    assert_eq!(refusal(&sandbox, "DeleteConformancePack", name.clone()).await, "ResourceInUseException");
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    assert_eq!(state().await.unwrap(), "CREATE_COMPLETE");
    call(&sandbox, "PutConformancePack", input).await.unwrap();
    assert_eq!(state().await.unwrap(), "UPDATE_IN_PROGRESS");
    let tags = ("config", "StarlingDoveService");
    let listed = json!({ "ResourceArn": arn });
    let listed = sandbox.json_of(tags, &sandbox.session(ALPHA), HERE, "ListTagsForResource", listed).await.unwrap();
    assert_eq!(listed["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    call(&sandbox, "DeleteConformancePack", name.clone()).await.unwrap();
    assert_eq!(state().await.unwrap(), "DELETE_IN_PROGRESS");
    assert!(rule_names(&sandbox).await.is_empty());
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    assert_eq!(state().await, None);
    assert_eq!(refusal(&sandbox, "DeleteConformancePack", name).await, "NoSuchConformancePackException");
}

#[tokio::test]
async fn what_is_no_pack_is_refused() {
    let sandbox = start(SMALL, 0.0).await;
    let template = |change: &str, to: &str| REMEDIED.replacen(change, to, 1);
    let key = key_parameter(&sandbox);
    let with = |body: &str| {
        json!({
            "OrganizationConformancePackName": "p", "TemplateBody": body, "ConformancePackInputParameters": key,
        })
    };
    assert_eq!(
        refusal(&sandbox, "PutOrganizationConformancePack", put(&sandbox)).await,
        "OrganizationAccessDeniedException"
    );
    for operation in ["DescribeOrganizationConformancePacks", "DescribeOrganizationConformancePackStatuses"] {
        assert_eq!(refusal(&sandbox, operation, json!({})).await, "OrganizationAccessDeniedException");
    }
    admin(&sandbox, "PutOrganizationConformancePack", with(REMEDIED)).await.unwrap();
    for body in [
        "no template".to_owned(),
        "{".to_owned(),
        "Resources: {}".to_owned(),
        template("Resources:", "Transform: x\nResources:"),
        template("AWS::Config::ConfigRule", "AWS::S3::Bucket"),
        template("DependsOn: Kms", "CreationPolicy: x"),
        template("ConfigRuleName: kms", "Colour: red"),
        template("SourceIdentifier: S3_DEFAULT", "SourceIdentifier: s3-default"),
        template("KeyArn: { Type: String }", "KeyArn: { Type: List<Number> }"),
        template("KeyArn: { Type: String }", "Other: { Type: String, Default: x }"),
        template("!Ref Attempts", "many"),
        template("!Ref Attempts", "26"),
        template("!Ref Kms", "another-rule"),
        template("!Ref Kms", "!GetAtt Kms.Name"),
        template("Condition: Acts", "Condition: Sleeps"),
        template("${AWS::AccountId}", "${Nobody}"),
    ] {
        let code = admin(&sandbox, "PutOrganizationConformancePack", with(&body)).await.unwrap_err();
        assert_eq!(code, "OrganizationConformancePackTemplateValidationException", "{body}");
        let mut mine = with(&body);
        mine.as_object_mut().unwrap().remove("OrganizationConformancePackName");
        mine["ConformancePackName"] = json!("p");
        let code = refusal(&sandbox, "PutConformancePack", mine).await;
        assert_eq!(code, "ConformancePackTemplateValidationException", "{body}");
    }
    let and = |member: &str, value: Value| {
        let mut input = with(REMEDIED);
        input[member] = value;
        input
    };
    let parameter = |name: &str| json!([{ "ParameterName": name, "ParameterValue": "x" }]);
    let template_wrong = "OrganizationConformancePackTemplateValidationException";
    for (input, code) in [
        (and("OrganizationConformancePackName", json!("1st")), "ValidationException"),
        (and("OrganizationConformancePackName", json!("x".repeat(129))), "ValidationException"),
        (and("OrganizationConformancePackName", Value::Null), "ValidationException"),
        (and("TemplateBody", Value::Null), "ValidationException"),
        (and("TemplateBody", json!("x".repeat(51_201))), "ValidationException"),
        (and("TemplateS3Uri", json!("s3://bucket/key")), "ValidationException"),
        (and("DeliveryS3Bucket", json!("mine")), "ValidationException"),
        (and("ExcludedAccounts", json!(["alpha"])), "ValidationException"),
        (and("ConformancePackInputParameters", json!([])), template_wrong),
        (and("ConformancePackInputParameters", parameter("Colour")), template_wrong),
        (and("ConformancePackInputParameters", json!([{ "ParameterName": "KeyArn" }])), "ValidationException"),
        (and("Tags", json!([{ "Key": "aws:x", "Value": "y" }])), "ValidationException"),
    ] {
        let refused = admin(&sandbox, "PutOrganizationConformancePack", input.clone()).await;
        assert_eq!(refused.unwrap_err(), code, "{input}");
    }
    let none = json!({ "OrganizationConformancePackNames": ["none"] });
    for (operation, input, code) in [
        ("DescribeOrganizationConformancePacks", none.clone(), "NoSuchOrganizationConformancePackException"),
        ("DescribeOrganizationConformancePackStatuses", none, "NoSuchOrganizationConformancePackException"),
        ("DescribeOrganizationConformancePacks", json!({ "Limit": 101 }), "InvalidLimitException"),
        ("DescribeOrganizationConformancePacks", json!({ "NextToken": "?" }), "InvalidNextTokenException"),
        (
            "GetOrganizationConformancePackDetailedStatus",
            json!({ "OrganizationConformancePackName": "none" }),
            "NoSuchOrganizationConformancePackException",
        ),
        (
            "GetOrganizationConformancePackDetailedStatus",
            json!({ "OrganizationConformancePackName": "p", "Filters": { "Status": "DONE" } }),
            "ValidationException",
        ),
        ("DescribeConformancePacks", json!({ "ConformancePackNames": ["none"] }), "NoSuchConformancePackException"),
        ("DescribeConformancePacks", json!({ "Limit": 21 }), "InvalidLimitException"),
        ("PutConformancePack", json!({ "ConformancePackName": "x" }), "InvalidParameterValueException"),
    ] {
        let refused = admin(&sandbox, operation, input.clone()).await;
        assert_eq!(refused.unwrap_err(), code, "{operation} {input}");
    }
}

#[tokio::test]
async fn a_pack_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(SMALL), options).await.unwrap()
    };
    let sandbox = open().await;
    admin(&sandbox, "PutOrganizationConformancePack", put(&sandbox)).await.unwrap();
    call(&sandbox, "PutConformancePack", json!({ "ConformancePackName": "mine", "TemplateBody": SHIPPED }))
        .await
        .unwrap();
    let beta = sandbox.session("222222222222");
    let recorder = json!({ "ConfigurationRecorderName": "default" });
    sandbox.json(&beta, HERE, "StopConfigurationRecorder", recorder).await.unwrap();
    let before = sandbox.dump().config;
    sandbox.stop();
    let again = open().await;
    assert_eq!(again.dump().config, before);
    assert_eq!(before.keys().filter(|name| name.contains("/pack/")).count(), 5, "{before:?}");
    again.set_bucket_encryption("alpha-one", None).unwrap();
    executions(&again, 1).await;
    assert!(is_sealed(&again, "alpha-one"));
    let statuses = admin(&again, "DescribeOrganizationConformancePackStatuses", json!({})).await.unwrap();
    assert_eq!(statuses["OrganizationConformancePackStatuses"][0]["Status"], "CREATE_SUCCESSFUL");
}
