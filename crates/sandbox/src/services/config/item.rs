//! A bucket as the configuration item that queries see: the properties of AWS's resource schema for AWS::S3::Bucket which this
//! sandbox has.

use serde_json::{Value, json};

use crate::wire::iso8601;
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::config::BUCKET;
use crate::world::configuration::Configuration;
use crate::world::place::Place;

/// The properties that can be selected and compared, whole ones and those below.
pub(super) const PROPERTIES: [&str; 16] = [
    "version",
    "accountId",
    "arn",
    "availabilityZone",
    "awsRegion",
    "resourceCreationTime",
    "resourceId",
    "resourceName",
    "resourceType",
    "configuration.name",
    "configuration.creationDate",
    "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules.applyServerSideEncryptionByDefault.sseAlgorithm",
    "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules.applyServerSideEncryptionByDefault.kmsMasterKeyID",
    "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules.bucketKeyEnabled",
    "tags.key",
    "tags.value",
];
/// Those that `SELECT *` shows: the scalar ones at the top.
pub(super) const SCALARS: usize = 9;

/// Whether there is such a property, or something below it.
pub(super) fn is_property(path: &str) -> bool {
    PROPERTIES.iter().any(|one| one.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

pub(super) fn of(world: &World, place: Place, bucket: &Bucket) -> Value {
    let created = iso8601(i64::from(bucket.created) * 1000);
    let mut supplementary = json!({});
    if let Some(encryption) = &bucket.encryption {
        let mut default = json!({ "sseAlgorithm": encryption.algorithm.name() });
        if let Some(key) = &encryption.key {
            default["kmsMasterKeyID"] = json!(**key);
        }
        supplementary["ServerSideEncryptionConfiguration"] = json!({ "rules": [{
            "applyServerSideEncryptionByDefault": default,
            "bucketKeyEnabled": encryption.bucket_key,
        }] });
    }
    let tags = bucket.configurations.get(Configuration::Tagging);
    let tags = tags.and_then(|tagging| tagging["TagSet"].as_array()).into_iter().flatten();
    let tags: Vec<Value> = tags.map(|tag| json!({ "key": tag["Key"], "value": tag["Value"] })).collect();
    json!({
        "version": "1.3",
        "accountId": world.organization.accounts[place.account].id,
        "arn": world.spec.partition.s3_arn(&bucket.name),
        "availabilityZone": "Regional",
        "awsRegion": world.spec.regions[place.region],
        "resourceCreationTime": created,
        "resourceId": bucket.name,
        "resourceName": bucket.name,
        "resourceType": BUCKET,
        "configuration": { "name": bucket.name, "creationDate": created },
        "supplementaryConfiguration": supplementary,
        "tags": tags,
    })
}
