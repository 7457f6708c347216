//! What a principal lacks of the key, and by which cause.

use super::super::access::{self, DECRYPT};
use super::Sides;
use crate::judge::policy::{Answer, Holder, OwnRefusal, Request, Text};
use crate::model::BlockingPrincipal;

/// Why an action on the key is refused to a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// None of its own policies allows it.
    OwnPolicies,
    /// Its own policies allow it for the ARN of objects; with a Bucket Key the context is the bucket's ARN.
    ObjectContext,
    /// Its permissions boundary does not allow it.
    Boundary,
    /// A statement of its own denies it.
    OwnDeny(String),
    /// The key policy does not admit it.
    KeyPolicy,
    /// A statement of the key policy denies it.
    KeyDeny(String),
}

impl Cause {
    fn says(&self) -> String {
        match self {
            Cause::OwnPolicies => "its own policies do not allow it".to_owned(),
            Cause::ObjectContext => {
                "its own policies allow it for object ARNs only (kms:EncryptionContext:aws:s3:arn), and \
                                     with an S3 Bucket Key the encryption context is the bucket ARN"
                    .to_owned()
            }
            Cause::Boundary => "its permissions boundary does not allow it".to_owned(),
            Cause::OwnDeny(by) => format!("{by}, denies it"),
            Cause::KeyPolicy => "the key policy does not allow it".to_owned(),
            Cause::KeyDeny(by) => format!("the key policy, {by}, denies it"),
        }
    }
}

/// What a principal lacks: each cause with the actions that it refuses.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pub(super) causes: Vec<(Cause, Vec<&'static str>)>,
    /// Why it cannot be told of some action.
    pub(super) unclear: Option<String>,
}

impl Gap {
    /// What a principal lacks of what it needs.
    pub(super) fn of(holder: &Holder, needs: &[&'static str], sides: &Sides<'_>) -> Gap {
        let mut gap = Gap::default();
        for &action in needs {
            let request = of_key(holder, action, sides);
            let right = holder.may_use_key(sides.key_policy, &sides.key.account, &request);
            if right.admitted == Answer::No {
                let cause = match sides.key_policy.denied_by(&request) {
                    Some(by) => Cause::KeyDeny(by),
                    None => Cause::KeyPolicy,
                };
                gap.add(cause, action);
            }
            if right.own == Answer::No {
                gap.add(own_cause(holder, &request, sides), action);
            }
            if let Answer::CannotTell(why) = right.answer() {
                gap.unclear = gap.unclear.or(Some(format!("{action}: {why}")));
            }
        }
        gap
    }

    fn add(&mut self, cause: Cause, action: &'static str) {
        match self.causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, actions)) => actions.push(action),
            None => self.causes.push((cause, vec![action])),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.causes.is_empty() && self.unclear.is_none()
    }

    /// All that it lacks, by whatever cause, each once.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        let mut found: Vec<&str> = Vec::new();
        for action in self.causes.iter().flat_map(|(_, actions)| actions) {
            if !found.contains(action) {
                found.push(action);
            }
        }
        // Whoever writes lacks the first for each upload, so it is named first.
        found.sort_by_key(|action| *action == DECRYPT);
        found
    }

    /// Why, for people.
    pub(super) fn why(&self) -> String {
        self.causes.iter().map(|(cause, _)| cause.says()).collect::<Vec<_>>().join(", and ")
    }

    /// The principal as an account's report names it.
    pub(super) fn blocking(&self, holder: &Holder, fix: String) -> BlockingPrincipal {
        BlockingPrincipal {
            principal: holder.arn.clone(),
            lacks: self.lacks().into_iter().map(str::to_owned).collect(),
            why: self.why(),
            fix,
        }
    }
}

/// The request for the key that S3 makes in a principal's name.
fn of_key(holder: &Holder, action: &str, sides: &Sides<'_>) -> Request {
    let request = holder.request(&sides.at.organization.id, action, sides.key.to_string().as_str().into());
    access::of_key(request, sides.at, &sides.key)
}

fn own_cause(holder: &Holder, request: &Request, sides: &Sides<'_>) -> Cause {
    let by_objects: Text = access::objects(sides.at);
    let of_objects = request.clone().with_value("kms:EncryptionContext:aws:s3:arn", by_objects);
    if sides.at.rule.has_bucket_key() && holder.may(&of_objects).answer.is_possible() {
        return Cause::ObjectContext;
    }
    match holder.own_refusal(request) {
        OwnRefusal::NotAllowed => Cause::OwnPolicies,
        OwnRefusal::Boundary => Cause::Boundary,
        OwnRefusal::Denied(by) => Cause::OwnDeny(by),
    }
}
