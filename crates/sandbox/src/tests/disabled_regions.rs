//! A Region that is disabled in one account: each service refuses its credentials there in its own words, and accepts them elsewhere.

use serde_json::json;

use super::{Keys, start};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";
const SPEC: &str = r#"
seed = 11
accounts = 4
suspended = 0
without_member_role = 0
buckets_per_account = 0
regions = ["us-east-1", "me-south-1"]
disabled_region = [{ region = "me-south-1", accounts = ["alpha"] }]
[[account]]
name = "alpha"
id = "111111111111"
buckets = [{ name = "alpha-bahrain", region = "me-south-1", encryption = "sse_s3" }]
[[account]]
name = "beta"
id = "222222222222"
buckets = [{ name = "beta-bahrain", region = "me-south-1", encryption = "sse_s3" }]
"#;

fn body(answer: &crate::wire::Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn a_session_is_refused_there_and_accepted_elsewhere() {
    let sandbox = start(SPEC, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let listed = sandbox.send(&keys, "us-east-1/s3", "GET", "/", &[], "").await;
    assert!(listed.status == 200 && body(&listed).contains("alpha-bahrain"), "the bucket stays listed");
    let s3 = sandbox.send(&keys, "me-south-1/s3", "GET", "/alpha-bahrain?encryption", &[], "").await;
    assert!(s3.status == 400 && body(&s3).contains("<Code>InvalidToken</Code>"), "{}", body(&s3));
    let ssm = sandbox.json(&keys, "me-south-1", "DescribeAutomationExecutions", json!({})).await;
    assert_eq!(ssm.unwrap_err(), "UnrecognizedClientException");
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let sts = sandbox.send(&keys, "me-south-1/sts", "POST", "/", &[], form).await;
    assert!(sts.status == 403 && body(&sts).contains("<Code>InvalidClientTokenId</Code>"), "{}", body(&sts));
    assert_eq!(sandbox.send(&keys, "us-east-1/sts", "POST", "/", &[], form).await.status, 200);
    let other = sandbox.session(BETA);
    let s3 = sandbox.send(&other, "me-south-1/s3", "GET", "/beta-bahrain?encryption", &[], "").await;
    assert_eq!(s3.status, 200, "another account has it enabled");
}

#[tokio::test]
async fn a_users_key_is_unknown_there_and_the_region_can_be_enabled_again() {
    let sandbox = start(SPEC, 0.0).await;
    let account = sandbox.security_account().to_owned();
    sandbox.disable_region(&account, "me-south-1").unwrap();
    let keys = Keys { access_key: sandbox.credentials().0, token: None };
    let get = async || sandbox.send(&keys, "me-south-1/s3", "GET", "/", &[], "").await;
    let refused = get().await;
    assert!(refused.status == 403 && body(&refused).contains("<Code>InvalidAccessKeyId</Code>"), "{}", body(&refused));
    sandbox.enable_region(&account, "me-south-1").unwrap();
    assert!(!body(&get().await).contains("InvalidAccessKeyId"), "known again, whatever it may do");
    assert!(sandbox.disable_region(&account, "us-east-1").is_err());
    assert!(sandbox.disable_region("999999999999", "me-south-1").is_err());
}
