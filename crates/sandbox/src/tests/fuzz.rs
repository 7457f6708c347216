//! Malformed requests, seeded and bounded: nothing panics, nothing hangs, every answer to a request carries a request id.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Keys, SMALL, start};
use crate::random::Random;

const ALPHA: &str = "111111111111";
const PATIENCE: Duration = Duration::from_secs(10);

fn bytes(random: &mut Random, most: u64) -> Vec<u8> {
    (0..random.below(most)).map(|_| random.next() as u8).collect()
}

/// A value of any type and an unlikely size.
fn any(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth > 3 { 8 } else { 10 }) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(i64::MIN),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!("\u{0}\u{fffd}\u{1f9ea}".repeat(random.below(300) as usize)),
        6 => json!("x".repeat(random.below(5000) as usize)),
        7 => json!(""),
        8 => (0..random.below(4)).map(|_| any(random, depth + 1)).collect(),
        _ => (0..random.below(4))
            .map(|n| (["Key", "Values", "x", ""][n as usize].to_string(), any(random, depth + 1)))
            .collect(),
    }
}

fn operations() -> Vec<(&'static str, &'static str, &'static str)> {
    use crate::services::{cloudtrail, kms, organizations, ssm};
    let mut all = Vec::new();
    for (service, target, names) in [
        ("ssm", "AmazonSSM.", ssm::OPERATIONS),
        ("kms", "TrentService.", kms::OPERATIONS),
        ("organizations", "AWSOrganizationsV20161128.", organizations::OPERATIONS),
        ("cloudtrail", cloudtrail::TARGET, cloudtrail::OPERATIONS),
    ] {
        all.extend(names.iter().map(|name| (service, target, *name)));
    }
    all
}

const MEMBERS: &[&str] = &[
    "Name",
    "DocumentName",
    "DocumentVersion",
    "Content",
    "DocumentType",
    "DocumentFormat",
    "Parameters",
    "ClientToken",
    "Tags",
    "Mode",
    "Filters",
    "MaxResults",
    "NextToken",
    "AutomationExecutionId",
    "Type",
    "KeyId",
    "GrantTokens",
    "PermissionType",
    "AccountIdsToAdd",
    "ParentId",
    "ChildId",
    "ResourceId",
    "LookupAttributes",
    "StartTime",
    "EndTime",
    "EventCategory",
    "VersionName",
    "NumberOfBytes",
    "DryRun",
    "PendingWindowInDays",
];

#[tokio::test]
async fn wrong_types_and_sizes_for_every_member_are_refused_in_order() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = [sandbox.session(ALPHA), sandbox.security()];
    let mut random = Random::new(7, "fuzz-json", 0);
    for (service, target, operation) in operations() {
        for nth in 0..60 {
            let mut input = serde_json::Map::new();
            for _ in 0..=random.below(3) {
                input.insert((*random.pick(MEMBERS)).into(), any(&mut random, 0));
            }
            let body = match nth {
                0 => "[".repeat(100_000).into_bytes(),
                1 => b"{\"Name\":\"\xff\xfe\"}".to_vec(),
                2 => br#"{"Name":"#.to_vec(),
                3 => b"null".to_vec(),
                4 => bytes(&mut random, 400),
                _ => Value::Object(input).to_string().into_bytes(),
            };
            let scope = format!("us-east-1/{service}");
            let name = format!("{target}{operation}");
            let headers = [("x-amz-target", name.as_str())];
            let sent = sandbox.over(&keys[nth % 2], &scope, ("POST", "/"), &headers, &body);
            let answer = tokio::time::timeout(PATIENCE, sent).await.expect("answers in time").unwrap();
            assert!(answer.has_request_id(), "{operation}: {}", answer.head);
            assert!(answer.status < 500, "{operation}: {} {}", answer.text(), String::from_utf8_lossy(&body));
        }
    }
}

#[tokio::test]
async fn broken_forms_xml_queries_and_methods_are_refused_in_order() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let mut random = Random::new(7, "fuzz-xml", 0);
    let deep = format!("<Rule>{}", "<A>".repeat(20_000)).into_bytes();
    let entities = b"<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><x>&b;</x>".to_vec();
    for nth in 0..400u64 {
        let method = *random.pick(&["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "BREW"]);
        let queries = [
            "encryption",
            "max-buckets=-1",
            "max-buckets=99999999999999999999",
            "continuation-token=%ff%00",
            "%%%",
            "a&b&c",
            "location=",
            "encryption&policy",
            "x-id=1&encryption",
            "",
        ];
        let path =
            *random.pick(&["/", "/alpha-one", "/alpha-one/key", "//", "/%ff%fe", "/..%2f..", "/-", "/x-111111111111"]);
        let uri = format!("{path}?{}", random.pick(&queries));
        let body = match nth % 5 {
            0 => deep.clone(),
            1 => entities.clone(),
            2 => bytes(&mut random, 300),
            3 => {
                b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=1e9&RoleArn=%zz&Tags.member.1.Key=&=&&".to_vec()
            }
            _ => Vec::new(),
        };
        let scope =
            *random.pick(&["us-east-1/s3", "us-east-1/sts", "moon-1/s3", "us-east-1/iam", "/", "eu-west-1/sts"]);
        let sent = sandbox.over(&keys, scope, (method, &uri), &[("x-amz-expected-bucket-owner", "1")], &body);
        let answer = tokio::time::timeout(PATIENCE, sent).await.expect("answers in time").unwrap();
        assert!(answer.has_request_id(), "{method} {uri} {scope}: {}", answer.head);
        assert!(answer.status < 500 || answer.status == 501, "{method} {uri}: {}", answer.text());
    }
}

#[tokio::test]
async fn stacks_of_anything_are_refused_or_rolled_back() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = [sandbox.admin(), sandbox.security()];
    let mut random = Random::new(7, "fuzz-stack", 0);
    let kinds = [
        (
            "AWS::IAM::Role",
            &["AssumeRolePolicyDocument", "RoleName", "Policies", "ManagedPolicyArns", "Tags", "Path"][..],
        ),
        ("AWS::IAM::ManagedPolicy", &["PolicyDocument", "ManagedPolicyName", "Roles"]),
        ("AWS::SSM::Document", &["Content", "Name", "DocumentType", "UpdateMethod", "Tags"]),
        ("AWS::KMS::Key", &["KeyPolicy", "Enabled", "PendingWindowInDays", "MultiRegion", "Tags"]),
        ("AWS::KMS::ReplicaKey", &["KeyPolicy", "PrimaryKeyArn"]),
        ("AWS::KMS::Alias", &["AliasName", "TargetKeyId"]),
        ("AWS::Config::ConfigurationAggregator", &["OrganizationAggregationSource", "AccountAggregationSources"]),
        ("AWS::Config::OrganizationConformancePack", &["OrganizationConformancePackName", "TemplateBody"]),
        ("AWS::Organizations::Policy", &["Content", "Name", "Type", "TargetIds"]),
    ];
    for nth in 0..400usize {
        let (kind, names) = kinds[nth % kinds.len()];
        let properties =
            names.iter().map(|name| ((*name).to_string(), any(&mut random, 0))).collect::<serde_json::Map<_, _>>();
        let function = *random.pick(&["Ref", "Fn::Sub", "Fn::GetAtt", "Fn::Join", "Fn::If"]);
        let mut body = json!({ "Resources": { "A": { "Type": kind, "Properties": properties } } });
        match random.below(5) {
            0 => body["Resources"]["A"]["Properties"][names[0]] = json!({ function: any(&mut random, 2) }),
            1 => body["Outputs"] = any(&mut random, 1),
            2 => {
                body["Parameters"] =
                    json!({ "P": { "Type": "String", "AllowedPattern": "(a*)*b", "Default": any(&mut random, 4) } })
            }
            3 => {
                body["Resources"]["A"][*random.pick(&["DependsOn", "DeletionPolicy", "Metadata"])] = any(&mut random, 2)
            }
            _ => {}
        }
        let text = match nth {
            0 => "[".repeat(40_000),
            1 => "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c]".into(),
            2 => "{\"Resources\":".repeat(5_000),
            _ => body.to_string(),
        };
        let name = format!("s{nth}");
        let fields =
            [("StackName", &*name), ("TemplateBody", &text), ("Capabilities.member.1", "CAPABILITY_NAMED_IAM")];
        let odd = bytes(&mut random, 40).iter().map(|byte| char::from(*byte)).collect::<String>();
        let odd = [("StackName", &*name), (&*odd, "1"), ("Tags.member.x.Key.member.1", "a"), ("Tags", "b")];
        for (action, fields) in [("CreateStack", &fields[..]), ("CreateStack", &odd), ("DescribeStacks", &fields[..1])]
        {
            let sent = sandbox.cfn(&keys[nth % 2], action, fields);
            if let Err(error) = tokio::time::timeout(PATIENCE, sent).await.expect("answers in time") {
                assert!(!error.starts_with("Internal") && !error.is_empty(), "{error}: {text}");
            }
        }
        let _ = sandbox.cfn(&keys[nth % 2], "DeleteStack", &fields[..1]).await;
    }
}

#[tokio::test]
async fn garbage_on_the_line_does_not_reach_the_next_caller() {
    let sandbox = start(SMALL, 0.0).await;
    let mut random = Random::new(7, "fuzz-http", 0);
    for nth in 0..200u64 {
        let text: Vec<u8> = match nth % 8 {
            0 => bytes(&mut random, 2000),
            1 => b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            2 => b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n".to_vec(),
            3 => b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
            4 => format!("GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "a".repeat(9000)).into_bytes(),
            5 => format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "b".repeat(900_000)).into_bytes(),
            6 => b"GET / HTTP/1.1\r\nhost: \xff\r\nauthorization: AWS4-HMAC-SHA256 Credential=////\r\nconnection: close\r\n\r\n".to_vec(),
            _ => b"PUT /_sandbox/faults HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\n[{]".to_vec(),
        };
        // Half a request may rightly be waited for: then the client gives up.
        let _ = tokio::time::timeout(Duration::from_millis(200), sandbox.raw(&text)).await;
    }
    for (method, what) in [("GET", "nothing"), ("PATCH", "faults"), ("PUT", "faults"), ("POST", "dump")] {
        let answer = sandbox.control(method, what, json!(7)).await;
        assert!(answer.has_request_id() && (400..500).contains(&answer.status), "{method} {what}");
    }
    let too_large = vec![b'x'; 7 << 20];
    let nobody = Keys { access_key: "-".into(), token: None };
    if let Ok(answer) = sandbox.over(&nobody, "us-east-1/s3", ("PUT", "/b"), &[], &too_large).await {
        assert!(answer.status == 413 && answer.has_request_id());
    }
    assert_eq!(sandbox.get_encryption(&sandbox.session(ALPHA), "alpha-one").await.unwrap().status, 200);
}
