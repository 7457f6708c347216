//! Aggregators of AWS Config: what they show, what they find by a query, and tags.

use serde_json::{Value, json};

use super::config::{ALPHA, HERE, call, refusal, rule, set_up};
use super::{Keys, SMALL, spec, start};
use crate::{Options, Sandbox};

const CONFIG: (&str, &str) = ("config", "StarlingDoveService");

async fn security(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, String> {
    let keys = sandbox.session(sandbox.security_account());
    sandbox.json_of(CONFIG, &keys, HERE, operation, input).await
}

fn organization(sandbox: &Sandbox) -> Value {
    let role = format!("arn:aws:iam::{}:role/config", sandbox.security_account());
    json!({
        "ConfigurationAggregatorName": "all",
        "OrganizationAggregationSource": { "RoleArn": role, "AllAwsRegions": true },
    })
}

async fn select(sandbox: &Sandbox, what: &str, also: &str, limit: u64) -> Vec<Value> {
    let expression = format!("SELECT {what} WHERE resourceType = 'AWS::S3::Bucket'{also}");
    let mut input = json!({ "ConfigurationAggregatorName": "all", "Expression": expression, "Limit": limit });
    let mut found: Vec<Value> = Vec::new();
    loop {
        let page = security(sandbox, "SelectAggregateResourceConfig", input.clone()).await.unwrap();
        let results = page["Results"].as_array().unwrap();
        assert!(limit == 0 || results.len() as u64 <= limit);
        found.extend(results.iter().map(|one| serde_json::from_str::<Value>(one.as_str().unwrap()).unwrap()));
        match page.get("NextToken") {
            None => return found,
            Some(token) => input["NextToken"] = token.clone(),
        }
    }
}

#[tokio::test]
async fn a_query_finds_every_bucket_once() {
    let sandbox = start(SMALL, 0.0).await;
    security(&sandbox, "PutConfigurationAggregator", organization(&sandbox)).await.unwrap();
    let all = select(&sandbox, "resourceId, accountId, awsRegion", "", 1).await;
    let mut names: Vec<String> = all.iter().map(|one| one["resourceId"].as_str().unwrap().to_owned()).collect();
    names.sort();
    let mut buckets: Vec<String> = sandbox.buckets().into_iter().map(|bucket| bucket.name).collect();
    buckets.sort();
    assert_eq!(names, buckets);
    assert_eq!(select(&sandbox, "resourceId, accountId, awsRegion", "", 7).await, all);
    let alpha =
        select(&sandbox, "resourceName", &format!(" AND accountId = '{ALPHA}' AND awsRegion = 'eu-west-1'"), 0).await;
    assert_eq!(alpha, [json!({ "resourceName": "alpha-ireland" })]);
    let rules = "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules";
    let also =
        format!(" AND {rules}.applyServerSideEncryptionByDefault.sseAlgorithm = 'AES256' AND resourceId LIKE 'alpha%'");
    let found = select(&sandbox, rules, &also, 0).await;
    let default =
        json!({ "applyServerSideEncryptionByDefault": { "sseAlgorithm": "AES256" }, "bucketKeyEnabled": false });
    let shown =
        json!({ "supplementaryConfiguration": { "ServerSideEncryptionConfiguration": { "rules": [default] } } });
    assert_eq!(found, [shown]);
    // A suspended recorder's account is not seen.
    call(&sandbox, "StopConfigurationRecorder", json!({ "ConfigurationRecorderName": "default" })).await.unwrap();
    let left = select(&sandbox, "resourceId", &format!(" AND accountId = '{ALPHA}'"), 0).await;
    assert_eq!(left, [json!({ "resourceId": "alpha-ireland" })]);
    let page = json!({
        "ConfigurationAggregatorName": "all", "Expression": "SELECT * WHERE resourceType = 'AWS::S3::Bucket'",
    });
    let page = security(&sandbox, "SelectAggregateResourceConfig", page).await.unwrap();
    assert_eq!(page["QueryInfo"]["SelectFields"][1], json!({ "Name": "accountId" }));
}

#[tokio::test]
async fn compliance_is_shown_over_accounts_and_regions() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    for (account, region) in [(ALPHA, "eu-west-1"), ("222222222222", HERE)] {
        let keys = sandbox.session(account);
        sandbox.json(&keys, region, "PutConfigRule", json!({ "ConfigRule": rule("kms") })).await.unwrap();
    }
    // A rule that judges nothing is not shown.
    let mut other = rule("other");
    other["Source"]["SourceIdentifier"] = json!("EIP_ATTACHED");
    call(&sandbox, "PutConfigRule", json!({ "ConfigRule": other })).await.unwrap();
    security(&sandbox, "PutConfigurationAggregator", organization(&sandbox)).await.unwrap();
    let ask = async |filters: Value, limit: u64| {
        let mut all = Vec::new();
        let mut input = json!({ "ConfigurationAggregatorName": "all", "Filters": filters, "Limit": limit });
        loop {
            let page = security(&sandbox, "DescribeAggregateComplianceByConfigRules", input.clone()).await.unwrap();
            all.extend(page["AggregateComplianceByConfigRules"].as_array().unwrap().clone());
            match page.get("NextToken") {
                None => return all,
                Some(token) => input["NextToken"] = token.clone(),
            }
        }
    };
    let all = ask(json!({}), 1).await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(ask(json!({}), 0).await, all);
    let bad = json!({
        "ComplianceType": "NON_COMPLIANT", "ComplianceContributorCount": { "CappedCount": 1, "CapExceeded": false },
    });
    assert!(all.iter().all(|one| one["ConfigRuleName"] == "kms" && one["Compliance"] == bad), "{all:?}");
    assert_eq!(ask(json!({ "AccountId": ALPHA, "AwsRegion": "eu-west-1" }), 0).await.len(), 1);
    assert_eq!(ask(json!({ "ComplianceType": "COMPLIANT" }), 0).await.len(), 0);
    assert_eq!(ask(json!({ "ConfigRuleName": "other" }), 0).await.len(), 0);
    let details = json!({
        "ConfigurationAggregatorName": "all", "ConfigRuleName": "kms", "AccountId": ALPHA, "AwsRegion": HERE,
    });
    let details = security(&sandbox, "GetAggregateComplianceDetailsByConfigRule", details).await.unwrap();
    let one = &details["AggregateEvaluationResults"][0];
    assert_eq!((&one["AccountId"], &one["ComplianceType"]), (&json!(ALPHA), &json!("NON_COMPLIANT")));
    assert_eq!(one["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ResourceId"], "alpha-one");
}

#[tokio::test]
async fn what_is_no_aggregator_is_refused() {
    let sandbox = start(SMALL, 0.0).await;
    let accounts = |ids: Value| json!([{ "AccountIds": ids, "AllAwsRegions": true }]);
    let named = |sources: Value| json!({ "ConfigurationAggregatorName": "some", "AccountAggregationSources": sources });
    call(&sandbox, "PutConfigurationAggregator", named(accounts(json!([ALPHA])))).await.unwrap();
    let mine = json!({
        "ConfigurationAggregatorName": "some", "Expression": "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket'",
    });
    let mine = call(&sandbox, "SelectAggregateResourceConfig", mine).await.unwrap();
    assert_eq!(mine["Results"].as_array().unwrap().len(), 2, "its own account alone");
    assert_eq!(
        refusal(&sandbox, "PutConfigurationAggregator", organization(&sandbox)).await,
        "OrganizationAccessDeniedException"
    );
    let with = |member: &str, value: Value| {
        let mut input = organization(&sandbox);
        input[member] = value;
        input
    };
    let source = |member: &str, value: Value| {
        let mut input = organization(&sandbox);
        input["OrganizationAggregationSource"][member] = value;
        input
    };
    for (input, code) in [
        (with("ConfigurationAggregatorName", json!("a b")), "ValidationException"),
        (with("AccountAggregationSources", accounts(json!([ALPHA]))), "InvalidParameterValueException"),
        (with("OrganizationAggregationSource", Value::Null), "InvalidParameterValueException"),
        (with("OrganizationAggregationSource", json!({ "AllAwsRegions": true })), "ValidationException"),
        (source("RoleArn", json!("")), "InvalidRoleException"),
        (source("RoleArn", json!(format!("arn:aws:iam::{ALPHA}:role/config"))), "InvalidRoleException"),
        (source("AllAwsRegions", json!(false)), "InvalidParameterValueException"),
        (source("AwsRegions", json!([HERE])), "InvalidParameterValueException"),
        (named(accounts(json!([]))), "ValidationException"),
        (named(accounts(json!(["1"]))), "ValidationException"),
        (named(json!([{ "AccountIds": [ALPHA], "AwsRegions": ["moon-1"] }])), "InvalidParameterValueException"),
        (with("AggregatorFilters", json!({ "ResourceType": { "Type": "EXCLUDE" } })), "ValidationException"),
    ] {
        let refused = security(&sandbox, "PutConfigurationAggregator", input.clone()).await;
        assert_eq!(refused.unwrap_err(), code, "{input}");
    }
    security(&sandbox, "PutConfigurationAggregator", organization(&sandbox)).await.unwrap();
    let query = |expression: &str| json!({ "ConfigurationAggregatorName": "all", "Expression": expression });
    let good = "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket'";
    let and = |member: &str, value: Value| {
        let mut input = query(good);
        input[member] = value;
        input
    };
    for (operation, input, code) in [
        ("SelectAggregateResourceConfig", query("SELECT *"), "InvalidExpressionException"),
        ("SelectAggregateResourceConfig", query(&format!("{good} GROUP BY accountId")), "InvalidExpressionException"),
        ("SelectAggregateResourceConfig", query(""), "ValidationException"),
        ("SelectAggregateResourceConfig", and("Limit", json!(101)), "InvalidLimitException"),
        ("SelectAggregateResourceConfig", and("MaxResults", json!(101)), "InvalidLimitException"),
        ("SelectAggregateResourceConfig", and("NextToken", json!("?")), "InvalidNextTokenException"),
        ("SelectAggregateResourceConfig", and("NextToken", json!("YWJj")), "InvalidNextTokenException"),
        (
            "SelectAggregateResourceConfig",
            and("ConfigurationAggregatorName", json!("none")),
            "NoSuchConfigurationAggregatorException",
        ),
        (
            "DescribeAggregateComplianceByConfigRules",
            json!({ "ConfigurationAggregatorName": "none" }),
            "NoSuchConfigurationAggregatorException",
        ),
        (
            "DescribeAggregateComplianceByConfigRules",
            json!({ "ConfigurationAggregatorName": "all", "Limit": 1001 }),
            "InvalidLimitException",
        ),
        (
            "GetAggregateComplianceDetailsByConfigRule",
            json!({ "ConfigurationAggregatorName": "all", "ConfigRuleName": "kms", "AccountId": ALPHA }),
            "ValidationException",
        ),
        (
            "DescribeConfigurationAggregators",
            json!({ "ConfigurationAggregatorNames": ["none"] }),
            "NoSuchConfigurationAggregatorException",
        ),
        ("DescribeConfigurationAggregators", json!({ "Limit": 101 }), "InvalidLimitException"),
        (
            "DeleteConfigurationAggregator",
            json!({ "ConfigurationAggregatorName": "none" }),
            "NoSuchConfigurationAggregatorException",
        ),
    ] {
        let refused = security(&sandbox, operation, input.clone()).await;
        assert_eq!(refused.unwrap_err(), code, "{operation} {input}");
    }
}

#[tokio::test]
async fn tags_and_aggregators_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(SMALL), options).await.unwrap()
    };
    let sandbox = open().await;
    let mut input = organization(&sandbox);
    input["Tags"] = json!([{ "Key": "a", "Value": "1" }]);
    let put = security(&sandbox, "PutConfigurationAggregator", input.clone()).await.unwrap();
    let arn = put["ConfigurationAggregator"]["ConfigurationAggregatorArn"].clone();
    // Later Puts leave the tags as they are.
    input["Tags"] = json!([{ "Key": "a", "Value": "2" }]);
    security(&sandbox, "PutConfigurationAggregator", input).await.unwrap();
    let tag = json!({ "ResourceArn": arn, "Tags": [{ "Key": "b", "Value": "3" }] });
    security(&sandbox, "TagResource", tag).await.unwrap();
    let many: Vec<Value> = (0..49).map(|nth| json!({ "Key": format!("k{nth}"), "Value": "" })).collect();
    for (operation, input, code) in [
        ("TagResource", json!({ "ResourceArn": arn, "Tags": many }), "TooManyTagsException"),
        ("TagResource", json!({ "ResourceArn": arn }), "ValidationException"),
        (
            "TagResource",
            json!({ "ResourceArn": arn, "Tags": [{ "Key": "aws:x", "Value": "" }] }),
            "ValidationException",
        ),
        (
            "TagResource",
            json!({ "ResourceArn": "arn:x", "Tags": [{ "Key": "x", "Value": "" }] }),
            "ResourceNotFoundException",
        ),
        ("UntagResource", json!({ "ResourceArn": arn, "TagKeys": [] }), "ValidationException"),
        ("UntagResource", json!({ "ResourceArn": "arn:x", "TagKeys": ["a"] }), "ResourceNotFoundException"),
        ("ListTagsForResource", json!({ "ResourceArn": "arn:x" }), "ResourceNotFoundException"),
        ("ListTagsForResource", json!({ "ResourceArn": arn, "Limit": 101 }), "InvalidLimitException"),
        ("ListTagsForResource", json!({ "ResourceArn": arn, "NextToken": "?" }), "InvalidNextTokenException"),
    ] {
        assert_eq!(security(&sandbox, operation, input.clone()).await.unwrap_err(), code, "{operation} {input}");
    }
    sandbox.stop();
    let again = open().await;
    let page = security(&again, "ListTagsForResource", json!({ "ResourceArn": arn, "Limit": 1 })).await.unwrap();
    assert_eq!(page["Tags"], json!([{ "Key": "a", "Value": "1" }]));
    let next = json!({ "ResourceArn": arn, "NextToken": page["NextToken"] });
    let page = security(&again, "ListTagsForResource", next).await.unwrap();
    assert_eq!((&page["Tags"], page.get("NextToken")), (&json!([{ "Key": "b", "Value": "3" }]), None));
    security(&again, "UntagResource", json!({ "ResourceArn": arn, "TagKeys": ["a", "b"] })).await.unwrap();
    let none = security(&again, "ListTagsForResource", json!({ "ResourceArn": arn })).await.unwrap();
    assert_eq!(none["Tags"], json!([]));
    let described = security(&again, "DescribeConfigurationAggregators", json!({})).await.unwrap();
    assert_eq!(described["ConfigurationAggregators"][0]["ConfigurationAggregatorArn"], arn);
    let name = json!({ "ConfigurationAggregatorName": "all" });
    security(&again, "DeleteConfigurationAggregator", name).await.unwrap();
    assert!(again.dump().config.is_empty());
}

#[tokio::test]
async fn each_operation_is_asked_for_on_its_resource() {
    let sandbox = start(SMALL, 0.0).await;
    set_up(&sandbox, |_| {}).await;
    let arn =
        call(&sandbox, "DescribeConfigRules", json!({})).await.unwrap()["ConfigRules"][0]["ConfigRuleArn"].clone();
    let allow = |action: &str, resource: &str, condition: Value| {
        let mut statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        sandbox.set_role_policy(ALPHA, "orgseal-member", &policy.to_string()).unwrap();
        sandbox.session_of(ALPHA, "orgseal-member")
    };
    let ask = async |keys: &Keys, operation: &str, input: &Value| {
        sandbox.json_of(CONFIG, keys, HERE, operation, input.clone()).await.err()
    };
    let start = |resource: String| format!("arn:aws:config:{HERE}:{ALPHA}:{resource}");
    let one = json!({ "ResourceArn": arn });
    for (operation, resource, input) in [
        ("GetComplianceDetailsByConfigRule", arn.as_str().unwrap().to_owned(), json!({ "ConfigRuleName": "kms" })),
        (
            "StartConfigRulesEvaluation",
            start("config-rule/config-rule-*".into()),
            json!({ "ConfigRuleNames": ["kms"] }),
        ),
        (
            "DescribeRemediationConfigurations",
            start("remediation-configuration/kms/*".into()),
            json!({ "ConfigRuleNames": ["kms"] }),
        ),
        ("DescribeConfigurationRecorders", start("configuration-recorder/default/*".into()), json!({})),
        ("ListTagsForResource", arn.as_str().unwrap().to_owned(), one.clone()),
        (
            "DeleteConformancePack",
            start("conformance-pack/p/conformance-pack-*".into()),
            json!({ "ConformancePackName": "p" }),
        ),
        (
            "DeleteOrganizationConformancePack",
            start("organization-conformance-pack/p-*".into()),
            json!({ "OrganizationConformancePackName": "p" }),
        ),
        (
            "DeleteConfigurationAggregator",
            start("config-aggregator/config-aggregator-*".into()),
            json!({ "ConfigurationAggregatorName": "p" }),
        ),
        ("DescribeConfigurationAggregators", "*".into(), json!({})),
    ] {
        let action = format!("config:{operation}");
        let allowed = ask(&allow(&action, &resource, Value::Null), operation, &input).await;
        assert_ne!(allowed.as_deref(), Some("AccessDeniedException"), "{operation}");
        let elsewhere = allow(&action, &start("nothing/*".into()), Value::Null);
        assert_eq!(ask(&elsewhere, operation, &input).await.as_deref(), Some("AccessDeniedException"), "{operation}");
        let other = allow("config:Other", "*", Value::Null);
        assert_eq!(ask(&other, operation, &input).await.as_deref(), Some("AccessDeniedException"), "{operation}");
    }
    // Tags of the request and of the resource.
    let tagged = json!({ "ResourceArn": arn, "Tags": [{ "Key": "team", "Value": "x" }] });
    let request = |value: &str| json!({ "StringEquals": { "aws:RequestTag/team": value } });
    let keys = allow("config:TagResource", "*", request("y"));
    assert_eq!(ask(&keys, "TagResource", &tagged).await.as_deref(), Some("AccessDeniedException"));
    let keys = allow("config:TagResource", "*", request("x"));
    assert_eq!(ask(&keys, "TagResource", &tagged).await, None);
    let keys = allow("config:ListTagsForResource", "*", json!({ "StringEquals": { "aws:ResourceTag/team": "x" } }));
    assert_eq!(ask(&keys, "ListTagsForResource", &one).await, None);
    // Who may not pass a role to Config gets no aggregator with it.
    let who = sandbox.security_account().to_owned();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"config:*","Resource":"*"}]}"#;
    sandbox.set_role_policy(&who, "orgseal", policy).unwrap();
    let keys = sandbox.session_of(&who, "orgseal");
    let refused = ask(&keys, "PutConfigurationAggregator", &organization(&sandbox)).await;
    assert_eq!(refused.as_deref(), Some("AccessDeniedException"));
}
