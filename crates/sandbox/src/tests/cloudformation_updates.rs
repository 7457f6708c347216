//! UpdateStack: what is changed in place, what is replaced, what is taken away, and the way back.

use serde_json::{Value, json};

use super::cloudformation::{ALPHA, HERE, NAP, allow, role, template, trust};
use super::iam::{all, one};
use super::{Keys, SMALL, start};
use crate::Sandbox;

async fn update(sandbox: &Sandbox, keys: &Keys, name: &str, body: &str) -> Result<String, String> {
    let named = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
    sandbox.cfn(keys, "UpdateStack", &[("StackName", name), ("TemplateBody", body), named]).await
}

fn nap(seconds: u32) -> Value {
    serde_json::from_str(&NAP.replace("PT1S", &format!("PT{seconds}S"))).unwrap()
}

fn document(name: &str, seconds: u32, method: &str) -> Value {
    json!({ "Type": "AWS::SSM::Document", "Properties": {
        "Name": name, "DocumentType": "Automation", "UpdateMethod": method, "Content": nap(seconds) } })
}

#[tokio::test]
async fn what_can_be_changed_in_place_is() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let policy = |action: &str| {
        json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": {
        "ManagedPolicyName": "shared", "PolicyDocument": allow(action) } })
    };
    let before = json!({
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "app", "Description": "one", "AssumeRolePolicyDocument": trust("ec2.amazonaws.com"),
            "Policies": [{ "PolicyName": "a", "PolicyDocument": allow("s3:*") }, { "PolicyName": "b", "PolicyDocument": allow("s3:*") }],
            "ManagedPolicyArns": [{ "Ref": "Shared" }], "PermissionsBoundary": { "Ref": "Shared" },
            "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "1" }] } },
        "Shared": policy("s3:*"),
        "Nap": document("Nap", 1, "NewVersion"),
        "Key": { "Type": "AWS::KMS::Key", "Properties": { "Description": "one", "EnableKeyRotation": true } },
        "Old": role("old"),
    });
    sandbox.stack(&keys, "x", &template(before.clone())).await.unwrap();
    let refused = update(&sandbox, &keys, "x", &template(before)).await.unwrap_err();
    assert_eq!(refused, "ValidationError: No updates are to be performed.");
    let after = json!({
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "app", "MaxSessionDuration": 7200, "AssumeRolePolicyDocument": trust("ssm.amazonaws.com"),
            "Policies": [{ "PolicyName": "b", "PolicyDocument": allow("kms:*") }, { "PolicyName": "c", "PolicyDocument": allow("s3:*") }],
            "Tags": [{ "Key": "b", "Value": "2" }, { "Key": "c", "Value": "1" }] } },
        "Shared": policy("kms:*"),
        "Nap": document("Nap", 2, "NewVersion"),
        "Key": { "Type": "AWS::KMS::Key", "Properties": { "Description": "two", "Enabled": false } },
        "New": role("new"),
    });
    update(&sandbox, &keys, "x", &template(after)).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "UPDATE_COMPLETE");
    let role = sandbox.iam_do(&keys, "GetRole", &[("RoleName", "app")]).await.unwrap();
    assert!(
        role.contains("ssm.amazonaws.com") && !role.contains("PermissionsBoundary") && !role.contains("<Description>")
    );
    assert_eq!((one(&role, "MaxSessionDuration"), all(&role, "Key")), ("7200".into(), vec!["b".into(), "c".into()]));
    assert_eq!(all(&role, "Value"), ["2", "1"]);
    let inline = sandbox.iam_do(&keys, "ListRolePolicies", &[("RoleName", "app")]).await.unwrap();
    assert_eq!(all(&inline, "member"), ["b", "c"]);
    let b = sandbox.iam_do(&keys, "GetRolePolicy", &[("RoleName", "app"), ("PolicyName", "b")]).await.unwrap();
    assert!(b.contains("kms"), "{b}");
    let attached = sandbox.iam_do(&keys, "ListAttachedRolePolicies", &[("RoleName", "app")]).await.unwrap();
    assert!(all(&attached, "PolicyArn").is_empty());
    let shared = "arn:aws:iam::111111111111:policy/shared";
    let policy = sandbox.iam_do(&keys, "GetPolicy", &[("PolicyArn", shared)]).await.unwrap();
    assert_eq!(one(&policy, "DefaultVersionId"), "v2");
    let document = sandbox.json(&keys, HERE, "DescribeDocument", json!({ "Name": "Nap" })).await.unwrap();
    assert_eq!(
        (&document["Document"]["DefaultVersion"], &document["Document"]["DocumentVersion"]),
        (&json!("2"), &json!("2"))
    );
    let resources = sandbox.cfn(&keys, "DescribeStackResources", &[("StackName", "x"), ("LogicalResourceId", "Key")]);
    let key = one(&resources.await.unwrap(), "PhysicalResourceId");
    let key = sandbox.json(&keys, HERE, "DescribeKey", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(
        (&key["KeyMetadata"]["KeyState"], &key["KeyMetadata"]["Description"]),
        (&json!("Disabled"), &json!("two"))
    );
    assert!(sandbox.has_role(ALPHA, "new") && !sandbox.has_role(ALPHA, "old"));
    // More updates than a policy has versions.
    for nth in 0..6 {
        let only = template(json!({ "Shared": { "Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "ManagedPolicyName": "shared", "PolicyDocument": allow(&format!("s3:Get{nth}*")) } } }));
        update(&sandbox, &keys, "x", &only).await.unwrap();
    }
    let versions = sandbox.iam_do(&keys, "ListPolicyVersions", &[("PolicyArn", shared)]).await.unwrap();
    assert_eq!((all(&versions, "VersionId").len(), all(&versions, "VersionId")[0].as_str()), (5, "v8"));
}

#[tokio::test]
async fn what_can_not_be_changed_is_replaced_or_refused() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let role_at = |path: &str, name: Value| {
        json!({ "Type": "AWS::IAM::Role", "Properties": {
        "RoleName": name, "Path": path, "AssumeRolePolicyDocument": trust("ec2.amazonaws.com") } })
    };
    let key = |multi: bool| json!({ "Type": "AWS::KMS::Key", "Properties": { "MultiRegion": multi } });
    let body = |path: &str, multi: bool, seconds: u32, method: &str| {
        template(json!({
            "Free": role_at(path, json!({ "Ref": "AWS::NoValue" })),
            "Key": key(multi),
            "Nap": document("Nap", seconds, method),
        }))
    };
    sandbox.stack(&keys, "x", &body("/", false, 1, "Replace")).await.unwrap();
    let physical = async |logical: &str| {
        let fields = [("StackName", "x"), ("LogicalResourceId", logical)];
        one(&sandbox.cfn(&keys, "DescribeStackResources", &fields).await.unwrap(), "PhysicalResourceId")
    };
    let (role, key) = (physical("Free").await, physical("Key").await);
    update(&sandbox, &keys, "x", &body("/b/", false, 1, "Replace")).await.unwrap();
    let new = physical("Free").await;
    assert_ne!(new, role);
    assert!(sandbox.has_role(ALPHA, &new) && !sandbox.has_role(ALPHA, &role));

    // A key is never lost so, and a name can not be had twice.
    for (body, why) in [
        (body("/c/", true, 1, "Replace"), "You cannot change MultiRegion of an existing KMS key."),
        (body("/c/", false, 2, "Replace"), "a custom-named resource requires replacing. Rename Nap and"),
    ] {
        update(&sandbox, &keys, "x", &body).await.unwrap();
        let (status, reason) = sandbox.stack_status(&keys, "x").await;
        assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE", "{reason}");
        let events = sandbox.cfn(&keys, "DescribeStackEvents", &[("StackName", "x")]).await.unwrap();
        assert!(events.contains(why), "{why}: {events}");
        assert_eq!((physical("Free").await, physical("Key").await), (new.clone(), key.clone()));
        assert!(sandbox.has_role(ALPHA, &new));
        let at = sandbox.world.organization.find(ALPHA).unwrap();
        let made = sandbox.world.role_records(at).iter().filter(|role| role.name.starts_with("x-Free-")).count();
        assert_eq!(made, 1, "the one in between is gone");
    }
    update(&sandbox, &keys, "x", &body("/b/", false, 3, "NewVersion")).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "UPDATE_COMPLETE");
    let kept = sandbox.json(&keys, HERE, "DescribeDocument", json!({ "Name": "Nap" })).await.unwrap();
    assert_eq!(kept["Document"]["DefaultVersion"], "2");
}

#[tokio::test]
async fn an_update_that_fails_leaves_all_as_it_was() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let described = |text: &str| {
        let mut role = role("a");
        role["Properties"]["Description"] = json!(text);
        role
    };
    sandbox.stack(&keys, "x", &template(json!({ "A": described("one"), "C": role("c") }))).await.unwrap();
    let bad = template(json!({ "A": described("two"), "B": role("b"), "Z": role("orgseal-member") }));
    update(&sandbox, &keys, "x", &bad).await.unwrap();
    let (status, reason) = sandbox.stack_status(&keys, "x").await;
    assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(reason, "The following resource(s) failed to update: [Z]. ");
    let role = sandbox.iam_do(&keys, "GetRole", &[("RoleName", "a")]).await.unwrap();
    assert_eq!(one(&role, "Description"), "one");
    assert!(sandbox.has_role(ALPHA, "c") && !sandbox.has_role(ALPHA, "b") && sandbox.has_role(ALPHA, "orgseal-member"));
    let body = sandbox.cfn(&keys, "GetTemplate", &[("StackName", "x")]).await.unwrap();
    assert!(!one(&body, "TemplateBody").contains("orgseal-member"));
    // The same template as before is no update then.
    let same = template(json!({ "A": described("one"), "C": super::cloudformation::role("c") }));
    assert!(update(&sandbox, &keys, "x", &same).await.unwrap_err().contains("No updates"));
    let named = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
    let fields = [("StackName", "x"), ("TemplateBody", &*bad), named, ("DisableRollback", "true")];
    sandbox.cfn(&keys, "UpdateStack", &fields).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "UPDATE_FAILED");
    assert!(sandbox.has_role(ALPHA, "b"));
}

#[tokio::test]
async fn parameters_template_and_tags_may_stay_as_they_were() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let body = json!({
        "Parameters": { "Id": { "Type": "String", "NoEcho": true }, "Text": { "Type": "String", "Default": "one" } },
        "Resources": { "A": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "a", "Description": { "Fn::Sub": "${Id} ${Text}" }, "AssumeRolePolicyDocument": trust("ec2.amazonaws.com") } } },
    })
    .to_string();
    let named = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
    let id = [("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.ParameterValue", "secret")];
    let tag = [("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")];
    let fields = [&[("StackName", "x"), ("TemplateBody", &*body), named][..], &id, &tag].concat();
    sandbox.cfn(&keys, "CreateStack", &fields).await.unwrap();
    let previous = [("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.UsePreviousValue", "true")];
    let text = [("Parameters.member.2.ParameterKey", "Text"), ("Parameters.member.2.ParameterValue", "two")];
    let base = [("StackName", "x"), ("UsePreviousTemplate", "true"), named, ("ClientRequestToken", "t")];
    let missing = sandbox.cfn(&keys, "UpdateStack", &[&base[..], &text].concat()).await.unwrap_err();
    assert_eq!(missing, "ValidationError: Parameters: [Id] must have values");
    sandbox.cfn(&keys, "UpdateStack", &[&base[..], &previous, &text].concat()).await.unwrap();
    let again = [&base[..], &previous].concat();
    let again = sandbox.cfn(&keys, "UpdateStack", &again).await.unwrap_err();
    assert_eq!(again, "TokenAlreadyExistsException: A client request token already exists.");
    let role = sandbox.iam_do(&keys, "GetRole", &[("RoleName", "a")]).await.unwrap();
    assert_eq!((one(&role, "Description"), one(&role, "Key")), ("secret two".into(), "k".into()));
    let both = [("StackName", "x"), ("UsePreviousTemplate", "true"), ("TemplateBody", &*body)];
    assert!(sandbox.cfn(&keys, "UpdateStack", &both).await.unwrap_err().contains("must be specified"));
    // New tags are a change of their own.
    let retag = [("StackName", "x"), ("UsePreviousTemplate", "true"), named, ("Tags", "")];
    sandbox.cfn(&keys, "UpdateStack", &[&retag[..], &previous, &text].concat()).await.unwrap();
    let role = sandbox.iam_do(&keys, "GetRole", &[("RoleName", "a")]).await.unwrap();
    assert!(all(&role, "Key").is_empty(), "{role}");
}
