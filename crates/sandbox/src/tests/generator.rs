//! The generator: the same seed gives the same organization, whatever is touched first, and it has what the spec says.

use std::collections::BTreeSet;

use super::{SMALL, start};
use crate::world::World;
use crate::{Options, Sandbox, Spec};

#[tokio::test]
async fn the_same_seed_makes_the_same_organization_in_any_order_of_touching() {
    let (one, two) = (start("", 0.0).await, start("", 0.0).await);
    for account in (0..50).rev() {
        two.world.with_buckets(account, |_| ());
    }
    assert_eq!(one.buckets(), two.buckets());
    assert_eq!(one.exports().lines().nth(1), two.exports().lines().nth(1));
    assert_eq!(one.campaign_file(), two.campaign_file());
    let other = start("seed = 1", 0.0).await;
    assert_ne!(one.buckets(), other.buckets());
    assert_ne!(one.organization_id(), other.organization_id());
}

#[tokio::test]
async fn the_default_has_fifty_accounts_and_only_states_that_can_be_sealed() {
    let sandbox = start("", 0.0).await;
    let accounts = &sandbox.world.organization.accounts;
    assert_eq!(accounts.len(), 50);
    assert_eq!(accounts.iter().filter(|a| a.state == "SUSPENDED").count(), 1);
    assert_eq!(accounts.iter().filter(|a| !a.member_role).count(), 2);
    assert!(accounts.iter().all(|a| a.state == "ACTIVE" || a.member_role), "the two must not fall together");
    let ids: BTreeSet<&str> = accounts.iter().map(|a| a.id.as_str()).collect();
    let names: BTreeSet<&str> = accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!((ids.len(), names.len()), (50, 50));
    let buckets = sandbox.buckets();
    assert!((900..1100).contains(&buckets.len()), "{}", buckets.len());
    let central: BTreeSet<&str> = sandbox.world.central_arns.iter().map(AsRef::as_ref).collect();
    let mut states = BTreeSet::new();
    for bucket in &buckets {
        assert!((3..=63).contains(&bucket.name.len()), "{}", bucket.name);
        let Some(encryption) = &bucket.encryption else {
            states.insert("none");
            continue;
        };
        let key = encryption.key.as_deref();
        assert!(key.is_none_or(|key| central.contains(key) || key == "alias/aws/s3"), "{key:?} cannot be sealed");
        states.insert(
            if key.is_some_and(|key| key.starts_with("arn") && !key.contains(&format!(":{}:", bucket.region))) {
                "wrong Region"
            } else {
                "other"
            },
        );
    }
    assert_eq!(states.len(), 3, "{states:?}");
    let names: BTreeSet<&str> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    assert_eq!(names.len(), buckets.len(), "bucket names are global");
}

#[tokio::test]
async fn every_state_occurs_in_the_spec_that_says_so_and_owners_are_found_by_name() {
    let text = include_str!("../../../../config/sandbox/every-state.toml");
    let sandbox = start(text, 0.0).await;
    let buckets = sandbox.buckets();
    let key_is = |what: &dyn Fn(&str, &crate::BucketState) -> bool| {
        buckets.iter().any(|b| b.encryption.as_ref().and_then(|e| e.key.as_deref()).is_some_and(|key| what(key, b)))
    };
    assert!(key_is(&|key, _| key == "alias/team-key"));
    assert!(key_is(&|key, _| !key.contains(':') && !key.contains('/')), "a bare id");
    assert!(key_is(&|key, b| key.contains(&format!(":{}:key/", b.account))), "the account's own key");
    let security = sandbox.security_account().to_string();
    assert!(key_is(&|key, b| key.starts_with("arn") && !key.contains(&b.account) && !key.contains(&security)));
    for bucket in &buckets {
        let owner = sandbox.world.bucket_owner(&bucket.name).unwrap();
        assert_eq!(sandbox.world.organization.accounts[owner].id, bucket.account);
    }
}

#[tokio::test]
async fn described_accounts_are_as_described() {
    let sandbox = start(SMALL, 0.0).await;
    let alpha: Vec<_> = sandbox.buckets().into_iter().filter(|b| b.account == "111111111111").collect();
    assert_eq!(alpha.len(), 2);
    assert_eq!((alpha[0].name.as_str(), alpha[0].region.as_str()), ("alpha-ireland", "eu-west-1"));
    assert_eq!(alpha[0].encryption, None);
}

#[test]
fn a_large_organization_is_made_without_its_buckets() {
    let spec = Spec::from_toml(include_str!("../../../../config/sandbox/large.toml"), "large").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let world = World::new(spec, 0.0, crate::journal::Journal::in_memory(), runtime.handle().clone());
    assert_eq!(world.organization.accounts.len(), 10_000);
    assert_eq!(world.with_buckets(9_999, |buckets| buckets.len()), 100);
}

#[tokio::test]
async fn the_campaign_file_is_toml_with_a_key_for_each_region() {
    let sandbox = Sandbox::start(Spec::default(), Options { speed: 0.0, ..Options::default() }).await.unwrap();
    let file: toml::Table = sandbox.campaign_file().parse().unwrap();
    let keys = file["central_key"].as_table().unwrap();
    assert_eq!(keys.len(), 3);
    for (region, arn) in keys {
        assert!(
            arn.as_str().unwrap().starts_with(&format!("arn:aws:kms:{region}:{}:key/", sandbox.security_account()))
        );
    }
    assert_eq!(file["member_role"]["external_id"].as_str(), Some(sandbox.world.external_id.as_str()));
}
