//! The policies: of keys, roles, buckets and the organization, each within the size that AWS takes.

use serde_norway::Value;

use crate::groundwork::Groundwork;
use crate::json;
use crate::permissions::{Who, policy};
use crate::tree::{map, text};

/// What a policy is attached to, which decides how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Inline policies of a role, all of them together [IAM and STS quotas].
    Role,
    /// A managed policy, such as a permissions boundary [IAM and STS quotas].
    Managed,
    /// A role's trust [IAM and STS quotas].
    Trust,
    /// A key's policy [KMS quotas].
    Key,
    /// A bucket's policy [S3 quotas].
    Bucket,
    /// A service or resource control policy [Organizations quotas; larger ones exist, not everywhere].
    Control,
}

impl Kind {
    /// The most that AWS takes, in characters.
    #[must_use]
    pub fn limit(self) -> usize {
        match self {
            Kind::Role => 10_240,
            Kind::Managed => 6_144,
            Kind::Trust => 2_048,
            Kind::Key => 32_768,
            Kind::Bucket => 20_480,
            Kind::Control => 5_120,
        }
    }
}

/// A policy is longer than AWS takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy {name} has {length} characters without white space, but AWS accepts {limit}")]
pub struct TooLarge {
    /// Which.
    pub name: String,
    /// How long it is.
    pub length: usize,
    /// How long it may be.
    pub limit: usize,
}

/// A policy with its name.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) tree: Value,
}

impl Named {
    /// The policy for AWS: without white space, and not too long.
    pub(crate) fn minified(&self) -> Result<String, TooLarge> {
        let text = json::minified(&self.tree);
        let (length, limit) = (text.chars().count(), self.kind.limit());
        match length > limit {
            true => Err(TooLarge { name: self.name.to_owned(), length, limit }),
            false => Ok(text),
        }
    }
}

/// The policies of roles and keys.
pub(crate) fn access(groundwork: &Groundwork) -> Vec<Named> {
    let filling = groundwork.filling();
    let named = |name, kind, tree| Named { name, kind, tree };
    let mut found = vec![
        named("caller", Kind::Managed, policy(&[Who::Caller], groundwork)),
        named("member-audit", Kind::Role, policy(&[Who::Audit], groundwork)),
        named("member-rollout", Kind::Role, policy(&[Who::Rollout], groundwork)),
        named("member-trust", Kind::Trust, filling.fill(include_str!("templates/member-trust.yaml"))),
        named("automation", Kind::Role, policy(&[Who::Automation], groundwork)),
        named("automation-trust", Kind::Trust, filling.fill(include_str!("templates/automation-trust.yaml"))),
        named("central-key", Kind::Key, filling.fill(include_str!("templates/key-policy.yaml"))),
    ];
    if groundwork.file.bootstrap.permissions_boundary {
        found.push(named("boundary", Kind::Managed, policy(&[Who::Rollout, Who::Automation], groundwork)));
    }
    found
}

/// What keeps others from writing under another key, from unsealing, and from taking the key away.
pub(crate) fn guardrails(groundwork: &Groundwork) -> Vec<Named> {
    let filling = groundwork.filling();
    let everyone = Some(text("*"));
    let objects = format!("arn:{}:s3:::BUCKET-NAME/*", groundwork.partition);
    // A service writes as its guide says: load balancers under SSE-S3 alone. An anonymous request has no aws:PrincipalIsAWSService
    // (IAM guide, global condition keys), and is no service: hence BoolIfExists in the template.
    let not_a_service = Some(map([("aws:PrincipalIsAWSService", text("false"))]));
    let other_key = |objects: String, everyone, not_a_service| {
        let filling = filling.clone().text("objects", objects);
        let filling = filling.tree("everyone", everyone).tree("not_a_service", not_a_service);
        filling.fill(include_str!("templates/guardrail.yaml"))
    };
    let named = |name, kind, tree| Named { name, kind, tree };
    vec![
        named("bucket-policy-other-key", Kind::Bucket, other_key(objects, everyone.clone(), None)),
        named("scp-other-key", Kind::Control, other_key("*".to_owned(), None, None)),
        named("rcp-other-key", Kind::Control, other_key("*".to_owned(), everyone, not_a_service)),
        named("scp-keep-seal", Kind::Control, filling.fill(include_str!("templates/scp-keep-seal.yaml"))),
        named("scp-keep-key", Kind::Control, filling.fill(include_str!("templates/scp-keep-key.yaml"))),
    ]
}

/// One of them by its name.
pub(crate) fn one(groundwork: &Groundwork, name: &str) -> Option<Named> {
    access(groundwork).into_iter().chain(guardrails(groundwork)).find(|policy| policy.name == name)
}
