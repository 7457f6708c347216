//! The shipped organization with one bucket for each guard: everything in it loads, and behaves as its comments say.

use crate::policy::{Kind, Policy};
use crate::spec::Spec;
use crate::world::configuration::Configuration;
use crate::{BucketEncryption, Options, Sandbox};

const ACCOUNT: &str = "444455556666";
const SPEC: &str = include_str!("../../../../config/sandbox/one-of-each-guard.toml");

async fn started() -> Sandbox {
    let spec = Spec::from_toml(SPEC, "one-of-each-guard.toml").unwrap();
    Sandbox::start(spec, Options { speed: 50.0, ..Options::default() }).await.unwrap()
}

#[tokio::test]
async fn there_is_one_bucket_for_each_guard_on_sse_s3_and_every_policy_loads() {
    let sandbox = started().await;
    let buckets = sandbox.buckets_of(ACCOUNT);
    let names: Vec<&str> = buckets.iter().map(|bucket| bucket.name.strip_suffix("-444455556666").unwrap()).collect();
    assert_eq!(
        names,
        [
            "access-log-target",
            "access-points",
            "conflicting-policy",
            "infrastructure-as-code",
            "infrastructure-as-code-terraform",
            "load-balancer-log-target",
            "log-destinations",
            "object-encryption-context",
            "object-ownership",
            "opt-out-tag",
            "origin-access-identity",
            "outside-principals",
            "plain-1",
            "plain-2",
            "principals-without-key",
            "public-access",
            "public-access-website",
            "replication-source",
            "service-principals",
        ]
    );
    assert!(buckets.iter().all(|bucket| bucket.encryption.as_ref().is_some_and(|e| e.algorithm == "AES256")));
    assert_eq!(sandbox.accounts().len(), 6);
    let account = sandbox.world.organization.find(ACCOUNT).unwrap();
    sandbox.world.with_buckets(account, |buckets| {
        for bucket in buckets.iter() {
            if let Some(policy) = bucket.configurations.policy() {
                Policy::load(Kind::Resource, policy).unwrap_or_else(|error| panic!("{}: {error}", bucket.name));
            }
            let bare = bucket.configurations == crate::world::configuration::Configurations::default();
            let held_by_iam = ["plain-", "principals-without-key", "object-encryption-context"];
            assert_eq!(bare, held_by_iam.iter().any(|start| bucket.name.starts_with(start)), "{}", bucket.name);
        }
        let replication = buckets.iter().find_map(|bucket| bucket.configurations.get(Configuration::Replication));
        assert_eq!(replication.unwrap()["Role"], "arn:aws:iam::444455556666:role/replication");
    });
}

#[tokio::test]
async fn the_applications_break_or_go_on_as_it_says() {
    let sandbox = started().await;
    let until = async |name: &str, wanted: &dyn Fn(&crate::ApplicationState) -> bool| {
        for _ in 0..4000 {
            let state = sandbox.application(name).unwrap();
            if wanted(&state) {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("not so: {:?}", sandbox.application(name));
    };
    for name in ["without-key", "with-key", "object-context"] {
        let state = until(name, &|state| state.writes > 0 && state.reads > 0).await;
        assert_eq!((state.failed_writes, state.buckets.len()), (0, 1), "{state:?}");
    }
    for bucket in sandbox.buckets_of(ACCOUNT) {
        let region = sandbox.world.region_index(&bucket.region).unwrap();
        let encryption = BucketEncryption {
            algorithm: "aws:kms".into(),
            key: Some(sandbox.world.central_arns[region].to_string()),
            bucket_key: true,
            blocked: Vec::new(),
        };
        sandbox.set_bucket_encryption(&bucket.name, Some(encryption)).unwrap();
    }
    for name in ["without-key", "object-context"] {
        let state = until(name, &|state| state.failed_writes > 1).await;
        assert!(state.last_error.unwrap().contains("kms:GenerateDataKey"));
    }
    let before = sandbox.application("with-key").unwrap();
    let after = until("with-key", &|state| state.writes > before.writes + 3).await;
    assert_eq!((after.failed_writes, after.failed_reads), (0, 0), "{after:?}");
}
