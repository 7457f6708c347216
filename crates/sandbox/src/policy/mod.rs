//! IAM policies: read once into a compact form, then asked. What is asked for and who asks is gathered in `authorize`;
//! where an organization's policies come from is in `store`.

pub(crate) mod aws_managed;
pub(crate) mod condition;
pub(crate) mod controls;
mod described;
pub(crate) mod evaluate;
pub(crate) mod identities;
pub(crate) mod parse;
pub(crate) mod pattern;
pub(crate) mod principal;
pub(crate) mod role_change;
pub(crate) mod shipped;
pub(crate) mod store;

use std::borrow::Cow;

use condition::Condition;
use pattern::Pattern;
use principal::{Match, Principals};
use serde::{Deserialize, Serialize};

/// What a policy is attached to decides which elements it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Of a user or role, also as permissions boundary.
    Identity,
    /// Handed to AssumeRole.
    Session,
    /// Of a bucket.
    Resource,
    /// Of a KMS key.
    Key,
    /// Who may assume a role.
    Trust,
    /// A service control policy.
    Scp,
    /// A resource control policy.
    Rcp,
}

/// A policy document, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    pub(crate) statements: Vec<Statement>,
    /// The document as it was put: GetKeyPolicy and GetBucketPolicy return it.
    pub(crate) text: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// Things that a statement names, or (`NotAction`, `NotResource`) leaves out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub(crate) negated: bool,
    pub(crate) patterns: Vec<Pattern>,
}

impl Named {
    fn matches(&self, text: &str, keys: &dyn Keys) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(text, keys)) != self.negated
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) effect: Effect,
    /// `None` where the kind has no Principal: it speaks of whom the policy is attached to.
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Named,
    /// `None` in a trust policy, which speaks of its own role.
    pub(crate) resources: Option<Named>,
    pub(crate) conditions: Vec<Condition>,
}

/// The condition keys of a request. Names are given in lower case; no values at all is an absent key.
pub(crate) trait Keys {
    fn values(&self, key: &str) -> Vec<Cow<'_, str>>;
}

/// One question to a policy.
pub(crate) struct Question<'a> {
    /// In lower case: actions are matched without regard to case.
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) asker: &'a principal::Asker<'a>,
    pub(crate) keys: &'a dyn Keys,
}

impl Statement {
    /// How the statement covers the question; `Match::No` when it does not.
    fn covers(&self, question: &Question<'_>) -> Match {
        if !self.actions.matches(question.action, question.keys)
            || self.resources.as_ref().is_some_and(|named| !named.matches(question.resource, question.keys))
        {
            return Match::No;
        }
        let named = self.principals.as_ref().map_or(Match::Principal, |principals| principals.matches(question.asker));
        if named == Match::No || !self.conditions.iter().all(|condition| condition.holds(question.keys)) {
            return Match::No;
        }
        named
    }
}

impl Policy {
    pub(crate) fn denies(&self, question: &Question<'_>) -> bool {
        self.strongest(Effect::Deny, question) != Match::No
    }

    pub(crate) fn allows(&self, question: &Question<'_>) -> bool {
        self.strongest(Effect::Allow, question) != Match::No
    }

    /// The closest way in which the Allow statements name the asker.
    pub(crate) fn grants(&self, question: &Question<'_>) -> Match {
        self.strongest(Effect::Allow, question)
    }

    fn strongest(&self, effect: Effect, question: &Question<'_>) -> Match {
        let statements = self.statements.iter().filter(|statement| statement.effect == effect);
        statements.map(|statement| statement.covers(question)).max().unwrap_or(Match::No)
    }
}
