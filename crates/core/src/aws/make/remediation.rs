//! AWS Config's automatic remediation: on, off, and whom it leaves alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_config::types::{
    ComplianceType, ConfigRule, ExecutionControls, Owner, RemediationConfiguration, RemediationExceptionResourceKey,
    RemediationParameterValue, RemediationTargetType, ResourceValue, ResourceValueType, Scope, Source, SsmControls,
    StaticValue, Tag,
};

use super::rules::RULE;
use super::{TAG, TAG_VALUE, found, unbuilt};
use crate::aws::{Member, Paging};
use crate::model::AwsError;

const BUCKET: &str = "AWS::S3::Bucket";
/// `PutRemediationExceptions` takes so many resources a call [model].
const RESOURCES_A_CALL: usize = 100;

/// Of the buckets to be remedied, so many percent at once.
const AT_ONCE: i32 = 10;
/// It stops starting more when so many percent have failed.
const ERRORS: i32 = 10;

/// A remediation to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemediationWanted<'a> {
    /// The rule whose findings it remedies.
    pub rule: &'a str,
    /// The document that it starts: name or ARN.
    pub document: &'a str,
    /// The version of it, a number.
    pub version: Option<&'a str>,
    /// Values by parameter, the same for every bucket.
    pub parameters: Vec<(&'a str, &'a str)>,
    /// The parameter that takes the bucket's name.
    pub bucket_parameter: &'a str,
    /// How often it is tried on a bucket: 1 to 25.
    pub attempts: i32,
    /// Within so many seconds: 1 to 2,678,000.
    pub seconds: i64,
    /// Whether it is tried by itself on every bucket that is found.
    pub automatic: bool,
}

impl Member {
    /// A rule of the account's own that finds buckets under another key than these (`PutConfigRule`). A rule that an organization
    /// made takes no remediation.
    pub async fn put_encryption_rule(&self, region: &str, name: &str, keys: &[String]) -> Result<(), AwsError> {
        const OPERATION: &str = "PutConfigRule";
        let (client, calls) = self.config_service(region);
        let source = Source::builder().owner(Owner::Aws).source_identifier(RULE).build();
        let rule = ConfigRule::builder()
            .config_rule_name(name)
            .description("Finds buckets whose default encryption is not the organization's central KMS key")
            .source(source.map_err(|error| unbuilt(OPERATION, &error))?)
            .scope(Scope::builder().compliance_resource_types(BUCKET).build())
            .input_parameters(serde_json::json!({ "kmsKeyArns": keys.join(",") }).to_string())
            .build();
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build();
        call!(calls, OPERATION, client.put_config_rule().config_rule(rule).tags(tag)).map(drop)
    }

    /// `DeleteConfigRule`: whether there was one.
    pub async fn delete_rule(&self, region: &str, name: &str) -> Result<bool, AwsError> {
        let (client, calls) = self.config_service(region);
        Ok(found(call!(calls, "DeleteConfigRule", client.delete_config_rule().config_rule_name(name)))?.is_some())
    }

    /// Has a rule look at every bucket (`StartConfigRulesEvaluation`).
    pub async fn evaluate_rule(&self, region: &str, name: &str) -> Result<(), AwsError> {
        let (client, calls) = self.config_service(region);
        let request = client.start_config_rules_evaluation().config_rule_names(name);
        call!(calls, "StartConfigRulesEvaluation", request).map(drop)
    }

    /// What a rule says of each bucket that it has looked at (`GetComplianceDetailsByConfigRule`): whether it is compliant.
    pub async fn compliance(&self, region: &str, rule: &str) -> Result<BTreeMap<String, bool>, AwsError> {
        let (client, calls) = self.config_service(region);
        let mut found = BTreeMap::new();
        let (mut token, mut paging) = (None, Paging::new("GetComplianceDetailsByConfigRule"));
        loop {
            let request = client
                .get_compliance_details_by_config_rule()
                .config_rule_name(rule)
                .limit(RESOURCES_A_CALL as i32)
                .set_next_token(token);
            let page = call!(calls, "GetComplianceDetailsByConfigRule", request)?;
            for result in page.evaluation_results() {
                let which = result.evaluation_result_identifier().and_then(|id| id.evaluation_result_qualifier());
                if let Some(bucket) = which.and_then(|which| which.resource_id()) {
                    let compliant = result.compliance_type() == Some(&ComplianceType::Compliant);
                    found.insert(bucket.to_owned(), compliant);
                }
            }
            token = paging.next(page.next_token())?;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The buckets that a rule's remediation leaves alone (`DescribeRemediationExceptions`).
    pub async fn remediation_exceptions(&self, region: &str, rule: &str) -> Result<BTreeSet<String>, AwsError> {
        let (client, calls) = self.config_service(region);
        crate::aws::config_rules::exceptions(&client, calls, rule).await
    }

    /// `PutRemediationConfigurations`.
    pub async fn put_remediation(&self, region: &str, wanted: &RemediationWanted<'_>) -> Result<(), AwsError> {
        const OPERATION: &str = "PutRemediationConfigurations";
        let (client, calls) = self.config_service(region);
        let mut parameters = HashMap::new();
        for (name, value) in &wanted.parameters {
            let values = StaticValue::builder().values(*value).build().map_err(|error| unbuilt(OPERATION, &error))?;
            let value = RemediationParameterValue::builder().static_value(values).build();
            parameters.insert((*name).to_owned(), value);
        }
        let bucket = ResourceValue::builder().value(ResourceValueType::ResourceId).build();
        let bucket = bucket.map_err(|error| unbuilt(OPERATION, &error))?;
        let bucket = RemediationParameterValue::builder().resource_value(bucket).build();
        parameters.insert(wanted.bucket_parameter.to_owned(), bucket);
        // A few at a time, as in a campaign.
        let controls =
            SsmControls::builder().concurrent_execution_rate_percentage(AT_ONCE).error_percentage(ERRORS).build();
        let remediation = RemediationConfiguration::builder()
            .config_rule_name(wanted.rule)
            .target_type(RemediationTargetType::SsmDocument)
            .target_id(wanted.document)
            .set_target_version(wanted.version.map(str::to_owned))
            .set_parameters(Some(parameters))
            .resource_type(BUCKET)
            .automatic(wanted.automatic)
            .execution_controls(ExecutionControls::builder().ssm_controls(controls).build())
            .maximum_automatic_attempts(wanted.attempts)
            .retry_attempt_seconds(wanted.seconds)
            .build()
            .map_err(|error| unbuilt(OPERATION, &error))?;
        let answer =
            call!(calls, OPERATION, client.put_remediation_configurations().remediation_configurations(remediation))?;
        match answer.failed_batches().first() {
            None => Ok(()),
            Some(failed) => Err(AwsError {
                code: "FailedRemediation".to_owned(),
                message: format!("{OPERATION}: {}", failed.failure_message().unwrap_or("no message")),
                hint: "check the rule's name and the document's parameters".to_owned(),
            }),
        }
    }

    /// `DeleteRemediationConfiguration`: whether there was one.
    pub async fn delete_remediation(&self, region: &str, rule: &str) -> Result<bool, AwsError> {
        let (client, calls) = self.config_service(region);
        let request = client.delete_remediation_configuration().config_rule_name(rule).resource_type(BUCKET);
        Ok(found(call!(calls, "DeleteRemediationConfiguration", request))?.is_some())
    }

    /// Has a rule's remediation leave these buckets alone (`PutRemediationExceptions`).
    pub async fn except_from_remediation(
        &self,
        region: &str,
        rule: &str,
        buckets: &[String],
        why: &str,
    ) -> Result<(), AwsError> {
        let (client, calls) = self.config_service(region);
        for some in buckets.chunks(RESOURCES_A_CALL) {
            let keys = some.iter().map(|bucket| {
                RemediationExceptionResourceKey::builder().resource_type(BUCKET).resource_id(bucket).build()
            });
            let request = client
                .put_remediation_exceptions()
                .config_rule_name(rule)
                .set_resource_keys(Some(keys.collect()))
                .message(why);
            let answer = call!(calls, "PutRemediationExceptions", request)?;
            if let Some(failed) = answer.failed_batches().first() {
                return Err(AwsError {
                    code: "FailedException".to_owned(),
                    message: format!("PutRemediationExceptions: {}", failed.failure_message().unwrap_or("no message")),
                    hint: "nothing is remediated automatically before every exception is in place".to_owned(),
                });
            }
        }
        Ok(())
    }
}
