//! `replication-source`: objects under a KMS key are replicated only by rules that select them and name a key for the replicas.

use super::seen::Seen;
use super::sight::{Sight, read};
use super::{Guard, Need, Word};

pub(super) struct ReplicationSource;

impl Guard for ReplicationSource {
    fn name(&self) -> &'static str {
        "replication-source"
    }

    fn keeps_from(&self) -> &'static str {
        "new objects are no longer replicated"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Replication]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        let rules =
            seen.known(read(&at.evidence.replication, "GetBucketReplication")).map(Vec::as_slice).unwrap_or_default();
        for rule in rules.iter().filter(|rule| rule.enabled) {
            let lacks = match (rule.selects_kms, rule.replica_key.is_some()) {
                (true, true) => continue,
                (false, _) => "does not select objects under KMS keys",
                (true, false) => "names no key for the replicas",
            };
            seen.saw(format!("replication rule {} to {} {lacks}", rule.id, rule.destination));
        }
        seen.word(
            "a replication rule passes over objects under a KMS key, so new objects would not be replicated",
            "set SourceSelectionCriteria.SseKmsEncryptedObjects and EncryptionConfiguration.ReplicaKmsKeyID in the rule, and \
             allow its role kms:Decrypt on the central key and kms:Encrypt on the replicas' key",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use crate::model::ReplicationRule;

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
        assert_eq!(seen, ["replication rule all to arn:aws:s3:::copy does not select objects under KMS keys"]);
        assert!(rule(true, true, false).found(&ReplicationSource)[0].ends_with("no key for the replicas"));
    }

    #[test]
    fn finds_nothing_without_such_a_rule() {
        assert_eq!(rule(true, true, true).look(&ReplicationSource), Word::Clear);
        assert_eq!(rule(false, false, false).look(&ReplicationSource), Word::Clear);
        let mut scene = Scene::default();
        scene.evidence.replication = Some(Ok(Vec::new()));
        assert_eq!(scene.look(&ReplicationSource), Word::Clear);
    }

    #[test]
    fn cannot_tell_what_could_not_be_read() {
        let mut scene = Scene::default();
        scene.evidence.replication = denied("GetBucketReplication", "allow s3:GetReplicationConfiguration");
        assert_eq!(scene.advice(&ReplicationSource), "allow s3:GetReplicationConfiguration");
    }
}
