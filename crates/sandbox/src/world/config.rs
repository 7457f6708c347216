//! What one account and Region has in AWS Config: rules, remediations and the exceptions from those, in the model's own
//! shapes. What may be put is in `services::config`, what a remediation does in `services::config::remediate`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::generate;
use crate::journal::Entry;
use crate::spec::{ConfigRemediationSpec, Deploy};
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::organization::Organization;
use crate::world::place::Place;

/// The resource type of a bucket.
pub(crate) const BUCKET: &str = "AWS::S3::Bucket";
/// What PutRemediationConfigurations takes when it is not said.
pub(crate) const ATTEMPTS: i64 = 5;
/// The window of those attempts, in seconds.
pub(crate) const RETRY_SECONDS: i64 = 60;

/// ConfigRule
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ConfigRule {
    pub(crate) config_rule_name: Option<String>,
    pub(crate) config_rule_arn: Option<String>,
    pub(crate) config_rule_id: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) scope: Option<Scope>,
    pub(crate) source: Source,
    /// JSON text.
    pub(crate) input_parameters: Option<String>,
    pub(crate) maximum_execution_frequency: Option<String>,
    pub(crate) config_rule_state: Option<String>,
    pub(crate) created_by: Option<String>,
    pub(crate) evaluation_modes: Option<Vec<EvaluationMode>>,
    pub(crate) rule_evaluation_visibility: Option<String>,
}

/// Scope
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Scope {
    pub(crate) compliance_resource_types: Option<Vec<String>>,
    pub(crate) tag_key: Option<String>,
    pub(crate) tag_value: Option<String>,
    pub(crate) compliance_resource_id: Option<String>,
    pub(crate) service_principals: Option<Vec<String>>,
}

/// Source. The details of custom rules are kept as they are: no such rule runs here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) owner: String,
    pub(crate) source_identifier: Option<String>,
    pub(crate) source_details: Option<Vec<Value>>,
    pub(crate) custom_policy_details: Option<Value>,
}

/// EvaluationModeConfiguration
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct EvaluationMode {
    pub(crate) mode: String,
}

/// RemediationConfiguration
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Remediation {
    pub(crate) config_rule_name: String,
    pub(crate) target_type: String,
    pub(crate) target_id: String,
    pub(crate) target_version: Option<String>,
    pub(crate) parameters: Option<BTreeMap<String, ParameterValue>>,
    pub(crate) resource_type: Option<String>,
    pub(crate) automatic: Option<bool>,
    pub(crate) execution_controls: Option<ExecutionControls>,
    pub(crate) maximum_automatic_attempts: Option<i64>,
    pub(crate) retry_attempt_seconds: Option<i64>,
    pub(crate) arn: Option<String>,
    pub(crate) created_by_service: Option<String>,
}

/// RemediationParameterValue: one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ParameterValue {
    pub(crate) resource_value: Option<ResourceValue>,
    pub(crate) static_value: Option<StaticValue>,
}

/// ResourceValue: `RESOURCE_ID` is all there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ResourceValue {
    pub(crate) value: String,
}

/// StaticValue
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct StaticValue {
    pub(crate) values: Vec<String>,
}

/// ExecutionControls
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ExecutionControls {
    pub(crate) ssm_controls: Option<SsmControls>,
}

/// SsmControls, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct SsmControls {
    pub(crate) concurrent_execution_rate_percentage: Option<i64>,
    pub(crate) error_percentage: Option<i64>,
}

/// RemediationException
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Exception {
    pub(crate) config_rule_name: String,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
    pub(crate) message: Option<String>,
    /// Seconds since 1970.
    pub(crate) expiration_time: Option<f64>,
}

impl Exception {
    pub(crate) fn new(rule: &str, bucket: &str, message: Option<String>) -> Exception {
        Exception {
            config_rule_name: rule.into(),
            resource_type: BUCKET.into(),
            resource_id: bucket.into(),
            message,
            expiration_time: None,
        }
    }

    /// An exception is deleted after its expiration time.
    pub(crate) fn holds(&self, now_ms: i64) -> bool {
        self.expiration_time.is_none_or(|end| end * 1000.0 > now_ms as f64)
    }
}

impl ConfigRule {
    /// One of AWS's own rules.
    pub(crate) fn managed(place: &str, name: &str, identifier: &str) -> ConfigRule {
        let mut rule = ConfigRule {
            config_rule_name: Some(name.into()),
            config_rule_arn: None,
            config_rule_id: None,
            description: None,
            scope: Some(Scope {
                compliance_resource_types: Some(vec![BUCKET.into()]),
                tag_key: None,
                tag_value: None,
                compliance_resource_id: None,
                service_principals: None,
            }),
            source: Source {
                owner: "AWS".into(),
                source_identifier: Some(identifier.into()),
                source_details: None,
                custom_policy_details: None,
            },
            input_parameters: None,
            maximum_execution_frequency: None,
            config_rule_state: None,
            created_by: None,
            evaluation_modes: None,
            rule_evaluation_visibility: None,
        };
        rule.settle(place, name);
        rule
    }

    /// What Config itself adds to a rule. `place` is `arn:aws:config:REGION:ACCOUNT`.
    pub(crate) fn settle(&mut self, place: &str, name: &str) {
        let id = format!("config-rule-{}", suffix(place, name));
        self.config_rule_name = Some(name.into());
        self.config_rule_arn = Some(format!("{place}:config-rule/{id}"));
        self.config_rule_id = Some(id);
        self.config_rule_state = Some("ACTIVE".into());
        self.created_by = None;
        self.evaluation_modes.get_or_insert_with(|| vec![EvaluationMode { mode: "DETECTIVE".into() }]);
    }
}

impl Remediation {
    /// A remediation that starts a document by itself, without any parameter yet.
    pub(crate) fn automatic(place: &str, rule: &str, document: &str) -> Remediation {
        let mut remediation = Remediation {
            config_rule_name: rule.into(),
            target_type: "SSM_DOCUMENT".into(),
            target_id: document.into(),
            target_version: None,
            parameters: None,
            resource_type: Some(BUCKET.into()),
            automatic: Some(true),
            execution_controls: None,
            maximum_automatic_attempts: None,
            retry_attempt_seconds: None,
            arn: None,
            created_by_service: None,
        };
        remediation.settle(place);
        remediation
    }

    /// What Config itself adds to a remediation.
    pub(crate) fn settle(&mut self, place: &str) {
        let rule = &self.config_rule_name;
        self.arn = Some(format!("{place}:remediation-configuration/{rule}/{}", suffix(place, rule)));
        self.automatic.get_or_insert(false);
        if self.is_automatic() {
            self.maximum_automatic_attempts.get_or_insert(ATTEMPTS);
            self.retry_attempt_seconds.get_or_insert(RETRY_SECONDS);
        }
        self.created_by_service = None;
    }

    pub(crate) fn is_automatic(&self) -> bool {
        self.automatic == Some(true)
    }
}

/// The end of a rule's or remediation's ARN: made from its name, so that the same world has the same ones.
fn suffix(place: &str, name: &str) -> String {
    crate::random::Random::new(0, &format!("{place}/{name}"), 0).text(crate::random::LOWER, 6)
}

/// A change, as the journal keeps it; `None` takes away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConfigChange {
    Rule { name: String, rule: Option<Box<ConfigRule>> },
    Remediation { rule: String, remediation: Option<Box<Remediation>> },
    Exception { rule: String, kind: String, id: String, exception: Option<Exception> },
}

/// What one account and Region has in AWS Config.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigState {
    pub(crate) rules: BTreeMap<String, ConfigRule>,
    /// By rule.
    pub(crate) remediations: BTreeMap<String, Remediation>,
    /// By rule, resource type and id.
    pub(crate) exceptions: BTreeMap<(String, String, String), Exception>,
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
                self.rules.remove(&name);
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
        }
    }

    pub(crate) fn excepts(&self, rule: &str, bucket: &str, now_ms: i64) -> bool {
        let key = (rule.to_owned(), BUCKET.to_owned(), bucket.to_owned());
        self.exceptions.get(&key).is_some_and(|exception| exception.holds(now_ms))
    }

    /// Each rule, remediation and exception under a name of its own, for dumps.
    fn named(&self) -> BTreeMap<String, Value> {
        let value = |result: Result<Value, serde_json::Error>| result.unwrap_or_default();
        let rules = self.rules.iter().map(|(name, rule)| (format!("rule/{name}"), value(serde_json::to_value(rule))));
        let remediations = self.remediations.iter();
        let remediations =
            remediations.map(|(rule, one)| (format!("remediation/{rule}"), value(serde_json::to_value(one))));
        let exceptions = self.exceptions.iter();
        let exceptions =
            exceptions.map(|((rule, _, id), one)| (format!("exception/{rule}/{id}"), value(serde_json::to_value(one))));
        rules.chain(remediations).chain(exceptions).collect()
    }
}

impl World {
    /// `arn:aws:config:REGION:ACCOUNT`, with which every ARN of Config there begins.
    pub(crate) fn config_arn(&self, place: Place) -> String {
        let Place { account, region } = place;
        format!("arn:aws:config:{}:{}", self.spec.regions[region], self.organization.accounts[account].id)
    }

    /// What the spec says of an account and Region.
    pub(super) fn generated_config(&self, place: Place) -> ConfigState {
        let mut state = ConfigState::default();
        for spec in &self.spec.config_remediation {
            if self.is_for(spec, place) {
                self.remediation_of(spec, place).into_iter().for_each(|change| state.apply(change));
            }
        }
        state
    }

    pub(crate) fn is_for(&self, spec: &ConfigRemediationSpec, place: Place) -> bool {
        let account = &self.organization.accounts[place.account];
        let region = &self.spec.regions[place.region];
        spec.accounts.takes(&account.id, &account.name) && (spec.regions.is_empty() || spec.regions.contains(region))
    }

    /// What a described remediation is made of: the rule, the remediation with the parameters of the document that seals,
    /// and its exceptions.
    pub(crate) fn remediation_of(&self, spec: &ConfigRemediationSpec, place: Place) -> Vec<ConfigChange> {
        let arn = self.config_arn(place);
        let account = &self.organization.accounts[place.account].id;
        let key = &self.central_arns[place.region];
        let document = &spec.document.clone().unwrap_or_else(|| self.sealing_document(place));
        let mut rule = ConfigRule::managed(&arn, &spec.rule, "S3_DEFAULT_ENCRYPTION_KMS");
        if spec.central_key_only {
            rule.input_parameters = Some(serde_json::json!({ "kmsKeyArns": &**key }).to_string());
        }
        let mut remediation = Remediation::automatic(&arn, &spec.rule, document);
        remediation.automatic = Some(spec.automatic);
        remediation.maximum_automatic_attempts = Some(spec.attempts);
        remediation.retry_attempt_seconds = Some(spec.retry_seconds);
        let fixed = |value: String| ParameterValue {
            resource_value: None,
            static_value: Some(StaticValue { values: vec![value] }),
        };
        let bucket =
            ParameterValue { resource_value: Some(ResourceValue { value: "RESOURCE_ID".into() }), static_value: None };
        let role = format!("arn:aws:iam::{account}:role/{}", self.spec.automation_role.name);
        let mut parameters = BTreeMap::from([
            ("BucketName".to_owned(), bucket),
            ("KMSMasterKeyID".to_owned(), fixed(key.to_string())),
            ("AutomationAssumeRole".to_owned(), fixed(role)),
        ]);
        // The article's own document has three parameters.
        if self.takes_expected_owner(document) {
            parameters.insert("ExpectedBucketOwner".to_owned(), fixed(account.clone()));
        }
        remediation.parameters = Some(parameters);
        let name = &spec.rule;
        let exceptions = spec.exceptions.iter().map(|bucket| ConfigChange::Exception {
            rule: name.clone(),
            kind: BUCKET.into(),
            id: bucket.clone(),
            exception: Some(Exception::new(name, bucket, None)),
        });
        [
            ConfigChange::Rule { name: name.clone(), rule: Some(Box::new(rule)) },
            ConfigChange::Remediation { rule: name.clone(), remediation: Some(Box::new(remediation)) },
        ]
        .into_iter()
        .chain(exceptions)
        .collect()
    }

    /// The document that seals, as an account names it: by its ARN where it is the security account's.
    fn sealing_document(&self, place: Place) -> String {
        let name = &self.spec.document.name;
        let own = place.account == Organization::SECURITY || self.spec.document.deploy != Deploy::Shared;
        match own {
            true => name.clone(),
            false => {
                let (region, security) = (&self.spec.regions[place.region], &self.security_account().id);
                format!("arn:aws:ssm:{region}:{security}:document/{name}")
            }
        }
    }

    fn takes_expected_owner(&self, document: &str) -> bool {
        let name = document.rsplit('/').next().unwrap_or(document);
        let deployed = self.deployed.iter().find(|(other, _)| other == name);
        deployed.is_none_or(|(_, version)| {
            version.runbook.parameters.iter().any(|parameter| parameter.name == "ExpectedBucketOwner")
        })
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

/// What somebody does to AWS Config behind everyone's back. The errors name what is not there.
impl World {
    fn config_at(
        &self,
        account: &str,
        region: &str,
        changes: impl FnOnce(Place, &ConfigState) -> Result<Vec<ConfigChange>, String>,
    ) -> Result<(), String> {
        let there = self.organization.find(account).zip(self.region_index(region));
        let (account, region) = there.ok_or_else(|| format!("account and Region {account} {region}"))?;
        let place = Place { account, region };
        self.with_region(account, region, |state| {
            for change in changes(place, &state.config)? {
                self.change_config(place, &mut state.config, change).map_err(|error| error.message)?;
            }
            Ok(())
        })
    }

    pub(crate) fn remediate(
        &self,
        account: &str,
        region: &str,
        rule: &str,
        identifier: &str,
        document: &str,
    ) -> Result<(), String> {
        self.config_at(account, region, |place, _| {
            let arn = self.config_arn(place);
            let managed = ConfigRule::managed(&arn, rule, identifier);
            let remediation = Remediation::automatic(&arn, rule, document);
            Ok(vec![
                ConfigChange::Rule { name: rule.into(), rule: Some(Box::new(managed)) },
                ConfigChange::Remediation { rule: rule.into(), remediation: Some(Box::new(remediation)) },
            ])
        })
    }

    pub(crate) fn except(&self, account: &str, region: &str, rule: &str, bucket: &str) -> Result<(), String> {
        let exception = Some(Exception::new(rule, bucket, None));
        let (rule, kind, id) = (rule.into(), BUCKET.into(), bucket.into());
        self.config_at(account, region, |_, _| Ok(vec![ConfigChange::Exception { rule, kind, id, exception }]))
    }

    pub(crate) fn put_remediation(&self, spec: &ConfigRemediationSpec) -> Result<(), String> {
        let accounts = &self.organization.accounts;
        let known = |name: &String| accounts.iter().any(|account| account.id == *name || account.name == *name);
        if let Some(name) = spec.accounts.named().iter().find(|name| !known(name)) {
            return Err(format!("account {name}"));
        }
        if let Some(region) = spec.regions.iter().find(|region| self.region_index(region).is_none()) {
            return Err(format!("Region {region}"));
        }
        for (at, account) in accounts.iter().enumerate() {
            for (region, name) in self.spec.regions.iter().enumerate() {
                if self.is_for(spec, Place { account: at, region }) {
                    self.config_at(&account.id, name, |place, _| Ok(self.remediation_of(spec, place)))?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn delete_config_rule(&self, account: &str, region: &str, rule: &str) -> Result<(), String> {
        self.config_at(account, region, |_, config| match config.rules.contains_key(rule) {
            false => Err(format!("rule {rule}")),
            true => Ok(vec![
                ConfigChange::Remediation { rule: rule.into(), remediation: None },
                ConfigChange::Rule { name: rule.into(), rule: None },
            ]),
        })
    }

    pub(crate) fn exceptions_of(&self, account: &str, region: &str, rule: &str) -> Vec<String> {
        let Some((account, region)) = self.organization.find(account).zip(self.region_index(region)) else {
            return Vec::new();
        };
        let now = crate::wire::now_ms();
        self.with_region(account, region, |state| {
            let all = state.config.exceptions.iter().filter(|((of, _, _), one)| of == rule && one.holds(now));
            all.map(|((_, _, id), _)| id.clone()).collect()
        })
    }
}
