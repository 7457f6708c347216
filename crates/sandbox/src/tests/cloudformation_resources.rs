//! The types that only the management and the security account make, replicas of keys, and properties that are none.

use serde_json::{Value, json};

use super::cloudformation::{ALPHA, HERE, NAP, allow, template, trust};
use super::iam::one;
use super::{SMALL, start};

#[tokio::test]
async fn an_aggregator_an_organizations_pack_and_control_policies() {
    let sandbox = start(SMALL, 1.0).await;
    let security = sandbox.security();
    let aggregator = template(json!({
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "aggregates", "AssumeRolePolicyDocument": trust("config.amazonaws.com"),
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSConfigRoleForOrganizations"] } },
        "Aggregator": { "Type": "AWS::Config::ConfigurationAggregator", "Properties": {
            "ConfigurationAggregatorName": "whole",
            "OrganizationAggregationSource": { "RoleArn": { "Fn::GetAtt": ["Role", "Arn"] }, "AllAwsRegions": "true" },
            "Tags": [{ "Key": "a", "Value": "b" }] } },
    }));
    sandbox.stack(&security, "look", &aggregator).await.unwrap();
    assert_eq!(sandbox.stack_status(&security, "look").await, ("CREATE_COMPLETE".into(), String::new()));
    let describe = "DescribeConfigurationAggregators";
    let shown = sandbox.json(&security, HERE, describe, json!({})).await.unwrap();
    assert_eq!(shown["ConfigurationAggregators"][0]["OrganizationAggregationSource"]["AllAwsRegions"], true);
    // AWS Config would put it again: CloudFormation sees that there is one.
    let only: Value = serde_json::from_str(&aggregator).unwrap();
    let mut again = only["Resources"]["Aggregator"].clone();
    again["Properties"]["OrganizationAggregationSource"]["RoleArn"] =
        json!(format!("arn:aws:iam::{}:role/aggregates", sandbox.security_account()));
    sandbox.stack(&security, "again", &template(json!({ "A": again }))).await.unwrap();
    assert_eq!(sandbox.stack_status(&security, "again").await.0, "ROLLBACK_COMPLETE");
    let shown = sandbox.json(&security, HERE, describe, json!({})).await.unwrap();
    assert_eq!(shown["ConfigurationAggregators"].as_array().unwrap().len(), 1, "it is still there");
    sandbox.cfn(&security, "DeleteStack", &[("StackName", "look")]).await.unwrap();
    let shown = sandbox.json(&security, HERE, describe, json!({})).await.unwrap();
    assert_eq!(shown["ConfigurationAggregators"], json!([]));

    // The shipped templates, in the management account: the policies once, the pack of this Region.
    let admin = sandbox.admin();
    let pack = include_str!("../../../../config/cloudformation/organization-config-us-east-1.json");
    let control_policies = include_str!("../../../../config/cloudformation/organization-policies.json");
    for (name, shipped) in [("policies", control_policies), ("config", pack)] {
        sandbox.stack(&admin, name, shipped).await.unwrap();
        assert_eq!(sandbox.stack_status(&admin, name).await, ("CREATE_COMPLETE".into(), String::new()), "{name}");
    }
    let policies = async |kind: &str| {
        let organizations = ("organizations", "AWSOrganizationsV20161128");
        let listed = sandbox.json_of(organizations, &admin, HERE, "ListPolicies", json!({ "Filter": kind })).await;
        listed.unwrap()["Policies"].as_array().unwrap().len()
    };
    assert_eq!((policies("SERVICE_CONTROL_POLICY").await, policies("RESOURCE_CONTROL_POLICY").await), (4, 2));
    // CloudFormation has waited for the pack: its rule is in a member account, and it can be deleted at once.
    let rules = async || {
        let rules = sandbox.json(&sandbox.session(ALPHA), HERE, "DescribeConfigRules", json!({})).await.unwrap();
        rules["ConfigRules"].as_array().unwrap().len()
    };
    assert_eq!(rules().await, 1);
    for name in ["policies", "config"] {
        sandbox.cfn(&admin, "DeleteStack", &[("StackName", name)]).await.unwrap();
    }
    assert_eq!((policies("SERVICE_CONTROL_POLICY").await, rules().await), (1, 0));
    let packs = sandbox.json(&admin, HERE, "DescribeOrganizationConformancePacks", json!({})).await.unwrap();
    assert_eq!(packs["OrganizationConformancePacks"], json!([]));

    // A member may make none of it.
    let member = sandbox.session(ALPHA);
    sandbox.stack(&member, "organization", pack).await.unwrap();
    assert_eq!(sandbox.stack_status(&member, "organization").await.0, "ROLLBACK_COMPLETE");
    let events = sandbox.cfn(&member, "DescribeStackEvents", &[("StackName", "organization")]).await.unwrap();
    assert!(events.contains("registered delegated administrator for AWS Config"), "{events}");
}

#[tokio::test]
async fn a_control_policy_is_attached_changed_and_detached() {
    let sandbox = start(SMALL, 0.0).await;
    let admin = sandbox.admin();
    let policy = |action: &str, targets: &[&str]| {
        template(json!({ "P": { "Type": "AWS::Organizations::Policy", "Properties": {
            "Name": "deny", "Type": "SERVICE_CONTROL_POLICY", "TargetIds": targets,
            "Content": { "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": action, "Resource": "*" }] } } } }))
    };
    sandbox.stack(&admin, "guard", &policy("s3:ListAllMyBuckets", &[ALPHA])).await.unwrap();
    let buckets = async |account: &str| {
        sandbox
            .send(
                &sandbox.session(account),
                "us-east-1/s3",
                "GET",
                "/",
                &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")],
                "",
            )
            .await
            .status
    };
    assert_eq!((buckets(ALPHA).await, buckets("222222222222").await), (403, 200), "it binds at once");
    let update = async |body: &str| {
        sandbox.cfn(&admin, "UpdateStack", &[("StackName", "guard"), ("TemplateBody", body)]).await.unwrap();
        assert_eq!(sandbox.stack_status(&admin, "guard").await.0, "UPDATE_COMPLETE");
    };
    update(&policy("s3:ListAllMyBuckets", &["222222222222"])).await;
    assert_eq!((buckets(ALPHA).await, buckets("222222222222").await), (200, 403));
    update(&policy("s3:GetObject", &["222222222222"])).await;
    assert_eq!(buckets("222222222222").await, 200);
    sandbox.cfn(&admin, "DeleteStack", &[("StackName", "guard")]).await.unwrap();
    assert!(sandbox.cfn(&admin, "DescribeStacks", &[("StackName", "guard")]).await.is_err());
    // One whose target is not there is not left behind either.
    sandbox.stack(&admin, "bad", &policy("s3:*", &["999999999999"])).await.unwrap();
    assert_eq!(sandbox.stack_status(&admin, "bad").await.0, "ROLLBACK_COMPLETE");
    let organizations = ("organizations", "AWSOrganizationsV20161128");
    let filter = json!({ "Filter": "SERVICE_CONTROL_POLICY" });
    let listed = sandbox.json_of(organizations, &admin, HERE, "ListPolicies", filter).await.unwrap();
    assert_eq!(listed["Policies"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_replica_is_made_in_the_stacks_region() {
    let sandbox = start(SMALL, 0.0).await;
    let security = sandbox.security();
    let primary = template(json!({ "Key": { "Type": "AWS::KMS::Key", "Properties": { "MultiRegion": true } } }));
    let primary = primary.replacen('{', r#"{"Outputs":{"Arn":{"Value":{"Fn::GetAtt":["Key","Arn"]}}},"#, 1);
    sandbox.stack(&security, "key", &primary).await.unwrap();
    let arn = one(&sandbox.cfn(&security, "DescribeStacks", &[("StackName", "key")]).await.unwrap(), "OutputValue");
    let root = format!("arn:aws:iam::{}:root", sandbox.security_account());
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": root }, "Action": "kms:*", "Resource": "*" }] });
    let replica = |description: &str, of: &str| {
        template(json!({
            "Replica": { "Type": "AWS::KMS::ReplicaKey", "Properties": {
                "PrimaryKeyArn": of, "KeyPolicy": policy, "Description": description, "Tags": [{ "Key": "a", "Value": "b" }] } },
            "Alias": { "Type": "AWS::KMS::Alias", "Properties": {
                "AliasName": "alias/both", "TargetKeyId": { "Ref": "Replica" } } },
        }))
    };
    let there = async |action: &str, body: &str| {
        let fields = [("StackName", "replica"), ("TemplateBody", body)];
        sandbox.cfn_in(&security, "eu-west-1", action, &fields).await.unwrap();
        let shown =
            sandbox.cfn_in(&security, "eu-west-1", "DescribeStacks", &[("StackName", "replica")]).await.unwrap();
        one(&shown, "StackStatus")
    };
    assert_eq!(there("CreateStack", &replica("one", &arn)).await, "CREATE_COMPLETE");
    let described = async || {
        let key = sandbox.json(&security, "eu-west-1", "DescribeKey", json!({ "KeyId": "alias/both" })).await.unwrap();
        key["KeyMetadata"].clone()
    };
    assert_eq!(described().await["Arn"], json!(arn.replace("us-east-1", "eu-west-1")));
    assert_eq!(described().await["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA");
    assert_eq!(there("UpdateStack", &replica("two", &arn)).await, "UPDATE_COMPLETE");
    assert_eq!(described().await["Description"], "two");
    assert_eq!(there("UpdateStack", &replica("two", &arn.replace("mrk-", "mrk-0"))).await, "UPDATE_ROLLBACK_COMPLETE");
    sandbox.cfn_in(&security, "eu-west-1", "DeleteStack", &[("StackName", "replica")]).await.unwrap();
    let key = sandbox
        .json(&security, "eu-west-1", "DescribeKey", json!({ "KeyId": arn.replace("us-east-1", "eu-west-1") }))
        .await;
    assert_eq!(key.unwrap()["KeyMetadata"]["KeyState"], "PendingDeletion");
}

#[tokio::test]
async fn the_booleans_and_numbers_of_a_documents_object_become_strings_and_those_of_its_text_stay() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let nap = json!({ "schemaVersion": "0.3", "mainSteps": [{ "name": "Nap", "action": "aws:sleep",
        "inputs": { "Duration": "PT1S" }, "timeoutSeconds": 60, "isEnd": true }] });
    let yaml = "schemaVersion: '0.3'\nmainSteps:\n- name: Nap\n  action: aws:sleep\n  inputs: { Duration: PT1S }\n  timeoutSeconds: 60\n  isEnd: true\n";
    let document = |name: &str, content: Value, format: &str| {
        json!({ "Type": "AWS::SSM::Document", "Properties": {
            "Name": name, "DocumentType": "Automation", "Content": content, "DocumentFormat": format } })
    };
    let both = template(
        json!({ "Object": document("as-object", nap, "JSON"), "Text": document("as-text", json!(yaml), "YAML") }),
    );
    sandbox.stack(&keys, "documents", &both).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "documents").await.0, "CREATE_COMPLETE");
    let step = async |name: &str| {
        let got = sandbox.json(&keys, HERE, "GetDocument", json!({ "Name": name })).await.unwrap();
        assert_eq!(got["DocumentFormat"], "JSON", "the default format, also of a YAML document");
        let content: Value = serde_json::from_str(got["Content"].as_str().unwrap()).unwrap();
        content["mainSteps"][0].clone()
    };
    let (object, text) = (step("as-object").await, step("as-text").await);
    assert_eq!((&object["timeoutSeconds"], &object["isEnd"]), (&json!("60"), &json!("true")));
    assert_eq!((&text["timeoutSeconds"], &text["isEnd"]), (&json!(60), &json!(true)));
}

#[tokio::test]
async fn a_property_that_is_none_fails_its_resource() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let policy = json!({ "PolicyDocument": allow("s3:*"), "Groups": ["all"] });
    let cases = [
        (
            json!({ "A": { "Type": "AWS::IAM::ManagedPolicy", "Properties": policy } }),
            "#: extraneous key [Groups] is not permitted",
        ),
        (json!({ "A": { "Type": "AWS::IAM::Role" } }), "#: required key [AssumeRolePolicyDocument] not found"),
        (
            json!({ "A": { "Type": "AWS::IAM::Role", "Properties": {
                "MaxSessionDuration": "an hour", "AssumeRolePolicyDocument": trust("ec2.amazonaws.com") } } }),
            "MaxSessionDuration can not be converted to an Integer",
        ),
        (
            json!({ "A": { "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust("ec2.amazonaws.com"),
                "Policies": [{ "PolicyName": "p", "PolicyDocument": { "Statement": [] } }] } } }),
            "Syntax errors in policy.",
        ),
        (
            json!({ "A": { "Type": "AWS::SSM::Document", "Properties": { "Content": NAP } } }),
            "only Automation documents are modelled",
        ),
        (
            json!({ "A": { "Type": "AWS::KMS::Key", "Properties": { "PendingWindowInDays": 7, "KeySpec": "RSA_2048" } } }),
            "Only symmetric encryption keys are modelled",
        ),
        (
            json!({ "A": { "Type": "AWS::KMS::Key", "Properties": { "KeyPolicy": { "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111111111111:role/nobody" }, "Action": "kms:*", "Resource": "*" }] } } } }),
            "invalid principals",
        ),
        (
            json!({ "A": { "Type": "AWS::KMS::Alias", "Properties": { "AliasName": "alias/x", "TargetKeyId": "none" } } }),
            "does not exist",
        ),
    ];
    for (nth, (resources, why)) in cases.into_iter().enumerate() {
        let name = format!("s{nth}");
        sandbox.stack(&keys, &name, &template(resources)).await.unwrap();
        assert_eq!(sandbox.stack_status(&keys, &name).await.0, "ROLLBACK_COMPLETE", "{why}");
        let events = sandbox.cfn(&keys, "DescribeStackEvents", &[("StackName", &name)]).await.unwrap();
        assert!(events.contains(why), "{why}: {events}");
        // A role whose policies could not be put is not left behind.
        let at = sandbox.world.organization.find(ALPHA).unwrap();
        assert!(sandbox.world.role_records(at).iter().all(|role| !role.name.starts_with("s")), "{why}");
    }
}
