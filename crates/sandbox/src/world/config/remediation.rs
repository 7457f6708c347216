//! Remediations of rules and the exceptions from them, in the model's own shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BUCKET, suffix};

/// What PutRemediationConfigurations takes when it is not said.
pub(crate) const ATTEMPTS: i64 = 5;
/// The window of those attempts, in seconds.
pub(crate) const RETRY_SECONDS: i64 = 60;

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
        self.arn = Some(Remediation::arn_of(place, &self.config_rule_name));
        self.automatic.get_or_insert(false);
        if self.is_automatic() {
            self.maximum_automatic_attempts.get_or_insert(ATTEMPTS);
            self.retry_attempt_seconds.get_or_insert(RETRY_SECONDS);
        }
        self.created_by_service = None;
    }

    pub(crate) fn arn_of(place: &str, rule: &str) -> String {
        format!("{place}:remediation-configuration/{rule}/{}", suffix(place, rule, 6))
    }

    pub(crate) fn is_automatic(&self) -> bool {
        self.automatic == Some(true)
    }
}
