//! Policy documents as IAM takes them: checked whole, measured without white space, refused in IAM's words.

use serde_json::Value;

use super::{Call, input};
use crate::policy::Kind;
use crate::services::resource_policy::{matches, statements, texts};
use crate::wire::error::AwsError;

/// Of a trust policy (quota ACLSizePerRole).
const MOST_TRUST: usize = 2_048;
/// Of a version of a managed policy (quota PolicySize).
const MOST_MANAGED: usize = 6_144;

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::client("MalformedPolicyDocument", message)
}

/// The size that IAM's quotas speak of: characters, without white space.
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// A document that is a policy of its kind.
fn document<'a>(call: &Call<'a>, kind: Kind, field: &str) -> Result<(&'a str, Value), AwsError> {
    let text = input::required(call.form, field)?;
    input::length(field, text, 1, 131_072)?;
    let value: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    call.world.permissions.load(kind, text).map_err(|reason| malformed(in_words_of_iam(&reason)))?;
    let legal = |sid: &str| sid.chars().all(|c| c.is_ascii_alphanumeric());
    if statements(&value).iter().any(|statement| statement["Sid"].as_str().is_some_and(|sid| !legal(sid))) {
        let message = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
                       [0-9A-Za-z]*";
        return Err(malformed(message));
    }
    // IAM knows its own partition alone, and accepts a wildcard in its place.
    let own = call.world.spec.partition.name();
    for resource in statements(&value).into_iter().flat_map(resources) {
        let partition = resource.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
        if let Some(other) = partition.filter(|name| !matches(name, own)) {
            return Err(malformed(format!("Partition \"{other}\" is not valid for resource \"{resource}\".")));
        }
    }
    Ok((text, value))
}

fn resources(statement: &Value) -> Vec<&str> {
    texts(statement.get("Resource").or_else(|| statement.get("NotResource")))
}

/// IAM says less than the check that found it.
fn in_words_of_iam(reason: &str) -> String {
    let known = [
        ("neither Action nor", "Policy statement must contain actions."),
        ("neither Resource nor", "Policy statement must contain resources."),
        ("service:Action", "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        ("Sid is not unique", "Statement IDs (SID) in a single policy must be unique."),
        ("Principal is not allowed", "Policy document should not specify a principal."),
        ("it has no Principal", "Missing required field Principal"),
        ("a trust policy has no Resource", "Has prohibited field Resource"),
    ];
    if let Some((_, words)) = known.iter().find(|(part, _)| reason.contains(part)) {
        return (*words).into();
    }
    match reason.split_once("Resource ").filter(|(_, rest)| rest.contains("must be in ARN format")) {
        Some((_, rest)) => format!("Resource {rest}."),
        None => "Syntax errors in policy.".into(),
    }
}

/// What a role may do, as an inline policy.
pub(super) fn inline<'a>(call: &Call<'a>, field: &str) -> Result<&'a str, AwsError> {
    Ok(document(call, Kind::Identity, field)?.0)
}

/// A version of a managed policy. Unlike an inline one it must say its language's version.
pub(super) fn managed<'a>(call: &Call<'a>, field: &str) -> Result<&'a str, AwsError> {
    let (text, value) = document(call, Kind::Identity, field)?;
    if value["Version"] != "2012-10-17" {
        return Err(malformed("Policy document must be version 2012-10-17 or greater."));
    }
    if size(text) > MOST_MANAGED {
        let message = format!("Cannot exceed quota for PolicySize: {MOST_MANAGED}");
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    Ok(text)
}

/// Who may assume a role.
pub(super) fn trust<'a>(call: &Call<'a>, field: &str) -> Result<&'a str, AwsError> {
    let (text, value) = document(call, Kind::Trust, field)?;
    for statement in statements(&value) {
        let of_sts = |action: &&str| action.to_ascii_lowercase().starts_with("sts:");
        let actions = texts(statement.get("Action"));
        if actions.is_empty() || !actions.iter().all(of_sts) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
        let principals = statement.get("Principal").or_else(|| statement.get("NotPrincipal"));
        let named = texts(principals.and_then(|principals| principals.get("AWS")));
        if let Some(arn) = named.into_iter().find(|arn| !is_there(call, arn)) {
            return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{arn}\"")));
        }
    }
    if size(text) > MOST_TRUST {
        let message = format!("Cannot exceed quota for ACLSizePerRole: {MOST_TRUST}");
        return Err(AwsError::new(409, "LimitExceeded", message));
    }
    Ok(text)
}

/// IAM looks a user or role up that a trust policy names, in whatever account. What is in accounts outside the organization
/// cannot be known here, and is believed.
fn is_there(call: &Call<'_>, principal: &str) -> bool {
    let parts: Vec<&str> = principal.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return true };
    if partition != call.world.spec.partition.name() {
        return false;
    }
    let Some(account) = call.world.organization.find(account) else { return true };
    match resource.split_once('/') {
        Some(("role", full)) => call.world.role(account, full).is_some(),
        Some(("user", name)) => call.world.users(account).iter().any(|user| user.name == name),
        _ => true,
    }
}
