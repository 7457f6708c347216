//! `object-encryption-context`: KMS rights that hang on the ARNs of objects. With a Bucket Key, S3 asks with the bucket's ARN.

use super::access::{self, DECRYPT, GENERATE};
use super::seen::Seen;
use super::sight::{Dark, Sight};
use super::{Guard, Need, Word};
use crate::judge::policy::{Answer, Effect, NotUnderstood, Policy, Request, Statement, Text};
use crate::model::KeyArn;

/// The encryption context of an object under a Bucket Key is `aws:s3:arn` = the bucket's ARN, without the object's key.
pub(super) struct ObjectEncryptionContext;

/// The condition keys by which a policy may look at it, in lower case.
const CONTEXT: &str = "kms:encryptioncontext:aws:s3:arn";

impl Guard for ObjectEncryptionContext {
    fn name(&self) -> &'static str {
        "object-encryption-context"
    }

    fn keeps_from(&self) -> &'static str {
        "KMS permissions that are restricted to object ARNs by encryption context stop working with an S3 Bucket Key"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Identities, Need::KeyPolicy]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        look(at).unwrap_or_else(Word::from)
    }
}

fn look(at: &Sight<'_>) -> Result<Word, Dark> {
    let Some(key) = at.central_key()?.filter(|_| at.rule.has_bucket_key()) else { return Ok(Word::Clear) };
    let holders = at.holders()?;
    let mut look = Look { at, key, seen: Seen::default() };
    at.key_policy()?.statements.iter().for_each(|statement| look.statement("the key policy", statement));
    for shared in holders.policies.iter().filter(|shared| may_speak(&shared.policy)) {
        // A policy of many is told once, by the first who has it.
        let mut by = shared.by.iter().map(|&(holder, place)| (&holders.holders[holder], place));
        let Some((holder, place)) = by.find(|(holder, _)| !at.ignores(&holder.arn)) else { continue };
        let called = match place {
            Some(place) => format!("{}, policy {}", holder.arn, holder.policies[place].0),
            None => format!("{}, its permissions boundary", holder.arn),
        };
        match shared.policy.as_ref() {
            Ok(policy) => policy.statements.iter().for_each(|statement| look.statement(&called, statement)),
            Err(why) => look.seen.unsure(format!("{called}: {why}")),
        }
    }
    let hint = format!(
        "extend the condition on kms:EncryptionContext:aws:s3:arn with the bucket ARN, {}",
        access::bucket_arn(at)
    );
    Ok(look.seen.word(
        "permissions on the central key are restricted to object ARNs; with an S3 Bucket Key, the encryption context is the \
         bucket ARN",
        &hint,
    ))
}

/// Whether a policy asks for the encryption context, or is not understood.
fn may_speak(policy: &Result<Policy, NotUnderstood>) -> bool {
    policy.as_ref().map_or(true, |policy| policy.statements.iter().any(speaks))
}

fn speaks(statement: &Statement) -> bool {
    statement.conditions.iter().any(|condition| condition.key == CONTEXT)
}

struct Look<'a> {
    at: &'a Sight<'a>,
    key: KeyArn,
    seen: Seen,
}

impl Look<'_> {
    fn statement(&mut self, whose: &str, statement: &Statement) {
        let concerns = speaks(statement)
            && (statement.covers_action(DECRYPT) || statement.covers_action(GENERATE))
            // Where a policy variable decides, it may.
            && statement.covers_resource(&self.key.to_string()) != Ok(false);
        if !concerns {
            return;
        }
        let bucket = Text::Exactly(access::bucket_arn(self.at));
        let (of_objects, of_bucket) = (holds(statement, access::objects(self.at)), holds(statement, bucket));
        let called = format!("{whose}, {}", statement.called());
        match (statement.effect, of_objects, of_bucket) {
            (Effect::Allow, Answer::Yes | Answer::CannotTell(_), Answer::No) => {
                self.seen.saw(format!("{called} allows the object ARNs but not the bucket ARN"));
            }
            (Effect::Deny, Answer::No | Answer::CannotTell(_), Answer::Yes) => {
                self.seen.saw(format!("{called} denies everything except the object ARNs, and so the bucket ARN"));
            }
            (Effect::Deny, Answer::Yes | Answer::CannotTell(_), Answer::No) => {
                self.seen
                    .saw(format!("{called} denies the object ARNs, and would no longer deny with an S3 Bucket Key"));
            }
            (_, _, Answer::CannotTell(why)) => self.seen.unsure(format!("{called}: {why}")),
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
    use super::super::fixture::*;
    use super::*;

    const GUARD: ObjectEncryptionContext = ObjectEncryptionContext;

    fn statement(effect: &str, operator: &str, value: &str) -> String {
        format!(
            r#"{{"Sid":"C","Effect":"{effect}","Action":"kms:*","Resource":"*","Condition":{{"{operator}":{{"kms:EncryptionContext:aws:s3:arn":{value}}}}}}}"#
        )
    }

    fn own(text: &str) -> Scene {
        Scene::with_policies(None, ORGANIZATION).with_roles(&[("app", &[text])])
    }

    #[test]
    fn finds_what_is_bound_to_objects() {
        for (effect, operator, value, what) in [
            ("Allow", "StringLike", r#""arn:aws:s3:::b/*""#, "allows the object ARNs but not the bucket ARN"),
            ("Allow", "StringEquals", r#"["arn:aws:s3:::b/k"]"#, "allows the object ARNs but not the bucket ARN"),
            ("Allow", "ArnLike", r#""arn:aws:s3:::*/logs/*""#, "allows the object ARNs but not the bucket ARN"),
            (
                "Deny",
                "StringNotLike",
                r#""arn:aws:s3:::b/*""#,
                "denies everything except the object ARNs, and so the bucket ARN",
            ),
            (
                "Deny",
                "StringLike",
                r#""arn:aws:s3:::b/secret/*""#,
                "denies the object ARNs, and would no longer deny with an S3 Bucket Key",
            ),
        ] {
            let text = statement(effect, operator, value);
            let line = format!("arn:aws:iam::111122223333:role/app, policy team, statement C {what}");
            assert_eq!(own(&text).found(&GUARD), [line], "{text}");
        }
        let in_key = statement("Allow", "StringLike", r#""arn:aws:s3:::b/*""#)
            .replace(r#""Action""#, r#""Principal":{"AWS":"*"},"Action""#);
        let found = Scene::with_policies(None, &in_key).found(&GUARD);
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
        dark.account.identities = denied("GetAccountAuthorizationDetails", "allow it");
        assert_eq!(dark.untold(&GUARD), ["AccessDenied: GetAccountAuthorizationDetails: Access Denied"]);
    }
}
