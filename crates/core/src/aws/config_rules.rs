//! AWS Config: which rules would change a bucket by themselves.

use std::collections::BTreeSet;

use aws_sdk_config::Client;
use aws_sdk_config::types::{ConfigRule, RemediationConfiguration};

use super::Member;
use super::calls::Calls;
use super::error::aws_error;
use super::paging::each_page;
use crate::model::AwsError;

/// An automatic remediation that may set a bucket's default encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remediation {
    /// The rule's name.
    pub rule: String,
    /// The document that it starts.
    pub document: String,
    /// Buckets that it leaves alone (`PutRemediationExceptions`).
    exceptions: BTreeSet<String>,
}

impl Remediation {
    /// Whether it leaves a bucket alone.
    #[must_use]
    pub fn excepts(&self, bucket: &str) -> bool {
        self.exceptions.contains(bucket)
    }
}

/// The managed rules that look at a bucket's default encryption.
const ENCRYPTION_RULES: [&str; 2] = ["S3_DEFAULT_ENCRYPTION_KMS", "S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED"];
/// Documents that set it, besides our own.
const ENCRYPTION_DOCUMENTS: [&str; 2] =
    ["AWS-EnableS3BucketEncryption", "AWSConfigRemediation-EnableS3BucketEncryption"];
/// `DescribeRemediationConfigurations` takes so many rules.
const RULES_A_CALL: usize = 25;

impl Member {
    /// The automatic remediations in a Region that set the default encryption of buckets: `DescribeConfigRules`,
    /// `DescribeRemediationConfigurations`, and the exceptions of those found. `ours` is the document that seals.
    pub async fn automatic_remediations(&self, region: &str, ours: &str) -> Result<Vec<Remediation>, AwsError> {
        let (client, calls) = self.config_service(region);
        let mut rules: Vec<ConfigRule> = Vec::new();
        const OPERATION: &str = "DescribeConfigRules";
        let client = &client;
        let read = |token| async move {
            let _permit = calls.enter().await;
            let page = client.describe_config_rules().set_next_token(token).send().await;
            page.map_err(|error| calls.heed(aws_error(OPERATION, &error)))
        };
        each_page(OPERATION, read, |page| {
            rules.extend(page.config_rules().iter().cloned());
            page.next_token
        })
        .await?;
        let names: Vec<String> = rules.iter().filter_map(|rule| rule.config_rule_name().map(str::to_owned)).collect();
        let mut found = Vec::new();
        for names in names.chunks(RULES_A_CALL) {
            let asked = client.describe_remediation_configurations().set_config_rule_names(Some(names.to_vec()));
            let answer = {
                let _permit = calls.enter().await;
                asked.send().await
            };
            let answer = answer.map_err(|error| calls.heed(aws_error("DescribeRemediationConfigurations", &error)))?;
            for remediation in answer.remediation_configurations() {
                if remediation.automatic() && sets_encryption(remediation, &rules, ours) {
                    let rule = remediation.config_rule_name().to_owned();
                    let exceptions = exceptions(client, calls, &rule).await?;
                    found.push(Remediation { rule, document: remediation.target_id().to_owned(), exceptions });
                }
            }
        }
        Ok(found)
    }
}

/// Whether a remediation may set a bucket's default encryption: by the document that it starts, or by the rule.
fn sets_encryption(remediation: &RemediationConfiguration, rules: &[ConfigRule], ours: &str) -> bool {
    let document = remediation.target_id().rsplit('/').next().unwrap_or_default();
    let rule = rules.iter().find(|rule| rule.config_rule_name() == Some(remediation.config_rule_name()));
    let identifier =
        rule.and_then(ConfigRule::source).and_then(|source| source.source_identifier()).unwrap_or_default();
    document == ours || ENCRYPTION_DOCUMENTS.contains(&document) || ENCRYPTION_RULES.contains(&identifier)
}

/// The buckets that a rule's remediation leaves alone.
pub(super) async fn exceptions(client: &Client, calls: &Calls, rule: &str) -> Result<BTreeSet<String>, AwsError> {
    let mut found = BTreeSet::new();
    const OPERATION: &str = "DescribeRemediationExceptions";
    let read = |token| async move {
        let _permit = calls.enter().await;
        let page = client.describe_remediation_exceptions().config_rule_name(rule).set_next_token(token).send().await;
        page.map_err(|error| calls.heed(aws_error(OPERATION, &error)))
    };
    each_page(OPERATION, read, |page| {
        let now = aws_smithy_types::DateTime::from(crate::clock::system_now());
        let holds = |end: Option<&aws_smithy_types::DateTime>| end.is_none_or(|end| *end > now);
        found.extend(
            page.remediation_exceptions()
                .iter()
                .filter(|exception| holds(exception.expiration_time()))
                .map(|exception| exception.resource_id().to_owned()),
        );
        page.next_token
    })
    .await?;
    Ok(found)
}
