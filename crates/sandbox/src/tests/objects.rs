//! Objects and keys: which writes and reads a bucket's encryption lets through, and who takes a bucket's name.

use serde_json::{Value, json};

use super::{Keys, SMALL, start};
use crate::wire::Answer;
use crate::{BucketEncryption, KeyState, Sandbox};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

/// The status, and the code of an error.
fn outcome(answer: &Answer) -> (u16, &str) {
    let code = body(answer).split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    (answer.status, code.map_or("", |(code, _)| code))
}

impl Sandbox {
    async fn object(&self, keys: &Keys, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let text = if method == "PUT" { "content" } else { "" };
        self.send(keys, "us-east-1/s3", method, path, headers, text).await
    }

    async fn unsigned(&self, method: &str, path: &str) -> Answer {
        let parts = http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0;
        let request = crate::request::Request::new(parts, bytes::Bytes::new());
        crate::services::answer(&self.world, &request).await
    }

    fn default_key(&self, bucket: &str, key: &str) {
        let encryption = BucketEncryption {
            algorithm: "aws:kms".into(),
            key: Some(key.into()),
            bucket_key: true,
            blocked: vec!["SSE-C".into()],
        };
        self.set_bucket_encryption(bucket, Some(encryption)).unwrap();
    }

    async fn iam(&self, keys: &Keys, form: &str) -> Answer {
        let form = format!("{form}&Version=2010-05-08");
        self.send(keys, "us-east-1/iam", "POST", "/", &[], &form).await
    }

    /// A session of a role made by CreateRole, which every principal of the account may assume.
    async fn made_role(&self, account: &str, name: &str, permissions: &[&str]) -> Keys {
        let keys = self.session(account);
        let encode = |value: Value| {
            percent_encoding::utf8_percent_encode(&value.to_string(), percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let trust = encode(json!({ "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") } }] }));
        let made =
            self.iam(&keys, &format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}")).await;
        assert_eq!(made.status, 200, "{}", body(&made));
        if !permissions.is_empty() {
            let policy =
                encode(json!({ "Statement": [{ "Effect": "Allow", "Action": permissions, "Resource": "*" }] }));
            let form = format!("Action=PutRolePolicy&RoleName={name}&PolicyName=p&PolicyDocument={policy}");
            assert_eq!(self.iam(&keys, &form).await.status, 200);
        }
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2F{name}&RoleSessionName=test"
        );
        let assumed = self.send(&keys, "us-east-1/sts", "POST", "/", &[], &form).await;
        let part = |name: &str| {
            let text = body(&assumed).split_once(&format!("<{name}>")).unwrap().1;
            text.split_once('<').unwrap().0.to_string()
        };
        Keys { access_key: part("AccessKeyId"), token: Some(part("SessionToken")) }
    }
}

#[tokio::test]
async fn a_principal_of_the_buckets_own_account_needs_rights_on_the_central_key() {
    let sandbox = start(SMALL, 0.0).await;
    sandbox.default_key("alpha-one", &sandbox.world.central_arns[0].clone());
    let without = sandbox.made_role(ALPHA, "without", &["s3:*"]).await;
    let writer = sandbox.made_role(ALPHA, "writer", &["s3:*", "kms:GenerateDataKey"]).await;
    let reader = sandbox.made_role(ALPHA, "reader", &["s3:*", "kms:Decrypt"]).await;
    let refused = sandbox.object(&without, "PUT", "/alpha-one/k", &[]).await;
    assert_eq!(outcome(&refused), (403, "AccessDenied"));
    assert!(body(&refused).contains("kms:GenerateDataKey") && body(&refused).contains("assumed-role/without"));
    assert_eq!(sandbox.object(&writer, "PUT", "/alpha-one/k", &[]).await.status, 200);
    let refused = sandbox.object(&writer, "GET", "/alpha-one/k", &[]).await;
    assert!(outcome(&refused) == (403, "AccessDenied") && body(&refused).contains("kms:Decrypt"));
    assert_eq!(body(&sandbox.object(&reader, "GET", "/alpha-one/k", &[]).await), "content");
    // The denial is found where an operator would look for it: in CloudTrail, in the caller's own account.
    let asked =
        json!({ "LookupAttributes": [{ "AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com" }] });
    let found = sandbox.over_json(&sandbox.session(ALPHA), "LookupEvents", asked).await.unwrap().json();
    let records: Vec<Value> = found["Events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap())
        .collect();
    let denied =
        records.iter().find(|record| record["eventName"] == "GenerateDataKey" && record["errorCode"] != Value::Null);
    let denied = denied.unwrap_or_else(|| panic!("{found:#}"));
    assert!(denied["userIdentity"]["arn"].as_str().unwrap().contains("assumed-role/without"), "{denied}");
    // Under SSE-S3 none of this is asked.
    let plain = [("x-amz-server-side-encryption", "AES256")];
    assert_eq!(sandbox.object(&without, "PUT", "/alpha-one/plain", &plain).await.status, 200);
    assert_eq!(sandbox.object(&without, "GET", "/alpha-one/plain", &[]).await.status, 200);
}

#[tokio::test]
async fn an_unusable_key_refuses_writes_with_its_own_code() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let central = sandbox.world.central_arns.clone();
    let write = async || sandbox.object(&keys, "PUT", "/alpha-one/k", &[]).await;
    sandbox.default_key("alpha-one", &central[0]);
    let answer = write().await;
    let header = |name: &str| answer.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
    assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(header("x-amz-server-side-encryption-aws-kms-key-id"), Some(&*central[0]));
    assert_eq!(header("x-amz-server-side-encryption-bucket-key-enabled"), Some("true"));
    for (state, code) in [
        (KeyState::Disabled, "KMS.DisabledException"),
        (KeyState::PendingDeletion { deletion_ms: 1 }, "KMS.KMSInvalidStateException"),
        (KeyState::PendingImport, "KMS.KMSInvalidStateException"),
        (KeyState::Unavailable, "KMS.KMSInvalidStateException"),
    ] {
        sandbox.set_key_state(&central[0], state).unwrap();
        assert_eq!(outcome(&write().await), (400, code));
    }
    sandbox.set_key_state(&central[0], KeyState::Enabled).unwrap();
    assert_eq!(write().await.status, 200);
    assert!(sandbox.set_key_state("arn:aws:kms:us-east-1:111111111111:key/none", KeyState::Disabled).is_err());

    sandbox.default_key("alpha-one", &central[1]);
    assert_eq!(outcome(&write().await), (400, "KMS.NotFoundException"), "a key of another Region");
    let alpha = sandbox.world.organization.find(ALPHA).unwrap();
    let beta = sandbox.world.organization.find(BETA).unwrap();
    sandbox.default_key("alpha-one", &sandbox.world.key(crate::world::key::KeyKind::Customer, beta, 0).arn);
    assert_eq!(outcome(&write().await), (403, "AccessDenied"), "another account's own key");
    sandbox.default_key("alpha-one", "alias/nobodys");
    assert_eq!(outcome(&write().await), (400, "KMS.NotFoundException"));
    let own = sandbox.world.key(crate::world::key::KeyKind::Customer, alpha, 0);
    sandbox.default_key("alpha-one", &own.id);
    assert_eq!(write().await.status, 200, "a bare id is the requester's");
    let text = SMALL.replacen("seed", "central_key = { admits_organization = false }\nseed", 1);
    let closed = start(&text, 0.0).await;
    closed.default_key("alpha-one", &closed.world.central_arns[0].clone());
    let answer = closed.object(&closed.session(ALPHA), "PUT", "/alpha-one/k", &[]).await;
    assert_eq!(outcome(&answer), (403, "AccessDenied"));
}

#[tokio::test]
async fn anonymous_and_foreign_readers_lose_access_under_kms() {
    let sandbox = start(SMALL, 0.0).await;
    let (alpha, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
    sandbox.object(&alpha, "PUT", "/alpha-one/old", &[]).await;
    assert_eq!(sandbox.unsigned("GET", "/alpha-one/old").await.status, 403);
    assert_eq!(sandbox.object(&beta, "GET", "/alpha-one/old", &[]).await.status, 403);
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::alpha-one/*"}]}"#;
    let put = sandbox.send(&alpha, "us-east-1/s3", "PUT", "/alpha-one?policy", &[], policy).await;
    assert_eq!(put.status, 204, "{}", body(&put));
    assert_eq!(body(&sandbox.unsigned("GET", "/alpha-one/old").await), "content");
    assert_eq!(sandbox.object(&beta, "GET", "/alpha-one/old", &[]).await.status, 200);

    let own =
        sandbox.world.key(crate::world::key::KeyKind::Customer, sandbox.world.organization.find(ALPHA).unwrap(), 0);
    sandbox.default_key("alpha-one", &own.arn);
    sandbox.object(&alpha, "PUT", "/alpha-one/new", &[]).await;
    assert_eq!(outcome(&sandbox.unsigned("GET", "/alpha-one/new").await), (400, "InvalidArgument"));
    assert_eq!(outcome(&sandbox.object(&beta, "GET", "/alpha-one/new", &[]).await), (403, "AccessDenied"));
    assert_eq!(sandbox.unsigned("GET", "/alpha-one/old").await.status, 200, "existing objects stay readable");
    assert_eq!(sandbox.unsigned("GET", "/alpha-one?encryption").await.status, 403);

    let block = "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    sandbox.send(&alpha, "us-east-1/s3", "PUT", "/alpha-one?publicAccessBlock", &[], block).await;
    assert_eq!(sandbox.unsigned("GET", "/alpha-one/old").await.status, 403);
    assert_eq!(sandbox.object(&alpha, "GET", "/alpha-one/old", &[]).await.status, 200);
}

#[tokio::test]
async fn sse_c_is_refused_where_it_is_blocked() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let customer = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", key),
        ("x-amz-server-side-encryption-customer-key-md5", "KYvwGXoFFJ42a2u2GDWhwQ=="),
    ];
    assert_eq!(sandbox.object(&keys, "PUT", "/alpha-one/c", &customer).await.status, 200);
    assert_eq!(outcome(&sandbox.object(&keys, "GET", "/alpha-one/c", &[]).await), (400, "InvalidRequest"));
    assert_eq!(sandbox.object(&keys, "GET", "/alpha-one/c", &customer).await.status, 200);
    assert_eq!(sandbox.send(&keys, "us-east-1/s3", "PUT", "/alpha-new", &[], "").await.status, 200);
    assert_eq!(outcome(&sandbox.object(&keys, "PUT", "/alpha-new/c", &customer).await), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_deleted_name_can_be_taken_by_another_account() {
    let sandbox = start(SMALL, 0.0).await;
    let (alpha, beta) = (sandbox.session(ALPHA), sandbox.session(BETA));
    let send = async |keys: &Keys, method: &str| {
        sandbox.send(keys, "us-east-1/s3", method, "/alpha-one", &[("x-amz-expected-bucket-owner", ALPHA)], "").await
    };
    let create = async |keys: &Keys| sandbox.send(keys, "us-east-1/s3", "PUT", "/alpha-one", &[], "").await;
    assert_eq!(outcome(&create(&beta).await), (409, "BucketAlreadyExists"));
    sandbox.object(&alpha, "PUT", "/alpha-one/k", &[]).await;
    assert_eq!(outcome(&send(&alpha, "DELETE").await), (409, "BucketNotEmpty"));
    assert_eq!(sandbox.object(&alpha, "DELETE", "/alpha-one/k", &[]).await.status, 204);
    assert_eq!(send(&alpha, "DELETE").await.status, 204);
    assert_eq!(outcome(&sandbox.object(&alpha, "PUT", "/alpha-one/k", &[]).await), (404, "NoSuchBucket"));
    assert_eq!(create(&beta).await.status, 200);
    assert_eq!(send(&alpha, "HEAD").await.status, 403);
    assert_eq!(send(&beta, "HEAD").await.status, 403, "it is not the owner that was expected");
    assert_eq!(sandbox.bucket("alpha-one").account, BETA);
    assert_eq!(sandbox.buckets().iter().filter(|bucket| bucket.name == "alpha-one").count(), 1);
    sandbox.delete_bucket("alpha-one").unwrap();
    assert_eq!(create(&alpha).await.status, 200);
    assert_eq!(sandbox.bucket("alpha-one").account, ALPHA);
}

#[tokio::test]
async fn the_accounts_own_block_is_under_a_path_of_its_own() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let path = "/v20180820/configuration/publicAccessBlock";
    let id = [("x-amz-account-id", ALPHA)];
    let get = async |id: &[(&str, &str)]| sandbox.send(&keys, "us-east-1/s3", "GET", path, id, "").await;
    assert_eq!(outcome(&get(&id).await), (404, "NoSuchPublicAccessBlockConfiguration"));
    assert_eq!(outcome(&get(&[("x-amz-account-id", BETA)]).await), (403, "AccessDenied"));
    let block =
        "<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>";
    assert_eq!(sandbox.send(&keys, "us-east-1/s3", "PUT", path, &id, block).await.status, 201);
    assert!(body(&get(&id).await).contains("<BlockPublicPolicy>true</BlockPublicPolicy>"));
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::alpha-one/*"}]}"#;
    let put = sandbox.send(&keys, "us-east-1/s3", "PUT", "/alpha-one?policy", &[], policy).await;
    assert_eq!(outcome(&put), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_body_that_is_not_what_its_checksum_says_is_refused() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let put = async |headers: &[(&str, &str)]| sandbox.object(&keys, "PUT", "/alpha-one/k", headers).await;
    // CRC-32 and MD5 of "content".
    assert_eq!(put(&[("x-amz-checksum-crc32", "/sUwqQ==")]).await.status, 200);
    assert_eq!(outcome(&put(&[("x-amz-checksum-crc32", "/sUwqA==")]).await), (400, "BadDigest"));
    assert_eq!(put(&[("content-md5", "mgNkuembtIDdJeHwKEyFVQ==")]).await.status, 200);
    assert_eq!(outcome(&put(&[("content-md5", "mgNkuembtIDdJeHwKEyFVA==")]).await), (400, "BadDigest"));
    assert_eq!(outcome(&put(&[("content-md5", "short")]).await), (400, "InvalidDigest"));
    let streamed = [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")];
    assert_eq!(outcome(&put(&streamed).await), (400, "IncompleteBody"));
}

#[tokio::test]
async fn a_list_groups_by_its_delimiter_and_goes_on_behind_a_group() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    for key in ["a", "b/1", "b/2", "c/1", "d"] {
        assert_eq!(sandbox.object(&keys, "PUT", &format!("/alpha-one/{key}"), &[]).await.status, 200);
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/alpha-one?list-type=2&delimiter=/&max-keys=2{token}");
        let answer = sandbox.object(&keys, "GET", &path, &[]).await;
        let text = body(&answer);
        let all = |name: &str| -> Vec<String> {
            let tag = format!("<{name}>");
            let parts = text.split(&tag).skip(1);
            parts.map(|part| part.split('<').next().unwrap().to_string()).collect()
        };
        let (found, groups) = (all("Key"), all("Prefix").split_off(1));
        seen.push((found, groups));
        match all("NextContinuationToken").first() {
            Some(next) => token = format!("&continuation-token={next}"),
            None => break,
        }
    }
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
    assert_eq!(seen, [(list(&["a"]), list(&["b/"])), (list(&["d"]), list(&["c/"]))]);
}
