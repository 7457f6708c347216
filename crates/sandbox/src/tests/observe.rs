//! Observation from outside: LookupEvents, the access log, answers by code, dumps and their differences, rates.

use serde_json::{Value, json};

use super::{Keys, SMALL, spec, start};
use crate::{BucketEncryption, Dump};

const ALPHA: &str = "111111111111";

async fn lookup(sandbox: &crate::Sandbox, keys: &Keys, input: Value) -> Value {
    let answer = sandbox.over_json(keys, "LookupEvents", input).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn names(answer: &Value) -> Vec<&str> {
    answer["Events"].as_array().unwrap().iter().map(|event| event["EventName"].as_str().unwrap()).collect()
}

fn record(event: &Value) -> Value {
    serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn lookup_events_shows_who_did_what_in_cloudtrails_words() {
    let sandbox = start(SMALL, 0.0).await;
    let form = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{ALPHA}%3Arole%2Forgseal-member\
         &RoleSessionName=campaign-7&ExternalId={}&SourceIdentity=alice",
        sandbox.external_id()
    );
    let all =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:*", "Resource": "*" }] });
    // The shipped policy names AssumeRole alone, and a source identity asks for more.
    sandbox.set_caller_policy(&all.to_string()).unwrap();
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "AWS": sandbox.security_account() },
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
    }] });
    sandbox.set_role_trust(ALPHA, "orgseal-member", &trust.to_string()).unwrap();
    let security = sandbox.security();
    let answer = sandbox.over(&security, "us-east-1/sts", ("POST", "/"), &[], form.as_bytes()).await.unwrap();
    let text = answer.text();
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{text}"));
        rest.split_once('<').unwrap().0.to_string()
    };
    let keys = Keys { access_key: part("AccessKeyId"), token: Some(part("SessionToken")) };
    let administrator = sandbox.session(ALPHA);
    let agent = [("user-agent", "orgseal/0.1")];
    sandbox.over(&keys, "us-east-1/s3", ("GET", "/alpha-one?encryption"), &agent, b"").await.unwrap();
    sandbox.over(&keys, "eu-west-1/s3", ("GET", "/alpha-ireland?encryption"), &agent, b"").await.unwrap();
    sandbox.over_json(&keys, "DescribeKey", json!({ "KeyId": "alias/nobodys" })).await.unwrap();
    sandbox.seal_over(&keys, ALPHA, "alpha-one").await;

    let read =
        json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": "GetBucketEncryption" }] });
    let answer = lookup(&sandbox, &administrator, read).await;
    let events = answer["Events"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["Username"] == "campaign-7").count(), 1, "one Region: {answer}");
    let shown = record(events.iter().find(|event| event["Username"] == "campaign-7").unwrap());
    let identity = &shown["userIdentity"];
    assert_eq!(identity["type"], "AssumedRole");
    assert_eq!(identity["arn"], format!("arn:aws:sts::{ALPHA}:assumed-role/orgseal-member/campaign-7"));
    let issuer = &identity["sessionContext"]["sessionIssuer"];
    assert_eq!(issuer["arn"], format!("arn:aws:iam::{ALPHA}:role/orgseal-member"));
    assert_eq!(identity["sessionContext"]["sourceIdentity"], "alice");
    assert_eq!(shown["requestParameters"], json!({ "bucketName": "alpha-one", "encryption": "" }));
    assert_eq!((&shown["userAgent"], &shown["awsRegion"]), (&json!("orgseal/0.1"), &json!("us-east-1")));
    assert_eq!((&shown["readOnly"], &shown["recipientAccountId"]), (&json!(true), &json!(ALPHA)));
    assert_eq!(shown["resources"][0]["ARN"], "arn:aws:s3:::alpha-one");

    let by_resource =
        json!({ "LookupAttributes": [{ "AttributeKey": "ResourceName", "AttributeValue": "alpha-one" }] });
    let answer = lookup(&sandbox, &administrator, by_resource).await;
    let put = answer["Events"].as_array().unwrap().iter().find(|e| e["EventName"] == "PutBucketEncryption").unwrap();
    assert_eq!(record(put)["userIdentity"]["invokedBy"], "ssm.amazonaws.com");
    assert!(put["Username"].as_str().unwrap().starts_with("Automation-"), "{put}");

    let writes = json!({ "LookupAttributes": [{ "AttributeKey": "ReadOnly", "AttributeValue": "false" }] });
    assert_eq!(
        names(&lookup(&sandbox, &administrator, writes).await),
        ["PutBucketEncryption", "StartAutomationExecution"]
    );
    let kms = json!({ "LookupAttributes": [{ "AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com" }] });
    assert_eq!(record(&lookup(&sandbox, &administrator, kms).await["Events"][0])["errorCode"], "NotFoundException");

    // The role's account and the caller's see the same AssumeRole, and the external ID is in neither.
    let assume = json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": "AssumeRole" }] });
    let here = record(&lookup(&sandbox, &administrator, assume.clone()).await["Events"][0]);
    let there = record(&lookup(&sandbox, &sandbox.session(sandbox.security_account()), assume).await["Events"][0]);
    assert_eq!(here["sharedEventID"], there["sharedEventID"]);
    assert_ne!(here["eventID"], there["eventID"]);
    assert_eq!(here["requestParameters"]["externalId"], "HIDDEN_DUE_TO_SECURITY_REASONS");
}

#[tokio::test]
async fn lookup_events_pages_and_refuses_what_cloudtrail_refuses() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for _ in 0..7 {
        sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
    }
    let only = json!([{ "AttributeKey": "EventName", "AttributeValue": "GetBucketEncryption" }]);
    let mut seen = std::collections::BTreeSet::new();
    let mut token = Value::Null;
    let mut pages = 0;
    loop {
        let input = json!({ "LookupAttributes": only, "MaxResults": 3, "NextToken": token });
        let answer = lookup(&sandbox, &keys, input).await;
        for event in answer["Events"].as_array().unwrap() {
            assert!(seen.insert(event["EventId"].as_str().unwrap().to_string()), "no event twice");
        }
        pages += 1;
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (7, 3));
    let first = lookup(&sandbox, &keys, json!({ "LookupAttributes": only, "MaxResults": 3 })).await;
    for (input, code) in [
        (json!({ "NextToken": first["NextToken"] }), "InvalidNextTokenException"),
        (json!({ "NextToken": "x" }), "InvalidNextTokenException"),
        (json!({ "MaxResults": 51 }), "InvalidMaxResultsException"),
        (json!({ "StartTime": 2, "EndTime": 1 }), "InvalidTimeRangeException"),
        (json!({ "EventCategory": "data" }), "InvalidEventCategoryException"),
        (
            json!({ "LookupAttributes": [{ "AttributeKey": "Colour", "AttributeValue": "red" }] }),
            "InvalidLookupAttributesException",
        ),
        (json!({ "LookupAttributes": [only[0], only[0]] }), "InvalidLookupAttributesException"),
        (json!({ "Colour": "red" }), "ValidationException"),
    ] {
        let answer = sandbox.over_json(&keys, "LookupEvents", input.clone()).await.unwrap();
        assert_eq!((answer.status, &answer.json()["__type"]), (400, &json!(code)), "{input}");
    }
    let past = lookup(&sandbox, &keys, json!({ "EndTime": 1_700_000_000 })).await;
    assert_eq!(past["Events"], json!([]));
}

#[tokio::test]
async fn the_newest_events_of_an_account_are_kept() {
    let text = format!("{SMALL}\n[observe]\nevents_per_account = 5\n");
    let sandbox = start(&text, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for _ in 0..9 {
        sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
    }
    sandbox.over_json(&keys, "DescribeAutomationExecutions", json!({})).await.unwrap();
    let answer = lookup(&sandbox, &keys, json!({})).await;
    assert_eq!(names(&answer).len(), 5);
    assert_eq!(names(&answer)[0], "DescribeAutomationExecutions");
}

#[tokio::test]
async fn the_access_log_is_a_file_of_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("logs/access.jsonl");
    let mut spec = spec(SMALL);
    spec.observe.access_log = Some(path.clone());
    let sandbox = crate::Sandbox::start(spec, crate::Options { speed: 0.0, ..Default::default() }).await.unwrap();
    let keys = sandbox.session(ALPHA);
    sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
    sandbox.get_encryption(&Keys { access_key: "AKIANOBODY".into(), token: None }, "alpha-one").await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(keys.token.as_deref().unwrap()), "no session token");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["eventSource"], "s3.amazonaws.com");
    assert_eq!(
        (&records[1]["errorCode"], &records[1]["userIdentity"]["type"]),
        (&json!("InvalidAccessKeyId"), &json!("Unknown"))
    );
}

#[tokio::test]
async fn answers_are_counted_by_region_and_code() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    sandbox.order(json!([{ "kind": "throttle", "nth": 2 }])).await;
    for _ in 0..3 {
        sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
    }
    let count = |code: &str| {
        let answers = sandbox.answers();
        let found = answers.iter().find(|a| a.account == ALPHA && a.region == "us-east-1" && a.code == code);
        found.map(|a| (a.count, a.status))
    };
    assert_eq!((count(""), count("SlowDown")), (Some((2, 200)), Some((1, 503))));
    let shown = sandbox.control("GET", "counters", Value::Null).await.json();
    assert!(shown["answers"].as_array().unwrap().iter().any(|a| a["code"] == "SlowDown"), "{shown}");
    sandbox.reset_counters();
    assert!(sandbox.answers().is_empty());
}

#[tokio::test]
async fn a_dump_shows_each_change_and_none_after_it_is_undone() {
    let sandbox = start(SMALL, 0.0).await;
    let before = sandbox.dump();
    sandbox.control("POST", "dump?name=before", Value::Null).await;
    let old = sandbox.bucket("beta-one").encryption;
    let new =
        BucketEncryption { algorithm: "aws:kms".into(), key: Some("k".into()), bucket_key: true, blocked: vec![] };
    sandbox.set_bucket_encryption("beta-one", Some(new)).unwrap();
    let differences = Dump::diff(&before, &sandbox.dump());
    assert_eq!(differences.len(), 1);
    let text = differences[0].to_string();
    assert!(text.starts_with("bucket beta-one: encryption from {\"algorithm\":\"AES256\""), "{text}");
    let shown = sandbox.control("GET", "diff?from=before", Value::Null).await.json();
    assert_eq!(shown["differences"][0]["to"]["key"], "k", "{shown}");

    sandbox.set_bucket_encryption("beta-one", old).unwrap();
    // Documents that were only looked at are no change.
    let keys = sandbox.session(ALPHA);
    let input = json!({ "Name": "EnableS3BucketEncryptionWithKMS" });
    sandbox.over_json(&keys, "DescribeDocument", input).await.unwrap();
    assert_eq!(Dump::diff(&before, &sandbox.dump()), []);
    let shown = sandbox.control("GET", "diff?from=before", Value::Null).await.json();
    assert_eq!(shown["differences"], json!([]));

    sandbox.delete_bucket("beta-one").unwrap();
    let nap =
        r#"{"schemaVersion":"0.3","mainSteps":[{"name":"Nap","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}"#;
    sandbox.put_document_content(ALPHA, "us-east-1", "EnableS3BucketEncryptionWithKMS", nap).unwrap();
    let kinds: Vec<String> = Dump::diff(&before, &sandbox.dump()).iter().map(ToString::to_string).collect();
    assert_eq!(kinds[0], "bucket beta-one: gone");
    assert!(kinds[1].starts_with("document 111111111111/us-east-1/EnableS3"), "{kinds:?}");
    assert_eq!(sandbox.control("GET", "diff?from=never", Value::Null).await.status, 404);
    let again: Dump = serde_json::from_slice(&sandbox.control("GET", "dump", Value::Null).await.body).unwrap();
    assert_eq!(Dump::diff(&again, &sandbox.dump()), []);
}

#[tokio::test]
async fn too_many_requests_are_throttled_at_the_rate_of_the_spec() {
    let text = format!(
        "{SMALL}\n[latency]\ns3_ms = 0\n[rates.operation]\n\"s3:GetBucketEncryption\" = {{ per_second = 0.01, burst = 3 }}\n"
    );
    let sandbox = start(&text, 1.0).await;
    let keys = sandbox.session(ALPHA);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(sandbox.get_encryption(&keys, "alpha-one").await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 200, 503, 503]);
    assert!(sandbox.get_encryption(&keys, "alpha-one").await.unwrap().text().contains("<Code>SlowDown</Code>"));
    let other = sandbox.session("222222222222");
    assert_eq!(sandbox.get_encryption(&other, "beta-one").await.unwrap().status, 200);
}
