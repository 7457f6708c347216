//! What the spec says of AWS Config: the rule and remediation of the AWS article, in the accounts that it names.

use std::collections::BTreeMap;

use super::{
    BUCKET, ConfigChange, ConfigRule, ConfigState, Exception, ParameterValue, Remediation, ResourceValue, StaticValue,
};
use crate::spec::{ConfigRemediationSpec, Deploy};
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::place::Place;

impl World {
    /// What the spec says of an account and Region.
    pub(in crate::world) fn generated_config(&self, place: Place) -> ConfigState {
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
        let role = self.spec.partition.iam_arn(account, format_args!("role/{}", self.spec.automation_role.name));
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
                self.spec.partition.arn("ssm", region, security, format_args!("document/{name}"))
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
}
