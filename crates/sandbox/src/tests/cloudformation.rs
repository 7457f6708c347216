//! Stacks from CreateStack to DeleteStack: what is made, in whose name, what is taken away again, and what outlives the process.

use serde_json::{Value, json};

use super::iam::{all, one};
use super::{Keys, SMALL, spec, start};
use crate::{Options, Sandbox};

pub(super) const ALPHA: &str = "111111111111";
pub(super) const HERE: &str = "us-east-1";
/// Text of a document that changes nothing.
pub(super) const NAP: &str =
    r#"{"schemaVersion":"0.3","mainSteps":[{"name":"Nap","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}"#;

pub(super) fn trust(service: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }] })
}

pub(super) fn allow(action: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] })
}

/// A template of these resources.
pub(super) fn template(resources: Value) -> String {
    json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": resources }).to_string()
}

pub(super) fn role(name: &str) -> Value {
    json!({ "Type": "AWS::IAM::Role", "Properties": {
        "RoleName": name, "AssumeRolePolicyDocument": trust("ec2.amazonaws.com") } })
}

impl Sandbox {
    pub(super) fn admin(&self) -> Keys {
        Keys { access_key: self.world.management_user.access_key.clone(), token: None }
    }

    /// The result of a call, or code and message of its error.
    pub(super) async fn cfn_in(
        &self,
        keys: &Keys,
        region: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<String, String> {
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let mut form = format!("Action={action}&Version=2010-05-15");
        for (name, value) in fields {
            form.push_str(&format!("&{name}={}", encode(value)));
        }
        let answer = self.send(keys, &format!("{region}/cloudformation"), "POST", "/", &[], &form).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        if answer.status == 200 { Ok(text) } else { Err(format!("{}: {}", one(&text, "Code"), one(&text, "Message"))) }
    }

    pub(super) async fn cfn(&self, keys: &Keys, action: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        self.cfn_in(keys, HERE, action, fields).await
    }

    /// Makes a stack with every capability there is.
    pub(super) async fn stack(&self, keys: &Keys, name: &str, template: &str) -> Result<String, String> {
        let named = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
        self.cfn(keys, "CreateStack", &[("StackName", name), ("TemplateBody", template), named]).await
    }

    /// Its status, and why.
    pub(super) async fn stack_status(&self, keys: &Keys, name: &str) -> (String, String) {
        let shown = self.cfn(keys, "DescribeStacks", &[("StackName", name)]).await.unwrap();
        (one(&shown, "StackStatus"), one(&shown, "StackStatusReason"))
    }

    pub(super) fn has_role(&self, account: &str, name: &str) -> bool {
        self.world.role_record(self.world.organization.find(account).unwrap(), name).is_some()
    }
}

/// A role, a policy that is attached to it, a document, a key with its alias.
fn everything() -> String {
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "All that one account may have",
        "Parameters": {
            "Secret": { "Type": "String", "NoEcho": true, "MinLength": 2 },
            "Team": { "Type": "String", "Default": "one", "AllowedPattern": "[a-z]+" },
        },
        "Resources": {
            "App": { "Type": "AWS::IAM::Role", "DependsOn": ["Nap"], "Properties": {
                "RoleName": { "Fn::Sub": "app-${Team}-${AWS::Region}" },
                "Path": "/made/",
                "Description": { "Fn::Join": ["-", ["of", { "Ref": "Team" }]] },
                "MaxSessionDuration": "7200",
                "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Action": "sts:AssumeRole",
                    "Principal": { "AWS": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" } },
                    "Condition": { "StringEquals": { "sts:ExternalId": { "Ref": "Secret" } } } }] },
                "Policies": [{ "PolicyName": "own", "PolicyDocument": allow("s3:Get*") }],
                "ManagedPolicyArns": [{ "Ref": "Shared" }],
                "PermissionsBoundary": { "Ref": "Shared" },
                "Tags": [{ "Key": "team", "Value": { "Ref": "Team" } }] } },
            "Shared": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument": allow("s3:*") } },
            "Nap": { "Type": "AWS::SSM::Document", "Properties": {
                "Name": "Nap", "DocumentType": "Automation", "UpdateMethod": "NewVersion",
                "Content": serde_json::from_str::<Value>(NAP).unwrap() } },
            "Key": { "Type": "AWS::KMS::Key", "Properties": {
                "Description": { "Fn::GetAtt": ["App", "Arn"] }, "EnableKeyRotation": true, "PendingWindowInDays": 7 } },
            "Alias": { "Type": "AWS::KMS::Alias", "Properties": {
                "AliasName": "alias/stacked", "TargetKeyId": { "Ref": "Key" } } },
        },
        "Outputs": { "KeyArn": { "Description": "The key", "Value": { "Fn::GetAtt": "Key.Arn" } } },
    })
    .to_string()
}

#[tokio::test]
async fn a_stack_makes_what_its_template_says_and_takes_it_away() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let fields = [
        ("StackName", "all"),
        ("TemplateBody", &everything()),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Parameters.member.1.ParameterKey", "Secret"),
        ("Parameters.member.1.ParameterValue", "hush-hush"),
        ("Tags.member.1.Key", "stack"),
        ("Tags.member.1.Value", "mine"),
        ("ClientRequestToken", "once"),
    ];
    let id = one(&sandbox.cfn(&keys, "CreateStack", &fields).await.unwrap(), "StackId");
    assert!(id.starts_with("arn:aws:cloudformation:us-east-1:111111111111:stack/all/"), "{id}");
    assert_eq!(one(&sandbox.cfn(&keys, "CreateStack", &fields).await.unwrap(), "StackId"), id, "sent twice");
    let shown = sandbox.cfn(&keys, "DescribeStacks", &[("StackName", "all")]).await.unwrap();
    assert_eq!(one(&shown, "StackStatus"), "CREATE_COMPLETE", "{shown}");
    assert!(!shown.contains("hush-hush") && shown.contains("<ParameterValue>****</ParameterValue>"));
    let arn = one(&shown, "OutputValue");

    let role = sandbox.iam_do(&keys, "GetRole", &[("RoleName", "app-one-us-east-1")]).await.unwrap();
    assert_eq!(one(&role, "Arn"), "arn:aws:iam::111111111111:role/made/app-one-us-east-1");
    assert_eq!((one(&role, "MaxSessionDuration"), one(&role, "Description")), ("7200".into(), "of-one".into()));
    assert!(role.contains("hush-hush") && role.contains("<Key>stack</Key><Value>mine</Value>"), "{role}");
    let attached =
        sandbox.iam_do(&keys, "ListAttachedRolePolicies", &[("RoleName", "app-one-us-east-1")]).await.unwrap();
    let policy = one(&attached, "PolicyArn");
    assert!(policy.starts_with("arn:aws:iam::111111111111:policy/all-Shared-"), "{policy}");
    assert_eq!(one(&role, "PermissionsBoundaryArn"), policy);
    let key = sandbox.json(&keys, HERE, "DescribeKey", json!({ "KeyId": "alias/stacked" })).await.unwrap();
    assert_eq!(key["KeyMetadata"]["Arn"], json!(arn));
    assert_eq!(key["KeyMetadata"]["Description"], "arn:aws:iam::111111111111:role/made/app-one-us-east-1");
    let document = sandbox.json(&keys, HERE, "DescribeDocument", json!({ "Name": "Nap" })).await.unwrap();
    assert_eq!(document["Document"]["Tags"], json!([{ "Key": "stack", "Value": "mine" }]));

    // What is needed came first, and is shown in the events, the newest first.
    let events = sandbox.cfn(&keys, "DescribeStackEvents", &[("StackName", "all")]).await.unwrap();
    let done: Vec<String> = all(&events, "member")
        .iter()
        .filter(|event| one(event, "ResourceStatus") == "CREATE_COMPLETE")
        .map(|event| one(event, "LogicalResourceId"))
        .collect();
    assert_eq!(done, ["all", "Alias", "Key", "App", "Shared", "Nap"]);
    let named = [("StackName", "all"), ("LogicalResourceId", "Alias")];
    let resources = sandbox.cfn(&keys, "DescribeStackResources", &named).await.unwrap();
    assert_eq!(all(&resources, "PhysicalResourceId"), ["alias/stacked"]);
    let body = sandbox.cfn(&keys, "GetTemplate", &[("StackName", &id)]).await.unwrap();
    assert!(one(&body, "TemplateBody").contains("All that one account may have"));

    sandbox.cfn(&keys, "DeleteStack", &[("StackName", "all")]).await.unwrap();
    assert!(!sandbox.has_role(ALPHA, "app-one-us-east-1"));
    assert!(
        sandbox.iam_do(&keys, "GetPolicy", &[("PolicyArn", &policy)]).await.unwrap_err().starts_with("NoSuchEntity")
    );
    assert_eq!(
        sandbox.json(&keys, HERE, "DescribeDocument", json!({ "Name": "Nap" })).await.unwrap_err(),
        "InvalidDocument"
    );
    let alias = json!({ "KeyId": "alias/stacked" });
    assert_eq!(sandbox.json(&keys, HERE, "DescribeKey", alias).await.unwrap_err(), "NotFoundException");
    let key = sandbox.json(&keys, HERE, "DescribeKey", json!({ "KeyId": arn })).await.unwrap();
    assert_eq!(key["KeyMetadata"]["KeyState"], "PendingDeletion");
    let gone = sandbox.cfn(&keys, "DescribeStacks", &[("StackName", "all")]).await.unwrap_err();
    assert_eq!(gone, "ValidationError: Stack with id all does not exist");
    assert_eq!(sandbox.stack_status(&keys, &id).await.0, "DELETE_COMPLETE");
    sandbox.cfn(&keys, "DeleteStack", &[("StackName", "all")]).await.unwrap();
}

#[tokio::test]
async fn what_fails_is_rolled_back_and_says_why() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    // The name of the second is taken: OrganizationAccountAccessRole is there.
    let bad = template(json!({ "A": role("first"), "B": role("OrganizationAccountAccessRole") }));
    sandbox.stack(&keys, "bad", &bad).await.unwrap();
    let (status, reason) = sandbox.stack_status(&keys, "bad").await;
    assert_eq!(status, "ROLLBACK_COMPLETE");
    assert_eq!(reason, "The following resource(s) failed to create: [B]. Rollback requested by user.");
    assert!(!sandbox.has_role(ALPHA, "first"));
    let events = sandbox.cfn(&keys, "DescribeStackEvents", &[("StackName", "bad")]).await.unwrap();
    assert!(events.contains("Role with name OrganizationAccountAccessRole already exists."), "{events}");
    assert!(events.contains("HandlerErrorCode: AlreadyExists"));
    let update = [("StackName", "bad"), ("TemplateBody", &template(json!({ "A": role("first") })))];
    let update = [update.as_slice(), &[("Capabilities.member.1", "CAPABILITY_NAMED_IAM")]].concat();
    let refused = sandbox.cfn(&keys, "UpdateStack", &update).await.unwrap_err();
    assert!(refused.contains("is in ROLLBACK_COMPLETE state and can not be updated"), "{refused}");
    let again = sandbox.stack(&keys, "bad", &bad).await.unwrap_err();
    assert_eq!(again, "AlreadyExistsException: Stack [bad] already exists");

    let with = async |name: &str, word: &str, value: &str| {
        let capability = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
        let fields = [("StackName", name), ("TemplateBody", &bad), capability, (word, value)];
        one(&sandbox.cfn(&keys, "CreateStack", &fields).await.unwrap(), "StackId")
    };
    with("left", "OnFailure", "DO_NOTHING").await;
    assert_eq!(sandbox.stack_status(&keys, "left").await.0, "CREATE_FAILED");
    assert!(sandbox.has_role(ALPHA, "first"));
    sandbox.cfn(&keys, "DeleteStack", &[("StackName", "left")]).await.unwrap();
    assert!(!sandbox.has_role(ALPHA, "first"));
    assert!(sandbox.has_role(ALPHA, "OrganizationAccountAccessRole"), "it is not the stack's");
    let id = with("gone", "OnFailure", "DELETE").await;
    assert_eq!(sandbox.stack_status(&keys, &id).await.0, "DELETE_COMPLETE");
    with("kept", "DisableRollback", "true").await;
    assert_eq!(sandbox.stack_status(&keys, "kept").await.0, "CREATE_FAILED");
}

#[tokio::test]
async fn a_resource_is_made_in_the_callers_name_and_with_the_callers_rights() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    let refused = sandbox.stack(&keys, "mine", &template(json!({ "A": role("mine") }))).await.unwrap_err();
    assert!(refused.starts_with("AccessDenied: User: ") && refused.contains("cloudformation:CreateStack"), "{refused}");
    assert!(refused.contains("on resource: arn:aws:cloudformation:us-east-1:111111111111:stack/mine/*"), "{refused}");
    // With CloudFormation alone the stack is begun, but nothing is made.
    sandbox.set_role_policy(ALPHA, "orgseal-member", &allow("cloudformation:*").to_string()).unwrap();
    sandbox.stack(&keys, "mine", &template(json!({ "A": role("mine") }))).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "mine").await.0, "ROLLBACK_COMPLETE");
    let events = sandbox.cfn(&keys, "DescribeStackEvents", &[("StackName", "mine")]).await.unwrap();
    assert!(
        events.contains("not authorized to perform: iam:CreateRole")
            && events.contains("HandlerErrorCode: AccessDenied")
    );
    assert!(!sandbox.has_role(ALPHA, "mine"));

    // CloudTrail has both, the second as made by the service.
    let administrator = sandbox.session(ALPHA);
    let lookup = |name: &str| json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": name }] });
    let trail = ("cloudtrail", "CloudTrail_20131101");
    let found = async |name: &str| {
        let events = sandbox.json_of(trail, &administrator, HERE, "LookupEvents", lookup(name)).await.unwrap();
        let records = events["Events"].as_array().unwrap().clone();
        records
            .iter()
            .map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap())
            .collect::<Vec<Value>>()
    };
    let made = found("CreateStack").await;
    assert_eq!(made[0]["eventSource"], "cloudformation.amazonaws.com");
    assert_eq!(made[0]["requestParameters"]["stackName"], "mine");
    assert_eq!((&made[1]["errorCode"], made.len()), (&json!("AccessDenied"), 2));
    let role = &found("CreateRole").await[0];
    assert_eq!(role["userIdentity"]["invokedBy"], "cloudformation.amazonaws.com");
    assert_eq!((&role["errorCode"], &role["eventSource"]), (&json!("AccessDenied"), &json!("iam.amazonaws.com")));
}

#[tokio::test]
async fn a_retained_resource_stays_and_one_in_use_keeps_its_stack() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let mut kept = role("kept");
    kept["DeletionPolicy"] = json!("Retain");
    let policy = json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": {
        "ManagedPolicyName": "used", "PolicyDocument": allow("s3:*") } });
    sandbox.stack(&keys, "one", &template(json!({ "Kept": kept, "Used": policy }))).await.unwrap();
    let used = "arn:aws:iam::111111111111:policy/used";
    sandbox.iam_do(&keys, "AttachRolePolicy", &[("RoleName", "kept"), ("PolicyArn", used)]).await.unwrap();
    sandbox.cfn(&keys, "DeleteStack", &[("StackName", "one")]).await.unwrap();
    let (status, reason) = sandbox.stack_status(&keys, "one").await;
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("DELETE_FAILED", "The following resource(s) failed to delete: [Used]. ")
    );
    assert!(sandbox.has_role(ALPHA, "kept"));
    // Only now may somebody say what is to be left.
    let other = [("StackName", "one"), ("RetainResources.member.1", "Nothing")];
    assert!(sandbox.cfn(&keys, "DeleteStack", &other).await.unwrap_err().contains("[Nothing] does not exist"));
    let retain = [("StackName", "one"), ("RetainResources.member.1", "Used")];
    sandbox.cfn(&keys, "DeleteStack", &retain).await.unwrap();
    assert!(sandbox.cfn(&keys, "DescribeStacks", &[("StackName", "one")]).await.is_err());
    sandbox.iam_do(&keys, "GetPolicy", &[("PolicyArn", used)]).await.unwrap();
    sandbox.stack(&keys, "two", &template(json!({ "A": role("two") }))).await.unwrap();
    let early = [("StackName", "two"), ("RetainResources.member.1", "A")];
    assert!(
        sandbox
            .cfn(&keys, "DeleteStack", &early)
            .await
            .unwrap_err()
            .contains("only when the stack is in the DELETE_FAILED")
    );
}

#[tokio::test]
async fn stacks_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options { directory: Some(directory.path().into()), speed: 0.0, ..Options::default() };
    let sandbox = Sandbox::start(spec(SMALL), options()).await.unwrap();
    let keys = sandbox.session(ALPHA);
    let fields = [
        ("StackName", "all"),
        ("TemplateBody", &everything()),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Parameters.member.1.ParameterKey", "Secret"),
        ("Parameters.member.1.ParameterValue", "hush-hush"),
    ];
    sandbox.cfn(&keys, "CreateStack", &fields).await.unwrap();
    sandbox.stack(&keys, "other", &template(json!({ "A": role("other") }))).await.unwrap();
    sandbox.cfn(&keys, "DeleteStack", &[("StackName", "other")]).await.unwrap();
    let shown = async |sandbox: &Sandbox| {
        let keys = sandbox.session(ALPHA);
        let mut all = String::new();
        for (action, fields) in [
            ("DescribeStacks", vec![("StackName", "all")]),
            ("DescribeStackEvents", vec![("StackName", "all")]),
            ("ListStackResources", vec![("StackName", "all")]),
            ("ListStacks", vec![]),
        ] {
            let answer = sandbox.cfn(&keys, action, &fields).await.unwrap();
            all.push_str(answer.split("<ResponseMetadata>").next().unwrap());
        }
        all
    };
    let before = shown(&sandbox).await;
    let states = sandbox.dump().stacks;
    assert_eq!(
        states.into_iter().collect::<Vec<_>>(),
        [("111111111111/us-east-1/all".into(), "CREATE_COMPLETE".into())]
    );
    sandbox.stop();
    let again = Sandbox::start(spec(SMALL), options()).await.unwrap();
    assert_eq!(shown(&again).await, before);
    // It still knows what it made, and with which parameters.
    let keys = again.session(ALPHA);
    again.cfn(&keys, "DeleteStack", &[("StackName", "all")]).await.unwrap();
    assert!(!again.has_role(ALPHA, "app-one-us-east-1"));
    again.stop();

    // What was under way when the process was killed has failed, and can be taken away.
    let journal = directory.path().join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let is_made = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let resources = entry["stack"]["stack"]["resources"].as_array().cloned().unwrap_or_default();
        resources.iter().any(|one| one["logical"] == "App" && one["status"] == "CREATE_COMPLETE")
    };
    let until = text.lines().position(is_made).unwrap();
    let cut: Vec<&str> = text.lines().take(until + 1).collect();
    std::fs::write(&journal, cut.join("\n") + "\n").unwrap();
    let killed = Sandbox::start(spec(SMALL), options()).await.unwrap();
    let keys = killed.session(ALPHA);
    let (status, reason) = killed.stack_status(&keys, "all").await;
    assert_eq!(status, "CREATE_FAILED");
    assert_eq!(reason, "The sandbox was ended before this was done.");
    assert!(killed.has_role(ALPHA, "app-one-us-east-1"));
    killed.cfn(&keys, "DeleteStack", &[("StackName", "all")]).await.unwrap();
    assert!(!killed.has_role(ALPHA, "app-one-us-east-1"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for nth in 0..101 {
        let body = template(json!({ "A": { "Type": "AWS::SSM::Document", "Properties": {
            "DocumentType": "Automation", "Content": NAP } } }));
        sandbox.stack(&keys, &format!("s{nth}"), &body).await.unwrap();
    }
    let first = sandbox.cfn(&keys, "DescribeStacks", &[]).await.unwrap();
    let token = one(&first, "NextToken");
    let second = sandbox.cfn(&keys, "DescribeStacks", &[("NextToken", &token)]).await.unwrap();
    assert_eq!((all(&first, "StackName").len(), all(&second, "StackName")), (100, vec!["s0".to_string()]));
    assert!(one(&second, "NextToken").is_empty());
    let wrong = sandbox.cfn(&keys, "ListStacks", &[("NextToken", &token)]).await.unwrap_err();
    assert_eq!(wrong, "ValidationError: NextToken is not valid.");
    let some = sandbox.cfn(&keys, "ListStacks", &[("StackStatusFilter.member.1", "DELETE_COMPLETE")]).await.unwrap();
    assert!(all(&some, "StackName").is_empty());
}
