//! `object-encryption-context`: KMS rights that hang on the ARNs of objects. With a Bucket Key, S3 asks with the bucket's ARN.

use std::collections::HashSet;
use std::sync::Arc;

use super::access::{self, DECRYPT, GENERATE};
use super::{Guard, Need, Subject, Word};
use crate::judge::policy::{Answer, Effect, Holders, NotUnderstood, Policy, Request, Statement, Text, matches};
use crate::model::{Identities, KeyArn};

/// The encryption context of an object under a Bucket Key is `aws:s3:arn` = the bucket's ARN, without the object's key.
pub(super) struct ObjectEncryptionContext;

/// The condition keys by which a policy may look at it, in lower case.
const CONTEXT: &str = "kms:encryptioncontext:aws:s3:arn";

impl Guard for ObjectEncryptionContext {
    fn name(&self) -> &'static str {
        "object-encryption-context"
    }

    fn keeps_from(&self) -> &'static str {
        "KMS rights that are bound to objects by their encryption context end with the Bucket Key"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Identities, Need::KeyPolicy]
    }

    fn look(&self, at: &Subject<'_>) -> Word {
        look(at).unwrap_or_else(|word| word)
    }
}

fn look(at: &Subject<'_>) -> Result<Word, Word> {
    let Some(key) = access::key(at)?.filter(|_| at.rule.has_bucket_key()) else { return Ok(Word::Clear) };
    let identities: &Arc<Identities> = access::read(&at.account.identities, "the account's users and roles")?;
    let key_policy = access::key_policy(at)?;
    let mut seen = Seen { at, key, found: Vec::new(), unclear: Vec::new() };
    seen.policy("the key policy", &Ok(key_policy));
    let mut told = HashSet::new();
    for holder in &Holders::of(identities).holders {
        if at.terms.ignored_principals.iter().any(|pattern| matches(pattern, &holder.arn)) {
            continue;
        }
        let own = holder.policies.iter().map(|(name, policy)| (format!("policy {name}"), policy));
        let boundary = holder.boundary.iter().map(|policy| ("its permissions boundary".to_owned(), policy));
        for (called, policy) in own.chain(boundary) {
            // A policy of many is told once, by the first who has it.
            if told.insert(Arc::as_ptr(policy)) {
                seen.policy(&format!("{}, {called}", holder.arn), policy);
            }
        }
    }
    let says = |_| {
        "policies let the key be used for objects of this bucket by their ARN, and the Bucket Key changes it".to_owned()
    };
    let hint = format!(
        "let the condition on kms:EncryptionContext:aws:s3:arn name {} as well as its objects",
        access::bucket_arn(at)
    );
    Ok(access::word(seen.found, seen.unclear, says, hint))
}

struct Seen<'a> {
    at: &'a Subject<'a>,
    key: KeyArn,
    found: Vec<String>,
    unclear: Vec<String>,
}

impl Seen<'_> {
    fn policy(&mut self, whose: &str, policy: &Result<Policy, NotUnderstood>) {
        match policy {
            Ok(policy) => policy.statements.iter().for_each(|statement| self.statement(whose, statement)),
            Err(why) => self.unclear.push(format!("{whose}: {why}")),
        }
    }

    fn statement(&mut self, whose: &str, statement: &Statement) {
        let speaks = statement.conditions.iter().any(|condition| condition.key == CONTEXT)
            && (statement.covers_action(DECRYPT) || statement.covers_action(GENERATE))
            // Where a policy variable decides, it may.
            && statement.covers_resource(&self.key.to_string()) != Ok(false);
        if !speaks {
            return;
        }
        let bucket = Text::Exactly(access::bucket_arn(self.at));
        let (of_objects, of_bucket) = (holds(statement, access::objects(self.at)), holds(statement, bucket));
        let called = format!("{whose}, {}", statement.called());
        match (statement.effect, of_objects, of_bucket) {
            (Effect::Allow, Answer::Yes | Answer::CannotTell(_), Answer::No) => {
                self.found.push(format!("{called} allows by the ARN of objects, and not by the bucket's"));
            }
            (Effect::Deny, Answer::No | Answer::CannotTell(_), Answer::Yes) => {
                self.found.push(format!("{called} denies all but objects, and so the bucket's ARN"));
            }
            (Effect::Deny, Answer::Yes | Answer::CannotTell(_), Answer::No) => {
                self.found.push(format!("{called} denies by the ARN of objects, and would not any more"));
            }
            (_, _, Answer::CannotTell(why)) => self.unclear.push(format!("{called}: {why}")),
            _ => {}
        }
    }
}

/// Whether the conditions on the encryption context, those alone, hold where `aws:s3:arn` is so.
fn holds(statement: &Statement, context: Text) -> Answer {
    let request = Request::of("", "", DECRYPT, "*".into()).with_value(CONTEXT, context);
    let conditions = statement.conditions.iter().filter(|condition| condition.key == CONTEXT);
    conditions.fold(Answer::Yes, |holds, condition| holds.and(condition.holds(&request)))
}

#[cfg(test)]
mod tests {
    use super::super::access_fixture::*;
    use super::*;

    const GUARD: ObjectEncryptionContext = ObjectEncryptionContext;

    fn statement(effect: &str, operator: &str, value: &str) -> String {
        format!(
            r#"{{"Sid":"C","Effect":"{effect}","Action":"kms:*","Resource":"*","Condition":{{"{operator}":{{"kms:EncryptionContext:aws:s3:arn":{value}}}}}}}"#
        )
    }

    fn own(text: &str) -> Site {
        Site::new(None, ORGANIZATION).with_roles(&[("app", &[text])])
    }

    #[test]
    fn finds_what_is_bound_to_objects() {
        for (effect, operator, value, what) in [
            ("Allow", "StringLike", r#""arn:aws:s3:::b/*""#, "allows by the ARN of objects, and not by the bucket's"),
            (
                "Allow",
                "StringEquals",
                r#"["arn:aws:s3:::b/k"]"#,
                "allows by the ARN of objects, and not by the bucket's",
            ),
            ("Allow", "ArnLike", r#""arn:aws:s3:::*/logs/*""#, "allows by the ARN of objects, and not by the bucket's"),
            ("Deny", "StringNotLike", r#""arn:aws:s3:::b/*""#, "denies all but objects, and so the bucket's ARN"),
            (
                "Deny",
                "StringLike",
                r#""arn:aws:s3:::b/secret/*""#,
                "denies by the ARN of objects, and would not any more",
            ),
        ] {
            let text = statement(effect, operator, value);
            let line = format!("arn:aws:iam::111122223333:role/app, policy team, statement C {what}");
            assert_eq!(own(&text).found(&GUARD), [line], "{text}");
        }
        let in_key = statement("Allow", "StringLike", r#""arn:aws:s3:::b/*""#)
            .replace(r#""Action""#, r#""Principal":{"AWS":"*"},"Action""#);
        let found = Site::new(None, &in_key).found(&GUARD);
        assert!(found[0].starts_with("the key policy, statement C allows"), "{found:?}");
    }

    #[test]
    fn finds_nothing_where_the_bucket_is_meant_too_or_another_is() {
        for (effect, operator, value) in [
            ("Allow", "StringLike", r#"["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#),
            ("Allow", "StringLike", r#""arn:aws:s3:::b*""#),
            ("Allow", "StringLike", r#""arn:aws:s3:::c/*""#),
            ("Deny", "StringNotLike", r#""arn:aws:s3:::*""#),
        ] {
            let text = statement(effect, operator, value);
            assert_eq!(own(&text).look(&GUARD), Word::Clear, "{text}");
        }
        let objects = statement("Allow", "StringLike", r#""arn:aws:s3:::b/*""#);
        let elsewhere =
            objects.replace(r#""Resource":"*""#, r#""Resource":"arn:aws:kms:us-east-1:999900001111:key/other""#);
        assert_eq!(own(&elsewhere).look(&GUARD), Word::Clear);
        let mut off = own(&objects);
        off.rule.bucket_key = Some(false);
        assert_eq!(off.look(&GUARD), Word::Clear);
    }

    #[test]
    fn cannot_tell_an_operator_that_is_not_evaluated_or_what_was_not_read() {
        let odd = statement("Allow", "SomeValue:StringLike", r#""arn:aws:s3:::b/*""#);
        assert!(own(&odd).untold(&GUARD)[0].contains("is not understood"));
        let mut dark = own("");
        dark.account.identities = denied("GetAccountAuthorizationDetails");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetAccountAuthorizationDetails: Access Denied"]);
    }
}
