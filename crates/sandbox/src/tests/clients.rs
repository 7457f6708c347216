//! What other people's clients ask beside what orgseal asks: configurations that nothing models, older operations, services
//! that are not here.

use serde_json::json;

use super::{Keys, SMALL, start};
use crate::Sandbox;
use crate::wire::Answer;

const ALPHA: &str = "111111111111";

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The text of an element.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once("</")).map_or("", |(text, _)| text)
}

impl Sandbox {
    async fn get(&self, keys: &Keys, scope: &str, uri: &str) -> (u16, String) {
        let answer = self.send(keys, scope, "GET", uri, &[], "").await;
        (answer.status, text(&answer))
    }
}

#[tokio::test]
async fn configurations_that_are_not_modelled_are_not_configured() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for (subresource, status, code) in [
        ("lifecycle", 404, "NoSuchLifecycleConfiguration"),
        ("cors", 404, "NoSuchCORSConfiguration"),
        ("object-lock", 404, "ObjectLockConfigurationNotFoundError"),
        ("metadataTable", 404, "MetadataConfigurationNotFound"),
        ("analytics&id=a", 404, "NoSuchConfiguration"),
        ("metrics&id=a", 404, "NoSuchConfiguration"),
        ("intelligent-tiering&id=a", 404, "NoSuchConfiguration"),
        ("website", 404, "NoSuchWebsiteConfiguration"),
        ("requestPayment", 200, "BucketOwner"),
        ("accelerate", 200, ""),
        ("notification", 200, ""),
        ("analytics", 200, "false"),
        ("metrics", 200, "false"),
        ("intelligent-tiering", 200, "false"),
    ] {
        let (found, xml) = sandbox.get(&keys, "us-east-1/s3", &format!("/alpha-one?{subresource}")).await;
        let said = match status {
            404 => element(&xml, "Code"),
            _ if subresource == "requestPayment" => element(&xml, "Payer"),
            _ => element(&xml, "IsTruncated"),
        };
        assert_eq!((found, said), (status, code), "{subresource}: {xml}");
    }
    let (status, xml) = sandbox.get(&keys, "us-east-1/s3", "/alpha-ireland?lifecycle").await;
    assert_eq!((status, element(&xml, "Code")), (301, "PermanentRedirect"));
    // What nobody can put is refused as such, and does not look stored.
    let put = sandbox.send(&keys, "us-east-1/s3", "PUT", "/alpha-one?lifecycle", &[], "").await;
    assert_eq!((put.status, element(&text(&put), "Code")), (501, "NotImplemented"));
    let member = sandbox.session_of(ALPHA, "orgseal-member");
    let (status, xml) = sandbox.get(&member, "us-east-1/s3", "/alpha-one?object-lock").await;
    assert_eq!(status, 403, "{xml}");
    assert!(xml.contains("s3:GetBucketObjectLockConfiguration"), "{xml}");
}

#[tokio::test]
async fn the_first_version_of_list_objects_pages_by_keys() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for key in ["a", "b/one", "b/two", "c"] {
        let put = sandbox.send(&keys, "us-east-1/s3", "PUT", &format!("/alpha-one/{key}"), &[], "x").await;
        assert_eq!(put.status, 200);
    }
    let list = async |query: &str| sandbox.get(&keys, "us-east-1/s3", &format!("/alpha-one{query}")).await.1;
    let whole = list("").await;
    assert_eq!(whole.matches("<Contents>").count(), 4);
    assert_eq!(whole.matches("<Owner><ID>").count(), 4);
    assert_eq!(element(&whole, "IsTruncated"), "false");
    let first = list("?max-keys=1").await;
    assert_eq!((element(&first, "Key"), element(&first, "IsTruncated")), ("a", "true"));
    assert!(!first.contains("NextMarker"), "only with a delimiter: {first}");
    let second = list("?max-keys=1&delimiter=/&marker=a").await;
    assert_eq!((second.matches("<CommonPrefixes>").count(), element(&second, "NextMarker")), (1, "b/"));
    let last = list("?max-keys=1&delimiter=/&marker=b/").await;
    assert_eq!((element(&last, "Key"), element(&last, "IsTruncated")), ("c", "false"));
}

#[tokio::test]
async fn regions_that_are_on_by_default_list_buckets_too() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let (status, xml) = sandbox.get(&keys, "us-west-2/s3", "/").await;
    assert_eq!((status, xml.matches("<Bucket>").count()), (200, 2));
    let (status, xml) = sandbox.get(&keys, "us-west-2/s3", "/alpha-one?encryption").await;
    assert_eq!((status, element(&xml, "Code")), (301, "PermanentRedirect"));
    assert_eq!(sandbox.get(&keys, "us-west-2/s3", "/?bucket-region=us-west-2&max-buckets=9").await.0, 200);
    // An opt-in Region is not on, unless the spec says so.
    assert_eq!(sandbox.get(&keys, "af-south-1/s3", "/").await.0, 400);
}

#[tokio::test]
async fn a_service_that_is_not_here_is_refused_in_the_requests_own_protocol() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let post = async |scope: &str, uri: &str, headers: &[(&str, &str)], body: &str| {
        sandbox.send(&keys, scope, "POST", uri, headers, body).await
    };
    let ec2 = post("us-east-1/ec2", "/", &[], "Action=DescribeRegions&Version=2016-11-15").await;
    let xml = text(&ec2);
    assert!(ec2.status == 400 && xml.contains("<Response><Errors><Error><Code>InvalidAction</Code>"), "{xml}");
    assert!(xml.contains("DescribeRegions") && xml.contains("does not model the service ec2"), "{xml}");
    let sns = post("us-east-1/sns", "/", &[], "Action=ListTopics&Version=2010-03-31").await;
    assert!(text(&sns).contains("<ErrorResponse") && element(&text(&sns), "Code") == "InvalidAction");
    let target = ("x-amz-target", "AmazonSQS.ListQueues");
    let sqs = post("us-east-1/sqs", "/", &[target, ("content-type", "application/x-amz-json-1.0")], "{}").await;
    assert_eq!((sqs.status, sqs.content_type), (400, "application/x-amz-json-1.0"));
    assert!(text(&sqs).contains("UnknownOperationException") && text(&sqs).contains("AmazonSQS.ListQueues"));
    let lambda = sandbox.send(&keys, "us-east-1/lambda", "GET", "/2015-03-31/functions/", &[], "").await;
    let kind = lambda.headers.iter().find(|(name, _)| *name == "x-amzn-errortype").map(|(_, value)| value.as_str());
    assert_eq!((lambda.status, kind), (404, Some("UnknownOperationException")));
    let cloudfront = sandbox.send(&keys, "us-east-1/cloudfront", "GET", "/2020-05-31/distribution", &[], "").await;
    assert_eq!(element(&text(&cloudfront), "Code"), "UnknownOperationException");
    let cbor = [("smithy-protocol", "rpc-v2-cbor")];
    let watch =
        post("us-east-1/monitoring", "/service/GraniteServiceVersion20100801/operation/ListMetrics", &cbor, "").await;
    assert_eq!((watch.status, watch.content_type), (400, "application/cbor"));
    assert!(text(&watch).contains("ListMetrics"), "{}", text(&watch));
}

#[tokio::test]
async fn a_service_that_is_not_here_still_looks_at_the_signature() {
    let sandbox = start(SMALL, 0.0).await;
    let nobody = Keys { access_key: "AKIANOBODY0000000000".into(), token: None };
    let body = "Action=DescribeRegions&Version=2016-11-15";
    let ec2 = sandbox.send(&nobody, "us-east-1/ec2", "POST", "/", &[], body).await;
    assert_eq!((ec2.status, element(&text(&ec2), "Code")), (401, "AuthFailure"));
    let sns = sandbox.send(&nobody, "us-east-1/sns", "POST", "/", &[], "Action=ListTopics").await;
    assert_eq!((sns.status, element(&text(&sns), "Code")), (403, "InvalidClientTokenId"));
    let keys = sandbox.session(ALPHA);
    sandbox.world.sessions.expire_all(crate::wire::now_ms());
    let sns = sandbox.send(&keys, "us-east-1/sns", "POST", "/", &[], "Action=ListTopics").await;
    assert_eq!((sns.status, element(&text(&sns), "Code")), (403, "ExpiredToken"));
}

#[tokio::test]
async fn accounts_and_units_are_described_one_by_one() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.security();
    let service = ("organizations", "AWSOrganizationsV20161128");
    let call = async |operation: &str, input| sandbox.json_of(service, &keys, "us-east-1", operation, input).await;
    let all = call("ListAccounts", json!({})).await.unwrap();
    let wanted = all["Accounts"].as_array().unwrap().iter().find(|one| one["Id"] == ALPHA).unwrap().clone();
    assert_eq!(call("DescribeAccount", json!({ "AccountId": ALPHA })).await.unwrap()["Account"], wanted);
    let missing = call("DescribeAccount", json!({ "AccountId": "999999999999" })).await;
    assert_eq!(missing.unwrap_err(), "AccountNotFoundException");
    let root = &sandbox.world.organization.root;
    let units = call("ListOrganizationalUnitsForParent", json!({ "ParentId": root })).await.unwrap();
    let unit = &units["OrganizationalUnits"][0];
    let described = call("DescribeOrganizationalUnit", json!({ "OrganizationalUnitId": unit["Id"] })).await.unwrap();
    assert_eq!(&described["OrganizationalUnit"], unit);
    let missing = call("DescribeOrganizationalUnit", json!({ "OrganizationalUnitId": "ou-abcd-12345678" })).await;
    assert_eq!(missing.unwrap_err(), "OrganizationalUnitNotFoundException");
    let member = sandbox.session(ALPHA);
    let refused =
        sandbox.json_of(service, &member, "us-east-1", "DescribeAccount", json!({ "AccountId": ALPHA })).await;
    assert_eq!(refused.unwrap_err(), "AccessDeniedException");
}

const DIRECTORY: &str = r#"name = "alpha"
id = "111111111111"
directory_buckets = [{ name = "one--use1-az4--x-s3" }, { name = "two--use1-az4--x-s3" }, { name = "three--euw1-az1--x-s3", region = "eu-west-1" }]
"#;

#[tokio::test]
async fn directory_buckets_are_listed_by_region_and_under_a_permission_of_their_own() {
    let text_of = SMALL.replacen("name = \"alpha\"\nid = \"111111111111\"\n", DIRECTORY, 1);
    let sandbox = start(&text_of, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let (status, xml) = sandbox.get(&keys, "us-east-1/s3express", "/").await;
    assert_eq!((status, xml.matches("<Bucket>").count()), (200, 2), "{xml}");
    assert!(xml.contains("arn:aws:s3express:us-east-1:111111111111:bucket/one--use1-az4--x-s3"), "{xml}");
    let (_, first) = sandbox.get(&keys, "us-east-1/s3express", "/?max-directory-buckets=1").await;
    let token = element(&first, "ContinuationToken");
    let (_, second) = sandbox.get(&keys, "us-east-1/s3express", &format!("/?continuation-token={token}")).await;
    assert_eq!((element(&first, "Name"), element(&second, "Name")), ("one--use1-az4--x-s3", "two--use1-az4--x-s3"));
    let (_, ireland) = sandbox.get(&keys, "eu-west-1/s3express", "/").await;
    assert_eq!(element(&ireland, "Name"), "three--euw1-az1--x-s3");
    // ListBuckets does not show them.
    assert!(!sandbox.get(&keys, "us-east-1/s3", "/").await.1.contains("--x-s3"));
    let member = sandbox.session_of(ALPHA, "orgseal-automation");
    let (status, xml) = sandbox.get(&member, "us-east-1/s3express", "/").await;
    assert_eq!((status, element(&xml, "Code")), (403, "AccessDenied"));
    assert!(xml.contains("s3express:ListAllMyDirectoryBuckets"), "{xml}");
    let account = sandbox.world.organization.find(ALPHA).unwrap();
    let sources = sandbox.world.trail.with_events(account, |kept| {
        kept.events.iter().map(|event| event.record(&sandbox.world)["eventSource"].clone()).collect::<Vec<_>>()
    });
    assert!(sources.contains(&json!("s3express.amazonaws.com")), "{sources:?}");
}

#[tokio::test]
async fn iam_answers_what_compliance_tools_ask_first() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.security();
    let call = async |action: &str| {
        let form = format!("Action={action}&Version=2010-05-08");
        let answer = sandbox.send(&keys, "us-east-1/iam", "POST", "/", &[], &form).await;
        (answer.status, text(&answer))
    };
    let (status, summary) = call("GetAccountSummary").await;
    assert!(status == 200 && summary.contains("<entry><key>Users</key><value>1</value></entry>"), "{summary}");
    assert_eq!(call("ListAccountAliases").await.0, 200);
    let (status, policy) = call("GetAccountPasswordPolicy").await;
    assert_eq!((status, element(&policy, "Code")), (404, "NoSuchEntity"));
    assert_eq!(element(&call("GenerateCredentialReport").await.1, "State"), "COMPLETE");
    let (_, report) = call("GetCredentialReport").await;
    let csv = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, element(&report, "Content")).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [22, 22, 22], "{csv}");
    assert!(csv.contains("\norgseal,arn:aws:iam::"), "{csv}");
    let (_, policies) = call("ListUserPolicies&UserName=orgseal").await;
    let name = element(&policies, "member").to_string();
    let (status, policy) = call(&format!("GetUserPolicy&UserName=orgseal&PolicyName={name}")).await;
    assert!(status == 200 && policy.contains("<PolicyDocument>%7B"), "{policy}");
    assert_eq!(call("ListGroupsForUser&UserName=orgseal").await.0, 200);
    assert_eq!(call("ListMFADevices&UserName=orgseal").await.0, 200);
    assert_eq!(call("ListMFADevices&UserName=nobody").await.0, 404);
    let (_, access_keys) = call("ListAccessKeys&UserName=orgseal").await;
    assert_eq!(element(&access_keys, "AccessKeyId"), sandbox.credentials().0);
    let (status, profile) = call("GetLoginProfile&UserName=orgseal").await;
    assert_eq!((status, element(&profile, "Code")), (404, "NoSuchEntity"));
    for list in ["ListGroups", "ListSAMLProviders", "ListUserTags&UserName=orgseal", "ListVirtualMFADevices"] {
        assert_eq!(call(list).await.0, 200, "{list}");
    }
    assert_eq!(call("GetGroup&GroupName=nobody").await.0, 404);
    assert_eq!(call("ListInstanceProfilesForRole&RoleName=orgseal-automation").await.0, 200);
    assert_eq!(call("ListInstanceProfilesForRole&RoleName=nothing").await.0, 404);
}
