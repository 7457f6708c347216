//! What guards on access share: the policies on both sides, and the requests: of S3 for objects, and of KMS as S3 would ask.

use super::{Subject, Word};
use crate::judge::policy::{Coverage, Known, NotUnderstood, Policy, Request, Statement, Text};
use crate::model::{Algorithm, KeyArn, Read};

/// Who writes needs the first, and for multipart uploads the second; who reads needs the second.
pub(super) const WRITE: &str = "s3:PutObject";
pub(super) const READ: &str = "s3:GetObject";
pub(super) const GENERATE: &str = "kms:GenerateDataKey";
pub(super) const DECRYPT: &str = "kms:Decrypt";

/// So many lines of evidence are shown; a person looks at the first ones.
const MOST_SHOWN: usize = 20;

/// The key that the bucket would get. `None`: it gets none, and nobody needs rights on one.
pub(super) fn key(at: &Subject<'_>) -> Result<Option<KeyArn>, Word> {
    let takes_key = matches!(at.rule.algorithm, Some(Algorithm::SseKms | Algorithm::DsseKms));
    let Some(key) = at.rule.key.as_deref().filter(|_| takes_key) else { return Ok(None) };
    key.parse().map(Some).map_err(|error| Word::CannotTell {
        evidence: vec![format!("{error}")],
        hint: "name the key by its full ARN".to_owned(),
    })
}

/// The bucket's policy; `None` where it has none.
pub(super) fn bucket_policy(at: &Subject<'_>) -> Result<Option<Policy>, Word> {
    let text = read(&at.evidence.policy, "the bucket policy")?;
    let policy = text.as_deref().map(Policy::parse).transpose();
    policy.map_err(|why| not_understood("the bucket policy", &why))
}

/// The policy of the key that the bucket would get.
pub(super) fn key_policy(at: &Subject<'_>) -> Result<Policy, Word> {
    Policy::parse(read(&at.key.policy, "the key policy")?).map_err(|why| not_understood("the key policy", &why))
}

/// What was read, or the guard's word where it was not.
pub(super) fn read<'a, T>(read: &'a Read<T>, what: &str) -> Result<&'a T, Word> {
    match read {
        Some(Ok(read)) => Ok(read),
        Some(Err(error)) => Err(Word::unread(error)),
        None => Err(Word::CannotTell { evidence: vec![format!("{what} was not read")], hint: "run again".to_owned() }),
    }
}

fn not_understood(what: &str, why: &NotUnderstood) -> Word {
    Word::CannotTell {
        evidence: vec![format!("{what} is not understood: {why}")],
        hint: format!("look at {what} yourself; then exempt the bucket, or set this guard to \"warn\""),
    }
}

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

/// The values that a statement lets a key have; empty where it does not say, or not in a way that can be taken at its word.
pub(super) fn only_values<'a>(statement: &'a Statement, key: &str) -> Vec<&'a str> {
    let bound = statement.conditions.iter().find(|condition| {
        let (plain, negated) = condition.plain_operator();
        let operator = condition.operator.to_ascii_lowercase();
        condition.key == key
            && !negated
            // These hold as well where the key is absent.
            && !operator.ends_with("ifexists")
            && !operator.starts_with("forallvalues:")
            && matches!(plain.as_str(), "stringequals" | "stringlike" | "arnlike" | "arnequals")
            && !condition.values.iter().any(|value| value.contains("${") || value.contains('?'))
    });
    bound.map(|condition| condition.values.iter().map(String::as_str).collect()).unwrap_or_default()
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
        .with(
            "kms:ViaService",
            via_s3(at).map_or(Known::Unknown, |service| Known::Values(vec![Text::Exactly(service)])),
        )
        .with_value("kms:EncryptionContext:aws:s3:arn", context)
        .with_value("kms:EncryptionContextKeys", "aws:s3:arn")
        .with_value("aws:ResourceAccount", key.account.as_str())
        .with("aws:ResourceOrgID", organization)
        .with_value("aws:RequestedRegion", at.bucket.region.as_str())
}

/// The value of `kms:ViaService`, where it is documented.
pub(super) fn via_s3(at: &Subject<'_>) -> Option<String> {
    matches!(at.partition, "aws" | "aws-us-gov").then(|| format!("s3.{}.amazonaws.com", at.bucket.region))
}

/// A statement for an identity's policy, or with a principal for the key's, that lets the key be used for the bucket.
pub(super) fn statement(at: &Subject<'_>, key: &KeyArn, actions: &[&str], principal: Option<(&str, &str)>) -> String {
    // Written by hand: the elements stand in the order in which people write them.
    let principal = principal.map(|(kind, who)| format!(r#""Principal":{{"{kind}":"{who}"}},"#)).unwrap_or_default();
    let resource = if principal.is_empty() { key.to_string() } else { "*".to_owned() };
    // A service asks in its own name, which kms:ViaService is not documented for.
    let via = via_s3(at)
        .filter(|_| !principal.contains("Service"))
        .map(|service| format!(r#","Condition":{{"StringEquals":{{"kms:ViaService":"{service}"}}}}"#));
    let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    format!(
        r#"{{"Effect":"Allow",{principal}"Action":[{}],"Resource":"{resource}"{}}}"#,
        actions.join(","),
        via.unwrap_or_default()
    )
}

/// The first lines of evidence, and how many more there are.
pub(super) fn shown(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST_SHOWN);
    lines.truncate(MOST_SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// A guard's word from what it found and what it cannot tell: what is certain goes first.
pub(super) fn word(found: Vec<String>, unclear: Vec<String>, says: impl FnOnce(usize) -> String, hint: String) -> Word {
    if found.is_empty() && unclear.is_empty() {
        return Word::Clear;
    }
    if found.is_empty() {
        return Word::CannotTell { evidence: shown(unclear), hint };
    }
    let says = says(found.len());
    let mut evidence = shown(found);
    if let Some(first) = unclear.first() {
        evidence.push(format!("of {} more it cannot be told, such as: {first}", unclear.len()));
    }
    Word::Found { says, evidence, hint }
}
