//! Rules of AWS Config, in the model's own shape, and what Config itself adds to one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BUCKET, suffix};

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

    /// What Config itself adds to a rule. `place` is `arn:PARTITION:config:REGION:ACCOUNT`.
    pub(crate) fn settle(&mut self, place: &str, name: &str) {
        let id = format!("config-rule-{}", suffix(place, name, 6));
        self.config_rule_name = Some(name.into());
        self.config_rule_arn = Some(format!("{place}:config-rule/{id}"));
        self.config_rule_id = Some(id);
        self.config_rule_state = Some("ACTIVE".into());
        self.created_by = None;
        self.evaluation_modes.get_or_insert_with(|| vec![EvaluationMode { mode: "DETECTIVE".into() }]);
    }

    /// What Config adds to a rule that is a service's own.
    pub(crate) fn settle_for(&mut self, service: &str, place: &str, name: &str) {
        self.settle(place, name);
        let id = self.config_rule_id.as_deref().unwrap_or_default();
        self.config_rule_arn = Some(format!("{place}:config-rule/aws-service-rule/{service}/{id}"));
        self.created_by = Some(service.into());
    }

    /// The ARN of a rule that people put.
    pub(crate) fn arn_of(place: &str, name: &str) -> String {
        format!("{place}:config-rule/config-rule-{}", suffix(place, name, 6))
    }
}
