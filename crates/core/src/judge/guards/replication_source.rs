//! `replication-source`: objects under a KMS key are replicated only by rules that select them and name a key for the replicas.

use super::seen::Seen;
use super::sight::{Sight, read};
use super::{Guard, Need, Word, access};
use crate::judge::policy::Text;
use crate::model::ReplicationRule;

pub(super) struct ReplicationSource;

impl Guard for ReplicationSource {
    fn name(&self) -> &'static str {
        "replication-source"
    }

    fn keeps_from(&self) -> &'static str {
        "new objects are no longer replicated"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Replication, Need::Identities]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        let rules =
            seen.known(read(&at.evidence.replication, "GetBucketReplication")).map(Vec::as_slice).unwrap_or_default();
        for rule in rules.iter().filter(|rule| rule.enabled) {
            let called = format!("replication rule {} to {}", rule.id, rule.destination);
            let lacks = match (rule.selects_kms, &rule.replica_key) {
                (true, Some(key)) => {
                    replica_key(rule, key, &called, at, &mut seen);
                    continue;
                }
                (false, _) => "does not select objects encrypted with KMS keys",
                (true, None) => "does not specify a KMS key for the replicas",
            };
            seen.saw(format!("{called} {lacks}"));
            seen.fix(
                "set SourceSelectionCriteria.SseKmsEncryptedObjects and EncryptionConfiguration.ReplicaKmsKeyID in the rule, and \
                 allow its role kms:Decrypt on the central key and kms:Encrypt on the replicas' key",
            );
        }
        seen.word(
            "new objects would not be replicated: a rule or its role does not support objects encrypted with a KMS key",
            "configure the rule and its role for objects encrypted with a KMS key (S3 user guide, Replicating encrypted objects)",
        )
    }
}

/// Whether the rule's role may encrypt with the replicas' key, which was not used as long as objects were under SSE-S3. That it may
/// decrypt with the central key is what `principals-without-key` looks at.
fn replica_key(rule: &ReplicationRule, key: &str, called: &str, at: &Sight<'_>, seen: &mut Seen) {
    // arn:aws:kms:REGION:ACCOUNT:key/ID, or an alias there.
    let parts: Vec<&str> = key.splitn(6, ':').collect();
    let [_, partition, _, region, account, name] = parts.as_slice() else { return };
    let Some(holders) = seen.known(at.holders()) else { return };
    let Some(role) = holders.holder(&rule.role).filter(|role| !at.ignores(&role.arn)) else { return };
    // Policies do not cover aliases: which key one stands for is not known.
    let resource = match name.starts_with("key/") {
        true => Text::Exactly(key.to_owned()),
        false => Text::Beginning(format!("arn:{partition}:kms:{region}:{account}:key/")),
    };
    let request = role
        .request(&at.organization.id, ENCRYPT, resource)
        .with("kms:ViaService", access::known_via_s3(partition, region))
        .with_value("kms:EncryptionContextKeys", "aws:s3:arn")
        .with_value("aws:RequestedRegion", *region)
        .with_value("aws:ResourceAccount", *account);
    // The bucket's ARN where the destination has a Bucket Key, which is not known; the objects' where it has none.
    let contexts = [Text::Exactly(rule.destination.clone()), Text::Beginning(format!("{}/", rule.destination))];
    let may = contexts.into_iter().any(|context| {
        role.may(&request.clone().with_value("kms:EncryptionContext:aws:s3:arn", context)).answer.is_possible()
    });
    if may {
        return;
    }
    let lacks = format!("{called}: {} lacks {ENCRYPT} on the replicas' key {key} in its own policies", role.arn);
    // In the key's own account its policy may name the role, which is not seen from here.
    match *account == role.account {
        true => seen.unsure(format!("{lacks}, unless the policy of that key allows it")),
        false => seen.saw(lacks),
    }
    seen.fix(format!(
        "allow {} {ENCRYPT} on {key} in its own policies and in the policy of that key",
        role.arn.splitn(6, ':').nth(5).unwrap_or(&role.arn)
    ));
}

const ENCRYPT: &str = "kms:Encrypt";

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn rule(enabled: bool, selects_kms: bool, key: bool) -> Scene {
        let mut scene = Scene::default();
        scene.evidence.replication = Some(Ok(vec![ReplicationRule {
            id: "all".into(),
            enabled,
            selects_kms,
            replica_key: key.then(|| "arn:aws:kms:eu-west-1:111122223333:key/abc".into()),
            destination: "arn:aws:s3:::copy".into(),
            role: "arn:aws:iam::444455556666:role/copy".into(),
        }]));
        scene
    }

    #[test]
    fn finds_a_rule_that_passes_over_the_new_objects() {
        let seen = rule(true, false, true).found(&ReplicationSource);
        assert_eq!(seen, ["replication rule all to arn:aws:s3:::copy does not select objects encrypted with KMS keys"]);
        assert!(
            rule(true, true, false).found(&ReplicationSource)[0]
                .ends_with("does not specify a KMS key for the replicas")
        );
    }

    #[test]
    fn finds_nothing_without_such_a_rule() {
        assert_eq!(rule(true, true, true).with_roles(&[]).look(&ReplicationSource), Word::Clear);
        assert_eq!(rule(false, false, false).look(&ReplicationSource), Word::Clear);
        let mut scene = Scene::default();
        scene.evidence.replication = Some(Ok(Vec::new()));
        assert_eq!(scene.look(&ReplicationSource), Word::Clear);
    }

    #[test]
    fn the_role_needs_to_encrypt_with_the_replicas_key() {
        let on = |key: &str| format!(r#"{{"Effect":"Allow","Action":"kms:Encrypt","Resource":"{key}"}}"#);
        let with = |own: &str, key: &str| {
            let mut scene = rule(true, true, true).with_roles(&[("copy", &[own])]);
            if let Some(Ok(rules)) = &mut scene.evidence.replication {
                rules[0].role = format!("arn:aws:iam::{OWN}:role/copy");
                rules[0].replica_key = Some(key.to_owned());
            }
            scene
        };
        let (own, other) =
            ("arn:aws:kms:eu-west-1:111122223333:key/abc", "arn:aws:kms:eu-west-1:999900001111:key/central");
        for key in [own, other] {
            assert_eq!(with(&on(key), key).look(&ReplicationSource), Word::Clear);
        }
        let decrypts = on("*").replace("Encrypt", "Decrypt");
        let found = with(&decrypts, other).found(&ReplicationSource);
        assert!(
            found[0].contains("role/copy lacks kms:Encrypt on the replicas' key arn:aws:kms:eu-west-1:9999"),
            "{found:?}"
        );
        assert!(
            with(&decrypts, other).advice(&ReplicationSource).starts_with("allow role/copy kms:Encrypt on arn:aws")
        );
        assert!(
            with(&decrypts, own).untold(&ReplicationSource)[0].ends_with("unless the policy of that key allows it")
        );
        let alias = own.replace("key/abc", "alias/copy");
        assert_eq!(with(&on("arn:aws:kms:eu-west-1:111122223333:key/*"), &alias).look(&ReplicationSource), Word::Clear);
        let guide = on(other).replace(
            r#""}"#,
            r#"","Condition":{"StringLike":{"kms:ViaService":"s3.eu-west-1.amazonaws.com","kms:EncryptionContext:aws:s3:arn":["arn:aws:s3:::copy/*"]}}}"#,
        );
        assert_eq!(with(&guide, other).look(&ReplicationSource), Word::Clear);
    }

    #[test]
    fn cannot_tell_what_could_not_be_read() {
        let mut scene = Scene::default();
        scene.evidence.replication = denied("GetBucketReplication", "allow s3:GetReplicationConfiguration");
        assert_eq!(scene.advice(&ReplicationSource), "allow s3:GetReplicationConfiguration");
    }
}
