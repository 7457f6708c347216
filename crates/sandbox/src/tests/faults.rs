//! Each fault, ordered on the control path and seen from outside over the socket.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{SMALL, start};
use crate::{Fault, FaultKind};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";

fn put_body() -> Vec<u8> {
    b"<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
      <ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault>\
      </Rule></ServerSideEncryptionConfiguration>"
        .to_vec()
}

#[tokio::test]
async fn errors_come_in_each_services_own_words() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for (kind, s3, ssm, organizations, sts) in [
        ("throttle", (503, "SlowDown"), (400, "ThrottlingException"), "TooManyRequestsException", (400, "Throttling")),
        (
            "internal_error",
            (500, "InternalError"),
            (500, "InternalServerError"),
            "ServiceException",
            (500, "InternalFailure"),
        ),
        (
            "unavailable",
            (503, "ServiceUnavailable"),
            (503, "ServiceUnavailableException"),
            "ServiceUnavailableException",
            (503, "ServiceUnavailable"),
        ),
        (
            "expired_token",
            (400, "ExpiredToken"),
            (400, "ExpiredTokenException"),
            "ExpiredTokenException",
            (403, "ExpiredToken"),
        ),
        (
            "invalid_token",
            (400, "InvalidToken"),
            (400, "UnrecognizedClientException"),
            "UnrecognizedClientException",
            (403, "InvalidClientTokenId"),
        ),
        (
            "denied",
            (403, "AccessDenied"),
            (400, "AccessDeniedException"),
            "AccessDeniedException",
            (403, "AccessDenied"),
        ),
    ] {
        sandbox.order(json!([{ "kind": kind }])).await;
        let answer = sandbox.get_encryption(&keys, "alpha-one").await.unwrap();
        assert_eq!(answer.status, s3.0, "{kind}");
        assert!(answer.text().contains(&format!("<Code>{}</Code>", s3.1)) && answer.has_request_id(), "{kind}");
        if kind == "denied" {
            let words = ":assumed-role/OrganizationAccountAccessRole/test is not authorized to perform: s3:GetEncryptionConfiguration";
            assert!(answer.text().contains(words), "{}", answer.text());
        }
        let answer = sandbox.over_json(&keys, "DescribeAutomationExecutions", json!({})).await.unwrap();
        assert_eq!((answer.status, answer.json()["__type"].as_str()), (ssm.0, Some(ssm.1)), "{kind}");
        let answer = sandbox.over_json(&sandbox.security(), "ListAccounts", json!({})).await.unwrap();
        assert_eq!(answer.json()["__type"], organizations, "{kind}");
        let form = b"Action=GetCallerIdentity&Version=2011-06-15";
        let answer = sandbox.over(&keys, "us-east-1/sts", ("POST", "/"), &[], form).await.unwrap();
        assert_eq!(answer.status, sts.0, "{kind}");
        assert!(answer.text().contains(&format!("<Code>{}</Code>", sts.1)), "{kind}");
    }
    sandbox.control("DELETE", "faults", Value::Null).await;
    assert_eq!(sandbox.get_encryption(&keys, "alpha-one").await.unwrap().status, 200);
}

#[tokio::test]
async fn connections_break_before_or_after_the_effect() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let put = async || {
        let body = put_body();
        sandbox.over(&keys, "us-east-1/s3", ("PUT", "/alpha-one?encryption"), &[], &body).await
    };
    let algorithm = || sandbox.bucket("alpha-one").encryption.unwrap().algorithm;
    sandbox.order(json!([{ "kind": "reset_before", "where": { "operation": "PutBucketEncryption" } }])).await;
    assert_eq!(put().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(algorithm(), "AES256");
    sandbox.order(json!([{ "kind": "reset_after", "where": { "operation": "PutBucketEncryption" } }])).await;
    assert_eq!(put().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(algorithm(), "aws:kms");
}

#[tokio::test]
async fn answers_come_late_or_never_or_in_part_or_as_garbage() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let get = || sandbox.get_encryption(&keys, "alpha-one");
    sandbox.order(json!([{ "kind": "slow", "ms": 150 }])).await;
    let began = Instant::now();
    assert_eq!(get().await.unwrap().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(150));

    sandbox.order(json!([{ "kind": "hang" }])).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), get()).await.is_err());
    sandbox.order(json!([{ "kind": "hang", "ms": 100 }])).await;
    assert_eq!(get().await.unwrap_err().kind(), ErrorKind::ConnectionReset, "bounded");

    sandbox.order(json!([{ "kind": "half_sent" }])).await;
    let answer = get().await.unwrap();
    assert_eq!(answer.body.len(), answer.length() / 2, "{}", answer.text());
    assert!(answer.text().starts_with("<?xml"));

    sandbox.order(json!([{ "kind": "malformed" }])).await;
    let answer = get().await.unwrap();
    assert!(answer.status == 200 && std::str::from_utf8(&answer.body).is_err());
}

#[tokio::test]
async fn conditions_and_filters_say_whom_a_fault_strikes() {
    let sandbox = start(SMALL, 0.0).await;
    let (alpha, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
    let fails = async |keys: &super::Keys, bucket: &str, times: usize| {
        let mut seen = String::new();
        for _ in 0..times {
            let status = sandbox.get_encryption(keys, bucket).await.unwrap().status;
            seen.push(if status == 503 { 'x' } else { '.' });
        }
        seen
    };
    sandbox.order(json!([{ "kind": "throttle", "nth": 3 }])).await;
    assert_eq!(fails(&alpha, "alpha-one", 5).await, "..x..");
    assert_eq!(fails(&beta, "beta-one", 4).await, "..x.", "each account has its own count");
    sandbox.order(json!([{ "kind": "throttle", "nth": 2, "count": 2 }])).await;
    assert_eq!(fails(&alpha, "alpha-one", 5).await, ".xx..");
    sandbox.order(json!([{ "kind": "throttle", "first": 2 }])).await;
    assert_eq!(fails(&alpha, "alpha-one", 4).await, "xx..");
    for filter in [
        json!({ "account": "111*" }),
        json!({ "bucket": "alpha-*", "service": "s3" }),
        json!({ "operation": "Get*Encryption", "region": "us-east-?", "account": ALPHA }),
    ] {
        sandbox.order(json!([{ "kind": "throttle", "where": filter }])).await;
        assert_eq!(fails(&alpha, "alpha-one", 2).await, "xx", "{filter}");
        assert_eq!(fails(&beta, "beta-one", 2).await, "..", "{filter}");
    }
    let state = &sandbox.faults()[0];
    assert_eq!((state.matched, state.struck), (2, 2));
    assert_eq!(state.struck_by_account, [(ALPHA.to_string(), 2)].into());
}

#[tokio::test]
async fn the_same_seed_strikes_the_same_requests_of_each_account() {
    let order = json!([{ "kind": "throttle", "probability": 0.4, "where": { "operation": "GetBucketEncryption" } }]);
    let mut seen = Vec::new();
    for interleaved in [false, true] {
        let sandbox = start(SMALL, 0.0).await;
        sandbox.order(order.clone()).await;
        let (alpha, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
        let mut statuses = (Vec::new(), Vec::new());
        for _ in 0..40 {
            if interleaved {
                statuses.1.push(sandbox.get_encryption(&beta, "beta-one").await.unwrap().status);
            }
            statuses.0.push(sandbox.get_encryption(&alpha, "alpha-one").await.unwrap().status);
        }
        let struck = statuses.0.iter().filter(|status| **status == 503).count();
        assert!((8..=24).contains(&struck), "{struck} of 40");
        assert!(!interleaved || statuses.0 != statuses.1, "accounts differ");
        seen.push(statuses.0);
    }
    assert_eq!(seen[0], seen[1], "another account's requests change nothing");
}

#[tokio::test]
async fn a_put_is_not_seen_at_once() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    sandbox.order(json!([{ "kind": "stale_encryption", "ms": 200, "where": { "bucket": "alpha-one" } }])).await;
    let execution = sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    assert!(sandbox.get_encryption(&keys, "alpha-one").await.unwrap().text().contains("AES256"));
    assert_eq!(sandbox.bucket("alpha-one").encryption.unwrap().algorithm, "aws:kms");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(sandbox.get_encryption(&keys, "alpha-one").await.unwrap().text().contains("aws:kms"));
}

#[tokio::test]
async fn an_automation_lies_or_is_late_or_sets_another_key() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let shown = async || sandbox.get_encryption(&keys, "alpha-one").await.unwrap().text();
    sandbox.order(json!([{ "kind": "automation_lie" }])).await;
    let execution = sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    assert!(shown().await.contains("AES256"));

    sandbox.order(json!([{ "kind": "automation_wrong_key" }])).await;
    let execution = sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    let text = shown().await;
    assert!(text.contains(&format!(":{ALPHA}:key/")), "the account's own key: {text}");

    sandbox.order(json!([{ "kind": "automation_late", "ms": 150 }])).await;
    let execution = sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(execution["AutomationExecutionStatus"], "Success", "{execution}");
    assert!(shown().await.contains(&format!(":{ALPHA}:key/")));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(shown().await.contains(&*sandbox.world.central_arns[0]));
}

#[tokio::test]
async fn an_automation_fails_times_out_or_is_cancelled_and_changes_nothing() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let before = sandbox.buckets();
    for (kind, status) in
        [("automation_fail", "Failed"), ("automation_timed_out", "TimedOut"), ("automation_cancelled", "Cancelled")]
    {
        sandbox.order(json!([{ "kind": kind, "nth": 1 }])).await;
        let execution = sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
        assert_eq!(execution["AutomationExecutionStatus"], status, "{execution}");
        assert_eq!(sandbox.buckets(), before);
    }
}

#[tokio::test]
async fn a_stuck_automation_stays_until_it_is_stopped() {
    let text = SMALL.replacen("seed", "executions.concurrent = 1\nseed", 1);
    let sandbox = start(&text, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for status in ["Pending", "Waiting", "InProgress"] {
        sandbox.order(json!([{ "kind": "automation_stuck", "status": status, "nth": 1 }])).await;
        let id = sandbox.start_over(&keys, ALPHA, "alpha-one").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(sandbox.execution_over(&keys, &id).await["AutomationExecutionStatus"], status);
        if status == "Pending" {
            // Alone of the three it does not take one of the places of those that run.
            let next = sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
            assert_eq!(next["AutomationExecutionStatus"], "Success");
        }
        let stop = json!({ "AutomationExecutionId": id });
        assert_eq!(sandbox.over_json(&keys, "StopAutomationExecution", stop).await.unwrap().status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(sandbox.execution_over(&keys, &id).await["AutomationExecutionStatus"], "Cancelled");
    }
    let refused = sandbox.control("PUT", "faults", json!([{ "kind": "automation_stuck" }])).await;
    assert!(refused.status == 400 && refused.text().contains("needs a status"), "{}", refused.text());
}

#[tokio::test]
async fn an_execution_is_not_listed_at_once() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let listed = async || {
        let answer = sandbox.over_json(&keys, "DescribeAutomationExecutions", json!({})).await.unwrap().json();
        answer["AutomationExecutionMetadataList"].as_array().unwrap().len()
    };
    sandbox.order(json!([{ "kind": "automation_invisible", "ms": 200, "nth": 2 }])).await;
    sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(listed().await, 1);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(listed().await, 2);

    let text = SMALL.replacen("seed", "executions.visible_after_ms = 2000\nseed", 1);
    let sandbox = start(&text, 10.0).await;
    let keys = sandbox.session(ALPHA);
    let count = async || {
        let answer = sandbox.over_json(&keys, "DescribeAutomationExecutions", json!({})).await.unwrap().json();
        answer["AutomationExecutionMetadataList"].as_array().unwrap().len()
    };
    sandbox.start_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(count().await, 0);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(count().await, 1, "the delay is scaled by the speed");
}

#[tokio::test]
async fn documents_and_keys_change_from_the_nth_start_on() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let document = async || {
        let input = json!({ "Name": "EnableS3BucketEncryptionWithKMS" });
        let answer = sandbox.over_json(&keys, "DescribeDocument", input).await.unwrap().json();
        (answer["Document"]["DefaultVersion"].clone(), answer["Document"]["Hash"].clone())
    };
    let state = async || {
        let input = json!({ "KeyId": sandbox.world.central_arns[0].as_ref() });
        let answer = sandbox.over_json(&keys, "DescribeKey", input).await.unwrap().json();
        (answer["KeyMetadata"]["KeyState"].clone(), answer["KeyMetadata"]["Enabled"].clone())
    };
    sandbox.order(json!([{ "kind": "document_changed", "nth": 2 }, { "kind": "key_disabled", "nth": 2 }])).await;
    sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    let (version, hash) = document().await;
    assert_eq!((version, state().await), (json!("1"), (json!("Enabled"), json!(true))));
    sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    let (version, changed) = document().await;
    assert_eq!((version, state().await), (json!("2"), (json!("Disabled"), json!(false))));
    assert_ne!(changed, hash);

    sandbox.order(json!([{ "kind": "key_pending_deletion" }])).await;
    sandbox.seal_over(&keys, ALPHA, "alpha-one").await;
    assert_eq!(state().await, (json!("PendingDeletion"), json!(false)));
}

#[tokio::test]
async fn buckets_vanish_and_change_hands_in_mid_run() {
    let text = SMALL.replacen("seed", "executions = { min_seconds = 0.2, max_seconds = 0.2 }\nseed", 1);
    let directory = tempfile::tempdir().unwrap();
    let options = crate::Options { directory: Some(directory.path().into()), speed: 10.0, port: 0 };
    let sandbox = crate::Sandbox::start(super::spec(&text), options.clone()).await.unwrap();
    let (alpha, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
    let faults = json!([
        { "kind": "bucket_retaken", "account": ALPHA, "where": { "account": BETA } },
        { "kind": "bucket_deleted", "where": { "bucket": "alpha-one" } },
    ]);
    sandbox.order(faults).await;
    let execution = sandbox.seal_over(&alpha, ALPHA, "alpha-one").await;
    assert!(execution["FailureMessage"].as_str().unwrap().contains("NoSuchBucket"), "{execution}");
    assert_eq!(sandbox.get_encryption(&alpha, "alpha-one").await.unwrap().status, 404);
    let execution = sandbox.seal_over(&beta, BETA, "beta-one").await;
    assert!(execution["FailureMessage"].as_str().unwrap().contains("AccessDenied"), "{execution}");
    assert_eq!(sandbox.get_encryption(&beta, "beta-one").await.unwrap().status, 403);
    assert!(sandbox.get_encryption(&alpha, "beta-one").await.unwrap().text().contains("AES256"));
    let before = sandbox.dump();
    sandbox.stop();
    let again = crate::Sandbox::start(super::spec(&text), options).await.unwrap();
    assert_eq!(crate::Dump::diff(&before, &again.dump()), [], "ownership and deletion outlive the process");
}

#[tokio::test]
async fn faults_come_from_the_spec_and_by_the_rust_api_too() {
    let text = format!("{SMALL}\n[[fault]]\nkind = \"throttle\"\nwhere.operation = \"ListBuckets\"\nfirst = 1\n");
    let sandbox = start(&text, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let list = || sandbox.over(&keys, "us-east-1/s3", ("GET", "/"), &[], b"");
    assert_eq!(list().await.unwrap().status, 503);
    assert_eq!(list().await.unwrap().status, 200);
    let shown = sandbox.control("GET", "faults", Value::Null).await.json();
    assert_eq!(shown["faults"][0]["struck"], 1, "{shown}");
    assert_eq!(shown["faults"][0]["fault"]["where"]["operation"], "ListBuckets");
    sandbox.set_faults(vec![Fault::new(FaultKind::InternalError)]).unwrap();
    assert_eq!(list().await.unwrap().status, 500);
    let impossible = Fault { probability: Some(2.0), ..Fault::new(FaultKind::Throttle) };
    assert!(sandbox.set_faults(vec![impossible]).unwrap_err().to_string().contains("0.0 to 1.0"));
    assert_eq!(sandbox.faults()[0].fault.kind, FaultKind::InternalError, "nothing was replaced");
    let error = crate::Spec::from_toml("[[fault]]\nkind = \"thunder\"\n", "x.toml").unwrap_err().to_string();
    assert!(error.starts_with("x.toml:2: ") && error.contains("automation_lie"), "{error}");
}

#[tokio::test]
async fn an_execution_misbehaves_to_its_end_even_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = crate::Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
    let sandbox = crate::Sandbox::start(super::spec(SMALL), options.clone()).await.unwrap();
    let keys = sandbox.session(ALPHA);
    let mut ids = Vec::new();
    for status in ["Pending", "Waiting"] {
        sandbox.order(json!([{ "kind": "automation_stuck", "status": status }, { "kind": "key_disabled" }])).await;
        ids.push(sandbox.start_over(&keys, ALPHA, "alpha-one").await);
    }
    sandbox.stop();

    let again = crate::Sandbox::start(super::spec(SMALL), options).await.unwrap();
    let keys = again.session(ALPHA);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(again.execution_over(&keys, &ids[0]).await["AutomationExecutionStatus"], "Pending");
    assert_eq!(again.execution_over(&keys, &ids[1]).await["AutomationExecutionStatus"], "Waiting");
    let states: Vec<String> = again.dump().keys.into_values().collect();
    assert_eq!(states, ["Disabled"]);
    for id in ids {
        let stop = json!({ "AutomationExecutionId": id });
        assert_eq!(again.over_json(&keys, "StopAutomationExecution", stop).await.unwrap().status, 200);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(again.executions().iter().all(|execution| execution.status == "Cancelled"));
}

#[tokio::test]
async fn bodies_end_early_or_never_or_are_not_there_in_complete_answers() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let get = || sandbox.get_encryption(&keys, "alpha-one");
    let whole = get().await.unwrap().body.len();
    sandbox.order(json!([{ "kind": "truncated_body" }])).await;
    let answer = get().await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.length()), (200, whole / 2, whole / 2));
    sandbox.order(json!([{ "kind": "truncated_body", "before": "</Rule>" }])).await;
    let text = get().await.unwrap().text().to_string();
    assert!(text.contains("</ApplyServerSideEncryptionByDefault>") && !text.contains("</Rule>"), "{text}");
    sandbox.order(json!([{ "kind": "truncated_body", "before": "<Nothing" }])).await;
    assert_eq!(get().await.unwrap().body.len(), whole);
    sandbox.order(json!([{ "kind": "empty_body" }])).await;
    let answer = get().await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    sandbox.order(json!([{ "kind": "endless_body" }])).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), get()).await.is_err());
}

#[tokio::test]
async fn lists_never_end_and_numbers_are_extreme() {
    let sandbox = start(SMALL, 0.0).await;
    let security = sandbox.security();
    let token = async |token: Value| {
        let input = if token.is_null() { json!({}) } else { json!({ "NextToken": token }) };
        sandbox.over_json(&security, "ListAccounts", input).await.unwrap().json()["NextToken"].clone()
    };
    sandbox.order(json!([{ "kind": "repeated_token" }])).await;
    let first = token(Value::Null).await;
    assert!(first.is_string());
    assert_eq!(token(first.clone()).await, first);
    sandbox.order(json!([{ "kind": "cycling_token" }])).await;
    let mut seen = vec![token(Value::Null).await];
    for _ in 0..3 {
        seen.push(token(seen.last().unwrap().clone()).await);
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] == seen[3], "{seen:?}");
    sandbox.order(json!([{ "kind": "extreme_numbers", "numbers": ["-1e300"] }])).await;
    let answer = sandbox.over_json(&security, "ListAccounts", json!({})).await.unwrap();
    assert!(answer.text().contains("\"JoinedTimestamp\":-1e300"), "{}", answer.text());
    sandbox.order(json!([{ "kind": "cycling_token", "where": { "service": "s3" } }])).await;
    let keys = sandbox.session(ALPHA);
    let list = sandbox.over(&keys, "us-east-1/s3", ("GET", "/?max-buckets=1000"), &[], b"").await.unwrap();
    assert!(list.text().contains("<ContinuationToken>token-one</ContinuationToken>"), "{}", list.text());
}

#[tokio::test]
async fn elements_lack_members_or_come_twice_and_errors_are_cut_off() {
    let sandbox = start(SMALL, 0.0).await;
    let (keys, security) = (sandbox.session(ALPHA), sandbox.security());
    let buckets = async || {
        let answer = sandbox.over(&keys, "us-east-1/s3", ("GET", "/?x-id=ListBuckets"), &[], b"").await.unwrap();
        let text = answer.text().to_string();
        (text.matches("<Bucket>").count(), text.matches("<Name>").count(), text.contains("<Name></Name>"))
    };
    let accounts =
        async || sandbox.over_json(&security, "ListAccounts", json!({})).await.unwrap().json()["Accounts"].clone();
    let (whole, listed) = (buckets().await, accounts().await);
    sandbox.order(json!([{ "kind": "missing_member", "member": "Name" }])).await;
    assert_eq!(buckets().await, (whole.0, whole.1 - 1, false));
    sandbox.order(json!([{ "kind": "empty_member", "member": "Name" }])).await;
    assert_eq!(buckets().await, (whole.0, whole.1, true));
    sandbox.order(json!([{ "kind": "missing_member", "member": "Id" }])).await;
    let changed = accounts().await;
    assert!(changed[0]["Id"].is_null() && changed[0]["Name"].is_string() && changed[1]["Id"].is_string());
    sandbox.order(json!([{ "kind": "repeated_elements" }])).await;
    assert_eq!(buckets().await, (2 * whole.0, 2 * whole.1, false));
    let twice = accounts().await;
    assert_eq!(twice.as_array().unwrap().len(), 2 * listed.as_array().unwrap().len());
    assert_eq!((&twice[0], &twice[1]), (&listed[0], &listed[0]));
    sandbox.order(json!([{ "kind": "truncated_error", "before": "</Message>" }])).await;
    let answer = sandbox.get_encryption(&keys, "no-such-bucket").await.unwrap();
    assert!(answer.status == 404 && answer.text().ends_with("exist"), "{}", answer.text());
    assert_eq!(sandbox.get_encryption(&keys, "alpha-one").await.unwrap().status, 200);
}
