//! ListPoliciesForTarget and DescribePolicy.

use serde_json::{Value, json};

use super::{Keys, SMALL, start};
use crate::Sandbox;

const ALPHA: &str = "111111111111";
const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:DeleteBucket","Resource":"*"}}"#;
const RCP: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*"}}"#;

impl Sandbox {
    pub(super) async fn organizations(&self, keys: &Keys, operation: &str, input: Value) -> Result<Value, String> {
        let target = format!("AWSOrganizationsV20161128.{operation}");
        let headers = [("x-amz-target", target.as_str())];
        let answer = self.send(keys, "us-east-1/organizations", "POST", "/", &headers, &input.to_string()).await;
        let value: Value = serde_json::from_slice(&answer.body).unwrap();
        if answer.status == 200 { Ok(value) } else { Err(value["__type"].as_str().unwrap().to_string()) }
    }

    pub(super) async fn attached(&self, target: &str, filter: &str) -> Vec<String> {
        let input = json!({ "TargetId": target, "Filter": filter });
        let answer = self.organizations(&self.security(), "ListPoliciesForTarget", input).await.unwrap();
        let names = answer["Policies"].as_array().unwrap().iter();
        names.map(|policy| policy["Name"].as_str().unwrap().to_string()).collect()
    }
}

const SCPS: &str = "SERVICE_CONTROL_POLICY";
const RCPS: &str = "RESOURCE_CONTROL_POLICY";

#[tokio::test]
async fn what_is_attached_is_listed_with_awss_own() {
    let list = DENY.replace("Deny", "Allow");
    let controls = format!(
        "\n[[scp]]\nname = \"keep\"\ntargets = [\"root\", \"alpha\"]\ndocument = '{DENY}'\n\
         [[scp]]\nname = \"list\"\ntargets = [\"Workloads\"]\nkeeps_full_access = false\ndocument = '{list}'\n\
         [[rcp]]\nname = \"guard\"\ntargets = [\"alpha\"]\ndocument = '{RCP}'\n"
    );
    let sandbox = start(&(SMALL.to_string() + &controls), 0.0).await;
    let organization = &sandbox.world.organization;
    let workloads = organization.ous.iter().find(|ou| ou.name == "Workloads").unwrap().id.clone();
    assert_eq!(sandbox.attached(&organization.root, SCPS).await, ["FullAWSAccess", "keep"]);
    assert_eq!(sandbox.attached(ALPHA, SCPS).await, ["FullAWSAccess", "keep"]);
    assert_eq!(sandbox.attached(&workloads, SCPS).await, ["list"], "an allow list stands alone");
    assert_eq!(sandbox.attached(&workloads, RCPS).await, ["RCPFullAWSAccess"]);
    assert_eq!(sandbox.attached(ALPHA, RCPS).await, ["RCPFullAWSAccess", "guard"]);
    assert_eq!(sandbox.attached(sandbox.management_account(), SCPS).await, ["FullAWSAccess"]);
    assert!(sandbox.attached(ALPHA, "TAG_POLICY").await.is_empty());

    let call = async |operation: &str, input: Value| sandbox.organizations(&sandbox.security(), operation, input).await;
    let input = json!({ "TargetId": ALPHA, "Filter": SCPS, "MaxResults": 1 });
    let first = call("ListPoliciesForTarget", input.clone()).await.unwrap();
    assert_eq!(first["Policies"][0]["Id"], "p-FullAWSAccess");
    let mut input = input;
    input["NextToken"] = first["NextToken"].clone();
    let second = call("ListPoliciesForTarget", input).await.unwrap();
    let summary = &second["Policies"][0];
    let described = call("DescribePolicy", json!({ "PolicyId": summary["Id"] })).await.unwrap();
    assert_eq!((&described["Policy"]["PolicySummary"], &described["Policy"]["Content"]), (summary, &json!(DENY)));
    for id in ["p-FullAWSAccess", "p-RCPFullAWSAccess"] {
        let described = call("DescribePolicy", json!({ "PolicyId": id })).await.unwrap();
        assert_eq!(described["Policy"]["PolicySummary"]["AwsManaged"], true);
        let content: Value = serde_json::from_str(described["Policy"]["Content"].as_str().unwrap()).unwrap();
        assert_eq!(content["Statement"][0]["Principal"].is_string(), id.contains("RCP"));
    }
    // Put at run time it is there at once, and gone when it is removed.
    sandbox.set_rcp("late", &["root"], RCP).unwrap();
    assert_eq!(sandbox.attached(&organization.root, RCPS).await, ["RCPFullAWSAccess", "late"]);
    sandbox.remove_rcp("late").unwrap();
    assert_eq!(sandbox.attached(&organization.root, RCPS).await, ["RCPFullAWSAccess"]);
    let roots = call("ListRoots", json!({})).await.unwrap();
    assert_eq!(roots["Roots"][0]["PolicyTypes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_or_not_for_members_is_refused() {
    let sandbox = start(SMALL, 0.0).await;
    for (operation, input, code) in [
        ("ListPoliciesForTarget", json!({ "TargetId": "999999999999", "Filter": SCPS }), "TargetNotFoundException"),
        ("ListPoliciesForTarget", json!({ "TargetId": "ou-none-12345678", "Filter": SCPS }), "TargetNotFoundException"),
        ("ListPoliciesForTarget", json!({ "TargetId": "alpha", "Filter": SCPS }), "InvalidInputException"),
        ("ListPoliciesForTarget", json!({ "TargetId": ALPHA, "Filter": "SCP" }), "InvalidInputException"),
        ("ListPoliciesForTarget", json!({ "TargetId": ALPHA }), "ValidationException"),
        ("DescribePolicy", json!({ "PolicyId": "p-notthere0" }), "PolicyNotFoundException"),
        ("DescribePolicy", json!({ "PolicyId": "FullAWSAccess" }), "InvalidInputException"),
    ] {
        let refused = sandbox.organizations(&sandbox.security(), operation, input.clone()).await.unwrap_err();
        assert_eq!(refused, code, "{operation} {input}");
        let member = sandbox.organizations(&sandbox.session(ALPHA), operation, input).await.unwrap_err();
        assert_eq!(member, "AccessDeniedException");
    }
}
