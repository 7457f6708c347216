//! GetBucketEncryption, PutBucketEncryption and DeleteBucketEncryption.
//! The key is stored as it was put and never looked at: S3 does not validate it for general purpose buckets.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Place;
use crate::faults::stale;
use crate::journal::Entry;
use crate::wire::element::Element;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, escape, rest_xml};
use crate::world::bucket::{Algorithm, Blocked, Encryption};
use crate::world::{self, World};

pub(super) fn malformed() -> AwsError {
    AwsError::client(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// `stale`: shows what a fault keeps of the past.
fn get(world: &World, place: &Place<'_>, stale: bool) -> Result<Encryption, AwsError> {
    place.with(world, false, |bucket| {
        let former = if stale { world.faults.stale.of(&bucket.name) } else { None };
        former.unwrap_or_else(|| bucket.encryption.clone()).ok_or_else(|| {
            AwsError::new(
                404,
                "ServerSideEncryptionConfigurationNotFoundError",
                "The server side encryption configuration was not found",
            )
            .with("BucketName", place.bucket)
        })
    })
}

pub(super) fn get_answer(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    let encryption = get(world, place, true)?;
    let mut body = format!(
        "<ServerSideEncryptionConfiguration xmlns=\"{NAMESPACE}\"><Rule><ApplyServerSideEncryptionByDefault>\
         <SSEAlgorithm>{}</SSEAlgorithm>",
        encryption.algorithm.name()
    );
    if let Some(key) = &encryption.key {
        let _ = write!(body, "<KMSMasterKeyID>{}</KMSMasterKeyID>", escape(key));
    }
    let _ = write!(
        body,
        "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{}</BucketKeyEnabled>",
        encryption.bucket_key
    );
    if let Some(blocked) = encryption.blocked.name() {
        let _ =
            write!(body, "<BlockedEncryptionTypes><EncryptionType>{blocked}</EncryptionType></BlockedEncryptionTypes>");
    }
    body.push_str("</Rule></ServerSideEncryptionConfiguration>");
    Ok(rest_xml::answer(&body))
}

pub(super) fn get_value(world: &World, place: &Place<'_>) -> Result<Value, AwsError> {
    let encryption = get(world, place, false)?;
    let mut default = json!({ "SSEAlgorithm": encryption.algorithm.name() });
    if let Some(key) = &encryption.key {
        default["KMSMasterKeyID"] = json!(&**key);
    }
    let mut rule = json!({
        "ApplyServerSideEncryptionByDefault": default,
        "BucketKeyEnabled": encryption.bucket_key,
    });
    if let Some(blocked) = encryption.blocked.name() {
        rule["BlockedEncryptionTypes"] = json!({ "EncryptionType": [blocked] });
    }
    Ok(json!({ "ServerSideEncryptionConfiguration": { "Rules": [rule] } }))
}

pub(super) fn put_answer(world: &World, place: &Place<'_>, body: &[u8]) -> Result<Answer, AwsError> {
    // Who may not put learns nothing about the body.
    place.with(world, false, |_| Ok(()))?;
    put(world, place, Rule::from_xml(body)?.check()?)?;
    Ok(rest_xml::empty(200))
}

pub(super) fn put_value(world: &World, place: &Place<'_>, input: &Value) -> Result<Value, AwsError> {
    put(world, place, Rule::from_value(input)?.check()?)?;
    Ok(json!({}))
}

fn put(world: &World, place: &Place<'_>, mut encryption: Encryption) -> Result<(), AwsError> {
    let region = place.with(world, false, |bucket| {
        if encryption.blocked == Blocked::LeftOut {
            let former = bucket.encryption.as_ref().map(|former| former.blocked);
            encryption.blocked = world.spec.blocked_types.after_omission(place.region, former);
        }
        world
            .journal
            .append(&Entry::Encryption { bucket: bucket.name.to_string(), encryption: Some((&encryption).into()) })?;
        let former = bucket.encryption.replace(encryption);
        stale::before_put(world, place.caller.account, place.region, &bucket.name, former);
        Ok(usize::from(bucket.region))
    })?;
    world.config_changes.note(world::place::Place { account: place.owner(world), region }, place.bucket);
    Ok(())
}

pub(super) fn delete(world: &World, place: &Place<'_>) -> Result<(), AwsError> {
    put(world, place, Encryption::sse_s3())
}

pub(super) fn delete_answer(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    delete(world, place)?;
    Ok(rest_xml::empty(204))
}

/// The one rule of a put, not yet checked.
#[derive(Debug, Default)]
struct Rule {
    algorithm: Option<String>,
    key: Option<String>,
    bucket_key: bool,
    /// `Some` when the element is there.
    blocked: Option<Vec<String>>,
}

impl Rule {
    fn check(self) -> Result<Encryption, AwsError> {
        let algorithm = self.algorithm.as_deref().and_then(Algorithm::parse).ok_or_else(malformed)?;
        if algorithm == Algorithm::Aes256 && self.key.is_some() {
            return Err(AwsError::client(
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            )
            .with("ArgumentName", "ApplyServerSideEncryptionByDefault"));
        }
        if self.key.as_deref() == Some("") {
            return Err(malformed());
        }
        let blocked = match self.blocked.as_deref() {
            None => Blocked::LeftOut,
            Some([one]) if one == "SSE-C" => Blocked::SseC,
            Some([one]) if one == "NONE" => Blocked::Nothing,
            Some(_) => return Err(malformed()),
        };
        Ok(Encryption { algorithm, key: self.key.map(Into::into), bucket_key: self.bucket_key, blocked })
    }

    fn from_xml(body: &[u8]) -> Result<Rule, AwsError> {
        let root = Element::parse(body).ok_or_else(malformed)?;
        if root.name != "ServerSideEncryptionConfiguration" {
            return Err(malformed());
        }
        let [rule] = &root.children[..] else { return Err(malformed()) };
        if rule.name != "Rule" {
            return Err(malformed());
        }
        let mut read = Rule::default();
        for part in &rule.children {
            match part.name.as_str() {
                "ApplyServerSideEncryptionByDefault" => {
                    for member in &part.children {
                        match member.name.as_str() {
                            "SSEAlgorithm" => read.algorithm = Some(member.text.clone()),
                            "KMSMasterKeyID" => read.key = Some(member.text.clone()),
                            _ => return Err(malformed()),
                        }
                    }
                }
                "BucketKeyEnabled" => {
                    read.bucket_key = match member_bool(&part.text) {
                        Some(value) => value,
                        None => return Err(malformed()),
                    }
                }
                "BlockedEncryptionTypes" => {
                    if part.children.iter().any(|child| child.name != "EncryptionType") {
                        return Err(malformed());
                    }
                    read.blocked = Some(part.children.iter().map(|child| child.text.clone()).collect());
                }
                _ => return Err(malformed()),
            }
        }
        Ok(read)
    }

    /// From the input structure; what has a wrong type is refused as an SDK would refuse it.
    fn from_value(input: &Value) -> Result<Rule, AwsError> {
        let wrong = |path: &str| {
            AwsError::client("ParamValidationError", format!("Parameter validation failed: invalid or missing {path}"))
        };
        let rules = input
            .pointer("/ServerSideEncryptionConfiguration/Rules")
            .and_then(Value::as_array)
            .ok_or_else(|| wrong("ServerSideEncryptionConfiguration.Rules"))?;
        let [rule] = &rules[..] else { return Err(malformed()) };
        let text = |pointer: &str| match rule.pointer(pointer) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(pointer)),
        };
        Ok(Rule {
            algorithm: text("/ApplyServerSideEncryptionByDefault/SSEAlgorithm")?,
            key: text("/ApplyServerSideEncryptionByDefault/KMSMasterKeyID")?,
            bucket_key: match rule.get("BucketKeyEnabled") {
                None | Some(Value::Null) => false,
                Some(Value::Bool(value)) => *value,
                Some(_) => return Err(wrong("BucketKeyEnabled")),
            },
            blocked: match rule.pointer("/BlockedEncryptionTypes/EncryptionType") {
                None | Some(Value::Null) => None,
                Some(list) => Some(serde_json::from_value(list.clone()).map_err(|_| wrong("BlockedEncryptionTypes"))?),
            },
        })
    }
}

pub(super) fn member_bool(text: &str) -> Option<bool> {
    match text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(rule: &str) -> Result<Encryption, AwsError> {
        let body = format!(
            "<ServerSideEncryptionConfiguration xmlns=\"{NAMESPACE}\">{rule}</ServerSideEncryptionConfiguration>"
        );
        Rule::from_xml(body.as_bytes()).and_then(Rule::check)
    }

    fn default(inner: &str) -> String {
        format!("<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>")
    }

    #[test]
    fn a_rule_is_stored_verbatim() {
        let inner = default("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>no &amp; key</KMSMasterKeyID>");
        let rule = put(&format!(
            "<Rule>{inner}<BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes>\
             <EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>"
        ))
        .unwrap();
        assert_eq!(rule.key.as_deref(), Some("no & key"));
        assert!(rule.bucket_key);
        assert_eq!((rule.algorithm, rule.blocked), (Algorithm::Kms, Blocked::SseC));
    }

    #[test]
    fn what_s3_refuses_is_refused() {
        let aes = default("<SSEAlgorithm>AES256</SSEAlgorithm>");
        let cases = [
            (String::new(), "MalformedXML"),
            (format!("<Rule>{aes}</Rule><Rule>{aes}</Rule>"), "MalformedXML"),
            (format!("<Rule>{}</Rule>", default("<SSEAlgorithm>aws:KMS</SSEAlgorithm>")), "MalformedXML"),
            (format!("<Rule>{aes}<BucketKeyEnabled>yes</BucketKeyEnabled></Rule>"), "MalformedXML"),
            (format!("<Rule>{aes}<Unknown/></Rule>"), "MalformedXML"),
            (
                format!(
                    "<Rule>{}</Rule>",
                    default("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>")
                ),
                "InvalidArgument",
            ),
        ];
        for (rule, code) in cases {
            assert_eq!(put(&rule).unwrap_err().code, code, "{rule}");
        }
        assert_eq!(Rule::from_xml(b"<a><b></a>").unwrap_err().code, "MalformedXML");
        assert!(put(&format!("<Rule>{aes}</Rule>")).is_ok());
    }
}
