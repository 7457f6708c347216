//! Guards: each keeps a bucket from a change which would break it. One file each; the list is [`ALL`].
//!
//! A guard is a pure function over what was read. It says nothing, what it found, or that it cannot tell: what it needs could
//! not be read, or is not understood. Unknown is not safe.

mod access;
mod access_log_target;
mod access_points;
mod change_denied;
mod conflicting_policy;
mod delivery_accounts;
#[cfg(test)]
mod fixture;
mod infrastructure_as_code;
pub mod legacy_clients;
mod load_balancer_log_target;
mod log_destinations;
mod not_owned;
mod object_encryption_context;
mod object_ownership;
mod opt_out_tag;
mod origin_access_identity;
mod outside_principals;
mod principals_without_key;
mod public_access;
mod replication_source;
mod seen;
mod service_principals;
mod services;
mod sight;
mod unsigned;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{AccountControls, OwnerTags, RolloutRoles};
use crate::model::{
    AccountEvidence, AccountWarning, BlockingPrincipal, Bucket, BucketEvidence, DefaultEncryption, EncryptionRule,
    GuardFinding, GuardOutcome, Identities, KeyArn, KeyEvidence, OrganizationEvidence, Severity,
};

pub use self::sight::Sight;
pub use crate::model::Need;

/// What a guard looks at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The bucket.
    pub bucket: &'a Bucket,
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// What it has now.
    pub found: &'a DefaultEncryption,
    /// What it would get.
    pub rule: &'a EncryptionRule,
    /// The bucket's configuration.
    pub evidence: &'a BucketEvidence,
    /// Its account's.
    pub account: &'a AccountEvidence,
    /// The central key's.
    pub key: &'a KeyEvidence,
    /// The organization.
    pub organization: &'a OrganizationEvidence,
    /// orgseal's own roles in the account, and the control policies above it; `None` where no guard in force needed them.
    pub rollout: Option<&'a Rollout>,
    /// What the campaign file says to guards.
    pub terms: &'a Terms,
}

/// orgseal's own roles in an account, and the control policies above it.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The roles.
    pub roles: RolloutRoles,
    /// The policies; `None` where they could not be read, which is told once and not for each bucket.
    pub controls: Option<Arc<AccountControls>>,
}

/// What the campaign file says to guards, beyond their severity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The tag by which a team keeps its bucket out: key, and value (`None`: any).
    pub opt_out_tag: Option<(String, Option<String>)>,
    /// Principals (ARNs, with `*`) that need no look: break-glass roles and the like.
    pub ignored_principals: Vec<String>,
    /// Accounts outside the organization that are known to hold rights on the key.
    pub trusted_accounts: BTreeSet<String>,
    /// Tags that say that code owns a bucket, besides the known ones.
    pub owner_tags: OwnerTags,
}

/// What a guard says of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing to say.
    Clear,
    /// The change would break, or may well break, something: what, seen where, what now.
    Found {
        /// One sentence.
        says: String,
        /// What was seen.
        evidence: Vec<String>,
        /// What to do.
        hint: String,
        /// The principals of the account that it is about, where it is about such.
        principals: Vec<BlockingPrincipal>,
    },
    /// It cannot be told: why, what now.
    CannotTell {
        /// Why, each with the permission that is missing or the construct that is not understood.
        evidence: Vec<String>,
        /// What to do.
        hint: String,
        /// The principals of the account that it may be about.
        principals: Vec<BlockingPrincipal>,
    },
}

/// A check that keeps a bucket from a change which would break it.
pub trait Guard: Sync {
    /// The name in the campaign file, in reports, and of its page in docs/guards.md.
    fn name(&self) -> &'static str;
    /// What it keeps from happening: a clause, in one line.
    fn keeps_from(&self) -> &'static str;
    /// The severity unless the campaign file says otherwise.
    fn severity(&self) -> Severity {
        Severity::Hold
    }
    /// Whether a finding that is not certain holds the bucket. Otherwise it is a warning, whatever the severity in force.
    fn holds_unsure(&self) -> bool {
        true
    }
    /// The reads it needs.
    fn needs(&self) -> &'static [Need];
    /// Its word on a bucket.
    fn look(&self, at: &Sight<'_>) -> Word;
}

/// Every guard, in the order in which findings are shown.
pub const ALL: &[&dyn Guard] = &[
    &principals_without_key::PrincipalsWithoutKey,
    &access_log_target::AccessLogTarget,
    &load_balancer_log_target::LoadBalancerLogTarget,
    &log_destinations::LogDestinations,
    &public_access::PublicAccess,
    &origin_access_identity::OriginAccessIdentity,
    &access_points::AccessPoints,
    &object_ownership::ObjectOwnership,
    &replication_source::ReplicationSource,
    &infrastructure_as_code::InfrastructureAsCode,
    &not_owned::NotOwned,
    &opt_out_tag::OptOutTag,
    &object_encryption_context::ObjectEncryptionContext,
    &outside_principals::OutsidePrincipals,
    &service_principals::ServicePrincipals,
    &conflicting_policy::ConflictingPolicy,
    &change_denied::ChangeDenied,
];

/// The guard that tells whether the change itself is denied.
#[must_use]
pub fn change_denied() -> &'static dyn Guard {
    &change_denied::ChangeDenied
}

/// What the campaign file makes of a guard for a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The severity in force.
    pub severity: Severity,
    /// Why, where a person decided so for some buckets.
    pub because: Option<String>,
}

impl Ruling {
    /// Whether the guard is asked. What a person switched off for some buckets is shown there, with why; what is off everywhere is
    /// not read for.
    fn asks(&self) -> bool {
        self.severity != Severity::Off || self.because.is_some()
    }
}

/// What all guards say of a bucket. `ruling` gives what the campaign file makes of a guard.
#[must_use]
pub fn look(at: &Subject<'_>, ruling: impl Fn(&dyn Guard) -> Ruling) -> Vec<GuardFinding> {
    let mut found = Vec::new();
    let at = Sight::of(*at).where_public_access_holds(ruling(&public_access::PublicAccess).severity == Severity::Hold);
    for &guard in ALL {
        let ruling = ruling(guard);
        let (outcome, says, evidence, hint, principals) = match guard.look(&at) {
            Word::Clear => continue,
            Word::Found { says, evidence, hint, principals } => (GuardOutcome::Found, says, evidence, hint, principals),
            // A guard that is off was not read for; what it cannot tell is nobody's question.
            Word::CannotTell { .. } if !ruling.asks() => continue,
            Word::CannotTell { evidence, hint, principals } => {
                let says =
                    format!("could not determine whether the change would have this effect: {}", guard.keeps_from());
                (GuardOutcome::CannotTell, says, evidence, hint, principals)
            }
        };
        let Ruling { mut severity, because } = ruling;
        let mut own = guard.severity();
        if outcome == GuardOutcome::CannotTell && !guard.holds_unsure() {
            (severity, own) = (severity.min(Severity::Warn), own.min(Severity::Warn));
        }
        let (guard, overridden) = (guard.name().to_owned(), severity < own);
        found.push(GuardFinding { guard, outcome, severity, overridden, because, says, evidence, hint, principals });
    }
    found
}

/// What is to be known of the bucket's account and holds nothing: the same for each of its buckets, so it is told once. Nothing where
/// the guard that it belongs to is not asked.
#[must_use]
pub fn account_warnings(at: &Subject<'_>, ruling: impl Fn(&dyn Guard) -> Ruling) -> Vec<AccountWarning> {
    match ruling(&principals_without_key::PrincipalsWithoutKey).severity {
        Severity::Off => Vec::new(),
        _ => principals_without_key::account_warnings(&Sight::of(*at)),
    }
}

/// The same as far as IAM alone tells, for a preflight, which knows no bucket: service-linked roles whose own policies do not let them
/// use a key of another account. A grant on the key would, and is not seen.
#[must_use]
pub fn account_warnings_by_iam(
    identities: &Arc<Identities>,
    key: &KeyArn,
    (partition, account): (&str, &str),
    terms: &Terms,
    ruling: impl Fn(&dyn Guard) -> Ruling,
) -> Vec<AccountWarning> {
    match ruling(&principals_without_key::PrincipalsWithoutKey).severity {
        Severity::Off => Vec::new(),
        _ => principals_without_key::warnings_by_iam(identities, key, (partition, account), terms),
    }
}

/// The reads that the guards in force need.
#[must_use]
pub fn needs(ruling: impl Fn(&dyn Guard) -> Ruling) -> BTreeSet<Need> {
    ALL.iter().filter(|guard| ruling(**guard).asks()).flat_map(|guard| guard.needs().iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_has_its_page_and_its_line_in_the_campaign_file() {
        let pages = include_str!("../../../../../docs/guards.md");
        let campaign = include_str!("../../../../../config/orgseal.toml");
        for guard in ALL {
            let name = guard.name();
            assert_eq!(pages.lines().filter(|line| *line == format!("## {name}")).count(), 1, "{name}");
            let default = format!("{name} = \"{}\"", guard.severity().as_str());
            let lines = campaign.lines().filter(|line| line.trim_start_matches("# ").starts_with(&default));
            assert_eq!(lines.count(), 1, "{default}");
        }
    }

    #[test]
    fn names_are_unique_and_every_guard_reads_something() {
        let names: BTreeSet<&str> = ALL.iter().map(|guard| guard.name()).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|guard| !guard.needs().is_empty()));
    }

    #[test]
    fn a_statement_is_told_of_by_one_guard_and_by_two_where_two_things_break() {
        let to_org = r#""*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#;
        let to_access_points = r#""*","Condition":{"StringEquals":{"s3:DataAccessPointAccount":"777788889999"}}"#;
        let by_network = r#""*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#;
        for (principal, guards) in [
            (r#"{"AWS":"127311923021"}"#, &["load-balancer-log-target"][..]),
            (r#"{"AWS":"arn:aws:iam::193672423079:user/logs"}"#, &["log-destinations"]),
            (r#"{"AWS":"386209384616"}"#, &["log-destinations"]),
            (r#"{"AWS":"arn:aws:iam::086441151436:root"}"#, &["log-destinations"]),
            (r#"{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}"#, &["load-balancer-log-target"]),
            (r#"{"Service":"logging.s3.amazonaws.com"}"#, &["access-log-target"]),
            (r#"{"Service":"redshift.amazonaws.com"}"#, &["log-destinations"]),
            (r#"{"Service":"cloudtrail.amazonaws.com"}"#, &["service-principals"]),
            (
                r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}"#,
                &["origin-access-identity"],
            ),
            (r#"{"CanonicalUser":"79a59df9"}"#, &["origin-access-identity"]),
            (r#"{"AWS":"777788889999"}"#, &["outside-principals"]),
            (r#"{"AWS":"arn:aws:iam::444455556666:role/app"}"#, &["outside-principals"]),
            (to_org, &["object-ownership", "outside-principals"]),
            (to_access_points, &["access-points"]),
            (by_network, &["public-access"]),
            (r#""*""#, &["public-access"]),
        ] {
            for action in ["s3:PutObject", "s3:*"] {
                let statement = format!(
                    r#"{{"Effect":"Allow","Action":"{action}","Resource":"arn:aws:s3:::b/*","Principal":{principal}}}"#
                );
                let mut scene = fixture::Scene::with_everything_read(&statement, fixture::ORGANIZATION);
                scene.evidence.policy_is_public = Some(Ok(principal == r#""*""#));
                let told = ALL.iter().filter(|one| scene.look(**one) != Word::Clear).map(|one| one.name());
                assert_eq!(told.collect::<Vec<_>>(), guards, "{statement}");
            }
        }
    }

    #[test]
    fn callers_of_a_network_are_told_of_as_principals_where_public_access_does_not_hold_the_bucket() {
        let endpoint = r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}"#;
        let scene =
            fixture::Scene::with_everything_read(endpoint, fixture::ORGANIZATION).with_roles(&[("reader", &[])]);
        let told = |severity: Severity| {
            let because = (severity != Severity::Hold).then(|| "all callers sign".to_owned());
            let ruling = |guard: &dyn Guard| match guard.name() {
                "public-access" => Ruling { severity, because: because.clone() },
                _ => Ruling { severity: guard.severity(), because: None },
            };
            let found = look(&scene.sight(), ruling).into_iter().filter(|one| one.guard == "principals-without-key");
            found.collect::<Vec<_>>()
        };
        assert_eq!(told(Severity::Hold), []);
        for severity in [Severity::Warn, Severity::Off] {
            let [finding] = told(severity).try_into().unwrap();
            assert_eq!((finding.outcome, finding.holds()), (GuardOutcome::CannotTell, true));
            let door = "the bucket policy possibly allows every principal of the account (statement E): its condition StringEquals on aws:sourcevpce";
            assert!(finding.evidence[0].starts_with(door), "{finding:?}");
            assert!(
                finding.evidence[1].contains("role/reader may possibly")
                    && finding.evidence[1].contains("lacks kms:Decrypt")
            );
        }
    }

    #[test]
    fn with_nothing_read_every_guard_that_needs_a_read_cannot_tell() {
        let mut scene = fixture::Scene::default();
        scene.terms.opt_out_tag = Some(("orgseal:opt-out".to_owned(), None));
        for guard in ALL {
            assert!(matches!(scene.look(*guard), Word::CannotTell { .. }), "{}", guard.name());
        }
    }
}
