//! The decision, as IAM's policy evaluation logic makes it: an explicit deny anywhere wins; every kind of policy that
//! limits must allow; resource policies and identity policies add up within an account and must both allow across accounts.

use std::sync::Arc;

use super::principal::{Asker, Match};
use super::{Policy, Question};

/// What the resource's own policy means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    /// Within the account the resource's policy or the identity's suffices.
    Plain,
    /// Without the key policy nobody gets in, whatever the identity's policies say.
    Key,
    /// As with keys: without the trust policy nobody assumes a role.
    Role,
}

/// All policies that have a say.
pub(crate) struct Sides<'a> {
    pub(crate) identity: &'a [Arc<Policy>],
    pub(crate) boundary: Option<&'a Policy>,
    pub(crate) session: Option<&'a Policy>,
    /// Root, organizational units, account: each level must allow. Empty for who is not bound.
    pub(crate) scps: &'a [Vec<Arc<Policy>>],
    pub(crate) rcps: &'a [Arc<Policy>],
    pub(crate) resource: Option<&'a Policy>,
    pub(crate) kind: ResourceKind,
    /// Whether caller and resource belong to one account.
    pub(crate) same_account: bool,
}

/// The kind of policy that stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Identity,
    Boundary,
    Session,
    Scp,
    Rcp,
    Resource,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) source: Source,
    /// A Deny statement, and not merely the lack of an Allow.
    pub(crate) explicit: bool,
}

pub(crate) fn evaluate(sides: &Sides<'_>, question: &Question<'_>) -> Result<(), Refusal> {
    let any_denies = |policies: &[Arc<Policy>]| policies.iter().any(|policy| policy.denies(question));
    let denies = |policy: Option<&Policy>| policy.is_some_and(|policy| policy.denies(question));
    for (source, denied) in [
        (Source::Scp, sides.scps.iter().any(|level| any_denies(level))),
        (Source::Rcp, any_denies(sides.rcps)),
        (Source::Resource, denies(sides.resource)),
        (Source::Identity, any_denies(sides.identity)),
        (Source::Boundary, denies(sides.boundary)),
        (Source::Session, denies(sides.session)),
    ] {
        if denied {
            return Err(Refusal { source, explicit: true });
        }
    }
    let lacking = |source| Err(Refusal { source, explicit: false });
    let allows = |policies: &[Arc<Policy>]| policies.iter().any(|policy| policy.allows(question));
    if !sides.scps.iter().all(|level| allows(level)) {
        return lacking(Source::Scp);
    }
    let granted = sides.resource.map_or(Match::No, |policy| policy.grants(question));
    // A service and an anonymous caller have no identity policies: the resource alone decides.
    if matches!(question.asker, Asker::Service(_) | Asker::Anonymous) {
        return if granted == Match::No { lacking(Source::Resource) } else { Ok(()) };
    }
    if sides.kind != ResourceKind::Plain && granted == Match::No {
        return lacking(Source::Resource);
    }
    let closely = sides.same_account && granted >= Match::Principal;
    // What the resource grants to a user or to a session by name, no boundary and no session policy takes away.
    if closely && (granted == Match::Session || matches!(question.asker, Asker::User { .. })) {
        return Ok(());
    }
    if !closely && !allows(sides.identity) {
        return lacking(Source::Identity);
    }
    if sides.boundary.is_some_and(|policy| !policy.allows(question)) {
        return lacking(Source::Boundary);
    }
    if sides.session.is_some_and(|policy| !policy.allows(question)) {
        return lacking(Source::Session);
    }
    if !sides.same_account && granted == Match::No {
        return lacking(Source::Resource);
    }
    Ok(())
}
