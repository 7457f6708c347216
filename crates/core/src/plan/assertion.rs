//! What a step of a document checks of a bucket's rule (`aws:assertAwsResourceProperty`): one that asks for something else than was
//! put fails every execution, with the bucket changed.

use serde_json::Value;

use crate::model::{Algorithm, EncryptionRule};

const RULE: &str = "$.ServerSideEncryptionConfiguration.Rules[0].";

/// What a step asks S3 to show, where that is not what the rule would show; `None` where it is, or cannot be told.
pub(super) fn contradiction(inputs: &Value, rule: &EncryptionRule) -> Option<String> {
    let api = inputs["Api"].as_str()?.replace('_', "").to_ascii_lowercase();
    if api != "getbucketencryption" {
        return None;
    }
    let property = inputs["PropertySelector"].as_str()?.strip_prefix(RULE)?;
    let shown = match property {
        "ApplyServerSideEncryptionByDefault.KMSMasterKeyID" => rule.key.clone()?,
        "ApplyServerSideEncryptionByDefault.SSEAlgorithm" => rule.algorithm.as_ref().map(Algorithm::as_str)?.to_owned(),
        "BucketKeyEnabled" => rule.bucket_key?.to_string(),
        _ => return None,
    };
    let desired = inputs["DesiredValues"].as_array()?;
    let texts = desired.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let asked: Vec<String> = texts.collect();
    // What is known only while the step runs may be anything.
    let open = asked.iter().any(|value| value.contains("{{"));
    let found = asked.iter().any(|value| value.eq_ignore_ascii_case(&shown));
    (!open && !found).then(|| format!("{} {}", property.rsplit('.').next().unwrap_or(property), asked.join(" or ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_check_for_something_else_is_seen() {
        let rule =
            EncryptionRule { algorithm: Some("aws:kms".into()), key: Some("arn:k".into()), ..EncryptionRule::SSE_S3 };
        let asks = |property: &str, desired: Value| {
            let selector = format!("{RULE}{property}");
            contradiction(
                &json!({ "Api": "GetBucketEncryption", "PropertySelector": selector, "DesiredValues": desired }),
                &rule,
            )
        };
        let key = "ApplyServerSideEncryptionByDefault.KMSMasterKeyID";
        assert_eq!(asks(key, json!(["arn:k"])), None);
        assert_eq!(asks(key, json!(["arn:other"])).unwrap(), "KMSMasterKeyID arn:other");
        assert_eq!(asks(key, json!(["{{ Step.Key }}"])), None);
        assert_eq!(asks("ApplyServerSideEncryptionByDefault.SSEAlgorithm", json!(["AES256", "aws:kms"])), None);
        assert!(asks("ApplyServerSideEncryptionByDefault.SSEAlgorithm", json!(["AES256"])).is_some());
        assert_eq!(asks("Something.Else", json!(["x"])), None);
    }
}
