//! The verdict on a bucket's default encryption.
//!
//! Two steps: [`observe`] says what the configuration is, [`judge`] says what that means under the campaign's choices.
//! The default choices replace only what is plainly weaker than the target, or broken by a central key of another Region.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    Algorithm, Bucket, DefaultEncryption, EncryptionRule, Judgement, KeyArn, KeyMap, KeyReference, Reason, Verdict,
};

/// What the campaign wants a bucket's default encryption to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// `aws:kms` or `aws:kms:dsse`.
    pub algorithm: Algorithm,
    /// The central key of the bucket's Region.
    pub key: KeyArn,
    /// Whether the Bucket Key must be on. `false` leaves it as it is: a Bucket Key is never turned off.
    pub bucket_key: bool,
}

impl Wanted {
    /// The rule to put, given the rule found: what the campaign does not speak of is carried over.
    ///
    /// `PutBucketEncryption` replaces the whole rule, so the blocked encryption types are part of it.
    #[must_use]
    pub fn rule(&self, found: &DefaultEncryption) -> EncryptionRule {
        let found = found.only_rule();
        // S3 has no Bucket Key under DSSE-KMS.
        let bucket_key = self.algorithm == Algorithm::SseKms
            && (self.bucket_key || found.is_some_and(EncryptionRule::has_bucket_key));
        EncryptionRule {
            algorithm: Some(self.algorithm.clone()),
            key: Some(self.key.to_string()),
            bucket_key: Some(bucket_key),
            blocked: found.and_then(|rule| rule.blocked.clone()),
        }
    }
}

/// What a campaign may replace. The first six are the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replaceable {
    /// No default encryption at all.
    None,
    /// SSE-S3.
    #[serde(rename = "sse-s3")]
    SseS3,
    /// The AWS managed key `aws/s3`.
    AwsManagedKey,
    /// The central key under a weaker algorithm than wanted.
    WeakerAlgorithm,
    /// The central key with its Bucket Key off, where it is wanted on.
    BucketKeyOff,
    /// A central key of another Region: S3 cannot use it, every write fails.
    CentralKeyOfOtherRegion,
    /// A team's own customer managed key.
    CustomerKey,
    /// A key of an account that is neither the bucket's nor the central one.
    KeyOfOtherAccount,
    /// A key of another Region that is no central key.
    KeyOfOtherRegion,
    /// An alias or a bare key id.
    UnprovenKey,
    /// DSSE-KMS on another key than the central one.
    DsseOtherKey,
}

impl Replaceable {
    /// What is replaced unless the campaign file says otherwise.
    #[must_use]
    pub fn default_set() -> BTreeSet<Replaceable> {
        use Replaceable::{AwsManagedKey, BucketKeyOff, CentralKeyOfOtherRegion, None, SseS3, WeakerAlgorithm};
        BTreeSet::from([None, SseS3, AwsManagedKey, WeakerAlgorithm, BucketKeyOff, CentralKeyOfOtherRegion])
    }
}

/// What the campaign file says of what may be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// The kinds of configuration.
    pub replace: BTreeSet<Replaceable>,
    /// Accounts whose customer managed keys are kept all the same.
    pub kept_owners: BTreeSet<String>,
}

impl From<BTreeSet<Replaceable>> for Choices {
    fn from(replace: BTreeSet<Replaceable>) -> Choices {
        Choices { replace, kept_owners: BTreeSet::new() }
    }
}

impl Choices {
    fn allow(&self, kind: Replaceable, found: &DefaultEncryption) -> bool {
        self.replace.contains(&kind) && !self.keep(kind, found)
    }

    /// Whether a configuration names a key of an account whose keys are kept. A reference that tells no owner, such as a bare
    /// alias, may name one.
    fn keep(&self, kind: Replaceable, found: &DefaultEncryption) -> bool {
        let of_customers = [
            Replaceable::CustomerKey,
            Replaceable::KeyOfOtherAccount,
            Replaceable::KeyOfOtherRegion,
            Replaceable::UnprovenKey,
            Replaceable::DsseOtherKey,
        ];
        if self.kept_owners.is_empty() || !of_customers.contains(&kind) {
            return false;
        }
        let key = found.only_rule().and_then(|rule| rule.key.as_deref()).filter(|key| !key.is_empty());
        let Some(key) = key.filter(|key| KeyReference::parse(key) != KeyReference::AwsManaged) else { return false };
        let owner = key.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(3));
        owner.is_none_or(|owner| self.kept_owners.contains(owner))
    }
}

/// What a configuration is, compared with what is wanted: the reason, and what would have to be replaceable for a change.
/// `None` there means that nothing needs to change.
#[must_use]
pub fn observe(
    found: &DefaultEncryption,
    bucket: &Bucket,
    wanted: &Wanted,
    central: &KeyMap,
) -> (Reason, Option<Replaceable>) {
    let rule = match found.rules.as_slice() {
        [] => return (Reason::NoConfiguration, Some(Replaceable::None)),
        [rule] => rule,
        _ => return (Reason::NotUnderstood, None),
    };
    let Some(algorithm) = &rule.algorithm else {
        // A rule which blocks types but sets no default: S3 applies SSE-S3.
        return (Reason::NoConfiguration, Some(Replaceable::None));
    };
    let dsse = match algorithm {
        Algorithm::SseS3 => return (Reason::SseS3, Some(Replaceable::SseS3)),
        Algorithm::Other(_) => return (Reason::NotUnderstood, None),
        Algorithm::SseKms => false,
        Algorithm::DsseKms => true,
    };
    let key =
        match rule.key.as_deref().filter(|key| !key.is_empty()).map_or(KeyReference::AwsManaged, KeyReference::parse) {
            KeyReference::Key(key) => key,
            _ if dsse => return (Reason::DsseOtherKey, Some(Replaceable::DsseOtherKey)),
            KeyReference::AwsManaged => return (Reason::AwsManagedKey, Some(Replaceable::AwsManagedKey)),
            KeyReference::Unproven(_) => return (Reason::UnprovenKey, Some(Replaceable::UnprovenKey)),
        };
    if key == wanted.key {
        return match (dsse, &wanted.algorithm) {
            (true, Algorithm::DsseKms) => (Reason::AsWanted, None),
            (true, _) => (Reason::Stronger, None),
            (false, Algorithm::DsseKms) => (Reason::WrongAlgorithm, Some(Replaceable::WeakerAlgorithm)),
            (false, _) if wanted.bucket_key && !rule.has_bucket_key() => {
                (Reason::BucketKeyOff, Some(Replaceable::BucketKeyOff))
            }
            (false, _) => (Reason::AsWanted, None),
        };
    }
    if dsse {
        return (Reason::DsseOtherKey, Some(Replaceable::DsseOtherKey));
    }
    if key.region != bucket.region {
        let kind =
            if central.contains(&key) { Replaceable::CentralKeyOfOtherRegion } else { Replaceable::KeyOfOtherRegion };
        return (Reason::KeyOfOtherRegion, Some(kind));
    }
    if key.account != bucket.account && key.account != wanted.key.account {
        return (Reason::KeyOfOtherAccount, Some(Replaceable::KeyOfOtherAccount));
    }
    (Reason::OtherKey, Some(Replaceable::CustomerKey))
}

/// The verdict on a bucket: sealed, to be replaced, or held.
///
/// `central` holds the campaign's keys; a bucket in a Region without one is held, whatever its configuration.
#[must_use]
pub fn judge(
    found: &DefaultEncryption,
    bucket: &Bucket,
    wanted: Option<&Wanted>,
    central: &KeyMap,
    choices: &Choices,
) -> Judgement {
    let Some(wanted) = wanted else {
        return Judgement { verdict: Verdict::Held, reason: Reason::NoKeyForRegion, observed: None };
    };
    let (reason, needs) = observe(found, bucket, wanted, central);
    match (reason, needs) {
        (Reason::NotUnderstood, _) => Judgement { verdict: Verdict::Held, reason, observed: None },
        (_, None) => Judgement { verdict: Verdict::Sealed, reason, observed: None },
        (_, Some(kind)) if choices.allow(kind, found) => {
            Judgement { verdict: Verdict::NotSealed, reason, observed: None }
        }
        (_, Some(kind)) => Judgement { verdict: Verdict::Held, reason: kept(kind), observed: Some(reason) },
    }
}

/// The reason of a hold that the campaign's choices put on a kind of configuration.
fn kept(kind: Replaceable) -> Reason {
    match kind {
        Replaceable::DsseOtherKey => Reason::DsseKept,
        Replaceable::UnprovenKey => Reason::UnprovenKeyKept,
        Replaceable::CustomerKey | Replaceable::KeyOfOtherAccount | Replaceable::KeyOfOtherRegion => {
            Reason::CustomerKeyKept
        }
        Replaceable::None => Reason::NoConfiguration,
        Replaceable::SseS3 => Reason::SseS3,
        Replaceable::AwsManagedKey => Reason::AwsManagedKey,
        Replaceable::WeakerAlgorithm => Reason::WrongAlgorithm,
        Replaceable::BucketKeyOff => Reason::BucketKeyOff,
        Replaceable::CentralKeyOfOtherRegion => Reason::KeyOfOtherRegion,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CENTRAL: &str = "111122223333";
    const MEMBER: &str = "444455556666";

    fn arn(region: &str, account: &str, id: &str) -> String {
        format!("arn:aws:kms:{region}:{account}:key/{id}")
    }

    fn central() -> KeyMap {
        ["us-east-1", "eu-west-1"]
            .into_iter()
            .map(|region| (region.to_owned(), arn(region, CENTRAL, "central").parse().unwrap()))
            .collect()
    }

    fn wanted() -> Wanted {
        Wanted {
            algorithm: Algorithm::SseKms,
            key: arn("us-east-1", CENTRAL, "central").parse().unwrap(),
            bucket_key: true,
        }
    }

    fn bucket() -> Bucket {
        Bucket { account: MEMBER.to_owned(), region: "us-east-1".to_owned(), name: "logs".to_owned() }
    }

    fn rule(algorithm: &str, key: Option<&str>, bucket_key: Option<bool>) -> DefaultEncryption {
        EncryptionRule {
            algorithm: Some(Algorithm::from(algorithm)),
            key: key.map(str::to_owned),
            bucket_key,
            blocked: None,
        }
        .into()
    }

    fn judged(found: &DefaultEncryption) -> (Verdict, Reason) {
        let judgement = judge(found, &bucket(), Some(&wanted()), &central(), &Replaceable::default_set().into());
        (judgement.verdict, judgement.reason)
    }

    #[test]
    fn every_state_that_the_facts_name_has_its_verdict() {
        let right = arn("us-east-1", CENTRAL, "central");
        let cases: Vec<(DefaultEncryption, Verdict, Reason)> = vec![
            (DefaultEncryption::default(), Verdict::NotSealed, Reason::NoConfiguration),
            (rule("AES256", None, None), Verdict::NotSealed, Reason::SseS3),
            (rule("aws:kms", None, None), Verdict::NotSealed, Reason::AwsManagedKey),
            (rule("aws:kms", Some("alias/aws/s3"), Some(true)), Verdict::NotSealed, Reason::AwsManagedKey),
            (rule("aws:kms", Some(&right), Some(true)), Verdict::Sealed, Reason::AsWanted),
            (rule("aws:kms", Some(&right), Some(false)), Verdict::NotSealed, Reason::BucketKeyOff),
            (rule("aws:kms", Some(&right), None), Verdict::NotSealed, Reason::BucketKeyOff),
            (rule("aws:kms:dsse", Some(&right), None), Verdict::Sealed, Reason::Stronger),
            (
                rule("aws:kms", Some(&arn("eu-west-1", CENTRAL, "central")), Some(true)),
                Verdict::NotSealed,
                Reason::KeyOfOtherRegion,
            ),
            (rule("aws:kms", Some(&arn("eu-west-1", MEMBER, "own")), None), Verdict::Held, Reason::CustomerKeyKept),
            (rule("aws:kms", Some(&arn("us-east-1", MEMBER, "own")), None), Verdict::Held, Reason::CustomerKeyKept),
            (
                rule("aws:kms", Some(&arn("us-east-1", "999999999999", "x")), None),
                Verdict::Held,
                Reason::CustomerKeyKept,
            ),
            (rule("aws:kms", Some("alias/team"), None), Verdict::Held, Reason::UnprovenKeyKept),
            (rule("aws:kms", Some("central"), None), Verdict::Held, Reason::UnprovenKeyKept),
            (rule("aws:kms:dsse", Some(&arn("us-east-1", MEMBER, "own")), None), Verdict::Held, Reason::DsseKept),
            (rule("aws:kms:dsse", None, None), Verdict::Held, Reason::DsseKept),
            (rule("aws:fsx", None, None), Verdict::Held, Reason::NotUnderstood),
        ];
        for (found, verdict, reason) in cases {
            assert_eq!(judged(&found), (verdict, reason), "{found:?}");
        }
    }

    #[test]
    fn the_keys_of_named_accounts_are_kept_whatever_may_be_replaced() {
        let replace = BTreeSet::from([Replaceable::CustomerKey, Replaceable::KeyOfOtherAccount]);
        let choices = Choices { replace, kept_owners: BTreeSet::from([MEMBER.to_owned()]) };
        let verdict = |owner: &str| {
            let found = rule("aws:kms", Some(&arn("us-east-1", owner, "own")), None);
            judge(&found, &bucket(), Some(&wanted()), &central(), &choices).verdict
        };
        assert_eq!((verdict(MEMBER), verdict("999999999999")), (Verdict::Held, Verdict::NotSealed));
    }

    #[test]
    fn a_kept_key_is_kept_by_whatever_name_and_algorithm() {
        let replace = BTreeSet::from([Replaceable::UnprovenKey, Replaceable::DsseOtherKey, Replaceable::AwsManagedKey]);
        let choices = Choices { replace, kept_owners: BTreeSet::from([MEMBER.to_owned()]) };
        let other = "arn:aws:kms:us-east-1:999999999999:alias/own";
        let own = format!("arn:aws:kms:us-east-1:{MEMBER}:alias/own");
        for (algorithm, key, verdict) in [
            ("aws:kms", Some(own.as_str()), Verdict::Held),
            ("aws:kms", Some(other), Verdict::NotSealed),
            ("aws:kms", Some("alias/own"), Verdict::Held),
            ("aws:kms", Some("1234abcd-12ab-34cd-56ef-1234567890ab"), Verdict::Held),
            ("aws:kms:dsse", Some(own.as_str()), Verdict::Held),
            ("aws:kms:dsse", Some(&arn("us-east-1", MEMBER, "own")), Verdict::Held),
            ("aws:kms:dsse", Some(&arn("us-east-1", "999999999999", "own")), Verdict::NotSealed),
            ("aws:kms:dsse", None, Verdict::NotSealed),
            ("aws:kms", Some("arn:aws:kms:us-east-1:444455556666:alias/aws/s3"), Verdict::NotSealed),
        ] {
            let found = rule(algorithm, key, None);
            let judged = judge(&found, &bucket(), Some(&wanted()), &central(), &choices);
            assert_eq!(judged.verdict, verdict, "{algorithm} {key:?}");
        }
    }

    #[test]
    fn a_region_without_a_key_is_held_whatever_is_found() {
        let judgement =
            judge(&rule("AES256", None, None), &bucket(), None, &central(), &Replaceable::default_set().into());
        assert_eq!((judgement.verdict, judgement.reason), (Verdict::Held, Reason::NoKeyForRegion));
    }

    #[test]
    fn the_rule_to_put_carries_over_what_the_campaign_does_not_speak_of() {
        let mut found = rule("AES256", None, None);
        found.rules[0].blocked = Some(vec!["SSE-C".to_owned()]);
        assert_eq!(wanted().rule(&found).blocked, Some(vec!["SSE-C".to_owned()]));
        let leave = Wanted { bucket_key: false, ..wanted() };
        assert!(leave.rule(&rule("aws:kms", None, Some(true))).has_bucket_key(), "never turned off");
        assert!(!leave.rule(&rule("aws:kms", None, None)).has_bucket_key());
        let dsse = Wanted { algorithm: Algorithm::DsseKms, ..wanted() };
        assert!(!dsse.rule(&found).has_bucket_key(), "S3 has none under DSSE-KMS");
    }

    prop_compose! {
        fn any_found()(
            rules in prop::collection::vec(
                (
                    prop::option::of(prop::sample::select(vec!["AES256", "aws:kms", "aws:kms:dsse", "aws:new"])),
                    prop::option::of(prop_oneof![
                        Just(arn("us-east-1", CENTRAL, "central")),
                        Just(arn("eu-west-1", CENTRAL, "central")),
                        Just(arn("us-east-1", MEMBER, "own")),
                        Just(arn("us-east-1", "999999999999", "x")),
                        "[a-z:/0-9-]{0,40}",
                    ]),
                    any::<Option<bool>>(),
                ),
                0..3,
            )
        ) -> DefaultEncryption {
            DefaultEncryption { rules: rules.into_iter().map(|(algorithm, key, bucket_key)| EncryptionRule {
                algorithm: algorithm.map(Algorithm::from), key, bucket_key, blocked: None,
            }).collect() }
        }
    }

    fn any_replace() -> impl Strategy<Value = BTreeSet<Replaceable>> {
        use Replaceable::*;
        prop::collection::btree_set(
            prop::sample::select(vec![
                None,
                SseS3,
                AwsManagedKey,
                WeakerAlgorithm,
                BucketKeyOff,
                CentralKeyOfOtherRegion,
                CustomerKey,
                KeyOfOtherAccount,
                KeyOfOtherRegion,
                UnprovenKey,
                DsseOtherKey,
            ]),
            0..11,
        )
    }

    proptest! {
        /// Law 4's other half: nothing is called sealed but the central key's own ARN under a KMS algorithm.
        #[test]
        fn sealed_means_the_central_key(found in any_found(), replace in any_replace()) {
            let judgement = judge(&found, &bucket(), Some(&wanted()), &central(), &replace.clone().into());
            if judgement.verdict == Verdict::Sealed {
                let rule = found.only_rule().unwrap();
                prop_assert_eq!(&rule.key, &Some(wanted().key.to_string()));
                prop_assert!(matches!(rule.algorithm, Some(Algorithm::SseKms | Algorithm::DsseKms)));
                prop_assert!(rule.algorithm == Some(Algorithm::DsseKms) || rule.bucket_key == Some(true));
            }
        }

        /// Law 5: under the default choices, DSSE-KMS and customer managed keys are never up for replacement.
        #[test]
        fn the_default_never_replaces_what_may_be_stronger(found in any_found()) {
            let judgement = judge(&found, &bucket(), Some(&wanted()), &central(), &Replaceable::default_set().into());
            if judgement.verdict == Verdict::NotSealed && let Some(rule) = found.only_rule() {
                prop_assert_ne!(&rule.algorithm, &Some(Algorithm::DsseKms));
                if rule.algorithm == Some(Algorithm::SseKms) && let Some(key) = rule.key.as_deref().filter(|k| !k.is_empty()) {
                    let central_key = key.parse::<KeyArn>().is_ok_and(|key| central().contains(&key));
                    prop_assert!(central_key || KeyReference::parse(key) == KeyReference::AwsManaged);
                }
            }
        }

        /// A smaller set of choices never changes more.
        #[test]
        fn fewer_choices_change_no_more(found in any_found(), replace in any_replace(), dropped in any_replace()) {
            let fewer: BTreeSet<_> = replace.difference(&dropped).copied().collect();
            let small = judge(&found, &bucket(), Some(&wanted()), &central(), &fewer.clone().into());
            let large = judge(&found, &bucket(), Some(&wanted()), &central(), &replace.clone().into());
            prop_assert!(small.verdict != Verdict::NotSealed || large.verdict == Verdict::NotSealed);
        }

        /// What is put is judged sealed: the two halves agree on what is wanted.
        #[test]
        fn the_wanted_rule_is_sealed(found in any_found(), bucket_key: bool, dsse: bool) {
            let algorithm = if dsse { Algorithm::DsseKms } else { Algorithm::SseKms };
            let wanted = Wanted { algorithm, bucket_key, ..wanted() };
            let put = DefaultEncryption::from(wanted.rule(&found));
            let judgement = judge(&put, &bucket(), Some(&wanted), &central(), &Choices::default());
            prop_assert_eq!(judgement.verdict, Verdict::Sealed);
        }
    }
}
