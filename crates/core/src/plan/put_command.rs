//! The `aws s3api` command that sets a bucket's default encryption, to be pasted into a shell.

use serde_json::{Map, Value, json};

use crate::model::{Bucket, EncryptionRule};

/// The command that puts one rule on a bucket.
#[must_use]
pub fn put_command(bucket: &Bucket, rule: &EncryptionRule) -> String {
    let mut default = Map::new();
    if let Some(algorithm) = &rule.algorithm {
        default.insert("SSEAlgorithm".to_owned(), json!(algorithm.as_str()));
    }
    if let Some(key) = &rule.key {
        default.insert("KMSMasterKeyID".to_owned(), json!(key));
    }
    let mut put = json!({
        "ApplyServerSideEncryptionByDefault": Value::Object(default),
        "BucketKeyEnabled": rule.has_bucket_key(),
    });
    if let Some(types) = &rule.blocked {
        put["BlockedEncryptionTypes"] = json!({ "EncryptionType": types });
    }
    let configuration = json!({ "Rules": [put] }).to_string();
    format!(
        "aws s3api put-bucket-encryption --region {} --bucket {} --expected-bucket-owner {} \
         --server-side-encryption-configuration {}",
        bucket.region,
        bucket.name,
        bucket.account,
        quoted(&configuration)
    )
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Algorithm;

    #[test]
    fn the_command_puts_the_whole_rule() {
        let bucket = Bucket { account: "444455556666".into(), region: "eu-west-1".into(), name: "Acme_Logs".into() };
        let rule = EncryptionRule {
            algorithm: Some(Algorithm::SseKms),
            key: Some("it's a key".into()),
            bucket_key: Some(true),
            blocked: Some(vec!["SSE-C".into()]),
        };
        assert_eq!(
            put_command(&bucket, &rule),
            "aws s3api put-bucket-encryption --region eu-west-1 --bucket Acme_Logs --expected-bucket-owner 444455556666 \
             --server-side-encryption-configuration '{\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"KMSMasterKeyID\":\
             \"it'\\''s a key\",\"SSEAlgorithm\":\"aws:kms\"},\"BlockedEncryptionTypes\":{\"EncryptionType\":[\"SSE-C\"]},\
             \"BucketKeyEnabled\":true}]}'"
        );
    }
}
