//! Whether an account can use the central key of a Region: proven once per account and Region, before its first start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::Campaign;
use super::fresh::Fresh;
use crate::aws::{Aws, Member};
use crate::event::{Event, Events};
use crate::judge::{Proof, ProofAsked, judge_proof, key_fault, needs_key_policy};
use crate::model::{AwsError, DryRun, KeyArn, Reason};

/// One answer, shared by all who ask.
type Shared<T> = Arc<OnceCell<T>>;
/// Answers by what they are about.
type Answers<K, T> = Mutex<BTreeMap<K, Shared<T>>>;

/// A key's policy, as it was read.
type PolicyRead = Fresh<Result<Arc<str>, AwsError>>;

/// The proofs of a run, and the key policies that were needed to judge them.
pub(super) struct KeyProofs {
    aws: Aws,
    organization: String,
    events: Events,
    /// By account and key.
    proofs: Answers<(String, String), Proof>,
    /// By key.
    policies: Mutex<BTreeMap<String, Arc<PolicyRead>>>,
}

impl KeyProofs {
    pub(super) fn new(aws: Aws, organization: String, events: Events) -> KeyProofs {
        KeyProofs { aws, organization, events, proofs: Mutex::default(), policies: Mutex::default() }
    }

    /// What a dry run in an account proves of a key (`DescribeKey` and `GenerateDataKey` as the member, once; `GetKeyPolicy` as the
    /// security account where the key's policy refuses, once per key). `bucket` is one of those that would get the key.
    pub(super) async fn proof(&self, member: &Member, key: &KeyArn, bucket: &str) -> Proof {
        let cell = shared(&self.proofs, (member.account().to_owned(), key.to_string()));
        cell.get_or_init(|| self.prove(member, key, bucket)).await.clone()
    }

    async fn prove(&self, member: &Member, key: &KeyArn, bucket: &str) -> Proof {
        let id = key.to_string();
        let (facts, answer) = join(member.describe_key(&key.region, &id), member.prove_key(key, bucket)).await;
        // A key that the account is shown in another state than it must be serves nobody. That it may not be looked at says
        // nothing of its use.
        if let Ok(facts) = facts
            && let Some(fault) = key_fault(&facts, key)
        {
            return Proof::KeyNotUsable(AwsError {
                code: "KeyNotUsable".to_owned(),
                message: format!("the central key {key} cannot be used: {fault}"),
                hint: "correct the key, or set another one in [central_key], then `orgseal resume --retry-failed`"
                    .to_owned(),
            });
        }
        if answer == DryRun::KeyMaterial {
            let message = format!(
                "GenerateDataKey in account {}, {}: the endpoint ignored DryRun and sent a data key, which was dropped; nothing \
                 is proven so",
                member.account(),
                key.region
            );
            self.events.emit(&Event::Warning { message });
        }
        let policy = match needs_key_policy(&answer) {
            true => Some(self.policy(key, Duration::MAX).await.0),
            false => None,
        };
        let asked = ProofAsked { key, account: member.account(), organization: &self.organization };
        judge_proof(asked, &answer, policy.as_ref().map(|read| read.as_deref()))
    }

    /// `GetKeyPolicy` as the security account, not longer ago than `max_age`; and when it was read.
    pub(super) async fn policy(&self, key: &KeyArn, max_age: Duration) -> (Result<Arc<str>, AwsError>, Timestamp) {
        let cell = {
            let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(policies.entry(key.to_string()).or_default())
        };
        cell.get(max_age, async { self.aws.key_policy(key).await.map(Arc::from) }).await
    }
}

fn shared<K: Ord, T>(answers: &Answers<K, T>, about: K) -> Shared<T> {
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(answers.entry(about).or_default())
}

impl Campaign {
    /// Why nothing in an account and Region may be pointed at the Region's central key, as far as the account decides it; nothing
    /// where `keys.prove` is off or the campaign has no key. Asked of AWS once per account and Region. `bucket` is one of those
    /// that would get the key: its ARN is the encryption context that S3 sends.
    pub async fn key_proof(&self, member: &Member, region: &str, bucket: &str) -> Result<(), (Reason, AwsError)> {
        if !self.file.keys.prove {
            return Ok(());
        }
        match self.key_of(member.account(), region) {
            Some(key) => {
                let proof = self.key_proofs.proof(member, &key, bucket).await;
                proof.verdict(self.file.keys.accept_unproven)
            }
            None => Ok(()),
        }
    }
}
