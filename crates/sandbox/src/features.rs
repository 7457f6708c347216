//! What generated buckets have configured besides encryption: drawn by `[features]`, or stated by a described bucket.
//! The draws have a stream of their own, so that they change nothing else about an organization.

use serde_json::{Value, json};

use crate::policy::shipped::in_account;
use crate::random::Random;
use crate::spec::{BucketSpec, FeaturesSpec, InventorySpec};
use crate::world::World;
use crate::world::configuration::{Configuration, Configurations};

/// The account that delivers load balancer logs in most older Regions is a constant of each; us-east-1's stands for all.
const ELB_ACCOUNT: &str = "127311923021";
const OAI: &str = "user/CloudFront Origin Access Identity E2QWRUHAPOMQZL";
/// An account outside every sandbox organization.
const OUTSIDER: &str = "999999999999";

fn allow(principal: Value, action: &str, objects: &str) -> Value {
    json!({ "Effect": "Allow", "Principal": principal, "Action": action, "Resource": objects })
}

/// Draws the features of one generated bucket. `nth` is its number in the account.
pub(crate) fn drawn(world: &World, account: usize, nth: usize, region: usize, bucket: &str) -> Configurations {
    let features = &world.spec.features;
    let mut configurations = Configurations::default();
    if *features == FeaturesSpec::default() {
        return configurations;
    }
    let partition = world.spec.partition;
    let objects = partition.s3_arn(format_args!("{bucket}/*"));
    let mut random = stream(world, account, nth);
    // Each feature has its draw whether it is on or not, so that turning one up leaves the others where they are.
    let mut hits = |chance: f64| random.fraction() < chance;
    let _name = hits(features.controltower_name);
    let mut statements = Vec::new();
    if hits(features.log_target) {
        statements.push(allow(json!({ "Service": "logging.s3.amazonaws.com" }), "s3:PutObject", &objects));
    }
    if hits(features.elb_log_target) {
        let root = partition.iam_arn(ELB_ACCOUNT, "root");
        statements.push(allow(json!({ "AWS": root }), "s3:PutObject", &objects));
    }
    let public = hits(features.public_policy);
    if public {
        statements.push(allow(json!("*"), "s3:GetObject", &objects));
    }
    if hits(features.website) {
        let website = json!({ "IndexDocument": { "Suffix": "index.html" } });
        configurations.set(Configuration::Website, Some(website));
    }
    if hits(features.cloudfront_oai) {
        statements.push(allow(json!({ "AWS": partition.iam_arn("cloudfront", OAI) }), "s3:GetObject", &objects));
    }
    if hits(features.foreign_principal) {
        let root = partition.iam_arn(OUTSIDER, "root");
        statements.push(allow(json!({ "AWS": root }), "s3:*", &objects));
    }
    if hits(features.service_principal) {
        statements.push(allow(json!({ "Service": "cloudtrail.amazonaws.com" }), "s3:PutObject", &objects));
    }
    if hits(features.replication) {
        let owner = &world.organization.accounts[account].id;
        configurations.set(Configuration::Versioning, Some(json!({ "Status": "Enabled" })));
        configurations.set(
            Configuration::Replication,
            Some(json!({
                "Role": partition.iam_arn(owner, "role/replication"),
                "Rules": [{
                    "ID": "all", "Priority": 1, "Filter": { "Prefix": "" }, "Status": "Enabled",
                    "Destination": { "Bucket": partition.s3_arn(format_args!("{bucket}-replica")) },
                    "DeleteMarkerReplication": { "Status": "Disabled" },
                }],
            })),
        );
    }
    if hits(features.deny_unencrypted_policy) {
        statements.push(json!({
            "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects,
            "Condition": { "StringNotEquals": { "s3:x-amz-server-side-encryption": "AES256" } },
        }));
    }
    if hits(features.cloudformation_tags) {
        let here = &world.spec.regions[region];
        let owner = &world.organization.accounts[account].id;
        let stack = partition.arn(
            "cloudformation",
            here,
            owner,
            format_args!("stack/storage/{}", Random::new(nth as u64, "stack", 0).uuid()),
        );
        configurations.set(
            Configuration::Tagging,
            Some(json!({ "TagSet": [
                { "Key": "aws:cloudformation:stack-name", "Value": "storage" },
                { "Key": "aws:cloudformation:stack-id", "Value": stack },
                { "Key": "aws:cloudformation:logical-id", "Value": format!("Bucket{nth}") },
            ] })),
        );
    }
    if hits(features.logging) {
        let logging = json!({ "LoggingEnabled": { "TargetBucket": bucket, "TargetPrefix": "log/" } });
        configurations.set(Configuration::Logging, Some(logging));
    }
    if hits(features.public_access_block) && !public {
        configurations.set(Configuration::PublicAccessBlock, Some(whole_block()));
    }
    if !statements.is_empty() {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        configurations.set(Configuration::Policy, Some(json!(policy)));
    }
    configurations
}

fn stream(world: &World, account: usize, nth: usize) -> Random {
    Random::new(world.spec.seed, "features", ((account as u64) << 24) | nth as u64)
}

fn whole_block() -> Value {
    json!({
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true,
    })
}

/// The name of a bucket that Control Tower made; nothing for most. The account id ends it, as in every generated name.
pub(crate) fn bucket_name(world: &World, account: usize, nth: usize) -> Option<String> {
    let chance = world.spec.features.controltower_name;
    let hit = chance > 0.0 && stream(world, account, nth).fraction() < chance;
    hit.then(|| format!("aws-controltower-logs-{nth}-{}", world.organization.accounts[account].id))
}

/// The canonical user of an account, by its name or id; one outside the organization has one too.
fn canonical_user(world: &World, account: &str) -> String {
    match world.organization.accounts.iter().position(|one| one.id == account || one.name == account) {
        Some(index) => world.canonical_id(index),
        None => Random::new(0, account, 0).text(b"0123456789abcdef", 64),
    }
}

/// The ACL of a described bucket; nothing where it states none.
fn acl(world: &World, account: usize, bucket: &BucketSpec) -> Option<Value> {
    if bucket.acl_grants.is_empty() && !bucket.log_delivery_acl {
        return None;
    }
    let own = world.canonical_id(account);
    let user = |id: &str, permission: &str| json!({ "Grantee": { "Type": "CanonicalUser", "ID": id }, "Permission": permission });
    let group = |permission: &str| {
        json!({ "Grantee": { "Type": "Group", "URI": "http://acs.amazonaws.com/groups/s3/LogDelivery" },
                "Permission": permission })
    };
    let mut grants = vec![user(&own, "FULL_CONTROL")];
    if bucket.log_delivery_acl {
        grants.extend([group("WRITE"), group("READ_ACP")]);
    }
    let others = bucket.acl_grants.iter();
    grants.extend(others.map(|grant| user(&canonical_user(world, &grant.account), &grant.permission)));
    Some(json!({ "Owner": { "ID": own }, "Grants": grants }))
}

fn inventory(world: &World, inventory: &InventorySpec) -> Value {
    let destination = world.spec.partition.s3_arn(&inventory.destination);
    let mut to = json!({ "Bucket": destination, "Format": "CSV" });
    if let Some(account) = &inventory.account {
        to["AccountId"] = json!(account);
    }
    if let Some(key) = &inventory.key {
        to["Encryption"] = json!({ "SSEKMS": { "KeyId": key } });
    }
    json!({
        "Destination": { "S3BucketDestination": to }, "IsEnabled": true, "Id": inventory.id,
        "IncludedObjectVersions": "Current", "Schedule": { "Frequency": "Daily" },
    })
}

/// What a described bucket of this account states.
pub(crate) fn described(world: &World, account: usize, bucket: &BucketSpec) -> Configurations {
    let (partition, owner) = (world.spec.partition, &world.organization.accounts[account].id);
    let mut configurations = Configurations::default();
    let mut set = |which, value: Option<Value>| {
        if value.is_some() {
            configurations.set(which, value);
        }
    };
    let policy = |text: &String| json!(in_account(text, &world.organization, account));
    set(Configuration::Policy, bucket.policy.as_ref().map(policy));
    let tags: Vec<Value> = bucket.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    set(Configuration::Tagging, (!tags.is_empty()).then(|| json!({ "TagSet": tags })));
    set(Configuration::Website, bucket.website.then(|| json!({ "IndexDocument": { "Suffix": "index.html" } })));
    let logging = |target: &String| json!({ "LoggingEnabled": { "TargetBucket": target, "TargetPrefix": "log/" } });
    set(Configuration::Logging, bucket.logging_target.as_ref().map(logging));
    set(Configuration::PublicAccessBlock, bucket.public_access_block.then(whole_block));
    if let Some(destination) = &bucket.replication_target {
        set(Configuration::Versioning, Some(json!({ "Status": "Enabled" })));
        set(
            Configuration::Replication,
            Some(json!({
                "Role": partition.iam_arn(owner, "role/replication"),
                "Rules": [{ "ID": "all", "Status": "Enabled", "Prefix": "",
                            "Destination": { "Bucket": partition.s3_arn(destination) } }],
            })),
        );
    }
    set(Configuration::Acl, acl(world, account, bucket));
    let ownership = |name: &String| json!({ "Rules": [{ "ObjectOwnership": name }] });
    set(Configuration::OwnershipControls, bucket.object_ownership.as_ref().map(ownership));
    let reports: Vec<Value> = bucket.inventory.iter().map(|report| inventory(world, report)).collect();
    set(Configuration::Inventory, (!reports.is_empty()).then_some(Value::Array(reports)));
    configurations
}
