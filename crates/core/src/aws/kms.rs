//! AWS KMS: what a key is, what its policy says, and whether it can be used.

use aws_sdk_kms::Client;
use aws_sdk_kms::types::DataKeySpec;
use aws_smithy_types::DateTime;

use super::answers::Unusable;
use super::error::aws_error;
use crate::model::{AwsError, DryRun, KeyArn, KeyFacts, plausible};

/// `DescribeKey` in the client's Region. The key may be named in any form that KMS takes.
pub(super) async fn describe_key(client: &Client, key: &str) -> Result<KeyFacts, AwsError> {
    let answer = client.describe_key().key_id(key).send().await.map_err(|error| aws_error("DescribeKey", &error))?;
    let facts = answer.key_metadata();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let moment = |time: Option<&DateTime>| time.map(|time| plausible(time.secs()));
    Ok(KeyFacts {
        arn: text(facts.and_then(|facts| facts.arn())),
        account: text(facts.and_then(|facts| facts.aws_account_id())),
        state: text(facts.and_then(|facts| facts.key_state()).map(|state| state.as_str())),
        usage: text(facts.and_then(|facts| facts.key_usage()).map(|usage| usage.as_str())),
        spec: text(facts.and_then(|facts| facts.key_spec()).map(|spec| spec.as_str())),
        manager: text(facts.and_then(|facts| facts.key_manager()).map(|manager| manager.as_str())),
        deletion_date: moment(facts.and_then(|facts| facts.deletion_date())),
        valid_to: moment(facts.and_then(|facts| facts.valid_to())),
    })
}

/// The only policy that a key has.
const POLICY: &str = "default";

/// `GetKeyPolicy` in the client's Region: the policy's JSON. KMS answers it in the key's own account only.
pub(super) async fn key_policy(client: &Client, key: &str) -> Result<String, AwsError> {
    let answer = client.get_key_policy().key_id(key).policy_name(POLICY).send().await;
    let answer = answer.map_err(|error| aws_error("GetKeyPolicy", &error))?;
    answer.policy().map(str::to_owned).ok_or_else(|| AwsError {
        code: "Unreadable".to_owned(),
        message: "GetKeyPolicy: the response has no policy".to_owned(),
        hint: Unusable::HINT.to_owned(),
    })
}

/// `GenerateDataKey` as a dry run, with the encryption context that S3 sends for a bucket with a Bucket Key.
pub(super) async fn prove_key(client: &Client, key: &KeyArn, bucket: &str) -> DryRun {
    let answer = client
        .generate_data_key()
        .key_id(key.to_string())
        .key_spec(DataKeySpec::Aes256)
        .encryption_context("aws:s3:arn", format!("arn:{}:s3:::{bucket}", key.partition))
        .dry_run(true)
        .send()
        .await;
    match answer {
        Ok(mut answer) => {
            // Nobody asked for a key: it is overwritten before it is freed. What the SDK read it from is freed already.
            if let Some(plaintext) = answer.plaintext.take() {
                let mut bytes = plaintext.into_inner();
                bytes.fill(0);
                std::hint::black_box(&bytes);
            }
            DryRun::KeyMaterial
        }
        Err(error) => match aws_error("GenerateDataKey", &error) {
            error if error.code == "DryRunOperationException" => DryRun::WouldSucceed,
            error => DryRun::Refused(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_endpoint_that_ignores_dry_run_proves_nothing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let length = socket.read(&mut request).await.unwrap();
            assert!(String::from_utf8_lossy(&request[..length]).contains("GenerateDataKey"));
            let body = r#"{"CiphertextBlob":"AAAA","Plaintext":"AAECAwQFBgc=","KeyId":"k"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("A", "s", None, None, "test")))
            .build();
        let key = "arn:aws:kms:us-east-1:111122223333:key/k".parse().unwrap();
        assert_eq!(prove_key(&Client::new(&config), &key, "logs").await, DryRun::KeyMaterial);
    }
}
