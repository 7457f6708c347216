//! `BlockedEncryptionTypes` as S3 returns it since April 2026, and bucket names from before March 2018.

use serde_json::{Value, json};

use super::{Keys, SMALL, seal, spec, start};
use crate::{Sandbox, Spec};

const ALPHA: &str = "111111111111";
const NAME: &str = "EnableS3BucketEncryptionWithKMS";

fn with(settings: &str) -> String {
    SMALL.replacen("seed", &format!("blocked_types = {{ {settings} }}\nseed"), 1)
}

/// What S3 returns for a bucket: the blocked type, or nothing where the element is left out.
async fn returned(sandbox: &Sandbox, keys: &Keys, region: &str, bucket: &str) -> Option<String> {
    let answer = sandbox.send(keys, &format!("{region}/s3"), "GET", &format!("/{bucket}?encryption"), &[], "").await;
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    let (_, rest) = body.split_once("<EncryptionType>")?;
    rest.split_once('<').map(|(value, _)| value.to_owned())
}

async fn put(sandbox: &Sandbox, keys: &Keys, bucket: &str, blocked: Option<&str>) {
    let element = blocked.map_or_else(String::new, |kind| {
        format!("<BlockedEncryptionTypes><EncryptionType>{kind}</EncryptionType></BlockedEncryptionTypes>")
    });
    let body = format!(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
         </ApplyServerSideEncryptionByDefault>{element}</Rule></ServerSideEncryptionConfiguration>"
    );
    let path = format!("/{bucket}?encryption");
    assert_eq!(sandbox.send(keys, "us-east-1/s3", "PUT", &path, &[], &body).await.status, 200);
}

#[tokio::test]
async fn a_put_without_the_element_does_what_the_spec_says() {
    for (settings, after) in [
        ("", [Some("SSE-C"), Some("NONE")]),
        ("omitted = \"clears\"", [Some("NONE"), Some("NONE")]),
        ("omitted = \"blocks\"", [Some("SSE-C"), Some("SSE-C")]),
        ("before_2026 = true", [None, None]),
    ] {
        let sandbox = start(&with(settings), 0.0).await;
        let keys = sandbox.session(ALPHA);
        for (before, after) in ["SSE-C", "NONE"].into_iter().zip(after) {
            put(&sandbox, &keys, "alpha-one", Some(before)).await;
            assert_eq!(returned(&sandbox, &keys, "us-east-1", "alpha-one").await.as_deref(), Some(before));
            put(&sandbox, &keys, "alpha-one", None).await;
            assert_eq!(returned(&sandbox, &keys, "us-east-1", "alpha-one").await.as_deref(), after, "{settings}");
        }
    }
}

#[tokio::test]
async fn every_bucket_returns_the_element_except_before_2026_and_in_later_regions() {
    let regions = "regions = [\"us-east-1\", \"me-south-1\"]\n[encryption]\nnone = 0\n";
    for (settings, everywhere, expected) in [("", true, Some("NONE")), ("before_2026 = true", false, None)] {
        let sandbox = start(&with(settings), 0.0).await;
        let keys = sandbox.session(ALPHA);
        assert_eq!(returned(&sandbox, &keys, "us-east-1", "alpha-one").await.as_deref(), expected);
        let sandbox = start(&format!("blocked_types = {{ {settings} }}\n{regions}"), 0.0).await;
        let returns = |bucket: &crate::BucketState| !bucket.encryption.as_ref().unwrap().blocked.is_empty();
        let (home, later): (Vec<_>, Vec<_>) =
            sandbox.buckets().into_iter().partition(|bucket| bucket.region == "us-east-1");
        assert_eq!(home.iter().all(returns), everywhere);
        assert!(!later.iter().all(returns), "only buckets that somebody set return it there");
    }
    let absent = SMALL.replacen("\"sse_s3\"\n", "\"sse_s3\"\nblocked_types = \"absent\"\n", 1);
    let sandbox = start(&absent, 0.0).await;
    assert_eq!(returned(&sandbox, &sandbox.session(ALPHA), "us-east-1", "alpha-one").await, None);
}

async fn seal_alpha(sandbox: &Sandbox, blocked: Option<&str>) -> Value {
    let keys = sandbox.session(ALPHA);
    let mut parameters = seal(sandbox, ALPHA, 0, "alpha-one");
    if let Some(blocked) = blocked {
        parameters["BlockedEncryptionType"] = json!([blocked]);
    }
    let input = json!({ "DocumentName": NAME, "Parameters": parameters });
    let id = sandbox.start_execution(&keys, "us-east-1", input).await.unwrap();
    sandbox.until_ended(&keys, "us-east-1", &id).await
}

#[tokio::test]
async fn an_automation_engine_that_is_too_old_sends_nothing() {
    let sandbox = start(&with("automation = \"refused\""), 0.0).await;
    let before = sandbox.bucket("alpha-one");
    let failed = seal_alpha(&sandbox, Some("SSE-C")).await;
    assert_eq!(failed["AutomationExecutionStatus"], "Failed");
    let message = failed["FailureMessage"].as_str().unwrap();
    let expected = "Unknown parameter in ServerSideEncryptionConfiguration.Rules[0]: \"BlockedEncryptionTypes\", must be one of: \
                    ApplyServerSideEncryptionByDefault, BucketKeyEnabled";
    assert!(message.contains(expected), "{message}");
    assert_eq!(sandbox.bucket("alpha-one"), before);
    assert_eq!(seal_alpha(&sandbox, None).await["AutomationExecutionStatus"], "Success");
}

#[tokio::test]
async fn names_from_before_march_2018_are_in_us_east_1_alone() {
    let named = |name: &str| SMALL.replacen("alpha-one", name, 1);
    for name in ["Acme_Central_1", "acme_logs.2013", &"a".repeat(255)] {
        let sandbox = start(&named(name), 0.0).await;
        let keys = sandbox.session(ALPHA);
        assert_eq!(returned(&sandbox, &keys, "us-east-1", name).await.as_deref(), Some("NONE"), "{name}");
        // Nobody can create such a bucket any more.
        let made = sandbox.send(&keys, "us-east-1/s3", "PUT", "/Acme_New", &[], "").await;
        assert_eq!(made.status, 400);
    }
    spec(&named("www.example.com"));
    let ireland = SMALL.replacen("alpha-ireland", "Alpha_Ireland", 1);
    let error = Spec::from_toml(&ireland, "my.toml").unwrap_err().to_string();
    assert!(error.contains("only us-east-1 took such names"), "{error}");
    let error = Spec::from_toml(&named(&"a".repeat(256)), "my.toml").unwrap_err().to_string();
    assert!(error.contains("never was a bucket's name"), "{error}");
}
