//! The bucket policy: put, read, deleted, and whether S3 calls it public. Who it admits is `resource_policy`'s question.

use serde_json::{Value, json};

use super::{Place, configurations};
use crate::partition::Partition;
use crate::services::resource_policy::{matches, statements, texts};
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, rest_xml};
use crate::world::World;
use crate::world::configuration::{Configuration, Configurations};

const LARGEST_POLICY: usize = 20 * 1024;

fn malformed(message: &str) -> AwsError {
    AwsError::client("MalformedPolicy", message)
}

fn read(world: &World, place: &Place<'_>) -> Result<String, AwsError> {
    place.with(world, false, |bucket| {
        bucket.configurations.policy().map(String::from).ok_or_else(|| {
            AwsError::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
                .with("BucketName", place.bucket)
        })
    })
}

pub(super) fn get(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    Ok(Answer::new(200, "application/json", read(world, place)?))
}

pub(super) fn get_value(world: &World, place: &Place<'_>) -> Result<Value, AwsError> {
    Ok(json!({ "Policy": read(world, place)? }))
}

pub(super) fn put(world: &World, place: &Place<'_>, text: &str) -> Result<(), AwsError> {
    place.with(world, false, |_| Ok(()))?;
    if text.len() > LARGEST_POLICY {
        return Err(malformed("Policies may not be larger than 20 KB"));
    }
    let policy: Value = serde_json::from_str(text)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    check(world.spec.partition, &policy, place.bucket)?;
    let account_blocks = world.with_account(place.owner(world), |account| blocks(account.public_access_block.as_ref()));
    place.with(world, false, |bucket| {
        let blocked = account_blocks || blocks(bucket.configurations.get(Configuration::PublicAccessBlock));
        if blocked && is_public(&policy) {
            return Err(AwsError::new(
                403,
                "AccessDenied",
                "Access Denied: public policies are blocked by the BlockPublicPolicy block public access setting.",
            ));
        }
        configurations::set(world, bucket, Configuration::Policy, Some(json!(text)))
    })
}

fn blocks(block: Option<&Value>) -> bool {
    block.is_some_and(|block| block["BlockPublicPolicy"] == true)
}

pub(super) fn delete(world: &World, place: &Place<'_>) -> Result<(), AwsError> {
    place.with(world, false, |bucket| configurations::set(world, bucket, Configuration::Policy, None))
}

pub(super) fn status(world: &World, place: &Place<'_>) -> Result<Value, AwsError> {
    let policy: Value = serde_json::from_str(&read(world, place)?).unwrap_or_default();
    Ok(json!({ "PolicyStatus": { "IsPublic": is_public(&policy) } }))
}

pub(super) fn status_answer(world: &World, place: &Place<'_>) -> Result<Answer, AwsError> {
    let public = status(world, place)?["PolicyStatus"]["IsPublic"] == true;
    Ok(rest_xml::answer(&format!("<PolicyStatus xmlns=\"{NAMESPACE}\"><IsPublic>{public}</IsPublic></PolicyStatus>")))
}

fn check(partition: Partition, policy: &Value, bucket: &str) -> Result<(), AwsError> {
    let known = ["Version", "Id", "Statement"];
    if let Some(name) = policy.as_object().and_then(|p| p.keys().find(|key| !known.contains(&key.as_str()))) {
        return Err(malformed(&format!("Unknown field {name}")));
    }
    if policy.get("Version").is_some_and(|v| v != "2012-10-17" && v != "2008-10-17") {
        return Err(malformed("The policy must contain a valid version string"));
    }
    let all = statements(policy);
    if all.is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    let own = partition.s3_arn(bucket);
    for statement in all {
        let has = |names: [&str; 2]| names.iter().any(|name| statement.get(*name).is_some());
        if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err(malformed("Missing required field Effect"));
        }
        for names in [["Principal", "NotPrincipal"], ["Action", "NotAction"], ["Resource", "NotResource"]] {
            if !has(names) {
                return Err(malformed(&format!("Missing required field {}", names[0])));
            }
        }
        let actions = texts(statement.get("Action").or_else(|| statement.get("NotAction")));
        if actions.is_empty()
            || actions.iter().any(|action| *action != "*" && !action.to_lowercase().starts_with("s3:"))
        {
            return Err(malformed("Policy has invalid action"));
        }
        let resources = texts(statement.get("Resource").or_else(|| statement.get("NotResource")));
        let inside = |resource: &&str| {
            let name = resource.split('/').next().unwrap_or_default();
            matches(name, &own)
        };
        if resources.is_empty() || !resources.iter().all(inside) {
            return Err(malformed("Policy has invalid resource"));
        }
    }
    Ok(())
}

/// S3 calls a policy public unless every Allow is bound to fixed principals, or to fixed values of certain condition keys.
pub(super) fn is_public(policy: &Value) -> bool {
    statements(policy).into_iter().any(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some("Allow") && everyone(statement) && !is_bound(statement)
    })
}

fn everyone(statement: &Value) -> bool {
    match statement.get("Principal") {
        None => statement.get("NotPrincipal").is_some(),
        Some(Value::String(name)) => name == "*",
        Some(kinds) => texts(kinds.get("AWS")).contains(&"*"),
    }
}

fn is_bound(statement: &Value) -> bool {
    const KEYS: [&str; 13] = [
        "aws:sourceip",
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceowner",
        "aws:sourceaccount",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:userid",
        "s3:dataaccesspointarn",
        "s3:dataaccesspointaccount",
    ];
    const OPERATORS: [&str; 6] =
        ["StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress", "StringEqualsIgnoreCase"];
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else { return false };
    operators.iter().filter(|(operator, _)| OPERATORS.contains(&operator.as_str())).any(|(_, keys)| {
        keys.as_object().into_iter().flatten().any(|(key, values)| {
            let values = texts(Some(values));
            let fixed = |value: &&str| !value.contains(['*', '?']) && *value != "0.0.0.0/0" && *value != "::/0";
            KEYS.contains(&key.to_lowercase().as_str()) && !values.is_empty() && values.iter().all(fixed)
        })
    })
}

/// Whether the bucket's own block keeps a public policy from admitting anybody from elsewhere.
pub(super) fn restricts_public(configurations: &Configurations) -> bool {
    let block = configurations.get(Configuration::PublicAccessBlock);
    block.is_some_and(|block| block["RestrictPublicBuckets"] == true)
        && configurations
            .policy()
            .and_then(|text| serde_json::from_str(text).ok())
            .is_some_and(|policy: Value| is_public(&policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(principal: Value, condition: Value) -> Value {
        json!({ "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
            "Condition": condition }] })
    }

    #[test]
    fn public_is_everyone_without_a_fixed_bound() {
        for (principal, condition, public) in [
            (json!("*"), json!({}), true),
            (json!({ "AWS": "*" }), json!({}), true),
            (json!({ "AWS": ["111111111111", "*"] }), json!({}), true),
            (json!({ "AWS": "111111111111" }), json!({}), false),
            (json!({ "Service": "logging.s3.amazonaws.com" }), json!({}), false),
            (json!("*"), json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }), false),
            (json!("*"), json!({ "StringLike": { "aws:SourceArn": "arn:aws:s3:::*" } }), true),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } }), true),
            (json!("*"), json!({ "StringNotEquals": { "aws:SourceVpc": "vpc-1" } }), true),
            (json!("*"), json!({ "Bool": { "aws:SecureTransport": "true" } }), true),
        ] {
            let policy = statement(principal, condition);
            assert_eq!(is_public(&policy), public, "{policy}");
        }
    }

    #[test]
    fn what_s3_would_not_store_is_malformed() {
        let good = statement(json!("*"), json!({}));
        assert!(check(Partition::Aws, &good, "b").is_ok());
        assert!(check(Partition::Aws, &good, "other").unwrap_err().message.contains("resource"));
        for pointer in ["/Statement/0/Principal", "/Statement/0/Effect", "/Statement/0/Action"] {
            let mut broken = good.clone();
            *broken.pointer_mut(pointer).unwrap() = Value::Null;
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            broken.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            assert_eq!(check(Partition::Aws, &broken, "b").unwrap_err().code, "MalformedPolicy", "{pointer}");
        }
    }
}
