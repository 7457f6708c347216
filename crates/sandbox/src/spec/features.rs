//! The mix of what buckets have configured besides encryption.

use serde::{Deserialize, Serialize};

/// The parts of the generated buckets, 0 to 1, which have a feature that a change of default encryption may break, or that
/// says whose they are. All are 0 by default; a bucket may have several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeaturesSpec {
    /// Its policy admits `logging.s3.amazonaws.com`: it receives S3 server access logs.
    pub log_target: f64,
    /// Its policy admits a load balancer's log delivery account.
    pub elb_log_target: f64,
    /// Its policy lets everyone read.
    pub public_policy: f64,
    /// It is a website.
    pub website: f64,
    /// Its policy names a CloudFront origin access identity.
    pub cloudfront_oai: f64,
    /// Its policy admits an account outside the organization.
    pub foreign_principal: f64,
    /// Its policy admits `cloudtrail.amazonaws.com`.
    pub service_principal: f64,
    /// It replicates to another bucket by a rule that knows nothing of KMS.
    pub replication: f64,
    /// Its policy denies a PutObject whose encryption header is not AES256.
    pub deny_unencrypted_policy: f64,
    /// It has the tags of a CloudFormation stack.
    pub cloudformation_tags: f64,
    /// It is named as Control Tower names its buckets.
    pub controltower_name: f64,
    /// It writes access logs.
    pub logging: f64,
    /// It blocks public access, unless it has a public policy.
    pub public_access_block: f64,
}

impl FeaturesSpec {
    pub(crate) fn is_default(&self) -> bool {
        *self == FeaturesSpec::default()
    }

    /// Name and value of one that is no part of a whole.
    pub(crate) fn fault(&self) -> Option<f64> {
        let all = [
            self.log_target,
            self.elb_log_target,
            self.public_policy,
            self.website,
            self.cloudfront_oai,
            self.foreign_principal,
            self.service_principal,
            self.replication,
            self.deny_unencrypted_policy,
            self.cloudformation_tags,
            self.controltower_name,
            self.logging,
            self.public_access_block,
        ];
        all.into_iter().find(|part| !(0.0..=1.0).contains(part))
    }
}
