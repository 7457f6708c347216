//! AWS KMS: what a key is, and whom it admits.

use aws_sdk_kms::Client;

use super::error::aws_error;
use crate::model::{AwsError, KeyFacts};

/// `DescribeKey` in the client's Region. The key may be named in any form that KMS takes.
pub(super) async fn describe_key(client: &Client, key: &str) -> Result<KeyFacts, AwsError> {
    let answer = client.describe_key().key_id(key).send().await.map_err(|error| aws_error("DescribeKey", &error))?;
    let facts = answer.key_metadata();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok(KeyFacts {
        arn: text(facts.and_then(|facts| facts.arn())),
        account: text(facts.and_then(|facts| facts.aws_account_id())),
        state: text(facts.and_then(|facts| facts.key_state()).map(|state| state.as_str())),
        usage: text(facts.and_then(|facts| facts.key_usage()).map(|usage| usage.as_str())),
        spec: text(facts.and_then(|facts| facts.key_spec()).map(|spec| spec.as_str())),
        manager: text(facts.and_then(|facts| facts.key_manager()).map(|manager| manager.as_str())),
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
        message: "GetKeyPolicy: the answer holds no policy".to_owned(),
        hint: "check the endpoint".to_owned(),
    })
}
