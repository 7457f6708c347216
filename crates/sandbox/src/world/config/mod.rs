//! What one account and Region has in AWS Config, and how it changes. Rules and remediations are in the model's own shapes:
//! what may be put is in `services::config`, what a remediation does in `services::config::remediate`.

mod aggregator;
mod described;
mod meddling;
mod pack;
mod remediation;
mod rule;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::generate;
use crate::journal::Entry;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::place::Place;

pub(crate) use aggregator::{AccountSource, Aggregator, OrganizationSource, Recorder};
pub(crate) use pack::{
    Act, CONFORMS, Failure, InputParameter, MULTI_ACCOUNT, OrganizationPack, Pack, PackSettings, Progress,
};
pub(crate) use remediation::{
    ATTEMPTS, Exception, ParameterValue, RETRY_SECONDS, Remediation, ResourceValue, StaticValue,
};
pub(crate) use rule::ConfigRule;

/// The resource type of a bucket.
pub(crate) const BUCKET: &str = "AWS::S3::Bucket";

/// The end of an ARN of Config: made from the name, so that the same world has the same ones.
fn suffix(place: &str, name: &str, length: usize) -> String {
    crate::random::Random::new(0, &format!("{place}/{name}"), 0).text(crate::random::LOWER, length)
}

/// A change, as the journal keeps it; `None` takes away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConfigChange {
    Rule { name: String, rule: Option<Box<ConfigRule>> },
    Remediation { rule: String, remediation: Option<Box<Remediation>> },
    Exception { rule: String, kind: String, id: String, exception: Option<Exception> },
    Pack { name: String, pack: Option<Box<Pack>> },
    OrganizationPack { name: String, pack: Option<Box<OrganizationPack>> },
    Aggregator { name: String, aggregator: Option<Box<Aggregator>> },
    Tags { arn: String, tags: BTreeMap<String, String> },
    Recorder(Recorder),
}

/// What one account and Region has in AWS Config.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigState {
    pub(crate) rules: BTreeMap<String, ConfigRule>,
    /// By rule.
    pub(crate) remediations: BTreeMap<String, Remediation>,
    /// By rule, resource type and id.
    pub(crate) exceptions: BTreeMap<(String, String, String), Exception>,
    pub(crate) packs: BTreeMap<String, Pack>,
    pub(crate) organization_packs: BTreeMap<String, OrganizationPack>,
    pub(crate) aggregators: BTreeMap<String, Aggregator>,
    /// By ARN, of what has any.
    pub(crate) tags: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) recorder: Recorder,
    /// When rules were evaluated on demand, in milliseconds since 1970.
    pub(crate) evaluated: BTreeMap<String, i64>,
    /// The remediations on their way, by rule and bucket: whether an execution runs, or it is only due.
    pub(crate) at_work: BTreeMap<(String, String), bool>,
    /// When attempts failed, by rule and bucket, in milliseconds since 1970.
    pub(crate) failures: BTreeMap<(String, String), Vec<i64>>,
}

impl ConfigState {
    pub(crate) fn apply(&mut self, change: ConfigChange) {
        match change {
            ConfigChange::Rule { name, rule: Some(rule) } => {
                self.rules.insert(name, *rule);
            }
            ConfigChange::Rule { name, rule: None } => {
                let arn = self.rules.remove(&name).and_then(|rule| rule.config_rule_arn);
                arn.iter().for_each(|arn| drop(self.tags.remove(arn)));
                self.evaluated.remove(&name);
                self.exceptions.retain(|(rule, _, _), _| *rule != name);
                self.failures.retain(|(rule, _), _| *rule != name);
            }
            ConfigChange::Remediation { rule, remediation: Some(remediation) } => {
                self.remediations.insert(rule, *remediation);
            }
            ConfigChange::Remediation { rule, remediation: None } => {
                self.remediations.remove(&rule);
                self.exceptions.retain(|(of, _, _), _| *of != rule);
                self.failures.retain(|(of, _), _| *of != rule);
            }
            ConfigChange::Exception { rule, kind, id, exception: Some(exception) } => {
                self.exceptions.insert((rule, kind, id), exception);
            }
            ConfigChange::Exception { rule, kind, id, exception: None } => {
                self.exceptions.remove(&(rule, kind, id));
            }
            ConfigChange::Pack { name, pack: Some(pack) } => {
                self.packs.insert(name, *pack);
            }
            ConfigChange::Pack { name, pack: None } => {
                let pack = self.packs.remove(&name);
                pack.iter().for_each(|pack| drop(self.tags.remove(&pack.arn)));
            }
            ConfigChange::OrganizationPack { name, pack: Some(pack) } => {
                self.organization_packs.insert(name, *pack);
            }
            ConfigChange::OrganizationPack { name, pack: None } => {
                let pack = self.organization_packs.remove(&name);
                pack.iter().for_each(|pack| drop(self.tags.remove(&pack.arn)));
            }
            ConfigChange::Aggregator { name, aggregator: Some(aggregator) } => {
                self.aggregators.insert(name, *aggregator);
            }
            ConfigChange::Aggregator { name, aggregator: None } => {
                let aggregator = self.aggregators.remove(&name);
                aggregator.iter().for_each(|one| drop(self.tags.remove(&one.configuration_aggregator_arn)));
            }
            ConfigChange::Tags { arn, tags } if tags.is_empty() => {
                self.tags.remove(&arn);
            }
            ConfigChange::Tags { arn, tags } => {
                self.tags.insert(arn, tags);
            }
            ConfigChange::Recorder(recorder) => self.recorder = recorder,
        }
    }

    pub(crate) fn excepts(&self, rule: &str, bucket: &str, now_ms: i64) -> bool {
        let key = (rule.to_owned(), BUCKET.to_owned(), bucket.to_owned());
        self.exceptions.get(&key).is_some_and(|exception| exception.holds(now_ms))
    }

    /// Each thing under a name of its own, for dumps. Times are left out: two worlds in one state have equal dumps.
    fn named(&self) -> BTreeMap<String, Value> {
        fn named<'a, K: 'a, T: Serialize + 'a>(
            all: impl IntoIterator<Item = (K, &'a T)> + 'a,
            name: impl Fn(K) -> String + 'a,
        ) -> impl Iterator<Item = (String, Value)> + 'a {
            all.into_iter().map(move |(key, one)| {
                let mut value = serde_json::to_value(one).unwrap_or_default();
                if let Value::Object(members) = &mut value {
                    members.retain(|member, _| !["progress", "CreationTime", "LastUpdatedTime"].contains(&&**member));
                }
                (name(key), value)
            })
        }
        let recorder = (!self.recorder.records()).then(|| ("recorder/default".to_owned(), Value::from("stopped")));
        named(&self.rules, |name| format!("rule/{name}"))
            .chain(named(&self.remediations, |rule| format!("remediation/{rule}")))
            .chain(named(&self.exceptions, |(rule, _, id)| format!("exception/{rule}/{id}")))
            .chain(named(&self.packs, |name| format!("pack/{name}")))
            .chain(named(&self.organization_packs, |name| format!("organization-pack/{name}")))
            .chain(named(&self.aggregators, |name| format!("aggregator/{name}")))
            .chain(named(&self.tags, |arn| format!("tags/{arn}")))
            .chain(recorder)
            .collect()
    }
}

impl World {
    /// `arn:PARTITION:config:REGION:ACCOUNT`, with which every ARN of Config there begins.
    pub(crate) fn config_arn(&self, place: Place) -> String {
        let Place { account, region } = place;
        format!(
            "arn:{}:config:{}:{}",
            self.spec.partition, self.spec.regions[region], self.organization.accounts[account].id
        )
    }
    /// Makes a change durable, and then makes it.
    pub(crate) fn change_config(
        &self,
        place: Place,
        config: &mut ConfigState,
        change: ConfigChange,
    ) -> Result<(), AwsError> {
        self.journal.append(&Entry::Config {
            account: self.organization.accounts[place.account].id.clone(),
            region: self.spec.regions[place.region].clone(),
            change: Box::new(change.clone()),
        })?;
        config.apply(change);
        self.config_changes.be_in_use();
        Ok(())
    }

    /// Works on a bucket's present state and its Region's Config at one moment.
    pub(crate) fn with_bucket_and_config<T>(
        &self,
        place: Place,
        bucket: &str,
        work: impl FnOnce(Option<&Bucket>, &mut ConfigState) -> T,
    ) -> T {
        self.with_account(place.account, |state| {
            let buckets = state.buckets.get_or_insert_with(|| generate::buckets(self, place.account));
            let found = buckets.binary_search_by(|other| (*other.name).cmp(bucket)).ok().map(|at| buckets[at].clone());
            let here = found.filter(|found| usize::from(found.region) == place.region);
            work(here.as_ref(), &mut self.region_of(state, place.account, place.region).config)
        })
    }

    /// Works on a Region's buckets, among the account's others, and on its Config at one moment.
    pub(crate) fn with_buckets_and_config<T>(
        &self,
        place: Place,
        work: impl FnOnce(&mut dyn Iterator<Item = &Bucket>, &mut ConfigState) -> T,
    ) -> T {
        self.with_account(place.account, |state| {
            // Taken out for a moment, as both are parts of one state.
            let buckets = state.buckets.take().unwrap_or_else(|| generate::buckets(self, place.account));
            let config = &mut self.region_of(state, place.account, place.region).config;
            let done = work(&mut buckets.iter().filter(|one| usize::from(one.region) == place.region), config);
            state.buckets = Some(buckets);
            done
        })
    }

    /// What is not as the spec made it, by `account/region/kind/name`; null for what was taken away.
    pub(crate) fn changed_config(&self) -> BTreeMap<String, Value> {
        let mut changed = BTreeMap::new();
        for (account, owner) in self.organization.accounts.iter().enumerate() {
            self.with_account(account, |state| {
                for (region, held) in &state.regions {
                    let mut made = self.generated_config(Place { account, region: *region }).named();
                    let mut differs = held.config.named();
                    differs.retain(|name, value| made.remove(name).as_ref() != Some(value));
                    differs.extend(made.into_keys().map(|name| (name, Value::Null)));
                    let at = |name: String| format!("{}/{}/{name}", owner.id, self.spec.regions[*region]);
                    changed.extend(differs.into_iter().map(|(name, value)| (at(name), value)));
                }
            });
        }
        changed
    }
}
