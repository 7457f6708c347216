//! What tests of guards look at: bucket `b` of one account, the central key of another, one organization. Nothing is read but
//! what a test says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Guard, Rollout, Sight, Subject, Terms, Word};
use crate::judge::RolloutRoles;
use crate::model::{
    AccountEvidence, Acl, Algorithm, AwsError, Bucket, BucketEvidence, DefaultEncryption, EncryptionRule, Identities,
    Identity, KeyEvidence, OrganizationEvidence, PublicAccessBlock, Read,
};

/// The bucket's account.
pub(super) const OWN: &str = "111122223333";
/// Another account of the organization.
pub(super) const SISTER: &str = "444455556666";
/// The account of the key.
pub(super) const KEY_ACCOUNT: &str = "999900001111";
pub(super) const KEY: &str = "arn:aws:kms:us-east-1:999900001111:key/k";

/// The whole organization may use the key through S3.
pub(super) const ORGANIZATION: &str = r#"{"Sid":"Org","Effect":"Allow","Principal":{"AWS":"*"},"Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ours","kms:ViaService":"s3.us-east-1.amazonaws.com"}}}"#;

pub(super) struct Scene {
    pub(super) bucket: Bucket,
    pub(super) now: DefaultEncryption,
    pub(super) rule: EncryptionRule,
    pub(super) evidence: BucketEvidence,
    pub(super) account: AccountEvidence,
    pub(super) key: KeyEvidence,
    pub(super) organization: OrganizationEvidence,
    pub(super) rollout: Option<Rollout>,
    pub(super) terms: Terms,
}

impl Default for Scene {
    fn default() -> Scene {
        Scene {
            bucket: Bucket { account: OWN.into(), region: "us-east-1".into(), name: "b".into() },
            now: DefaultEncryption::default(),
            rule: EncryptionRule {
                algorithm: Some(Algorithm::SseKms),
                key: Some(KEY.into()),
                bucket_key: Some(true),
                blocked: None,
            },
            evidence: BucketEvidence::default(),
            account: AccountEvidence::default(),
            key: KeyEvidence::default(),
            organization: OrganizationEvidence {
                id: "o-ours".into(),
                accounts: [OWN, SISTER, KEY_ACCOUNT].map(str::to_owned).into(),
            },
            rollout: None,
            terms: Terms::default(),
        }
    }
}

impl Scene {
    /// The bucket has a policy of these statements, and an ACL for its owner alone.
    pub(super) fn with_policy(statements: &str) -> Scene {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(Some(policy(statements))));
        scene.evidence.acl = Some(Ok(Acl { owner: "owner".into(), grants: Vec::new() }));
        scene
    }

    /// The bucket has a policy of these statements, or none, and the key one of those; the account has nobody in it.
    pub(super) fn with_policies(bucket_policy: Option<&str>, key_policy: &str) -> Scene {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(bucket_policy.map(policy)));
        scene.account.identities = Some(Ok(Arc::default()));
        scene.with_key_policy(key_policy)
    }

    /// The same, with everything else read as well, and of no consequence; what others put is their own.
    pub(super) fn with_everything_read(bucket_policy: &str, key_policy: &str) -> Scene {
        let mut scene = Scene::with_policies(Some(bucket_policy), key_policy);
        scene.evidence = BucketEvidence {
            policy: scene.evidence.policy,
            policy_is_public: Some(Ok(false)),
            website: Some(Ok(false)),
            acl: Some(Ok(Acl { owner: "owner".into(), grants: Vec::new() })),
            ownership: Some(Ok(Some("ObjectWriter".into()))),
            public_access_block: Some(Ok(PublicAccessBlock::default())),
            replication: Some(Ok(Vec::new())),
            tags: Some(Ok(BTreeMap::new())),
            access_points: Some(Ok(Vec::new())),
        };
        scene.account.public_access_block = Some(Ok(PublicAccessBlock::default()));
        scene.with_rollout()
    }

    /// With orgseal's roles and what they need, and no control policies.
    pub(super) fn with_rollout(self) -> Scene {
        let mut scene = self.with_roles(&[
            ("orgseal-member", &[r#"{"Effect":"Allow","Action":["ssm:*","iam:PassRole"],"Resource":"*"}"#]),
            ("orgseal-automation", &[r#"{"Effect":"Allow","Action":"s3:*EncryptionConfiguration","Resource":"*"}"#]),
        ]);
        scene.terms.ignored_principals.push("arn:aws:iam::*:role/orgseal-*".to_owned());
        scene.rollout = Some(Rollout {
            roles: RolloutRoles {
                partition: "aws".into(),
                account: OWN.into(),
                member: format!("arn:aws:iam::{OWN}:role/orgseal-member"),
                automation: format!("arn:aws:iam::{OWN}:role/orgseal-automation"),
                document: "EnableS3BucketEncryptionWithKMS".into(),
                organization: "o-ours".into(),
                ous: vec!["r-1".into(), "ou-1".into()],
                ..RolloutRoles::default()
            },
            controls: Some(Arc::default()),
        });
        scene
    }

    pub(super) fn with_key_policy(mut self, statements: &str) -> Scene {
        self.key.policy = Some(Ok(policy(statements).into()));
        self
    }

    /// With roles of the bucket's account, each with policies of such statements.
    pub(super) fn with_roles(mut self, roles: &[(&str, &[&str])]) -> Scene {
        let principals = roles.iter().map(|(name, statements)| Identity {
            arn: format!("arn:aws:iam::{}:role/{name}", self.bucket.account),
            id: format!("AROA{name}"),
            policies: statements.iter().map(|text| ("team".to_owned(), policy(text).into())).collect(),
            ..Identity::default()
        });
        self.account.identities = Some(Ok(Arc::new(Identities { principals: principals.collect() })));
        self
    }

    /// A role's trust policy admits a service.
    pub(super) fn trusting(mut self, role: &str, service: &str) -> Scene {
        let trust = format!(r#"{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}"#);
        if let Some(Ok(identities)) = &mut self.account.identities {
            let principals = &mut Arc::make_mut(identities).principals;
            let found = principals.iter_mut().filter(|one| one.arn.ends_with(&format!("/{role}")));
            found.for_each(|one| one.trust = Some(policy(&trust)));
        }
        self
    }

    pub(super) fn look(&self, guard: &dyn Guard) -> Word {
        guard.look(&self.sight())
    }

    pub(super) fn sight(&self) -> Sight<'_> {
        Sight::of(Subject {
            bucket: &self.bucket,
            partition: "aws",
            found: &self.now,
            rule: &self.rule,
            evidence: &self.evidence,
            account: &self.account,
            key: &self.key,
            organization: &self.organization,
            rollout: self.rollout.as_ref(),
            terms: &self.terms,
        })
    }

    /// What is found.
    #[track_caller]
    pub(super) fn found(&self, guard: &dyn Guard) -> Vec<String> {
        match self.look(guard) {
            Word::Found { evidence, .. } => evidence,
            word => panic!("{word:?}"),
        }
    }

    /// Why it cannot be told.
    #[track_caller]
    pub(super) fn untold(&self, guard: &dyn Guard) -> Vec<String> {
        match self.look(guard) {
            Word::CannotTell { evidence, .. } => evidence,
            word => panic!("{word:?}"),
        }
    }

    /// What to do, where something is found or cannot be told.
    #[track_caller]
    pub(super) fn advice(&self, guard: &dyn Guard) -> String {
        match self.look(guard) {
            Word::Found { hint, .. } | Word::CannotTell { hint, .. } => hint,
            Word::Clear => panic!("clear"),
        }
    }
}

/// A policy of these statements.
pub(super) fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

/// A read that was denied.
pub(super) fn denied<T>(operation: &str, hint: &str) -> Read<T> {
    Some(Err(denial(operation, hint)))
}

pub(super) fn denial(operation: &str, hint: &str) -> AwsError {
    AwsError { code: "AccessDenied".into(), message: format!("{operation}: Access Denied"), hint: hint.into() }
}
