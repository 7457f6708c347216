//! What tests of guards look at: a bucket with nothing read, to which a test adds what it is about.

use super::{Guard, Subject, Terms, Word};
use crate::model::{
    AccountEvidence, Acl, Algorithm, AwsError, Bucket, BucketEvidence, DefaultEncryption, EncryptionRule, KeyEvidence,
    OrganizationEvidence,
};

/// The bucket's account in every scene.
pub(in crate::judge) const OWN: &str = "444455556666";

pub(in crate::judge) struct Scene {
    pub(in crate::judge) bucket: Bucket,
    pub(in crate::judge) evidence: BucketEvidence,
    pub(in crate::judge) account: AccountEvidence,
    pub(in crate::judge) key: KeyEvidence,
    pub(in crate::judge) terms: Terms,
    pub(in crate::judge) organization: OrganizationEvidence,
}

impl Default for Scene {
    fn default() -> Self {
        Scene {
            bucket: Bucket { account: OWN.into(), region: "us-east-1".into(), name: "b".into() },
            evidence: BucketEvidence::default(),
            account: AccountEvidence::default(),
            key: KeyEvidence::default(),
            terms: Terms::default(),
            organization: OrganizationEvidence { id: "o-a1b2c3d4e5".into(), ..OrganizationEvidence::default() },
        }
    }
}

impl Scene {
    /// A scene whose bucket has a policy with these statements, and an ACL for its owner alone.
    pub(in crate::judge) fn with_policy(statements: &str) -> Scene {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(Some(policy(statements))));
        scene.evidence.acl = Some(Ok(Acl { owner: "owner".into(), grants: Vec::new() }));
        scene
    }

    /// A guard's word here.
    pub(in crate::judge) fn look(&self, guard: &dyn Guard) -> Word {
        guard.look(&Subject {
            bucket: &self.bucket,
            partition: "aws",
            found: &DefaultEncryption::default(),
            rule: &wanted(),
            evidence: &self.evidence,
            account: &self.account,
            key: &self.key,
            organization: &self.organization,
            terms: &self.terms,
        })
    }
}

/// SSE-KMS under a central key of another account.
fn wanted() -> EncryptionRule {
    let key = "arn:aws:kms:us-east-1:111122223333:key/abc".to_owned();
    EncryptionRule { algorithm: Some(Algorithm::SseKms), key: Some(key), bucket_key: Some(true), blocked: None }
}

/// A policy of these statements.
pub(in crate::judge) fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

/// The evidence of a word that found something.
pub(in crate::judge) fn found(word: &Word) -> Vec<String> {
    let Word::Found { evidence, .. } = word else { panic!("{word:?}") };
    evidence.clone()
}

/// The reasons and the hint of a word that cannot tell.
pub(in crate::judge) fn dark(word: &Word) -> (Vec<String>, String) {
    let Word::CannotTell { evidence, hint } = word else { panic!("{word:?}") };
    (evidence.clone(), hint.clone())
}

/// A denied read.
pub(in crate::judge) fn denied(operation: &str, hint: &str) -> AwsError {
    AwsError { code: "AccessDenied".into(), message: format!("{operation}: Access Denied"), hint: hint.into() }
}
