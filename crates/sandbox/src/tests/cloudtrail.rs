//! CloudTrail's delays and the KMS events of others: made when asked for, the same for the same seed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Keys, SMALL, start};
use crate::Sandbox;

const ALPHA: &str = "111111111111";

fn kms() -> Value {
    json!([{ "AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com" }])
}

async fn lookup(sandbox: &Sandbox, keys: &Keys, input: Value) -> Value {
    let answer = sandbox.over_json(keys, "LookupEvents", input).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Every event of a window, page by page.
async fn all(sandbox: &Sandbox, keys: &Keys, from: i64, to: i64) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let input = json!({ "LookupAttributes": kms(), "StartTime": from, "EndTime": to, "NextToken": token });
        let mut page = lookup(sandbox, keys, input).await;
        found.append(page["Events"].as_array_mut().unwrap());
        token = page["NextToken"].take();
        if token.is_null() {
            return found;
        }
    }
}

fn background(rates: &str) -> String {
    format!("{SMALL}\n[[cloudtrail.background]]\naccounts = [\"{ALPHA}\"]\n{rates}\n")
}

fn now() -> i64 {
    crate::wire::now_ms() / 1000
}

#[tokio::test]
async fn an_account_has_kms_events_at_its_rate_at_all_times() {
    let sandbox = start(&background("kms_events_per_second = 30\nkms_denials_per_second = 0.5"), 0.0).await;
    let keys = sandbox.session(ALPHA);
    // A minute of last month: nobody was there to store it.
    let from = now() - 30 * 86_400;
    let events = all(&sandbox, &keys, from, from + 59).await;
    assert!((1_780..=1_880).contains(&events.len()), "{}", events.len());
    let ids: BTreeSet<&str> = events.iter().map(|event| event["EventId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "no event twice");
    let times: Vec<f64> = events.iter().map(|event| event["EventTime"].as_f64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "newest first");
    assert!(times.iter().all(|at| (from as f64..=(from + 59) as f64).contains(at)));
    let records: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap()).collect();
    let denied: Vec<&Value> = records.iter().filter(|record| record["errorCode"] == "AccessDenied").collect();
    assert!((20..=40).contains(&denied.len()), "{}", denied.len());
    assert!(denied[0]["errorMessage"].as_str().unwrap().contains("the resource associated with this ciphertext"));
    assert_eq!(
        (&denied[0]["requestParameters"], &denied[0]["userIdentity"]["invokedBy"]),
        (&Value::Null, &json!("s3.amazonaws.com"))
    );
    assert!(
        denied[0]["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"]
            .as_str()
            .unwrap()
            .ends_with("role/legacy-reader")
    );
    // The same seed, the same events; each can be asked for by its id; and other accounts have none.
    let again = start(&background("kms_events_per_second = 30\nkms_denials_per_second = 0.5"), 0.0).await;
    assert_eq!(all(&again, &again.session(ALPHA), from, from + 59).await, events);
    let id = json!([{ "AttributeKey": "EventId", "AttributeValue": events[7]["EventId"] }]);
    assert_eq!(lookup(&sandbox, &keys, json!({ "LookupAttributes": id })).await["Events"][0], events[7]);
    let name = json!([{ "AttributeKey": "EventName", "AttributeValue": "GenerateDataKey" }]);
    assert_eq!(lookup(&sandbox, &keys, json!({ "LookupAttributes": name })).await["Events"], json!([]));
    let security = sandbox.session(sandbox.security_account());
    assert_eq!(all(&sandbox, &security, from, from + 59).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_others_do_and_what_is_kept_come_together_by_time() {
    let sandbox = start(&background("kms_events_per_second = 20"), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let from = now() - 2;
    for _ in 0..5 {
        sandbox
            .over_json(&keys, "DescribeKey", json!({ "KeyId": sandbox.world.central_arns[0].to_string() }))
            .await
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    let events = all(&sandbox, &keys, from, now() + 5).await;
    let own = events.iter().filter(|event| event["EventName"] == "DescribeKey").count();
    assert_eq!(own, 5);
    assert!(events.len() > 30, "{}", events.len());
    let times: Vec<f64> = events.iter().map(|event| event["EventTime"].as_f64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "newest first: {times:?}");
}

#[tokio::test]
async fn an_event_shows_after_its_delay() {
    let delay = "\n[cloudtrail]\ndelay_min_seconds = 60\ndelay_max_seconds = 120\n";
    let sandbox = start(&format!("{SMALL}{delay}"), 60.0).await;
    let keys = sandbox.session(ALPHA);
    let began = std::time::Instant::now();
    sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
    let name = json!([{ "AttributeKey": "EventName", "AttributeValue": "GetBucketEncryption" }]);
    loop {
        let found = lookup(&sandbox, &keys, json!({ "LookupAttributes": name })).await;
        if found["Events"] != json!([]) {
            break;
        }
        assert!(began.elapsed().as_secs() < 20, "it never shows");
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    }
    assert!(began.elapsed().as_millis() >= 1_000, "a minute at speed 60 is a second: {:?}", began.elapsed());
    // With no delay at all there is none here either.
    let sandbox = start(&format!("{SMALL}{delay}"), 0.0).await;
    let keys = sandbox.session(ALPHA);
    sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
    assert_eq!(
        lookup(&sandbox, &keys, json!({ "LookupAttributes": name })).await["Events"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_second_belongs_to_a_window_whole() {
    let sandbox = start(&background("kms_events_per_second = 7"), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let from = now() - 5_000;
    let whole = all(&sandbox, &keys, from, from + 20).await.len();
    let parts =
        all(&sandbox, &keys, from, from + 9).await.len() + all(&sandbox, &keys, from + 10, from + 20).await.len();
    assert_eq!(whole, parts);
}
