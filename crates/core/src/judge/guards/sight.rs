//! What guards see of a bucket: the subject, and its policies as data, each read once for all guards. What was not read, or is
//! not understood, is [`Dark`]: a guard that needs it cannot tell.

use std::cell::OnceCell;
use std::ops::Deref;
use std::sync::Arc;

use super::{Subject, Word};
use crate::glob::matches;
use crate::judge::policy::{self, Holders, NotUnderstood, Parsed, Policy};
use crate::model::{Algorithm, AwsError, KeyArn, Read};

/// A bucket about to change, as guards see it.
pub struct Sight<'a> {
    subject: Subject<'a>,
    /// Whether a finding of `public-access` holds the bucket.
    pub(super) public_access_holds: bool,
    bucket_policy: OnceCell<Result<Policy, NotUnderstood>>,
    key_policy: OnceCell<Parsed>,
}

/// Something that is not known: why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dark {
    pub(super) why: String,
    pub(super) hint: String,
}

impl<'a> Sight<'a> {
    /// What guards see of a subject.
    #[must_use]
    pub fn of(subject: Subject<'a>) -> Sight<'a> {
        Sight { subject, public_access_holds: true, bucket_policy: OnceCell::new(), key_policy: OnceCell::new() }
    }

    /// The same, where the campaign file may override `public-access`.
    pub(super) fn where_public_access_holds(self, holds: bool) -> Sight<'a> {
        Sight { public_access_holds: holds, ..self }
    }

    /// The bucket's policy; `None` where it has none.
    pub(super) fn bucket_policy(&self) -> Result<Option<&Policy>, Dark> {
        let Some(text) = read(&self.subject.evidence.policy, "GetBucketPolicy")? else { return Ok(None) };
        let policy = self.bucket_policy.get_or_init(|| Policy::parse(text)).as_ref();
        policy.map(Some).map_err(|why| not_understood("the bucket policy", why))
    }

    /// The policy of the central key.
    pub(super) fn key_policy(&self) -> Result<&Policy, Dark> {
        let text = read(&self.subject.key.policy, "GetKeyPolicy")?;
        let policy = self.key_policy.get_or_init(|| policy::key_policy(text));
        (**policy).as_ref().map_err(|why| not_understood("the key policy", why))
    }

    /// The users and roles of the bucket's account.
    pub(super) fn holders(&self) -> Result<Arc<Holders>, Dark> {
        read(&self.subject.account.identities, "GetAccountAuthorizationDetails").map(Holders::of)
    }

    /// The key that the bucket would get. `None`: it gets none, and nobody needs rights on one.
    pub(super) fn central_key(&self) -> Result<Option<KeyArn>, Dark> {
        let rule = self.subject.rule;
        let takes_key = matches!(rule.algorithm, Some(Algorithm::SseKms | Algorithm::DsseKms));
        let Some(key) = rule.key.as_deref().filter(|_| takes_key) else { return Ok(None) };
        let key = key.parse().map(Some);
        key.map_err(|error| Dark { why: format!("{error}"), hint: "specify the full key ARN".to_owned() })
    }

    /// Whether a canonical user id is the bucket owner's, as the ACL shows it.
    pub(super) fn is_owner(&self, id: &str) -> bool {
        matches!(&self.subject.evidence.acl, Some(Ok(acl)) if acl.owner == id)
    }

    /// Whether the campaign file says that a principal needs no look.
    pub(super) fn ignores(&self, arn: &str) -> bool {
        self.subject.terms.ignored_principals.iter().any(|pattern| matches(pattern, arn))
    }

    /// Whether an account, or a principal of it, is the bucket's own, or one that the campaign file vouches for.
    pub(super) fn is_known(&self, account: &str, who: &str) -> bool {
        account == self.subject.bucket.account
            || self.subject.terms.trusted_accounts.contains(account)
            || self.ignores(who)
    }
}

impl<'a> Deref for Sight<'a> {
    type Target = Subject<'a>;

    fn deref(&self) -> &Subject<'a> {
        &self.subject
    }
}

impl Dark {
    pub(super) fn not_read(what: &str) -> Dark {
        Dark { why: format!("{what} were not read"), hint: "run the command again".to_owned() }
    }
}

/// What an operation answered.
pub(super) fn read<'a, T>(read: &'a Read<T>, operation: &str) -> Result<&'a T, Dark> {
    match read {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(Dark::from(error)),
        None => Err(Dark { why: format!("{operation} was not called"), hint: "run the command again".to_owned() }),
    }
}

/// A policy as data. `whose` names it for people.
pub(super) fn understood(text: &str, whose: &str) -> Result<Policy, Dark> {
    Policy::parse(text).map_err(|why| not_understood(whose, &why))
}

fn not_understood(whose: &str, why: &NotUnderstood) -> Dark {
    Dark {
        why: format!("{whose} could not be evaluated: {why}"),
        hint: format!("review {whose}; if nothing in it prevents the change, override this guard for the bucket"),
    }
}

impl From<&AwsError> for Dark {
    fn from(error: &AwsError) -> Dark {
        Dark { why: error.to_string(), hint: error.hint.clone() }
    }
}

impl From<Dark> for Word {
    fn from(dark: Dark) -> Word {
        Word::CannotTell { evidence: vec![dark.why], hint: dark.hint, principals: Vec::new() }
    }
}
