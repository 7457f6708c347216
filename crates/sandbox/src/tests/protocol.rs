//! Rules of the services that are easier to reach from here than through an SDK: Regions, owners, expiry, counters.

use serde_json::json;

use super::{Keys, SMALL, start};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";

fn header<'a>(answer: &'a crate::wire::Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

fn body(answer: &crate::wire::Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn a_bucket_answers_in_its_region_and_to_its_owner_only() {
    let sandbox = start(SMALL, 0.0).await;
    let get = async |account: &str, region: &str, bucket: &str| {
        let keys = sandbox.session(account);
        let scope = format!("{region}/s3");
        let answer = sandbox.send(&keys, &scope, "GET", &format!("/{bucket}?encryption"), &[], "").await;
        assert!(header(&answer, "x-amz-request-id").is_some() && header(&answer, "x-amz-id-2").is_some());
        answer
    };
    assert_eq!(get(ALPHA, "us-east-1", "alpha-one").await.status, 200);
    let elsewhere = get(ALPHA, "us-east-1", "alpha-ireland").await;
    assert_eq!((elsewhere.status, header(&elsewhere, "x-amz-bucket-region")), (301, Some("eu-west-1")));
    assert!(body(&elsewhere).contains("<Code>PermanentRedirect</Code>"));
    let none = get(ALPHA, "eu-west-1", "alpha-ireland").await;
    assert_eq!(none.status, 404);
    assert!(body(&none).contains("<Code>ServerSideEncryptionConfigurationNotFoundError</Code>"));
    assert_eq!(get(BETA, "us-east-1", "alpha-one").await.status, 403);
    let nobodys = get(ALPHA, "us-east-1", "nobodys").await;
    assert!(nobodys.status == 404 && body(&nobodys).contains("<Code>NoSuchBucket</Code>"));
    let keys = sandbox.session(ALPHA);
    let hosted = [("host", "alpha-one.localhost:4566")];
    let answer = sandbox.send(&keys, "us-east-1/s3", "GET", "/?encryption", &hosted, "").await;
    assert_eq!(answer.status, 200, "virtual-host style");
}

#[tokio::test]
async fn a_session_ends() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    sandbox.world.sessions.expire_all(crate::wire::now_ms());
    let s3 = sandbox.send(&keys, "us-east-1/s3", "GET", "/", &[], "").await;
    assert!(s3.status == 400 && body(&s3).contains("<Code>ExpiredToken</Code>"));
    let ssm = sandbox.json(&keys, "us-east-1", "DescribeAutomationExecutions", json!({})).await;
    assert_eq!(ssm.unwrap_err(), "ExpiredTokenException");
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let sts = sandbox.send(&keys, "us-east-1/sts", "POST", "/", &[], form).await;
    assert!(sts.status == 403 && body(&sts).contains("<Code>ExpiredToken</Code>"));
}

#[tokio::test]
async fn a_session_needs_its_token_and_a_user_needs_none() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = Keys { token: None, ..sandbox.session(ALPHA) };
    let answer = sandbox.send(&keys, "us-east-1/s3", "GET", "/", &[], "").await;
    assert!(body(&answer).contains("<Code>InvalidAccessKeyId</Code>"));
    assert_eq!(sandbox.send(&sandbox.security(), "us-east-1/s3", "GET", "/", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_chained_session_lasts_an_hour_at_most() {
    let text = SMALL.replacen("seed", "member_role = { max_session_seconds = 7200, external_id = \"xx\" }\nseed", 1);
    let sandbox = start(&text, 0.0).await;
    let security = sandbox.security_account().to_string();
    let form = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{ALPHA}%3Arole%2Forgseal-member&RoleSessionName=me&ExternalId=xx&DurationSeconds=7200"
    );
    let direct = sandbox.send(&sandbox.security(), "us-east-1/sts", "POST", "/", &[], &form).await;
    assert_eq!(direct.status, 200, "{}", body(&direct));
    let chained = sandbox.session_of(&security, "orgseal");
    let answer = sandbox.send(&chained, "us-east-1/sts", "POST", "/", &[], &form).await;
    assert!(answer.status == 400 && body(&answer).contains("<Code>ValidationError</Code>"), "{}", body(&answer));
    let hour = form.replace("7200", "3600");
    assert_eq!(sandbox.send(&chained, "us-east-1/sts", "POST", "/", &[], &hour).await.status, 200);
}

#[tokio::test]
async fn a_key_policy_without_the_organization_keeps_members_out() {
    let text = SMALL.replacen("seed", "central_key = { admits_organization = false }\nseed", 1);
    let sandbox = start(&text, 0.0).await;
    let input = json!({ "KeyId": sandbox.world.central_arns[0].as_ref() });
    let member = sandbox.json(&sandbox.session(ALPHA), "us-east-1", "DescribeKey", input.clone()).await;
    assert_eq!(member.unwrap_err(), "AccessDeniedException");
    assert!(sandbox.json(&sandbox.security(), "us-east-1", "DescribeKey", input.clone()).await.is_ok());
    let elsewhere = sandbox.json(&sandbox.security(), "eu-west-1", "DescribeKey", input).await;
    assert_eq!(elsewhere.unwrap_err(), "NotFoundException");
}

#[tokio::test]
async fn requests_are_counted_by_who_asked_for_what() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for _ in 0..3 {
        sandbox.send(&keys, "us-east-1/s3", "GET", "/alpha-one?encryption", &[], "").await;
    }
    sandbox.send(&sandbox.session(BETA), "us-east-1/s3", "GET", "/alpha-one?encryption", &[], "").await;
    sandbox.json(&sandbox.security(), "us-east-1", "ListAccounts", json!({})).await.unwrap();
    let counters = sandbox.counters();
    assert_eq!(counters.of(ALPHA, "s3", "GetBucketEncryption"), 3);
    assert_eq!(counters.totals("s3", "GetBucketEncryption"), 4, "refused ones count too");
    assert_eq!(counters.all(), 5);
    sandbox.reset_counters();
    assert_eq!(sandbox.counters().all(), 0);
}

#[tokio::test]
async fn dropping_a_sandbox_inside_a_runtime_frees_its_port() {
    let sandbox = start(SMALL, 0.0).await;
    let address = sandbox.endpoint().strip_prefix("http://").unwrap().to_string();
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
    drop(sandbox);
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}
