//! What the managed rule S3_DEFAULT_ENCRYPTION_KMS says of a bucket. No other rule runs here.

use serde_json::{Value, json};

use crate::wire::{epoch, now_ms};
use crate::world::World;
use crate::world::bucket::{Algorithm, Bucket, Encryption};
use crate::world::config::{BUCKET, ConfigRule};
use crate::world::place::Place;

const DEFAULT_ENCRYPTION_KMS: &str = "S3_DEFAULT_ENCRYPTION_KMS";
/// ComplianceType
pub(super) const TYPES: [&str; 4] = ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE", "INSUFFICIENT_DATA"];
/// The resources of a rule are counted up to here.
const CAP: usize = 25;

/// What a rule says of a bucket at this moment.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) bucket: String,
    pub(super) compliant: bool,
    /// Milliseconds since 1970.
    judged_ms: i64,
}

impl Verdict {
    pub(super) fn word(&self) -> &'static str {
        if self.compliant { "COMPLIANT" } else { "NON_COMPLIANT" }
    }

    /// EvaluationResult
    pub(super) fn result(&self, rule: &str) -> Value {
        let at = epoch(self.judged_ms);
        json!({
            "EvaluationResultIdentifier": {
                "EvaluationResultQualifier": {
                    "ConfigRuleName": rule, "ResourceType": BUCKET, "ResourceId": self.bucket, "EvaluationMode": "DETECTIVE",
                },
                "OrderingTimestamp": at,
            },
            "ComplianceType": self.word(),
            "ResultRecordedTime": at,
            "ConfigRuleInvokedTime": at,
        })
    }
}

/// The rules of an account and Region with their verdicts. Where nothing is recorded nothing is judged.
pub(super) fn of_region(
    world: &World,
    place: Place,
    wanted: impl Fn(&ConfigRule) -> bool,
) -> Vec<(String, Vec<Verdict>)> {
    // Buckets are made when they are first needed; without a rule they are not.
    let some = world.with_region(place.account, place.region, |state| state.config.rules.values().any(&wanted));
    if !some {
        return Vec::new();
    }
    let judged_ms = now_ms();
    world.with_buckets_and_config(place, |buckets, config| {
        let mut all: Vec<(&ConfigRule, Vec<Verdict>)> =
            config.rules.values().filter(|rule| wanted(rule)).map(|rule| (rule, Vec::new())).collect();
        for bucket in buckets.filter(|_| config.recorder.records()) {
            for (rule, verdicts) in &mut all {
                if let Some(compliant) = is_compliant(world, place, rule, bucket) {
                    verdicts.push(Verdict { bucket: bucket.name.to_string(), compliant, judged_ms });
                }
            }
        }
        let named = |rule: &ConfigRule| rule.config_rule_name.clone().unwrap_or_default();
        all.into_iter().map(|(rule, verdicts)| (named(rule), verdicts)).collect()
    })
}

/// Compliance: of a rule that judged anything, with how many buckets are the reason.
pub(super) fn summed(verdicts: &[Verdict]) -> Option<Value> {
    let bad = verdicts.iter().filter(|verdict| !verdict.compliant).count();
    let (kind, count) = match (verdicts.len(), bad) {
        (0, _) => return None,
        (all, 0) => ("COMPLIANT", all),
        (_, bad) => ("NON_COMPLIANT", bad),
    };
    let count = json!({ "CappedCount": count.min(CAP), "CapExceeded": count > CAP });
    Some(json!({ "ComplianceType": kind, "ComplianceContributorCount": count }))
}

/// Whether a bucket complies; `None` when the rule does not run here, or is not for this bucket.
pub(super) fn is_compliant(world: &World, place: Place, rule: &ConfigRule, bucket: &Bucket) -> Option<bool> {
    let runs = rule.source.owner == "AWS" && rule.source.source_identifier.as_deref() == Some(DEFAULT_ENCRYPTION_KMS);
    if !runs || !is_in_scope(rule, &bucket.name) {
        return None;
    }
    let Some(encryption) = bucket.encryption.as_ref().filter(|one| one.algorithm != Algorithm::Aes256) else {
        return Some(false);
    };
    // The parameter is optional: without it any KMS key will do.
    let parameters = rule.input_parameters.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let parameters = parameters.unwrap_or_default();
    match parameters["kmsKeyArns"].as_str() {
        None => Some(true),
        Some(arns) => {
            let arn = key_arn(world, place, encryption);
            Some(arns.split(',').map(str::trim).any(|wanted| Some(wanted) == arn.as_deref()))
        }
    }
}

fn is_in_scope(rule: &ConfigRule, bucket: &str) -> bool {
    let Some(scope) = &rule.scope else { return true };
    let of_type = scope.compliance_resource_types.as_ref().is_none_or(|types| types.iter().any(|kind| kind == BUCKET));
    let of_id = scope.compliance_resource_id.as_deref().is_none_or(|id| id == bucket);
    // Scopes by tag are kept and shown, and take nothing in.
    of_type && of_id && scope.tag_key.is_none()
}

/// The ARN of the key that a default encryption names: an alias or a bare id is the bucket's account's own, and none at all
/// is the AWS managed key.
fn key_arn(world: &World, place: Place, encryption: &Encryption) -> Option<String> {
    let named = encryption.key.as_deref().unwrap_or("alias/aws/s3");
    let (account, region, key) = match world.spec.partition.strip_arn("kms", named) {
        None => (place.account, place.region, named),
        Some(rest) => {
            let mut parts = rest.splitn(3, ':');
            let (region, account, key) = (parts.next()?, parts.next()?, parts.next()?);
            if key.starts_with("key/") {
                return Some(named.to_owned());
            }
            (world.organization.find(account)?, world.region_index(region)?, key)
        }
    };
    world.find_key(account, region, key).map(|key| key.arn)
}
