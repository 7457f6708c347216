//! Access to objects and to the key: the requests that are asked about, of S3 and of KMS as S3 would ask, and what statements
//! say to them.

use super::Subject;
use crate::judge::policy::{Condition, Coverage, Known, Request, Statement, Text};
use crate::model::{KeyArn, Partition};

/// Who writes needs the first, and for multipart uploads the second; who reads needs the second.
pub(super) const WRITE: &str = "s3:PutObject";
pub(super) const READ: &str = "s3:GetObject";
/// Who names the version asks for the second.
pub(super) const READS: [&str; 2] = [READ, "s3:GetObjectVersion"];
pub(super) const GENERATE: &str = "kms:GenerateDataKey";
pub(super) const DECRYPT: &str = "kms:Decrypt";

/// The bucket's ARN.
pub(super) fn bucket_arn(at: &Subject<'_>) -> String {
    format!("arn:{}:s3:::{}", at.partition, at.bucket.name)
}

/// The ARNs of its objects.
pub(super) fn objects(at: &Subject<'_>) -> Text {
    Text::Beginning(format!("{}/", bucket_arn(at)))
}

/// Whether a statement may be about an action on some of the bucket's objects. Where a policy variable decides, it may.
pub(super) fn covers_objects(statement: &Statement, action: &str, at: &Subject<'_>) -> bool {
    statement.covers_action(action) && statement.coverage(&objects(at)) != Ok(Coverage::None)
}

/// What a statement lets be done with the bucket's objects, for people.
pub(super) fn does(statement: &Statement, at: &Subject<'_>) -> &'static str {
    let (reads, writes) =
        (READS.iter().any(|read| covers_objects(statement, read, at)), covers_objects(statement, WRITE, at));
    match (reads, writes) {
        (true, true) => "read and write",
        (true, false) => "read",
        (false, true) => "write",
        (false, false) => "use",
    }
}

/// The values that a statement lets a key have; empty where it does not say, or not in a way that can be taken at its word.
pub(super) fn only_values<'a>(statement: &'a Statement, key: &str) -> Vec<&'a str> {
    let bound = statement.conditions.iter().find(|condition| condition.key == key && is_equality(condition));
    bound.map(|condition| condition.values.iter().map(String::as_str).collect()).unwrap_or_default()
}

/// Whether a condition asks that its key be there and be like one of its values, which stand for what they say.
fn is_equality(condition: &Condition) -> bool {
    let (plain, negated) = condition.plain_operator();
    let operator = condition.operator.to_ascii_lowercase();
    !negated
        // These hold as well where the key is absent.
        && !operator.ends_with("ifexists")
        && !operator.starts_with("forallvalues:")
        && matches!(plain.as_str(), "stringequals" | "stringlike" | "arnlike" | "arnequals")
        && !condition.values.iter().any(|value| value.contains("${") || value.contains('?'))
}

/// The account in an ARN or a pattern of one.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// A request for the bucket's objects.
pub(super) fn of_bucket(request: Request, at: &Subject<'_>) -> Request {
    request
        .with_value("aws:ResourceAccount", at.bucket.account.as_str())
        .with_value("s3:ResourceAccount", at.bucket.account.as_str())
        .with_value("aws:ResourceOrgID", at.organization.id.as_str())
        .with_value("aws:RequestedRegion", at.bucket.region.as_str())
}

/// A request for the key, as S3 makes it in the name of who asks for an object.
pub(super) fn of_key(request: Request, at: &Subject<'_>, key: &KeyArn) -> Request {
    let context = match at.rule.has_bucket_key() {
        true => Text::Exactly(bucket_arn(at)),
        false => objects(at),
    };
    let organization = match at.organization.accounts.contains(&key.account) {
        true => Known::Values(vec![at.organization.id.as_str().into()]),
        false => Known::Unknown,
    };
    request
        .with("kms:ViaService", known_via_s3(at.partition, &at.bucket.region))
        .with_value("kms:EncryptionContext:aws:s3:arn", context)
        .with_value("kms:EncryptionContextKeys", "aws:s3:arn")
        .with_value("aws:ResourceAccount", key.account.as_str())
        .with("aws:ResourceOrgID", organization)
        .with_value("aws:RequestedRegion", at.bucket.region.as_str())
}

/// What is known of `kms:ViaService` when S3 asks in a Region.
pub(super) fn known_via_s3(partition: &str, region: &str) -> Known {
    let forms = Partition::named(partition).map(|partition| partition.via_s3(region));
    forms.map_or(Known::Unknown, |forms| Known::OneOf(forms.into_iter().map(Text::Exactly).collect()))
}

/// The values that `kms:ViaService` may have; none in a partition that is not known.
fn via_s3(at: &Subject<'_>) -> Vec<String> {
    Partition::named(at.partition).map(|partition| partition.via_s3(&at.bucket.region)).unwrap_or_default()
}

/// The condition that a request comes through S3.
fn condition(via: &[String]) -> Option<String> {
    let via = match via {
        [] => return None,
        [service] => format!("\"{service}\""),
        forms => format!("[{}]", forms.iter().map(|form| format!("\"{form}\"")).collect::<Vec<_>>().join(",")),
    };
    Some(format!(r#","Condition":{{"StringEquals":{{"kms:ViaService":{via}}}}}"#))
}

/// A statement for an identity's policy, or with a principal for the key's, that lets the key be used for the bucket.
pub(super) fn statement(at: &Subject<'_>, key: &KeyArn, actions: &[&str], principal: Option<(&str, &str)>) -> String {
    // Written by hand: the elements stand in the order in which people write them.
    let principal = principal.map(|(kind, who)| format!(r#""Principal":{{"{kind}":"{who}"}},"#)).unwrap_or_default();
    let resource = if principal.is_empty() { key.to_string() } else { "*".to_owned() };
    // A service asks in its own name, which kms:ViaService is not documented for.
    let via = condition(&via_s3(at)).filter(|_| !principal.contains("Service"));
    let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    format!(
        r#"{{"Effect":"Allow",{principal}"Action":[{}],"Resource":"{resource}"{}}}"#,
        actions.join(","),
        via.unwrap_or_default()
    )
}
