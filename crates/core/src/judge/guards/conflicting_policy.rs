//! `conflicting-policy`: a bucket policy that asks writers for an encryption header, and so against the default.

use super::access::{self, WRITE};
use super::seen::Seen;
use super::sight::{Dark, Sight};
use super::{Guard, Need, Word};
use crate::judge::policy::{Answer, Effect, Known, Request, Statement};
use crate::model::KeyArn;

/// The default is for writes which name no encryption. A negated operator matches a header that is absent, so many policies
/// meant against wrong headers refuse exactly those; and who sends a header keeps what the header says.
pub(super) struct ConflictingPolicy;

/// Each condition key on how a write asks to be encrypted begins so.
const HEADER: &str = "s3:x-amz-server-side-encryption";
const HEADERS: [&str; 5] = [
    HEADER,
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-bucket-key-enabled",
    "s3:x-amz-server-side-encryption-context",
    "s3:x-amz-server-side-encryption-customer-algorithm",
];

impl Guard for ConflictingPolicy {
    fn name(&self) -> &'static str {
        "conflicting-policy"
    }

    fn keeps_from(&self) -> &'static str {
        "the bucket policy denies uploads that rely on default encryption, or requires uploads to request another encryption"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at).unwrap_or_else(Word::from)
    }
}

/// What a write says of its encryption.
#[derive(Clone, Copy)]
enum Says<'a> {
    Nothing,
    Algorithm(&'a str),
    Key(&'a str, &'a KeyArn),
}

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    let Some(key) = at.central_key()? else { return Ok(Word::Clear) };
    let Some(policy) = at.bucket_policy()? else { return Ok(Word::Clear) };
    let algorithm = at.rule.algorithm.as_ref().map_or("aws:kms", |algorithm| algorithm.as_str());
    let mut seen = Seen::default();
    for statement in &policy.statements {
        let on_encryption = statement.conditions.iter().any(|condition| condition.key.starts_with(HEADER));
        if !on_encryption || !access::covers_objects(statement, WRITE, at) {
            continue;
        }
        let silent = holds(statement, Says::Nothing, at);
        let central = holds(statement, Says::Key(algorithm, &key), at);
        let called = format!("the bucket policy, {}", statement.called());
        let what = match (statement.effect, silent, central) {
            (_, Answer::CannotTell(why), _) | (_, _, Answer::CannotTell(why)) => {
                seen.unsure(format!("{called}: {why}"));
                continue;
            }
            (Effect::Deny, Answer::Yes, Answer::No) => {
                "denies uploads without an encryption header, which is what default encryption applies to".to_owned()
            }
            (Effect::Deny, Answer::Yes, Answer::Yes) => {
                format!(
                    "denies uploads without an encryption header and uploads that request the central key{}",
                    takes(statement, at)
                )
            }
            (Effect::Deny, Answer::No, Answer::Yes) => {
                format!("denies uploads that request the central key{}", takes(statement, at))
            }
            (Effect::Allow, Answer::No, Answer::No) => "allows only uploads that request another encryption".to_owned(),
            _ => continue,
        };
        let others: Vec<&str> = statement
            .conditions
            .iter()
            .filter(|condition| !condition.key.starts_with(HEADER))
            .map(|condition| condition.key.as_str())
            .collect();
        let bound =
            if others.is_empty() { String::new() } else { format!(", under conditions on {}", others.join(", ")) };
        seen.saw(format!("{called} {what}{bound}"));
    }
    let hint = format!(
        "change the statement so that it denies only requests whose header is present and wrong: {}",
        r#""Null":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"false"} beside "StringNotEquals" on the central key"#
    );
    Ok(seen.word(
        "the bucket policy denies uploads that rely on the new default encryption, or uploads that request the central \
                  key",
        &hint,
    ))
}

/// Which header a deny that refuses the central key takes, in words.
fn takes(statement: &Statement, at: &Sight<'_>) -> &'static str {
    let refuses = |algorithm| holds(statement, Says::Algorithm(algorithm), at);
    match (refuses("AES256"), refuses("aws:kms")) {
        (Answer::No, Answer::Yes) => "; it accepts AES256",
        (Answer::Yes, Answer::Yes) => "; it accepts no encryption other than SSE-C, if any",
        _ => "",
    }
}

/// Whether a statement's conditions on the encryption of a write, those alone, hold.
fn holds(statement: &Statement, says: Says<'_>, at: &Sight<'_>) -> Answer {
    let silent = Request::of("", &at.bucket.account, WRITE, access::objects(at));
    let silent = HEADERS.iter().fold(silent, |request, header| request.with(header, Known::Absent));
    let request = match says {
        Says::Nothing => silent,
        Says::Algorithm(algorithm) => silent.with_value(HEADER, algorithm),
        Says::Key(algorithm, key) => silent
            .with_value(HEADER, algorithm)
            .with_value("s3:x-amz-server-side-encryption-aws-kms-key-id", key.to_string().as_str()),
    };
    let conditions = statement.conditions.iter().filter(|condition| condition.key.starts_with(HEADER));
    conditions.fold(Answer::Yes, |holds, condition| holds.and(condition.holds(&request)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    const GUARD: ConflictingPolicy = ConflictingPolicy;

    fn site(effect: &str, condition: &str) -> Scene {
        let statement = format!(
            r#"{{"Sid":"E","Effect":"{effect}","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*","Condition":{condition}}}"#
        );
        Scene::with_policies(Some(&statement), ORGANIZATION)
    }

    #[test]
    fn finds_what_refuses_the_default_or_demands_something_else() {
        let silent = "denies uploads without an encryption header, which is what default encryption applies to";
        for (effect, condition, what) in [
            ("Deny", r#"{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}"#, silent),
            ("Deny", r#"{"StringNotEqualsIfExists":{"s3:x-amz-server-side-encryption":["aws:kms"]}}"#, silent),
            ("Deny", r#"{"Null":{"s3:x-amz-server-side-encryption":"true"}}"#, silent),
            ("Deny", r#"{"Null":{"s3:x-amz-server-side-encryption":true}}"#, silent),
            (
                "Deny",
                r#"{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:us-east-1:999900001111:key/k"}}"#,
                silent,
            ),
            (
                "Deny",
                r#"{"Null":{"s3:x-amz-server-side-encryption":"true"},"Bool":{"aws:SecureTransport":"true"}}"#,
                &format!("{silent}, under conditions on aws:securetransport"),
            ),
            (
                "Deny",
                r#"{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}"#,
                "denies uploads without an encryption header and uploads that request the central key; it accepts AES256",
            ),
            (
                "Deny",
                r#"{"Null":{"s3:x-amz-server-side-encryption-customer-algorithm":"true"}}"#,
                "denies uploads without an encryption header and uploads that request the central key; it accepts no encryption other \
                 than SSE-C, if any",
            ),
            (
                "Deny",
                r#"{"StringLike":{"s3:x-amz-server-side-encryption":"aws:kms*"}}"#,
                "denies uploads that request the central key; it accepts AES256",
            ),
            (
                "Deny",
                r#"{"Null":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"false"},"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:us-east-1:111122223333:key/own"}}"#,
                "denies uploads that request the central key",
            ),
            (
                "Allow",
                r#"{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}"#,
                "allows only uploads that request another encryption",
            ),
        ] {
            let found = site(effect, condition).found(&GUARD);
            assert_eq!(found, [format!("the bucket policy, statement E {what}")], "{condition}");
        }
    }

    #[test]
    fn finds_nothing_in_what_leaves_the_default_and_the_key_alone() {
        for (effect, condition) in [
            (
                "Deny",
                r#"{"Null":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"false"},"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:us-east-1:999900001111:key/k"}}"#,
            ),
            ("Deny", r#"{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}"#),
            ("Deny", r#"{"Null":{"s3:x-amz-server-side-encryption-customer-algorithm":"false"}}"#),
            ("Deny", r#"{"Bool":{"aws:SecureTransport":"false"}}"#),
            ("Allow", r#"{"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}"#),
        ] {
            assert_eq!(site(effect, condition).look(&GUARD), Word::Clear, "{condition}");
        }
        let reading = r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*","Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}}"#;
        assert_eq!(Scene::with_policies(Some(reading), ORGANIZATION).look(&GUARD), Word::Clear);
        assert_eq!(Scene::with_policies(None, ORGANIZATION).look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_what_is_not_evaluated_or_not_read() {
        let odd = site("Deny", r#"{"BinaryEquals":{"s3:x-amz-server-side-encryption":"QQ=="}}"#);
        assert!(odd.untold(&GUARD)[0].contains("is not evaluated"));
        let mut dark = site("Deny", "{}");
        dark.evidence.policy = denied("GetBucketPolicy", "allow it");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetBucketPolicy: Access Denied"]);
    }
}
