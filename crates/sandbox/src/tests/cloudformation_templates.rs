//! What CloudFormation refuses before anything is made: templates, parameters, capabilities, requests.

use serde_json::{Value, json};

use super::cloudformation::{ALPHA, HERE, NAP, allow, role, template};
use super::iam::{all, one};
use super::{Keys, SMALL, start};
use crate::Sandbox;

const NAMED: (&str, &str) = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");

async fn create(sandbox: &Sandbox, keys: &Keys, body: &str, more: &[(&str, &str)]) -> String {
    let fields = [&[("StackName", "x"), ("TemplateBody", body), NAMED], more].concat();
    let refused = sandbox.cfn(keys, "CreateStack", &fields).await.unwrap_err();
    assert!(sandbox.cfn(keys, "DescribeStacks", &[("StackName", "x")]).await.is_err(), "{refused}");
    refused
}

#[tokio::test]
async fn a_template_that_can_not_be_is_refused_whole() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let with = |resource: Value| template(json!({ "A": resource }));
    let document = |content: Value| json!({ "Type": "AWS::SSM::Document", "Properties": { "DocumentType": "Automation", "Content": content } });
    let cases = [
        ("{".into(), "Template format error: JSON not well-formed."),
        ("a: [".into(), "Template format error: YAML not well-formed."),
        ("[]".into(), "Template format error: unsupported structure."),
        ("{}".into(), "At least one Resources member must be defined."),
        (json!({ "Resource": {} }).to_string(), "Invalid template property or properties [Resource]"),
        (json!({ "Conditions": {}, "Resources": {} }).to_string(), "the section Conditions is not modelled"),
        (
            json!({ "AWSTemplateFormatVersion": "2011-01-01", "Resources": { "A": role("a") } }).to_string(),
            "Unsupported version",
        ),
        (template(json!({ "A-1": role("a") })), "Resource name A-1 is non alphanumeric."),
        (with(json!({ "Properties": {} })), "Every Resources object must contain a Type member."),
        (
            template(json!({ "A": { "Type": "AWS::EC2::Instance" }, "B": { "Type": "AWS::S3::Bucket" } })),
            "Unrecognized resource types: [AWS::EC2::Instance, AWS::S3::Bucket]",
        ),
        (
            with(json!({ "Type": "AWS::IAM::Role", "Property": {} })),
            "Invalid template resource property &apos;Property&apos;",
        ),
        (with(json!({ "Type": "AWS::IAM::Role", "DeletionPolicy": "Snapshot" })), "Unrecognized DeletionPolicy"),
        (
            with(json!({ "Type": "AWS::IAM::Role", "DependsOn": "B" })),
            "Unresolved resource dependencies [B] in the Resources block",
        ),
        (with(document(json!({ "Ref": "B" }))), "Unresolved resource dependencies [B] in the Resources block"),
        (with(document(json!({ "Fn::Sub": "${B.Arn}" }))), "Fn::GetAtt references undefined resource B"),
        (with(document(json!({ "Fn::GetAtt": ["A", "Arn"] }))), "A does not support attribute type Arn"),
        (with(document(json!({ "Fn::ImportValue": "x" }))), "Fn::ImportValue is not modelled"),
        (with(document(json!({ "Fn::GetAtt": "A" }))), "every Fn::GetAtt object requires two"),
        (
            template(json!({ "A": document(json!({ "Ref": "B" })), "B": document(json!({ "Ref": "A" })) })),
            "Circular dependency between resources: [A, B]",
        ),
        (
            json!({ "Resources": { "A": role("a") }, "Outputs": { "O": { "Description": "none" } } }).to_string(),
            "Output O is malformed.",
        ),
        (
            json!({ "Resources": { "A": role("a") }, "Outputs": { "O": { "Value": { "Ref": "B" } } } }).to_string(),
            "Unresolved resource dependencies [B] in the Outputs block",
        ),
        (
            json!({ "Parameters": { "P": { "Type": "AWS::EC2::VPC::Id" } }, "Resources": { "A": role("a") } })
                .to_string(),
            "Unrecognized parameter type: AWS::EC2::VPC::Id",
        ),
        (
            json!({ "Parameters": { "P": { "Type": "String", "Max": 1 } }, "Resources": { "A": role("a") } })
                .to_string(),
            "Invalid template parameter property &apos;Max&apos;",
        ),
        (
            format!("{}{}", template(json!({ "A": role("a") })), " ".repeat(51_200)),
            "length less than or equal to 51200",
        ),
    ];
    for (body, words) in cases {
        let refused = create(&sandbox, &keys, &body, &[]).await;
        assert!(refused.starts_with("ValidationError: ") && refused.contains(words), "{words}: {refused}");
        let validated = sandbox.cfn(&keys, "ValidateTemplate", &[("TemplateBody", &body)]).await.unwrap_err();
        assert_eq!(validated, refused);
    }
}

#[tokio::test]
async fn parameters_are_held_to_what_the_template_says() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let body = json!({
        "Parameters": {
            "Id": { "Type": "String", "MinLength": 2, "MaxLength": 4 },
            "Region": { "Type": "String", "Default": "x", "AllowedPattern": "[a-z]+" },
            "Count": { "Type": "Number", "Default": 3, "MinValue": 1, "MaxValue": 9 },
            "Size": { "Type": "String", "Default": "s", "AllowedValues": ["s", "l"], "ConstraintDescription": "small or large" },
        },
        "Resources": { "A": role("a") },
    })
    .to_string();
    let given = |key: &'static str, value: &'static str| {
        [("Parameters.member.1.ParameterKey", key), ("Parameters.member.1.ParameterValue", value)]
    };
    for (fields, words) in [
        (&[][..], "Parameters: [Id] must have values"),
        (&given("Id", "a"), "Parameter &apos;Id&apos; must contain at least 2 characters"),
        (&given("Id", "abcde"), "Parameter &apos;Id&apos; must contain at most 4 characters"),
        (&given("Region", "a1"), "Parameter &apos;Region&apos; must match pattern [a-z]+"),
        (&given("Count", "none"), "Parameter &apos;Count&apos; must be a number"),
        (&given("Count", "0"), "must be a number not less than 1"),
        (&given("Count", "10"), "must be a number not greater than 9"),
        (&given("Size", "m"), "Parameter Size failed to satisfy constraint: small or large"),
        (&given("Other", "a"), "Parameters: [Other] do not exist in the template"),
        (&[("Parameters.member.1.ParameterKey", "Id")], "parameterValue"),
        (
            &[("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.UsePreviousValue", "true")],
            "not in the previous template",
        ),
        (&[("Parameters.member.1.Key", "Id")], "parameterKey"),
    ] {
        let refused = create(&sandbox, &keys, &body, fields).await;
        assert!(refused.starts_with("ValidationError: ") && refused.contains(words), "{words}: {refused}");
    }
}

#[tokio::test]
async fn who_makes_roles_must_say_so() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let named = template(json!({ "A": role("a") }));
    let unnamed = template(
        json!({ "A": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument": allow("s3:*") } } }),
    );
    let make = async |name: &str, body: &str, capability: &str| {
        let mut fields = vec![("StackName", name), ("TemplateBody", body)];
        if !capability.is_empty() {
            fields.push(("Capabilities.member.1", capability));
        }
        sandbox.cfn(&keys, "CreateStack", &fields).await
    };
    let needs = |capability: &str| format!("InsufficientCapabilitiesException: Requires capabilities : [{capability}]");
    assert_eq!(make("a", &named, "").await.unwrap_err(), needs("CAPABILITY_NAMED_IAM"));
    assert_eq!(make("a", &named, "CAPABILITY_IAM").await.unwrap_err(), needs("CAPABILITY_NAMED_IAM"));
    assert_eq!(make("a", &unnamed, "").await.unwrap_err(), needs("CAPABILITY_IAM"));
    assert_eq!(make("a", &unnamed, "CAPABILITY_AUTO_EXPAND").await.unwrap_err(), needs("CAPABILITY_IAM"));
    assert!(make("a", &unnamed, "CAPABILITY_ALL").await.unwrap_err().contains("enum value set"));
    make("a", &unnamed, "CAPABILITY_IAM").await.unwrap();
    make("b", &named, "CAPABILITY_NAMED_IAM").await.unwrap();
    let summary = sandbox.cfn(&keys, "GetTemplateSummary", &[("StackName", "b")]).await.unwrap();
    assert!(one(&summary, "Capabilities").contains("CAPABILITY_NAMED_IAM"), "{summary}");
    assert!(one(&summary, "ResourceTypes").contains("AWS::IAM::Role"));
}

#[tokio::test]
async fn requests_are_held_to_the_model() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let body = template(json!({ "A": { "Type": "AWS::SSM::Document", "Properties": {
        "DocumentType": "Automation", "Content": NAP } } }));
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.cfn(&keys, action, fields).await;
    let (name, text) = (("StackName", "x"), ("TemplateBody", body.as_str()));
    for (fields, words) in [
        (vec![text], "Value null at &apos;stackName&apos;"),
        (vec![("StackName", "1x"), text], "[a-zA-Z][-a-zA-Z0-9]*"),
        (vec![name], "Either Template URL or Template Body must be specified."),
        (vec![name, ("TemplateURL", "https://bucket/x")], "TemplateURL is not modelled"),
        (vec![name, text, ("RoleARN", "arn:aws:iam::111111111111:role/x")], "RoleARN is unknown or not modelled"),
        (vec![name, text, ("StackPolicyBody", "{}")], "StackPolicyBody is unknown or not modelled"),
        (vec![name, text, ("OnFailure", "RUN")], "enum value set: [DO_NOTHING, ROLLBACK, DELETE]"),
        (vec![name, text, ("OnFailure", "DELETE"), ("DisableRollback", "true")], "Either DisableRollback or OnFailure"),
        (vec![name, text, ("TimeoutInMinutes", "0")], "greater than or equal to 1"),
        (vec![name, text, ("ClientRequestToken", "-")], "clientRequestToken"),
        (vec![name, text, ("Tags.member.1.Key", "aws:x"), ("Tags.member.1.Value", "1")], "aws: prefixed"),
        (vec![name, text, ("Tags.member.1.Key", "x")], "Value null at &apos;value&apos;"),
        (vec![name, text, ("EnableTerminationProtection", "true")], "not modelled"),
    ] {
        let refused = call("CreateStack", &fields).await.unwrap_err();
        assert!(refused.starts_with("ValidationError: ") && refused.contains(words), "{words}: {refused}");
    }
    let wrong = call("CreateStack", &[name, text, ("DisableRollback", "no")]).await.unwrap_err();
    assert!(wrong.starts_with("MalformedInput: "), "{wrong}");
    // Empty lists are as good as none.
    call("CreateStack", &[name, text, ("Parameters", ""), ("Tags", ""), ("Capabilities", "")]).await.unwrap();

    for (action, fields, message) in [
        ("DescribeStacks", vec![("StackName", "y")], "Stack with id y does not exist"),
        ("DescribeStackEvents", vec![("StackName", "y")], "Stack [y] does not exist"),
        ("DescribeStackResources", vec![("StackName", "y")], "Stack with id y does not exist"),
        ("DescribeStackResources", vec![], "but not both."),
        ("GetTemplate", vec![("StackName", "y")], "Stack with id y does not exist"),
        ("GetTemplateSummary", vec![], "Specify exactly one of"),
        ("UpdateStack", vec![("StackName", "y"), text], "Stack [y] does not exist"),
        ("DescribeStackResource", vec![name, ("LogicalResourceId", "B")], "Resource B does not exist for stack x"),
    ] {
        let refused = call(action, &fields).await.unwrap_err();
        assert!(refused.starts_with("ValidationError: ") && refused.contains(message), "{action}: {refused}");
    }
    let unknown = call("DetectStackDrift", &[name]).await.unwrap_err();
    assert_eq!(unknown, "InvalidAction: Could not find operation DetectStackDrift for version 2010-05-15");
    let elsewhere = sandbox.cfn_in(&keys, "ap-southeast-2", "DescribeStacks", &[]).await.unwrap_err();
    assert!(elsewhere.starts_with("InvalidClientTokenId: "), "{elsewhere}");
    let there = sandbox.cfn_in(&keys, "eu-west-1", "DescribeStacks", &[]).await.unwrap();
    assert!(all(&there, "StackName").is_empty(), "stacks are in one Region");
    assert_eq!(all(&sandbox.cfn_in(&keys, HERE, "DescribeStacks", &[]).await.unwrap(), "StackName"), ["x"]);
    let unsigned =
        sandbox.cfn(&Keys { access_key: "AKIANOBODY".into(), token: None }, "DescribeStacks", &[]).await.unwrap_err();
    assert!(unsigned.starts_with("InvalidClientTokenId: "), "{unsigned}");
}

#[tokio::test]
async fn a_template_may_be_yaml_with_short_functions() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let body = "
Parameters:
  Name: { Type: String, Default: nap }
Resources:
  Nap:
    Type: AWS::SSM::Document
    Properties:
      Name: !Sub '${Name}-${!kept}-${Own}'
      DocumentType: Automation
      Content: { schemaVersion: '0.3', mainSteps: [{ name: Nap, action: 'aws:sleep', inputs: { Duration: PT1S } }] }
Outputs:
  Names: { Value: !Join [',', [!Ref Nap, !GetAtt Role.Arn, !Ref 'AWS::StackName']] }
";
    let refused = create(&sandbox, &keys, body, &[]).await;
    assert!(refused.contains("Unresolved resource dependencies [Own]"), "{refused}");
    let body = body.replace("!Sub '${Name}-${!kept}-${Own}'", "!Sub ['${Name}-${Own}', { Own: !Ref Name }]");
    let role = "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties: { AssumeRolePolicyDocument: { Statement: { Effect: Allow, Principal: { Service: ec2.amazonaws.com }, Action: 'sts:AssumeRole' } } }";
    sandbox.stack(&keys, "x", &body.replacen("Resources:", role, 1)).await.unwrap();
    let shown = sandbox.cfn(&keys, "DescribeStacks", &[("StackName", "x")]).await.unwrap();
    let value = one(&shown, "OutputValue");
    assert!(value.starts_with("nap-nap,arn:aws:iam::111111111111:role/x-Role-") && value.ends_with(",x"), "{shown}");
}
