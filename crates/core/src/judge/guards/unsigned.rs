//! Callers who send no signature, let in by where they come from: a VPC endpoint, an address, a Referer header. S3 does not call such
//! a bucket public, and no right on a key helps them: KMS needs a signed request.

use super::Subject;
use super::access::covers_objects;
use super::access_points::is_of_access_points;
use super::services::services;
use crate::judge::OBJECT_ACTIONS;
use crate::judge::policy::{Answer, Effect, Policy, Principal, Principals, Request, Statement, Text};

/// Condition keys that tell where a request comes from, and not who makes it; in lower case.
const NETWORK: [&str; 10] = [
    "aws:sourceip",
    "aws:vpcsourceip",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    // The owner of the VPC endpoint, and not of the credentials.
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:referer",
    "aws:useragent",
];

/// Whether a statement lets everyone have objects by where a request comes from alone, so that unsigned requests come in as well.
fn is_by_network(statement: &Statement, at: &Subject<'_>) -> bool {
    let is_for_everyone = match &statement.principals {
        Principals::Are(principals) => principals.contains(&Principal::Everyone),
        Principals::AllBut(_) => true,
        Principals::Bearer => false,
    };
    statement.effect == Effect::Allow
        && is_for_everyone
        && !network_conditions(statement).is_empty()
        && !statement.conditions.iter().any(is_of_access_points)
        && services(statement).next().is_none()
        && OBJECT_ACTIONS.iter().any(|action| covers_objects(statement, &action.action, at))
        && statement.conditions_hold(&unsigned(at, "s3:GetObject")).is_possible()
}

/// The conditions of a statement on where a request comes from, in words.
pub(super) fn network_conditions(statement: &Statement) -> Vec<String> {
    let of_network = statement.conditions.iter().filter(|one| {
        NETWORK.contains(&one.key.as_str()) && !one.plain_operator().1 && one.plain_operator().0 != "null"
    });
    of_network.map(|one| format!("{} {}", one.key, one.values.join(", "))).collect()
}

/// Whether the bucket policy denies unsigned requests for every action on objects that a statement of it allows.
fn denies_unsigned(policy: &Policy, statement: &Statement, at: &Subject<'_>) -> bool {
    OBJECT_ACTIONS
        .iter()
        .filter(|action| covers_objects(statement, &action.action, at))
        .all(|action| policy.admission(&unsigned(at, &action.action)).denied == Answer::Yes)
}

/// Whether unsigned requests come in by a statement of the bucket policy, from a network.
pub(super) fn is_open_to_unsigned(policy: &Policy, statement: &Statement, at: &Subject<'_>) -> bool {
    is_by_network(statement, at) && !denies_unsigned(policy, statement, at)
}

/// The policy without the statements by which unsigned requests come in from a network: those callers are `public-access`' finding.
/// Where the policy denies unsigned requests, only signed callers are left, and they need the key like all others.
pub(super) fn without_network_statements(policy: &Policy, at: &Subject<'_>) -> Option<Policy> {
    let (open, kept): (Vec<&Statement>, Vec<&Statement>) =
        policy.statements.iter().partition(|statement| is_open_to_unsigned(policy, statement, at));
    (!open.is_empty()).then(|| Policy { statements: kept.into_iter().cloned().collect() })
}

fn unsigned(at: &Subject<'_>, action: &str) -> Request {
    let objects: Text = super::access::objects(at);
    super::access::of_bucket(Request::unsigned(action, objects), at)
}
